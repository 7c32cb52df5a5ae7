//! A Scenario as written: every field of the schema, each optional, none judged.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Taint;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::values::{Span, Word, WrittenDelay};

/// The document.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Scenario {
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub api_version: Option<String>,
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub kind: Option<String>,
    pub metadata: Option<Metadata>,
    pub spec: Option<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: Option<String>,
    #[allow(dead_code, reason = "kept in the inputs, plays no part")]
    pub labels: Option<BTreeMap<String, String>>,
    #[allow(dead_code, reason = "kept in the inputs, plays no part")]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub seed: Option<u64>,
    pub epoch: Option<String>,
    pub duration: Option<Span>,
    pub cluster: Option<Cluster>,
    pub apps: Option<Vec<App>>,
    pub traffic: Option<Vec<Traffic>>,
    pub metrics: Option<Metrics>,
    pub timeline: Option<Vec<Step>>,
    pub expect: Option<Vec<Expect>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Cluster {
    pub nodes: Option<Vec<NodeGroup>>,
    pub node_groups: Option<Vec<LentGroup>>,
    pub autoscaler: Option<Autoscaler>,
    pub control_plane: Option<ControlPlane>,
    pub clients: Option<Clients>,
    pub fidelity: Option<String>,
    pub feature_gates: Option<BTreeMap<String, bool>>,
    pub admission_plugins: Option<Vec<String>>,
    pub ip_families: Option<Vec<String>>,
    pub kubelet: Option<Kubelet>,
    pub profile: Option<String>,
    pub from: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metrics {
    #[allow(dead_code, reason = "read from the document itself: a word or an object")]
    pub server: Option<IgnoredAny>,
    pub series: Option<Vec<Series>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MetricsServer {
    pub period: Option<Span>,
    pub delay: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Series {
    pub name: Option<String>,
    pub usage: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub pods: Option<SeriesPods>,
    pub object: Option<String>,
    pub shared: Option<bool>,
    pub every: Option<Span>,
    #[allow(dead_code, reason = "read from the document itself")]
    pub value: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SeriesPods {
    pub namespace: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kubelet {
    pub shutdown_grace_period: Option<Span>,
    pub shutdown_grace_period_critical_pods: Option<Span>,
    pub crash_loop_back_off: Option<CrashLoopBackOff>,
    pub serialize_image_pulls: Option<bool>,
    pub max_parallel_image_pulls: Option<u32>,
    #[serde(rename = "registryPullQPS")]
    pub registry_pull_qps: Option<u32>,
    pub registry_burst: Option<u32>,
    #[serde(rename = "imageGCHighThresholdPercent")]
    pub image_gc_high: Option<i64>,
    #[serde(rename = "imageGCLowThresholdPercent")]
    pub image_gc_low: Option<i64>,
    #[serde(rename = "imageMinimumGCAge")]
    pub image_min_age: Option<Span>,
    #[serde(rename = "imageMaximumGCAge")]
    pub image_max_age: Option<Span>,
    pub eviction_hard: Option<BTreeMap<String, String>>,
    pub eviction_soft: Option<BTreeMap<String, String>>,
    pub eviction_soft_grace_period: Option<BTreeMap<String, String>>,
    pub eviction_minimum_reclaim: Option<BTreeMap<String, String>>,
    pub eviction_max_pod_grace_period: Option<u32>,
    pub eviction_pressure_transition_period: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CrashLoopBackOff {
    pub max_container_restart_period: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeGroup {
    pub name: Option<Word>,
    pub count: Option<u32>,
    pub zone: Option<Word>,
    pub capacity: Option<BTreeMap<String, Quantity>>,
    pub labels: Option<BTreeMap<String, String>>,
    pub taints: Option<Vec<Taint>>,
    #[allow(dead_code, reason = "objects, read from the document itself")]
    pub static_pods: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LentGroup {
    pub name: Option<Word>,
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub count: Option<u32>,
    pub zone: Option<Word>,
    pub capacity: Option<BTreeMap<String, Quantity>>,
    pub labels: Option<BTreeMap<String, String>>,
    pub taints: Option<Vec<Taint>>,
    pub boot_time: Option<WrittenDelay>,
    pub price: Option<f64>,
    pub priority: Option<i32>,
    pub zero_or_max: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Autoscaler {
    pub expander: Option<String>,
    pub scan_interval: Option<Span>,
    pub balance_similar_node_groups: Option<bool>,
    pub balancing_labels: Option<Vec<String>>,
    pub max_nodes_total: Option<u32>,
    pub max_node_provision_time: Option<Span>,
    pub scale_down_unneeded_time: Option<Span>,
    pub scale_down_unready_time: Option<Span>,
    pub scale_down_utilization_threshold: Option<f64>,
    pub scale_down_delay_after_add: Option<Span>,
    pub scale_down_delay_after_delete: Option<Span>,
    pub scale_down_delay_after_failure: Option<Span>,
    pub max_scale_down_parallelism: Option<u32>,
    pub max_drain_parallelism: Option<u32>,
    pub max_graceful_termination: Option<Span>,
    pub max_pod_eviction_time: Option<Span>,
    pub skip_nodes_with_system_pods: Option<bool>,
    pub skip_nodes_with_local_storage: Option<bool>,
    pub initial_node_group_backoff: Option<Span>,
    pub max_node_group_backoff: Option<Span>,
    pub node_group_backoff_reset: Option<Span>,
    pub expendable_pods_priority_cutoff: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ControlPlane {
    pub masters: Option<u16>,
    pub api_servers: Option<u16>,
    pub etcd: Option<u16>,
    pub schedulers: Option<u16>,
    pub controller_managers: Option<u16>,
    pub api_server_cores: Option<u16>,
    #[allow(dead_code, reason = "objects, read from the document itself")]
    pub static_pods: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Clients {
    pub controllers: Option<Limit>,
    pub scheduler: Option<Limit>,
    pub kubelets: Option<Limit>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Limit {
    pub qps: Option<u32>,
    pub burst: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct App {
    #[serde(rename = "match")]
    pub matches: Option<Match>,
    pub start: Option<WrittenDelay>,
    pub ready: Option<WrittenDelay>,
    pub hang: Option<WrittenDelay>,
    pub stop: Option<WrittenDelay>,
    pub run: Option<Run>,
    pub service: Option<AppService>,
    /// Read from the document itself: an amount or an object each.
    pub usage: Option<IgnoredAny>,
    pub crash: Option<Crash>,
    pub oom: Option<Oom>,
    pub warm_up: Option<WarmUp>,
    pub post_start: Option<Hook>,
    pub pre_stop: Option<Hook>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Hook {
    #[serde(rename = "for")]
    pub lasts: Option<WrittenDelay>,
    pub exit: Option<u8>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Crash {
    pub after: Option<WrittenDelay>,
    pub probability: Option<f64>,
    pub per_request: Option<f64>,
    pub exit: Option<u8>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Oom {
    pub exit: Option<u8>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WarmUp {
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    pub slower: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Match {
    pub image: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub container: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Run {
    #[serde(rename = "for")]
    pub lasts: Option<WrittenDelay>,
    pub exit: Option<u8>,
    pub exit_by_index: Option<BTreeMap<String, u8>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AppService {
    pub workers: Option<u32>,
    pub time: Option<WrittenDelay>,
    pub errors: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Traffic {
    pub name: Option<String>,
    #[allow(dead_code, reason = "a text or an object: read from the document itself")]
    pub from: Option<IgnoredAny>,
    pub to: Option<String>,
    pub rate: Option<String>,
    pub arrivals: Option<String>,
    pub timeout: Option<Span>,
    pub start: Option<Span>,
    pub until: Option<Span>,
    pub connections: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Expect {
    pub name: Option<String>,
    pub eventually: Option<String>,
    pub always: Option<String>,
    pub never: Option<String>,
    pub at_end: Option<String>,
    pub of: Option<String>,
    pub after: Option<Span>,
    pub within: Option<Span>,
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
}

/// A step: `at`, `name`, and exactly one verb with what belongs to it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Step {
    pub at: Option<Span>,
    pub name: Option<String>,
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    pub fault: Option<String>,
    #[allow(dead_code, reason = "looked at where it stands, for it has many forms")]
    pub target: Option<IgnoredAny>,
    pub from: Option<IgnoredAny>,
    pub apply: Option<IgnoredAny>,
    pub delete: Option<String>,
    pub scale: Option<String>,
    pub replicas: Option<i32>,
    pub set_image: Option<String>,
    pub container: Option<String>,
    pub image: Option<String>,
    pub patch: Option<String>,
    pub subresource: Option<String>,
    #[serde(rename = "type")]
    pub patch_type: Option<String>,
    pub undo: Option<String>,
    pub to_revision: Option<i64>,
    pub pause: Option<String>,
    pub resume: Option<String>,
    pub restart: Option<String>,
    pub cordon: Option<String>,
    pub uncordon: Option<String>,
    pub drain: Option<String>,
    pub evict: Option<String>,
    pub label: Option<String>,
    pub annotate: Option<String>,
    pub taint: Option<String>,
    #[allow(dead_code, reason = "looked at where it stands, for it has many forms")]
    pub with: Option<IgnoredAny>,
    pub cascade: Option<String>,
    pub direction: Option<String>,
    pub delay: Option<WrittenDelay>,
    pub jitter: Option<Span>,
    pub probability: Option<f64>,
    pub exit: Option<u8>,
}
