//! Kubelets: what each node makes of the pods bound to it.
//!
//! Owns pod workers: admission, the order of containers, probes, restarts, stopping, and the status that is
//! written of it all. Refuses to know the control plane: the world tells it which pods are its own, and it
//! answers with requests; and how containers come about: that is the engine's.
//!
//! ```text
//!            refused by admission ----------------------------------------------------------.
//! taken on --> Active --all through, deadline, deleted, object gone--> Stopping --> StoppingSandbox --> Ended
//!                |  ^                                                     (containers)    (sandbox)       |
//!   a sync:      v  |                                                              object gone --> forgotten
//!   Sandbox, then for each container due: Image -> Pull -> Create -> Start;  or Kill, then the same
//! ```
//! A sync looks at what is there, writes the status, then starts what is missing; the next one needs a look at the
//! engine that is younger, so it comes at the next relist at the earliest. Starts and ends of containers are seen
//! at relists (each second, phase by node), results of probes at once. Containers whose scenario says when they
//! start (`App.start`) are seen at once, so their Running is written that long after the pod was taken on.
//!
//! Departures from kubelet 1.36, all of them in time only: a sync takes no time of its own; a container whose
//! back-off is over is started in that instant, not up to 1.5 times later; no resync each 60 to 90 s; a readiness
//! probe first runs in the instant in which its container is first reported to run.
mod admission;
mod asked;
pub mod backoff;
pub mod converted;
pub mod duties;
mod ending;
pub mod eviction;
mod failing;
mod hooks;
pub mod image_gc;
pub mod merging;
pub mod phase;
pub mod posting;
pub mod preemption;
pub mod pressure;
pub mod probes;
mod pulling;
mod rebuild;
mod resize_words;
mod resizing;
mod room;
mod settings;
mod shutdown;
mod static_pods;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod told;
mod worker;

use std::sync::Arc;

pub use ending::effective_grace;
pub use settings::{Found, KubeletSettings};
pub use shutdown::{GoingDown, ShutdownGroup, shutdown_groups};
pub use static_pods::{Manifest, Standing, Starts};
pub use worker::Worker;

use self::admission::{Held, Seen, going_down};
use self::duties::{Duty, next_after};
use self::room::Waiting;
use self::shutdown::Shutdown;
use self::worker::{Ending, Stage};
use super::NodeIndex;
use crate::api::meta::Meta;
use crate::api::name::Name;
use crate::api::node::Node;
use crate::api::pod::{Pod, StatusReason};
use crate::api::resources::Resources;
use crate::api::rules::taints::Taint;
use crate::base::{Arena, BySlot, Chunked, Id};
use crate::kernel::recurring::Rhythm;
use crate::kernel::recurring::{Cadence, Fidelity};
use crate::luck::Luck;
use crate::messages::app::Apps;
use crate::messages::engine::ListedPod;
use crate::messages::engine::{EngineAsk, EngineCall, EngineEvent, OpId, Probing};
use crate::messages::{Call, ClientId, Component, Effects, Fact, Reply, Verb};
use crate::time::SimTime;

/// What wakes a kubelet. All but [`Timer::Pod`] and [`Timer::Orphans`] are occurrences of duties: they come after the
/// ordinary events of their instant, in this order, by node or worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The node's status is due. The world answers with [`Kubelets::node_status`].
    Status(NodeIndex),
    /// The node's containers are listed.
    Relist(NodeIndex),
    /// A probe of a pod is due, or the time of one that hangs is over.
    Probe(Id<Worker>),
    /// Statuses that could not be sent are sent again.
    Resend(NodeIndex),
    /// What the node is short of is looked at. The world answers with [`Kubelets::look_at_pressure`].
    Pressure(NodeIndex),
    /// Images that nobody uses may have to go. The world answers with [`Kubelets::images_collected`].
    Images(NodeIndex),
    /// Something else of a pod may be due.
    Pod(Id<Worker>),
    /// Containers a restarted kubelet found and nobody claimed are due to be removed.
    Orphans(NodeIndex),
    /// The time of pods that end with their node may be over, or all of them have ended.
    Shutdown(NodeIndex),
    /// All pods of a node that goes down have had their time. The world switches it off.
    Down(NodeIndex),
}

