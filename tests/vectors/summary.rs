//! The one table of all tables: how many cases each file has, how many came out equal, and why which
//! were left out.

use std::path::Path;

use super::suite::rows;
use super::*;

/// The files and what asks them.
const TABLES: &[(&str, fn())] = &[
    ("admission_defaults", admission_defaults::admission_defaults),
    ("backoff", kubelet::backoff),
    ("cluster_autoscaler", cluster_autoscaler::cluster_autoscaler),
    ("controller_pod_ranking", pod_ranking::controller_pod_ranking),
    ("cron_schedule", cron_schedule::schedules_fire_when_the_library_says),
    ("cronjob", cron_job::cron_jobs_are_kubernetes_own),
    ("daemonset", daemon_set::daemonset_json),
    ("deployment_history_cleanup", deployment::history_is_cleaned_as_kubernetes_does),
    ("deployment_progress", deployment::progress_is_judged_as_kubernetes_does),
    ("deployment_rolling", deployment::rolling_steps_are_kubernetes_own),
    ("deployment_scale_proportional", deployment::scaling_is_in_kubernetes_own_proportion),
    ("deployment_util", deployment::arithmetic_is_kubernetes_own),
    ("disruption_pdb", disruption::disruption),
    ("endpointslice", endpoint_slice::endpoint_slice_tables),
    ("hpa_behavior", hpa_behavior::hpa_behavior),
    ("hpa_reconcile", hpa_behavior::hpa_reconcile),
    ("hpa_replica_calculator", hpa_calculator::hpa_replica_calculator),
    ("intstr", int_or_percent::amounts_are_kubernetes_own),
    ("job_backoff_indexes", job_rules::backoff_and_indexes_are_kubernetes_own),
    ("job_failure_success_policy", job_rules::failure_and_success_policies_are_kubernetes_own),
    ("job_sync", job_sync::one_sync_of_a_job_is_kubernetes_own),
    ("kube_proxy", kube_proxy::kube_proxy),
    ("kubectl_get_columns", kubectl_get::kubectl_get_columns),
    ("kubelet_eviction", eviction::thresholds_are_read_met_and_held_as_in_the_kubelet),
    ("kubelet_eviction_ranking", eviction::victims_go_in_the_kubelets_order),
    ("kubelet_misc", kubelet::kubelet_misc),
    ("kubelet_pod_phase", kubelet::kubelet_pod_phase),
    ("kubelet_pod_status", kubelet::kubelet_pod_conditions),
    ("labels_selector", labels_selector::labels_selector),
    ("limitranger", limit_ranger::pods_and_claims_are_let_in_as_upstream_lets_them_in),
    ("names_validation", names::names),
    ("node_lifecycle", node_lifecycle::node_lifecycle),
    ("node_selector_match", node_selector_match::node_selector_match),
    ("node_util", node_util::node_util),
    ("object_defaults", object_defaults::what_is_left_out_is_filled_in),
    ("objectmeta", objectmeta::objectmeta),
    ("oom_score_adj", eviction::oom_scores_are_the_kubelets),
    ("pod_admission", pod_admission::pod_admission),
    ("pod_resource_requests", pod_resources::pod_resource_requests),
    ("pod_util", pod_util::pod_util),
    ("qos", pod_resources::qos),
    ("quantity", quantity::quantity),
    ("replicaset", replica_set::replica_set_tables),
    ("resourcequota", quota::quotas_are_counted_and_kept_as_upstream_does),
    ("scheduler_feasible_nodes", scheduler_feasible_nodes::scheduler_feasible_nodes),
    ("scheduler_filters", scheduler_filters::scheduler_filters),
    ("scheduler_interpod_affinity", scheduler_interpod_affinity::scheduler_interpod_affinity),
    ("scheduler_preemption", scheduler_preemption::scheduler_preemption),
    ("scheduler_queue", scheduler_queue::scheduler_queue),
    ("scheduler_schedule_pod", scheduler_schedule_pod::scheduler_schedule_pod),
    ("scheduler_scores", scheduler_scores::scheduler_scores),
    ("scheduler_topology_spread", scheduler_topology_spread::scheduler_topology_spread),
    ("statefulset", stateful_set::statefulset_json),
    ("taint_eviction", taint_eviction::taint_eviction),
    ("taints_tolerations", taints_tolerations::taints_tolerations),
    ("ttl_podgc", pod_gc::ttl_podgc),
    (
        "validation_batch_autoscaling_policy",
        validation_batch::small_kinds_are_checked_as_by_the_api_server,
    ),
    ("validation_containers", containers::validation_containers),
    (
        "validation_namespace_quota_node",
        validation_cluster::limits_and_nodes_are_checked_as_by_the_api_server,
    ),
    ("validation_pod", pod::validation_pod),
    ("validation_service", validation_service::services_are_checked_as_by_the_api_server),
    ("validation_workloads", validation_workloads::workloads_are_checked_as_by_the_api_server),
];

/// Files of tables in a folder, by name.
fn files(folder: &str) -> Vec<String> {
    let entries = Path::new(folder).read_dir().expect("a folder of tables");
    let names = entries.filter_map(|entry| entry.expect("an entry").file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
#[expect(clippy::print_stdout, reason = "a table for people")]
fn every_file_is_asked_and_all_that_is_asked_is_equal() {
    let listed: Vec<&str> = TABLES.iter().map(|(file, _)| *file).collect();
    assert_eq!(files(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vectors")), listed);
    let mut lines = Vec::new();
    let mut sums = [0; 3];
    for (file, ask) in TABLES {
        let all = rows(ask);
        let (mut counts, mut why) = ([0; 3], String::new());
        for row in &all {
            counts[0] += row.cases;
            counts[1] += row.tally.equal;
            for (reason, count) in &row.tally.excluded {
                counts[2] += count;
                why += &format!("\n{:48}{count:>5}  {reason}", "");
            }
        }
        let [cases, equal, excluded] = counts;
        assert_eq!(cases, equal + excluded, "{file}: all that is asked is equal");
        lines.push(format!("{file:36}{cases:>6}{equal:>6}{excluded:>5}{why}"));
        (0..3).for_each(|at| sums[at] += counts[at]);
    }
    println!("{:36}{:>6}{:>6}{:>5}", "file", "cases", "equal", "left out, and why");
    println!("{}\n{:36}{:>6}{:>6}{:>5}", lines.join("\n"), "all", sums[0], sums[1], sums[2]);
}
