//! NodeResourcesFit: what a pod asks for must be left; the emptier the node would be, the better
//! (`plugins/noderesources/fit.go`, `least_allocated.go`, 1.36; strategy LeastAllocated over CPU and
//! memory with weight 1 each).

use smallvec::SmallVec;

use super::super::framework::{Code, MAX_SCORE, Plugin, Rejection, Shortage};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::name::Text;

/// What the node is short of for the pod, and whether even the empty node would be.
pub fn shortage(pod: &PodShape, node: &NodeInfo) -> (Shortage, Code) {
    let mut short = Shortage::default();
    let mut code = Code::Unschedulable;
    let (asked, all, used) = (&pod.spec().requests, &*node.allocatable, &node.requested);
    if node.pods + 1 > all.pods {
        short.add(Shortage::PODS);
    }
    let mut check = |what: Shortage, asked: i64, all: i64, used: i64| {
        if asked > 0 && asked > all.saturating_sub(used) {
            short.add(what);
            if asked > all {
                code = Code::UnschedulableAndUnresolvable;
            }
        }
    };
    check(Shortage::CPU, asked.cpu_milli, all.cpu_milli, used.cpu_milli);
    check(Shortage::MEMORY, asked.memory, all.memory, used.memory);
    let (disk, disk_used) = (all.ephemeral_storage, used.ephemeral_storage);
    check(Shortage::EPHEMERAL, asked.ephemeral_storage, disk, disk_used);
    for (index, (name, amount)) in asked.scalar.iter().enumerate() {
        check(Shortage::scalar(index), *amount, all.scalar(name), used.scalar(name));
    }
    (short, code)
}

/// Rejects nodes with too little left.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let (shortage, code) = shortage(pod, node);
    (!shortage.is_none()).then_some(Rejection { plugin: Plugin::NodeResourcesFit, code, shortage })
}

/// Its words for what is short.
pub fn reasons(short: Shortage, pod: &PodShape) -> SmallVec<[Text; 2]> {
    let mut reasons: SmallVec<[Text; 2]> = SmallVec::new();
    let fixed = [
        (Shortage::PODS, "Too many pods"),
        (Shortage::CPU, "Insufficient cpu"),
        (Shortage::MEMORY, "Insufficient memory"),
        (Shortage::EPHEMERAL, "Insufficient ephemeral-storage"),
    ];
    for (what, words) in fixed {
        if short.0 & what.0 != 0 {
            reasons.push(words.into());
        }
    }
    for (index, (name, _)) in pod.spec().requests.scalar.iter().enumerate() {
        if short.0 & Shortage::scalar(index).0 != 0 {
            reasons.push(format!("Insufficient {name}").into());
        }
    }
    reasons
}

/// How much of a resource would be left, 0..=100.
fn left(used: i64, all: i64) -> i64 {
    if all == 0 || used > all { 0 } else { (all - used).saturating_mul(MAX_SCORE) / all }
}

/// The mean of what would be left of CPU and memory; a resource the node does not have is not
/// counted. What asks for nothing counts as 100m and 200Mi a container.
pub fn score(pod: &PodShape, node: &NodeInfo) -> i64 {
    let (asked, all) = (&pod.spec().nonzero_requests, &*node.allocatable);
    let (mut sum, mut weights) = (0, 0);
    if all.cpu_milli != 0 {
        sum += left(node.nonzero_cpu.saturating_add(asked.cpu_milli), all.cpu_milli);
        weights += 1;
    }
    if all.memory != 0 {
        sum += left(node.nonzero_memory.saturating_add(asked.memory), all.memory);
        weights += 1;
    }
    if weights == 0 { 0 } else { sum / weights }
}
