//! The cloud: machines that are lent and given back while the run goes on, each with its node.
//!
//! Owns which machines there are, since when, and what they cost. Refuses to know why anybody wants
//! them. Requests for nodes cross the network like any other.
//!
//! ```text
//! asked ─ boots ─▶ registers its node ─▶ ready ─▶ given back ─ 5 s ─▶ its node is deleted
//!   └────────────────── given back ──────────────────▲
//! ```

use std::sync::Arc;

use super::boot::rate;
use super::clients::{Owner, after};
use super::event::Event;
use super::nodes::Power;
use super::plan::Plan;
use super::requests::Sink;
use super::{World, registration};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::{Name, Text};
use crate::api::node::{HOSTNAME_LABEL, Node, TAINT_NOT_READY, Tristate};
use crate::api::object::Object;
use crate::api::rules::taints::{Effect, Taint};
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::luck::Label;
use crate::messages::cloud::{Cloud as Answers, CloudCall, Machine, NodeGroup};
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Component, Fact, Reply, Request, Verb};
use crate::net::Place;
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const BOOT: Label = Label::new("machine-boot");

/// From one look for nodes whose machines are gone to the next (cloud-controller-manager
/// `--node-monitor-period`).
const LOOK: SimDuration = SimDuration::from_secs(5);

/// A machine, lent or given back.
#[derive(Clone, Debug)]
struct Lent {
    name: Name,
    group: u16,
    asked: SimTime,
    returned: Option<SimTime>,
    /// Its number among the machines of the run.
    place: u32,
    client: Option<ClientId>,
    at: Option<NodeIndex>,
    node: Option<Id<Node>>,
    cause: u64,
}

/// The cloud of a run.
#[derive(Clone, Debug)]
pub struct Cloud {
    groups: Arc<[NodeGroup]>,
    /// Those that are lent now.
    machines: Vec<Machine>,
    /// All there ever were.
    lent: Vec<Lent>,
    /// The number of the next machine of each group.
    next: Vec<u32>,
    places: u32,
    client: ClientId,
    changes: u64,
}

impl Answers for Cloud {
    fn machines(&self) -> &[Machine] {
        &self.machines
    }

    fn changes(&self) -> u64 {
        self.changes
    }
}

/// What the machines of a group cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupCost {
    /// The group.
    pub name: Text,
    /// Machines that are lent at the end.
    pub machines: u64,
    /// Machines that ever were.
    pub lent: u64,
    /// How long they were lent, added up.
    pub seconds: u64,
    /// What one costs, in millionths an hour; nothing if nobody says.
    pub price: Option<u64>,
    /// What all cost, in millionths.
    pub cost: u64,
}

impl Cloud {
    /// The cloud of `plan`; `client` is that of its controller.
    pub fn new(plan: &Plan, client: ClientId) -> Cloud {
        let groups: Arc<[NodeGroup]> = plan.node_groups.clone().into();
        let (mut machines, mut lent) = (Vec::new(), Vec::new());
        for (group, number) in groups.iter().zip(0u16..) {
            for at in 0..group.count {
                let (name, asked) = (group.machine(at), SimTime::ZERO);
                machines.push(Machine { name: name.clone(), group: number, asked });
                lent.push(Lent {
                    name,
                    group: number,
                    asked,
                    returned: None,
                    place: 0,
                    client: None,
                    at: None,
                    node: None,
                    cause: crate::kernel::NO_CAUSE,
                });
            }
        }
        let next = groups.iter().map(|group| group.count).collect();
        let places = plan.nodes.len() as u32;
        Cloud { groups, machines, lent, next, places, client, changes: 0 }
    }

    /// A node of the plan is the machine of this name, if it is one.
    pub fn is_node(&mut self, name: &Name, at: NodeIndex, node: Id<Node>) {
        if let Some(machine) = self.lent.iter_mut().find(|machine| machine.name == *name) {
            (machine.at, machine.node) = (Some(at), Some(node));
        }
    }

