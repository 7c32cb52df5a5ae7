//! Where a pod may and would rather run: affinity, tolerations, topology spread.
//!
//! Follows `pkg/apis/core/validation` 1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PodAffinityTerm, Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::absent::{items, text};
use super::field::{Errors, Path};
use super::gates::{Gate, State};
use super::labels::{SelectorValues, validate_label_name, validate_label_selector};
use super::names::{is_dns1123_label, is_dns1123_subdomain, is_valid_label_value};
use crate::api::rules::taints::number;

/// Node affinity, pod affinity and pod anti-affinity.
pub(super) fn validate_affinity(affinity: &Affinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(node) = &affinity.node_affinity {
        validate_node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pod) = &affinity.pod_affinity {
        validate_pod_terms(
            items(&pod.required_during_scheduling_ignored_during_execution),
            items(&pod.preferred_during_scheduling_ignored_during_execution),
            &path.child("podAffinity"),
            errors,
        );
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        validate_pod_terms(
            items(&pod.required_during_scheduling_ignored_during_execution),
            items(&pod.preferred_during_scheduling_ignored_during_execution),
            &path.child("podAntiAffinity"),
            errors,
        );
    }
}

fn validate_weight(weight: i32, path: &Path<'_>, errors: &mut Errors) {
    if !(1..=100).contains(&weight) {
        errors.invalid(&path.child("weight"), &weight, "must be in the range 1-100");
    }
}

/// Affinity to nodes.
pub fn validate_node_affinity(affinity: &NodeAffinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = path.child("requiredDuringSchedulingIgnoredDuringExecution");
        validate_node_selector(required, &path, errors);
    }
    let preferred = items(&affinity.preferred_during_scheduling_ignored_during_execution);
    let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (at, term) in preferred.iter().enumerate() {
        let path = path.index(at);
        validate_weight(term.weight, &path, errors);
        let values = SelectorValues::Free;
        validate_node_term(&term.preference, values, &path.child("preference"), errors);
    }
}

/// A selector of nodes: at least one term, each well-formed.
pub fn validate_node_selector(selector: &NodeSelector, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (at, term) in selector.node_selector_terms.iter().enumerate() {
        validate_node_term(term, SelectorValues::LabelValues, &path.index(at), errors);
    }
}

fn validate_node_term(
    term: &NodeSelectorTerm,
    values: SelectorValues,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let expressions = path.child("matchExpressions");
    for (at, requirement) in items(&term.match_expressions).iter().enumerate() {
        validate_node_requirement(requirement, values, &expressions.index(at), errors);
    }
    let fields = path.child("matchFields");
    for (at, requirement) in items(&term.match_fields).iter().enumerate() {
        validate_node_field(requirement, &fields.index(at), errors);
    }
}

fn validate_node_requirement(
    requirement: &NodeSelectorRequirement,
    values: SelectorValues,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let given = items(&requirement.values);
    let values_path = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if given.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.required(&values_path, detail);
        }
        "Exists" | "DoesNotExist" if !given.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(&values_path, detail);
        }
        "Gt" | "Lt" if given.len() != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.required(&values_path, detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    validate_label_name(&requirement.key, &path.child("key"), errors);
    if values == SelectorValues::LabelValues {
        for (at, value) in given.iter().enumerate() {
            for message in is_valid_label_value(value) {
                errors.invalid(&values_path.index(at), value, message);
            }
        }
    }
}

fn validate_node_field(
    requirement: &NodeSelectorRequirement,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let given = items(&requirement.values);
    let values_path = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if given.len() != 1 => {
            let detail =
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(&values_path, detail);
        }
        "In" | "NotIn" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    if requirement.key != "metadata.name" {
        errors.invalid(&path.child("key"), &requirement.key, "not a valid field selector key");
        return;
    }
    for (at, value) in given.iter().enumerate() {
        for message in is_dns1123_subdomain(value) {
            errors.invalid(&values_path.index(at), value, message);
        }
    }
}

fn validate_pod_terms(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    for (at, term) in required.iter().enumerate() {
        validate_pod_term(term, &list.index(at), errors);
    }
    let list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (at, term) in preferred.iter().enumerate() {
        let path = list.index(at);
        validate_weight(term.weight, &path, errors);
        validate_pod_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

fn validate_pod_term(term: &PodAffinityTerm, path: &Path<'_>, errors: &mut Errors) {
    for (field, selector) in
        [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)]
    {
        if let Some(selector) = selector {
            let values = SelectorValues::LabelValues;
            validate_label_selector(selector, &path.child(field), values, errors);
        }
    }
    for name in items(&term.namespaces) {
        for message in is_dns1123_label(name) {
            errors.invalid(&path.child("namespace"), name, message);
        }
    }
    validate_match_label_keys(
        items(&term.match_label_keys),
        items(&term.mismatch_label_keys),
        term.label_selector.as_ref(),
        path,
        errors,
    );
    let path = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&path, "can not be empty");
    }
    validate_label_name(&term.topology_key, &path, errors);
}

