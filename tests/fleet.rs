//! Nodes that come and go by themselves: whole runs of the Cluster Autoscaler, and what its FAQ publishes
//! (P13: a look each 10 s; nodes go 10 minutes after they are needed no more; 15 minutes for a machine to come).

mod common {
    pub mod play;
}

use common::play::{Told, run};
use wavetank::api::kind::Kind;
use wavetank::api::pod::Pod;
use wavetank::messages::{Fact, Verb};
use wavetank::runs::Finished;

/// A Scenario of one group; `more` stands below `spec.cluster`, `rest` below `spec`.
fn scenario(seconds: u32, group: &str, more: &str, rest: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  seed: 3\n  \
         duration: {seconds}s\n  cluster:\n    nodeGroups: [{{name: g, min: 1, max: 4, capacity: \
         {{cpu: '4', memory: 8Gi}}, {group}}}]\n    autoscaler: {{{more}}}\n{rest}"
    )
}

fn deployment(name: &str, replicas: u32, cpu: &str, more: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: \
         {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: \
         {{app: {name}}}}}\n    spec:\n      {more}\n      containers: [{{name: c, image: 'web:1', \
         resources: {{requests: {{cpu: '{cpu}'}}}}}}]\n"
    )
}

fn times(told: &Told, is_it: impl Fn(&Fact) -> bool) -> Vec<f64> {
    let all = told.0.iter().filter(|(_, fact)| is_it(fact));
    all.map(|(at, _)| at.as_nanos() as f64 / 1e9).collect()
}

fn of_nodes(told: &Told, verb: Verb) -> Vec<f64> {
    times(told, |fact| fact.object.kind == Kind::Node && fact.verb == verb)
}

fn nodes(finished: &Finished) -> usize {
    let all = finished.world.store().table::<wavetank::api::node::Node>();
    all.iter()
        .filter(|(_, node)| node.zone() != "m" && node.meta.name.to_string() != "master-0")
        .count()
}

/// P13, a look each 10 s: from a pod that fits nowhere to the request for a machine.
#[test]
fn pods_that_fit_nowhere_bring_nodes_within_a_scan_and_the_boot() {
    let (finished, told) =
        run(&(scenario(600, "bootTime: 100s", "", "") + &deployment("web", 12, "1", "")));
    let asked = of_nodes(&told, Verb::Booting);
    assert_eq!(asked.len(), 2, "12 cores on nodes of 4, one of which is there: {asked:?}");
    assert!(asked.iter().all(|at| *at <= 10.5), "{asked:?}");
    let ready = of_nodes(&told, Verb::NodeReady);
    assert!(
        ready.iter().zip(&asked).all(|(ready, asked)| (100.0..101.5).contains(&(ready - asked)))
    );
    let running = finished.world.store().table::<Pod>().iter().filter(|(_, pod)| pod.is_ready());
    assert_eq!(running.count(), 12);
    assert_eq!(nodes(&finished), 3);
    let costs = finished.world.costs();
    assert_eq!((costs[0].lent, costs[0].machines), (3, 3));
}

/// P13, 10 minutes: a node goes so long after it is needed no more, and no sooner than 10 minutes after the
/// last one was added.
#[test]
fn a_node_that_nobody_needs_goes_after_ten_minutes() {
    let quiet = "  timeline: [{at: 20m, name: quiet, scale: deployment/web, replicas: 2}]\n";
    let text = scenario(2400, "bootTime: 60s", "", quiet) + &deployment("web", 12, "1", "");
    let (finished, told) = run(&text);
    let began = of_nodes(&told, Verb::Removing);
    let needed_no_more = 1200.0;
    assert_eq!(began.len(), 2, "{began:?}");
    assert!((600.0..=650.0).contains(&(began[0] - needed_no_more)), "{began:?}");
    assert_eq!(of_nodes(&told, Verb::Returned).len(), 2);
    assert_eq!(of_nodes(&told, Verb::Deleted).len(), 2);
    assert_eq!(nodes(&finished), 1);
    let on_nodes = finished.world.store().table::<Pod>().iter().filter(|(_, pod)| pod.is_ready());
    assert_eq!(on_nodes.count(), 2);
}

