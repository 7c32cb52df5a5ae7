//! Deletion: graceful for pods, held up by finalizers, with what becomes of the dependents noted
//! for the garbage collector (`registry/rest/delete.go`, `registry/generic/registry/store.go`,
//! 1.36).

use std::sync::Arc;

use super::facts::Told;
use super::kinds::of_kind;
use super::{Server, not_found};
use crate::api::kind::Kind;
use crate::api::meta::{Deletion, Meta, ObjectName, RawId, Uid};
use crate::api::misc::{Namespace, PriorityClass, SYSTEM_CLASSES};
use crate::api::pod::Pod;
use crate::api::status::Status;
use crate::base::id::Id;
use crate::messages::Done;
use crate::messages::request::{Judged, MetaPatch, Propagation};
use crate::store::{Rev, Stored};
use crate::time::{SimDuration, SimTime};

/// Finalizer of an object whose dependents go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";
/// Namespaces that stay (`immortalNamespaces` of admission plugin NamespaceLifecycle, 1.36).
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

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
            Kind::Pod => self.delete_pod(id.typed(), uid, grace_seconds, propagation),
            Kind::PriorityClass => {
                self.check_class(id.typed())?;
                self.delete_as::<PriorityClass>(id, uid, propagation)
            }
            Kind::Namespace => {
                self.check_mortal(id.typed())?;
                self.delete_as::<Namespace>(id, uid, propagation)
            }
            kind => of_kind!(kind, S => self.delete_as::<S>(id, uid, propagation)),
        }
    }

    fn check_mortal(&self, id: Id<Namespace>) -> Result<(), Status> {
        match self.store.get(id) {
            Some(it) if IMMORTAL.contains(&&**it.meta.name.base()) => Err(Status::Forbidden(
                ObjectName::of(Kind::Namespace, &it.meta),
                "this namespace may not be deleted".into(),
            )),
            _ => Ok(()),
        }
    }

    /// `REST.Delete` of `pkg/registry/scheduling/priorityclass/storage`.
    fn check_class(&self, id: Id<PriorityClass>) -> Result<(), Status> {
        let Some(class) = self.store.get(id) else { return Ok(()) };
        if SYSTEM_CLASSES.iter().all(|(name, ..)| class.meta.name != **name) {
            return Ok(());
        }
        Err(Status::Forbidden(
            ObjectName::of(Kind::PriorityClass, &class.meta),
            "this is a system priority class and cannot be deleted".into(),
        ))
    }

    /// A deletion that the garbage collector asks for: only while the object's owners are those it
    /// was judged by (`deleteObject` of pkg/controller/garbagecollector).
    pub(super) fn collect(&mut self, kind: Kind, id: RawId, by: Judged) -> Result<Done, Status> {
        let Judged { uid, owners, propagation } = by;
        of_kind!(kind, S => {
            let held = self.store.get::<S>(id.typed());
            let held = held.ok_or_else(|| not_found(kind, None))?;
            if held.meta().owners_hash() != owners {
                return Err(Status::Conflict(ObjectName::of(kind, held.meta())));
            }
        });
        self.delete(kind, id, Some(uid), None, propagation)
    }

    /// A patch of an object's metadata; one that is only held up by what goes, goes.
    pub(super) fn patch(
        &mut self,
        kind: Kind,
        id: RawId,
        uid: Uid,
        patch: &MetaPatch,
    ) -> Result<Done, Status> {
        of_kind!(kind, S => self.patch_as::<S>(kind, id, uid, patch))
    }

    fn patch_as<S: Told>(
        &mut self,
        kind: Kind,
        id: RawId,
        uid: Uid,
        patch: &MetaPatch,
    ) -> Result<Done, Status> {
        let typed: Id<S> = id.typed();
        let held = self.store.get(typed).filter(|held| held.meta().uid == uid);
        let Some(held) = held else { return Err(not_found(kind, None)) };
        let mut next = held.clone();
        if let MetaPatch::Finalize(finalizer) = patch {
            next.finalize(finalizer);
        }
        let meta = next.meta_mut();
        match patch {
            MetaPatch::Finalize(_) => {}
            MetaPatch::DropOwners(owners) => meta.disown(owners),
            MetaPatch::Unblock => meta.unblock_owners(),
            MetaPatch::DropFinalizer(finalizer) => meta.drop_finalizer(finalizer),
            MetaPatch::Annotate(one) => {
                let (key, value) = (**one).clone();
                Arc::make_mut(&mut meta.annotations).insert(key, value);
            }
            MetaPatch::AddFinalizer(finalizer) => {
                if !meta.is_terminating() {
                    meta.add_finalizer(finalizer);
                }
            }
        }
        if is_done(next.meta()) && next.is_finalized() {
            return Ok(self.gone(typed));
        }
        Ok(self.write(typed, next))
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
        let (kind, mut next) = (object.kind(), object.clone());
        note_propagation(kind, next.meta_mut(), propagation);
        if next.meta().finalizers().is_empty() && next.is_finalized() {
            return Ok(self.gone(typed));
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
        propagation: Propagation,
    ) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id) else { return Err(not_found(Kind::Pod, None)) };
        check_uid(Kind::Pod, &pod.meta, uid)?;
        let seconds = |it: u32| SimDuration::from_secs(u64::from(it));
        let mut next = pod.clone();
        let (asked_at, grace) = match pod.meta.deletion {
            None => {
                let is_over = pod.node.is_none() || pod.status.phase.is_terminal();
                let grace = grace_seconds.unwrap_or(pod.spec.grace_seconds);
                note_propagation(Kind::Pod, &mut next.meta, propagation);
                next.meta.generation += 1;
                (self.now, if is_over { 0 } else { grace })
            }
            Some(_) if is_done(&pod.meta) => return Ok(self.gone(id)),
            // A second deletion may only shorten the first, and that is no change of the spec.
            Some(held) => match grace_seconds.filter(|&grace| grace < held.grace_seconds) {
                Some(grace) => {
                    let asked_at = held.at.checked_sub(seconds(held.grace_seconds));
                    (asked_at.unwrap_or(SimTime::ZERO), grace)
                }
                None => {
                    let rev = self.store.table::<Pod>().revision(id).unwrap_or(Rev::ZERO);
                    return Ok(Done { id: id.into(), rev });
                }
            },
        };
        if grace == 0 && next.meta.finalizers().is_empty() {
            return Ok(self.gone(id));
        }
        let at = asked_at + seconds(grace);
        next.meta.deletion = Some(Deletion { at, grace_seconds: grace });
        Ok(self.write(id, next))
    }

    /// Removes an object.
    pub(super) fn gone<S: Told>(&mut self, id: Id<S>) -> Done {
        self.remove(id);
        Done { id: id.into(), rev: Rev::ZERO }
    }
}

