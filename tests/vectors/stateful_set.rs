//! StatefulSets: how many pods may be unavailable, how many come and go at once, who owns claims.

use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::compact::{Compactor, imported_uid};
use wavetank::api::kind::Kind;
use wavetank::api::meta::{Labels, Meta, Owner, RawId, Uid};
use wavetank::api::name::Name;
use wavetank::api::node::Tristate;
use wavetank::api::object::Object;
use wavetank::api::pod::{Condition, Phase, Pod, PodCondition, PodStatus};
use wavetank::api::stateful_set::StatefulSet;
use wavetank::base::Id;
use wavetank::control_plane::controllers::history::REVISION_HASH;
use wavetank::control_plane::controllers::stateful_set::claims::{
    Keeper, is_anothers, is_owned_loosely, keeper, owner,
};
use wavetank::control_plane::controllers::stateful_set::identity;
use wavetank::control_plane::controllers::stateful_set::plan::{
    Claims, MaxUnavailable, Member, Plan, Scene, max_unavailable, plan, unavailable,
};

use super::objects::{self, NOW, int, list, text};
use super::suite::{Outcome, run, same};

fn set(spec: &Value) -> StatefulSet {
    let written = serde_json::from_value(json!({
        "metadata": {"name": "set", "namespace": "default"}, "spec": spec}))
    .expect("a StatefulSet");
    match Compactor::new().stateful_set(written).object {
        Object::StatefulSet(set) => *set,
        other => panic!("a StatefulSet became a {}", other.kind()),
    }
}

fn pod(set: &StatefulSet, ordinal: i32, is_ready: bool) -> Pod {
    let name = identity::pod_name(set, ordinal);
    let mut meta = Meta::new("default".into(), Name::new(name.as_str()));
    meta.labels = identity::labels(&Labels::new(), &name, ordinal, "set-1");
    let mut status = PodStatus { phase: Phase::Running, ..PodStatus::default() };
    let ready = Condition { value: Some(Tristate::of(is_ready)), since_seconds: 1 };
    status.conditions[PodCondition::Ready as usize] = ready;
    Pod { meta, spec: Arc::default(), node: None, status }
}

/// What a sync of a set of so many pods does, and how many of them are unavailable.
fn planned(set: &StatefulSet, pods: i32, unready: i32) -> (Plan, i32) {
    let pods: Vec<Pod> = (0..pods).map(|at| pod(set, at, at >= unready)).collect();
    let members = (0..).zip(&pods).map(|(ordinal, pod)| {
        let id = Id::from_parts(ordinal as u32, 0);
        Member { id, pod, ordinal }
    });
    let scene = Scene {
        set,
        members: members.collect(),
        current: "set-1",
        update: "set-1",
        max_unavailable: MaxUnavailable::Counts,
        claims: &|_| Claims::AsWanted,
        now: NOW,
    };
    (plan(&scene), unavailable(&scene))
}

fn parallel(input: &Value, expected: &Value) -> Outcome {
    let desired = &input["desiredReplicas"];
    let set = set(&json!({"replicas": desired, "podManagementPolicy": "Parallel"}));
    let (plan, _) = planned(&set, int(&input["replicas"]) as i32, 0);
    let most = plan.batches.iter().map(Vec::len).max().unwrap_or(0) as i64;
    let least = int(&expected["expectedMinParallelRequests"]);
    if most >= least {
        return Outcome::Equal;
    }
    Outcome::Different(format!("{most} at once, at least {least} were asked for"))
}

fn metrics(input: &Value, expected: &Value) -> Outcome {
    let strategy = match &input["updateStrategy"] {
        kind if kind == "RollingUpdate" => {
            json!({"type": kind, "rollingUpdate": {"maxUnavailable": input["maxUnavailable"]}})
        }
        kind => json!({"type": kind}),
    };
    let set = set(&json!({"replicas": input["totalPods"], "updateStrategy": strategy,
        "podManagementPolicy": input["podManagementPolicy"]}));
    let unready = int(&input["unavailablePodCount"]) as i32;
    let (_, unavailable) = planned(&set, set.replicas, unready);
    same(
        (i64::from(max_unavailable(set.update, set.replicas)), i64::from(unavailable)),
        (
            int(&expected["expectedMaxUnavailableValue"]),
            int(&expected["expectedUnavailableReplicasValue"]),
        ),
    )
}

