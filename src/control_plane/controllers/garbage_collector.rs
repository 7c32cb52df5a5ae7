//! The garbage collector (kube-controller-manager 1.36 pkg/controller/garbagecollector).
//!
//! Owns what follows from an owner's end: dependents go after it (background), before it
//! (foreground), or lose it and stay (orphan). Owners are told by uid. Refuses to know why an owner
//! goes. Owners of kinds that are not modelled are taken to be there.
//!
//! ```text
//! owner gone ─────────────▶ each dependent deleted
//! owner ends, foreground ─▶ each dependent deleted (foreground) ─ all gone ─▶ finalizer taken away
//! owner ends, orphan ─────▶ each dependent loses its owner ─ all done ─▶ finalizer taken away
//! ```

use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner, RawId, Uid};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::service::{EndpointSlice, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::storage::PersistentVolumeClaim;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::base::{FastMap, FastSet};
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::SimDuration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Known, Timer};

/// Finalizer of an object whose dependents go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";
/// `--concurrent-gc-syncs`.
const WORKERS: usize = 20;
/// After a refusal.
const RETRY: SimDuration = SimDuration::from_millis(100);
/// Owners remembered as gone.
const GONE_MAX: usize = 65_536;

/// An object of a kind the collector looks at.
type Item = (Kind, RawId);

/// The controller.
#[derive(Clone, Debug)]
pub struct GarbageCollector {
    client: ClientId,
    waiting: VecDeque<(Item, u64)>,
    queued: BTreeSet<Item>,
    in_flight: FastMap<u64, (Item, u64)>,
    serial: u64,
    /// Items whose last call was refused.
    refused: Vec<(Item, u64)>,
    /// Owners known to be gone. An owner that merely was not seen yet is not among them.
    gone: FastSet<Uid>,
    gone_order: VecDeque<Uid>,
    reading: Reading,
}

/// Whether the caches are being filled, so that what is not in them does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Listing,
    Watching,
}

fn has_finalizer(meta: &Meta, name: &str) -> bool {
    meta.finalizers.as_ref().is_some_and(|all| all.iter().any(|one| &**one == name))
}

/// The object's metadata and revision, if it is there.
fn look(item: Item, known: Known<'_>) -> Option<(Rev, Object)> {
    fn at<T: Stored>(id: RawId, known: Known<'_>, wrap: fn(T) -> Object) -> Option<(Rev, Object)> {
        let (rev, value) = known.view.version::<T>(id.typed())?;
        Some((rev, wrap(value.clone())))
    }
    let (kind, id) = item;
    match kind {
        Kind::Pod => at(id, known, |one: Pod| Object::Pod(Box::new(one))),
        Kind::ReplicaSet | Kind::ReplicationController => {
            at(id, known, |one: ReplicaSet| Object::ReplicaSet(Box::new(one)))
        }
        Kind::Deployment => at(id, known, |one: Deployment| Object::Deployment(Box::new(one))),
        Kind::Job => at(id, known, |one: Job| Object::Job(Box::new(one))),
        Kind::CronJob => at(id, known, |one: CronJob| Object::CronJob(Box::new(one))),
        Kind::Service => at(id, known, |one: Service| Object::Service(Box::new(one))),
        Kind::EndpointSlice => {
            at(id, known, |one: EndpointSlice| Object::EndpointSlice(Box::new(one)))
        }
        Kind::StatefulSet => at(id, known, |one: StatefulSet| Object::StatefulSet(Box::new(one))),
        Kind::DaemonSet => at(id, known, |one: DaemonSet| Object::DaemonSet(Box::new(one))),
        Kind::ControllerRevision => {
            at(id, known, |one: ControllerRevision| Object::ControllerRevision(Box::new(one)))
        }
        Kind::PersistentVolumeClaim => {
            at(id, known, |one: PersistentVolumeClaim| Object::PersistentVolumeClaim(Box::new(one)))
        }
        _ => None,
    }
}

fn owner_kind(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Deployment
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::Job
            | Kind::CronJob
            | Kind::Service
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Pod
    )
}

