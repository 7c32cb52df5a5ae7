//! Security settings of pods and containers, on Linux and Windows.
//!
//! Follows `ValidateSecurityContext`, `validatePodSpecSecurityContext` and the checks by operating
//! system of `pkg/apis/core/validation` 1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
    WindowsSecurityContextOptions,
};
use serde::Serialize;

use super::absent::items;
use super::field::{Errors, Path};
use super::names::{is_dns1123_subdomain, is_valid_id};
use super::paths::validate_local_descending;
use super::pod::visit_containers;

/// Whether a pod shares the host's users (the default) or has a user namespace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostUsers {
    Shared,
    Separate,
}

/// A value without a text form of its own, printed as JSON.
fn shown(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn validate_id(id: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    let Some(id) = id else { return };
    for message in is_valid_id(id) {
        errors.invalid(path, &id, message);
    }
}

/// The settings of one container.
pub(super) fn validate_security_context(
    context: &SecurityContext,
    host_users: HostUsers,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate_id(context.run_as_user, &path.child("runAsUser"), errors);
    validate_id(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(kind) = context.proc_mount.as_deref() {
        let path = path.child("procMount");
        if !matches!(kind, "Default" | "Unmasked") {
            errors.not_supported(&path, kind, &["Default", "Unmasked"]);
        }
        if kind == "Unmasked" && host_users == HostUsers::Shared {
            errors.invalid(&path, kind, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    validate_seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid_as(path, shown(context), detail);
        }
        let added = context.capabilities.as_ref().map_or(&[][..], |c| items(&c.add));
        for _ in added.iter().filter(|name| *name == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                          CAP_SYS_ADMIN";
            errors.invalid_as(path, shown(context), detail);
        }
    }
    if let Some(options) = &context.windows_options {
        validate_windows_options(options, &path.child("windowsOptions"), errors);
    }
    if let Some(profile) = &context.app_armor_profile {
        validate_app_armor(profile, &path.child("appArmorProfile"), errors);
    }
}

/// The settings of a pod as a whole.
pub(super) fn validate_pod_security(
    context: &PodSecurityContext,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate_id(context.fs_group, &path.child("fsGroup"), errors);
    validate_id(context.run_as_user, &path.child("runAsUser"), errors);
    validate_id(context.run_as_group, &path.child("runAsGroup"), errors);
    let groups = path.child("supplementalGroups");
    for (at, group) in items(&context.supplemental_groups).iter().enumerate() {
        validate_id(Some(*group), &groups.index(at), errors);
    }
    validate_sysctls(context, spec, &path.child("sysctls"), errors);
    let one_of = |field, value: &Option<String>, known: [&str; 2], errors: &mut Errors| {
        if let Some(value) = value.as_deref().filter(|value| !known.contains(value)) {
            errors.not_supported(&path.child(field), value, &known);
        }
    };
    let policy = &context.fs_group_change_policy;
    one_of("fsGroupChangePolicy", policy, ["Always", "OnRootMismatch"], errors);
    validate_seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    if let Some(options) = &context.windows_options {
        validate_windows_options(options, &path.child("windowsOptions"), errors);
    }
    if let Some(profile) = &context.app_armor_profile {
        validate_app_armor(profile, &path.child("appArmorProfile"), errors);
    }
    let policy = &context.supplemental_groups_policy;
    one_of("supplementalGroupsPolicy", policy, ["Merge", "Strict"], errors);
    let policy = &context.se_linux_change_policy;
    one_of("seLinuxChangePolicy", policy, ["MountOption", "Recursive"], errors);
}

fn is_sysctl_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |part: &str| {
        let inner = |b: u8| plain(b) || matches!(b, b'-' | b'_');
        let edges = part.bytes().next().zip(part.bytes().last());
        edges.is_some_and(|(first, last)| plain(first) && plain(last)) && part.bytes().all(inner)
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

fn validate_sysctls(
    context: &PodSecurityContext,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (at, sysctl) in items(&context.sysctls).iter().enumerate() {
        let item = path.index(at);
        let path = item.child("name");
        let name = sysctl.name.as_str();
        if name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl_name(name) {
            let detail = "must have at most 253 characters and match regex \
                          ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            errors.invalid(&path, name, detail);
        } else if seen.contains(name) {
            errors.duplicate(&path, name);
        }
        // A name whose first separator is a slash has dots and slashes swapped.
        let slashed = name.find(['.', '/']).is_some_and(|at| name[at..].starts_with('/'));
        let swap = |c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let dotted: String = if slashed { name.chars().map(swap).collect() } else { name.into() };
        let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|p| dotted.starts_with(p))
            || dotted == "kernel.sem";
        if dotted.starts_with("net.") && spec.host_network == Some(true) {
            errors.invalid(&path, name, "may not be specified when 'hostNetwork' is true");
        } else if ipc && spec.host_ipc == Some(true) {
            errors.invalid(&path, name, "may not be specified when 'hostIPC' is true");
        }
        seen.insert(name);
    }
}

fn validate_seccomp(profile: Option<&SeccompProfile>, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = profile else { return };
    match profile.type_.as_str() {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => {
            let detail = "type is required when seccompProfile is set";
            errors.required(&path.child("type"), detail);
        }
        other => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.not_supported(&path.child("type"), other, &known);
        }
    }
    let path = path.child("localhostProfile");
    match (profile.type_ == "Localhost", &profile.localhost_profile) {
        (true, None) => {
            errors.required(&path, "must be set when seccomp type is Localhost");
        }
        (true, Some(file)) => validate_local_descending(file, &path, errors),
        (false, Some(_)) => {
            let detail = "can only be set when seccomp type is Localhost";
            errors.invalid_as(&path, shown(profile), detail);
        }
        (false, None) => {}
    }
}

fn validate_app_armor(profile: &AppArmorProfile, path: &Path<'_>, errors: &mut Errors) {
    const LIMIT: usize = 4095;
    let needed = "must be set when AppArmor type is Localhost";
    let file_path = path.child("localhostProfile");
    match profile.type_.as_str() {
        "Localhost" => match &profile.localhost_profile {
            None => errors.required(&file_path, needed),
            Some(file) => {
                if file.trim() != file {
                    errors.invalid(&file_path, file, "must not be padded with whitespace");
                } else if file.is_empty() {
                    errors.required(&file_path, needed);
                }
                if file.len() > LIMIT {
                    errors.too_long(&file_path, LIMIT);
                }
            }
        },
        "RuntimeDefault" | "Unconfined" => {
            if let Some(file) = &profile.localhost_profile {
                let detail = "can only be set when AppArmor type is Localhost";
                errors.invalid(&file_path, file, detail);
            }
        }
        "" => {
            let detail = "type is required when appArmorProfile is set";
            errors.required(&path.child("type"), detail);
        }
        other => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.not_supported(&path.child("type"), other, &known);
        }
    }
}

fn validate_windows_options(
    options: &WindowsSecurityContextOptions,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    const SPEC_KIB_MAX: usize = 64;
    if let Some(name) = &options.gmsa_credential_spec_name {
        for message in is_dns1123_subdomain(name) {
            errors.invalid(&path.child("gmsaCredentialSpecName"), name, message);
        }
    }
    if let Some(spec) = &options.gmsa_credential_spec {
        let path = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid(&path, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > SPEC_KIB_MAX * 1024 {
            let detail = format!("gmsaCredentialSpec size must be under {SPEC_KIB_MAX} KiB");
            errors.invalid(&path, spec, detail);
        }
    }
    if let Some(name) = &options.run_as_user_name {
        let path = path.child("runAsUserName");
        for fault in user_name_faults(name) {
            errors.invalid(&path, name, fault);
        }
    }
}

/// What is wrong with a Windows user name, `[DOMAIN\]USER`.
fn user_name_faults(name: &str) -> Vec<String> {
    const DOMAIN_MAX: usize = 256;
    const USER_MAX: usize = 104;
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string".to_owned()];
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters".to_owned()];
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let (domain, user) = match parts.as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec!["runAsUserName cannot contain more than one backslash".to_owned()],
    };
    let mut faults = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= DOMAIN_MAX) {
        let fault = format!("runAsUserName's Domain length must be under {DOMAIN_MAX} characters");
        faults.push(fault);
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_windows_domain(domain)) {
        let fault = "runAsUserName's Domain doesn't match the NetBios nor the DNS format";
        faults.push(fault.to_owned());
    }
    if user.is_empty() {
        faults.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > USER_MAX {
        let fault =
            format!("runAsUserName's User length must not be longer than {USER_MAX} characters");
        faults.push(fault);
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        faults.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user
        .contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']'])
    {
        let fault = "runAsUserName's User cannot contain the following characters: \
                     \"/\\:;|=,+*?<>@[]";
        faults.push(fault.to_owned());
    }
    faults
}

