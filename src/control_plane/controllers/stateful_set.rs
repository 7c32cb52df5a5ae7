//! The StatefulSet controller (kube-controller-manager 1.36 pkg/controller/statefulset).
//!
//! Owns which StatefulSets need a sync and the carrying out of a sync's writes; refuses to bind
//! claims and to choose nodes. What becomes of pods is worked out at once ([`plan`]); the writes then
//! go out batch by batch:
//!
//! ```text
//! begin ─▶ claim ─▶ revision: find, renumber or create ─▶ plan
//!                     ┌──────────────────────────────────┘
//!                     ▼            all of a batch answered well
//!        batch: for each pod  claims, pod | deletion ─▶ next batch ─▶ .. ─▶ status ─▶ old revisions
//!                     └── one refused ────────────────────────────────────────┘ (and again later)
//! ```

pub mod claims;
pub mod identity;
pub mod plan;
mod sync;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::kind::Kind;
use crate::api::meta::{Owner, Uid};
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::stateful_set::StatefulSet;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::{ClientId, Effects};
use crate::store::Change;

use super::events::Events;
use super::own_writes::OwnWrites;
use super::replica_set::tells_apart;
use super::workqueue::{Queue, QueueSettings};
use super::{Known, Timer, Which};
use plan::MaxUnavailable;
use sync::Task;

/// The controller.
#[derive(Clone, Debug)]
pub struct StatefulSets {
    client: ClientId,
    pub(super) queue: Queue<StatefulSet>,
    pub(super) events: Events,
    written: OwnWrites<StatefulSet>,
    max_unavailable: MaxUnavailable,
    tasks: Vec<Option<Task>>,
    by_uid: FastMap<Uid, Id<StatefulSet>>,
    /// Sets by namespace, for orphans.
    local: BTreeMap<Text, BTreeSet<Id<StatefulSet>>>,
}

impl StatefulSets {
    /// The controller, sending by `client`.
    pub fn new(
        client: ClientId,
        settings: QueueSettings,
        max_unavailable: MaxUnavailable,
    ) -> StatefulSets {
        StatefulSets {
            client,
            queue: Queue::new(Which::StatefulSets, settings),
            events: Events::new(Which::StatefulSets, client),
            written: OwnWrites::default(),
            max_unavailable,
            tasks: vec![None; usize::from(settings.workers.max(1))],
            by_uid: FastMap::default(),
            local: BTreeMap::new(),
        }
    }

    fn owned(&self, owner: Option<Owner>) -> Option<Id<StatefulSet>> {
        let owner = owner.filter(|owner| owner.kind == Kind::StatefulSet)?;
        self.by_uid.get(&owner.uid).copied()
    }

    /// A StatefulSet changed.
    pub fn stateful_set(&mut self, change: &Change<'_, StatefulSet>, fx: &mut Effects<Timer>) {
        match (change.old, change.new) {
            (_, Some(new)) => {
                self.by_uid.insert(new.meta.uid, change.id);
                self.local.entry(new.meta.namespace.clone()).or_default().insert(change.id);
            }
            (Some(old), None) => {
                self.by_uid.remove(&old.meta.uid);
                self.written.forget(change.id);
                if let Some(local) = self.local.get_mut(&old.meta.namespace) {
                    local.remove(&change.id);
                }
            }
            (None, None) => return,
        }
        self.queue.add(change.id, fx);
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let owner = |pod: Option<&Pod>| pod.and_then(|pod| self.owned(pod.meta.owner));
        let (old, new) = (owner(change.old), owner(change.new));
        let shows = match (change.old, change.new) {
            (Some(old), Some(new)) => {
                tells_apart(old, new)
                    || old.status.phase != new.status.phase
                    || old.meta.owner != new.meta.owner
            }
            _ => true,
        };
        for set in [old.filter(|_| old != new), new].into_iter().flatten() {
            if shows || self.queue.has_failed(set) {
                self.queue.add(set, fx);
            }
        }
        if let Some(pod) = change.new
            && shows
        {
            self.orphan(pod, known, fx);
        }
    }

    /// A pod without controller: every set that selects it may want it.
    fn orphan(&mut self, pod: &Pod, known: Known<'_>, fx: &mut Effects<Timer>) {
        if pod.meta.owner.is_some() || pod.meta.is_terminating() {
            return;
        }
        for &id in self.local.get(&pod.meta.namespace).into_iter().flatten() {
            if known.view.get(id).is_some_and(|set| set.selector.matches(&pod.meta.labels)) {
                self.queue.add(id, fx);
            }
        }
    }
}
