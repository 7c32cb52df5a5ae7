//! Deployment arithmetic, rolling updates, proportional scaling, history and progress.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wavetank::api::decode::Typed;
use wavetank::api::meta::{Deletion, Meta};
use wavetank::api::name::{Name, Text};
use wavetank::api::pod::{PodSpec, PodTemplate};
use wavetank::api::rules::selector::Selector;
use wavetank::api::validation::object::prepare_create;
use wavetank::api::workload::{
    Deployment, DeploymentStatus, IntOrPercent, ReplicaSet, Rollout, SetKind, SetStatus, Strategy,
    WorkloadCondition,
};
use wavetank::base::Id;
use wavetank::control_plane::controllers::deployment::annotations::{
    self, Change, DESIRED_REPLICAS, MAX_REPLICAS,
};
use wavetank::control_plane::controllers::deployment::arithmetic;
use wavetank::control_plane::controllers::deployment::plan::{
    Held, Planner, Sets, Step, old_pods_run,
};
use wavetank::control_plane::controllers::deployment::status;
use wavetank::time::SimTime;

use super::objects;
use super::table::{Outcome, run};

/// The instant the tables call now.
const NOW: SimTime = SimTime::from_secs(2_000_000_000);

/// A template that differs from another only by its mark.
fn template(mark: &str) -> Arc<PodTemplate> {
    let spec = PodSpec { grace_seconds: 30, written: mark.into(), ..PodSpec::default() };
    let (labels, annotations) = Default::default();
    Arc::new(PodTemplate {
        name: "".into(),
        labels,
        annotations,
        spec: Arc::new(spec),
        rare: None,
        hash: 0,
    })
}

fn int(value: &Value) -> i32 {
    value.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or(0)
}

fn amount(value: &Value) -> IntOrPercent {
    match value.as_str() {
        Some(text) => {
            let number = text.trim_end_matches('%').parse().expect("percent");
            IntOrPercent::Percent(number)
        }
        None => IntOrPercent::Int(int(value)),
    }
}

fn instant(value: &Value) -> SimTime {
    let Some(text) = value.as_str() else { return SimTime::ZERO };
    if let Some(ago) = text.strip_prefix("now-") {
        let seconds: u64 = ago.trim_end_matches('s').parse().expect("seconds");
        return SimTime::from_secs(NOW.as_secs() - seconds);
    }
    if let Some(later) = text.strip_prefix("now") {
        let later = later.trim_start_matches('+').trim_end_matches('s');
        return SimTime::from_secs(NOW.as_secs() + later.parse::<u64>().unwrap_or(0));
    }
    let at: jiff::Timestamp = text.parse().expect("an RFC 3339 time");
    SimTime::from_secs(at.as_second() as u64)
}

fn meta(value: &Value) -> Meta {
    let text = |field: &str| Text::from(value[field].as_str().unwrap_or(""));
    let mut meta = Meta::new(text("namespace"), Name::new(text("name")));
    meta.created = instant(&value["creationTimestamp"]);
    if value["deletionTimestamp"].is_string() {
        let at = instant(&value["deletionTimestamp"]);
        meta.deletion = Some(Deletion { at, grace_seconds: 0 });
    }
    for (key, value) in value["annotations"].as_object().into_iter().flatten() {
        meta.annotate(key, value.as_str().unwrap_or(""));
    }
    meta
}

fn strategy(kind: &Value, surge: &Value, unavailable: &Value) -> Strategy {
    if kind == "Recreate" {
        return Strategy::Recreate;
    }
    Strategy::RollingUpdate { max_surge: amount(surge), max_unavailable: amount(unavailable) }
}

fn condition(value: &Value) -> WorkloadCondition {
    let reason = match value["reason"].as_str().unwrap_or("") {
        "ReplicaSetUpdated" => status::SET_UPDATED,
        "NewReplicaSetAvailable" => status::NEW_SET_AVAILABLE,
        "ProgressDeadlineExceeded" => status::TIMED_OUT,
        other => panic!("a reason no table had: {other}"),
    };
    let (updated, transition) =
        (instant(&value["lastUpdateTime"]), instant(&value["lastTransitionTime"]));
    let value = match value["status"].as_str() {
        Some("True") => Some(true),
        Some("False") => Some(false),
        _ => None,
    };
    WorkloadCondition { value, reason, message: "".into(), updated, transition }
}

