//! Claims, volumes and storage classes, as `pkg/apis/core/v1/defaults.go` and
//! `pkg/apis/storage/v1/defaults.go` of 1.36 fill them in.

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec},
    storage::v1::StorageClass,
};

use super::fill;

/// Fills in the spec of a claim.
pub(super) fn default_claim_spec(spec: &mut PersistentVolumeClaimSpec) {
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
}

/// Fills in a PersistentVolumeClaim.
pub fn default_claim(claim: &mut PersistentVolumeClaim) {
    default_claim_spec(claim.spec.get_or_insert_default());
    fill(&mut claim.status.get_or_insert_default().phase, "Pending");
}

/// Fills in a PersistentVolume.
pub fn default_volume(volume: &mut PersistentVolume) {
    let spec = volume.spec.get_or_insert_default();
    fill(&mut spec.persistent_volume_reclaim_policy, "Retain");
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    fill(&mut volume.status.get_or_insert_default().phase, "Pending");
}

/// Fills in a StorageClass.
pub fn default_class(class: &mut StorageClass) {
    class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
    class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
}
