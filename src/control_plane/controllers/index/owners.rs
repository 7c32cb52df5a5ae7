//! Who belongs to whom above pods: sets by Deployment, slices by Service, sets nobody owns.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::service::EndpointSlice;
use crate::api::workload::ReplicaSet;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::store::Change;

/// Owners and what they own, by the owner's uid.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    sets: FastMap<Uid, Vec<Id<ReplicaSet>>>,
    slices: FastMap<Uid, Vec<Id<EndpointSlice>>>,
    /// Pods of Jobs, oldest first.
    pods: FastMap<Uid, Vec<Id<Pod>>>,
    jobs: FastMap<Uid, Vec<Id<Job>>>,
    /// Sets without controller, by namespace.
    orphan_sets: BTreeMap<Text, BTreeSet<Id<ReplicaSet>>>,
}

fn shift<K: std::hash::Hash + Eq, T>(
    map: &mut FastMap<K, Vec<Id<T>>>,
    id: Id<T>,
    old: Option<K>,
    new: Option<K>,
) {
    if old == new {
        return;
    }
    if let Some(old) = old
        && let Some(list) = map.get_mut(&old)
    {
        list.retain(|&held| held != id);
        if list.is_empty() {
            map.remove(&old);
        }
    }
    if let Some(new) = new {
        map.entry(new).or_default().push(id);
    }
}

impl Owners {
    /// The sets whose controller has this uid, oldest first.
    pub fn sets(&self, owner: Uid) -> &[Id<ReplicaSet>] {
        self.sets.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// The slices whose owner has this uid, oldest first.
    pub fn slices(&self, owner: Uid) -> &[Id<EndpointSlice>] {
        self.slices.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// The pods of the Job with this uid, oldest first.
    pub fn pods(&self, owner: Uid) -> &[Id<Pod>] {
        self.pods.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// The Jobs whose controller has this uid, oldest first.
    pub fn jobs(&self, owner: Uid) -> &[Id<Job>] {
        self.jobs.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// Takes note of a change of a pod.
    pub(super) fn pod(&mut self, change: &Change<'_, Pod>) {
        let owner = |pod: Option<&Pod>| {
            pod?.meta.owner.filter(|owner| owner.kind == Kind::Job).map(|owner| owner.uid)
        };
        shift(&mut self.pods, change.id, owner(change.old), owner(change.new));
    }

    /// Takes note of a change of a Job.
    pub fn job(&mut self, change: &Change<'_, Job>) {
        let owner = |job: Option<&Job>| Some(job?.meta.owner?.uid);
        shift(&mut self.jobs, change.id, owner(change.old), owner(change.new));
    }

    /// Sets of `namespace` that no controller owns.
    pub fn orphan_sets(&self, namespace: &str) -> impl Iterator<Item = Id<ReplicaSet>> + '_ {
        self.orphan_sets.get(namespace).into_iter().flatten().copied()
    }

    pub(super) fn set(&mut self, change: &Change<'_, ReplicaSet>) {
        let owner = |set: Option<&ReplicaSet>| Some(set?.meta.owner?.uid);
        shift(&mut self.sets, change.id, owner(change.old), owner(change.new));
        let orphan_in = |set: Option<&ReplicaSet>| {
            set.filter(|set| set.meta.owner.is_none()).map(|set| set.meta.namespace.clone())
        };
        let (old, new) = (orphan_in(change.old), orphan_in(change.new));
        if old == new {
            return;
        }
        if let Some(namespace) = old
            && let Some(local) = self.orphan_sets.get_mut(&namespace)
        {
            local.remove(&change.id);
            if local.is_empty() {
                self.orphan_sets.remove(&namespace);
            }
        }
        if let Some(namespace) = new {
            self.orphan_sets.entry(namespace).or_default().insert(change.id);
        }
    }

    /// Takes note of a change of a slice.
    pub fn slice(&mut self, change: &Change<'_, EndpointSlice>) {
        let owner = |slice: Option<&EndpointSlice>| Some(slice?.meta.owner?.uid);
        shift(&mut self.slices, change.id, owner(change.old), owner(change.new));
    }
}