impl Timer {
    /// How it comes about.
    pub const fn rhythm(self) -> Rhythm {
        match self {
            Timer::Status(_)
            | Timer::Relist(_)
            | Timer::Resend(_)
            | Timer::Pressure(_)
            | Timer::Images(_) => Rhythm::Cadence,
            Timer::Probe(_) => Rhythm::Once,
            Timer::Pod(_) | Timer::Orphans(_) | Timer::Shutdown(_) | Timer::Down(_) => {
                Rhythm::Event
            }
        }
    }
}

/// What a kubelet keeps of its node.
#[derive(Clone, Debug)]
struct KubeletNode {
    id: Id<Node>,
    meta: Meta,
    taints: Arc<[Taint]>,
    client: ClientId,
    allocatable: Arc<Resources>,
    held: Held,
    /// In no order that means anything.
    workers: Vec<Id<Worker>>,
    /// Of them, those that wait for room, and those that wait to be resized: some may wait no more.
    waiting: Waiting,
    relist: Cadence,
    /// Pods the next relist has news of.
    news: Vec<Id<Worker>>,
    /// Pods whose status could not be sent.
    unsent: Vec<Id<Worker>>,
    /// The next status tells of other images, because of this fact.
    images_changed: Option<u64>,
    /// What the node is short of.
    pressure: eviction::manager::Manager,
    /// The next status tells of other pressure, because of this fact.
    pressure_changed: Option<u64>,
    /// When it started, if that is not long ago, and how often it did.
    started: (Option<SimTime>, u32),
    /// What a kubelet that started anew found on its engine, until pods claim it.
    found: Vec<ListedPod>,
    /// How far it is with going down, if it is to.
    shutdown: Option<Shutdown>,
    /// Pods it runs from files of its own.
    manifests: Vec<Manifest>,
    /// The latest time images could not make enough room.
    images_failed: bool,
    /// How often its machine was switched on again.
    reboots: u64,
    /// The kubelet at work is the first since the latest of these.
    has_rebooted: bool,
}

/// The kubelets of all nodes.
#[derive(Clone, Debug)]
pub struct Kubelets {
    settings: KubeletSettings,
    fidelity: Fidelity,
    probing: Probing,
    luck: Luck,
    nodes: Chunked<KubeletNode>,
    workers: Arena<Worker>,
    thresholds: Arc<[eviction::thresholds::Threshold]>,
    /// The worker of a pod, by the pod's slot.
    by_pod: BySlot<Pod, Id<Worker>>,
}

/// What a worker works with while it handles one event.
struct Desk<'a> {
    id: Id<Worker>,
    settings: &'a KubeletSettings,
    fidelity: Fidelity,
    probing: Probing,
    luck: Luck,
    at: NodeIndex,
    node: &'a mut KubeletNode,
    fx: &'a mut Effects<Timer>,
}

/// What a request was for, in its tag.
const TAG_STATUS: u64 = 0;
const TAG_DELETE: u64 = 1;
const TAG_MIRROR: u64 = 2;
/// Bits of a tag below the generation.
const TAG_BITS: u32 = 2;

impl Kubelets {
    /// Kubelets of no node yet.
    pub fn new(settings: KubeletSettings, fidelity: Fidelity, luck: Luck) -> Kubelets {
        let thresholds = settings.eviction.thresholds.clone();
        Kubelets {
            settings,
            fidelity,
            probing: Probing::default(),
            luck,
            nodes: Chunked::new(),
            workers: Arena::new(),
            thresholds,
            by_pod: BySlot::default(),
        }
    }

    /// From now on containers that start are probed so.
    pub fn probe_by(&mut self, probing: Probing) {
        self.probing = probing;
    }

    /// Adds the next node: its object as registered, and the client its kubelet asks the API server by.
    pub fn add_node(&mut self, id: Id<Node>, node: &Node, client: ClientId) -> NodeIndex {
        let at = NodeIndex(self.nodes.len() as u32);
        self.nodes.push(KubeletNode {
            id,
            meta: node.meta.clone(),
            taints: node.taints.clone(),
            client,
            allocatable: node.allocatable.clone(),
            held: Held::default(),
            workers: Vec::new(),
            waiting: Waiting::default(),
            relist: Duty::Relist.cadence(self.luck, &node.meta.name),
            news: Vec::new(),
            unsent: Vec::new(),
            images_changed: None,
            pressure: Default::default(),
            pressure_changed: None,
            started: (None, 0),
            found: Vec::new(),
            shutdown: None,
            manifests: Vec::new(),
            images_failed: false,
            reboots: 0,
            has_rebooted: false,
        });
        at
    }

