//! What controllers say of their objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Fields, Moment, autoscaler, batch, node};
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::misc::Namespace;
use crate::api::object::Object;
use crate::api::quantity::{Format, Quantity};
use crate::api::resource_quota::ResourceQuota;
use crate::api::rules::resources::Amounts;
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{GrowthStage, PersistentVolume, PersistentVolumeClaim};
use crate::api::workload::{Deployment, ReplicaSet, WorkloadCondition};
use crate::store::Store;

/// The status of an object; none for kinds without one, and pods, which have a file of their own.
pub(super) fn of(moment: Moment<'_>, object: &Object) -> Option<Value> {
    Some(match object {
        Object::Deployment(it) => deployment(moment, it),
        Object::ReplicaSet(it) => replica_set(moment, it),
        Object::StatefulSet(it) => stateful_set(it),
        Object::DaemonSet(it) => daemon_set(it),
        Object::Job(it) => batch::job(moment, it),
        Object::CronJob(it) => batch::cron_job(moment, it),
        Object::PodDisruptionBudget(it) => budget(moment, it),
        Object::ResourceQuota(it) => quota(it),
        Object::HorizontalPodAutoscaler(it) => autoscaler::status(moment, it),
        Object::PersistentVolume(it) => {
            let mut status = json!({"phase": it.phase.name()});
            if !it.message.is_empty() {
                status["message"] = json!(&*it.message);
            }
            if let Some(since) = it.phase_since {
                status["lastPhaseTransitionTime"] = moment.instant(since);
            }
            status
        }
        Object::PersistentVolumeClaim(it) => claim(moment, it),
        Object::Namespace(it) => namespace(moment, it),
        Object::Service(it) if it.balancers.is_empty() => json!({"loadBalancer": {}}),
        Object::Service(it) => {
            let ingress = it.balancers.iter().map(|ip| json!({"ip": ip.to_string()}));
            json!({"loadBalancer": {"ingress": ingress.collect::<Vec<Value>>()}})
        }
        Object::Node(it) => node::status(moment, it),
        _ => return None,
    })
}

fn namespace(moment: Moment<'_>, it: &Namespace) -> Value {
    if !it.meta.is_terminating() {
        return json!({"phase": "Active"});
    }
    let Some(content) = &it.content else { return json!({"phase": "Terminating"}) };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let since = match kind {
            "NamespaceFinalizersRemaining" => content.held_since,
            _ => content.since,
        };
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": moment.instant(since),
        })
    };
    let held = content.held();
    let conditions = [
        condition(
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        condition(
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", &content.remaining()),
        match &held {
            Some(held) => {
                condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", held)
            }
            None => condition(
                "NamespaceFinalizersRemaining",
                "False",
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        },
    ];
    json!({"phase": "Terminating", "conditions": conditions})
}

/// Fields that stand there only where they are not 0, as most counts of a status do.
pub(super) fn counts<const N: usize>(fields: [(&str, i64); N]) -> Map<String, Value> {
    let there = fields.into_iter().filter(|(_, count)| *count != 0);
    there.map(|(field, count)| (field.to_owned(), json!(count))).collect()
}

/// Pods on their way out: said as soon as they are counted, be it that there are none.
fn terminating(count: Option<i32>) -> Option<(String, Value)> {
    count.map(|count| ("terminatingReplicas".to_owned(), json!(count)))
}

fn deployment(moment: Moment<'_>, it: &Deployment) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("replicas", held.replicas.into()),
        ("updatedReplicas", held.updated.into()),
        ("readyReplicas", held.ready.into()),
        ("availableReplicas", held.available.into()),
        ("unavailableReplicas", held.unavailable.into()),
        ("collisionCount", held.collision_count.into()),
    ]);
    status.extend(terminating(held.terminating));
    let conditions: Vec<Value> = [
        ("Available", &held.available_condition),
        ("ReplicaFailure", &held.failure),
        ("Progressing", &held.progressing),
    ]
    .into_iter()
    .filter_map(|(name, held)| Some(condition(moment, name, held.as_ref()?)))
    .collect();
    if !conditions.is_empty() {
        status.insert("conditions".into(), json!(conditions));
    }
    Value::Object(status)
}

fn condition(moment: Moment<'_>, name: &str, held: &WorkloadCondition) -> Value {
    json!({
        "type": name,
        "status": match held.value {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        },
        "reason": held.reason,
        "message": &*held.message,
        "lastUpdateTime": moment.instant(held.updated),
        "lastTransitionTime": moment.instant(held.transition),
    })
}

fn replica_set(moment: Moment<'_>, it: &ReplicaSet) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("fullyLabeledReplicas", held.fully_labeled.into()),
        ("readyReplicas", held.ready.into()),
        ("availableReplicas", held.available.into()),
    ]);
    status.insert("replicas".into(), json!(held.replicas));
    status.extend(terminating(held.terminating));
    if let Some(held) = &held.failure {
        let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": &*held.reason,
            "message": &*held.message, "lastTransitionTime": moment.instant(held.since)});
        status.insert("conditions".into(), json!([failure]));
    }
    Value::Object(status)
}

