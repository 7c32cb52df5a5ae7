//! Traffic in its surroundings: turns of its lane between events, and what the world tells it.

use super::World;
use super::nodes::{Nodes, Power};
use super::plan::Plan;
use super::requests::Sink;
use crate::api::name::{Name, Text};
use crate::api::node::{Node, Tristate, ZONE_LABEL};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::service::{Endpoint, EndpointSlice, SERVICE_LABEL, Service, ServiceSpec};
use crate::base::Id;
use crate::base::hash::avalanche;
use crate::compute::shares::Seat;
use crate::kernel::Order;
use crate::luck::{Draw, Luck, Ratio};
use crate::messages::Verb;
use crate::messages::app::{App, Serving};
use crate::net::{End, Net, Place, Verdict};
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::ProgramState;
use crate::node::kube_proxy::choose::TrafficPolicy;
use crate::node::kube_proxy::{Proxies, SliceChange};
use crate::store::{Store, TableKind};
use crate::time::{SimDuration, SimTime};
use crate::traffic::{
    Around, Balance, Change, Doors, Harmed, Load, News, PERIOD, Program, Quota, ServiceRules,
    Traffic, Version,
};

/// Nodes with this label get nothing from load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Entries a turn takes at most, so that interrupts and budgets are seen.
pub(super) const TURN_MAX: u32 = 32_768;
/// After which a lost packet is sent anew, doubling: Linux's TCP_RTO_MIN, and its tcp_retries2.
const RESEND: SimDuration = SimDuration::from_millis(200);
const RESEND_MAX: u64 = 15;
/// Entries of the lane that cost about as much as one event.
const ENTRIES_AN_EVENT: u64 = 32;

/// What the lane may ask, out of a World whose traffic is taken out.
struct Outside<'a> {
    store: &'a Store,
    plan: &'a Plan,
    nodes: &'a Nodes,
    net: &'a Net,
    proxies: Proxies,
    /// What every link takes, while all are alike.
    plain: Option<SimDuration>,
}

impl Around for Outside<'_> {
    #[inline]
    fn carry(&self, from: End, to: End, bits: impl FnOnce() -> u64) -> Option<SimDuration> {
        match self.plain {
            Some(_) if from.place == to.place => Some(SimDuration::ZERO),
            Some(takes) => Some(takes),
            None => self.send_anew(from, to, bits()),
        }
    }

    fn programmed_at(&self, node: NodeIndex, version: Version) -> SimTime {
        let Version { at, uid, nth } = version;
        self.proxies.programmed_at(self.nodes.row(node).key, SliceChange { at, uid, nth })
    }

    fn zone(&self, node: Id<Node>) -> Text {
        let zone = self.store.get(node).and_then(|it| it.meta.labels.get(ZONE_LABEL));
        zone.cloned().unwrap_or_default()
    }

    fn processors(&self, node: NodeIndex) -> Option<(u64, u64)> {
        let engines = &self.nodes.engines;
        engines.is_watched(node).then(|| engines.cpu_at_most(node))
    }

    fn seats(&self, node: NodeIndex, at: SimTime) -> Vec<Seat> {
        let residents = self.nodes.engines.residents(node, SimTime::MAX).into_iter();
        let over = SimDuration::from_secs(1);
        residents
            .map(|it| Seat { wants: it.program.cpu(at, at + over).as_nanos(), ..it.seat })
            .collect()
    }

    fn behind(&self, pod: Id<Pod>, container: u16) -> (String, u64) {
        let held = self.store.get(pod);
        let name = held.map(|it| format!("{}/{}", it.meta.namespace, it.meta.name));
        (name.unwrap_or_default(), self.nodes.engines.cause_of(pod, container))
    }

    fn program(&self, endpoint: &Endpoint, port: u16) -> Program {
        let (pod, node) = (self.store.get(endpoint.pod), self.nodes.of(endpoint.node));
        let (Some(pod), Some(node)) = (pod, node) else {
            let name = (Default::default(), Name::new(endpoint.ip.to_string()));
            let (node, doors) = (node.unwrap_or(NodeIndex(0)), Doors::Shut);
            let (pod, ip, began, hangs) = (endpoint.pod, endpoint.ip, SimTime::MAX, SimTime::MAX);
            let (serving, load) = (Serving::DEFAULT, Load::UNSAID);
            return Program {
                pod,
                container: 0,
                node,
                ip,
                name,
                doors,
                hangs,
                serving,
                began,
                load,
            };
        };
        let apps = self.plan.apps.of(&pod.spec, &pod.meta.labels);
        let serves = |at: usize| apps.get(at).is_some_and(|app| app.service.is_some());
        let container = serving_container(&pod.spec, port, serves);
        let app = apps.get(usize::from(container));
        let serving = app.and_then(|app| app.service).unwrap_or(Serving::DEFAULT);
        let state = self.nodes.engines.program_state(endpoint.pod, container);
        let (mut doors, began, hangs) = match state {
            ProgramState::Down => (Doors::Shut, SimTime::MAX, SimTime::MAX),
            ProgramState::Running { since, hangs } => (Doors::Open, since, hangs),
            ProgramState::Stopping | ProgramState::Resized => {
                (Doors::Leaving, SimTime::ZERO, SimTime::MAX)
            }
        };
        if self.nodes.row(node).power.is_off() {
            doors = Doors::Silent;
        }
        let name = (pod.meta.namespace.clone(), pod.meta.name.clone());
        let limits = container_at(pod.allocated_spec(), container).map(|one| &one.limits);
        let load = app.map(|app| load(app, limits)).unwrap_or(Load::UNSAID);
        let (pod, ip) = (endpoint.pod, endpoint.ip);
        Program { pod, container, node, ip, name, doors, hangs, serving, began, load }
    }
}

