//! Expectations over whole runs: what is caught, what a run waits for, what is said.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::kernel::FactSink;
use wavetank::messages::{Fact, Listening, Verb};
use wavetank::record::{ExpectationRow, Metrics};
use wavetank::runs::{Finished, Seeds, Task, Test, many, run_task};
use wavetank::scenario::{Loaded, Loader, Overrides};
use wavetank::time::SimTime;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'app:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: expecting}
spec:
";

fn read(text: &str) -> Loaded {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    loader.finish()
}

fn loaded(spec: &str) -> Loaded {
    let loaded = read(&format!("{WEB}{spec}"));
    assert!(!loaded.has_errors(), "{spec}: {:?}", loaded.findings);
    loaded
}

fn findings(spec: &str) -> Vec<String> {
    let loaded = read(&format!("{WEB}{spec}"));
    loaded.findings.iter().map(ToString::to_string).collect()
}

/// When the Deployment's replicas were set, and to what.
#[derive(Default)]
struct Scalings(Vec<(SimTime, u64)>);

impl FactSink<Fact> for Scalings {
    fn record(&mut self, at: SimTime, number: u64, _cause: u64, fact: &Fact) {
        if fact.verb == Verb::Scaled && fact.object.to_string() == "Deployment/default/web" {
            self.0.push((at, number));
        }
    }
}

fn run_into(spec: &str, sink: &mut dyn FactSink<Fact>) -> Finished {
    let loaded = loaded(spec);
    let plan = Arc::new(loaded.plan.clone());
    let task = Task {
        expectations: loaded.expectations.clone(),
        sink,
        metrics: &mut Metrics::new(&plan),
        interrupt: &AtomicBool::new(false),
        events_max: u64::MAX,
        listening: Listening::Nobody,
        plan,
    };
    run_task(task, &mut |_| ControlFlow::Continue(()))
}

fn run(spec: &str) -> Finished {
    run_into(spec, &mut wavetank::kernel::NoSink)
}

fn only(finished: &Finished) -> &ExpectationRow {
    assert_eq!(finished.expectations.len(), 1);
    &finished.expectations[0]
}

#[test]
fn a_violation_of_a_few_milliseconds_is_caught_where_it_begins() {
    let steps = "  timeline:
  - {at: 60s, scale: deployment/web, replicas: 4}
  - {at: 60.001s, scale: deployment/web, replicas: 3}
";
    let expect =
        "  expect: [{name: three, always: \"deployment('web').desired == 3\", after: 30s}]\n";
    let mut scalings = Scalings::default();
    let finished = run_into(&format!("{steps}{expect}"), &mut scalings);
    let [(begun, fact), (ended, _)] = scalings.0[..] else { panic!("{:?}", scalings.0) };
    assert!(ended.saturating_since(begun).as_millis() < 100, "{begun} {ended}");
    let row = only(&finished);
    assert_eq!((row.passed, row.at, row.of_fact), (false, Some(begun), Some(fact)), "{row:?}");
    let millis = (begun.as_nanos() + 500_000) / 1_000_000;
    let second = format!("{}.{:03}", millis / 1000, millis % 1000);
    assert_eq!(row.detail, format!("deployment('web').desired was 4 at {second} s"));
    assert!(!finished.has_passed());
    // From the violation back to the step.
    assert_eq!(finished.chains[0].first(), Some(&fact));
    assert!(finished.chains[0].len() > 1, "{:?}", finished.chains);

    // The twin: without the steps it holds.
    assert!(run(expect).has_passed());
}

#[test]
fn what_is_seen_is_that_of_the_instant() {
    for (expect, passed, at_least) in [
        ("eventually: \"deployment('web').available == 3\"", true, 1),
        ("eventually: \"deployment('web').available == 4\", within: 30s", false, 30),
        ("eventually: \"service('web').endpoints == 3\", within: 1m", true, 1),
        ("eventually: \"pods('app=web').ready == 3 && pods('app=web').nodes > 1\"", true, 1),
        ("eventually: \"node('n-0').pods > 0 && node('n-0').cpu_requested < 4\"", true, 0),
        ("eventually: \"cluster.converged\", for: 10s", true, 11),
        ("atEnd: \"cluster.ready == 3 && cluster.nodes_ready == cluster.nodes\"", true, 60),
        ("atEnd: \"deployment('web').available == 3\", for: 10m", false, 60),
        ("always: \"pods('app=web').max_restarts == 0\"", true, 0),
        ("never: \"pods('default', 'app=web').count == 3\"", false, 0),
        ("always: \"service('web').success_ratio('1m') > 0.9\"", false, 0),
    ] {
        let spec = format!(
            "  cluster: {{nodes: [{{name: n, count: 3, zone: a}}]}}\n  expect: [{{name: it, {expect}}}]\n"
        );
        let finished = run(&spec);
        let row = only(&finished);
        assert_eq!(row.passed, passed, "{expect}: {row:?}");
        assert!(row.at.is_none_or(|at| at >= SimTime::from_secs(at_least)), "{expect}: {row:?}");
        assert_eq!(finished.has_passed(), passed, "{expect}");
    }
}

