//! Jobs: back-off, indexes, failure and success policies, and whole syncs with them.

use serde_json::{Value, json};
use wavetank::api::job::{INDEX_FAILURES, Job, JobCondition, JobConditionKind};
use wavetank::api::pod::{Phase, Pod};
use wavetank::base::{FastSet, Id};
use wavetank::control_plane::controllers::job::backoff::{Backoff, finished_at, remaining};
use wavetank::control_plane::controllers::job::failure_policy::judge;
use wavetank::control_plane::controllers::job::indexes::{Indexes, Interval};
use wavetank::control_plane::controllers::job::pods::{
    all_index_failures, base_name, duplicates, failed_indexes, fails_index, index_failures,
    index_of, kept_failures, next_index_failures, succeeded_indexes,
};
use wavetank::control_plane::controllers::job::success_policy;
use wavetank::control_plane::controllers::ttl_after_finished::expires_at;
use wavetank::time::{SimDuration, SimTime};

use super::jobs::{self, Interim, Sync, conditions, job, numbered, plain, sync};
use super::objects::{instant, int, list, phase, text};
use super::suite::{Outcome, run, same};

const GATE: &str = "a gate that 1.36 has locked to on";

fn millis(value: &Value) -> Option<u64> {
    let at: jiff::Timestamp = value.as_str()?.parse().expect("an RFC 3339 time");
    u64::try_from(at.as_millisecond()).ok()
}

fn span(value: &Value) -> SimDuration {
    let written = text(value);
    let seconds = written.trim_end_matches('s').parse().expect("seconds");
    SimDuration::from_secs(seconds)
}

fn intervals(value: &Value) -> Indexes {
    let of = |it: &Value, field: &str| int(&it[field]) as i32;
    let interval = |it: &Value| Interval { first: of(it, "first"), last: of(it, "last") };
    Indexes::of(list(value).iter().map(interval).collect())
}

/// Pods told by index and phase; an index that is `-` is not there.
fn brief(value: &Value) -> Vec<Pod> {
    let all = list(value).iter().enumerate().map(|(at, one)| {
        let phase = phase(&one["phase"]);
        plain(at as u64, phase, Some(text(&one["index"])))
    });
    all.collect()
}

fn backoff_record(title: &str, input: &Value, expected: &Value) -> Outcome {
    let times = |field: &str| -> Vec<SimTime> {
        list(&input[field]).iter().filter_map(millis).map(SimTime::from_millis).collect()
    };
    let failed = times("newFailedPods");
    // The record held before is told in the case's name alone.
    let before = match title.contains("failure count 2") {
        true => Backoff { failures: 2, last: failed.first().copied() },
        false => Backoff::default(),
    };
    let ours = before.with(&times("newSucceededPods"), &failed);
    let theirs = &expected["wantBackoffRecord"];
    same(
        (ours.failures, ours.last),
        (
            int(&theirs["failuresAfterLastSuccess"]) as i32,
            millis(&theirs["lastFailureTime"]).map(SimTime::from_millis),
        ),
    )
}

fn remaining_of(input: &Value, expected: &Value) -> Outcome {
    let record = &input["backoffRecord"];
    let failures = int(&record["failuresAfterLastSuccess"]) as i32;
    let last = instant(&record["lastFailureTime"]).unwrap_or(SimTime::ZERO);
    let now = instant(&input["currentTime"]).unwrap_or(SimTime::ZERO);
    let (base, most) = (span(&input["defaultBackoff"]), span(&input["maxBackoff"]));
    same(remaining(failures, last, now, base, most), span(&expected["wantDuration"]))
}

fn remaining_of_index(input: &Value, expected: &Value) -> Outcome {
    let theirs = span(&expected["wantDuration"]);
    if input["lastFailedPod"].is_null() {
        return same(SimDuration::ZERO, theirs);
    }
    let pod = jobs::pod(&input["lastFailedPod"]);
    let now = instant(&input["currentTime"]).expect("an instant");
    let (base, most) = (span(&input["defaultBackoff"]), span(&input["maxBackoff"]));
    let failures = all_index_failures(&pod) + 1;
    same(remaining(failures, finished_at(&pod), now, base, most), theirs)
}

fn indexed(spec: Value) -> Job {
    let mut spec = spec;
    spec["completionMode"] = json!("Indexed");
    job(&json!({"spec": spec}))
}

