//! PodTopologySpread, which nodes it rejects and what it makes of the others.

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::framework::{
    Code, Plugin, Question, pre_filter, score,
};
use wavetank::control_plane::scheduler::algorithm::profile::SpreadDefaults;
use wavetank::control_plane::scheduler::algorithm::{NodeInfo, PodShape, Profile};

use super::scheduling::{Cluster, shape, standing};
use super::table::{Outcome, run};

/// Candidates and failed nodes, with the existing pods on them.
fn cluster(input: &Value) -> Cluster {
    let list = |field: &str| input[field].as_array().cloned().unwrap_or_default();
    let nodes: Vec<Value> = list("nodes").into_iter().chain(list("failedNodes")).collect();
    let mut cluster = Cluster::in_order(&Value::Array(nodes));
    for (at, pod) in list("existingPods").iter_mut().enumerate() {
        let standing = standing(pod);
        // The tables write an empty time.
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.remove("deletionTimestamp");
        }
        let node = pod["spec"]["nodeName"].as_str().expect("a node");
        cluster.place_as(node, &at.to_string(), &shape(pod), standing);
    }
    let services: Vec<Value> = list("objs")
        .into_iter()
        .map(|mut service| {
            service["metadata"]["name"] = "s".into();
            service
        })
        .collect();
    cluster.surround(&json!({"services": services}));
    cluster.snapshot.settle();
    cluster
}

fn filtered(input: &Value, expected: &Value) -> Outcome {
    let (cluster, pod) = (cluster(input), shape(&input["pod"]));
    let profile = Profile::default();
    let question = Question { profile: &profile, snapshot: &cluster.snapshot, pod: &pod };
    let (_, state) = pre_filter(question);
    let code = |node: &NodeInfo| match state.spread.as_ref()?.filter(question, node)?.code {
        Code::Unschedulable => Some(2),
        Code::UnschedulableAndUnresolvable => Some(3),
    };
    let ours: Value = cluster
        .snapshot
        .nodes()
        .map(|node| (node.written_name().to_owned(), json!(code(node).unwrap_or(0))))
        .collect();
    Outcome::same(ours, expected["wantStatusCode"].clone())
}

fn scored(input: &Value, expected: &Value) -> Outcome {
    let (cluster, pod) = (cluster(input), shape(&admitted(&input["pod"], input)));
    Outcome::same(scores(&cluster, &pod, input), by_name(&expected["want"]))
}

fn scores(cluster: &Cluster, pod: &PodShape, input: &Value) -> Vec<(String, i64)> {
    let is_candidate = |node: &&NodeInfo| {
        let mut candidates = input["nodes"].as_array().into_iter().flatten();
        candidates.any(|one| one["metadata"]["name"] == node.written_name())
    };
    let nodes: Vec<&NodeInfo> = cluster.snapshot.nodes().filter(is_candidate).collect();
    // The tables set the system's defaults only where they have a Service.
    let profile = Profile {
        spread: match input["objs"].is_null() {
            true => SpreadDefaults::List(Vec::new()),
            false => SpreadDefaults::System,
        },
        ..Profile::default()
    };
    let question = Question { profile: &profile, snapshot: &cluster.snapshot, pod };
    let Some(scores) = score(question, Plugin::PodTopologySpread, &nodes) else {
        return Vec::new();
    };
    let names = nodes.iter().map(|node| node.written_name().to_owned());
    let mut list: Vec<(String, i64)> = names.zip(scores.normalized).collect();
    list.sort();
    list
}

fn by_name(list: &Value) -> Vec<(String, i64)> {
    let one = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["score"].as_i64()?));
    let mut list: Vec<_> = list.as_array().into_iter().flatten().filter_map(one).collect();
    list.sort();
    list
}

/// The API server adds what `matchLabelKeys` asks to the selector when the pod is created; one whose
/// gate is off drops the field.
fn admitted(pod: &Value, input: &Value) -> Value {
    let mut pod = pod.clone();
    let constraints = &mut pod["spec"]["topologySpreadConstraints"];
    for constraint in constraints.as_array_mut().into_iter().flatten() {
        if let Some(constraint) = constraint.as_object_mut()
            && input["enableMatchLabelKeys"] == false
        {
            constraint.remove("matchLabelKeys");
        }
    }
    pod
}

#[test]
pub fn scheduler_topology_spread() {
    let data = include_str!("../data/vectors/scheduler_topology_spread.json");
    run("topology spread", data, |function, _, input, expected| {
        Some(match function {
            "TestSingleConstraint" | "TestMultipleConstraints" => filtered(input, expected),
            "TestPodTopologySpreadScore" => scored(input, expected),
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}
