//! What the user does to a cluster in the course of a run: objects applied one by one as kubectl
//! does, the timeline's steps, and faults with their ends.

use std::sync::Arc;

use super::World;
use super::clients::after;
use super::event::Event;
use super::nodes::Power;
use super::plan::{Act, Fault, Instance, PlannedObject, Source, Spot, Step, Target};
use super::processes::ProcessId;
use super::requests::Sink;
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, RawId, Uid};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::status::Status;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::control_plane::api_server;
use crate::kernel::NO_CAUSE;
use crate::messages::request::Propagation;
use crate::messages::{Call, Component, Fact, Part, Reply, Request, Verb};
use crate::net::{Place, Places, Rule, RuleEffect};
use crate::node::NodeIndex;
use crate::store::Stored;
use crate::time::SimDuration;

/// What the user is about to ask, in order: the next request leaves when the last was answered.
#[derive(Clone, Debug, Default)]
pub struct Errands {
    queue: std::collections::VecDeque<(Errand, Source)>,
    /// The one under way, with its object.
    busy: Option<(Errand, ObjectName, Source)>,
    /// Requests the API server refused, with where they were written.
    pub refused: Vec<Refusal>,
}

/// A request the API server refused.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    /// What it was about.
    pub object: ObjectName,
    /// Why.
    pub status: Status,
    /// Where it was written.
    pub source: Source,
}

impl Errands {
    /// Whether anything is still to be asked or answered.
    pub fn is_done(&self) -> bool {
        self.queue.is_empty() && self.busy.is_none()
    }
}

/// After which the user tries again what could not reach an API server, as scripts around kubectl do.
const USER_RETRY: SimDuration = SimDuration::from_secs(5);

#[derive(Clone, Debug)]
enum Errand {
    Apply(Object),
    Delete(Target),
    Scale(Target, i32),
    SetImage(Target, Option<Text>, Text),
}

impl World {
    /// Objects of the plan that somebody applies are queued up; `ordinal` tells the applying step, 0
    /// for the start, so that a name made anew is another incarnation.
    pub(super) fn apply_all(&mut self, objects: &[PlannedObject], ordinal: u64) {
        for planned in objects {
            let mut object = self.with_node(planned);
            if object.meta().uid == Uid(0) && !object.meta().name.base().ends_with('-') {
                let uid = api_server::uid(self.luck, object.kind(), object.meta(), ordinal);
                object.meta_mut().uid = uid;
            }
            let errand = Errand::Apply(object);
            self.errands.queue.push_back((errand, planned.source.clone()));
        }
    }

    /// The object of a planned one, its pod bound where the plan says.
    pub(super) fn with_node(&self, planned: &PlannedObject) -> Object {
        let mut object = planned.object.clone();
        if let (Object::Pod(pod), Some(node)) = (&mut object, &planned.node) {
            pod.node = self.store.find::<Node>("", node);
        }
        object
    }

    /// Sends the next request of the user, if none is under way.
    pub(super) fn next_errand(&mut self, cause: u64) {
        while self.errands.busy.is_none()
            && let Some((errand, source)) = self.errands.queue.pop_front()
        {
            match self.call_of(errand.clone()) {
                Ok((name, call)) => {
                    self.errands.busy = Some((errand, name, source));
                    self.send(cause, Request { client: self.user, tag: 0, call });
                }
                Err((object, status)) => {
                    self.errands.refused.push(Refusal { object, status, source });
                }
            }
        }
        // Nothing else may happen to make the cluster be judged: what was applied may be no workload.
        self.is_dirty |= self.errands.is_done();
    }

    /// The API server answered the user, who asks again later where nobody did.
    pub(super) fn user_reply(&mut self, cause: u64, reply: &Reply, sink: Sink<'_>) {
        let mut cause = cause;
        if let (Some((errand, object, source)), Err(status)) =
            (self.errands.busy.take(), &reply.result)
        {
            let is_answer = !status.is_transient();
            let who = if is_answer { Component::ApiServer } else { Component::User };
            let fact = Fact::new(who, Verb::Refused, object.clone()).saying(status.to_string());
            cause = self.kernel.record(cause, &fact, sink);
            if !is_answer {
                self.errands.queue.push_front((errand, source));
                let again = after(self.kernel.now(), USER_RETRY);
                return self.kernel.schedule(again, cause, Event::Errand);
            }
            self.errands.refused.push(Refusal { object, status: status.clone(), source });
        }
        self.next_errand(cause);
    }

