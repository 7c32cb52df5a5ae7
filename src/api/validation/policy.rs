//! PodDisruptionBudgets, as `pkg/apis/policy/validation` of 1.36 checks them.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus},
    apimachinery::pkg::apis::meta::v1::Condition,
};

use super::{
    amounts::{check_amount, check_at_most_all},
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{items, json, not_negative, not_negative_if_set, obeys, one_of},
};

/// Checks a new PodDisruptionBudget.
pub fn validate(budget: &PodDisruptionBudget, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::path_segment_name;
    validate_object_meta(&budget.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(budget.spec.as_ref(), errors);
}

/// Checks that a PodDisruptionBudget may become `new`.
pub fn validate_update(new: &PodDisruptionBudget, old: &PodDisruptionBudget, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(new.spec.as_ref(), errors);
}

/// Checks the spec of a PodDisruptionBudget.
pub fn validate_spec(spec: Option<&PodDisruptionBudgetSpec>, errors: &mut Errors) {
    let Some(spec) = spec else { return };
    let path = Path::ROOT.child("spec");
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let value = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\
             \"UnhealthyPodEvictionPolicy\":{}}}",
            json(&spec.min_available),
            json(&spec.selector),
            json(&spec.max_unavailable),
            json(&spec.unhealthy_pod_eviction_policy),
        );
        errors.invalid_as(&path, value, "minAvailable and maxUnavailable cannot be both set");
    }
    for (field, amount) in
        [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)]
    {
        if let Some(amount) = amount {
            check_amount(amount, &path.child(field), errors);
            check_at_most_all(amount, &path.child(field), errors);
        }
    }
    if let Some(selector) = &spec.selector {
        let path = path.child("selector");
        validate_label_selector(selector, &path, SelectorValues::LabelValues, errors);
    }
    if let Some(policy) = &spec.unhealthy_pod_eviction_policy {
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        if !known.contains(&policy.as_str()) {
            errors.not_supported(&path.child("unhealthyPodEvictionPolicy"), policy, &known);
        }
    }
}

/// Checks the status of a PodDisruptionBudget.
pub fn validate_status(status: &PodDisruptionBudgetStatus, errors: &mut Errors) {
    let path = Path::ROOT.child("status");
    validate_conditions(items(status.conditions.as_ref()), &path.child("conditions"), errors);
    not_negative_if_set(&path.child("disruptionsAllowed"), status.disruptions_allowed, errors);
    not_negative_if_set(&path.child("currentHealthy"), status.current_healthy, errors);
    not_negative_if_set(&path.child("desiredHealthy"), status.desired_healthy, errors);
    not_negative_if_set(&path.child("expectedPods"), status.expected_pods, errors);
}

/// Conditions of the common form (`metav1.Condition`).
fn validate_conditions(conditions: &[Condition], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, condition) in conditions.iter().enumerate() {
        let path = path.index(at);
        if !seen.insert(&condition.type_) {
            errors.duplicate(&path.child("type"), &condition.type_);
        }
        if condition.type_.is_empty() {
            errors.required(&path.child("type"), "must be set");
        } else {
            obeys(&path.child("type"), &condition.type_, names::is_qualified_name, errors);
        }
        let known = ["False", "True", "Unknown"];
        one_of(&path.child("status"), &condition.status, &known, errors);
        not_negative(
            &path.child("observedGeneration"),
            condition.observed_generation.unwrap_or(0),
            errors,
        );
        validate_condition_texts(condition, &path, errors);
    }
}

fn validate_condition_texts(condition: &Condition, path: &Path<'_>, errors: &mut Errors) {
    const REASON_BYTES_MAX: usize = 1024;
    const MESSAGE_BYTES_MAX: usize = 32 * 1024;
    let reason = &condition.reason;
    if reason.is_empty() {
        errors.required(&path.child("reason"), "must be set");
    } else if reason.len() > REASON_BYTES_MAX {
        errors.too_long(&path.child("reason"), REASON_BYTES_MAX);
    } else if !is_reason(reason) {
        let detail = "a condition reason must start with alphabetic character, optionally followed \
                      by a string of alphanumeric characters or '_,:', and must end with an \
                      alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  \
                      or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is \
                      '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
        errors.invalid(&path.child("reason"), reason, detail);
    }
    if condition.message.len() > MESSAGE_BYTES_MAX {
        errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX);
    }
}

fn is_reason(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_,:".contains(b))
        && bytes.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
