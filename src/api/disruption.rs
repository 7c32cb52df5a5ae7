//! PodDisruptionBudgets as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
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
}
