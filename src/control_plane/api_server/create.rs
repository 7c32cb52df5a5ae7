//! Creation: the namespace is there, the name is free, the object gets its uid and goes through the
//! admission of its kind.

use super::admission::admit_job;
use super::facts::{self, Told};
use super::kinds::of_kind;
use super::{Server, UID, verticals};
use crate::api::autoscaling::HpaStatus;
use crate::api::compact::without_max_unavailable;
use crate::api::daemon_set::DaemonSetStatus;
use crate::api::disruption::BudgetStatus;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, RawId, Uid};
use crate::api::misc::Namespace;
use crate::api::name::{NAME_MAX, Name};
use crate::api::object::Object;
use crate::api::resource_quota::QuotaStatus;
use crate::api::rules::static_pods::is_mirror;
use crate::api::stateful_set::StatefulSetStatus;
use crate::api::status::Status;
use crate::api::storage::{VOLUME_PROTECTION, VolumePhase};
use crate::api::validation::gates::{Gate, State};
use crate::api::workload::ReplicaSet;
use crate::base::hash::StableHasher;
use crate::luck::Label;
use crate::messages::Done;
use crate::store::{Stored, TableKind};

const NAME_SUFFIX: Label = Label::new("name-suffix");

/// How often a generated name is drawn anew when it is taken (`generateName` retries, 1.36).
const NAME_TRIES: u32 = 8;

/// Longest base of a generated name, so that all of it fits a label (63 bytes).
const GENERATED_BASE_MAX: usize = 58;

