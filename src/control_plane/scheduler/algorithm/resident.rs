//! A pod on a node, as the algorithm sees it.

use super::shape::PodShape;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::time::SimTime;

/// A pod that takes room on a node.
#[derive(Clone, Debug)]
pub struct Resident {
    /// The pod.
    pub pod: Id<Pod>,
    /// What it shares with its siblings.
    pub shape: PodShape,
    /// `status.startTime`; `None`: not started, which counts as now (`GetPodStartTime`, 1.36).
    pub start: Option<SimTime>,
    /// Whether it is on its way out.
    pub standing: Standing,
}

/// Whether a pod is there to stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Standing {
    /// It is.
    #[default]
    Staying,
    /// It is being deleted.
    Leaving,
    /// It is being deleted because another pod preempts it: condition DisruptionTarget with reason
    /// PreemptionByScheduler.
    Preempted,
}
