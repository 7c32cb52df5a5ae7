//! Kubernetes' own unit-test tables, as data under `tests/data/vectors/`, asked of our rules.
//!
//! Each table prints how many cases it has, how many answers were equal, and what was left out and
//! why. The data names its source; the API objects in it have the names of the internal types.

#[path = "common/cases.rs"]
mod cases;

mod vectors {
    pub mod admission_defaults;
    pub mod api_server;
    pub mod cluster_autoscaler;
    pub mod containers;
    pub mod cron_job;
    pub mod cron_schedule;
    pub mod daemon_set;
    pub mod deployment;
    pub mod disruption;
    pub mod endpoint_hints;
    pub mod endpoint_slice;
    pub mod eviction;
    pub mod hpa_behavior;
    pub mod hpa_calculator;
    pub mod int_or_percent;
    pub mod job_rules;
    pub mod job_sync;
    pub mod jobs;
    pub mod kube_proxy;
    pub mod kubectl_get;
    pub mod kubelet;
    pub mod labels_selector;
    pub mod limit_ranger;
    pub mod names;
    pub mod node_lifecycle;
    pub mod node_selector_match;
    pub mod node_util;
    pub mod object_defaults;
    pub mod objectmeta;
    pub mod objects;
    pub mod pod;
    pub mod pod_admission;
    pub mod pod_gc;
    pub mod pod_ranking;
    pub mod pod_resources;
    pub mod pod_util;
    pub mod quantity;
    pub mod quota;
    pub mod replica_set;
    pub mod rig;
    pub mod scheduler_cases;
    pub mod scheduler_feasible_nodes;
    pub mod scheduler_filters;
    pub mod scheduler_interpod_affinity;
    pub mod scheduler_preemption;
    pub mod scheduler_queue;
    pub mod scheduler_schedule_pod;
    pub mod scheduler_scores;
    pub mod scheduler_topology_spread;
    pub mod scheduling;
    pub mod stateful_set;
    pub mod suite;
    pub mod summary;
    pub mod table;
    pub mod taint_eviction;
    pub mod taints_tolerations;
    pub mod validation_batch;
    pub mod validation_cluster;
    pub mod validation_service;
    pub mod validation_workloads;
}
