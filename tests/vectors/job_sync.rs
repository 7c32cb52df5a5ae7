//! One sync of a Job: what is made, what goes, what is written.

use serde_json::Value;
use wavetank::api::job::{Activity, CompletionMode, Job, JobCondition, JobConditionKind};
use wavetank::api::meta::Deletion;
use wavetank::api::pod::WaitingReason;
use wavetank::api::pod::{
    ContainerState, ContainerStatus, Phase, Pod, PodCondition, RestartPolicy,
};
use wavetank::control_plane::controllers::job::assess::CaughtUp;
use wavetank::control_plane::controllers::job::backoff::Backoff;
use wavetank::time::SimTime;

use std::sync::Arc;

use serde_json::json;

use super::jobs::{self, Interim, Sync, conditions, plain, sync};
use super::objects::{NOW, instant, int, list, phase, text};
use super::suite::{Outcome, run, same};

fn on(input: &Value, field: &str) -> bool {
    input[field] == true
}

fn job(input: &Value) -> Job {
    let mut spec = serde_json::Map::new();
    for field in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"] {
        if let Some(number) = input[field].as_i64().filter(|it| *it >= 0) {
            spec.insert(field.to_owned(), json!(number));
        }
    }
    for field in ["podReplacementPolicy", "completionMode"] {
        if !text(&input[field]).is_empty() {
            spec.insert(field.to_owned(), input[field].clone());
        }
    }
    if input.get("podFailurePolicy").is_some() {
        spec.insert("podFailurePolicy".to_owned(), json!({"rules": []}));
    }
    spec.insert("suspend".to_owned(), json!(on(input, "suspend")));
    let mut job = jobs::job(&json!({"spec": spec, "metadata": {"name": "foobar", "uid": "job"}}));
    job.status = jobs::status(&input["initialStatus"]);
    if on(input, "deleting") {
        job.meta.deletion = Some(Deletion { at: NOW, grace_seconds: 0 });
    }
    if on(input, "wasSuspended") {
        job.status.conditions.push(JobCondition {
            kind: JobConditionKind::Suspended,
            value: Some(true),
            reason: "JobSuspended".into(),
            message: "Job suspended".into(),
            since: SimTime::ZERO,
        });
    }
    if let Some(ago) = input["startTime"].as_u64() {
        job.status.start = Some(SimTime::from_secs(NOW.as_secs() - ago));
    }
    job
}

/// Pods by counts, in the order upstream's tests make them.
fn pods(input: &Value) -> Vec<Pod> {
    let mut all: Vec<Pod> = Vec::new();
    let mut add = |count: i64, phase: Phase, change: &dyn Fn(i64, &mut Pod)| {
        for at in 0..count {
            let mut pod = plain(all.len() as u64, phase, None);
            change(at, &mut pod);
            all.push(pod);
        }
    };
    let ready = int(&input["readyPods"]);
    let active = match text(&input["activePodsPhase"]) {
        "" => Phase::Running,
        _ => phase(&input["activePodsPhase"]),
    };
    add(int(&input["pendingPods"]), Phase::Pending, &|_, _| {});
    add(int(&input["activePods"]), active, &|at, pod| {
        if at < ready {
            pod.status.set(PodCondition::Ready, true, SimTime::ZERO);
        }
    });
    add(int(&input["succeededPods"]), Phase::Succeeded, &|_, _| {});
    add(int(&input["failedPods"]), Phase::Failed, &|_, _| {});
    add(int(&input["terminatingPods"]), Phase::Running, &|_, pod| {
        pod.meta.deletion = Some(Deletion { at: NOW, grace_seconds: 0 });
    });
    let counts = list(&input["restartCounts"]);
    add(counts.len() as i64, phase(&input["podPhase"]), &|at, pod| {
        pod.status.containers = Some(Arc::from([ContainerStatus {
            state: ContainerState::Waiting(WaitingReason::ContainerCreating),
            last: None,
            restarts: int(&counts[at as usize]) as u32,
            ready: false,
            started: false,
            held_back_millis: 0,
        }]));
    });
    for one in list(&input["podsWithIndexes"]) {
        let phase = phase(&one["phase"]);
        all.push(plain(all.len() as u64, phase, Some(text(&one["index"]))));
    }
    all
}

