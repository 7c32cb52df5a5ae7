//! A whole cluster: the only place that names every component.
//!
//! Owns the [`World`]: the store, every component instance with its place, the network, the machines,
//! and the one dispatch that takes an event to whom it concerns and carries out what they wish. It
//! refuses to know what any component decides, files, reports, and the wall clock.
//!
//! ```text
//! kernel --event--> dispatch --> component(event, view) --> effects
//!    ^                                                         |  facts -> digest, sink
//!    |                                                         |  timers -> kernel
//!    +---- replies, wake-ups <-- store <-- API server <--------+  requests -> rate limit, net
//! ```
//! A World is `Clone + Send`: plain columns, big ones shared and copied on write. A clone goes on
//! exactly as the original would.

mod boot;
pub mod census;
mod changes;
pub mod clients;
pub mod cloud;
mod convergence;
mod cores;
mod errands;
mod event;
mod evictions;
pub mod heartbeats;
pub mod invariants;
mod leaders;
mod ledger;
mod masters;
mod measured;
mod nodes;
mod observed;
mod outside;
mod paths;
pub mod plan;
mod pressure;
mod processes;
mod registration;
mod requests;
mod servers;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;
mod touched;
mod traffic;
mod usage;
mod watches;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::misc::Namespace;
use crate::api::node::{Node, Tristate};
use crate::api::pod::Pod;
use crate::base::arena::Arena;
use crate::base::id::Id;
use crate::control_plane::core_events::CoreEvents;
use crate::control_plane::{api_server, controllers, election, scheduler};
use crate::kernel::{Due, Engine, FactSink, Kernel, LoggedInput, NO_CAUSE, Outgoing};
use crate::luck::Luck;
use crate::messages::engine::EngineCall;
use crate::messages::{ClientId, Effects, Fact, Listening, Profile};
use crate::net::Net;
use crate::node::NodeIndex;
use crate::node::container_engine::EngineReport;
use crate::node::container_engine::simulated::EngineTimer;
use crate::node::kube_proxy::Proxies;
use crate::node::kubelet;
use crate::store::{Store, TableKind};
use crate::time::SimTime;
use crate::traffic::Traffic;

pub use boot::{Engines, Watching};
use census::Census;
use clients::Clients;
use errands::Errands;
pub use errands::Refusal;
pub use event::Event;
use evictions::Evictions;
use heartbeats::Renewals;
use leaders::{Leaders, Post};
use nodes::Nodes;
use observed::Observed;
use outside::Outside;
pub use outside::{EngineInput, EngineOrder};
use plan::{End, Plan};
use processes::{ManagerProcess, ProcessId, SchedulerProcess};
use requests::{Flight, Sink};
use servers::{ApiServer, Etcd};
use steps::Struck;
use timeline::Timeline;
pub use touched::Touched;
pub use usage::ContainerUsage;
use watches::Watches;

/// What recurs: kind and owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Duty {
    /// A node's kubelet renews its Lease.
    Lease(NodeIndex),
    /// A controller manager's look at all nodes.
    NodeMonitor(u8),
    /// A leader renews its Lease.
    Leader(Post),
    /// What a kubelet does again and again.
    Kubelet(kubelet::Timer),
    /// A controller manager's cluster autoscaler looks.
    Fleet(u8),
    /// A candidate looks, in one of its candidacies.
    Look(ProcessId, u8, election::Timer),
    /// A controller manager's look at the autoscaler in a slot.
    Autoscaler(u8, u32),
    /// Another timer of a controller manager that recurs, in one of its lives.
    Manager(u8, u8, controllers::Timer),
}

/// Settings of components that start anew with each life.
#[derive(Clone, Debug)]
struct Settings {
    scheduler: scheduler::Settings,
    controllers: controllers::Settings,
}

