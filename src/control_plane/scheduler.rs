//! kube-scheduler: finds a node for each pod that has none.
//!
//! Owns: the queue of pods that wait, what is known of nodes, one decision at a time, and bindings
//! under way. Refuses to know how requests travel, what a rate limit is, and who else leads: the
//! world tells it when it leads, delivers watches, and carries its calls.
//!
//! ```text
//!  queue --pop--> cycle (Settings::cycle long) --node found: assume--> binding --reply--> done
//!    ^               | no node: condition, fact                          | refused: forget
//!    |               | room can be made: promise, evictions (beside the cycles)
//!    +---------------+---------------------------------------------------+
//! ```
//! A decision is made on what is known when the cycle begins; its binding is sent when the cycle
//! ends, and does not hold up the next cycle. While it stands by, it follows the watches only.
//!
//! Core Events about decisions cost nothing here: they go through a client of their own and hold up
//! nothing. See [`algorithm`] for plugins.

pub mod algorithm;
pub mod alone;
mod around;
pub mod cache;
mod claims;
mod cycle;
mod evictions;
pub mod queue;
pub mod recorded;
mod shapes;
pub mod telling;
mod told;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use self::algorithm::{Algorithm, PluginSet, Profile, Question};
use self::cache::Cache;
use self::claims::{Claims, VOLUME_TAG};
use self::cycle::Cycle;
use self::evictions::{Ended, Evictions};
use self::queue::backoff::Backoff;
use self::queue::hints::{ClusterEvent, NodeEvent, helps, own_change_helps};
use self::queue::{Gates, Queue, Waiting};
use self::recorded::Bindings;
use self::shapes::Shapes;
use self::telling::{Asked, Telling};
use crate::api::meta::RawId;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodSpec};
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::luck::{Distribution, Luck};
use crate::messages::effects::Effects;
use crate::messages::request::{ClientId, Reply};
use crate::store::{Change, Store, TableKind, View};
use crate::time::{SimDuration, SimTime};

/// The reason of a pod's condition when no node fits.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// The reason of a pod's condition when an attempt failed otherwise.
pub const SCHEDULER_ERROR: &str = "SchedulerError";

/// How a scheduler is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its profiles, at least one, each with a name of its own.
    pub profiles: Vec<Arc<Profile>>,
    /// How long one scheduling cycle takes, from the pop to the binding's departure.
    pub cycle: Distribution,
    /// Backoff after failed attempts.
    pub backoff: Backoff,
    /// Feature gates.
    pub gates: algorithm::gates::Gates,
    /// Who decides.
    pub decider: Decider,
    /// A pod whose decisions are remembered step by step, which takes far longer than to make them.
    pub asked: Option<Arc<Asked>>,
}

impl Default for Settings {
    /// kube-scheduler 1.36's defaults; a cycle of 1 ms, in the range of what the real one needs
    /// with some thousand nodes.
    fn default() -> Settings {
        Settings {
            profiles: vec![Arc::default()],
            cycle: Distribution::Constant(SimDuration::from_millis(1)),
            backoff: Backoff::default(),
            gates: algorithm::gates::Gates::default(),
            decider: Decider::Algorithm,
            asked: None,
        }
    }
}

/// Who decides where a pod goes.
#[derive(Clone, Debug)]
pub enum Decider {
    /// The algorithm.
    Algorithm,
    /// A recorded table; everything else is done as ever.
    Recorded(Arc<Bindings>),
}

/// Whether an instance leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leading {
    /// It does.
    Yes,
    /// It stands by.
    No,
}

/// A scheduler's own timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The cycle of this number is over.
    Cycle(u32),
    /// Backoffs are over.
    Backoff,
    /// Pods have been unschedulable for long.
    Pool,
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Scheduler {
    settings: Settings,
    client: ClientId,
    luck: Luck,
    leading: Leading,
    /// Since when it leads: the phase of what it does every so often.
    phase: SimTime,
    cache: Cache,
    /// One a profile; they take turns in one search through the nodes.
    algorithms: Vec<Algorithm>,
    queue: Queue,
    shapes: Shapes,
    cycle: Option<Cycle>,
    cycles: u32,
    /// Pods whose binding was sent and not yet answered.
    binding: BTreeMap<Id<Pod>, Waiting>,
    /// Victims that are being told.
    evictions: Evictions,
    claims: Claims,
    backoff_armed: Option<SimTime>,
    pool_armed: Option<SimTime>,
    /// What it remembers of the pod that is asked about.
    tellings: Vec<Telling>,
}