fn stateful_set(it: &StatefulSet) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("readyReplicas", held.ready.into()),
        ("currentReplicas", held.current.into()),
        ("updatedReplicas", held.updated.into()),
    ]);
    status.insert("replicas".into(), json!(held.replicas));
    status.insert("availableReplicas".into(), json!(held.available));
    status.insert("collisionCount".into(), json!(held.collision_count));
    for (field, revision) in
        [("currentRevision", &held.current_revision), ("updateRevision", &held.update_revision)]
    {
        if !revision.is_empty() {
            status.insert(field.into(), json!(&**revision));
        }
    }
    Value::Object(status)
}

fn daemon_set(it: &DaemonSet) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("updatedNumberScheduled", held.updated.into()),
        ("numberAvailable", held.available.into()),
        ("numberUnavailable", held.unavailable.into()),
        ("collisionCount", held.collision_count.into()),
    ]);
    for (field, count) in [
        ("currentNumberScheduled", held.current),
        ("desiredNumberScheduled", held.desired),
        ("numberMisscheduled", held.misscheduled),
        ("numberReady", held.ready),
    ] {
        status.insert(field.into(), json!(count));
    }
    Value::Object(status)
}

fn quota(it: &ResourceQuota) -> Value {
    let written = |of: &Option<Arc<Amounts>>| {
        let of = of.iter().flat_map(|of| of.iter());
        of.map(|(name, amount)| (name.clone(), json!(amount.to_string()))).collect::<Map<_, _>>()
    };
    match (&it.status.hard, &it.status.used) {
        (None, None) => json!({}),
        (hard, used) => json!({"hard": written(hard), "used": written(used)}),
    }
}

fn budget(moment: Moment<'_>, it: &PodDisruptionBudget) -> Value {
    let held = &it.status;
    let mut status = json!({
        "disruptionsAllowed": held.allowed,
        "currentHealthy": held.healthy,
        "desiredHealthy": held.desired,
        "expectedPods": held.expected,
    });
    if held.observed_generation > 0 {
        status["observedGeneration"] = json!(held.observed_generation);
    }
    for (pod, since) in &held.disrupted {
        status["disruptedPods"][&**pod] = moment.instant(*since);
    }
    if let Some(held) = &held.condition {
        let value = if held.reason.is_allowed() { "True" } else { "False" };
        status["conditions"] = json!([{
            "type": "DisruptionAllowed",
            "status": value,
            "reason": held.reason.name(),
            "message": &*held.message,
            "observedGeneration": held.observed_generation,
            "lastTransitionTime": moment.instant(held.since),
        }]);
    }
    status
}

/// Adds the uid of the claim that a volume is bound to.
pub(super) fn volume(store: &Store, it: &PersistentVolume, fields: &mut Fields) {
    let Some(claim) = &it.claim else { return };
    if let (Some(uid), Some(spec)) = (claim.uid, fields.get_mut("spec")) {
        spec["claimRef"]["uid"] = json!(uid.to_string());
        let id = store.find::<PersistentVolumeClaim>(&claim.namespace, &claim.name);
        let revision = id.and_then(|id| store.table::<PersistentVolumeClaim>().revision(id));
        if let Some(revision) = revision {
            spec["claimRef"]["resourceVersion"] = json!(revision.0.to_string());
        }
    }
}

/// A claim that is bound has what its volume has.
fn claim(moment: Moment<'_>, it: &PersistentVolumeClaim) -> Value {
    let mut status = json!({"phase": it.phase.name()});
    let amount =
        |bytes: i64| json!({"storage": Quantity::new(bytes, Format::BinarySi).to_string()});
    if it.capacity > 0 {
        status["capacity"] = amount(it.capacity);
    }
    if it.access.count() > 0 {
        status["accessModes"] = json!(it.access.names().collect::<Vec<_>>());
    }
    if let Some(growth) = it.growth {
        let mut condition =
            json!({"status": "True", "lastTransitionTime": moment.instant(growth.since)});
        let stage = match growth.stage {
            GrowthStage::Resizer => {
                condition["type"] = json!("Resizing");
                "ControllerResizeInProgress"
            }
            GrowthStage::Node => {
                condition["type"] = json!("FileSystemResizePending");
                condition["message"] = json!(
                    "Waiting for user to (re-)start a pod to finish file system resize of volume on node."
                );
                "NodeResizePending"
            }
        };
        status["conditions"] = json!([condition]);
        status["allocatedResources"] = amount(growth.to);
        status["allocatedResourceStatuses"] = json!({"storage": stage});
    }
    status
}
