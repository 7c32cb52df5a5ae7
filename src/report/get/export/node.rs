//! Nodes: when they were tainted, and what their kubelets say of them.

use serde_json::{Value, json};

use super::{Fields, Moment};
use crate::api::node::{Node, NotReady, Tristate};
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::Resources;

/// The version kubelets say they are of.
const KUBELET_VERSION: &str = "v1.36.2";

/// Adds when each taint was added, where that was written.
pub(super) fn complete(moment: Moment<'_>, it: &Node, fields: &mut Fields) {
    let Some(written) = fields.get_mut("spec").and_then(|spec| spec.get_mut("taints")) else {
        return;
    };
    for (at, taint) in it.taints.iter().enumerate() {
        if let Some(added) = taint.added {
            written[at]["timeAdded"] = moment.instant(added);
        }
    }
}

/// What its kubelet says of it, and the node lifecycle controller where it hears nothing.
pub(super) fn status(moment: Moment<'_>, it: &Node) -> Value {
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
    // The node controller leaves it as it was; of its network others speak, once.
    let id = moment.store.find::<Node>("", &it.meta.name.to_string());
    let posted = moment.renewals.zip(id).and_then(|(all, id)| all.last_post(id, moment.now));
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
            let mut written = json!({
                "type": name,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": moment.instant(since),
            });
            let beat = if name == "NetworkUnavailable" { Some(since) } else { posted };
            if let Some(beat) = beat {
                written["lastHeartbeatTime"] = moment.instant(beat);
            }
            written
        };
    // Of the network only those speak who set up its routes.
    let is_told = |((name, value), ..): &((&str, Tristate), [&str; 2], [&str; 2])| {
        *name != "NetworkUnavailable" || *value != Tristate::Unknown
    };
    words.into_iter().filter(is_told).map(written).collect()
}
