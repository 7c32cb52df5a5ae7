//! What a kubelet's write leaves of a status that others write too (kubelet 1.36 `status_manager.go`
//! mergePodStatus).

use crate::api::name::Text;
use crate::api::pod::Phase;

/// Conditions that kubelets write, and nobody else.
const OWN: [&str; 5] =
    ["PodScheduled", "Ready", "Initialized", "ContainersReady", "PodReadyToStartContainers"];
/// The condition that others write as well.
const SHARED: &str = "DisruptionTarget";
/// Why pods that are done are not ready.
const DONE: (Phase, &str) = (Phase::Failed, "PodFailed");

/// Whether any of a pod's containers may still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Containers {
    /// None does.
    Gone,
    /// One may.
    MayRun,
}

/// What is written of a pod, as far as several write it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// The phase.
    pub phase: Phase,
    /// Why, with a sentence.
    pub why: (Text, Text),
    /// Conditions: type, whether it holds, and why.
    pub conditions: Vec<(Text, bool, Text)>,
}

/// What becomes of `old` when a kubelet writes `new`: others' conditions stay, and no pod is done while its
/// containers may run.
pub fn merged(old: &Written, new: &Written, containers: Containers) -> Written {
    let ends = !old.phase.is_terminal() && new.phase.is_terminal();
    let is_held_back = ends && containers == Containers::MayRun;
    let is_own = |name: &str| OWN.contains(&name);
    let others = old.conditions.iter().filter(|(name, ..)| !is_own(name));
    let mut next = Written { conditions: others.cloned().collect(), ..new.clone() };
    for condition in &new.conditions {
        let is_told = is_own(&condition.0) || *condition.0 == *SHARED && ends && !is_held_back;
        if is_told {
            put(&mut next.conditions, condition.clone());
        }
    }
    if is_held_back {
        (next.phase, next.why) = (old.phase, old.why.clone());
        // Whether it is ready goes with the phase.
        for condition in old.conditions.iter().filter(|(name, ..)| is_own(name)) {
            put(&mut next.conditions, condition.clone());
        }
    }
    if next.phase.is_terminal() {
        let why = if next.phase == DONE.0 { DONE.1 } else { "PodCompleted" };
        for name in ["Ready", "ContainersReady"] {
            put(&mut next.conditions, (name.into(), false, why.into()));
        }
    }
    next
}

fn put(all: &mut Vec<(Text, bool, Text)>, condition: (Text, bool, Text)) {
    match all.iter_mut().find(|held| held.0 == condition.0) {
        Some(held) => *held = condition,
        None => all.push(condition),
    }
}
