//! A KubeSchedulerConfiguration as written: every field of `kubescheduler.config.k8s.io/v1` (1.36),
//! each optional, none judged.

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Configuration {
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub api_version: Option<String>,
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub kind: Option<String>,
    pub profiles: Vec<Profile>,
    pub percentage_of_nodes_to_score: Option<i32>,
    pub pod_initial_backoff_seconds: Option<i64>,
    pub pod_max_backoff_seconds: Option<i64>,
    pub parallelism: Option<i32>,
    pub leader_election: Option<LeaderElection>,
    pub client_connection: Option<ClientConnection>,
    pub extenders: Vec<Extender>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub enable_profiling: Option<bool>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub enable_contention_profiling: Option<bool>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub delay_cache_until_active: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LeaderElection {
    pub leader_elect: Option<bool>,
    pub resource_lock: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub lease_duration: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub renew_deadline: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub retry_period: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub resource_name: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub resource_namespace: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientConnection {
    pub qps: Option<f64>,
    pub burst: Option<i32>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub kubeconfig: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub accept_content_types: Option<String>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    pub content_type: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Extender {
    pub prioritize_verb: String,
    pub bind_verb: String,
    pub weight: i64,
    pub managed_resources: Vec<ManagedResource>,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub url_prefix: String,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub filter_verb: String,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub preempt_verb: String,
    #[allow(dead_code, reason = "extenders are not asked")]
    #[serde(rename = "enableHTTPS")]
    pub enable_https: bool,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub tls_config: Option<IgnoredAny>,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub http_timeout: Option<IgnoredAny>,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub node_cache_capable: bool,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub ignorable: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ManagedResource {
    pub name: String,
    #[allow(dead_code, reason = "extenders are not asked")]
    pub ignored_by_scheduler: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Profile {
    pub scheduler_name: Option<String>,
    pub percentage_of_nodes_to_score: Option<i32>,
    pub plugins: Option<Plugins>,
    pub plugin_config: Vec<PluginConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Plugins {
    pub multi_point: PluginSet,
    pub pre_enqueue: PluginSet,
    pub queue_sort: PluginSet,
    pub pre_filter: PluginSet,
    pub filter: PluginSet,
    pub post_filter: PluginSet,
    pub pre_score: PluginSet,
    pub score: PluginSet,
    pub reserve: PluginSet,
    pub permit: PluginSet,
    pub pre_bind: PluginSet,
    pub bind: PluginSet,
    pub post_bind: PluginSet,
}

#[derive(Deserialize, Default, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PluginSet {
    pub enabled: Vec<Plugin>,
    pub disabled: Vec<Plugin>,
}

#[derive(Deserialize, Default, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Plugin {
    pub name: String,
    pub weight: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PluginConfig {
    pub name: String,
    #[allow(dead_code, reason = "read as the plugin's own type")]
    pub args: Option<IgnoredAny>,
}