    fn call_of(&self, errand: Errand) -> Result<(ObjectName, Call), (ObjectName, Status)> {
        match errand {
            Errand::Apply(object) => Ok((object.name(), self.apply(object))),
            Errand::Delete(target) => {
                let id = self.id_of(&target)?;
                let (kind, propagation) = (target.kind, Propagation::Background);
                let call = Call::Delete { kind, id, uid: None, grace_seconds: None, propagation };
                Ok((name_of(&target), call))
            }
            Errand::Scale(target, replicas) => self.change(&target, |object| match object {
                Object::Deployment(it) => it.replicas = replicas,
                Object::ReplicaSet(it) => it.replicas = replicas,
                _ => {}
            }),
            Errand::SetImage(target, container, image) => self.change(&target, |object| {
                let template = match object {
                    Object::Deployment(it) => &mut it.template,
                    Object::ReplicaSet(it) => &mut it.template,
                    _ => return,
                };
                *template = Arc::new(template.with_image(container.as_deref(), &image));
            }),
        }
    }

    /// Creates an object, or brings the one that has its name to this state (`kubectl apply`).
    fn apply(&self, object: Object) -> Call {
        let name = object.name();
        let target = Target {
            kind: name.kind,
            namespace: name.namespace.clone(),
            name: name.name.to_string().into(),
        };
        let Ok(id) = self.id_of(&target) else { return Call::Create(object) };
        let Some(held) = self.object(target.kind, id) else { return Call::Create(object) };
        let mut next = object;
        let mut meta = held.meta().clone();
        meta.labels = next.meta().labels.clone();
        let annotations: Vec<(Text, Text)> = next
            .meta()
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in annotations {
            meta.annotate(&key, &value);
        }
        *next.meta_mut() = meta;
        if let (Object::Service(next), Object::Service(held)) = (&mut next, &held) {
            next.cluster_ip = held.cluster_ip;
        }
        if let (Object::Node(next), Object::Node(held)) = (&mut next, &held) {
            next.address = held.address;
        }
        Call::Update { id, object: next, base: None, part: Part::Main }
    }

    fn change(
        &self,
        target: &Target,
        change: impl FnOnce(&mut Object),
    ) -> Result<(ObjectName, Call), (ObjectName, Status)> {
        let id = self.id_of(target)?;
        let missing = || (name_of(target), Status::NotFound(name_of(target)));
        let mut object = self.object(target.kind, id).ok_or_else(missing)?;
        change(&mut object);
        Ok((name_of(target), Call::Update { id, object, base: None, part: Part::Main }))
    }

    /// The object of this kind and id as it stands.
    fn object(&self, kind: Kind, id: RawId) -> Option<Object> {
        let store = &self.store;
        fn boxed<S: Stored>(store: &crate::store::Store, id: RawId) -> Option<Box<S>> {
            store.get::<S>(id.typed()).cloned().map(Box::new)
        }
        Some(match kind {
            Kind::Pod => Object::Pod(boxed(store, id)?),
            Kind::Node => Object::Node(boxed(store, id)?),
            Kind::Namespace => Object::Namespace(boxed(store, id)?),
            Kind::ReplicaSet | Kind::ReplicationController => Object::ReplicaSet(boxed(store, id)?),
            Kind::Deployment => Object::Deployment(boxed(store, id)?),
            Kind::Service => Object::Service(boxed(store, id)?),
            Kind::EndpointSlice => Object::EndpointSlice(boxed(store, id)?),
            Kind::Lease => Object::Lease(boxed(store, id)?),
            Kind::PriorityClass => Object::PriorityClass(boxed(store, id)?),
            Kind::Client | Kind::Other => Object::Other(boxed(store, id)?),
        })
    }

    fn id_of(&self, target: &Target) -> Result<RawId, (ObjectName, Status)> {
        let (store, namespace, name) = (&self.store, &*target.namespace, &*target.name);
        let found = match target.kind {
            Kind::Pod => store.find::<crate::api::pod::Pod>(namespace, name).map(RawId::from),
            Kind::Node => store.find::<Node>("", name).map(RawId::from),
            Kind::Namespace => store.find::<crate::api::misc::Namespace>("", name).map(RawId::from),
            Kind::ReplicaSet | Kind::ReplicationController => store
                .table::<ReplicaSet>()
                .all_named(namespace, &Name::new(name))
                .find(|(_, set)| Kind::from(set.kind) == target.kind)
                .map(|(id, _)| id.into()),
            Kind::Deployment => store.find::<Deployment>(namespace, name).map(RawId::from),
            Kind::Service => {
                store.find::<crate::api::service::Service>(namespace, name).map(RawId::from)
            }
            Kind::EndpointSlice => {
                store.find::<crate::api::service::EndpointSlice>(namespace, name).map(RawId::from)
            }
            Kind::Lease => store.find::<crate::api::misc::Lease>(namespace, name).map(RawId::from),
            Kind::PriorityClass => {
                store.find::<crate::api::misc::PriorityClass>("", name).map(RawId::from)
            }
            // Objects that are not modelled share one table: applying one anew adds nothing.
            Kind::Client | Kind::Other => None,
        };
        found.ok_or_else(|| (name_of(target), Status::NotFound(name_of(target))))
    }

