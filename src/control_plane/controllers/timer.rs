//! What controllers wish to be woken for.

use crate::kernel::recurring::Rhythm;

/// One of the controllers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Which {
    /// Deployments.
    Deployments,
    /// ReplicaSets.
    ReplicaSets,
    /// ReplicationControllers.
    ReplicationControllers,
    /// StatefulSets.
    StatefulSets,
    /// DaemonSets.
    DaemonSets,
    /// EndpointSlices.
    EndpointSlices,
    /// Endpoints objects.
    Endpoints,
    /// Nodes.
    Nodes,
    /// The annotation of nodes that tells how long to trust what was read.
    NodeTtl,
    /// Evictions by taint.
    Taints,
    /// Jobs.
    Jobs,
    /// Pods of Jobs that are gone.
    JobOrphans,
    /// CronJobs.
    CronJobs,
    /// Jobs that are to go some time after they finished.
    TtlAfterFinished,
    /// PodDisruptionBudgets.
    Disruptions,
    /// Pods picked to be evicted in vain.
    StaleDisruptions,
    /// ResourceQuotas.
    ResourceQuotas,
    /// HorizontalPodAutoscalers.
    Autoscalers,
    /// VerticalPodAutoscalers.
    Verticals,
}

impl Which {
    /// The component that its Events name as their source.
    pub fn speaker(self) -> &'static str {
        match self {
            Which::Deployments => "deployment-controller",
            Which::ReplicaSets => "replicaset-controller",
            Which::ReplicationControllers => "replication-controller",
            Which::StatefulSets => "statefulset-controller",
            Which::DaemonSets => "daemonset-controller",
            Which::EndpointSlices => "endpoint-slice-controller",
            Which::Endpoints => "endpoint-controller",
            Which::Nodes => "node-controller",
            Which::NodeTtl => "ttl-controller",
            Which::Taints => "taint-eviction-controller",
            Which::Jobs | Which::JobOrphans => "job-controller",
            Which::CronJobs => "cronjob-controller",
            Which::TtlAfterFinished => "ttl-after-finished-controller",
            Which::ResourceQuotas => "resourcequota-controller",
            Which::Autoscalers => "horizontal-pod-autoscaler",
            Which::Verticals => "vpa-updater",
            Which::Disruptions | Which::StaleDisruptions => "controllermanager",
        }
    }
}

/// A controller's wish to be woken. Stale ones are told by what they carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// A worker has computed for as long as a sync takes.
    Sync {
        /// Whose worker.
        of: Which,
        /// Which one.
        worker: u8,
        /// Which of the queue's syncs.
        serial: u32,
    },
    /// A delayed key may be due.
    Due {
        /// Whose queue.
        of: Which,
        /// The key's slot.
        slot: u32,
        /// And generation.
        generation: u32,
    },
    /// A zone's line of silent nodes may move.
    Zone {
        /// Which zone, in the order they were met.
        zone: u32,
    },
    /// A pod on a tainted node may have to go.
    Evict {
        /// The pod's slot.
        slot: u32,
        /// And generation.
        generation: u32,
    },
    /// A namespace on its way out is to be looked at.
    Namespace {
        /// The namespace's slot.
        slot: u32,
        /// And generation.
        generation: u32,
    },
    /// A removal of the cluster autoscaler may have something to do.
    Removals,
    /// A round of the pod garbage collector.
    PodGc,
    /// A round of the resource quota controller.
    Quotas,
    /// A volume is made, or what was refused about volumes is tried again.
    Volumes,
    /// What was refused to the garbage collector is tried again.
    Garbage,
    /// What was refused about claims and volumes in use is tried again.
    Protection,
    /// An Event that did not get through is tried again.
    Event {
        /// Whose.
        of: Which,
    },
}

impl Timer {
    /// How it comes about: rounds and the starts of CronJobs recur.
    pub const fn rhythm(self) -> Rhythm {
        match self {
            Timer::PodGc | Timer::Quotas => Rhythm::Cadence,
            Timer::Due { of: Which::CronJobs, .. } => Rhythm::Once,
            _ => Rhythm::Event,
        }
    }
}

const _: () = assert!(size_of::<Timer>() <= 12 && align_of::<Timer>() <= 4);
