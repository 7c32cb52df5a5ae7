//! The controller at work on a small cluster.

use std::sync::Arc;

use crate::api::compact::Compactor;
use crate::api::daemon_set::DaemonSet;
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::rules::taints::{Effect, Taint};
use crate::base::id::Id;
use crate::control_plane::controllers::testing::{Cluster, node};
use crate::time::SimDuration;
use serde_json::{Value, json};

const SECOND: SimDuration = SimDuration::from_secs(1);

fn set(strategy: Value) -> DaemonSet {
    let spec = json!({"selector": {"matchLabels": {"app": "agent"}}, "updateStrategy": strategy,
        "template": {"metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "c"}]}}});
    let written = json!({"metadata": {"name": "agent", "namespace": "default"}, "spec": spec});
    let written = serde_json::from_value(written).expect("a DaemonSet");
    match Compactor::new().daemon_set(written).object {
        Object::DaemonSet(set) => *set,
        other => panic!("a DaemonSet became a {}", other.kind()),
    }
}

fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::new();
    for at in 0..nodes {
        cluster.create(Object::Node(Box::new(node(&format!("n-{at}")))));
    }
    cluster.create(Object::DaemonSet(Box::new(set(json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}})))));
    cluster.run(SECOND);
    cluster
}

/// The names of the nodes the pods are for.
fn nodes_of(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.all::<Pod>();
    let names = pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()).map(|(_, pod)| {
        pod.spec.node_affinity.required.as_ref().expect("a node")[0].fields[0].values[0].to_string()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn settle(cluster: &mut Cluster) {
    let now = cluster.now();
    for (id, pod) in cluster.all::<Pod>() {
        if pod.meta.is_terminating() {
            cluster.remove(id);
        } else if !pod.is_ready() {
            cluster.change(id, |pod: &mut Pod| {
                pod.status.phase = Phase::Running;
                pod.status.set(PodCondition::Ready, true, now);
            });
        }
    }
    cluster.run(SECOND);
}

/// Each pod is on the node it is for.
fn bind(cluster: &mut Cluster) {
    for (id, pod) in cluster.all::<Pod>() {
        let name =
            &pod.spec.node_affinity.required.as_ref().expect("a node")[0].fields[0].values[0];
        let node = cluster.store.find::<Node>("", name);
        cluster.change(id, |pod: &mut Pod| pod.node = node);
    }
    cluster.run(SECOND);
}

fn taint(cluster: &mut Cluster, at: usize, effect: Effect) {
    let id: Id<Node> = cluster.all::<Node>()[at].0;
    cluster.change(id, |node: &mut Node| {
        node.taints = Arc::from([Taint::new("a", "", effect)]);
    });
    cluster.run(SECOND);
}

#[test]
fn each_node_that_fits_has_a_pod_for_it() {
    let mut cluster = cluster(3);
    settle(&mut cluster);
    bind(&mut cluster);
    assert_eq!(nodes_of(&cluster), ["n-0", "n-1", "n-2"]);
    let status = cluster.all::<DaemonSet>()[0].1.status.clone();
    assert_eq!((status.desired, status.updated, status.available), (3, 3, 3));
    cluster.create(Object::Node(Box::new(node("n-3"))));
    cluster.run(SECOND);
    assert_eq!(nodes_of(&cluster).len(), 4, "a new node gets one");
    taint(&mut cluster, 0, Effect::NoSchedule);
    assert_eq!(nodes_of(&cluster).len(), 4, "it may stay");
    taint(&mut cluster, 1, Effect::NoExecute);
    assert_eq!(nodes_of(&cluster), ["n-0", "n-2", "n-3"]);
}

#[test]
fn a_failed_pod_goes_and_the_next_one_waits() {
    let mut cluster = cluster(1);
    let fail = |cluster: &mut Cluster| {
        let (id, pod) = cluster.all::<Pod>()[0].clone();
        cluster.change(id, |pod: &mut Pod| pod.status.phase = Phase::Failed);
        cluster.run(SimDuration::from_millis(300));
        let now = cluster.all::<Pod>();
        now.first().is_none_or(|(_, now)| now.meta.uid != pod.meta.uid)
    };
    assert!(fail(&mut cluster), "the first goes at once");
    assert!(!fail(&mut cluster), "the second waits a second");
    cluster.run(SECOND * 2);
    let pods = cluster.all::<Pod>();
    assert_eq!((pods.len(), pods[0].1.status.phase), (1, Phase::Pending));
}

#[test]
fn an_update_leaves_all_but_one_available() {
    let mut cluster = cluster(3);
    settle(&mut cluster);
    let id = cluster.all::<DaemonSet>()[0].0;
    cluster.change(id, |set: &mut DaemonSet| {
        let mut template = (*set.template).clone();
        template.hash += 1;
        template.annotations = crate::control_plane::controllers::testing::labels("new");
        set.template = Arc::new(template);
        set.template_generation += 1;
    });
    for _ in 0..9 {
        cluster.run(SECOND);
        let ready = cluster.all::<Pod>();
        let up = |pod: &Pod| pod.is_ready() && !pod.meta.is_terminating();
        assert!(ready.iter().filter(|(_, pod)| up(pod)).count() >= 2);
        settle(&mut cluster);
    }
    let status = cluster.all::<DaemonSet>()[0].1.status.clone();
    assert_eq!((status.updated, status.available, status.current), (3, 3, 3));
}
