//! What a kubelet's new status leaves of the one it wrote last (kubelet 1.36 `status_manager.go`
//! mergePodStatus).

use crate::api::pod::{PodCondition, PodStatus};
use crate::time::SimTime;

/// Conditions that kubelets write, and nobody else.
const OWN: [PodCondition; 5] = [
    PodCondition::PodScheduled,
    PodCondition::Ready,
    PodCondition::Initialized,
    PodCondition::ContainersReady,
    PodCondition::PodReadyToStartContainers,
];

/// Whether any of a pod's containers may still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Containers {
    /// None does.
    Gone,
    /// One may.
    MayRun,
}

/// What becomes of `old` when a kubelet finds `new`, at `now`: others' conditions stay, and no pod is done while its
/// containers may run. That it was picked to be evicted is told when it is done.
pub fn merged(old: &PodStatus, new: PodStatus, containers: Containers, now: SimTime) -> PodStatus {
    let ends = !old.phase.is_terminal() && new.phase.is_terminal();
    let is_held_back = ends && containers == Containers::MayRun;
    let mut next = PodStatus { others: old.others.clone(), ..new };
    let target = PodCondition::DisruptionTarget;
    if !ends || is_held_back || next.condition(target).value.is_none() {
        next.conditions[target as usize] = old.condition(target);
        next.disruption.clone_from(&old.disruption);
    }
    if is_held_back {
        (next.phase, next.reason) = (old.phase, old.reason.clone());
        // Whether it is ready goes with the phase.
        for own in OWN.into_iter().filter(|own| old.condition(*own).value.is_some()) {
            next.conditions[own as usize] = old.condition(own);
        }
    }
    if next.phase.is_terminal() {
        for own in [PodCondition::Ready, PodCondition::ContainersReady] {
            next.set(own, false, now);
        }
    }
    next
}
