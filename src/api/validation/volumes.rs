//! Volumes of a pod: their names, and exactly one well-formed source each.
//!
//! Follows `ValidateVolumes` of `pkg/apis/core/validation` 1.36. Paths inside volumes are checked in
//! `paths`, projected volumes in `projected`, the rarer sources in `volume_drivers`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, DownwardAPIVolumeSource, EmptyDirVolumeSource, EphemeralVolumeSource,
    HostPathVolumeSource, ImageVolumeSource, KeyToPath, NFSVolumeSource, SecretVolumeSource,
    Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::absent::{items, text};
use super::env::validate_downward_file;
use super::field::{Errors, Path};
use super::labels::validate_labels;
use super::meta::validate_annotations;
use super::names::{NameUse, is_dns1123_label, subdomain_name};
use super::paths::{validate_local_non_reserved, validate_no_backsteps};
use super::projected::validate_projected;
use super::resource_names::amount;
use super::storage::validate_claim_spec;
use super::volume_drivers as drivers;
use super::{Embedding, validate_pull_policy};

/// The well-formed volumes of a pod, by name.
pub(super) type Volumes<'a> = BTreeMap<&'a str, &'a Volume>;

/// All volumes; returns those that containers may refer to.
pub(super) fn validate_volumes<'a>(
    volumes: &'a [Volume],
    meta: Option<&ObjectMeta>,
    embedding: Embedding,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Volumes<'a> {
    let pod = meta.map_or("", |meta| text(&meta.name));
    let ephemeral = volumes.iter().filter(|volume| volume.ephemeral.is_some() && !pod.is_empty());
    let created: BTreeSet<String> = ephemeral.map(|v| format!("{pod}-{}", v.name)).collect();
    let mut known = Volumes::new();
    for (at, volume) in volumes.iter().enumerate() {
        let path = path.index(at);
        let before = errors.list().len();
        validate_source(volume, pod, embedding, &path, errors);
        let name_path = path.child("name");
        if volume.name.is_empty() {
            errors.required(&name_path, "");
        }
        if !volume.name.is_empty() {
            for message in is_dns1123_label(&volume.name) {
                errors.invalid(&name_path, &volume.name, message);
            }
        }
        if known.contains_key(volume.name.as_str()) {
            errors.duplicate(&name_path, &volume.name);
        }
        if errors.list().len() == before {
            known.insert(&volume.name, volume);
        }
        let claim = volume.persistent_volume_claim.as_ref();
        if let Some(claim) = claim.filter(|claim| created.contains(&claim.claim_name)) {
            let path = path.child("persistentVolumeClaim");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(&path.child("claimName"), &claim.claim_name, detail);
        }
    }
    known
}

/// Counts the sources of one volume: the first is checked, every further one is refused.
pub(super) struct Sources<'a, 'p> {
    path: &'a Path<'p>,
    pub(super) errors: &'a mut Errors,
    /// How many there were so far.
    pub(super) seen: usize,
}

impl<'a, 'p> Sources<'a, 'p> {
    /// None so far, of the volume at `path`.
    pub(super) fn new(path: &'a Path<'p>, errors: &'a mut Errors) -> Sources<'a, 'p> {
        Sources { path, errors, seen: 0 }
    }

