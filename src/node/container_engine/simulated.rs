//! The simulated engine of all nodes: what each operation would do, and when it is done.
//!
//! Owns sandboxes, containers, images and pod addresses of each node, and how the programs in containers
//! end; refuses to know what a pod should be. Costs are [`EngineSettings`]: work on the node's own
//! [`Machine`], then a floor.
//!
//! ```text
//! operation   submitted --work done--> floor --> reported
//! pull        queued (one at a time a node, or more) --bytes fetched--> unpacking (work) --> reported
//!                 `-- the registry has it not --> reported;  `-- too many of late --> reported at once
//! container   Created --StartContainer--> Running --its own end, SIGTERM, SIGKILL--> Exited
//! ```
//! A container whose scenario says when it starts (`App.start`) costs nothing: it runs that long after its
//! sandbox was asked for, and its end is shown and its stop answered in the same instant.
//!
//! Two containers of one pod that declare one port: both start, as in a real cluster, and the program that
//! came second ends with exit code 1, because it cannot bind.
mod addresses;
mod images;
mod memory;
mod operations;
mod programs;
mod pulling;
mod resizing;
mod serving;
mod settings;
mod usage;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use smallvec::SmallVec;

pub use addresses::{POD_CIDR_PREFIX, pod_cidr};
pub use images::ImageTable;
pub use serving::{ProgramNews, ProgramState};
pub use settings::{Cost, EngineSettings, Spent, Unpacking};
pub use usage::{Resident, RunningProgram};

use self::addresses::AddressPool;
use self::images::{ImageNumber, RegistryLimit};
use self::pulling::PullQueue;
use super::{ContainerEngine, EngineReport};
use crate::api::name::Text;
use crate::api::node::NodeImage;
use crate::api::pod::{Container, Pod, PodSpec};
use crate::base::{Arena, BySlot, Chunked, Id};
use crate::compute::{JobTag, Machine};
use crate::luck::Luck;
use crate::messages::effects::Effects;
use crate::messages::engine::{ContainerRef, EngineCall, EngineEvent, Exit, OpId, SandboxConfig};
use crate::messages::engine::{Listed, ListedPod, ListedState, Pulls};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// Work that no operation waits for. No operation has this number: generations begin anew long before.
const NOBODY: JobTag = JobTag(u64::MAX);

/// What wakes the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineTimer {
    /// An operation's floor, or its bytes, are through.
    Op(Id<Op>),
    /// A program's end, or when it is shown.
    Exit(Id<Sandbox>, u16),
    /// The machine has done a job, if the generation is still right.
    Machine(NodeIndex, u32),
    /// The machine's memory may be used up.
    Memory(NodeIndex),
    /// The memory may be used up that a pod may hold as a whole.
    PodMemory(Id<Sandbox>),
}

/// What the engine works with: the node's own machine, effects, and where reports to the node's kubelet go.
pub struct Bench<'a> {
    /// The machine of the node.
    pub machine: &'a mut Machine,
    /// Timers to arm.
    pub fx: &'a mut Effects<EngineTimer>,
    /// Reports, for the kubelet at this very instant.
    pub reports: &'a mut Vec<EngineReport>,
}