    // --- the timeline ------------------------------------------------------------------------

    /// Queues step number `at`, if there is one: each step queues the next.
    pub(super) fn await_step(&mut self, at: u32) {
        if let Some(step) = self.plan.steps.get(at as usize) {
            self.kernel.schedule(step.at, NO_CAUSE, Event::Step(at));
        }
    }

    /// A step is due.
    pub(super) fn step_due(&mut self, cause: u64, at: u32, sink: Sink<'_>) {
        self.await_step(at + 1);
        let plan = self.plan.clone();
        let step = &plan.steps[at as usize];
        self.last_step = self.kernel.now();
        self.timeline.begin(at as usize, self.last_step);
        let fact = Fact::new(Component::User, Verb::Step, step_object(step)).saying(format!(
            "{}: {}",
            step.name,
            step.act.described()
        ));
        let cause = self.kernel.record(cause, &fact, sink);
        let push = |world: &mut World, errand| {
            world.errands.queue.push_back((errand, Source::nowhere()));
            world.next_errand(cause);
        };
        match &step.act {
            Act::Apply(objects) => {
                self.apply_all(objects, u64::from(at) + 1);
                self.next_errand(cause);
            }
            Act::Delete(target) => push(self, Errand::Delete(target.clone())),
            Act::Scale { target, replicas } => push(self, Errand::Scale(target.clone(), *replicas)),
            Act::SetImage { target, container, image } => {
                push(self, Errand::SetImage(target.clone(), container.clone(), image.clone()));
            }
            Act::Fault { fault, lasts } => {
                self.strike(cause, at, fault, sink);
                if let Some(span) = lasts {
                    let heals = after(self.kernel.now(), *span);
                    self.kernel.schedule(heals, cause, Event::Heal(at));
                }
            }
        }
    }

    /// A step found nothing to do its work on.
    fn miss(&mut self, cause: u64, at: u32, why: Text, sink: Sink<'_>) {
        let plan = self.plan.clone();
        let fact = Fact::new(Component::User, Verb::Missed, step_object(&plan.steps[at as usize]))
            .saying(why.clone());
        self.kernel.record(cause, &fact, sink);
        self.timeline.miss(at as usize, why);
    }

    fn strike(&mut self, cause: u64, at: u32, fault: &Fault, sink: Sink<'_>) {
        if let Fault::NodeCrash(name) | Fault::KubeletStop(name) = fault
            && self.node_named(name).is_none()
        {
            return self.miss(cause, at, format!("there is no node {name:?}").into(), sink);
        }
        let cause = self.tell_fault(cause, fault, Verb::Down, sink);
        match fault {
            Fault::NodeCrash(name) => self.power(cause, name, Power::Off, sink),
            Fault::KubeletStop(name) => self.power(cause, name, Power::KubeletStopped, sink),
            Fault::Kill(Instance::ApiServer(number)) => {
                if let Some(server) = self.servers.get_mut(usize::from(*number)) {
                    server.stop();
                }
            }
            Fault::Kill(Instance::Scheduler(number)) => self.kill_if_there(
                ProcessId::Scheduler(*number as u8),
                usize::from(*number) < self.schedulers.len(),
            ),
            Fault::Kill(Instance::ControllerManager(number)) => self.kill_if_there(
                ProcessId::Manager(*number as u8),
                usize::from(*number) < self.managers.len(),
            ),
            Fault::Partition { from, to } => {
                let (from, to) = (self.places(from), self.places(to));
                let to = if to.is_empty() { self.all_but(&from) } else { to };
                let rule = Rule {
                    from: Places::These(from),
                    to: Places::These(to),
                    effect: RuleEffect::Drop,
                };
                let id = self.net.install(rule);
                self.partitions.insert(at, id);
            }
        }
        self.paths_changed(cause, sink);
    }

    /// A fault ends.
    pub(super) fn heal(&mut self, cause: u64, at: u32, sink: Sink<'_>) {
        let plan = self.plan.clone();
        let Act::Fault { fault, .. } = &plan.steps[at as usize].act else { return };
        self.last_step = self.kernel.now();
        self.timeline.end(at as usize, self.last_step);
        let step = &plan.steps[at as usize];
        let fact = Fact::new(Component::User, Verb::Healed, step_object(step)).saying(format!(
            "{}: {} ends",
            step.name,
            step.act.described()
        ));
        let cause = self.kernel.record(cause, &fact, sink);
        let cause = self.tell_fault(cause, fault, Verb::Up, sink);
        match fault {
            Fault::NodeCrash(name) | Fault::KubeletStop(name) => {
                self.power(cause, name, Power::On, sink);
            }
            Fault::Kill(Instance::ApiServer(number)) => {
                let number = usize::from(*number);
                let place = self.servers.get(number).map(|server| server.place);
                if place.is_some_and(|place| self.is_machine_on(place)) {
                    self.servers[number].start();
                }
            }
            Fault::Kill(Instance::Scheduler(number)) => {
                if usize::from(*number) < self.schedulers.len() {
                    self.revive(cause, ProcessId::Scheduler(*number as u8), sink);
                }
            }
            Fault::Kill(Instance::ControllerManager(number)) => {
                if usize::from(*number) < self.managers.len() {
                    self.revive(cause, ProcessId::Manager(*number as u8), sink);
                }
            }
            Fault::Partition { .. } => {
                if let Some(id) = self.partitions.remove(&at) {
                    self.net.remove(id);
                }
            }
        }
        self.paths_changed(cause, sink);
    }

