//! One object of any kind, for messages that carry one.

use super::autoscaling::HorizontalPodAutoscaler;
use super::controller_revision::ControllerRevision;
use super::cron_job::CronJob;
use super::daemon_set::DaemonSet;
use super::disruption::PodDisruptionBudget;
use super::job::Job;
use super::kind::Kind;
use super::limit_range::LimitRange;
use super::meta::{Meta, ObjectName};
use super::misc::{Lease, Namespace, Other, PriorityClass};
use super::node::Node;
use super::pod::{Pod, PodSpec};
use super::resource_quota::ResourceQuota;
use super::service::{EndpointSlice, Endpoints, Service};
use super::stateful_set::StatefulSet;
use super::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use super::workload::{Deployment, ReplicaSet, SetKind};

/// An object of some kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Object {
    /// A Pod.
    Pod(Box<Pod>),
    /// A Node.
    Node(Box<Node>),
    /// A Namespace.
    Namespace(Box<Namespace>),
    /// A ReplicaSet or ReplicationController.
    ReplicaSet(Box<ReplicaSet>),
    /// A Deployment.
    Deployment(Box<Deployment>),
    /// A Service.
    Service(Box<Service>),
    /// An EndpointSlice.
    EndpointSlice(Box<EndpointSlice>),
    /// An Endpoints object.
    Endpoints(Box<Endpoints>),
    /// A Lease.
    Lease(Box<Lease>),
    /// A PriorityClass.
    PriorityClass(Box<PriorityClass>),
    /// A PodDisruptionBudget.
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    /// A HorizontalPodAutoscaler.
    HorizontalPodAutoscaler(Box<HorizontalPodAutoscaler>),
    /// A StatefulSet.
    StatefulSet(Box<StatefulSet>),
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// A ControllerRevision.
    ControllerRevision(Box<ControllerRevision>),
    /// A Job.
    Job(Box<Job>),
    /// A CronJob.
    CronJob(Box<CronJob>),
    /// A PersistentVolume.
    PersistentVolume(Box<PersistentVolume>),
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim(Box<PersistentVolumeClaim>),
    /// A StorageClass.
    StorageClass(Box<StorageClass>),
    /// A CSINode.
    CsiNode(Box<CsiNode>),
    /// A LimitRange.
    LimitRange(Box<LimitRange>),
    /// A ResourceQuota.
    ResourceQuota(Box<ResourceQuota>),
    /// Anything else.
    Other(Box<Other>),
}

impl Object {
    /// The spec of a pod, or of the pods a workload makes.
    pub fn pod_spec(&self) -> Option<&PodSpec> {
        let template = match self {
            Object::Pod(it) => return Some(&it.spec),
            Object::ReplicaSet(it) => &it.template,
            Object::Deployment(it) => &it.template,
            Object::StatefulSet(it) => &it.template,
            Object::DaemonSet(it) => &it.template,
            Object::Job(it) => &it.spec.template,
            Object::CronJob(it) => &it.spec.template.spec.template,
            _ => return None,
        };
        Some(&template.spec)
    }

    /// Its metadata.
    pub fn meta(&self) -> &Meta {
        match self {
            Object::Pod(it) => &it.meta,
            Object::Node(it) => &it.meta,
            Object::Namespace(it) => &it.meta,
            Object::ReplicaSet(it) => &it.meta,
            Object::Deployment(it) => &it.meta,
            Object::Service(it) => &it.meta,
            Object::EndpointSlice(it) => &it.meta,
            Object::Endpoints(it) => &it.meta,
            Object::Lease(it) => &it.meta,
            Object::PriorityClass(it) => &it.meta,
            Object::PodDisruptionBudget(it) => &it.meta,
            Object::HorizontalPodAutoscaler(it) => &it.meta,
            Object::StatefulSet(it) => &it.meta,
            Object::DaemonSet(it) => &it.meta,
            Object::ControllerRevision(it) => &it.meta,
            Object::Job(it) => &it.meta,
            Object::CronJob(it) => &it.meta,
            Object::PersistentVolume(it) => &it.meta,
            Object::PersistentVolumeClaim(it) => &it.meta,
            Object::StorageClass(it) => &it.meta,
            Object::CsiNode(it) => &it.meta,
            Object::LimitRange(it) => &it.meta,
            Object::ResourceQuota(it) => &it.meta,
            Object::Other(it) => &it.meta,
        }
    }

