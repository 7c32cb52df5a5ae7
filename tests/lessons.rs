//! What lessons teach about kubelets holds because of what they say it holds by: said otherwise, it fails.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::kernel::FactSink;
use wavetank::messages::{Fact, Verb};
use wavetank::runs::{self, Seeds, Test, many};
use wavetank::scenario::{Loaded, Loader, Overrides};

const PULLS: &str = include_str!("../scenarios/parallel-pulls.yaml");
const SOFT: &str = include_str!("../scenarios/soft-eviction.yaml");
const HOOKS: &str = include_str!("../scenarios/hooks.yaml");
const GATES: &str = include_str!("../scenarios/readiness-gates.yaml");

/// A lesson in which one thing is said otherwise.
fn read(lesson: &str, said: &str, instead: &str) -> Loaded {
    assert!(lesson.contains(said), "{said}");
    let text = lesson.replace(said, instead);
    let mut loader = Loader::new(Overrides::default());
    loader.read("lesson.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded
}

/// Which expectations fail then, under any of a few seeds.
fn fails(lesson: &str, said: &str, instead: &str) -> Vec<String> {
    let loaded = read(lesson, said, instead);
    let (plan, seeds) = (Arc::new(loaded.plan), Seeds(1..=3));
    let tests = [Test { plan, expectations: loaded.expectations, seeds }];
    let verdicts = many(&tests, 0, &AtomicBool::new(false), &|_| {}).expect("they run").concat();
    let of = |at: usize| -> Vec<String> {
        let rows = verdicts[at].expectations.iter().filter(|row| !row.passed);
        rows.map(|row| row.name.to_string()).collect()
    };
    let all: Vec<_> = (0..verdicts.len()).map(of).collect();
    assert!(all.iter().all(|one| *one == all[0]), "it hangs on chance: {all:?}");
    all[0].clone()
}

#[derive(Default)]
struct Exits(Vec<(String, i64)>);

impl FactSink<Fact> for Exits {
    fn record(&mut self, _at: wavetank::time::SimTime, _: u64, _: u64, fact: &Fact) {
        let code = fact.values.iter().find(|(name, _)| *name == "exit_code");
        if let (Verb::Exited, Some((_, code))) = (fact.verb, code) {
            self.0.push((fact.object.name.to_string(), *code));
        }
    }
}

/// The exit codes of the containers that ended, by pod, in order.
fn exits(lesson: &str, said: &str, instead: &str) -> Vec<(String, i64)> {
    let mut exits = Exits::default();
    let plan = read(lesson, said, instead).plan.into();
    runs::run(plan, &mut exits, &AtomicBool::new(false), &mut |_| {});
    exits.0
}

#[test]
fn small_images_wait_for_large_ones_unless_pulls_are_parallel() {
    let parallel = "{serializeImagePulls: false, maxParallelImagePulls: 4}";
    assert_eq!(fails(PULLS, parallel, parallel), Vec::<String>::new());
    assert_eq!(fails(PULLS, parallel, "{serializeImagePulls: false}"), Vec::<String>::new());
    let serial = ["the-small-one-does-not-wait", "the-first-comes-later-for-it"];
    assert_eq!(fails(PULLS, parallel, "{}"), serial);
    // With a place fewer the dashboard waits for the first model.
    let three = "{serializeImagePulls: false, maxParallelImagePulls: 3}";
    assert_eq!(fails(PULLS, parallel, three), serial[..1]);
}

#[test]
fn a_soft_threshold_is_borne_for_its_grace_period_and_lets_pods_end() {
    let grace = "evictionMaxPodGracePeriod: 20";
    let codes = |all: Vec<(String, i64)>| -> Vec<String> {
        all.into_iter().map(|(name, code)| format!("{name} {code}")).collect()
    };
    assert_eq!(codes(exits(SOFT, grace, grace)), ["visitor 0", "leak 0", "flood 137"]);
    let short = "evictionMaxPodGracePeriod: 5";
    assert_eq!(codes(exits(SOFT, grace, short)), ["visitor 0", "leak 137", "flood 137"]);
    let period = "evictionSoftGracePeriod: {memory.available: 90s}";
    assert_eq!(fails(SOFT, period, period), Vec::<String>::new());
    let none = "evictionSoftGracePeriod: {memory.available: 20s}";
    assert_eq!(fails(SOFT, period, none), ["but-borne-for-a-while", "a-leak-is-borne-as-long"]);
    let only_hard = "evictionSoft: {memory.available: 110Mi}";
    let left = fails(SOFT, "evictionSoft: {memory.available: 1Gi}", only_hard);
    // The leak is still there when the flood comes, and the kernel is quicker than the kubelet.
    assert_eq!(left, ["pressure-is-told-at-once", "and-then-let-go", "a-flood-goes-at-once"]);
}

#[test]
fn hooks_and_gates_are_what_pods_wait_for() {
    let quick = fails(HOOKS, "preStop: {for: 10s}", "preStop: {for: 1s}");
    assert_eq!(quick, ["hooks-take-their-time"]);
    let well = fails(HOOKS, "postStart: {for: 2s, exit: 1}", "postStart: {for: 2s}");
    assert_eq!(well, ["a-failed-start-is-tried-again", "and-never-ready"]);
    let open = fails(GATES, "readinessGates: [{conditionType: lb.example/registered}]", "");
    let waits = ["but-is-not-ready-before-it-is-registered", "and-nobody-comes-after-it"];
    assert_eq!(open[..2], waits);
}
