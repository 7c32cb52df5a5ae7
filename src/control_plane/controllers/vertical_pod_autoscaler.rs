//! The VerticalPodAutoscaler: its recommender and its updater (vertical-pod-autoscaler, August 2026:
//! pkg/recommender, pkg/updater). What it recommends reaches new pods at admission, in the API server.
//!
//! Owns when it looks, what containers used so far, and the writes that follow; refuses to measure (the
//! metrics API) and to know how amounts follow from use (`usage`) and whom to evict (`update`).
//!
//! ```text
//! each minute, while there is any:   recommender: samples ─▶ histograms ─▶ status, if it differs
//!                                    updater: pods off what is recommended ─▶ eviction, as budgets let it
//! ```
//! Where there is none, nothing happens. It runs with the controller manager that leads, and what it has seen is
//! lost with that (checkpoints are not modelled).

pub mod histogram;
pub mod update;
pub mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::edit::resized;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, Owner, RawId, Uid};
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{Container, Phase, Pod};
use crate::api::rules::selector::Selector;
use crate::api::vertical::{Mode, Recommended, Vertical, is_vertical};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::metrics::MetricsApi;
use crate::messages::{Call, ClientId, Component, Effects, Fact, Part, Reply, Verb};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::horizontal_pod_autoscaler::{Rhythm, target};
use super::workqueue::Tag;
use super::{Known, Timer};
use crate::api::daemon_set::DaemonSet;
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::ReplicaSet;
use update::{Flock, Priority};
use usage::{Aggregate, Seen};

/// `--recommender-interval`, `--updater-interval`.
const PERIOD: SimDuration = SimDuration::from_secs(60);
/// The recommender, among what is looked at again and again: beyond all slots of autoscalers.
pub const RECOMMENDER: u32 = u32::MAX - 1;
/// The updater.
pub const UPDATER: u32 = u32::MAX;
/// A resize that waits for room on its node is given up after this, and one that is under way after that
/// (`DeferredResizeUpdateTimeout`, `InProgressResizeUpdateTimeout`).
const DEFERRED: SimDuration = SimDuration::from_secs(300);
const IN_PROGRESS: SimDuration = SimDuration::from_secs(3600);
/// What a call's tag says: a status, or what is done with a pod.
const STATUS: u16 = 0;
const PLACE: u16 = 1;
/// Nano-cores in a thousandth of a core.
const NANO_PER_MILLI: u64 = 1_000_000;

#[derive(Clone, Debug)]
struct Row {
    id: Id<Other>,
    /// By container.
    used: BTreeMap<Text, Aggregate>,
    seen: BTreeMap<(Id<Pod>, u16), Seen>,
    is_writing: bool,
}

/// The recommender and the updater.
#[derive(Clone, Debug)]
pub struct Verticals {
    client: ClientId,
    rows: BTreeMap<u32, Row>,
    /// Pods that are being resized, since when.
    resizing: BTreeMap<Id<Pod>, SimTime>,
    rhythms: Vec<Rhythm>,
}

impl Verticals {
    /// They, sending by `client`.
    pub fn new(client: ClientId) -> Verticals {
        let (rows, resizing) = (BTreeMap::new(), BTreeMap::new());
        Verticals { client, rows, resizing, rhythms: Vec::new() }
    }

    /// What has changed of when they are to look.
    pub fn take_rhythms(&mut self) -> Vec<Rhythm> {
        std::mem::take(&mut self.rhythms)
    }

