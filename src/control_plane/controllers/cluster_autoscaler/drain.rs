//! Which pods go along when a node is taken away, and which hold it (cluster-autoscaler 1.36
//! simulator/drain.go, simulator/drainability/rules, utils/drain).

use std::collections::BTreeMap;

use crate::api::disruption::PodDisruptionBudget;
use crate::api::kind::Kind;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// How long a pod may take to end beyond its grace period before it is taken to be stuck.
const LONG_TERMINATING: SimDuration = SimDuration::from_secs(30);
/// A pod's word on whether it may be evicted.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Local volumes of a pod that may be lost, by name, with commas between.
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
/// Mark of a mirror of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Mark of a pod that comes from elsewhere than the API server.
const CONFIG_SOURCE: &str = "kubernetes.io/config.source";
/// Mark of a DaemonSet's pod, for owners nobody knows.
const DAEMON: &str = "cluster-autoscaler.kubernetes.io/daemonset-pod";

/// Why a pod holds its node (`BlockingPodReason`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holds {
    /// Nobody would make it anew.
    NotReplicated,
    /// It keeps data on the node.
    LocalStorage,
    /// It says so itself.
    NotSafeToEvict,
    /// It belongs to the system and has no budget.
    System,
    /// Its budget allows no more disruptions.
    NotEnoughPdb,
}

impl Holds {
    /// As the autoscaler names it.
    pub fn name(self) -> &'static str {
        match self {
            Holds::NotReplicated => "NotReplicated",
            Holds::LocalStorage => "LocalStorageRequested",
            Holds::NotSafeToEvict => "NotSafeToEvictAnnotation",
            Holds::System => "UnmovableKubeSystemPod",
            Holds::NotEnoughPdb => "NotEnoughPdb",
        }
    }
}

/// What becomes of a pod when its node is drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is evicted and needs another place.
    Moves,
    /// It belongs to the node and goes with it.
    GoesAlong,
    /// It does not count: it is a mirror, or ending anyway.
    Ignored,
    /// It holds the node.
    Holds(Holds),
}

/// Which pods hold a node (`--skip-nodes-with-system-pods`, `--skip-nodes-with-local-storage`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scruples {
    /// Whether pods of the system do.
    pub system: Care,
    /// Whether pods with data on the node do.
    pub local_storage: Care,
}

impl Default for Scruples {
    fn default() -> Scruples {
        Scruples { system: Care::Taken, local_storage: Care::Taken }
    }
}

/// Whether something is looked out for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Care {
    /// It is.
    Taken,
    /// It is not.
    None,
}

/// Whether a pod has been ending for so long that it is taken to be stuck (`IsPodLongTerminating`).
pub fn is_long_terminating(pod: &Pod, now: SimTime) -> bool {
    let Some(deletion) = pod.meta.deletion else { return false };
    let grace = SimDuration::from_secs(u64::from(pod.spec.grace_seconds));
    deletion.at + grace + LONG_TERMINATING < now
}

/// Whether a pod mirrors a static one.
pub fn is_mirror(pod: &Pod) -> bool {
    pod.meta.annotation(MIRROR).is_some()
}

/// Whether a pod is a DaemonSet's.
pub fn is_daemon(pod: &Pod) -> bool {
    pod.meta.owner.is_some_and(|owner| owner.kind == Kind::DaemonSet)
        || pod.meta.annotation(DAEMON) == Some("true")
}

/// Whether a pod comes back elsewhere once it is gone here: no pod that belongs to its node does.
pub fn is_recreatable(pod: &Pod) -> bool {
    let is_static = pod.meta.annotation(CONFIG_SOURCE).is_some_and(|source| source != "api");
    !is_static && !is_mirror(pod) && !is_daemon(pod)
}

fn has_local_storage(pod: &Pod) -> bool {
    let safe = pod.meta.annotation(SAFE_VOLUMES).unwrap_or_default();
    let is_safe = |name: &str| safe.split(',').any(|one| one.trim() == name);
    pod.spec.volumes.local.iter().any(|name| !is_safe(name))
}

/// What becomes of a pod when its node is drained, budgets left aside; `has_budget` says whether any
/// budget selects it.
pub fn fate(pod: &Pod, has_budget: bool, scruples: Scruples, now: SimTime) -> Fate {
    if is_mirror(pod) || is_long_terminating(pod, now) {
        return Fate::Ignored;
    }
    if is_daemon(pod) {
        return Fate::GoesAlong;
    }
    let safe = pod.meta.annotation(SAFE_TO_EVICT);
    if safe == Some("true") || pod.status.phase.is_terminal() {
        return Fate::Moves;
    }
    if pod.meta.owner.is_none() {
        return Fate::Holds(Holds::NotReplicated);
    }
    let is_system = &*pod.meta.namespace == "kube-system";
    if scruples.system == Care::Taken && is_system && !has_budget {
        return Fate::Holds(Holds::System);
    }
    if safe == Some("false") {
        return Fate::Holds(Holds::NotSafeToEvict);
    }
    if scruples.local_storage == Care::Taken && has_local_storage(pod) {
        return Fate::Holds(Holds::LocalStorage);
    }
    Fate::Moves
}

/// What budgets still allow while several nodes are planned to go (`pdb.RemainingPdbTracker`).
#[derive(Clone, Debug, Default)]
pub struct Allowances(BTreeMap<Id<PodDisruptionBudget>, i32>);

impl Allowances {
    /// Notes what a budget allows.
    pub fn note(&mut self, budget: Id<PodDisruptionBudget>, allowed: i32) {
        self.0.insert(budget, allowed);
    }

    /// Whether the budgets of these pods, a list for each, allow all of them to go.
    pub fn allow<'a>(&self, pods: impl Iterator<Item = &'a [Id<PodDisruptionBudget>]>) -> bool {
        let mut asked = BTreeMap::new();
        for budget in pods.flatten() {
            *asked.entry(*budget).or_insert(0) += 1;
        }
        asked
            .into_iter()
            .all(|(budget, count)| self.0.get(&budget).is_none_or(|left| *left >= count))
    }

    /// Counts the pods out.
    pub fn take<'a>(&mut self, pods: impl Iterator<Item = &'a [Id<PodDisruptionBudget>]>) {
        for budget in pods.flatten() {
            if let Some(left) = self.0.get_mut(budget) {
                *left -= 1;
            }
        }
    }
}
