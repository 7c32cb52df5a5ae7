//! Containers of a pod: regular ones, init containers with sidecars among them, ephemeral ones.
//!
//! Follows `validateContainers`, `validateInitContainers` and `validateEphemeralContainers` of
//! `pkg/apis/core/validation` 1.36, with the feature gates at their defaults.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerResizePolicy, ContainerRestartRule, EphemeralContainer,
};

use super::absent::{items, text};
use super::env::{validate_env, validate_env_from};
use super::field::{Errors, Path};
use super::gates::{Gate, State};
use super::mounts::{validate_devices, validate_mounts};
use super::names::{is_dns1123_label, is_valid_port_name, is_valid_port_num};
use super::probes::{Purpose, validate_lifecycle, validate_probe};
use super::resources::{Holder, validate_requirements};
use super::security::{HostUsers, validate_security_context};
use super::validate_pull_policy;
use super::volumes::Volumes;

/// Most restart rules of a container.
const RESTART_RULES_MAX: usize = 20;
/// Most exit codes of a restart rule.
const EXIT_CODES_MAX: usize = 255;

/// What a container's fields may refer to.
pub(super) struct Surroundings<'a> {
    pub(super) volumes: Volumes<'a>,
    pub(super) claims: BTreeSet<&'a str>,
    pub(super) restart_policy: &'a str,
    pub(super) grace: Option<i64>,
    pub(super) os: Option<&'a str>,
    pub(super) host_users: HostUsers,
}

/// The regular containers.
pub(super) fn validate_containers(
    containers: &[Container],
    around: &Surroundings<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if containers.is_empty() {
        errors.required(path, "");
        return;
    }
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (at, container) in containers.iter().enumerate() {
        let path = path.index(at);
        validate_common(container, around, &path, errors);
        if !names.insert(&container.name) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        validate_hooks_and_probes(container, around, &path, errors);
        errors.only(Gate::ContainerRestartRules, State::On, |errors| {
            validate_restart_policy(container, &path, errors);
        });
        errors.only(Gate::ContainerRestartRules, State::Off, |errors| {
            if container.restart_policy.is_some() {
                let path = path.child("restartPolicy");
                errors.forbidden(&path, "may not be set for non-init containers");
            }
        });
    }
    let mut taken = BTreeSet::new();
    for (at, container) in containers.iter().enumerate() {
        validate_host_ports(container, &mut taken, &path.index(at), errors);
    }
}

/// The init containers: they run one by one, so their host ports clash within one only.
pub(super) fn validate_init_containers(
    containers: &[Container],
    regular: &[Container],
    around: &Surroundings<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut names: BTreeSet<&str> = regular.iter().map(|c| c.name.as_str()).collect();
    for (at, container) in containers.iter().enumerate() {
        let item = path.index(at);
        validate_common(container, around, &item, errors);
        errors.only(Gate::ContainerRestartRules, State::On, |errors| {
            validate_restart_policy(container, &item, errors);
        });
        errors.only(Gate::ContainerRestartRules, State::Off, |errors| {
            let policy = container.restart_policy.as_deref();
            if let Some(policy) = policy.filter(|policy| *policy != "Always") {
                errors.not_supported(&item.child("restartPolicy"), policy, &["Always"]);
            }
        });
        if names.contains(container.name.as_str()) {
            errors.duplicate(&item.child("name"), &container.name);
        } else if !container.name.is_empty() {
            names.insert(&container.name);
        }
        validate_host_ports(container, &mut BTreeSet::new(), &path.index(0), errors);
        if container.restart_policy.as_deref() == Some("Always") {
            validate_hooks_and_probes(container, around, &item, errors);
            continue;
        }
        validate_init_resize(items(&container.resize_policy), &item, errors);
        for (field, set) in [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ] {
            if set {
                let detail = "may not be set for init containers without restartPolicy=Always";
                errors.forbidden(&item.child(field), detail);
            }
        }
    }
}

