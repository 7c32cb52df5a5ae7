//! Scores of nodes (`pkg/scheduler/framework/plugins`).

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::framework::{
    Order, PluginScores, Question, normalized, score,
};
use wavetank::control_plane::scheduler::algorithm::profile::{Fit, Scored, Strategy, on_line};
use wavetank::control_plane::scheduler::algorithm::{NodeInfo, Plugin, Profile};
use wavetank::scenario::{Loader, Overrides};

use super::scheduling::{Cluster, added_affinity, pod, refusals, shape};
use super::table::{Outcome, run};

/// Scores of all nodes by one plugin, normalised, as the tables write them; null where it skips.
fn scored(
    profile: &Profile,
    plugin: Plugin,
    asking: &Value,
    nodes: &Value,
    existing: &Value,
) -> Value {
    let pod = &shape(asking);
    let mut cluster = Cluster::in_order(nodes);
    for (at, placed) in existing.as_array().into_iter().flatten().enumerate() {
        if let Some(node) = placed["spec"]["nodeName"].as_str() {
            cluster.place(node, &at.to_string(), &shape(placed));
        }
    }
    cluster.snapshot.settle();
    // Every node counts how many have an image as of now.
    let nodes: Vec<&NodeInfo> = cluster.snapshot.nodes().collect();
    let question = Question { profile, snapshot: &cluster.snapshot, pod };
    let Some(PluginScores { normalized, .. }) = score(question, plugin, &nodes) else {
        return Value::Null;
    };
    let list = nodes.iter().zip(normalized);
    list.map(|(node, score)| json!({"name": node.written_name(), "score": score})).collect()
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

/// The default profile with this strategy over these resources.
fn profile(strategy: Strategy, resources: &Value) -> Profile {
    let resource = |one: &Value| {
        let name = one["name"].as_str().expect("a name");
        // A weight of 0 is none given (`SetDefaults_NodeResourcesFitArgs`).
        (Scored::named(name), one["weight"].as_i64().unwrap_or(0).max(1))
    };
    let resources = resources.as_array().into_iter().flatten().map(resource).collect();
    Profile { fit: Fit { strategy, resources, ..Fit::default() }, ..Profile::default() }
}

/// The points of a shape, their scores times `scale`.
fn points(shape: &Value, scale: i64) -> Vec<(i64, i64)> {
    let number = |one: &Value, field: &str| one[field].as_i64().expect("a number");
    let list = shape.as_array().into_iter().flatten();
    list.map(|one| (number(one, "utilization"), number(one, "score") * scale)).collect()
}

/// Tables whose arguments validation refuses, before anything is scored.
fn is_refused(expected: &Value) -> bool {
    !expected["wantErrs"].is_null()
}

/// What is said where such arguments are read.
fn judged(strategy: &Strategy, resources: &Value, theirs: &Value) -> Outcome {
    if resources.as_array().into_iter().flatten().any(|one| one["weight"] == 0) {
        return Outcome::Excluded("a weight of 0 that is written is none: 1 is filled in");
    }
    let kind =
        if *strategy == Strategy::MostAllocated { "MostAllocated" } else { "LeastAllocated" };
    let written = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": {
            "scoringStrategy": {"type": kind, "resources": resources},
        }}]}],
    });
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.json", written.to_string().as_bytes(), &mut |_| {});
    let said: Vec<String> = loader.finish().findings.iter().map(ToString::to_string).collect();
    let found = |error: &Value| {
        let field = error["field"].as_str().unwrap_or("");
        said.iter().any(|line| line.contains(&format!("args.{field}: Invalid value")))
    };
    match theirs.as_array().into_iter().flatten().all(found) {
        true => Outcome::same(said.len(), theirs.as_array().map_or(0, Vec::len)),
        false => Outcome::Different(format!("{said:?}")),
    }
}

fn fit(strategy: Strategy, input: &Value, expected: &Value) -> Outcome {
    if is_refused(expected) {
        return judged(&strategy, &input["resources"], &expected["wantErrs"]);
    }
    let profile = profile(strategy, &input["resources"]);
    let (pods, nodes) = (&input["requestedPod"], &input["nodes"]);
    let ours = scored(&profile, Plugin::NodeResourcesFit, pods, nodes, &input["existingPods"]);
    Outcome::same(by_name(&ours), by_name(&expected["expectedScores"]))
}

/// The tables of bin packing: a line from (0, 0) to (100, 1) over extended resources.
fn packed(resources: &Value, input: &Value, expected: &Value) -> Outcome {
    let strategy = Strategy::RequestedToCapacityRatio(vec![(0, 0), (100, 10)]);
    let profile = profile(strategy, resources);
    let (pod, nodes) = (&input["pod"], &input["nodes"]);
    let ours = scored(&profile, Plugin::NodeResourcesFit, pod, nodes, &input["pods"]);
    Outcome::same(by_name(&ours), by_name(&expected["expectedScores"]))
}

