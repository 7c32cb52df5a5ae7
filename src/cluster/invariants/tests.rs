//! Each invariant beside a World in which it was broken on purpose: it must be caught, in these words.

use std::sync::Arc;

use super::super::World;
use super::super::tests::{plan, run};
use super::{Invariants, addresses, capacity, kubelets};
use crate::api::meta::Uid;
use crate::api::name::Name;
use crate::api::pod::Pod;
use crate::api::service::EndpointSlice;
use crate::base::id::Id;
use crate::kernel::NoSink;
use crate::messages::Effects;
use crate::store::Stored;
use crate::time::SimTime;

/// A World in which all is well, and a checker that has seen it so.
fn sound() -> (World, Invariants) {
    let world = run(plan(10, 5), &mut NoSink);
    let mut invariants = Invariants::default();
    assert_eq!(invariants.check(&world), Ok(()));
    (world, invariants)
}

/// The two first pods, which run on two nodes.
fn two_pods(world: &World) -> [(Id<Pod>, Pod); 2] {
    let mut pods = world.store.table::<Pod>().iter().map(|(id, pod)| (id, pod.clone()));
    let one = pods.next().expect("a pod");
    let other = pods.find(|(_, pod)| pod.node != one.1.node).expect("a pod on another node");
    [one, other]
}

fn change<T: Stored + Clone>(world: &mut World, id: Id<T>, change: impl FnOnce(&mut T)) {
    let mut object = world.store.get(id).expect("it is there").clone();
    change(&mut object);
    assert!(world.store.update(SimTime::MAX, id, object));
}

fn slice(world: &World) -> Id<EndpointSlice> {
    let mut slices = world.store.table::<EndpointSlice>().iter();
    slices.next().map(|(id, _)| id).expect("a slice")
}

fn caught(result: Result<(), String>, words: &str) {
    let told = result.expect_err(words);
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_revision_that_falls_is_caught() {
    let (mut world, mut invariants) = sound();
    let before = world.clone();
    let [(id, _), _] = two_pods(&world);
    change(&mut world, id, |_| {});
    assert_eq!(invariants.check(&world), Ok(()));
    caught(invariants.check(&before), "comes after");
}

#[test]
fn a_pod_that_moves_is_caught() {
    let (mut world, mut invariants) = sound();
    let [(id, _), (_, other)] = two_pods(&world);
    change(&mut world, id, |pod| pod.node = other.node);
    caught(invariants.check(&world), "went from node");
}

#[test]
fn a_pod_too_many_is_caught() {
    let (mut world, mut invariants) = sound();
    let [(_, pod), _] = two_pods(&world);
    let mut more = pod;
    (more.meta.uid, more.meta.name) = (Uid(7), Name::new("one-more"));
    (more.status.ip, more.node) = (None, None);
    world.store.create(SimTime::MAX, more);
    caught(invariants.check(&world), "has 11 pods and wanted at most 10");
}

#[test]
fn an_endpoint_that_was_never_ready_is_caught() {
    let (mut world, mut invariants) = sound();
    let id = slice(&world);
    change(&mut world, id, |slice| {
        let mut endpoints = slice.endpoints.to_vec();
        endpoints[0].uid = Uid(7);
        slice.endpoints = endpoints.into();
    });
    caught(invariants.check(&world), "offers a pod never ready");
}

#[test]
fn an_endpoint_of_another_node_is_caught() {
    let (mut world, mut invariants) = sound();
    let [(_, one), (_, other)] = two_pods(&world);
    let id = slice(&world);
    change(&mut world, id, |slice| {
        let mut endpoints = slice.endpoints.to_vec();
        let moved = endpoints.iter_mut().find(|it| it.uid == one.meta.uid).expect("it is offered");
        moved.node = other.node.expect("it is bound");
        slice.endpoints = endpoints.into();
    });
    caught(invariants.check(&world), "on the wrong node");
}

#[test]
fn a_kubelet_with_a_pod_of_another_node_is_caught() {
    let (mut world, _) = sound();
    let [(id, _), (_, other)] = two_pods(&world);
    change(&mut world, id, |pod| pod.node = other.node);
    caught(kubelets(&world), "of another node");
}

#[test]
fn a_pod_on_two_kubelets_is_caught() {
    let (mut world, _) = sound();
    let [(id, pod), (_, other)] = two_pods(&world);
    let there = world.nodes.of(other.node.expect("bound")).expect("a machine");
    let mut fx = Effects::new();
    let apps: crate::messages::app::Apps = Arc::from([]);
    // The worker that has it is out of sight, so that a second one is made.
    world.nodes.kubelets.lose(id);
    world.nodes.kubelets.pod_assigned(there, id, &pod, apps, &mut fx);
    let told = kubelets(&world).expect_err("two kubelets");
    assert!(told.contains("two kubelets have pod") || told.contains("of another node"), "{told}");
}

#[test]
fn a_node_that_is_asked_for_too_much_is_caught() {
    let (mut world, _) = sound();
    let [(id, _), _] = two_pods(&world);
    assert_eq!(capacity(&world), Ok(()));
    change(&mut world, id, |pod| Arc::make_mut(&mut pod.spec).requests.cpu_milli = 4_000);
    caught(capacity(&world), "and is asked for");
}

#[test]
fn an_address_of_two_pods_is_caught() {
    let (mut world, _) = sound();
    let [(id, _), (_, other)] = two_pods(&world);
    assert_eq!(addresses(&world), Ok(()));
    change(&mut world, id, |pod| pod.status.ip = other.status.ip);
    caught(addresses(&world), "both have");
}
