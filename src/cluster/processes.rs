//! The control plane's processes: instances of schedulers and controller managers, their watches,
//! their lives and deaths.
//!
//! ```text
//! down --start: caches fill--> syncing --list delivered--> running --kill--> down
//!    \--start of a manager--> standing by --leads: caches fill--^
//! ```
//! A scheduler fills its caches before it stands for election, a controller manager once it leads.
//! A killed process loses everything it knew; its timers and replies find another life and are
//! dropped.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

use super::clients::after;
use super::event::Event;
use super::heartbeats::Renewals;
use super::measured::Measured;
use super::requests::Sink;
use super::servers::ApiServer;
use super::watches::WatchState;
use super::{Duty, World};
use crate::base::hash::StableHasher;
use crate::control_plane::controllers::{self, ControllerManager};
use crate::control_plane::core_events::Speakers;
use crate::control_plane::election::Election;
use crate::control_plane::scheduler::telling::Telling;
use crate::control_plane::scheduler::{self, Leading, Scheduler};
use crate::kernel::recurring::Rhythm;
use crate::kernel::{Kernel, NO_CAUSE};
use crate::luck::Label;
use crate::messages::{ClientId, Effect, Effects, Reply};
use crate::net::Place;
use crate::store::{Cursors, Store, TableKind, View};
use crate::time::{SimDuration, SimTime};

const SYNC: Label = Label::new("informer-sync");

/// A process of the control plane that watches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProcessId {
    /// A scheduler instance.
    Scheduler(u8),
    /// A controller manager instance.
    Manager(u8),
}

impl ProcessId {
    /// A stable number for keyed draws.
    pub fn key(self) -> u64 {
        let (name, at) = match self {
            ProcessId::Scheduler(at) => ("kube-scheduler", at),
            ProcessId::Manager(at) => ("kube-controller-manager", at),
        };
        StableHasher::new().text(name).word(u64::from(at)).finish()
    }
}

/// Whether a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It does not.
    Down,
    /// It waits to lead before it does anything else.
    StandingBy,
    /// It fills its caches.
    Syncing,
    /// It works.
    Running,
}

/// What all processes have in common.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which one it is.
    pub id: ProcessId,
    /// Where it runs.
    pub place: Place,
    /// Whether it runs.
    pub state: State,
    /// Which life it is in: events of earlier ones are stale.
    pub life: u8,
    /// Its watches.
    pub cursors: Cursors,
    /// Its candidacy for leadership, from when it stands.
    pub election: Option<Election>,
    /// Which candidacy that is.
    pub candidacy: u8,
    /// The client it asks for its Lease with.
    pub candidate: ClientId,
    tables: &'static [TableKind],
}

impl Process {
    /// A process that is not started yet.
    pub fn new(id: ProcessId, place: Place, candidate: ClientId) -> Process {
        let tables: &[TableKind] = match id {
            ProcessId::Scheduler(_) => SCHEDULER_TABLES,
            ProcessId::Manager(_) => &controllers::WATCHED,
        };
        let cursors = Cursors::default();
        let (state, election) = (State::Down, None);
        Process { id, place, state, life: 0, cursors, election, candidacy: 0, candidate, tables }
    }
}

/// What a scheduler follows.
const SCHEDULER_TABLES: &[TableKind] = &[
    TableKind::Node,
    TableKind::Pod,
    TableKind::Namespace,
    TableKind::Service,
    TableKind::ReplicaSet,
    TableKind::StatefulSet,
    TableKind::PodDisruptionBudget,
    TableKind::PersistentVolume,
    TableKind::PersistentVolumeClaim,
    TableKind::StorageClass,
    TableKind::CsiNode,
];

/// A scheduler instance.
#[derive(Clone, Debug)]
pub struct SchedulerProcess {
    /// Its life.
    pub process: Process,
    /// Its client.
    pub client: ClientId,
    /// What it knows and does; made anew with each life.
    pub scheduler: Scheduler,
}

/// A controller manager instance.
#[derive(Clone, Debug)]
pub struct ManagerProcess {
    /// Its life.
    pub process: Process,
    /// The clients of its controllers.
    pub clients: controllers::Clients,
    /// What it knows and does; made anew with each life.
    pub manager: ControllerManager,
}

impl World {
    pub(super) fn process(&self, id: ProcessId) -> &Process {
        match id {
            ProcessId::Scheduler(at) => &self.schedulers[usize::from(at)].process,
            ProcessId::Manager(at) => &self.managers[usize::from(at)].process,
        }
    }

