//! What creation makes of `matchLabelKeys` and `mismatchLabelKeys`: requirements among the selector
//! they stand beside (`pkg/registry/core/pod/strategy.go`, 1.36, gates MatchLabelKeysInPodAffinity
//! and MatchLabelKeysInPodTopologySpreadSelectorMerge on).
//!
//! For each key the pod has a label of, the selector gets `key In (value)`, or `key NotIn (value)`
//! for the mismatching ones. A term without selector selects nothing and gets none. A requirement
//! that is there already is not added again, so that a pod out of a cluster stays as it is.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::affinity::{PodAffinity, PodTerm};
use super::selector::{Operator, Requirement, Selector};
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::pod::PodSpec;
use crate::base::Held;

/// Specs as merged, by the spec they came from and the labels that mattered: siblings share one.
#[derive(Clone, Debug, Default)]
pub struct Merges {
    by_source: Held<Source, (Arc<PodSpec>, Arc<PodSpec>)>,
}

/// Where a spec lies, which is kept as long as it is known here, and the labels' values.
type Source = (usize, Vec<Option<Text>>);

impl Merges {
    /// The spec of a pod with these labels: `spec` itself where there is nothing to merge.
    pub fn spec(&mut self, spec: &Arc<PodSpec>, labels: &Labels) -> Arc<PodSpec> {
        if !has_keys(spec) {
            return spec.clone();
        }
        let values = keys(spec).map(|key| labels.get(key).cloned()).collect();
        let key = (Arc::as_ptr(spec) as usize, values);
        if let Some((_, merged)) = self.by_source.get(&key) {
            return merged.clone();
        }
        let merged = Arc::new(merged(spec, labels));
        self.by_source.insert(key, (spec.clone(), merged.clone()), |(source, merged)| {
            Arc::strong_count(source) > 1 || Arc::strong_count(merged) > 1
        });
        merged
    }
}

fn terms(affinity: &PodAffinity) -> impl Iterator<Item = &PodTerm> {
    affinity.required.iter().chain(affinity.preferred.iter().map(|(_, term)| term))
}

/// All keys, with and without match, in order.
fn keys(spec: &PodSpec) -> impl Iterator<Item = &Text> {
    let terms = terms(&spec.pod_affinity).chain(terms(&spec.pod_anti_affinity));
    let of_terms =
        terms.flat_map(|term| term.match_label_keys.iter().chain(&term.mismatch_label_keys));
    of_terms.chain(spec.spread.iter().flat_map(|constraint| &constraint.match_label_keys))
}

fn has_keys(spec: &PodSpec) -> bool {
    keys(spec).next().is_some()
}

/// `spec` for a pod with these labels, its written form included.
pub fn merged(spec: &PodSpec, labels: &Labels) -> PodSpec {
    let mut merged = spec.clone();
    for affinity in [&mut merged.pod_affinity, &mut merged.pod_anti_affinity] {
        let preferred = affinity.preferred.iter_mut().map(|(_, term)| term);
        for term in affinity.required.iter_mut().chain(preferred) {
            let Some(selector) = &mut term.selector else { continue };
            add(selector, &term.match_label_keys, Operator::In, labels);
            add(selector, &term.mismatch_label_keys, Operator::NotIn, labels);
        }
    }
    for constraint in &mut merged.spread {
        let Some(selector) = &mut constraint.selector else { continue };
        add(selector, &constraint.match_label_keys, Operator::In, labels);
    }
    if let Ok(mut written) = serde_json::from_str::<core::PodSpec>(&spec.written) {
        merge_written(&mut written, labels);
        // Writing plain data into memory cannot fail.
        merged.written = serde_json::to_string(&written).unwrap_or_default().into();
    }
    merged
}

fn add(selector: &mut Selector, keys: &[Text], operator: Operator, labels: &Labels) {
    for (key, value) in keys.iter().filter_map(|key| Some((key, labels.get(key)?))) {
        let new = Requirement { key: key.clone(), operator, values: vec![value.clone()] };
        if !selector.requirements.contains(&new) {
            selector.requirements.push(new);
        }
    }
}

