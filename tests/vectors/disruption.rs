//! PodDisruptionBudgets: what their status says, and conditions DisruptionTarget that are taken back.

use serde_json::{Value, json};
use wavetank::api::disruption::Limit;
use wavetank::api::meta::Uid;
use wavetank::api::pod::PodCondition;
use wavetank::api::workload::IntOrPercent;
use wavetank::control_plane::controllers::disruption::budget::{Scale, allowed, expected};
use wavetank::control_plane::controllers::disruption::stale_in;
use wavetank::time::SimDuration;

use super::objects::{self, NOW, int, text};
use super::suite::{Outcome, run, same};

fn limit(written: &str) -> Limit {
    let (field, value) = written.split_once('=').expect("a field and its value");
    let number = |text: &str| text.parse().expect("a number");
    let value = match value.strip_suffix('%') {
        Some(share) => IntOrPercent::Percent(number(share)),
        None => IntOrPercent::Int(number(value)),
    };
    if field == "minAvailable" { Limit::MinAvailable(value) } else { Limit::MaxUnavailable(value) }
}

/// The table's values; those it leaves out are not compared.
fn status(input: &Value, theirs: &Value) -> Outcome {
    let pods = int(&input["matchingPods"]) as usize;
    let controller = &input["controllers"][0];
    let scale = match (controller.is_null(), controller["replicas"].as_i64()) {
        (true, _) => Scale::Unmanaged,
        (_, Some(replicas)) => Scale::Wanted(Uid(1), replicas as i32),
        (_, None) => Scale::Unknown("no number".into()),
    };
    let scales = std::iter::repeat_n(scale, pods);
    let healthy = int(&input["healthyPods"]) as i32;
    let found = expected(limit(text(&input["spec"])), pods, scales);
    let mut ours = json!({"disruptionsAllowed": 0, "event": null});
    match found {
        Err(_) => ours["event"] = json!("CalculateExpectedPodCountFailed"),
        Ok(found) => {
            let allowed = allowed(found, healthy);
            ours = json!({
                "disruptionsAllowed": allowed,
                "currentHealthy": healthy,
                "desiredHealthy": found.healthy,
                "expectedPods": found.pods,
                "disruptionAllowedCondition": if allowed > 0 { "True" } else { "False" },
                "event": if found.unmanaged > 0 { json!("UnmanagedPods") } else { Value::Null },
            });
        }
    }
    let theirs = theirs.as_object().expect("values");
    let asked = theirs.iter().filter(|(field, value)| !value.is_null() || *field == "event");
    let differs: Vec<_> = asked.filter(|(field, value)| ours[*field] != **value).collect();
    if differs.is_empty() {
        return Outcome::Equal;
    }
    Outcome::Different(format!("ours {ours}, theirs {differs:?}"))
}

fn stale(input: &Value, theirs: &Value) -> Outcome {
    let mut pod = input["pod"].clone();
    pod["spec"] = json!({"containers": []});
    let mut pod = objects::pod(&pod);
    let before = &input["pod"]["status"]["conditions"][0]["status"];
    if let Some(value) = before.as_str() {
        pod.status.set(PodCondition::DisruptionTarget, value == "True", NOW);
    }
    let passed: u64 = text(&input["timePassed"]).trim_end_matches('s').parse().expect("seconds");
    let is_taken_back =
        stale_in(&pod, NOW + SimDuration::from_secs(passed)).is_some_and(SimDuration::is_zero);
    let ours = if is_taken_back { json!("False") } else { before.clone() };
    same(&ours, &theirs["wantConditions"][0]["status"])
}

#[test]
pub fn disruption() {
    let data = include_str!("../data/vectors/disruption_pdb.json");
    let tally = run("disruption", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestStalePodDisruption" => stale(input, expected),
            _ => status(input, expected),
        }
    });
    assert_eq!((tally.equal, tally.excluded.len()), (31, 0));
}
