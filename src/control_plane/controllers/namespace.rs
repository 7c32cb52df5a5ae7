//! The namespace controller (kube-controller-manager 1.36 pkg/controller/namespace).
//!
//! Owns the emptying of namespaces that are being deleted; refuses to know what the objects are.
//!
//! ```text
//! marked ─ 5 s ─▶ pods there? ─ yes ─▶ delete them ─ half their grace and 1 s ─▶ again
//!                     └─ no ─▶ delete the rest, kind by kind ─ all gone ─▶ finalizer taken away
//!                                                            └─ some held up ─ 8 s ─▶ again
//! ```
//!
//! What is left is noted in the namespace's status; a note that is news wakes the controller after
//! 5 s, for it is a change of the namespace like any other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::kinds::{SERVED, Scope};
use crate::api::limit_range::LimitRange;
use crate::api::meta::{RawId, Uid};
use crate::api::misc::{Content, Lease, NAMESPACE_CONTENT, Namespace, Other};
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::PersistentVolumeClaim;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::FastMap;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::messages::request::{MetaPatch, Propagation};
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::SimDuration;

use super::garbage_collector::graph::meta_of;
use super::{Known, Timer};

/// From a namespace's mark to the first look, so that requests in flight are over; and from the
/// first look's note in its status to the second.
const WAIT: SimDuration = SimDuration::from_secs(5);
/// What it takes to ask that all objects of a kind be deleted, and which are left: 34 kinds take 0.5 to
/// 0.85 s (golden-timelines, s5_namespace_delete).
const KIND: SimDuration = SimDuration::from_millis(20);
/// Half of the 15 s that what has finalizers is given, and one more.
const HELD_UP: SimDuration = SimDuration::from_secs(8);

/// What is being done about a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It waits for its next look.
    Waiting,
    /// It comes to the next kind of what is no pod.
    Between,
    /// So many deletions of one kind are in flight.
    Emptying { left: u32 },
    /// Its finalizer is being taken away.
    Finishing,
}

#[derive(Clone, Debug)]
struct Ending {
    step: Step,
    cause: u64,
    /// What is still to be deleted, kind by kind, and how long after the kind before.
    to_do: VecDeque<(SimDuration, Vec<Item>)>,
    /// What was deleted and is still there.
    held_up: Vec<Item>,
}

/// An object in a namespace.
type Item = (Kind, RawId);

/// The controller.
#[derive(Clone, Debug)]
pub struct Namespaces {
    client: ClientId,
    ending: BTreeMap<Id<Namespace>, Ending>,
    /// Whose deletion, and of what, a tag stands for.
    in_flight: FastMap<u64, (Id<Namespace>, Option<Item>)>,
    serial: u64,
}

/// Replies about pods and notes are not waited for.
const NOT_AWAITED: u64 = 0;

