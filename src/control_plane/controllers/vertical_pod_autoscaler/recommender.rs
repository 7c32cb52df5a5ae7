//! The recommender: what containers used so far, what follows for their requests, and the writes that say so
//! (vertical-pod-autoscaler pkg/recommender/routines, pkg/recommender/input, pkg/recommender/model).

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoints::{Checkpoints, Written};
use super::usage::{Aggregate, Record, Seen};
use super::{Known, Timer, pods_of, target_of, update};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod};
use crate::api::vertical::status::Condition;
use crate::api::vertical::{Recommended, Vertical};
use crate::base::id::Id;
use crate::control_plane::controllers::cron_job::Calendar;
use crate::control_plane::controllers::workqueue::Tag;
use crate::messages::metrics::MetricsApi;
use crate::messages::{Call, ClientId, Component, Effects, Fact, Part, Reply, Verb};
use crate::store::{Change, targets};
use crate::time::SimTime;

/// What a call's tag says: a status is written, or a checkpoint.
const STATUS: u16 = 0;
const CHECKPOINT: u16 = 1;
/// Nano-cores in a thousandth of a core.
const NANO_PER_MILLI: u64 = 1_000_000;

/// An autoscaler, and what is known of the containers of its pods.
#[derive(Clone, Debug)]
struct Row {
    id: Id<Other>,
    namespace: Text,
    name: Text,
    /// By container.
    used: BTreeMap<Text, Aggregate>,
    seen: BTreeMap<(Id<Pod>, Text), Seen>,
    is_writing: bool,
}

/// The recommender.
#[derive(Clone, Debug)]
pub struct Recommender {
    client: ClientId,
    calendar: Calendar,
    /// When it started: what happened before, it did not see.
    since: SimTime,
    rows: BTreeMap<u32, Row>,
    checkpoints: Checkpoints,
}

impl Recommender {
    /// One that knows nothing, sending by `client`.
    pub fn new(client: ClientId, calendar: Calendar) -> Recommender {
        Recommender {
            client,
            calendar,
            since: SimTime::ZERO,
            rows: BTreeMap::new(),
            checkpoints: Checkpoints::default(),
        }
    }

    /// It starts.
    pub fn begin(&mut self, now: SimTime) {
        self.since = now;
        self.checkpoints.begin(now);
    }

    /// Whether there is anything to look at.
    pub fn has_work(&self) -> bool {
        !self.rows.is_empty() || !self.checkpoints.is_empty()
    }

    /// All autoscalers.
    pub fn verticals(&self) -> impl Iterator<Item = Id<Other>> {
        self.rows.values().map(|row| row.id)
    }

    /// An autoscaler changed.
    pub fn vertical(&mut self, change: &Change<'_, Other>) {
        let slot = change.id.slot() as u32;
        let Some(new) = change.new else {
            self.rows.remove(&slot);
            return;
        };
        if self.rows.contains_key(&slot) {
            return;
        }
        let (namespace, name) = (new.meta.namespace.clone(), Text::from(new.meta.name.to_string()));
        let found = self.checkpoints.take_found(&namespace, &name);
        let (used, seen) = (BTreeMap::new(), BTreeMap::new());
        let mut row = Row { id: change.id, namespace, name, used, seen, is_writing: false };
        found.into_iter().for_each(|(container, record)| row.go_on(container, &record));
        self.rows.insert(slot, row);
    }

    /// A checkpoint changed. One that was there before anything was known of its containers is gone on from.
    pub fn checkpoint(&mut self, change: &Change<'_, Other>) {
        self.checkpoints.changed(change, self.calendar);
        let Some(new) = change.new else { return };
        for row in self.rows.values_mut().filter(|row| row.namespace == new.meta.namespace) {
            let found = self.checkpoints.take_found(&row.namespace, &row.name);
            found.into_iter().for_each(|(container, record)| row.go_on(container, &record));
        }
    }

