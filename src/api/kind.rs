//! The kinds of objects a run works with. Every other kind is [`Kind::Other`]: stored and listed,
//! not modelled.

use std::fmt;

/// A kind of object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// `v1` Pod.
    Pod,
    /// `v1` Node.
    Node,
    /// `v1` Namespace.
    Namespace,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Endpoints.
    Endpoints,
    /// `coordination.k8s.io/v1` Lease.
    Lease,
    /// `scheduling.k8s.io/v1` PriorityClass.
    PriorityClass,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
    /// `autoscaling/v2` HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` ControllerRevision.
    ControllerRevision,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// `v1` PersistentVolume.
    PersistentVolume,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `storage.k8s.io/v1` StorageClass.
    StorageClass,
    /// `storage.k8s.io/v1` CSINode.
    CsiNode,
    /// `v1` LimitRange.
    LimitRange,
    /// `v1` ResourceQuota.
    ResourceQuota,
    /// A client of a Service, as a scenario's `traffic` names it: no object of the API.
    Client,
    /// `autoscaling.k8s.io/v1` VerticalPodAutoscaler: a custom resource, held as [`Kind::Other`].
    VerticalPodAutoscaler,
    /// Machines that are all alike, as a scenario's `nodeGroups` names them: no object of the API.
    NodeGroup,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind as written in a manifest; `Other` has no single one.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pod => "Pod",
            Kind::Node => "Node",
            Kind::Namespace => "Namespace",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::ReplicationController => "ReplicationController",
            Kind::Deployment => "Deployment",
            Kind::Service => "Service",
            Kind::EndpointSlice => "EndpointSlice",
            Kind::Endpoints => "Endpoints",
            Kind::Lease => "Lease",
            Kind::PriorityClass => "PriorityClass",
            Kind::PodDisruptionBudget => "PodDisruptionBudget",
            Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Kind::StatefulSet => "StatefulSet",
            Kind::DaemonSet => "DaemonSet",
            Kind::ControllerRevision => "ControllerRevision",
            Kind::Job => "Job",
            Kind::CronJob => "CronJob",
            Kind::PersistentVolume => "PersistentVolume",
            Kind::PersistentVolumeClaim => "PersistentVolumeClaim",
            Kind::StorageClass => "StorageClass",
            Kind::CsiNode => "CSINode",
            Kind::LimitRange => "LimitRange",
            Kind::ResourceQuota => "ResourceQuota",
            Kind::Client => "Client",
            Kind::VerticalPodAutoscaler => "VerticalPodAutoscaler",
            Kind::NodeGroup => "NodeGroup",
            Kind::Other => "Other",
        }
    }

    /// The `apiVersion` of its objects; `Other` has no single one.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::ReplicaSet
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::ControllerRevision => "apps/v1",
            Kind::Job | Kind::CronJob => "batch/v1",
            Kind::EndpointSlice => "discovery.k8s.io/v1",
            Kind::Lease => "coordination.k8s.io/v1",
            Kind::PriorityClass => "scheduling.k8s.io/v1",
            Kind::PodDisruptionBudget => "policy/v1",
            Kind::HorizontalPodAutoscaler => "autoscaling/v2",
            Kind::StorageClass | Kind::CsiNode => "storage.k8s.io/v1",
            Kind::VerticalPodAutoscaler => "autoscaling.k8s.io/v1",
            _ => "v1",
        }
    }

    /// The resource as the API server names it in a status: `replicasets.apps`.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Pod => "pods",
            Kind::Node => "nodes",
            Kind::Namespace => "namespaces",
            Kind::ReplicaSet => "replicasets.apps",
            Kind::ReplicationController => "replicationcontrollers",
            Kind::Deployment => "deployments.apps",
            Kind::Service => "services",
            Kind::EndpointSlice => "endpointslices.discovery.k8s.io",
            Kind::Endpoints => "endpoints",
            Kind::Lease => "leases.coordination.k8s.io",
            Kind::PriorityClass => "priorityclasses.scheduling.k8s.io",
            Kind::PodDisruptionBudget => "poddisruptionbudgets.policy",
            Kind::HorizontalPodAutoscaler => "horizontalpodautoscalers.autoscaling",
            Kind::StatefulSet => "statefulsets.apps",
            Kind::DaemonSet => "daemonsets.apps",
            Kind::ControllerRevision => "controllerrevisions.apps",
            Kind::Job => "jobs.batch",
            Kind::CronJob => "cronjobs.batch",
            Kind::PersistentVolume => "persistentvolumes",
            Kind::PersistentVolumeClaim => "persistentvolumeclaims",
            Kind::StorageClass => "storageclasses.storage.k8s.io",
            Kind::CsiNode => "csinodes.storage.k8s.io",
            Kind::LimitRange => "limitranges",
            Kind::ResourceQuota => "resourcequotas",
            Kind::Client => "clients",
            Kind::VerticalPodAutoscaler => "verticalpodautoscalers.autoscaling.k8s.io",
            Kind::NodeGroup => "nodegroups",
            Kind::Other => "objects",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
