//! What a Job makes of a failed pod.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};

use crate::api::validation::{
    field::{Errors, Path},
    names,
    scalar::{items, json, obeys, text},
};

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;

/// Checks the rules of a Job's policy.
pub(super) fn validate(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(policy) = &spec.pod_failure_policy else { return };
    let path = path.child("rules");
    if policy.rules.len() > RULES_MAX {
        errors.too_many(&path, policy.rules.len(), RULES_MAX);
    }
    let pod = spec.template.spec.as_ref();
    let containers: BTreeSet<&str> = pod
        .into_iter()
        .flat_map(|pod| pod.containers.iter().chain(pod.init_containers.iter().flatten()))
        .map(|container| container.name.as_str())
        .collect();
    for (at, rule) in policy.rules.iter().enumerate() {
        let path = path.index(at);
        check_action(rule, spec, &path.child("action"), errors);
        check_rule(rule, &containers, &path, errors);
    }
}

/// A value that must be there and known; what is missing is named with all that would do.
fn check_word(path: &Path<'_>, word: &str, known: &[&str], errors: &mut Errors) {
    if word.is_empty() {
        let quoted: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        errors.required(path, &format!("valid values: [{}]", quoted.join(" ")));
    } else if !known.contains(&word) {
        errors.not_supported(path, word, known);
    }
}

fn check_action(rule: &PodFailurePolicyRule, spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    if rule.action == "FailIndex" && spec.backoff_limit_per_index.is_none() {
        errors.invalid(path, &rule.action, "requires the backoffLimitPerIndex to be set");
    }
    check_word(path, &rule.action, &["Count", "FailIndex", "FailJob", "Ignore"], errors);
}

fn check_rule(
    rule: &PodFailurePolicyRule,
    containers: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let conditions = items(rule.on_pod_conditions.as_ref());
    if let Some(codes) = &rule.on_exit_codes {
        check_exit_codes(codes, containers, &path.child("onExitCodes"), errors);
    }
    if !conditions.is_empty() {
        check_conditions(conditions, &path.child("onPodConditions"), errors);
    }
    match (&rule.on_exit_codes, conditions) {
        (Some(_), [_, ..]) => {
            let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
            errors.invalid_as(path, "", detail);
        }
        (None, []) => {
            let detail = "specifying one of OnExitCodes and OnPodConditions is required";
            errors.invalid_as(path, "", detail);
        }
        _ => {}
    }
}

fn check_conditions(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if patterns.len() > CONDITIONS_MAX {
        errors.too_many(path, patterns.len(), CONDITIONS_MAX);
    }
    for (at, pattern) in patterns.iter().enumerate() {
        let path = path.index(at);
        obeys(&path.child("type"), &pattern.type_, names::is_qualified_name, errors);
        let status = text(pattern.status.as_ref());
        check_word(&path.child("status"), status, &["False", "True", "Unknown"], errors);
    }
}

fn check_exit_codes(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    containers: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    check_word(&path.child("operator"), &codes.operator, &["In", "NotIn"], errors);
    if let Some(name) = &codes.container_name
        && !containers.contains(name.as_str())
    {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.invalid(&path.child("containerName"), name, detail);
    }
    let values = &codes.values;
    let path = path.child("values");
    if values.is_empty() {
        errors.invalid_as(&path, json(values), "at least one value is required");
    } else if values.len() > EXIT_CODES_MAX {
        errors.too_many(&path, values.len(), EXIT_CODES_MAX);
    }
    let mut seen = BTreeSet::new();
    for (at, code) in values.iter().enumerate() {
        if codes.operator == "In" && *code == 0 {
            errors.invalid(&path.index(at), code, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            errors.duplicate(&path.index(at), code);
        }
    }
    if !values.is_sorted() {
        errors.invalid_as(&path, json(values), "must be ordered");
    }
}
