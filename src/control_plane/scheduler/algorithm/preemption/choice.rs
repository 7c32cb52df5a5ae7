//! Which of the nodes that could be freed is freed (`pickOneNodeForPreemption`, 1.36).

use std::cmp::Reverse;
use std::sync::Arc;

use crate::api::node::Node;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::Resident;
use crate::time::SimTime;

/// A node that could be freed.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub node: Id<Node>,
    /// The pods that would have to go, the most important first; at least one.
    pub victims: Vec<Resident>,
    /// How many of them a disruption budget protects.
    pub violations: u32,
    cost: Cost,
}

/// What makes a candidate worse than another: the first difference counts. (Budgets violated, the
/// highest priority, the sum of priorities, how many victims, and how long ago the first of the
/// highest priority started.)
type Cost = (u32, i32, i64, usize, Reverse<SimTime>);

impl Candidate {
    /// These pods would have to go, the most important first.
    pub fn new(node: Id<Node>, victims: Vec<Resident>, violations: u32) -> Candidate {
        let priority = |pod: &Resident| pod.shape.spec().priority;
        let highest = victims.first().map_or(i32::MIN, priority);
        // Shifted, so that two pods of negative priority cost more than one.
        let shifted = |pod: &Resident| i64::from(priority(pod)) + i64::from(i32::MAX) + 1;
        let sum = victims.iter().map(shifted).sum();
        let started = earliest_start(&victims).unwrap_or(SimTime::ZERO);
        let cost = (violations, highest, sum, victims.len(), Reverse(started));
        Candidate { node, victims, violations, cost }
    }
}

/// When the first of the most important pods started; pods that have not count as started now,
/// which is [`SimTime::MAX`]. `None` without pods (`GetEarliestPodStartTime`, 1.36).
pub fn earliest_start(pods: &[Resident]) -> Option<SimTime> {
    let highest = pods.iter().map(|pod| pod.shape.spec().priority).max()?;
    let of_highest = pods.iter().filter(|pod| pod.shape.spec().priority == highest);
    of_highest.map(|pod| pod.start.unwrap_or(SimTime::MAX)).min()
}

/// The cheapest candidate, the first of several, and all that cost the same.
pub fn choose(candidates: &[Arc<Candidate>]) -> Option<(&Candidate, Vec<Id<Node>>)> {
    let best = candidates.iter().map(|candidate| candidate.cost).min()?;
    let mut cheapest = candidates.iter().filter(|candidate| candidate.cost == best);
    let tied = cheapest.clone().map(|candidate| candidate.node).collect();
    cheapest.next().map(|candidate| (&**candidate, tied))
}