impl Namespaces {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId) -> Namespaces {
        let (ending, in_flight) = (BTreeMap::new(), FastMap::default());
        Namespaces { client, ending, in_flight, serial: NOT_AWAITED }
    }

    /// A namespace changed.
    pub fn namespace(&mut self, change: &Change<'_, Namespace>, fx: &mut Effects<Timer>) {
        let Some(namespace) = change.new else {
            self.ending.remove(&change.id);
            return;
        };
        // One that is empty waits for others that hold it.
        let is_mine = namespace.finalizers.iter().any(|it| &**it == NAMESPACE_CONTENT);
        if is_mine && namespace.meta.is_terminating() && !self.ending.contains_key(&change.id) {
            let (step, cause) = (Step::Waiting, fx.cause());
            let (to_do, held_up) = (VecDeque::new(), Vec::new());
            let ending = Ending { step, cause, to_do, held_up };
            self.ending.insert(change.id, ending);
            self.arm(change.id, WAIT, fx);
        }
    }

    fn arm(&self, id: Id<Namespace>, after: SimDuration, fx: &mut Effects<Timer>) {
        fx.arm(after, Timer::Namespace { slot: id.slot() as u32, generation: id.generation() });
    }

    /// The time has come to look at a namespace.
    pub fn look(&mut self, slot: u32, generation: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let id = Id::from_parts(slot, generation);
        let Some(ending) = self.ending.get_mut(&id) else { return };
        let Some(namespace) = known.view.get(id) else { return };
        fx.because(ending.cause);
        match ending.step {
            Step::Waiting => {}
            Step::Between => return self.next_kind(id, known, fx),
            Step::Emptying { .. } | Step::Finishing => return,
        }
        let name = namespace.meta.name.to_string();
        let pods: Vec<(Id<Pod>, &Pod)> =
            known.view.list::<Pod>().filter(|(_, pod)| *pod.meta.namespace == *name).collect();
        if !pods.is_empty() {
            let grace = pods.iter().map(|(_, pod)| pod.spec.grace_seconds).max().unwrap_or(0);
            for (pod, _) in pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()) {
                fx.send(self.client, NOT_AWAITED, deletion(Kind::Pod, (*pod).into()));
            }
            let half = SimDuration::from_secs(u64::from(grace / 2) + 1);
            let left = pods.iter().map(|(_, pod)| ("pods.".into(), &pod.meta));
            let content = Content::of(left);
            return self.again(id, half, content, known, fx);
        }
        ending.held_up.clear();
        ending.to_do = in_turn(namespace.meta.uid, rest_of(&name, known), known);
        self.await_kind(id, fx);
    }

    /// Between two kinds that something is of lie those that nothing is of: they are asked for all the
    /// same.
    fn await_kind(&mut self, id: Id<Namespace>, fx: &mut Effects<Timer>) {
        let Some(ending) = self.ending.get_mut(&id) else { return };
        ending.step = Step::Between;
        let after = ending.to_do.front().map_or(SimDuration::ZERO, |next| next.0);
        self.arm(id, after, fx);
    }

    fn next_kind(&mut self, id: Id<Namespace>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(ending) = self.ending.get_mut(&id) else { return };
        match ending.to_do.pop_front() {
            Some((_, items)) if items.is_empty() => self.await_kind(id, fx),
            Some((_, items)) => {
                ending.step = Step::Emptying { left: items.len() as u32 };
                for (kind, object) in items {
                    let tag = self.tag(id, Some((kind, object)));
                    fx.send(self.client, tag, deletion(kind, object));
                }
            }
            None => self.emptied(id, known, fx),
        }
    }

    /// All kinds had their turn.
    fn emptied(&mut self, id: Id<Namespace>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(ending) = self.ending.get_mut(&id) else { return };
        let held_up = std::mem::take(&mut ending.held_up);
        if held_up.is_empty() {
            return self.finish(id, known, fx);
        }
        let named = |&item: &Item| Some((resource(item, known)?, meta_of(item, known)?));
        let content = Content::of(held_up.iter().filter_map(named));
        self.again(id, HELD_UP, content, known, fx);
    }

    fn tag(&mut self, id: Id<Namespace>, item: Option<Item>) -> u64 {
        self.serial += 1;
        self.in_flight.insert(self.serial, (id, item));
        self.serial
    }

    /// Some is left: that is noted, and looked at again in a while.
    fn again(
        &mut self,
        id: Id<Namespace>,
        after: SimDuration,
        content: Content,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some((rev, namespace)) = known.view.version(id) else { return };
        if let Some(ending) = self.ending.get_mut(&id) {
            ending.step = Step::Waiting;
        }
        let Some(content) = content.noted(namespace.content.as_deref(), fx.now()) else {
            return self.arm(id, after, fx);
        };
        let next = Namespace { content: Some(Arc::new(content)), ..namespace.clone() };
        let object = Object::Namespace(Box::new(next));
        let call = Call::Update { id: id.into(), object, base: Some(rev), part: Part::Status };
        fx.send(self.client, NOT_AWAITED, call);
        self.arm(id, WAIT.min(after), fx);
    }

    fn finish(&mut self, id: Id<Namespace>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(namespace) = known.view.get(id) else { return };
        let Some(ending) = self.ending.get_mut(&id) else { return };
        ending.step = Step::Finishing;
        let (kind, uid) = (Kind::Namespace, namespace.meta.uid);
        let patch = MetaPatch::Finalize(NAMESPACE_CONTENT.into());
        let tag = self.tag(id, None);
        fx.send(self.client, tag, Call::Patch { kind, id: id.into(), uid, patch });
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Some((id, item)) = self.in_flight.remove(&reply.tag) else { return };
        let Some(ending) = self.ending.get_mut(&id) else { return };
        fx.because(ending.cause.max(fx.cause()));
        match &mut ending.step {
            Step::Waiting | Step::Between => {}
            Step::Emptying { left } => {
                *left = left.saturating_sub(1);
                let is_gone = match &reply.result {
                    Ok(done) => done.rev == Rev::ZERO,
                    Err(status) => status.code() == 404,
                };
                ending.held_up.extend(item.filter(|_| !is_gone));
                if *left == 0 {
                    self.await_kind(id, fx);
                }
            }
            Step::Finishing if reply.result.is_err() => {
                ending.step = Step::Waiting;
                self.arm(id, WAIT, fx);
            }
            Step::Finishing => {}
        }
    }
}

