//! Pods and pod templates.
//!
//! Owns the pod as a whole; its parts are checked in the modules beside it. Follows
//! `ValidatePodCreate`, `ValidatePodTemplateSpec` and `ValidatePodSpec` of
//! `pkg/apis/core/validation` 1.36. Objects come with the API server's defaults already set
//! (`api/defaults`): what defaulting fills in is required here.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Container, HostAlias, Pod, PodDNSConfig, PodResourceClaim, PodSchedulingGate, PodSpec,
    PodTemplateSpec, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Embedding;
use super::absent::{items, text};
use super::address::check_ip;
use super::affinity::{validate_affinity, validate_spread_constraints, validate_tolerations};
use super::containers::{
    Surroundings, as_container, validate_containers, validate_ephemeral_containers,
    validate_image_padding, validate_init_containers,
};
use super::field::{Errors, Path};
use super::labels::validate_labels;
use super::meta::{Scope, shown_strings, validate_annotations, validate_object_meta};
use super::names::{
    inclusive_range, is_dns1123_label, is_dns1123_subdomain, is_dns1123_subdomain_with_underscore,
    is_qualified_name, subdomain_name,
};
use super::pod_annotations::{MIRROR, validate_agreement, validate_pod_annotations};
use super::resources::{Holder, validate_pod_level, validate_requirements};
use super::security::{
    HostUsers, validate_host_name, validate_host_process, validate_host_users, validate_os,
    validate_pod_security, validate_shared_processes,
};
use super::volumes::validate_volumes;

/// Most DNS servers of a pod.
const NAMESERVERS_MAX: usize = 3;
/// Most DNS search domains of a pod.
const SEARCHES_MAX: usize = 32;
/// Most characters of all search domains together, blanks between them included.
const SEARCH_CHARS_MAX: usize = 2048;

/// Shows every container of a pod, with its place: init containers, regular ones, ephemeral ones.
pub(super) fn visit_containers(
    spec: &PodSpec,
    path: &Path<'_>,
    mut visit: impl FnMut(&Container, &Path<'_>),
) {
    let list = path.child("initContainers");
    for (at, container) in items(&spec.init_containers).iter().enumerate() {
        visit(container, &list.index(at));
    }
    let list = path.child("containers");
    for (at, container) in spec.containers.iter().enumerate() {
        visit(container, &list.index(at));
    }
    let list = path.child("ephemeralContainers");
    for (at, container) in items(&spec.ephemeral_containers).iter().enumerate() {
        visit(&as_container(container), &list.index(at));
    }
}

/// A pod to be created, its defaults set, its name and namespace filled in.
pub fn validate_pod(pod: &Pod, errors: &mut Errors) {
    let none = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&none);
    validate_whole_pod(pod, errors);
    let path = Path::ROOT.child("spec");
    if !items(&spec.ephemeral_containers).is_empty() {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !text(&spec.node_name).is_empty() && !items(&spec.scheduling_gates).is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden(&path.child("nodeName"), detail);
    }
    if let Some(annotations) = &pod.metadata.annotations {
        validate_agreement(annotations, spec, &path, errors);
    }
}

/// What holds for a pod when it is created and whenever it is written again.
pub(super) fn validate_whole_pod(pod: &Pod, errors: &mut Errors) {
    let none = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&none);
    let meta_path = Path::ROOT.child("metadata");
    let path = Path::ROOT.child("spec");
    validate_object_meta(&pod.metadata, Scope::Namespaced, subdomain_name, &meta_path, errors);
    if let Some(annotations) = &pod.metadata.annotations {
        validate_pod_annotations(annotations, spec, &meta_path.child("annotations"), errors);
    }
    validate_pod_spec(spec, Some(&pod.metadata), Embedding::Pod, &path, errors);
    if text(&spec.service_account_name).is_empty() {
        forbid_account_tokens(spec, &path, errors);
    }
    for (field, list) in
        [("containers", &spec.containers[..]), ("initContainers", items(&spec.init_containers))]
    {
        let list_path = path.child(field);
        for (at, container) in list.iter().enumerate() {
            validate_image_padding(container, &list_path.index(at), errors);
        }
    }
}