impl Scheduler {
    /// An instance that stands by and knows nothing yet; it sends its requests as `client`.
    pub fn new(settings: Settings, client: ClientId, luck: Luck) -> Scheduler {
        Scheduler {
            algorithms: settings.profiles.iter().cloned().map(Algorithm::new).collect(),
            cache: Cache::of(&settings.profiles),
            queue: queue(&settings),
            evictions: Evictions::new(client, EVICTION_TAG),
            settings,
            client,
            luck,
            leading: Leading::No,
            phase: SimTime::ZERO,
            shapes: Shapes::default(),
            cycle: None,
            cycles: 0,
            binding: BTreeMap::new(),
            claims: Claims::default(),
            backoff_armed: None,
            pool_armed: None,
            tellings: Vec::new(),
        }
    }

    /// Its caches are filled: everything in the view counts as new, in the order of names, as an
    /// API server lists it.
    pub fn start(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.abandon_cycle();
        self.cache.clear();
        around::list(view, self.cache.snapshot_mut().surroundings_mut());
        self.claims = Claims::default();
        self.list_volumes(view);
        self.queue = queue(&self.settings);
        let mut nodes: Vec<(Id<Node>, &Node)> = view.list::<Node>().collect();
        nodes.sort_by(|(_, a), (_, b)| a.meta.name.cmp(&b.meta.name));
        for (id, node) in nodes {
            self.cache.set_node(id, node);
        }
        let mut pods: Vec<(Id<Pod>, &Pod)> = view.list::<Pod>().collect();
        pods.sort_by(|(_, a), (_, b)| {
            a.meta.namespace.cmp(&b.meta.namespace).then_with(|| a.meta.name.cmp(&b.meta.name))
        });
        for (id, pod) in pods {
            match placed_on(pod) {
                Some(node) => {
                    let shape = self.shapes.of(pod);
                    self.cache.pod_placed(id, node, pod, shape);
                }
                None => self.pod_waits(id, None, pod, fx),
            }
        }
        self.go_on(view, fx);
    }

    /// Its watch on `table` shows the changes of this range of the log.
    pub fn deliver(
        &mut self,
        table: TableKind,
        changes: Range<u64>,
        store: &Store,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match table {
            TableKind::Pod => {
                for change in store.table::<Pod>().changes(changes) {
                    fx.because(change.cause);
                    self.pod_changed(&change, view, fx);
                }
            }
            TableKind::Node => {
                for change in store.table::<Node>().changes(changes) {
                    fx.because(change.cause);
                    self.node_changed(&change, view, fx);
                }
            }
            TableKind::PersistentVolume
            | TableKind::PersistentVolumeClaim
            | TableKind::StorageClass
            | TableKind::CsiNode => self.volumes_changed(table, changes, store, view, fx),
            other => {
                let around = self.cache.snapshot_mut().surroundings_mut();
                around::follow(other, changes, store, view, around);
            }
        }
        self.go_on(view, fx);
    }

    /// It begins or ceases to lead.
    pub fn lead(&mut self, leading: Leading, view: &View<'_>, fx: &mut Effects<Timer>) {
        if leading == Leading::Yes && self.leading == Leading::No {
            self.phase = fx.now();
        }
        self.leading = leading;
        match leading {
            Leading::Yes => self.claims_changed(view, fx),
            Leading::No => {
                self.abandon_cycle();
                self.list_volumes(view);
            }
        }
        self.go_on(view, fx);
    }

    /// One of its timers is up.
    pub fn timer(&mut self, timer: Timer, view: &View<'_>, fx: &mut Effects<Timer>) {
        let now = fx.now();
        match timer {
            Timer::Cycle(number) if number == self.cycles => self.finish_cycle(view, fx),
            Timer::Cycle(_) => return,
            Timer::Backoff => {
                self.backoff_armed = self.backoff_armed.filter(|&armed| armed > now);
                self.queue.flush_backoff(now);
            }
            Timer::Pool => {
                self.pool_armed = self.pool_armed.filter(|&armed| armed > now);
                self.queue.flush_pool(now);
            }
        }
        self.go_on(view, fx);
    }

