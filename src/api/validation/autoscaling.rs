//! HorizontalPodAutoscalers, as `pkg/apis/autoscaling/validation` of 1.36 checks them.

mod metrics;

use k8s_openapi::api::autoscaling::{
    v1::HorizontalPodAutoscaler as AutoscalerV1,
    v2::{
        HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
        HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec,
    },
};

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{items, obeys},
};
use crate::api::quantity::Quantity;

const PERIOD_SECONDS_MAX: i32 = 1800;
const WINDOW_SECONDS_MAX: i32 = 3600;

/// Checks a new autoscaler whose defaults are set.
pub fn validate(autoscaler: &HorizontalPodAutoscaler, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&autoscaler.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(&autoscaler.spec, 1, errors);
}

/// Checks that an autoscaler may become `new`.
pub fn validate_update(
    new: &HorizontalPodAutoscaler,
    old: &HorizontalPodAutoscaler,
    errors: &mut Errors,
) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    // What scales to zero already may go on doing so.
    let had_zero = old.spec.min_replicas == Some(0);
    validate_spec(&new.spec, i32::from(!had_zero), errors);
}

/// Checks a new autoscaler in the form of v1, which has one target: processor use.
pub fn validate_v1(autoscaler: &AutoscalerV1, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&autoscaler.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_v1_spec(autoscaler, errors);
}

/// Checks that an autoscaler in the form of v1 may become `new`.
pub fn validate_v1_update(new: &AutoscalerV1, old: &AutoscalerV1, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_v1_spec(new, errors);
}

fn validate_v1_spec(autoscaler: &AutoscalerV1, errors: &mut Errors) {
    let spec = &autoscaler.spec;
    let path = Path::ROOT.child("spec");
    check_bounds(spec.min_replicas, spec.max_replicas, 1, &path, errors);
    let target = &spec.scale_target_ref;
    check_reference(&target.kind, &target.name, &path.child("scaleTargetRef"), errors);
    if let Some(percent) = spec.target_cpu_utilization_percentage
        && percent < 1
    {
        let path = path.child("metrics");
        let path = path.index(0);
        let path = path.child("resource");
        let path = path.child("target");
        errors.invalid(&path.child("averageUtilization"), &percent, "must be greater than 0");
    }
}

fn validate_spec(spec: &HorizontalPodAutoscalerSpec, min_replicas_min: i32, errors: &mut Errors) {
    let path = Path::ROOT.child("spec");
    check_bounds(spec.min_replicas, spec.max_replicas, min_replicas_min, &path, errors);
    let target = &spec.scale_target_ref;
    check_reference(&target.kind, &target.name, &path.child("scaleTargetRef"), errors);
    let all = items(spec.metrics.as_ref());
    metrics::validate(all, spec.min_replicas, &path.child("metrics"), errors);
    if let Some(behavior) = &spec.behavior {
        validate_behavior(behavior, &path.child("behavior"), errors);
    }
}

fn check_bounds(
    min: Option<i32>,
    max: i32,
    min_replicas_min: i32,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(min) = min
        && min < min_replicas_min
    {
        let detail = format!("must be greater than or equal to {min_replicas_min}");
        errors.invalid(&path.child("minReplicas"), &min, detail);
    }
    let path = path.child("maxReplicas");
    if max < 1 {
        errors.invalid(&path, &max, "must be greater than 0");
    }
    if min.is_some_and(|min| max < min) {
        errors.invalid(&path, &max, "must be greater than or equal to `minReplicas`");
    }
}

fn check_reference(kind: &str, name: &str, path: &Path<'_>, errors: &mut Errors) {
    for (field, value) in [("kind", kind), ("name", name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            obeys(&path.child(field), value, names::is_valid_path_segment, errors);
        }
    }
}

/// Checks how fast an autoscaler may move.
pub fn validate_behavior(
    behavior: &HorizontalPodAutoscalerBehavior,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(rules) = &behavior.scale_up {
        validate_rules(rules, &path.child("scaleUp"), errors);
    }
    if let Some(rules) = &behavior.scale_down {
        validate_rules(rules, &path.child("scaleDown"), errors);
    }
}

fn validate_rules(rules: &HPAScalingRules, path: &Path<'_>, errors: &mut Errors) {
    let place = path.child("stabilizationWindowSeconds");
    match rules.stabilization_window_seconds {
        Some(seconds) if seconds < 0 => {
            errors.invalid(&place, &seconds, "must be greater than or equal to zero");
        }
        Some(seconds) if seconds > WINDOW_SECONDS_MAX => {
            let detail = format!("must be less than or equal to {WINDOW_SECONDS_MAX}");
            errors.invalid(&place, &seconds, detail);
        }
        _ => {}
    }
    let known = ["Disabled", "Max", "Min"];
    if let Some(policy) = &rules.select_policy
        && !known.contains(&policy.as_str())
    {
        errors.not_supported(&path.child("selectPolicy"), policy, &known);
    }
    let place = path.child("policies");
    let policies = items(rules.policies.as_ref());
    if policies.is_empty() {
        errors.required(&place, "must specify at least one Policy");
    }
    for (at, policy) in policies.iter().enumerate() {
        validate_policy(policy, &place.index(at), errors);
    }
    if let Some(tolerance) = &rules.tolerance
        && Quantity::of(tolerance).is_ok_and(|tolerance| tolerance.signum() < 0)
    {
        let detail = "must be greater than or equal to 0";
        errors.invalid(&path.child("tolerance"), &tolerance.0, detail);
    }
}

fn validate_policy(policy: &HPAScalingPolicy, path: &Path<'_>, errors: &mut Errors) {
    let known = ["Percent", "Pods"];
    if !known.contains(&policy.type_.as_str()) {
        errors.not_supported(&path.child("type"), &policy.type_, &known);
    }
    if policy.value <= 0 {
        errors.invalid(&path.child("value"), &policy.value, "must be greater than zero");
    }
    let place = path.child("periodSeconds");
    if policy.period_seconds <= 0 {
        errors.invalid(&place, &policy.period_seconds, "must be greater than zero");
    }
    if policy.period_seconds > PERIOD_SECONDS_MAX {
        let detail = format!("must be less than or equal to {PERIOD_SECONDS_MAX}");
        errors.invalid(&place, &policy.period_seconds, detail);
    }
}