fn succeeded(input: &Value, expected: &Value) -> Outcome {
    let mut job = indexed(json!({"completions": input["completions"]}));
    job.status.completed_indexes = text(&input["prevSucceeded"]).into();
    let pods = brief(&input["pods"]);
    let ours = succeeded_indexes(&job, &numbered(&pods));
    same(ours, (intervals(&expected["wantStatusIntervals"]), intervals(&expected["wantIntervals"])))
}

/// The tables have lost the finalizers; what has none is told in the case's name.
fn pods_of(title: &str, input: &Value) -> Vec<Pod> {
    let mut pods: Vec<Pod> = list(&input["pods"]).iter().map(jobs::pod).collect();
    if title.contains("without finalizer") {
        pods.iter_mut().for_each(|pod| pod.meta.set_finalizers(Vec::new()));
    }
    pods
}

fn failed(title: &str, input: &Value, expected: &Value) -> Outcome {
    let (job, pods) = (job(&input["job"]), pods_of(title, input));
    same(failed_indexes(&job, &numbered(&pods)), intervals(&expected["wantFailedIndexes"]))
}

fn delayed(title: &str, input: &Value, expected: &Value) -> Outcome {
    let (job, pods) = (job(&input["job"]), pods_of(title, input));
    let pods = numbered(&pods);
    let going: FastSet<_> =
        list(&input["expectedRmFinalizers"]).iter().map(super::objects::uid).collect();
    let going: FastSet<_> = going
        .into_iter()
        .chain(list(&expected["expectedRmFinalizers"]).iter().map(super::objects::uid))
        .collect();
    let is_held = |pod: &Pod| !pod.meta.finalizers().is_empty() && !going.contains(&pod.meta.uid);
    let tracked = pods.iter().copied().filter(|(_, pod)| is_held(pod));
    let active = pods.iter().filter(|(_, pod)| pod.is_active());
    let active = Indexes::default().with(active.filter_map(|(_, pod)| index_of(pod)));
    let (_, succeeded) = succeeded_indexes(&job, &pods);
    let failed = failed_indexes(&job, &pods);
    let kept = kept_failures(&job.spec, tracked, &active, &succeeded, &failed);
    let mut ours: Vec<_> = kept.values().map(|(_, pod)| pod.meta.uid).collect();
    let theirs = list(&expected["wantPodsWithDelayedDeletionPerIndex"]).iter();
    let mut theirs: Vec<_> = theirs.map(super::objects::uid).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    same(ours, theirs)
}

fn pending(input: &Value, expected: &Value) -> Outcome {
    let active = brief(&input["activePods"]);
    let active = Indexes::default().with(active.iter().filter_map(index_of));
    let taken = active.merge(&intervals(&input["succeededIndexes"]));
    let taken = taken.merge(&intervals(&input["failedIndexes"]));
    let ours = taken.first_missing(int(&input["cnt"]) as usize, int(&input["completions"]) as i32);
    let theirs: Vec<i32> = list(&expected["want"]).iter().map(|it| int(it) as i32).collect();
    same(ours, theirs)
}

