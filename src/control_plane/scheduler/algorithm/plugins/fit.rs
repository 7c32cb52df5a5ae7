//! NodeResourcesFit: what a pod asks for must be left; the emptier the node would be, the better
//! (`plugins/noderesources/fit.go`, `resource_allocation.go`, 1.36), or as the profile's strategy says.

use smallvec::SmallVec;

use super::super::framework::{Code, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::profile::{Fit, Scored};
use super::super::shape::PodShape;
use crate::api::name::Text;
use crate::api::resources::Resources;

/// What is insufficient on a node, as bits: the order of the bits is that of the reasons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Shortage(pub u64);

impl Shortage {
    /// It has as many pods as it may.
    pub const PODS: Shortage = Shortage(1);
    /// Too little CPU is left.
    pub const CPU: Shortage = Shortage(2);
    /// Too little memory is left.
    pub const MEMORY: Shortage = Shortage(4);
    /// Too little local disk is left.
    pub const EPHEMERAL: Shortage = Shortage(8);
    const FIRST_SCALAR: u32 = 4;
    /// So many extended resources of one pod are told apart; further ones count as the last.
    const SCALARS: usize = 60;

    /// Too little is left of the pod's extended resource number `index`.
    pub fn scalar(index: usize) -> Shortage {
        Shortage(1 << (Self::FIRST_SCALAR as usize + index.min(Self::SCALARS - 1)))
    }

    /// Whether it is short of all that `other` is short of.
    pub fn has(self, other: Shortage) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is short.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Adds what `other` is short of.
    pub fn add(&mut self, other: Shortage) {
        self.0 |= other.0;
    }
}

/// What the node is short of for the pod, and whether even the empty node would be.
pub fn shortage(fit: &Fit, pod: &PodShape, node: &NodeInfo) -> (Shortage, Code) {
    let pods = node.pods.len() as i64;
    let asked = &pod.spec().requests;
    short_of(asked, &node.allocatable, &node.requested, pods, |name| fit.ignores(name))
}

/// The same by amounts: what is short of `all` where `pods` pods have `used` of it; extended resources
/// that are ignored are not looked at. A kubelet asks this of pods it is to take on, too.
pub fn short_of(
    asked: &Resources,
    all: &Resources,
    used: &Resources,
    pods: i64,
    is_ignored: impl Fn(&str) -> bool,
) -> (Shortage, Code) {
    let mut short = Shortage::default();
    let mut code = Code::Unschedulable;
    if pods + 1 > all.pods {
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
        if !is_ignored(name) {
            check(Shortage::scalar(index), *amount, all.scalar(name), used.scalar(name));
        }
    }
    (short, code)
}

/// Rejects nodes with too little left.
pub fn filter(fit: &Fit, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let (shortage, code) = shortage(fit, pod, node);
    (!shortage.is_none()).then_some(Rejection {
        plugin: Plugin::NodeResourcesFit,
        code,
        detail: shortage.0,
    })
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
        if short.has(what) {
            reasons.push(words.into());
        }
    }
    for (index, (name, _)) in pod.spec().requests.scalar.iter().enumerate() {
        if short.has(Shortage::scalar(index)) {
            reasons.push(format!("Insufficient {name}").into());
        }
    }
    reasons
}

/// What would be in use of a resource with the pod, and what there is of it; none if that does not
/// count.
fn use_of(resource: &Scored, pod: &PodShape, node: &NodeInfo) -> Option<(i64, i64)> {
    let (spec, all, used) = (pod.spec(), &*node.allocatable, &node.requested);
    let (used, asked, all) = match resource {
        Scored::Cpu => (node.nonzero_cpu, spec.nonzero_requests.cpu_milli, all.cpu_milli),
        Scored::Memory => (node.nonzero_memory, spec.nonzero_requests.memory, all.memory),
        Scored::EphemeralStorage => {
            (used.ephemeral_storage, spec.requests.ephemeral_storage, all.ephemeral_storage)
        }
        Scored::Extended(name) => match spec.requests.scalar(name) {
            0 => return None,
            asked => (used.scalar(name), asked, all.scalar(name)),
        },
    };
    (all != 0).then_some((used.saturating_add(asked), all))
}

/// The weighted mean of the scores of the resources that count; what the node does not have is left
/// out.
pub fn score(fit: &Fit, pod: &PodShape, node: &NodeInfo) -> i64 {
    fit.strategy.mean(fit.resources.iter().filter_map(|(resource, weight)| {
        let (used, all) = use_of(resource, pod, node)?;
        Some((fit.strategy.score(used, all), *weight))
    }))
}
