//! How kube-scheduler 1.36 chooses a node: a library, a pure function of a snapshot of nodes.
//!
//! Owns: what is known of nodes ([`Snapshot`]), what matters of a pod ([`PodShape`]), the plugins of
//! the default profile, and the choice. Refuses to know clocks, requests, watches and the queue, so
//! that whoever asks "would this pod fit there?" (a DaemonSet, a kubelet, an autoscaler, a planner)
//! asks the same code.
//!
//! The framework's points, and where a plugin has its place:
//!
//! ```text
//! PreEnqueue  scheduler/queue             scheduling gates; pods that evict others
//! PreFilter   framework::pre_filter       narrows nodes, refuses at once, counts for the filters
//! Filter      framework::filter           in the order of framework::Plugin, first rejection counts
//! PostFilter  preemption                  who could make room, and its words where nobody can
//! PreScore, Score, NormalizeScore         framework::score: raw, 0..=100, then the weight
//! Reserve, PreBind                        scheduler/cache: assume; volumes::reserve
//! Bind                                    scheduler
//! ```
//!
//! Two ways lead to one answer: [`explain`] runs the points one after the other and tells every
//! score; [`Algorithm::schedule`] answers the same from columns and sums that follow what changes
//! ([`fast`]). A property test holds them side by side. Equal pods in a row may skip the search
//! ([`batch`]).
//!
//! Not modelled: claims of devices (DynamicResources), and plugins behind gates that are off; what asks
//! for them is named when it is read.

pub mod batch;
pub mod diagnosis;
pub mod fast;
pub mod framework;
pub mod gates;
pub mod images;
mod log;
pub mod node_info;
pub mod node_tree;
pub mod nominations;
pub mod plain;
pub mod plugins;
pub mod preemption;
pub mod profile;
pub mod rejected;
pub mod resident;
pub mod shape;
pub mod snapshot;
pub mod surroundings;
pub mod volumes;

pub use diagnosis::Diagnosis;
pub use fast::Algorithm;
pub use framework::{Code, Plugin, PluginSet, Question, Rejection};
pub use node_info::NodeInfo;
pub use nominations::Nominations;
pub use plain::{Explanation, explain, explain_first};
pub use profile::Profile;
pub use rejected::Rejected;
pub use resident::{Resident, Standing};
pub use shape::PodShape;
pub use snapshot::Snapshot;
pub use surroundings::{Budget, Surroundings};

/// Nodes below this number are all looked at (`minFeasibleNodesToFind`, schedule_one.go 1.36).
pub const MIN_FEASIBLE: usize = 100;

/// How many feasible nodes are enough among `nodes`, with `percentage` of them to be scored; 0 is
/// the adaptive default, 50 minus one per 125 nodes, at least 5 (`numFeasibleNodesToFind`, 1.36).
pub fn feasible_to_find(percentage: u8, nodes: usize) -> usize {
    if nodes < MIN_FEASIBLE || percentage >= 100 {
        return nodes;
    }
    let percentage = match usize::from(percentage) {
        0 => 50_usize.saturating_sub(nodes / 125).max(5),
        given => given,
    };
    (nodes * percentage / 100).max(MIN_FEASIBLE)
}

/// Where a node stands in the order in which a heap built over `len` candidates prefers equal ones:
/// the smallest rank wins. kube-scheduler 1.36 pops the top of a binary heap (Go's container/heap)
/// made of the feasible nodes in visiting order; a parent keeps its place against equal children,
/// and the left child is taken before the right, so among equals the first in a pre-order walk of
/// the implicit tree wins.
pub(crate) fn heap_rank(index: usize) -> (u64, u32) {
    let path = index as u64 + 1;
    let depth = 63 - path.leading_zeros();
    (path << path.leading_zeros(), depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's container/heap, `Init` then `Pop`, over scores in visiting order.
    fn popped(scores: &[i64]) -> usize {
        let mut heap: Vec<usize> = (0..scores.len()).collect();
        let less = |heap: &[usize], a: usize, b: usize| scores[heap[a]] > scores[heap[b]];
        for start in (0..heap.len() / 2).rev() {
            let mut at = start;
            loop {
                let left = 2 * at + 1;
                if left >= heap.len() {
                    break;
                }
                let right = left + 1;
                let child =
                    if right < heap.len() && less(&heap, right, left) { right } else { left };
                if !less(&heap, child, at) {
                    break;
                }
                heap.swap(at, child);
                at = child;
            }
        }
        heap[0]
    }

    #[test]
    fn the_rank_picks_what_the_heap_pops() {
        let mut bits = 1_u64;
        for len in 1..200 {
            let scores: Vec<i64> = (0..len)
                .map(|_| {
                    bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (bits >> 62) as i64
                })
                .collect();
            let best = (0..len)
                .min_by_key(|&index| (-scores[index], heap_rank(index)))
                .expect("not empty");
            assert_eq!(best, popped(&scores), "{scores:?}");
        }
    }

    #[test]
    fn small_clusters_are_looked_at_whole() {
        assert_eq!(feasible_to_find(0, 99), 99);
        assert_eq!(feasible_to_find(30, 200), 100);
    }

    /// The Kubernetes documentation (scheduler-perf-tuning): 50 % of a 100-node cluster, 10 % of a
    /// 5,000-node one, never less than 5 %, and never fewer than 100 nodes. So 100 nodes are looked at
    /// whole all the same.
    #[test]
    fn the_published_shares_of_nodes() {
        let share = |nodes: usize| 50_usize.saturating_sub(nodes / 125).max(5);
        assert_eq!([100, 5000, 6000, 50_000].map(share), [50, 10, 5, 5]);
        let found = [100, 5000, 6000, 50_000].map(|nodes| feasible_to_find(0, nodes));
        assert_eq!(found, [100, 500, 300, 2500]);
    }
}