    /// The node of a machine that is lent, as it joins.
    pub fn node_of(&self, name: &Name) -> Option<Node> {
        let machine = self.lent.iter().find(|one| one.returned.is_none() && one.name == *name)?;
        let mut node = self.groups[usize::from(machine.group)].node.clone();
        node.meta.name = name.clone();
        node.address = super::boot::node_address(machine.place);
        Some(node)
    }

    /// What the machines of each group cost up to `now`.
    pub fn costs(&self, now: SimTime) -> Vec<GroupCost> {
        let of = |(group, number): (&NodeGroup, u16)| {
            let all = || self.lent.iter().filter(|one| one.group == number);
            let nanos: u128 = all()
                .map(|one| one.returned.unwrap_or(now).saturating_since(one.asked))
                .map(|span| u128::from(span.as_nanos()))
                .sum();
            let cost = nanos * u128::from(group.price.unwrap_or(0)) / 3_600_000_000_000;
            GroupCost {
                name: group.name.clone(),
                machines: all().filter(|one| one.returned.is_none()).count() as u64,
                lent: all().count() as u64,
                seconds: (nanos / 1_000_000_000) as u64,
                price: group.price,
                cost: u64::try_from(cost).unwrap_or(u64::MAX),
            }
        };
        self.groups.iter().zip(0u16..).map(of).collect()
    }
}

impl World {
    /// What the machines of each node group cost up to now.
    pub fn costs(&self) -> Vec<GroupCost> {
        self.cloud.costs(self.kernel.now())
    }

    /// Somebody asks the cloud.
    pub(super) fn cloud_call(&mut self, cause: u64, call: CloudCall, sink: Sink<'_>) {
        self.cloud.changes += 1;
        match call {
            CloudCall::Add { group, machines } => {
                (0..machines).for_each(|_| self.lend(cause, group, sink));
            }
            CloudCall::Remove { machine } => self.take_back(cause, &machine, sink),
        }
    }

    fn lend(&mut self, cause: u64, group: u16, sink: Sink<'_>) {
        let now = self.kernel.now();
        let cloud = &mut self.cloud;
        let planned = &cloud.groups[usize::from(group)];
        let next = &mut cloud.next[usize::from(group)];
        let (name, place) = (planned.machine(*next), cloud.places);
        *next += 1;
        cloud.places += 1;
        let takes = planned.boot.sample(self.luck.draw(BOOT, name.stable_hash(), 0));
        let fact = Fact::new(Component::Cloud, Verb::Booting, of_node(&name));
        let cause = self.kernel.record(cause, &fact, sink);
        cloud.machines.push(Machine { name: name.clone(), group, asked: now });
        let at = cloud.lent.len() as u32;
        cloud.lent.push(Lent {
            name,
            group,
            asked: now,
            returned: None,
            place,
            client: None,
            at: None,
            node: None,
            cause,
        });
        if takes != SimDuration::MAX {
            self.kernel.schedule(after(now, takes), cause, Event::Machine(at));
        }
    }

    fn take_back(&mut self, cause: u64, name: &Name, sink: Sink<'_>) {
        let now = self.kernel.now();
        let cloud = &mut self.cloud;
        let is_it = |one: &Lent| one.returned.is_none() && one.name == *name;
        let Some(number) = cloud.lent.iter().position(is_it) else { return };
        cloud.machines.retain(|machine| machine.name != *name);
        let machine = &mut cloud.lent[number];
        machine.returned = Some(now);
        let seconds = now.saturating_since(machine.asked).as_secs();
        let at = machine.at;
        let fact = Fact::new(Component::Cloud, Verb::Returned, of_node(name));
        let cause = self.kernel.record(cause, &fact.with("seconds", seconds as i64), sink);
        self.cloud.lent[number].cause = cause;
        if let Some(at) = at {
            self.set_power(cause, at, Power::Off, sink);
            self.nodes.row_mut(at).power = Power::Gone;
            self.renewals.fall_silent(at, now, cause);
            self.nodes.row_mut(at).denied = None;
            self.kernel.schedule(after(now, LOOK), cause, Event::Machine(number as u32));
        }
    }