/// An operation on its way.
#[derive(Clone, Debug)]
pub struct Op {
    node: NodeIndex,
    number: OpId,
    /// The fact it comes from.
    cause: u64,
    kind: OpKind,
    floor: SimDuration,
    /// When it was asked for.
    asked: SimTime,
    /// Of a pull, when its turn came.
    begun: SimTime,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OpKind {
    RunSandbox(Id<Sandbox>),
    StopSandbox(Id<Pod>),
    RemoveSandbox(Id<Pod>),
    /// Its bytes are coming.
    Fetch(ImageNumber),
    /// They are unpacked; so many were fetched.
    Unpack(ImageNumber, i64),
    /// The registry has it not.
    Refuse(ImageNumber),
    Create(ContainerRef),
    Start(ContainerRef),
    Stop(ContainerRef),
    /// The signal of a stop is on its way, with so much grace after it.
    Signal(ContainerRef, SimDuration),
    /// A program that ended by itself is to be shown.
    Show(Id<Sandbox>, u16),
}

/// A pod's sandbox with its containers.
#[derive(Clone, Debug)]
pub struct Sandbox {
    node: NodeIndex,
    config: SandboxConfig,
    address: Option<Ipv4Addr>,
    /// When it was asked for.
    asked: SimTime,
    state: SandboxState,
    containers: SmallVec<[Program; 1]>,
    /// When what it may hold of memory as a whole may be used up; never: [`SimTime::MAX`].
    memory_due: SimTime,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SandboxState {
    Ready,
    Stopped,
}

/// A container and the program in it.
#[derive(Clone, Debug)]
struct Program {
    index: u16,
    attempt: u32,
    state: ListedState,
    /// How it will end, as things stand; never: [`SimTime::MAX`].
    end: Exit,
    /// When its end is shown.
    shown: SimTime,
    /// Whether it was.
    told: bool,
    /// The stop that waits for its end.
    stop: Option<Id<Op>>,
    /// The fact its end comes from.
    cause: u64,
}

#[derive(Clone, Debug)]
struct EngineNode {
    /// The address of the node itself.
    address: Ipv4Addr,
    pool: AddressPool,
    /// Images it has, sorted.
    images: Vec<ImageNumber>,
    /// When it got each image, and when a container of it went last.
    times: BTreeMap<ImageNumber, (SimTime, SimTime)>,
    pulls: PullQueue,
    /// How often the registry may be asked.
    registry: RegistryLimit,
    sandboxes: Vec<Id<Sandbox>>,
    /// The completion of the machine that is armed.
    armed: Option<(SimTime, u32)>,
    /// Bytes of memory; 0: unknown.
    memory: u64,
    /// Programs that run and of which is said what they take.
    said: u32,
    /// When memory may be used up.
    memory_due: SimTime,
    /// Nano-cores of its machine; 0: unknown.
    cores: u64,
    /// Nano-cores that the programs that run take at most, beside their requests.
    cpu_most: u64,
    /// The last instant at which that was more than there is.
    cpu_short: SimTime,
}

/// The engines of all nodes.
#[derive(Clone, Debug)]
pub struct SimulatedEngines {
    settings: Arc<EngineSettings>,
    luck: Luck,
    nodes: Chunked<EngineNode>,
    images: ImageTable,
    sandboxes: Arena<Sandbox>,
    /// The sandbox of a pod, by the pod's slot.
    by_pod: BySlot<Pod, Id<Sandbox>>,
    ops: Arena<Op>,
    /// Pods whose programs cannot run: each ends as soon as it starts.
    forbidden: Vec<Id<Pod>>,
    /// How images are pulled.
    pulls: Pulls,
    /// What images look like that no registry has, and the fact that made it so.
    withheld: Vec<(Text, u64)>,
    /// Changes of programs; `None`: nobody wants to know.
    news: Option<Vec<ProgramNews>>,
    /// Nodes on which what is taken goes another way now.
    touched: Vec<NodeIndex>,
    /// Whether the programs of any node could ever take more processor time than it has.
    was_short: bool,
    /// Whether those of a node could since somebody last asked.
    gets_short: bool,
}

impl SimulatedEngines {
    /// Engines of no node yet; `images` of known size.
    pub fn new(settings: EngineSettings, images: ImageTable, luck: Luck) -> SimulatedEngines {
        SimulatedEngines {
            settings: Arc::new(settings),
            luck,
            nodes: Chunked::new(),
            images,
            sandboxes: Arena::new(),
            by_pod: BySlot::default(),
            ops: Arena::new(),
            forbidden: Vec::new(),
            pulls: Pulls::default(),
            withheld: Vec::new(),
            news: None,
            touched: Vec::new(),
            was_short: false,
            gets_short: false,
        }
    }

