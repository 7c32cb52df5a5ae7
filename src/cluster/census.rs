//! How many pods are in which state, and what they ask of each node: kept up to date change by
//! change, so that looking at it costs the same for ten pods and for a million.

use std::sync::Arc;

use crate::api::node::Node;
use crate::api::pod::{Phase, Pod};
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::store::Change;

/// The state a pod is counted under; each pod under exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PodState {
    /// In phase Pending.
    Pending,
    /// In phase Running, not ready.
    NotReady,
    /// In phase Running, ready.
    Ready,
    /// Marked for deletion, and not yet at its end.
    Terminating,
    /// In phase Succeeded.
    Succeeded,
    /// In phase Failed.
    Failed,
}

impl PodState {
    /// All of them.
    pub const ALL: [PodState; 6] = [
        PodState::Pending,
        PodState::NotReady,
        PodState::Ready,
        PodState::Terminating,
        PodState::Succeeded,
        PodState::Failed,
    ];

    fn of(pod: &Pod) -> PodState {
        match pod.status.phase {
            Phase::Succeeded => PodState::Succeeded,
            Phase::Failed => PodState::Failed,
            _ if pod.meta.is_terminating() => PodState::Terminating,
            Phase::Pending | Phase::Unknown => PodState::Pending,
            Phase::Running if pod.is_ready() => PodState::Ready,
            Phase::Running => PodState::NotReady,
        }
    }
}

/// What the pods of a node ask for, those at their end left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeLoad {
    /// CPU, in thousandths of a core.
    pub cpu_milli: i64,
    /// Memory, in bytes.
    pub memory: i64,
    /// How many they are.
    pub pods: u32,
}

/// The counts.
#[derive(Clone, Debug, Default)]
pub struct Census {
    states: [u32; PodState::ALL.len()],
    /// By the node's slot.
    nodes: Chunked<NodeLoad>,
}

impl Census {
    /// Pods in this state.
    pub fn pods(&self, state: PodState) -> u32 {
        self.states[state as usize]
    }

    /// What is asked of a node.
    pub fn load(&self, node: Id<Node>) -> NodeLoad {
        self.nodes.get(node.slot()).copied().unwrap_or_default()
    }

    /// A pod changed.
    pub(super) fn pod(&mut self, change: &Change<'_, Pod>) {
        let (old, new) = (change.old.map(PodState::of), change.new.map(PodState::of));
        if old != new {
            if let Some(state) = old {
                self.states[state as usize] -= 1;
            }
            if let Some(state) = new {
                self.states[state as usize] += 1;
            }
        }
        let place = |pod: Option<&Pod>| pod.filter(|pod| !pod.status.phase.is_terminal())?.node;
        let (from, to) = (place(change.old), place(change.new));
        let is_same_spec = match (change.old, change.new) {
            (Some(old), Some(new)) => Arc::ptr_eq(&old.spec, &new.spec),
            _ => false,
        };
        if from == to && is_same_spec {
            return;
        }
        if let (Some(node), Some(pod)) = (from, change.old) {
            let (load, asked) = (self.row(node), &pod.counted_spec().requests);
            load.cpu_milli -= asked.cpu_milli;
            load.memory -= asked.memory;
            load.pods -= 1;
        }
        if let (Some(node), Some(pod)) = (to, change.new) {
            let (load, asked) = (self.row(node), &pod.counted_spec().requests);
            load.cpu_milli += asked.cpu_milli;
            load.memory += asked.memory;
            load.pods += 1;
        }
    }

    fn row(&mut self, node: Id<Node>) -> &mut NodeLoad {
        while self.nodes.len() <= node.slot() {
            self.nodes.push(NodeLoad::default());
        }
        &mut self.nodes[node.slot()]
    }
}