/// What `uid` owns, in the order of creation as far as it was seen.
fn dependents(item: Item, uid: Uid, known: Known<'_>) -> Vec<Item> {
    let (kind, id) = item;
    match kind {
        Kind::Deployment => {
            let sets = known.index.owners.sets(uid).iter();
            sets.map(|&set| (Kind::ReplicaSet, set.into())).collect()
        }
        Kind::ReplicaSet | Kind::ReplicationController => {
            let pods = known.index.roster(id.typed()).pods().iter();
            let mut pods: Vec<Id<Pod>> = pods.copied().collect();
            pods.sort_by_key(|&pod| known.view.get(pod).map(|pod| pod.meta.uid));
            pods.into_iter().map(|pod| (Kind::Pod, pod.into())).collect()
        }
        Kind::Job => {
            let pods = known.index.owners.pods(uid).iter();
            pods.map(|&pod| (Kind::Pod, pod.into())).collect()
        }
        Kind::CronJob => {
            let jobs = known.index.owners.jobs(uid).iter();
            jobs.map(|&job| (Kind::Job, job.into())).collect()
        }
        Kind::Service => {
            let slices = known.index.owners.slices(uid).iter();
            slices.map(|&slice| (Kind::EndpointSlice, slice.into())).collect()
        }
        Kind::StatefulSet | Kind::DaemonSet | Kind::Pod => {
            let owned = &known.index.owned;
            let mut pods = owned.pods(uid).to_vec();
            pods.sort_by_key(|&pod| known.view.get(pod).map(|pod| pod.meta.name.clone()));
            let mut revisions = owned.revisions(uid).to_vec();
            revisions.sort_unstable();
            let mut claims = owned.claims(uid).to_vec();
            claims.sort_unstable();
            let pods = pods.into_iter().map(|pod| (Kind::Pod, pod.into()));
            let revisions = revisions.into_iter().map(|id| (Kind::ControllerRevision, id.into()));
            let claims = claims.into_iter().map(|id| (Kind::PersistentVolumeClaim, id.into()));
            pods.chain(revisions).chain(claims).collect()
        }
        _ => Vec::new(),
    }
}

