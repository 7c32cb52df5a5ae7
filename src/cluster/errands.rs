//! What the user asks of the API server, one request after the other: objects applied as kubectl
//! applies them, changed, deleted, nodes drained.
//!
//! ```text
//! queued --worked out from what is stored--> sent --done--> next
//!            | nothing there: missed            | changed meanwhile, or no answer: worked out anew
//!            `-- kubectl would refuse: refused  `-- refused
//! ```

use std::collections::VecDeque;

use super::World;
use super::clients::after;
use super::event::Event;
use super::ledger::{Ledger, group, reapplied, replaced};
use super::plan::{Change, PlannedObject, Source, Target};
use super::requests::Sink;
use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::meta::{ObjectName, RawId, Uid};
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::control_plane::api_server;
use crate::kernel::NO_CAUSE;
use crate::messages::request::Propagation;
use crate::messages::{Call, Component, Fact, Part, Reply, Request, Verb};
use crate::store::{Rev, Store, Stored};
use crate::time::SimDuration;

/// How often a change is worked out anew because its object changed meanwhile.
const TRIES_MAX: u32 = 100;
/// After which the user tries again what could not reach an API server, as scripts around kubectl do.
const USER_RETRY: SimDuration = SimDuration::from_secs(5);

/// What the user is about to ask, in order: the next request leaves when the last was answered.
#[derive(Clone, Debug, Default)]
pub struct Errands {
    queue: VecDeque<Task>,
    busy: Option<Task>,
    /// Requests that were refused, with where they were written.
    pub refused: Vec<Refusal>,
    ledger: Ledger,
}

/// A request that was refused.
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

    /// The user asks this after all else.
    pub fn push(&mut self, task: Task) {
        self.queue.push_back(task);
    }

    /// What the user applied has become so.
    fn note(&mut self, task: &Task) {
        if let Errand::Apply(object, Some(manifest)) = &task.errand {
            self.ledger.note(object, manifest.clone());
        }
    }
}

/// Something to ask, and whose wish it is.
#[derive(Clone, Debug)]
pub struct Task {
    errand: Errand,
    /// What it is about.
    pub(super) object: ObjectName,
    source: Source,
    /// The step it belongs to, if it does.
    step: Option<u32>,
    /// The latest fact that led to it.
    pub(super) cause: u64,
    tries: u32,
}

impl Task {
    /// An errand of step number `step`, which is a consequence of fact `cause`.
    pub fn of_step(errand: Errand, step: u32, cause: u64) -> Task {
        let object = errand.object();
        Task { errand, object, source: Source::nowhere(), step: Some(step), cause, tries: 0 }
    }
}

/// Something to ask.
#[derive(Clone, Debug)]
pub enum Errand {
    /// An object is created, or what is written of it now is merged into it.
    Apply(Object, Option<Text>),
    /// An object is deleted.
    Delete(Target, Propagation),
    /// An object is changed.
    Change(Target, Change),
    /// A node's pods are evicted.
    Drain(Text),
    /// A pod is evicted.
    Evict(Target),
    /// This very pod ends within so many seconds; none: its own.
    End(Id<Pod>, ObjectName, Option<u32>),
}

impl Errand {
    fn object(&self) -> ObjectName {
        match self {
            Errand::Apply(object, _) => object.name(),
            Errand::Delete(target, _) | Errand::Change(target, _) | Errand::Evict(target) => {
                target.object()
            }
            Errand::Drain(node) => Target::node(node.clone()).object(),
            Errand::End(_, name, _) => name.clone(),
        }
    }
}

/// What becomes of an errand when its turn comes.
enum Turn {
    /// It is sent.
    Send(Call),
    /// It is done: nothing need be asked.
    Done,
    /// What it is about is not there.
    Missing,
    /// It is refused before it is sent.
    Refused(Status),
}

