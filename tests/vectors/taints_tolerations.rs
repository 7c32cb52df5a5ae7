//! Taints and tolerations (`component-helpers/scheduling/corev1`, `api/core/v1/toleration.go`).

use serde_json::{Value, json};
use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::api::rules::taints::{Effect, first_untolerated};
use wavetank::control_plane::scheduler::algorithm::plugins::taint_toleration::keeps_off;

use super::scheduling::{node, pod};
use super::table::{Outcome, run};

fn read(taints: &Value, tolerations: &Value) -> (Node, Pod) {
    let node = node(&json!({"metadata": {"name": "n"}, "spec": {"taints": taints}}));
    (node, pod(&json!({"spec": {"containers": [], "tolerations": tolerations}})))
}

#[test]
fn taints_tolerations() {
    let data = include_str!("../data/vectors/taints_tolerations.json");
    run("taints and tolerations", data, |function, title, input, expected| {
        let compares = input["enableComparisonOperatorsFG"] == true
            || input["enableTaintTolerationComparisonOperatorsFG"] == true;
        if compares {
            return Some(Outcome::Excluded("a feature that is off by default"));
        }
        let tolerated = expected["expectTolerated"] == true;
        Some(match function {
            "TestFindMatchingUntoleratedTaint" => {
                let (node, pod) = read(&input["taints"], &input["tolerations"]);
                let tolerations = &pod.spec.tolerations;
                let untolerated = if input.get("applyFilter").is_some() {
                    first_untolerated(&node.taints, tolerations, |_| true)
                } else if node.taints.iter().all(|taint| keeps_off(taint.effect))
                    && pod.spec.tolerations.iter().all(|one| one.effect == Some(Effect::NoSchedule))
                    && !title.contains("no taints apply to the filter")
                {
                    first_untolerated(&node.taints, tolerations, keeps_off)
                } else {
                    return Some(Outcome::Excluded("a filter that the data cannot hold"));
                };
                Outcome::same(untolerated.is_none(), tolerated)
            }
            "TestTolerationToleratesTaint" => {
                let (node, pod) = read(&json!([input["taint"]]), &json!([input["toleration"]]));
                Outcome::same(pod.spec.tolerations[0].covers(&node.taints[0]), tolerated)
            }
            _ => Outcome::Excluded("helpers of admission plugins and kubectl"),
        })
    });
}
