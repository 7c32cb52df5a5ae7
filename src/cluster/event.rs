//! Everything that can be due in a run: small, `Copy`, ids only.

use super::processes::ProcessId;
use super::requests::Flight;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::{controllers, election, scheduler};
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::EngineTimer;
use crate::node::kubelet;

/// An event of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A request that waited for its client's rate limit leaves.
    Depart(Id<Flight>),
    /// A request reaches etcd through its API server.
    Commit(Id<Flight>),
    /// A reply reaches its client.
    Reply(Id<Flight>),
    /// A batch of changes reaches watch number so-and-so.
    Wake(u32),
    /// A cut watch tries to connect again.
    Reconnect(u32),
    /// News of a pod reach the kubelet of its node.
    News {
        /// The pod.
        pod: Id<Pod>,
        /// The node.
        node: NodeIndex,
        /// What is told.
        news: News,
    },
    /// A timer of a scheduler instance, in one of its lives.
    Scheduler(u8, u8, scheduler::Timer),
    /// A timer of a controller manager instance, in one of its lives.
    Manager(u8, u8, controllers::Timer),
    /// A timer of a candidate, in one of its candidacies.
    Election(ProcessId, u8, election::Timer),
    /// A timer of a kubelet.
    Kubelet(kubelet::Timer),
    /// A timer of an engine.
    Engine(EngineTimer),
    /// A step of the timeline is due.
    Step(u32),
    /// The user tries again what did not reach an API server.
    Errand,
    /// The user asks again for eviction number so-and-so.
    Evict(u32),
    /// A fault of the timeline ends.
    Heal(u32),
    /// A machine of the cloud has booted, or left its node behind.
    Machine(u32),
    /// The kubelet of a machine, in one of its lives, asks for its node to be registered.
    Register(NodeIndex, u32),
    /// An API server answers, in one of its lives.
    Serves(u8, u32),
    /// An API server dials etcd, which is back.
    Dials(u8),
    /// A process begins a life: its caches are filled.
    Synced(ProcessId, u8),
}

/// What a kubelet is told of a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The pod is its to run.
    Assigned,
    /// The pod is to be ended.
    Deleting,
    /// The pod is no longer ready, whoever says so.
    Unready,
    /// Somebody set a condition of the pod that is not a kubelet's to set.
    Conditions,
    /// The pod's containers are to take something else.
    Resized,
    /// The pod is gone from the API.
    Removed,
}

const _: () = assert!(size_of::<Event>() <= 16, "a queued event is at most 32 bytes");
