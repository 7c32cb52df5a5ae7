//! DaemonSets as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
use super::pod::PodTemplate;
use super::rules::selector::Selector;
use super::workload::IntOrPercent;

/// Annotation that says how often the template changed, as `extensions/v1beta1` had it in its spec
/// (`apps/v1` carries it over, 1.36).
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DaemonSet {
    /// Its metadata.
    pub meta: Meta,
    /// Whose pods it counts.
    pub selector: Arc<Selector>,
    /// What it makes pods from.
    pub template: Arc<PodTemplate>,
    /// How it gets from one template to the next.
    pub update: DaemonUpdate,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// How often the template changed, the first one counted; 0: not known.
    pub template_generation: i64,
    /// What its controller says of it.
    pub status: DaemonSetStatus,
}

/// `updateStrategy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DaemonUpdate {
    /// Pods change when somebody deletes them.
    OnDelete,
    /// Node by node.
    RollingUpdate {
        /// On how many nodes there may be no available pod.
        max_unavailable: IntOrPercent,
        /// On how many nodes there may be a new pod beside the old one.
        max_surge: IntOrPercent,
    },
}

/// Status of a DaemonSet: counts of nodes, not of pods.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DaemonSetStatus {
    /// Nodes that are to run a pod.
    pub desired: i32,
    /// Of those, the ones that have one.
    pub current: i32,
    /// Nodes that have one and are not to.
    pub misscheduled: i32,
    /// Nodes whose pod is ready.
    pub ready: i32,
    /// Nodes whose pod is of the newest template.
    pub updated: i32,
    /// Nodes whose pod is available.
    pub available: i32,
    /// Nodes that are to run a pod and have no available one.
    pub unavailable: i32,
    /// The generation this status speaks of.
    pub observed_generation: u32,
    /// How often a name of a revision was taken already.
    pub collision_count: u32,
}

impl DaemonSet {
    /// Whether its controller has seen the latest spec.
    pub fn is_observed(&self) -> bool {
        self.status.observed_generation >= self.meta.generation
    }

    /// On how many of the nodes that are to run a pod none is there, up to date and available. Of
    /// what is updated when its user likes, none need be up to date.
    pub fn lacking(&self) -> usize {
        let status = &self.status;
        let updated = match self.update {
            DaemonUpdate::OnDelete => status.desired,
            DaemonUpdate::RollingUpdate { .. } => status.updated,
        };
        let least = status.current.min(updated).min(status.ready).min(status.available);
        usize::try_from(status.desired - least).unwrap_or(0)
    }

    /// Whether every node that is to run a pod has one, up to date and available.
    pub fn is_rolled_out(&self) -> bool {
        self.is_observed() && self.lacking() == 0
    }
}
