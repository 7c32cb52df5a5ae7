//! Which pods of one node have to go: all of lower priority in thought, then as many taken back as
//! can be, the important first (`SelectVictimsOnNode`, 1.36).

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Candidate, Failure};
use crate::control_plane::scheduler::algorithm::framework::{CycleState, Question, Rejection};
use crate::control_plane::scheduler::algorithm::nominations::filter_beside_nominees;
use crate::control_plane::scheduler::algorithm::{Budget, NodeInfo, Resident, Surroundings};
use crate::time::SimTime;

/// A node and what was worked out before the filters, with pods taken away in thought.
struct Trial<'q> {
    q: Question<'q>,
    state: CycleState,
    node: NodeInfo,
}

impl Trial<'_> {
    fn take_away(&mut self, pod: &Resident) {
        self.node.remove_pod(pod.pod);
        self.state.remove_pod(self.q, &self.node, &pod.shape);
    }

    fn take_back(&mut self, pod: &Resident) {
        self.node.add_pod(pod.clone());
        self.state.add_pod(self.q, &self.node, &pod.shape);
    }

    fn rejection(&self) -> Option<Rejection> {
        filter_beside_nominees(self.q, &self.state, &self.node)
    }

    /// Lets a pod stay if there is room for both; whether it may.
    fn reprieve(&mut self, pod: &Resident) -> bool {
        self.take_back(pod);
        let fits = self.rejection().is_none();
        if !fits {
            self.take_away(pod);
        }
        fits
    }
}

/// The pods of `node` that have to go for the pod to fit.
pub(in super::super) fn select(
    q: Question<'_>,
    state: &CycleState,
    node: &NodeInfo,
) -> Result<Arc<Candidate>, Failure> {
    let is_lower = |pod: &&Resident| pod.shape.spec().priority < q.pod.spec().priority;
    let mut lower: Vec<Resident> = node.pods.iter().filter(is_lower).cloned().collect();
    if lower.is_empty() {
        return Err(Failure::NoVictims);
    }
    let mut trial = Trial { q, state: state.clone(), node: node.clone() };
    for pod in &lower {
        trial.take_away(pod);
    }
    if let Some(rejection) = trial.rejection() {
        return Err(Failure::Rejected(rejection));
    }
    more_important_first(&mut lower);
    let (violating, others) = split_by_budgets(lower, q.snapshot.surroundings());
    let must_be_sorted = !violating.is_empty() && !others.is_empty();
    let stay = |pod: &Resident, trial: &mut Trial<'_>| trial.reprieve(pod);
    let mut victims: Vec<Resident> =
        violating.into_iter().filter(|pod| !stay(pod, &mut trial)).collect();
    let violations = victims.len() as u32;
    victims.extend(others.into_iter().filter(|pod| !stay(pod, &mut trial)));
    if must_be_sorted {
        more_important_first(&mut victims);
    }
    match victims.is_empty() {
        // It fits with nobody gone: the node was not full after all.
        true => Err(Failure::NoVictims),
        false => Ok(Arc::new(Candidate::new(node.id, victims, violations))),
    }
}

/// Sorts by importance: priority, then who started first; who has not started counts as started now
/// (`MoreImportantPod`, 1.36).
pub fn more_important_first(pods: &mut [Resident]) {
    pods.sort_by_key(|pod| (Reverse(pod.shape.spec().priority), pod.start.unwrap_or(SimTime::MAX)));
}

/// Pods whose eviction would violate a disruption budget, and the others, each in the order given:
/// a budget protects those that come after as many as it allows
/// (`filterVictimsWithPDBViolation`, 1.36).
pub fn split_by_budgets(
    pods: Vec<Resident>,
    surroundings: &Surroundings,
) -> (Vec<Resident>, Vec<Resident>) {
    if !surroundings.has_budgets() {
        return (Vec::new(), pods);
    }
    let mut used: Vec<(*const Budget, i32)> = Vec::new();
    let is_violating = |pod: &Resident| {
        for budget in surroundings.budgets(pod.shape.namespace()) {
            if !protects(budget, pod) || budget.disrupted.contains(&pod.pod) {
                continue;
            }
            let key = std::ptr::from_ref(budget);
            let at = used.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                used.push((key, 0));
                used.len() - 1
            });
            used[at].1 += 1;
            if used[at].1 > budget.allowed {
                return true;
            }
        }
        false
    };
    pods.into_iter().partition(is_violating)
}

/// One without a selector, or with an empty one, protects no pod; nor are pods without labels
/// protected.
fn protects(budget: &Budget, pod: &Resident) -> bool {
    let labels = pod.shape.labels();
    let selector = budget.selector.as_ref().filter(|selector| !selector.is_empty());
    !labels.is_empty() && selector.is_some_and(|selector| selector.matches(labels))
}
