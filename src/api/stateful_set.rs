//! StatefulSets as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::pod::PodTemplate;
use super::rules::selector::Selector;
use super::storage::ClaimTemplate;
use super::workload::IntOrPercent;

/// A StatefulSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatefulSet {
    /// Its metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: i32,
    /// Whose pods it counts.
    pub selector: Arc<Selector>,
    /// What it makes pods from.
    pub template: Arc<PodTemplate>,
    /// `spec.serviceName`: the Service that names its pods.
    pub service: Text,
    /// In which order pods come and go.
    pub management: PodManagement,
    /// How it gets from one template to the next.
    pub update: UpdateStrategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// `spec.ordinals.start`: the number of the first pod.
    pub first_ordinal: i32,
    /// What becomes of claims when the set is deleted.
    pub when_deleted: ClaimRetention,
    /// What becomes of claims of pods that are scaled away.
    pub when_scaled: ClaimRetention,
    /// What it makes claims from.
    pub claims: Arc<[ClaimTemplate]>,
    /// What its controller says of it.
    pub status: StatefulSetStatus,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

/// `podManagementPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PodManagement {
    /// One after the other.
    #[default]
    OrderedReady,
    /// All at once.
    Parallel,
}

/// `updateStrategy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateStrategy {
    /// Pods change when somebody deletes them.
    OnDelete,
    /// From the last pod down.
    RollingUpdate {
        /// Pods of lower numbers stay as they are.
        partition: i32,
        /// How many may be unavailable; none as written: one.
        max_unavailable: Option<IntOrPercent>,
    },
}

/// `persistentVolumeClaimRetentionPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClaimRetention {
    /// They stay.
    #[default]
    Retain,
    /// They go.
    Delete,
}

/// Status of a StatefulSet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatefulSetStatus {
    /// Pods there are.
    pub replicas: i32,
    /// Ready pods.
    pub ready: i32,
    /// Available pods.
    pub available: i32,
    /// Pods of the current revision.
    pub current: i32,
    /// Pods of the update revision.
    pub updated: i32,
    /// The name of the revision its pods were of when all were of one; empty: not known yet.
    pub current_revision: Text,
    /// The name of the revision its pods are to be of; empty: not known yet.
    pub update_revision: Text,
    /// How often a name of a revision was taken already.
    pub collision_count: u32,
    /// The generation this status speaks of.
    pub observed_generation: u32,
}

impl StatefulSet {
    /// Whether all its pods are there and available, those it may replace by itself of the newest
    /// revision, and its controller has seen the latest spec.
    pub fn is_rolled_out(&self) -> bool {
        let status = &self.status;
        let updated = match self.update {
            UpdateStrategy::OnDelete => 0,
            UpdateStrategy::RollingUpdate { partition, .. } => self.replicas - partition.max(0),
        };
        status.observed_generation >= self.meta.generation
            && [status.replicas, status.ready, status.available] == [self.replicas; 3]
            && status.updated >= updated
    }
}