    /// The kubelet of a node started just now.
    pub fn has_started(&mut self, at: NodeIndex, now: SimTime) {
        let (since, starts) = &mut self.nodes[at.row()].started;
        (*since, *starts) = (Some(now), *starts + 1);
    }

    /// The node as its kubelet sees it now: what admission goes by.
    pub fn see_node(&mut self, at: NodeIndex, node: &Node) {
        let kept = &mut self.nodes[at.row()];
        kept.meta.labels.clone_from(&node.meta.labels);
        kept.taints.clone_from(&node.taints);
    }

    /// The node's name.
    pub fn name(&self, at: NodeIndex) -> &Name {
        &self.nodes[at.row()].meta.name
    }

    /// The node was registered anew: it is another one.
    pub fn has_registered(&mut self, at: NodeIndex, node: &Node) {
        self.nodes[at.row()].meta.uid = node.meta.uid;
        self.see_node(at, node);
    }

    /// What a node's kubelet does again and again, and when.
    pub fn duties(&self, at: NodeIndex) -> [(Timer, Cadence); 5] {
        let node = &self.nodes[at.row()];
        let cadence = |duty: Duty| duty.cadence(self.luck, &node.meta.name);
        [
            (Timer::Status(at), cadence(Duty::Status)),
            (Timer::Relist(at), node.relist),
            (Timer::Resend(at), cadence(Duty::Resend)),
            (Timer::Pressure(at), cadence(Duty::Pressure)),
            (Timer::Images(at), cadence(Duty::Images)),
        ]
    }

    /// The pods a node's kubelet works on, in the order of its workers.
    pub fn pods_of(&self, at: NodeIndex) -> Vec<Id<Pod>> {
        let mut of_node = self.nodes[at.row()].workers.clone();
        of_node.sort_unstable();
        of_node.iter().map(|&id| self.workers[id].pod).collect()
    }

    fn worker_of(&self, pod: Id<Pod>) -> Option<Id<Worker>> {
        self.by_pod.get(pod)
    }

    /// Loses sight of the worker of a pod, which goes on: to see whether that is noticed.
    #[cfg(test)]
    pub fn lose(&mut self, pod: Id<Pod>) {
        self.by_pod.remove(pod);
    }

    /// Lets one worker do something, and forgets it if that was its last.
    fn with(
        &mut self,
        id: Id<Worker>,
        fx: &mut Effects<Timer>,
        work: impl FnOnce(&mut Worker, &mut Desk<'_>),
    ) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        let (settings, fidelity, probing) = (&self.settings, self.fidelity, self.probing);
        let (luck, at) = (self.luck, worker.node);
        let node = &mut self.nodes[at.row()];
        let mut desk = Desk { id, settings, fidelity, probing, luck, at, node, fx };
        let was = worker.stage;
        work(worker, &mut desk);
        worker.advance(&mut desk);
        if worker.stage == Stage::Ended && was != Stage::Ended && desk.node.shutdown.is_some() {
            desk.fx.arm_at(desk.fx.now(), Timer::Shutdown(at));
        }
        let has_gone = worker.stage == Stage::Ended && was != Stage::Ended;
        if worker.stage == Stage::Ended && worker.ending == Ending::Removed {
            let (pod, place) = (worker.pod, worker.place as usize);
            self.workers.remove(id);
            self.by_pod.remove(pod);
            let of_node = &mut self.nodes[at.row()].workers;
            of_node.swap_remove(place);
            if let Some(&moved) = of_node.get(place) {
                self.workers[moved].place = place as u32;
            }
        }
        if has_gone {
            self.room_is_made(at, id, fx);
            self.retry_resizes(at, fx);
        }
    }

