//! One of several instances leads, and another takes over when it is gone.

use wavetank::api::misc::Lease;
use wavetank::cluster::plan::{Act, Fault, Instance, Plan, Spot, Step};
use wavetank::kernel::Order;
use wavetank::messages::Verb;
use wavetank::time::SimDuration;

use super::rig::{Facts, millis, run, shop};

const SPEC: &str = "  duration: 90s\n  cluster:\n    nodes: [{name: n, count: 3, capacity: {cpu: '4', \
                    memory: 8Gi}}]\n    controlPlane: {masters: 3, apiServers: 3, etcd: 3, schedulers: 3, \
                    controllerManagers: 3}";

fn with(fault: Fault, at: u64, seed: u64) -> Plan {
    let mut plan = shop(3, 1, SPEC, "");
    plan.seed = seed;
    let act = Act::Fault { fault, lasts: None };
    plan.steps.push(Step { at: millis(at), name: "fault".into(), act });
    // A pod that has to be bound by whoever takes over.
    let act = Act::Change {
        target: wavetank::cluster::plan::Target {
            kind: wavetank::api::kind::Kind::Deployment,
            namespace: "default".into(),
            name: "web".into(),
        },
        change: wavetank::cluster::plan::Change::Scale(5),
    };
    plan.steps.push(Step { at: millis(at + 1000), name: "scale".into(), act });
    plan
}

/// After a crash: 15 s from the follower's own look at the latest renewal, found out at a look: 13 to
/// 23.8 s (and what the request takes).
fn taken_over(facts: &Facts, after: u64, lease: &str) -> String {
    let leaders: Vec<_> =
        facts.of(Verb::Leader).into_iter().filter(|(_, name, _)| name == lease).collect();
    assert_eq!(leaders.len(), 1, "{leaders:?}");
    let (at, _, who) = &leaders[0];
    let span = at.checked_since(millis(after)).expect("after the crash");
    let (least, most) = (SimDuration::from_secs(13), SimDuration::from_millis(23_900));
    assert!(span >= least && span <= most, "taken over after {span}");
    who.clone()
}

#[test]
fn a_follower_takes_over_from_a_leader_that_was_killed() {
    for (seed, at) in [(1, 20_000), (2, 21_234), (3, 33_999), (4, 8_000)] {
        for (instance, lease) in [
            (Instance::Scheduler(0), "kube-scheduler"),
            (Instance::ControllerManager(0), "kube-controller-manager"),
        ] {
            let (world, facts) = run(&with(Fault::Kill(instance), at, seed), Order::Fifo);
            let who = taken_over(&facts, at, lease);
            assert!(!who.starts_with(&format!("{lease}-0")), "{who}");
            assert_eq!(world.store().table::<Lease>().len(), 2);
            assert!(world.converged_since().is_some(), "{instance:?} at {at}");
        }
    }
}

#[test]
fn a_leader_that_is_cut_off_gives_up_before_another_takes_over() {
    let fault = Fault::Partition { from: vec![Spot::Master(0)], to: Vec::new() };
    let (_, facts) = run(&with(fault, 20_000, 1), Order::Fifo);
    for lease in ["kube-scheduler", "kube-controller-manager"] {
        taken_over(&facts, 20_000, lease);
        let at = |verb| {
            let mut all = facts.of(verb).into_iter().filter(|(_, name, _)| name == lease);
            all.next().map(|(at, ..)| at).expect("a fact")
        };
        assert!(at(Verb::LeaderLost) < at(Verb::Leader), "{lease}");
    }
}

#[test]
fn followers_do_nothing() {
    let mut plan = shop(5, 3, SPEC, "");
    let three = run(&plan, Order::Fifo);
    plan.control_plane.schedulers = 1;
    plan.control_plane.controller_managers = 1;
    let one = run(&plan, Order::Fifo);
    assert_eq!(three.1.first_difference(&one.1), None);
}