    /// The next source, if it is given.
    pub(super) fn one<T>(
        &mut self,
        field: &str,
        source: &Option<T>,
        check: impl FnOnce(&T, &Path<'_>, &mut Errors),
    ) {
        let Some(source) = source else { return };
        let path = self.path.child(field);
        if self.seen > 0 {
            self.errors.forbidden(&path, "may not specify more than 1 volume type");
        } else {
            self.seen += 1;
            check(source, &path, self.errors);
        }
    }
}

fn validate_source(
    volume: &Volume,
    pod: &str,
    embedding: Embedding,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut s = Sources::new(path, errors);
    s.one("emptyDir", &volume.empty_dir, validate_empty_dir);
    s.one("hostPath", &volume.host_path, validate_host_path);
    s.one("gitRepo", &volume.git_repo, drivers::validate_git_repo);
    s.one("gcePersistentDisk", &volume.gce_persistent_disk, |source, _, errors| {
        drivers::validate_gce(source, &path.child("persistentDisk"), errors);
    });
    s.one("awsElasticBlockStore", &volume.aws_elastic_block_store, drivers::validate_aws);
    s.one("secret", &volume.secret, validate_secret);
    s.one("nfs", &volume.nfs, validate_nfs);
    s.one("iscsi", &volume.iscsi, |source, path, errors| {
        drivers::validate_iscsi(source, &volume.name, path, errors);
    });
    s.one("glusterfs", &volume.glusterfs, drivers::validate_glusterfs);
    s.one("flocker", &volume.flocker, drivers::validate_flocker);
    s.one("persistentVolumeClaim", &volume.persistent_volume_claim, |source, path, errors| {
        require(&source.claim_name, &path.child("claimName"), errors);
    });
    s.one("rbd", &volume.rbd, drivers::validate_rbd);
    s.one("cinder", &volume.cinder, drivers::validate_cinder);
    s.one("cephfs", &volume.cephfs, drivers::validate_ceph_fs);
    s.one("quobyte", &volume.quobyte, drivers::validate_quobyte);
    s.one("downwardAPI", &volume.downward_api, validate_downward_api);
    s.one("fc", &volume.fc, drivers::validate_fc);
    s.one("flexVolume", &volume.flex_volume, drivers::validate_flex);
    s.one("configMap", &volume.config_map, validate_config_map);
    s.one("azureFile", &volume.azure_file, drivers::validate_azure_file);
    s.one("vsphereVolume", &volume.vsphere_volume, |source, path, errors| {
        require(&source.volume_path, &path.child("volumePath"), errors);
    });
    s.one("photonPersistentDisk", &volume.photon_persistent_disk, |source, path, errors| {
        require(&source.pd_id, &path.child("pdID"), errors);
    });
    s.one("portworxVolume", &volume.portworx_volume, |source, path, errors| {
        require(&source.volume_id, &path.child("volumeID"), errors);
    });
    s.one("azureDisk", &volume.azure_disk, drivers::validate_azure_disk);
    s.one("storageos", &volume.storageos, drivers::validate_storage_os);
    s.one("projected", &volume.projected, validate_projected);
    s.one("scaleIO", &volume.scale_io, drivers::validate_scale_io);
    s.one("csi", &volume.csi, drivers::validate_csi);
    s.one("ephemeral", &volume.ephemeral, |source, path, errors| {
        validate_ephemeral(source, &volume.name, pod, path, errors);
    });
    s.one("image", &volume.image, |source, path, errors| {
        validate_image(source, embedding, path, errors);
    });
    if s.seen == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// `path: Required value` for an empty text.
pub(super) fn require(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    }
}

/// File permissions: 0 to 0777 (octal).
pub(super) fn validate_mode(mode: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.invalid(path, &mode, detail);
    }
}

fn validate_empty_dir(source: &EmptyDirVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("sizeLimit");
    let Some(written) = &source.size_limit else { return };
    let Some(limit) = amount(written, &path, errors) else { return };
    if limit.signum() < 0 {
        errors.forbidden(&path, "SizeLimit field must be a valid resource quantity");
    }
}

pub(super) fn validate_host_path(
    source: &HostPathVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if source.path.is_empty() {
        errors.required(&path.child("path"), "");
        return;
    }
    validate_no_backsteps(&source.path, &path.child("path"), errors);
    let known = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    if let Some(kind) = source.type_.as_deref().filter(|kind| !known.contains(kind)) {
        errors.not_supported(&path.child("type"), kind, &known);
    }
}

