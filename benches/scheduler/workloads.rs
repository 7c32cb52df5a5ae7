//! Clusters and pods shaped as the cases of Kubernetes' scheduler_perf: nodes of 4 CPU and 32Gi with
//! a host name and one of three zones, pods of 100m and 500Mi.

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::defaults::pod::default_pod;
use wavetank::api::node::Node;
use wavetank::api::object::Object;
use wavetank::api::pod::Pod;

/// A kind of pod to be scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Plain pods (`SchedulingBasic`).
    Basic,
    /// A required node affinity that all nodes meet (`SchedulingNodeAffinity`).
    NodeAffinity,
    /// Required affinity within a zone (`SchedulingPodAffinity`).
    PodAffinity,
    /// Required anti-affinity by host (`SchedulingPodAntiAffinity`).
    AntiAffinity,
    /// Preferred affinity by host (`SchedulingPreferredPodAffinity`).
    PreferredAffinity,
    /// Preferred anti-affinity by host (`SchedulingPreferredPodAntiAffinity`).
    PreferredAntiAffinity,
    /// A hard constraint over zones (`TopologySpreading`).
    TopologySpread,
    /// Pods that must evict others (`PreemptionBasic`).
    Preemption,
    /// Plain pods beside some that fit nowhere (`Unschedulable`).
    Unschedulable,
}

impl Case {
    /// All of them, in the order of the table.
    pub const ALL: [Case; 9] = [
        Case::Basic,
        Case::NodeAffinity,
        Case::PodAffinity,
        Case::AntiAffinity,
        Case::PreferredAffinity,
        Case::PreferredAntiAffinity,
        Case::TopologySpread,
        Case::Preemption,
        Case::Unschedulable,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Case::Basic => "Basic",
            Case::NodeAffinity => "NodeAffinity",
            Case::PodAffinity => "PodAffinity",
            Case::AntiAffinity => "AntiAffinity",
            Case::PreferredAffinity => "PreferredAffinity",
            Case::PreferredAntiAffinity => "PreferredAntiAffinity",
            Case::TopologySpread => "TopologySpread",
            Case::Preemption => "Preemption",
            Case::Unschedulable => "Unschedulable",
        }
    }

    /// How many pods are there before, and how many are measured, on so many nodes.
    pub fn pods(self, nodes: usize) -> (usize, usize) {
        match self {
            Case::Basic => (nodes / 5, 2 * nodes),
            Case::AntiAffinity => (nodes / 5, nodes / 2),
            Case::Preemption => (4 * nodes, nodes),
            Case::Unschedulable => (nodes / 25, nodes),
            _ => (nodes, nodes),
        }
    }
}

/// The nodes.
pub fn nodes(count: usize) -> Vec<Node> {
    let mut compactor = Compactor::new();
    let node = |at: usize| {
        let name = format!("node-{at}");
        let written = json!({
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/zone": format!("zone-{}", at % 3),
                "arch": "plain",
            }},
            "status": {"allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}},
        });
        let typed: core::Node = serde_json::from_value(written).expect("a node");
        match compactor.node(typed).object {
            Object::Node(node) => *node,
            other => unreachable!("a node stays one: {other:?}"),
        }
    };
    (0..count).map(node).collect()
}

fn term(label: &str, key: &str) -> Value {
    json!({
        "labelSelector": {"matchLabels": {"color": label}},
        "topologyKey": key,
        "namespaces": ["sched-0", "sched-1"],
    })
}

/// The manifest of a case's pods: those that are there before, or those that are measured.
fn manifest(case: Case, when: When) -> Value {
    const HOST: &str = "kubernetes.io/hostname";
    const ZONE: &str = "topology.kubernetes.io/zone";
    let weighed = |label| json!([{"weight": 1, "podAffinityTerm": term(label, HOST)}]);
    let (mut cpu, mut priority, mut labels) = ("100m", 0, json!({}));
    let mut more = json!({});
    match (case, when) {
        (Case::NodeAffinity, _) => {
            more["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!({"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "arch", "operator": "In", "values": ["plain", "fancy"]},
            ]}]});
        }
        (Case::PodAffinity, _) => {
            labels = json!({"color": "blue"});
            more["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!([term("blue", ZONE)]);
        }
        (Case::AntiAffinity, _) => {
            labels = json!({"color": "green"});
            more["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!([term("green", HOST)]);
        }
        (Case::PreferredAffinity, _) => {
            labels = json!({"color": "red"});
            more["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
                weighed("red");
        }
        (Case::PreferredAntiAffinity, _) => {
            labels = json!({"color": "yellow"});
            more["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
                weighed("yellow");
        }
        (Case::TopologySpread, When::Measured) => {
            labels = json!({"color": "blue"});
            more["topologySpreadConstraints"] = json!([{
                "maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"color": "blue"}},
            }]);
        }
        (Case::Preemption, When::Before) => cpu = "900m",
        (Case::Preemption, When::Measured) => (cpu, priority) = ("3", 10),
        (Case::Unschedulable, When::Before) => cpu = "9",
        _ => {}
    }
    let mut pod = json!({
        "metadata": {"namespace": "sched-0", "labels": labels},
        "spec": {"priority": priority, "containers": [{
            "name": "pause", "image": "registry.k8s.io/pause:3.9",
            "resources": {"requests": {"cpu": cpu, "memory": "500Mi"}},
        }]},
    });
    if let (Value::Object(spec), Value::Object(more)) = (&mut pod["spec"], more) {
        spec.extend(more);
    }
    if when == When::Measured {
        pod["metadata"]["namespace"] = "sched-1".into();
    }
    pod
}

/// When pods come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Before the clock starts.
    Before,
    /// They are what is measured.
    Measured,
}

/// So many pods of a case.
pub fn pods(case: Case, when: When, count: usize) -> Vec<Pod> {
    let mut typed: core::Pod = serde_json::from_value(manifest(case, when)).expect("a pod");
    default_pod(&mut typed);
    let mut compactor = Compactor::new();
    let first = match compactor.pod(typed).object {
        Object::Pod(pod) => *pod,
        other => unreachable!("a pod stays one: {other:?}"),
    };
    let named = |at: usize| {
        let mut pod = first.clone();
        pod.meta.name = format!("pod-{when:?}-{at}").as_str().into();
        pod
    };
    (0..count).map(named).collect()
}
