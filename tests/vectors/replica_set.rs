//! ReplicaSets: victims, slow start, status and its failure condition, availability to come.

use std::sync::Arc;

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::api::meta::{Meta, ObjectName, Owner, Uid};
use wavetank::api::name::Name;
use wavetank::api::object::Object;
use wavetank::api::pod::{Pod, PodTemplate};
use wavetank::api::rules::selector::Selector;
use wavetank::api::status::Status;
use wavetank::api::workload::{ReplicaSet, SetFailure, SetKind, SetStatus};
use wavetank::control_plane::controllers::Settings;
use wavetank::control_plane::controllers::replica_set::{TerminatingPods, next_availability};
use wavetank::messages::{Call, Part};
use wavetank::store::Store;
use wavetank::time::SimDuration;

use super::objects::{self, NOW, int, list, text};
use super::pod_ranking::chosen;
use super::rig::Rig;
use super::suite::{Outcome, run, same};

fn nameless() -> ObjectName {
    ObjectName::of(Kind::Pod, &Meta::new("".into(), Name::new("")))
}

fn replica_set(value: &Value) -> ReplicaSet {
    let spec = &value["spec"];
    let labels = objects::labels(&spec["template"]["metadata"]["labels"]);
    let held = list(&value["status"]["conditions"]).first();
    let failure = held.map(|_| SetFailure {
        reason: "FailedCreate".into(),
        message: "before".into(),
        since: NOW,
    });
    let template = PodTemplate {
        rare: None,
        name: "".into(),
        labels,
        annotations: Arc::default(),
        spec: objects::pod_spec(&Value::Null),
        hash: 1,
    };
    ReplicaSet {
        meta: objects::meta(&value["metadata"]),
        kind: SetKind::ReplicaSet,
        replicas: int(&spec["replicas"]) as i32,
        min_ready_seconds: int(&spec["minReadySeconds"]) as u32,
        selector: Arc::new(Selector::of_labels(&objects::labels(&spec["selector"]["matchLabels"]))),
        template: Arc::new(template),
        // What no sync would count, so that each one writes.
        status: SetStatus { replicas: -1, failure, ..SetStatus::default() },
    }
}

/// The first status that is written for the set, where creations and deletions are answered
/// with `error`.
fn written(kind: SetKind, input: &Value, error: Option<Status>) -> SetStatus {
    let mut store = Store::default();
    let set = ReplicaSet { kind, ..replica_set(&input["replicaset"]) };
    let uid = set.meta.uid;
    let id = store.create(NOW, set);
    let owner = Owner { kind: kind.into(), uid, at: id.into() };
    let pods = list(&input["activePods"]).iter().chain(list(&input["terminatingPods"]));
    for value in pods {
        let mut pod = objects::pod(value);
        pod.meta.owner = Some(owner);
        store.create(NOW, pod);
    }
    let answer = move |call: &Call| match call {
        Call::Create(_) | Call::Delete { .. } => error.clone().map_or(Ok(()), Err),
        _ => Ok(()),
    };
    let mut settings = Settings::default();
    if input["enableDeploymentReplicaSetTerminatingReplicas"] == false {
        settings.sets.terminating = TerminatingPods::LeftOut;
    }
    let mut rig = Rig::new(store, NOW, settings, Box::new(answer));
    rig.run(SimDuration::from_millis(50));
    let status = rig.calls.iter().find_map(|(_, call)| match call {
        Call::Update { object: Object::ReplicaSet(set), part: Part::Status, .. } => Some(set),
        _ => None,
    });
    status.expect("a status is written").status.clone()
}

fn status(title: &str, input: &Value, expected: &Value) -> Outcome {
    let kind = match title.contains("ReplicationController") {
        true => SetKind::ReplicationController,
        false => SetKind::ReplicaSet,
    };
    let (ours, theirs) = (written(kind, input, None), &expected["expectedReplicaSetStatus"]);
    let terminating = theirs["terminatingReplicas"].as_i64();
    let theirs = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"]
        .map(|field| int(&theirs[field]) as i32);
    let counts = [ours.replicas, ours.fully_labeled, ours.ready, ours.available];
    same((counts, ours.terminating.map(i64::from)), (theirs, terminating))
}

/// Whether the set says that it fails, and why. A condition that is there stays as it is.
fn failure(input: &Value, expected: &Value) -> Outcome {
    let error = &input["manageReplicasErr"]["error"];
    let error = error.as_str().map(|text| Status::Forbidden(nameless(), text.into()));
    let ours = written(SetKind::ReplicaSet, input, error).failure.map(|it| it.reason.to_string());
    let theirs = list(&expected["expectedReplicaSetConditions"]).first();
    // The held condition of the table has no reason; ours has one, and keeps it.
    let theirs = theirs.map(|one| one["reason"].as_str().unwrap_or("FailedCreate").to_owned());
    same(ours, theirs)
}

fn slow_start(input: &Value, expected: &Value) -> Outcome {
    let (count, mut left) = (int(&input["count"]) as i32, int(&input["callLimit"]));
    let mut store = Store::default();
    let mut set = replica_set(&Value::Null);
    (set.replicas, set.meta.uid) = (count, Uid(1));
    store.create(NOW, set);
    let answer = move |call: &Call| {
        if !matches!(call, Call::Create(_)) {
            return Ok(());
        }
        left -= 1;
        if left >= 0 { Ok(()) } else { Err(Status::Unavailable) }
    };
    let mut rig = Rig::new(store, NOW, Settings::default(), Box::new(answer));
    // Not as long as the first retry, 5 ms after a failure.
    rig.run(SimDuration::from_millis(6));
    let creations = rig.calls.iter().filter(|(_, call)| matches!(call, Call::Create(_)));
    same(creations.count() as i64, int(&expected["expectedCallCnt"]))
}

fn availability(pods: &[Value], input: &Value, expected: &Value) -> Outcome {
    let pods: Vec<Pod> = pods.iter().map(objects::pod).collect();
    let ours = next_availability(pods.iter(), int(&input["minReadySeconds"]) as u32, NOW);
    let theirs = expected["expected"].as_str();
    let theirs = theirs.map(|text| text.trim_end_matches('s').parse().expect("seconds"));
    same(ours, theirs.map(SimDuration::from_secs))
}

#[test]
pub fn replica_set_tables() {
    let data = include_str!("../data/vectors/replicaset.json");
    let tally = run("replica sets", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestGetPodsToDelete" => chosen(input, expected),
            "TestSlowStartBatch" => slow_start(input, expected),
            "TestCalculateStatus" => status(text(&case["name"]), input, expected),
            "TestCalculateStatusConditions" => failure(input, expected),
            "TestNextPodAvailabilityCheck" => {
                availability(std::slice::from_ref(&input["pod"]), input, expected)
            }
            "TestFindMinNextPodAvailabilitySimpleCheck" => {
                availability(list(&input["pods"]), input, expected)
            }
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 42);
}
