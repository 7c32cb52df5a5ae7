//! Steps of the timeline and faults, carried out: what the user asks is queued, what breaks is
//! broken and mended. What a fault means is worked out by [`crate::faults`].

use super::World;
use super::clients::after;
use super::errands::{Errand, Task};
use super::event::Event;
use super::nodes::Power;
use super::plan::{Act, Change, Fault, Instance, Step, Target};
use super::processes::ProcessId;
use super::requests::Sink;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::faults::{self, Damage, Order, Scene};
use crate::kernel::NO_CAUSE;
use crate::messages::{Component, Fact, Verb};
use crate::net::{Place, RuleId};
use crate::time::SimDuration;

/// After which an experiment that found nothing to strike is tried again.
const EXPERIMENT_RETRY: SimDuration = SimDuration::from_secs(1);

/// A fault in force.
#[derive(Clone, Debug)]
pub struct Struck {
    rules: Vec<RuleId>,
    orders: Vec<Order>,
}

/// What a fault's beginning or end does to the things it struck.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Begins,
    Ends,
}

impl World {
    /// Queues step number `at`, if there is one: each step queues the next.
    pub(super) fn await_step(&mut self, at: u32) {
        if let Some(step) = self.plan.steps.get(at as usize) {
            self.kernel.schedule(step.at, NO_CAUSE, Event::Step(at));
        }
    }

    /// A step is due.
    pub(super) fn step_due(&mut self, cause: u64, at: u32, sink: Sink<'_>) {
        let plan = self.plan.clone();
        let step = &plan.steps[at as usize];
        let is_first = !self.timeline.has_missed(at as usize);
        if is_first {
            self.await_step(at + 1);
        }
        if let Act::Experiment { fault, .. } = &step.act {
            if let Err(why) = self.damage(step, fault) {
                if is_first {
                    self.timeline.miss(at as usize, why);
                }
                let again = after(self.kernel.now(), EXPERIMENT_RETRY);
                return self.kernel.schedule(again, cause, Event::Step(at));
            }
            self.timeline.found(at as usize);
        }
        self.timeline.begin(at as usize, &step.act, self.kernel.now());
        let fact = Fact::new(Component::User, Verb::Step, step.object()).saying(format!(
            "{}: {}",
            step.name,
            step.act.described()
        ));
        let cause = self.kernel.record(cause, &fact, sink);
        let mut push = |errand| self.errands.push(Task::of_step(errand, at, cause));
        match &step.act {
            Act::Apply(objects) => self.apply_all(objects, at + 1, cause),
            Act::Delete { target, propagation } => {
                push(Errand::Delete(target.clone(), *propagation));
            }
            Act::Evict(target) => push(Errand::Evict(target.clone())),
            Act::Drain(node) => {
                push(Errand::Change(Target::node(node.clone()), Change::Cordon));
                push(Errand::Drain(node.clone()));
            }
            Act::Change { target, change } => push(Errand::Change(target.clone(), change.clone())),
            Act::Fault { fault, lasts } | Act::Experiment { fault, lasts } => {
                let has_struck = self.strike(cause, at, step, fault, sink);
                if let Some(span) = lasts.filter(|_| has_struck) {
                    let heals = after(self.kernel.now(), span);
                    self.kernel.schedule(heals, cause, Event::Heal(at));
                    self.timeline.await_end();
                }
            }
        }
        self.next_errand(sink);
    }

    /// A step found nothing to do its work on.
    pub(super) fn miss(&mut self, cause: u64, at: u32, why: Text, sink: Sink<'_>) {
        let object = self.plan.steps[at as usize].object();
        let fact = Fact::new(Component::User, Verb::Missed, object).saying(why.clone());
        self.kernel.record(cause, &fact, sink);
        self.timeline.miss(at as usize, why);
    }

    /// What a fault would do now.
    fn damage(&self, step: &Step, fault: &Fault) -> Result<Damage, Text> {
        let rows = self.nodes.indexes().map(|at| self.nodes.row(at));
        let machines: Vec<_> = rows.map(|row| (row.id, row.place)).collect();
        let masters = 0..self.plan.control_plane.masters.max(1);
        let control_plane: Vec<_> = masters.map(Place::Master).collect();
        let scene = Scene {
            store: &self.store,
            machines: &machines,
            control_plane: &control_plane,
            luck: self.luck,
            key: hash_text(&step.name),
        };
        faults::damage(fault, &scene)
    }

