//! Who reaches whom: each node's way to an API server, worked out anew whenever a fault begins or
//! ends, and with it who is heard of.

use std::sync::Arc;

use super::nodes::Power;
use super::requests::Sink;
use super::{Duty, World};
use crate::api::node::{Node, Tristate};
use crate::api::object::Object;
use crate::messages::{Call, Part, Request};
use crate::node::NodeIndex;
use crate::time::SimTime;

impl World {
    /// A fault began or ended: watches that lost their server are cut, nodes fall silent or are
    /// heard again, and kubelets that are reached again list their pods anew.
    pub(super) fn paths_changed(&mut self, cause: u64, sink: Sink<'_>) {
        self.cut_watches(cause);
        let now = self.kernel.now();
        for at in self.nodes.indexes() {
            let is_reached = self.is_reached(at);
            let row = self.nodes.row_mut(at);
            let was_reached = std::mem::replace(&mut row.reached, is_reached);
            let is_heard = is_reached && row.power == Power::On;
            if is_heard && !was_reached {
                self.resync(cause, at, sink);
            }
            if !is_heard {
                self.renewals.fall_silent(at, now, cause);
            } else if !self.renewals.is_heard(at) {
                self.renewals.speak(at, now);
                self.post_ready(cause, at);
            }
        }
        self.tell_links(cause);
        self.watch_nodes();
        self.hear_leaders(cause, sink);
        self.look_out();
        self.is_dirty = true;
    }

    /// Whether a node's kubelet, if it runs, reaches an API server with an etcd behind it.
    fn is_reached(&self, at: NodeIndex) -> bool {
        let row = self.nodes.row(at);
        self.server_for(row.place, row.key).is_some()
    }

    /// A kubelet that is back posts its node's status at once (fast status updates until ready).
    fn post_ready(&mut self, cause: u64, at: NodeIndex) {
        let row = self.nodes.row(at);
        let Some(node) = self.store.get(row.id) else { return };
        if node.conditions.ready == Tristate::True {
            return;
        }
        let mut next: Node = node.clone();
        next.conditions.ready = Tristate::True;
        next.conditions.ready_since = self.kernel.now();
        next.conditions.memory_pressure = Tristate::False;
        next.conditions.disk_pressure = Tristate::False;
        next.conditions.pid_pressure = Tristate::False;
        next.images = Arc::clone(&node.images);
        let (id, client) = (row.id.into(), row.client);
        let call = Call::Update {
            id,
            object: Object::Node(Box::new(next)),
            base: None,
            part: Part::Status,
        };
        self.send(cause, Request { client, tag: u64::MAX, call });
        self.renewals.posted(at, self.kernel.now());
    }

    /// Asks each controller manager when its node controller must look next.
    pub(super) fn watch_nodes(&mut self) {
        for at in 0..self.managers.len() as u8 {
            self.await_node_pass(at);
        }
    }

    /// Wakes the node controller of a manager for the first pass in which something can change.
    pub(super) fn await_node_pass(&mut self, at: u8) {
        let key = Duty::NodeMonitor(at);
        let now = self.kernel.now();
        let Some(due) = self.kernel.recurring.next_at(now, key) else { return };
        self.renewals.settle(now);
        // A pass of this very instant is still to come as long as events of it are handled.
        let after = if due == now { SimTime::from_nanos(now.as_nanos() - 1) } else { now };
        let next = self.next_node_pass(at, after);
        match next {
            Some(k) => self.kernel.recurring.wake_at(now, key, k),
            None => self.kernel.recurring.sleep(key),
        }
    }
}