fn deployment(value: &Value) -> Deployment {
    let (spec, held) = (&value["spec"], &value["status"]);
    let rolling = &spec["strategy"]["rollingUpdate"];
    let conditions = held["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let progressing = conditions.iter().find(|one| one["type"] == "Progressing");
    Deployment {
        meta: meta(&value["metadata"]),
        replicas: int(&spec["replicas"]),
        selector: Arc::new(Selector::default()),
        template: template("new"),
        strategy: strategy(
            &spec["strategy"]["type"],
            &rolling["maxSurge"],
            &rolling["maxUnavailable"],
        ),
        min_ready_seconds: 0,
        revision_history_limit: 10,
        progress_deadline_seconds: match spec["progressDeadlineSeconds"].as_i64() {
            Some(seconds) => seconds as i32,
            None => i32::MAX,
        },
        rollout: Rollout::Active,
        status: DeploymentStatus {
            replicas: int(&held["replicas"]),
            updated: int(&held["updatedReplicas"]),
            ready: int(&held["readyReplicas"]),
            available: int(&held["availableReplicas"]),
            progressing: progressing.map(condition),
            ..DeploymentStatus::default()
        },
    }
}

/// A Deployment of so many replicas with a rolling update.
fn plain(replicas: &Value, surge: &Value, unavailable: &Value) -> Deployment {
    let mut d = deployment(&Value::Null);
    d.replicas = int(replicas);
    d.strategy = strategy(&Value::Null, surge, unavailable);
    d
}

fn set(value: &Value, mark: &str) -> ReplicaSet {
    let (spec, held) = (&value["spec"], &value["status"]);
    let mut meta = meta(&value["metadata"]);
    meta.generation = 0;
    ReplicaSet {
        meta,
        kind: SetKind::ReplicaSet,
        replicas: int(&spec["replicas"]),
        min_ready_seconds: 0,
        selector: Arc::new(Selector::default()),
        template: template(mark),
        status: SetStatus {
            replicas: int(&held["replicas"]),
            ready: int(&held["readyReplicas"]),
            available: int(&held["availableReplicas"]),
            terminating: held["terminatingReplicas"].as_i64().map(|it| it as i32),
            observed_generation: int(&held["observedGeneration"]) as u32,
            ..SetStatus::default()
        },
    }
}

fn held(set: ReplicaSet, slot: u32) -> Held {
    Held { id: Some(Id::from_parts(slot, 0)), set, running: 0 }
}

/// A set of so many replicas, of which so many are available.
fn sized(mark: &str, replicas: &Value, available: &Value, slot: u32) -> Held {
    let mut one = set(&Value::Null, mark);
    one.replicas = int(replicas);
    one.status.available = int(available);
    held(one, slot)
}

fn planner(d: &Deployment) -> Planner {
    Planner::new(Id::from_parts(0, 0), d, NOW)
}

/// The sizes a plan gives to sets, by slot.
fn resized(planner: Planner) -> Vec<(u32, i32)> {
    let steps = planner.finish().steps.into_iter();
    steps
        .filter_map(|step| match step {
            Step::Update(Some(id), set, ..) => Some((id.slot() as u32, set.replicas)),
            _ => None,
        })
        .collect()
}

#[test]
pub fn rolling_steps_are_kubernetes_own() {
    let data = include_str!("../data/vectors/deployment_rolling.json");
    run("deployment_rolling", data, |function, _, input, expected| {
        let none = &Value::Null;
        let d = plain(&input["deploymentReplicas"], &input["maxSurge"], &input["maxUnavailable"]);
        let mut planner = planner(&d);
        let size = |planner: Planner| resized(planner).last().map_or(0, |last| last.1);
        let ours = match function.trim_start_matches("TestDeploymentController_") {
            "reconcileNewReplicaSet" => {
                let new = Some(sized("new", &input["newReplicas"], none, 1));
                let old = vec![sized("old", &input["oldReplicas"], none, 0)];
                let scaled = planner.reconcile_new(&Sets { new, old });
                (scaled == Change::Made, size(planner), int(&expected["expectedNewReplicas"]))
            }
            "reconcileOldReplicaSets" => {
                let ready = &input["readyPodsFromNewRS"];
                let new = Some(sized("new", &input["newReplicas"], ready, 1));
                let ready = &input["readyPodsFromOldRS"];
                let old = vec![sized("old", &input["oldReplicas"], ready, 0)];
                let scaled = planner.reconcile_old(&Sets { new, old });
                (scaled == Change::Made, size(planner), int(&expected["expectedOldReplicas"]))
            }
            "cleanupUnhealthyReplicas" => {
                let mut active = [sized("old", &input["oldReplicas"], &input["readyPods"], 0)];
                let most = int(&input["maxCleanupCount"]);
                let cleaned = planner.clean_up_unhealthy(&mut active, most).unwrap_or(0);
                return Some(Outcome::same(cleaned, int(&expected["cleanupCountExpected"])));
            }
            "scaleDownOldReplicaSetsForRollingUpdate" => {
                let mut active = [sized("old", &input["oldReplicas"], &input["readyPods"], 0)];
                let down = planner.scale_down_old(&mut active, 0);
                (down > 0, size(planner), int(&expected["expectedOldReplicas"]))
            }
            _ => return None,
        };
        let (scaled, size, wanted) = ours;
        let is_expected = expected["scaleExpected"] == true;
        Some(Outcome::same((scaled, size), (is_expected, wanted)))
    });
}

#[test]
pub fn scaling_is_in_kubernetes_own_proportion() {
    let data = include_str!("../data/vectors/deployment_scale_proportional.json");
    run("deployment_scale_proportional", data, |_, _, input, expected| {
        let d = deployment(&input["deployment"]);
        let before = deployment(&input["oldDeployment"]);
        let override_of = &input["desiredReplicasAnnotations"];
        let noted = |value: &Value, mark: &str, slot: u32| {
            let mut one = set(value, mark);
            let name = one.meta.name.to_string();
            let desired = override_of[&name].as_i64().unwrap_or(i64::from(before.replicas));
            let most = desired + i64::from(arithmetic::max_surge(&before));
            one.meta.annotate(DESIRED_REPLICAS, &desired.to_string());
            one.meta.annotate(MAX_REPLICAS, &most.to_string());
            held(one, slot)
        };
        let old = input["oldRSs"].as_array().into_iter().flatten();
        let old: Vec<Held> = (1..).zip(old).map(|(slot, one)| noted(one, "old", slot)).collect();
        let new = input["newRS"].as_object().map(|_| noted(&input["newRS"], "new", 0));
        let sets = Sets { new, old };
        let mut planner = planner(&d);
        planner.scale(&sets);
        let changes = resized(planner);
        let after = |slot: u32, before: i32| {
            changes.iter().find(|one| one.0 == slot).map_or(before, |one| one.1)
        };
        let mut ours: Vec<i32> =
            sets.old.iter().zip(1..).map(|(one, slot)| after(slot, one.set.replicas)).collect();
        ours.extend(sets.new.iter().map(|one| after(0, one.set.replicas)));
        let wanted = expected["expectedOld"].as_array().into_iter().flatten();
        let mut wanted: Vec<i32> = wanted.map(|one| int(&one["spec"]["replicas"])).collect();
        if sets.new.is_some() {
            wanted.push(int(&expected["expectedNew"]["spec"]["replicas"]));
        }
        Some(Outcome::same(ours, wanted))
    });
}

/// Whether a Deployment with these amounts is refused where manifests are read.
fn refused(surge: &Value, unavailable: &Value) -> bool {
    let labels = serde_json::json!({"app": "a"});
    let written = serde_json::json!({
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": surge, "maxUnavailable": unavailable}},
            "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [{"name": "c", "image": "c"}]}},
        },
    });
    let mut typed = Typed::Deployment(serde_json::from_value(written).expect("a Deployment"));
    let errors = prepare_create(&mut typed);
    errors.list().iter().any(|error| error.path.starts_with("spec.strategy.rollingUpdate"))
}

