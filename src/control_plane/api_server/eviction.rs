//! The eviction subresource of pods (`registry/core/pod/storage/eviction.go`, 1.36).
//!
//! ```text
//! pod never ran, is done or on its way out ────────────────────────────▶ marked, deleted
//! budgets: none ───────────────────────────────────────────────────────▶ marked, deleted
//!          two or more ─▶ 500
//!          one ─┬─ pod not ready, and the budget lets such go ───────────▶ marked, deleted
//!               └─ not counted yet, or nothing to spare ─▶ 429
//!                  else counted down, the pod noted as disrupted ──────▶ marked, deleted
//! ```
//! Two requests that count the same budget down at once conflict: the server holds the later one
//! back for half a second ([`contended`], [`RETRY`]).

use super::{Server, not_found};
use crate::api::disruption::{BudgetReason, PodDisruptionBudget, UnhealthyEviction};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::pod::{Phase, Pod, PodCondition, StatusReason};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::luck::Steps;
use crate::messages::request::Propagation;
use crate::messages::{Component, Done, Fact, Verb};
use crate::store::Store;
use crate::time::{SimDuration, SimTime};

/// How many evicted pods a budget remembers at most (`MaxDisruptedPodSize`).
const DISRUPTED_MAX: usize = 2000;
/// How often the server tries again to count down a budget that changed meanwhile.
pub const RETRIES: u32 = 20;
/// When it does (`EvictionsRetry`).
pub const RETRY: Steps = Steps {
    wait: SimDuration::from_millis(500),
    factor_milli: 1000,
    jitter_milli: 100,
    left: RETRIES,
    longest: SimDuration::ZERO,
};

/// The budgets that select a pod.
fn budgets<'a>(
    store: &'a Store,
    pod: &'a Pod,
) -> impl Iterator<Item = (Id<PodDisruptionBudget>, &'a PodDisruptionBudget)> {
    store.table::<PodDisruptionBudget>().iter().filter(|(_, budget)| {
        budget.meta.namespace == pod.meta.namespace && budget.selects(&pod.meta.labels)
    })
}

/// Whether a pod may go whatever its budget says: it causes no disruption (`canIgnorePDB`).
fn is_unguarded(pod: &Pod) -> bool {
    pod.status.phase.is_terminal()
        || pod.status.phase == Phase::Pending
        || pod.meta.is_terminating()
}

/// Whether a budget lets a pod go that is not ready, without counting it.
fn lets_unready_go(budget: &PodDisruptionBudget) -> bool {
    let status = &budget.status;
    let is_kept = status.healthy >= status.desired && status.desired > 0;
    budget.unhealthy == UnhealthyEviction::AlwaysAllow || is_kept
}

/// The one budget that an eviction of `pod` would count down, if it is one.
fn counted(store: &Store, pod: &Pod) -> Option<Id<PodDisruptionBudget>> {
    if is_unguarded(pod) {
        return None;
    }
    let mut guards = budgets(store, pod);
    let (id, budget) = guards.next()?;
    let is_only = guards.next().is_none();
    (is_only && (pod.is_ready() || !lets_unready_go(budget))).then_some(id)
}

/// Whether an eviction whose request came at `since` finds its budget changed since by another
/// eviction, with some left to count down: then the server tries again later.
pub fn contended(
    store: &Store,
    last: Option<(Id<PodDisruptionBudget>, SimTime)>,
    pod: Id<Pod>,
    since: SimTime,
) -> bool {
    let (Some((budget, at)), Some(pod)) = (last, store.get(pod)) else { return false };
    at > since && counted(store, pod) == Some(budget)
}

impl<T> Server<'_, T> {
    pub(super) fn evict(&mut self, id: Id<Pod>) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id) else { return Err(not_found(Kind::Pod, None)) };
        if !is_unguarded(pod) {
            let guards: Vec<_> = budgets(self.store, pod).take(2).map(|(id, _)| id).collect();
            match guards[..] {
                [] => {}
                [budget] => self.count_down(budget, id)?,
                _ => {
                    let why = "This pod has more than one PodDisruptionBudget, which the eviction \
                               subresource does not support.";
                    return Err(Status::Internal(why.into()));
                }
            }
        }
        self.mark_and_delete(id)
    }

    /// `checkAndDecrement`, unless the pod may go uncounted.
    fn count_down(&mut self, id: Id<PodDisruptionBudget>, of: Id<Pod>) -> Result<(), Status> {
        let (Some(budget), Some(pod)) = (self.store.get(id), self.store.get(of)) else {
            return Ok(());
        };
        if !pod.is_ready() && lets_unready_go(budget) {
            return Ok(());
        }
        let status = &budget.status;
        let name = ObjectName::of(Kind::PodDisruptionBudget, &budget.meta);
        if status.observed_generation < budget.meta.generation {
            let why = format!(
                "The disruption budget {} is still being processed by the server.",
                budget.meta.name
            );
            return Err(Status::TooManyRequests(why.into()));
        }
        if status.allowed < 0 {
            return Err(Status::Forbidden(name, "pdb disruptions allowed is negative".into()));
        }
        if status.disrupted.len() > DISRUPTED_MAX {
            let why = "DisruptedPods map too big - too many evictions not confirmed by PDB \
                       controller";
            return Err(Status::Forbidden(name, why.into()));
        }
        if status.allowed == 0 {
            return Err(Status::TooManyRequests(nothing_to_spare(budget).into()));
        }
        let pod = pod.meta.name.to_string();
        let mut next = budget.clone();
        next.status.allowed -= 1;
        if next.status.allowed == 0 {
            next.status.tell(self.now);
        }
        let at = SimTime::from_secs(self.now.as_secs());
        next.status.disrupted.retain(|(held, _)| **held != *pod);
        next.status.disrupted.push((pod.into(), at));
        next.status.disrupted.sort();
        self.write(id, next);
        self.shared.counted_down = Some((id, self.now));
        Ok(())
    }

    /// `addConditionAndDeletePod`.
    fn mark_and_delete(&mut self, id: Id<Pod>) -> Result<Done, Status> {
        let Some(pod) = self.store.get(id) else { return Err(not_found(Kind::Pod, None)) };
        let uid = pod.meta.uid;
        if !pod.meta.is_terminating() {
            let name = ObjectName::of(Kind::Pod, &pod.meta);
            let mut fact = Fact::new(Component::ApiServer, Verb::Evicted, name);
            let node = pod.node.and_then(|node| self.store.get(node));
            fact.node = node.map(|node| node.meta.name.clone());
            self.effects.fact(fact);
            let mut next = pod.clone();
            next.status.set(PodCondition::DisruptionTarget, true, self.now);
            next.status.disruption = Some(std::sync::Arc::new(StatusReason {
                reason: "EvictionByEvictionAPI".into(),
                message: "Eviction API: evicting".into(),
            }));
            self.write(id, next);
        }
        self.delete_pod(id, Some(uid), None, Propagation::Custom)
    }
}

/// Why a budget has nothing to spare, as the cause in the answer says.
fn nothing_to_spare(budget: &PodDisruptionBudget) -> String {
    let (name, status) = (&budget.meta.name, &budget.status);
    let failed = status.condition.as_ref().filter(|it| it.reason == BudgetReason::SyncFailed);
    if let Some(failed) = failed {
        return format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed \
             sync: {}",
            failed.message
        );
    }
    if status.healthy <= status.desired {
        return format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            status.desired, status.healthy
        );
    }
    format!("The disruption budget {name} does not allow evicting pods currently")
}
