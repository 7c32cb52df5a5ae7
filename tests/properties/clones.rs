//! A World is one state machine: cloned, moved, run beside others, it ends alike.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use wavetank::cluster::World;
use wavetank::kernel::{Engine, NoSink, Order};
use wavetank::runs::{self, Seeds};

use super::fidelity::{cluster, strike};
use super::rig::{cases, run, step};

fn finish(mut world: World) -> (u64, u64) {
    while step(&mut world, &mut NoSink) {}
    (world.digest(), world.events())
}

#[expect(clippy::disallowed_methods, reason = "the test asks whether a run is the same elsewhere")]
fn finish_in_another_thread(world: World) -> (u64, u64) {
    std::thread::spawn(move || finish(world)).join().expect("the run ends")
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_clone_ends_as_the_original(
        seed in 1..1000u64,
        steps in proptest::collection::vec(strike(), 0..4),
        share in 0..100u64,
    ) {
        let plan = Arc::new(cluster(seed, steps));
        let start = || World::new(Arc::clone(&plan), Order::Fifo, &mut NoSink);
        let whole = finish(start());
        let mut original = start();
        while original.events() < whole.1 * share / 100 {
            prop_assert!(step(&mut original, &mut NoSink));
        }
        let clone = original.clone();
        prop_assert_eq!(finish(original), whole);
        prop_assert_eq!(finish_in_another_thread(clone.clone()), whole);
        prop_assert_eq!(finish(clone), whole);
    }
}

#[test]
fn jobs_and_recording_change_nothing() {
    let plan = cluster(1, Vec::new());
    let test = runs::Test {
        plan: Arc::new(plan.clone()),
        expectations: Arc::default(),
        seeds: Seeds::parse("1..4").expect("a row"),
    };
    let tests = [test];
    let many =
        |jobs| runs::many(&tests, jobs, &AtomicBool::new(false), &|_| {}).expect("no trouble");
    let all = many(1);
    assert_eq!(all, many(4));
    let one = &all[0];
    let (recorded, facts) = run(&plan, Order::Fifo);
    assert_eq!(recorded.facts(), facts.0.len() as u64);
    assert_eq!(recorded.digest(), one[0].digest, "recorded or not");
}