/// Buffers of effects, reused from event to event.
#[derive(Clone, Debug, Default)]
struct Buffers {
    server: Effects<()>,
    scheduler: Effects<scheduler::Timer>,
    manager: Effects<controllers::Timer>,
    election: Effects<election::Timer>,
    kubelet: Effects<kubelet::Timer>,
    engine: Effects<EngineTimer>,
    reports: Vec<EngineReport>,
    calls: VecDeque<(NodeIndex, u64, EngineCall)>,
}

impl Buffers {
    fn new(listening: Listening) -> Buffers {
        Buffers {
            scheduler: Effects::listening(listening),
            manager: Effects::listening(listening),
            election: Effects::listening(listening),
            kubelet: Effects::listening(listening),
            ..Buffers::default()
        }
    }
}

/// A cluster in virtual time.
#[derive(Clone, Debug)]
pub struct World {
    plan: Arc<Plan>,
    settings: Settings,
    luck: Luck,
    profile: Profile,
    kernel: Kernel<Event, Duty>,
    store: Store,
    shared: api_server::Shared,
    net: Net,
    clients: Clients,
    flights: Arena<Flight>,
    watches: Watches,
    servers: Vec<ApiServer>,
    etcd: Etcd,
    schedulers: Vec<SchedulerProcess>,
    managers: Vec<ManagerProcess>,
    nodes: Nodes,
    cloud: cloud::Cloud,
    /// How nodes come and go by themselves, if they do.
    fleet: Option<Arc<controllers::cluster_autoscaler::Setup>>,
    renewals: Renewals,
    leaders: Leaders,
    proxies: Proxies,
    user: ClientId,
    errands: Errands,
    evictions: Evictions,
    timeline: Timeline,
    /// Faults in force, by step.
    struck: BTreeMap<u32, Struck>,
    observed: Observed,
    buffers: Buffers,
    /// What components say of objects, if somebody listens.
    core_events: Option<Box<CoreEvents>>,
    /// Clients of Services, if any are planned.
    traffic: Option<Box<Traffic>>,
    /// Entries a turn of traffic's lane takes at most.
    turn_max: u32,
    /// What goes to engines outside, if that is where they are.
    outside: Option<Box<Outside>>,
}

const _: () = {
    const fn assert_clone_send<T: Clone + Send>() {}
    assert_clone_send::<World>();
};

impl World {
    /// The store, to be looked at.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Signs of life of nodes, which are no objects.
    pub fn renewals(&self) -> &Renewals {
        &self.renewals
    }

    /// How many pods are in which state, and what they ask of each node.
    pub fn census(&self) -> &Census {
        self.observed.census()
    }

    /// Kubernetes' own Events as they are now, if somebody listens.
    pub fn core_events(&mut self) -> Option<&CoreEvents> {
        let now = self.kernel.now();
        let events = self.core_events.as_deref_mut()?;
        events.settle(now);
        Some(events)
    }

    /// The plan it was built from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The run's identity up to now.
    pub fn digest(&self) -> u64 {
        self.kernel.digest()
    }

    /// Facts recorded so far.
    pub fn facts(&self) -> u64 {
        self.kernel.facts()
    }

    /// The recurring occurrence that pops next, and when: in an explicit run, the next of all.
    pub fn next_occurrence(&self) -> Option<(SimTime, Duty)> {
        self.kernel.recurring.peek()
    }

    /// Since when the cluster has been as desired; `None`: it is not.
    pub fn converged_since(&self) -> Option<SimTime> {
        self.observed.converged_since().filter(|_| self.errands.refused.is_empty())
    }

    /// Requests of the user that the API server refused.
    pub fn refused(&self) -> &[Refusal] {
        &self.errands.refused
    }

    /// When the run may end if nothing changes until then: convergence has held for so long, counted
    /// from the latest step, end of a fault and notice taken of either, or the plan's last instant.
    pub fn ends_at(&self) -> SimTime {
        let (hold, backstop) = match self.plan.end {
            End::At(at) => return at,
            End::Settled { hold, backstop } => (hold, backstop),
        };
        let is_quiet = self.is_asked() && self.timeline.is_over();
        let quiet = self.timeline.quiet_since().filter(|_| is_quiet);
        match (self.converged_since(), quiet) {
            (Some(since), Some(quiet)) => clients::after(since.max(quiet), hold).min(backstop),
            _ => backstop,
        }
    }

