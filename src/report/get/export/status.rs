//! What controllers say of their objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Fields, Moment, autoscaler, batch};
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::misc::Namespace;
use crate::api::node::{Node, NotReady, Tristate};
use crate::api::object::Object;
use crate::api::quantity::{Format, Quantity};
use crate::api::resource_quota::ResourceQuota;
use crate::api::resources::Resources;
use crate::api::rules::resources::Amounts;
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{GrowthStage, PersistentVolume, PersistentVolumeClaim};
use crate::api::workload::{Deployment, ReplicaSet, WorkloadCondition};
use crate::store::Store;

/// The version kubelets say they are of.
const KUBELET_VERSION: &str = "v1.36.2";

/// The status of an object; none for kinds without one, and pods, which have a file of their own.
pub(super) fn of(moment: Moment<'_>, object: &Object, fields: &Fields) -> Option<Value> {
    Some(match object {
        Object::Deployment(it) => deployment(moment, it),
        Object::ReplicaSet(it) => replica_set(it),
        Object::StatefulSet(it) => stateful_set(it),
        Object::DaemonSet(it) => daemon_set(it),
        Object::Job(it) => batch::job(moment, it),
        Object::CronJob(it) => batch::cron_job(moment, it),
        Object::PodDisruptionBudget(it) => budget(moment, it),
        Object::ResourceQuota(it) => quota(it),
        Object::HorizontalPodAutoscaler(it) => autoscaler::status(moment, it),
        Object::PersistentVolume(it) => json!({"phase": it.phase.name()}),
        Object::PersistentVolumeClaim(it) => claim(moment, it, fields),
        Object::Namespace(it) => namespace(moment, it),
        Object::Service(it) if it.balancers.is_empty() => json!({"loadBalancer": {}}),
        Object::Service(it) => {
            let ingress = it.balancers.iter().map(|ip| json!({"ip": ip.to_string()}));
            json!({"loadBalancer": {"ingress": ingress.collect::<Vec<Value>>()}})
        }
        Object::Node(it) => node(moment, it),
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

fn deployment(moment: Moment<'_>, it: &Deployment) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("replicas", held.replicas.into()),
        ("updatedReplicas", held.updated.into()),
        ("readyReplicas", held.ready.into()),
        ("availableReplicas", held.available.into()),
        ("unavailableReplicas", held.unavailable.into()),
        ("terminatingReplicas", held.terminating.into()),
        ("collisionCount", held.collision_count.into()),
    ]);
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

fn replica_set(it: &ReplicaSet) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("observedGeneration", held.observed_generation.into()),
        ("fullyLabeledReplicas", held.fully_labeled.into()),
        ("readyReplicas", held.ready.into()),
        ("availableReplicas", held.available.into()),
        ("terminatingReplicas", held.terminating.into()),
    ]);
    status.insert("replicas".into(), json!(held.replicas));
    if let Some((reason, message)) = &held.failure {
        let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": &**reason,
            "message": &**message});
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
fn claim(moment: Moment<'_>, it: &PersistentVolumeClaim, fields: &Fields) -> Value {
    let mut status = json!({"phase": it.phase.name()});
    let amount =
        |bytes: i64| json!({"storage": Quantity::new(bytes, Format::BinarySi).to_string()});
    if it.capacity > 0 {
        status["capacity"] = amount(it.capacity);
        let modes = fields.get("spec").map(|spec| spec["accessModes"].clone());
        status["accessModes"] = modes.unwrap_or(Value::Null);
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

fn node(moment: Moment<'_>, it: &Node) -> Value {
    let label = |key: &str| it.meta.labels.get(key).map(AsRef::as_ref).unwrap_or_default();
    let images: Vec<Value> = it
        .images
        .iter()
        .map(|image| json!({"names": [&*image.name], "sizeBytes": image.bytes}))
        .collect();
    let internal = moment.addresses(it.address);
    let internal = internal.iter().map(|ip| json!({"type": "InternalIP", "address": ip}));
    let host = json!({"type": "Hostname", "address": label("kubernetes.io/hostname")});
    let mut status = json!({
        "addresses": internal.chain([host]).collect::<Vec<Value>>(),
        "capacity": amounts(&it.capacity),
        "allocatable": amounts(&it.allocatable),
        "conditions": node_conditions(moment, it),
        "nodeInfo": {
            "kubeletVersion": KUBELET_VERSION,
            "operatingSystem": label("kubernetes.io/os"),
            "architecture": label("kubernetes.io/arch"),
        },
    });
    if !images.is_empty() {
        status["images"] = json!(images);
    }
    status
}

fn amounts(of: &Resources) -> Value {
    let cpu = Quantity::from_milli(of.cpu_milli, Format::DecimalSi);
    let bytes = |amount| Quantity::new(amount, Format::BinarySi).to_string();
    let mut written =
        json!({"cpu": cpu.to_string(), "memory": bytes(of.memory), "pods": of.pods.to_string()});
    if of.ephemeral_storage > 0 {
        written["ephemeral-storage"] = json!(bytes(of.ephemeral_storage));
    }
    for (name, amount) in &of.scalar {
        let format =
            if name.starts_with("hugepages-") { Format::BinarySi } else { Format::DecimalSi };
        written[&**name] = json!(Quantity::new(*amount, format).to_string());
    }
    written
}

/// Conditions in a kubelet's words, or in those of the node lifecycle controller, which writes `Unknown`
/// where it hears nothing.
fn node_conditions(moment: Moment<'_>, it: &Node) -> Vec<Value> {
    let held = it.conditions;
    let words = [
        (
            ("NetworkUnavailable", held.network_unavailable),
            ["NoRouteCreated", "Node created without a route"],
            ["RouteCreated", "RouteController created a route"],
        ),
        (
            ("MemoryPressure", held.memory_pressure),
            ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
            ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
        ),
        (
            ("DiskPressure", held.disk_pressure),
            ["KubeletHasDiskPressure", "kubelet has disk pressure"],
            ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
        ),
        (
            ("PIDPressure", held.pid_pressure),
            ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
            ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
        ),
        (
            ("Ready", held.ready),
            ["KubeletReady", "kubelet is posting ready status"],
            [
                "KubeletNotReady",
                match held.not_ready {
                    NotReady::Starting => {
                        "container runtime status check may not have completed yet"
                    }
                    NotReady::ShuttingDown => "node is shutting down",
                },
            ],
        ),
    ];
    let [memory, disk, pid] = held.pressures_since;
    let since = |name: &str| match name {
        "Ready" => held.ready_since,
        "MemoryPressure" => memory,
        "DiskPressure" => disk,
        "PIDPressure" => pid,
        _ => it.meta.created,
    };
    let written =
        |((name, value), when_true, when_false): ((&str, Tristate), [&str; 2], [&str; 2])| {
            let (status, [reason, message]) = match value {
                Tristate::True => ("True", when_true),
                Tristate::False => ("False", when_false),
                Tristate::Unknown => {
                    ("Unknown", ["NodeStatusUnknown", "Kubelet stopped posting node status."])
                }
            };
            // What a node was written with holds since it is there.
            let since = since(name).max(it.meta.created);
            json!({
                "type": name,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": moment.instant(since),
            })
        };
    // Of the network only those speak who set up its routes.
    let is_told = |((name, value), ..): &((&str, Tristate), [&str; 2], [&str; 2])| {
        *name != "NetworkUnavailable" || *value != Tristate::Unknown
    };
    words.into_iter().filter(is_told).map(written).collect()
}
