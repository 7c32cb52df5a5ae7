//! A scheduler with a case's pods in its queue.

use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::alone::{Alone, Arrival, Given, Settings};

use super::workloads::{Case, When, nodes, pods};

/// A cluster of so many nodes with the pods to be measured queued, and how many those are.
pub fn queued(case: Case, size: usize) -> (Alone, usize) {
    let (before, measured) = case.pods(size);
    let mut there = pods(case, When::Before, before);
    if case == Case::Preemption {
        // Full to begin with: four to a node.
        for (at, pod) in there.iter_mut().enumerate() {
            pod.node = Some(Id::from_parts((at % size) as u32, 0));
        }
    }
    let given = Given { nodes: nodes(size), pods: there, ..Given::default() };
    let mut alone = Alone::new(given, Settings { arrival: Arrival::Batch, ..Settings::default() });
    alone.run();
    for pod in pods(case, When::Measured, measured) {
        alone.take(pod);
    }
    alone.arrive_all();
    (alone, measured)
}
