//! Slices of a Service before an API server that commits: how full they are, and for whom.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::ip_family::{Families, FamilyPolicy, IpFamily};
use crate::api::meta::Labels;
use crate::api::node::{Node, Tristate, ZONE_LABEL};
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::resources::Resources;
use crate::api::service::{Distribution, EndpointSlice, NodeHint, Service};
use crate::base::id::Id;
use crate::control_plane::controllers::testing::{self, Cluster};
use crate::time::SimDuration;

fn settle(cluster: &mut Cluster) {
    cluster.run(SimDuration::from_secs(60));
}

fn node(cluster: &mut Cluster, name: &str, zone: &str, cpus: i64) -> Id<Node> {
    let mut node = testing::node(name);
    node.meta.labels = Arc::new(Labels::from([(ZONE_LABEL.into(), zone.into())]));
    node.allocatable = Arc::new(Resources { cpu_milli: cpus * 1000, ..Resources::default() });
    cluster.create(Object::Node(Box::new(node))).typed()
}

/// A ready pod of Service `web`.
fn pod(cluster: &mut Cluster, number: u32, node: Id<Node>) -> Id<Pod> {
    let pod = testing::pod(&format!("web-{number}"), "web");
    let id: Id<Pod> = cluster.create(Object::Pod(Box::new(pod))).typed();
    let now = cluster.now();
    cluster.change(id, |pod| {
        pod.node = Some(node);
        pod.status.phase = Phase::Running;
        pod.status.ip = Some(Ipv4Addr::from(0x0a00_0000 + number));
        pod.status.set(PodCondition::Ready, true, now);
    });
    id
}

fn service(cluster: &mut Cluster) -> Id<Service> {
    cluster.create(Object::Service(Box::new(testing::service("web")))).typed()
}

/// The zones hinted at, of all endpoints; `-` where there is no hint.
fn hints(cluster: &Cluster) -> Vec<String> {
    let mut all = Vec::new();
    for (_, slice) in cluster.all::<EndpointSlice>() {
        for at in 0..slice.endpoints.len() {
            let zone = slice.hints.get(at).and_then(|hint| hint.zone.as_deref());
            all.push(zone.unwrap_or("-").to_owned());
        }
    }
    all.sort();
    all
}

fn lengths(cluster: &Cluster) -> Vec<usize> {
    let slices = cluster.all::<EndpointSlice>();
    let mut all: Vec<usize> = slices.iter().map(|(_, slice)| slice.endpoints.len()).collect();
    all.sort_unstable();
    all
}

#[test]
fn slices_take_a_hundred_endpoints_and_are_not_merged_for_their_own_sake() {
    let mut cluster = Cluster::new();
    let node = node(&mut cluster, "n-0", "a", 4);
    let pods: Vec<Id<Pod>> = (0..250).map(|number| pod(&mut cluster, number, node)).collect();
    service(&mut cluster);
    settle(&mut cluster);
    assert_eq!(lengths(&cluster), [50, 100, 100]);
    // What is left of three slices would go into two, but that would change more of them.
    pods[..100].iter().for_each(|&id| cluster.remove(id));
    settle(&mut cluster);
    let after = lengths(&cluster);
    assert_eq!(after.iter().sum::<usize>(), 150);
    // One more fits where most are, and nothing new is made.
    let count = after.len();
    pod(&mut cluster, 1000, node);
    settle(&mut cluster);
    assert_eq!((lengths(&cluster).len(), lengths(&cluster).iter().sum::<usize>()), (count, 151));
}