fn is_net_bios(domain: &str) -> bool {
    let barred = |c: char| matches!(c, '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let length = domain.chars().count();
    (1..=15).contains(&length) && !domain.starts_with('.') && !domain.contains(barred)
}

fn is_windows_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && edge(label.bytes().next())
            && edge(label.bytes().last())
    })
}

/// Windows host process containers: all of a pod's containers or none, on the host's network.
pub(super) fn validate_host_process(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let of_pod =
        spec.security_context.as_ref().and_then(|context| context.windows_options.as_ref());
    let of_pod = of_pod.and_then(|options| options.host_process);
    let (mut all, mut process) = (0, 0);
    visit_containers(spec, path, |container, path| {
        all += 1;
        let own = container.security_context.as_ref().and_then(|c| c.windows_options.as_ref());
        let own = own.and_then(|options| options.host_process);
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            let path = path.child("securityContext");
            let path = path.child("windowsOptions");
            errors.invalid(&path.child("hostProcess"), &own, detail);
        }
        process += usize::from(own.or(of_pod) == Some(true));
    });
    if process == 0 {
        return;
    }
    if process != all {
        let detail = "If pod contains any hostProcess containers then all containers must be \
                      HostProcess containers";
        errors.invalid(path, "", detail);
    }
    if spec.host_network != Some(true) {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(&path.child("hostNetwork"), &false, detail);
    }
}

