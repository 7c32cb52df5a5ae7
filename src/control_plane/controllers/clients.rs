//! Through which clients the controllers of a manager ask the API server.

use crate::messages::ClientId;

/// The clients of a manager, one a controller. Upstream's limits are 20/s with a burst of 30 each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clients {
    /// Of the Deployment controller.
    pub deployments: ClientId,
    /// Of the ReplicaSet controller.
    pub replica_sets: ClientId,
    /// Of the ReplicationController controller.
    pub replication_controllers: ClientId,
    /// Of the StatefulSet controller.
    pub stateful_sets: ClientId,
    /// Of the DaemonSet controller.
    pub daemon_sets: ClientId,
    /// Of the EndpointSlice controller.
    pub endpoint_slices: ClientId,
    /// Of the endpoints controller.
    pub endpoints: ClientId,
    /// Of the node lifecycle controller.
    pub nodes: ClientId,
    /// Of the controller of the nodes' TTL annotation.
    pub node_ttl: ClientId,
    /// Of the taint eviction controller.
    pub taints: ClientId,
    /// Of the garbage collector.
    pub garbage: ClientId,
    /// Of the pod garbage collector.
    pub pod_garbage: ClientId,
    /// Of the namespace controller; upstream gives it 20 times the rate and 100 times the burst.
    pub namespaces: ClientId,
    /// Of the controllers of volumes.
    pub volumes: ClientId,
    /// Of the controller of claims in use.
    pub claim_protection: ClientId,
    /// Of the controller of bound volumes.
    pub volume_protection: ClientId,
    /// Of the Job controller.
    pub jobs: ClientId,
    /// Of the CronJob controller.
    pub cron_jobs: ClientId,
    /// Of the TTL-after-finished controller.
    pub ttl_after_finished: ClientId,
    /// Of the disruption controller.
    pub disruptions: ClientId,
    /// Of the cluster autoscaler.
    pub autoscaler: ClientId,
    /// Of the resource quota controller.
    pub resource_quotas: ClientId,
    /// Of the HorizontalPodAutoscaler controller.
    pub autoscalers: ClientId,
    /// Of the VerticalPodAutoscaler's recommender.
    pub verticals: ClientId,
    /// Of its updater.
    pub vertical_updates: ClientId,
}
