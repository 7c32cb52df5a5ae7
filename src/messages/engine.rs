//! What a kubelet asks of a container engine, and what it answers: CRI v1's verbs, states, reasons
//! and error kinds. Nothing waits: a call carries a number, its completion comes later as an event.

use std::net::Ipv4Addr;

use crate::api::name::Text;
use crate::api::pod::{Pod, TerminationReason};
use crate::base::id::Id;
use crate::time::SimTime;

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
    RunPodSandbox(Id<Pod>),
    /// `StopPodSandbox`: its containers are killed, its address given back.
    StopPodSandbox(Id<Pod>),
    /// `RemovePodSandbox`.
    RemovePodSandbox(Id<Pod>),
    /// `PullImage`.
    PullImage(Text),
    /// `CreateContainer`.
    CreateContainer(ContainerRef, Text),
    /// `StartContainer`.
    StartContainer(ContainerRef),
    /// `StopContainer`: SIGTERM, and SIGKILL after so many seconds.
    StopContainer(ContainerRef, u32),
    /// `RemoveContainer`.
    RemoveContainer(ContainerRef),
}

/// A completion, or something that happened by itself.
#[derive(Clone, PartialEq, Debug)]
pub enum EngineEvent {
    /// A call is done.
    Done(OpId, Result<EngineAnswer, EngineError>),
    /// A container ended. Kubelets do not see this when it happens but at their next relist.
    Exited(ContainerRef, Exit),
}

/// What a successful call gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineAnswer {
    /// Nothing more.
    Ok,
    /// The sandbox's address.
    Sandbox(Ipv4Addr),
    /// The image's size in bytes.
    Image(i64),
    /// When the container's program began.
    Started(SimTime),
}

/// How a container ended, as `ContainerStatus` reports it. The reason is not derived from the exit
/// code: a killed child leaves OOMKilled with the main program's own code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Exit code.
    pub code: u8,
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
    /// It took too long.
    DeadlineExceeded,
    /// Two containers of the pod want the same port.
    PortConflict(u16),
    /// Anything else.
    Unknown(Text),
}