fn forbid_account_tokens(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let volumes = path.child("volumes");
    for (at, volume) in items(&spec.volumes).iter().enumerate() {
        let item = volumes.index(at);
        let projected = item.child("projected");
        let sources = projected.child("sources");
        let list = volume.projected.as_ref().map_or(&[][..], |p| items(&p.sources));
        for (at, source) in list.iter().enumerate() {
            if source.service_account_token.is_some() {
                let detail = "must not be specified when serviceAccountName is not set";
                errors.forbidden(&sources.index(at).child("serviceAccountToken"), detail);
            }
        }
    }
}

/// The template of a workload's pods, its defaults set; `path` is the template's place.
pub fn validate_pod_template_spec(
    template: &PodTemplateSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (no_meta, no_spec) = (ObjectMeta::default(), PodSpec::default());
    let meta = template.metadata.as_ref().unwrap_or(&no_meta);
    let spec = template.spec.as_ref().unwrap_or(&no_spec);
    if let Some(labels) = &meta.labels {
        validate_labels(labels, &path.child("labels"), errors);
    }
    let spec_path = path.child("spec");
    if let Some(annotations) = &meta.annotations {
        let path = path.child("annotations");
        validate_annotations(annotations, &path, errors);
        validate_pod_annotations(annotations, spec, &path, errors);
    }
    validate_pod_spec(spec, None, Embedding::Template, &spec_path, errors);
    if let Some(annotations) = &meta.annotations {
        validate_agreement(annotations, spec, &spec_path, errors);
    }
    if !items(&spec.ephemeral_containers).is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.forbidden(&spec_path.child("ephemeralContainers"), detail);
    }
}

/// A pod's spec, in a pod (with its metadata) or in a template.
pub fn validate_pod_spec(
    spec: &PodSpec,
    meta: Option<&ObjectMeta>,
    embedding: Embedding,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let list = items(&spec.volumes);
    let volumes = validate_volumes(list, meta, embedding, &path.child("volumes"), errors);
    let claims = items(&spec.resource_claims);
    validate_claims(claims, meta, &path.child("resourceClaims"), errors);
    let named = claims.iter().map(|claim| claim.name.as_str());
    let around = Surroundings {
        volumes,
        claims: named.filter(|name| !name.is_empty()).collect(),
        restart_policy: text(&spec.restart_policy),
        grace: spec.termination_grace_period_seconds,
        os: spec.os.as_ref().map(|os| os.name.as_str()),
        host_users: match spec.host_users {
            Some(false) => HostUsers::Separate,
            _ => HostUsers::Shared,
        },
    };
    let init = items(&spec.init_containers);
    validate_containers(&spec.containers, &around, &path.child("containers"), errors);
    let init_path = path.child("initContainers");
    validate_init_containers(init, &spec.containers, &around, &init_path, errors);
    let others: Vec<&Container> = spec.containers.iter().chain(init).collect();
    let ephemeral = items(&spec.ephemeral_containers);
    let ephemeral_path = path.child("ephemeralContainers");
    validate_ephemeral_containers(ephemeral, &others, &around, &ephemeral_path, errors);
    validate_pod_level(spec, &around.claims, path, errors);
    validate_host_network(spec, embedding, path, errors);
    validate_policies(spec, path, errors);
    validate_placement(spec, path, errors);
    validate_host_process(spec, path, errors);
    validate_host_users(spec, path, errors);
    validate_host_name(spec, path, errors);
    validate_names(spec, path, errors);
    if let Some(overhead) = &spec.overhead {
        let limits = ResourceRequirements {
            limits: Some(overhead.clone()),
            ..ResourceRequirements::default()
        };
        let path = path.child("overhead");
        validate_requirements(&limits, Holder::Container, &BTreeSet::new(), &path, errors);
    }
    validate_os(spec, path, errors);
    validate_env_files(spec, path, errors);
}

