//! The NoExecute taint manager: how long pods bear taints, and which are evicted when.

use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::kind::Kind;
use wavetank::api::meta::Meta;
use wavetank::api::name::Name;
use wavetank::api::node::{Node, NodeConditions, Schedulability, Tristate};
use wavetank::api::pod::Pod;
use wavetank::api::rules::taints::{Effect, Taint};
use wavetank::base::Id;
use wavetank::control_plane::controllers::Settings;
use wavetank::control_plane::controllers::taint_eviction::{Tolerance, tolerance};
use wavetank::messages::Call;
use wavetank::store::Store;
use wavetank::time::{SimDuration, SimTime};

use super::objects::{self, int, list, text};
use super::rig::{Rig, clients};
use super::suite::{Outcome, run, same};

/// A node's NoExecute taints.
pub fn taints(value: &Value) -> Arc<[Taint]> {
    let taint = |one: &Value| Taint::new(text(&one["key"]), text(&one["value"]), Effect::NoExecute);
    list(value).iter().map(taint).collect()
}

/// A ready node with these taints.
pub fn node(name: &str, taints: Arc<[Taint]>) -> Node {
    Node {
        meta: Meta::new("".into(), Name::new(name)),
        schedulability: Schedulability::Open,
        taints,
        capacity: Arc::default(),
        allocatable: Arc::default(),
        conditions: NodeConditions { ready: Tristate::True, ..NodeConditions::default() },
        images: Arc::from([]),
        address: std::net::Ipv4Addr::LOCALHOST,
    }
}

/// A pod on `of` if its spec names a node.
fn pod(value: &Value, of: Id<Node>) -> Pod {
    let mut pod = objects::pod(value);
    pod.node = pod.node.map(|_| of);
    pod
}

/// Whether any pod's condition was written, and whether any was deleted.
fn asked(rig: &Rig) -> (bool, bool) {
    let is_patch = |call: &Call| matches!(call, Call::Disrupt { .. });
    let is_delete = |call: &Call| matches!(call, Call::Delete { kind: Kind::Pod, .. });
    let calls = || rig.calls.iter().filter(|(by, _)| *by == clients().taints);
    (calls().any(|(_, call)| is_patch(call)), calls().any(|(_, call)| is_delete(call)))
}

fn compared(rig: &Rig, expected: &Value) -> Outcome {
    same(asked(rig), (expected["expectPatch"] == true, expected["expectDelete"] == true))
}

fn minimum(input: &Value, expected: &Value) -> Outcome {
    // One taint for each toleration that was used; with none used, one that nobody bears.
    let keyed = |(at, one): (usize, &Value)| {
        let mut one = one.clone();
        (one["key"], one["operator"]) = (json!(format!("k{at}")), json!("Exists"));
        one
    };
    let used: Vec<Value> = list(&input["tolerations"]).iter().enumerate().map(keyed).collect();
    let spec = objects::pod_spec(&json!({"tolerations": used}));
    let keys = (0..used.len().max(1)).map(|at| json!({"key": format!("k{at}")}));
    let ours = match tolerance(&taints(&keys.collect()), &spec.tolerations) {
        Tolerance::None => "0s".to_owned(),
        Tolerance::Forever => "-1ns".to_owned(),
        Tolerance::For(span) => format!("{}s", span.as_nanos() / 1_000_000_000),
    };
    same(ours, text(&expected["expected"]).to_owned())
}

/// Pods and a node that are there, then the pod and the node that come.
fn story(input: &Value, expected: &Value) -> Outcome {
    let mut store = Store::default();
    let named = &input["taintedNodes"]["node1"];
    let before = input.get("oldNode").or(input.get("node"));
    let held = before.map_or_else(|| taints(named), |node| taints(&node["spec"]["taints"]));
    let of = store.create(SimTime::ZERO, node("node1", held));
    for one in list(&input["pods"]) {
        store.create(SimTime::ZERO, pod(one, of));
    }
    let prev = input.get("prevPod").filter(|it| it.is_object());
    let prev = prev.map(|it| store.create(SimTime::ZERO, pod(it, of)));
    let start = SimTime::from_secs(10);
    let mut rig = Rig::new(store, start, Settings::default(), Box::new(|_| Ok(())));
    let settled = SimDuration::from_millis(100);
    rig.run(settled);
    if let Some(next) = input.get("newNode") {
        rig.update(of, node("node1", taints(&next["spec"]["taints"])));
        rig.run(settled);
    }
    if let Some(next) = input.get("newPod").or(input.get("pod")) {
        match prev {
            Some(id) => rig.update(id, pod(next, of)),
            None => drop(rig.create(pod(next, of))),
        }
        rig.run(settled);
    }
    if input["awaitForScheduledEviction"] == true || input.get("additionalSleep").is_some() {
        rig.run(SimDuration::from_secs(2));
    }
    compared(&rig, expected)
}

#[test]
pub fn taint_eviction() {
    let data = include_str!("../data/vectors/taint_eviction.json");
    let tally = run("taint eviction", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestGetMinTolerationTime" => minimum(input, expected),
            "TestCreatePod"
            | "TestUpdatePod"
            | "TestCreateNode"
            | "TestUpdateNode"
            | "TestEventualConsistency" => story(input, expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!((tally.equal, int(&json!(tally.excluded.len()))), (27, 0));
}
