//! Which taints a node should have, and one write of them.

use std::sync::Arc;

use crate::api::node::{
    Node, Schedulability, TAINT_NETWORK_UNAVAILABLE, TAINT_NOT_READY, TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE, Tristate,
};
use crate::api::object::Object;
use crate::api::rules::taints::{Effect, Taint, difference};
use crate::base::id::Id;
use crate::messages::{Call, Part};
use crate::store::Rev;
use crate::time::SimTime;

/// Taint of a node short of memory.
pub const TAINT_MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
/// Taint of a node short of disk.
pub const TAINT_DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
/// Taint of a node short of process ids.
pub const TAINT_PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";

/// A taint without value.
pub fn taint(key: &str, effect: Effect) -> Taint {
    Taint::new(key, "", effect)
}

/// Whether the node has a taint of this key and effect.
pub fn has(node: &Node, key: &str, effect: Effect) -> bool {
    node.taints.iter().any(|one| &*one.key == key && one.effect == effect)
}

/// The NoSchedule taints that follow from a node's conditions and cordon, and those it has of the
/// same keys: (to add, to remove) (`doNoScheduleTaintingPass`).
pub fn no_schedule(node: &Node) -> (Vec<Taint>, Vec<Taint>) {
    let conditions = &node.conditions;
    let wanted = [
        (TAINT_NOT_READY, conditions.ready == Tristate::False),
        (TAINT_UNREACHABLE, conditions.ready == Tristate::Unknown),
        (TAINT_MEMORY_PRESSURE, conditions.memory_pressure == Tristate::True),
        (TAINT_DISK_PRESSURE, conditions.disk_pressure == Tristate::True),
        (TAINT_PID_PRESSURE, conditions.pid_pressure == Tristate::True),
        (TAINT_NETWORK_UNAVAILABLE, conditions.network_unavailable == Tristate::True),
        (TAINT_UNSCHEDULABLE, node.schedulability == Schedulability::Cordoned),
    ];
    let is_ours = |one: &&Taint| {
        one.effect == Effect::NoSchedule && wanted.iter().any(|(key, _)| **key == *one.key)
    };
    let held: Vec<Taint> = node.taints.iter().filter(is_ours).cloned().collect();
    let wanted: Vec<Taint> = wanted
        .iter()
        .filter(|(_, is_wanted)| *is_wanted)
        .map(|(key, _)| taint(key, Effect::NoSchedule))
        .collect();
    let (add, remove) = difference(&wanted, &held);
    let owned = |taints: Vec<&Taint>| taints.into_iter().cloned().collect();
    (owned(add), owned(remove))
}

/// A write of a node's taints.
#[derive(Clone, Debug)]
pub struct Writing {
    id: Id<Node>,
    base: Rev,
    next: Box<Node>,
}

impl Writing {
    /// The write that adds and removes taints as of `now`; `None` where the node has them so already
    /// (`SwapNodeControllerTaint`).
    pub fn new(
        id: Id<Node>,
        node: &Node,
        base: Rev,
        (add, remove): (&[Taint], &[Taint]),
        now: SimTime,
    ) -> Option<Writing> {
        let added: Vec<Taint> = add
            .iter()
            .filter(|new| !node.taints.iter().any(|held| held.is_same(new)))
            .map(|new| Taint { added: Some(now), ..new.clone() })
            .collect();
        let gone = |held: &Taint| remove.iter().any(|one| held.is_same(one));
        let removed = node.taints.iter().any(gone);
        if added.is_empty() && !removed {
            return None;
        }
        let kept = node.taints.iter().filter(|held| !gone(held));
        let taints: Arc<[Taint]> = kept.chain(&added).cloned().collect();
        let next = Box::new(Node { taints, ..node.clone() });
        Some(Writing { id, base, next })
    }

    /// As a request.
    pub fn call(&self) -> Call {
        Call::Update {
            id: self.id.into(),
            object: Object::Node(self.next.clone()),
            base: Some(self.base),
            part: Part::Main,
        }
    }
}