/// The ephemeral containers, which a running pod may get.
pub(super) fn validate_ephemeral_containers(
    containers: &[EphemeralContainer],
    others: &[&Container],
    around: &Surroundings<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let regular: BTreeSet<&str> = others.iter().map(|c| c.name.as_str()).collect();
    let mut names = regular.clone();
    for (at, ephemeral) in containers.iter().enumerate() {
        let path = path.index(at);
        let container = as_container(ephemeral);
        validate_common(&container, around, &path, errors);
        validate_image_padding(&container, &path, errors);
        if !names.insert(&ephemeral.name) {
            errors.duplicate(&path.child("name"), &ephemeral.name);
        }
        let target = text(&ephemeral.target_container_name);
        if !target.is_empty() && !regular.contains(target) {
            errors.not_found(&path.child("targetContainerName"), target);
        }
        let detail = "cannot be set for an Ephemeral Container";
        for (field, set) in [
            ("ports", !items(&container.ports).is_empty()),
            ("resources", container.resources.as_ref().is_some_and(|r| *r != Default::default())),
            ("resizePolicy", !items(&container.resize_policy).is_empty()),
            ("restartPolicy", container.restart_policy.is_some()),
            ("restartPolicyRules", !items(&container.restart_policy_rules).is_empty()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
        ] {
            if set {
                errors.forbidden(&path.child(field), detail);
            }
        }
        let mounts = path.child("volumeMounts");
        for (at, mount) in items(&container.volume_mounts).iter().enumerate() {
            for (field, value) in
                [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)]
            {
                if !text(value).is_empty() {
                    errors.forbidden(&mounts.index(at).child(field), detail);
                }
            }
        }
    }
}

/// An ephemeral container as the container it runs as.
pub(super) fn as_container(e: &EphemeralContainer) -> Container {
    let e = e.clone();
    Container {
        args: e.args,
        command: e.command,
        env: e.env,
        env_from: e.env_from,
        image: e.image,
        image_pull_policy: e.image_pull_policy,
        lifecycle: e.lifecycle,
        liveness_probe: e.liveness_probe,
        name: e.name,
        ports: e.ports,
        readiness_probe: e.readiness_probe,
        resize_policy: e.resize_policy,
        resources: e.resources,
        restart_policy: e.restart_policy,
        restart_policy_rules: e.restart_policy_rules,
        security_context: e.security_context,
        startup_probe: e.startup_probe,
        stdin: e.stdin,
        stdin_once: e.stdin_once,
        termination_message_path: e.termination_message_path,
        termination_message_policy: e.termination_message_policy,
        tty: e.tty,
        volume_devices: e.volume_devices,
        volume_mounts: e.volume_mounts,
        working_dir: e.working_dir,
    }
}

/// Pods (not templates) refuse images with blanks around them.
pub(super) fn validate_image_padding(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    let image = text(&container.image);
    if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        errors.invalid(&path.child("image"), image, detail);
    }
}

/// What all kinds of containers share.
fn validate_common(
    container: &Container,
    around: &Surroundings<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let name_path = path.child("name");
    if container.name.is_empty() {
        errors.required(&name_path, "");
    } else {
        for message in is_dns1123_label(&container.name) {
            errors.invalid(&name_path, &container.name, message);
        }
    }
    if text(&container.image).is_empty() {
        errors.required(&path.child("image"), "");
    }
    let policy_path = path.child("terminationMessagePolicy");
    match text(&container.termination_message_policy) {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.required(&policy_path, ""),
        other => errors.not_supported(&policy_path, other, &["File", "FallbackToLogsOnError"]),
    }
    validate_ports(items(&container.ports), &path.child("ports"), errors);
    validate_env(items(&container.env), &path.child("env"), errors);
    validate_env_from(items(&container.env_from), &path.child("envFrom"), errors);
    validate_mounts(container, &around.volumes, &path.child("volumeMounts"), errors);
    validate_devices(container, &around.volumes, &path.child("volumeDevices"), errors);
    let pull = text(&container.image_pull_policy);
    validate_pull_policy(pull, &path.child("imagePullPolicy"), errors);
    if let Some(resources) = &container.resources {
        let path = path.child("resources");
        validate_requirements(resources, Holder::Container, &around.claims, &path, errors);
    }
    let resize = items(&container.resize_policy);
    validate_resize_policy(resize, around.restart_policy, &path.child("resizePolicy"), errors);
    if let Some(context) = &container.security_context {
        let path = path.child("securityContext");
        validate_security_context(context, around.host_users, &path, errors);
    }
}

fn validate_ports(ports: &[ContainerPort], path: &Path<'_>, errors: &mut Errors) {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = text(&port.name);
        if !name.is_empty() {
            let messages = is_valid_port_name(name);
            if messages.is_empty() && !names.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
            for message in messages {
                errors.invalid(&path.child("name"), name, message);
            }
        }
        if port.container_port == 0 {
            errors.required(&path.child("containerPort"), "");
        } else {
            for message in is_valid_port_num(port.container_port.into()) {
                errors.invalid(&path.child("containerPort"), &port.container_port, message);
            }
        }
        if let Some(host_port) = port.host_port.filter(|port| *port != 0) {
            for message in is_valid_port_num(host_port.into()) {
                errors.invalid(&path.child("hostPort"), &host_port, message);
            }
        }
        match text(&port.protocol) {
            "TCP" | "UDP" | "SCTP" => {}
            "" => errors.required(&path.child("protocol"), ""),
            other => {
                errors.not_supported(&path.child("protocol"), other, &["SCTP", "TCP", "UDP"]);
            }
        }
    }
}

