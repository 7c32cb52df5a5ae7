//! DaemonSets.

use k8s_openapi::{
    api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Kind, check_endless, check_match, printed_amount, printed_strategy, refuse_empty};
use crate::api::validation::{
    amounts::{amount_or_zero, check_amount, check_at_most_all},
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    pod::validate_pod_template_spec,
    scalar::{immutable, json, not_negative_if_set, text},
    selector,
};

const KIND: Kind =
    Kind { in_deadline: "DaemonSet", in_selector: "daemonset", unsound_selector: "" };

/// Checks a new DaemonSet whose defaults are set.
pub fn validate(set: &DaemonSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&set.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(set.spec.as_ref(), errors);
}

/// Checks that a DaemonSet may become `new`.
pub fn validate_update(new: &DaemonSet, old: &DaemonSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        let spec = Path::ROOT.child("spec");
        immutable(&spec.child("selector"), &new.selector, &old.selector, errors);
    }
    validate_spec(new.spec.as_ref(), errors);
}

fn validate_spec(spec: Option<&DaemonSetSpec>, errors: &mut Errors) {
    let nothing = DaemonSetSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let path = Path::ROOT.child("spec");
    let template_path = path.child("template");
    let selector_path = path.child("selector");
    let selector = &spec.selector;
    validate_label_selector(selector, &selector_path, SelectorValues::LabelValues, errors);
    if selector::is_sound(selector) {
        check_match(selector, &spec.template, &template_path, errors);
    }
    let given = selector.match_labels.is_some() || selector.match_expressions.is_some();
    if given && selector::is_empty(selector) {
        refuse_empty(KIND, &selector_path, errors);
    }
    validate_pod_template_spec(&spec.template, &template_path, errors);
    check_endless(&spec.template, KIND, &template_path, errors);
    not_negative_if_set(&path.child("minReadySeconds"), spec.min_ready_seconds, errors);
    validate_strategy(spec.update_strategy.as_ref(), &path.child("updateStrategy"), errors);
    not_negative_if_set(&path.child("revisionHistoryLimit"), spec.revision_history_limit, errors);
}

fn validate_strategy(
    strategy: Option<&DaemonSetUpdateStrategy>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let rolling_update = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    match (text(strategy.and_then(|strategy| strategy.type_.as_ref())), rolling_update) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.required(&path.child("rollingUpdate"), ""),
        ("RollingUpdate", Some(update)) => {
            validate_rolling_update(update, &path.child("rollingUpdate"), errors);
        }
        (other, update) => {
            let fields = update.map(|update| {
                vec![
                    ("MaxUnavailable", printed_amount(update.max_unavailable.as_ref())),
                    ("MaxSurge", printed_amount(update.max_surge.as_ref())),
                ]
            });
            let value = printed_strategy(other, fields);
            errors.not_supported(path, &value, &["RollingUpdate", "OnDelete"]);
        }
    }
}

/// Checks the amounts of a rolling update: exactly one of the two must be above 0.
pub fn validate_rolling_update(
    update: &RollingUpdateDaemonSet,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let none = IntOrString::Int(0);
    let unavailable = update.max_unavailable.as_ref().unwrap_or(&none);
    let surge = update.max_surge.as_ref().unwrap_or(&none);
    let unavailable_path = path.child("maxUnavailable");
    let surge_path = path.child("maxSurge");
    check_amount(unavailable, &unavailable_path, errors);
    check_amount(surge, &surge_path, errors);
    check_at_most_all(unavailable, &unavailable_path, errors);
    check_at_most_all(surge, &surge_path, errors);
    match (amount_or_zero(unavailable) != 0, amount_or_zero(surge) != 0) {
        (true, true) => {
            let detail = "may not be set when maxUnavailable is non-zero";
            errors.invalid_as(&surge_path, json(surge), detail);
        }
        (false, false) => errors.required(&unavailable_path, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}