    /// A machine has booted, or one that was given back has left its node behind.
    pub(super) fn machine_due(&mut self, cause: u64, number: u32) {
        let machine = &self.cloud.lent[number as usize];
        match (machine.returned, machine.node) {
            (Some(_), Some(node)) if self.store.get(node).is_some() => {
                let (kind, id) = (Kind::Node, node.into());
                let propagation = Propagation::Background;
                let call = Call::Delete { kind, id, uid: None, grace_seconds: None, propagation };
                let request = Request { client: self.cloud.client, tag: u64::from(number), call };
                self.send(cause, request);
            }
            (None, None) => self.register(cause, number),
            _ => {}
        }
    }

    /// A kubelet that has just started registers its node, which is not ready yet.
    fn register(&mut self, cause: u64, number: u32) {
        let machine = &self.cloud.lent[number as usize];
        let mut node = self.cloud.groups[usize::from(machine.group)].node.clone();
        let place = Place::Node(machine.place);
        node.meta.name = machine.name.clone();
        let name = Text::from(machine.name.to_string());
        Arc::make_mut(&mut node.meta.labels).insert(HOSTNAME_LABEL.into(), name);
        node.address = super::boot::node_address(machine.place);
        let now = self.kernel.now();
        node.conditions.ready = Tristate::False;
        node.conditions.ready_since = now;
        node.conditions.set_pressures([Tristate::False; 3], now);
        node.conditions.pressures_since = [now; 3];
        let not_ready = Taint::new(TAINT_NOT_READY, "", Effect::NoSchedule);
        node.taints = node.taints.iter().cloned().chain([not_ready]).collect();
        let client = machine.client.unwrap_or_else(|| {
            let limit = rate(self.plan.clients.kubelets);
            self.clients.add(Owner::Machine(number), place, hash_text("kubelet"), limit)
        });
        self.cloud.lent[number as usize].client = Some(client);
        let call = Call::Create(Object::Node(Box::new(node)));
        self.send(cause, Request { client, tag: 0, call });
    }

    /// The API server answered a kubelet that registers.
    pub(super) fn registered(&mut self, number: u32, cause: u64, reply: &Reply, sink: Sink<'_>) {
        let machine = &self.cloud.lent[number as usize];
        if machine.node.is_some() {
            return;
        }
        let name = machine.name.clone();
        // An answer may be lost where the request was not.
        let found = match &reply.result {
            Ok(done) => Some(done.id.typed()),
            Err(_) => self.store.table::<Node>().find_name("", &name),
        };
        let node = found.and_then(|id| Some((id, self.store.get::<Node>(id)?.clone())));
        let Some((id, node)) = node else {
            let again = after(self.kernel.now(), registration::AGAIN);
            return self.kernel.schedule(again, cause, Event::Machine(number));
        };
        let (is_returned, place) = (machine.returned.is_some(), Place::Node(machine.place));
        self.cloud.lent[number as usize].node = Some(id);
        if is_returned {
            return self.machine_due(cause, number);
        }
        let at = self.add_machine(id, &node, place);
        self.cloud.lent[number as usize].at = Some(at);
        self.cloud.changes += 1;
        self.paths_changed(cause, sink);
        self.kubelet(at, cause, sink, |kubelets, fx| kubelets.joined(at, fx));
        self.post_ready(cause, at);
        self.resync(cause, at, sink);
    }

    /// The API server answered the cloud's controller.
    pub(super) fn cloud_reply(&mut self, cause: u64, reply: &Reply) {
        if reply.result.as_ref().is_err_and(|status| status.code() != 404) {
            let again = after(self.kernel.now(), LOOK);
            self.kernel.schedule(again, cause, Event::Machine(reply.tag as u32));
        }
    }
}

fn of_node(name: &Name) -> ObjectName {
    ObjectName { kind: Kind::Node, namespace: "".into(), name: name.clone() }
}
