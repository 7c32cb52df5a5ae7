//! What PersistentVolumes lie on: exactly one well-formed source each.
//!
//! Follows `ValidatePersistentVolumeSpec` of `pkg/apis/core/validation` 1.36.

use k8s_openapi::api::core::v1::{
    AzureFilePersistentVolumeSource, CSIPersistentVolumeSource, FlexVolumeSource,
    GlusterfsPersistentVolumeSource, GlusterfsVolumeSource, ISCSIPersistentVolumeSource,
    ISCSIVolumeSource, LocalVolumeSource, PersistentVolumeSpec, SecretReference,
};

use super::absent::text;
use super::field::{Errors, Path};
use super::names;
use super::paths::validate_no_backsteps;
use super::scalar::obeys;
use super::volume_drivers as drivers;
use super::volumes::{Sources, require, validate_host_path, validate_nfs};

/// Checks the source of the volume of this name.
pub(super) fn validate(
    spec: &PersistentVolumeSpec,
    name: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut s = Sources::new(path, errors);
    s.one("hostPath", &spec.host_path, validate_host_path);
    s.one("gcePersistentDisk", &spec.gce_persistent_disk, |source, _, errors| {
        drivers::validate_gce(source, &path.child("persistentDisk"), errors);
    });
    s.one("awsElasticBlockStore", &spec.aws_elastic_block_store, drivers::validate_aws);
    s.one("glusterfs", &spec.glusterfs, validate_glusterfs);
    s.one("flocker", &spec.flocker, drivers::validate_flocker);
    s.one("nfs", &spec.nfs, validate_nfs);
    s.one("rbd", &spec.rbd, |source, path, errors| {
        if source.monitors.is_empty() {
            errors.required(&path.child("monitors"), "");
        }
        require(&source.image, &path.child("image"), errors);
    });
    s.one("quobyte", &spec.quobyte, drivers::validate_quobyte);
    s.one("cephFS", &spec.cephfs, |source, _, errors| {
        if source.monitors.is_empty() {
            errors.required(&path.child("cephfs").child("monitors"), "");
        }
    });
    s.one("iscsi", &spec.iscsi, |source, path, errors| {
        validate_iscsi(source, name, path, errors);
    });
    s.one("cinder", &spec.cinder, |source, path, errors| {
        require(&source.volume_id, &path.child("volumeID"), errors);
        let path = path.child("secretRef");
        validate_named_secret(source.secret_ref.as_ref(), &path, errors);
    });
    s.one("fc", &spec.fc, drivers::validate_fc);
    // It is never one too many.
    if let Some(source) = &spec.flex_volume {
        s.seen += 1;
        let (driver, options) = (source.driver.clone(), source.options.clone());
        let source = FlexVolumeSource { driver, options, ..FlexVolumeSource::default() };
        drivers::validate_flex(&source, &path.child("flexVolume"), s.errors);
    }
    s.one("azureFile", &spec.azure_file, validate_azure_file);
    s.one("vsphereVolume", &spec.vsphere_volume, |source, path, errors| {
        require(&source.volume_path, &path.child("volumePath"), errors);
    });
    s.one("photonPersistentDisk", &spec.photon_persistent_disk, |source, path, errors| {
        require(&source.pd_id, &path.child("pdID"), errors);
    });
    s.one("portworxVolume", &spec.portworx_volume, |source, path, errors| {
        require(&source.volume_id, &path.child("volumeID"), errors);
    });
    s.one("azureDisk", &spec.azure_disk, drivers::validate_azure_disk);
    s.one("scaleIO", &spec.scale_io, |source, path, errors| {
        require(&source.gateway, &path.child("gateway"), errors);
        require(&source.system, &path.child("system"), errors);
        require(text(&source.volume_name), &path.child("volumeName"), errors);
    });
    s.one("local", &spec.local, |source, local, errors| {
        validate_local(source, local, errors);
        if spec.node_affinity.is_none() {
            errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    });
    s.one("storageos", &spec.storageos, |source, path, errors| {
        let (name, namespace) = (text(&source.volume_name), text(&source.volume_namespace));
        require(name, &path.child("volumeName"), errors);
        for (field, value) in [("volumeName", name), ("volumeNamespace", namespace)] {
            if !value.is_empty() {
                obeys(&path.child(field), value, names::is_dns1123_label, errors);
            }
        }
        if let Some(secret) = &source.secret_ref {
            let path = path.child("secretRef");
            require(text(&secret.name), &path.child("name"), errors);
            require(text(&secret.namespace), &path.child("namespace"), errors);
        }
    });
    s.one("csi", &spec.csi, validate_csi);
    if s.seen == 0 {
        errors.required(path, "must specify a volume type");
    }
}

fn validate_local(source: &LocalVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("path");
    require(&source.path, &path, errors);
    validate_no_backsteps(&source.path, &path, errors);
}

fn validate_glusterfs(
    source: &GlusterfsPersistentVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (endpoints, directory) = (source.endpoints.clone(), source.path.clone());
    let shared = GlusterfsVolumeSource { endpoints, path: directory, read_only: None };
    drivers::validate_glusterfs(&shared, path, errors);
    let path = path.child("endpointsNamespace");
    match source.endpoints_namespace.as_deref() {
        None => {}
        Some("") => {
            let detail = "if the endpointnamespace is set, it must be a valid namespace name";
            errors.invalid(&path, "", detail);
        }
        Some(namespace) => obeys(&path, namespace, names::is_dns1123_label, errors),
    }
}

fn validate_iscsi(
    source: &ISCSIPersistentVolumeSource,
    volume: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let shared = ISCSIVolumeSource {
        target_portal: source.target_portal.clone(),
        iqn: source.iqn.clone(),
        lun: source.lun,
        chap_auth_discovery: source.chap_auth_discovery,
        chap_auth_session: source.chap_auth_session,
        initiator_name: source.initiator_name.clone(),
        secret_ref: source.secret_ref.as_ref().map(|_| Default::default()),
        ..ISCSIVolumeSource::default()
    };
    drivers::validate_iscsi(&shared, volume, path, errors);
    if let Some(secret) = &source.secret_ref {
        require(text(&secret.name), &path.child("secretRef").child("name"), errors);
    }
}

fn validate_azure_file(
    source: &AzureFilePersistentVolumeSource,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    require(&source.secret_name, &path.child("secretName"), errors);
    require(&source.share_name, &path.child("shareName"), errors);
    if source.secret_namespace.as_deref() == Some("") {
        errors.required(&path.child("secretNamespace"), "");
    }
}

fn validate_named_secret(secret: Option<&SecretReference>, path: &Path<'_>, errors: &mut Errors) {
    let Some(secret) = secret else { return };
    require(text(&secret.name), &path.child("name"), errors);
    require(text(&secret.namespace), &path.child("namespace"), errors);
}

fn validate_csi(source: &CSIPersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    drivers::validate_csi_driver(&source.driver, &path.child("driver"), errors);
    require(&source.volume_handle, &path.child("volumeHandle"), errors);
    for (field, secret) in [
        ("controllerPublishSecretRef", &source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &source.controller_expand_secret_ref),
        ("nodePublishSecretRef", &source.node_publish_secret_ref),
        ("nodeExpandSecretRef", &source.node_expand_secret_ref),
    ] {
        let Some(secret) = secret else { continue };
        let path = path.child(field);
        let (name, namespace) = (text(&secret.name), text(&secret.namespace));
        match name {
            "" => errors.required(&path.child("name"), ""),
            name => obeys(&path.child("name"), name, names::is_dns1123_subdomain, errors),
        }
        match namespace {
            "" => errors.required(&path.child("namespace"), ""),
            space => obeys(&path.child("namespace"), space, names::is_dns1123_label, errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::validate_volume;
    use super::*;
    use serde_json::{Value, json};

    /// What is wrong with a volume that has this in its spec.
    fn lines(more: Value) -> Vec<String> {
        let mut spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let volume = json!({"metadata": {"name": "v"}, "spec": spec});
        let mut errors = Errors::new();
        validate_volume(&serde_json::from_value(volume).expect("a volume"), &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_volume_lies_on_one_well_formed_thing() {
        let nothing: [&str; 0] = [];
        assert_eq!(lines(json!({"hostPath": {"path": "/x"}})), nothing);
        assert_eq!(lines(json!({})), ["spec: Required value: must specify a volume type"]);
        assert_eq!(
            lines(json!({"hostPath": {"path": "../x"}, "nfs": {"server": "", "path": "x"}})),
            [
                "spec.hostPath.path: Invalid value: \"../x\": must not contain '..'",
                "spec.nfs: Forbidden: may not specify more than 1 volume type",
            ]
        );
        let kind = lines(json!({"hostPath": {"path": "/x", "type": "Foo"}}));
        assert!(kind[0].starts_with("spec.hostPath.type: Unsupported value: \"Foo\""), "{kind:?}");
        assert_eq!(
            lines(json!({"csi": {"driver": "", "volumeHandle": "",
                "nodePublishSecretRef": {"name": "a"}}})),
            [
                "spec.csi.driver: Required value",
                "spec.csi.volumeHandle: Required value",
                "spec.csi.nodePublishSecretRef.namespace: Required value",
            ]
        );
        assert_eq!(
            lines(
                json!({"azureFile": {"secretName": "", "shareName": "s", "secretNamespace": ""}})
            ),
            [
                "spec.azureFile.secretName: Required value",
                "spec.azureFile.secretNamespace: Required value",
            ]
        );
    }

    #[test]
    fn where_a_volume_can_be_used_and_what_becomes_of_it_is_checked() {
        assert_eq!(
            lines(json!({"local": {"path": "/a/../b"}})),
            [
                "spec.local.path: Invalid value: \"/a/../b\": must not contain '..'",
                "spec.nodeAffinity: Required value: Local volume requires node affinity",
            ]
        );
        assert_eq!(
            lines(json!({"hostPath": {"path": "/x"}, "nodeAffinity": {"required":
                {"nodeSelectorTerms": []}}})),
            [
                "spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node \
                 selector term"
            ]
        );
        assert_eq!(
            lines(json!({"hostPath": {"path": "/x"}, "nodeAffinity": {}})),
            ["spec.nodeAffinity.required: Required value: must specify required node constraints"]
        );
        assert_eq!(
            lines(json!({"hostPath": {"path": "//."}, "persistentVolumeReclaimPolicy": "Recycle"})),
            [
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"
            ]
        );
        assert_eq!(
            lines(json!({"hostPath": {"path": "/x"}, "volumeAttributesClassName": ""})),
            [
                "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
                "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            ]
        );
    }
}