/// What is to be deleted, kind by kind in the namespace's own order (upstream's is that of a map), and
/// after the last what it takes to ask for the kinds left.
fn in_turn(
    namespace: Uid,
    rest: Vec<Item>,
    known: Known<'_>,
) -> VecDeque<(SimDuration, Vec<Item>)> {
    let place = |name: &str| StableHasher::new().word(namespace.0).text(name).finish();
    let served = SERVED.iter().filter(|one| one.scope == Scope::Namespaced);
    let mut all: Vec<u64> =
        served.map(|one| place(&format!("{}.{}", one.plural, one.group))).collect();
    all.sort_unstable();
    all.dedup();
    let mut kinds: BTreeMap<u64, Vec<Item>> = BTreeMap::new();
    for item in rest {
        let name = resource(item, known).unwrap_or_default();
        kinds.entry(place(&name)).or_default().push(item);
    }
    let mut before = 0;
    let mut turns: VecDeque<(SimDuration, Vec<Item>)> = VecDeque::new();
    for (place, items) in kinds {
        let passed = all.partition_point(|&one| one <= place);
        turns.push_back((KIND * (passed - before) as u64, items));
        before = passed;
    }
    turns.push_back((KIND * (all.len() - before) as u64, Vec::new()));
    turns
}

/// A resource as the conditions of a namespace name it: `pods.`, `deployments.apps`.
fn resource((kind, id): Item, known: Known<'_>) -> Option<Text> {
    if kind != Kind::Other {
        return Some(dotted(kind.resource()));
    }
    let other = known.view.get::<Other>(id.typed())?;
    let name = other.resource().unwrap_or_else(|| {
        let group = other.api_version.split_once('/').map_or("", |(group, _)| group);
        format!("{}s.{group}", other.kind.to_lowercase())
    });
    Some(dotted(&name))
}

/// Resources of the core group end in a dot.
fn dotted(name: &str) -> Text {
    let dot = if name.contains('.') { "" } else { "." };
    format!("{name}{dot}").into()
}

fn deletion(kind: Kind, id: RawId) -> Call {
    let propagation = Propagation::Background;
    Call::Delete { kind, id, uid: None, grace_seconds: None, propagation }
}

/// Everything in a namespace but pods.
fn rest_of(namespace: &str, known: Known<'_>) -> Vec<(Kind, RawId)> {
    fn of<T: Stored>(
        namespace: &str,
        known: Known<'_>,
        kind: fn(&T) -> Kind,
        into: &mut Vec<(Kind, RawId)>,
    ) {
        let all = known.view.list::<T>();
        let here = all.filter(|(_, object)| *object.meta().namespace == *namespace);
        into.extend(here.map(|(id, object)| (kind(object), id.into())));
    }
    let mut all = Vec::new();
    of::<Deployment>(namespace, known, |_| Kind::Deployment, &mut all);
    of::<ReplicaSet>(namespace, known, |set| set.kind.into(), &mut all);
    of::<Service>(namespace, known, |_| Kind::Service, &mut all);
    of::<EndpointSlice>(namespace, known, |_| Kind::EndpointSlice, &mut all);
    of::<Endpoints>(namespace, known, |_| Kind::Endpoints, &mut all);
    of::<StatefulSet>(namespace, known, |_| Kind::StatefulSet, &mut all);
    of::<DaemonSet>(namespace, known, |_| Kind::DaemonSet, &mut all);
    of::<ControllerRevision>(namespace, known, |_| Kind::ControllerRevision, &mut all);
    of::<Job>(namespace, known, |_| Kind::Job, &mut all);
    of::<CronJob>(namespace, known, |_| Kind::CronJob, &mut all);
    of::<PodDisruptionBudget>(namespace, known, |_| Kind::PodDisruptionBudget, &mut all);
    of::<HorizontalPodAutoscaler>(namespace, known, |_| Kind::HorizontalPodAutoscaler, &mut all);
    of::<PersistentVolumeClaim>(namespace, known, |_| Kind::PersistentVolumeClaim, &mut all);
    of::<LimitRange>(namespace, known, |_| Kind::LimitRange, &mut all);
    of::<ResourceQuota>(namespace, known, |_| Kind::ResourceQuota, &mut all);
    of::<Lease>(namespace, known, |_| Kind::Lease, &mut all);
    of::<Other>(namespace, known, |_| Kind::Other, &mut all);
    all
}
