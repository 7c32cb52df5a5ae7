//! Who reaches whom: each node's way to an API server, worked out anew whenever a fault begins or
//! ends, and with it who is heard of.

use super::nodes::Power;
use super::requests::Sink;
use super::{Duty, World};
use crate::api::node::{Node, Tristate};
use crate::api::object::Object;
use crate::base::id::Id;
use crate::control_plane::controllers::horizontal_pod_autoscaler::Rhythm;
use crate::messages::{Call, Part, Request};
use crate::net::{Place, Weather};
use crate::node::{NodeIndex, kubelet};
use crate::time::{SimDuration, SimTime};

impl World {
    /// A fault began or ended: watches that lost their server are cut, nodes fall silent or are
    /// heard again, and kubelets that are reached again list their pods anew.
    pub(super) fn paths_changed(&mut self, cause: u64, sink: Sink<'_>) {
        self.cut_watches(cause);
        let now = self.kernel.now();
        for at in self.nodes.indexes() {
            if self.nodes.row(at).power == Power::Gone {
                continue;
            }
            let server = self.server_of(at);
            let is_reached = server.is_some();
            let (up, down) = self.weather(self.nodes.row(at).place, server);
            self.renewals.travel(at, now, up, cause);
            let row = self.nodes.row_mut(at);
            if row.news_weather != down {
                row.news_weather = down;
            }
            let was_reached = std::mem::replace(&mut row.reached, is_reached);
            let is_heard = is_reached && row.power == Power::On;
            if is_heard && !was_reached {
                self.resync(cause, at, sink);
            }
            if !is_heard {
                self.renewals.fall_silent(at, now, cause);
                self.nodes.row_mut(at).denied = None;
            } else if !self.renewals.is_heard(at) {
                self.renewals.speak(at, now);
                self.post_ready(cause, at);
            }
        }
        self.tell_links(cause);
        self.watch_nodes();
        self.stand_where_reached(cause, sink);
        self.hear_leaders(cause, sink);
        self.look_out();
        self.observed.doubt();
    }

    /// The API server with an etcd behind it that a node's kubelet, if it runs, is connected to.
    fn server_of(&self, at: NodeIndex) -> Option<u8> {
        let row = self.nodes.row(at);
        self.server_for(row.place, row.key)
    }

    /// What becomes of messages from a place to an API server, and back.
    pub(super) fn weather(&self, place: Place, server: Option<u8>) -> (Weather, Weather) {
        match server.map(|server| self.servers[usize::from(server)].place) {
            Some(server) => (self.net.weather(place, server), self.net.weather(server, place)),
            None => Default::default(),
        }
    }

    /// A node was written to be unknown while its kubelet runs and is heard now and then: it says
    /// otherwise with its next status.
    pub(super) fn deny(&mut self, cause: u64, node: Id<Node>) {
        let Some(at) = self.nodes.of(node).filter(|&at| self.renewals.is_heard(at)) else { return };
        self.nodes.row_mut(at).denied = Some(cause);
        let now = self.kernel.now();
        self.kernel.recurring.wake_next(now, Duty::Kubelet(kubelet::Timer::Status(at)));
    }

    /// The status of a node is due that is taken to be unknown: it is posted, and tried again with the
    /// next one if it is lost.
    pub(super) fn post_denial(&mut self, at: NodeIndex) {
        let Some(cause) = self.nodes.row(at).denied else { return };
        let (now, key) = (self.kernel.now(), Duty::Kubelet(kubelet::Timer::Status(at)));
        let Some(cadence) = self.kernel.recurring.cadence(key) else { return };
        if self.renewals.arrives(at, cadence.first_from(now)) {
            self.nodes.row_mut(at).denied = None;
            self.post_ready(cause, at);
        } else {
            let next = now + SimDuration::from_nanos(1);
            self.kernel.recurring.wake_at(now, key, cadence.first_from(next));
        }
    }