fn merge_written(spec: &mut core::PodSpec, labels: &Labels) {
    let affinity = spec.affinity.iter_mut();
    for affinity in affinity {
        let near = affinity.pod_affinity.iter_mut().flat_map(|it| {
            let preferred = it.preferred_during_scheduling_ignored_during_execution.iter_mut();
            let preferred = preferred.flatten().map(|it| &mut it.pod_affinity_term);
            let required = it.required_during_scheduling_ignored_during_execution.iter_mut();
            required.flatten().chain(preferred)
        });
        let far = affinity.pod_anti_affinity.iter_mut().flat_map(|it| {
            let preferred = it.preferred_during_scheduling_ignored_during_execution.iter_mut();
            let preferred = preferred.flatten().map(|it| &mut it.pod_affinity_term);
            let required = it.required_during_scheduling_ignored_during_execution.iter_mut();
            required.flatten().chain(preferred)
        });
        for term in near.chain(far) {
            let Some(selector) = &mut term.label_selector else { continue };
            write(selector, term.match_label_keys.as_deref(), "In", labels);
            write(selector, term.mismatch_label_keys.as_deref(), "NotIn", labels);
        }
    }
    for constraint in spec.topology_spread_constraints.iter_mut().flatten() {
        let Some(selector) = &mut constraint.label_selector else { continue };
        write(selector, constraint.match_label_keys.as_deref(), "In", labels);
    }
}

fn write(selector: &mut LabelSelector, keys: Option<&[String]>, operator: &str, labels: &Labels) {
    for key in keys.unwrap_or_default() {
        let Some(value) = labels.get(key.as_str()) else { continue };
        let new = LabelSelectorRequirement {
            key: key.clone(),
            operator: operator.to_owned(),
            values: Some(vec![value.to_string()]),
        };
        let held = selector.match_expressions.get_or_insert_default();
        if !held.contains(&new) {
            held.push(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::compact::Compactor;
    use crate::api::object::Object;
    use serde_json::{Value, json};

    fn pod(value: &Value) -> (Arc<PodSpec>, Arc<Labels>) {
        let written = serde_json::from_value(value.clone()).expect("a pod");
        match Compactor::new().pod(written).object {
            Object::Pod(pod) => (pod.spec, pod.meta.labels),
            _ => unreachable!("a pod"),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "recorded cases lie in files")]
    fn cases(name: &str) -> Option<Value> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/scheduler-cases/cases/");
        let text = std::fs::read_to_string(format!("{folder}{name}.json"));
        text.ok().and_then(|text| serde_json::from_str(&text).ok())
    }

    /// The recorded cases say what the real create strategy made of each pod.
    #[test]
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn selectors_get_what_the_real_api_server_gave_them() {
        let mut compared = 0;
        for name in ["pod-affinity-matchlabelkeys", "spread-matchlabelkeys"] {
            let Some(case) = cases(name) else {
                println!("skipped: the recorded cases are not here");
                return;
            };
            for written in case["pods"].as_array().expect("pods") {
                let name =
                    format!("default/{}", written["metadata"]["name"].as_str().expect("a name"));
                let admitted = &case["admitted_pods"][&name];
                let (spec, labels) = pod(written);
                let ours = merged(&spec, &labels);
                let shown: Value = serde_json::from_str(&ours.written).expect("JSON");
                for field in ["affinity", "topologySpreadConstraints"] {
                    if !admitted[field].is_null() {
                        assert_eq!(shown[field], admitted[field], "{name}");
                        compared += 1;
                    }
                }
                let mut whole = written.clone();
                whole["spec"] = shown;
                let (again, _) = pod(&whole);
                assert_eq!(again.pod_anti_affinity, ours.pod_anti_affinity, "{name}");
                assert_eq!(again.spread, ours.spread, "{name}");
            }
        }
        assert!(compared > 20, "{compared}");
    }

    fn keyed(labels: &Value, selector: &Value) -> (Arc<PodSpec>, Arc<Labels>) {
        pod(&json!({"metadata": {"name": "p", "labels": labels}, "spec": {
            "containers": [],
            "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": selector,
                    "matchLabelKeys": ["rev"], "mismatchLabelKeys": ["tenant"]}}]}}}}))
    }

    #[test]
    fn siblings_share_the_merged_spec_and_others_get_their_own() {
        let (spec, labels) =
            keyed(&json!({"rev": "1", "x": "a"}), &json!({"matchLabels": {"a": "b"}}));
        let mut merges = Merges::default();
        let first = merges.spec(&spec, &labels);
        let mut other = (*labels).clone();
        other.insert("x".into(), "b".into());
        assert!(Arc::ptr_eq(&first, &merges.spec(&spec, &other)));
        other.insert("rev".into(), "2".into());
        assert!(!Arc::ptr_eq(&first, &merges.spec(&spec, &other)));
        assert_eq!(merges.spec(&first, &labels).written, first.written, "merged once");
    }

    #[test]
    fn without_label_or_selector_nothing_is_added() {
        let (spec, labels) = keyed(&json!({"x": "a"}), &json!({"matchLabels": {"a": "b"}}));
        assert_eq!(merged(&spec, &labels).pod_affinity, spec.pod_affinity);
        let (spec, labels) = keyed(&json!({"rev": "1"}), &Value::Null);
        let ours = merged(&spec, &labels);
        assert_eq!(ours.pod_affinity.preferred[0].1.selector, None);
    }
}
