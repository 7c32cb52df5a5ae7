//! The ReplicaSet controller, which under another name and with another client is the
//! ReplicationController controller (kube-controller-manager 1.36 pkg/controller/replicaset).
//!
//! Owns one sync: claim pods, create or delete towards `spec.replicas`, write status. Refuses to
//! know Deployments, nodes and schedulers. A sync waits for its replies and so is a state machine:
//!
//! ```text
//!             pods to adopt or release         too few               all of a batch answered
//! begin ─────▶ claim (one by one) ─────┬──────▶ create 1, 2, 4, .. ◀──┐ and none failed
//!   │                                  │              └───────────────┘
//!   │                                  ├─ too many ─▶ delete (all at once)
//!   │                                  │                  │
//!   └──────── nothing to do ───────────┴──────────────────┴──▶ status ──▶ done | failed
//! ```

pub mod ranking;
mod sync;

use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::workload::{ReplicaSet, SetKind};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::{ClientId, Effects};
use crate::store::Change;

use super::events::Events;
use super::expectations::Expectations;
use super::index::Group;
use super::workqueue::{Queue, QueueSettings};
use super::{Known, Timer, Which};
use sync::Task;
pub use sync::next_availability;

/// How many pods one sync creates or deletes at most.
pub const BURST: usize = 500;
/// Cached matches of label groups with sets, at most.
const MATCHES_MAX: usize = 4096;

/// Whether what a pod's deletion costs, as its annotation says, counts (gate PodDeletionCost).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeletionCosts {
    /// It does.
    #[default]
    Count,
    /// It does not.
    Ignored,
}

/// Whether a ReplicaSet's status counts pods on their way out (gate
/// DeploymentReplicaSetTerminatingReplicas).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TerminatingPods {
    /// It does.
    #[default]
    Counted,
    /// It does not.
    LeftOut,
}

/// What feature gates say of sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Whether deletion costs count.
    pub costs: DeletionCosts,
    /// Whether pods on their way out are counted.
    pub terminating: TerminatingPods,
}

/// One of the two controllers.
#[derive(Clone, Debug)]
pub struct ReplicaSets {
    kind: SetKind,
    rules: Rules,
    client: ClientId,
    pub(super) queue: Queue<ReplicaSet>,
    pub(super) events: Events,
    expected: Expectations<ReplicaSet>,
    tasks: Vec<Option<Task>>,
    /// `generateName` of each set's pods: siblings share one text.
    bases: FastMap<Id<ReplicaSet>, Text>,
    /// Sets by namespace, for orphans.
    local: std::collections::BTreeMap<Text, std::collections::BTreeSet<Id<ReplicaSet>>>,
    /// Which sets select a label group; forgotten whenever a set comes, goes or changes selector.
    matches: FastMap<Id<Group>, Vec<Id<ReplicaSet>>>,
}

impl ReplicaSets {
    /// The controller of sets of `kind`.
    pub fn new(
        kind: SetKind,
        client: ClientId,
        settings: QueueSettings,
        rules: Rules,
    ) -> ReplicaSets {
        let of = match kind {
            SetKind::ReplicaSet => Which::ReplicaSets,
            SetKind::ReplicationController => Which::ReplicationControllers,
        };
        ReplicaSets {
            kind,
            rules,
            client,
            queue: Queue::new(of, settings),
            events: Events::new(of, client),
            expected: Expectations::default(),
            tasks: vec![None; usize::from(settings.workers.max(1))],
            bases: FastMap::default(),
            local: std::collections::BTreeMap::new(),
            matches: FastMap::default(),
        }
    }

    fn owned(&self, owner: Option<Owner>) -> Option<Id<ReplicaSet>> {
        let owner = owner?;
        (owner.kind == Kind::from(self.kind)).then(|| owner.at.typed())
    }

    /// A set changed.
    pub fn set(&mut self, change: &Change<'_, ReplicaSet>, fx: &mut Effects<Timer>) {
        let Some(any) = change.new.or(change.old) else { return };
        if any.kind != self.kind {
            return;
        }
        if change.old.map(|set| &set.selector) != change.new.map(|set| &set.selector) {
            self.matches.clear();
        }
        if change.old.is_none() {
            self.local.entry(any.meta.namespace.clone()).or_default().insert(change.id);
        }
        if change.new.is_none() {
            self.bases.remove(&change.id);
            self.expected.forget(change.id);
            if let Some(local) = self.local.get_mut(&any.meta.namespace) {
                local.remove(&change.id);
            }
        }
        self.queue.add(change.id, fx);
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
                None => self.orphan(change.id, new, known, fx),
            },
            (Some(old), Some(new)) => self.pod_updated(change.id, old, new, known, fx),
            (None, None) => {}
        }
    }

    fn pod_updated(
        &mut self,
        id: Id<Pod>,
        old: &Pod,
        new: &Pod,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let owner_changed = old.meta.owner != new.meta.owner;
        if owner_changed && let Some(set) = self.owned(old.meta.owner) {
            self.queue.add(set, fx);
        }
        match self.owned(new.meta.owner) {
            // What no count shows can only matter to a set whose last sync failed.
            Some(set) if owner_changed || tells_apart(old, new) || self.queue.has_failed(set) => {
                self.queue.add(set, fx);
            }
            Some(_) => {}
            None if owner_changed || old.meta.labels != new.meta.labels => {
                self.orphan(id, new, known, fx);
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

    /// A pod without controller: every set that selects it may want it.
    fn orphan(&mut self, id: Id<Pod>, pod: &Pod, known: Known<'_>, fx: &mut Effects<Timer>) {
        if pod.meta.owner.is_some() || !self.local.contains_key(&pod.meta.namespace) {
            return;
        }
        let Some((group, _)) = known.index.group_of(id) else { return };
        if !self.matches.contains_key(&group) {
            if self.matches.len() >= MATCHES_MAX {
                self.matches.clear();
            }
            let local = self.local.get(&pod.meta.namespace).into_iter().flatten();
            let selecting = local.filter(|&&set| {
                known.view.get(set).is_some_and(|set| set.selector.matches(&pod.meta.labels))
            });
            self.matches.insert(group, selecting.copied().collect());
        }
        for &set in &self.matches[&group] {
            self.queue.add(set, fx);
        }
    }
}

/// Whether a set's counts, or the choice of its pods, can differ between two states of a pod.
pub(super) fn tells_apart(old: &Pod, new: &Pod) -> bool {
    old.is_ready() != new.is_ready()
        || old.status.phase.is_terminal() != new.status.phase.is_terminal()
        || old.meta.is_terminating() != new.meta.is_terminating()
        || old.meta.labels != new.meta.labels
}
