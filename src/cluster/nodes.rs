//! The machines: each with a kubelet, an engine and processors, on or off, reached or not.
//!
//! Owns what a node is besides its object: power, whether its kubelet runs, its place in the network,
//! and the delivery of news of its pods. What a kubelet and an engine make of it is theirs.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::clients::after;
use super::event::{Event, News};
use super::outside::{EngineInput, EngineOrder};
use super::registration::REGISTER;
use super::requests::Sink;
use super::{Duty, World};
use crate::api::meta::{Labels, Uid};
use crate::api::node::Node;
use crate::api::pod::{Pod, PodSpec};
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::base::{Held, StableHasher};
use crate::compute::Machine;
use crate::control_plane::core_events::Speakers;
use crate::kernel::recurring::Rhythm;
use crate::kernel::{Fidelity, Outgoing};
use crate::luck::Label;
use crate::messages::app::Apps;
use crate::messages::engine::Probing;
use crate::messages::usage::CORE;
use crate::messages::{ClientId, Effect, Effects, Reply};
use crate::net::{Place, Weather};
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::{Bench, EngineTimer, SimulatedEngines};
use crate::node::container_engine::{ContainerEngine, EngineReport};
use crate::node::kubelet::posting::Posting;
use crate::node::kubelet::{self, GoingDown, Kubelets};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

const NEWS_LAG: Label = Label::new("kubelet-watch-lag");

/// Whether a machine and its kubelet run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Power {
    /// All of it runs.
    On,
    /// Its kubelet is stopped; containers run on.
    KubeletStopped,
    /// It has crashed.
    Off,
    /// It was given back and will not come again.
    Gone,
}

impl Power {
    /// Whether nothing runs.
    pub fn is_off(self) -> bool {
        matches!(self, Power::Off | Power::Gone)
    }
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its object; a node deleted from the API keeps its machine.
    pub id: Id<Node>,
    /// A stable hash of its name.
    pub key: u64,
    /// Where it is.
    pub place: Place,
    /// What runs.
    pub power: Power,
    /// Which life its kubelet is in.
    pub life: u32,
    /// Whether its kubelet reaches an API server.
    pub reached: bool,
    /// Its kubelet's client.
    pub client: ClientId,
    /// News come in order: none before this.
    news_floor: SimTime,
    /// What becomes of news on their way.
    pub news_weather: Weather,
    /// The kubelet is to say that its node is ready, which another has denied: because of this fact.
    pub denied: Option<u64>,
    /// It went down in order.
    pub is_down: bool,
}

/// A spec and, if they matter, labels, held so that their addresses stay theirs, and the apps they
/// lead to.
type KnownApps = (Arc<PodSpec>, Option<Arc<Labels>>, Apps);

/// All machines.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// Their kubelets.
    pub kubelets: Kubelets,
    /// Their engines.
    pub engines: SimulatedEngines,
    machines: Chunked<Machine>,
    rows: Chunked<Row>,
    by_slot: Chunked<Option<NodeIndex>>,
    apps: Held<(usize, usize), KnownApps>,
}

impl Nodes {
    /// No machines yet.
    pub fn new(kubelets: Kubelets, engines: SimulatedEngines) -> Nodes {
        Nodes {
            kubelets,
            engines,
            machines: Chunked::new(),
            rows: Chunked::new(),
            by_slot: Chunked::new(),
            apps: Held::default(),
        }
    }

    /// Adds the machine of a registered node.
    pub fn add(&mut self, id: Id<Node>, node: &Node, place: Place, client: ClientId) -> NodeIndex {
        let at = self.kubelets.add_node(id, node, client);
        let engine = self.engines.add_node(node.address, &node.images);
        self.engines.set_memory(engine, u64::try_from(node.capacity.memory).unwrap_or(0));
        let milli_cores = node.capacity.cpu_milli.clamp(1, i64::from(u32::MAX)) as u32;
        self.engines.set_cores(engine, u64::from(milli_cores) * (CORE / 1000));
        self.machines.push(Machine::new(milli_cores));
        self.rows.push(Row {
            id,
            key: node.meta.name.stable_hash(),
            place,
            power: Power::On,
            life: 0,
            reached: true,
            client,
            news_floor: SimTime::ZERO,
            news_weather: Weather::default(),
            denied: None,
            is_down: false,
        });
        while self.by_slot.len() <= id.slot() {
            self.by_slot.push(None);
        }
        self.by_slot[id.slot()] = Some(at);
        at
    }

