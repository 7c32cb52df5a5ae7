//! Where a container sees a pod's volumes: mounts and block devices.
//!
//! Follows `ValidateVolumeMounts` and `ValidateVolumeDevices` of `pkg/apis/core/validation` 1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, VolumeMount};

use super::absent::{items, text};
use super::field::{Errors, Path};
use super::paths::validate_local_descending;
use super::volumes::Volumes;

/// Mounts: each of a known volume, no two at one path, none where a device is.
pub(super) fn validate_mounts(
    container: &Container,
    volumes: &Volumes<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let devices = items(&container.volume_devices);
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (at, mount) in items(&container.volume_mounts).iter().enumerate() {
        let item = path.index(at);
        let (name_path, mount_path) = (item.child("name"), item.child("mountPath"));
        if mount.name.is_empty() {
            errors.required(&name_path, "");
        }
        if !volumes.contains_key(mount.name.as_str()) {
            errors.not_found(&name_path, &mount.name);
        }
        if mount.mount_path.is_empty() {
            errors.required(&mount_path, "");
        }
        if !taken.insert(&mount.mount_path) {
            errors.invalid(&mount_path, &mount.mount_path, "must be unique");
        }
        if devices.iter().any(|device| device.name == mount.name) {
            errors.invalid(&name_path, &mount.name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| device.device_path == mount.mount_path) {
            let detail = "must not already exist as a path in volumeDevices";
            errors.invalid(&mount_path, &mount.mount_path, detail);
        }
        validate_sub_paths(mount, &item, path, errors);
        validate_propagation(mount, container, &path.child("mountPropagation"), errors);
        validate_recursive(mount, &path.child("recursiveReadOnly"), errors);
    }
}

fn validate_sub_paths(mount: &VolumeMount, item: &Path<'_>, list: &Path<'_>, errors: &mut Errors) {
    let (plain, expression) = (text(&mount.sub_path), text(&mount.sub_path_expr));
    if !plain.is_empty() {
        validate_local_descending(plain, &list.child("subPath"), errors);
    }
    if expression.is_empty() {
        return;
    }
    if !plain.is_empty() {
        let detail = "subPathExpr and subPath are mutually exclusive";
        errors.invalid(&item.child("subPathExpr"), expression, detail);
    }
    validate_local_descending(expression, &list.child("subPathExpr"), errors);
}

fn validate_propagation(
    mount: &VolumeMount,
    container: &Container,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(mode) = mount.mount_propagation.as_deref() else { return };
    let known = ["Bidirectional", "HostToContainer", "None"];
    if !known.contains(&mode) {
        errors.not_supported(path, mode, &known);
    }
    let privileged = container.security_context.as_ref().and_then(|context| context.privileged);
    if mode == "Bidirectional" && privileged != Some(true) {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        errors.forbidden(path, detail);
    }
}

fn validate_recursive(mount: &VolumeMount, path: &Path<'_>, errors: &mut Errors) {
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                errors.forbidden(path, "may only be specified when readOnly is true");
            }
            if mount.mount_propagation.as_deref().is_some_and(|mode| mode != "None") {
                let detail = "may only be specified when mountPropagation is None or not specified";
                errors.forbidden(path, detail);
            }
        }
        Some(other) => errors.not_supported(path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Block devices: each of a claim, named once, at a path of its own, none where a mount is.
pub(super) fn validate_devices(
    container: &Container,
    volumes: &Volumes<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mounts = items(&container.volume_mounts);
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (at, device) in items(&container.volume_devices).iter().enumerate() {
        let item = path.index(at);
        let (name, place) = (device.name.as_str(), device.device_path.as_str());
        let (name_path, place_path) = (item.child("name"), item.child("devicePath"));
        if name.is_empty() {
            errors.required(&name_path, "");
        }
        if names.contains(name) {
            errors.invalid(&name_path, name, "must be unique");
        }
        match volumes.get(name) {
            None => errors.not_found(&name_path, name),
            Some(volume) => {
                if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() {
                    let detail = "can only use volume source type of PersistentVolumeClaim or \
                                  Ephemeral for block mode";
                    errors.invalid(&name_path, name, detail);
                }
            }
        }
        if place.is_empty() {
            errors.required(&place_path, "");
        }
        if paths.contains(place) {
            errors.invalid(&place_path, place, "must be unique");
        }
        if place.split('/').any(|part| part == "..") {
            errors.invalid(&place_path, place, "can not contain backsteps ('..')");
        } else {
            paths.insert(place);
        }
        if mounts.iter().any(|mount| mount.name == name) {
            errors.invalid(&name_path, name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| mount.mount_path == place) {
            let detail = "must not already exist as a path in volumeMounts";
            errors.invalid(&place_path, place, detail);
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