    /// A fault strikes; says whether it found anything to strike.
    fn strike(&mut self, cause: u64, at: u32, step: &Step, fault: &Fault, sink: Sink<'_>) -> bool {
        let damage = match self.damage(step, fault) {
            Ok(damage) => damage,
            Err(why) => {
                self.miss(cause, at, why, sink);
                return false;
            }
        };
        let rules: Vec<RuleId> =
            damage.rules.into_iter().map(|rule| self.net.install(rule)).collect();
        if !rules.is_empty() {
            self.tell_link(cause, step, Verb::Down, sink);
        }
        let orders = damage.orders.clone();
        if fault.lasts() {
            self.struck.insert(at, Struck { rules, orders: damage.orders });
        }
        for order in &orders {
            let cause = self.tell_order(cause, order, Verb::Down, sink);
            self.carry(cause, at, order, Turn::Begins, sink);
        }
        self.paths_changed(cause, sink);
        true
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, cause: u64, at: u32, sink: Sink<'_>) {
        let plan = self.plan.clone();
        let step = &plan.steps[at as usize];
        self.timeline.end(at as usize, self.kernel.now());
        let fact = Fact::new(Component::User, Verb::Healed, step.object()).saying(format!(
            "{}: {} no more",
            step.name,
            step.act.described()
        ));
        let cause = self.kernel.record(cause, &fact, sink);
        let Some(struck) = self.struck.remove(&at) else { return };
        if !struck.rules.is_empty() {
            self.tell_link(cause, step, Verb::Up, sink);
        }
        for rule in struck.rules {
            self.net.remove(rule);
        }
        for order in &struck.orders {
            let cause = self.tell_order(cause, order, Verb::Up, sink);
            self.carry(cause, at, order, Turn::Ends, sink);
        }
        self.paths_changed(cause, sink);
    }

    fn carry(&mut self, cause: u64, at: u32, order: &Order, turn: Turn, sink: Sink<'_>) {
        match (order, turn) {
            (Order::Off(node) | Order::StopKubelet(node), _) => {
                self.set_wanted_power(cause, *node, sink);
            }
            (Order::ShutDown(node), Turn::Begins) => self.shut_down(cause, *node, sink),
            (Order::ShutDown(node), Turn::Ends) => self.stay_up(cause, *node, sink),
            (Order::Stop(instance), Turn::Begins) => self.stop_instance(*instance),
            (Order::Stop(instance), Turn::Ends) => self.start_instance(cause, *instance, sink),
            (Order::Freeze(number), Turn::Begins) => self.etcd.freeze(*number),
            (Order::Freeze(number), Turn::Ends) => self.etcd.thaw(*number),
            (Order::Delete(pod), Turn::Begins) => self.delete_at_once(cause, at, *pod),
            (Order::End { pod, container, exit }, Turn::Begins) => {
                self.end_containers(cause, *pod, container.as_deref(), *exit, sink);
            }
            (Order::Fail(pod), Turn::Begins) => {
                self.nodes.engines.forbid(*pod);
                self.end_containers(cause, *pod, None, 137, sink);
            }
            (Order::Fail(pod), Turn::Ends) => {
                let is_held = |struck: &Struck| struck.orders.contains(order);
                if !self.struck.values().any(is_held) {
                    self.nodes.engines.allow(*pod);
                }
            }
            (Order::Withhold(image), Turn::Begins) => self.nodes.engines.withhold(image, cause),
            (Order::Withhold(image), Turn::Ends) => {
                let is_held = |struck: &Struck| struck.orders.contains(order);
                if !self.struck.values().any(is_held) {
                    self.nodes.engines.give_out(image);
                }
            }
            (Order::Delete(_) | Order::End { .. }, Turn::Ends) => {}
        }
    }

    fn end_containers(
        &mut self,
        cause: u64,
        id: Id<Pod>,
        container: Option<&str>,
        exit: u8,
        sink: Sink<'_>,
    ) {
        let Some(at) = self.store.get(id).and_then(|pod| self.nodes.of(pod.node?)) else { return };
        self.engine(at, cause, sink, |engines, mut bench| {
            engines.end_programs(id, container, exit, &mut bench);
        });
    }