    /// The machine of a node object.
    pub fn of(&self, id: Id<Node>) -> Option<NodeIndex> {
        (*self.by_slot.get(id.slot())?).filter(|at| self.rows[at.row()].id == id)
    }

    /// What is known of machine `at`.
    pub fn row(&self, at: NodeIndex) -> &Row {
        &self.rows[at.row()]
    }

    /// What is known of machine `at`, to be changed.
    pub fn row_mut(&mut self, at: NodeIndex) -> &mut Row {
        &mut self.rows[at.row()]
    }

    /// How many machines there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// All machines, in order.
    pub fn indexes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.rows.len() as u32).map(NodeIndex)
    }

    /// Whether the machine of a node object is gone or dead, so that nobody can end its pods.
    pub fn is_gone(&self, id: Id<Node>) -> bool {
        self.of(id).is_none_or(|at| self.rows[at.row()].power.is_off())
    }
}

impl World {
    /// Pods were written: tells the kubelets of their nodes what concerns them.
    pub(super) fn tell_kubelets(&mut self, cause: u64, range: Range<u64>) {
        let changes = self.store.table::<Pod>().changes(range);
        let news: SmallVec<[PodNews; 2]> =
            changes.filter_map(|change| PodNews::of(&change)).collect();
        news.iter().for_each(|change| self.tell_kubelet(cause, change));
    }

    fn tell_kubelet(&mut self, cause: u64, change: &PodNews) {
        let Some(at) = self.nodes.of(change.node) else { return };
        let now = self.kernel.now();
        let row = self.nodes.row_mut(at);
        let key = StableHasher::new().word(row.key).word(change.uid.0).finish();
        let draw = self.luck.draw(NEWS_LAG, key, u64::from(change.nth));
        let late = row.news_weather.stream(&draw);
        let lag = self.profile.watch_lag.sample(draw) + self.profile.link_floor() + late;
        let due = after(now, lag).max(row.news_floor);
        row.news_floor = after(due, SimDuration::from_nanos(1));
        let event = Event::News { pod: change.pod, node: at, news: change.news };
        self.kernel.schedule(due, cause, event);
    }

    /// News reach the kubelet of a node, unless nobody is there to hear them: then it learns them
    /// when it reconnects.
    pub(super) fn news(
        &mut self,
        cause: u64,
        at: NodeIndex,
        pod: Id<Pod>,
        news: News,
        sink: Sink<'_>,
    ) {
        let row = self.nodes.row(at);
        if row.power != Power::On || !row.reached {
            return;
        }
        match (news, self.store.get(pod)) {
            (News::Assigned, Some(_)) => self.assign(cause, at, pod, sink),
            (News::Deleting, Some(object)) => {
                let grace = object.meta.deletion.map_or(0, |deletion| deletion.grace_seconds);
                self.kubelet(at, cause, sink, |kubelets, fx| kubelets.pod_deleting(pod, grace, fx));
            }
            (News::Resized, Some(object)) => {
                let (spec, generation) = (object.spec.clone(), object.meta.generation);
                self.kubelet(at, cause, sink, |kubelets, fx| {
                    kubelets.pod_resized(pod, (&spec, generation), fx);
                });
            }
            (News::Conditions, Some(object)) => {
                let status = object.status.clone();
                self.kubelet(at, cause, sink, |kubelets, fx| {
                    kubelets.conditions_set(pod, &status, fx)
                });
            }
            (News::Unready, Some(object)) => {
                let status = object.status.clone();
                self.kubelet(at, cause, sink, |kubelets, fx| kubelets.reconcile(pod, &status, fx));
            }
            (News::Removed, _) | (_, None) => {
                self.kubelet(at, cause, sink, |kubelets, fx| kubelets.pod_removed(pod, fx));
            }
        }
    }

    fn assign(&mut self, cause: u64, at: NodeIndex, id: Id<Pod>, sink: Sink<'_>) {
        let Some(pod) = self.store.get(id).cloned() else { return };
        let apps = self.apps_of(&pod);
        if let Some(node) = self.store.get(self.nodes.row(at).id) {
            self.nodes.kubelets.see_node(at, node);
        }
        self.kubelet(at, cause, sink, |kubelets, fx| kubelets.pod_assigned(at, id, &pod, apps, fx));
    }