fn given(function: &str, input: &Value) -> Sync {
    let mut job = job(input);
    if function == "TestJobBackoffForOnFailure" {
        let mut spec = (*job.spec).clone();
        let mut template = (*spec.template).clone();
        let mut pod = (*template.spec).clone();
        pod.restart_policy = RestartPolicy::OnFailure;
        template.spec = Arc::new(pod);
        spec.template = Arc::new(template);
        job.spec = Arc::new(spec);
    }
    let mut given = Sync::of(job, pods(input));
    if int(&input["fakeExpectationAtCreation"]) != 0 {
        given.caught_up = CaughtUp::No;
    }
    given.refused = input["podControllerError"].is_object();
    if let Some(limit) = input["podLimit"].as_u64().filter(|it| *it > 0) {
        given.limit = limit as usize;
    }
    if let Some(record) = input["backoffRecord"].as_object() {
        given.backoff = Backoff {
            failures: int(&record["failuresAfterLastSuccess"]) as i32,
            last: instant(&record["lastFailureTime"]),
        };
    }
    given
}

fn answer(function: &str, input: &Value, expected: &Value) -> Outcome {
    let given = given(function, input);
    assert!(
        given.job.spec.mode == CompletionMode::NonIndexed || given.job.spec.completions.is_some()
    );
    assert!(given.job.spec.activity == Activity::Active || on(input, "suspend"));
    let done = sync(&given);
    let delays = ["jobPodReplacementPolicy", "jobManagedBy"];
    let delays = delays.iter().any(|it| {
        on(input, it) || on(input, &format!("enable{}{}", it[..1].to_uppercase(), &it[1..]))
    });
    // This test's upstream runs with the defaults of 1.36.
    let delays = delays || function == "TestJobBackoffOnRestartPolicyNever";
    let interim = if delays { Interim::Told } else { Interim::Left };
    let (ours, theirs) = conditions(&done.status, &expected["expectedConditions"], interim);
    if ours != theirs {
        return same(ours, theirs);
    }
    let status = &done.status;
    let mut pairs: Vec<(&str, i64, i64)> = Vec::new();
    let mut check = |field: &'static str, ours: i64| {
        if let Some(theirs) = expected.get(field) {
            pairs.push((field, ours, int(theirs)));
        }
    };
    check("expectedCreations", done.creations as i64);
    check("expectedDeletions", done.deletions as i64);
    check("expectedPodPatches", done.patches as i64);
    check("expectedActive", status.active.into());
    check("expectedSucceeded", status.succeeded.into());
    check("expectedFailed", status.failed.into());
    check("expectedReady", status.ready.unwrap_or(0).into());
    if on(input, "jobPodReplacementPolicy") {
        check("expectedTerminating", status.terminating.unwrap_or(0).into());
    }
    if let Some((field, ours, theirs)) = pairs.into_iter().find(|(_, ours, theirs)| ours != theirs)
    {
        return Outcome::Different(format!("{field}: ours {ours}, theirs {theirs}"));
    }
    let theirs: Vec<i64> = list(&expected["expectedCreatedIndexes"]).iter().map(int).collect();
    let mut theirs: Vec<i32> = theirs.into_iter().map(|it| it as i32).collect();
    theirs.sort_unstable_by_key(ToString::to_string);
    same(
        (done.indexes, status.completed_indexes.to_string()),
        (theirs, text(&expected["expectedCompletedIdxs"]).to_owned()),
    )
}

#[test]
pub fn one_sync_of_a_job_is_kubernetes_own() {
    let data = include_str!("../data/vectors/job_sync.json");
    let tally =
        run("job_sync", data, |function, case| answer(function, &case["input"], &case["expected"]));
    assert_eq!(tally.equal, 87);
}
