//! PodDisruptionBudgets as a run holds them.

use std::sync::Arc;

use super::meta::{Labels, Meta};
use super::name::Text;
use super::rules::selector::Selector;
use super::workload::IntOrPercent;
use crate::time::SimTime;

/// A PodDisruptionBudget.
#[derive(Clone, PartialEq, Debug)]
pub struct PodDisruptionBudget {
    /// Its metadata.
    pub meta: Meta,
    /// Whose disruptions it limits; `None` selects none.
    pub selector: Option<Arc<Selector>>,
    /// How many disruptions it allows, as written.
    pub limit: Limit,
    /// Whether pods that run but are not ready may be evicted all the same.
    pub unhealthy: UnhealthyEviction,
    /// What its controller says of it.
    pub status: BudgetStatus,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

impl PodDisruptionBudget {
    /// Whether it selects pods with these labels, being of one namespace with them.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }
}

/// How many disruptions a budget allows, as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Limit {
    /// Neither field is there: none.
    #[default]
    Unwritten,
    /// So many must stay (`minAvailable`).
    MinAvailable(IntOrPercent),
    /// So many may be missing (`maxUnavailable`).
    MaxUnavailable(IntOrPercent),
}

/// `unhealthyPodEvictionPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnhealthyEviction {
    /// Only while the budget is kept.
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// Status of a PodDisruptionBudget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BudgetStatus {
    /// `disruptionsAllowed`.
    pub allowed: i32,
    /// `disruptedPods`: pods being evicted that are not gone yet, by name, and since when.
    pub disrupted: Vec<(Text, SimTime)>,
    /// `currentHealthy`.
    pub healthy: i32,
    /// `desiredHealthy`.
    pub desired: i32,
    /// `expectedPods`.
    pub expected: i32,
    /// The generation this status speaks of.
    pub observed_generation: u32,
    /// Condition `DisruptionAllowed`.
    pub condition: Option<BudgetCondition>,
}

/// The condition `DisruptionAllowed` of a PodDisruptionBudget.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BudgetCondition {
    /// Its reason, which tells its value too.
    pub reason: BudgetReason,
    /// Its message, empty but for a failed sync.
    pub message: Text,
    /// The generation it speaks of.
    pub observed_generation: u32,
    /// `lastTransitionTime`: since when it has its value, in whole seconds.
    pub since: SimTime,
}

/// Reasons of the condition `DisruptionAllowed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BudgetReason {
    /// True: there are pods to spare.
    SufficientPods,
    /// False: there are none.
    InsufficientPods,
    /// False: nobody could tell.
    SyncFailed,
}

impl BudgetReason {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            BudgetReason::SufficientPods => "SufficientPods",
            BudgetReason::InsufficientPods => "InsufficientPods",
            BudgetReason::SyncFailed => "SyncFailed",
        }
    }

    /// Whether the condition is true.
    pub fn is_allowed(self) -> bool {
        self == BudgetReason::SufficientPods
    }
}

impl BudgetStatus {
    /// Sets the condition to what the number of disruptions allowed says; returns whether it was so
    /// already (`pdb.UpdateDisruptionAllowedCondition`, 1.36).
    pub fn tell(&mut self, now: SimTime) -> bool {
        let reason = match self.allowed {
            ..=0 => BudgetReason::InsufficientPods,
            1.. => BudgetReason::SufficientPods,
        };
        self.say(reason, Text::default(), now)
    }

    /// Sets the condition; its time moves only with its value. Returns whether it was so already.
    pub fn say(&mut self, reason: BudgetReason, message: Text, now: SimTime) -> bool {
        let held = self.condition.as_ref();
        let stays = held.filter(|held| held.reason.is_allowed() == reason.is_allowed());
        let since = stays.map_or(SimTime::from_secs(now.as_secs()), |held| held.since);
        let observed_generation = self.observed_generation;
        let next = BudgetCondition { reason, message, observed_generation, since };
        let is_same = held == Some(&next);
        self.condition = Some(next);
        is_same
    }
}