    /// How kubelets have images pulled.
    pub fn set_pulls(&mut self, pulls: Pulls) {
        self.pulls = pulls;
    }

    /// From now on no program of the pod can run.
    pub fn forbid(&mut self, pod: Id<Pod>) {
        self.forbidden.push(pod);
    }

    /// Programs of the pod can run again.
    pub fn allow(&mut self, pod: Id<Pod>) {
        self.forbidden.retain(|&one| one != pod);
    }

    /// From now on no registry has images that look like this (`*`: any letters, `?`: one), because of this fact.
    pub fn withhold(&mut self, pattern: &Text, cause: u64) {
        self.withheld.push((pattern.clone(), cause));
    }

    /// Registries have these images again.
    pub fn give_out(&mut self, pattern: &Text) {
        self.withheld.retain(|(one, _)| one != pattern);
    }

    /// Adds the next node, with its own address and the images it has.
    pub fn add_node(&mut self, address: Ipv4Addr, images: &[NodeImage]) -> NodeIndex {
        let node = NodeIndex(self.nodes.len() as u32);
        let mut has: Vec<_> = images.iter().map(|image| self.images.number(&image.name)).collect();
        has.sort_unstable();
        has.dedup();
        self.nodes.push(EngineNode {
            address,
            pool: AddressPool::new(node),
            images: has,
            times: BTreeMap::new(),
            pulls: PullQueue::default(),
            registry: RegistryLimit::default(),
            sandboxes: Vec::new(),
            armed: None,
            memory: 0,
            said: 0,
            memory_due: SimTime::MAX,
            cores: 0,
            cpu_most: 0,
            cpu_short: SimTime::ZERO,
        });
        node
    }

    /// Whether the node has the image (`ImageStatus`).
    pub fn has_image(&self, node: NodeIndex, name: &str) -> bool {
        let image = self.images.find(name);
        image.is_some_and(|image| self.nodes[node.row()].images.binary_search(&image).is_ok())
    }

    /// The images of a node, as its status reports them: the largest first, at most 50
    /// (`nodeStatusMaxImages` of kubelet 1.36).
    pub fn images(&self, node: NodeIndex) -> Arc<[NodeImage]> {
        let has = &self.nodes[node.row()].images;
        let mut images: Vec<_> = has.iter().map(|&image| self.images.reported(image)).collect();
        images.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        images.truncate(50);
        images.into()
    }

    /// Pods and containers of a node, for a kubelet that starts anew.
    pub fn list(&self, node: NodeIndex) -> Vec<ListedPod> {
        let listed = |&id: &Id<Sandbox>| {
            let sandbox = &self.sandboxes[id];
            let pod = sandbox.config.pod;
            let container = |one: &Program| Listed {
                container: ContainerRef { pod, index: one.index, attempt: one.attempt },
                state: one.state,
            };
            ListedPod {
                pod,
                address: sandbox.address.filter(|_| sandbox.state == SandboxState::Ready),
                containers: sandbox.containers.iter().map(container).collect(),
            }
        };
        self.nodes[node.row()].sandboxes.iter().map(listed).collect()
    }

    /// The node lost its power: sandboxes, containers and operations are gone, images stay.
    pub fn crash(&mut self, at: NodeIndex, machine: &mut Machine, now: SimTime) {
        machine.clear(now);
        let node = &mut self.nodes[at.row()];
        node.pool.clear();
        node.pulls = PullQueue::default();
        node.armed = None;
        (node.said, node.memory_due, node.cpu_most) = (0, SimTime::MAX, 0);
        self.touched.push(at);
        for id in std::mem::take(&mut node.sandboxes) {
            if let Some(sandbox) = self.sandboxes.remove(id) {
                self.by_pod.remove(sandbox.config.pod);
            }
        }
        let lost: Vec<_> =
            self.ops.iter().filter(|(_, op)| op.node == at).map(|(id, _)| id).collect();
        for id in lost {
            self.ops.remove(id);
        }
    }