    pub(super) fn apps_of(&mut self, pod: &Pod) -> Apps {
        let rules = &self.plan.apps;
        let labels = rules.ask_for_labels().then(|| pod.meta.labels.clone());
        let key = (Arc::as_ptr(&pod.spec) as usize, labels.as_ref().map(Arc::as_ptr));
        let key = (key.0, key.1.map_or(0, |at| at as usize));
        if let Some((_, _, apps)) = self.nodes.apps.get(&key) {
            return apps.clone();
        }
        let apps = rules.of(&pod.spec, &pod.meta.labels);
        let value = (pod.spec.clone(), labels, apps.clone());
        self.nodes.apps.insert(key, value, |(spec, labels, _)| {
            Arc::strong_count(spec) > 1
                && labels.as_ref().is_none_or(|labels| Arc::strong_count(labels) > 1)
        });
        apps
    }

    /// Lets the kubelet of a machine do something, and carries out what it wishes.
    pub(super) fn kubelet(
        &mut self,
        at: NodeIndex,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut Kubelets, &mut Effects<kubelet::Timer>),
    ) {
        self.kubelet_once(at, cause, sink, work);
        self.settle_nodes(sink);
    }

    /// Lets the engine of a machine do something; what it reports reaches the kubelet at once.
    pub(super) fn engine(
        &mut self,
        at: NodeIndex,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut SimulatedEngines, Bench<'_>),
    ) {
        self.engine_once(at, cause, sink, work);
        self.settle_nodes(sink);
    }

    fn kubelet_once(
        &mut self,
        at: NodeIndex,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut Kubelets, &mut Effects<kubelet::Timer>),
    ) {
        let mut fx = std::mem::take(&mut self.buffers.kubelet);
        fx.begin(self.kernel.now(), cause, self.kernel.facts() + 1);
        work(&mut self.nodes.kubelets, &mut fx);
        self.hear(&mut fx);
        for (of, fact) in fx.drain_facts() {
            self.kernel.record(of, &fact, sink);
        }
        for (cause, effect) in fx.drain() {
            match effect {
                Effect::Send(request) => self.send(cause, request),
                Effect::Arm { at, timer } => {
                    self.arm_kubelet(at, cause, timer);
                }
                Effect::Engine(call) => self.buffers.calls.push_back((at, cause, call)),
                Effect::Cloud(_) => unreachable!("a kubelet asks for no machines"),
            }
        }
        self.buffers.kubelet = fx;
    }

    fn arm_kubelet(&mut self, at: SimTime, cause: u64, timer: kubelet::Timer) {
        let (now, kernel) = (self.kernel.now(), &mut self.kernel);
        match timer.rhythm() {
            Rhythm::Event => kernel.schedule(at, cause, Event::Kubelet(timer)),
            Rhythm::Once => kernel.recurring.once(now, Duty::Kubelet(timer), at),
            Rhythm::Cadence => {
                kernel.recurring.wake_next(now, Duty::Kubelet(timer));
            }
        }
    }

    fn engine_once(
        &mut self,
        at: NodeIndex,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut SimulatedEngines, Bench<'_>),
    ) {
        let mut fx = std::mem::take(&mut self.buffers.engine);
        fx.begin(self.kernel.now(), cause, self.kernel.facts() + 1);
        let machine = &mut self.nodes.machines[at.row()];
        let reports = &mut self.buffers.reports;
        work(&mut self.nodes.engines, Bench { machine, fx: &mut fx, reports });
        for (of, fact) in fx.drain_facts() {
            self.kernel.record(of, &fact, sink);
        }
        for (cause, effect) in fx.drain() {
            if let Effect::Arm { at, timer } = effect {
                self.kernel.schedule(at, cause, Event::Engine(timer));
            }
        }
        self.buffers.engine = fx;
        self.tell_programs();
        self.plan_pressures();
        if self.nodes.engines.take_short() {
            self.measure_anew();
        }
    }

    /// From now on the calls of kubelets go out of the World, and what comes of them comes in as external input.
    pub(super) fn take_engines_out(&mut self) {
        self.nodes.kubelets.probe_by(Probing::Asked);
        self.outside = Some(Box::default());
    }

    /// An engine outside tells something; it is heard now.
    pub(super) fn hear_outside(&mut self, input: &EngineInput, sink: Sink<'_>) {
        let EngineInput { node, event } = input.clone();
        let Some(outside) = self.outside.as_mut().filter(|_| node.row() < self.nodes.len()) else {
            return;
        };
        let cause = outside.cause_of(node, &event);
        self.buffers.reports.push(EngineReport { node, cause, event });
        self.settle_nodes(sink);
    }

    /// Hands out the calls that were made.
    pub(super) fn send_outside(&mut self, calls: &mut Vec<Outgoing<EngineOrder>>) {
        if let Some(outside) = &mut self.outside {
            calls.append(&mut outside.calls);
        }
    }

    /// Carries calls to engines and reports to kubelets until both are silent: what an engine
    /// reports comes before the next call.
    fn settle_nodes(&mut self, sink: Sink<'_>) {
        loop {
            if !self.buffers.reports.is_empty() {
                let reports = std::mem::take(&mut self.buffers.reports);
                for EngineReport { node, cause, event } in reports {
                    if self.nodes.row(node).power == Power::On {
                        self.kubelet_once(node, cause, sink, |kubelets, fx| {
                            kubelets.engine(node, event, fx);
                        });
                    }
                }
            } else if let Some((at, cause, call)) = self.buffers.calls.pop_front() {
                if let Some(outside) = &mut self.outside {
                    outside.call(at, cause, call);
                    continue;
                }
                self.engine_once(at, cause, sink, |engines, bench| engines.submit(at, call, bench));
            } else {
                return;
            }
        }
    }

    /// A kubelet's timer.
    pub(super) fn kubelet_timer(&mut self, cause: u64, timer: kubelet::Timer, sink: Sink<'_>) {
        let Some(at) = self.nodes.kubelets.node_of(timer) else { return };
        if self.nodes.row(at).power != Power::On {
            return;
        }
        if let kubelet::Timer::Status(at) = timer {
            self.post_denial(at);
            return self.post_status(cause, at, sink);
        }
        if let kubelet::Timer::Down(at) = timer {
            self.nodes.row_mut(at).is_down = true;
            self.set_wanted_power(cause, self.nodes.row(at).id, sink);
            return self.paths_changed(cause, sink);
        }
        if let kubelet::Timer::Images(at) = timer {
            return self.look_at_images(cause, at, sink);
        }
        if let kubelet::Timer::Pressure(at) = timer {
            return self.look_at_pressure(cause, at, sink);
        }
        self.kubelet(at, cause, sink, |kubelets, fx| kubelets.timer(timer, fx));
    }

    /// A machine is told to go down in order: its kubelet says that it is not ready, and ends its pods.
    pub(super) fn shut_down(&mut self, cause: u64, node: Id<Node>, sink: Sink<'_>) {
        let Some(at) = self.nodes.of(node).filter(|&at| self.nodes.row(at).power == Power::On)
        else {
            return;
        };
        let mut going = GoingDown::AtOnce;
        self.kubelet(at, cause, sink, |kubelets, fx| going = kubelets.shut_down(at, fx));
        match going {
            GoingDown::InOrder => self.post_status(cause, at, sink),
            GoingDown::AtOnce => {
                self.nodes.row_mut(at).is_down = true;
                self.set_wanted_power(cause, node, sink);
            }
        }
    }

    /// A machine is to be up again, or to stay so.
    pub(super) fn stay_up(&mut self, cause: u64, node: Id<Node>, sink: Sink<'_>) {
        let Some(at) = self.nodes.of(node) else { return };
        let was_down = std::mem::replace(&mut self.nodes.row_mut(at).is_down, false);
        if !was_down && self.nodes.row(at).power == Power::On {
            self.kubelet(at, cause, sink, |kubelets, fx| kubelets.stay_up(at, fx));
            self.post_status(cause, at, sink);
        }
        self.set_wanted_power(cause, node, sink);
    }

    fn post_status(&mut self, cause: u64, at: NodeIndex, sink: Sink<'_>) {
        let Some(node) = self.store.get(self.nodes.row(at).id).cloned() else { return };
        let images = self.nodes.engines.images(at);
        let mut posting = Posting::Nothing;
        self.kubelet(at, cause, sink, |kubelets, fx| {
            posting = kubelets.node_status(at, &node, images, fx);
        });
        if posting == Posting::Changed {
            self.renewals.status_changed(at, self.kernel.now());
        }
    }

    /// An engine's timer.
    pub(super) fn engine_timer(&mut self, cause: u64, timer: EngineTimer, sink: Sink<'_>) {
        let Some(at) = self.nodes.engines.node_of(timer) else { return };
        if self.nodes.row(at).power.is_off() {
            return;
        }
        self.engine(at, cause, sink, |engines, mut bench| engines.timer(timer, &mut bench));
    }

    /// A reply for a kubelet.
    pub(super) fn kubelet_reply(&mut self, at: u32, cause: u64, reply: &Reply, sink: Sink<'_>) {
        let at = NodeIndex(at);
        if self.nodes.row(at).power != Power::On {
            return;
        }
        if reply.tag == REGISTER {
            self.register_reply(cause, at, reply, sink);
        } else {
            self.kubelet(at, cause, sink, |kubelets, fx| kubelets.reply(reply, fx));
        }
    }

    /// The power of a machine changes.
    pub(super) fn set_power(&mut self, cause: u64, at: NodeIndex, power: Power, sink: Sink<'_>) {
        let before = self.nodes.row(at).power;
        if before == power || before == Power::Gone {
            return;
        }
        self.nodes.row_mut(at).power = power;
        let now = self.kernel.now();
        if power == Power::Off {
            let machine = &mut self.nodes.machines[at.row()];
            self.nodes.engines.crash(at, machine, now);
        }
        if (power == Power::Off) != (before == Power::Off) {
            self.tell_power(cause, at, power);
        }
        if power != Power::On && before == Power::On {
            self.nodes.kubelets.stop(at);
            let name = self.store.get(self.nodes.row(at).id).map(|node| &node.meta.name);
            if let (Some(events), Some(name)) = (&mut self.core_events, name) {
                events.ended(Speakers::Kubelet(name));
            }
            self.nodes.row_mut(at).life += 1;
        }
        if before == Power::Off {
            self.nodes.kubelets.rebooted(at);
        }
        if power == Power::On {
            let renewals = self.renewals.restart(at, now);
            if let (Fidelity::Explicit, Some(renewals)) = (self.plan.fidelity, renewals) {
                self.kernel.recurring.declare(now, Duty::Lease(at), renewals);
            }
            let found = self.nodes.engines.list(at);
            self.kubelet(at, cause, sink, |kubelets, fx| kubelets.start(at, found, fx));
            if self.nodes.row(at).reached {
                self.resync(cause, at, sink);
            }
            self.plan_pressure(at);
            self.await_registration(cause, at);
        }
    }

    /// A kubelet lists its pods anew: what it missed, it learns now.
    pub(super) fn resync(&mut self, cause: u64, at: NodeIndex, sink: Sink<'_>) {
        let bound: Vec<Id<Pod>> = self.store.indexes().pods_on(self.nodes.row(at).id).to_vec();
        for pod in self.nodes.kubelets.pods_of(at) {
            if self.store.get(pod).is_none() {
                self.news(cause, at, pod, News::Removed, sink);
            }
        }
        for pod in bound {
            self.news(cause, at, pod, News::Assigned, sink);
            if self.store.get(pod).is_some_and(|pod| pod.meta.is_terminating()) {
                self.news(cause, at, pod, News::Deleting, sink);
            }
        }
    }
}

/// What a kubelet is to be told of a pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodNews {
    pod: Id<Pod>,
    uid: Uid,
    nth: u32,
    node: Id<Node>,
    news: News,
}

impl PodNews {
    /// What a change of a pod means to a kubelet, if anything.
    fn of(change: &Change<'_, Pod>) -> Option<PodNews> {
        let (pod, nth) = (change.id, change.nth);
        let told = |of: &Pod, node, news| Some(PodNews { pod, uid: of.meta.uid, nth, node, news });
        match (change.old, change.new) {
            (old, Some(new)) => {
                let node = new.node?;
                if old.is_none_or(|old| old.node.is_none()) {
                    return told(new, node, News::Assigned);
                }
                let old = old?;
                if new.meta.deletion != old.meta.deletion {
                    return told(new, node, News::Deleting);
                }
                if new.spec.written != old.spec.written {
                    return told(new, node, News::Resized);
                }
                if new.status.others != old.status.others {
                    return told(new, node, News::Conditions);
                }
                let unready = old.is_ready() && !new.is_ready();
                unready.then(|| told(new, node, News::Unready)).flatten()
            }
            (Some(old), None) => told(old, old.node?, News::Removed),
            (None, None) => None,
        }
    }
}
