//! The pod garbage collector.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavetank::api::meta::RawId;
use wavetank::api::node::{Node, Tristate};
use wavetank::api::pod::{Pod, StatusReason};
use wavetank::base::Id;
use wavetank::control_plane::controllers::pod_gc::Settings as Collector;
use wavetank::control_plane::controllers::{Settings, ttl};
use wavetank::messages::Call;
use wavetank::messages::request::MetaPatch;
use wavetank::store::Store;
use wavetank::time::{SimDuration, SimTime};

use super::objects::{self, list, text};
use super::rig::{Rig, clients};
use super::suite::{Outcome, run, same};
use super::taint_eviction::{node, taints};

/// The pods of a table, named `a`, `b`, ..; with `deletionTimeStamp` they are being deleted.
fn pod(value: &Value, nodes: &BTreeMap<String, Id<Node>>) -> Pod {
    let whole = match value.get("metadata") {
        Some(_) => value.clone(),
        None => json!({
            "metadata": {"name": value["name"], "namespace": "default"},
            "spec": {"nodeName": value["nodeName"]},
            "status": {"phase": value["phase"]},
        }),
    };
    let mut pod = objects::pod(&whole);
    if value.get("deletionTimeStamp").is_some() {
        let at = SimTime::from_secs(1);
        pod.meta.deletion = Some(wavetank::api::meta::Deletion { at, grace_seconds: 30 });
    }
    let reason = text(&value["reason"]);
    pod.status.reason = (!reason.is_empty())
        .then(|| StatusReason { reason: reason.into(), message: "".into() }.into());
    let name = text(&whole["spec"]["nodeName"]);
    pod.node = match nodes.get(name) {
        Some(&node) => Some(node),
        // A node that never was.
        None => pod.node.map(|_| Id::from_parts(900_000, 0)),
    };
    pod
}

struct Found {
    deleted: Vec<String>,
    marked: Vec<String>,
}

/// What is deleted and what is marked failed first, in `span`.
fn collected(input: &Value, nodes: &[Value], pod_gc: Collector, span: SimDuration) -> Found {
    let mut store = Store::default();
    let mut ids = BTreeMap::new();
    for value in nodes {
        let name = value.get("name").unwrap_or(&value["metadata"]["name"]);
        let mut one = node(text(name), taints(&value["taints"]));
        if value["readyCondition"] == "False" {
            one.conditions.ready = Tristate::False;
        }
        ids.insert(text(name).to_owned(), store.create(SimTime::ZERO, one));
    }
    let mut names: BTreeMap<RawId, String> = BTreeMap::new();
    for value in list(&input["pods"]) {
        let pod = pod(value, &ids);
        let name = pod.meta.name.to_string();
        names.insert(store.create(SimTime::ZERO, pod).into(), name);
    }
    let settings = Settings { pod_gc, ..Settings::default() };
    let mut rig = Rig::new(store, SimTime::from_secs(10), settings, Box::new(|_| Ok(())));
    rig.run(span);
    found(&rig, &names)
}

/// What the collector asked for.
fn found(rig: &Rig, names: &BTreeMap<RawId, String>) -> Found {
    let (mut deleted, mut marked) = (Vec::new(), Vec::new());
    for (_, call) in rig.calls.iter().filter(|(by, _)| *by == clients().pod_garbage) {
        match call {
            Call::Delete { id, .. } => deleted.extend(names.get(id).cloned()),
            Call::Fail { pod, .. } => marked.extend(names.get(&(*pod).into()).cloned()),
            _ => {}
        }
    }
    deleted.sort();
    deleted.dedup();
    Found { deleted, marked }
}

fn compared(mut ours: Found, expected: &Value) -> Outcome {
    ours.marked.sort();
    ours.marked.dedup();
    let names = |field: &str| -> Vec<String> {
        list(&expected[field]).iter().map(|name| text(name).to_owned()).collect()
    };
    let marked = match expected.get("patchedPodNames") {
        Some(_) => names("patchedPodNames"),
        None => ours.marked.clone(),
    };
    same((ours.deleted, ours.marked), (names("deletedPodNames"), marked))
}

fn terminated(input: &Value, expected: &Value) -> Outcome {
    let settings = Collector { most_terminated: input["threshold"].as_u64().unwrap_or(0) as usize };
    compared(collected(input, &[], settings, SimDuration::from_secs(21)), expected)
}

