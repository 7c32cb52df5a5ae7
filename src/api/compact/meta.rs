//! Metadata.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{Arrival, Compactor, unsigned};
use crate::api::kind::Kind;
use crate::api::kinds::Scope;
use crate::api::meta::{Deletion, Meta, Owner, RawId, Uid};
use crate::api::name::Name;
use crate::base::hash::hash_text;
use crate::time::{SimDuration, SimTime};

/// The namespace of objects that live in one and name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Where an owner lies that is not stored yet: nowhere. Whoever stores imported objects puts the
/// right place in, found by uid.
pub const NOWHERE: RawId = RawId { slot: u32::MAX, generation: 0 };

/// An imported object has a uid: nobody writes one.
pub(super) fn arrival(written: &ObjectMeta) -> Arrival {
    match &written.uid {
        Some(uid) if !uid.is_empty() => Arrival::Imported,
        _ => Arrival::Applied,
    }
}

/// The uid a run gives to an object that had one.
pub fn imported_uid(written: &str) -> Uid {
    Uid(hash_text(written))
}

impl Compactor {
    pub(super) fn meta(&mut self, kind: &'static str, written: &ObjectMeta, scope: Scope) -> Meta {
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
            meta.finalizers = Some(finalizers.iter().map(|it| self.intern.text(it)).collect());
        }
        let references = written.owner_references.as_deref().unwrap_or_default();
        meta.owner = references.iter().find(|it| it.controller == Some(true)).map(owner);
        if references.iter().any(|it| it.controller != Some(true)) {
            self.notes
                .add_fields(kind, &["metadata.ownerReferences (owners that are no controller)"]);
        }
        if arrival(written) == Arrival::Imported {
            self.take_history(&mut meta, written);
        }
        meta
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
        _ => Kind::Other,
    };
    Owner { kind, uid: imported_uid(&reference.uid), at: NOWHERE }
}
