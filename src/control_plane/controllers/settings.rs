//! How the controllers of a manager are set.

use super::horizontal_pod_autoscaler::decide;
use super::stateful_set::plan::MaxUnavailable;
use super::workqueue::QueueSettings;
use super::{cron_job, node_lifecycle, persistent_volume, pod_gc, replica_set};
use crate::api::ip_family::Families;

/// Times and sizes of a manager.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Settings {
    /// The families of the cluster's addresses: each pod has one of each.
    pub families: Families,
    /// Of the queues of all controllers.
    pub queue: QueueSettings,
    /// Of the node lifecycle controller.
    pub nodes: node_lifecycle::Settings,
    /// Of the controllers of volumes.
    pub volumes: persistent_volume::Settings,
    /// Of the controllers of ReplicaSets and ReplicationControllers.
    pub sets: replica_set::Rules,
    /// Of the pod garbage collector.
    pub pod_gc: pod_gc::Settings,
    /// Whether `maxUnavailable` of StatefulSets counts.
    pub max_unavailable: MaxUnavailable,
    /// What the clocks of the run show.
    pub calendar: cron_job::Calendar,
    /// Of the HorizontalPodAutoscaler controller.
    pub autoscalers: decide::Rules,
}
