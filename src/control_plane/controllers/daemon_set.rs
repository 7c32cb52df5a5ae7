//! The DaemonSet controller (kube-controller-manager 1.36 pkg/controller/daemon).
//!
//! Owns which DaemonSets need a sync, how each node stands to each of them, and the carrying out of
//! a sync's writes; refuses to choose nodes for pods: each pod asks for one node by name, and the
//! scheduler binds it. What a sync does is worked out by pure rules ([`placement`], [`manage`],
//! [`rolling`]) and then written:
//!
//! ```text
//! begin ─▶ claim pods ─▶ revision: find, renumber or create
//!             ┌───────────────┘
//!             ├─ something expected is not seen ─────────────────────────────┐
//!             ▼                                                              ▼
//!          manage: create 1, 2, 4, .. then delete ─▶ rolling: the same ─▶ old revisions ─▶ status
//! ```

pub mod backoff;
pub mod manage;
pub mod nodes;
pub mod placement;
pub mod rolling;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::compact::derived::NodeSpecs;
use crate::api::daemon_set::DaemonSet;
use crate::api::kind::Kind;
use crate::api::meta::{Owner, Uid};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::{ClientId, Effects};
use crate::store::Change;
use crate::time::SimDuration;

use super::events::Events;
use super::expectations::Expectations;
use super::own_writes::OwnWrites;
use super::replica_set::tells_apart;
use super::workqueue::{Queue, QueueSettings};
use super::{Known, Timer, Which};
use backoff::Backoffs;
use placement::Fit;
use sync::Task;

/// How many pods one sync creates or deletes at most (`BurstReplicas`).
pub const BURST: usize = 250;
/// `--concurrent-daemonset-syncs`.
const WORKERS: u8 = 2;

/// What is worked out of a DaemonSet's template, until it changes.
#[derive(Clone, Debug)]
struct Worked {
    /// The template's hash.
    template: u64,
    /// The specs of its pods.
    specs: NodeSpecs,
    /// How each node stands to it.
    fits: BTreeMap<Id<Node>, Fit>,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct DaemonSets {
    client: ClientId,
    pub(super) queue: Queue<DaemonSet>,
    pub(super) events: Events,
    expected: Expectations<DaemonSet>,
    written: OwnWrites<DaemonSet>,
    backoffs: Backoffs,
    tasks: Vec<Option<Task>>,
    /// All DaemonSets there are.
    all: BTreeSet<Id<DaemonSet>>,
    by_uid: FastMap<Uid, Id<DaemonSet>>,
    worked: FastMap<Id<DaemonSet>, Worked>,
}

impl DaemonSets {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> DaemonSets {
        let settings = QueueSettings { workers: WORKERS.min(settings.workers), ..settings };
        DaemonSets {
            client,
            queue: Queue::new(Which::DaemonSets, settings),
            events: Events::new(Which::DaemonSets, client),
            expected: Expectations::default(),
            written: OwnWrites::default(),
            backoffs: Backoffs::default(),
            tasks: vec![None; usize::from(settings.workers.max(1))],
            all: BTreeSet::new(),
            by_uid: FastMap::default(),
            worked: FastMap::default(),
        }
    }

    fn owned(&self, owner: Option<Owner>) -> Option<Id<DaemonSet>> {
        let owner = owner.filter(|owner| owner.kind == Kind::DaemonSet)?;
        self.by_uid.get(&owner.uid).copied()
    }

    /// A DaemonSet changed.
    pub fn daemon_set(&mut self, change: &Change<'_, DaemonSet>, fx: &mut Effects<Timer>) {
        match (change.old, change.new) {
            (_, Some(new)) => {
                self.all.insert(change.id);
                self.by_uid.insert(new.meta.uid, change.id);
            }
            (Some(old), None) => {
                self.all.remove(&change.id);
                self.by_uid.remove(&old.meta.uid);
                self.worked.remove(&change.id);
                self.expected.forget(change.id);
                self.written.forget(change.id);
            }
            (None, None) => return,
        }
        self.queue.add(change.id, fx);
    }

    /// A node changed: DaemonSets to which it stands otherwise than before need a sync (s3_node_fail_1of3:
    /// as soon as its taint goes, a node counts as one that is to run a pod, which it has).
    pub fn node(&mut self, change: &Change<'_, Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(node) = change.new else {
            self.worked.values_mut().for_each(|worked| {
                worked.fits.remove(&change.id);
            });
            return;
        };
        if change.old.is_some_and(|old| !placement::matters(old, node)) {
            return;
        }
        for &id in &self.all {
            let Some(set) = known.view.get(id) else { continue };
            // One that has not been looked at with this template has its sync on its way.
            let worked = self.worked.get_mut(&id);
            let Some(worked) = worked.filter(|it| it.template == set.template.hash) else {
                continue;
            };
            let tolerations = &worked.specs.spec().tolerations;
            let fit = placement::fit(&set.template.spec, tolerations, node);
            if worked.fits.insert(change.id, fit).unwrap_or(Fit::Never) != fit {
                self.queue.add(id, fx);
            }
        }
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        match (change.old, change.new) {
            (_, Some(new)) if new.meta.is_terminating() => {
                if change.old.is_none_or(|old| tells_apart(old, new)) {
                    self.pod_deleted(new, fx);
                }
            }
            (Some(old), None) => self.pod_deleted(old, fx),
            (None, Some(new)) => match self.owned(new.meta.owner) {
                Some(set) => {
                    self.expected.creations_seen(set, 1);
                    self.queue.add(set, fx);
                }
                None => self.orphan(new, known, fx),
            },
            (Some(old), Some(new)) => self.pod_updated(old, new, known, fx),
            (None, None) => {}
        }
    }

    fn pod_updated(&mut self, old: &Pod, new: &Pod, known: Known<'_>, fx: &mut Effects<Timer>) {
        let owner_changed = old.meta.owner != new.meta.owner;
        if owner_changed && let Some(set) = self.owned(old.meta.owner) {
            self.queue.add(set, fx);
        }
        match self.owned(new.meta.owner) {
            Some(set) if owner_changed || tells_apart(old, new) || self.queue.has_failed(set) => {
                self.queue.add(set, fx);
                // One that turned ready will be available without any further change of it.
                let wait = known.view.get(set).map_or(0, |set| set.min_ready_seconds);
                if wait > 0 && !old.is_ready() && new.is_ready() {
                    self.queue.add_after(set, SimDuration::from_secs(u64::from(wait) + 1), fx);
                }
            }
            Some(_) => {}
            None if owner_changed || old.meta.labels != new.meta.labels => {
                self.orphan(new, known, fx);
            }
            None => {}
        }
    }

    fn pod_deleted(&mut self, pod: &Pod, fx: &mut Effects<Timer>) {
        if let Some(set) = self.owned(pod.meta.owner) {
            self.expected.deletion_seen(set, pod.meta.uid);
            self.queue.add(set, fx);
        }
    }

    /// A pod without controller: every DaemonSet that selects it may want it.
    fn orphan(&mut self, pod: &Pod, known: Known<'_>, fx: &mut Effects<Timer>) {
        if pod.meta.owner.is_some() {
            return;
        }
        for &id in &self.all {
            let selects = known.view.get(id).is_some_and(|set| {
                set.meta.namespace == pod.meta.namespace && set.selector.matches(&pod.meta.labels)
            });
            if selects {
                self.queue.add(id, fx);
            }
        }
    }
}
