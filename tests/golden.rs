//! Timelines recorded from a real control plane, replayed: `table` takes each as it is, the others hold what
//! `scenarios/golden` repeats of them.
//!
//! Source of every figure: `golden-timelines`, kube-apiserver, kube-controller-manager and
//! kube-scheduler 1.36.2 with fake kubelets (start 1 s, stop 1 s); least and greatest of all its
//! runs, in seconds from the request on. A time of ours must lie between them, widened by 10 % or
//! 0.3 s, whichever is larger; a rate within 5 % of the recorded one.

#[path = "golden/actions.rs"]
mod actions;
#[path = "golden/autoscale.rs"]
mod autoscale;
#[path = "golden/behaviour.rs"]
mod behaviour;
#[path = "golden/cascade.rs"]
mod cascade;
#[path = "golden/derive.rs"]
mod derive;
#[path = "golden/disruption.rs"]
mod disruption;
#[path = "golden/events.rs"]
mod events;
#[path = "golden/limits.rs"]
mod limits;
#[path = "golden/ours.rs"]
mod ours;
#[path = "golden/ranking.rs"]
mod ranking;
#[path = "golden/recording.rs"]
mod recording;
#[path = "golden/replay.rs"]
mod replay;
#[path = "golden/rows.rs"]
mod rows;
#[path = "golden/table.rs"]
mod table;
#[path = "golden/verdict.rs"]
mod verdict;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::api::kind::Kind;
use wavetank::kernel::FactSink;
use wavetank::messages::{Fact, Verb};
use wavetank::runs::{self, Finished};
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::SimTime;

/// What happened when, with the number of what brought it about.
#[derive(Default)]
struct Timeline(Vec<(f64, u64, Fact)>);

impl FactSink<Fact> for Timeline {
    fn record(&mut self, at: SimTime, _number: u64, cause: u64, fact: &Fact) {
        self.0.push((seconds(at), cause, fact.clone()));
    }
}

#[expect(clippy::print_stdout, reason = "it is read by people")]
fn skipped() {
    println!("skipped: there is no ../shared");
}

fn seconds(at: SimTime) -> f64 {
    at.as_nanos() as f64 / 1e9
}

impl Timeline {
    /// When pods met with `verb`, and the cause.
    fn pods(&self, verb: Verb) -> Vec<(f64, u64)> {
        let facts = self.0.iter().filter(|(_, _, fact)| fact.verb == verb);
        facts.filter(|it| it.2.object.kind == Kind::Pod).map(|it| (it.0, it.1)).collect()
    }

    fn last(&self, verb: Verb) -> f64 {
        self.pods(verb).last().expect("there is one").0
    }

    /// What came after `at`, counted from there.
    fn from(mut self, at: f64) -> Timeline {
        self.0.retain(|it| it.0 >= at);
        self.0.iter_mut().for_each(|it| it.0 -= at);
        self
    }

    /// When `object` met with `verb` first.
    fn first_of(&self, object: &str, verb: Verb) -> f64 {
        let mut facts = self.0.iter();
        let found =
            facts.find(|it| it.2.verb == verb && it.2.object.to_string().starts_with(object));
        found.unwrap_or_else(|| panic!("{object} is never {verb}")).0
    }

    /// When a taint with this effect was put on a node or taken off.
    fn taint(&self, verb: Verb, effect: &str) -> f64 {
        let mut facts = self.0.iter().filter(|it| it.2.verb == verb);
        let found = facts.find(|it| it.2.message.as_deref().is_some_and(|it| it.ends_with(effect)));
        found.unwrap_or_else(|| panic!("{effect} is never {verb}")).0
    }

    /// Pods created by one and the same cause: a batch follows the replies to the one before.
    fn batches(&self) -> Vec<usize> {
        let created = self.pods(Verb::Created);
        created.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len).collect()
    }
}

