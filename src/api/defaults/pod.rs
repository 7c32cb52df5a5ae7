//! Defaults of pods and of the pod specs inside workloads.
//!
//! Follows `pkg/apis/core/v1/defaults.go` and the declared defaults of `k8s.io/api/core/v1` of 1.36,
//! and, for pods alone, `PrepareForCreate` of `pkg/registry/core/pod`. Setting defaults twice
//! changes nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, EphemeralContainer, HTTPGetAction, Lifecycle, ObjectFieldSelector, Pod,
    PodAffinityTerm, PodSpec, Probe, ResourceRequirements, Volume, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::api::quantity::Quantity;
use crate::api::rules::resources::{
    Amounts, SumRules, container_limits, container_requests, is_huge_pages, is_overcommit_allowed,
    is_pod_level_resource,
};

/// Seconds a pod gets to stop by itself.
const GRACE_SECONDS: i64 = 30;
/// Permissions of projected files (0644 octal).
const FILE_MODE: i32 = 0o644;
/// Seconds a projected account token lives.
const TOKEN_SECONDS: i64 = 3600;

type Listed = BTreeMap<String, Written>;

fn fill(value: &mut Option<String>, default: &str) {
    if value.as_deref().unwrap_or("").is_empty() {
        *value = Some(default.to_owned());
    }
}

fn fill_number(value: &mut Option<i32>, default: i32) {
    if value.unwrap_or(0) == 0 {
        *value = Some(default);
    }
}

/// A pod: what only pods get (requests from limits, host ports), then its spec.
pub fn default_pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        if let Some(resources) = &mut container.resources {
            requests_from_limits(resources);
        }
    }
    default_pod_level(spec);
    spec.enable_service_links.get_or_insert(true);
    if spec.host_network == Some(true) {
        let init = spec.init_containers.iter_mut().flatten();
        for container in spec.containers.iter_mut().chain(init) {
            for port in container.ports.iter_mut().flatten() {
                if port.host_port.unwrap_or(0) == 0 {
                    port.host_port = Some(port.container_port);
                }
            }
        }
    }
    default_pod_spec(spec);
    merge_match_label_keys(pod);
}

fn requests_from_limits(resources: &mut ResourceRequirements) {
    let Some(limits) = &resources.limits else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, limit) in limits {
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
    if requests.is_empty() {
        resources.requests = None;
    }
}

fn any_pod_level(list: &Option<Listed>) -> bool {
    list.iter().flatten().any(|(name, _)| is_pod_level_resource(name))
}

fn set_missing(list: &mut Option<Listed>, amounts: Amounts) {
    for (name, amount) in amounts {
        list.get_or_insert_default().entry(name).or_insert_with(|| amount.written());
    }
}

/// Pod-level resources that are given in part are completed from the containers' sums.
fn default_pod_level(spec: &mut PodSpec) {
    let Some(mut resources) = spec.resources.take() else { return };
    let empty = |list: &Option<Listed>| list.as_ref().is_none_or(BTreeMap::is_empty);
    if !empty(&resources.limits) || !empty(&resources.requests) {
        let mut pages = container_limits(spec, None, SumRules::default());
        let requests = resources.requests.clone().unwrap_or_default();
        pages.retain(|name, _| is_huge_pages(name) && !requests.contains_key(name));
        set_missing(&mut resources.limits, pages);
    }
    if let Some(limits) = resources.limits.clone().filter(|limits| !limits.is_empty()) {
        let mut sums = container_requests(spec, None, SumRules::default());
        sums.retain(|name, _| is_pod_level_resource(name) && is_overcommit_allowed(name));
        set_missing(&mut resources.requests, sums);
        for (name, limit) in limits.into_iter().filter(|(name, _)| is_pod_level_resource(name)) {
            resources.requests.get_or_insert_default().entry(name).or_insert(limit);
        }
    }
    if !any_pod_level(&resources.limits) && any_pod_level(&resources.requests) {
        let mut sums = container_limits(spec, None, SumRules::default());
        let bounded = |name: &String| {
            let init = spec.init_containers.iter().flatten();
            spec.containers.iter().chain(init).all(|container| {
                let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
                limits.is_some_and(|limits| limits.contains_key(name))
            })
        };
        sums.retain(|name, _| {
            is_pod_level_resource(name) && is_overcommit_allowed(name) && bounded(name)
        });
        set_missing(&mut resources.limits, sums);
    }
    spec.resources = Some(resources);
}

/// A pod spec, of a pod or in a template.
pub fn default_pod_spec(spec: &mut PodSpec) {
    fill(&mut spec.dns_policy, "ClusterFirst");
    fill(&mut spec.restart_policy, "Always");
    fill(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(GRACE_SECONDS);
    default_account(spec);
    for volume in spec.volumes.iter_mut().flatten() {
        default_volume(volume);
    }
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        default_container(container);
    }
    for container in spec.ephemeral_containers.iter_mut().flatten() {
        default_ephemeral_container(container);
    }
    if let Some(overhead) = &mut spec.overhead {
        round_up(overhead);
    }
    if let Some(resources) = &mut spec.resources {
        round_requirements(resources);
    }
}

