//! How many replicas go where: the pure rules of kube-controller-manager 1.36
//! pkg/controller/deployment/util/deployment_util.go.

use std::cmp::Ordering;
use std::sync::Arc;

use super::annotations;
use crate::api::meta::Labels;
use crate::api::pod::PodTemplate;
use crate::api::workload::{
    Deployment, DeploymentStatus, IntOrPercent, ReplicaSet, Rounding, Strategy,
};
use crate::time::SimTime;

/// Label that tells the sets of a Deployment apart.
pub const TEMPLATE_HASH: &str = "pod-template-hash";

/// `ResolveFenceposts`: (surge, unavailable) as numbers; not both zero.
pub fn fenceposts(surge: IntOrPercent, unavailable: IntOrPercent, desired: i32) -> (i32, i32) {
    let surge = surge.of(desired, Rounding::Up);
    let unavailable = unavailable.of(desired, Rounding::Down);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// How many pods beyond the desired number there may be (`MaxSurge`).
pub fn max_surge(d: &Deployment) -> i32 {
    match d.strategy {
        Strategy::Recreate => 0,
        Strategy::RollingUpdate { max_surge, max_unavailable } => {
            fenceposts(max_surge, max_unavailable, d.replicas).0
        }
    }
}

/// How many pods of the desired number may be unavailable (`MaxUnavailable`).
pub fn max_unavailable(d: &Deployment) -> i32 {
    match d.strategy {
        Strategy::RollingUpdate { max_surge, max_unavailable } if d.replicas != 0 => {
            fenceposts(max_surge, max_unavailable, d.replicas).1.min(d.replicas)
        }
        _ => 0,
    }
}

/// How many pods must be available (`MinAvailable`).
pub fn min_available(d: &Deployment) -> i32 {
    match d.strategy {
        Strategy::Recreate => 0,
        Strategy::RollingUpdate { .. } => d.replicas - max_unavailable(d),
    }
}

/// The size the new set is to have, given the sizes of all sets together (`NewRSNewReplicas`).
pub fn new_set_size(d: &Deployment, total: i32, new_set: i32) -> i32 {
    match d.strategy {
        Strategy::Recreate => d.replicas,
        Strategy::RollingUpdate { max_surge, .. } => {
            let most = d.replicas + max_surge.of(d.replicas, Rounding::Up);
            if total >= most {
                return new_set;
            }
            new_set + (most - total).min(d.replicas - new_set)
        }
    }
}

/// Whether two templates are equal but for the hash label (`EqualIgnoreHash`).
pub fn same_template(a: &PodTemplate, b: &PodTemplate) -> bool {
    let without_hash = |labels: &Labels| {
        let mut labels = labels.clone();
        labels.remove(TEMPLATE_HASH);
        labels
    };
    (Arc::ptr_eq(&a.spec, &b.spec) || a.spec.written == b.spec.written)
        && a.name == b.name
        && a.finalizers() == b.finalizers()
        && a.annotations == b.annotations
        && (Arc::ptr_eq(&a.labels, &b.labels) || without_hash(&a.labels) == without_hash(&b.labels))
}

/// Creation, cut to the second as the API writes it, then name (`ReplicaSetsByCreationTimestamp`).
pub fn by_creation(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    let created = |set: &ReplicaSet| set.meta.created.as_secs();
    created(a).cmp(&created(b)).then_with(|| a.meta.name.cmp(&b.meta.name))
}

/// Whether everything is as asked for (`DeploymentComplete`).
pub fn is_complete(d: &Deployment, status: &DeploymentStatus) -> bool {
    status.updated == d.replicas
        && status.replicas == d.replicas
        && status.available == d.replicas
        && status.observed_generation >= d.meta.generation
}

/// Whether `new` is a step forward from the Deployment's status (`DeploymentProgressing`).
pub fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated > old.updated
        || new.replicas - new.updated < old.replicas - old.updated
        || new.ready > old.ready
        || new.available > old.available
}

/// Whether the Deployment has made no progress for its deadline (`DeploymentTimedOut`).
pub fn is_timed_out(d: &Deployment, status: &DeploymentStatus, now: SimTime) -> bool {
    if !has_deadline(d) {
        return false;
    }
    let Some(progressing) = &status.progressing else { return false };
    match progressing.reason {
        super::status::NEW_SET_AVAILABLE => false,
        super::status::TIMED_OUT => true,
        _ => progressing.updated + deadline(d) < now,
    }
}

/// `spec.progressDeadlineSeconds` as a span.
pub fn deadline(d: &Deployment) -> crate::time::SimDuration {
    crate::time::SimDuration::from_secs(u64::try_from(d.progress_deadline_seconds).unwrap_or(0))
}

/// Whether progress is watched at all (`HasProgressDeadline`).
pub fn has_deadline(d: &Deployment) -> bool {
    d.progress_deadline_seconds != i32::MAX
}

/// How many replicas of `to_add` (below zero: to take away) a set gets, `added` being given to
/// others already (`GetReplicaSetProportion`).
pub fn proportion(set: &ReplicaSet, d: &Deployment, to_add: i32, added: i32) -> i32 {
    if set.replicas == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(set, d);
    let allowed = to_add - added;
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}

/// By how much a set would change if it kept its share of the whole (`getReplicaSetFraction`):
/// round(size * new maximum / old maximum) - size, halves away from zero.
pub fn fraction(set: &ReplicaSet, d: &Deployment) -> i32 {
    if d.replicas == 0 {
        return -set.replicas;
    }
    let most = i64::from(d.replicas) + i64::from(max_surge(d));
    let before = match annotations::max_replicas(set) {
        Some(before) if before != 0 => i64::from(before),
        _ => i64::from(d.status.replicas),
    };
    if before == 0 {
        return 0;
    }
    let size = (2 * i64::from(set.replicas) * most + before).div_euclid(2 * before);
    size as i32 - set.replicas
}
