//! Look-ups over current versions that more than one room needs.

use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::chunks::Chunked;
use crate::base::id::Id;

/// Which pods are bound to which node.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    by_node: Chunked<Vec<Id<Pod>>>,
}

impl Indexes {
    /// The pods bound to `node`, in the order they came, gaps filled by the latest.
    pub fn pods_on(&self, node: Id<Node>) -> &[Id<Pod>] {
        self.by_node.get(node.slot()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pod_moved(&mut self, pod: Id<Pod>, old: Option<Id<Node>>, new: Option<Id<Node>>) {
        if old == new {
            return;
        }
        if let Some(pods) = old.and_then(|node| self.by_node.get_mut(node.slot()))
            && let Some(at) = pods.iter().position(|&one| one == pod)
        {
            pods.swap_remove(at);
        }
        if let Some(node) = new {
            while self.by_node.len() <= node.slot() {
                self.by_node.push(Vec::new());
            }
            self.by_node[node.slot()].push(pod);
        }
    }
}
