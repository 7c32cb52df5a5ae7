//! Pods, and what their specs set that no run looks at.

use k8s_openapi::api::core::v1 as core;

use super::meta::arrival;
use super::pod_spec::strip_token_volume;
use super::{Arrival, Compacted, Compactor};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodStatus};

impl Compactor {
    /// A pod. Its node comes beside it; its status counts only if it was in a cluster.
    pub fn pod(&mut self, written: core::Pod) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let mut spec = written.spec.unwrap_or_default();
        let node = spec.node_name.take().filter(|name| !name.is_empty());
        let node = node.map(|name| self.intern.text(&name));
        if arrival == Arrival::Imported {
            strip_token_volume(&mut spec);
        }
        let spec = self.pod_spec("Pod", spec);
        let status = match (arrival, &written.status) {
            (Arrival::Imported, Some(status)) => self.intern.pod_status(status, &spec),
            _ => PodStatus::default(),
        };
        let object = Object::Pod(Box::new(Pod { meta, spec, node: None, status }));
        Compacted { object, arrival, node }
    }
}

fn is_any<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn differs(written: Option<&str>, default: &str) -> bool {
    written.is_some_and(|text| !text.is_empty() && text != default)
}

/// Fields of a spec that are set to something but their default and play no part in a run.
pub(super) fn not_modelled(spec: &core::PodSpec) -> Vec<&'static str> {
    let security = spec.security_context.as_ref();
    let account = spec.service_account_name.as_deref();
    let mut found = Vec::new();
    let mut note = |set: bool, field: &'static str| {
        if set {
            found.push(field);
        }
    };
    note(is_any(spec.resource_claims.as_ref()), "resourceClaims");
    note(spec.scheduling_group.is_some(), "schedulingGroup");
    note(spec.runtime_class_name.is_some(), "runtimeClassName");
    note(is_any(spec.ephemeral_containers.as_ref()), "ephemeralContainers");
    note(differs(account, "default"), "serviceAccountName");
    note(is_any(spec.image_pull_secrets.as_ref()), "imagePullSecrets");
    note(differs(spec.dns_policy.as_deref(), "ClusterFirst"), "dnsPolicy");
    note(spec.dns_config.is_some(), "dnsConfig");
    note(is_any(spec.host_aliases.as_ref()), "hostAliases");
    note(spec.hostname.is_some() || spec.hostname_override.is_some(), "hostname");
    note(spec.subdomain.is_some(), "subdomain");
    note(spec.host_ipc == Some(true), "hostIPC");
    note(spec.host_pid == Some(true), "hostPID");
    note(spec.host_users == Some(false), "hostUsers");
    note(spec.share_process_namespace == Some(true), "shareProcessNamespace");
    note(spec.os.is_some(), "os");
    let whole = spec.resources.as_ref().and_then(|it| it.limits.as_ref());
    note(whole.is_some_and(|it| it.contains_key("cpu")), "resources.limits.cpu");
    note(security.is_some_and(|it| *it != core::PodSecurityContext::default()), "securityContext");
    found.extend(volume_kinds(spec));
    for (containers, prefix) in
        [(spec.init_containers.as_deref(), Prefix::Init), (Some(&*spec.containers), Prefix::Main)]
    {
        for container in containers.unwrap_or_default() {
            for field in of_container(container, prefix) {
                if !found.contains(&field) {
                    found.push(field);
                }
            }
        }
    }
    found
}

/// Volumes by kind: nothing is mounted, so nothing is missed either.
fn volume_kinds(spec: &core::PodSpec) -> Vec<&'static str> {
    let mut found = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        if volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some() {
            continue;
        }
        let kind = if volume.config_map.is_some() {
            "volumes.configMap"
        } else if volume.secret.is_some() {
            "volumes.secret"
        } else if volume.host_path.is_some() {
            "volumes.hostPath"
        } else if volume.projected.is_some() {
            "volumes.projected"
        } else if let Some(dir) = &volume.empty_dir {
            // Its medium and its limit count; pages of other sizes do not.
            if dir.medium.as_deref().is_none_or(|medium| matches!(medium, "" | "Memory")) {
                continue;
            }
            "volumes.emptyDir.medium"
        } else if volume.csi.is_some() {
            "volumes.csi"
        } else if volume.downward_api.is_some() {
            "volumes.downwardAPI"
        } else {
            "volumes (other kinds)"
        };
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    found
}

#[derive(Clone, Copy)]
enum Prefix {
    Init,
    Main,
}

macro_rules! fields {
    ($prefix:expr, $($set:expr => $name:literal),* $(,)?) => {{
        let mut found = Vec::new();
        $(if $set {
            found.push(match $prefix {
                Prefix::Init => concat!("initContainers.", $name),
                Prefix::Main => concat!("containers.", $name),
            });
        })*
        found
    }};
}

fn of_container(it: &core::Container, prefix: Prefix) -> Vec<&'static str> {
    let lifecycle = it.lifecycle.as_ref();
    fields!(prefix,
        is_any(it.command.as_ref()) => "command",
        is_any(it.args.as_ref()) => "args",
        is_any(it.env.as_ref()) => "env",
        is_any(it.env_from.as_ref()) => "envFrom",
        lifecycle.is_some_and(|it| it.stop_signal.is_some()) => "lifecycle.stopSignal",
        it.resources.as_ref().is_some_and(|it| is_any(it.claims.as_ref())) => "resources.claims",
        it.security_context.as_ref().is_some_and(|it| *it != core::SecurityContext::default())
            => "securityContext",
        is_any(it.volume_devices.as_ref()) => "volumeDevices",
        is_any(it.volume_mounts.as_ref()) => "volumeMounts",
        it.working_dir.is_some() => "workingDir",
        it.stdin == Some(true) => "stdin",
        it.tty == Some(true) => "tty",
    )
}
