//! etcd alone remembers: whatever else dies and comes back, the desired state is reached, and what
//! must hold holds after every event.

use std::sync::Arc;

use proptest::prelude::*;
use wavetank::api::job::Job;
use wavetank::api::kind::Kind;
use wavetank::api::pod::Pod;
use wavetank::cluster::World;
use wavetank::cluster::invariants::Invariants;
use wavetank::cluster::plan::{Act, End, Fault, Instance, Plan, Step};
use wavetank::kernel::{Engine, Order};
use wavetank::time::{SimDuration, SimTime};

use super::fidelity::{cluster, strike};
use super::rig::{Facts, cases, job, load, sets, shop, step};

/// Runs a plan and checks what must hold after each event.
fn checked(plan: &Plan, order: Order) -> (World, Facts) {
    let (mut facts, mut invariants) = (Facts::default(), Invariants::default());
    let mut world = World::new(Arc::new(plan.clone()), order, &mut facts);
    while step(&mut world, &mut facts) {
        if let Err(broken) = invariants.check(&world) {
            let last = facts.around(facts.0.len().saturating_sub(1));
            panic!("{} {broken}\n{last}with {:?}", world.now(), plan.steps);
        }
    }
    (world, facts)
}

/// Like [`checked`], with the desired state reached within `bound` of the latest step or heal.
fn converges(plan: &Plan, order: Order, bound: SimDuration) {
    let (world, facts) = checked(plan, order);
    let end = |step: &Step| match &step.act {
        Act::Fault { lasts: Some(span), .. } => step.at + *span,
        _ => step.at,
    };
    let calm = plan.steps.iter().map(end).max().unwrap_or(SimTime::ZERO);
    let last = || facts.around(facts.0.len().saturating_sub(1));
    let Some(since) = world.converged_since() else {
        panic!("never converged with {:?}:\n{}", plan.steps, last());
    };
    assert!(since <= calm + bound, "only at {since} with {:?}:\n{}", plan.steps, last());
}

fn small(masters: u16, steps: Vec<Step>, seed: u64) -> Plan {
    let spec = format!(
        "  seed: {seed}\n  cluster:\n    nodes: [{{name: n, count: 3, capacity: {{cpu: '2', memory: 4Gi}}}}]\n    \
         controlPlane: {{masters: {masters}, apiServers: {masters}, etcd: {masters}, schedulers: {masters}, \
         controllerManagers: {masters}}}"
    );
    let mut plan = shop(8, 4, &spec, &sets());
    plan.steps = steps;
    plan.steps.sort_by_key(|step| step.at);
    plan.end =
        End::Settled { hold: SimDuration::from_secs(30), backstop: SimTime::from_secs(1800) };
    plan
}

/// A kill at any instant: a user whose server is down asks again.
fn kill() -> impl Strategy<Value = Step> {
    let instance = prop_oneof![
        Just(Instance::ApiServer(0)),
        Just(Instance::Scheduler(0)),
        Just(Instance::ControllerManager(0)),
    ];
    let at = prop_oneof![Just(0), 0..1_000u64, 1_000..15_000u64];
    (at, instance, 1..40_000u64).prop_map(|(at, instance, lasts)| Step {
        at: SimTime::ZERO + SimDuration::from_millis(at),
        name: "kill".into(),
        act: Act::Fault {
            fault: Fault::Kill(instance),
            lasts: Some(SimDuration::from_millis(lasts)),
        },
    })
}

/// An informer is back up to two waits of 60 s after an API server that was down is (the second for being
/// refused by one that does not know its past); a take-over takes up to 24 s, backed-off pods wait up to
/// 10 s more, probes and starts a few.
const BOUND: SimDuration = SimDuration::from_secs(180);

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn the_control_plane_may_die_and_come_back(
        seed in 1..1000u64,
        masters in prop_oneof![Just(1u16), Just(3u16)],
        steps in proptest::collection::vec(kill(), 1..4),
    ) {
        converges(&small(masters, steps, seed), Order::Fifo, BOUND);
    }

    /// A pod of a Job is counted in two steps: whoever dies between them, it is counted once.
    #[test]
    fn a_job_counts_each_pod_once(
        seed in 1..1000u64,
        steps in proptest::collection::vec(kill(), 1..5),
    ) {
        let mut plan = small(1, steps, seed);
        plan.objects.retain(|it| it.object.kind() == Kind::Namespace);
        plan.objects.extend(load(&job(6, 3)).objects.into_iter().filter(|it| it.object.kind() == Kind::Job));
        let (world, facts) = checked(&plan, Order::Fifo);
        let last = || facts.around(facts.0.len().saturating_sub(1));
        let id = world.store().find::<Job>("default", "sum").expect("the Job");
        let status = &world.store().get(id).expect("the Job").status;
        prop_assert!(status.end().is_some(), "{status:?} with {:?}:\n{}", plan.steps, last());
        prop_assert_eq!((status.succeeded, status.failed), (6, 0));
        prop_assert!(status.uncounted_succeeded.is_empty() && status.uncounted_failed.is_empty());
        let held = world.store().table::<Pod>().iter().filter(|(_, pod)| !pod.meta.finalizers().is_empty());
        prop_assert_eq!(held.count(), 0, "finalizers are left");
    }

    #[test]
    fn events_of_one_instant_may_come_in_any_order(seed in 1..1000u64, shuffle in 0..1000u64) {
        converges(&small(3, Vec::new(), seed), Order::Shuffled(shuffle), BOUND);
    }

    #[test]
    fn what_must_hold_holds_whatever_breaks(
        seed in 1..1000u64,
        steps in proptest::collection::vec(strike(), 0..5),
    ) {
        checked(&cluster(seed, steps), Order::Fifo);
    }

    /// Evicted pods, containers that crashed with their node, leaders lost: five minutes bring all
    /// of it back.
    #[test]
    fn when_all_faults_are_over_the_desired_state_is_reached(
        seed in 1..1000u64,
        steps in proptest::collection::vec(strike(), 1..5),
    ) {
        let mut steps = steps;
        for step in &mut steps {
            if let Act::Fault { lasts, .. } = &mut step.act {
                lasts.get_or_insert(SimDuration::from_secs(50));
            }
        }
        let mut plan = cluster(seed, steps);
        plan.end = small(1, Vec::new(), 1).end;
        converges(&plan, Order::Fifo, SimDuration::from_secs(360));
    }
}
