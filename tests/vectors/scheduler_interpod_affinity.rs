//! InterPodAffinity, which nodes it rejects and what it makes of the others.

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::framework::{
    Code, Plugin, Question, pre_filter, score,
};
use wavetank::control_plane::scheduler::algorithm::profile::ResidentPreferences;
use wavetank::control_plane::scheduler::algorithm::{NodeInfo, Profile};

use super::scheduling::{Cluster, refusals, shape};
use super::table::{Outcome, run};

/// Status codes as the tables write them.
const SKIP: u64 = 5;

/// The tables' pods live in the namespace without a name, as no pod of a cluster does.
fn at_home(value: &Value) -> Value {
    let mut value = value.clone();
    rename(&mut value);
    value
}

fn rename(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for name in
                map.get_mut("namespaces").and_then(Value::as_array_mut).into_iter().flatten()
            {
                if name == "" {
                    *name = "default".into();
                }
            }
            map.values_mut().for_each(rename);
        }
        Value::Array(list) => list.iter_mut().for_each(rename),
        _ => {}
    }
}

/// The namespaces of upstream's tests: two subteams of each of two teams.
fn namespaces() -> Value {
    let teams = ["team1", "team2"].into_iter().flat_map(|team| {
        ["subteam1", "subteam2"].map(
            |sub| json!({"metadata": {"name": format!("{sub}.{team}"), "labels": {"team": team}}}),
        )
    });
    teams.collect()
}

fn cluster(nodes: &Value, pods: &Value) -> Cluster {
    let mut cluster = Cluster::in_order(nodes);
    for (at, pod) in pods.as_array().into_iter().flatten().enumerate() {
        // Some name a node that is not there; upstream's snapshot has no node for those either.
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        if !cluster.has(node) {
            continue;
        }
        cluster.place(node, &at.to_string(), &shape(&at_home(pod)));
    }
    cluster.surround(&json!({"namespaces": namespaces()}));
    cluster.snapshot.settle();
    cluster
}

fn filtered(input: &Value, nodes: &Value, expected: Vec<&Value>, skips: &Value) -> Outcome {
    let (cluster, pod) = (cluster(nodes, &input["pods"]), shape(&at_home(&input["pod"])));
    let profile = Profile::default();
    let question = Question { profile: &profile, snapshot: &cluster.snapshot, pod: &pod };
    let (_, state) = pre_filter(question);
    match (skips["code"].as_u64(), &state.near) {
        (Some(SKIP), None) => return Outcome::Equal,
        (Some(SKIP), Some(_)) => return Outcome::Different("it does not skip".into()),
        (Some(_), _) => return refused(&input["pod"], skips),
        (None, _) => {}
    }
    let status = |node: &NodeInfo| {
        let rejection = state.near.as_ref()?.filter(question, node)?;
        let code = match rejection.code {
            Code::Unschedulable => 2,
            Code::UnschedulableAndUnresolvable => 3,
        };
        let reasons: Vec<String> =
            rejection.reasons(&pod).iter().map(|it| it.to_string()).collect();
        Some(json!({"code": code, "reasons": reasons}))
    };
    let ours: Vec<Value> =
        cluster.snapshot.nodes().map(|node| status(node).unwrap_or(Value::Null)).collect();
    Outcome::same(ours, expected.into_iter().cloned().collect())
}

/// What the scheduler says of a selector that cannot be, the API server has said before.
fn refused(pod: &Value, theirs: &Value) -> Outcome {
    let (ours, reasons) = (refusals(pod), theirs["reasons"].as_array());
    let said = |reason: &Value| {
        // Where it stands is told otherwise.
        let text = reason.as_str().unwrap_or("");
        let text = text.find("Invalid value").map_or(text, |at| &text[at..]);
        ours.iter().any(|line| line.contains(text))
    };
    match !ours.is_empty() && reasons.into_iter().flatten().all(said) {
        true => Outcome::Equal,
        false => Outcome::Different(format!("ours {ours:?}, theirs {theirs}")),
    }
}

fn scored(input: &Value, expected: &Value) -> Outcome {
    if expected["wantStatus"]["code"].as_u64().is_some_and(|code| code != SKIP) {
        return refused(&input["pod"], &expected["wantStatus"]);
    }
    let (cluster, pod) = (cluster(&input["nodes"], &input["pods"]), shape(&at_home(&input["pod"])));
    let profile = Profile {
        hard_pod_affinity_weight: input["hardPodAffinityWeight"].as_i64().unwrap_or(1) as i32,
        preferences_of_residents: match input["ignorePreferredTermsOfExistingPods"] == true {
            true => ResidentPreferences::Ignored,
            false => ResidentPreferences::Counted,
        },
        ..Profile::default()
    };
    let question = Question { profile: &profile, snapshot: &cluster.snapshot, pod: &pod };
    let nodes: Vec<&NodeInfo> = cluster.snapshot.nodes().collect();
    let scores = score(question, Plugin::InterPodAffinity, &nodes);
    let line = |(node, score): (&&NodeInfo, i64)| (node.written_name().to_owned(), score);
    let ours: Option<Vec<_>> =
        scores.map(|scores| nodes.iter().zip(scores.normalized).map(line).collect());
    let theirs = expected["expectedList"].as_array().map(|list| {
        let pair = |one: &Value| {
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            (name, one["score"].as_i64().unwrap_or_default())
        };
        list.iter().map(pair).collect::<Vec<_>>()
    });
    match (expected["wantStatus"]["code"].as_u64(), ours) {
        // Asked all the same, a plugin that skips says 0 of every node.
        (Some(SKIP), ours) => Outcome::same(ours, None),
        (_, ours) => Outcome::same(ours, theirs),
    }
}

#[test]
pub fn scheduler_interpod_affinity() {
    let data = include_str!("../data/vectors/scheduler_interpod_affinity.json");
    run("inter-pod affinity", data, |function, _, input, expected| {
        let skips = &expected["wantPreFilterStatus"];
        Some(match function {
            "TestRequiredAffinitySingleNode" => {
                let nodes = json!([input["node"]]);
                filtered(input, &nodes, vec![&expected["wantFilterStatus"]], skips)
            }
            "TestRequiredAffinityMultipleNodes" => {
                let wanted = expected["wantFilterStatuses"].as_array().into_iter().flatten();
                filtered(input, &input["nodes"], wanted.collect(), skips)
            }
            "TestPreferredAffinity" | "TestPreferredAffinityWithHardPodAffinitySymmetricWeight" => {
                scored(input, expected)
            }
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}