    /// The API server answered a binding.
    pub fn reply(&mut self, reply: &Reply, view: &View<'_>, fx: &mut Effects<Timer>) {
        if reply.tag & STATUS_TAG != 0 {
            return;
        }
        if reply.tag & EVICTION_TAG != 0 {
            let result = reply.result.as_ref().map(|_| ());
            match self.evictions.reply(reply.tag, result, view, fx) {
                Some(Ended::Done(preemptor)) => self.queue.release(preemptor),
                Some(Ended::Failed(preemptor)) => {
                    self.queue.release(preemptor);
                    self.queue.activate(preemptor);
                }
                None => return,
            }
            self.go_on(view, fx);
            return;
        }
        if reply.tag & VOLUME_TAG != 0 {
            if reply.result.is_err() {
                self.write_volumes(pod_of(reply.tag & !VOLUME_TAG), view, fx);
            }
            return;
        }
        let pod = pod_of(reply.tag);
        let Some(waiting) = self.binding.remove(&pod) else { return };
        match &reply.result {
            Ok(_) => told::scheduled(pod, view, fx),
            Err(status) => {
                self.binding_failed(pod, waiting, status, view, fx);
                self.go_on(view, fx);
            }
        }
    }

    /// How many pods wait for a node, those in a cycle not counted.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many nodes it knows.
    pub fn nodes(&self) -> usize {
        self.cache.nodes()
    }

    /// The place of the profile that pods of this spec name.
    fn profile_of(&self, spec: &PodSpec) -> Option<usize> {
        self.settings.profiles.iter().position(|profile| profile.name == spec.scheduler_name)
    }

    fn pod_changed(&mut self, change: &Change<'_, Pod>, view: &View<'_>, fx: &mut Effects<Timer>) {
        let was = change.old.and_then(placed_on);
        let is = change.new.and_then(placed_on);
        match (change.old, change.new) {
            (Some(old), Some(new)) if was.is_some() && was == is => {
                self.placed_pod_changed(change.id, old, new, view, fx);
            }
            (Some(old), _) if was.is_some() => {
                if let Some(node) = was {
                    self.cache.pod_left(change.id, node);
                    let shape = self.shapes.of(old);
                    self.wake(&ClusterEvent::PodGone(&shape), None, view, fx);
                }
            }
            (old, Some(new)) => match is {
                Some(node) => {
                    self.queue.remove(change.id);
                    self.promise_ends(change.id);
                    let shape = self.shapes.of(new);
                    self.cache.pod_placed(change.id, node, new, shape.clone());
                    self.wake(&ClusterEvent::PodPlaced(&shape), None, view, fx);
                }
                None => self.pod_waits(change.id, old, new, fx),
            },
            (Some(old), None) => {
                self.queue.remove(change.id);
                if self.promise_ends(change.id) {
                    // The room that was kept for it is free.
                    let shape = self.shapes.of(old);
                    self.wake(&ClusterEvent::PodGone(&shape), None, view, fx);
                }
            }
            (None, None) => {}
        }
    }

    /// A pod on a node changed: its labels or its requests may help others.
    fn placed_pod_changed(
        &mut self,
        id: Id<Pod>,
        old: &Pod,
        new: &Pod,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(node) = placed_on(new) else { return };
        let shape = self.shapes.of(new);
        let before = (!shape.is_of(old)).then(|| self.shapes.of(old));
        self.cache.pod_changed(id, node, new, shape.clone());
        if let Some(old) = before {
            let event = ClusterEvent::PodChanged { old: &old, new: &shape };
            self.wake(&event, None, view, fx);
        }
    }

    /// Nothing is kept for the pod any more; whether something was.
    fn promise_ends(&mut self, id: Id<Pod>) -> bool {
        self.cache.snapshot_mut().withdraw(id).is_some()
    }

    /// A pod without a node came or changed.
    fn pod_waits(&mut self, id: Id<Pod>, old: Option<&Pod>, pod: &Pod, fx: &Effects<Timer>) {
        if self.profile_of(&pod.spec).is_none() {
            return;
        }
        if pod.meta.is_terminating() || pod.status.phase.is_terminal() {
            self.queue.remove(id);
            self.promise_ends(id);
            return;
        }
        let in_hand = self.cycle.as_ref().is_some_and(|cycle| cycle.pod == id);
        if in_hand || self.binding.contains_key(&id) || self.cache.assumed(id).is_some() {
            return;
        }
        let gates = gates(&pod.spec);
        if !self.queue.has(id) {
            let reported = reported(pod);
            let priority = pod.spec.priority;
            if let Some(node) = pod.status.nominated {
                let shape = self.shapes.of(pod);
                self.cache.snapshot_mut().promise(id, &shape, node);
            }
            self.queue.add(id, priority, gates, fx.now(), fx.cause(), reported);
            return;
        }
        let Some(old) = old else { return };
        if Arc::ptr_eq(&old.spec, &pod.spec) {
            return;
        }
        if gates == Gates::Open {
            self.queue.ungate(id, fx.cause());
        }
        let plugins = self.queue.sleeper(id).unwrap_or_default();
        if own_change_helps(&old.spec, &pod.spec, plugins) {
            self.queue.wake_one(id, fx.now(), fx.cause());
        }
    }