/// P13, 15 minutes: a machine that does not come is given up then, and the group waits 5 minutes.
#[test]
fn a_machine_that_never_comes_is_given_up_after_fifteen_minutes() {
    let text = scenario(2400, "bootTime: never", "", "") + &deployment("web", 8, "1", "");
    let (_, told) = run(&text);
    let asked = of_nodes(&told, Verb::Booting);
    let failed = times(&told, |fact| fact.verb == Verb::ScaleUpFailed);
    assert!((900.0..=911.0).contains(&(failed[0] - asked[0])), "{asked:?} {failed:?}");
    assert!((300.0..=311.0).contains(&(asked[1] - failed[0])), "{asked:?} {failed:?}");
}

#[test]
fn a_group_that_cannot_fit_a_pod_says_so_and_does_not_grow() {
    let text = scenario(120, "bootTime: 60s", "", "") + &deployment("giant", 1, "32", "");
    let (finished, told) = run(&text);
    assert_eq!(of_nodes(&told, Verb::Booting), [] as [f64; 0]);
    let said: Vec<&str> = told
        .0
        .iter()
        .filter(|(_, fact)| fact.verb == Verb::NotHelped)
        .filter_map(|(_, fact)| fact.message.as_deref())
        .collect();
    assert_eq!(said, ["pod didn't trigger scale-up: 1 Insufficient cpu"]);
    assert_eq!(nodes(&finished), 1);
}

/// Each scan run, or only those in which something can change: the facts are the same.
#[test]
fn elided_and_explicit_scans_tell_the_same() {
    let quiet = "  timeline: [{at: 14m, name: quiet, scale: deployment/web, replicas: 3}]\n";
    let budget = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: \
                  {minAvailable: 2, selector: {matchLabels: {app: web}}}\n";
    let text = scenario(2100, "bootTime: {uniform: [60s, 120s]}", "", quiet);
    let text = text + &deployment("web", 9, "1", "") + budget;
    let explicit = text.replace("  cluster:\n", "  cluster:\n    fidelity: explicit\n");
    let (one, other) = (run(&text), run(&explicit));
    assert_eq!(one.1.0.len(), other.1.0.len());
    assert_eq!(one.0.world.digest(), other.0.world.digest());
    assert!(of_nodes(&one.1, Verb::Returned).len() >= 2);
}

/// Three pods on two nodes of four cores, one of which holds but one of them: whether that one goes depends on
/// whether the budget lets its pod move.
#[test]
fn a_node_is_drained_only_as_budgets_let_it() {
    let of = |least: u32| {
        let rest = "  timeline:\n  - {at: 3m, name: less, scale: deployment/web, replicas: 3}\n";
        let budget = format!(
            "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: web}}\nspec:\n  \
             minAvailable: {least}\n  selector: {{matchLabels: {{app: web}}}}\n"
        );
        let web = deployment("web", 5, "1", "");
        let (_, told) = run(&(scenario(1800, "bootTime: 30s", "", rest) + &web + &budget));
        let removed = of_nodes(&told, Verb::Removing).len();
        let available = told.0.iter().filter(|(at, fact)| {
            at.as_secs() > 200 && (fact.object.kind, fact.verb) == (Kind::Deployment, Verb::Status)
        });
        let available = available.filter_map(|(_, fact)| {
            fact.values.iter().find(|it| it.0 == "available").map(|it| it.1)
        });
        (removed, available.min())
    };
    assert_eq!(of(3), (0, None), "no pod may go: neither may the node");
    assert_eq!(of(2), (1, Some(2)), "its one pod moves, the others serve on");
}