    /// Its metadata, to be changed.
    pub fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Object::Pod(it) => &mut it.meta,
            Object::Node(it) => &mut it.meta,
            Object::Namespace(it) => &mut it.meta,
            Object::ReplicaSet(it) => &mut it.meta,
            Object::Deployment(it) => &mut it.meta,
            Object::Service(it) => &mut it.meta,
            Object::EndpointSlice(it) => &mut it.meta,
            Object::Endpoints(it) => &mut it.meta,
            Object::Lease(it) => &mut it.meta,
            Object::PriorityClass(it) => &mut it.meta,
            Object::PodDisruptionBudget(it) => &mut it.meta,
            Object::HorizontalPodAutoscaler(it) => &mut it.meta,
            Object::StatefulSet(it) => &mut it.meta,
            Object::DaemonSet(it) => &mut it.meta,
            Object::ControllerRevision(it) => &mut it.meta,
            Object::Job(it) => &mut it.meta,
            Object::CronJob(it) => &mut it.meta,
            Object::PersistentVolume(it) => &mut it.meta,
            Object::PersistentVolumeClaim(it) => &mut it.meta,
            Object::StorageClass(it) => &mut it.meta,
            Object::CsiNode(it) => &mut it.meta,
            Object::LimitRange(it) => &mut it.meta,
            Object::ResourceQuota(it) => &mut it.meta,
            Object::Other(it) => &mut it.meta,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Object::Pod(_) => Kind::Pod,
            Object::Node(_) => Kind::Node,
            Object::Namespace(_) => Kind::Namespace,
            Object::ReplicaSet(it) => it.kind.into(),
            Object::Deployment(_) => Kind::Deployment,
            Object::Service(_) => Kind::Service,
            Object::EndpointSlice(_) => Kind::EndpointSlice,
            Object::Endpoints(_) => Kind::Endpoints,
            Object::Lease(_) => Kind::Lease,
            Object::PriorityClass(_) => Kind::PriorityClass,
            Object::PodDisruptionBudget(_) => Kind::PodDisruptionBudget,
            Object::HorizontalPodAutoscaler(_) => Kind::HorizontalPodAutoscaler,
            Object::StatefulSet(_) => Kind::StatefulSet,
            Object::DaemonSet(_) => Kind::DaemonSet,
            Object::ControllerRevision(_) => Kind::ControllerRevision,
            Object::Job(_) => Kind::Job,
            Object::CronJob(_) => Kind::CronJob,
            Object::PersistentVolume(_) => Kind::PersistentVolume,
            Object::PersistentVolumeClaim(_) => Kind::PersistentVolumeClaim,
            Object::StorageClass(_) => Kind::StorageClass,
            Object::CsiNode(_) => Kind::CsiNode,
            Object::LimitRange(_) => Kind::LimitRange,
            Object::ResourceQuota(_) => Kind::ResourceQuota,
            Object::Other(_) => Kind::Other,
        }
    }

    /// How messages name it.
    pub fn name(&self) -> ObjectName {
        ObjectName::of(self.kind(), self.meta())
    }
}

impl From<PersistentVolume> for Object {
    fn from(volume: PersistentVolume) -> Object {
        Object::PersistentVolume(Box::new(volume))
    }
}

impl From<PersistentVolumeClaim> for Object {
    fn from(claim: PersistentVolumeClaim) -> Object {
        Object::PersistentVolumeClaim(Box::new(claim))
    }
}

impl From<SetKind> for Kind {
    fn from(kind: SetKind) -> Kind {
        match kind {
            SetKind::ReplicaSet => Kind::ReplicaSet,
            SetKind::ReplicationController => Kind::ReplicationController,
        }
    }
}
