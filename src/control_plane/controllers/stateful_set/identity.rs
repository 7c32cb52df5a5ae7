//! Who a pod of a StatefulSet is: its number, its names, its labels
//! (kube-controller-manager 1.36 pkg/controller/statefulset/stateful_set_utils.go).

use std::sync::Arc;

use crate::api::meta::Labels;
use crate::api::pod::Pod;
use crate::api::stateful_set::StatefulSet;
use crate::control_plane::controllers::history::REVISION_HASH;

/// Label of a pod: its own name.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label of a pod: its number.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The name of the pod numbered `ordinal`.
pub fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.meta.name)
}

/// The name of the claim that `template` makes for the pod numbered `ordinal`.
pub fn claim_name(template: &str, set: &StatefulSet, ordinal: i32) -> String {
    format!("{template}-{}-{ordinal}", set.meta.name)
}

/// The number in the name of a pod of `set`; none: the name is no such pod's (`isMemberOf`).
pub fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let name = pod.meta.name.to_string();
    let (parent, digits) = name.rsplit_once('-')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || set.meta.name != *parent {
        return None;
    }
    digits.parse().ok()
}

/// The numbers the set's pods are to have.
pub fn range(set: &StatefulSet) -> std::ops::Range<i32> {
    set.first_ordinal..set.first_ordinal.saturating_add(set.replicas.max(0))
}

/// The revision a pod is of; empty: it does not say.
pub fn revision(pod: &Pod) -> &str {
    pod.meta.labels.get(REVISION_HASH).map_or("", AsRef::as_ref)
}

/// The labels of the pod `name` numbered `ordinal`, of revision `revision`.
pub fn labels(template: &Labels, name: &str, ordinal: i32, revision: &str) -> Arc<Labels> {
    let mut labels = template.clone();
    labels.insert(POD_NAME.into(), name.into());
    labels.insert(POD_INDEX.into(), ordinal.to_string().into());
    labels.insert(REVISION_HASH.into(), revision.into());
    Arc::new(labels)
}

/// Whether a pod's labels say who it is (`identityMatches`).
pub fn matches(pod: &Pod, ordinal: i32) -> bool {
    let says = |key: &str, value: &str| pod.meta.labels.get(key).is_some_and(|it| **it == *value);
    says(POD_NAME, &pod.meta.name.to_string()) && says(POD_INDEX, &ordinal.to_string())
}

/// The labels of a pod whose own do not say who it is.
pub fn repaired(pod: &Pod, ordinal: i32) -> Arc<Labels> {
    let mut labels = Labels::clone(&pod.meta.labels);
    labels.insert(POD_NAME.into(), pod.meta.name.to_string().into());
    labels.insert(POD_INDEX.into(), ordinal.to_string().into());
    Arc::new(labels)
}
