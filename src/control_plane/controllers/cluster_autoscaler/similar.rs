//! Which groups of nodes are alike, so that a scale-up is spread over them (cluster-autoscaler 1.36
//! processors/nodegroupset): by chosen labels, or by what their nodes offer and the labels that are not
//! a node's own.

use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::node::{HOSTNAME_LABEL, Node, REGION_LABEL, ZONE_LABEL};

/// By how much memory capacity may differ, in thousandths (`MaxCapacityMemoryDifferenceRatio`).
const MEMORY: i64 = 15;
/// By how much what pods may use may differ, in thousandths (`MaxAllocatableDifferenceRatio`).
const ALLOCATABLE: i64 = 50;

/// Labels that differ from node to node, or from zone to zone (`BasicIgnoredLabels`).
const IGNORED: [&str; 6] = [
    HOSTNAME_LABEL,
    ZONE_LABEL,
    REGION_LABEL,
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone-id",
];

/// Whether both have all of these labels, with equal values (`--balancing-label`).
pub fn have_equal_labels(keys: &[Text], one: &Labels, other: &Labels) -> bool {
    keys.iter().all(|key| one.get(key).is_some_and(|value| other.get(key) == Some(value)))
}

fn is_near(one: i64, other: i64, thousandths: i64) -> bool {
    let (small, large) = (i128::from(one.min(other)), i128::from(one.max(other)));
    (large - small) * 1000 <= large * i128::from(thousandths)
}

/// Whether nodes of two groups are alike: by `keys` if there are any, else by size and labels
/// (`IsCloudProviderNodeInfoSimilar`).
pub fn are_alike(keys: &[Text], one: &Node, other: &Node) -> bool {
    let (left, right) = (&one.meta.labels, &other.meta.labels);
    if !keys.is_empty() {
        return have_equal_labels(keys, left, right);
    }
    let (a, b) = (&one.capacity, &other.capacity);
    let same_size = is_near(a.memory, b.memory, MEMORY)
        && a.cpu_milli == b.cpu_milli
        && a.pods == b.pods
        && a.scalar == b.scalar;
    let (a, b) = (&one.allocatable, &other.allocatable);
    let same_use = is_near(a.memory, b.memory, ALLOCATABLE)
        && is_near(a.cpu_milli, b.cpu_milli, ALLOCATABLE)
        && is_near(a.ephemeral_storage, b.ephemeral_storage, ALLOCATABLE);
    let own = |key: &&Text| !IGNORED.contains(&&***key);
    let labels = left.keys().chain(right.keys()).filter(own);
    same_size && same_use && labels.into_iter().all(|key| left.get(key) == right.get(key))
}
