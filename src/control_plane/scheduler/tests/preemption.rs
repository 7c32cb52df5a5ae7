//! Preemption as the component does it: promises, evictions and who comes when.

use super::world::{World, node, pod};
use super::*;
use crate::api::pod::{PodCondition, Preemption};

fn important(name: &str, cpu_milli: i64, priority: i32) -> Pod {
    let mut pod = pod(name, cpu_milli);
    Arc::make_mut(&mut pod.spec).priority = priority;
    pod
}

/// Two nodes full of pods of no importance.
fn full() -> World {
    let mut world = World::new(Settings::default());
    for name in ["a", "b"] {
        world.node(node(name, 1000));
    }
    for name in ["p", "q"] {
        world.pod(pod(name, 800));
    }
    world.lead();
    world.run(seconds(1));
    assert_eq!(world.bound().len(), 2);
    world
}

#[test]
fn the_important_pod_comes_when_its_victims_are_gone() {
    let mut world = full();
    world.pod(important("high", 800, 10));
    world.run(seconds(2));
    let high = world.seen("high");
    let promised = high.status.nominated.expect("it is promised a node");
    assert_eq!(high.status.condition(PodCondition::PodScheduled).value, Some(Tristate::False));
    let victim = ["p", "q"].into_iter().find(|name| world.seen(name).meta.is_terminating());
    let victim = world.seen(victim.expect("one of them has to go"));
    assert_eq!(victim.node, Some(promised));
    let why = victim.status.disruption.as_ref().expect("it is told why");
    assert_eq!(
        (&*why.reason, &*why.message),
        (
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod"
        )
    );
    world.run(seconds(40));
    assert_eq!(world.seen("high").node, Some(promised));
    assert_eq!(world.seen("high").status.nominated, None, "a promise ends with the binding");
    // Seen after 2 ms, a cycle of 1 ms, two requests of 5 ms each; then 30 s of grace, 2 ms to be
    // seen, and another cycle.
    assert!(world.bound()[2].ends_with(" 31016ms"), "{:?}", world.bound());
    assert!(world.scheduler.evictions.is_empty());
}

#[test]
fn no_less_important_pod_takes_the_room_meanwhile_but_a_more_important_one_does() {
    let mut world = full();
    world.pod(important("high", 800, 10));
    world.run(seconds(2));
    let promised = world.seen("high").status.nominated.expect("it is promised a node");
    world.pod(important("middle", 800, 5));
    world.run(seconds(3));
    let middle = world.seen("middle").status.nominated.expect("the other node is left for it");
    assert_ne!(middle, promised);
    world.pod(important("highest", 800, 20));
    world.run(seconds(4));
    let highest = world.seen("highest").status.nominated.expect("it is promised a node");
    let displaced = if highest == promised { "high" } else { "middle" };
    assert_eq!(world.seen(displaced).status.nominated, None, "{displaced} has to wait");
    world.run(seconds(60));
    assert_eq!(world.seen("highest").node, Some(highest));
    assert!(world.seen("high").node.is_some_and(|node| node != highest));
    assert_eq!(world.seen("middle").node, None, "the least important of the three waits");
}

#[test]
fn who_never_preempts_waits() {
    let mut world = full();
    let mut polite = important("polite", 800, 10);
    Arc::make_mut(&mut polite.spec).preemption = Preemption::Never;
    world.pod(polite);
    world.run(seconds(50));
    assert_eq!((world.seen("p").node.is_some(), world.seen("q").node.is_some()), (true, true));
    assert_eq!(
        world.said(),
        ["polite: 0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, \
          preemption: not eligible due to preemptionPolicy=Never."]
    );
}

#[test]
fn a_promise_survives_the_scheduler() {
    let mut world = full();
    world.pod(important("high", 800, 10));
    world.run(seconds(2));
    let promised = world.seen("high").status.nominated;
    world.restarted();
    world.lead();
    world.run(seconds(3));
    assert_eq!(world.seen("high").status.nominated, promised);
    let leaving = ["p", "q"].iter().filter(|name| world.seen(name).meta.is_terminating()).count();
    assert_eq!(leaving, 1, "no second victim is taken for it");
    world.run(seconds(60));
    assert_eq!(world.seen("high").node, promised);
}
