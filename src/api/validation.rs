//! The API server's checks on an object, with its field paths and its words.
mod absent;
pub mod address;
pub mod affinity;
mod amounts;
pub mod autoscaling;
pub mod batch;
pub mod config;
mod containers;
pub mod endpoints;
mod env;
pub mod field;
pub mod gates;
pub mod labels;
pub mod lease;
pub mod meta;
mod mounts;
pub mod names;
pub mod namespace;
pub mod node;
pub mod object;
mod paths;
pub mod pod;
pub mod pod_annotations;
pub mod pod_resize;
pub mod pod_update;
pub mod policy;
pub mod priority_class;
pub mod probes;
mod projected;
pub mod quota_limits;
mod resource_names;
pub mod resources;
mod scalar;
mod security;
mod selector;
pub mod service;
pub mod storage;
pub mod storage_class;
mod volume_drivers;
mod volume_sources;
mod volumes;
pub mod workloads;

use field::{Errors, Path};

/// Where a pod spec stands: a template may leave open what a pod must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// In a pod.
    Pod,
    /// In the template of a workload.
    Template,
}

fn validate_pull_policy(policy: &str, path: &Path<'_>, errors: &mut Errors) {
    match policy {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => errors.required(path, ""),
        other => errors.not_supported(path, other, &["Always", "IfNotPresent", "Never"]),
    }
}
