//! Volume sources of storage systems: what each cannot do without.
//!
//! Follows `pkg/apis/core/validation` 1.36.

use k8s_openapi::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, AzureFileVolumeSource,
    CSIVolumeSource, CephFSVolumeSource, CinderVolumeSource, FCVolumeSource, FlexVolumeSource,
    FlockerVolumeSource, GCEPersistentDiskVolumeSource, GitRepoVolumeSource, GlusterfsVolumeSource,
    ISCSIVolumeSource, LocalObjectReference, QuobyteVolumeSource, RBDVolumeSource,
    ScaleIOVolumeSource, StorageOSVolumeSource,
};

use super::absent::{items, text};
use super::field::{Errors, Path};
use super::meta::shown_strings;
use super::names::{inclusive_range, is_dns1123_label, is_dns1123_subdomain};
use super::paths::validate_local_descending;
use super::volumes::require;

pub(super) fn validate_git_repo(s: &GitRepoVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.repository, &path.child("repository"), errors);
    validate_local_descending(text(&s.directory), &path.child("directory"), errors);
}

fn validate_partition(partition: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = partition.filter(|number| !(0..=255).contains(number)) {
        errors.invalid(&path.child("partition"), &number, inclusive_range(1, 255));
    }
}

pub(super) fn validate_gce(
    s: &GCEPersistentDiskVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    require(&s.pd_name, &path.child("pdName"), errors);
    validate_partition(s.partition, path, errors);
}

pub(super) fn validate_aws(
    s: &AWSElasticBlockStoreVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    require(&s.volume_id, &path.child("volumeID"), errors);
    validate_partition(s.partition, path, errors);
}

fn validate_lun(lun: i32, path: &Path<'_>, errors: &mut Errors) {
    if !(0..=255).contains(&lun) {
        errors.invalid(&path.child("lun"), &lun, inclusive_range(0, 255));
    }
}

/// What is wrong with an iSCSI name (iqn, eui or naa), if anything.
fn iscsi_name_fault(name: &str) -> Option<&'static str> {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let of_length = |rest: &str, count| {
        let mut chars = rest.chars();
        chars.next().is_some()
            && chars.as_str().len() == count
            && chars.as_str().bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let iqn = |rest: &str| -> Option<bool> {
        let rest = rest.strip_prefix('.')?;
        let (date, rest) = rest.split_once('.')?;
        let (year, month) = date.split_once('-')?;
        let (authority, label) = rest.split_once(':')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        let clear = |c: char| !matches!(c, ',' | ';' | '*' | '&' | '$' | '|') && !c.is_whitespace();
        let authority = !authority.is_empty() && authority.bytes().all(plain);
        let label = !label.is_empty() && label.chars().all(clear);
        Some(digits(year, 4) && digits(month, 2) && authority && label)
    };
    let fine = if let Some(rest) = name.strip_prefix("iqn") {
        iqn(rest).unwrap_or(false)
    } else if let Some(rest) = name.strip_prefix("eui") {
        of_length(rest, 16)
    } else if let Some(rest) = name.strip_prefix("naa") {
        of_length(rest, 32)
    } else {
        return Some("must be valid format starting with iqn, eui, or naa");
    };
    (!fine).then_some("must be valid format")
}

pub(super) fn validate_iscsi(
    s: &ISCSIVolumeSource,
    volume: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    require(&s.target_portal, &path.child("targetPortal"), errors);
    if s.iqn.is_empty() {
        errors.required(&path.child("iqn"), "");
    } else if let Some(fault) = iscsi_name_fault(&s.iqn) {
        errors.invalid(&path.child("iqn"), &s.iqn, fault);
    }
    validate_lun(s.lun, path, errors);
    let chap = s.chap_auth_discovery == Some(true) || s.chap_auth_session == Some(true);
    if chap && s.secret_ref.is_none() {
        errors.required(&path.child("secretRef"), "");
    }
    let Some(initiator) = &s.initiator_name else { return };
    if let Some(fault) = iscsi_name_fault(initiator) {
        errors.invalid(&path.child("initiatorname"), initiator, fault);
    }
    if volume.len() + 1 + s.target_portal.len() > 64 {
        let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 \
                      characters if iscsi.initiatorName is specified.";
        if let Some(parent) = path.parent() {
            errors.invalid(&parent.child("name"), volume, detail);
        }
    }
}

pub(super) fn validate_glusterfs(s: &GlusterfsVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.endpoints, &path.child("endpoints"), errors);
    require(&s.path, &path.child("path"), errors);
}

