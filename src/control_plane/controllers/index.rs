//! What the controllers of one process know about pods and owners beside the plain objects: the
//! indexes of their shared informers, kept from each change, so that no sync lists and filters.
//!
//! Owns, as of the process's cursors: which pods a set has and how many of them are active, ready,
//! fully labelled, terminating ([`Roster`]); pods grouped by namespace and equal labels
//! ([`groups`]); pods and revisions by owner; pods by node; sets by Deployment; slices by Service. Refuses to decide anything.

pub mod groups;
mod guards;
mod owned;
mod owners;
mod roster;

pub use groups::{Group, Groups, Member};
pub use owned::Owned;
pub use owners::Owners;
pub use roster::{Counts, Roster};

use crate::api::disruption::PodDisruptionBudget;
use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::service::Service;
use crate::api::workload::ReplicaSet;
use crate::base::FastMap;
use crate::base::arena::Arena;
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::store::{Change, View};

/// Where a pod is noted: its set's roster, its group, its node's list, with its place in each.
#[derive(Clone, Copy, Debug)]
struct PodRow {
    roster: Option<Id<Roster>>,
    roster_at: u32,
    group: Option<Id<Group>>,
    group_at: u32,
    node: u32,
    node_at: u32,
}

const NOWHERE: u32 = u32::MAX;
const NO_ROW: PodRow = PodRow {
    roster: None,
    roster_at: NOWHERE,
    group: None,
    group_at: NOWHERE,
    node: NOWHERE,
    node_at: NOWHERE,
};

/// The indexes of one controller manager.
#[derive(Clone, Debug, Default)]
pub struct Index {
    rows: Chunked<PodRow>,
    rosters: Arena<Roster>,
    roster_of: FastMap<Id<ReplicaSet>, Id<Roster>>,
    by_node: Chunked<Vec<Id<Pod>>>,
    /// Pods by equal labels.
    pub groups: Groups,
    /// Sets by Deployment, slices by Service.
    pub owners: Owners,
    /// Pods and revisions by owner, those of ReplicaSets and ReplicationControllers apart.
    pub owned: Owned,
}

/// The set that owns an object, if its controller is one.
pub fn owning_set(owner: Option<Owner>) -> Option<Id<ReplicaSet>> {
    let owner = owner?;
    matches!(owner.kind, Kind::ReplicaSet | Kind::ReplicationController).then(|| owner.at.typed())
}

impl Index {
    /// The roster of `set`; empty if it has no pods.
    pub fn roster(&self, set: Id<ReplicaSet>) -> &Roster {
        static EMPTY: Roster = Roster::EMPTY;
        self.roster_of.get(&set).and_then(|&id| self.rosters.get(id)).unwrap_or(&EMPTY)
    }

    /// The pods bound to `node`, in no particular order that means anything.
    pub fn pods_on(&self, node: Id<Node>) -> &[Id<Pod>] {
        self.by_node.get(node.slot()).map_or(&[], Vec::as_slice)
    }

    /// What endpoints show of `pod`, and the Services that select it.
    pub fn member(&self, pod: Id<Pod>) -> Option<(Member, &[Id<Service>])> {
        let (group, at) = self.group_of(pod)?;
        let group = self.groups.get(group)?;
        Some((*group.members.get(at)?, &group.services))
    }

    /// The PodDisruptionBudgets that select `pod`, oldest first.
    pub fn budgets_of(&self, pod: Id<Pod>) -> &[Id<PodDisruptionBudget>] {
        let group = self.group_of(pod).and_then(|(group, _)| self.groups.get(group));
        group.map_or(&[], |group| group.budgets.as_slice())
    }

    /// The group and place of `pod`.
    pub fn group_of(&self, pod: Id<Pod>) -> Option<(Id<Group>, usize)> {
        let row = self.rows.get(pod.slot())?;
        Some((row.group?, row.group_at as usize))
    }

    /// Takes note of a change of a pod. `None` for `old`: it is new; for `new`: it is gone.
    pub fn pod(&mut self, change: &Change<'_, Pod>, view: &View<'_>) {
        let (id, new) = (change.id, change.new);
        self.owners.pod(change);
        while self.rows.len() <= id.slot() {
            self.rows.push(NO_ROW);
        }
        let mut row = self.rows[id.slot()];
        self.in_roster(id, &mut row, change, view);
        self.owned.pod(change);
        self.in_group(id, &mut row, change);
        self.on_node(id, &mut row, new);
        self.rows[id.slot()] = row;
    }

