//! Node selectors and required node affinity (`component-helpers/scheduling/corev1`).

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::plugins::node_affinity;

use super::scheduling::{info, shape};
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

#[test]
pub fn node_selector_match() {
    let data = include_str!("../data/vectors/node_selector_match.json");
    run("node selector match", data, |function, title, input, expected| {
        if title.contains("invalid value") {
            return Some(Outcome::Excluded("validation refuses such a pod"));
        }
        Some(match function {
            "TestMatchNodeSelectorTerms" => {
                let args = &input["args"];
                if args["nodeSelector"].is_null() {
                    return Some(Outcome::Excluded(
                        "no selector: upstream's helper takes a null pointer",
                    ));
                }
                let meta = &args["node"]["metadata"];
                let node = info(&node(&meta["name"], &meta["labels"]));
                let ours = node_affinity::selects(&shape(&requiring(&args["nodeSelector"])), &node);
                Outcome::same(ours, expected["want"] == true)
            }
            "TestPodMatchesNodeSelectorAndAffinityTerms" => {
                let node = info(&node(&input["nodeName"], &input["labels"]));
                let ours = node_affinity::selects(&shape(&input["pod"]), &node);
                Outcome::same(ours, expected["want"] == true)
            }
            _ => Outcome::Excluded("asks whether a Go function leaves its argument alone"),
        })
    });
}