#[test]
fn what_was_never_evaluated_fails_and_says_so() {
    for (expect, part) in [
        ("always: \"service('web').success_ratio('1m') > 0.9\"", "never evaluated up to "),
        ("always: \"cluster.ready == 3\", after: 29m", "held from 1740.000 s"),
        (
            "always: \"cluster.ready == 3\", after: 31m",
            "its window begins at 1860.000 s, the run ended",
        ),
    ] {
        let finished = run(&format!("  expect: [{{name: it, {expect}}}]\n"));
        let row = only(&finished);
        assert!(row.detail.contains(part), "{expect}: {row:?}");
    }
}

#[test]
fn a_settled_run_waits_for_what_may_still_come() {
    let spec = |expect: &str| {
        format!(
            "  timeline: [{{at: 1s, name: more, scale: deployment/web, replicas: 4}}]\n  expect: [{{name: it, {expect}}}]\n"
        )
    };
    let short = run(&spec("eventually: \"deployment('web').available == 4\", within: 15m"));
    assert!(short.world.converged_since().is_some() && short.has_passed());
    let ended = |expect: &str| {
        let finished = run(&spec(expect));
        wavetank::kernel::Engine::now(&finished.world)
    };
    let settled = wavetank::kernel::Engine::now(&short.world);
    assert!(settled < SimTime::from_secs(300), "{settled}");
    assert_eq!(ended("eventually: \"cluster.pods == 9\", within: 15m"), SimTime::from_secs(900));
    assert_eq!(
        ended("eventually: \"cluster.pods == 9\", of: more, within: 15m"),
        SimTime::from_secs(901)
    );
    assert_eq!(ended("always: \"cluster.pods < 9\", within: 20m"), SimTime::from_secs(1200));
    assert_eq!(ended("always: \"cluster.pods < 9\", for: 20m"), SimTime::from_secs(1200));
    assert_eq!(ended("always: \"cluster.pods < 9\""), settled);
}

#[test]
fn wrong_expectations_are_named_with_place_and_column() {
    let spec = "  expect:
  - {name: a, always: \"deployment('web').redy == 3\"}
  - {name: a, eventually: \"deployment('wob').ready == 3\", of: kill}
  - {name: b, atEnd: \"cluster.ready == 3\", within: 1m}
  - {name: c, always: \"cluster.ready == 3\", within: 1m, after: 2m}
  - {name: d, eventually: \"cluster.ready == 3\", within: 1m, for: 2m}
  - {name: e, always: \"cluster.ready\", never: \"true\"}
  - {name: f}
  - {name: g, always: \"cluster.ready == 3\", within: soon}
  - {name: h, always: \"node('m').ready && pod('web-1').ready && pod('x').ready\"}
  - {name: i, always: \"pods('app=wbe').failed == 0\"}
";
    let found = findings(spec);
    // Where the list begins.
    let line = WEB.lines().count() + 2;
    let place = |at: usize, part: &str| {
        let begin = format!("in.yaml:{}:", line + at);
        assert!(
            found.iter().any(|it| it.starts_with(&begin) && it.contains(part)),
            "{begin} {part}: {found:#?}"
        );
    };
    place(
        0,
        "spec.expect[0].always: column 19: deployment has no field \"redy\" (did you mean \"ready\"?)",
    );
    place(1, "a second expectation named \"a\"");
    place(1, "spec.expect[1].of: the timeline has no step named \"kill\"");
    place(
        1,
        "column 12: nothing creates a deployment named \"default/wob\" (did you mean \"default/web\"?)",
    );
    place(2, "spec.expect[2].within: atEnd looks at the end of the run");
    place(3, "spec.expect[3].within: the window is empty");
    place(4, "spec.expect[4].for: is longer than the window");
    place(5, "expected exactly one of always, never, eventually, atEnd; found always and never");
    place(6, "expected exactly one of always, never, eventually, atEnd; found none");
    place(7, "spec.expect[7].within");
    place(8, "column 6: nothing creates a node named \"m\"");
    place(8, "column 46: nothing creates a pod named \"default/x\"");
    place(9, "warning: spec.expect[9].always: column 6: no pod of the input has such labels");
    assert_eq!(found.len(), 13, "{found:#?}");
    let column = found.iter().find(|it| it.contains("redy")).expect("it is told");
    // The condition begins at column 24 of its line.
    assert!(column.starts_with(&format!("in.yaml:{line}:{}", 24 + 18)), "{column}");
}

#[test]
fn verdicts_do_not_depend_on_the_jobs() {
    let spec = "  timeline:
  - {at: 60s, name: gone, fault: node-crash, target: node/n-0, for: 5m}
  expect:
  - {name: quick, eventually: \"deployment('web').available == 3\", within: 4s}
  - {name: never-two, always: \"pods('app=web').ready >= 3\", after: 60s}
  - {name: back, eventually: \"pods('app=web').ready == 3\", of: gone, after: 1m, within: 10m}
";
    let loaded = loaded(spec);
    let test = Test {
        plan: Arc::new(loaded.plan.clone()),
        expectations: loaded.expectations.clone(),
        seeds: Seeds(1..=6),
    };
    let go = |jobs| {
        many(&[test.clone(), test.clone()], jobs, &AtomicBool::new(false), &|_| {})
            .expect("threads")
    };
    let one = go(1);
    assert_eq!(one, go(4));
    assert_eq!(one[0], one[1]);
    for verdict in &one[0] {
        let failed = verdict.expectations.iter().filter(|row| !row.passed);
        for (row, chain) in failed.zip(&verdict.chains) {
            assert_eq!(chain.last().map(|link| link.number), row.of_fact, "{row:?}");
        }
    }
}
