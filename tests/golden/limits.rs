//! Pods under a LimitRange against what a recorded API server answered.
//!
//! Source: `tests/data/golden/limits.json`.

use serde_json::{Value, json};
use wavetank::api::pod::Pod;
use wavetank::api::workload::Deployment;
use wavetank::messages::Verb;

use super::played;

const RECORDED: &str = include_str!("../data/golden/limits.json");

/// The resources of a pod's container, as written.
fn resources(pod: &Pod) -> Value {
    let spec: Value = serde_json::from_str(&pod.spec.written).expect("a spec");
    spec["containers"][0]["resources"].clone()
}

#[test]
fn a_limit_range_fills_in_and_refuses_as_recorded() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("JSON");
    let scenario = include_str!("../../scenarios/golden/limit-range.yaml");
    let (ours, finished) = played(scenario, 1);
    let results = recorded["results"].as_object().expect("results");
    assert_eq!(results.len(), 7);
    for (name, answer) in results {
        let found = finished.world.store().find::<Pod>("default", name);
        let pod = found.and_then(|id| finished.world.store().get(id));
        if answer[0] == json!(201) {
            assert_eq!(resources(pod.expect("a pod that is let in")), answer[1], "{name}");
            continue;
        }
        assert!(pod.is_none(), "{name}");
        let refused = ours
            .0
            .iter()
            .map(|it| &it.2)
            .find(|fact| fact.verb == Verb::Refused && fact.object.name.to_string() == *name);
        let said = refused.and_then(|fact| fact.message.as_deref()).expect("a refusal");
        assert_eq!(said, answer[1].as_str().expect("a message"), "{name}");
    }
}

/// Nothing is let in: the run goes on, and who wants pods says why there are none.
#[test]
fn a_quota_that_forbids_everything_is_told_by_all_who_want_pods() {
    let template = "{metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: app}]}}";
    let job = "{spec: {restartPolicy: Never, containers: [{name: c, image: app}]}}";
    let set = format!("replicas: 2, selector: {{matchLabels: {{app: a}}}}, template: {template}");
    let scenario = format!(
        "{{apiVersion: wavetank.dev/v1alpha1, kind: Scenario, metadata: {{name: none}}, spec: {{duration: 2m, \
         timeline: [{{at: 5s, name: all, apply: [\
         {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{progressDeadlineSeconds: 60, {set}}}}}, \
         {{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db}}, spec: {{serviceName: db, {set}}}}}, \
         {{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: agent}}, spec: {{selector: {{matchLabels: {{app: a}}}}, template: {template}}}}}, \
         {{apiVersion: batch/v1, kind: Job, metadata: {{name: once}}, spec: {{template: {job}}}}}]}}]}}}}\n---\n\
         {{apiVersion: v1, kind: ResourceQuota, metadata: {{name: nothing}}, spec: {{hard: {{pods: \"0\"}}}}}}\n"
    );
    let (ours, finished) = played(&scenario, 1);
    let store = finished.world.store();
    assert_eq!(store.table::<Pod>().iter().count(), 0);
    let words = "exceeded quota: nothing, requested: pods=1, used: pods=0, limited: pods=0";
    for name in [
        "Deployment/default/web",
        "StatefulSet/default/db",
        "DaemonSet/default/agent",
        "Job/default/once",
    ] {
        let mut refused = ours
            .0
            .iter()
            .map(|it| &it.2)
            .filter(|fact| fact.verb == Verb::Refused && fact.object.to_string() == name);
        let said = refused.next().and_then(|fact| fact.message.as_deref()).unwrap_or_default();
        assert!(said.ends_with(words), "{name}: {said}");
        assert!(refused.next().is_some(), "{name} tries again");
    }
    let id = store.find::<Deployment>("default", "web").expect("a Deployment");
    let status = &store.get(id).expect("a Deployment").status;
    let condition = |it: &Option<wavetank::api::workload::WorkloadCondition>| {
        it.as_ref().map(|it| (it.value, it.reason.to_string()))
    };
    assert_eq!(condition(&status.failure), Some((Some(true), "FailedCreate".to_owned())));
    assert_eq!(
        condition(&status.progressing),
        Some((Some(false), "ProgressDeadlineExceeded".to_owned()))
    );
}
