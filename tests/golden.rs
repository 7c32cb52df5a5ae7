//! The scenarios of `scenarios/golden` against timelines recorded from a real control plane.
//!
//! Source of every figure: `golden-timelines`, kube-apiserver, kube-controller-manager and
//! kube-scheduler 1.36.2 with fake kubelets (start 1 s, stop 1 s); least and greatest of all its
//! runs, in seconds from the request on. A time of ours must lie between them, widened by 10 % or
//! 0.3 s, whichever is larger; a rate within 5 % of the recorded one.

#[path = "golden/actions.rs"]
mod actions;
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
#[path = "golden/jobs.rs"]
mod jobs;
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
#[path = "golden/sets.rs"]
mod sets;
#[path = "golden/table.rs"]
mod table;
#[path = "golden/verdict.rs"]
mod verdict;

use std::collections::BTreeMap;
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

    /// The last status of a Deployment that was written.
    fn complete(&self) -> f64 {
        let mut facts = self.0.iter().rev();
        let status = facts
            .find(|(_, _, fact)| fact.verb == Verb::Status && fact.object.kind == Kind::Deployment);
        status.expect("a status is written").0
    }

    /// Pods created by one and the same cause: a batch follows the replies to the one before.
    fn batches(&self) -> Vec<usize> {
        let created = self.pods(Verb::Created);
        created.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len).collect()
    }

    /// Pods created a second, between a fifth and four fifths of them.
    fn created_per_second(&self) -> f64 {
        let created = self.pods(Verb::Created);
        let (from, to) = (created.len() / 5, created.len() * 4 / 5 - 1);
        (to - from) as f64 / (created[to].0 - created[from].0)
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

/// The figures of a Deployment that comes up.
struct Recorded {
    scenario: &'static str,
    pods: usize,
    last_pod_created: Range,
    last_pod_scheduled: Range,
    last_pod_ready: Range,
    deployment_complete: Range,
    /// Pods a second, where they were paced.
    created_per_second: Option<Range>,
}

/// `summary` of s1_deploy10, s1_deploy10_ready2, s1_deploy100, s1_deploy300_30nodes_default and
/// s1_deploy1000_100nodes_default; the rate of the third is counted from its observations.
const RECORDED: [Recorded; 5] = [
    Recorded {
        scenario: include_str!("../scenarios/golden/deploy-10.yaml"),
        pods: 10,
        last_pod_created: (0.084, 0.124),
        last_pod_scheduled: (0.101, 0.164),
        last_pod_ready: (1.138, 1.208),
        deployment_complete: (1.17, 1.26),
        created_per_second: None,
    },
    Recorded {
        scenario: include_str!("../scenarios/golden/deploy-10-ready-2s.yaml"),
        pods: 10,
        last_pod_created: (0.107, 0.22),
        last_pod_scheduled: (0.152, 0.281),
        last_pod_ready: (3.169, 3.296),
        deployment_complete: (3.198, 3.32),
        created_per_second: None,
    },
    Recorded {
        scenario: include_str!("../scenarios/golden/deploy-100.yaml"),
        pods: 100,
        last_pod_created: (3.83, 3.904),
        last_pod_scheduled: (3.844, 3.919),
        last_pod_ready: (4.853, 4.924),
        deployment_complete: (5.036, 5.097),
        created_per_second: Some((22.0, 22.5)),
    },
    Recorded {
        scenario: include_str!("../scenarios/golden/deploy-300.yaml"),
        pods: 300,
        last_pod_created: (14.031, 14.614),
        last_pod_scheduled: (14.042, 15.16),
        last_pod_ready: (15.076, 16.355),
        deployment_complete: (15.364, 16.587),
        created_per_second: Some((19.8, 20.0)),
    },
    Recorded {
        scenario: include_str!("../scenarios/golden/deploy-1000.yaml"),
        pods: 1000,
        last_pod_created: (49.507, 50.764),
        last_pod_scheduled: (49.512, 51.108),
        last_pod_ready: (50.544, 53.314),
        deployment_complete: (50.612, 53.639),
        created_per_second: Some((19.1, 19.6)),
    },
];

#[test]
fn a_deployment_comes_up_as_recorded() {
    for recorded in RECORDED {
        for seed in 1..=3 {
            let (ours, _) = run(recorded.scenario, seed);
            assert_eq!(ours.pods(Verb::Created).len(), recorded.pods);
            let times = [
                ("last pod created", ours.last(Verb::Created), recorded.last_pod_created),
                ("last pod scheduled", ours.last(Verb::Bound), recorded.last_pod_scheduled),
                ("last pod ready", ours.last(Verb::Ready), recorded.last_pod_ready),
                ("Deployment complete", ours.complete(), recorded.deployment_complete),
            ];
            for (what, time, range) in times {
                assert_within(what, seed, time, range);
            }
            if let Some((least, greatest)) = recorded.created_per_second {
                let rate = ours.created_per_second();
                assert!(
                    (least * 0.95..=greatest * 1.05).contains(&rate),
                    "seed {seed}: {rate:.2} pods a second, recorded {least} to {greatest}"
                );
            }
        }
    }
}

#[test]
fn ten_pods_are_created_in_batches_of_slow_start() {
    for recorded in &RECORDED[..2] {
        for seed in 1..=3 {
            assert_eq!(run(recorded.scenario, seed).0.batches(), [1, 2, 4, 3], "seed {seed}");
        }
    }
}

/// A template is changed at this instant, in seconds.
const UPDATED: f64 = 30.0;

/// The figures of a template that changes.
struct Updated {
    scenario: &'static str,
    last_pod_created: Range,
    last_pod_ready: Range,
    last_pod_deleting: Range,
    last_pod_deleted: Range,
    deployment_complete: Range,
    /// Most pods there are to be at a time, and fewest that are ready.
    bounds: (i64, i64),
}

/// `summary` of s2_rolling_default, s2_rolling_surge0_unavail1, s2_recreate and
/// s2_rolling_minready5.
const UPDATES: [Updated; 4] = [
    Updated {
        scenario: include_str!("../scenarios/golden/rolling-default.yaml"),
        last_pod_created: (3.34, 3.496),
        last_pod_ready: (6.381, 6.529),
        last_pod_deleting: (6.37, 6.46),
        last_pod_deleted: (7.399, 7.485),
        deployment_complete: (6.407, 6.541),
        bounds: (13, 8),
    },
    Updated {
        scenario: include_str!("../scenarios/golden/rolling-one-by-one.yaml"),
        last_pod_created: (28.464, 30.374),
        last_pod_ready: (31.497, 33.566),
        last_pod_deleting: (28.436, 30.035),
        last_pod_deleted: (29.475, 31.244),
        deployment_complete: (31.513, 33.638),
        bounds: (10, 9),
    },
    Updated {
        scenario: include_str!("../scenarios/golden/recreate.yaml"),
        last_pod_created: (1.23, 1.345),
        last_pod_ready: (4.271, 4.386),
        last_pod_deleting: (0.051, 0.089),
        last_pod_deleted: (1.161, 1.209),
        deployment_complete: (4.299, 4.405),
        bounds: (10, 0),
    },
    Updated {
        scenario: include_str!("../scenarios/golden/rolling-min-ready.yaml"),
        last_pod_created: (7.926, 8.031),
        last_pod_ready: (10.951, 11.062),
        last_pod_deleting: (15.784, 15.972),
        last_pod_deleted: (16.84, 17.021),
        deployment_complete: (15.817, 16.013),
        bounds: (13, 8),
    },
];

/// Greatest size of both sets together, once the new one was scaled, and fewest pods that are ready
/// and stay. There may be a pod more than that for a moment: sets follow their sizes each by itself.
fn bounds(ours: &Timeline) -> (i64, i64) {
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    let (mut most, mut fewest, mut ready) = (10, 10, 10);
    for (_, _, fact) in &ours.0 {
        let name = fact.object.to_string();
        match (fact.object.kind, fact.verb) {
            (Kind::ReplicaSet, Verb::Scaled) => {
                sizes.insert(name, fact.values[0].1);
                if sizes.len() == 2 {
                    most = most.max(sizes.values().sum());
                }
            }
            (Kind::Pod, Verb::Ready) => ready += 1,
            // Every pod that is deleted here was ready.
            (Kind::Pod, Verb::Deleting) => ready -= 1,
            _ => {}
        }
        fewest = fewest.min(ready);
    }
    (most, fewest)
}

#[test]
fn a_template_is_rolled_out_as_recorded() {
    for recorded in UPDATES {
        let mut times: [Vec<f64>; 5] = Default::default();
        for seed in 1..=5 {
            let (ours, _) = run(recorded.scenario, seed);
            let ours = ours.from(UPDATED);
            assert_eq!(ours.pods(Verb::Created).len(), 10);
            assert_eq!(ours.pods(Verb::Deleted).len(), 10);
            let verbs = [Verb::Created, Verb::Ready, Verb::Deleting, Verb::Deleted];
            for (times, verb) in times.iter_mut().zip(verbs) {
                times.push(ours.last(verb));
            }
            times[4].push(ours.complete());
            let (most, fewest) = bounds(&ours);
            assert!(
                most <= recorded.bounds.0 && fewest >= recorded.bounds.1,
                "seed {seed}: {most} pods wanted at most, {fewest} ready at least, expected {:?}",
                recorded.bounds
            );
        }
        let ranges = [
            ("last pod created", recorded.last_pod_created),
            ("last pod ready", recorded.last_pod_ready),
            ("last pod deleting", recorded.last_pod_deleting),
            ("last pod deleted", recorded.last_pod_deleted),
            ("Deployment complete", recorded.deployment_complete),
        ];
        // How Ready events meet differs from run to run: the middle one of five is compared.
        for (times, (what, range)) in times.iter_mut().zip(ranges) {
            times.sort_by(f64::total_cmp);
            assert_within(what, "the middle of five seeds", times[2], range);
        }
    }
}

#[test]
fn a_recreated_deployment_waits_for_the_last_old_pod() {
    let (ours, _) = run(UPDATES[2].scenario, 1);
    let ours = ours.from(UPDATED);
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

/// One row of a recorded node failure and its times in s3_node_fail_1of3, _1of5 and _1of3_short, in
/// seconds from the fault; the last ends before pods that tolerate it for 300 s leave.
type Row = (&'static str, [Option<f64>; 3]);

const NODE_LOST: [Row; 15] = [
    ("node unknown", [Some(41.271), Some(47.184), Some(44.711)]),
    ("NoSchedule", [Some(41.294), Some(47.199), Some(44.733)]),
    ("NoExecute", [Some(41.378), Some(47.250), Some(44.911)]),
    ("web not ready", [Some(41.532), Some(47.232), Some(44.742)]),
    ("tol10 not ready", [Some(41.383), Some(47.270), Some(44.880)]),
    ("tol0 not ready", [Some(41.294), Some(47.329), Some(44.944)]),
    ("tol0 first evicted", [Some(41.691), Some(47.347), Some(45.005)]),
    ("tol0 last evicted", [Some(41.720), Some(47.377), Some(45.009)]),
    ("tol0 first replaced", [Some(41.870), Some(47.401), Some(45.068)]),
    ("tol10 first evicted", [Some(51.446), Some(57.297), Some(54.973)]),
    ("tol10 last evicted", [Some(51.449), Some(57.304), Some(54.977)]),
    ("tol10 first replaced", [Some(51.462), Some(57.312), Some(54.981)]),
    ("web first evicted", [Some(341.475), Some(347.314), None]),
    ("web last evicted", [Some(341.497), Some(347.321), None]),
    ("web first replaced", [Some(341.512), Some(347.368), None]),
];

impl Timeline {
    /// The time of a row of [`NODE_LOST`]; none if nothing of it happened.
    fn node_lost(&self, row: &str) -> Option<f64> {
        let of = |part: &str, verb: Verb| {
            let mut facts = self.0.iter().filter(|it| it.2.verb == verb);
            let prefix = format!("Pod/default/{part}-");
            let named = facts.find(|it| it.2.object.to_string().starts_with(&prefix));
            named.map(|it| it.0)
        };
        let last = |part: &str| {
            let prefix = format!("Pod/default/{part}-");
            let mut marked = self.0.iter().filter(|it| it.2.verb == Verb::Deleting);
            marked.rfind(|it| it.2.object.to_string().starts_with(&prefix)).map(|it| it.0)
        };
        let (app, what) = row.split_once(' ').unwrap_or((row, ""));
        match (app, what) {
            ("node", _) => Some(self.first_of("Node/n-0", Verb::NodeUnknown)),
            ("NoSchedule", _) => Some(self.taint(Verb::Tainted, ":NoSchedule")),
            ("NoExecute", _) => Some(self.taint(Verb::Tainted, "unreachable:NoExecute")),
            (app, "not ready") => of(app, Verb::Unready),
            (app, "first evicted") => of(app, Verb::Deleting),
            (app, "last evicted") => last(app),
            (app, _) => of(app, Verb::Created),
        }
    }
}

/// Rows of which the second follows from the first; others that lie closer than this come in an order
/// that the recordings' README puts down to noise.
const FOLLOWS: [(&str, &str); 6] = [
    ("node unknown", "NoSchedule"),
    ("NoSchedule", "NoExecute"),
    ("NoExecute", "tol0 first evicted"),
    ("tol0 first evicted", "tol0 first replaced"),
    ("tol10 first evicted", "tol10 first replaced"),
    ("web first evicted", "web first replaced"),
];
const NOISE: f64 = 0.3;

/// The rows of the node and of web, tol10 and tol0 in all three recordings: none comes before one that
/// all recordings have before it, each lies as long after Unknown as recorded, within 10 % or 1 s, and Unknown
/// comes 50 to 55 s after a lease that was renewed within the 10 s before the fault.
#[test]
fn a_lost_node_keeps_the_recorded_order() {
    let scenario = include_str!("../scenarios/golden/node-lost.yaml");
    let five = scenario.replace("count: 3", "count: 5");
    let short = scenario.replace("for: 395s", "for: 95s");
    for (which, scenario) in [scenario, &five, &short].into_iter().enumerate() {
        for seed in 1..=3 {
            let (ours, _) = run(scenario, seed);
            let ours = ours.from(30.0);
            let times = NODE_LOST.map(|(row, _)| ours.node_lost(row));
            let title =
                |row: usize| format!("recording {which}, seed {seed}: {}", NODE_LOST[row].0);
            for (row, (_, recorded)) in NODE_LOST.iter().enumerate() {
                let (Some(ours), Some(recorded)) = (times[row], recorded[which]) else {
                    assert_eq!(times[row].is_some(), recorded[which].is_some(), "{}", title(row));
                    continue;
                };
                let since = |at: f64, unknown: Option<f64>| at - unknown.expect("it is lost");
                let theirs = since(recorded, NODE_LOST[0].1[which]);
                let after = since(ours, times[0]);
                let slack = (theirs * 0.1).max(1.0);
                assert!((after - theirs).abs() <= slack, "{}: {after:.3}, {theirs}", title(row));
            }
            let unknown = times[0].expect("it is lost");
            assert!((40.0..=55.02).contains(&unknown), "{}: {unknown:.3}", title(0));
            for (before, (one, earlier)) in NODE_LOST.iter().enumerate() {
                for (after, (other, later)) in NODE_LOST.iter().enumerate() {
                    let least = if FOLLOWS.contains(&(one, other)) { 0.0 } else { NOISE };
                    let agreed = earlier.iter().zip(later).all(|(a, b)| match (a, b) {
                        (Some(a), Some(b)) => b - a > least,
                        _ => true,
                    });
                    if let (true, Some(first), Some(second)) = (agreed, times[before], times[after])
                    {
                        assert!(first <= second, "{} after {}", title(before), title(after));
                    }
                }
            }
        }
    }
}
