//! Claims and volumes.
//!
//! What a PersistentVolume lies on is checked in `volume_sources`.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
};

use super::{
    affinity::validate_node_selector,
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names, resource_names,
    scalar::{immutable, items, obeys, text},
    volume_sources,
};
use crate::api::quantity::Quantity;

const ACCESS_MODES: [&str; 4] =
    ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

/// Checks a new PersistentVolumeClaim whose defaults are set.
pub fn validate_claim(claim: &PersistentVolumeClaim, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&claim.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_claim_spec(claim.spec.as_ref(), &Path::ROOT.child("spec"), errors);
}

/// Checks that a PersistentVolumeClaim may become `new`.
pub fn validate_claim_update(
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
    errors: &mut Errors,
) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_claim(new, errors);
    let (Some(after), Some(before)) = (&new.spec, &old.spec) else { return };
    let bound = new.status.as_ref().is_some_and(|status| text(status.phase.as_ref()) == "Bound");
    let path = Path::ROOT.child("spec");
    if !may_become(after, before, bound) {
        let detail = "spec is immutable after creation except resources.requests and \
                      volumeAttributesClassName for bound claims";
        errors.forbidden(&path, detail);
    }
    let size = |spec: &PersistentVolumeClaimSpec| {
        let requests = spec.resources.as_ref()?.requests.as_ref()?;
        Quantity::of(requests.get("storage")?).ok()
    };
    let capacity = old.status.as_ref().and_then(|status| status.capacity.as_ref());
    let capacity = capacity.and_then(|amounts| Quantity::of(amounts.get("storage")?).ok());
    if let (Some(new_size), Some(old_size)) = (size(after), size(before))
        && new_size < old_size
        && new_size <= capacity.unwrap_or(Quantity::ZERO)
    {
        let path = path.child("resources");
        let path = path.child("requests");
        errors.forbidden(&path.child("storage"), "field can not be less than status.capacity");
    }
    immutable(&Path::ROOT.child("volumeMode"), &after.volume_mode, &before.volume_mode, errors);
}

/// Whether only those parts of a claim's spec differ that may.
fn may_become(
    new: &PersistentVolumeClaimSpec,
    old: &PersistentVolumeClaimSpec,
    bound: bool,
) -> bool {
    let mut allowed = old.clone();
    if text(old.volume_name.as_ref()).is_empty() {
        allowed.volume_name.clone_from(&new.volume_name);
    }
    // A claim made before there was a default class may get one.
    if old.storage_class_name.is_none() {
        allowed.storage_class_name.clone_from(&new.storage_class_name);
    }
    if bound {
        allowed.resources.clone_from(&new.resources);
        allowed.volume_attributes_class_name.clone_from(&new.volume_attributes_class_name);
    }
    allowed == *new
}

/// Checks the spec of a claim, also inside a StatefulSet.
pub fn validate_claim_spec(
    spec: Option<&PersistentVolumeClaimSpec>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let none = PersistentVolumeClaimSpec::default();
    let spec = spec.unwrap_or(&none);
    let modes = items(spec.access_modes.as_ref());
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
    if let Some(selector) = &spec.selector {
        let path = path.child("selector");
        validate_label_selector(selector, &path, SelectorValues::LabelValues, errors);
    }
    check_access_modes(modes, &path.child("accessModes"), errors);
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let resources = path.child("resources");
    let place = resources.key("storage");
    match requests.and_then(|requests| requests.get("storage")) {
        None => errors.required(&place, ""),
        Some(amount) => {
            resource_names::check_positive(amount, &place, errors);
        }
    }
    let classes = [
        ("storageClassName", &spec.storage_class_name),
        ("volumeAttributesClassName", &spec.volume_attributes_class_name),
    ];
    check_class(classes[0], path, errors);
    check_volume_mode(spec.volume_mode.as_ref(), path, errors);
    if let Some(source) = &spec.data_source {
        let path = path.child("dataSource");
        check_source(&source.name, &source.kind, source.api_group.as_ref(), &path, errors);
    }
    if let Some(source) = &spec.data_source_ref {
        let path = path.child("dataSourceRef");
        check_source(&source.name, &source.kind, source.api_group.as_ref(), &path, errors);
        let namespace = text(source.namespace.as_ref());
        if !namespace.is_empty() {
            obeys(&path.child("namespace"), namespace, names::is_dns1123_label, errors);
        }
    }
    check_sources_agree(spec, path, errors);
    check_class(classes[1], path, errors);
}