/// The account's old field and its new one say the same.
fn default_account(spec: &mut PodSpec) {
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let account = named(&spec.service_account_name).or_else(|| named(&spec.service_account));
    if account.is_some() {
        spec.service_account_name.clone_from(&account);
        spec.service_account = account;
    }
}

fn default_container(container: &mut Container) {
    let image = container.image.as_deref().unwrap_or("");
    fill(&mut container.image_pull_policy, pull_policy(image));
    fill(&mut container.termination_message_path, "/dev/termination-log");
    fill(&mut container.termination_message_policy, "File");
    for port in container.ports.iter_mut().flatten() {
        fill(&mut port.protocol, "TCP");
    }
    for variable in container.env.iter_mut().flatten() {
        let source = variable.value_from.as_mut();
        if let Some(field) = source.and_then(|source| source.field_ref.as_mut()) {
            default_field(field);
        }
    }
    if let Some(resources) = &mut container.resources {
        round_requirements(resources);
    }
    if let Some(context) = &mut container.security_context
        && context.proc_mount.as_deref() == Some("")
    {
        context.proc_mount = Some("Default".to_owned());
    }
    default_hooks_and_probes(
        &mut container.lifecycle,
        [
            &mut container.liveness_probe,
            &mut container.readiness_probe,
            &mut container.startup_probe,
        ],
    );
}

fn default_ephemeral_container(container: &mut EphemeralContainer) {
    let image = container.image.as_deref().unwrap_or("");
    fill(&mut container.image_pull_policy, pull_policy(image));
    fill(&mut container.termination_message_path, "/dev/termination-log");
    fill(&mut container.termination_message_policy, "File");
    for variable in container.env.iter_mut().flatten() {
        let source = variable.value_from.as_mut();
        if let Some(field) = source.and_then(|source| source.field_ref.as_mut()) {
            default_field(field);
        }
    }
}

/// An image that is, or may be, the latest is always pulled.
fn pull_policy(image: &str) -> &'static str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let last = name.rsplit('/').next().unwrap_or("");
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let latest = match tag {
        Some(tag) => tag == "latest",
        None => !image.contains('@') && !image.is_empty(),
    };
    if latest { "Always" } else { "IfNotPresent" }
}

fn default_hooks_and_probes(lifecycle: &mut Option<Lifecycle>, probes: [&mut Option<Probe>; 3]) {
    if let Some(lifecycle) = lifecycle {
        let hooks = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
        for http in hooks.into_iter().flatten().filter_map(|hook| hook.http_get.as_mut()) {
            default_http(http);
        }
    }
    for probe in probes.into_iter().flatten() {
        fill_number(&mut probe.timeout_seconds, 1);
        fill_number(&mut probe.period_seconds, 10);
        fill_number(&mut probe.success_threshold, 1);
        fill_number(&mut probe.failure_threshold, 3);
        if let Some(http) = &mut probe.http_get {
            default_http(http);
        }
        if let Some(grpc) = &mut probe.grpc {
            grpc.service.get_or_insert_default();
        }
    }
}

fn default_http(http: &mut HTTPGetAction) {
    fill(&mut http.path, "/");
    fill(&mut http.scheme, "HTTP");
}

fn default_field(field: &mut ObjectFieldSelector) {
    fill(&mut field.api_version, "v1");
}

fn round_requirements(resources: &mut ResourceRequirements) {
    for list in [&mut resources.limits, &mut resources.requests].into_iter().flatten() {
        round_up(list);
    }
}

/// Amounts are kept to the thousandth, rounded up, and written canonically; what is no amount is
/// left for validation to refuse.
fn round_up(list: &mut Listed) {
    for written in list.values_mut() {
        if let Ok(amount) = Quantity::of(written) {
            *written = amount.round_up(-3).0.written();
        }
    }
}