    /// Whole seconds of the run so far.
    fn kernel_seconds(&self) -> u64 {
        self.kernel.now().as_secs()
    }

    fn dispatch(&mut self, due: Due<Event, Duty>, sink: Sink<'_>) {
        let (cause, event) = match due {
            Due::Event { cause, event } => (cause, event),
            Due::Occurrence { key, k } => return self.occurrence(key, k, sink),
        };
        match event {
            Event::Depart(id) => self.depart(cause, id),
            Event::Commit(id) => self.commit(cause, id, sink),
            Event::Reply(id) => self.reply(cause, id, sink),
            Event::Wake(watch) => self.wake(cause, watch, sink),
            Event::Reconnect(watch) => self.reconnect(cause, watch),
            Event::News { pod, node, news } => self.news(cause, node, pod, news, sink),
            Event::Scheduler(at, life, timer) => self.scheduler_timer(at, life, cause, timer, sink),
            Event::Manager(at, life, timer) => self.manager_timer(at, life, cause, timer, sink),
            Event::Election(id, candidacy, timer) => {
                self.election_timer(id, candidacy, cause, timer, sink);
            }
            Event::Kubelet(timer) => self.kubelet_timer(cause, timer, sink),
            Event::Engine(timer) => self.engine_timer(cause, timer, sink),
            Event::Step(at) => self.step_due(cause, at, sink),
            Event::Errand => self.next_errand(sink),
            Event::Evict(tag) => self.ask_eviction(tag),
            Event::Heal(at) => self.heal(cause, at, sink),
            Event::Machine(number) => self.machine_due(cause, number),
            Event::Register(at, life) => self.register_again(cause, at, life, sink),
            Event::Serves(number, life) => self.serves(cause, number, life, sink),
            Event::Dials(number) => self.dials_etcd(cause, number, sink),
            Event::Synced(process, life) => self.synced(cause, process, life, sink),
        }
    }

    /// Takes note of every change just committed: convergence, kubelets, watches.
    fn observe(&mut self, cause: u64) {
        for table in self.store.take_written() {
            let Some(range) = self.observed.next(&mut self.store, table, cause) else { continue };
            self.observed.follow(&self.store, table, range.clone(), cause);
            if table == TableKind::Namespace {
                self.namespaces_gone(range.clone());
            }
            if table == TableKind::Pod {
                self.tell_kubelets(cause, range.clone());
            }
            self.tell_traffic(cause, table, range.clone());
            if table == TableKind::Node {
                self.denied(cause, range.clone());
            }
            self.store.settle(table, range);
            let (now, kernel) = (self.kernel.now(), &mut self.kernel);
            self.watches.committed(&self.store, table, now, &mut |due, watch| {
                kernel.schedule(due, cause, Event::Wake(watch));
            });
        }
        debug_assert!(self.observed.has_followed(&self.store), "a table was written unseen");
    }

    /// Namespaces were written: Events go with those that are gone.
    fn namespaces_gone(&mut self, range: std::ops::Range<u64>) {
        let Some(events) = &mut self.core_events else { return };
        for change in self.store.table::<Namespace>().changes(range) {
            if let (Some(old), None) = (change.old, change.new) {
                events.namespace_gone(&old.meta.name.to_string());
            }
        }
    }

    /// What was said while an event was handled.
    fn hear<T>(&mut self, fx: &mut Effects<T>) {
        if let Some(events) = &mut self.core_events {
            fx.drain_said().for_each(|(at, said)| events.hear(at, said));
        }
    }