impl Outside<'_> {
    /// How long it takes with packets that are lost by luck sent anew; `None` where nothing passes.
    fn send_anew(&self, from: End, to: End, bits: u64) -> Option<SimDuration> {
        let (mut waited, mut again) = (SimDuration::ZERO, RESEND);
        for attempt in 0..RESEND_MAX {
            let draw = Draw::from_bits(avalanche(bits.wrapping_add(attempt)));
            match self.net.carry(from, to, draw) {
                Verdict::Deliver(takes) => return Some(waited + takes),
                Verdict::Drop if !self.net.reaches(from, to) => return None,
                Verdict::Drop => (waited, again) = (waited + again, again + again),
            }
        }
        None
    }
}

/// A container of a spec by its index, init containers first.
fn container_at(spec: &PodSpec, index: u16) -> Option<&Container> {
    spec.init_containers.iter().chain(&spec.containers).nth(index.into())
}

/// What requests take and do, as the app says it and the container's limits let it.
fn load(app: &App, limits: Option<&Resources>) -> Load {
    let usage = app.usage.clone();
    let positive = |amount: i64| u64::try_from(amount).ok().filter(|amount| *amount > 0);
    let cpu = limits.and_then(|limits| positive(limits.cpu_milli));
    let takes_cpu = usage.as_ref().is_some_and(|usage| usage.cpu.per_request > 0);
    let holds = usage.as_ref().is_some_and(|usage| usage.memory.per_request > 0);
    Load {
        quota: cpu
            .filter(|_| takes_cpu)
            .map(|milli| Quota { each_period: PERIOD.scaled(milli, 1000) }),
        memory: limits.and_then(|limits| positive(limits.memory)).filter(|_| holds),
        crash: app.crash.as_ref().map_or(Ratio::ZERO, |crash| crash.per_request),
        warm_up: app.warm_up,
        usage,
    }
}

/// The container that listens on a port: the one that declares it; else the first whose app says how it
/// serves; else the first that is no init container.
fn serving_container(spec: &PodSpec, port: u16, serves: impl Fn(usize) -> bool) -> u16 {
    let inits = spec.init_containers.len();
    let mut all = spec.init_containers.iter().chain(&spec.containers);
    let declares = all.position(|one| one.ports.iter().any(|it| it.port == port));
    let main = inits..inits + spec.containers.len();
    declares.or_else(|| main.clone().find(|&at| serves(at))).unwrap_or(inits) as u16
}

/// What a Service says of connections to it.
fn rules(spec: &ServiceSpec) -> ServiceRules {
    let written: serde_json::Value = serde_json::from_str(&spec.written).unwrap_or_default();
    let policy = |field: &str| match written[field].as_str() {
        Some("Local") => TrafficPolicy::Local,
        _ => TrafficPolicy::Cluster,
    };
    ServiceRules {
        exposure: spec.exposure,
        internal: policy("internalTrafficPolicy"),
        external: policy("externalTrafficPolicy"),
        ports: spec.ports.clone(),
    }
}

/// Traffic as a World holds it: nothing at all where no client is planned.
pub(super) fn of_plan(plan: &Plan, luck: Luck, order: Order) -> Option<Box<Traffic>> {
    (!plan.traffic.is_empty()).then(|| Box::new(Traffic::new(&plan.traffic, luck, order)))
}

