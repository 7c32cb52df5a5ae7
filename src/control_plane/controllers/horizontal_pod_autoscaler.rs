//! The HorizontalPodAutoscaler controller (kube-controller-manager 1.36 pkg/controller/podautoscaler).
//!
//! Owns when each autoscaler is looked at, what is remembered of it from look to look, and the writes
//! that bring a decision about; refuses to decide (`decide`) and to measure (the metrics APIs).
//!
//! ```text
//! asleep ─ its look ─▶ decide ─┬─ as it is ────────────────────────────────▶ asleep
//!    ▲                         ├─ scale ─ reply ─▶ status: SucceededRescale ─┐
//!    │                         │         └ refused ▶ status: FailedUpdateScale┤
//!    │                         └─ status ◀────────────────────────────────────┘
//!    └────────────── reply ───────┘
//! ```
//! An autoscaler is looked at one sync period after it is seen, and then again and again, with a cadence
//! of its own. A look at which nothing could come out otherwise than at the one before is left out and
//! made up for at the next (`catch_up`).

pub mod behavior;
pub mod calculator;
mod concerned;
pub mod decide;
mod flock;
pub mod pods;
mod sight;
pub mod target;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::autoscaling::{HorizontalPodAutoscaler, HpaStatus};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod};
use crate::api::rules::selector::Selector;
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::metrics::MetricsApi;
use crate::messages::{Call, ClientId, Component, Effects, Fact, Part, Remark, Reply, Verb};
use crate::store::{Change, Rev, Stored};
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::index::groups::Group;
use super::workqueue::Tag;
use super::{Known, Timer, Which};
use behavior::{Bounds, Memory};
use concerned::Concerned;
use decide::{Decision, Outcome, Rescale, Rules, Scale, Selecting, decide, refused, rescaled};
use flock::Flock;
use pods::PodFacts;
use sight::{Requests, Sight};
use target::Target;

/// `--horizontal-pod-autoscaler-sync-period`.
const SYNC: SimDuration = SimDuration::from_secs(15);
/// What one look takes, which comes on top: the next is due a period after it is done. Of 27 looks of
/// golden-timelines' s7_hpa between 35.132 and 440.809 s, each came 15.025 s after the one before.
const LOOK: SimDuration = SimDuration::from_millis(25);
/// No window of recommendations is longer (`MaxStabilizationWindowSeconds`), nor a policy's period.
const MEMORY: SimDuration = SimDuration::from_secs(3600);
/// What the index of a call's tag says: what was asked for.
const SCALE: u16 = 0;
const STATUS: u16 = 1;

/// When an autoscaler is to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// The autoscaler in this slot is looked at with this cadence.
    Declare(u32, Cadence),
    /// The one in this slot is gone.
    Retire(u32),
    /// The next look of this one cannot be left out.
    Next(u32),
    /// No look of this one before this instant can come out otherwise.
    NotBefore(u32, SimTime),
}

/// What the last look came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Last {
    k: u64,
    /// What it recommended from how many, if it did.
    wanted: Option<(i32, i32)>,
}

/// A write under way.
#[derive(Clone, Debug)]
struct Task {
    rev: Rev,
    hpa: Box<HorizontalPodAutoscaler>,
    status: HpaStatus,
    rescale: Option<Rescale>,
}

#[derive(Clone, Debug)]
struct Row {
    id: Id<HorizontalPodAutoscaler>,
    cadence: Cadence,
    memory: Memory,
    last: Option<Last>,
    /// The name of its target, as last seen.
    target: Text,
    /// The groups of pods its target selects, as of so many groups made and gone; none before its
    /// first look.
    selected: Option<(Arc<Selector>, u64, Vec<Id<Group>>)>,
    flock: Flock,
    requests: Requests,
    task: Option<Task>,
    is_asleep: bool,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Autoscalers {
    client: ClientId,
    rules: Rules,
    rows: BTreeMap<u32, Row>,
    concerned: Concerned,
    /// Which autoscalers' targets select a group of pods.
    claims: BTreeMap<Id<Group>, Vec<u32>>,
    rhythms: Vec<Rhythm>,
    pub(super) events: Events,
}

fn slot<T>(id: Id<T>) -> u32 {
    id.slot() as u32
}

impl Autoscalers {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, rules: Rules) -> Autoscalers {
        Autoscalers {
            client,
            rules,
            rows: BTreeMap::new(),
            concerned: Concerned::default(),
            claims: BTreeMap::new(),
            rhythms: Vec::new(),
            events: Events::new(Which::Autoscalers, client),
        }
    }

