//! Kubelets that start and find no Node of their name register one (kubelet 1.36 `registerWithAPIServer` of
//! pkg/kubelet/kubelet_node_status.go).
//!
//! Owns machines whose Node was deleted. A kubelet that merely runs on does not register again: it has
//! done so once. The Node that comes is another one, with another uid, of the same name: pods that are
//! still bound to that name are its pods.
//!
//! ```text
//! kubelet starts, no Node ─ 100 ms ─▶ asks ─▶ there: says that it is ready
//!                                     ▲  └─ refused, or no answer
//!                                     └─ 7 s ─┘
//! ```

use super::World;
use super::clients::after;
use super::event::Event;
use super::nodes::Power;
use super::requests::Sink;
use crate::api::kind::Kind;
use crate::api::name::Text;
use crate::api::node::{HOSTNAME_LABEL, Node, TAINT_NOT_READY, Tristate};
use crate::api::object::Object;
use crate::api::rules::taints::{Effect, Taint};
use crate::control_plane::api_server;
use crate::messages::{Call, Reply, Request};
use crate::node::NodeIndex;
use crate::time::SimDuration;

/// After which a kubelet that has started asks.
const FIRST: SimDuration = SimDuration::from_millis(100);
/// After which a registration that failed is tried again (the longest step of the kubelet's back-off).
pub(super) const AGAIN: SimDuration = SimDuration::from_secs(7);
/// The tag of the request.
pub(super) const REGISTER: u64 = u64::MAX - 1;
/// Taints of this prefix are for controllers to set.
const OF_CONTROLLERS: &str = "node.kubernetes.io/";

impl World {
    /// The kubelet of a machine has started: it registers, if its Node is gone.
    pub(super) fn await_registration(&mut self, cause: u64, at: NodeIndex) {
        if self.store.get(self.nodes.row(at).id).is_none() {
            self.register_after(FIRST, cause, at);
        }
    }

    fn register_after(&mut self, wait: SimDuration, cause: u64, at: NodeIndex) {
        let event = Event::Register(at, self.nodes.row(at).life);
        self.kernel.schedule(after(self.kernel.now(), wait), cause, event);
    }

    /// The kubelet of a machine, in one of its lives, asks for its Node to be there.
    pub(super) fn register_again(&mut self, cause: u64, at: NodeIndex, life: u32, sink: Sink<'_>) {
        let row = self.nodes.row(at);
        let (id, client) = (row.id, row.client);
        if row.life != life || row.power != Power::On {
            return;
        }
        if self.store.get(id).is_some() {
            return self.registered_again(cause, at, sink);
        }
        let Some(node) = self.initial_node(at) else { return };
        let call = Call::Create(Object::Node(Box::new(node)));
        self.send(cause, Request { client, tag: REGISTER, call });
    }

    /// The API server answered. What is there already is as good as what was made.
    pub(super) fn register_reply(
        &mut self,
        cause: u64,
        at: NodeIndex,
        reply: &Reply,
        sink: Sink<'_>,
    ) {
        let is_there = self.store.get(self.nodes.row(at).id).is_some();
        match &reply.result {
            _ if is_there => self.registered_again(cause, at, sink),
            Ok(_) => {}
            Err(_) => self.register_after(AGAIN, cause, at),
        }
    }

    fn registered_again(&mut self, cause: u64, at: NodeIndex, sink: Sink<'_>) {
        let Some(node) = self.store.get(self.nodes.row(at).id) else { return };
        self.nodes.kubelets.has_registered(at, node);
        self.post_ready(cause, at);
        self.resync(cause, at, sink);
    }

    /// The Node as its kubelet makes it (`initialNode`): what the machine came with, and nothing of
    /// what was said of it since.
    fn initial_node(&self, at: NodeIndex) -> Option<Node> {
        let (now, name) = (self.kernel.now(), self.nodes.kubelets.name(at).clone());
        let planned = (0u32..).zip(&self.plan.nodes).find(|(_, it)| it.node.meta.name == name);
        let mut node = match planned {
            Some((number, planned)) => {
                let mut node = planned.node.clone();
                if node.address.is_unspecified() {
                    node.address = super::boot::node_address(number);
                }
                node
            }
            None => self.cloud.node_of(&name)?,
        };
        let label = Text::from(name.to_string());
        std::sync::Arc::make_mut(&mut node.meta.labels).insert(HOSTNAME_LABEL.into(), label);
        let incarnation = 1 << 32 | u64::from(self.nodes.row(at).life);
        node.meta.uid = api_server::uid(self.luck, Kind::Node, &node.meta, incarnation);
        node.conditions.ready = Tristate::False;
        node.conditions.ready_since = now;
        node.conditions.set_pressures([Tristate::False; 3], now);
        node.conditions.pressures_since = [now; 3];
        let own = node.taints.iter().filter(|one| !one.key.starts_with(OF_CONTROLLERS));
        let not_ready = Taint::new(TAINT_NOT_READY, "", Effect::NoSchedule);
        node.taints = own.cloned().chain([not_ready]).collect();
        Some(node)
    }
}
