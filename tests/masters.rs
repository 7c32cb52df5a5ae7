//! Masters are nodes, tainted, and what runs on one falls and rises with it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::kernel::FactSink;
use wavetank::messages::{Fact, Verb};
use wavetank::runs::{self, Finished};
use wavetank::scenario::{Loaded, Loader, Overrides};
use wavetank::time::SimTime;

/// What happened when.
#[derive(Default)]
struct Facts(Vec<(u64, Fact)>);

impl FactSink<Fact> for Facts {
    fn record(&mut self, at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.0.push((at.since_start().as_secs(), fact.clone()));
    }
}

impl Facts {
    /// The seconds at which an object whose name begins so met with `verb`.
    fn seconds(&self, object: &str, verb: Verb) -> Vec<u64> {
        let facts = self.0.iter().filter(|(_, fact)| fact.verb == verb);
        facts.filter(|it| it.1.object.to_string().starts_with(object)).map(|it| it.0).collect()
    }
}

fn load(text: &str) -> Loaded {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded
}

fn run(text: &str) -> (Facts, Finished) {
    let mut facts = Facts::default();
    let never = AtomicBool::new(false);
    let plan = Arc::new(load(text).plan);
    let finished = runs::run(plan, &mut facts, &never, &mut |_| {});
    (facts, finished)
}

/// Six replicas, on a cluster with this control plane, to which this happens.
fn scenario(control_plane: &str, timeline: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: masters}}\nspec:\n  \
         cluster:\n    nodes: [{{name: a, count: 2, zone: a}}, {{name: b, count: 2, zone: b}}]\n    \
         controlPlane: {control_plane}\n  \
         timeline: {timeline}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 6\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec: {{containers: [{{name: c, image: \"web:1\"}}]}}\n"
    )
}

const THREE: &str = "{masters: 3, apiServers: 3, etcd: 3, schedulers: 3, controllerManagers: 3}";

#[test]
fn masters_are_tainted_nodes_spread_over_the_zones() {
    let (_, finished) = run(&scenario(THREE, "[]"));
    assert!(finished.has_converged());
    let store = finished.world.store();
    let nodes: Vec<&Node> = store.table::<Node>().iter().map(|(_, node)| node).collect();
    let masters: Vec<(String, &str)> = nodes
        .iter()
        .filter(|node| {
            node.taints.iter().any(|it| &*it.key == "node-role.kubernetes.io/control-plane")
        })
        .map(|node| (node.meta.name.to_string(), node.zone()))
        .collect();
    let expected = [("master-0", "a"), ("master-1", "b"), ("master-2", "a")];
    assert_eq!(masters, expected.map(|(name, zone)| (name.to_owned(), zone)));
    assert_eq!(nodes.len(), 7);
    let on_masters = store.table::<Pod>().iter().filter(|(_, pod)| {
        let node = pod.node.and_then(|node| store.get(node));
        node.is_some_and(|node| node.meta.name.to_string().starts_with("master"))
    });
    assert_eq!(on_masters.count(), 0);
}

#[test]
fn a_cluster_that_is_brought_keeps_its_nodes() {
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: one}\n\
                status: {capacity: {cpu: 4, memory: 8Gi, pods: 110}}\n";
    assert_eq!(load(node).plan.nodes.len(), 1);
    let nothing = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    assert_eq!(load(nothing).plan.nodes.len(), 4, "three workers and a master");
}

#[test]
fn one_of_three_masters_may_crash() {
    let timeline = "[{at: 60s, fault: node-crash, target: node/master-0, for: 180s}, \
                    {at: 120s, scale: deployment/default/web, replicas: 9}]";
    let (facts, finished) = run(&scenario(THREE, timeline));
    assert!(finished.has_converged() && finished.world.refused().is_empty());
    let created = facts.seconds("Pod/", Verb::Created);
    assert_eq!(created.len(), 9);
    // Others lead when a lease of 15 s has run out.
    assert!((120..150).contains(&created[8]), "{created:?}");
    // The new controller manager counts the 50 s of grace from when it first looked.
    let unknown = facts.seconds("Node/master-0", Verb::NodeUnknown);
    assert!(matches!(unknown[..], [at] if (120..=140).contains(&at)), "{unknown:?}");
    let back = facts.seconds("Node/master-0", Verb::NodeReady);
    assert_eq!(back.last(), Some(&240));
}

#[test]
fn with_its_only_master_a_cluster_stands_still_until_it_is_back() {
    let timeline = "[{at: 60s, fault: node-crash, target: node/master-0, for: 30s}, \
                    {at: 100s, scale: deployment/default/web, replicas: 9}]";
    let (facts, finished) = run(&scenario("{masters: 1}", timeline));
    assert!(finished.has_converged() && finished.world.refused().is_empty());
    let api = |it: &&(u64, Fact)| it.1.component.name() == "apiserver";
    let meanwhile = facts.0.iter().filter(api).filter(|it| (61..90).contains(&it.0));
    assert_eq!(meanwhile.count(), 0);
    assert_eq!(facts.seconds("Pod/", Verb::Created).len(), 9);
    assert_eq!(facts.seconds("Pod/", Verb::Deleting).len(), 0, "programs ran on");
}

#[test]
fn what_was_killed_on_a_crashed_master_comes_up_with_it() {
    let timeline = "[{at: 60s, fault: kill, target: scheduler/0, for: 20s}, \
                    {at: 70s, fault: node-crash, target: node/master-0, for: 30s}, \
                    {at: 110s, scale: deployment/default/web, replicas: 9}]";
    let (facts, finished) = run(&scenario("{masters: 1}", timeline));
    assert!(finished.has_converged());
    let bound = facts.seconds("Pod/", Verb::Bound);
    assert!(bound[6..].iter().all(|at| *at >= 110), "{bound:?}");
}