    /// Whether anything has changed of when autoscalers are to be looked at.
    pub fn has_rhythms(&self) -> bool {
        !self.rhythms.is_empty()
    }

    /// What has changed of when autoscalers are to be looked at.
    pub fn take_rhythms(&mut self) -> Vec<Rhythm> {
        std::mem::take(&mut self.rhythms)
    }

    /// The slots of all autoscalers it looks at.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        self.rows.keys().copied()
    }

    /// An autoscaler changed. A new one is looked at for the first time after a whole period.
    pub fn autoscaler(&mut self, change: &Change<'_, HorizontalPodAutoscaler>, now: SimTime) {
        let slot = slot(change.id);
        let Some(new) = change.new else { return self.forget(slot, change.old) };
        let (namespace, target) = (&new.meta.namespace, &new.spec.target.name);
        if let Some(row) = self.rows.get_mut(&slot) {
            if row.target != *target {
                self.concerned.aim(slot, namespace, (&row.target, target));
                row.target = target.clone();
            }
            return self.wake(slot);
        }
        let Some(cadence) = Cadence::new(now + SYNC, SYNC + LOOK) else { return };
        self.rhythms.push(Rhythm::Declare(slot, cadence));
        self.rhythms.push(Rhythm::Next(slot));
        self.concerned.come(slot, namespace, target);
        let row = Row {
            id: change.id,
            cadence,
            memory: Memory::default(),
            last: None,
            target: target.clone(),
            selected: None,
            flock: Flock::default(),
            requests: Requests::default(),
            task: None,
            is_asleep: false,
        };
        self.rows.insert(slot, row);
    }

    fn forget(&mut self, slot: u32, old: Option<&HorizontalPodAutoscaler>) {
        let Some(row) = self.rows.remove(&slot) else { return };
        self.rhythms.push(Rhythm::Retire(slot));
        if let Some(namespace) = old.map(|it| &it.meta.namespace) {
            let selector = row.selected.as_ref().map(|(selector, ..)| &**selector);
            self.concerned.go(slot, namespace, (&row.target, selector));
        }
        self.unclaim(slot, row.selected.map(|(_, _, groups)| groups).unwrap_or_default());
    }

    fn unclaim(&mut self, slot: u32, groups: Vec<Id<Group>>) {
        for group in groups {
            if let Some(claims) = self.claims.get_mut(&group) {
                claims.retain(|&held| held != slot);
                if claims.is_empty() {
                    self.claims.remove(&group);
                }
            }
        }
    }

    fn wake(&mut self, slot: u32) {
        if let Some(row) = self.rows.get_mut(&slot)
            && std::mem::take(&mut row.is_asleep)
        {
            self.rhythms.push(Rhythm::Next(slot));
        }
    }

    /// Something may be measured otherwise from now on.
    pub fn wake_all(&mut self) {
        let all: Vec<u32> = self.slots().collect();
        all.into_iter().for_each(|slot| self.wake(slot));
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>) {
        let Some(pod) = change.new.or(change.old) else { return };
        let namespace = &pod.meta.namespace;
        for pod in [change.new, change.old].into_iter().flatten() {
            for slot in self.concerned.by_labels(namespace, &pod.meta.labels) {
                let Some(row) = self.rows.get_mut(&slot).filter(|row| row.is_asleep) else {
                    continue;
                };
                let selector = row.selected.as_ref().map(|(selector, ..)| selector);
                if selector.is_none_or(|selector| selector.matches(&pod.meta.labels)) {
                    row.is_asleep = false;
                    self.rhythms.push(Rhythm::Next(slot));
                }
            }
        }
    }

    /// Something that may be a target changed.
    pub fn target<T: Stored>(&mut self, change: &Change<'_, T>) {
        let Some(meta) = change.new.or(change.old).map(T::meta) else { return };
        let name = meta.name.to_string();
        for slot in self.concerned.by_target(&meta.namespace, &name) {
            if let Some(row) = self.rows.get_mut(&slot).filter(|row| row.is_asleep) {
                row.is_asleep = false;
                self.rhythms.push(Rhythm::Next(slot));
            }
        }
    }

    /// Look `k` at the autoscaler in `slot`, at its time.
    pub fn look(
        &mut self,
        slot: u32,
        k: u64,
        metrics: &dyn MetricsApi,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(row) = self.rows.get_mut(&slot) else { return };
        let held = known.view.version(row.id).filter(|_| row.task.is_none());
        let Some((rev, hpa)) = held else { return self.rhythms.push(Rhythm::Next(slot)) };
        let bounds = Bounds { min: hpa.spec.min_replicas, max: hpa.spec.max_replicas };
        row.catch_up(k, hpa, bounds, &self.rules);
        let target = target::find(&hpa.spec.target, &hpa.meta.namespace, known);
        if let Ok(target) = &target {
            self.select(slot, target, &hpa.meta.namespace, known);
        }
        let selector = match &target {
            Ok(target) => self.selecting(slot, target, known),
            Err(_) => Selecting::Clear,
        };
        let Some(row) = self.rows.get_mut(&slot) else { return };
        let scale = target.as_ref().map(|target| Scale {
            wanted: target.wanted,
            there: target.there,
            selector,
        });
        let groups = row.selected.as_ref().map_or(&[][..], |(_, _, groups)| groups);
        row.flock.look(groups, known);
        row.requests.learn_all(&row.flock, hpa);
        let sight = Sight {
            view: known.view,
            metrics,
            namespace: &hpa.meta.namespace,
            flock: &row.flock,
            requests: &row.requests,
            holds_until: Cell::new(SimTime::MAX),
        };
        let rules = (&self.rules, fx.now());
        let scale = scale.as_ref().map_err(|why| &***why);
        let decision = decide(hpa, scale, &sight, &mut row.memory, rules);
        let calm = is_calm(&decision, hpa) && !row.flock.facts.iter().any(|pod| starts(pod, rules));
        let until = sight.holds_until.get();
        row.last = Some(Last {
            k,
            wanted: decision.course.map(|course| (decision.status.current, course.recommended)),
        });
        row.is_asleep = calm && until > fx.now();
        self.rhythms.push(match row.is_asleep {
            true => Rhythm::NotBefore(slot, until),
            false => Rhythm::Next(slot),
        });
        for (reason, message) in decision.events {
            let remark = || Remark::warning(reason, &*message);
            self.events.record(Kind::HorizontalPodAutoscaler, &hpa.meta, fx, remark);
        }
        let (status, rescale) = (decision.status, decision.rescale);
        let task = Task { rev, hpa: Box::new(hpa.clone()), status, rescale };
        match (target, &task.rescale) {
            (Ok(target), Some(rescale)) => {
                fx.fact(recommends(hpa, rescale));
                let (kind, id, uid) = (target.kind, target.id, target.uid);
                let call = Call::Scale { kind, id, uid, replicas: rescale.to };
                fx.send(self.client, Tag::Sync(0, slot, SCALE).pack(), call);
                row.task = Some(task);
            }
            _ => self.write(slot, task, fx),
        }
    }

    /// Learns which groups of pods the target of an autoscaler selects, unless nothing has changed.
    fn select(&mut self, slot: u32, target: &Target, namespace: &Text, known: Known<'_>) {
        let made = known.index.groups.made();
        let Some(row) = self.rows.get_mut(&slot) else { return };
        if let Some((selector, then, _)) = &row.selected
            && *then == made
            && (Arc::ptr_eq(selector, &target.selector) || *selector == target.selector)
        {
            return;
        }
        let groups = known.index.groups.selected(namespace, &target.selector);
        let before = row.selected.replace((target.selector.clone(), made, groups.clone()));
        let selector = before.as_ref().map(|(selector, ..)| &**selector);
        if selector != Some(&*target.selector) {
            self.concerned.select(slot, namespace, (selector, Some(&*target.selector)));
        }
        self.unclaim(slot, before.map(|(_, _, groups)| groups).unwrap_or_default());
        for group in groups {
            self.claims.entry(group).or_default().push(slot);
        }
    }

    /// Whether a target's pods are its alone.
    fn selecting(&self, slot: u32, target: &Target, known: Known<'_>) -> Selecting {
        if target.selector.is_empty() {
            return Selecting::Missing;
        }
        let row = &self.rows[&slot];
        let groups = row.selected.iter().flat_map(|(_, _, groups)| groups);
        let claims = groups.filter_map(|group| self.claims.get(group));
        let Some(two) = claims.filter(|claims| claims.len() > 1).min() else {
            return Selecting::Clear;
        };
        let name = |slot: &u32| {
            let meta = &known.view.get(self.rows.get(slot)?.id)?.meta;
            Some(format!("{}/{}", meta.namespace, meta.name))
        };
        let mut names: Vec<String> = two.iter().filter_map(name).collect();
        names.sort_unstable();
        names.truncate(2);
        let (selector, names) = (target::printed(&target.selector), names.join(" "));
        Selecting::Ambiguous(
            format!(
                "pods by selector {selector} are controlled by more than one HPA (e.g. [{names}])"
            )
            .into(),
        )
    }

    fn write(&mut self, slot: u32, task: Task, fx: &mut Effects<Timer>) {
        if task.status == task.hpa.status {
            return;
        }
        let Some(row) = self.rows.get_mut(&slot) else { return };
        let mut next = task.hpa.clone();
        next.status = task.status.clone();
        let object = Object::HorizontalPodAutoscaler(next);
        let base = Some(task.rev);
        let call = Call::Update { id: row.id.into(), object, base, part: Part::Status };
        fx.send(self.client, Tag::Sync(0, slot, STATUS).pack(), call);
        row.task = Some(task);
    }

    /// A reply to a call of a look.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Tag::Sync(_, slot, step) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        let Some(row) = self.rows.get_mut(&slot) else { return };
        let Some(mut task) = row.task.take() else { return };
        if step == STATUS {
            // The next look writes it again.
            if let Err(why) = &reply.result {
                let remark = || Remark::warning("FailedUpdateStatus", why.to_string());
                self.events.record(Kind::HorizontalPodAutoscaler, &task.hpa.meta, fx, remark);
            }
            return;
        }
        let Some(rescale) = task.rescale.take() else { return };
        let Rescale { to, reason, .. } = &rescale;
        let remark = match &reply.result {
            Ok(_) => {
                rescaled(&mut task.status, &rescale, fx.now());
                let behavior = task.hpa.spec.behavior.as_ref();
                row.memory.scaled(behavior, (rescale.from, rescale.to), fx.now());
                Remark::normal("SuccessfulRescale", format!("New size: {to}; reason: {reason}"))
            }
            Err(why) => {
                refused(&mut task.status, &task.hpa.status, &why.to_string(), fx.now());
                let told = format!("New size: {to}; reason: {reason}; error: {why}");
                Remark::warning("FailedRescale", told)
            }
        };
        self.events.record(Kind::HorizontalPodAutoscaler, &task.hpa.meta, fx, || remark);
        self.write(slot, task, fx);
    }
}

