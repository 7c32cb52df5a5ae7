//! Annotations with a meaning of their own in a pod: mirror, deletion cost, seccomp, AppArmor.
//!
//! Follows `ValidatePodSpecificAnnotations` of `pkg/apis/core/validation` 1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, Toleration};

use super::absent::text;
use super::affinity::validate_tolerations;
use super::field::{Errors, Path};
use super::paths::validate_local_descending;
use super::pod::visit_containers;

/// Marks the API's image of a static pod.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
/// What it costs to delete the pod, against its siblings.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

type Annotations = BTreeMap<String, String>;

/// Annotations of a pod or of a template.
pub(super) fn validate_pod_annotations(
    annotations: &Annotations,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(value) = annotations.get(MIRROR).filter(|_| text(&spec.node_name).is_empty()) {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        errors.invalid(&path.key(MIRROR), value, detail);
    }
    if let Some(json) = annotations.get(TOLERATIONS).filter(|json| !json.is_empty()) {
        match serde_json::from_str::<Vec<Toleration>>(json) {
            Ok(list) => validate_tolerations(&list, &path.child(TOLERATIONS), errors),
            Err(error) => errors.invalid(path, TOLERATIONS, error.to_string()),
        }
    }
    if let Some(cost) = annotations.get(DELETION_COST).filter(|cost| !is_cost(cost)) {
        errors.invalid(&path.key(DELETION_COST), cost, "must be a 32bit integer");
    }
    if let Some(profile) = annotations.get(SECCOMP_POD) {
        validate_seccomp_name(profile, &path.child(SECCOMP_POD), errors);
    }
    for (key, profile) in annotations.iter().filter(|(key, _)| key.starts_with(SECCOMP_CONTAINER)) {
        validate_seccomp_name(profile, &path.child(key), errors);
    }
    for (key, profile) in annotations {
        let Some(name) = key.strip_prefix(APP_ARMOR) else { continue };
        let mut found = false;
        visit_containers(spec, path, |container, _| found |= container.name == name);
        if !found {
            errors.invalid(&path.key(key), name, "container not found");
        }
        let plain = matches!(profile.as_str(), "" | "runtime/default" | "unconfined");
        if !plain && !profile.starts_with("localhost/") {
            let detail = format!("invalid AppArmor profile name: {profile:?}");
            errors.invalid(&path.key(key), profile, detail);
        }
    }
}

/// A 32-bit integer without a plus sign or leading zeros.
fn is_cost(text: &str) -> bool {
    let start = text == "0" || text.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    start && text.parse::<i32>().is_ok()
}

fn validate_seccomp_name(profile: &str, path: &Path<'_>, errors: &mut Errors) {
    if let Some(file) = profile.strip_prefix("localhost/") {
        validate_local_descending(file, path, errors);
    } else if !matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        errors.invalid(path, profile, "must be a valid seccomp profile");
    }
}

/// Annotations and fields that say the same thing must agree.
pub(super) fn validate_agreement(
    annotations: &Annotations,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let context = spec.security_context.as_ref();
    let seccomp = context.and_then(|context| context.seccomp_profile.as_ref());
    if let Some((profile, named)) = seccomp.zip(annotations.get(SECCOMP_POD)) {
        let path = path.child("securityContext");
        let profile = (profile.type_.as_str(), profile.localhost_profile.as_deref());
        validate_same(profile, named, "seccomp", &path.child("seccompProfile"), errors);
    }
    visit_containers(spec, path, |container, path| {
        let own = container.security_context.as_ref();
        let Some(profile) = own.and_then(|context| context.seccomp_profile.as_ref()) else {
            return;
        };
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        let Some(named) = annotations.get(&key) else { return };
        let path = path.child("securityContext");
        let profile = (profile.type_.as_str(), profile.localhost_profile.as_deref());
        validate_same(profile, named, "seccomp", &path.child("seccompProfile"), errors);
    });
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        return;
    }
    let of_pod = context.and_then(|context| context.app_armor_profile.as_ref());
    visit_containers(spec, path, |container, path| {
        let own = container.security_context.as_ref();
        let own = own.and_then(|context| context.app_armor_profile.as_ref());
        let Some(profile) = own.or(of_pod) else { return };
        let Some(named) = annotations.get(&format!("{APP_ARMOR}{}", container.name)) else {
            return;
        };
        let path = path.child("securityContext");
        let profile = (profile.type_.as_str(), profile.localhost_profile.as_deref());
        validate_same(profile, named, "apparmor", &path.child("appArmorProfile"), errors);
    });
}

fn validate_same(
    (kind, file): (&str, Option<&str>),
    named: &str,
    noun: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let docker = noun == "seccomp" && named == "docker/default";
    let local = named.strip_prefix("localhost/");
    let same_kind = match kind {
        "Unconfined" => named == "unconfined",
        "RuntimeDefault" => named == "runtime/default" || docker,
        "Localhost" => local.is_some(),
        _ => true,
    };
    if !same_kind {
        let detail = format!("{noun} type in annotation and field must match");
        errors.forbidden(&path.child("type"), detail);
    } else if kind == "Localhost" && local != file {
        let detail = format!("{noun} profile in annotation and field must match");
        errors.forbidden(&path.child("localhostProfile"), detail);
    }
}