    /// A pod was bound to this node, or is found bound to it when its kubelet starts.
    pub fn pod_assigned(
        &mut self,
        at: NodeIndex,
        id: Id<Pod>,
        pod: &Pod,
        apps: Apps,
        fx: &mut Effects<Timer>,
    ) {
        if self.worker_of(id).is_some() {
            return self.seen_again(id, pod, fx);
        }
        self.take_on(at, rebuild::new_worker(at, id, pod, apps, fx), pod, fx);
    }

    fn take_on(&mut self, at: NodeIndex, worker: Worker, pod: &Pod, fx: &mut Effects<Timer>) {
        let mut worker = worker;
        worker.awaits = self.make_room(at, &worker, fx);
        worker.place = self.nodes[at.row()].workers.len() as u32;
        let (id, waits, is_resized) =
            (worker.pod, !worker.awaits.is_empty(), worker.resize.is_some());
        let worker = self.workers.insert(worker);
        self.by_pod.set(id, worker);
        let node = &mut self.nodes[at.row()];
        node.workers.push(worker);
        node.waiting.room.extend(waits.then_some(worker));
        node.waiting.resize.extend(is_resized.then_some(worker));
        self.with(worker, fx, |worker, desk| worker.take_on(pod, desk));
        if pod.status.resize.is_some() {
            // Once all that were there before have their place again.
            fx.arm_at(fx.now(), Timer::Pod(worker));
        }
    }

    /// A pod of a kubelet is being deleted: within so many seconds.
    pub fn pod_deleting(&mut self, id: Id<Pod>, grace_seconds: u32, fx: &mut Effects<Timer>) {
        let Some(worker) = self.worker_of(id) else { return };
        self.with(worker, fx, |worker, desk| {
            if worker.is_static() {
                return worker.delete_mirror(desk);
            }
            let grace = effective_grace(worker.spec.grace_seconds, Some(grace_seconds), None);
            worker.end(Ending::Deleted, grace, desk);
        });
    }

    /// A pod's object is gone: what is left of it on the node is stopped, and nothing is written of it.
    pub fn pod_removed(&mut self, id: Id<Pod>, fx: &mut Effects<Timer>) {
        let Some(worker) = self.worker_of(id) else { return };
        self.with(worker, fx, |worker, desk| {
            if worker.is_static() {
                return worker.mirror_gone(desk);
            }
            let grace = effective_grace(worker.spec.grace_seconds, None, None);
            worker.end(Ending::Removed, grace, desk);
        });
    }

    /// The engine of a node tells something.
    pub fn engine(&mut self, at: NodeIndex, event: EngineEvent, fx: &mut Effects<Timer>) {
        match event {
            EngineEvent::Exited(container, exit) => {
                let Some(worker) = self.worker_of(container.pod) else { return };
                self.with(worker, fx, |worker, desk| {
                    worker.container_exited(container, exit, desk)
                });
            }
            EngineEvent::Probed(container, kind, good) => {
                let Some(worker) = self.worker_of(container.pod) else { return };
                fx.because(self.workers[worker].cause);
                self.with(worker, fx, |worker, desk| worker.probed(container, kind, good, desk));
            }
            EngineEvent::Done(OpId(op), result) => {
                let Some((id, worker)) = self.workers.at_slot((op >> 32) as usize) else { return };
                let number = op as u32;
                if worker.node != at || number >> OP_BITS != id.generation() & OP_GENERATIONS {
                    return;
                }
                let changes_images = matches!(worker.step, worker::Step::Pull(_));
                self.with(id, fx, |worker, desk| {
                    let awaited =
                        worker.step != worker::Step::Idle && worker.step != worker::Step::Kill;
                    if awaited && number == worker.step_op {
                        worker.step_done(result, desk);
                    } else {
                        worker.stop_done(number, desk);
                    }
                    if changes_images {
                        desk.images_changed();
                    }
                });
            }
        }
    }