fn policy(input: &Value, replicas: &Value) -> StatefulSet {
    let kept =
        json!({"whenScaled": input["scaleDownPolicy"], "whenDeleted": input["setDeletePolicy"]});
    set(&json!({"replicas": replicas, "persistentVolumeClaimRetentionPolicy": kept}))
}

fn needs(expected: &Value) -> Keeper {
    match (expected["needsPodRef"] == true, expected["needsSetRef"] == true) {
        (true, false) => Keeper::Pod,
        (false, true) => Keeper::Set,
        _ => Keeper::Nobody,
    }
}

fn owner_of(kind: Kind, uid: &str) -> Owner {
    let at = RawId { slot: 0, generation: 0 };
    Owner { kind, uid: objects::uid(&json!(uid)), at }
}

/// Who owns the claim of an ordinal once a sync is through.
fn updated(input: &Value, expected: &Value) -> Outcome {
    let set = policy(input, &json!(2));
    let ordinal = if input["condemned"] == true { 5 } else { 0 };
    let (us, pod) = (owner_of(Kind::StatefulSet, "set-uid"), owner_of(Kind::Pod, "pod-uid"));
    let another = owner_of(Kind::Other, "other-uid");
    let held = (input["unexpectedController"] == true).then_some(another);
    let next = owner(held, keeper(&set, ordinal), (us, Some(pod)));
    let is = |owner: Owner| next.is_some_and(|next| next.uid == owner.uid);
    same((is(pod), is(us)), (expected["needsPodRef"] == true, expected["needsSetRef"] == true))
}

fn unexpected(input: &Value, expected: &Value) -> Outcome {
    let (set, pod) = (objects::uid(&json!("set-uid")), objects::uid(&json!("pod-uid")));
    let controllers = list(&input["refs"]).iter().filter(|one| one["controller"] == true);
    let owners = controllers.map(|one| Some(owner_of(Kind::Other, text(&one["uid"]))));
    let mut owners = owners.collect::<Vec<_>>();
    owners.push(None);
    let ours = owners.into_iter().any(|owner| is_anothers(owner, set, pod));
    same(ours, expected["shouldReportUnexpectedController"] == true)
}

fn loose(input: &Value, expected: &Value) -> Outcome {
    let written = serde_json::from_value(json!({
        "metadata": {"name": "claim", "namespace": "default", "ownerReferences": input["refs"]}}))
    .expect("a claim");
    let claim = Compactor::new().persistent_volume_claim(written).object;
    let uid = |of: &str| imported_uid(text(&input[of]));
    same(
        is_owned_loosely(claim.meta(), uid("setUID"), uid("podUID")),
        expected["nonController"] == true,
    )
}

#[test]
pub fn statefulset_json() {
    let tally = run(
        "statefulset.json",
        include_str!("../data/vectors/statefulset.json"),
        |function, case| {
            let (input, expected) = (&case["input"], &case["expected"]);
            match function {
                "TestGetStatefulSetMaxUnavailable" => {
                    let rolling = json!({"maxUnavailable": input["maxUnavailable"]});
                    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
                    let set = set(&json!({"updateStrategy": strategy}));
                    let ours = max_unavailable(set.update, int(&input["replicaCount"]) as i32);
                    same(i64::from(ours), int(&expected["expectedMaxUnavailable"]))
                }
                "TestParallelScale" => parallel(input, expected),
                "TestStatefulSetMetrics" => metrics(input, expected),
                "TestIsClaimOwnerUpToDate" => {
                    let set = policy(input, &input["replicas"]);
                    same(keeper(&set, int(&input["ordinal"]) as i32), needs(expected))
                }
                "TestUpdateClaimOwnerRefForSetAndPod" => updated(input, expected),
                "TestHasUnexpectedController" => unexpected(input, expected),
                "TestNonController" => loose(input, expected),
                other => Outcome::Different(format!("{other} is not known here")),
            }
        },
    );
    assert_eq!(tally.equal, 60);
}

/// A twin that must fail: pods one by one are never two at once.
#[test]
pub fn pods_in_order_come_one_at_a_time() {
    let set = set(&json!({"replicas": 30}));
    let (plan, _) = planned(&set, 3, 0);
    assert_eq!(plan.batches.len(), 1);
    assert_eq!(plan.batches[0].len(), 1);
    let other = pod(&set, 0, true);
    assert_eq!(other.meta.labels[REVISION_HASH].as_ref(), "set-1");
    assert_eq!(other.meta.uid, Uid(0));
}