    /// A kubelet that is back posts its node's status at once (fast status updates until ready).
    pub(super) fn post_ready(&mut self, cause: u64, at: NodeIndex) {
        let row = self.nodes.row(at);
        let Some(node) = self.store.get(row.id) else { return };
        if node.conditions.ready == Tristate::True {
            return;
        }
        let (now, mut next) = (self.kernel.now(), Node::clone(node));
        next.conditions.set_ready(Tristate::True, now);
        self.nodes.kubelets.tell_pressure(at, &mut next.conditions, now);
        if let Some(events) = &mut self.core_events {
            let said = self.nodes.kubelets.told_by(at, &node.conditions, &next.conditions);
            said.into_iter().for_each(|said| events.hear(now, said));
        }
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
        self.renewals.settle(self.kernel.now());
        for at in 0..self.managers.len() as u8 {
            self.await_node_pass(at);
            self.await_scan(at);
        }
        self.measure_anew();
    }

    /// What is measured may come out otherwise than was foreseen: no autoscaler sleeps on it.
    pub(super) fn measure_anew(&mut self) {
        for at in 0..self.managers.len() as u8 {
            self.managers[usize::from(at)].manager.measure_anew();
            self.await_looks(at);
        }
    }

    /// Declares looks at autoscalers of a manager as it wishes, and wakes it for those that may come
    /// out otherwise.
    pub(super) fn await_looks(&mut self, at: u8) {
        let now = self.kernel.now();
        let recurring = &mut self.kernel.recurring;
        for rhythm in self.managers[usize::from(at)].manager.take_rhythms() {
            let key = |slot| Duty::Autoscaler(at, slot);
            let is_declared = |slot| recurring.cadence(key(slot)).is_some();
            match rhythm {
                // Of a life that is over.
                Rhythm::Next(slot) | Rhythm::NotBefore(slot, _) if !is_declared(slot) => {}
                Rhythm::Declare(slot, cadence) => recurring.declare(now, key(slot), cadence),
                Rhythm::Retire(slot) => recurring.retire(key(slot)),
                Rhythm::Next(slot) => drop(recurring.wake_next(now, key(slot))),
                Rhythm::NotBefore(slot, SimTime::MAX) => recurring.sleep(key(slot)),
                Rhythm::NotBefore(slot, instant) => {
                    let Some(cadence) = recurring.cadence(key(slot)) else { continue };
                    recurring.wake_at(now, key(slot), cadence.first_from(instant));
                }
            }
        }
    }

    /// Wakes a manager's cluster autoscaler for the first scan in which something can change.
    pub(super) fn await_scan(&mut self, at: u8) {
        if self.managers[usize::from(at)].manager.fleet().is_none() {
            return;
        }
        let key = Duty::Fleet(at);
        let now = self.kernel.now();
        let Some(due) = self.kernel.recurring.next_at(now, key) else { return };
        // A scan of this very instant is still to come as long as events of it are handled.
        let after = if due == now { SimTime::from_nanos(now.as_nanos() - 1) } else { now };
        let fleet = self.managers[usize::from(at)].manager.fleet();
        match fleet.and_then(|fleet| fleet.next_scan(after, &self.cloud)) {
            Some(k) => self.kernel.recurring.wake_at(now, key, k),
            None => self.kernel.recurring.sleep(key),
        }
    }

    /// Wakes the node controller of a manager for the first pass in which something can change.
    pub(super) fn await_node_pass(&mut self, at: u8) {
        if self.managers[usize::from(at)].manager.nodes_rest(&self.renewals) {
            // It sleeps since it was found that no pass can change anything.
            debug_assert_eq!(self.next_node_pass(at, self.kernel.now()), None);
            return;
        }
        let key = Duty::NodeMonitor(at);
        let now = self.kernel.now();
        let passes = self.managers[usize::from(at)].manager.node_passes();
        if self.kernel.recurring.cadence(key).is_some_and(|it| it != passes) {
            // One that took its time is over.
            self.kernel.recurring.declare(now, key, passes);
        }
        let Some(due) = self.kernel.recurring.next_at(now, key) else { return };
        // A pass of this very instant is still to come as long as events of it are handled.
        let after = if due == now { SimTime::from_nanos(now.as_nanos() - 1) } else { now };
        let next = self.next_node_pass(at, after);
        match next {
            Some(k) => self.kernel.recurring.wake_at(now, key, k),
            None => self.kernel.recurring.sleep(key),
        }
    }
}