    /// Something armed has come; [`Timer::Status`] is answered by [`Kubelets::node_status`] instead.
    pub fn timer(&mut self, timer: Timer, fx: &mut Effects<Timer>) {
        match timer {
            Timer::Pod(id) => {
                let Some(worker) = self.workers.get_mut(id) else { return };
                if worker.armed == fx.now() {
                    worker.armed = SimTime::MAX;
                }
                let (at, is_resized) = (worker.node, worker.resize.is_some());
                fx.because(worker.cause);
                self.with(id, fx, |_, _| {});
                if is_resized {
                    self.retry_resizes(at, fx);
                }
            }
            Timer::Probe(id) => {
                let Some(worker) = self.workers.get_mut(id) else { return };
                if worker.probing == fx.now() {
                    worker.probing = SimTime::MAX;
                }
                fx.because(worker.cause);
                self.with(id, fx, |_, _| {});
            }
            Timer::Relist(at) => {
                for id in std::mem::take(&mut self.nodes[at.row()].news) {
                    let Some(worker) = self.workers.get(id) else { continue };
                    fx.because(worker.cause);
                    self.with(id, fx, Worker::relisted);
                }
            }
            Timer::Resend(at) => {
                for id in std::mem::take(&mut self.nodes[at.row()].unsent) {
                    let Some(worker) = self.workers.get(id) else { continue };
                    fx.because(worker.cause);
                    self.with(id, fx, Worker::resend);
                }
            }
            Timer::Orphans(at) => self.remove_orphans(at, fx),
            Timer::Shutdown(at) => self.go_down(at, fx),
            Timer::Status(_) | Timer::Pressure(_) | Timer::Images(_) | Timer::Down(_) => {}
        }
    }

    /// Which node a timer is for; `None` if it is stale.
    pub fn node_of(&self, timer: Timer) -> Option<NodeIndex> {
        match timer {
            Timer::Pod(id) | Timer::Probe(id) => self.workers.get(id).map(|worker| worker.node),
            Timer::Status(at)
            | Timer::Relist(at)
            | Timer::Resend(at)
            | Timer::Pressure(at)
            | Timer::Images(at)
            | Timer::Orphans(at)
            | Timer::Shutdown(at)
            | Timer::Down(at) => Some(at),
        }
    }

    /// The API server answered: writes that did not reach it are tried again.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Err(status) = &reply.result else { return };
        let Some((id, _)) = self.workers.at_slot((reply.tag >> 32) as usize) else { return };
        let generation = id.generation() & (u32::MAX >> TAG_BITS);
        if reply.tag == u64::MAX || (reply.tag as u32) >> TAG_BITS != generation {
            return;
        }
        if reply.tag & ((1 << TAG_BITS) - 1) == TAG_MIRROR {
            return self.with(id, fx, Worker::mirror_refused);
        }
        if !status.is_transient() {
            return;
        }
        self.resend(id, fx);
    }

    /// The kubelet of a node is gone, with all it remembers; its containers go on unless the engine
    /// lost them too.
    pub fn stop(&mut self, at: NodeIndex) {
        self.keep_logs(at);
        for id in std::mem::take(&mut self.nodes[at.row()].workers) {
            if let Some(worker) = self.workers.remove(id) {
                self.by_pod.remove(worker.pod);
            }
        }
        let node = &mut self.nodes[at.row()];
        node.held = Held::default();
        node.waiting = Waiting::default();
        node.news.clear();
        node.unsent.clear();
        node.found.clear();
        (node.images_changed, node.shutdown, node.has_rebooted) = (None, None, false);
        // What it said of pressure, the next one takes back or says anew.
        let has_said = !node.pressure.pressures().is_empty() || node.pressure_changed.is_some();
        (node.pressure, node.pressure_changed) = (Default::default(), has_said.then_some(0));
    }

    /// The kubelet of a node starts anew, and finds this on its engine; the world then tells it of
    /// each pod bound to the node by [`Kubelets::pod_assigned`].
    pub fn start(&mut self, at: NodeIndex, found: Vec<ListedPod>, fx: &mut Effects<Timer>) {
        self.has_started(at, fx.now());
        let node = &mut self.nodes[at.row()];
        node.say_started(self.luck, fx);
        if node.pressure_changed.is_some() {
            node.pressure_changed = Some(fx.cause());
            let cadence = Duty::Status.cadence(self.luck, &node.meta.name);
            fx.arm_at(next_after(cadence, fx.now()), Timer::Status(at));
        }
        if !found.is_empty() {
            fx.arm(self.settings.housekeeping, Timer::Orphans(at));
        }
        node.found = found;
        self.read_manifests(at, fx);
    }

    fn remove_orphans(&mut self, at: NodeIndex, fx: &mut Effects<Timer>) {
        for orphan in std::mem::take(&mut self.nodes[at.row()].found) {
            for ask in
                [EngineAsk::StopPodSandbox(orphan.pod), EngineAsk::RemovePodSandbox(orphan.pod)]
            {
                // No worker has this number: the answer concerns nobody.
                fx.call(EngineCall { op: OpId(u64::MAX), ask });
            }
        }
    }
}