pub(super) fn validate_nfs(source: &NFSVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&source.server, &path.child("server"), errors);
    require(&source.path, &path.child("path"), errors);
    if !source.path.starts_with('/') {
        errors.invalid(&path.child("path"), &source.path, "must be an absolute path");
    }
}

fn validate_secret(source: &SecretVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(text(&source.secret_name), &path.child("secretName"), errors);
    validate_mode(source.default_mode, &path.child("defaultMode"), errors);
    validate_items(items(&source.items), &path.child("items"), errors);
}

fn validate_config_map(source: &ConfigMapVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    require(&source.name, &path.child("name"), errors);
    validate_mode(source.default_mode, &path.child("defaultMode"), errors);
    validate_items(items(&source.items), &path.child("items"), errors);
}

/// Which keys become which files.
pub(super) fn validate_items(list: &[KeyToPath], path: &Path<'_>, errors: &mut Errors) {
    for (at, item) in list.iter().enumerate() {
        let path = path.index(at);
        require(&item.key, &path.child("key"), errors);
        require(&item.path, &path.child("path"), errors);
        validate_local_non_reserved(&item.path, &path.child("path"), errors);
        validate_mode(item.mode, &path.child("mode"), errors);
    }
}

fn validate_downward_api(source: &DownwardAPIVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    validate_mode(source.default_mode, &path.child("defaultMode"), errors);
    for file in items(&source.items) {
        validate_downward_file(file, path, errors);
    }
}

fn validate_image(
    source: &ImageVolumeSource,
    embedding: Embedding,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if embedding == Embedding::Pod {
        require(text(&source.reference), &path.child("reference"), errors);
    }
    validate_pull_policy(text(&source.pull_policy), &path.child("pullPolicy"), errors);
}

fn validate_ephemeral(
    source: &EphemeralVolumeSource,
    volume: &str,
    pod: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let template_path = path.child("volumeClaimTemplate");
    match &source.volume_claim_template {
        None => errors.required(&template_path, ""),
        Some(template) => {
            let meta = template.metadata.as_ref();
            let meta_path = template_path.child("metadata");
            if let Some(labels) = meta.and_then(|meta| meta.labels.as_ref()) {
                validate_labels(labels, &meta_path.child("labels"), errors);
            }
            if let Some(annotations) = meta.and_then(|meta| meta.annotations.as_ref()) {
                validate_annotations(annotations, &meta_path.child("annotations"), errors);
            }
            for field in meta.map(foreign_meta).into_iter().flatten() {
                let detail = "cannot be set for an ephemeral volume";
                errors.forbidden(&meta_path.child(field), detail);
            }
            validate_claim_spec(Some(&template.spec), &template_path.child("spec"), errors);
        }
    }
    // The claim will be called after pod and volume; without either there is an error already.
    if !pod.is_empty() && !volume.is_empty() {
        let claim = format!("{pod}-{volume}");
        for message in subdomain_name(&claim, NameUse::Whole) {
            let detail = format!("PVC name {claim:?}: {message}");
            let Some(parent) = path.parent() else { continue };
            errors.invalid(&parent.child("name"), volume, detail);
        }
    }
}

/// The metadata fields of a claim template that are set, though only labels and annotations count.
fn foreign_meta(meta: &ObjectMeta) -> impl Iterator<Item = &'static str> {
    [
        ("name", meta.name.is_some()),
        ("generateName", meta.generate_name.is_some()),
        ("namespace", meta.namespace.is_some()),
        ("selfLink", meta.self_link.is_some()),
        ("uid", meta.uid.is_some()),
        ("resourceVersion", meta.resource_version.is_some()),
        ("generation", meta.generation.is_some()),
        ("deletionTimestamp", meta.deletion_timestamp.is_some()),
        ("deletionGracePeriodSeconds", meta.deletion_grace_period_seconds.is_some()),
        ("ownerReferences", meta.owner_references.is_some()),
        ("finalizers", meta.finalizers.is_some()),
        ("managedFields", meta.managed_fields.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, set)| set.then_some(field))
}