fn default_volume(volume: &mut Volume) {
    let named = Volume { name: volume.name.clone(), ..Volume::default() };
    if *volume == named {
        volume.empty_dir = Some(Default::default());
        return;
    }
    if let Some(image) = &mut volume.image {
        let reference = image.reference.as_deref().unwrap_or("");
        fill(&mut image.pull_policy, pull_policy(reference));
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        for file in source.items.iter_mut().flatten() {
            file.field_ref.iter_mut().for_each(default_field);
        }
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        source.sources.iter_mut().flatten().for_each(default_projection);
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut volume.ephemeral
        && let Some(template) = &mut source.volume_claim_template
    {
        template.spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    }
    default_driver(volume);
}

fn default_projection(source: &mut VolumeProjection) {
    if let Some(token) = &mut source.service_account_token {
        token.expiration_seconds.get_or_insert(TOKEN_SECONDS);
    }
    if let Some(downward) = &mut source.downward_api {
        for file in downward.items.iter_mut().flatten() {
            file.field_ref.iter_mut().for_each(default_field);
        }
    }
}

fn default_driver(volume: &mut Volume) {
    if let Some(source) = &mut volume.iscsi {
        fill(&mut source.iscsi_interface, "default");
    }
    if let Some(source) = &mut volume.rbd {
        fill(&mut source.pool, "rbd");
        fill(&mut source.user, "admin");
        fill(&mut source.keyring, "/etc/ceph/keyring");
    }
    if let Some(source) = &mut volume.azure_disk {
        source.caching_mode.get_or_insert_with(|| "ReadWrite".to_owned());
        source.kind.get_or_insert_with(|| "Shared".to_owned());
        source.fs_type.get_or_insert_with(|| "ext4".to_owned());
        source.read_only.get_or_insert(false);
    }
    if let Some(source) = &mut volume.scale_io {
        fill(&mut source.storage_mode, "ThinProvisioned");
        fill(&mut source.fs_type, "xfs");
    }
}

/// Label keys whose values come from the pod itself become requirements of the selectors, as the
/// API server writes them into a new pod. Already merged keys are left alone.
fn merge_match_label_keys(pod: &mut Pod) {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let Some(spec) = &mut pod.spec else { return };
    if let Some(affinity) = &mut spec.affinity {
        for term in affinity_terms(affinity) {
            let Some(selector) = &mut term.label_selector else { continue };
            merge(selector, term.match_label_keys.iter().flatten(), "In", &labels);
            merge(selector, term.mismatch_label_keys.iter().flatten(), "NotIn", &labels);
        }
    }
    for constraint in spec.topology_spread_constraints.iter_mut().flatten() {
        let Some(selector) = &mut constraint.label_selector else { continue };
        merge(selector, constraint.match_label_keys.iter().flatten(), "In", &labels);
    }
}

fn affinity_terms(affinity: &mut Affinity) -> impl Iterator<Item = &mut PodAffinityTerm> {
    let attraction = affinity.pod_affinity.iter_mut().flat_map(|affinity| {
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution.iter_mut();
        let preferred = preferred.flatten().map(|weighted| &mut weighted.pod_affinity_term);
        let required = affinity.required_during_scheduling_ignored_during_execution.iter_mut();
        required.flatten().chain(preferred)
    });
    let repulsion = affinity.pod_anti_affinity.iter_mut().flat_map(|affinity| {
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution.iter_mut();
        let preferred = preferred.flatten().map(|weighted| &mut weighted.pod_affinity_term);
        let required = affinity.required_during_scheduling_ignored_during_execution.iter_mut();
        required.flatten().chain(preferred)
    });
    attraction.chain(repulsion)
}

fn merge<'a>(
    selector: &mut LabelSelector,
    keys: impl Iterator<Item = &'a String>,
    operator: &str,
    labels: &BTreeMap<String, String>,
) {
    for key in keys {
        let Some(value) = labels.get(key) else { continue };
        let requirement = LabelSelectorRequirement {
            key: key.clone(),
            operator: operator.to_owned(),
            values: Some(vec![value.clone()]),
        };
        let expressions = selector.match_expressions.get_or_insert_default();
        if !expressions.contains(&requirement) {
            expressions.push(requirement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::validation::field::Errors;
    use crate::api::validation::pod::validate_pod;

    #[test]
    fn the_latest_image_is_always_pulled() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("localhost:5000/nginx", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("nginx@sha256:0", "IfNotPresent"),
            ("localhost:5000/nginx:1", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }

    #[test]
    fn a_short_pod_is_valid_once_its_defaults_are_set_and_they_are_set_once() {
        let mut pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "d", "labels": {"app": "a"}},
            "spec": {
                "hostNetwork": true,
                "containers": [{
                    "name": "c", "image": "i", "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": "0.0001"}},
                    "readinessProbe": {"httpGet": {"port": 80}},
                }],
                "volumes": [{"name": "v"}],
                "topologySpreadConstraints": [{
                    "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {}, "matchLabelKeys": ["app"],
                }],
            },
        }))
        .expect("a pod");
        default_pod(&mut pod);
        let mut errors = Errors::new();
        validate_pod(&pod, &mut errors);
        assert_eq!(errors.list(), []);
        let once = pod.clone();
        default_pod(&mut pod);
        assert_eq!(pod, once);
        let spec = once.spec.expect("a spec");
        let requests = spec.containers[0].resources.clone().and_then(|r| r.requests);
        assert_eq!(requests.expect("requests")["cpu"].0, "1m");
        assert_eq!(spec.containers[0].ports.as_ref().expect("ports")[0].host_port, Some(80));
    }
}
