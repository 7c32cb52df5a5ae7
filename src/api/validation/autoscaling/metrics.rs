//! What an autoscaler looks at.

use k8s_openapi::api::autoscaling::v2::{MetricIdentifier, MetricSpec, MetricTarget};

use super::check_reference;
use crate::api::validation::{
    field::{Errors, Path},
    names, resource_names,
    scalar::obeys,
};

const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];

/// Checks all metrics, and that one of them can be read with no pods if there may be none.
pub(super) fn validate(
    metrics: &[MetricSpec],
    min_replicas: Option<i32>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (at, metric) in metrics.iter().enumerate() {
        validate_metric(metric, &path.index(at), errors);
    }
    let from_outside = |m: &MetricSpec| matches!(m.type_.as_str(), "Object" | "External");
    if min_replicas == Some(0) && !metrics.iter().any(from_outside) {
        let detail = "must specify at least one Object or External metric to support scaling to \
                      zero replicas";
        errors.forbidden(path, detail);
    }
}

fn validate_metric(metric: &MetricSpec, path: &Path<'_>, errors: &mut Errors) {
    let kind = metric.type_.as_str();
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric source type");
    }
    if !TYPES.contains(&kind) {
        errors.not_supported(&path.child("type"), kind, &TYPES);
    }
    let sources = [
        ("object", metric.object.is_some()),
        ("external", metric.external.is_some()),
        ("pods", metric.pods.is_some()),
        ("resource", metric.resource.is_some()),
        ("containerResource", metric.container_resource.is_some()),
    ];
    let present: Vec<&str> =
        sources.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    // Only the first one given is looked into.
    if let Some(first) = present.first() {
        validate_source(metric, first, path, errors);
    }
    let expected = match kind {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        _ => {
            errors.not_supported(&path.child("type"), kind, &TYPES);
            ""
        }
    };
    if !expected.is_empty() && !present.contains(&expected) {
        let detail = "must populate information for the given metric source";
        errors.required(&path.child(expected), detail);
    }
    if present.len() != 1 {
        for other in present.iter().filter(|name| **name != expected) {
            errors.forbidden(&path.child(other), "must populate the given metric source only");
        }
    }
}

fn validate_source(metric: &MetricSpec, which: &str, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child(which);
    let target_path = path.child("target");
    if let Some(source) = metric.object.as_ref().filter(|_| which == "object") {
        let object = &source.described_object;
        check_reference(&object.kind, &object.name, &path.child("describedObject"), errors);
        validate_identifier(&source.metric, &path.child("metric"), errors);
        validate_target(&source.target, &target_path, errors);
        if source.target.value.is_none() && source.target.average_value.is_none() {
            let detail = "must set either a target value or averageValue";
            errors.required(&target_path.child("averageValue"), detail);
        }
    } else if let Some(source) = metric.external.as_ref().filter(|_| which == "external") {
        validate_identifier(&source.metric, &path.child("metric"), errors);
        validate_target(&source.target, &target_path, errors);
        match (&source.target.value, &source.target.average_value) {
            (None, None) => {
                let detail = "must set either a target value for metric or a per-pod target";
                errors.required(&target_path.child("averageValue"), detail);
            }
            (Some(_), Some(_)) => {
                let detail = "may not set both a target value for metric and a per-pod target";
                errors.forbidden(&target_path.child("value"), detail);
            }
            _ => {}
        }
    } else if let Some(source) = metric.pods.as_ref().filter(|_| which == "pods") {
        validate_identifier(&source.metric, &path.child("metric"), errors);
        validate_target(&source.target, &target_path, errors);
        if source.target.average_value.is_none() {
            let detail = "must specify a positive target averageValue";
            errors.required(&target_path.child("averageValue"), detail);
        }
    } else if let Some(source) = metric.resource.as_ref().filter(|_| which == "resource") {
        if source.name.is_empty() {
            errors.required(&path.child("name"), "must specify a resource name");
        }
        validate_resource_target(&source.target, &target_path, errors);
    } else if let Some(source) = &metric.container_resource {
        if source.name.is_empty() {
            errors.required(&path.child("name"), "must specify a resource name");
        } else {
            resource_names::check_container_name(&source.name, &path.child("name"), errors);
        }
        if source.container.is_empty() {
            errors.required(&path.child("container"), "must specify a container");
        } else {
            let path = path.child("container");
            obeys(&path, &source.container, names::is_dns1123_label, errors);
        }
        validate_resource_target(&source.target, &target_path, errors);
    }
}

fn validate_resource_target(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    validate_target(target, path, errors);
    match (target.average_utilization, &target.average_value) {
        (None, None) => {
            let detail = "must set either a target raw value or a target utilization";
            errors.required(&path.child("averageUtilization"), detail);
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.forbidden(&path.child("averageValue"), detail);
        }
        _ => {}
    }
}

fn validate_target(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    let kind = target.type_.as_str();
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.invalid(&path.child("type"), kind, detail);
    }
    for (field, amount) in [("value", &target.value), ("averageValue", &target.average_value)] {
        let Some(written) = amount else { continue };
        let path = path.child(field);
        if let Some(amount) = resource_names::amount(written, &path, errors)
            && amount.signum() <= 0
        {
            errors.invalid(&path, &amount.to_string(), "must be positive");
        }
    }
    if let Some(percent) = target.average_utilization
        && percent < 1
    {
        errors.invalid(&path.child("averageUtilization"), &percent, "must be greater than 0");
    }
}

fn validate_identifier(metric: &MetricIdentifier, path: &Path<'_>, errors: &mut Errors) {
    if metric.name.is_empty() {
        errors.required(&path.child("name"), "must specify a metric name");
    } else {
        obeys(&path.child("name"), &metric.name, names::is_valid_path_segment, errors);
    }
}