/// What a pod with users of its own may not share with the host.
pub(super) fn validate_host_users(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if spec.host_users != Some(false) {
        return;
    }
    let detail = "when `hostUsers` is false";
    for (field, set) in
        [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)]
    {
        if set == Some(true) {
            errors.forbidden(&path.child(field), detail);
        }
    }
    visit_containers(spec, path, |container, path| {
        if !items(&container.volume_devices).is_empty() {
            errors.forbidden(&path.child("volumeDevices"), detail);
        }
    });
}

/// `spec.os`, and what the named system does not know.
pub(super) fn validate_os(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(os) = &spec.os else { return };
    match os.name.as_str() {
        "" => errors.required(&path.child("os").child("name"), ""),
        "linux" => forbid_windows_options(spec, path, errors),
        "windows" => forbid_linux_options(spec, path, errors),
        other => errors.not_supported(&path.child("os"), other, &["linux", "windows"]),
    }
}

fn forbid_windows_options(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let detail = "windows options cannot be set for a linux pod";
    if spec.security_context.as_ref().is_some_and(|c| c.windows_options.is_some()) {
        errors.forbidden(&path.child("securityContext").child("windowsOptions"), detail);
    }
    visit_containers(spec, path, |container, path| {
        if container.security_context.as_ref().is_some_and(|c| c.windows_options.is_some()) {
            errors.forbidden(&path.child("securityContext").child("windowsOptions"), detail);
        }
    });
}

fn forbid_linux_options(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let detail = "cannot be set for a windows pod";
    for (field, set) in [
        ("hostUsers", spec.host_users.is_some()),
        ("hostPID", spec.host_pid == Some(true)),
        ("hostIPC", spec.host_ipc == Some(true)),
        ("shareProcessNamespace", spec.share_process_namespace.is_some()),
    ] {
        if set {
            errors.forbidden(&path.child(field), detail);
        }
    }
    if let Some(c) = &spec.security_context {
        let path = path.child("securityContext");
        for (field, set) in [
            ("appArmorProfile", c.app_armor_profile.is_some()),
            ("seLinuxOptions", c.se_linux_options.is_some()),
            ("seccompProfile", c.seccomp_profile.is_some()),
            ("fsGroup", c.fs_group.is_some()),
            ("fsGroupChangePolicy", c.fs_group_change_policy.is_some()),
            ("sysctls", !items(&c.sysctls).is_empty()),
            ("runAsUser", c.run_as_user.is_some()),
            ("runAsGroup", c.run_as_group.is_some()),
            ("supplementalGroups", c.supplemental_groups.is_some()),
            ("supplementalGroupsPolicy", c.supplemental_groups_policy.is_some()),
            ("seLinuxChangePolicy", c.se_linux_change_policy.is_some()),
        ] {
            if set {
                errors.forbidden(&path.child(field), detail);
            }
        }
    }
    visit_containers(spec, path, |container, path| {
        let Some(c) = &container.security_context else { return };
        let path = path.child("securityContext");
        for (field, set) in [
            ("appArmorProfile", c.app_armor_profile.is_some()),
            ("seLinuxOptions", c.se_linux_options.is_some()),
            ("seccompProfile", c.seccomp_profile.is_some()),
            ("capabilities", c.capabilities.is_some()),
            ("readOnlyRootFilesystem", c.read_only_root_filesystem.is_some()),
            ("privileged", c.privileged.is_some()),
            ("allowPrivilegeEscalation", c.allow_privilege_escalation.is_some()),
            ("procMount", c.proc_mount.is_some()),
            ("runAsUser", c.run_as_user.is_some()),
            ("runAsGroup", c.run_as_group.is_some()),
        ] {
            if set {
                errors.forbidden(&path.child(field), detail);
            }
        }
    });
}

/// A pod shares either the host's processes or its containers', not both.
pub(super) fn validate_shared_processes(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let path = path.child("securityContext");
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&path.child("shareProcessNamespace"), &true, detail);
    }
}

/// The hostname override and what it cannot stand beside.
pub(super) fn validate_host_name(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(name) = &spec.hostname_override else { return };
    let path = path.child("hostnameOverride");
    if spec.set_hostname_as_fqdn == Some(true) {
        errors.forbidden(&path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.host_network == Some(true) {
        errors.forbidden(&path, "may not be specified when hostNetwork is true");
    }
    if name.len() > 64 {
        errors.too_long(&path, 64);
    }
    for message in is_dns1123_subdomain(name) {
        errors.invalid(&path, name, message);
    }
}
