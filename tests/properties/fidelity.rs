//! Occurrences that are worked out and occurrences that are run leave the same facts.

use proptest::prelude::*;
use wavetank::cluster::plan::{Act, Fault, Instance, Plan, Spot, Step};
use wavetank::kernel::{Engine, Fidelity, Order};
use wavetank::time::{SimDuration, SimTime};

use super::rig::{assert_equal, cases, run, shop};

/// When a fault strikes or ends: anywhere, or on a whole second, where monitors' passes and renewals of
/// leaders that lead from the start fall.
pub fn instant() -> impl Strategy<Value = SimDuration> {
    prop_oneof![
        (0..90_000u64).prop_map(SimDuration::from_millis),
        (0..90u64).prop_map(SimDuration::from_secs),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let node = || (0..4u8).prop_map(|at| format!("n-{at}"));
    prop_oneof![
        3 => node().prop_map(|name| Fault::NodeCrash(name.into())),
        2 => node().prop_map(|name| Fault::KubeletStop(name.into())),
        2 => node().prop_map(|name| Fault::Partition {
            from: vec![Spot::Node(name.into())], to: Vec::new()
        }),
        1 => Just(Fault::Partition { from: vec![Spot::Master(0)], to: Vec::new() }),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::ApiServer(at))),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::Scheduler(at))),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::ControllerManager(at))),
    ]
}

/// A fault at an instant, for a span or for good.
pub fn strike() -> impl Strategy<Value = Step> {
    (instant(), fault(), proptest::option::weighted(0.8, instant())).prop_map(
        |(at, fault, lasts)| {
            let lasts = lasts.map(|span| span + SimDuration::from_millis(1));
            Step { at: SimTime::ZERO + at, name: "fault".into(), act: Act::Fault { fault, lasts } }
        },
    )
}

/// A cluster of four nodes and two of each process on three masters.
pub fn cluster(seed: u64, mut steps: Vec<Step>) -> Plan {
    let spec = format!(
        "  seed: {seed}\n  duration: 400s\n  cluster:\n    nodes: [{{name: n, count: 4, capacity: \
         {{cpu: '4', memory: 8Gi}}}}]\n    controlPlane: {{masters: 3, apiServers: 2, etcd: 3, schedulers: 2, \
         controllerManagers: 2}}"
    );
    let mut plan = shop(4, 2, &spec, "");
    steps.sort_by_key(|step| step.at);
    plan.steps = steps;
    plan
}

fn explicit_and_elided_agree(mut plan: Plan) {
    let elided = run(&plan, Order::Fifo);
    plan.fidelity = Fidelity::Explicit;
    let explicit = run(&plan, Order::Fifo);
    assert!(explicit.0.events() > elided.0.events(), "explicit runs what elided counts");
    assert_equal(&elided, &explicit, &format!("elided and explicit, {:?}", plan.steps));
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn random_faults_leave_equal_facts(
        seed in 1..1000u64,
        steps in proptest::collection::vec(strike(), 0..5),
    ) {
        explicit_and_elided_agree(cluster(seed, steps));
    }
}

/// Once found: an event at the very instant of a pass put the pass off; a node that had just posted
/// its status was not heard of.
#[test]
fn returns_at_the_instant_of_a_pass_are_seen_alike() {
    let node = |at, fault, lasts| Step {
        at: super::rig::millis(at),
        name: "fault".into(),
        act: Act::Fault { fault, lasts },
    };
    let partition = Fault::Partition { from: vec![Spot::Node("n-3".into())], to: Vec::new() };
    let span = |millis| Some(SimDuration::from_millis(millis));
    explicit_and_elided_agree(cluster(901, vec![node(87_036, partition, span(60_001))]));
    let stop = node(8_934, Fault::KubeletStop("n-0".into()), None);
    let crash = node(49_934, Fault::NodeCrash("n-0".into()), span(24_001));
    explicit_and_elided_agree(cluster(324, vec![stop, crash]));
}