    /// Takes note of a change of a set.
    pub fn set(&mut self, change: &Change<'_, ReplicaSet>, view: &View<'_>) {
        self.owners.set(change);
        let Some(&roster) = self.roster_of.get(&change.id) else { return };
        let Some(held) = self.rosters.get_mut(roster) else { return };
        match change.new {
            Some(set) => held.set_changed(set, view),
            None => {
                held.set_gone();
                self.drop_if_unused(roster);
            }
        }
    }

    fn in_roster(
        &mut self,
        id: Id<Pod>,
        row: &mut PodRow,
        change: &Change<'_, Pod>,
        view: &View<'_>,
    ) {
        let wanted = change.new.and_then(|pod| owning_set(pod.meta.owner));
        let held = row.roster.and_then(|roster| self.rosters.get(roster)).map(|one| one.set);
        if let (Some(roster), Some(old)) = (row.roster, change.old)
            && let Some(one) = self.rosters.get_mut(roster)
        {
            one.uncount(old);
            if wanted != held {
                let moved = one.remove(row.roster_at as usize);
                if let Some(moved) = moved {
                    self.rows[moved.slot()].roster_at = row.roster_at;
                }
                self.drop_if_unused(roster);
            }
        }
        if wanted != held {
            row.roster = wanted.map(|set| self.roster_for(set, view));
            if let Some(one) = row.roster.and_then(|roster| self.rosters.get_mut(roster)) {
                row.roster_at = one.push(id);
            }
        }
        if let (Some(roster), Some(new)) = (row.roster, change.new)
            && let Some(one) = self.rosters.get_mut(roster)
        {
            one.count(new);
        }
    }

    fn roster_for(&mut self, set: Id<ReplicaSet>, view: &View<'_>) -> Id<Roster> {
        if let Some(&known) = self.roster_of.get(&set) {
            return known;
        }
        let id = self.rosters.insert(Roster::of(set, view.get(set)));
        self.roster_of.insert(set, id);
        id
    }

    fn drop_if_unused(&mut self, id: Id<Roster>) {
        if let Some(roster) = self.rosters.get(id)
            && roster.pods().is_empty()
        {
            self.roster_of.remove(&roster.set);
            self.rosters.remove(id);
        }
    }

    fn in_group(&mut self, id: Id<Pod>, row: &mut PodRow, change: &Change<'_, Pod>) {
        let stays = match (change.old, change.new) {
            (Some(old), Some(new)) => {
                std::sync::Arc::ptr_eq(&old.meta.labels, &new.meta.labels)
                    || old.meta.labels == new.meta.labels
            }
            _ => false,
        };
        if let Some(group) = row.group
            && !stays
        {
            if let Some(moved) = self.groups.remove(group, row.group_at as usize) {
                self.rows[moved.slot()].group_at = row.group_at;
            }
            row.group = None;
        }
        let Some(pod) = change.new else { return };
        match row.group {
            Some(group) => self.groups.update(group, row.group_at as usize, id, pod),
            None => {
                let (group, at) = self.groups.insert(id, pod);
                (row.group, row.group_at) = (Some(group), at);
            }
        }
    }

    fn on_node(&mut self, id: Id<Pod>, row: &mut PodRow, new: Option<&Pod>) {
        let node = new.and_then(|pod| pod.node).map_or(NOWHERE, |node| node.slot() as u32);
        if node == row.node {
            return;
        }
        if let Some(pods) = self.by_node.get_mut(row.node as usize) {
            pods.swap_remove(row.node_at as usize);
            if let Some(&moved) = pods.get(row.node_at as usize) {
                self.rows[moved.slot()].node_at = row.node_at;
            }
        }
        (row.node, row.node_at) = (node, NOWHERE);
        if node != NOWHERE {
            while self.by_node.len() <= node as usize {
                self.by_node.push(Vec::new());
            }
            let pods = &mut self.by_node[node as usize];
            row.node_at = pods.len() as u32;
            pods.push(id);
        }
    }
}