#[test]
fn traffic_distribution_hints_at_the_own_zone_and_node_and_leaves_no_trace() {
    let mut cluster = Cluster::new();
    let near = node(&mut cluster, "n-0", "a", 4);
    let far = node(&mut cluster, "n-1", "b", 4);
    for (number, node) in (0..).zip([near, far, near, far]) {
        pod(&mut cluster, number, node);
    }
    let id = service(&mut cluster);
    settle(&mut cluster);
    assert_eq!(hints(&cluster), ["-", "-", "-", "-"]);
    let set = |cluster: &mut Cluster, to| {
        cluster.change(id, |service| Arc::make_mut(&mut service.spec).distribution = to);
        settle(cluster);
    };
    set(&mut cluster, Distribution::SameNode);
    assert_eq!(hints(&cluster), ["a", "a", "b", "b"]);
    let slices = cluster.all::<EndpointSlice>();
    let nodes = slices.iter().flat_map(|(_, slice)| slice.hints.iter().map(|hint| hint.node));
    assert!(nodes.eq([NodeHint::Own; 4]));
    set(&mut cluster, Distribution::Cluster);
    assert_eq!(hints(&cluster), ["-", "-", "-", "-"]);
    assert!(cluster.all::<EndpointSlice>().iter().all(|(_, slice)| slice.hints.is_empty()));
}

#[test]
fn auto_shares_endpoints_out_by_cpu_and_gives_up_when_a_zone_is_overloaded() {
    let mut cluster = Cluster::new();
    let small = node(&mut cluster, "n-0", "a", 4);
    let large = node(&mut cluster, "n-1", "b", 8);
    // All six pods stand in the small zone, which has a third of the CPU.
    let pods: Vec<Id<Pod>> = (0..6).map(|number| pod(&mut cluster, number, small)).collect();
    let id = service(&mut cluster);
    cluster.change(id, |service| {
        service.meta.annotate("service.kubernetes.io/topology-mode", "Auto");
    });
    settle(&mut cluster);
    assert_eq!(hints(&cluster), ["a", "a", "b", "b", "b", "b"]);
    // The large zone's only node is not ready: one zone is left, and hints make no sense.
    cluster.change(large, |node| node.conditions.ready = Tristate::False);
    settle(&mut cluster);
    assert_eq!(hints(&cluster), ["-"; 6]);
    // Once it is back, the next change of the Service's pods brings them back too.
    cluster.change(large, |node| node.conditions.ready = Tristate::True);
    settle(&mut cluster);
    assert_eq!(hints(&cluster), ["-"; 6]);
    cluster.remove(pods[0]);
    settle(&mut cluster);
    assert_eq!(hints(&cluster), ["a", "a", "b", "b", "b"]);
}

#[test]
fn a_pod_on_its_way_out_serves_on_without_taking_new_connections() {
    let mut cluster = Cluster::new();
    let node = node(&mut cluster, "n-0", "a", 4);
    let going = pod(&mut cluster, 1, node);
    service(&mut cluster);
    settle(&mut cluster);
    cluster.change(going, |pod| {
        let at = pod.meta.created;
        pod.meta.deletion = Some(crate::api::meta::Deletion { at, grace_seconds: 30 });
    });
    settle(&mut cluster);
    let (_, slice) = cluster.all::<EndpointSlice>().remove(0);
    let conditions = slice.endpoints[0].conditions;
    assert_eq!((conditions.ready, conditions.serving, conditions.terminating), (false, true, true));
}

#[test]
fn a_service_of_two_families_has_slices_of_both_until_it_has_one() {
    let mut cluster = Cluster::of(Families::V6V4);
    let node = node(&mut cluster, "n-0", "a", 4);
    for number in 0..3 {
        pod(&mut cluster, number, node);
    }
    let mut written = testing::service("web");
    Arc::make_mut(&mut written.spec).wanted_policy = Some(FamilyPolicy::PreferDualStack);
    let id: Id<Service> = cluster.create(Object::Service(Box::new(written))).typed();
    settle(&mut cluster);
    let slices = |cluster: &Cluster| -> Vec<(IpFamily, usize)> {
        let all = cluster.all::<EndpointSlice>();
        let mut all: Vec<_> = all.iter().map(|(_, it)| (it.family, it.endpoints.len())).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(slices(&cluster), [(IpFamily::V4, 3), (IpFamily::V6, 3)]);
    cluster.change(id, |service| service.families = Families::V6);
    settle(&mut cluster);
    assert_eq!(slices(&cluster), [(IpFamily::V6, 3)]);
}