/// Label keys whose values are taken from the pod itself. The selector is the merged one, with the
/// requirements made from those keys at its end.
fn validate_match_label_keys(
    matching: &[String],
    mismatching: &[String],
    selector: Option<&LabelSelector>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (field, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)] {
        let path = path.child(field);
        if !keys.is_empty() && selector.is_none() {
            errors.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (at, key) in keys.iter().enumerate() {
            validate_label_name(key, &path.index(at), errors);
        }
    }
    if let Some(selector) = selector {
        let labels = selector.match_labels.iter().flatten();
        let mut seen: BTreeSet<&str> = labels.map(|(key, _)| key.as_str()).collect();
        for requirement in items(&selector.match_expressions) {
            let key = requirement.key.as_str();
            let at = matching.iter().rposition(|known| known == key);
            if let Some(at) = at.filter(|_| seen.contains(key)) {
                let detail = "exists in both matchLabelKeys and labelSelector";
                errors.invalid(&path.index(at), key, detail);
            }
            seen.insert(key);
        }
    }
    let list = path.child("matchLabelKeys");
    for (at, key) in matching.iter().enumerate().filter(|(_, key)| mismatching.contains(key)) {
        let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
        errors.invalid(&list.index(at), key, detail);
    }
}

/// The rule for keys that are not merged into the selector: it may not name them at all.
fn validate_unmerged_keys(
    keys: &[String],
    selector: Option<&LabelSelector>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(selector) = selector else {
        if !keys.is_empty() {
            errors.forbidden(path, "must not be specified when labelSelector is not set");
        }
        return;
    };
    let of_labels = selector.match_labels.iter().flatten().map(|(key, _)| key);
    let of_terms = items(&selector.match_expressions).iter().map(|term| &term.key);
    let taken: BTreeSet<&String> = of_labels.chain(of_terms).collect();
    for (at, key) in keys.iter().enumerate() {
        validate_label_name(key, &path.index(at), errors);
        if taken.contains(key) {
            let detail = "exists in both matchLabelKeys and labelSelector";
            errors.invalid(&path.index(at), key, detail);
        }
    }
}

fn validate_taint_effect(effect: &str, path: &Path<'_>, errors: &mut Errors) {
    let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !known.contains(&effect) {
        errors.not_supported(path, effect, &known);
    }
}

/// Which taints a pod tolerates.
pub fn validate_tolerations(tolerations: &[Toleration], path: &Path<'_>, errors: &mut Errors) {
    for (at, toleration) in tolerations.iter().enumerate() {
        let path = path.index(at);
        let (key, value) = (text(&toleration.key), text(&toleration.value));
        let (operator, effect) = (text(&toleration.operator), text(&toleration.effect));
        let operator_path = path.child("operator");
        if key.is_empty() {
            if operator != "Exists" {
                let detail = "operator must be Exists when `key` is empty, which means \"match \
                              all values and all keys\"";
                errors.invalid(&operator_path, operator, detail);
            }
        } else {
            validate_label_name(key, &path.child("key"), errors);
        }
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&path.child("effect"), effect, detail);
        }
        match operator {
            "Equal" | "" => {
                let messages = is_valid_label_value(value);
                if !messages.is_empty() {
                    errors.invalid(&operator_path, value, messages.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    errors.invalid(&operator_path, value, detail);
                }
            }
            "Lt" | "Gt" => {
                let gate = Gate::TaintTolerationComparisonOperators;
                errors.only(gate, State::Off, |errors| {
                    let known = ["Equal", "Exists", "Lt", "Gt"];
                    errors.not_supported(&operator_path, operator, &known);
                });
                errors.only(gate, State::On, |errors| {
                    if number(value).is_none_or(|read| read.to_string() != value) {
                        let detail = "must be a valid decimal integer in canonical form";
                        errors.invalid(&path.child("value"), value, detail);
                    }
                });
            }
            other => errors.not_supported(&operator_path, other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            validate_taint_effect(effect, &path.child("effect"), errors);
        }
    }
}

fn validate_positive(number: i32, path: &Path<'_>, errors: &mut Errors) {
    if number <= 0 {
        errors.invalid(path, &number, "must be greater than zero");
    }
}

/// How evenly pods are spread.
pub(super) fn validate_spread_constraints(
    constraints: &[TopologySpreadConstraint],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (at, constraint) in constraints.iter().enumerate() {
        let path = path.index(at);
        validate_positive(constraint.max_skew, &path.child("maxSkew"), errors);
        if constraint.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        let action = constraint.when_unsatisfiable.as_str();
        if !matches!(action, "DoNotSchedule" | "ScheduleAnyway") {
            let known = ["DoNotSchedule", "ScheduleAnyway"];
            errors.not_supported(&path.child("whenUnsatisfiable"), action, &known);
        }
        let kind = (&constraint.topology_key, action);
        let mut rest = constraints.iter().skip(at + 1);
        if rest.any(|other| (&other.topology_key, other.when_unsatisfiable.as_str()) == kind) {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            errors.duplicate(&path, &format!("{{{}, {action}}}", constraint.topology_key));
        }
        if let Some(domains) = constraint.min_domains {
            let path = path.child("minDomains");
            validate_positive(domains, &path, errors);
            if action != "DoNotSchedule" {
                let detail = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                errors.invalid(&path, &domains, detail);
            }
        }
        for (field, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            let known = ["Honor", "Ignore"];
            if let Some(policy) = policy.as_deref().filter(|policy| !known.contains(policy)) {
                errors.not_supported(&path.child(field), policy, &known);
            }
        }
        let selector = constraint.label_selector.as_ref();
        let keys = items(&constraint.match_label_keys);
        let gate = Gate::MatchLabelKeysInPodTopologySpreadSelectorMerge;
        errors.only(gate, State::On, |errors| {
            validate_match_label_keys(keys, &[], selector, &path, errors);
        });
        errors.only(gate, State::Off, |errors| {
            validate_unmerged_keys(keys, selector, &path.child("matchLabelKeys"), errors);
        });
        if let Some(selector) = selector {
            let path = path.child("labelSelector");
            validate_label_selector(selector, &path, SelectorValues::LabelValues, errors);
        }
    }
}