impl World {
    /// When the lane is due; never, where there is no traffic.
    #[inline]
    pub(super) fn lane_at(&self) -> SimTime {
        self.traffic.as_ref().map_or(SimTime::MAX, |traffic| traffic.next_at())
    }

    /// What the lane did so far, in units of about an event.
    pub(super) fn lane_work(&self) -> u64 {
        self.traffic.as_ref().map_or(0, |traffic| traffic.handled() / ENTRIES_AN_EVENT)
    }

    /// Lets the lane run, up to the next event and not past `until`.
    pub(super) fn lane_turn(&mut self, until: SimTime, sink: Sink<'_>) {
        let before = self.kernel.next_at().unwrap_or(SimTime::MAX);
        let most = self.turn_max;
        self.with_traffic(|world, traffic| {
            if traffic.wants_entries() {
                traffic.set_entries(world.entries());
            }
            traffic.run(before, until, most, &world.outside());
        });
        let harmed = self.record_lane(sink);
        if self.traffic.as_mut().is_some_and(|traffic| traffic.take_crowded()) {
            self.measure_anew();
        }
        if !harmed.is_empty() {
            self.harm(harmed, sink);
        }
    }

    /// The clock follows the lane, and its facts are recorded; gives the programs that requests ended.
    fn record_lane(&mut self, sink: Sink<'_>) -> Vec<Harmed> {
        let World { traffic, kernel, .. } = self;
        let Some(traffic) = traffic else { return Vec::new() };
        kernel.advance_to(traffic.now());
        for (cause, fact) in traffic.take_facts() {
            let number = kernel.record(cause, &fact, sink);
            if fact.verb == Verb::Crowded {
                traffic.crowd_told(number);
            }
        }
        traffic.take_harmed()
    }

    /// The run has ended: what traffic counted since the last whole second is told.
    pub fn close(&mut self, sink: Sink<'_>) {
        let now = self.kernel.now();
        let World { traffic, kernel, .. } = self;
        let Some(traffic) = traffic else { return };
        traffic.close(now);
        for (cause, fact) in traffic.take_facts() {
            kernel.record(cause, &fact, sink);
        }
    }

    /// Entries a turn of the lane takes at most. What is left for the next turn changes nothing: for the
    /// test of that.
    pub fn set_turn_max(&mut self, entries: u32) {
        self.turn_max = entries.max(1);
    }

    /// Where each client stands, by name.
    pub fn balances(&self) -> impl Iterator<Item = (&Name, Balance)> {
        let now = self.kernel.now();
        self.traffic.iter().flat_map(move |traffic| traffic.balances(now))
    }

    /// The pods at the ends of clients' long-lived connections, each as often as it has one.
    pub fn connections(&self) -> impl Iterator<Item = &Name> {
        self.traffic.iter().flat_map(|traffic| traffic.connections())
    }

    /// Nanoseconds the workers of all programs that clients call have worked so far.
    pub fn busy_nanos(&self) -> u128 {
        self.traffic.as_ref().map_or(0, |traffic| traffic.busy_nanos(self.kernel.now()))
    }

    /// Whether what must hold of traffic does.
    ///
    /// # Errors
    /// What does not, in words.
    pub(super) fn check_traffic(&self) -> Result<(), String> {
        self.traffic.as_ref().map_or(Ok(()), |traffic| traffic.check(self.kernel.now()))
    }

    /// Worker nodes that live, are Ready and are reached from outside.
    fn entries(&self) -> Vec<NodeIndex> {
        let takes = |at: &NodeIndex| {
            let row = self.nodes.row(*at);
            let node = self.store.get(row.id);
            matches!(row.place, Place::Node(_))
                && !row.power.is_off()
                && self.net.reaches(Place::Outside, row.place)
                && node.is_some_and(|node| {
                    node.conditions.ready == Tristate::True
                        && !node.meta.labels.contains_key(EXCLUDED)
                })
        };
        self.nodes.indexes().filter(takes).collect()
    }

    /// Whether connections go by a slice: clients call a Service by the first of its families.
    fn is_called_by(&self, slice: &EndpointSlice) -> bool {
        let owner = slice.meta.owner.map(|owner| owner.at.typed::<Service>());
        let service = owner.and_then(|id| self.store.get(id));
        service.is_none_or(|service| service.families.primary() == slice.family)
    }

