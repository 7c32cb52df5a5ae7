//! Which pods of a set go first.

use std::cmp::Ordering;

use serde_json::Value;
use wavetank::api::pod::Pod;
use wavetank::base::Id;
use wavetank::control_plane::controllers::replica_set::DeletionCosts;
use wavetank::control_plane::controllers::replica_set::ranking::{self, Candidate};

use super::objects::{self, NOW, int, list, text};
use super::suite::{Outcome, run, same};

const LOCKED: &str = "LogarithmicScaleDown off, which 1.36 does not allow";

fn candidate<'a>(pod: &'a Pod, rank: &Value) -> Candidate<'a> {
    Candidate { id: Id::from_parts(0, 0), pod, rank: int(rank) as u32 }
}

fn compared(case: &Value) -> Outcome {
    let input = &case["input"];
    if input["disableLogarithmicScaleDown"] == true {
        return Outcome::Excluded(LOCKED);
    }
    let costs = match input["disablePodDeletioncost"] == true {
        true => DeletionCosts::Ignored,
        false => DeletionCosts::Count,
    };
    let (first, second) = if case["expected"]["equal"] == true {
        (&input["p1"], input.get("p2").unwrap_or(&input["p1"]))
    } else {
        (&input["lesser"]["pod"], &input["greater"]["pod"])
    };
    let ranks = (&input["lesser"]["rank"], &input["greater"]["rank"]);
    let (first, second) = (objects::pod(first), objects::pod(second));
    let (first, second) = (candidate(&first, ranks.0), candidate(&second, ranks.1));
    let ours =
        (ranking::order(&first, &second, costs, NOW), ranking::order(&second, &first, costs, NOW));
    match case["expected"]["equal"] == true {
        true => same(ours, (Ordering::Equal, Ordering::Equal)),
        false => same(ours, (Ordering::Less, Ordering::Greater)),
    }
}

#[test]
pub fn controller_pod_ranking() {
    let data = include_str!("../data/vectors/controller_pod_ranking.json");
    let tally = run("pod ranking", data, |_, case| compared(case));
    assert_eq!((tally.equal, tally.excluded_for(LOCKED)), (28, 0));
}

/// Names of the pods of `TestGetPodsToDelete` that go, in no order.
pub fn chosen(input: &Value, expected: &Value) -> Outcome {
    let pods: Vec<Pod> = list(&input["pods"]).iter().map(objects::pod).collect();
    let related: Vec<Pod> = list(&input["related"]).iter().map(objects::pod).collect();
    let costs = DeletionCosts::Count;
    let ids = (0..).map(|slot| Id::from_parts(slot, 0));
    let amount = int(&input["diff"]) as usize;
    let gone = ranking::first_to_go(ids.zip(&pods).collect(), related.iter(), amount, costs, NOW);
    let mut ours: Vec<String> =
        gone.iter().map(|(id, _)| pods[id.slot()].meta.name.to_string()).collect();
    let name = |pod: &Value| text(&pod["metadata"]["name"]).to_owned();
    let mut theirs: Vec<String> =
        list(&expected["expectedPodsToDelete"]).iter().map(name).collect();
    ours.sort();
    theirs.sort();
    same(ours, theirs)
}
