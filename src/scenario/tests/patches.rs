//! Patches of subresources in a timeline.

use super::*;

fn said(step: &str) -> Vec<String> {
    findings(&format!("{HEAD}spec:\n  timeline:\n  - {{at: 1m, {step}}}\n"))
}

#[test]
fn conditions_of_a_pod_are_set_unless_they_are_the_clusters_own() {
    let status = |conditions: &str| {
        said(&format!(
            "patch: pod/web-0, subresource: status, with: {{status: {{conditions: [{conditions}]}}}}"
        ))
    };
    let of_steps = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|line| line.contains("timeline[0]")).collect()
    };
    for (wrong, part) in [
        ("", "Required value: conditions"),
        ("{status: 'True'}", "the condition's type"),
        ("{type: Ready, status: 'True'}", "the cluster's own to say"),
        ("{type: PodResizePending, status: 'True'}", "the cluster's own to say"),
        ("{type: a/b, status: 'Yes'}", "\"True\", \"False\", \"Unknown\""),
    ] {
        let said = of_steps(status(wrong));
        assert!(said.len() == 1 && said[0].contains(part), "{wrong}: {said:?}");
    }
    let other = of_steps(said(
        "patch: service/web, subresource: status, with: {status: {conditions: [{type: a/b, status: 'True'}]}}",
    ));
    assert!(other[0].contains("only the status of pods is patched"), "{other:?}");
}