/// Whether an object on its way out has nothing more to wait for.
pub(super) fn is_done(meta: &Meta) -> bool {
    meta.finalizers().is_empty() && meta.deletion.is_some_and(|it| it.grace_seconds == 0)
}

/// Notes what becomes of the dependents (`deletionFinalizersForGarbageCollection`): what is asked
/// for counts before the finalizers that are there, these before the custom of the kind.
fn note_propagation(kind: Kind, meta: &mut Meta, asked: Propagation) {
    let custom = match kind {
        // As it was in the days of v1beta1 (`pkg/registry/core/replicationcontroller/strategy.go`).
        Kind::ReplicationController => Propagation::Orphan,
        _ => Propagation::Background,
    };
    let propagation = match asked {
        Propagation::Custom if meta.has_finalizer(ORPHAN) => Propagation::Orphan,
        Propagation::Custom if meta.has_finalizer(FOREGROUND) => Propagation::Foreground,
        Propagation::Custom => custom,
        asked => asked,
    };
    let wanted = match propagation {
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Background | Propagation::Custom => None,
    };
    for name in [FOREGROUND, ORPHAN] {
        if wanted == Some(name) {
            meta.add_finalizer(name);
        } else {
            meta.drop_finalizer(name);
        }
    }
}

fn check_uid(kind: Kind, meta: &Meta, wanted: Option<Uid>) -> Result<(), Status> {
    match wanted {
        Some(uid) if uid != meta.uid => Err(Status::Conflict(ObjectName::of(kind, meta))),
        _ => Ok(()),
    }
}