fn check_access_modes(modes: &[String], path: &Path<'_>, errors: &mut Errors) {
    for mode in modes {
        if !ACCESS_MODES.contains(&mode.as_str()) {
            errors.not_supported(path, mode, &ACCESS_MODES);
        }
    }
    let known = modes.iter().filter(|mode| ACCESS_MODES.contains(&mode.as_str()));
    let (alone, others): (Vec<_>, Vec<_>) = known.partition(|mode| *mode == "ReadWriteOncePod");
    if !alone.is_empty() && !others.is_empty() {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

fn check_class((field, class): (&str, &Option<String>), path: &Path<'_>, errors: &mut Errors) {
    let class = text(class.as_ref());
    if !class.is_empty() {
        obeys(&path.child(field), class, names::is_dns1123_subdomain, errors);
    }
}

fn check_volume_mode(mode: Option<&String>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = mode
        && !VOLUME_MODES.contains(&mode.as_str())
    {
        errors.not_supported(&path.child("volumeMode"), mode, &VOLUME_MODES);
    }
}

fn check_source(
    name: &str,
    kind: &str,
    group: Option<&String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    if kind.is_empty() {
        errors.required(&path.child("kind"), "");
    }
    let group = text(group);
    if !group.is_empty() {
        obeys(&path.child("apiGroup"), group, names::is_dns1123_subdomain, errors);
    } else if kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.invalid(path, kind, detail);
    }
}

fn check_sources_agree(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut Errors) {
    let (Some(source), Some(reference)) = (&spec.data_source, &spec.data_source_ref) else {
        return;
    };
    let place = path.child("dataSource").to_string();
    if !text(reference.namespace.as_ref()).is_empty() {
        let detail = "may not be specified when dataSourceRef.namespace is specified";
        errors.invalid_as(path, place, detail);
    } else if (&source.api_group, &source.kind, &source.name)
        != (&reference.api_group, &reference.kind, &reference.name)
    {
        errors.invalid_as(path, place, "must match dataSourceRef");
    }
}

/// Checks a new PersistentVolume whose defaults are set.
pub fn validate_volume(volume: &PersistentVolume, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&volume.metadata, Scope::Cluster, rule, &metadata, errors);
    let none = PersistentVolumeSpec::default();
    let spec = volume.spec.as_ref().unwrap_or(&none);
    let path = Path::ROOT.child("spec");
    let modes = items(spec.access_modes.as_ref());
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    check_access_modes(modes, &path.child("accessModes"), errors);
    let capacity = path.child("capacity");
    match spec.capacity.as_ref().filter(|capacity| !capacity.is_empty()) {
        None => errors.required(&capacity, ""),
        Some(amounts) => {
            if amounts.len() > 1 || !amounts.contains_key("storage") {
                errors.not_supported(
                    &capacity,
                    &super::scalar::Printed(super::scalar::json(amounts)),
                    &["storage"],
                );
            }
            for (name, amount) in amounts {
                resource_names::check_positive(amount, &capacity.key(name), errors);
            }
        }
    }
    let reclaim = text(spec.persistent_volume_reclaim_policy.as_ref());
    let known = ["Delete", "Recycle", "Retain"];
    if !reclaim.is_empty() && !known.contains(&reclaim) {
        errors.not_supported(&path.child("persistentVolumeReclaimPolicy"), reclaim, &known);
    }
    if let Some(affinity) = &spec.node_affinity {
        let path = path.child("nodeAffinity");
        let path = path.child("required");
        match &affinity.required {
            Some(selector) => validate_node_selector(selector, &path, errors),
            None => errors.required(&path, "must specify required node constraints"),
        }
    }
    let name = text(volume.metadata.name.as_ref());
    volume_sources::validate(spec, name, &path, errors);
    if reclaim == "Recycle" && spec.host_path.as_ref().is_some_and(|it| is_root(&it.path)) {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        errors.forbidden(&path.child("persistentVolumeReclaimPolicy"), detail);
    }
    check_class(("storageClassName", &spec.storage_class_name), &path, errors);
    check_volume_mode(spec.volume_mode.as_ref(), &path, errors);
    if let Some(class) = &spec.volume_attributes_class_name {
        if class.is_empty() {
            let detail = "an empty string is disallowed";
            errors.required(&path.child("volumeAttributesClassName"), detail);
        }
        let field = ("volumeAttributesClassName", &spec.volume_attributes_class_name);
        check_class(field, &path, errors);
        if spec.csi.is_none() {
            let detail = "has to be specified when using volumeAttributesClassName";
            errors.required(&path.child("csi"), detail);
        }
    }
}

/// Whether a path is that of the root directory (`path.Clean` of Go).
fn is_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
    }
    path.starts_with('/') && depth == 0
}

/// Checks that a PersistentVolume may become `new`.
pub fn validate_volume_update(new: &PersistentVolume, old: &PersistentVolume, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_volume(new, errors);
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return };
    if source_of(new, old) != source_of(old, old) {
        let spec = Path::ROOT.child("spec");
        let detail = "spec.persistentvolumesource is immutable after creation";
        errors.forbidden(&spec.child("persistentvolumesource"), detail);
    }
    immutable(&Path::ROOT.child("volumeMode"), &new.volume_mode, &old.volume_mode, errors);
    if old.node_affinity.is_some() {
        let path = Path::ROOT.child("nodeAffinity");
        immutable(&path, &new.node_affinity, &old.node_affinity, errors);
    }
}

/// What a volume lies on: its spec without all that is no source. A secret for expansion may be named
/// where `old` names none.
fn source_of(spec: &PersistentVolumeSpec, old: &PersistentVolumeSpec) -> PersistentVolumeSpec {
    let mut source = PersistentVolumeSpec {
        access_modes: None,
        capacity: None,
        claim_ref: None,
        mount_options: None,
        node_affinity: None,
        persistent_volume_reclaim_policy: None,
        storage_class_name: None,
        volume_attributes_class_name: None,
        volume_mode: None,
        ..spec.clone()
    };
    let names_none = |csi: &CSIPersistentVolumeSource| csi.controller_expand_secret_ref.is_none();
    if old.csi.as_ref().is_some_and(names_none)
        && let Some(csi) = &mut source.csi
    {
        csi.controller_expand_secret_ref = None;
    }
    source
}