#[test]
pub fn arithmetic_is_kubernetes_own() {
    let data = include_str!("../data/vectors/deployment_util.json");
    run("deployment_util", data, |function, _, input, expected| {
        let wanted = int(&expected["expected"]);
        Some(match function {
            "TestResolveFenceposts" => {
                let (surge, unavailable) = (&input["maxSurge"], &input["maxUnavailable"]);
                let is_amount = |value: &Value| {
                    value.as_str().is_none_or(|text| {
                        text.strip_suffix('%').is_some_and(|number| number.parse::<i32>().is_ok())
                    })
                };
                if !is_amount(surge) || !is_amount(unavailable) {
                    let is_refused = refused(surge, unavailable);
                    return Some(Outcome::same(is_refused, expected["expectError"] == true));
                }
                let (surge, unavailable) = (amount(surge), amount(unavailable));
                let desired = int(&input["desired"]);
                let ours = arithmetic::fenceposts(surge, unavailable, desired);
                let theirs = (int(&expected["expectSurge"]), int(&expected["expectUnavailable"]));
                Outcome::same(ours, theirs)
            }
            "TestNewRSNewReplicas" => {
                let mut d = plain(&input["depReplicas"], &input["maxSurge"], &Value::from(1));
                if input["strategyType"] == "Recreate" {
                    d.strategy = Strategy::Recreate;
                }
                let new = int(&input["newRSReplicas"]);
                Outcome::same(arithmetic::new_set_size(&d, new, new), wanted)
            }
            "TestMaxUnavailable" => {
                let d = deployment(&input["deployment"]);
                Outcome::same(arithmetic::max_unavailable(&d), wanted)
            }
            "TestMinAvailable" => {
                let d = deployment(&input["deployment"]);
                Outcome::same(arithmetic::min_available(&d), wanted)
            }
            "TestDeploymentComplete" => {
                let d = deployment(&input["d"]);
                let ours = arithmetic::is_complete(
                    &Deployment { meta: zeroed(&d.meta), ..d.clone() },
                    &d.status,
                );
                Outcome::same(ours, expected["expected"] == true)
            }
            "TestDeploymentProgressing" => {
                let d = deployment(&input["d"]);
                let mut new = Value::Object(Default::default());
                new["status"] = input["newStatus"].clone();
                let new = deployment(&new);
                let ours = arithmetic::is_progressing(&d.status, &new.status);
                Outcome::same(ours, expected["expected"] == true)
            }
            "TestGetReplicaSetFraction" => {
                let surge = &input["deploymentMaxSurge"];
                let mut d = plain(&input["deploymentReplicas"], surge, &Value::from(1));
                d.status.replicas = int(&input["deploymentStatusReplicas"]);
                let mut one = set(&Value::Null, "old");
                one.replicas = int(&input["rsReplicas"]);
                for (key, value) in input["rsAnnotations"].as_object().into_iter().flatten() {
                    one.meta.annotate(key, value.as_str().unwrap_or(""));
                }
                let ours = arithmetic::fraction(&one, &d);
                Outcome::same(ours, int(&expected["expectedFraction"]))
            }
            _ => about_sets(function, input, expected),
        })
    });
}

