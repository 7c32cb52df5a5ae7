//! Owners as an API server gives them back, and as patches name them.

use serde_json::{Value, json};

use crate::api::compact::imported_uid;
use crate::api::meta::{Blocks, Meta};

/// The owners of an object. Of its controller only the uid is held: its name is told as the child's
/// begins.
pub(super) fn references(meta: &Meta) -> Value {
    let controller = meta.owner.map(|owner| {
        json!({
            "apiVersion": owner.kind.api_version(),
            "kind": owner.kind.name(),
            "name": meta.name.base().trim_end_matches('-'),
            "uid": owner.uid.to_string(),
            "controller": true,
            "blockOwnerDeletion": meta.controller_blocks() == Blocks::Owner,
        })
    });
    controller.into_iter().chain(others(meta)).collect()
}

/// Owners of something that do not control it, as the API writes them.
pub fn others(meta: &Meta) -> impl Iterator<Item = Value> {
    meta.other_owners().iter().map(|one| {
        json!({
            "apiVersion": &*one.api_version,
            "kind": &*one.kind,
            "name": &*one.name,
            "uid": one.owner.uid.to_string(),
            "blockOwnerDeletion": one.blocks == Blocks::Owner,
        })
    })
}

/// A patch whose owners have the uids by which a run knows them: lists of owners merge by them.
pub fn with_known_uids(patch: &Value) -> Value {
    let mut patch = patch.clone();
    let owners = patch.pointer_mut("/metadata/ownerReferences");
    for owner in owners.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::String(uid)) = owner.get_mut("uid")
            && !uid.is_empty()
        {
            *uid = imported_uid(uid).to_string();
        }
    }
    patch
}
