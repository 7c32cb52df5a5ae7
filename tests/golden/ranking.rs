//! Which pod a ReplicaSet deletes first, against recorded orders.
//!
//! Source: golden-timelines s5_deletion_ranking and s5_deletion_ranking_nodes, three runs each, and
//! fact 8 of its README: pods whose Ready times lie in one bucket go in an order of chance.

use std::collections::BTreeMap;

use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::{Timeline, played};

/// Pods in the order in which they were marked or, without node, taken away.
fn order(ours: &Timeline) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for (_, _, fact) in ours.0.iter().filter(|it| it.2.object.kind == Kind::Pod) {
        let name = fact.object.name.to_string();
        if matches!(fact.verb, Verb::Deleting | Verb::Deleted) && !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

#[test]
fn pods_in_known_states_go_in_the_recorded_order() {
    let scenario = include_str!("../../scenarios/golden/deletion-ranking.yaml");
    for seed in 1..=3 {
        let (ours, _) = played(scenario, seed);
        let adopted = ours.first_of("ReplicaSet/default/web", Verb::Created);
        let made = ours.pods(Verb::Created).into_iter().filter(|it| it.0 > adopted).count();
        assert_eq!(made, 0, "seed {seed}: it adopts what is there");
        let mut order = order(&ours);
        order[6..9].sort();
        let recorded = [
            "a-unassigned",
            "b-pending",
            "c-not-ready",
            "i-cost-minus-5",
            "e-ready-young-late",
            "d-ready-young",
            "f-ready-old",
            "g-ready-old",
            "h-ready-mid",
            "j-cost-10",
        ];
        assert_eq!(order, recorded, "seed {seed}");
    }
}

#[test]
fn nodes_with_more_siblings_lose_pods_first() {
    let scenario = include_str!("../../scenarios/golden/deletion-ranking-nodes.yaml");
    for seed in 1..=3 {
        let (ours, _) = played(scenario, seed);
        let bound = ours.0.iter().filter(|it| it.2.verb == Verb::Bound);
        let nodes: BTreeMap<String, String> = bound
            .map(|it| {
                let node = it.2.node.as_ref().expect("a bound pod has a node").to_string();
                (it.2.object.name.to_string(), node)
            })
            .collect();
        let order: Vec<&str> = order(&ours).iter().map(|pod| &*nodes[pod]).collect();
        assert_eq!(order[..4], ["n-0", "n-1", "n-0", "n-2"], "seed {seed}");
        assert_eq!(order.len(), 6);
    }
}
