//! Container engines: what a kubelet asks by CRI's verbs, answered later.
//!
//! Owns the form of an engine: an operation is submitted under a number, its completion comes as an
//! [`EngineEvent`]; nothing waits. A simulated engine schedules completions; a real one carries calls out
//! behind the run's driver and stamps what comes back. The kubelet cannot tell them apart. Refuses to know
//! pods' policies: restarts, probes and order are the kubelet's.
pub mod simulated;

use std::net::Ipv4Addr;

use smallvec::SmallVec;

use super::NodeIndex;
use crate::api::pod::Pod;
use crate::base::Id;
use crate::messages::engine::{ContainerRef, EngineCall, EngineEvent, Exit};
use crate::time::SimTime;

/// An engine for one or many nodes.
pub trait ContainerEngine {
    /// What it needs from its surroundings to take a call on.
    type Outside<'a>;

    /// Takes a call on. Its completion, good or bad, is reported later or at once, exactly once; a
    /// `StopContainer` that a later one supersedes is not answered.
    fn submit(&mut self, node: NodeIndex, call: EngineCall, outside: Self::Outside<'_>);
}

/// Something an engine tells the kubelet of its node.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineReport {
    /// The node.
    pub node: NodeIndex,
    /// The number of the fact it comes from.
    pub cause: u64,
    /// What it tells.
    pub event: EngineEvent,
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
