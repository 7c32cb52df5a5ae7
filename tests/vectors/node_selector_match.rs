//! Node selectors and required node affinity (`component-helpers/scheduling/corev1`).

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::plugins::node_affinity;

use super::scheduling::{info, pod as pod_of, refusals, shape};
use super::table::{Outcome, run};

/// A pod that requires this node selector.
fn requiring(selector: &Value) -> Value {
    json!({"spec": {"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": selector,
    }}}})
}

fn node(name: &Value, labels: &Value) -> Value {
    let labels = if labels.is_null() { json!({}) } else { labels.clone() };
    json!({"metadata": {"name": name.as_str().unwrap_or(""), "labels": labels}})
}

/// The selector of a case; none at all is one without terms.
fn terms(input: &Value) -> Value {
    match &input["args"]["nodeSelector"] {
        Value::Null => json!({"nodeSelectorTerms": []}),
        written => written.clone(),
    }
}

fn selects(pod: &Value, input: &Value) -> bool {
    let meta = &input["args"]["node"]["metadata"];
    node_affinity::selects(&shape(pod), &info(&node(&meta["name"], &meta["labels"])))
}

#[test]
pub fn node_selector_match() {
    let data = include_str!("../data/vectors/node_selector_match.json");
    run("node selector match", data, |function, _, input, expected| {
        Some(match function {
            "TestMatchNodeSelectorTerms" => {
                Outcome::same(selects(&requiring(&terms(input)), input), expected["want"] == true)
            }
            "TestPodMatchesNodeSelectorAndAffinityTerms" => {
                let node = info(&node(&input["nodeName"], &input["labels"]));
                let ours = refusals(&input["pod"]).is_empty()
                    && node_affinity::selects(&shape(&input["pod"]), &node);
                Outcome::same(ours, expected["want"] == true)
            }
            // A selector that nodes were held against still reads as it was written.
            "TestMatchNodeSelectorTermsStateless" => {
                let pod = requiring(&terms(input));
                selects(&pod, input);
                let kept = serde_json::from_str::<Value>(&pod_of(&pod).spec.written).expect("JSON");
                let kept = &kept["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
                // Lists without a member are not kept.
                let theirs = match &expected["want"] {
                    Value::Null => json!({}),
                    written => written.clone(),
                };
                Outcome::same(kept.clone(), theirs)
            }
            other => Outcome::Different(format!("an unknown table: {other}")),
        })
    });
}
