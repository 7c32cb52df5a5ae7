//! What may change in a pod that exists.
//!
//! Follows `ValidatePodUpdate` of `pkg/apis/core/validation` 1.36: images, a shorter deadline, more
//! tolerations, fewer scheduling gates; a gated pod may also be narrowed to fewer nodes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, NodeAffinity, NodeSelectorTerm, Pod, PodSchedulingGate, PodSpec, Toleration,
};
use serde_json::Value;

use super::absent::{items, text};
use super::affinity::validate_tolerations;
use super::field::{Errors, Path};
use super::meta::validate_object_meta_update;
use super::names::inclusive_range;
use super::pod::validate_whole_pod;
use super::pod_annotations::MIRROR;
use crate::api::quantity::Quantity;

const CHANGEABLE: &str = "pod updates may not change fields other than \
     `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
     `spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A pod that replaces `old`.
pub fn validate_pod_update(new: &Pod, old: &Pod, errors: &mut Errors) {
    let none = PodSpec::default();
    let new_spec = new.spec.as_ref().unwrap_or(&none);
    let old_spec = old.spec.as_ref().unwrap_or(&none);
    let path = Path::ROOT.child("spec");
    let meta_path = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &meta_path, errors);
    validate_whole_pod(new, errors);
    validate_annotation_changes(new, old, &meta_path.child("annotations"), errors);
    for (field, new, old) in [
        ("containers", &new_spec.containers[..], &old_spec.containers[..]),
        ("initContainers", items(&new_spec.init_containers), items(&old_spec.init_containers)),
    ] {
        let path = path.child(field);
        if new.len() != old.len() {
            errors.forbidden(&path, "pod updates may not add or remove containers");
            return;
        }
        for (at, container) in new.iter().enumerate() {
            validate_image(container, &path.index(at), errors);
        }
    }
    let before = errors.list().len();
    validate_deadline(new_spec, old_spec, &path.child("activeDeadlineSeconds"), errors);
    if errors.list().len() > before && new_spec.active_deadline_seconds.is_some() {
        return;
    }
    let tolerations = (items(&new_spec.tolerations), items(&old_spec.tolerations));
    validate_more_tolerations(tolerations, &path.child("tolerations"), errors);
    let gates = (items(&new_spec.scheduling_gates), items(&old_spec.scheduling_gates));
    validate_fewer_gates(gates, &path.child("schedulingGates"), errors);
    let mut rest = new_spec.clone();
    forgive(&mut rest, old_spec, &path, errors);
    if meaning(&rest) != meaning(old_spec) {
        errors.forbidden(&path, CHANGEABLE);
    }
}

fn validate_annotation_changes(new: &Pod, old: &Pod, path: &Path<'_>, errors: &mut Errors) {
    const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
    let none = BTreeMap::new();
    let after = new.metadata.annotations.as_ref().unwrap_or(&none);
    let before = old.metadata.annotations.as_ref().unwrap_or(&none);
    let noun = |key: &str| {
        let armor = key.starts_with(APP_ARMOR).then_some("AppArmor annotations");
        armor.or((key == MIRROR).then_some("mirror pod annotation"))
    };
    for (key, value) in before {
        if let Some(noun) = noun(key).filter(|_| after.get(key) != Some(value)) {
            errors.forbidden(&path.key(key), format!("may not remove or update {noun}"));
        }
    }
    for key in after.keys().filter(|key| !before.contains_key(*key)) {
        if let Some(noun) = noun(key) {
            errors.forbidden(&path.key(key), format!("may not add {noun}"));
        }
    }
}

fn validate_image(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    let image = text(&container.image);
    let path = path.child("image");
    if image.is_empty() {
        errors.required(&path, "");
    }
    if image.trim() != image {
        errors.invalid(&path, image, "must not have leading or trailing whitespace");
    }
}

fn validate_deadline(new: &PodSpec, old: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.invalid(path, &new, inclusive_range(0, i32::MAX.into()));
        }
        (Some(new), Some(old)) if old < new => {
            errors.invalid(path, &new, "must be less than or equal to previous value");
        }
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            errors.invalid_as(path, "null", detail);
        }
        _ => {}
    }
}

fn validate_more_tolerations(
    (new, old): (&[Toleration], &[Toleration]),
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let timeless =
        |toleration: &Toleration| Toleration { toleration_seconds: None, ..toleration.clone() };
    let kept = |old: &Toleration| new.iter().any(|new| timeless(new) == timeless(old));
    if old.iter().all(kept) {
        validate_tolerations(new, path, errors);
    } else {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden(path, detail);
    }
}

fn validate_fewer_gates(
    (new, old): (&[PodSchedulingGate], &[PodSchedulingGate]),
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (at, gate) in new.iter().enumerate().filter(|(_, gate)| !old.contains(gate)) {
        let detail =
            format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        errors.forbidden(&path.index(at).child("name"), detail);
    }
}

/// Takes back what may change, so that what is left must be equal.
fn forgive(new: &mut PodSpec, old: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    for (new, old) in new.containers.iter_mut().zip(&old.containers) {
        new.image.clone_from(&old.image);
    }
    let old_init = items(&old.init_containers);
    for (new, old) in new.init_containers.iter_mut().flatten().zip(old_init) {
        new.image.clone_from(&old.image);
    }
    new.active_deadline_seconds = old.active_deadline_seconds;
    new.scheduling_gates.clone_from(&old.scheduling_gates);
    new.tolerations.clone_from(&old.tolerations);
    let was_negative = old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0);
    if was_negative && new.termination_grace_period_seconds == Some(1) {
        new.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    if items(&old.scheduling_gates).is_empty() {
        return;
    }
    let none = BTreeMap::new();
    let selected = new.node_selector.as_ref().unwrap_or(&none);
    let mut kept = old.node_selector.iter().flatten();
    if !kept.all(|(key, value)| selected.get(key) == Some(value)) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        let shown = serde_json::to_string(selected).unwrap_or_default();
        errors.invalid_as(&path.child("nodeSelector"), shown, detail);
    }
    new.node_selector.clone_from(&old.node_selector);
    let node_affinity = |spec: &PodSpec| spec.affinity.clone().and_then(|a| a.node_affinity);
    let (new_nodes, old_nodes) = (node_affinity(new), node_affinity(old));
    validate_narrowed(new_nodes.as_ref(), old_nodes.as_ref(), path, errors);
    if old_nodes.is_some() || new_nodes.is_some() {
        new.affinity.get_or_insert_default().node_affinity = old_nodes;
    }
}

fn required_terms(affinity: Option<&NodeAffinity>) -> &[NodeSelectorTerm] {
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    required.map_or(&[], |selector| &selector.node_selector_terms)
}

/// A gated pod's node affinity may only grow narrower.
fn validate_narrowed(
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (new, old) = (required_terms(new), required_terms(old));
    let affinity = path.child("affinity");
    let node = affinity.child("nodeAffinity");
    let required = node.child("requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.child("nodeSelectorTerms");
    if old.is_empty() {
        return;
    }
    if new.len() != old.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.invalid_as(&terms, serde_json::to_string(new).unwrap_or_default(), detail);
        return;
    }
    for (at, (new, old)) in new.iter().zip(old).enumerate() {
        let (was, is) = (items(&old.match_expressions), items(&new.match_expressions));
        let (was_fields, is_fields) = (items(&old.match_fields), items(&new.match_fields));
        let was_nothing = was.is_empty() && was_fields.is_empty();
        let is_something = !is.is_empty() || !is_fields.is_empty();
        let grown = is.starts_with(was) && is_fields.starts_with(was_fields);
        if !grown || was_nothing && is_something {
            let detail = "only additions are allowed (no mutations or deletions)";
            let shown = serde_json::to_string(new).unwrap_or_default();
            errors.invalid_as(&terms.index(at), shown, detail);
        }
    }
}

/// A spec by what it says: absent and empty are one, and so are two texts of one amount.
fn meaning(spec: &PodSpec) -> Value {
    let mut value = serde_json::to_value(spec).unwrap_or_default();
    reduce(&mut value);
    value
}

fn reduce(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if matches!(key.as_str(), "limits" | "requests" | "overhead") {
                    unify_amounts(value);
                }
                reduce(value);
            }
            map.retain(|_, value| !is_nothing(value));
        }
        Value::Array(list) => list.iter_mut().for_each(reduce),
        _ => {}
    }
}

fn unify_amounts(value: &mut Value) {
    let Value::Object(map) = value else { return };
    for value in map.values_mut() {
        let amount = value.as_str().and_then(|text| Quantity::parse(text).ok());
        if let Some(amount) = amount {
            *value = Value::String(
                amount.in_format(crate::api::quantity::Format::DecimalSi).to_string(),
            );
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: Value) -> Pod {
        let mut spec = spec;
        let defaults = serde_json::json!({
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        });
        if let (Value::Object(spec), Value::Object(defaults)) = (&mut spec, defaults) {
            for (key, value) in defaults {
                spec.entry(key).or_insert(value);
            }
            spec.entry("terminationGracePeriodSeconds").or_insert(30.into());
        }
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "d", "resourceVersion": "1"}, "spec": spec,
        }))
        .expect("a pod")
    }

    fn container(image: &str, cpu: &str) -> Value {
        serde_json::json!([{
            "name": "c", "image": image, "imagePullPolicy": "Always",
            "terminationMessagePolicy": "File", "resources": {"requests": {"cpu": cpu}},
        }])
    }

    fn lines(new: &Pod, old: &Pod) -> Vec<String> {
        let mut errors = Errors::new();
        validate_pod_update(new, old, &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn images_change_and_nothing_else() {
        let old = pod(serde_json::json!({"containers": container("a:1", "1")}));
        let image = pod(serde_json::json!({"containers": container("a:2", "1000m")}));
        assert_eq!(lines(&image, &old), [""; 0]);
        let cpu = pod(serde_json::json!({"containers": container("a:1", "2")}));
        assert!(lines(&cpu, &old)[0].starts_with("spec: Forbidden: pod updates may not change"));
        let name = pod(serde_json::json!({"containers": container("a:1", "1"), "nodeName": "n"}));
        assert_eq!(lines(&name, &old).len(), 1);
    }

    #[test]
    fn a_negative_grace_period_may_become_one_second() {
        let with = |seconds: i64| {
            pod(serde_json::json!({
                "containers": container("a", "1"), "terminationGracePeriodSeconds": seconds,
            }))
        };
        assert_eq!(lines(&with(1), &with(-1)), [""; 0]);
        assert_eq!(lines(&with(1), &with(30)).len(), 1);
    }

    #[test]
    fn gates_go_and_never_come() {
        let with = |gates: &[&str]| {
            let gates: Vec<Value> =
                gates.iter().map(|name| serde_json::json!({"name": name})).collect();
            pod(serde_json::json!({"containers": container("a", "1"), "schedulingGates": gates}))
        };
        assert_eq!(lines(&with(&[]), &with(&["x/a"])), [""; 0]);
        assert!(lines(&with(&["x/b"]), &with(&["x/a"]))[0].contains("only deletion is allowed"));
    }
}
