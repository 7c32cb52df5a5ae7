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

use super::algorithm::Snapshot;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodSpec};
use crate::base::id::Id;

/// A decision not yet seen in the watch.
#[derive(Clone, Debug)]
struct Assumed {
    node: Id<Node>,
    spec: Arc<PodSpec>,
}

/// The nodes, with the pods on them counted in.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    snapshot: Snapshot,
    assumed: BTreeMap<Id<Pod>, Assumed>,
}

impl Cache {
    /// The nodes for one decision.
    pub fn settled(&mut self) -> &Snapshot {
        self.snapshot.settle();
        &self.snapshot
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
    pub fn assume(&mut self, pod: Id<Pod>, node: Id<Node>, spec: &Arc<PodSpec>) {
        self.snapshot.add_pod(node, spec);
        self.assumed.insert(pod, Assumed { node, spec: Arc::clone(spec) });
    }

    /// The node a pod was chosen for, until the watch shows it bound.
    pub fn assumed(&self, pod: Id<Pod>) -> Option<Id<Node>> {
        self.assumed.get(&pod).map(|assumed| assumed.node)
    }

    /// A decision came to nothing; returns the spec that was counted.
    pub fn forget(&mut self, pod: Id<Pod>) -> Option<Arc<PodSpec>> {
        let assumed = self.assumed.remove(&pod)?;
        self.snapshot.remove_pod(assumed.node, &assumed.spec);
        Some(assumed.spec)
    }

    /// The watch shows a pod on a node.
    pub fn pod_placed(&mut self, pod: Id<Pod>, node: Id<Node>, spec: &PodSpec) {
        if let Some(assumed) = self.assumed.remove(&pod) {
            if assumed.node == node && assumed.spec.requests == spec.requests {
                return;
            }
            self.snapshot.remove_pod(assumed.node, &assumed.spec);
        }
        self.snapshot.add_pod(node, spec);
    }

    /// The watch shows a placed pod with other requests, after [`Cache::pod_left`] with the old ones.
    pub fn pod_placed_again(&mut self, node: Id<Node>, spec: &PodSpec) {
        self.snapshot.add_pod(node, spec);
    }

    /// The watch shows that a pod no longer takes room on a node.
    pub fn pod_left(&mut self, node: Id<Node>, spec: &PodSpec) {
        self.snapshot.remove_pod(node, spec);
    }

    /// Forgets all but decisions under way: everything will be listed again.
    pub fn clear(&mut self) {
        self.snapshot.clear();
        for assumed in self.assumed.values() {
            self.snapshot.add_pod(assumed.node, &assumed.spec);
        }
    }
}
