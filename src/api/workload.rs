//! Deployments, ReplicaSets and ReplicationControllers as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::pod::PodTemplate;
use super::rules::selector::Selector;
use crate::time::SimTime;

/// A number, or a share of some total in percent (`IntOrString`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntOrPercent {
    /// A plain number.
    Int(i32),
    /// Percent of the total.
    Percent(i32),
}

/// Which way a share is rounded to a whole number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// To the next lower.
    Down,
    /// To the next higher.
    Up,
}

impl IntOrPercent {
    /// The number of `total` meant (`intstr.GetScaledValueFromIntOrPercent`, 1.36).
    pub fn of(self, total: i32, rounding: Rounding) -> i32 {
        match self {
            IntOrPercent::Int(number) => number,
            IntOrPercent::Percent(percent) => {
                let product = i64::from(percent) * i64::from(total);
                let scaled = match rounding {
                    Rounding::Down => product.div_euclid(100),
                    Rounding::Up => -(-product).div_euclid(100),
                };
                scaled as i32
            }
        }
    }
}

/// Which of the two kinds a set of replicas is: one code, two names
/// (`pkg/controller/replication` adapts one to the other).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SetKind {
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `v1` ReplicationController.
    ReplicationController,
}

/// A ReplicaSet or a ReplicationController.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaSet {
    /// Its metadata.
    pub meta: Meta,
    /// Which of the two it is.
    pub kind: SetKind,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
    /// Whose pods it counts.
    pub selector: Arc<Selector>,
    /// What it makes pods from.
    pub template: Arc<PodTemplate>,
    /// What its controller says of it.
    pub status: SetStatus,
}

/// Status of a ReplicaSet or ReplicationController.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SetStatus {
    /// Active pods.
    pub replicas: i32,
    /// Of those, the ones with all labels of the template.
    pub fully_labeled: i32,
    /// Of those, the ready ones.
    pub ready: i32,
    /// Of those, the ones ready for `minReadySeconds`.
    pub available: i32,
    /// Pods being deleted; `None`: nobody has counted them.
    pub terminating: Option<i32>,
    /// The generation this status speaks of.
    pub observed_generation: u32,
    /// Condition `ReplicaFailure`.
    pub failure: Option<SetFailure>,
}

/// Why a ReplicaSet or ReplicationController could not make or delete a pod, the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetFailure {
    /// One CamelCase word.
    pub reason: Text,
    /// What was said.
    pub message: Text,
    /// When.
    pub since: SimTime,
}

/// A Deployment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// Its metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: i32,
    /// Whose pods it counts.
    pub selector: Arc<Selector>,
    /// What its pods are to be.
    pub template: Arc<PodTemplate>,
    /// How it gets there.
    pub strategy: Strategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: i32,
    /// `spec.paused`.
    pub rollout: Rollout,
    /// What its controller says of it.
    pub status: DeploymentStatus,
}

/// Whether a Deployment's rollout goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rollout {
    /// It does.
    #[default]
    Active,
    /// It is paused.
    Paused,
}

/// How a Deployment replaces its pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// All old ones go before new ones come.
    Recreate,
    /// Bit by bit.
    RollingUpdate {
        /// How many pods beyond the desired number there may be.
        max_surge: IntOrPercent,
        /// How many of the desired number may be unavailable.
        max_unavailable: IntOrPercent,
    },
}

/// Status of a Deployment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeploymentStatus {
    /// The generation this status speaks of.
    pub observed_generation: u32,
    /// Pods of all its ReplicaSets.
    pub replicas: i32,
    /// Pods of the newest template.
    pub updated: i32,
    /// Ready pods.
    pub ready: i32,
    /// Available pods.
    pub available: i32,
    /// Pods still missing to the desired number.
    pub unavailable: i32,
    /// Pods being deleted; `None`: nobody has counted them.
    pub terminating: Option<i32>,
    /// How often a name of a ReplicaSet was taken already.
    pub collision_count: u32,
    /// Condition `Available`.
    pub available_condition: Option<WorkloadCondition>,
    /// Condition `Progressing`.
    pub progressing: Option<WorkloadCondition>,
    /// Condition `ReplicaFailure`.
    pub failure: Option<WorkloadCondition>,
}

/// A condition of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkloadCondition {
    /// Its value; `None` is `Unknown`.
    pub value: Option<bool>,
    /// One CamelCase word.
    pub reason: &'static str,
    /// A sentence.
    pub message: Text,
    /// When it was last written.
    pub updated: SimTime,
    /// When its value last changed.
    pub transition: SimTime,
}
