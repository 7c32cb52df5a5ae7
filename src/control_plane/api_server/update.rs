//! Updates: of one part of an object, of a pod's status, and the binding of a pod to a node.

use std::sync::Arc;

use super::delete::is_done;
use super::facts::Told;
use super::parts::Parted;
use super::{Server, not_found, verticals};
use crate::api::compact::counted_spec;
use crate::api::daemon_set::DaemonSet;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, RawId, Uid};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition, PodStatus, Resizing, StatusReason};
use crate::api::service::Service;
use crate::api::status::Status;
use crate::api::storage::{
    ClaimPhase, ClaimSpec, ClassGrowth, PersistentVolume, PersistentVolumeClaim, StorageClass,
};
use crate::base::id::Id;
use crate::messages::{Done, Part};
use crate::store::Rev;

impl<T> Server<'_, T> {
    pub(super) fn update(
        &mut self,
        id: RawId,
        object: Object,
        base: Option<Rev>,
        part: Part,
    ) -> Result<Done, Status> {
        match object {
            Object::Pod(next) if part == Part::Resize => self.resize(id.typed(), *next, base),
            Object::Pod(next) => self.update_as(id.typed(), *next, base, part),
            Object::Node(next) => self.update_as(id.typed(), *next, base, part),
            Object::Namespace(next) => self.update_as(id.typed(), *next, base, part),
            Object::ReplicaSet(next) => self.update_as(id.typed(), *next, base, part),
            Object::Deployment(next) => self.update_as(id.typed(), *next, base, part),
            Object::Service(next) => self.update_service(id.typed(), *next, base, part),
            Object::EndpointSlice(next) => self.update_as(id.typed(), *next, base, part),
            Object::Endpoints(next) => self.update_as(id.typed(), *next, base, part),
            Object::Lease(next) => self.update_as(id.typed(), *next, base, part),
            Object::PriorityClass(next) => {
                self.admit_class(&next)?;
                self.update_as(id.typed(), *next, base, part)
            }
            Object::PodDisruptionBudget(next) => self.update_as(id.typed(), *next, base, part),
            Object::HorizontalPodAutoscaler(next) => self.update_as(id.typed(), *next, base, part),
            Object::StatefulSet(next) => self.update_as(id.typed(), *next, base, part),
            Object::DaemonSet(mut next) => {
                self.count_template(id.typed(), &mut next);
                self.update_as(id.typed(), *next, base, part)
            }
            Object::ControllerRevision(next) => self.update_as(id.typed(), *next, base, part),
            Object::Job(next) => self.update_as(id.typed(), *next, base, part),
            Object::CronJob(next) => self.update_as(id.typed(), *next, base, part),
            Object::PersistentVolume(mut next) => {
                // core/persistentvolume strategy.go, 1.36: the server notes when the phase changes.
                let held = self.store.get::<PersistentVolume>(id.typed());
                if part == Part::Status && held.is_some_and(|held| held.phase != next.phase) {
                    next.phase_since = Some(self.now);
                }
                self.update_as(id.typed(), *next, base, part)
            }
            Object::PersistentVolumeClaim(next) => {
                self.check_claim_change(id.typed(), &next, part)?;
                self.update_as(id.typed(), *next, base, part)
            }
            Object::StorageClass(next) => self.update_as(id.typed(), *next, base, part),
            Object::CsiNode(next) => self.update_as(id.typed(), *next, base, part),
            Object::LimitRange(next) => self.update_as(id.typed(), *next, base, part),
            Object::ResourceQuota(next) => self.update_as(id.typed(), *next, base, part),
            Object::Other(next) => {
                verticals::check(&next)?;
                self.update_as(id.typed(), *next, base, part)
            }
        }
    }

    /// A Service that changes keeps what it had, and is charged for more.
    fn update_service(
        &mut self,
        id: Id<Service>,
        mut next: Service,
        base: Option<Rev>,
        part: Part,
    ) -> Result<Done, Status> {
        if part == Part::Main
            && let Some(held) = self.store.get(id).cloned()
            && held.spec != next.spec
        {
            let is_current = base.is_none_or(|it| self.store.table().revision(id) == Some(it));
            if is_current && held.meta.uid == next.meta.uid {
                self.charge_service(&next, &held.spec)?;
                self.allocate(&mut next, Some(&held))?;
            }
        }
        self.update_as(id, next, base, part)
    }

    fn check_claim_change(
        &mut self,
        id: Id<PersistentVolumeClaim>,
        next: &PersistentVolumeClaim,
        part: Part,
    ) -> Result<(), Status> {
        let Some(held) = self.store.get(id) else { return Ok(()) };
        if part == Part::Status || held.spec == next.spec {
            return Ok(());
        }
        let (spec, phase) = (held.spec.clone(), held.phase);
        self.check_claim(next)?;
        self.check_growth(next, &spec, phase)?;
        self.charge_claim(next, &spec)
    }

    /// Only bound claims of a class that allows it ask for more (admission plugin
    /// PersistentVolumeClaimResize, 1.36).
    fn check_growth(
        &self,
        next: &PersistentVolumeClaim,
        held: &ClaimSpec,
        phase: ClaimPhase,
    ) -> Result<(), Status> {
        if next.spec.request <= held.request {
            return Ok(());
        }
        let name = next.spec.class_name();
        let class = self.store.find::<StorageClass>("", name).and_then(|id| self.store.get(id));
        let is_allowed = class.is_some_and(|class| class.growth == ClassGrowth::Allowed);
        let why = if phase != ClaimPhase::Bound {
            "Only bound persistent volume claims can be expanded"
        } else if name.is_empty() || name != held.class_name() || !is_allowed {
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the \
             pvc must support resize"
        } else {
            return Ok(());
        };
        Err(Status::Forbidden(ObjectName::of(Kind::PersistentVolumeClaim, &next.meta), why.into()))
    }

    /// A DaemonSet's template is counted each time it changes (apps/daemonset strategy.go, 1.36).
    fn count_template(&self, id: Id<DaemonSet>, next: &mut DaemonSet) {
        if let Some(current) = self.store.get(id) {
            let changes = i64::from(current.template != next.template);
            next.template_generation = current.template_generation + changes;
        }
    }

    fn update_as<S: Told + Parted>(
        &mut self,
        id: Id<S>,
        mut next: S,
        base: Option<Rev>,
        part: Part,
    ) -> Result<Done, Status> {
        let Some(current) = self.store.get(id) else {
            return Err(not_found(next.kind(), Some(next.meta())));
        };
        if current.meta().uid != next.meta().uid
            || base.is_some_and(|base| self.store.table::<S>().revision(id) != Some(base))
        {
            return Err(Status::Conflict(ObjectName::of(next.kind(), next.meta())));
        }
        match part {
            Part::Status => {
                let mut whole = current.clone();
                whole.take_status(&next);
                if base.is_some() {
                    // A status update carries metadata; only spec (and what it owns) is kept back
                    // (apps/deployment strategy.go, 1.36: so a Deployment gets its revision).
                    whole.meta_mut().annotations = next.meta().annotations.clone();
                }
                next = whole;
            }
            Part::Main | Part::Resize => {
                next.take_status(current);
                // What only the server writes stays as it is; a deletion cannot be taken back.
                let held = current.meta();
                let meta = next.meta_mut();
                meta.created = held.created;
                meta.generation = held.generation;
                meta.deletion = held.deletion;
                if next.spec_differs(current) {
                    next.meta_mut().generation += 1;
                }
                if next.meta().owners_hash() != held.owners_hash() {
                    self.find_owners(next.meta_mut());
                }
                if held.is_terminating() {
                    no_new_finalizers(next.kind(), held, next.meta())?;
                    if is_done(next.meta()) && next.is_finalized() {
                        return Ok(self.gone(id));
                    }
                }
            }
        }
        Ok(self.write(id, next))
    }

    /// What the containers of a pod may take is changed.
    fn resize(&mut self, id: Id<Pod>, next: Pod, base: Option<Rev>) -> Result<Done, Status> {
        let Some(held) = self.store.get(id).cloned() else {
            return Err(not_found(Kind::Pod, Some(&next.meta)));
        };
        let is_current = base.is_none_or(|it| self.store.table().revision(id) == Some(it));
        if held.meta.uid != next.meta.uid || !is_current {
            return Err(Status::Conflict(ObjectName::of(Kind::Pod, &next.meta)));
        }
        self.check_resize(&next)?;
        self.charge_resize(&next, &held.spec)?;
        let mut pod = held.clone();
        pod.spec = next.spec;
        pod.meta.generation += u32::from(pod.spec.written != held.spec.written);
        if held.node.is_some() {
            let mut resize = held.status.resize.as_deref().cloned().unwrap_or(Resizing {
                allocated: held.spec.clone(),
                actual: Vec::new(),
                pending: None,
                progress: None,
                counted: held.spec.clone(),
            });
            resize.counted = counted_spec(&pod.spec, &resize);
            pod.status.resize = Some(Arc::new(resize));
        }
        Ok(self.write(id, pod))
    }

    /// A kubelet's patch of a pod's status. What the scheduler wrote stays, as does what is others' to say
    /// (kubelet 1.36 `status_manager.go` mergePodStatus).
    pub(super) fn pod_status(
        &mut self,
        id: Id<Pod>,
        uid: Uid,
        mut status: PodStatus,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id).filter(|pod| pod.meta.uid == uid) else {
            return Err(not_found(Kind::Pod, None));
        };
        let held = &pod.status;
        for kept in [PodCondition::PodScheduled, PodCondition::DisruptionTarget] {
            if status.condition(kept).value.is_none() {
                status.conditions[kept as usize] = held.condition(kept);
            }
        }
        status.others.clone_from(&held.others);
        status.observed_generation = pod.meta.generation;
        if status.disruption.is_none() {
            status.disruption = held.disruption.clone();
        }
        if held.phase.is_terminal() {
            // A pod that is done never runs again (validation of pod status updates).
            status.phase = held.phase;
        }
        // A kubelet that says nothing of a resize has not heard of it.
        let resize = status.resize.as_ref().or(held.resize.as_ref());
        status.resize = resize.map(|resize| {
            let counted = counted_spec(&pod.spec, resize);
            Arc::new(Resizing { counted, ..Resizing::clone(resize) })
        });
        let next = Pod { status, ..pod.clone() };
        Ok(self.write(id, next))
    }

    /// Binds a pod to a node (`pods/binding`): sets its node and the PodScheduled condition.
    pub(super) fn bind(&mut self, id: Id<Pod>, node: Id<Node>) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id) else { return Err(not_found(Kind::Pod, None)) };
        let name = || ObjectName::of(Kind::Pod, &pod.meta);
        if pod.meta.is_terminating() || pod.node.is_some() || pod.status.phase != Phase::Pending {
            return Err(Status::Conflict(name()));
        }
        let mut next = pod.clone();
        next.node = Some(node);
        next.status.set(PodCondition::PodScheduled, true, self.now);
        next.status.reason = None;
        next.status.nominated = None;
        self.store.name_node(node);
        Ok(self.write(id, next))
    }

    /// A patch of a pod's condition DisruptionTarget.
    pub(super) fn disrupt(
        &mut self,
        id: Id<Pod>,
        uid: Uid,
        why: Arc<StatusReason>,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id).filter(|pod| pod.meta.uid == uid) else {
            return Err(not_found(Kind::Pod, None));
        };
        let mut next = pod.clone();
        next.status.set(PodCondition::DisruptionTarget, true, self.now);
        next.status.disruption = Some(why);
        Ok(self.write(id, next))
    }

    /// A patch of a pod's status by the pod garbage collector. What is done stays as it ended.
    pub(super) fn fail(
        &mut self,
        id: Id<Pod>,
        uid: Uid,
        why: Option<Arc<StatusReason>>,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id).filter(|pod| pod.meta.uid == uid) else {
            return Err(not_found(Kind::Pod, None));
        };
        let mut next = pod.clone();
        next.status.observed_generation = pod.meta.generation;
        if !next.status.phase.is_terminal() {
            next.status.phase = Phase::Failed;
        }
        if why.is_some() {
            next.status.set(PodCondition::DisruptionTarget, true, self.now);
            next.status.disruption = why;
        }
        Ok(self.write(id, next))
    }
}

/// What is being deleted gets no finalizers (`ValidateObjectMetaAccessorUpdate`).
fn no_new_finalizers(kind: Kind, held: &Meta, next: &Meta) -> Result<(), Status> {
    let added: Vec<&str> =
        next.finalizers().iter().map(|it| &**it).filter(|it| !held.has_finalizer(it)).collect();
    if added.is_empty() {
        return Ok(());
    }
    let message = format!(
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being \
         deleted, found new finalizers []string{{\"{}\"}}",
        added.join("\", \"")
    );
    Err(Status::Invalid(ObjectName::of(kind, held), message.into()))
}
