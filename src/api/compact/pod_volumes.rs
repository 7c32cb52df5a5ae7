//! The volumes of pods.

use k8s_openapi::api::core::v1 as core;

use super::intern::Interner;
use crate::api::pod::{EmptyDir, Medium};
use crate::api::quantity::Quantity;
use crate::api::rules::volumes::{Disk, Mount, PodClaim, PodVolumes};
use crate::api::storage::{ClaimTemplate, InTreePlugin};

fn mount(read_only: Option<bool>) -> Mount {
    match read_only {
        Some(true) => Mount::ReadOnly,
        _ => Mount::ReadWrite,
    }
}

impl Interner {
    pub(super) fn pod_volumes(&mut self, written: Option<&[core::Volume]>) -> PodVolumes {
        let mut volumes = PodVolumes::default();
        for volume in written.into_iter().flatten() {
            volumes.claims.extend(self.pod_claim(volume));
            volumes.disks.extend(self.disk(volume));
            if let Some((plugin, handle)) = in_tree(volume) {
                volumes.in_tree.push((plugin, self.text(handle)));
            }
            let image = volume.image.as_ref().and_then(|it| it.reference.as_deref());
            volumes.images.extend(image.map(|it| self.text(it)));
            volumes.local.extend(is_local(volume).then(|| self.text(&volume.name)));
        }
        volumes
    }

    /// Volumes that are empty at first and have a medium or a limit.
    pub(super) fn empty_dirs(&mut self, written: Option<&[core::Volume]>) -> Vec<EmptyDir> {
        let mut found = Vec::new();
        for volume in written.into_iter().flatten() {
            let Some(dir) = &volume.empty_dir else { continue };
            let medium = if is_on_disk(dir) { Medium::Disk } else { Medium::Memory };
            let limit = dir.size_limit.as_ref().and_then(|it| Quantity::parse(&it.0).ok());
            let size_limit = limit.filter(|limit| limit.signum() > 0);
            if medium == Medium::Memory || size_limit.is_some() {
                found.push(EmptyDir { name: self.text(&volume.name), medium, size_limit });
            }
        }
        found
    }

    fn pod_claim(&mut self, volume: &core::Volume) -> Option<PodClaim> {
        if let Some(it) = &volume.persistent_volume_claim {
            return Some(PodClaim::Named(self.text(&it.claim_name)));
        }
        let template = volume.ephemeral.as_ref()?.volume_claim_template.as_ref();
        let meta = template.and_then(|it| it.metadata.as_ref());
        let spec = template.map(|it| &it.spec);
        Some(PodClaim::Ephemeral(ClaimTemplate {
            name: self.text(&volume.name),
            labels: self.labels(meta.and_then(|it| it.labels.as_ref())),
            annotations: self.labels(meta.and_then(|it| it.annotations.as_ref())),
            spec: self.claim_spec(spec, None),
        }))
    }

    fn disk(&mut self, volume: &core::Volume) -> Option<Disk> {
        if let Some(it) = &volume.gce_persistent_disk {
            return Some(Disk::Gce(self.text(&it.pd_name), mount(it.read_only)));
        }
        if let Some(it) = &volume.aws_elastic_block_store {
            return Some(Disk::Aws(self.text(&it.volume_id)));
        }
        if let Some(it) = &volume.iscsi {
            return Some(Disk::Iscsi(self.text(&it.iqn), mount(it.read_only)));
        }
        volume.rbd.as_ref().map(|it| Disk::Rbd {
            monitors: it.monitors.iter().map(|monitor| self.text(monitor)).collect(),
            pool: self.optional(it.pool.as_deref()),
            image: self.text(&it.image),
            mount: mount(it.read_only),
        })
    }
}

/// Whether a volume's data lie on the node's disk.
fn is_local(volume: &core::Volume) -> bool {
    volume.host_path.is_some() || volume.empty_dir.as_ref().is_some_and(is_on_disk)
}

fn is_on_disk(dir: &core::EmptyDirVolumeSource) -> bool {
    dir.medium.as_deref() != Some("Memory")
}

/// The plugin of a volume that a CSI driver has taken over, and its name for the volume.
fn in_tree(volume: &core::Volume) -> Option<(InTreePlugin, &str)> {
    if let Some(it) = &volume.aws_elastic_block_store {
        Some((InTreePlugin::AwsEbs, &it.volume_id))
    } else if let Some(it) = &volume.gce_persistent_disk {
        Some((InTreePlugin::GcePd, &it.pd_name))
    } else if let Some(it) = &volume.azure_disk {
        Some((InTreePlugin::AzureDisk, &it.disk_uri))
    } else if let Some(it) = &volume.azure_file {
        Some((InTreePlugin::AzureFile, &it.share_name))
    } else if let Some(it) = &volume.cinder {
        Some((InTreePlugin::Cinder, &it.volume_id))
    } else if let Some(it) = &volume.vsphere_volume {
        Some((InTreePlugin::Vsphere, &it.volume_path))
    } else {
        volume.portworx_volume.as_ref().map(|it| (InTreePlugin::Portworx, &*it.volume_id))
    }
}
