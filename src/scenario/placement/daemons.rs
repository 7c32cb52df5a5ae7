//! The pods a DaemonSet makes: one for each node that will have it (`nodeShouldRunDaemonPod` and
//! `AddOrUpdateDaemonPodTolerations`, pkg/controller/daemon 1.36).

use std::sync::Arc;

use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::{PodNetwork, PodSpec};
use crate::api::rules::affinity::Term;
use crate::api::rules::selector::{Operator, Requirement};
use crate::api::rules::taints::{Comparison, Effect, Toleration, first_untolerated};

/// The field by which a daemon's pod is kept to its node.
const NAME_FIELD: &str = "metadata.name";
/// Taints every daemon tolerates.
const TOLERATED: [(&str, Effect); 6] = [
    ("node.kubernetes.io/not-ready", Effect::NoExecute),
    ("node.kubernetes.io/unreachable", Effect::NoExecute),
    ("node.kubernetes.io/disk-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/memory-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/pid-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/unschedulable", Effect::NoSchedule),
];
/// And those on the node's network.
const NO_NETWORK: (&str, Effect) = ("node.kubernetes.io/network-unavailable", Effect::NoSchedule);

/// The node a pod's affinity keeps it to, as those of DaemonSets are.
pub(super) fn target(spec: &PodSpec) -> Option<Text> {
    let [term] = spec.node_affinity.required.as_deref()? else { return None };
    let [field] = term.fields.as_slice() else { return None };
    let is_kept = &*field.key == NAME_FIELD && field.operator == Operator::In;
    field.values.first().filter(|_| is_kept && field.values.len() == 1).cloned()
}

/// The nodes that will have a pod of this spec, each with the spec of its own.
pub(super) fn specs(spec: &PodSpec, nodes: &[Node]) -> Vec<(Text, Arc<PodSpec>)> {
    let mut spec = spec.clone();
    let of_network = Some(NO_NETWORK).filter(|_| spec.network == PodNetwork::Host);
    for (key, effect) in TOLERATED.into_iter().chain(of_network) {
        let toleration = Toleration {
            key: key.into(),
            comparison: Comparison::Exists,
            value: "".into(),
            effect: Some(effect),
            seconds: None,
        };
        if !spec.tolerations.contains(&toleration) {
            spec.tolerations.push(toleration);
        }
    }
    let keeps_off = |effect| matches!(effect, Effect::NoSchedule | Effect::NoExecute);
    let runs_on = |node: &&Node| {
        let name = node.meta.name.to_string();
        let selected = spec.node_selector.iter().all(|(k, v)| node.meta.labels.get(k) == Some(v));
        spec.node_name.as_ref().is_none_or(|wanted| **wanted == *name)
            && selected
            && spec.node_affinity.allows(&name, &node.meta.labels)
            && first_untolerated(&node.taints, &spec.tolerations, keeps_off).is_none()
    };
    let kept = |node: &Node| {
        let name: Text = node.meta.name.to_string().into();
        let field = Requirement {
            key: NAME_FIELD.into(),
            operator: Operator::In,
            values: vec![name.clone()],
        };
        let mut own = spec.clone();
        own.node_affinity.required = Some(vec![Term { labels: Vec::new(), fields: vec![field] }]);
        (name, Arc::new(own))
    };
    nodes.iter().filter(runs_on).map(kept).collect()
}
