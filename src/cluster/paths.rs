//! Who reaches whom: each node's way to an API server, worked out anew whenever a fault begins or ends.

use super::World;
use super::nodes::Power;
use super::requests::Sink;
use crate::node::NodeIndex;

impl World {
    /// A fault began or ended: watches that lost their server are cut, and kubelets that are
    /// reached again list their pods anew.
    pub(super) fn paths_changed(&mut self, cause: u64, sink: Sink<'_>) {
        self.cut_watches(cause);
        for at in self.nodes.indexes() {
            let is_reached = self.is_reached(at);
            let row = self.nodes.row_mut(at);
            let was_reached = std::mem::replace(&mut row.reached, is_reached);
            if is_reached && !was_reached && row.power == Power::On {
                self.resync(cause, at, sink);
            }
        }
        self.is_dirty = true;
    }

    /// Whether a node's kubelet, if it runs, reaches an API server.
    fn is_reached(&self, at: NodeIndex) -> bool {
        let row = self.nodes.row(at);
        self.server_for(row.place, row.key).is_some()
    }
}
