//! Status of workloads: counts are not negative and do not contradict each other.

use k8s_openapi::api::apps::v1::{DeploymentStatus, ReplicaSetStatus, StatefulSetStatus};

use crate::api::validation::{
    field::{Errors, Path},
    scalar::not_negative_if_set,
};

/// Counts of one status, by the names of their fields.
struct Counts<'a> {
    path: Path<'a>,
    replicas: i32,
    ready: i32,
    available: i32,
    /// Counts that may not exceed `replicas`, `available` among them.
    parts: &'a [(&'a str, Option<i32>)],
    above_ready: &'a str,
}

impl Counts<'_> {
    fn check(&self, errors: &mut Errors) {
        for (field, count) in self.parts {
            if count.unwrap_or(0) > self.replicas {
                let detail = "cannot be greater than status.replicas";
                errors.invalid(&self.path.child(field), &count.unwrap_or(0), detail);
            }
        }
        if self.available > self.ready {
            let path = self.path.child("availableReplicas");
            errors.invalid(&path, &self.available, self.above_ready);
        }
    }
}

fn check_not_negative(path: &Path<'_>, fields: &[(&str, Option<i64>)], errors: &mut Errors) {
    for (field, value) in fields {
        not_negative_if_set(&path.child(field), *value, errors);
    }
}

fn wide(value: Option<i32>) -> Option<i64> {
    value.map(i64::from)
}

/// Checks the status of a Deployment.
pub fn validate_deployment(status: &DeploymentStatus, errors: &mut Errors) {
    let path = Path::ROOT.child("status");
    let fields = [
        ("observedGeneration", status.observed_generation),
        ("replicas", wide(status.replicas)),
        ("updatedReplicas", wide(status.updated_replicas)),
        ("readyReplicas", wide(status.ready_replicas)),
        ("availableReplicas", wide(status.available_replicas)),
        ("unavailableReplicas", wide(status.unavailable_replicas)),
        ("terminatingReplicas", wide(status.terminating_replicas)),
        ("collisionCount", wide(status.collision_count)),
    ];
    check_not_negative(&path, &fields, errors);
    Counts {
        path,
        replicas: status.replicas.unwrap_or(0),
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        parts: &[
            ("updatedReplicas", status.updated_replicas),
            ("readyReplicas", status.ready_replicas),
            ("availableReplicas", status.available_replicas),
        ],
        above_ready: "cannot be greater than readyReplicas",
    }
    .check(errors);
}

/// Checks the status of a ReplicaSet.
pub fn validate_replica_set(status: &ReplicaSetStatus, errors: &mut Errors) {
    let path = Path::ROOT.child("status");
    let fields = [
        ("replicas", Some(status.replicas.into())),
        ("fullyLabeledReplicas", wide(status.fully_labeled_replicas)),
        ("readyReplicas", wide(status.ready_replicas)),
        ("availableReplicas", wide(status.available_replicas)),
        ("observedGeneration", status.observed_generation),
        ("terminatingReplicas", wide(status.terminating_replicas)),
    ];
    check_not_negative(&path, &fields, errors);
    Counts {
        path,
        replicas: status.replicas,
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        parts: &[
            ("fullyLabeledReplicas", status.fully_labeled_replicas),
            ("readyReplicas", status.ready_replicas),
            ("availableReplicas", status.available_replicas),
        ],
        above_ready: "cannot be greater than readyReplicas",
    }
    .check(errors);
}

/// Checks the status of a StatefulSet.
pub fn validate_stateful_set(status: &StatefulSetStatus, errors: &mut Errors) {
    let path = Path::ROOT.child("status");
    let fields = [
        ("replicas", Some(status.replicas.into())),
        ("readyReplicas", wide(status.ready_replicas)),
        ("currentReplicas", wide(status.current_replicas)),
        ("updatedReplicas", wide(status.updated_replicas)),
        ("availableReplicas", wide(status.available_replicas)),
        ("observedGeneration", status.observed_generation),
        ("collisionCount", wide(status.collision_count)),
    ];
    check_not_negative(&path, &fields, errors);
    Counts {
        path,
        replicas: status.replicas,
        ready: status.ready_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        parts: &[
            ("readyReplicas", status.ready_replicas),
            ("currentReplicas", status.current_replicas),
            ("updatedReplicas", status.updated_replicas),
            ("availableReplicas", status.available_replicas),
        ],
        above_ready: "cannot be greater than status.readyReplicas",
    }
    .check(errors);
}