pub(super) fn validate_flocker(s: &FlockerVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let (name, uuid) = (text(&s.dataset_name), text(&s.dataset_uuid));
    if name.is_empty() && uuid.is_empty() {
        errors.required(path, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !uuid.is_empty() {
        let detail = "datasetName and datasetUUID can not be specified simultaneously";
        errors.invalid(path, "resource", detail);
    }
    if name.contains('/') {
        errors.invalid(&path.child("datasetName"), name, "must not contain '/'");
    }
}

pub(super) fn validate_rbd(s: &RBDVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    if s.monitors.is_empty() {
        errors.required(&path.child("monitors"), "");
    }
    require(&s.image, &path.child("image"), errors);
}

fn validate_secret_ref(
    secret: &Option<LocalObjectReference>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(secret) = secret {
        require(&secret.name, &path.child("secretRef").child("name"), errors);
    }
}

pub(super) fn validate_cinder(s: &CinderVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.volume_id, &path.child("volumeID"), errors);
    validate_secret_ref(&s.secret_ref, path, errors);
}

pub(super) fn validate_ceph_fs(s: &CephFSVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    if s.monitors.is_empty() {
        errors.required(&path.child("monitors"), "");
    }
}

pub(super) fn validate_quobyte(s: &QuobyteVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let pairs = "must be a host:port pair or multiple pairs separated by commas";
    if s.registry.is_empty() {
        errors.required(&path.child("registry"), pairs);
    } else if text(&s.tenant).len() >= 65 {
        let detail = "must be a UUID and may not exceed a length of 64 characters";
        errors.required(&path.child("tenant"), detail);
    } else {
        let is_pair = |pair: &str| match pair.rsplit_once(':') {
            Some((host, _)) => !host.contains(':') || host.starts_with('[') && host.ends_with(']'),
            None => false,
        };
        for _ in s.registry.split(',').filter(|pair| !is_pair(pair)) {
            errors.invalid(&path.child("registry"), &s.registry, pairs);
        }
    }
    require(&s.volume, &path.child("volume"), errors);
}

pub(super) fn validate_fc(s: &FCVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let (targets, ids) = (items(&s.target_wwns), items(&s.wwids));
    let targets_path = path.child("targetWWNs");
    if targets.is_empty() && ids.is_empty() {
        errors.required(&targets_path, "must specify either targetWWNs or wwids, but not both");
    }
    if !targets.is_empty() && !ids.is_empty() {
        let detail = "targetWWNs and wwids can not be specified simultaneously";
        errors.invalid_as(&targets_path, shown_strings(targets), detail);
    }
    if !targets.is_empty() {
        match s.lun {
            None => {
                errors.required(&path.child("lun"), "lun is required if targetWWNs is specified");
            }
            Some(lun) => validate_lun(lun, path, errors),
        }
    }
}

pub(super) fn validate_flex(s: &FlexVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.driver, &path.child("driver"), errors);
    for key in s.options.iter().flatten().map(|(key, _)| key) {
        let domain = key.split_once('/').map_or(key.as_str(), |(domain, _)| domain);
        let domain = format!(".{}", domain.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            errors.invalid(&path.child("options").key(key), key, detail);
        }
    }
}

pub(super) fn validate_azure_file(s: &AzureFileVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.secret_name, &path.child("secretName"), errors);
    require(&s.share_name, &path.child("shareName"), errors);
}

pub(super) fn validate_azure_disk(s: &AzureDiskVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.disk_name, &path.child("diskName"), errors);
    require(&s.disk_uri, &path.child("diskURI"), errors);
    let modes = ["None", "ReadOnly", "ReadWrite"];
    if let Some(mode) = s.caching_mode.as_deref().filter(|mode| !modes.contains(mode)) {
        errors.not_supported(&path.child("cachingMode"), mode, &modes);
    }
    let kinds = ["Dedicated", "Managed", "Shared"];
    let Some(kind) = s.kind.as_deref() else { return };
    if !kinds.contains(&kind) {
        errors.not_supported(&path.child("kind"), kind, &kinds);
    }
    let (prefix, form) = if kind == "Managed" {
        let form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/\
                    microsoft.compute/disks/{disk-id}";
        ("/subscriptions/", form)
    } else {
        let form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
        ("https://", form)
    };
    if !s.disk_uri.starts_with(prefix) {
        errors.not_supported(&path.child("diskURI"), &s.disk_uri, &[form]);
    }
}

pub(super) fn validate_storage_os(s: &StorageOSVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let (name, namespace) = (text(&s.volume_name), text(&s.volume_namespace));
    require(name, &path.child("volumeName"), errors);
    for (field, value) in [("volumeName", name), ("volumeNamespace", namespace)] {
        if !value.is_empty() {
            for message in is_dns1123_label(value) {
                errors.invalid(&path.child(field), value, message);
            }
        }
    }
    validate_secret_ref(&s.secret_ref, path, errors);
}

pub(super) fn validate_scale_io(s: &ScaleIOVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&s.gateway, &path.child("gateway"), errors);
    require(&s.system, &path.child("system"), errors);
    require(text(&s.volume_name), &path.child("volumeName"), errors);
}

/// The name of a CSI driver.
pub(super) fn validate_csi_driver(driver: &str, path: &Path<'_>, errors: &mut Errors) {
    if driver.is_empty() {
        errors.required(path, "");
        return;
    }
    if driver.len() > 63 {
        errors.too_long(path, 63);
    }
    for message in is_dns1123_subdomain(&driver.to_lowercase()) {
        errors.invalid(path, driver, message);
    }
}

pub(super) fn validate_csi(s: &CSIVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    validate_csi_driver(&s.driver, &path.child("driver"), errors);
    let Some(secret) = &s.node_publish_secret_ref else { return };
    if secret.name.is_empty() {
        errors.required(&path.child("nodePublishSecretRef").child("name"), "");
    } else {
        for message in is_dns1123_subdomain(&secret.name) {
            errors.invalid(&path.child("name"), &secret.name, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iscsi_names_are_of_three_forms() {
        let fine = ["iqn.2015-02.example.com:test", "eui.0123456789ABCDEF"];
        assert!(fine.iter().all(|name| iscsi_name_fault(name).is_none()));
        for bad in ["iqn.2015-02.example.com", "eui.01", "iqn.2015-02.a:b|c", "x"] {
            assert!(iscsi_name_fault(bad).is_some(), "{bad}");
        }
    }
}