impl Row {
    /// Looks that were left out since the last one came out as that did: what they recommended is
    /// remembered as if they had been made.
    fn catch_up(&mut self, k: u64, hpa: &HorizontalPodAutoscaler, bounds: Bounds, rules: &Rules) {
        let Some(Last { k: last, wanted: Some(wanted) }) = self.last else { return };
        let oldest = self.cadence.first_from(self.cadence.at(k).saturating_sub(MEMORY));
        for missed in (last + 1).max(oldest)..k {
            let (behavior, at) = (hpa.spec.behavior.as_ref(), self.cadence.at(missed));
            self.memory.normalize(behavior, wanted, bounds, rules.down_window, at);
        }
    }
}

/// What people are told of the reason for a new size.
fn recommends(hpa: &HorizontalPodAutoscaler, rescale: &Rescale) -> Fact {
    let name = ObjectName::of(Kind::HorizontalPodAutoscaler, &hpa.meta);
    Fact::new(Component::HorizontalPodAutoscaler, Verb::Recommended, name)
        .with("current", rescale.from.into())
        .with("desired", rescale.to.into())
        .saying(rescale.reason.clone())
}

/// Whether a decision would come out the same at any later time, all that was seen being the same.
fn is_calm(decision: &Decision, hpa: &HorizontalPodAutoscaler) -> bool {
    decision.rescale.is_none()
        && decision.events.is_empty()
        && decision.outcome == Outcome::Done
        && decision.status == hpa.status
        && decision.course.is_none_or(|course| course.is_lasting)
}

/// Whether time alone may change how a pod counts.
fn starts(pod: &PodFacts<Id<Pod>>, (rules, now): (&Rules, SimTime)) -> bool {
    let initial = rules.timing.cpu_initialization;
    !pod.is_deleting
        && pod.phase != Phase::Failed
        && pod.started.is_some_and(|started| started + initial > now)
}
