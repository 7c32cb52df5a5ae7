//! The small kinds, everything that is only stored, and the way in for any object.

use k8s_openapi::api::coordination::v1::Lease as WrittenLease;
use k8s_openapi::api::core::v1::Namespace as WrittenNamespace;
use k8s_openapi::api::scheduling::v1::PriorityClass as WrittenClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::meta::arrival;
use super::notes::Note;
use super::pod_spec::preemption;
use super::{Compacted, Compactor, unsigned};
use crate::api::decode::{Typed, read};
use crate::api::kinds::Scope;
use crate::api::misc::{ClassScope, Lease, Namespace, Other, PriorityClass};
use crate::api::object::Object;
use crate::api::tree::{Node as Tree, Value, canonical_json};
use crate::api::vertical::is_known_kind;
use crate::time::SimTime;

/// An object as read, for kinds that are only stored.
#[derive(Clone, Copy, Debug)]
pub struct AsRead<'r> {
    /// Its `apiVersion`.
    pub api_version: &'r str,
    /// Its `kind`.
    pub kind: &'r str,
    /// Where objects of this kind live.
    pub scope: Scope,
    /// All of it.
    pub tree: &'r Tree<'r>,
}

impl Compactor {
    /// An object of any built-in kind.
    pub fn built_in(&mut self, typed: Typed, as_read: AsRead<'_>) -> Compacted {
        match typed {
            Typed::Pod(it) => self.pod(*it),
            Typed::Node(it) => self.node(*it),
            Typed::Namespace(it) => self.namespace(&it),
            Typed::Deployment(it) => self.deployment(*it),
            Typed::ReplicaSet(it) => self.replica_set(*it),
            Typed::ReplicationController(it) => self.replication_controller(*it),
            Typed::Service(it) => self.service(*it),
            Typed::Lease(it) => self.lease(&it),
            Typed::PriorityClass(it) => self.priority_class(&it),
            Typed::PodDisruptionBudget(it) => self.pod_disruption_budget(*it),
            Typed::HorizontalPodAutoscaler(it) => self.horizontal_pod_autoscaler(*it),
            Typed::HorizontalPodAutoscalerV1(it) => self.horizontal_pod_autoscaler_v1(*it),
            Typed::StatefulSet(it) => self.stateful_set(*it),
            Typed::DaemonSet(it) => self.daemon_set(*it),
            Typed::ControllerRevision(it) => self.controller_revision(*it),
            Typed::Job(it) => self.job(*it),
            Typed::CronJob(it) => self.cron_job(*it),
            Typed::PersistentVolume(it) => self.persistent_volume(*it),
            Typed::PersistentVolumeClaim(it) => self.persistent_volume_claim(*it),
            Typed::StorageClass(it) => self.storage_class(*it),
            Typed::CSINode(it) => self.csi_node(*it),
            Typed::LimitRange(it) => self.limit_range(*it),
            Typed::ResourceQuota(it) => self.resource_quota(*it),
            _ => self.other(as_read),
        }
    }

    /// A Namespace.
    pub fn namespace(&mut self, written: &WrittenNamespace) -> Compacted {
        let meta = self.meta(&written.metadata, Scope::Cluster);
        let mut namespace = Namespace::new(meta);
        let finalizers = written.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
        if let Some(finalizers) = finalizers {
            namespace.finalizers = finalizers.iter().map(|one| self.intern.text(one)).collect();
        }
        let object = Object::Namespace(Box::new(namespace));
        Compacted { object, arrival: arrival(&written.metadata), node: None }
    }

    /// A Lease. Whoever holds it renewed it at the start of the run, for all we know.
    pub fn lease(&mut self, written: &WrittenLease) -> Compacted {
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.clone().unwrap_or_default();
        let lease = Lease {
            meta,
            holder: self.intern.optional(spec.holder_identity.as_deref()),
            acquired: SimTime::ZERO,
            renewed: SimTime::ZERO,
            transitions: unsigned(i64::from(spec.lease_transitions.unwrap_or(0))),
        };
        let object = Object::Lease(Box::new(lease));
        Compacted { object, arrival: arrival(&written.metadata), node: None }
    }

    /// A PriorityClass.
    pub fn priority_class(&mut self, written: &WrittenClass) -> Compacted {
        let meta = self.meta(&written.metadata, Scope::Cluster);
        let class = PriorityClass {
            meta,
            value: written.value.unwrap_or(0),
            scope: match written.global_default {
                Some(true) => ClassScope::Default,
                _ => ClassScope::Named,
            },
            preemption: preemption(written.preemption_policy.as_deref()),
            description: self.intern.text(written.description.as_deref().unwrap_or_default()),
        };
        let object = Object::PriorityClass(Box::new(class));
        Compacted { object, arrival: arrival(&written.metadata), node: None }
    }

    /// An object that is only stored. What the API server keeps books with (`managedFields`) is
    /// left out.
    pub fn other(&mut self, as_read: AsRead<'_>) -> Compacted {
        let AsRead { api_version, kind, scope, tree } = as_read;
        let written: ObjectMeta = tree
            .get("metadata")
            .and_then(|node| read(node, &mut Vec::new()).ok())
            .unwrap_or_default();
        let meta = self.meta(&written, scope);
        let other = Other {
            meta,
            api_version: self.intern.text(api_version),
            kind: self.intern.text(kind),
            written: without_books(tree).into(),
        };
        if !is_known_kind(api_version.split_once('/').map_or("", |it| it.0), kind) {
            self.notes.add(Note::Kind(other.kind.clone()));
        }
        Compacted { object: Object::Other(Box::new(other)), arrival: arrival(&written), node: None }
    }
}

fn without_books(tree: &Tree<'_>) -> String {
    if tree.get("metadata").and_then(|meta| meta.get("managedFields")).is_none() {
        return canonical_json(tree);
    }
    let mut tree = tree.clone();
    if let Some(Value::Map(entries)) = tree.get_mut("metadata").map(|meta| &mut meta.value) {
        entries.retain(|entry| entry.key != "managedFields");
    }
    canonical_json(&tree)
}