/// What Deployments read from their sets, and write on them.
fn about_sets(function: &str, input: &Value, expected: &Value) -> Outcome {
    match function {
        "TestGetNonNegativeInt32FromAnnotation" => {
            let ours = annotations::non_negative(&meta(input), "test");
            let theirs = int(&expected["expectedValue"]);
            Outcome::same(ours, (expected["expectedValid"] == true).then_some(theirs))
        }
        "TestReplicasAnnotationsNeedUpdate" => {
            // The table's own test asks of 10 replicas and at most 20.
            let d = plain(&Value::from(10), &Value::from(10), &Value::from(0));
            let ours = annotations::size_differs(&d, &set(&input["replicaSet"], "new"));
            Outcome::same(ours, expected["expected"] == true)
        }
        "TestEqualIgnoreHash" => {
            let ours =
                arithmetic::same_template(&written(&input["former"]), &written(&input["latter"]));
            Outcome::same(ours, expected["expected"] == true)
        }
        "TestFindNewReplicaSet" | "TestFindOldReplicaSets" => told_apart(function, input, expected),
        "TestGetReplicaCountForReplicaSets" => counted(input, expected),
        "TestSetCondition" => conditions(input, expected),
        "TestRemoveCondition" => removed(input, expected),
        _ => Outcome::Different("no answer to this function".to_owned()),
    }
}

/// A template as it is written.
fn written(value: &Value) -> Arc<PodTemplate> {
    let mut one = PodTemplate::clone(&template(&value["spec"].to_string()));
    one.name = objects::text(&value["metadata"]["name"]).into();
    one.labels = objects::labels(&value["metadata"]["labels"]);
    one.annotations = objects::labels(&value["metadata"]["annotations"]);
    Arc::new(one)
}

