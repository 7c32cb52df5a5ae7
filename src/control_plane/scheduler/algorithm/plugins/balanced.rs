//! NodeResourcesBalancedAllocation: prefers nodes whose shares of each resource in use come closer
//! to each other with the pod (`plugins/noderesources/balanced_allocation.go`, 1.36: the gain in
//! balance, not the balance).

use smallvec::SmallVec;

use super::super::framework::MAX_SCORE;
use super::super::node_info::NodeInfo;
use super::super::profile::Scored;
use super::super::shape::PodShape;
use crate::api::resources::Resources;

fn amount(resource: &Scored, of: &Resources) -> i64 {
    match resource {
        Scored::Cpu => of.cpu_milli,
        Scored::Memory => of.memory,
        Scored::EphemeralStorage => of.ephemeral_storage,
        Scored::Extended(name) => of.scalar(name),
    }
}

/// Pods that ask for none of the resources are not scored.
pub fn pre_score(among: &[Scored], pod: &PodShape) -> bool {
    among.iter().any(|resource| amount(resource, &pod.spec().requests) != 0)
}

/// How balanced these shares are, 50..=100: one minus their standard deviation. Floats as upstream,
/// in the same order.
fn balance(shares: &[f64]) -> i64 {
    let deviation = match shares {
        [] | [_] => 0.0,
        [one, other] => ((one - other) / 2.0).abs(),
        more => {
            let count = more.len() as f64;
            let mean = more.iter().sum::<f64>() / count;
            let squares: f64 = more.iter().map(|share| (share - mean) * (share - mean)).sum();
            libm::sqrt(squares / count)
        }
    };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

/// About 75 where the pod changes nothing, more where it evens the node out. An extended resource
/// counts only for pods that ask for it, and none that the node does not have.
pub fn score(among: &[Scored], pod: &PodShape, node: &NodeInfo) -> i64 {
    let share = |used: i64, all: i64| (used as f64 / all as f64).min(1.0);
    let mut without: SmallVec<[f64; 4]> = SmallVec::new();
    let mut with: SmallVec<[f64; 4]> = SmallVec::new();
    for resource in among {
        let all = amount(resource, &node.allocatable);
        let asked = amount(resource, &pod.spec().requests);
        if all == 0 || asked == 0 && matches!(resource, Scored::Extended(_)) {
            continue;
        }
        let used = amount(resource, &node.requested);
        without.push(share(used, all));
        with.push(share(used.saturating_add(asked), all));
    }
    MAX_SCORE / 2 + (MAX_SCORE / 2 + balance(&with) - balance(&without)) / 2
}
