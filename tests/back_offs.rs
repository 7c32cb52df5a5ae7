//! What is published of waiting times: containers that crash (10 s, doubling to 300 s, counted from
//! the finish, forgotten after 10 minutes; Kubernetes' pod-lifecycle.md) and Jobs' retries (10 s,
//! doubling, to the second after the failure; kube-controller-manager 1.36 caps them at 600 s).

mod common {
    pub mod play;
}

use common::play::{Told, run};
use wavetank::api::kind::Kind;
use wavetank::messages::Verb;
use wavetank::time::SimTime;

fn scenario(duration: &str, runs: &str, exit: u8) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  \
         duration: {duration}\n  cluster: {{nodes: [{{name: n}}]}}\n  \
         apps: [{{match: {{labels: {{app: it}}}}, start: 0s, run: {{for: {runs}, exit: {exit}}}}}]\n---\n"
    )
}

/// When this happened to pods.
fn times(told: &Told, verb: Verb) -> Vec<SimTime> {
    let all = told.0.iter().filter(|(_, it)| it.object.kind == Kind::Pod && it.verb == verb);
    all.map(|(at, _)| *at).collect()
}

/// Whole seconds from each end of a container to its next start.
fn restarts(told: &Told) -> Vec<u64> {
    let (starts, ends) = (times(told, Verb::Started), times(told, Verb::Exited));
    let waits = starts[1..].iter().zip(&ends);
    waits.map(|(start, end)| (*start - *end).as_secs()).collect()
}

const LONE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: lone, labels: {app: it}}\nspec: \
                    {containers: [{name: c, image: 'it:1'}]}\n";

#[test]
fn a_container_that_crashes_waits_10_20_40_up_to_300_seconds() {
    let (_, told) = run(&(scenario("30m", "1s", 1) + LONE));
    let waits = restarts(&told);
    assert_eq!(waits[..9], [0, 10, 20, 40, 80, 160, 300, 300, 300], "{waits:?}");
}

#[test]
fn a_container_that_ran_for_more_than_10_minutes_is_started_at_once() {
    let (_, told) = run(&(scenario("1h", "601s", 1) + LONE));
    let waits = restarts(&told);
    assert!(waits.len() >= 4 && waits.iter().all(|wait| *wait == 0), "{waits:?}");
    let (_, told) = run(&(scenario("1h", "590s", 1) + LONE));
    let waits = restarts(&told);
    assert_eq!(waits[..4], [0, 10, 20, 40], "{waits:?}");
}

#[test]
fn a_job_tries_again_after_10_20_40_up_to_600_seconds() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  backoffLimit: 9\n  \
               template:\n    metadata: {labels: {app: it}}\n    spec: {restartPolicy: Never, \
               containers: [{name: c, image: 'it:1'}]}\n";
    let (_, told) = run(&(scenario("90m", "1s", 1) + job));
    let (made, ends) = (times(&told, Verb::Created), times(&told, Verb::Exited));
    // Failures are known to the second.
    let waits = made[1..].iter().zip(&ends).map(|(made, end)| made.as_secs() - end.as_secs());
    let waits: Vec<u64> = waits.collect();
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    assert_eq!(ends.len(), 10, "one more than backoffLimit");
}
