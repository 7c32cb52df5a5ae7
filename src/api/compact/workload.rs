//! Deployments, ReplicaSets and ReplicationControllers.

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::arrival;
use super::pod_status::truth;
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::rules::selector::Selector;
use crate::api::workload::{
    Deployment, DeploymentStatus, IntOrPercent, ReplicaSet, Rollout, SetKind, SetStatus, Strategy,
    WorkloadCondition,
};
use crate::time::SimTime;

/// Reasons of a Deployment's conditions as its controller writes them (1.36).
const REASONS: [&str; 13] = [
    "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable",
    "NewReplicaSetAvailable",
    "NewReplicaSetCreated",
    "NewReplicaSetReason",
    "FoundNewReplicaSet",
    "ReplicaSetUpdated",
    "ReplicaSetCreateError",
    "FailedCreate",
    "ProgressDeadlineExceeded",
    "DeploymentPaused",
    "DeploymentResumed",
    "RollbackDone",
];

pub(super) fn share(written: Option<&IntOrString>) -> IntOrPercent {
    match written {
        Some(IntOrString::Int(number)) => IntOrPercent::Int(*number),
        Some(IntOrString::String(text)) => text
            .strip_suffix('%')
            .and_then(|percent| percent.parse().ok())
            .map_or(IntOrPercent::Int(0), IntOrPercent::Percent),
        None => IntOrPercent::Percent(25),
    }
}

fn strategy(written: Option<&apps::DeploymentStrategy>) -> Strategy {
    if written.and_then(|it| it.type_.as_deref()) == Some("Recreate") {
        return Strategy::Recreate;
    }
    let rolling = written.and_then(|it| it.rolling_update.as_ref());
    Strategy::RollingUpdate {
        max_surge: share(rolling.and_then(|it| it.max_surge.as_ref())),
        max_unavailable: share(rolling.and_then(|it| it.max_unavailable.as_ref())),
    }
}

pub(super) fn number(written: Option<i32>) -> i32 {
    written.unwrap_or(0)
}

pub(super) fn generation(written: Option<i64>) -> u32 {
    unsigned(written.unwrap_or(0))
}

impl Compactor {
    /// A Deployment; its status counts only if it was in a cluster.
    pub fn deployment(&mut self, written: apps::Deployment) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let status = match (arrival, &written.status) {
            (Arrival::Imported, Some(status)) => self.deployment_status(status),
            _ => DeploymentStatus::default(),
        };
        let deployment = Deployment {
            meta,
            replicas: spec.replicas.unwrap_or(1),
            selector: Arc::new(self.intern.selector(&spec.selector)),
            strategy: strategy(spec.strategy.as_ref()),
            min_ready_seconds: unsigned(i64::from(number(spec.min_ready_seconds))),
            revision_history_limit: spec.revision_history_limit.unwrap_or(10),
            progress_deadline_seconds: spec.progress_deadline_seconds.unwrap_or(600),
            rollout: match spec.paused {
                Some(true) => Rollout::Paused,
                _ => Rollout::Active,
            },
            template: Arc::new(self.template("Deployment", Some(spec.template))),
            status,
        };
        Compacted { object: Object::Deployment(Box::new(deployment)), arrival, node: None }
    }

    fn deployment_status(&mut self, written: &apps::DeploymentStatus) -> DeploymentStatus {
        let mut status = DeploymentStatus {
            observed_generation: generation(written.observed_generation),
            replicas: number(written.replicas),
            updated: number(written.updated_replicas),
            ready: number(written.ready_replicas),
            available: number(written.available_replicas),
            unavailable: number(written.unavailable_replicas),
            terminating: written.terminating_replicas,
            collision_count: unsigned(i64::from(number(written.collision_count))),
            ..DeploymentStatus::default()
        };
        for it in written.conditions.iter().flatten() {
            let reason = it.reason.as_deref().unwrap_or_default();
            let condition = WorkloadCondition {
                value: truth(&it.status),
                reason: REASONS.into_iter().find(|known| *known == reason).unwrap_or(""),
                message: self.intern.optional(it.message.as_deref()),
                updated: SimTime::ZERO,
                transition: SimTime::ZERO,
            };
            match it.type_.as_str() {
                "Available" => status.available_condition = Some(condition),
                "Progressing" => status.progressing = Some(condition),
                "ReplicaFailure" => status.failure = Some(condition),
                _ => {}
            }
        }
        status
    }

    /// A ReplicaSet; its status counts only if it was in a cluster.
    pub fn replica_set(&mut self, written: apps::ReplicaSet) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let status = written.status.filter(|_| arrival == Arrival::Imported).unwrap_or_default();
        let set = ReplicaSet {
            meta,
            kind: SetKind::ReplicaSet,
            replicas: spec.replicas.unwrap_or(1),
            min_ready_seconds: unsigned(i64::from(number(spec.min_ready_seconds))),
            selector: Arc::new(self.intern.selector(&spec.selector)),
            template: Arc::new(self.template("ReplicaSet", spec.template)),
            status: SetStatus {
                replicas: status.replicas,
                fully_labeled: number(status.fully_labeled_replicas),
                ready: number(status.ready_replicas),
                available: number(status.available_replicas),
                terminating: status.terminating_replicas,
                observed_generation: generation(status.observed_generation),
                failure: None,
            },
        };
        Compacted { object: Object::ReplicaSet(Box::new(set)), arrival, node: None }
    }

    /// A ReplicationController; its status counts only if it was in a cluster.
    pub fn replication_controller(&mut self, written: core::ReplicationController) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let status = written.status.filter(|_| arrival == Arrival::Imported).unwrap_or_default();
        let template = self.template("ReplicationController", spec.template);
        let selector = match &spec.selector {
            Some(labels) if !labels.is_empty() => self.intern.label_selector(Some(labels)),
            _ => Selector::of_labels(&template.labels),
        };
        let set = ReplicaSet {
            meta,
            kind: SetKind::ReplicationController,
            replicas: spec.replicas.unwrap_or(1),
            min_ready_seconds: unsigned(i64::from(number(spec.min_ready_seconds))),
            selector: Arc::new(selector),
            template: Arc::new(template),
            status: SetStatus {
                replicas: status.replicas,
                fully_labeled: number(status.fully_labeled_replicas),
                ready: number(status.ready_replicas),
                available: number(status.available_replicas),
                terminating: None,
                observed_generation: generation(status.observed_generation),
                failure: None,
            },
        };
        Compacted { object: Object::ReplicaSet(Box::new(set)), arrival, node: None }
    }
}
