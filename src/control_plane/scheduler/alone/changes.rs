//! What is there changes: nodes come, change and go, pods are deleted. Each change takes effect at once,
//! a second after what was before it, and whoever it may help is tried again.

use super::{Alone, Fate};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::queue::hints::{ClusterEvent, NodeEvent};

impl Alone {
    /// A node comes, or takes the place of the one that bears its name; all that can be scheduled is.
    pub fn set_node(&mut self, node: Node) -> Id<Node> {
        self.tick();
        let known = self.nodes.iter().position(|one| one.meta.name == node.meta.name);
        let at = known.unwrap_or(self.nodes.len());
        let id = Id::from_parts(at as u32, 0);
        let is_there = self.snapshot.node(id).is_some();
        let old = self.nodes.get(at).filter(|_| is_there).cloned();
        match known {
            Some(at) => self.nodes[at] = node.clone(),
            None => {
                self.nodes.push(node.clone());
                self.before.push(super::Use::default());
            }
        }
        self.snapshot.set_node(id, &node);
        if let Some(event) = NodeEvent::of(id, old.as_ref(), &node) {
            self.wake(&ClusterEvent::Node(event));
        }
        self.drain();
        id
    }

    /// A node goes. Pods on it are lost with it to whoever counts pods; they keep their fate.
    pub fn remove_node(&mut self, id: Id<Node>) {
        self.tick();
        self.snapshot.remove_node(id);
        self.drain();
    }

    /// A pod is deleted, and gone at once; all that can be scheduled is.
    pub fn remove(&mut self, id: Id<Pod>) {
        self.tick();
        self.queue.remove(id);
        let promised = self.snapshot.withdraw(id);
        let known = &mut self.pods[id.slot()];
        let (node, shape) = (known.fate.node(), known.shape.clone());
        known.fate = Fate::Deleted;
        if let Some(node) = node {
            self.snapshot.remove_pod(node, id);
        }
        if node.or(promised).is_some() {
            self.wake(&ClusterEvent::PodGone(&shape));
        }
        self.drain();
    }
}
