//! Specs of pods that are not quite their template's: each pod of a StatefulSet has a name and
//! claims of its own, each pod of a DaemonSet is for one node.
//!
//! Owns the way from a template's spec to such a pod's, as written and as held; refuses to know who
//! wants it.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::Compactor;
use crate::api::name::Text;
use crate::api::pod::PodSpec;
use crate::api::rules::taints::{Comparison, Toleration};

/// Stands for the node's name while it is not known. Names hold no such letter.
const ANY_NODE: &str = "\u{1}";
/// How it is written down.
const WRITTEN_ANY_NODE: &str = "\\u0001";
/// The field of a node that affinity can ask for.
const NODE_NAME: &str = "metadata.name";

fn typed(spec: &PodSpec) -> core::PodSpec {
    // What was written once can be read again; tests' stand-ins for a spec are empty ones.
    serde_json::from_str(&spec.written).unwrap_or_default()
}

/// The spec of a StatefulSet's pod (`initIdentity`, `updateStorage`, kube-controller-manager 1.36
/// pkg/controller/statefulset): its host name and subdomain, and for each template of claims, given
/// with the claim's name, a volume that mounts it in place of one of that name.
pub fn identified(
    template: &PodSpec,
    hostname: &str,
    subdomain: &str,
    claims: &[(Text, String)],
) -> Arc<PodSpec> {
    let mut spec = typed(template);
    spec.hostname = Some(hostname.to_owned());
    spec.subdomain = (!subdomain.is_empty()).then(|| subdomain.to_owned());
    let of_claims: Vec<core::Volume> = claims
        .iter()
        .map(|(volume, claim)| core::Volume {
            name: volume.to_string(),
            persistent_volume_claim: Some(core::PersistentVolumeClaimVolumeSource {
                claim_name: claim.clone(),
                ..core::PersistentVolumeClaimVolumeSource::default()
            }),
            ..core::Volume::default()
        })
        .collect();
    let named = |volume: &core::Volume| claims.iter().any(|(name, _)| **name == volume.name);
    let others = spec.volumes.take().into_iter().flatten().filter(|volume| !named(volume));
    let volumes: Vec<core::Volume> = of_claims.into_iter().chain(others).collect();
    spec.volumes = (!volumes.is_empty()).then_some(volumes);
    Compactor::new().pod_spec("StatefulSet", spec)
}

/// The specs of a DaemonSet's pods: alike but for the node each is for.
#[derive(Clone, Debug)]
pub struct NodeSpecs {
    spec: PodSpec,
    head: Text,
    tail: Text,
}

impl NodeSpecs {
    /// Specs made from `template` that tolerate what `tolerations` say as well
    /// (`AddOrUpdateDaemonPodTolerations`, `ReplaceDaemonSetPodNodeNameNodeAffinity`,
    /// kube-controller-manager 1.36 pkg/controller/daemon/util).
    pub fn new(template: &PodSpec, tolerations: &[Toleration]) -> NodeSpecs {
        let mut written = typed(template);
        for toleration in tolerations {
            tolerate(written.tolerations.get_or_insert_default(), toleration);
        }
        let affinity = written.affinity.get_or_insert_default();
        pin(affinity.node_affinity.get_or_insert_default(), ANY_NODE);
        let spec = Compactor::new().pod_spec("DaemonSet", written);
        // The name stands in the first place that it can stand in: nobody else writes such a letter.
        let field = format!("\"key\":\"{NODE_NAME}\",\"operator\":\"In\",\"values\":[\"");
        let at = spec.written.find(&format!("{field}{WRITTEN_ANY_NODE}"));
        let at = at.map_or(spec.written.len(), |at| at + field.len());
        let (head, tail) = spec.written.split_at(at);
        let tail = tail.strip_prefix(WRITTEN_ANY_NODE).unwrap_or(tail);
        NodeSpecs { head: head.into(), tail: tail.into(), spec: PodSpec::clone(&spec) }
    }

    /// What decides where pods may run, the node apart: its tolerations are those of the pods, its
    /// required node affinity is no one's.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// The spec of the pod for `node`.
    pub fn on(&self, node: &str) -> Arc<PodSpec> {
        let mut spec = self.spec.clone();
        for term in spec.node_affinity.required.iter_mut().flatten() {
            for field in &mut term.fields {
                field.values = vec![node.into()];
            }
        }
        spec.written = [&*self.head, node, &*self.tail].concat().into();
        Arc::new(spec)
    }
}

/// Whatever was required of nodes, now it is this one by name.
fn pin(affinity: &mut core::NodeAffinity, node: &str) {
    let by_name = core::NodeSelectorRequirement {
        key: NODE_NAME.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term =
        core::NodeSelectorTerm { match_expressions: None, match_fields: Some(vec![by_name]) };
    affinity.required_during_scheduling_ignored_during_execution =
        Some(core::NodeSelector { node_selector_terms: vec![term] });
}

/// Adds a toleration, or puts it in the place of one of the same key, effect, operator and value.
fn tolerate(held: &mut Vec<core::Toleration>, wanted: &Toleration) {
    let operator = match wanted.comparison {
        Comparison::Exists => "Exists",
        Comparison::Equal => "Equal",
        Comparison::Lt => "Lt",
        Comparison::Gt => "Gt",
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let new = core::Toleration {
        key: text(&wanted.key),
        operator: Some(operator.to_owned()),
        value: text(&wanted.value),
        effect: wanted.effect.map(|effect| effect.name().to_owned()),
        toleration_seconds: wanted.seconds,
    };
    let same = |one: &&mut core::Toleration| {
        (&one.key, &one.operator, &one.value, &one.effect)
            == (&new.key, &new.operator, &new.value, &new.effect)
    };
    match held.iter_mut().find(same) {
        Some(old) => *old = new,
        None => held.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(written: Value) -> Arc<PodSpec> {
        let written = serde_json::from_value(written).expect("a pod spec");
        Compactor::new().pod_spec("Pod", written)
    }

    fn written(spec: &PodSpec) -> Value {
        serde_json::from_str(&spec.written).expect("JSON")
    }

    #[test]
    fn a_pod_of_a_stateful_set_has_its_name_and_its_claims() {
        let template = spec(json!({"containers": [{"name": "c"}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}));
        let claims = [("data".into(), "data-db-0".to_owned())];
        let pod = identified(&template, "db-0", "db", &claims);
        assert_eq!(
            written(&pod),
            json!({"containers": [{"name": "c"}], "hostname": "db-0", "subdomain": "db",
                "volumes": [
                    {"name": "data",
                     "persistentVolumeClaim": {"claimName": "data-db-0"}},
                    {"name": "tmp", "emptyDir": {}}]})
        );
    }

    #[test]
    fn a_pod_of_a_daemon_set_is_for_one_node_as_written_and_as_held() {
        let template = spec(json!({"containers": [{"name": "c", "image": "a\u{1}b"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}}}));
        let specs = NodeSpecs::new(&template, &[]);
        let pod = specs.on("n-1");
        let again = spec(written(&pod));
        assert_eq!(*pod, *again, "what is held is what is written");
        assert_eq!(
            written(&pod)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"],
            json!({"nodeSelectorTerms": [{"matchFields":
                [{"key": "metadata.name", "operator": "In", "values": ["n-1"]}]}]})
        );
        let none = crate::api::meta::Labels::new();
        assert!(pod.node_affinity.allows("n-1", &none) && !pod.node_affinity.allows("n-2", &none));
    }
}
