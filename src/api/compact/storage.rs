//! PersistentVolumes, claims, StorageClasses, CSINodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::intern::Interner;
use super::meta::{arrival, imported_uid};
use super::pod_spec::canonical;
use super::{Compacted, Compactor};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::api::storage::{
    AccessModes, BindingMode, ClaimPhase, ClaimRef, ClaimSpec, ClassGrowth, CsiDriverOnNode,
    CsiNode, Filling, InTreePlugin, PersistentVolume, PersistentVolumeClaim, Reclaim, StorageClass,
    Topology, VolumeMode, VolumePhase, VolumeSource, VolumeSpec,
};

/// Where classes were written before they had a field.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// Annotation of a CSINode: the in-tree plugins taken over there.
const MIGRATED: &str = "storage.alpha.kubernetes.io/migrated-plugins";

fn access(written: Option<&Vec<String>>) -> AccessModes {
    let modes = written.into_iter().flatten().map(|it| AccessModes::named(it));
    modes.fold(AccessModes::default(), AccessModes::with)
}

fn mode(written: Option<&str>) -> VolumeMode {
    match written {
        Some("Block") => VolumeMode::Block,
        _ => VolumeMode::Filesystem,
    }
}

fn reclaim(written: Option<&str>, default: Reclaim) -> Reclaim {
    match written {
        Some("Retain") => Reclaim::Retain,
        Some("Delete") => Reclaim::Delete,
        Some("Recycle") => Reclaim::Recycle,
        _ => default,
    }
}

fn bytes(amounts: Option<&BTreeMap<String, Written>>) -> i64 {
    let written = amounts.and_then(|it| it.get("storage"));
    written.and_then(|it| Quantity::of(it).ok()).map_or(0, Quantity::value)
}

/// The class an object wants: the old annotation counts before the field
/// (`GetPersistentVolumeClass`, k8s.io/component-helpers/storage/volume, 1.36).
fn class<'w>(meta: &'w ObjectMeta, field: Option<&'w String>) -> Option<&'w str> {
    let old = meta.annotations.as_ref().and_then(|it| it.get(OLD_CLASS));
    old.or(field).map(String::as_str)
}

impl Interner {
    /// What a claim asks for; `class` stands for that of the spec.
    pub(super) fn claim_spec(
        &mut self,
        written: Option<&core::PersistentVolumeClaimSpec>,
        class: Option<&str>,
    ) -> Arc<ClaimSpec> {
        let mut spec = written.cloned().unwrap_or_default();
        spec.volume_name = None;
        let field = spec.storage_class_name.take();
        let mut scratch = std::mem::take(&mut self.scratch);
        let text = self.text(canonical(&spec, &mut scratch));
        self.scratch = scratch;
        Arc::new(ClaimSpec {
            access: access(spec.access_modes.as_ref()),
            class: class.or(field.as_deref()).map(|it| self.text(it)),
            request: bytes(spec.resources.as_ref().and_then(|it| it.requests.as_ref())),
            selector: spec.selector.as_ref().map(|it| self.selector(it)),
            mode: mode(spec.volume_mode.as_deref()),
            attributes_class: self.optional(spec.volume_attributes_class_name.as_deref()),
            filling: self.filling(&spec),
            written: text,
        })
    }

    /// The API server writes each of the two fields where only the other is given.
    fn filling(&mut self, spec: &core::PersistentVolumeClaimSpec) -> Option<Filling> {
        let (kind, name, is_near) = match (&spec.data_source_ref, &spec.data_source) {
            (Some(it), _) => (&it.kind, &it.name, it.namespace.is_none()),
            (None, Some(it)) => (&it.kind, &it.name, true),
            (None, None) => return None,
        };
        Some(match kind.as_str() {
            "PersistentVolumeClaim" if is_near => Filling::Claim(self.text(name)),
            kind => Filling::Other(self.text(kind)),
        })
    }

    fn volume_source(&mut self, spec: &core::PersistentVolumeSpec) -> VolumeSource {
        if let Some(it) = &spec.csi {
            let (driver, handle) = (self.text(&it.driver), self.text(&it.volume_handle));
            return VolumeSource::Csi { driver, handle };
        }
        if let Some(it) = &spec.host_path {
            return VolumeSource::HostPath { path: self.text(&it.path) };
        }
        if spec.nfs.is_some() {
            return VolumeSource::Nfs;
        }
        let found = if let Some(it) = &spec.aws_elastic_block_store {
            Some((InTreePlugin::AwsEbs, &it.volume_id))
        } else if let Some(it) = &spec.gce_persistent_disk {
            Some((InTreePlugin::GcePd, &it.pd_name))
        } else if let Some(it) = &spec.azure_disk {
            Some((InTreePlugin::AzureDisk, &it.disk_uri))
        } else if let Some(it) = &spec.azure_file {
            Some((InTreePlugin::AzureFile, &it.share_name))
        } else if let Some(it) = &spec.cinder {
            Some((InTreePlugin::Cinder, &it.volume_id))
        } else if let Some(it) = &spec.vsphere_volume {
            Some((InTreePlugin::Vsphere, &it.volume_path))
        } else {
            spec.portworx_volume.as_ref().map(|it| (InTreePlugin::Portworx, &it.volume_id))
        };
        match found {
            Some((plugin, handle)) => VolumeSource::InTree { plugin, handle: self.text(handle) },
            None => VolumeSource::Other,
        }
    }
}