/// The set of the Deployment's template and the others; of the others also those that have pods.
fn told_apart(function: &str, input: &Value, expected: &Value) -> Outcome {
    let mut d = deployment(&input["deployment"]);
    d.template = written(&input["deployment"]["spec"]["template"]);
    let read = |value: &Value| {
        let mut one = set(value, "");
        one.template = written(&value["spec"]["template"]);
        one
    };
    let all = (0..).zip(objects::list(&input["rsList"]));
    let sets = planner(&d).tell_apart(all.map(|(slot, one)| held(read(one), slot)).collect());
    let name = |one: &Held| one.set.meta.name.to_string();
    let named = |value: &Value| objects::text(&value["metadata"]["name"]).to_owned();
    if function == "TestFindNewReplicaSet" {
        let theirs = &expected["expected"];
        return Outcome::same(
            sets.new.as_ref().map(name),
            theirs.is_object().then(|| named(theirs)),
        );
    }
    let names = |value: &Value| -> Vec<String> { objects::list(value).iter().map(named).collect() };
    let with_pods = sets.old.iter().filter(|one| one.set.replicas != 0).map(name).collect();
    let ours: [Vec<String>; 2] = [sets.old.iter().map(name).collect(), with_pods];
    Outcome::same(ours, ["expected", "expectedRequire"].map(|field| names(&expected[field])))
}

/// What the sets want and have together.
fn counted(input: &Value, expected: &Value) -> Outcome {
    let all = objects::list(&input["sets"]);
    let sets: Vec<ReplicaSet> = all.iter().map(|one| set(one, "old")).collect();
    let d = deployment(&Value::Null);
    let status = status::calculate(&d, sets.iter(), None, NOW);
    let wanted: i32 = sets.iter().map(|one| one.replicas).sum();
    let terminating = expected["expectedTerminating"].as_i64();
    let theirs = ["expectedCount", "expectedActual"].map(|field| int(&expected[field]));
    let ours = ([wanted, status.replicas], status.terminating.map(i64::from));
    Outcome::same(ours, (theirs, terminating))
}

/// A condition is set where it was, or beside the other.
fn conditions(input: &Value, expected: &Value) -> Outcome {
    let read = |value: &Value| {
        let reasons = ["AwesomeController", "ForSomeReason", "BecauseItIs"];
        let reason = reasons.into_iter().find(|known| value["reason"] == *known).expect("a reason");
        status::condition(Some(value["status"] == "True"), reason, "", NOW)
    };
    let all = |value: &Value| -> BTreeMap<String, WorkloadCondition> {
        let all = objects::list(&value["conditions"]).iter();
        all.map(|one| (objects::text(&one["type"]).to_owned(), read(one))).collect()
    };
    let (mut ours, next) = (all(&input["status"]), &input["cond"]);
    let kind = objects::text(&next["type"]).to_owned();
    let mut place = ours.remove(&kind);
    status::set_condition(&mut place, read(next));
    ours.extend(place.map(|one| (kind, one)));
    Outcome::same(ours, all(&expected["expectedStatus"]))
}

/// A condition goes with what it told: progress without a deadline, a failure with the set it was of.
fn removed(input: &Value, expected: &Value) -> Outcome {
    let held = |of: &Value, kind: &str| {
        objects::list(&of["conditions"]).iter().any(|one| one["type"] == kind)
    };
    let was = |kind: &str| {
        let one = status::condition(Some(false), "ForSomeReason", "", NOW);
        held(&input["status"], kind).then_some(one)
    };
    let mut d = deployment(&Value::Null);
    d.replicas = 1;
    d.progress_deadline_seconds = if input["condType"] == "Progressing" { i32::MAX } else { 600 };
    (d.status.progressing, d.status.failure) = (was("Progressing"), was("ReplicaFailure"));
    let left = status::rollout(&d, [].iter(), None, NOW);
    let theirs =
        ["Progressing", "ReplicaFailure"].map(|kind| held(&expected["expectedStatus"], kind));
    Outcome::same([left.progressing.is_some(), left.failure.is_some()], theirs)
}