    /// A machine runs as far as no fault in force forbids.
    pub(super) fn set_wanted_power(&mut self, cause: u64, node: Id<Node>, sink: Sink<'_>) {
        let Some(at) = self.nodes.of(node) else { return };
        let mut power = Power::On;
        for order in self.struck.values().flat_map(|struck| &struck.orders) {
            match order {
                Order::Off(id) if *id == node => power = Power::Off,
                Order::ShutDown(id) if *id == node && self.nodes.row(at).is_down => {
                    power = Power::Off;
                }
                Order::StopKubelet(id) if *id == node && power == Power::On => {
                    power = Power::KubeletStopped;
                }
                _ => {}
            }
        }
        let (before, place) = (self.nodes.row(at).power, self.nodes.row(at).place);
        if before == Power::Gone {
            return;
        }
        self.set_power(cause, at, power, sink);
        match (before == Power::Off, power == Power::Off) {
            (false, true) => self.machine_off(place),
            (true, false) => self.machine_on(cause, place, sink),
            _ => {}
        }
    }

    /// Whether a fault in force keeps an instance from running.
    pub(super) fn is_stopped(&self, instance: Instance) -> bool {
        let mut orders = self.struck.values().flat_map(|struck| &struck.orders);
        orders.any(|order| *order == Order::Stop(instance))
    }

    fn stop_instance(&mut self, instance: Instance) {
        match instance {
            Instance::ApiServer(number) => {
                if let Some(server) = self.servers.get_mut(usize::from(number)) {
                    server.stop();
                }
            }
            Instance::Etcd(number) => {
                self.etcd.stop_member(number);
                self.etcd_changed(NO_CAUSE);
            }
            Instance::Scheduler(number) => self.kill(ProcessId::Scheduler(number as u8)),
            Instance::ControllerManager(number) => self.kill(ProcessId::Manager(number as u8)),
        }
    }

    fn start_instance(&mut self, cause: u64, instance: Instance, sink: Sink<'_>) {
        if self.is_stopped(instance) {
            return;
        }
        match instance {
            Instance::ApiServer(number) => {
                let number = usize::from(number);
                let place = self.servers.get(number).map(|server| server.place);
                if place.is_some_and(|place| self.is_machine_on(place)) {
                    self.start_server(cause, number);
                }
            }
            Instance::Etcd(number) => {
                self.etcd.start_member(number);
                self.etcd_changed(cause);
            }
            Instance::Scheduler(number) => {
                self.revive(cause, ProcessId::Scheduler(number as u8), sink);
            }
            Instance::ControllerManager(number) => {
                self.revive(cause, ProcessId::Manager(number as u8), sink);
            }
        }
    }

    fn tell_link(&mut self, cause: u64, step: &Step, verb: Verb, sink: Sink<'_>) {
        let name = Name::new(step.name.clone());
        let object = ObjectName { kind: Kind::Other, namespace: Text::default(), name };
        let fact = Fact::new(Component::Network, verb, object).saying(step.act.described());
        self.kernel.record(cause, &fact, sink);
    }

    fn tell_order(&mut self, cause: u64, order: &Order, verb: Verb, sink: Sink<'_>) -> u64 {
        let of_node = |id: &Id<Node>| Some(ObjectName::of(Kind::Node, &self.store.get(*id)?.meta));
        let of_pod = |id: &Id<Pod>| Some(ObjectName::of(Kind::Pod, &self.store.get(*id)?.meta));
        let (object, words) = match order {
            Order::Off(id) => (of_node(id), "the machine is off"),
            Order::ShutDown(id) => (of_node(id), "the machine is told to go down"),
            Order::StopKubelet(id) => (of_node(id), "the kubelet is stopped"),
            Order::Stop(instance) => (Some(part(*instance)), "the process is killed"),
            Order::Freeze(number) => {
                (Some(part(Instance::Etcd(*number))), "the process stands still")
            }
            Order::Delete(id) => (of_pod(id), "the pod is deleted without grace"),
            Order::End { pod, .. } => (of_pod(pod), "containers end"),
            Order::Fail(id) => (of_pod(id), "no container can run"),
            // The step itself says all there is to say.
            Order::Withhold(_) => (None, ""),
        };
        let (Some(object), false) = (object, verb == Verb::Up && !order.lasts()) else {
            return cause;
        };
        let mut fact = Fact::new(Component::User, verb, object);
        if verb == Verb::Down {
            fact = fact.saying(words);
        }
        self.kernel.record(cause, &fact, sink)
    }
}

fn part(instance: Instance) -> ObjectName {
    let name = Name::new(instance.to_string());
    ObjectName { kind: Kind::Other, namespace: Text::default(), name }
}