fn line(input: &Value, expected: &Value) -> Outcome {
    let points = points(&input["points"], 1);
    let list = expected["assertions"].as_array().expect("a list");
    let asked = |one: &Value| (one["p"].clone(), on_line(&points, one["p"].as_i64().expect("p")));
    let ours: Vec<(Value, i64)> = list.iter().map(asked).collect();
    let theirs: Vec<(Value, i64)> = list
        .iter()
        .map(|one| (one["p"].clone(), one["expected"].as_i64().expect("a number")))
        .collect();
    Outcome::same(ours, theirs)
}

fn balanced(input: &Value, expected: &Value) -> Outcome {
    let plugin = Plugin::NodeResourcesBalancedAllocation;
    if !input["draObjects"].is_null() {
        return Outcome::Excluded("devices handed out as extended resources are not modelled");
    }
    let resources = input["args"]["resources"].as_array().into_iter().flatten();
    let named = |one: &Value| Scored::named(one["name"].as_str().expect("a name"));
    let profile = &Profile { balanced: resources.map(named).collect(), ..Profile::default() };
    let ours =
        scored(profile, plugin, &input["requestedPod"], &input["nodes"], &input["existingPods"]);
    if expected["expectedPreScoreStatusCode"] == 5 {
        return Outcome::same(ours, Value::Null);
    }
    Outcome::same(by_name(&ours), by_name(&expected["expectedScores"]))
}

fn affinity(input: &Value, expected: &Value) -> Outcome {
    let added_affinity = added_affinity(&input["args"]);
    let profile = Profile { added_affinity, ..Profile::default() };
    match expected["wantPreScoreStatus"]["code"].as_u64() {
        Some(5) => {
            let (pod, nodes) = (&input["pod"], &input["nodes"]);
            let ours = scored(&profile, Plugin::NodeAffinity, pod, nodes, &Value::Null);
            Outcome::same(ours, Value::Null)
        }
        Some(_) => {
            // The same words at a longer path, and before anything is scored.
            let said = expected["wantPreScoreStatus"]["err"]["error"].as_str().unwrap_or("");
            let (_, said) = said.split_once(": ").expect("a path before the words");
            let ours = refusals(&input["pod"]);
            match ours.iter().any(|line| line.contains(said)) {
                true => Outcome::Equal,
                false => Outcome::Different(format!("{ours:?}")),
            }
        }
        None => listed(&profile, Plugin::NodeAffinity, input, expected),
    }
}

fn listed(profile: &Profile, plugin: Plugin, input: &Value, expected: &Value) -> Outcome {
    let mut ours = scored(profile, plugin, &input["pod"], &input["nodes"], &Value::Null);
    if ours.is_null() {
        // Asked all the same, a plugin that skips says 0 of every node.
        let nodes = input["nodes"].as_array().into_iter().flatten();
        ours = nodes.map(|node| json!({"name": node["metadata"]["name"], "score": 0})).collect();
    }
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
pub fn scheduler_scores() {
    let data = include_str!("../data/vectors/scheduler_scores.json");
    let default = Profile::default();
    run("scheduler scores", data, |function, _, input, expected| {
        Some(match function {
            "TestDefaultNormalizeScore" => normalize(input, expected),
            "TestImageLocalityPriority" => listed(&default, Plugin::ImageLocality, input, expected),
            "TestTaintTolerationScore" => {
                listed(&default, Plugin::TaintToleration, input, expected)
            }
            "TestNodeAffinityPriority" => affinity(input, expected),
            "TestLeastAllocatedScoringStrategy" => fit(Strategy::LeastAllocated, input, expected),
            "TestMostAllocatedScoringStrategy" => fit(Strategy::MostAllocated, input, expected),
            "TestRequestedToCapacityRatioScoringStrategy" => {
                let shape = points(&input["shape"], 10);
                fit(Strategy::RequestedToCapacityRatio(shape), input, expected)
            }
            "TestBrokenLinearFunction" => line(input, expected),
            "TestResourceBinPackingSingleExtended" => {
                packed(&json!([{"name": "intel.com/foo", "weight": 1}]), input, expected)
            }
            "TestResourceBinPackingMultipleExtended" => {
                let weights = [("intel.com/foo", 3), ("intel.com/bar", 5)];
                let list = weights.map(|(name, weight)| json!({"name": name, "weight": weight}));
                packed(&json!(list), input, expected)
            }
            "testNodeResourcesBalancedAllocation" => balanced(input, expected),
            "TestResourceAllocationScorerCalculateRequests" => {
                let pod = pod(&input["pod"]);
                let asked = &pod.spec.nonzero_requests;
                let ours = json!({"cpu": asked.cpu_milli, "memory": asked.memory});
                Outcome::same(ours, expected["expected"].clone())
            }
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}