fn validate_host_ports(
    container: &Container,
    taken: &mut BTreeSet<String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let ports = path.child("ports");
    for (at, port) in items(&container.ports).iter().enumerate() {
        let Some(number) = port.host_port.filter(|number| *number != 0) else { continue };
        let key = format!("{}/{}/{number}", text(&port.protocol), text(&port.host_ip));
        if taken.contains(&key) {
            errors.duplicate(&ports.index(at).child("hostPort"), &key);
        } else {
            taken.insert(key);
        }
    }
}

fn validate_hooks_and_probes(
    container: &Container,
    around: &Surroundings<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(lifecycle) = &container.lifecycle {
        let path = path.child("lifecycle");
        validate_lifecycle(lifecycle, around.grace, around.os, &path, errors);
    }
    for (field, probe, purpose) in [
        ("livenessProbe", &container.liveness_probe, Purpose::Liveness),
        ("readinessProbe", &container.readiness_probe, Purpose::Readiness),
        ("startupProbe", &container.startup_probe, Purpose::Startup),
    ] {
        if let Some(probe) = probe {
            validate_probe(probe, purpose, around.grace, &path.child(field), errors);
        }
    }
}

/// A container's own restart policy and rules.
fn validate_restart_policy(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    let rules = items(&container.restart_policy_rules);
    let policy_path = path.child("restartPolicy");
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.required(&policy_path, detail);
        }
        Some("Always" | "Never" | "OnFailure") => {}
        Some(other) => {
            errors.not_supported(&policy_path, other, &["Always", "Never", "OnFailure"]);
        }
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > RESTART_RULES_MAX {
        errors.too_many(&path, rules.len(), RESTART_RULES_MAX);
    }
    for (at, rule) in rules.iter().enumerate() {
        validate_restart_rule(rule, &path.index(at), errors);
    }
}

fn validate_restart_rule(rule: &ContainerRestartRule, path: &Path<'_>, errors: &mut Errors) {
    if !matches!(rule.action.as_str(), "Restart" | "RestartAllContainers") {
        let known = ["Restart", "RestartAllContainers"];
        errors.not_supported(&path.child("action"), &rule.action, &known);
    }
    let path = path.child("exitCodes");
    let Some(codes) = &rule.exit_codes else {
        errors.required(&path, "must be specified");
        return;
    };
    if !matches!(codes.operator.as_str(), "In" | "NotIn") {
        errors.not_supported(&path.child("operator"), &codes.operator, &["In", "NotIn"]);
    }
    let count = items(&codes.values).len();
    if count > EXIT_CODES_MAX {
        errors.too_many(&path.child("values"), count, EXIT_CODES_MAX);
    }
}

/// An init container that runs to its end is resized without a restart, if at all.
fn validate_init_resize(policies: &[ContainerResizePolicy], path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("resizePolicy");
    if policies.is_empty() {
        return;
    }
    errors.only(Gate::InPlacePodVerticalScalingInitContainers, State::Off, |errors| {
        errors.invalid(&path, "", "must not be set for init containers");
    });
    for (at, policy) in policies.iter().enumerate() {
        if policy.restart_policy == "RestartContainer" {
            let detail = "must be 'NotRequired' for init containers without restartPolicy=Always";
            let path = path.index(at);
            errors.invalid(&path.child("restartPolicy"), &policy.restart_policy, detail);
        }
    }
}

fn validate_resize_policy(
    policies: &[ContainerResizePolicy],
    pod_policy: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (at, policy) in policies.iter().enumerate() {
        let (resource, restart) = (policy.resource_name.as_str(), policy.restart_policy.as_str());
        if !seen.insert(resource) {
            errors.duplicate(&path.index(at), resource);
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errors.required(path, ""),
            other => errors.not_supported(path, other, &["cpu", "memory"]),
        }
        match restart {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.required(path, ""),
            other => errors.not_supported(path, other, &["NotRequired", "RestartContainer"]),
        }
        if pod_policy == "Never" && restart != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.invalid(path, restart, detail);
        }
    }
}
