//! Scores of nodes (`pkg/scheduler/framework/plugins`).

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::framework::{
    Order, normalization, normalized, pre_score, score,
};
use wavetank::control_plane::scheduler::algorithm::{NodeInfo, Plugin};

use super::scheduling::{Cluster, pod, shape};
use super::table::{Outcome, run};

/// Scores of all nodes by one plugin, normalised, as the tables write them.
fn scored(plugin: Plugin, asking: &Value, nodes: &Value, existing: &Value) -> Value {
    let pod_shape = shape(asking);
    let mut cluster = Cluster::in_order(nodes);
    for placed in existing.as_array().into_iter().flatten() {
        if let Some(node) = placed["spec"]["nodeName"].as_str() {
            let placed =
                wavetank::control_plane::scheduler::algorithm::PodShape::of(&pod(placed).spec);
            cluster.place(node, &placed);
        }
    }
    cluster.snapshot.settle();
    // Every node counts how many have an image as of now.
    let nodes: Vec<&NodeInfo> = cluster.snapshot.nodes().collect();
    let raw: Vec<i64> =
        nodes.iter().map(|node| score(plugin, &pod_shape, node, nodes.len())).collect();
    let max = raw.iter().copied().max().unwrap_or(0);
    let list: Vec<Value> = nodes
        .iter()
        .zip(raw)
        .map(|(node, raw)| {
            let score = normalization(plugin).map_or(raw, |order| normalized(raw, max, order));
            json!({"name": node.written_name(), "score": score})
        })
        .collect();
    Value::Array(list)
}

fn by_name(list: &Value) -> Vec<String> {
    let mut lines: Vec<String> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} {}", one["name"], one["score"]))
        .collect();
    lines.sort();
    lines
}

/// Whether the arguments are those of the default profile.
fn is_default(resources: &Value) -> bool {
    let plain =
        |one: &Value| one["weight"] == 1 && (one["name"] == "cpu" || one["name"] == "memory");
    resources.as_array().is_some_and(|list| list.len() == 2 && list.iter().all(plain))
}

fn resources(plugin: Plugin, input: &Value, expected: &Value, args: &Value) -> Outcome {
    if !is_default(args) {
        return Outcome::Excluded("scoring arguments other than the default profile's");
    }
    if expected["expectedPreScoreStatusCode"] == 5 {
        return Outcome::same(pre_score(plugin, &shape(&input["requestedPod"])), false);
    }
    let ours = scored(plugin, &input["requestedPod"], &input["nodes"], &input["existingPods"]);
    Outcome::same(by_name(&ours), by_name(&expected["expectedScores"]))
}

fn affinity(input: &Value, expected: &Value) -> Outcome {
    if !input["args"].is_null() {
        return Outcome::Excluded("added affinity: other profiles are not modelled");
    }
    match expected["wantPreScoreStatus"]["code"].as_u64() {
        Some(5) => Outcome::same(pre_score(Plugin::NodeAffinity, &shape(&input["pod"])), false),
        Some(_) => Outcome::Excluded("validation refuses such a pod"),
        None => listed(Plugin::NodeAffinity, input, expected),
    }
}

fn listed(plugin: Plugin, input: &Value, expected: &Value) -> Outcome {
    let ours = scored(plugin, &input["pod"], &input["nodes"], &Value::Null);
    Outcome::same(by_name(&ours), by_name(&expected["expectedList"]))
}

fn normalize(input: &Value, expected: &Value) -> Outcome {
    let numbers = |list: &Value| -> Vec<i64> {
        list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
    };
    let scores = numbers(&input["scores"]);
    let max = scores.iter().copied().max().unwrap_or(0);
    let order = if input["reverse"] == true { Order::Descending } else { Order::Ascending };
    let ours: Vec<i64> = scores.iter().map(|raw| normalized(*raw, max, order)).collect();
    Outcome::same(ours, numbers(&expected["expectedScores"]))
}

#[test]
fn scheduler_scores() {
    let data = include_str!("../data/vectors/scheduler_scores.json");
    run("scheduler scores", data, |function, title, input, expected| {
        if input["enableTaintTolerationComparisonOps"] == true {
            return Some(Outcome::Excluded("a feature that is off by default"));
        }
        Some(match function {
            "TestDefaultNormalizeScore" => normalize(input, expected),
            "TestImageLocalityPriority" if title.contains("ImageVolume") => {
                Outcome::Excluded("next issue: volumes")
            }
            "TestImageLocalityPriority" => listed(Plugin::ImageLocality, input, expected),
            "TestTaintTolerationScore" => listed(Plugin::TaintToleration, input, expected),
            "TestNodeAffinityPriority" => affinity(input, expected),
            "TestLeastAllocatedScoringStrategy" => {
                resources(Plugin::NodeResourcesFit, input, expected, &input["resources"])
            }
            "testNodeResourcesBalancedAllocation" => {
                let plugin = Plugin::NodeResourcesBalancedAllocation;
                resources(plugin, input, expected, &input["args"]["resources"])
            }
            "TestResourceAllocationScorerCalculateRequests" => {
                let pod = pod(&input["pod"]);
                let asked = &pod.spec.nonzero_requests;
                let ours = json!({"cpu": asked.cpu_milli, "memory": asked.memory});
                Outcome::same(ours, expected["expected"].clone())
            }
            "TestMostAllocatedScoringStrategy"
            | "TestRequestedToCapacityRatioScoringStrategy"
            | "TestBrokenLinearFunction"
            | "TestResourceBinPackingSingleExtended"
            | "TestResourceBinPackingMultipleExtended" => {
                Outcome::Excluded("scoring strategies other than the default profile's")
            }
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}
