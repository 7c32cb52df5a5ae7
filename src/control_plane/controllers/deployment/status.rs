//! The status of a Deployment and its conditions: kube-controller-manager 1.36
//! pkg/controller/deployment/{progress,sync}.go.

use super::arithmetic::{has_deadline, is_complete, is_progressing, is_timed_out, max_unavailable};
use crate::api::name::Text;
use crate::api::workload::{Deployment, DeploymentStatus, ReplicaSet, WorkloadCondition};
use crate::time::SimTime;

/// Progressing: the new set was made.
pub const NEW_SET_CREATED: &str = "NewReplicaSetCreated";
/// Progressing: a set of the wanted template was found.
pub const NEW_SET_FOUND: &str = "FoundNewReplicaSet";
/// Progressing: some set changed for the better.
pub const SET_UPDATED: &str = "ReplicaSetUpdated";
/// Progressing: the rollout is complete.
pub const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Progressing: the deadline has passed.
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// Progressing: the new set could not be made.
pub const SET_FAILED: &str = "ReplicaSetCreateError";
/// Progressing: the rollout is paused.
pub const PAUSED: &str = "DeploymentPaused";
/// Progressing: the rollout goes on.
pub const RESUMED: &str = "DeploymentResumed";
/// Available.
pub const MINIMUM_AVAILABLE: &str = "MinimumReplicasAvailable";
/// Not available.
pub const MINIMUM_UNAVAILABLE: &str = "MinimumReplicasUnavailable";

/// A condition as of `now`, its times cut to the second as the API writes them.
pub fn condition(
    value: Option<bool>,
    reason: &'static str,
    message: impl Into<Text>,
    now: SimTime,
) -> WorkloadCondition {
    let now = SimTime::from_secs(now.as_secs());
    WorkloadCondition { value, reason, message: message.into(), updated: now, transition: now }
}

/// Sets a condition; one of equal value and reason stays, one of equal value keeps its transition
/// time (`SetDeploymentCondition`).
pub fn set_condition(slot: &mut Option<WorkloadCondition>, mut next: WorkloadCondition) {
    if let Some(held) = slot {
        if held.value == next.value && held.reason == next.reason {
            return;
        }
        if held.value == next.value {
            next.transition = held.transition;
        }
    }
    *slot = Some(next);
}

/// The counts over `all` sets, and the Available condition (`calculateStatus`).
pub fn calculate<'s>(
    d: &Deployment,
    all: impl Iterator<Item = &'s ReplicaSet> + Clone,
    new_set: Option<&ReplicaSet>,
    now: SimTime,
) -> DeploymentStatus {
    let sum = |part: fn(&ReplicaSet) -> i32| all.clone().map(part).sum::<i32>();
    let available = sum(|set| set.status.available);
    let mut status = DeploymentStatus {
        observed_generation: d.meta.generation,
        replicas: sum(|set| set.status.replicas),
        updated: new_set.map_or(0, |set| set.status.replicas),
        ready: sum(|set| set.status.ready),
        available,
        unavailable: (sum(|set| set.replicas) - available).max(0),
        terminating: terminating(all.clone()),
        ..d.status.clone()
    };
    let next = if available >= d.replicas - max_unavailable(d) {
        let message = "Deployment has minimum availability.";
        condition(Some(true), MINIMUM_AVAILABLE, message, now)
    } else {
        let message = "Deployment does not have minimum availability.";
        condition(Some(false), MINIMUM_UNAVAILABLE, message, now)
    };
    set_condition(&mut status.available_condition, next);
    status
}

/// Pods of all sets that are being deleted (`GetTerminatingReplicaCountForReplicaSets`): a set of which its
/// controller has said nothing yet has none, one of which it has not said this leaves it open.
fn terminating<'s>(all: impl Iterator<Item = &'s ReplicaSet>) -> Option<i32> {
    let of = |set: &ReplicaSet| match set.status.terminating {
        None if set.status.observed_generation == 0 => Some(0),
        counted => counted,
    };
    all.map(of).sum()
}

/// The status of a Deployment in a rollout: counts, progress, failures (`syncRolloutStatus`).
pub fn rollout<'s>(
    d: &Deployment,
    all: impl Iterator<Item = &'s ReplicaSet> + Clone,
    new_set: Option<&ReplicaSet>,
    now: SimTime,
) -> DeploymentStatus {
    let mut status = calculate(d, all.clone(), new_set, now);
    if !has_deadline(d) {
        status.progressing = None;
    }
    let held = d.status.progressing.clone();
    let was_complete = status.replicas == status.updated
        && held.as_ref().is_some_and(|held| held.reason == NEW_SET_AVAILABLE);
    if has_deadline(d) && !was_complete {
        progress(d, &mut status, held, new_set, now);
    }
    status.failure = failure(d, all, new_set);
    status
}

fn progress(
    d: &Deployment,
    status: &mut DeploymentStatus,
    held: Option<WorkloadCondition>,
    new_set: Option<&ReplicaSet>,
    now: SimTime,
) {
    let what = || match new_set {
        Some(set) => format!("ReplicaSet \"{}\"", set.meta.name),
        None => format!("Deployment \"{}\"", d.meta.name),
    };
    if is_complete(d, status) {
        let message = format!("{} has successfully progressed.", what());
        let next = condition(Some(true), NEW_SET_AVAILABLE, message, now);
        set_condition(&mut status.progressing, next);
    } else if is_progressing(&d.status, status) {
        let message = format!("{} is progressing.", what());
        let mut next = condition(Some(true), SET_UPDATED, message, now);
        if let Some(held) = held
            && held.value == Some(true)
        {
            next.transition = held.transition;
        }
        // Written even where value and reason are as before: the time of update is the news.
        status.progressing = Some(next);
    } else if is_timed_out(d, status, now) {
        let message = format!("{} has timed out progressing.", what());
        let next = condition(Some(false), TIMED_OUT, message, now);
        set_condition(&mut status.progressing, next);
    }
}

/// The failure condition of the new set, or else of the first other that has one.
fn failure<'s>(
    d: &Deployment,
    all: impl Iterator<Item = &'s ReplicaSet> + Clone,
    new_set: Option<&ReplicaSet>,
) -> Option<WorkloadCondition> {
    let failing = |set: &&ReplicaSet| set.status.failure.is_some();
    let set = new_set.filter(failing).or_else(|| all.clone().find(failing))?;
    let found = set.status.failure.as_ref()?;
    let reason = if &*found.reason == "FailedDelete" { "FailedDelete" } else { "FailedCreate" };
    let mut slot = d.status.failure.clone();
    set_condition(&mut slot, condition(Some(true), reason, found.message.clone(), found.since));
    slot
}