    /// What they look by, if they do.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        let is_awake = !self.rows.is_empty();
        [RECOMMENDER, UPDATER].into_iter().filter(move |_| is_awake)
    }

    /// An object of another kind changed, which may be one of them.
    pub fn other(&mut self, change: &Change<'_, Other>, now: SimTime) {
        let is_one = change.new.or(change.old).is_some_and(is_vertical);
        if !is_one {
            return;
        }
        let (slot, was_asleep) = (change.id.slot() as u32, self.rows.is_empty());
        if change.new.is_none() {
            self.rows.remove(&slot);
            if self.rows.is_empty() && !was_asleep {
                self.rhythms.extend([RECOMMENDER, UPDATER].map(Rhythm::Retire));
            }
            return;
        }
        let (used, seen) = (BTreeMap::new(), BTreeMap::new());
        let row = Row { id: change.id, used, seen, is_writing: false };
        self.rows.entry(slot).or_insert(row);
        if was_asleep && let Some(cadence) = Cadence::new(now + PERIOD, PERIOD) {
            for slot in [RECOMMENDER, UPDATER] {
                self.rhythms.extend([Rhythm::Declare(slot, cadence), Rhythm::Next(slot)]);
            }
        }
    }

    /// A pass of the recommender or of the updater.
    pub fn pass(
        &mut self,
        slot: u32,
        metrics: &dyn MetricsApi,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.rhythms.push(Rhythm::Next(slot));
        match slot {
            RECOMMENDER => self.recommend(metrics, known, fx),
            _ => self.update(known, fx),
        }
    }

    fn recommend(&mut self, metrics: &dyn MetricsApi, known: Known<'_>, fx: &mut Effects<Timer>) {
        for (&slot, row) in &mut self.rows {
            let Some((rev, held)) = known.view.version(row.id) else { continue };
            let Ok(vertical) = Vertical::of(held) else { continue };
            let pods = pods_of(&vertical, &held.meta.namespace, known);
            row.sample(&pods, metrics, fx.now());
            let next = row.recommended(&vertical);
            if row.is_writing || held.meta.is_terminating() {
                continue;
            }
            let Some(written) = Vertical::written(held, &next, !pods.is_empty()) else { continue };
            let now = Vertical::of(&Other { written: written.clone(), ..held.clone() });
            if now.is_ok_and(|now| now == vertical) && !vertical.recommended.is_empty() {
                continue;
            }
            if written == held.written {
                continue;
            }
            for one in &next {
                let before = vertical.recommended.iter().find(|it| it.container == one.container);
                if before.is_none_or(|before| before.target != one.target) {
                    fx.fact(advice(held, one));
                }
            }
            let object = Object::Other(Box::new(Other { written, ..held.clone() }));
            let (base, part) = (Some(rev), Part::Main);
            let call = Call::Update { id: row.id.into(), object, base, part };
            fx.send(self.client, Tag::Sync(0, slot, STATUS).pack(), call);
            row.is_writing = true;
        }
    }

    fn update(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.resizing.retain(|&id, _| {
            let pod = known.view.get(id).filter(|pod| !pod.meta.is_terminating());
            pod.is_some_and(|pod| !update::is_resized(pod))
        });
        for row in self.rows.values() {
            let Some(held) = known.view.get(row.id) else { continue };
            let Ok(vertical) = Vertical::of(held) else { continue };
            let acts = matches!(vertical.mode, Mode::Recreate | Mode::InPlace);
            if !acts || vertical.recommended.is_empty() {
                continue;
            }
            let pods = pods_of(&vertical, &held.meta.namespace, known);
            let required = vertical.min_replicas.unwrap_or(update::REPLICAS);
            let mut flocks = flocks(&pods, required, known);
            let mut wanted: Vec<(Priority, Id<Pod>, &Pod)> = pods
                .iter()
                .map(|&(id, pod)| (update::priority(&vertical, pod), id, pod))
                .filter(|(priority, _, pod)| update::is_wanted(&vertical, pod, *priority, fx.now()))
                .collect();
            // Who is to grow comes first, then who is furthest off.
            wanted.sort_by(|(a, ..), (b, ..)| b.grows.cmp(&a.grows).then(b.off.total_cmp(&a.off)));
            for (_, id, pod) in wanted {
                let Some(owner) = pod.meta.owner else { continue };
                let Some(flock) = flocks.get_mut(&owner.uid).filter(|it| it.may_lose(pod)) else {
                    continue;
                };
                let slot = id.slot() as u32;
                let call = match vertical.mode {
                    Mode::InPlace => {
                        let asked = self.resizing.get(&id).copied();
                        in_place(&vertical, &held.meta, (id, pod), asked, fx.now())
                    }
                    _ => Some(Call::Evict { pod: id }),
                };
                let Some(call) = call else { continue };
                flock.evicted += i32::from(pod.status.phase != Phase::Pending);
                if !matches!(call, Call::Evict { .. }) {
                    self.resizing.entry(id).or_insert(fx.now());
                }
                fx.fact(outgrown(pod));
                fx.send(self.client, Tag::Sync(0, slot, PLACE).pack(), call);
            }
        }
    }

    /// A reply to a call of a pass. What did not get through is tried again in the next one.
    pub fn reply(&mut self, reply: &Reply) {
        if let Tag::Sync(_, slot, STATUS) = Tag::unpack(reply.tag)
            && let Some(row) = self.rows.get_mut(&slot)
        {
            row.is_writing = false;
        }
    }
}