impl<T> Server<'_, T> {
    pub(super) fn create(&mut self, mut object: Object) -> Result<Done, Status> {
        let kind = object.kind();
        self.check_namespace(kind, object.meta())?;
        self.find_owners(object.meta_mut());
        self.name(kind, object.meta_mut(), &|server, meta| match kind {
            Kind::ReplicaSet | Kind::ReplicationController => server.is_taken_by_set(kind, meta),
            // Others share one table; kinds are told apart by the caller's names.
            Kind::Client | Kind::NodeGroup | Kind::VerticalPodAutoscaler | Kind::Other => false,
            kind => of_kind!(kind, S => server.is_taken::<S>(meta)),
        })?;
        self.admit(&mut object)?;
        if let Object::Service(service) = &mut object {
            self.allocate(service, None)?;
        }
        if let Err(why) = self.charge_new(&object) {
            if let Object::Service(service) = &object {
                self.release(service);
            }
            return Err(why);
        }
        Ok(self.store_any(object))
    }

    /// What admission, and the strategy of the object's kind, make of it.
    fn admit(&mut self, object: &mut Object) -> Result<(), Status> {
        match object {
            Object::Pod(pod) => self.admit_pod(pod)?,
            Object::Namespace(namespace) => self.admit_namespace(namespace),
            Object::PriorityClass(class) => self.admit_class(class)?,
            Object::PodDisruptionBudget(budget) => budget.status = BudgetStatus::default(),
            Object::HorizontalPodAutoscaler(it) => it.status = HpaStatus::default(),
            Object::StatefulSet(set) => {
                set.status = StatefulSetStatus::default();
                if self.shared.gates.state(Gate::MaxUnavailableStatefulSet) == State::Off {
                    without_max_unavailable(set);
                }
            }
            Object::DaemonSet(set) => {
                set.status = DaemonSetStatus::default();
                set.template_generation = set.template_generation.max(1);
            }
            Object::Job(job) => admit_job(job),
            Object::PersistentVolume(volume) => {
                volume.phase = VolumePhase::Pending;
                volume.phase_since = Some(self.now);
                volume.message = "".into();
                volume.meta.add_finalizer(VOLUME_PROTECTION);
            }
            Object::PersistentVolumeClaim(claim) => {
                self.admit_claim(claim);
                self.check_claim(claim)?;
            }
            Object::Other(other) => verticals::check(other)?,
            Object::ResourceQuota(quota) => quota.status = QuotaStatus::default(),
            _ => {}
        }
        Ok(())
    }

    fn store_any(&mut self, object: Object) -> Done {
        match object {
            Object::Pod(it) if is_mirror(&it.meta) => self.store_held(*it),
            Object::Pod(it) => self.store_new(*it),
            Object::Node(it) => self.store_held(*it),
            Object::Namespace(it) => self.store_new(*it),
            Object::ReplicaSet(it) => self.store_new(*it),
            Object::Deployment(it) => self.store_new(*it),
            Object::Service(it) => self.store_new(*it),
            Object::EndpointSlice(it) => self.store_new(*it),
            Object::Endpoints(it) => self.store_new(*it),
            Object::Lease(it) => self.store_new(*it),
            Object::PriorityClass(it) => self.store_new(*it),
            Object::PodDisruptionBudget(it) => self.store_new(*it),
            Object::HorizontalPodAutoscaler(it) => self.store_new(*it),
            Object::StatefulSet(it) => self.store_new(*it),
            Object::DaemonSet(it) => self.store_new(*it),
            Object::ControllerRevision(it) => self.store_new(*it),
            Object::Job(it) => self.store_new(*it),
            Object::CronJob(it) => self.store_new(*it),
            Object::PersistentVolume(it) => self.store_new(*it),
            Object::PersistentVolumeClaim(it) => self.store_new(*it),
            Object::StorageClass(it) => self.store_new(*it),
            Object::CsiNode(it) => self.store_new(*it),
            Object::LimitRange(it) => self.store_new(*it),
            Object::ResourceQuota(it) => self.store_new(*it),
            Object::Other(it) => self.store_new(*it),
        }
    }

    fn store_new<S: Told>(&mut self, object: S) -> Done {
        let object = self.born(object);
        let id = self.store.create(self.now, object);
        Done { id: id.into(), rev: self.store.revision() }
    }

    /// A mirror is stored where its kubelet expects it, as is a node that comes again.
    fn store_held<S: Told>(&mut self, object: S) -> Done {
        let object = self.born(object);
        let id = self.store.create_reserved(self.now, object);
        Done { id: id.into(), rev: self.store.revision() }
    }

    /// What is about to be stored has its times, and is told.
    fn born<S: Told>(&mut self, mut object: S) -> S {
        let meta = object.meta_mut();
        meta.created = self.now;
        meta.generation = meta.generation.max(1);
        facts::created(&object, self.effects);
        object
    }

    fn check_namespace(&self, kind: Kind, meta: &Meta) -> Result<(), Status> {
        if meta.namespace.is_empty() {
            return Ok(());
        }
        let found = self.store.find::<Namespace>("", &meta.namespace);
        match found.and_then(|id| self.store.get(id)) {
            None => Err(Status::NotFound(ObjectName {
                kind: Kind::Namespace,
                namespace: "".into(),
                name: Name::new(meta.namespace.clone()),
            })),
            Some(namespace) if namespace.meta.is_terminating() => Err(Status::Forbidden(
                ObjectName::of(kind, meta),
                format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    meta.namespace
                )
                .into(),
            )),
            Some(_) => Ok(()),
        }
    }

    /// Owners somebody wrote are found by their uid. Nothing is refused that names nobody: the garbage
    /// collector sees to it.
    pub(super) fn find_owners(&self, meta: &mut Meta) {
        if meta.owners().all(|(owner, _)| owner.at != RawId::NOWHERE) {
            return;
        }
        meta.owners_mut(|owner| {
            if owner.at == RawId::NOWHERE {
                let found = of_kind!(owner.kind, S => {
                    let mut all = self.store.table::<S>().iter();
                    all.find(|(_, it)| it.meta().uid == owner.uid).map(|(id, _)| RawId::from(id))
                });
                owner.at = found.unwrap_or(RawId::NOWHERE);
            }
        });
    }

    /// Gives the object its name, if it is to be generated, and its uid.
    fn name(
        &mut self,
        kind: Kind,
        meta: &mut Meta,
        is_taken: &dyn Fn(&Self, &Meta) -> bool,
    ) -> Result<(), Status> {
        let base = meta.name.base().clone();
        if !base.ends_with('-') {
            if is_taken(self, meta) {
                return Err(Status::AlreadyExists(ObjectName::of(kind, meta)));
            }
            if meta.uid == Uid(0) {
                let incarnation = self.incarnation(kind, meta);
                meta.uid = super::uid(self.shared.luck, kind, meta, incarnation);
            }
            return Ok(());
        }
        let base = if base.len() > GENERATED_BASE_MAX.min(NAME_MAX) {
            base[..GENERATED_BASE_MAX].into()
        } else {
            base
        };
        for _ in 0..NAME_TRIES {
            let (parent, child) = match meta.owner {
                Some(owner) => {
                    (owner.uid.0, self.store.next_child(TableKind::of(owner.kind), owner.at))
                }
                None => self.next_of_base(kind, meta),
            };
            let draw = self.shared.luck.draw(NAME_SUFFIX, parent, u64::from(child));
            meta.name = Name::generated(base.clone(), draw.suffix());
            if !is_taken(self, meta) {
                meta.uid = Uid(self.shared.luck.draw(UID, parent, u64::from(child)).u64());
                return Ok(());
            }
        }
        Err(Status::AlreadyExists(ObjectName::of(kind, meta)))
    }

    /// What controllers make again under the same name is another one.
    fn incarnation(&mut self, kind: Kind, meta: &Meta) -> u64 {
        match (kind, meta.owner) {
            (Kind::Pod | Kind::ControllerRevision, Some(owner)) => {
                let child = self.store.next_child(TableKind::of(owner.kind), owner.at);
                owner.uid.0 ^ u64::from(child)
            }
            (Kind::PersistentVolumeClaim, _) => u64::from(self.next_of_base(kind, meta).1 - 1),
            _ => 0,
        }
    }

    /// Parent and number for a generated name without an owner: counted per (kind, namespace,
    /// base).
    fn next_of_base(&mut self, kind: Kind, meta: &Meta) -> (u64, u32) {
        let key = StableHasher::new().text("base").text(kind.name()).text(&meta.namespace);
        let key = key.text(meta.name.base()).finish();
        let count = self.shared.generated.entry(key).or_insert(0);
        *count += 1;
        (key, *count)
    }

    fn is_taken<S: Stored>(&self, meta: &Meta) -> bool {
        self.store.table::<S>().find_name(&meta.namespace, &meta.name).is_some()
    }

    fn is_taken_by_set(&self, kind: Kind, meta: &Meta) -> bool {
        self.store
            .table::<ReplicaSet>()
            .all_named(&meta.namespace, &meta.name)
            .any(|(_, set)| Kind::from(set.kind) == kind)
    }
}