fn claim_ref(intern: &mut Interner, written: &core::ObjectReference) -> ClaimRef {
    let uid = written.uid.as_deref().filter(|uid| !uid.is_empty());
    ClaimRef {
        namespace: intern.optional(written.namespace.as_deref()),
        name: intern.optional(written.name.as_deref()),
        uid: uid.map(imported_uid),
    }
}

impl Compactor {
    /// A PersistentVolume. Its phase is taken as written; whoever stores an applied one resets it.
    pub fn persistent_volume(&mut self, written: core::PersistentVolume) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Cluster);
        let mut spec = written.spec.unwrap_or_default();
        let claim = spec.claim_ref.take();
        let status = written.status.unwrap_or_default();
        let intern = &mut self.intern;
        let mut scratch = std::mem::take(&mut intern.scratch);
        let text = intern.text(canonical(&spec, &mut scratch));
        intern.scratch = scratch;
        let terms = spec.node_affinity.as_ref().and_then(|it| it.required.as_ref());
        let of_class = class(&written.metadata, spec.storage_class_name.as_ref());
        let volume = PersistentVolume {
            meta,
            claim: claim.map(|it| claim_ref(intern, &it)),
            spec: Arc::new(VolumeSpec {
                capacity: bytes(spec.capacity.as_ref()),
                access: access(spec.access_modes.as_ref()),
                class: intern.optional(of_class),
                mode: mode(spec.volume_mode.as_deref()),
                reclaim: reclaim(spec.persistent_volume_reclaim_policy.as_deref(), Reclaim::Retain),
                node_affinity: terms
                    .map(|it| it.node_selector_terms.iter().map(|it| intern.term(it)).collect()),
                source: intern.volume_source(&spec),
                attributes_class: intern.optional(spec.volume_attributes_class_name.as_deref()),
                written: text,
            }),
            phase: match status.phase.as_deref() {
                Some("Available") => VolumePhase::Available,
                Some("Bound") => VolumePhase::Bound,
                Some("Released") => VolumePhase::Released,
                Some("Failed") => VolumePhase::Failed,
                _ => VolumePhase::Pending,
            },
            phase_since: None,
            message: intern.optional(status.message.as_deref()),
        };
        let object = Object::PersistentVolume(Box::new(volume));
        Compacted { object, arrival, node: None }
    }

    /// A PersistentVolumeClaim. Its phase is taken as written; whoever stores an applied one resets
    /// it.
    pub fn persistent_volume_claim(&mut self, written: core::PersistentVolumeClaim) -> Compacted {
        let status = written.status.unwrap_or_default();
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let of_class = class(&written.metadata, spec.storage_class_name.as_ref());
        let claim = PersistentVolumeClaim {
            meta,
            spec: self.intern.claim_spec(Some(&spec), of_class),
            volume: spec
                .volume_name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(|it| self.intern.text(it)),
            phase: match status.phase.as_deref() {
                Some("Bound") => ClaimPhase::Bound,
                Some("Lost") => ClaimPhase::Lost,
                _ => ClaimPhase::Pending,
            },
            access: access(status.access_modes.as_ref()),
            capacity: bytes(status.capacity.as_ref()),
            growth: None,
        };
        let object = Object::PersistentVolumeClaim(Box::new(claim));
        Compacted { object, arrival, node: None }
    }

    /// A StorageClass.
    pub fn storage_class(&mut self, mut written: storage::StorageClass) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Cluster);
        written.metadata = ObjectMeta::default();
        let intern = &mut self.intern;
        let mut scratch = std::mem::take(&mut intern.scratch);
        let text = intern.text(canonical(&written, &mut scratch));
        intern.scratch = scratch;
        let mut topology = |it: &core::TopologySelectorTerm| Topology {
            labels: it
                .match_label_expressions
                .iter()
                .flatten()
                .map(|it| {
                    let values = it.values.iter().map(|value| intern.text(value)).collect();
                    (intern.text(&it.key), values)
                })
                .collect(),
        };
        let class = StorageClass {
            meta,
            topologies: written.allowed_topologies.iter().flatten().map(&mut topology).collect(),
            provisioner: intern.text(&written.provisioner),
            binding: match written.volume_binding_mode.as_deref() {
                Some("WaitForFirstConsumer") => BindingMode::WaitForFirstConsumer,
                _ => BindingMode::Immediate,
            },
            reclaim: reclaim(written.reclaim_policy.as_deref(), Reclaim::Delete),
            growth: match written.allow_volume_expansion {
                Some(true) => ClassGrowth::Allowed,
                _ => ClassGrowth::Refused,
            },
            written: text,
        };
        Compacted { object: Object::StorageClass(Box::new(class)), arrival, node: None }
    }

    /// A CSINode.
    pub fn csi_node(&mut self, written: storage::CSINode) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Cluster);
        let intern = &mut self.intern;
        let mut scratch = std::mem::take(&mut intern.scratch);
        let text = intern.text(canonical(&written.spec, &mut scratch));
        intern.scratch = scratch;
        let migrated = meta.annotation(MIGRATED).unwrap_or_default();
        let node = CsiNode {
            migrated: migrated.split(',').filter_map(InTreePlugin::named).collect(),
            drivers: written
                .spec
                .drivers
                .iter()
                .map(|it| CsiDriverOnNode {
                    name: intern.text(&it.name),
                    limit: it.allocatable.as_ref().and_then(|it| it.count),
                    topology_keys: it
                        .topology_keys
                        .iter()
                        .flatten()
                        .map(|key| intern.text(key))
                        .collect(),
                })
                .collect(),
            written: text,
            meta,
        };
        Compacted { object: Object::CsiNode(Box::new(node)), arrival, node: None }
    }
}