impl Row {
    /// Takes in what the pods used since the last pass.
    fn sample(&mut self, pods: &[(Id<Pod>, &Pod)], metrics: &dyn MetricsApi, now: SimTime) {
        let is_there = |id: &Id<Pod>| pods.iter().any(|(one, _)| one == id);
        self.seen.retain(|(id, _), _| is_there(id));
        for &(id, pod) in pods {
            let containers = || pod.spec.init_containers.iter().chain(&pod.spec.containers);
            if let Ok(Some(sample)) = metrics.usage(id, now) {
                for one in &sample.containers {
                    let Some(container) = containers().nth(one.container.into()) else { continue };
                    let used = self.used.entry(container.name.clone()).or_default();
                    let seen = self.seen.entry((id, one.container)).or_default();
                    let cpu = i64::try_from(one.cpu.div_ceil(NANO_PER_MILLI)).unwrap_or(i64::MAX);
                    let memory = i64::try_from(one.memory).unwrap_or(i64::MAX);
                    seen.sample(used, sample.at, (cpu, memory));
                }
            }
            let statuses = pod.status.containers.iter().flat_map(|all| all.iter());
            for (number, (status, container)) in (0..).zip(statuses.zip(containers())) {
                let Some((at, _)) = update::ran_out(status) else { continue };
                let seen = self.seen.entry((id, number)).or_default();
                if seen.oom.is_none_or(|last| last < at) {
                    let used = self.used.entry(container.name.clone()).or_default();
                    seen.ran_out(used, at, container.requests.memory);
                }
            }
        }
    }

    fn recommended(&self, vertical: &Vertical) -> Vec<Recommended> {
        let known = self.used.iter().filter(|(name, _)| vertical.controls(name));
        let count = known.clone().count();
        let one = |(name, used): (&Text, &Aggregate)| {
            let found = used.estimate(count);
            Recommended {
                container: name.clone(),
                target: vertical.capped(name, found.target),
                lower: vertical.capped(name, found.lower),
                upper: vertical.capped(name, found.upper),
                uncapped: vertical.controlled(name, found.target),
            }
        };
        known.map(one).collect()
    }
}

/// What is to be done with a pod that is to be resized, at this moment: nothing, while its node is at it.
fn in_place(
    vertical: &Vertical,
    meta: &Meta,
    (id, pod): (Id<Pod>, &Pod),
    asked: Option<SimTime>,
    now: SimTime,
) -> Option<Call> {
    let evict = Some(Call::Evict { pod: id });
    if let (Some(resize), Some(asked)) = (&pod.status.resize, asked) {
        let reason = resize.pending.as_ref().map(|it| &*it.reason);
        let limit = match reason {
            Some("Infeasible") => return evict,
            Some(_) => DEFERRED,
            None => IN_PROGRESS,
        };
        return evict.filter(|_| now.saturating_since(asked) > limit);
    }
    let edit = |whole: &mut serde_json::Value| {
        let Some(spec) = whole.get_mut("spec") else { return };
        let Ok(mut written) = serde_json::from_value(spec.clone()) else { return };
        if vertical.fill(&meta.name.to_string(), &mut written).is_some()
            && let Ok(next) = serde_json::to_value(written)
        {
            *spec = next;
        }
    };
    match resized(&Object::Pod(Box::new(pod.clone())), edit) {
        Ok(Object::Pod(next)) if next.spec != pod.spec => {
            let (object, base, part) = (Object::Pod(next), None, Part::Resize);
            Some(Call::Update { id: id.into(), object, base, part })
        }
        Ok(_) => None,
        Err(_) => evict,
    }
}

