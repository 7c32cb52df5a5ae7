//! NodeResourcesBalancedAllocation: prefers nodes whose shares of CPU and memory in use come closer
//! to each other with the pod (`plugins/noderesources/balanced_allocation.go`, 1.36: the gain in
//! balance, not the balance).

use super::super::framework::MAX_SCORE;
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;

/// Pods that ask for neither CPU nor memory are not scored.
pub fn pre_score(pod: &PodShape) -> bool {
    let asked = &pod.spec().requests;
    asked.cpu_milli != 0 || asked.memory != 0
}

/// How balanced the given use is, 50..=100: one minus the standard deviation of the shares. Floats
/// as upstream: only sums, quotients and differences, which are the same on every machine.
fn balance(cpu: (i64, i64), memory: (i64, i64)) -> i64 {
    let share = |(used, all): (i64, i64)| (used as f64 / all as f64).min(1.0);
    let deviation =
        if cpu.1 != 0 && memory.1 != 0 { ((share(cpu) - share(memory)) / 2.0).abs() } else { 0.0 };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

/// About 75 where the pod changes nothing, more where it evens the node out.
pub fn score(pod: &PodShape, node: &NodeInfo) -> i64 {
    let (asked, all, used) = (&pod.spec().requests, &*node.allocatable, &node.requested);
    let without = balance((used.cpu_milli, all.cpu_milli), (used.memory, all.memory));
    let with = balance(
        (used.cpu_milli.saturating_add(asked.cpu_milli), all.cpu_milli),
        (used.memory.saturating_add(asked.memory), all.memory),
    );
    MAX_SCORE / 2 + (MAX_SCORE / 2 + with - without) / 2
}
