//! Metadata.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{Arrival, Compactor, unsigned};
use crate::api::kind::Kind;
use crate::api::kinds::Scope;
use crate::api::meta::{Blocks, Deletion, Meta, Owner, RawId, Reference, Uid};
use crate::api::name::Name;
use crate::base::hash::hash_text;
use crate::time::{SimDuration, SimTime};

/// The namespace of objects that live in one and name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An imported object has a uid: nobody writes one.
pub(super) fn arrival(written: &ObjectMeta) -> Arrival {
    match &written.uid {
        Some(uid) if !uid.is_empty() => Arrival::Imported,
        _ => Arrival::Applied,
    }
}

/// The uid a run gives to an object that had one: its own again, if a run printed it.
pub fn imported_uid(written: &str) -> Uid {
    Uid::printed(written).unwrap_or_else(|| Uid(hash_text(written)))
}

impl Compactor {
    pub(super) fn meta(&mut self, written: &ObjectMeta, scope: Scope) -> Meta {
        let namespace = match scope {
            Scope::Cluster => "",
            Scope::Namespaced => match written.namespace.as_deref() {
                Some(namespace) if !namespace.is_empty() => namespace,
                _ => DEFAULT_NAMESPACE,
            },
        };
        let mut meta = Meta::new(self.intern.text(namespace), self.name(written));
        meta.labels = self.intern.labels(written.labels.as_ref());
        meta.annotations = self.intern.labels(written.annotations.as_ref());
        if let Some(finalizers) = written.finalizers.as_ref().filter(|list| !list.is_empty()) {
            meta.set_finalizers(finalizers.iter().map(|it| self.intern.text(it)).collect());
        }
        let references = written.owner_references.as_deref().unwrap_or_default();
        if !references.is_empty() {
            self.owners(&mut meta, references);
        }
        if arrival(written) == Arrival::Imported {
            self.take_history(&mut meta, written);
        }
        meta
    }

    fn owners(&mut self, meta: &mut Meta, references: &[OwnerReference]) {
        let is_controller = |one: &&OwnerReference| one.controller == Some(true);
        let others = references.iter().filter(|one| !is_controller(one));
        let others = others.map(|one| Reference {
            owner: owner(one),
            blocks: blocks(one),
            api_version: self.intern.text(&one.api_version),
            kind: self.intern.text(&one.kind),
            name: self.intern.text(&one.name),
        });
        meta.set_other_owners(others.collect());
        if let Some(controller) = references.iter().find(is_controller) {
            meta.owner = Some(owner(controller));
            meta.set_controller_blocks(blocks(controller));
        }
    }

    fn take_history(&mut self, meta: &mut Meta, written: &ObjectMeta) {
        meta.uid = imported_uid(written.uid.as_deref().unwrap_or_default());
        meta.generation = unsigned(written.generation.unwrap_or(1)).max(1);
        if written.deletion_timestamp.is_some() {
            let grace_seconds = unsigned(written.deletion_grace_period_seconds.unwrap_or(0));
            let at = SimTime::ZERO + SimDuration::from_secs(u64::from(grace_seconds));
            meta.deletion = Some(Deletion { at, grace_seconds });
        }
    }

    /// The name, or what a name is to be generated from: that ends in `-`, as no name may.
    fn name(&mut self, written: &ObjectMeta) -> Name {
        match (written.name.as_deref(), written.generate_name.as_deref()) {
            (Some(name), _) if !name.is_empty() => Name::new(Arc::<str>::from(name)),
            (_, Some(stem)) if stem.ends_with('-') => Name::new(self.intern.text(stem)),
            (_, Some(stem)) if !stem.is_empty() => Name::new(self.intern.text(&format!("{stem}-"))),
            _ => Name::new(""),
        }
    }
}

fn blocks(reference: &OwnerReference) -> Blocks {
    match reference.block_owner_deletion {
        Some(true) => Blocks::Owner,
        _ => Blocks::Nothing,
    }
}

fn owner(reference: &OwnerReference) -> Owner {
    let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = match (group, reference.kind.as_str()) {
        ("apps", "ReplicaSet") => Kind::ReplicaSet,
        ("apps", "Deployment") => Kind::Deployment,
        ("apps", "StatefulSet") => Kind::StatefulSet,
        ("apps", "DaemonSet") => Kind::DaemonSet,
        ("batch", "Job") => Kind::Job,
        ("batch", "CronJob") => Kind::CronJob,
        ("", "ReplicationController") => Kind::ReplicationController,
        ("", "Service") => Kind::Service,
        ("", "Node") => Kind::Node,
        ("", "Pod") => Kind::Pod,
        ("", "Namespace") => Kind::Namespace,
        ("", "Endpoints") => Kind::Endpoints,
        ("", "PersistentVolume") => Kind::PersistentVolume,
        ("", "PersistentVolumeClaim") => Kind::PersistentVolumeClaim,
        ("apps", "ControllerRevision") => Kind::ControllerRevision,
        ("discovery.k8s.io", "EndpointSlice") => Kind::EndpointSlice,
        ("coordination.k8s.io", "Lease") => Kind::Lease,
        ("policy", "PodDisruptionBudget") => Kind::PodDisruptionBudget,
        ("storage.k8s.io", "StorageClass") => Kind::StorageClass,
        _ => Kind::Other,
    };
    Owner { kind, uid: imported_uid(&reference.uid), at: RawId::NOWHERE }
}