/// That a pod asks for something else than is recommended, for people.
fn outgrown(pod: &Pod) -> Fact {
    let name = ObjectName::of(Kind::Pod, &pod.meta);
    let asked = |of: fn(&Container) -> i64| pod.spec.containers.iter().map(of).sum::<i64>();
    Fact::new(Component::VerticalPodAutoscaler, Verb::Outgrown, name)
        .with("cpu_milli", asked(|it| it.requests.cpu_milli))
        .with("memory", asked(|it| it.requests.memory))
}

/// What is recommended anew, for people.
fn advice(held: &Other, one: &Recommended) -> Fact {
    let name = ObjectName::of(Kind::VerticalPodAutoscaler, &held.meta);
    let (cpu, memory) = (one.target.cpu.unwrap_or(0), one.target.memory.unwrap_or(0));
    let mut parts = Vec::new();
    parts.extend(one.target.cpu.map(|milli| format!("{milli}m of CPU")));
    parts.extend(one.target.memory.map(|bytes| format!("{}Mi of memory", bytes >> 20)));
    Fact::new(Component::VerticalPodAutoscaler, Verb::Advised, name)
        .with("cpu_milli", cpu)
        .with("memory", memory)
        .saying(format!("{} for container {}", parts.join(" and "), one.container))
}

/// The pods it is for that are not on their way out, by uid.
fn pods_of<'a>(vertical: &Vertical, space: &Text, known: Known<'a>) -> Vec<(Id<Pod>, &'a Pod)> {
    let Some(selector) = selector_of(vertical, space, known) else { return Vec::new() };
    if selector.is_empty() {
        return Vec::new();
    }
    let groups = known.index.groups.selected(space, &selector);
    let groups = groups.into_iter().filter_map(|group| known.index.groups.get(group));
    let pods = groups.flat_map(|group| &group.members);
    let pods = pods.filter_map(|member| Some((member.pod, known.view.get(member.pod)?)));
    let is_live = |pod: &Pod| {
        !pod.meta.is_terminating() && !matches!(pod.status.phase, Phase::Succeeded | Phase::Failed)
    };
    let mut pods: Vec<_> = pods.filter(|(_, pod)| is_live(pod)).collect();
    pods.sort_by_key(|(_, pod)| pod.meta.uid);
    pods
}

fn selector_of(vertical: &Vertical, space: &Text, known: Known<'_>) -> Option<Arc<Selector>> {
    if &*vertical.target.kind == "DaemonSet" {
        let id = known.view.find::<DaemonSet>(space, &vertical.target.name)?;
        return Some(known.view.get(id)?.selector.clone());
    }
    target::find(&vertical.target, space, known).ok().map(|found| found.selector)
}

/// The pods by their owners, where there are enough of them.
fn flocks(pods: &[(Id<Pod>, &Pod)], required: i32, known: Known<'_>) -> BTreeMap<Uid, Flock> {
    let mut flocks: BTreeMap<Uid, (Owner, i32, i32)> = BTreeMap::new();
    for (_, pod) in pods {
        let Some(owner) = pod.meta.owner else { continue };
        let (_, there, running) = flocks.entry(owner.uid).or_insert((owner, 0, 0));
        *there += 1;
        *running += i32::from(pod.status.phase != Phase::Pending);
    }
    let flock = |(uid, (owner, there, running)): (Uid, (Owner, i32, i32))| {
        let wanted = replicas(owner, there, known)?;
        let is_enough = there >= required && wanted > 0;
        is_enough.then_some((uid, Flock { wanted, running, evicted: 0 }))
    };
    flocks.into_iter().filter_map(flock).collect()
}

fn replicas(owner: Owner, there: i32, known: Known<'_>) -> Option<i32> {
    let at: RawId = owner.at;
    match owner.kind {
        Kind::ReplicaSet | Kind::ReplicationController => {
            known.view.get::<ReplicaSet>(at.typed()).map(|it| it.replicas)
        }
        Kind::StatefulSet => known.view.get::<StatefulSet>(at.typed()).map(|it| it.replicas),
        Kind::DaemonSet => known.view.get::<DaemonSet>(at.typed()).map(|it| it.status.ready),
        _ => Some(there),
    }
}
