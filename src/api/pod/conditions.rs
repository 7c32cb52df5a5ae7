//! The conditions in a pod's status: those a run works with, and others that it keeps as they are said.

use crate::api::name::Text;
use crate::api::node::Tristate;
use crate::time::SimTime;

/// The conditions of a pod that a run works with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PodCondition {
    /// It has a node.
    PodScheduled,
    /// Its sandbox stands and has an address.
    PodReadyToStartContainers,
    /// All init containers are through.
    Initialized,
    /// Every container is ready.
    ContainersReady,
    /// It may be sent requests.
    Ready,
    /// It was picked to be evicted.
    DisruptionTarget,
}

/// A condition's value and since when, cut to the second as the API writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Condition {
    /// The value; `None`: the condition is not there.
    pub value: Option<Tristate>,
    /// `lastTransitionTime`, in whole seconds from the start of the run, or [`Condition::UNSAID`].
    pub since_seconds: u32,
}

impl PodCondition {
    /// The condition of this type.
    pub fn named(kind: &str) -> Option<PodCondition> {
        Some(match kind {
            "PodScheduled" => PodCondition::PodScheduled,
            "PodReadyToStartContainers" => PodCondition::PodReadyToStartContainers,
            "Initialized" => PodCondition::Initialized,
            "ContainersReady" => PodCondition::ContainersReady,
            "Ready" => PodCondition::Ready,
            "DisruptionTarget" => PodCondition::DisruptionTarget,
            _ => return None,
        })
    }
}

impl Condition {
    /// Whoever wrote the condition did not say since when.
    pub const UNSAID: u32 = u32::MAX;

    /// Since when, if that was said.
    pub fn since(self) -> Option<SimTime> {
        (self.since_seconds != Condition::UNSAID)
            .then(|| SimTime::from_secs(self.since_seconds.into()))
    }
}

/// How many conditions of these types a pod can hold.
pub const POD_CONDITIONS: usize = 6;

/// A condition of a type that neither kubelets nor controllers of Kubernetes write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaidCondition {
    /// Its type, as in `example.com/registered`.
    pub kind: Text,
    /// Its value.
    pub value: Tristate,
    /// Why, in one word; may be empty.
    pub reason: Text,
    /// Why, in a sentence; may be empty.
    pub message: Text,
    /// `lastTransitionTime`, in whole seconds from the start of the run, or [`Condition::UNSAID`].
    pub since_seconds: u32,
}

impl SaidCondition {
    /// Since when, if that was said.
    pub fn since(&self) -> Option<SimTime> {
        Condition { value: None, since_seconds: self.since_seconds }.since()
    }
}
