//! Pods, revisions and claims by the uid of their controller, for kinds that keep no [`super::Roster`].

use std::collections::{BTreeMap, BTreeSet};

use crate::api::controller_revision::ControllerRevision;
use crate::api::kind::Kind;
use crate::api::meta::{Owner, Uid};
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::storage::PersistentVolumeClaim;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::store::Change;

/// What belongs to whom, by the owner's uid.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    pods: Lists<Pod>,
    revisions: Lists<ControllerRevision>,
    claims: Lists<PersistentVolumeClaim>,
    /// Revisions without controller, by namespace.
    orphan_revisions: BTreeMap<Text, BTreeSet<Id<ControllerRevision>>>,
}

/// Lists of ids, each with its place, so that taking one out is no search.
#[derive(Clone, Debug)]
struct Lists<T> {
    of: FastMap<Uid, Vec<Id<T>>>,
    place: FastMap<Id<T>, usize>,
}

impl<T> Default for Lists<T> {
    fn default() -> Lists<T> {
        Lists { of: FastMap::default(), place: FastMap::default() }
    }
}

impl<T> Lists<T> {
    fn shift(&mut self, id: Id<T>, old: Option<Uid>, new: Option<Uid>) {
        if old == new {
            return;
        }
        if let Some(old) = old
            && let Some(list) = self.of.get_mut(&old)
            && let Some(at) = self.place.remove(&id)
        {
            list.swap_remove(at);
            if let Some(&moved) = list.get(at) {
                self.place.insert(moved, at);
            }
            if list.is_empty() {
                self.of.remove(&old);
            }
        }
        if let Some(new) = new {
            let list = self.of.entry(new).or_default();
            self.place.insert(id, list.len());
            list.push(id);
        }
    }

    fn get(&self, owner: Uid) -> &[Id<T>] {
        self.of.get(&owner).map_or(&[], Vec::as_slice)
    }
}

/// The owner whose pods are listed here.
fn listing(owner: Option<Owner>) -> Option<Uid> {
    let owner = owner?;
    let has_roster = matches!(owner.kind, Kind::ReplicaSet | Kind::ReplicationController);
    (!has_roster).then_some(owner.uid)
}

impl Owned {
    /// The pods of an owner that is no ReplicaSet or ReplicationController, in no order that means
    /// anything.
    pub fn pods(&self, owner: Uid) -> &[Id<Pod>] {
        self.pods.get(owner)
    }

    /// The revisions of an owner, in no order that means anything.
    pub fn revisions(&self, owner: Uid) -> &[Id<ControllerRevision>] {
        self.revisions.get(owner)
    }

    /// The claims of an owner, in no order that means anything.
    pub fn claims(&self, owner: Uid) -> &[Id<PersistentVolumeClaim>] {
        self.claims.get(owner)
    }

    /// Takes note of a change of a claim.
    pub fn claim(&mut self, change: &Change<'_, PersistentVolumeClaim>) {
        let owner = |one: Option<&PersistentVolumeClaim>| Some(one?.meta.owner?.uid);
        self.claims.shift(change.id, owner(change.old), owner(change.new));
    }

    /// Revisions of `namespace` that no controller owns.
    pub fn orphan_revisions(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = Id<ControllerRevision>> + '_ {
        self.orphan_revisions.get(namespace).into_iter().flatten().copied()
    }

    pub(super) fn pod(&mut self, change: &Change<'_, Pod>) {
        let owner = |pod: Option<&Pod>| pod.and_then(|pod| listing(pod.meta.owner));
        self.pods.shift(change.id, owner(change.old), owner(change.new));
    }

    /// Takes note of a change of a revision.
    pub fn revision(&mut self, change: &Change<'_, ControllerRevision>) {
        let owner = |one: Option<&ControllerRevision>| Some(one?.meta.owner?.uid);
        self.revisions.shift(change.id, owner(change.old), owner(change.new));
        let Some(any) = change.new.or(change.old) else { return };
        if change.new.is_some_and(|one| one.meta.owner.is_none()) {
            let local = self.orphan_revisions.entry(any.meta.namespace.clone()).or_default();
            local.insert(change.id);
        } else if let Some(local) = self.orphan_revisions.get_mut(&any.meta.namespace) {
            local.remove(&change.id);
            if local.is_empty() {
                self.orphan_revisions.remove(&any.meta.namespace);
            }
        }
    }
}
