//! Label selectors of workloads: whether they are sound, and whether they match a template.
//!
//! The rules follow `metav1.LabelSelectorAsSelector` and `labels.NewRequirement` of 1.36.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::names::{is_qualified_name, is_valid_label_value};

type Labels = BTreeMap<String, String>;

/// Whether a selector asks for nothing (or was not given: the official types cannot tell).
pub(super) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// Whether keys, values and operators are such that the selector can be used at all.
pub(super) fn is_sound(selector: &LabelSelector) -> bool {
    let pair = |key: &str, value: &str| {
        is_qualified_name(key).is_empty() && is_valid_label_value(value).is_empty()
    };
    selector.match_labels.iter().flatten().all(|(key, value)| pair(key, value))
        && selector.match_expressions.iter().flatten().all(|expression| {
            let values = expression.values.as_deref().unwrap_or(&[]);
            let counted = match expression.operator.as_str() {
                "In" | "NotIn" => !values.is_empty(),
                "Exists" | "DoesNotExist" => values.is_empty(),
                _ => false,
            };
            counted
                && is_qualified_name(&expression.key).is_empty()
                && values.iter().all(|value| is_valid_label_value(value).is_empty())
        })
}

/// Whether a sound selector matches; one that asks for nothing matches everything.
pub(super) fn matches(selector: &LabelSelector, labels: Option<&Labels>) -> bool {
    let none = Labels::new();
    let labels = labels.unwrap_or(&none);
    includes(selector.match_labels.as_ref(), labels)
        && selector.match_expressions.iter().flatten().all(|e| expression_matches(e, labels))
}

/// Whether all of `wanted` stand in `labels`.
pub(super) fn includes(wanted: Option<&Labels>, labels: &Labels) -> bool {
    wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

fn expression_matches(expression: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&expression.key);
    let listed = || {
        let values = expression.values.as_deref().unwrap_or(&[]);
        value.is_some_and(|value| values.contains(value))
    };
    match expression.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}
