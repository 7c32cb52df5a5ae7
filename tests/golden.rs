//! The scenarios of `scenarios/golden` against timelines recorded from a real control plane.
//!
//! Source of every figure: `golden-timelines`, kube-apiserver, kube-controller-manager and
//! kube-scheduler 1.36.2 with fake kubelets (start 1 s, stop 1 s); least and greatest of all its
//! runs, in seconds from the request on. A time of ours must lie between them, widened by 10 % or
//! 0.3 s, whichever is larger; a rate within 5 % of the recorded one.

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

fn run(scenario: &str, seed: u64) -> (Timeline, Finished) {
    let mut loader = Loader::new(Overrides { seed: Some(seed), ..Overrides::default() });
    loader.read("scenario", scenario.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    let mut timeline = Timeline::default();
    let never = AtomicBool::new(false);
    let finished = runs::run(Arc::new(loaded.plan), &mut timeline, &never, &mut |_| {});
    assert!(finished.has_converged());
    (timeline, finished)
}

/// A recorded least and greatest.
type Range = (f64, f64);

fn assert_within(what: &str, seed: u64, ours: f64, (least, greatest): Range) {
    let (below, above) = ((least * 0.1).max(0.3), (greatest * 0.1).max(0.3));
    assert!(
        (least - below..=greatest + above).contains(&ours),
        "seed {seed}: {what} at {ours:.3} s, recorded {least} to {greatest} s"
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