fn validate_claims(
    claims: &[PodResourceClaim],
    meta: Option<&ObjectMeta>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let annotations = meta.and_then(|meta| meta.annotations.as_ref());
    let mirror = annotations.is_some_and(|annotations| annotations.contains_key(MIRROR));
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (at, claim) in claims.iter().enumerate() {
        if mirror {
            errors.forbidden(&Path::ROOT, "static pods do not support resource claims");
            continue;
        }
        let path = path.index(at);
        let name = claim.name.as_str();
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if !names.insert(name) {
            errors.duplicate(&path.child("name"), name);
        } else {
            for message in is_dns1123_label(name) {
                errors.invalid(&path.child("name"), name, message);
            }
        }
        let (own, template) = (&claim.resource_claim_name, &claim.resource_claim_template_name);
        let detail = match (own, template) {
            (Some(_), Some(_)) => {
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be \
                 specified"
            }
            (None, None) => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !detail.is_empty() {
            let shown = serde_json::to_string(claim).unwrap_or_default();
            errors.invalid_as(&path, shown, detail);
        }
        for (field, name) in [("resourceClaimName", own), ("resourceClaimTemplateName", template)] {
            for (name, message) in name
                .iter()
                .flat_map(|name| is_dns1123_subdomain(name).into_iter().map(move |m| (name, m)))
            {
                errors.invalid(&path.child(field), name, message);
            }
        }
    }
}

/// On the host's network a container's port is the host's port.
fn validate_host_network(
    spec: &PodSpec,
    embedding: Embedding,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if spec.host_network != Some(true) {
        return;
    }
    let list = path.child("containers");
    for (at, container) in spec.containers.iter().enumerate() {
        let item = list.index(at);
        let ports = item.child("ports");
        for (at, port) in items(&container.ports).iter().enumerate() {
            let host_port = port.host_port.unwrap_or(0);
            let counts = embedding == Embedding::Pod || host_port != 0;
            if counts && host_port != port.container_port {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(&ports.index(at).child("hostPort"), &host_port, detail);
            }
        }
    }
}

fn validate_policies(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    one_of(
        text(&spec.restart_policy),
        &["Always", "OnFailure", "Never"],
        &path.child("restartPolicy"),
        errors,
    );
    one_of(
        text(&spec.dns_policy),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        &path.child("dnsPolicy"),
        errors,
    );
    if let Some(labels) = &spec.node_selector {
        validate_labels(labels, &path.child("nodeSelector"), errors);
    }
    validate_shared_processes(spec, path, errors);
    if let Some(context) = &spec.security_context {
        validate_pod_security(context, spec, &path.child("securityContext"), errors);
    }
    if let Some(policy) = spec.preemption_policy.as_deref() {
        let known = ["PreemptLowerPriority", "Never"];
        one_of(policy, &known, &path.child("preemptionPolicy"), errors);
    }
    let seconds = spec.active_deadline_seconds;
    let bounds = 1..=i64::from(i32::MAX);
    if let Some(seconds) = seconds.filter(|seconds| !bounds.contains(seconds)) {
        let detail = inclusive_range(1, i32::MAX.into());
        errors.invalid(&path.child("activeDeadlineSeconds"), &seconds, detail);
    }
}

fn one_of(value: &str, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else if !known.contains(&value) {
        errors.not_supported(path, value, known);
    }
}

fn validate_placement(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if let Some(affinity) = &spec.affinity {
        validate_affinity(affinity, &path.child("affinity"), errors);
    }
    let policy = text(&spec.dns_policy);
    validate_dns(spec.dns_config.as_ref(), policy, &path.child("dnsConfig"), errors);
    let gates = path.child("readinessGates");
    for (at, gate) in items(&spec.readiness_gates).iter().enumerate() {
        for message in is_qualified_name(&gate.condition_type) {
            let path = gates.index(at);
            errors.invalid(&path.child("conditionType"), &gate.condition_type, message);
        }
    }
    let gates = items(&spec.scheduling_gates);
    validate_gates(gates, &path.child("schedulingGates"), errors);
    let constraints = items(&spec.topology_spread_constraints);
    let constraints_path = path.child("topologySpreadConstraints");
    validate_spread_constraints(constraints, &constraints_path, errors);
    validate_tolerations(items(&spec.tolerations), &path.child("tolerations"), errors);
    validate_host_aliases(items(&spec.host_aliases), &path.child("hostAliases"), errors);
}

fn validate_gates(gates: &[PodSchedulingGate], path: &Path<'_>, errors: &mut Errors) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (at, gate) in gates.iter().enumerate() {
        let path = path.index(at);
        for message in is_qualified_name(&gate.name) {
            errors.invalid(&path, &gate.name, message);
        }
        if !seen.insert(&gate.name) {
            errors.duplicate(&path, &gate.name);
        }
    }
}

