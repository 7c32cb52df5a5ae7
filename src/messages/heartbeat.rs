//! Signs of life of nodes. Leases and heartbeats of nodes are no objects: whether one arrived
//! follows from the state of the node and its path, and is asked for here.

use crate::api::node::Node;
use crate::base::id::Id;
use crate::time::SimTime;

/// What a controller can know of nodes' renewals: a function of the past of nodes and links.
pub trait Heartbeats {
    /// When the latest renewal of the node's lease, or post of its status, that was stored not
    /// later than `at` was stored; `None`: there was none yet.
    fn last_heard(&self, node: Id<Node>, at: SimTime) -> Option<SimTime>;

    /// Nodes whose next renewals will not all arrive as things stand: nodes that are down, cut off
    /// or behind a link that loses packets, and nodes that are back but not heard of yet. A node
    /// left out is heard of for ever.
    fn silent(&self) -> &[Id<Node>];

    /// How often anything but time changed what the others answer.
    fn changes(&self) -> u64;

    /// The number of the fact that silenced the node last; [`crate::kernel::NO_CAUSE`] if none did.
    fn silenced_by(&self, node: Id<Node>) -> u64;
}
