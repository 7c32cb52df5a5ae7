//! The main part and the status part of an object: each is written on its own and leaves the other
//! as it is.

use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::limit_range::LimitRange;
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};

/// An object of two parts.
pub(super) trait Parted {
    /// Takes over the status part of `other`.
    fn take_status(&mut self, other: &Self);
    /// Whether the specs differ: then the generation goes up.
    fn spec_differs(&self, other: &Self) -> bool;
}

impl Parted for Pod {
    fn take_status(&mut self, other: &Pod) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &Pod) -> bool {
        self.spec != other.spec
    }
}

impl Parted for Node {
    fn take_status(&mut self, other: &Node) {
        self.capacity = other.capacity.clone();
        self.allocatable = other.allocatable.clone();
        self.conditions = other.conditions;
        self.images = other.images.clone();
        self.address = other.address;
    }

    fn spec_differs(&self, _other: &Node) -> bool {
        false
    }
}

impl Parted for ReplicaSet {
    fn take_status(&mut self, other: &ReplicaSet) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &ReplicaSet) -> bool {
        self.replicas != other.replicas
            || self.min_ready_seconds != other.min_ready_seconds
            || self.selector != other.selector
            || self.template != other.template
    }
}

impl Parted for Deployment {
    fn take_status(&mut self, other: &Deployment) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &Deployment) -> bool {
        self.replicas != other.replicas
            || self.selector != other.selector
            || self.template != other.template
            || self.strategy != other.strategy
            || self.min_ready_seconds != other.min_ready_seconds
            || self.revision_history_limit != other.revision_history_limit
            || self.progress_deadline_seconds != other.progress_deadline_seconds
            || self.rollout != other.rollout
    }
}

macro_rules! one_part {
    ($($kind:ident),*) => {$(
        impl Parted for $kind {
            fn take_status(&mut self, _other: &$kind) {}

            fn spec_differs(&self, _other: &$kind) -> bool {
                false
            }
        }
    )*};
}
one_part!(
    Service,
    Endpoints,
    Lease,
    PriorityClass,
    StorageClass,
    CsiNode,
    LimitRange,
    ControllerRevision,
    Other
);

impl Parted for EndpointSlice {
    fn take_status(&mut self, _other: &EndpointSlice) {}

    /// Its labels count too (`endpointSliceStrategy.PrepareForUpdate`).
    fn spec_differs(&self, other: &EndpointSlice) -> bool {
        self.family != other.family
            || self.endpoints != other.endpoints
            || self.hints != other.hints
            || self.ports != other.ports
            || self.meta.labels != other.meta.labels
    }
}

impl Parted for Namespace {
    fn take_status(&mut self, other: &Namespace) {
        self.content = other.content.clone();
        self.finalizers.clone_from(&other.finalizers);
    }

    fn spec_differs(&self, _other: &Namespace) -> bool {
        false
    }
}

impl Parted for PodDisruptionBudget {
    fn take_status(&mut self, other: &PodDisruptionBudget) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &PodDisruptionBudget) -> bool {
        self.written != other.written
    }
}

impl Parted for ResourceQuota {
    fn take_status(&mut self, other: &ResourceQuota) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &ResourceQuota) -> bool {
        self.written != other.written
    }
}

impl Parted for HorizontalPodAutoscaler {
    fn take_status(&mut self, other: &HorizontalPodAutoscaler) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &HorizontalPodAutoscaler) -> bool {
        self.spec.written != other.spec.written
    }
}

impl Parted for Job {
    fn take_status(&mut self, other: &Job) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &Job) -> bool {
        self.spec != other.spec
    }
}

impl Parted for CronJob {
    fn take_status(&mut self, other: &CronJob) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &CronJob) -> bool {
        self.spec != other.spec
    }
}

impl Parted for StatefulSet {
    fn take_status(&mut self, other: &StatefulSet) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &StatefulSet) -> bool {
        self.written != other.written
    }
}

impl Parted for DaemonSet {
    fn take_status(&mut self, other: &DaemonSet) {
        self.status = other.status.clone();
    }

    fn spec_differs(&self, other: &DaemonSet) -> bool {
        self.selector != other.selector
            || self.template != other.template
            || self.update != other.update
            || self.min_ready_seconds != other.min_ready_seconds
            || self.revision_history_limit != other.revision_history_limit
    }
}

impl Parted for PersistentVolume {
    fn take_status(&mut self, other: &PersistentVolume) {
        (self.phase, self.phase_since) = (other.phase, other.phase_since);
        self.message = other.message.clone();
    }

    fn spec_differs(&self, _other: &PersistentVolume) -> bool {
        false
    }
}

impl Parted for PersistentVolumeClaim {
    fn take_status(&mut self, other: &PersistentVolumeClaim) {
        self.phase = other.phase;
        self.access = other.access;
        (self.capacity, self.growth) = (other.capacity, other.growth);
    }

    fn spec_differs(&self, _other: &PersistentVolumeClaim) -> bool {
        false
    }
}
