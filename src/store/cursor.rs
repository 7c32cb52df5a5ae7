//! The cursors of one component: at most one a kind, each with its own lag.

use super::table::CursorId;
use crate::api::kind::Kind;

/// Which table a cursor reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TableKind {
    /// Pods.
    Pod,
    /// Nodes.
    Node,
    /// Namespaces.
    Namespace,
    /// ReplicaSets and ReplicationControllers.
    ReplicaSet,
    /// Deployments.
    Deployment,
    /// Services.
    Service,
    /// EndpointSlices.
    EndpointSlice,
    /// Endpoints objects.
    Endpoints,
    /// Leases.
    Lease,
    /// PriorityClasses.
    PriorityClass,
    /// PodDisruptionBudgets.
    PodDisruptionBudget,
    /// HorizontalPodAutoscalers.
    HorizontalPodAutoscaler,
    /// StatefulSets.
    StatefulSet,
    /// DaemonSets.
    DaemonSet,
    /// ControllerRevisions.
    ControllerRevision,
    /// Jobs.
    Job,
    /// CronJobs.
    CronJob,
    /// PersistentVolumes.
    PersistentVolume,
    /// PersistentVolumeClaims.
    PersistentVolumeClaim,
    /// StorageClasses.
    StorageClass,
    /// CSINodes.
    CsiNode,
    /// LimitRanges.
    LimitRange,
    /// ResourceQuotas.
    ResourceQuota,
    /// Everything else.
    Other,
}

impl TableKind {
    /// The table that holds objects of `kind`.
    pub fn of(kind: Kind) -> TableKind {
        match kind {
            Kind::Pod => TableKind::Pod,
            Kind::Node => TableKind::Node,
            Kind::Namespace => TableKind::Namespace,
            Kind::ReplicaSet | Kind::ReplicationController => TableKind::ReplicaSet,
            Kind::Deployment => TableKind::Deployment,
            Kind::Service => TableKind::Service,
            Kind::EndpointSlice => TableKind::EndpointSlice,
            Kind::Endpoints => TableKind::Endpoints,
            Kind::Lease => TableKind::Lease,
            Kind::PriorityClass => TableKind::PriorityClass,
            Kind::PodDisruptionBudget => TableKind::PodDisruptionBudget,
            Kind::HorizontalPodAutoscaler => TableKind::HorizontalPodAutoscaler,
            Kind::StatefulSet => TableKind::StatefulSet,
            Kind::DaemonSet => TableKind::DaemonSet,
            Kind::ControllerRevision => TableKind::ControllerRevision,
            Kind::Job => TableKind::Job,
            Kind::CronJob => TableKind::CronJob,
            Kind::PersistentVolume => TableKind::PersistentVolume,
            Kind::PersistentVolumeClaim => TableKind::PersistentVolumeClaim,
            Kind::StorageClass => TableKind::StorageClass,
            Kind::CsiNode => TableKind::CsiNode,
            Kind::LimitRange => TableKind::LimitRange,
            Kind::ResourceQuota => TableKind::ResourceQuota,
            Kind::Client | Kind::NodeGroup | Kind::VerticalPodAutoscaler | Kind::Other => {
                TableKind::Other
            }
        }
    }
}

/// All tables, in order.
pub const TABLES: [TableKind; 24] = [
    TableKind::Pod,
    TableKind::Node,
    TableKind::Namespace,
    TableKind::ReplicaSet,
    TableKind::Deployment,
    TableKind::Service,
    TableKind::EndpointSlice,
    TableKind::Endpoints,
    TableKind::Lease,
    TableKind::PriorityClass,
    TableKind::PodDisruptionBudget,
    TableKind::HorizontalPodAutoscaler,
    TableKind::StatefulSet,
    TableKind::DaemonSet,
    TableKind::ControllerRevision,
    TableKind::Job,
    TableKind::CronJob,
    TableKind::PersistentVolume,
    TableKind::PersistentVolumeClaim,
    TableKind::StorageClass,
    TableKind::CsiNode,
    TableKind::LimitRange,
    TableKind::ResourceQuota,
    TableKind::Other,
];

/// The cursors one component holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursors {
    of: [Option<CursorId>; TABLES.len()],
}

impl Cursors {
    /// The cursor on `table`, if the component watches it.
    pub fn get(&self, table: TableKind) -> Option<CursorId> {
        self.of[table as usize]
    }

    /// Takes note of the cursor on `table`.
    pub fn set(&mut self, table: TableKind, cursor: Option<CursorId>) {
        self.of[table as usize] = cursor;
    }
}