    /// Nodes were written: kubelets hear of those that became unknown.
    fn denied(&mut self, cause: u64, range: std::ops::Range<u64>) {
        let is_unknown = |node: &Node| node.conditions.ready == Tristate::Unknown;
        let unknown: smallvec::SmallVec<[Id<Node>; 2]> = self
            .store
            .table::<Node>()
            .changes(range)
            .filter(|change| change.new.is_some_and(is_unknown))
            .filter(|change| !change.old.is_some_and(is_unknown))
            .map(|change| change.id)
            .collect();
        unknown.into_iter().for_each(|node| self.deny(cause, node));
    }

    /// Works out anew since when the cluster has been as desired.
    fn judge(&mut self) {
        self.notice();
        if !self.observed.take_doubt() {
            return;
        }
        let (store, nodes) = (&self.store, &self.nodes);
        let gone = |pod: Id<Pod>| {
            let node = store.get(pod).and_then(|pod| pod.node);
            node.is_some_and(|node| nodes.is_gone(node))
        };
        if !self.is_asked() || !self.observed.is_settled(gone) {
            return self.observed.unsettle();
        }
        let living = || {
            let alive = nodes.indexes().filter(|&at| !nodes.row(at).power.is_off());
            alive.map(|at| nodes.row(at).key)
        };
        let proxies = &self.proxies;
        let all_programmed = |change| proxies.all_programmed_at(living(), change);
        self.observed.settle(self.kernel.now(), all_programmed);
    }
}

impl Engine for World {
    type Fact = Fact;
    type Input = EngineInput;
    type Call = EngineOrder;

    fn now(&self) -> SimTime {
        self.kernel.now()
    }

    fn next_at(&self) -> Option<SimTime> {
        let lane = Some(self.lane_at()).filter(|&at| at != SimTime::MAX);
        match (self.kernel.next_at(), lane) {
            (Some(event), Some(lane)) => Some(event.min(lane)),
            (event, lane) => event.or(lane),
        }
    }

    fn events(&self) -> u64 {
        self.kernel.events()
    }

    fn work(&self) -> u64 {
        self.kernel.events() + self.lane_work()
    }

    fn step(
        &mut self,
        until: SimTime,
        sink: &mut dyn FactSink<Fact>,
        calls: &mut Vec<Outgoing<EngineOrder>>,
    ) {
        self.observed.begin_step();
        // At one instant events come before the lane.
        if self.kernel.next_at().is_none_or(|event| self.lane_at() < event) {
            return self.lane_turn(until, sink);
        }
        if let Some(due) = self.kernel.next() {
            self.dispatch(due, sink);
            self.judge();
            self.send_outside(calls);
        }
    }

    fn external(
        &mut self,
        logged: &LoggedInput<EngineInput>,
        sink: &mut dyn FactSink<Fact>,
        calls: &mut Vec<Outgoing<EngineOrder>>,
    ) {
        self.observed.begin_step();
        self.kernel.advance_to(logged.at);
        self.hear_outside(&logged.input, sink);
        self.judge();
        self.send_outside(calls);
    }

    fn advance_to(&mut self, at: SimTime) {
        self.kernel.advance_to(at);
    }
}

impl World {
    fn occurrence(&mut self, key: Duty, k: u64, sink: Sink<'_>) {
        match key {
            Duty::Lease(at) => self.renewals.renew(at, k),
            Duty::NodeMonitor(at) => self.node_pass(at, k, sink),
            Duty::Fleet(at) => self.scan(at, sink),
            Duty::Leader(post) => self.leaders.renew(post, k),
            Duty::Kubelet(timer) => self.kubelet_timer(NO_CAUSE, timer, sink),
            Duty::Look(id, candidacy, timer) => self.look(id, candidacy, timer, sink),
            Duty::Autoscaler(at, slot) => self.autoscale(at, (slot, k), sink),
            Duty::Manager(at, life, timer) => self.manager_timer(at, life, NO_CAUSE, timer, sink),
        }
    }
}