/// A round, the delay, changes at the last moment, and the round that looks again. Those nodes the
/// table has in the client alone are stored, and the manager is not told of them.
fn orphaned(input: &Value, expected: &Value) -> Outcome {
    let second = SimDuration::from_secs(1);
    let (mut store, mut ids) = (Store::default(), BTreeMap::new());
    for value in list(&input["initialInformerNodes"]) {
        let one = node(text(&value["metadata"]["name"]), [].into());
        ids.insert(one.meta.name.to_string(), store.create(SimTime::ZERO, one));
    }
    let settings = Settings::default();
    let mut rig = Rig::new(store, SimTime::from_secs(10), settings, Box::new(|_| Ok(())));
    let later = ["initialClientNodes", "addedClientNodes", "addedInformerNodes"];
    for value in later.iter().flat_map(|field| list(&input[*field])) {
        let one = node(text(&value["metadata"]["name"]), [].into());
        ids.insert(one.meta.name.to_string(), rig.store.create(SimTime::ZERO, one));
    }
    let mut names: BTreeMap<RawId, String> = BTreeMap::new();
    for value in list(&input["pods"]) {
        let pod = pod(value, &ids);
        let name = pod.meta.name.to_string();
        names.insert(rig.create(pod).into(), name);
    }
    let delay: u64 = text(&input["delay"]).trim_end_matches('s').parse().expect("seconds");
    // Rounds are 20 s apart, and the first was 20 s after the start.
    let before_last = (delay - delay % 20).min(40) + 20;
    rig.run(SimDuration::from_secs(before_last) - second);
    for value in list(&expected["deletedClientNodes"]) {
        rig.store.delete(SimTime::from_secs(11), ids[text(&value["metadata"]["name"])]);
    }
    if !list(&input["addedInformerNodes"]).is_empty() {
        rig.tell::<Node>();
    }
    for value in list(&expected["deletedInformerNodes"]) {
        rig.delete(ids[text(&value["metadata"]["name"])]);
    }
    rig.run(second + second);
    compared(found(&rig, &names), expected)
}

/// The table writes every deletion time as none; upstream's has one for the last pod of this case.
fn only_the_last_ends(input: &Value) -> Value {
    let mut input = input.clone();
    let pods = input["pods"].as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
    if let Some((_, others)) = pods.split_last_mut() {
        for pod in others {
            pod.as_object_mut().expect("a pod").remove("deletionTimeStamp");
        }
    }
    input
}

fn terminating(input: &Value, expected: &Value) -> Outcome {
    let of_table = list(&input["nodes"]);
    let named = [json!({"name": "node"})];
    let nodes = if of_table.is_empty() { &named[..] } else { of_table };
    compared(collected(input, nodes, Collector::default(), SimDuration::from_secs(21)), expected)
}

fn desired_ttl(input: &Value, expected: &Value) -> Outcome {
    let number = |field: &str| input[field].as_u64().unwrap_or(0) as usize;
    let mut size = ttl::Size::new(number("nodeCount"), number("boundaryStep"));
    if input["addNode"] == true {
        size.grow();
    }
    if input["deleteNode"] == true {
        size.shrink();
    }
    same(u64::from(size.ttl_seconds()), expected["expectedTTL"].as_u64().unwrap_or(0))
}

/// One node among as many as ask for the annotation, which all others have.
fn patched_ttl(input: &Value, expected: &Value) -> Outcome {
    let wanted = input["desiredTTL"].as_u64();
    let sizes = [1, 101, 501, 1_001, 2_001].map(ttl::Size::grown_to);
    let sizes = sizes.into_iter().zip([1, 101, 501, 1_001, 2_001]);
    let size = sizes.into_iter().find(|(size, _)| Some(size.ttl_seconds().into()) == wanted);
    let Some((size, count)) = size else {
        return Outcome::Different("no size asks for it".to_owned());
    };
    let mut store = Store::default();
    let mut one = node("name", [].into());
    one.meta = objects::meta(&input["node"]["metadata"]);
    store.create(SimTime::ZERO, one);
    for at in 1..count {
        let mut other = node(&format!("n{at}"), [].into());
        size.tell(&mut other.meta);
        store.create(SimTime::ZERO, other);
    }
    let mut rig = Rig::new(store, SimTime::ZERO, Settings::default(), Box::new(|_| Ok(())));
    rig.run(SimDuration::from_secs(1));
    let theirs = rig.calls.iter().filter(|(by, _)| *by == clients().node_ttl);
    let patches = theirs.map(|(_, call)| match call {
        Call::Patch { patch: MetaPatch::Annotate(one), .. } => {
            json!({"metadata": {"annotations": {(&*one.0): &*one.1}}}).to_string()
        }
        other => format!("{other:?}"),
    });
    same(patches.collect::<String>(), text(&expected["patch"]).to_owned())
}

#[test]
pub fn ttl_podgc() {
    let data = include_str!("../data/vectors/ttl_podgc.json");
    let tally = run("pod garbage collection", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestGCTerminated" => terminated(input, expected),
            "TestGCOrphaned" => orphaned(input, expected),
            "TestGCUnscheduledTerminating" if list(&expected["deletedPodNames"]).is_empty() => {
                terminating(&only_the_last_ends(input), expected)
            }
            "TestGCTerminating" | "TestGCUnscheduledTerminating" => terminating(input, expected),
            "TestDesiredTTL" => desired_ttl(input, expected),
            "TestUpdateNodeIfNeeded" => patched_ttl(input, expected),
            "TestTimeLeft" => super::job_rules::time_left(input, expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 48);
}