/// Bits of an operation's number that count a worker's operations; above them, its slot's generation.
const OP_BITS: u32 = 20;
const OP_GENERATIONS: u32 = u32::MAX >> OP_BITS;

impl KubeletNode {
    /// Whether it takes a pod on; if not, the reason the pod's status will give.
    fn admit(&self, pod: &Pod) -> Result<(), StatusReason> {
        if self.shutdown.is_some() {
            return Err(going_down());
        }
        let (name, labels) = (&*self.meta.name.to_string(), &*self.meta.labels);
        self.held.admit(&self.allocatable, &Seen { name, labels, taints: &self.taints }, pod)
    }
}

impl Desk<'_> {
    fn arm(&mut self, at: SimTime) {
        self.fx.arm_at(at, Timer::Pod(self.id));
    }

    fn arm_probe(&mut self, at: SimTime) {
        self.fx.arm_at(at, Timer::Probe(self.id));
    }

    fn call(&mut self, number: u32, ask: EngineAsk) {
        let op = OpId(((self.id.slot() as u64) << 32) | u64::from(number));
        self.fx.call(EngineCall { op, ask });
    }

    fn send_status(&mut self, call: Call) {
        self.send(TAG_STATUS, call);
    }

    fn send_delete(&mut self, call: Call) {
        self.send(TAG_DELETE, call);
    }

    fn send(&mut self, what: u64, call: Call) {
        let generation = u64::from(self.id.generation() & (u32::MAX >> TAG_BITS));
        let tag = ((self.id.slot() as u64) << 32) | (generation << TAG_BITS) | what;
        self.fx.send(self.node.client, tag, call);
    }

    /// When the engine is looked at next.
    fn next_relist(&self) -> SimTime {
        next_after(self.node.relist, self.fx.now())
    }

    /// The worker has something for the next relist to see.
    fn has_news(&mut self) {
        self.node.news.push(self.id);
        if self.node.news.len() == 1 {
            self.fx.arm_at(self.next_relist(), Timer::Relist(self.at));
        }
    }

    /// The node's images may have changed: its next status shows it.
    fn images_changed(&mut self) {
        if self.node.images_changed.is_none() {
            self.node.images_changed = Some(self.fx.cause());
            let cadence = Duty::Status.cadence(self.luck, &self.node.meta.name);
            self.fx.arm_at(next_after(cadence, self.fx.now()), Timer::Status(self.at));
        }
    }

    /// Whether the node takes a pod on; if not, the reason its status will give.
    fn admit(&self, pod: &Pod) -> Result<(), StatusReason> {
        match pressure::refused(self.node.pressure.pressures(), pod) {
            Some(reason) => Err(reason),
            None => self.node.admit(pod),
        }
    }

    /// A pod's share of the node is free again.
    fn give_back(&mut self, worker: &Worker) {
        self.node.held.give_back(&worker.spec, self.id);
    }
}

impl Worker {
    /// A fact about this pod.
    fn fact(&self, verb: Verb, desk: &Desk<'_>) -> Fact {
        Fact::new(Component::Kubelet, verb, self.name.clone()).on(&desk.node.meta.name)
    }

    fn tell(&mut self, fact: Fact, desk: &mut Desk<'_>) {
        self.cause = desk.fx.fact(fact);
    }

    /// Asks the engine; gives the number of the operation.
    fn ask(&mut self, ask: EngineAsk, desk: &mut Desk<'_>) -> u32 {
        self.ops = (self.ops + 1) & ((1 << OP_BITS) - 1);
        let number = ((desk.id.generation() & OP_GENERATIONS) << OP_BITS) | self.ops;
        desk.call(number, ask);
        number
    }
}
