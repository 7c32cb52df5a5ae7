//! Deployment, ReplicaSet, ReplicationController, StatefulSet and DaemonSet, as
//! `pkg/apis/apps/validation` and `pkg/apis/core/validation` of 1.36 check them.
//!
//! It owns what the five have in common: selector, pod template, amounts. It does not know pods
//! themselves (`pod`).

pub mod daemon_set;
pub mod deployment;
pub mod replica_set;
pub mod replication_controller;
pub mod stateful_set;
pub mod status;

use k8s_openapi::{
    api::core::v1::PodTemplateSpec,
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    pod::validate_pod_template_spec,
    scalar::{Printed, json, text},
    selector,
};

/// What to say of an object in messages that name its kind.
#[derive(Clone, Copy)]
struct Kind {
    /// As in `activeDeadlineSeconds in ReplicaSet is not Supported`.
    in_deadline: &'static str,
    /// As in `empty selector is invalid for deployment`.
    in_selector: &'static str,
    /// Said of a selector that cannot be used.
    unsound_selector: &'static str,
}

/// Whether the selector can be used to look at the template.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SelectorIs {
    Usable,
    Unsound,
}

/// The selector of a Deployment, ReplicaSet or StatefulSet must be there, sound and not empty.
fn check_selector(
    selector: &LabelSelector,
    kind: Kind,
    path: &Path<'_>,
    errors: &mut Errors,
) -> SelectorIs {
    if selector::is_empty(selector) {
        if selector.match_labels.is_some() || selector.match_expressions.is_some() {
            refuse_empty(kind, path, errors);
        } else {
            errors.required(path, "");
        }
        return SelectorIs::Usable;
    }
    validate_label_selector(selector, path, SelectorValues::LabelValues, errors);
    if selector::is_sound(selector) {
        return SelectorIs::Usable;
    }
    errors.invalid_as(path, json(selector), kind.unsound_selector);
    SelectorIs::Unsound
}

fn refuse_empty(kind: Kind, path: &Path<'_>, errors: &mut Errors) {
    let detail = format!("empty selector is invalid for {}", kind.in_selector);
    errors.invalid_as(path, "{}", detail);
}

/// The template's labels must be matched by the selector. A selector that was not given matches
/// nothing; one given empty matches all.
fn check_match(
    selector: &LabelSelector,
    template: &PodTemplateSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let absent = selector.match_labels.is_none() && selector.match_expressions.is_none();
    if absent || !selector::matches(selector, labels) {
        let value = labels.map_or_else(|| "null".to_owned(), json);
        let path = path.child("metadata");
        errors.invalid_as(
            &path.child("labels"),
            value,
            "`selector` does not match template `labels`",
        );
    }
}

/// Pods of a workload that keeps them running restart always and have no deadline.
fn check_endless(template: &PodTemplateSpec, kind: Kind, path: &Path<'_>, errors: &mut Errors) {
    let spec = template.spec.as_ref();
    let path = path.child("spec");
    let policy = text(spec.and_then(|spec| spec.restart_policy.as_ref()));
    if policy != "Always" {
        errors.not_supported(&path.child("restartPolicy"), policy, &["Always"]);
    }
    if spec.is_some_and(|spec| spec.active_deadline_seconds.is_some()) {
        let detail = format!("activeDeadlineSeconds in {} is not Supported", kind.in_deadline);
        errors.forbidden(&path.child("activeDeadlineSeconds"), detail);
    }
}

/// The template of a ReplicaSet, and of what makes ReplicaSets.
fn check_replicated_template(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    check_match(selector, template, path, errors);
    validate_pod_template_spec(template, path, errors);
    check_endless(template, replica_set::KIND, path, errors);
}

/// A strategy as the API server prints it: its internal type.
fn printed_strategy(kind: &str, rolling_update: Option<Vec<(&str, String)>>) -> Printed {
    let inner = match rolling_update {
        None => "null".to_owned(),
        Some(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        }
    };
    Printed(format!("{{\"Type\":{kind:?},\"RollingUpdate\":{inner}}}"))
}

/// An amount inside a printed strategy; Go's zero where there is none.
fn printed_amount(value: Option<&IntOrString>) -> String {
    value.map_or_else(|| "0".to_owned(), json)
}
