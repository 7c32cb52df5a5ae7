//! Which pods of a set go first.

use std::cmp::Ordering;

use serde_json::Value;
use wavetank::api::pod::Pod;
use wavetank::base::Id;
use wavetank::control_plane::controllers::replica_set::ranking::{self, Candidate};

use super::objects::{self, NOW, int, list, text};
use super::suite::{Outcome, run, same};

const UNKNOWN: &str = "the phase Unknown, which nobody sets since 1.0";
const NO_TIME: &str = "a Ready condition that never began: ours always say since when";
const GATED: &str = "a feature gate that is on in 1.36 is off";

fn candidate<'a>(pod: &'a Pod, rank: &Value) -> Candidate<'a> {
    Candidate { id: Id::from_parts(0, 0), pod, rank: int(rank) as u32 }
}

/// Whether the order of two pods depends on when one became ready that does not say when.
fn is_timeless(a: &Value, b: &Value, same_rank: bool) -> bool {
    let ready = |pod: &Value| list(&pod["status"]["conditions"]).first().cloned();
    match (ready(a), ready(b)) {
        (Some(a), Some(b)) => {
            same_rank && (a["lastTransitionTime"].is_null() || b["lastTransitionTime"].is_null())
        }
        _ => false,
    }
}

fn compared(case: &Value) -> Outcome {
    let input = &case["input"];
    if input["disablePodDeletioncost"] == true || input["disableLogarithmicScaleDown"] == true {
        return Outcome::Excluded(GATED);
    }
    let (first, second) = if case["expected"]["equal"] == true {
        (&input["p1"], input.get("p2").unwrap_or(&input["p1"]))
    } else {
        (&input["lesser"]["pod"], &input["greater"]["pod"])
    };
    if [first, second].iter().any(|pod| objects::phase(&pod["status"]["phase"]).is_none()) {
        return Outcome::Excluded(UNKNOWN);
    }
    let ranks = (&input["lesser"]["rank"], &input["greater"]["rank"]);
    if is_timeless(first, second, ranks.0 == ranks.1) {
        return Outcome::Excluded(NO_TIME);
    }
    let (first, second) = (objects::pod(first), objects::pod(second));
    let (first, second) = (candidate(&first, ranks.0), candidate(&second, ranks.1));
    let ours = (ranking::order(&first, &second, NOW), ranking::order(&second, &first, NOW));
    match case["expected"]["equal"] == true {
        true => same(ours, (Ordering::Equal, Ordering::Equal)),
        false => same(ours, (Ordering::Less, Ordering::Greater)),
    }
}

#[test]
pub fn controller_pod_ranking() {
    let data = include_str!("../data/vectors/controller_pod_ranking.json");
    let tally = run("pod ranking", data, |_, case| compared(case));
    assert_eq!((tally.equal, tally.excluded_for(UNKNOWN)), (23, 3));
    assert_eq!((tally.excluded_for(NO_TIME), tally.excluded_for(GATED)), (1, 1));
}

/// Names of the pods of `TestGetPodsToDelete` that go, in no order.
pub fn chosen(input: &Value, expected: &Value) -> Outcome {
    let pods: Vec<Pod> = list(&input["pods"]).iter().map(objects::pod).collect();
    let related: Vec<Pod> = list(&input["related"]).iter().map(objects::pod).collect();
    let ids = (0..).map(|slot| Id::from_parts(slot, 0));
    let amount = int(&input["diff"]) as usize;
    let gone = ranking::first_to_go(ids.zip(&pods).collect(), related.iter(), amount, NOW);
    let mut ours: Vec<String> =
        gone.iter().map(|(id, _)| pods[id.slot()].meta.name.to_string()).collect();
    let name = |pod: &Value| text(&pod["metadata"]["name"]).to_owned();
    let mut theirs: Vec<String> =
        list(&expected["expectedPodsToDelete"]).iter().map(name).collect();
    ours.sort();
    theirs.sort();
    same(ours, theirs)
}
