//! Filters on one node (`pkg/scheduler/framework/plugins`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::framework::PreFilter;
use wavetank::control_plane::scheduler::algorithm::plugins::{
    fit, node_affinity, node_name, node_unschedulable, taint_toleration,
};
use wavetank::control_plane::scheduler::algorithm::{Code, PodShape, Rejection};

use super::scheduling::{added_affinity, info, node, pod, refusals, shape};
use super::table::{Outcome, run};

/// The status of what no node can help, as the tables write it.
const UNRESOLVABLE: u64 = 3;

fn code(code: Code) -> u64 {
    match code {
        Code::Unschedulable => 2,
        Code::UnschedulableAndUnresolvable => 3,
    }
}

/// A filter's answer as the tables write it.
fn status(rejection: Option<Rejection>, pod: &PodShape) -> Value {
    rejection.map_or(Value::Null, |rejection| {
        let reasons: Vec<String> =
            rejection.reasons(pod).iter().map(|reason| reason.to_string()).collect();
        json!({"code": code(rejection.code), "reasons": reasons})
    })
}

fn affinity(input: &Value, expected: &Value) -> Outcome {
    let added = added_affinity(&input["args"]);
    let node = json!({"metadata": {"name": input["nodeName"], "labels": input["labels"]}});
    let (pod, node) = (shape(&input["pod"]), info(&without_nulls(node)));
    let rejected = status(node_affinity::filter(&added, &pod, &node), &pod);
    if input["runPreFilter"] == false {
        return Outcome::same(rejected, expected["wantStatus"].clone());
    }
    let (names, refused) = match node_affinity::pre_filter(&pod) {
        PreFilter::All => (Value::Null, Value::Null),
        PreFilter::Only(names, _) => {
            let names: BTreeSet<String> = names.iter().map(|name| name.to_string()).collect();
            (json!({"nodeNames": names}), Value::Null)
        }
        PreFilter::Refused(refusal) => {
            (Value::Null, json!({"code": code(refusal.code), "reasons": [&*refusal.words]}))
        }
    };
    // Skip is not told from "all nodes": both leave every node to be looked at.
    let skipped = expected["wantPreFilterStatus"]["code"] == 5;
    let theirs = if skipped { &Value::Null } else { &expected["wantPreFilterStatus"] };
    Outcome::same(
        (names, refused, rejected),
        (expected["wantPreFilterResult"].clone(), theirs.clone(), expected["wantStatus"].clone()),
    )
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, field| !field.is_null());
        for field in map.values_mut() {
            *field = without_nulls(field.take());
        }
    }
    value
}

fn named(input: &Value) -> PodShape {
    let mut pod = pod(&input["pod"]);
    if let Some(name) = input["pod"]["spec"]["nodeName"].as_str() {
        std::sync::Arc::make_mut(&mut pod.spec).node_name = Some(name.into());
    }
    PodShape::of(&pod)
}

#[test]
pub fn scheduler_filters() {
    let data = include_str!("../data/vectors/scheduler_filters.json");
    run("scheduler filters", data, |function, _, input, expected| {
        let want = expected["wantStatus"].clone();
        Some(match function {
            // Such a pod never gets as far as a node.
            "TestNodeAffinity" if !refusals(&input["pod"]).is_empty() => {
                Outcome::same(expected["wantStatus"]["code"].as_u64(), Some(UNRESOLVABLE))
            }
            "TestNodeAffinity" => affinity(input, expected),
            "TestNodeName" => {
                let pod = named(input);
                Outcome::same(status(node_name::filter(&pod, &info(&input["node"])), &pod), want)
            }
            "TestNodeUnschedulable" => {
                let pod = shape(&input["pod"]);
                let node = info(&input["node"]);
                Outcome::same(status(node_unschedulable::filter(&pod, &node), &pod), want)
            }
            "TestTaintTolerationFilter" => {
                let pod = shape(&input["pod"]);
                let node = info(&input["node"]);
                Outcome::same(status(taint_toleration::filter(&pod, &node), &pod), want)
            }
            "TestIsFit" if input["node"].is_null() => {
                Outcome::Excluded("a node that is not there cannot be written")
            }
            "TestIsFit" => {
                let fits =
                    fit::filter(&Default::default(), &shape(&input["pod"]), &info(&input["node"]))
                        .is_none();
                Outcome::same(fits, expected["expected"] == true)
            }
            "TestDoNotScheduleTaintsFilterFunc" => {
                let node = node(&json!({
                    "metadata": {"name": "n"}, "spec": {"taints": [with_key(&input["taint"])]},
                }));
                let keeps_off = taint_toleration::keeps_off(node.taints[0].effect);
                Outcome::same(keeps_off, expected["expected"] == true)
            }
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}

fn with_key(taint: &Value) -> Value {
    let mut taint = taint.clone();
    taint["key"] = "k".into();
    taint
}