    fn node_changed(
        &mut self,
        change: &Change<'_, Node>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(new) = change.new else {
            self.cache.remove_node(change.id);
            return;
        };
        self.cache.set_node(change.id, new);
        if (self.queue.has_sleepers(PluginSet::ALL) || self.cycle.is_some())
            && let Some(event) = NodeEvent::of(change.id, change.old, new)
        {
            self.wake(&ClusterEvent::Node(event), None, view, fx);
        }
    }

    /// Something happened that may make room: for pods of the pool, and for the one in hand if it
    /// finds none. `but` is not told.
    fn wake(
        &mut self,
        event: &ClusterEvent<'_>,
        but: Option<Id<Pod>>,
        view: &View<'_>,
        fx: &Effects<Timer>,
    ) {
        if let Some(cycle) = &mut self.cycle {
            cycle.hear(event, self.cache.snapshot());
        }
        if !self.queue.has_sleepers(event.concerns()) {
            return;
        }
        for preemptor in self.evictions.released(view) {
            self.queue.release(preemptor);
        }
        let (shapes, algorithms) = (&mut self.shapes, &self.algorithms);
        let snapshot = self.cache.snapshot();
        self.queue.wake(fx.now(), fx.cause(), |id, plugins| {
            if !event.concerns().meets(plugins) {
                return false;
            }
            let Some(pod) = view.get(id).filter(|_| Some(id) != but) else { return false };
            let named = |one: &&Algorithm| one.profile().name == pod.spec.scheduler_name;
            let Some(algorithm) = algorithms.iter().find(named) else { return false };
            let shape = shapes.of(pod);
            helps(event, Question { profile: algorithm.profile(), snapshot, pod: &shape }, plugins)
        });
    }

    /// After anything: the next cycle, if there is cause for one, and the timers of those who wait.
    fn go_on(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        if self.leading == Leading::No {
            return;
        }
        let cause = fx.cause();
        self.start_cycle(view, fx);
        fx.because(cause);
        if let Some(at) = self.queue.next_backoff()
            && self.backoff_armed.is_none_or(|armed| at < armed)
        {
            self.backoff_armed = Some(at);
            fx.arm_at(at, Timer::Backoff);
        }
        if let Some(at) = self.queue.next_pool_flush(self.phase)
            && self.pool_armed.is_none_or(|armed| at < armed)
        {
            self.pool_armed = Some(at);
            fx.arm_at(at, Timer::Pool);
        }
    }
}

/// The node on which a pod takes room: pods that ended take none.
fn placed_on(pod: &Pod) -> Option<Id<Node>> {
    pod.node.filter(|_| !pod.status.phase.is_terminal())
}

fn gates(spec: &PodSpec) -> Gates {
    if spec.scheduling_gates.is_empty() { Gates::Open } else { Gates::Closed }
}

/// Hash of the message a pod carries already, from this scheduler or one before it.
fn reported(pod: &Pod) -> u64 {
    match &pod.status.reason {
        Some(reason) if &*reason.reason == UNSCHEDULABLE => hash_text(&reason.message),
        _ => 0,
    }
}

/// Marks the tags of status patches, whose failure changes nothing here.
const STATUS_TAG: u64 = 1 << 63;

/// Marks the tags of what tells victims to go.
const EVICTION_TAG: u64 = 1 << 62;

fn queue(settings: &Settings) -> Queue {
    Queue::new(settings.backoff).under(settings.gates)
}

/// A binding's tag is its pod.
fn tag_of(pod: Id<Pod>) -> u64 {
    let RawId { slot, generation } = pod.into();
    u64::from(slot) << 32 | u64::from(generation)
}

fn pod_of(tag: u64) -> Id<Pod> {
    Id::from_parts((tag >> 32) as u32, tag as u32)
}
