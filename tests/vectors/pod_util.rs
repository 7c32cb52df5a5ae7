//! What a pod's state says of it.

use super::objects::{self, NOW, int, list, phase, text};
use super::suite::{Outcome, run, same};

const NO_TIME: &str = "a Ready condition that never began: ours always say since when";
const CONTAINERS: &str =
    "restart policies and rules of single containers are told as not modelled, but for sidecars";
const NO_PHASE: &str = "a pod always has one of the phases that are still set";
const WRITES: &str = "conditions hold a value and since when, no probe time, reason or message";

#[test]
pub fn pod_util() {
    let data = include_str!("../data/vectors/pod_util.json");
    let tally = run("pod helpers", data, |function, case| {
        let (input, expected) = (&case["input"], case["expected"]["expected"] == true);
        match function {
            "TestIsPodAvailable" => {
                let ready = list(&input["pod"]["status"]["conditions"]).first();
                if ready.is_some_and(|it| it["lastTransitionTime"].is_null()) {
                    return Outcome::Excluded(NO_TIME);
                }
                let min_ready = int(&input["minReadySeconds"]) as u32;
                same(objects::pod(&input["pod"]).is_available(min_ready, NOW), expected)
            }
            "TestIsPodTerminal" => match phase(&input["podPhase"]) {
                Some(phase) if !text(&input["podPhase"]).is_empty() => {
                    same(phase.is_terminal(), expected)
                }
                _ => Outcome::Excluded(NO_PHASE),
            },
            "TestContainerHasRestartablePolicy"
            | "TestIsContainerRestartable"
            | "TestFindMatchingContainerRestartRule"
            | "TestAllContainersCouldRestart" => Outcome::Excluded(CONTAINERS),
            "TestUpdatePodCondition" => Outcome::Excluded(WRITES),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 10);
    assert_eq!((tally.excluded_for(NO_TIME), tally.excluded_for(NO_PHASE)), (1, 2));
    assert_eq!((tally.excluded_for(CONTAINERS), tally.excluded_for(WRITES)), (30, 3));
}
