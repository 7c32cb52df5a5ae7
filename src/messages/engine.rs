//! What a kubelet asks of a container engine, and what it answers: CRI v1's verbs, states, reasons
//! and error kinds. Nothing waits: a call carries a number, its completion comes later as an event.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::app::Apps;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::pod::{Container, Pod, PodSpec, Probe, TerminationReason};
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};
use smallvec::SmallVec;

/// The number of a call, unique on its node: its completion carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub u64);

/// A container of a pod: its place in the spec (init containers first), and which attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContainerRef {
    /// The pod.
    pub pod: Id<Pod>,
    /// The container's index: init containers first, then containers.
    pub index: u16,
    /// How often it was created before.
    pub attempt: u32,
}

/// A call.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineCall {
    /// Its number.
    pub op: OpId,
    /// What is asked.
    pub ask: EngineAsk,
}

/// What is asked of an engine.
#[derive(Clone, PartialEq, Debug)]
pub enum EngineAsk {
    /// `RunPodSandbox`.
    RunPodSandbox(SandboxConfig),
    /// `StopPodSandbox`: its containers are killed, its address given back.
    StopPodSandbox(Id<Pod>),
    /// `RemovePodSandbox`.
    RemovePodSandbox(Id<Pod>),
    /// `ImageStatus`: whether the image is there; answered at once.
    ImageStatus(Text),
    /// `PullImage`.
    PullImage(Text),
    /// `CreateContainer`: its config is in the sandbox's spec.
    CreateContainer(ContainerRef),
    /// `StartContainer`.
    StartContainer(ContainerRef),
    /// `UpdateContainerResources`: the container gets what this spec lets it take, at once if it runs, else
    /// when it is created.
    UpdateContainerResources(ContainerRef, Arc<PodSpec>),
    /// `StopContainer`: SIGTERM, and SIGKILL after so many seconds. Asked again, the shorter
    /// time holds and only the later call is answered.
    StopContainer(ContainerRef, u32),
    /// One probe of a container, answered by [`EngineEvent::Probed`] if the container runs. Asked by kubelets
    /// whose probes are carried out ([`Probing::Asked`]).
    Probe(ContainerRef, ProbeKind),
}

/// Which of a container's probes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProbeKind {
    /// `startupProbe`.
    Startup,
    /// `readinessProbe`.
    Readiness,
    /// `livenessProbe`.
    Liveness,
}

impl ProbeKind {
    /// All of them.
    pub const ALL: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

    /// The container's probe of this kind.
    pub fn of(self, container: &Container) -> Option<&Probe> {
        let probe = match self {
            ProbeKind::Startup => &container.startup,
            ProbeKind::Readiness => &container.readiness,
            ProbeKind::Liveness => &container.liveness,
        };
        probe.as_ref()
    }

    /// What it is called in Events.
    pub fn name(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Readiness => "Readiness",
            ProbeKind::Liveness => "Liveness",
        }
    }

    /// Its name in a container's spec.
    pub fn field(self) -> &'static str {
        match self {
            ProbeKind::Startup => "startupProbe",
            ProbeKind::Readiness => "readinessProbe",
            ProbeKind::Liveness => "livenessProbe",
        }
    }
}

/// How kubelets come by the answers of probes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Probing {
    /// They are worked out from what is said of the program.
    #[default]
    WorkedOut,
    /// The engine is asked at each tick.
    Asked,
}

/// An image of a node that no container uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleImage {
    /// Its number.
    pub image: u32,
    /// Its size.
    pub bytes: u64,
    /// When the node got it.
    pub since: SimTime,
    /// When a container used it last; the same if none did.
    pub used: SimTime,
}

/// How a kubelet has images pulled (KubeletConfiguration 1.36).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulls {
    /// How many at a time: one where `serializeImagePulls` is true, else `maxParallelImagePulls`.
    pub at_a_time: u32,
    /// `registryPullQPS`: how many a second; 0: any number.
    pub qps: u32,
    /// `registryBurst`: how many of them at once.
    pub burst: u32,
}

impl Default for Pulls {
    fn default() -> Pulls {
        Pulls { at_a_time: 1, qps: 5, burst: 10 }
    }
}

/// What a sandbox is made for: the spec of its pod, and the programs of its containers (which a
/// real engine does not look at: they are in the images).
#[derive(Clone, PartialEq, Debug)]
pub struct SandboxConfig {
    /// The pod.
    pub pod: Id<Pod>,
    /// The pod's uid: the key of its luck.
    pub uid: Uid,
    /// Images, ports, network.
    pub spec: Arc<PodSpec>,
    /// The programs, init containers first.
    pub apps: Apps,
    /// What it does of a Job, if it is a Job's pod.
    pub job: Option<JobPart>,
}

/// What a pod does of its Job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobPart {
    /// Its completion index, if the Job has indexes.
    pub index: Option<u32>,
}

/// A completion, or something that happened by itself.
#[derive(Clone, PartialEq, Debug)]
pub enum EngineEvent {
    /// A call is done.
    Done(OpId, Result<EngineAnswer, EngineError>),
    /// A container ended; told when the engine shows it. Kubelets act on it at their next relist.
    Exited(ContainerRef, Exit),
    /// A container was probed: whether the answer was good.
    Probed(ContainerRef, ProbeKind, bool),
}

/// What a successful call gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineAnswer {
    /// Nothing more.
    Ok,
    /// The sandbox's address.
    Sandbox(Ipv4Addr),
    /// The image's size in bytes, and how many of them had to be fetched.
    Image {
        /// Its size.
        bytes: i64,
        /// What was fetched; 0 if it was there.
        fetched: i64,
        /// How long that took, and how long since it was asked for.
        took: (SimDuration, SimDuration),
    },
    /// When the container's program began.
    Started(SimTime),
}

/// How a container ended, as `ContainerStatus` reports it. The reason is not derived from the exit
/// code: a killed child leaves OOMKilled with the main program's own code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Exit code.
    pub code: i32,
    /// Reason.
    pub reason: TerminationReason,
    /// `finished_at`.
    pub finished: SimTime,
}

/// Why a call failed: gRPC's codes as CRI engines use them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EngineError {
    /// The image or the container is not there.
    NotFound(Text),
    /// The name is taken by another attempt that still lives.
    AlreadyExists,
    /// Anything else.
    Unknown(Text),
}

/// A pod as `ListPodSandbox` and `ListContainers` show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedPod {
    /// The pod.
    pub pod: Id<Pod>,
    /// The address of its sandbox, if that stands.
    pub address: Option<Ipv4Addr>,
    /// Its containers.
    pub containers: SmallVec<[Listed; 1]>,
}

/// A container as `ListContainers` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Which one.
    pub container: ContainerRef,
    /// What it does.
    pub state: ListedState,
}

/// What a listed container does (`CONTAINER_CREATED`, `_RUNNING`, `_EXITED`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListedState {
    /// Created, not started.
    Created,
    /// Running since.
    Running(SimTime),
    /// Ended; it had started at the first instant.
    Exited(SimTime, Exit),
}
