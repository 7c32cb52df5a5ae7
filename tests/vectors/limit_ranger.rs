//! What LimitRanges let in.

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;
use wavetank::api::compact::Compactor;
use wavetank::api::limit_range::LimitRange;
use wavetank::api::object::Object;
use wavetank::api::rules::limits::{check_claim, check_pod, joined};
use wavetank::api::rules::resources::{PodLevel, amounts};

use super::suite::{Outcome, run, same};

fn limit_range(value: &Value) -> LimitRange {
    let written: core::LimitRange = serde_json::from_value(value.clone()).expect("a LimitRange");
    match Compactor::new().limit_range(written).object {
        Object::LimitRange(it) => *it,
        other => panic!("a LimitRange became {other:?}"),
    }
}

#[test]
pub fn pods_and_claims_are_let_in_as_upstream_lets_them_in() {
    let table = include_str!("../data/vectors/limitranger.json");
    let tally = run("limitranger.json", table, |function, case| {
        let input = &case["input"];
        let range = limit_range(&input["limitRange"]);
        let complaints = match function {
            "TestPodLimitFunc" => {
                let pod: core::Pod = serde_json::from_value(input["pod"].clone()).expect("a pod");
                let pod_level = match input["podLevelResourcesEnabled"] {
                    Value::Bool(true) => PodLevel::Used,
                    _ => PodLevel::Skipped,
                };
                check_pod(&pod.spec.unwrap_or_default(), &range, pod_level)
            }
            "TestPersistentVolumeClaimLimitFunc" => {
                let written = input["pvc"].clone();
                let claim: core::PersistentVolumeClaim =
                    serde_json::from_value(written).expect("a claim");
                let resources = claim.spec.and_then(|spec| spec.resources).unwrap_or_default();
                check_claim(&amounts(resources.requests.as_ref()), &range)
            }
            _ => return Outcome::Excluded("not a table of ours"),
        };
        let complaint = joined(&complaints);
        let is_allowed = case["expected"]["allowed"] == Value::Bool(true);
        match &complaint {
            Some(why) if why.is_empty() => Outcome::Different("no word of why".into()),
            _ => same(complaint.is_none(), is_allowed),
        }
    });
    assert_eq!(tally.equal, 89);
}
