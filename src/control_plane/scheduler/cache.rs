//! What a scheduler knows of nodes and of pods on them, its own decisions included before anyone
//! else knows of them (`pkg/scheduler/backend/cache`, 1.36).
//!
//! ```text
//!                 assume                 the watch shows it bound
//!   (unplaced) ------------> assumed --------------------------> placed
//!        ^                      |  binding failed                  |
//!        +----------------------+ forget                           | gone, or ended
//!        +---------------------------------------------------------+
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::algorithm::{PodShape, Profile, Resident, Snapshot, Standing};
use crate::api::node::Node;
use crate::api::pod::{Pod, PodCondition};
use crate::base::id::Id;

/// The reason of condition DisruptionTarget of a pod that another preempts.
pub const PREEMPTED: &str = "PreemptionByScheduler";

/// The nodes, with the pods on them counted in.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    snapshot: Snapshot,
    /// Decisions not yet seen in the watch.
    assumed: BTreeMap<Id<Pod>, (Id<Node>, PodShape)>,
}

/// A pod of this shape, as its node has it.
fn resident(id: Id<Pod>, pod: &Pod, shape: PodShape) -> Resident {
    let is_preempted = || {
        let reason = pod.status.disruption.as_ref();
        pod.status.is(PodCondition::DisruptionTarget)
            && reason.is_some_and(|it| &*it.reason == PREEMPTED)
    };
    let standing = match pod.meta.is_terminating() {
        false => Standing::Staying,
        true if is_preempted() => Standing::Preempted,
        true => Standing::Leaving,
    };
    Resident { pod: id, shape, start: pod.status.start_time, standing }
}

impl Cache {
    /// A cache that knows nothing yet, for schedulers of these profiles.
    pub fn of(profiles: &[Arc<Profile>]) -> Cache {
        let mut cache = Cache::default();
        cache.snapshot.share_gpus(profiles);
        cache
    }

    /// The nodes for one decision.
    pub fn settled(&mut self) -> &Snapshot {
        self.snapshot.settle();
        &self.snapshot
    }

    /// The nodes as they are, not settled.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The nodes, and what else counts, to be changed.
    pub fn snapshot_mut(&mut self) -> &mut Snapshot {
        &mut self.snapshot
    }

    /// How many nodes are known.
    pub fn nodes(&self) -> usize {
        self.snapshot.len()
    }

    /// A node came or changed.
    pub fn set_node(&mut self, id: Id<Node>, node: &Node) {
        self.snapshot.set_node(id, node);
    }

    /// A node is gone.
    pub fn remove_node(&mut self, id: Id<Node>) {
        self.snapshot.remove_node(id);
    }

    /// Counts a pod in on the node it was chosen for.
    pub fn assume(&mut self, pod: Id<Pod>, node: Id<Node>, shape: &PodShape) {
        let resident =
            Resident { pod, shape: shape.clone(), start: None, standing: Standing::Staying };
        self.snapshot.add_pod(node, resident);
        self.assumed.insert(pod, (node, shape.clone()));
    }

    /// The node a pod was chosen for, until the watch shows it bound.
    pub fn assumed(&self, pod: Id<Pod>) -> Option<Id<Node>> {
        self.assumed.get(&pod).map(|(node, _)| *node)
    }

    /// A decision came to nothing; returns the shape that was counted.
    pub fn forget(&mut self, pod: Id<Pod>) -> Option<PodShape> {
        let (node, shape) = self.assumed.remove(&pod)?;
        self.snapshot.remove_pod(node, pod);
        Some(shape)
    }

    /// The watch shows a pod on a node.
    pub fn pod_placed(&mut self, id: Id<Pod>, node: Id<Node>, pod: &Pod, shape: PodShape) {
        let now = resident(id, pod, shape);
        if let Some((assumed, _)) = self.assumed.remove(&id) {
            if assumed == node {
                self.snapshot.change_pod(node, now);
                return;
            }
            self.snapshot.remove_pod(assumed, id);
        }
        self.snapshot.add_pod(node, now);
    }

    /// The watch shows another version of a pod on its node.
    pub fn pod_changed(&mut self, id: Id<Pod>, node: Id<Node>, pod: &Pod, shape: PodShape) {
        self.snapshot.change_pod(node, resident(id, pod, shape));
    }

    /// The watch shows that a pod no longer takes room on a node.
    pub fn pod_left(&mut self, id: Id<Pod>, node: Id<Node>) {
        self.snapshot.remove_pod(node, id);
    }

    /// Forgets all but decisions under way: everything will be listed again.
    pub fn clear(&mut self) {
        self.snapshot.clear();
        for (pod, (node, shape)) in &self.assumed {
            let (pod, shape) = (*pod, shape.clone());
            let standing = Standing::Staying;
            self.snapshot.add_pod(*node, Resident { pod, shape, start: None, standing });
        }
    }
}