impl GarbageCollector {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId) -> GarbageCollector {
        GarbageCollector {
            client,
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
            in_flight: FastMap::default(),
            serial: 0,
            refused: Vec::new(),
            gone: FastSet::default(),
            gone_order: VecDeque::new(),
            reading: Reading::Listing,
        }
    }

    /// All that was listed has been told; from here on come changes.
    pub fn listed(&mut self) {
        self.reading = Reading::Watching;
    }

    fn note_gone(&mut self, owner: Uid) {
        if self.gone.insert(owner) {
            self.gone_order.push_back(owner);
        }
        if self.gone_order.len() > GONE_MAX
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// An object that owns or is owned changed.
    pub fn changed<T: Stored>(
        &mut self,
        kind: Kind,
        change: &Change<'_, T>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let id = RawId::from(change.id);
        match (change.old, change.new) {
            (Some(old), None) => {
                if owner_kind(kind) {
                    self.note_gone(old.meta().uid);
                    for item in dependents((kind, id), old.meta().uid, known) {
                        self.add(item, fx);
                    }
                }
                self.owner_may_end(old.meta().owner, known, fx);
            }
            (old, Some(new)) => {
                let (meta, before) = (new.meta(), old.map(Stored::meta));
                let ends = meta.is_terminating()
                    && (has_finalizer(meta, FOREGROUND) || has_finalizer(meta, ORPHAN));
                let is_news = before.is_none_or(|old| {
                    old.is_terminating() != meta.is_terminating() || old.owner != meta.owner
                });
                if is_news && (ends || self.lacks_owner(meta.owner, known)) {
                    self.add((kind, id), fx);
                }
                if let Some(old) = before
                    && old.owner != meta.owner
                {
                    self.owner_may_end(old.owner, known, fx);
                }
            }
            (None, None) => {}
        }
        self.work(known, fx);
    }

    /// Whether the owner is known to be gone.
    fn lacks_owner(&mut self, owner: Option<Owner>, known: Known<'_>) -> bool {
        let Some(owner) = owner.filter(|owner| owner_kind(owner.kind)) else { return false };
        if self.reading == Reading::Listing
            && look((owner.kind, owner.at), known)
                .is_none_or(|(_, held)| held.meta().uid != owner.uid)
        {
            self.note_gone(owner.uid);
        }
        self.gone.contains(&owner.uid)
    }

    /// A dependent went: an owner that waits for it may go.
    fn owner_may_end(&mut self, owner: Option<Owner>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(owner) = owner.filter(|owner| owner_kind(owner.kind)) else { return };
        let ends = look((owner.kind, owner.at), known)
            .is_some_and(|(_, held)| held.meta().is_terminating());
        if ends {
            self.add((owner.kind, owner.at), fx);
        }
    }

    fn add(&mut self, item: Item, fx: &Effects<Timer>) {
        if self.queued.insert(item) {
            self.waiting.push_back((item, fx.cause()));
        }
    }

    /// Takes up items while workers are free.
    fn work(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        while self.in_flight.len() < WORKERS
            && let Some((item, cause)) = self.waiting.pop_front()
        {
            self.queued.remove(&item);
            fx.because(cause);
            if let Some(call) = self.attempt(item, known, fx) {
                self.serial += 1;
                self.in_flight.insert(self.serial, (item, cause));
                fx.send(self.client, self.serial, call);
            }
        }
    }

    /// `attemptToDeleteItem` and `attemptToOrphan`: the next call about an item, if any.
    fn attempt(&mut self, item: Item, known: Known<'_>, fx: &mut Effects<Timer>) -> Option<Call> {
        let (rev, object) = look(item, known)?;
        let meta = object.meta();
        if meta.is_terminating() && has_finalizer(meta, ORPHAN) {
            let dependents = dependents(item, meta.uid, known);
            let Some(&first) = dependents.first() else {
                return drop_finalizer(item, rev, object, ORPHAN);
            };
            // One by one: the owner comes back when this one has lost it.
            return disown(first, known);
        }
        if meta.is_terminating() && has_finalizer(meta, FOREGROUND) {
            let dependents = dependents(item, meta.uid, known);
            if dependents.is_empty() {
                return drop_finalizer(item, rev, object, FOREGROUND);
            }
            dependents.into_iter().for_each(|one| self.add(one, fx));
            return None;
        }
        if meta.is_terminating() {
            return None;
        }
        let owner = meta.owner.filter(|owner| owner_kind(owner.kind))?;
        let held = look((owner.kind, owner.at), known);
        let held = held.filter(|(_, held)| held.meta().uid == owner.uid);
        let has_own = !dependents(item, meta.uid, known).is_empty();
        let propagation = match held {
            Some((_, held)) => {
                let waits = held.meta().is_terminating() && has_finalizer(held.meta(), FOREGROUND);
                if !waits {
                    return None;
                }
                if has_own { Propagation::Foreground } else { Propagation::Background }
            }
            None if !self.gone.contains(&owner.uid) => return None,
            None if has_finalizer(meta, ORPHAN) => Propagation::Orphan,
            None if has_finalizer(meta, FOREGROUND) => Propagation::Foreground,
            None => Propagation::Background,
        };
        let (kind, id) = item;
        Some(Call::Delete { kind, id, uid: Some(meta.uid), grace_seconds: None, propagation })
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some((item, cause)) = self.in_flight.remove(&reply.tag) else { return };
        if let Err(status) = &reply.result
            && !matches!(status, Status::NotFound(_))
        {
            self.refused.push((item, cause));
            if self.refused.len() == 1 {
                fx.arm(RETRY, Timer::Garbage);
            }
        }
        self.work(known, fx);
    }

    /// What was refused is tried again.
    pub fn retry(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        for (item, cause) in std::mem::take(&mut self.refused) {
            fx.because(cause);
            self.add(item, fx);
        }
        self.work(known, fx);
    }
}

fn drop_finalizer(item: Item, rev: Rev, mut object: Object, name: &str) -> Option<Call> {
    let meta = object.meta_mut();
    let kept = meta.finalizers.iter().flat_map(|all| all.iter()).filter(|one| &***one != name);
    let kept: Arc<[_]> = kept.cloned().collect();
    meta.finalizers = (!kept.is_empty()).then_some(kept);
    Some(Call::Update { id: item.1, object, base: Some(rev), part: Part::Main })
}

fn disown(item: Item, known: Known<'_>) -> Option<Call> {
    let (rev, mut object) = look(item, known)?;
    object.meta_mut().owner = None;
    Some(Call::Update { id: item.1, object, base: Some(rev), part: Part::Main })
}