    fn outside(&self) -> Outside<'_> {
        Outside {
            store: &self.store,
            plan: &self.plan,
            nodes: &self.nodes,
            net: &self.net,
            proxies: self.proxies,
            plain: self.net.plain(),
        }
    }

    /// Lends traffic out, with the rest of the world to be looked at.
    fn with_traffic(&mut self, work: impl FnOnce(&World, &mut Traffic)) {
        if let Some(mut traffic) = self.traffic.take() {
            work(self, &mut traffic);
            self.traffic = Some(traffic);
        }
    }

    /// Tells traffic of changes just committed.
    pub(super) fn tell_traffic(
        &mut self,
        cause: u64,
        table: TableKind,
        range: std::ops::Range<u64>,
    ) {
        let now = self.kernel.now();
        self.with_traffic(|world, traffic| match table {
            TableKind::Service => {
                for change in world.store.table::<Service>().changes(range) {
                    let Some(of) = change.new.or(change.old) else { continue };
                    let rules = change.new.map(|service| rules(&service.spec));
                    let name = of.meta.name.to_string();
                    traffic.service(&of.meta.namespace, &name, rules.as_ref(), cause);
                }
            }
            TableKind::EndpointSlice => {
                for change in world.store.table::<EndpointSlice>().changes(range) {
                    let Some(of) = change.new.or(change.old) else { continue };
                    let Some(service) = of.meta.labels.get(SERVICE_LABEL) else { continue };
                    if !world.is_called_by(of) {
                        continue;
                    }
                    let service = (&*of.meta.namespace, &**service);
                    let version = Version { at: change.at, uid: of.meta.uid, nth: change.nth };
                    let outside = world.outside();
                    traffic.slice(now, service, (change.id, version), change.new, cause, &outside);
                }
            }
            TableKind::Pod => {
                for change in world.store.table::<Pod>().changes(range) {
                    if let Some(of) = change.new.or(change.old).filter(|_| traffic.has_callers()) {
                        traffic.caller(of, world.calls_from(change.new));
                    }
                    if change.new.is_none() {
                        traffic.pod_gone(change.id);
                    }
                }
            }
            TableKind::Node => {
                traffic.forget_entries();
                let mut changes = world.store.table::<Node>().changes(range);
                if changes
                    .any(|it| it.old.is_some() && it.old.map(Node::zone) != it.new.map(Node::zone))
                {
                    traffic.zone_changed();
                }
            }
            _ => {}
        });
    }

    /// The node of a pod that may call: a ready one.
    fn calls_from(&self, pod: Option<&Pod>) -> Option<NodeIndex> {
        let pod = pod.filter(|pod| pod.is_ready())?;
        self.nodes.of(pod.node?)
    }

    /// Tells traffic of programs that began, were told to stop, or ended.
    pub(super) fn tell_programs(&mut self) {
        if self.traffic.is_none() {
            return;
        }
        let now = self.kernel.now();
        let news = self.nodes.engines.take_news();
        self.with_traffic(|world, traffic| {
            for one in news {
                if one.state == ProgramState::Resized {
                    if let Some(load) = world.load_of(one.pod, one.index) {
                        traffic.reload(one.pod, one.index, &load);
                    }
                    continue;
                }
                let change = match one.state {
                    ProgramState::Down => Change::Ended,
                    ProgramState::Running { hangs, .. } => Change::Began(hangs),
                    ProgramState::Stopping | ProgramState::Resized => Change::Leaving,
                };
                let news = News { pod: one.pod, container: one.index, change, cause: one.cause };
                traffic.program(now, news, &world.outside());
            }
        });
    }

    /// What requests of a program take, as its engine limits it now.
    fn load_of(&self, pod: Id<Pod>, index: u16) -> Option<Load> {
        let held = self.store.get(pod)?;
        let apps = self.plan.apps.of(&held.spec, &held.meta.labels);
        let limits = self.nodes.engines.limits_of(pod, index);
        Some(load(apps.get(usize::from(index))?, limits))
    }

    /// Tells traffic that a machine died or runs again.
    pub(super) fn tell_power(&mut self, cause: u64, at: NodeIndex, power: Power) {
        let now = self.kernel.now();
        self.with_traffic(|world, traffic| {
            traffic.power(now, at, power != Power::Off, cause);
            traffic.forget_entries();
            if power != Power::Off && traffic.has_callers() {
                for &id in world.store.indexes().pods_on(world.nodes.row(at).id) {
                    if let Some(pod) = world.store.get(id) {
                        traffic.caller(pod, world.calls_from(Some(pod)));
                    }
                }
            }
        });
    }

    /// Tells traffic that links or the ways to API servers changed.
    pub(super) fn tell_links(&mut self, cause: u64) {
        let now = self.kernel.now();
        self.with_traffic(|world, traffic| {
            traffic.forget_entries();
            traffic.links(now, cause, |at| world.nodes.row(at).reached, &world.outside());
        });
    }
}