fn validate_host_aliases(aliases: &[HostAlias], path: &Path<'_>, errors: &mut Errors) {
    for (at, alias) in aliases.iter().enumerate() {
        let path = path.index(at);
        check_ip(&path.child("ip"), &alias.ip, &[], errors);
        let names = path.child("hostnames");
        for (at, name) in items(&alias.hostnames).iter().enumerate() {
            for message in is_dns1123_subdomain(name) {
                errors.invalid(&names.index(at), name, message);
            }
        }
    }
}

fn validate_dns(config: Option<&PodDNSConfig>, policy: &str, path: &Path<'_>, errors: &mut Errors) {
    let servers_path = path.child("nameservers");
    let Some(config) = config else {
        if policy == "None" {
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    };
    let (servers, searches) = (items(&config.nameservers), items(&config.searches));
    if policy == "None" && servers.is_empty() {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.required(&servers_path, detail);
        return;
    }
    if servers.len() > NAMESERVERS_MAX {
        let detail = format!("must not have more than {NAMESERVERS_MAX} nameservers");
        errors.invalid_as(&servers_path, shown_strings(servers), detail);
    }
    for (at, server) in servers.iter().enumerate() {
        check_ip(&servers_path.index(at), server, &[], errors);
    }
    let searches_path = path.child("searches");
    if searches.len() > SEARCHES_MAX {
        let detail = format!("must not have more than {SEARCHES_MAX} search paths");
        errors.invalid_as(&searches_path, shown_strings(searches), detail);
    }
    if searches.join(" ").len() > SEARCH_CHARS_MAX {
        let detail = format!(
            "must not have more than {SEARCH_CHARS_MAX} characters (including spaces) in the \
             search list"
        );
        errors.invalid_as(&searches_path, shown_strings(searches), detail);
    }
    for (at, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        for message in is_dns1123_subdomain_with_underscore(search) {
            errors.invalid(&searches_path.index(at), search, message);
        }
    }
    let options = path.child("options");
    for (at, option) in items(&config.options).iter().enumerate() {
        if text(&option.name).is_empty() {
            errors.required(&options.index(at), "must not be empty");
        }
    }
}

/// Names of other things: accounts, nodes, classes, and the pod's own host name.
fn validate_names(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let subdomain = is_dns1123_subdomain as fn(&str) -> Vec<String>;
    for (field, name, rule) in [
        ("serviceAccountName", text(&spec.service_account_name), subdomain),
        ("nodeName", text(&spec.node_name), subdomain),
        ("hostname", text(&spec.hostname), is_dns1123_label),
        ("subdomain", text(&spec.subdomain), is_dns1123_label),
        ("priorityClassName", text(&spec.priority_class_name), subdomain),
    ] {
        if !name.is_empty() {
            for message in rule(name) {
                errors.invalid(&path.child(field), name, message);
            }
        }
    }
    if let Some(name) = &spec.runtime_class_name {
        for message in is_dns1123_subdomain(name) {
            errors.invalid(&path.child("runtimeClassName"), name, message);
        }
    }
}

/// Files of variables lie in `emptyDir` volumes of the pod.
fn validate_env_files(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    visit_containers(spec, path, |container, path| {
        let list = path.child("env");
        for (at, variable) in items(&container.env).iter().enumerate() {
            let source = variable.value_from.as_ref();
            let Some(file) = source.and_then(|source| source.file_key_ref.as_ref()) else {
                continue;
            };
            let item = list.index(at);
            let source_path = item.child("valueFrom");
            let file_path = source_path.child("fileKeyRef");
            let path = file_path.child("volumeName");
            let name = &file.volume_name;
            match items(&spec.volumes).iter().rev().find(|volume| volume.name == *name) {
                None => errors.not_found(&path, name),
                Some(volume) if volume.empty_dir.is_none() => {
                    errors.invalid(&path, name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    });
}