impl World {
    /// Objects of the plan that somebody applies are queued up; `ordinal` tells the applying step, 0
    /// for the start, so that a name made anew is another incarnation.
    pub(super) fn apply_all(&mut self, objects: &[PlannedObject], ordinal: u32, cause: u64) {
        for planned in objects {
            let mut object = self.with_node(planned);
            if object.meta().uid == Uid(0) && !object.meta().name.base().ends_with('-') {
                let incarnation = u64::from(ordinal);
                let uid = api_server::uid(self.luck, object.kind(), object.meta(), incarnation);
                object.meta_mut().uid = uid;
            }
            self.errands.push(Task {
                object: object.name(),
                errand: Errand::Apply(object, planned.manifest.clone()),
                source: planned.source.clone(),
                step: ordinal.checked_sub(1),
                cause,
                tries: 0,
            });
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
    pub(super) fn next_errand(&mut self, sink: Sink<'_>) {
        while self.errands.busy.is_none()
            && let Some(task) = self.errands.queue.pop_front()
        {
            match self.turn(&task) {
                Turn::Send(call) => {
                    let cause = task.cause;
                    self.errands.busy = Some(task);
                    self.send(cause, Request { client: self.user, tag: 0, call });
                }
                Turn::Done => self.errands.note(&task),
                Turn::Refused(status) => self.refuse(task, status, sink),
                Turn::Missing => match task.step {
                    Some(step) => {
                        let why = Status::NotFound(task.object).to_string();
                        self.miss(task.cause, step, why.into(), sink);
                    }
                    None => {
                        let status = Status::NotFound(task.object.clone());
                        self.refuse(task, status, sink);
                    }
                },
            }
        }
        // Nothing else may happen to make the cluster be judged: what was applied may be no workload.
        if self.is_asked() {
            self.observed.doubt();
        }
    }

    pub(super) fn refuse(&mut self, task: Task, status: Status, sink: Sink<'_>) {
        let fact = Fact::new(Component::ApiServer, Verb::Refused, task.object.clone())
            .saying(status.to_string());
        self.kernel.record(task.cause, &fact, sink);
        self.errands.refused.push(Refusal { object: task.object, status, source: task.source });
    }

    /// The API server answered the user.
    pub(super) fn user_reply(&mut self, cause: u64, reply: &Reply, sink: Sink<'_>) {
        if reply.tag != 0 {
            return self.eviction_reply(cause, reply, sink);
        }
        let answered = self.errands.busy.take();
        if let (Some(task), Ok(_)) = (&answered, &reply.result) {
            self.errands.note(task);
        }
        if let (Some(mut task), Err(status)) = (answered, &reply.result) {
            task.cause = task.cause.max(cause);
            match status {
                // The server patches whatever is stored: kubectl hears nothing of this.
                Status::Conflict(_) if task.tries < TRIES_MAX => {
                    task.tries += 1;
                    self.errands.queue.push_front(task);
                }
                status if status.is_transient() => {
                    let fact = Fact::new(Component::User, Verb::Refused, task.object.clone())
                        .saying(status.to_string());
                    task.cause = self.kernel.record(task.cause, &fact, sink);
                    self.errands.queue.push_front(task);
                    let again = after(self.kernel.now(), USER_RETRY);
                    return self.kernel.schedule(again, cause, Event::Errand);
                }
                // Whoever deletes what has gone by itself has what he wants.
                Status::NotFound(_) if matches!(task.errand, Errand::End(..)) => {}
                // Whoever asks for one eviction asks whether it is allowed: here is the answer.
                Status::TooManyRequests(_) => {
                    let fact = Fact::new(Component::ApiServer, Verb::Refused, task.object)
                        .saying(status.to_string());
                    self.kernel.record(task.cause, &fact, sink);
                }
                _ => self.refuse(task, status.clone(), sink),
            }
        }
        self.next_errand(sink);
    }

    fn turn(&mut self, task: &Task) -> Turn {
        match &task.errand {
            Errand::Apply(object, manifest) => self.apply(object, manifest.as_ref()),
            Errand::Delete(target, propagation) => match self.id_of(target) {
                Some(id) => Turn::Send(deletion(target.kind, id, None, *propagation)),
                None => Turn::Missing,
            },
            Errand::Change(target, change) => self.change(target, change),
            Errand::Drain(node) => match self.store.find::<Node>("", node) {
                Some(id) => {
                    self.drain(task, id);
                    Turn::Done
                }
                None => Turn::Missing,
            },
            Errand::Evict(target) => match self.id_of(target) {
                Some(id) => Turn::Send(Call::Evict { pod: id.typed() }),
                None => Turn::Missing,
            },
            Errand::End(pod, _, grace) => match self.store.get(*pod) {
                Some(_) => {
                    Turn::Send(deletion(Kind::Pod, (*pod).into(), *grace, Propagation::Background))
                }
                None => Turn::Done,
            },
        }
    }

    /// Creates an object, or merges what is written now into the one that has its name.
    fn apply(&self, object: &Object, manifest: Option<&Text>) -> Turn {
        let name = object.name();
        let target = Target {
            kind: object.kind(),
            namespace: name.namespace.clone(),
            name: name.name.to_string().into(),
        };
        let id = match object {
            Object::Other(other) => self.other(other),
            _ => self.id_of(&target),
        };
        let Some((id, (held, base))) = id.and_then(|id| Some((id, self.object(target.kind, id)?)))
        else {
            return Turn::Send(Call::Create(object.clone()));
        };
        let next = match manifest {
            Some(now) => {
                let last = self.errands.ledger.latest(object, &held);
                reapplied(&held, (last, now), self.plan.checks)
            }
            None => Ok(replaced(&held, object)),
        };
        match next {
            Ok(next) if next == held => Turn::Done,
            Ok(object) => {
                Turn::Send(Call::Update { id, object, base: Some(base), part: Part::Main })
            }
            Err(why) => Turn::Refused(Status::Invalid(name, why.into())),
        }
    }

    fn change(&self, target: &Target, change: &Change) -> Turn {
        let found = self.id_of(target).and_then(|id| Some((id, self.object(target.kind, id)?)));
        let Some((id, (object, base))) = found else { return Turn::Missing };
        match self.changed(&object, change) {
            Ok(next) if next == object => Turn::Done,
            Ok(object) => {
                let part = match change {
                    Change::Resize { .. } => Part::Resize,
                    Change::Status { .. } => Part::Status,
                    _ => Part::Main,
                };
                Turn::Send(Call::Update { id, object, base: Some(base), part })
            }
            Err(status) => Turn::Refused(status),
        }
    }

    /// The stored object of this kind, group and name among those that are not modelled.
    fn other(&self, wanted: &Other) -> Option<RawId> {
        let table = self.store.table::<Other>();
        let mut named = table.all_named(&wanted.meta.namespace, &wanted.meta.name);
        let is_same = |other: &Other| {
            other.kind == wanted.kind && group(&other.api_version) == group(&wanted.api_version)
        };
        named.find(|(_, other)| is_same(other)).map(|(id, _)| id.into())
    }

    /// The object of this kind and id as it stands, and its revision.
    pub(super) fn object(&self, kind: Kind, id: RawId) -> Option<(Object, Rev)> {
        fn held<S: Stored>(store: &Store, id: RawId) -> Option<(Box<S>, Rev)> {
            let object = store.get::<S>(id.typed())?.clone();
            Some((Box::new(object), store.table::<S>().revision(id.typed())?))
        }
        let store = &self.store;
        Some(match kind {
            Kind::Pod => held(store, id).map(|(it, rev)| (Object::Pod(it), rev))?,
            Kind::Node => held(store, id).map(|(it, rev)| (Object::Node(it), rev))?,
            Kind::Namespace => held(store, id).map(|(it, rev)| (Object::Namespace(it), rev))?,
            Kind::ReplicaSet | Kind::ReplicationController => {
                held(store, id).map(|(it, rev)| (Object::ReplicaSet(it), rev))?
            }
            Kind::Deployment => held(store, id).map(|(it, rev)| (Object::Deployment(it), rev))?,
            Kind::Service => held(store, id).map(|(it, rev)| (Object::Service(it), rev))?,
            Kind::EndpointSlice => {
                held(store, id).map(|(it, rev)| (Object::EndpointSlice(it), rev))?
            }
            Kind::Endpoints => held(store, id).map(|(it, rev)| (Object::Endpoints(it), rev))?,
            Kind::Lease => held(store, id).map(|(it, rev)| (Object::Lease(it), rev))?,
            Kind::PriorityClass => {
                held(store, id).map(|(it, rev)| (Object::PriorityClass(it), rev))?
            }
            Kind::PodDisruptionBudget => {
                held(store, id).map(|(it, rev)| (Object::PodDisruptionBudget(it), rev))?
            }
            Kind::HorizontalPodAutoscaler => {
                held(store, id).map(|(it, rev)| (Object::HorizontalPodAutoscaler(it), rev))?
            }
            Kind::StatefulSet => held(store, id).map(|(it, rev)| (Object::StatefulSet(it), rev))?,
            Kind::DaemonSet => held(store, id).map(|(it, rev)| (Object::DaemonSet(it), rev))?,
            Kind::ControllerRevision => {
                held(store, id).map(|(it, rev)| (Object::ControllerRevision(it), rev))?
            }
            Kind::Job => held(store, id).map(|(it, rev)| (Object::Job(it), rev))?,
            Kind::CronJob => held(store, id).map(|(it, rev)| (Object::CronJob(it), rev))?,
            Kind::PersistentVolume => {
                held(store, id).map(|(it, rev)| (Object::PersistentVolume(it), rev))?
            }
            Kind::PersistentVolumeClaim => {
                held(store, id).map(|(it, rev)| (Object::PersistentVolumeClaim(it), rev))?
            }
            Kind::StorageClass => {
                held(store, id).map(|(it, rev)| (Object::StorageClass(it), rev))?
            }
            Kind::CsiNode => held(store, id).map(|(it, rev)| (Object::CsiNode(it), rev))?,
            Kind::LimitRange => held(store, id).map(|(it, rev)| (Object::LimitRange(it), rev))?,
            Kind::ResourceQuota => {
                held(store, id).map(|(it, rev)| (Object::ResourceQuota(it), rev))?
            }
            Kind::Client | Kind::NodeGroup | Kind::VerticalPodAutoscaler | Kind::Other => {
                held(store, id).map(|(it, rev)| (Object::Other(it), rev))?
            }
        })
    }

    fn id_of(&self, target: &Target) -> Option<RawId> {
        let (store, namespace, name) = (&self.store, &*target.namespace, &*target.name);
        match target.kind {
            Kind::Pod => store.find::<Pod>(namespace, name).map(RawId::from),
            Kind::Node => store.find::<Node>("", name).map(RawId::from),
            Kind::Namespace => store.find::<Namespace>("", name).map(RawId::from),
            Kind::ReplicaSet | Kind::ReplicationController => store
                .table::<ReplicaSet>()
                .all_named(namespace, &Name::new(name))
                .find(|(_, set)| Kind::from(set.kind) == target.kind)
                .map(|(id, _)| id.into()),
            Kind::Deployment => store.find::<Deployment>(namespace, name).map(RawId::from),
            Kind::Service => store.find::<Service>(namespace, name).map(RawId::from),
            Kind::EndpointSlice => store.find::<EndpointSlice>(namespace, name).map(RawId::from),
            Kind::Endpoints => store.find::<Endpoints>(namespace, name).map(RawId::from),
            Kind::Lease => store.find::<Lease>(namespace, name).map(RawId::from),
            Kind::PriorityClass => store.find::<PriorityClass>("", name).map(RawId::from),
            Kind::PodDisruptionBudget => {
                store.find::<PodDisruptionBudget>(namespace, name).map(RawId::from)
            }
            Kind::HorizontalPodAutoscaler => {
                store.find::<HorizontalPodAutoscaler>(namespace, name).map(RawId::from)
            }
            Kind::StatefulSet => store.find::<StatefulSet>(namespace, name).map(RawId::from),
            Kind::DaemonSet => store.find::<DaemonSet>(namespace, name).map(RawId::from),
            Kind::ControllerRevision => {
                store.find::<ControllerRevision>(namespace, name).map(RawId::from)
            }
            Kind::Job => store.find::<Job>(namespace, name).map(RawId::from),
            Kind::CronJob => store.find::<CronJob>(namespace, name).map(RawId::from),
            Kind::PersistentVolume => {
                store.find::<PersistentVolume>(namespace, name).map(RawId::from)
            }
            Kind::PersistentVolumeClaim => {
                store.find::<PersistentVolumeClaim>(namespace, name).map(RawId::from)
            }
            Kind::StorageClass => store.find::<StorageClass>(namespace, name).map(RawId::from),
            Kind::CsiNode => store.find::<CsiNode>(namespace, name).map(RawId::from),
            Kind::LimitRange => store.find::<LimitRange>(namespace, name).map(RawId::from),
            Kind::ResourceQuota => store.find::<ResourceQuota>(namespace, name).map(RawId::from),
            // Kinds that are not modelled share one table, and have no name of their own here.
            Kind::Client | Kind::NodeGroup | Kind::VerticalPodAutoscaler | Kind::Other => None,
        }
    }

    /// A fault deletes a pod, without grace.
    pub(super) fn delete_at_once(&mut self, cause: u64, step: u32, pod: Id<Pod>) {
        let Some(object) = self.store.get(pod).map(|it| ObjectName::of(Kind::Pod, &it.meta)) else {
            return;
        };
        self.errands.push(Task::of_step(Errand::End(pod, object, Some(0)), step, cause));
    }

    /// Queues what is there from the start.
    pub(super) fn apply_at_start(&mut self, objects: &[PlannedObject], sink: Sink<'_>) {
        self.apply_all(objects, 0, NO_CAUSE);
        self.next_errand(sink);
    }
}

fn deletion(kind: Kind, id: RawId, grace_seconds: Option<u32>, propagation: Propagation) -> Call {
    Call::Delete { kind, id, uid: None, grace_seconds, propagation }
}