    /// A pass.
    pub fn pass(&mut self, metrics: &dyn MetricsApi, known: Known<'_>, fx: &mut Effects<Timer>) {
        let now = fx.now();
        let mut kept = Vec::new();
        for (&slot, row) in &mut self.rows {
            let Some((rev, held)) = known.view.version(row.id) else { continue };
            let Ok(vertical) = Vertical::of(held) else { continue };
            if !vertical.is_for_default {
                continue;
            }
            kept.push(slot);
            let (pods, conditions) = matched(&vertical, &row.namespace, known);
            row.sample(&pods, metrics, self.since, now);
            let next = row.recommended(&vertical);
            if row.is_writing || held.meta.is_terminating() {
                continue;
            }
            let instant = self.calendar.at(now);
            let shown = jiff::Timestamp::from_second(instant.as_second()).unwrap_or(instant);
            let written = Vertical::written(held, &next, &conditions, &shown.to_string());
            let Some(written) = written else { continue };
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
        self.keep(&kept, known, fx);
    }

    /// Checkpoints of the autoscalers in these slots are written, and those without one are deleted now and then.
    fn keep(&mut self, slots: &[u32], known: Known<'_>, fx: &mut Effects<Timer>) {
        let now = fx.now();
        let mut calls = Vec::new();
        for row in slots.iter().filter_map(|slot| self.rows.get(slot)) {
            for (container, used) in &row.used {
                let seen = row.seen.iter().filter(|((_, name), _)| name == container);
                let record = used.save(seen.map(|(_, seen)| seen), now);
                let (namespace, vertical) = (&row.namespace, &row.name);
                let written = Written { namespace, vertical, container, record: &record };
                calls.extend(self.checkpoints.write(&written, self.calendar, now, known));
            }
        }
        let is_there = |namespace: &Text, name: &Text| {
            self.rows.values().any(|row| row.namespace == *namespace && row.name == *name)
        };
        calls.extend(self.checkpoints.orphans(now, is_there));
        for (serial, call) in calls {
            fx.send(self.client, Tag::Sync(0, serial, CHECKPOINT).pack(), call);
        }
    }

    /// A reply to a call of a pass. What did not get through is tried again in the next one.
    pub fn reply(&mut self, reply: &Reply) {
        match Tag::unpack(reply.tag) {
            Tag::Sync(_, slot, STATUS) => {
                if let Some(row) = self.rows.get_mut(&slot) {
                    row.is_writing = false;
                }
            }
            Tag::Sync(_, serial, _) => self.checkpoints.reply(serial, reply.result.is_ok()),
            Tag::Event => {}
        }
    }
}

/// The pods an autoscaler is for that may have used something, and what is to be said of that.
fn matched<'a>(
    vertical: &Vertical,
    space: &Text,
    known: Known<'a>,
) -> (Vec<(Id<Pod>, &'a Pod)>, Vec<Condition>) {
    let (pods, unsupported) = match target_of(vertical, space, known) {
        Ok(target) if target.owner.is_some_and(|it| targets::is_controller(it.kind)) => {
            let reference = &vertical.target;
            let (version, kind, name) = (&reference.api_version, &reference.kind, &reference.name);
            let why = format!(
                "The target {version}.{kind}/{name} has a parent controller but it should point to a \
                 topmost well-known or scalable controller"
            );
            (Vec::new(), Some(why))
        }
        Ok(target) => (pods_of(&target, space, known), None),
        Err(why) => (Vec::new(), Some(format!("Cannot read targetRef. Reason: {why}"))),
    };
    let mut pods = pods;
    pods.retain(|(_, pod)| pod.status.phase != Phase::Pending);
    let mut conditions = Vec::new();
    conditions.extend(unsupported.map(|why| Condition::Unsupported(why.into())));
    conditions.extend(pods.is_empty().then_some(Condition::NoPods));
    (pods, conditions)
}

impl Row {
    /// Goes on from what was known of a container, where nothing is known yet.
    fn go_on(&mut self, container: Text, record: &Record) {
        if let Some(used) = Aggregate::load(record) {
            self.used.entry(container).or_insert(used);
        }
    }

    /// Takes in what the pods used since the last pass. Init containers are not looked at.
    fn sample(
        &mut self,
        pods: &[(Id<Pod>, &Pod)],
        metrics: &dyn MetricsApi,
        since: SimTime,
        now: SimTime,
    ) {
        let there: BTreeSet<Id<Pod>> = pods.iter().map(|(id, _)| *id).collect();
        self.seen.retain(|(id, _), _| there.contains(id));
        self.used.retain(|_, used| !used.is_expired(now));
        for &(id, pod) in pods {
            let inits = pod.spec.init_containers.len();
            if let Ok(Some(sample)) = metrics.usage(id, now) {
                for one in &sample.containers {
                    let number = usize::from(one.container).checked_sub(inits);
                    let container = number.and_then(|number| pod.spec.containers.get(number));
                    let Some(container) = container else { continue };
                    let (used, seen) = self.of(id, &container.name);
                    let cpu = i64::try_from(one.cpu.div_ceil(NANO_PER_MILLI)).unwrap_or(i64::MAX);
                    let memory = i64::try_from(one.memory).unwrap_or(i64::MAX);
                    seen.sample(used, sample.at, (cpu, memory));
                }
            }
            let statuses = pod.status.containers.iter().flat_map(|all| all.iter()).skip(inits);
            for (status, container) in statuses.zip(&pod.spec.containers) {
                let Some((at, _)) = update::ran_out(status) else { continue };
                let (used, seen) = self.of(id, &container.name);
                if at >= since && seen.oom.is_none_or(|last| last < at) {
                    seen.ran_out(used, at, container.requests.memory);
                }
            }
        }
    }

    fn of(&mut self, pod: Id<Pod>, container: &Text) -> (&mut Aggregate, &mut Seen) {
        let used = self.used.entry(container.clone()).or_default();
        (used, self.seen.entry((pod, container.clone())).or_default())
    }

    fn recommended(&self, vertical: &Vertical) -> Vec<Recommended> {
        let is_known =
            |(name, used): &(&Text, &Aggregate)| vertical.controls(name) && used.has_samples();
        let known = self.used.iter().filter(is_known);
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