/// Whether a Deployment that recreates must wait for pods of its old templates.
fn old_pods(input: &Value, expected: &Value) -> Outcome {
    let new = &input["newRS"]["metadata"]["uid"];
    let of_others = input["podMap"].as_object().into_iter().flatten();
    let pods: Vec<&Value> = of_others
        .filter(|(uid, _)| *new != **uid)
        .flat_map(|(_, pods)| objects::list(pods))
        .collect();
    let runs = |pod: &&&Value| !objects::phase(&pod["status"]["phase"]).is_terminal();
    let running = pods.iter().filter(runs).count() as i32;
    let all = (0..).zip(objects::list(&input["oldRSs"]));
    let mut old: Vec<Held> = all.map(|(slot, one)| held(set(one, "old"), slot)).collect();
    if let Some(first) = old.first_mut() {
        first.running = running;
    }
    let ours = old_pods_run(&Sets { new: None, old });
    Outcome::same(ours, expected["hasOldPodsRunning"] == true)
}

fn zeroed(meta: &Meta) -> Meta {
    Meta { generation: 0, ..meta.clone() }
}

#[test]
pub fn history_is_cleaned_as_kubernetes_does() {
    let data = include_str!("../data/vectors/deployment_history_cleanup.json");
    run("deployment_history_cleanup", data, |function, _, input, expected| {
        let mut d = deployment(&Value::Null);
        d.revision_history_limit = int(&input["revisionHistoryLimit"]);
        let old = input["oldRSs"].as_array().into_iter().flatten();
        let old: Vec<Held> =
            (0..).zip(old).map(|(slot, value)| held(set(value, "old"), slot)).collect();
        let mut planner = planner(&d);
        planner.clean_up(&old);
        let deleted: Vec<String> = planner
            .finish()
            .steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Delete(id) => Some(old[id.slot()].set.meta.name.to_string()),
                _ => None,
            })
            .collect();
        Some(if function.ends_with("Order") {
            let wanted = expected["expectedDeletedRSs"].as_array().into_iter().flatten();
            let mut wanted: Vec<String> =
                wanted.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
            let mut deleted = deleted;
            deleted.sort();
            wanted.sort();
            Outcome::same(deleted, wanted)
        } else {
            Outcome::same(deleted.len() as i32, int(&expected["expectedDeletions"]))
        })
    });
}

#[test]
pub fn progress_is_judged_as_kubernetes_does() {
    let data = include_str!("../data/vectors/deployment_progress.json");
    run("deployment_progress", data, |function, _, input, expected| {
        if function == "TestOldPodsRunning" {
            return Some(old_pods(input, expected));
        }
        let mut d = deployment(&input["d"]);
        d.meta.generation = 0;
        let all = input["allRSs"].as_array().into_iter().flatten();
        let mut all: Vec<ReplicaSet> = all.map(|value| set(value, "old")).collect();
        let new = input["newRS"].as_object().map(|_| set(&input["newRS"], "new"));
        all.extend(new.clone());
        let status = status::rollout(&d, all.iter(), new.as_ref(), NOW);
        let Some(held) = status.progressing else {
            return Some(Outcome::same("", expected["conditionType"].as_str().unwrap_or("")));
        };
        let value = if held.value == Some(true) { "True" } else { "False" };
        let wanted = (&expected["conditionStatus"], &expected["conditionReason"]);
        if (wanted.0.as_str(), wanted.1.as_str()) != (Some(value), Some(held.reason)) {
            return Some(Outcome::Different(format!("{value} {}", held.reason)));
        }
        // Where the table names no time, any will do.
        let was = d.status.progressing.as_ref().map_or(SimTime::ZERO, |held| held.transition);
        let is_named = expected["lastTransition"].is_string();
        Some(Outcome::same(held.transition, if is_named { was } else { held.transition }))
    });
}

#[test]
pub fn revisions_are_counted_and_their_history_kept() {
    let d = deployment(&Value::Null);
    let mut one = set(&Value::Null, "old");
    assert_eq!(annotations::note_revision(&d, &mut one, 1), Change::Made);
    assert_eq!(annotations::note_revision(&d, &mut one, 1), Change::None);
    assert_eq!(annotations::note_revision(&d, &mut one, 4), Change::Made);
    assert_eq!(annotations::note_revision(&d, &mut one, 7), Change::Made);
    assert_eq!(one.meta.annotation(annotations::REVISION_HISTORY), Some("1,4"));
}