    /// Something armed has come.
    pub fn timer(&mut self, timer: EngineTimer, bench: &mut Bench<'_>) {
        match timer {
            EngineTimer::Op(id) => self.op_due(id, bench),
            EngineTimer::Exit(id, index) => self.exit_due(id, index, bench),
            EngineTimer::Machine(node, generation) => self.machine_due(node, generation, bench),
            EngineTimer::Memory(node) => self.memory_due(node, bench),
            EngineTimer::PodMemory(id) => self.pod_memory_due(id, bench),
        }
    }

    /// Which node a timer is for; `None` if it is stale.
    pub fn node_of(&self, timer: EngineTimer) -> Option<NodeIndex> {
        match timer {
            EngineTimer::Op(id) => self.ops.get(id).map(|op| op.node),
            EngineTimer::Exit(id, _) | EngineTimer::PodMemory(id) => {
                self.sandboxes.get(id).map(|sandbox| sandbox.node)
            }
            EngineTimer::Machine(node, _) | EngineTimer::Memory(node) => Some(node),
        }
    }

    fn sandbox_of(&self, pod: Id<Pod>) -> Option<Id<Sandbox>> {
        self.by_pod.get(pod)
    }

    /// Work is done, as far as it is: what waited for it goes on.
    fn machine_due(&mut self, node: NodeIndex, generation: u32, bench: &mut Bench<'_>) {
        if self.nodes[node.row()].armed.is_none_or(|(_, armed)| armed != generation) {
            return;
        }
        self.nodes[node.row()].armed = None;
        while let Some(JobTag(tag)) = bench.machine.complete(bench.fx.now()) {
            let id = Id::from_parts(tag as u32, (tag >> 32) as u32);
            let Some(op) = self.ops.get(id) else { continue };
            bench.fx.because(op.cause);
            if op.floor.is_zero() {
                self.op_due(id, bench);
            } else {
                bench.fx.arm(op.floor, EngineTimer::Op(id));
            }
        }
        self.watch_machine(node, bench);
    }

    /// Gives the machine an operation's work.
    fn work(&mut self, id: Id<Op>, spent: Spent, bench: &mut Bench<'_>) {
        let op = &mut self.ops[id];
        op.floor = spent.floor;
        let node = op.node;
        let tag = (u64::from(id.generation()) << 32) | id.slot() as u64;
        bench.machine.start(bench.fx.now(), spent.work, JobTag(tag));
        if !spent.behind.is_zero() {
            bench.machine.start(bench.fx.now(), spent.behind, NOBODY);
        }
        self.watch_machine(node, bench);
    }

    /// Arms the machine's next completion unless it is armed already.
    fn watch_machine(&mut self, node: NodeIndex, bench: &mut Bench<'_>) {
        let armed = &mut self.nodes[node.row()].armed;
        match (bench.machine.next_completion(), *armed) {
            (None, _) => *armed = None,
            // The armed wake-up stands for the same instant: let it count for the new answer too.
            (Some((at, _)), Some((armed_at, _))) if at == armed_at => {}
            (Some((at, generation)), _) => {
                *armed = Some((at, generation));
                bench.fx.arm_at(at, EngineTimer::Machine(node, generation));
            }
        }
    }
}

/// The spec of a pod's container by its index, init containers first.
fn container_of(spec: &PodSpec, index: u16) -> Option<&Container> {
    spec.init_containers.iter().chain(&spec.containers).nth(usize::from(index))
}

impl ContainerEngine for SimulatedEngines {
    type Outside<'a> = Bench<'a>;

    fn submit(&mut self, node: NodeIndex, call: EngineCall, mut outside: Bench<'_>) {
        self.take_on(node, call, &mut outside);
    }
}

/// Tells the node's kubelet.
fn report(node: NodeIndex, cause: u64, event: EngineEvent, bench: &mut Bench<'_>) {
    bench.reports.push(EngineReport { node, cause, event });
}
