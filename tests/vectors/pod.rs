//! The table of the same subject; see the file under `tests/data/vectors`.

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use wavetank::api::validation::Embedding;
use wavetank::api::validation::field::{Errors, Path};
use wavetank::api::validation::pod::{validate_pod, validate_pod_spec};

use super::suite::{Outcome, expected, kind, run, same};

/// The internal type keeps these in the security context, v1 beside it.
const HOISTED: [&str; 5] =
    ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];

/// The pod, where the case wraps it.
fn whole(input: &Value) -> Option<&Value> {
    let wrapped = [&input["pod"], &input["spec"]];
    wrapped.into_iter().find(|value| value["spec"].is_object())
}

fn pod(input: &Value) -> Pod {
    let mut value = whole(input).unwrap_or(input).clone();
    for field in HOISTED {
        let context = value["spec"]["securityContext"].as_object_mut();
        if let Some(moved) = context.and_then(|context| context.remove(field)) {
            value["spec"][field] = moved;
        }
    }
    serde_json::from_value(value).expect("a pod")
}

/// Cases of feature gates that are not at their 1.36 default.
fn is_gated(name: &str) -> bool {
    name.contains("feature gate enabled") || name.contains("gate enabled")
}

#[test]
pub fn validation_pod() {
    run("pods", include_str!("../data/vectors/validation_pod.json"), |function, case| {
        let wanted = &case["expected"];
        if is_gated(case["name"].as_str().unwrap_or("")) {
            return Outcome::Excluded("a feature gate that is off in 1.36");
        }
        let mut errors = Errors::new();
        let pod = pod(&case["input"]);
        if function == "TestValidatePodSpec" {
            let spec = pod.spec.unwrap_or_default();
            let path = Path::ROOT.child("field");
            validate_pod_spec(&spec, None, Embedding::Pod, &path, &mut errors);
        } else {
            validate_pod(&pod, &mut errors);
        }
        let lines: Vec<String> = errors.list().iter().map(ToString::to_string).collect();
        if wanted["valid"] == true {
            return same(lines, Vec::new());
        }
        if lines.is_empty() {
            return Outcome::Different("accepted".to_owned());
        }
        let said = wanted["expectedError"].as_str().unwrap_or("");
        if !said.is_empty() && !lines.iter().any(|line| line.contains(said)) {
            return Outcome::Different(format!("{lines:?} lack {said:?}"));
        }
        if wanted["expectedErrors"].is_array() {
            let mut ours: Vec<_> =
                errors.list().iter().map(|e| (kind(e).to_owned(), e.path.clone())).collect();
            ours.sort();
            return same(ours, expected(&wanted["expectedErrors"]));
        }
        Outcome::Equal
    });
}
