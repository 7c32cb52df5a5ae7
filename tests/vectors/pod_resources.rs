//! The table of the same subject; see the file under `tests/data/vectors`.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use wavetank::api::rules::resources::{
    Amounts, Basis, Overhead, PodLevel, SumRules, amounts, container_limits, container_requests,
    pod_limits, pod_requests, qos_class,
};

use super::suite::{Outcome, run, same};

fn listed(value: &Value) -> Amounts {
    amounts(serde_json::from_value(value.clone()).ok().as_ref())
}

/// The pod a case describes, whole or in pieces.
fn pod(input: &Value) -> Pod {
    if input["pod"].is_object() {
        return serde_json::from_value(input["pod"].clone()).expect("a pod");
    }
    let list = |field: &str| input.get(field).cloned().unwrap_or_else(|| json!([]));
    let statuses =
        if input["containerStatus"].is_null() { "containerStatuses" } else { "containerStatus" };
    let mut spec = json!({
        "initContainers": list("initContainers"), "containers": list("containers"),
    });
    for (field, name) in [("overhead", "overhead"), ("podResources", "resources")] {
        if let Some(value) = input.get(field) {
            spec[name] = value.clone();
        }
    }
    let status = json!({
        "conditions": list("podResizeStatus"),
        "containerStatuses": list(statuses),
        "initContainerStatuses": list("initContainerStatuses"),
    });
    serde_json::from_value(json!({"spec": spec, "status": status})).expect("a pod")
}

#[test]
pub fn pod_resource_requests() {
    let table = include_str!("../data/vectors/pod_resource_requests.json");
    run("pod resources", table, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let pod = pod(input);
        let (Some(spec), status) = (&pod.spec, pod.status.as_ref()) else {
            return Outcome::Different("no spec".to_owned());
        };
        let options = if input["options"].is_object() { &input["options"] } else { &input["opts"] };
        let without = function == "TestPodRequestsAndLimitsWithoutOverhead";
        let excluded = options["excludeOverhead"] == true || without;
        let rules = SumRules {
            overhead: if excluded { Overhead::Excluded } else { Overhead::Included },
            pod_level: match options["skipPodLevelResources"] == true {
                true => PodLevel::Skipped,
                false => PodLevel::Used,
            },
            basis: match options["useStatusResources"] == true {
                true => Basis::Status,
                false => Basis::Spec,
            },
            missing: None,
        };
        let (requests, limits) = if function == "TestAggregateContainerRequestsAndLimits" {
            (container_requests(spec, status, rules), container_limits(spec, status, rules))
        } else {
            (pod_requests(spec, status, rules), pod_limits(spec, status, rules))
        };
        if let Some(theirs) = expected.get("expectedRequests")
            && requests != listed(theirs)
        {
            return same(requests, listed(theirs));
        }
        match expected.get("expectedLimits") {
            Some(theirs) => same(limits, listed(theirs)),
            None => Outcome::Equal,
        }
    });
}

#[test]
pub fn qos() {
    run("qos", include_str!("../data/vectors/qos.json"), |_, case| {
        let class = qos_class(&pod(&case["input"])).name();
        same(class, case["expected"]["expected"].as_str().unwrap_or(""))
    });
}