/// What a scenario comes to, as desired in the end or not.
fn played(scenario: &str, seed: u64) -> (Timeline, Finished) {
    let mut loader = Loader::new(Overrides { seed: Some(seed), ..Overrides::default() });
    loader.read("scenario", scenario.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    let mut timeline = Timeline::default();
    let never = AtomicBool::new(false);
    let finished = runs::run(Arc::new(loaded.plan), &mut timeline, &never, &mut |_| {});
    (timeline, finished)
}

fn run(scenario: &str, seed: u64) -> (Timeline, Finished) {
    let (timeline, finished) = played(scenario, seed);
    assert!(finished.has_converged());
    (timeline, finished)
}

/// A recorded least and greatest.
type Range = (f64, f64);

fn assert_within(what: &str, of: impl Display, ours: f64, (least, greatest): Range) {
    let (below, above) = ((least * 0.1).max(0.3), (greatest * 0.1).max(0.3));
    assert!(
        (least - below..=greatest + above).contains(&ours),
        "{of}: {what} at {ours:.3} s, recorded {least} to {greatest} s"
    );
}

#[test]
fn ten_pods_are_created_in_batches_of_slow_start() {
    let scenario = include_str!("../scenarios/golden/deploy-10.yaml");
    for seed in 1..=3 {
        assert_eq!(run(scenario, seed).0.batches(), [1, 2, 4, 3], "seed {seed}");
    }
}

#[test]
fn a_recreated_deployment_waits_for_the_last_old_pod() {
    let (ours, _) = run(include_str!("../scenarios/golden/recreate.yaml"), 1);
    let ours = ours.from(30.0);
    assert!(ours.last(Verb::Deleted) < ours.first_of("ReplicaSet/", Verb::Created));
}

/// s3_node_fail_1of3, and what the README of the recordings says of all node failures: Unknown 41 to
/// 47 s after the kubelet stops, pods leave as long after the NoExecute taint as they tolerate it and
/// are replaced at once, those that were deleted end when the node is back.
#[test]
fn a_lost_node_is_left_as_recorded() {
    let scenario = include_str!("../scenarios/golden/node-lost.yaml");
    for seed in 1..=3 {
        let (ours, _) = run(scenario, seed);
        let ours = ours.from(30.0);
        let unknown = ours.first_of("Node/n-0", Verb::NodeUnknown);
        assert!((40.0..=55.0).contains(&unknown), "seed {seed}: Unknown after {unknown:.3} s");
        let no_execute = ours.taint(Verb::Tainted, "unreachable:NoExecute");
        assert_within(
            "NoSchedule",
            seed,
            ours.taint(Verb::Tainted, ":NoSchedule") - unknown,
            (0.015, 0.06),
        );
        assert_within("NoExecute", seed, no_execute - unknown, (0.065, 0.205));
        for (name, tolerated) in
            [("tol0", (0.1, 0.3)), ("tol10", (10.05, 10.11)), ("web", (300.06, 300.1))]
        {
            let pods = format!("Pod/default/{name}");
            let leaving = ours.first_of(&pods, Verb::Deleting);
            assert_within(name, seed, leaving - no_execute, tolerated);
            let replaced = ours.first_of(&pods, Verb::Created);
            assert_within("replacement", seed, replaced - leaving, (0.01, 0.18));
        }
        let returned = 395.0;
        assert!(ours.pods(Verb::Deleted).iter().all(|it| it.0 >= returned), "seed {seed}");
        assert_within("pods gone", seed, ours.last(Verb::Deleted) - returned, (1.122, 1.137));
        let tolerable = ours.taint(Verb::Untainted, "unreachable:NoExecute") - returned;
        assert!((0.0..=5.3).contains(&tolerable), "seed {seed}: {tolerable:.3} s");
        let again = ours.0.iter().filter(|it| it.2.verb == Verb::NodeUnknown).count();
        assert_eq!(again, 1, "seed {seed}: the node is lost once");
    }
}
