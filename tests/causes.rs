//! The seven causes of pod failure, a lesson each: `explain` walks from the root cause, in plain words, to
//! what whoever looks at the pod sees.

#![expect(clippy::disallowed_methods, reason = "the tests read the scenarios")]

use std::io::{self, BufRead};
use std::sync::atomic::AtomicBool;

use wavetank::messages::Fact;
use wavetank::record::Recorder;
use wavetank::report::explain::{Question, Timeline, explain};
use wavetank::runs::run;
use wavetank::scenario::{Loader, Overrides};

struct Lines(String);

impl Timeline for Lines {
    fn open(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(self.0.as_bytes()))
    }
}

/// What a run of the lesson leaves behind.
fn timeline(lesson: &str) -> Lines {
    let path = format!("{}/scenarios/{lesson}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).expect("a lesson");
    let mut loader = Loader::new(Overrides::default());
    loader.read(&path, &text[..], &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let mut kept = Vec::new();
    let mut recorder = Recorder::to(&mut kept);
    let sink: &mut dyn wavetank::kernel::FactSink<Fact> = &mut recorder;
    run(loaded.plan.into(), sink, &AtomicBool::new(false), &mut |_| {});
    recorder.finish().expect("it was kept");
    Lines(String::from_utf8(kept).expect("text"))
}

/// The first pod that something like this happened to.
fn victim(lines: &Lines, verb: &str, said: &str) -> String {
    let verb = format!("\"verb\": \"{verb}\"");
    let row = lines.0.lines().find(|row| row.contains(&verb) && row.contains(said));
    let row = row.unwrap_or_else(|| panic!("nothing like {verb} {said}"));
    let (_, rest) = row.split_once("\"object\": \"Pod/").expect("of a pod");
    format!("pod/{}", rest.split('"').next().unwrap_or_default())
}

/// Asks why the pod is as it is, and demands these words in this order, from the root cause to what is seen.
fn explained(lesson: &str, (verb, said): (&str, &str), words: &[&str]) {
    let mut lines = timeline(lesson);
    let pod = victim(&lines, verb, said);
    let question: Question = pod.parse().expect("a question");
    let answer = explain(&mut lines, &serde_json::Value::Null, Some(&question)).expect("an answer");
    let mut rest = answer.as_str();
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("{lesson}: no {word:?} after what comes before it:\n{answer}");
        };
        rest = after;
    }
}

#[test]
fn a_crash_is_told_with_its_exit_code() {
    let words = [
        "a container ends with exit code 3: the program of container api ended itself with error 3",
        "it is no longer ready",
        "a container starts again (restart 1)",
        "back-off, the next start is 10 s away",
    ];
    explained("crash-loop", ("exited", "Pod/shop/api"), &words);
    let never = ["exit code 1: the program of container migrate", "it has failed"];
    explained("crash-loop", ("exited", "Pod/shop/migrate"), &never);
    let signal = ["exit code 139: container worker was ended by SIGSEGV", "starts again"];
    explained("crash-loop", ("exited", "Pod/shop/worker"), &signal);
}

#[test]
fn an_oom_kill_is_told_with_the_limit() {
    let words = [
        "exit code 137: OOMKilled: container leaky was killed because memory ran out: its limit is 128Mi",
        "it is no longer ready",
        "a container starts again (restart 1)",
    ];
    explained("out-of-memory", ("exited", "Pod/shop/leaky"), &words);
    let child = ["exit code 1: OOMKilled: a process of container worker was killed"];
    explained("out-of-memory", ("exited", "Pod/shop/worker"), &child);
}

#[test]
fn an_image_that_cannot_be_fetched_is_named() {
    let words = [
        "rollout: set the image of Deployment/shop/web to registry.example/web:2.0",
        "the spec of Deployment shop/web is changed",
        "it is created",
        "pulling image \"registry.example/web:2.0\"",
        "because   0:00.000  no-such-tag: image */web:2.0 cannot be fetched",
        "an image cannot be fetched: Failed to pull image \"registry.example/web:2.0\"",
        "not found",
    ];
    explained("image-pull", ("pull-failed", "web:2.0"), &words);
}

#[test]
fn a_failing_probe_is_told_with_what_the_program_does() {
    let words = [
        "a probe fails: container api: Liveness probe failed 3 times, 10 s apart: no answer within 1 s: the \
         program hangs",
        "container api failed a probe, will be restarted",
        "exit code 137: container api was ended by SIGKILL",
        "a container starts again (restart 1)",
    ];
    explained("failing-probe", ("probe-failed", "Pod/shop/api"), &words);
    let readiness =
        ["Readiness probe failed 3 times", "the program hangs", "it is no longer ready"];
    explained("failing-probe", ("probe-failed", "Pod/shop/front"), &readiness);
}

#[test]
fn an_eviction_is_told_with_what_the_node_is_short_of() {
    let words = [
        "it is told to leave on n-0 (evicted): The node was low on resource: memory. Threshold quantity: 100Mi",
        "Container cache was using",
        "request is 256Mi",
        "stopping container cache",
        "it has failed",
    ];
    explained("node-pressure", ("evicted", "Pod/shop/cache"), &words);
}

#[test]
fn a_lost_node_is_told_with_what_became_of_it() {
    let words = [
        "kill-n-0: node n-0 crashes (timeline)",
        "nothing was heard of node n-0 for the grace period: it is NotReady",
        "it is no longer ready",
        "node n-0 gets the taint node.kubernetes.io/unreachable:NoExecute",
        "it is told to leave on n-0 (evicted)",
        "the taint was tolerated for 5 min",
        "it is marked for deletion",
    ];
    explained("node-loss", ("evicted", "Pod/shop/web"), &words);
}

#[test]
fn a_preemption_is_told_with_who_takes_the_place() {
    let words = [
        "rush: scale Deployment/shop/checkout to 4 (timeline)",
        "fits on no node",
        "is promised a place on n-0: 1 pod of lower priority must go",
        "it must go on n-0 to make room for shop/checkout",
        "(priority -10 against 100000)",
        "it is marked for deletion",
        "it has ended",
        "it is gone",
    ];
    explained("priority", ("preempted", "Pod/shop/crunch"), &words);
}

/// A CronJob's starts follow from its schedule as it was last written, the tenth as the first, and not each from
/// the one before; but those that replace one that runs, or wait for it, come from its end.
#[test]
fn every_start_of_a_cron_job_comes_from_what_wrote_its_schedule() {
    let lines = timeline("cron-jobs");
    let rows: Vec<serde_json::Value> =
        lines.0.lines().map(|row| serde_json::from_str(row).expect("a fact")).collect();
    let is_start = |row: &&serde_json::Value| {
        let object = row["object"].as_str().unwrap_or_default();
        let heeds = ["/replace-", "/forbid-"].iter().any(|name| object.contains(name));
        row["message"] == "made by a CronJob" && !heeds
    };
    let starts: Vec<&serde_json::Value> = rows.iter().filter(is_start).collect();
    assert!(starts.len() > 2, "{} starts", starts.len());
    for start in starts {
        let cause = start["cause"].as_u64().expect("a cause") as usize;
        let object = rows[cause - 1]["object"].as_str().unwrap_or_default();
        assert!(object.starts_with("CronJob/"), "{} comes from {object}", start["object"]);
    }
}
