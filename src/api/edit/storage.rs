//! Volumes, claims and classes as an API server would give them back.

use serde_json::{Value, json};

use super::{metadata, parsed, whole};
use crate::api::object::Object;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};

/// What is not the user's to write of volumes and claims stays as it is.
pub(super) fn keep(held: &Object, next: &mut Object) {
    match (held, next) {
        (Object::PersistentVolume(held), Object::PersistentVolume(next)) => {
            next.phase = held.phase;
            next.claim = held.claim.clone();
        }
        (Object::PersistentVolumeClaim(held), Object::PersistentVolumeClaim(next)) => {
            next.phase = held.phase;
            next.volume = held.volume.clone();
        }
        _ => {}
    }
}

/// A PersistentVolume. Its claim's uid is told beside it, as that of owners is.
pub(super) fn volume(it: &PersistentVolume) -> Value {
    let mut spec = parsed(&it.spec.written);
    if let Some(claim) = &it.claim {
        spec["claimRef"] = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": &*claim.namespace,
            "name": &*claim.name,
        });
    }
    whole("v1", "PersistentVolume", &it.meta, spec)
}

/// A PersistentVolumeClaim.
pub(super) fn claim(it: &PersistentVolumeClaim) -> Value {
    let mut spec = parsed(&it.spec.written);
    if let Some(class) = &it.spec.class {
        spec["storageClassName"] = json!(&**class);
    }
    if let Some(volume) = &it.volume {
        spec["volumeName"] = json!(&**volume);
    }
    whole("v1", "PersistentVolumeClaim", &it.meta, spec)
}

/// A StorageClass: its fields lie beside its metadata.
pub(super) fn class(it: &StorageClass) -> Value {
    let mut written = parsed(&it.written);
    written["apiVersion"] = json!("storage.k8s.io/v1");
    written["kind"] = json!("StorageClass");
    written["metadata"] = metadata(&it.meta);
    written
}