    pub(super) fn process_mut(&mut self, id: ProcessId) -> &mut Process {
        match id {
            ProcessId::Scheduler(at) => &mut self.schedulers[usize::from(at)].process,
            ProcessId::Manager(at) => &mut self.managers[usize::from(at)].process,
        }
    }

    /// All processes.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        let schedulers = self.schedulers.iter().map(|one| one.process.id);
        schedulers.chain(self.managers.iter().map(|one| one.process.id)).collect()
    }

    /// Lets a scheduler instance do something, and carries out what it wishes.
    pub(super) fn scheduler(
        &mut self,
        at: u8,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut Scheduler, &Store, &View<'_>, &mut Effects<scheduler::Timer>),
    ) {
        let now = self.kernel.now();
        let mut fx = std::mem::take(&mut self.buffers.scheduler);
        fx.begin(now, cause, self.kernel.facts() + 1);
        let row = &mut self.schedulers[usize::from(at)];
        let life = row.process.life;
        let view = View::new(now, &self.store, &row.process.cursors);
        work(&mut row.scheduler, &self.store, &view, &mut fx);
        fx.sign(at);
        self.carry_out(&mut fx, sink, |kernel, when, cause, timer| {
            kernel.schedule(when, cause, Event::Scheduler(at, life, timer));
        });
        self.buffers.scheduler = fx;
    }

    /// What schedulers remember of their decisions about the pod that is asked about; they forget it.
    pub fn take_tellings(&mut self) -> Vec<Telling> {
        self.schedulers.iter_mut().flat_map(|one| one.scheduler.take_tellings()).collect()
    }

    /// Lets a controller manager instance do something, and carries out what it wishes.
    fn manager(
        &mut self,
        at: u8,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut ControllerManager, &Known<'_>, &mut Effects<controllers::Timer>),
    ) {
        let now = self.kernel.now();
        let mut fx = std::mem::take(&mut self.buffers.manager);
        fx.begin(now, cause, self.kernel.facts() + 1);
        let row = &mut self.managers[usize::from(at)];
        let life = row.process.life;
        let view = View::new(now, &self.store, &row.process.cursors);
        let metrics = Measured {
            store: &self.store,
            nodes: &self.nodes,
            traffic: self.traffic.as_deref(),
            renewals: &self.renewals,
            plan: &self.plan.metrics,
            served: OnceCell::new(),
            sharing: RefCell::default(),
        };
        let (store, renewals, cloud) = (&self.store, &self.renewals, &self.cloud);
        let known = Known { store, view: &view, renewals, metrics, cloud };
        work(&mut row.manager, &known, &mut fx);
        self.carry_out(&mut fx, sink, |kernel, when, cause, timer| {
            let key = Duty::Manager(at, life, timer);
            match timer.rhythm() {
                Rhythm::Event => kernel.schedule(when, cause, Event::Manager(at, life, timer)),
                Rhythm::Once => kernel.recurring.once(now, key, when),
                Rhythm::Cadence => drop(kernel.recurring.wake_next(now, key)),
            }
        });
        self.buffers.manager = fx;
        self.await_node_pass(at);
        self.await_looks(at);
        self.await_scan(at);
    }

    pub(super) fn carry_out<T>(
        &mut self,
        fx: &mut Effects<T>,
        sink: Sink<'_>,
        arm: impl Fn(&mut Kernel<Event, Duty>, SimTime, u64, T),
    ) {
        self.hear(fx);
        if fx.has_facts() {
            for (of, fact) in fx.drain_facts() {
                self.kernel.record(of, &fact, sink);
            }
        }
        for (cause, effect) in fx.drain() {
            match effect {
                Effect::Send(request) => self.send(cause, request),
                Effect::Arm { at, timer } => arm(&mut self.kernel, at, cause, timer),
                Effect::Engine(_) => unreachable!("the control plane has no container engine"),
                Effect::Cloud(call) => self.cloud_call(cause, call, sink),
            }
        }
    }

    /// A scheduler's timer.
    pub(super) fn scheduler_timer(
        &mut self,
        at: u8,
        life: u8,
        cause: u64,
        timer: scheduler::Timer,
        sink: Sink<'_>,
    ) {
        if self.is_running(ProcessId::Scheduler(at), life) {
            self.scheduler(at, cause, sink, |it, _, view, fx| it.timer(timer, view, fx));
        }
    }

    /// A controller manager's timer.
    pub(super) fn manager_timer(
        &mut self,
        at: u8,
        life: u8,
        cause: u64,
        timer: controllers::Timer,
        sink: Sink<'_>,
    ) {
        if self.is_running(ProcessId::Manager(at), life) {
            self.manager(at, cause, sink, |it, known, fx| it.timer(timer, known.view, fx));
        }
    }

    fn is_running(&self, id: ProcessId, life: u8) -> bool {
        let process = self.process(id);
        process.state == State::Running && process.life == life
    }

    /// A reply for a scheduler.
    pub(super) fn scheduler_reply(&mut self, at: u8, cause: u64, reply: &Reply, sink: Sink<'_>) {
        if self.process(ProcessId::Scheduler(at)).state == State::Running {
            self.scheduler(at, cause, sink, |it, _, view, fx| it.reply(reply, view, fx));
        }
    }

    /// A reply for a controller manager.
    pub(super) fn manager_reply(&mut self, at: u8, cause: u64, reply: &Reply, sink: Sink<'_>) {
        if self.process(ProcessId::Manager(at)).state == State::Running {
            self.manager(at, cause, sink, |it, known, fx| it.reply(reply, known.view, fx));
        }
    }

    /// A watch is due: the changes that have reached it by now are delivered.
    pub(super) fn wake(&mut self, cause: u64, at: u32, sink: Sink<'_>) {
        let now = self.kernel.now();
        let watch = self.watches.get(at);
        if watch.state != WatchState::Waiting || watch.wake_at != now {
            return;
        }
        let end = self.watches.batch_end(&self.store, at, now);
        let (process, table, cursor) = {
            let watch = self.watches.get(at);
            (watch.process, watch.table, watch.cursor)
        };
        let changes = self.store.advance(table, cursor, end);
        self.deliver(process, table, changes.clone(), cause, sink);
        self.store.settle(table, changes);
        let kernel = &mut self.kernel;
        self.watches.await_next(&self.store, at, now, &mut |due, watch| {
            kernel.schedule(due, cause, Event::Wake(watch));
        });
    }

    fn deliver(
        &mut self,
        process: ProcessId,
        table: TableKind,
        changes: Range<u64>,
        cause: u64,
        sink: Sink<'_>,
    ) {
        if self.process(process).state != State::Running {
            return;
        }
        match process {
            ProcessId::Scheduler(at) => self.scheduler(at, cause, sink, |it, store, view, fx| {
                it.deliver(table, changes, store, view, fx);
            }),
            ProcessId::Manager(at) => self.manager(at, cause, sink, |it, known, fx| {
                it.deliver(table, changes, known.store, known.view, fx);
            }),
        }
    }

    /// A process is started: it stands for election and fills its caches, in the order of its kind.
    pub(super) fn start(&mut self, cause: u64, id: ProcessId, ready: Readiness, sink: Sink<'_>) {
        let process = self.process_mut(id);
        if process.state != State::Down {
            return;
        }
        if matches!(id, ProcessId::Manager(_)) && process.election.is_none() {
            process.state = State::StandingBy;
            self.stand_where_reached(cause, sink);
        } else {
            self.fill_caches(cause, id, ready);
        }
    }

    /// A process begins to fill its caches.
    pub(super) fn fill_caches(&mut self, cause: u64, id: ProcessId, ready: Readiness) {
        let now = self.kernel.now();
        let process = self.process_mut(id);
        process.state = State::Syncing;
        process.life = process.life.wrapping_add(1);
        let life = process.life;
        let wait = match ready {
            Readiness::AtOnce => SimDuration::ZERO,
            Readiness::AfterSync => {
                let draw = self.luck.draw(SYNC, id.key(), u64::from(life));
                self.profile.informer_sync.sample(draw)
            }
        };
        self.kernel.schedule(after(now, wait), cause, Event::Synced(id, life));
    }

    /// The caches of a process are to be filled: it lists and watches, and begins to work, or tries
    /// again while no API server answers.
    pub(super) fn synced(&mut self, cause: u64, id: ProcessId, life: u8, sink: Sink<'_>) {
        let process = self.process(id);
        if process.state != State::Syncing || process.life != life {
            return;
        }
        let Some(server) = self.server_for(process.place, id.key()) else {
            let again = after(self.kernel.now(), self.profile.request_timeout);
            self.kernel.schedule(again, cause, Event::Synced(id, life));
            return;
        };
        let (_, weather) = self.weather(process.place, Some(server));
        let mut cursors = Cursors::default();
        for &table in process.tables {
            let server = (server, weather.clone());
            cursors.set(table, Some(self.watches.open(&mut self.store, id, table, server)));
        }
        let process = self.process_mut(id);
        process.cursors = cursors;
        process.state = State::Running;
        match id {
            ProcessId::Scheduler(at) => {
                let election = &self.process(id).election;
                let (stands, leads) =
                    (election.is_some(), election.as_ref().is_some_and(Election::leads));
                self.scheduler(at, cause, sink, |it, _, view, fx| {
                    it.start(view, fx);
                    if leads {
                        it.lead(Leading::Yes, view, fx);
                    }
                });
                if !stands {
                    self.stand(id, cause, sink);
                }
            }
            ProcessId::Manager(at) => {
                let now = self.kernel.now();
                let row = &mut self.managers[usize::from(at)];
                row.manager = ControllerManager::new(row.clients, self.settings.controllers)
                    .growing(self.fleet.clone());
                row.manager.begin(now);
                let life = row.process.life;
                for (round, cadence) in row.manager.rounds() {
                    self.kernel.recurring.declare(now, Duty::Manager(at, life, round), cadence);
                }
                self.manager(at, cause, sink, |it, known, fx| it.start(known.view, fx));
                let passes = self.managers[usize::from(at)].manager.node_passes();
                self.kernel.recurring.declare(now, Duty::NodeMonitor(at), passes);
                self.await_node_pass(at);
                if let Some(fleet) = self.managers[usize::from(at)].manager.fleet() {
                    self.kernel.recurring.declare(now, Duty::Fleet(at), fleet.cadence());
                    self.await_scan(at);
                }
            }
        }
    }

    /// A process is killed: all it knew is lost, and what it held is left to others.
    pub(super) fn kill(&mut self, id: ProcessId) {
        self.forget(id);
        let process = self.process_mut(id);
        process.state = State::Down;
        process.election = None;
    }

    /// What a process knows and does is void; it goes on standing for election, or leading.
    fn forget(&mut self, id: ProcessId) {
        let process = self.process_mut(id);
        let last = process.life;
        process.life = last.wrapping_add(1);
        process.cursors = Cursors::default();
        self.watches.close(&mut self.store, id);
        if let Some(events) = &mut self.core_events {
            events.ended(match id {
                ProcessId::Scheduler(_) => Speakers::Scheduler,
                ProcessId::Manager(_) => Speakers::Controllers,
            });
        }
        match id {
            ProcessId::Scheduler(at) => {
                let client = self.schedulers[usize::from(at)].client;
                self.schedulers[usize::from(at)].scheduler =
                    Scheduler::new(self.settings.scheduler.clone(), client, self.luck);
            }
            ProcessId::Manager(at) => {
                self.kernel.recurring.retire(Duty::NodeMonitor(at));
                self.kernel.recurring.retire(Duty::Fleet(at));
                let row = &mut self.managers[usize::from(at)];
                for (round, _) in row.manager.rounds() {
                    self.kernel.recurring.retire(Duty::Manager(at, last, round));
                }
                row.manager.take_rhythms();
                for slot in row.manager.autoscaled() {
                    self.kernel.recurring.retire(Duty::Autoscaler(at, slot));
                }
            }
        }
    }

    /// Pass `k` of a manager's node controller.
    pub(super) fn node_pass(&mut self, at: u8, k: u64, sink: Sink<'_>) {
        self.renewals.settle(self.kernel.now());
        self.manager(at, NO_CAUSE, sink, |it, known, fx| {
            it.node_pass(k, known.renewals, known.view, fx);
        });
    }

    /// A look of a manager at one of its autoscalers.
    pub(super) fn autoscale(&mut self, at: u8, (slot, k): (u32, u64), sink: Sink<'_>) {
        self.manager(at, NO_CAUSE, sink, |it, known, fx| {
            it.autoscale((slot, k), &known.metrics, known.view, fx);
        });
    }

    /// A scan of a manager's cluster autoscaler.
    pub(super) fn scan(&mut self, at: u8, sink: Sink<'_>) {
        self.manager(at, NO_CAUSE, sink, |it, known, fx| it.scan(known.cloud, known.view, fx));
    }

    /// When the node controller of a manager must look next.
    pub(super) fn next_node_pass(&mut self, at: u8, now: SimTime) -> Option<u64> {
        let row = &mut self.managers[usize::from(at)];
        let view = View::new(now, &self.store, &row.process.cursors);
        row.manager.next_node_pass(now, &self.renewals, &view)
    }

    /// A watch whose server or link failed tries to connect again.
    pub(super) fn reconnect(&mut self, cause: u64, at: u32) {
        let watch = self.watches.get(at);
        if watch.state != WatchState::Cut {
            return;
        }
        let now = self.kernel.now();
        let (id, table, cursor) = (watch.process, watch.table, watch.cursor);
        let place = self.process(id).place;
        // Only a cut watch lies far enough behind to notice, so this is when it is worked out.
        self.store.compact(compacted_at(now));
        let Some(server) = self.server_for(place, id.key()) else {
            // A server that is about to answer has its port open (`SecureServingOptions` listens first).
            let near = self.servers.iter().filter(|server| self.net.reaches(place, server.place));
            let answered = near.filter_map(ApiServer::answers_at).filter(|it| *it > now).min();
            let again = answered.unwrap_or_else(|| self.watches.cut(at, now));
            self.kernel.schedule(again, cause, Event::Reconnect(at));
            return;
        };
        if self.watches.is_expired(at, self.servers[usize::from(server)].since) {
            let again = self.watches.cut(at, now);
            self.kernel.schedule(again, cause, Event::Reconnect(at));
            return;
        }
        let (_, weather) = self.weather(place, Some(server));
        self.watches.connect(at, (server, weather), now);
        if self.store.is_lost(table, cursor) {
            // 410: what it knew is void; it lists everything anew.
            self.forget(id);
            self.fill_caches(cause, id, Readiness::AtOnce);
            return;
        }
        let kernel = &mut self.kernel;
        self.watches.await_next(&self.store, at, now, &mut |due, watch| {
            kernel.schedule(due, cause, Event::Wake(watch));
        });
    }

    /// Cuts the watches that their server or their link no longer carries; changes go to the others
    /// as the faults in force have it. Where etcd is gone altogether an API server keeps its watchers and
    /// has nothing to tell them.
    pub(super) fn cut_watches(&mut self, cause: u64) {
        let now = self.kernel.now();
        let servers = 0..self.servers.len();
        let mut servers = servers.filter(|&at| self.servers[at].is_up());
        let stands_still = !servers.any(|at| self.reaches_etcd(at));
        let lost: Vec<u32> = self
            .watches
            .iter()
            .filter(|(_, watch)| matches!(watch.state, WatchState::Idle | WatchState::Waiting))
            .filter(|(_, watch)| {
                let (place, server) =
                    (self.process(watch.process).place, usize::from(watch.server));
                let at = &self.servers[server];
                let is_kept = at.is_up() && self.net.reaches(place, at.place);
                !(self.is_served(place, server) || (stands_still && is_kept))
            })
            .map(|(at, _)| at)
            .collect();
        for at in lost {
            let again = self.watches.cut(at, now);
            self.kernel.schedule(again, cause, Event::Reconnect(at));
        }
        let places: Vec<_> = self
            .watches
            .iter()
            .filter(|(_, watch)| matches!(watch.state, WatchState::Idle | WatchState::Waiting))
            .map(|(at, watch)| (at, self.process(watch.process).place, watch.server))
            .collect();
        for (at, place, server) in places {
            let (_, weather) = self.weather(place, Some(server));
            self.watches.travel(&self.store, at, weather);
        }
    }
}

/// What a controller manager may look at.
struct Known<'a> {
    store: &'a Store,
    view: &'a View<'a>,
    renewals: &'a Renewals,
    metrics: Measured<'a>,
    cloud: &'a super::cloud::Cloud,
}

/// How soon a started process works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// At once: a run begins with a cluster that is up.
    AtOnce,
    /// When its caches are filled.
    AfterSync,
}

/// How often an API server compacts etcd, and how far back: to the revision of the round before
/// (`DefaultCompactInterval`, 1.36).
const COMPACTION: u64 = 300;

/// Up to when the log is compacted at `now`: two whole rounds ago at most, one at least.
fn compacted_at(now: SimTime) -> SimTime {
    SimTime::from_secs((now.as_secs() / COMPACTION).saturating_sub(1) * COMPACTION)
}
