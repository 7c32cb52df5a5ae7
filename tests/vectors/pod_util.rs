//! What a pod's state says of it, and whether its containers may come back.

use serde_json::{Value, json};
use wavetank::api::pod::{Container, PodCondition, PodSpec, PodStatus, RestartAction};
use wavetank::api::rules::restarts::{action_on, may_restart, restarts_on};

use super::objects::{self, NOW, int, phase, text};
use super::suite::{Outcome, run, same};

/// A pod with this one container.
fn with(container: &Value, pod: &Value) -> (Container, PodSpec) {
    let mut pod = if pod.is_object() { pod.clone() } else { json!({}) };
    pod["containers"] = json!([container]);
    let spec = objects::pod_spec(&pod);
    (spec.containers[0].clone(), (*spec).clone())
}

/// The action of the first rule that names the exit code.
fn matching(input: &Value, expected: &Value) -> Outcome {
    let (container, _) = with(&input["container"], &Value::Null);
    let ours = action_on(&container, int(&input["exitCode"]) as i32);
    let theirs = (expected["expectedFound"] == true).then(|| {
        match text(&expected["expectedRule"]["action"]) {
            "RestartAllContainers" => RestartAction::RestartAll,
            _ => RestartAction::Restart,
        }
    });
    same(ours, theirs)
}

/// Whether some end of some container starts all of them anew.
fn all_could(spec: &PodSpec) -> bool {
    let containers = spec.init_containers.iter().chain(&spec.containers);
    containers.into_iter().any(|container| {
        (0..=255).any(|code| action_on(container, code) == Some(RestartAction::RestartAll))
    })
}

/// Whether a condition that is set makes a difference.
fn updated(input: &Value) -> bool {
    let mut before = PodStatus::default();
    let is_true = |one: &Value| one["status"] == "True";
    for one in objects::list(&input["status"]["conditions"]) {
        before.set(named(one), is_true(one), NOW);
    }
    let mut after = before.clone();
    after.set(named(&input["conditions"]), is_true(&input["conditions"]), NOW);
    after != before
}

fn named(condition: &Value) -> PodCondition {
    match text(&condition["type"]) {
        "PodScheduled" => PodCondition::PodScheduled,
        _ => PodCondition::Ready,
    }
}

#[test]
pub fn pod_util() {
    let data = include_str!("../data/vectors/pod_util.json");
    let tally = run("pod helpers", data, |function, case| {
        let (input, expected) = (&case["input"], case["expected"]["expected"] == true);
        match function {
            "TestIsPodAvailable" => {
                let min_ready = int(&input["minReadySeconds"]) as u32;
                same(objects::pod(&input["pod"]).is_available(min_ready, NOW), expected)
            }
            "TestIsPodTerminal" => same(phase(&input["podPhase"]).is_terminal(), expected),
            "TestContainerHasRestartablePolicy" => {
                let (container, spec) = with(&input["container"], &input["podSpec"]);
                let code = int(&input["exitCode"]) as i32;
                same(restarts_on(&container, spec.restart_policy, code), expected)
            }
            "TestIsContainerRestartable" => {
                let (container, spec) = with(&input["container"], &input["podSpec"]);
                same(may_restart(&container, spec.restart_policy), expected)
            }
            "TestFindMatchingContainerRestartRule" => matching(input, &case["expected"]),
            "TestAllContainersCouldRestart" => {
                same(all_could(&objects::pod_spec(&input["podSpec"])), expected)
            }
            "TestUpdatePodCondition" => same(updated(input), expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 46);
}