    fn kill_if_there(&mut self, id: ProcessId, is_there: bool) {
        if is_there {
            self.kill(id);
        }
    }

    fn tell_fault(&mut self, cause: u64, fault: &Fault, verb: Verb, sink: Sink<'_>) -> u64 {
        let named = |kind, name: String| ObjectName {
            kind,
            namespace: Text::default(),
            name: Name::new(name),
        };
        let object = match fault {
            Fault::NodeCrash(name) | Fault::KubeletStop(name) => {
                named(Kind::Node, name.to_string())
            }
            Fault::Kill(instance) => named(Kind::Other, instance_name(*instance)),
            Fault::Partition { .. } => named(Kind::Other, "partition".to_owned()),
        };
        let fact = Fact::new(Component::User, verb, object).saying(described(fault));
        self.kernel.record(cause, &fact, sink)
    }

    fn power(&mut self, cause: u64, name: &str, power: Power, sink: Sink<'_>) {
        let Some(at) = self.node_named(name) else { return };
        let (before, place) = (self.nodes.row(at).power, self.nodes.row(at).place);
        self.set_power(cause, at, power, sink);
        match (before == Power::Off, power == Power::Off) {
            (false, true) => self.machine_off(place),
            (true, false) => self.machine_on(cause, place, sink),
            _ => {}
        }
    }

    fn node_named(&self, name: &str) -> Option<NodeIndex> {
        let id: Id<Node> = self.store.find("", name)?;
        self.nodes.of(id)
    }

    fn places(&self, spots: &[Spot]) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for spot in spots {
            match spot {
                Spot::Node(name) => {
                    places.extend(self.node_named(name).map(|at| self.nodes.row(at).place));
                }
                Spot::Zone(zone) => places.extend(self.nodes.indexes().filter_map(|at| {
                    let row = self.nodes.row(at);
                    let node = self.store.get(row.id)?;
                    (node.zone() == &**zone).then_some(row.place)
                })),
                Spot::Master(number) => places.push(Place::Master(*number)),
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    fn all_but(&self, these: &[Place]) -> Vec<Place> {
        let nodes = self.nodes.indexes().map(|at| self.nodes.row(at).place);
        let masters = self.servers.iter().map(|server| server.place);
        let mut all: Vec<Place> = nodes.chain(masters).collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|place| these.binary_search(place).is_err());
        all
    }
}

/// What a step is about; a step that is about many objects is named by itself.
fn step_object(step: &Step) -> ObjectName {
    match &step.act {
        Act::Delete(target) | Act::Scale { target, .. } | Act::SetImage { target, .. } => {
            name_of(target)
        }
        Act::Fault { fault: Fault::NodeCrash(node) | Fault::KubeletStop(node), .. } => ObjectName {
            kind: Kind::Node,
            namespace: Text::default(),
            name: Name::new(node.clone()),
        },
        Act::Apply(list) if list.len() == 1 => list[0].object.name(),
        Act::Apply(_) | Act::Fault { .. } => ObjectName {
            kind: Kind::Other,
            namespace: Text::default(),
            name: Name::new(step.name.clone()),
        },
    }
}

fn name_of(target: &Target) -> ObjectName {
    ObjectName {
        kind: target.kind,
        namespace: target.namespace.clone(),
        name: Name::new(target.name.clone()),
    }
}

/// An instance as people name it: `scheduler-0`.
fn instance_name(instance: Instance) -> String {
    match instance {
        Instance::ApiServer(number) => format!("kube-apiserver-{number}"),
        Instance::Scheduler(number) => format!("kube-scheduler-{number}"),
        Instance::ControllerManager(number) => format!("kube-controller-manager-{number}"),
    }
}

fn described(fault: &Fault) -> &'static str {
    match fault {
        Fault::NodeCrash(_) => "node crash",
        Fault::KubeletStop(_) => "kubelet stop",
        Fault::Kill(_) => "process killed",
        Fault::Partition { .. } => "network partition",
    }
}
