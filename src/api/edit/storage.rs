//! Volumes, claims and classes as an API server would give them back.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use serde_json::{Value, json};

use super::{metadata, parsed, whole};
use crate::api::object::Object;
use crate::api::quantity::{Format, Quantity};
use crate::api::rules::affinity::Term;
use crate::api::storage::{
    PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSource, VolumeSpec,
};

/// What is not the user's to write of volumes and claims stays as it is.
pub(super) fn keep(held: &Object, next: &mut Object) {
    match (held, next) {
        (Object::PersistentVolume(held), Object::PersistentVolume(next)) => {
            (next.phase, next.phase_since) = (held.phase, held.phase_since);
            next.message = held.message.clone();
        }
        (Object::PersistentVolumeClaim(held), Object::PersistentVolumeClaim(next)) => {
            next.phase = held.phase;
            next.access = held.access;
            (next.capacity, next.growth) = (held.capacity, held.growth);
            next.volume = held.volume.clone();
        }
        _ => {}
    }
}

/// A PersistentVolume.
pub(super) fn volume(it: &PersistentVolume) -> Value {
    let mut spec = match &*it.spec.written {
        "" => made(&it.spec),
        written => parsed(written),
    };
    if let Some(claim) = &it.claim {
        spec["claimRef"] = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": &*claim.namespace,
            "name": &*claim.name,
        });
        if let Some(uid) = claim.uid {
            spec["claimRef"]["uid"] = json!(uid.to_string());
        }
    }
    whole("v1", "PersistentVolume", &it.meta, spec)
}

/// The spec of a volume that a provisioner made: nobody wrote it.
fn made(spec: &VolumeSpec) -> Value {
    let capacity = Quantity::new(spec.capacity, Format::BinarySi).to_string();
    let mut written = json!({
        "accessModes": spec.access.names().collect::<Vec<_>>(),
        "capacity": {"storage": capacity},
        "persistentVolumeReclaimPolicy": spec.reclaim.name(),
        "storageClassName": &*spec.class,
        "volumeMode": spec.mode.name(),
    });
    if let VolumeSource::Csi { driver, handle } = &spec.source {
        written["csi"] = json!({"driver": &**driver, "volumeHandle": &**handle});
    }
    if let Some(terms) = &spec.node_affinity {
        let terms: Vec<Value> = terms.iter().map(term).collect();
        written["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
    }
    if !spec.attributes_class.is_empty() {
        written["volumeAttributesClassName"] = json!(&*spec.attributes_class);
    }
    written
}

/// A provisioner's term: labels only.
fn term(it: &Term) -> Value {
    let expressions = it.labels.iter().map(|it| {
        let values: Vec<&str> = it.values.iter().map(AsRef::as_ref).collect();
        json!({"key": &*it.key, "operator": it.operator.name(), "values": values})
    });
    json!({"matchExpressions": expressions.collect::<Vec<_>>()})
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

/// Of a claim's status what decides which changes it may take.
pub(super) fn claim_status(it: &PersistentVolumeClaim) -> core::PersistentVolumeClaimStatus {
    let capacity = Written(Quantity::new(it.capacity, Format::BinarySi).to_string());
    core::PersistentVolumeClaimStatus {
        phase: Some(it.phase.name().to_owned()),
        capacity: (it.capacity > 0).then(|| [("storage".to_owned(), capacity)].into()),
        ..Default::default()
    }
}

/// The spec of a volume with so many bytes.
pub fn grown(spec: &VolumeSpec, capacity: i64) -> VolumeSpec {
    let written = match &*spec.written {
        "" => "".into(),
        written => {
            let mut written = parsed(written);
            let told = Quantity::new(capacity, Format::BinarySi).to_string();
            written["capacity"]["storage"] = json!(told);
            written.to_string().into()
        }
    };
    VolumeSpec { capacity, written, ..spec.clone() }
}

/// A StorageClass: its fields lie beside its metadata.
pub(super) fn class(it: &StorageClass) -> Value {
    let mut written = parsed(&it.written);
    written["apiVersion"] = json!("storage.k8s.io/v1");
    written["kind"] = json!("StorageClass");
    written["metadata"] = metadata(&it.meta);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Meta;
    use crate::api::name::Name;
    use crate::api::rules::selector::{Operator, Requirement};
    use crate::api::storage::{AccessModes, Reclaim, VolumeMode, VolumePhase};

    #[test]
    fn the_spec_of_a_made_volume_is_told_as_if_it_were_written() {
        let zone =
            Requirement { key: "zone".into(), operator: Operator::In, values: vec!["a".into()] };
        let spec = VolumeSpec {
            capacity: 5 << 30,
            access: AccessModes::READ_WRITE_ONCE.with(AccessModes::READ_ONLY_MANY),
            class: "fast".into(),
            mode: VolumeMode::Block,
            reclaim: Reclaim::Delete,
            node_affinity: Some(vec![Term { labels: vec![zone], fields: Vec::new() }]),
            source: VolumeSource::Csi { driver: "d".into(), handle: "h".into() },
            ..VolumeSpec::default()
        };
        let volume = PersistentVolume {
            meta: Meta::new("".into(), Name::new("pvc-1")),
            spec: spec.into(),
            claim: None,
            phase: VolumePhase::Available,
            phase_since: None,
            message: "".into(),
        };
        let told = super::volume(&volume);
        assert_eq!(
            told["spec"],
            json!({
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "capacity": {"storage": "5Gi"},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "fast",
                "volumeMode": "Block",
                "csi": {"driver": "d", "volumeHandle": "h"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "zone", "operator": "In", "values": ["a"]}]}]}},
            })
        );
    }
}
