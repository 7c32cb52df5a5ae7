//! Deletion: graceful for pods, held up by finalizers, with what becomes of the dependents noted
//! for the garbage collector (`registry/rest/delete.go`, `registry/generic/registry/store.go`,
//! 1.36).

use std::sync::Arc;

use super::facts::Told;
use super::{Server, not_found};
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::meta::{Deletion, Meta, ObjectName, RawId, Uid};
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::messages::Done;
use crate::messages::request::Propagation;
use crate::store::Rev;
use crate::time::SimDuration;

/// Finalizer of an object whose dependents go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";
/// Finalizer of a namespace that still has contents (`spec.finalizers` of the real thing).
pub const NAMESPACE_CONTENT: &str = "kubernetes";

impl<T> Server<'_, T> {
    pub(super) fn delete(
        &mut self,
        kind: Kind,
        id: RawId,
        uid: Option<Uid>,
        grace_seconds: Option<u32>,
        propagation: Propagation,
    ) -> Result<Done, Status> {
        match kind {
            Kind::Pod => self.delete_pod(id.typed(), uid, grace_seconds),
            Kind::Node => self.delete_as::<Node>(id, uid, propagation),
            Kind::Namespace => self.delete_as::<Namespace>(id, uid, propagation),
            Kind::ReplicaSet | Kind::ReplicationController => {
                self.delete_as::<ReplicaSet>(id, uid, propagation)
            }
            Kind::Deployment => self.delete_as::<Deployment>(id, uid, propagation),
            Kind::Service => self.delete_as::<Service>(id, uid, propagation),
            Kind::EndpointSlice => self.delete_as::<EndpointSlice>(id, uid, propagation),
            Kind::Endpoints => self.delete_as::<Endpoints>(id, uid, propagation),
            Kind::Lease => self.delete_as::<Lease>(id, uid, propagation),
            Kind::PriorityClass => self.delete_as::<PriorityClass>(id, uid, propagation),
            Kind::PodDisruptionBudget => {
                self.delete_as::<PodDisruptionBudget>(id, uid, propagation)
            }
            Kind::StatefulSet => self.delete_as::<StatefulSet>(id, uid, propagation),
            Kind::DaemonSet => self.delete_as::<DaemonSet>(id, uid, propagation),
            Kind::ControllerRevision => self.delete_as::<ControllerRevision>(id, uid, propagation),
            Kind::Job => self.delete_as::<Job>(id, uid, propagation),
            Kind::CronJob => self.delete_as::<CronJob>(id, uid, propagation),
            Kind::PersistentVolume => self.delete_as::<PersistentVolume>(id, uid, propagation),
            Kind::PersistentVolumeClaim => {
                self.delete_as::<PersistentVolumeClaim>(id, uid, propagation)
            }
            Kind::StorageClass => self.delete_as::<StorageClass>(id, uid, propagation),
            Kind::CsiNode => self.delete_as::<CsiNode>(id, uid, propagation),
            Kind::LimitRange => self.delete_as::<LimitRange>(id, uid, propagation),
            Kind::ResourceQuota => self.delete_as::<ResourceQuota>(id, uid, propagation),
            Kind::Client | Kind::Other => self.delete_as::<Other>(id, uid, propagation),
        }
    }

    fn delete_as<S: Told>(
        &mut self,
        id: RawId,
        uid: Option<Uid>,
        propagation: Propagation,
    ) -> Result<Done, Status> {
        let typed: Id<S> = id.typed();
        let Some(object) = self.store.get(typed) else { return Err(not_found(Kind::Other, None)) };
        check_uid(object.kind(), object.meta(), uid)?;
        let mut next = object.clone();
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => add_finalizer(next.meta_mut(), FOREGROUND),
            Propagation::Orphan => add_finalizer(next.meta_mut(), ORPHAN),
        }
        if next.meta().finalizers.as_ref().is_none_or(|list| list.is_empty()) {
            self.remove(typed);
            return Ok(Done { id, rev: Rev::ZERO });
        }
        if next.meta().deletion.is_none() {
            next.meta_mut().deletion = Some(Deletion { at: self.now, grace_seconds: 0 });
            next.meta_mut().generation += 1;
        }
        Ok(self.write(typed, next))
    }

    pub(super) fn delete_pod(
        &mut self,
        id: Id<Pod>,
        uid: Option<Uid>,
        grace_seconds: Option<u32>,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id) else { return Err(not_found(Kind::Pod, None)) };
        check_uid(Kind::Pod, &pod.meta, uid)?;
        let mut grace = grace_seconds.unwrap_or(pod.spec.grace_seconds);
        if pod.node.is_none() || pod.status.phase.is_terminal() {
            grace = 0;
        }
        let has_finalizers = pod.meta.finalizers.as_ref().is_some_and(|list| !list.is_empty());
        if grace == 0 && !has_finalizers {
            self.remove(id);
            return Ok(Done { id: id.into(), rev: Rev::ZERO });
        }
        if let Some(held) = pod.meta.deletion
            && grace >= held.grace_seconds
        {
            // A second deletion may only shorten the first.
            let rev = self.store.table::<Pod>().revision(id).unwrap_or(Rev::ZERO);
            return Ok(Done { id: id.into(), rev });
        }
        let mut next = pod.clone();
        let at = self.now + SimDuration::from_secs(u64::from(grace));
        next.meta.deletion = Some(Deletion { at, grace_seconds: grace });
        next.meta.generation += 1;
        Ok(self.write(id, next))
    }
}

impl<T> Server<'_, T> {
    /// A patch that takes a finalizer off a pod; one that is only held up by it goes.
    pub(super) fn drop_finalizer(
        &mut self,
        id: Id<Pod>,
        uid: Uid,
        finalizer: &str,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id).filter(|pod| pod.meta.uid == uid) else {
            return Err(not_found(Kind::Pod, None));
        };
        let held = pod.meta.finalizers.as_deref().unwrap_or(&[]);
        let kept: Vec<Text> = held.iter().filter(|one| &***one != finalizer).cloned().collect();
        if kept.is_empty() && pod.meta.deletion.is_some_and(|it| it.grace_seconds == 0) {
            self.remove(id);
            return Ok(Done { id: id.into(), rev: Rev::ZERO });
        }
        let mut next = pod.clone();
        next.meta.finalizers = (!kept.is_empty()).then(|| kept.into());
        Ok(self.write(id, next))
    }
}

fn check_uid(kind: Kind, meta: &Meta, wanted: Option<Uid>) -> Result<(), Status> {
    match wanted {
        Some(uid) if uid != meta.uid => Err(Status::Conflict(ObjectName::of(kind, meta))),
        _ => Ok(()),
    }
}

fn add_finalizer(meta: &mut Meta, name: &str) {
    let held = meta.finalizers.as_deref().unwrap_or(&[]);
    if !held.iter().any(|one| &**one == name) {
        let all: Vec<Text> = held.iter().cloned().chain([Text::from(name)]).collect();
        meta.finalizers = Some(Arc::from(all));
    }
}
