//! What a Deployment writes on its sets, and reads back: revisions and the size they were made for.

use crate::api::meta::{Labels, Meta};
use crate::api::name::Text;
use crate::api::workload::{Deployment, ReplicaSet};
use std::sync::Arc;

use super::arithmetic::max_surge;

/// The revision of a set, and of the Deployment.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions of a set that was taken up again, separated by commas.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's size when the set was last scaled.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// That size with surge.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations that a Deployment and its sets each have of their own (`annotationsToSkip`).
pub const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// The longest history written (`maxRevHistoryLengthInChars`).
const HISTORY_MAX: usize = 2000;

/// The number noted under `key`; none where it is no number from 0 on
/// (`getNonNegativeInt32FromAnnotationVerbose`).
pub fn non_negative(meta: &Meta, key: &str) -> Option<i32> {
    meta.annotation(key)?.parse().ok().filter(|value| *value >= 0)
}

/// The size the set's Deployment had when the set was last scaled.
pub fn desired_replicas(set: &ReplicaSet) -> Option<i32> {
    non_negative(&set.meta, DESIRED_REPLICAS)
}

/// That size with surge.
pub fn max_replicas(set: &ReplicaSet) -> Option<i32> {
    non_negative(&set.meta, MAX_REPLICAS)
}

/// The revision noted on an object; 0 where there is none or it is no number.
pub fn revision(meta: &Meta) -> i64 {
    meta.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether a write changed something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It did.
    Made,
    /// All was so already.
    None,
}

impl Change {
    fn or(self, other: Change) -> Change {
        if other == Change::Made { other } else { self }
    }
}

fn set(meta: &mut Meta, key: &str, value: &str) -> Change {
    if meta.annotation(key) == Some(value) {
        return Change::None;
    }
    meta.annotate(key, value);
    Change::Made
}

/// Notes the Deployment's size on a set (`SetReplicasAnnotations`).
pub fn note_size(d: &Deployment, on: &mut ReplicaSet) -> Change {
    let most = d.replicas + max_surge(d);
    let desired = set(&mut on.meta, DESIRED_REPLICAS, &d.replicas.to_string());
    desired.or(set(&mut on.meta, MAX_REPLICAS, &most.to_string()))
}

/// Whether the size noted on a set is another than the Deployment's (`ReplicasAnnotationsNeedUpdate`).
pub fn size_differs(d: &Deployment, on: &ReplicaSet) -> bool {
    let most = (d.replicas + max_surge(d)).to_string();
    on.meta.annotation(DESIRED_REPLICAS) != Some(&d.replicas.to_string())
        || on.meta.annotation(MAX_REPLICAS) != Some(&most)
}

/// Gives a set the Deployment's annotations and `revision` (`SetNewReplicaSetAnnotations` of a set
/// that exists; a new one also gets [`note_size`]).
pub fn note_revision(d: &Deployment, on: &mut ReplicaSet, to: i64) -> Change {
    let mut change = Change::None;
    for (key, value) in d.meta.annotations.iter() {
        if !NOT_COPIED.contains(&&**key) {
            change = change.or(set(&mut on.meta, key, value));
        }
    }
    let held = on.meta.annotation(REVISION).map(Text::from);
    let old = revision(&on.meta);
    if old >= to {
        return change;
    }
    set(&mut on.meta, REVISION, &to.to_string());
    if let Some(held) = held {
        let history = on.meta.annotation(REVISION_HISTORY).unwrap_or("");
        let longer =
            if history.is_empty() { held.to_string() } else { format!("{history},{held}") };
        if longer.len() <= HISTORY_MAX {
            set(&mut on.meta, REVISION_HISTORY, &longer);
        }
    }
    Change::Made
}

/// Notes the newest revision on the Deployment (`SetDeploymentRevision`).
pub fn note_deployment_revision(d: &mut Deployment, to: &str) -> Change {
    set(&mut d.meta, REVISION, to)
}

/// `labels` with one more.
pub fn with_label(labels: &Arc<Labels>, key: &str, value: &str) -> Arc<Labels> {
    let mut labels = Labels::clone(labels);
    labels.insert(key.into(), value.into());
    Arc::new(labels)
}
