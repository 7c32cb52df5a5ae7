//! What a runtime class gives its pods: overhead, labels of nodes, tolerations; and that nothing else
//! gives them overhead (admission plugin RuntimeClass, 1.36 plugin/pkg/admission/runtimeclass).
//!
//! Refuses to know handlers: which runtime runs a pod plays no part in a run.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::node::v1::RuntimeClass;

use super::Server;
use super::admission::asked_name;
use super::tolerations::held;
use crate::api::compact::Compactor;
use crate::api::misc::Other;
use crate::api::name::Name;
use crate::api::pod::{Pod, PodSpec};
use crate::api::rules::resources::amounts;
use crate::api::rules::toleration_limits::merged;
use crate::api::status::Status;
use crate::store::Rev;

/// How runtime classes are written.
const CLASS: (&str, &str) = ("node.k8s.io/v1", "RuntimeClass");
/// What a written spec must hold, one of them, for this plugin to have a say.
const NAMES: &str = "\"runtimeClassName\":";
const COSTS: &str = "\"overhead\":";

impl<T> Server<'_, T> {
    /// The revision of what a spec's class is found among; zero for one that names none.
    pub(super) fn runtime_classes(&self, spec: &PodSpec) -> Rev {
        match spec.written.contains(NAMES) {
            true => self.store.table::<Other>().newest(),
            false => Rev::ZERO,
        }
    }

    /// Gives a new pod what its class has for it.
    pub(super) fn admit_runtime(&self, pod: &Pod, spec: &mut PodSpec) -> Result<(), Status> {
        if ![NAMES, COSTS].iter().any(|mark| spec.written.contains(mark)) {
            return Ok(());
        }
        let Ok(written) = serde_json::from_str::<core::PodSpec>(&spec.written) else {
            return Ok(());
        };
        let found = |name: &String| {
            let class = self.runtime_class(name);
            class.ok_or_else(|| format!("pod rejected: RuntimeClass {name:?} not found"))
        };
        let class = written.runtime_class_name.as_ref().map(found);
        let given = class.transpose().and_then(|class| given(class.as_ref(), written, spec));
        given.map_err(|why| Status::Forbidden(asked_name(pod), why.into()))
    }

    fn runtime_class(&self, name: &str) -> Option<RuntimeClass> {
        let name = Name::new(name);
        let mut named = self.store.table::<Other>().all_named("", &name);
        let (_, found) = named.find(|(_, it)| (&*it.api_version, &*it.kind) == CLASS)?;
        serde_json::from_str(&found.written).ok()
    }
}

/// What comes of a spec, written so, under `class`.
fn given(
    class: Option<&RuntimeClass>,
    mut written: core::PodSpec,
    spec: &mut PodSpec,
) -> Result<(), String> {
    let cost = class.and_then(|class| class.overhead.as_ref());
    let asked = written.overhead.as_ref().filter(|asked| !asked.is_empty());
    match (cost, asked) {
        (None, None) => {}
        (None, Some(_)) => {
            return Err(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined \
                        Overhead"
                    .to_owned(),
            );
        }
        (Some(cost), Some(asked)) if amounts(cost.pod_fixed.as_ref()) != amounts(Some(asked)) => {
            return Err(
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                    .to_owned(),
            );
        }
        (Some(cost), _) => written.overhead = cost.pod_fixed.clone(),
    }
    let scheduling = class.and_then(|class| class.scheduling.as_ref());
    let labels = scheduling.and_then(|it| it.node_selector.as_ref());
    for (key, value) in labels.into_iter().flatten() {
        let own = written.node_selector.get_or_insert_default();
        match own.get(key) {
            Some(other) if other != value => {
                return Err(format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; \
                     pod.spec.nodeSelector[{key}] = {other}"
                ));
            }
            _ => own.insert(key.clone(), value.clone()),
        };
        spec.node_selector.insert(key.as_str().into(), value.as_str().into());
    }
    let tolerations = scheduling.and_then(|it| it.tolerations.clone());
    if let Some(all) = tolerations.filter(|all| !all.is_empty()) {
        spec.tolerations = merged(&spec.tolerations, &held(all));
    }
    let (next, _) = Compactor::new().refilled(&Arc::new(spec.clone()), written);
    *spec = PodSpec::clone(&next);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::object::Object;

    /// The spec that a pod of `written` has under a class, or why it is refused.
    fn under(class: Value, written: Value) -> Result<Arc<PodSpec>, String> {
        let class: Option<RuntimeClass> = serde_json::from_value(class).expect("a class");
        let written: core::PodSpec = serde_json::from_value(written).expect("a spec");
        let pod = core::Pod { spec: Some(written.clone()), ..core::Pod::default() };
        let Object::Pod(pod) = Compactor::new().pod(pod).object else { panic!("a pod") };
        let mut spec = PodSpec::clone(&pod.spec);
        given(class.as_ref(), written, &mut spec).map(|()| Arc::new(spec))
    }

    fn class() -> Value {
        json!({"handler": "kata", "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"kata": "yes"},
                "tolerations": [{"key": "kata", "operator": "Exists"}]}})
    }

    #[test]
    fn a_class_gives_overhead_labels_and_tolerations() {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
        let plain = json!({"runtimeClassName": "kata", "containers": containers});
        let spec = under(class(), plain.clone()).unwrap();
        assert_eq!(spec.requests.cpu_milli, 1250);
        assert_eq!(spec.node_selector.get("kata").map(|it| &**it), Some("yes"));
        assert_eq!(&*spec.tolerations[0].key, "kata");
        let written: Value = serde_json::from_str(&spec.written).unwrap();
        assert_eq!(written["overhead"], json!({"cpu": "250m"}));
        assert_eq!(written["nodeSelector"], json!({"kata": "yes"}));

        let spec = under(json!({"handler": "runc"}), plain).unwrap();
        assert_eq!(spec.requests.cpu_milli, 1000, "a class may have nothing to give");
    }

    #[test]
    fn overhead_comes_of_a_class_or_not_at_all() {
        let asking = |cpu: &str| json!({"overhead": {"cpu": cpu}, "containers": [{"name": "c"}]});
        let alone =
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
        assert_eq!(under(Value::Null, asking("1")).unwrap_err(), alone);
        assert_eq!(under(json!({"handler": "runc"}), asking("1")).unwrap_err(), alone);
        assert_eq!(
            under(class(), asking("1")).unwrap_err(),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        );
        assert!(under(class(), asking("0.25")).is_ok());
    }

    #[test]
    fn labels_of_nodes_must_not_contradict() {
        let other = json!({"nodeSelector": {"kata": "no"}, "containers": [{"name": "c"}]});
        assert_eq!(
            under(class(), other).unwrap_err(),
            "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no"
        );
    }
}
