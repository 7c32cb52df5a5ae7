//! Labels and label selectors of objects, as the API server checks them.
//!
//! Follows `k8s.io/apimachinery/pkg/apis/meta/v1/validation` of 1.36. Selector *strings* (`a=b,c in
//! (d)`) belong to `api/selector_text`; this module knows the structured form only.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::field::{Errors, Path};
use super::names::{is_qualified_name, is_valid_label_value};

/// Whether a label selector's values must be label values too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorValues {
    /// Any text: the rule of workloads' selectors.
    Free,
    /// Label values: the rule of the affinity terms and spread constraints inside a pod.
    LabelValues,
}

/// A label key: `key: Invalid value: "x": name part must ...`.
pub fn validate_label_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    for message in is_qualified_name(name) {
        errors.invalid(path, name, message);
    }
}

/// A map of labels; errors stand at the map's own path, as the API server's do.
pub fn validate_labels(labels: &BTreeMap<String, String>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels {
        validate_label_name(key, path, errors);
        for message in is_valid_label_value(value) {
            errors.invalid(path, value, message);
        }
    }
}

/// A structured label selector.
pub fn validate_label_selector(
    selector: &LabelSelector,
    path: &Path<'_>,
    values: SelectorValues,
    errors: &mut Errors,
) {
    if let Some(labels) = &selector.match_labels {
        validate_labels(labels, &path.child("matchLabels"), errors);
    }
    let expressions = path.child("matchExpressions");
    for (at, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        validate_requirement(requirement, &expressions.index(at), values, errors);
    }
}

fn validate_requirement(
    requirement: &LabelSelectorRequirement,
    path: &Path<'_>,
    values: SelectorValues,
    errors: &mut Errors,
) {
    let LabelSelectorRequirement { key, operator, values: given } = requirement;
    let given = given.as_deref().unwrap_or(&[]);
    let values_path = path.child("values");
    match operator.as_str() {
        "In" | "NotIn" if given.is_empty() => {
            errors.required(&values_path, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !given.is_empty() => {
            let words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(&values_path, words);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    validate_label_name(key, &path.child("key"), errors);
    if values == SelectorValues::LabelValues {
        for (at, value) in given.iter().enumerate() {
            for message in is_valid_label_value(value) {
                errors.invalid(&values_path.index(at), value, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_and_their_values_belong_together() {
        let requirement = |operator: &str, values: &[&str]| LabelSelectorRequirement {
            key: "app".to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(ToString::to_string).collect()),
        };
        let selector = LabelSelector {
            match_labels: None,
            match_expressions: Some(vec![
                requirement("In", &[]),
                requirement("Exists", &["a"]),
                requirement("Like", &["a"]),
                requirement("In", &["a b"]),
            ]),
        };
        let lines = |values| {
            let mut errors = Errors::new();
            validate_label_selector(&selector, &Path::ROOT.child("s"), values, &mut errors);
            errors.list().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let free = lines(SelectorValues::Free);
        assert_eq!(free.len(), 3);
        assert_eq!(
            free[2],
            "s.matchExpressions[2].operator: Invalid value: \"Like\": not a valid selector operator"
        );
        assert_eq!(lines(SelectorValues::LabelValues).len(), 4);
    }
}