fn doubled(input: &Value, expected: &Value) -> Outcome {
    let job = indexed(json!({"completions": input["completions"]}));
    let pods = brief(&input["pods"]);
    let (gone, left) = duplicates(&job.spec, numbered(&pods));
    let tell = |pods: Vec<(Id<Pod>, &Pod)>| -> Vec<(String, &'static str)> {
        let all = pods.into_iter().map(|(_, pod)| {
            let index = pod.meta.annotation(wavetank::api::job::COMPLETION_INDEX).unwrap_or("-");
            (index.to_owned(), pod.status.phase.name())
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all
    };
    let theirs = |field: &str| {
        let all = brief(&expected[field]);
        tell(numbered(&all))
    };
    same((tell(gone), tell(left)), (theirs("wantRm"), theirs("wantLeft")))
}

#[test]
pub fn backoff_and_indexes_are_kubernetes_own() {
    let data = include_str!("../data/vectors/job_backoff_indexes.json");
    let tally = run("job_backoff_indexes", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let title = text(&case["name"]);
        let pod = || jobs::pod(&input["pod"]);
        match function {
            "TestNewBackoffRecord" => backoff_record(title, input, expected),
            "TestGetFinishedTime" => {
                same(Some(finished_at(&pod())), instant(&expected["wantFinishTime"]))
            }
            "TestGetRemainingBackoffTime" => remaining_of(input, expected),
            "TestGetRemainingBackoffTimePerIndex" => remaining_of_index(input, expected),
            "TestCalculateSucceededIndexes" => succeeded(input, expected),
            "TestCalculateFailedIndexes" => failed(title, input, expected),
            "TestIsIndexFailed" => {
                same(fails_index(&job(&input["job"]).spec, &pod()), expected["wantResult"] == true)
            }
            "TestGetPodsWithDelayedDeletionPerIndex" => delayed(title, input, expected),
            "TestGetNewIndexFailureCountValue" => {
                let held = (!input["pod"].is_null()).then(pod);
                let ours = next_index_failures(&job(&input["job"]).spec, held.as_ref());
                let theirs = |field: &str| int(&expected[field]) as i32;
                let theirs =
                    (theirs("wantNewIndexFailureCount"), theirs("wantNewIndexIgnoredFailureCount"));
                same(ours, theirs)
            }
            "TestIntervalsHaveIndex" => same(
                intervals(&input["intervals"]).has(int(&input["index"]) as i32),
                expected["wantHas"] == true,
            ),
            "TestFirstPendingIndexes" => pending(input, expected),
            "TestAppendDuplicatedIndexPodsForRemoval" => doubled(input, expected),
            "TestPodGenerateNameWithIndex" => same(
                base_name(text(&input["jobname"]), Some(int(&input["index"]) as i32)),
                text(&expected["wantPodGenerateName"]).to_owned(),
            ),
            "TestGetIndexFailureCount" => {
                let mut held = plain(0, Phase::Failed, None);
                if let Some(count) = input["pod"]["metadata"]["annotations"].get(INDEX_FAILURES) {
                    held.meta.annotate(INDEX_FAILURES, text(count));
                }
                same(i64::from(index_failures(&held)), int(&expected["wantResult"]))
            }
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 84);
}

/// How long a finished Job still stays, and until when.
pub fn time_left(input: &Value, expected: &Value) -> Outcome {
    let mut spec = json!({});
    if let Some(ttl) = input["ttl"].as_i64() {
        spec["ttlSecondsAfterFinished"] = json!(ttl);
    }
    let mut job = job(&json!({"spec": spec}));
    for (field, kind) in
        [("completionTime", JobConditionKind::Complete), ("failedTime", JobConditionKind::Failed)]
    {
        if let Some(since) = instant(&input[field]) {
            let (reason, message, value) = ("".into(), "".into(), Some(true));
            job.status.conditions.push(JobCondition { kind, value, reason, message, since });
        }
    }
    let (ours, since) = (expires_at(&job), instant(&input["since"]).expect("an instant"));
    let left = ours.map(|at| at.saturating_since(since));
    let theirs = &expected["expectedTimeLeft"];
    let theirs = (!theirs.is_null()).then(|| span(theirs));
    same((ours, left), (instant(&expected["expectedExpireAt"]), theirs))
}

fn failure_policy(input: &Value, expected: &Value) -> Outcome {
    let rules = &input["podFailurePolicy"];
    let written = rules.to_string();
    if written.contains("FailIndex") && input["enableJobBackoffLimitPerIndex"] == false {
        return Outcome::Excluded(GATE);
    }
    let job = match rules.is_null() {
        true => job(&json!({"spec": {}})),
        false => job(&json!({"spec": {"podFailurePolicy": rules}})),
    };
    let verdict = judge(job.spec.failure_policy.as_deref(), &jobs::pod(&input["failedPod"]));
    let ours = (verdict.counts(), verdict.action.map(|it| it.name().to_owned()));
    let theirs = expected["wantAction"].as_str().map(ToOwned::to_owned);
    same(
        (ours, verdict.failure),
        (
            (expected["wantCountFailed"] == true, theirs),
            expected["wantJobFailureMessage"].as_str().map(ToOwned::to_owned),
        ),
    )
}

fn success_policy(input: &Value, expected: &Value) -> Outcome {
    if input["enableJobSuccessPolicy"] == false && expected["wantMetSuccessPolicy"] == true {
        return Outcome::Excluded(GATE);
    }
    let completions = int(&input["completions"]) as i32;
    let policy = &input["successPolicy"];
    let mut spec = json!({"completions": completions});
    if !policy.is_null() {
        spec["successPolicy"] = policy.clone();
    }
    let rules = indexed(spec);
    let met = success_policy::met(
        rules.spec.success_policy.as_deref(),
        completions,
        &intervals(&input["succeededIndexes"]),
    );
    let theirs = expected["wantMetSuccessPolicy"] == true;
    same(met, theirs.then(|| text(&expected["wantMessage"]).to_owned()))
}

/// The Job as the API server stores it: without the fields of gates that a case turns off.
fn stored(input: &Value) -> Value {
    let mut job = input["job"].clone();
    for (gate, field) in [
        ("enableJobSuccessPolicy", "successPolicy"),
        ("enableJobBackoffLimitPerIndex", "backoffLimitPerIndex"),
        ("enableBackoffLimitPerIndex", "backoffLimitPerIndex"),
    ] {
        if let (false, Some(spec)) = (input[gate] != false, job["spec"].as_object_mut()) {
            spec.remove(field);
        }
    }
    job
}

/// The tables took one second past the year 1, an end so old that no back-off is left, for one second
/// from now.
fn long_ago(pod: &Value) -> Value {
    let mut pod = pod.clone();
    for one in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        if one["state"]["terminated"]["finishedAt"] == "now+1s" {
            one["state"]["terminated"]["finishedAt"] = json!("now-86400s");
        }
    }
    pod
}

fn whole_sync(input: &Value, expected: &Value) -> Outcome {
    let job = job(&stored(input));
    // The table has lost which pods have no finalizer any more: failures that a status has counted
    // are those of the first pods that failed.
    let mut counted = job.status.failed;
    let pods = list(&input["pods"]).iter().enumerate().map(|(at, value)| {
        let mut pod = jobs::pod(&long_ago(value));
        if pod.status.phase == Phase::Failed && counted > 0 {
            counted -= 1;
            pod.meta.set_finalizers(Vec::new());
        }
        pod.meta.namespace = "default".into();
        pod.meta.name = wavetank::api::name::Name::new(format!("mypod-{at}"));
        if pod.meta.uid.0 == 0 {
            pod.meta.uid.0 = at as u64 + 1;
        }
        if job.spec.is_indexed() && index_of(&pod).is_none() {
            pod.meta.annotate(wavetank::api::job::COMPLETION_INDEX, &at.to_string());
        }
        pod
    });
    let done = sync(&Sync::of(job.clone(), pods.collect())).status;
    let delays = ["enableJobPodReplacementPolicy", "enableJobManagedBy"];
    let interim = match delays.iter().any(|it| input[*it] == true) {
        true => Interim::Told,
        false => Interim::Left,
    };
    let whole = &expected["wantStatus"];
    let wanted = if whole.is_null() { &expected["wantConditions"] } else { &whole["conditions"] };
    let (ours, theirs) = conditions(&done, wanted, interim);
    if ours != theirs {
        return same(ours, theirs);
    }
    let number = |of: &str, flat: &str| match whole.is_null() {
        true => int(&expected[flat]) as i32,
        false => int(&whole[of]) as i32,
    };
    let mut theirs = vec![
        number("active", "wantStatusActive"),
        number("succeeded", "wantStatusSucceeded"),
        number("failed", "wantStatusFailed"),
    ];
    let mut ours = vec![done.active, done.succeeded, done.failed];
    if input["enableJobPodReplacementPolicy"] == true {
        theirs.push(number("terminating", ""));
        ours.push(done.terminating.unwrap_or(0));
    }
    if whole.is_null() {
        return same(ours, theirs);
    }
    let words = (text(&whole["completedIndexes"]), whole["failedIndexes"].as_str());
    same((ours, (&*done.completed_indexes, done.failed_indexes.as_deref())), (theirs, words))
}

#[test]
pub fn failure_and_success_policies_are_kubernetes_own() {
    let data = include_str!("../data/vectors/job_failure_success_policy.json");
    let tally = run("job_failure_success_policy", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestMatchPodFailurePolicy" => failure_policy(input, expected),
            "TestMatchSuccessPolicy" => success_policy(input, expected),
            _ => whole_sync(input, expected),
        }
    });
    assert_eq!((tally.equal, tally.excluded_for(GATE)), (107, 2));
}
