//! StorageClasses, as `pkg/apis/storage/validation` of 1.36 checks them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::TopologySelectorTerm;
use k8s_openapi::api::storage::v1::StorageClass;

use super::field::{Errors, Path};
use super::labels::validate_label_name;
use super::meta::{Scope, validate_object_meta, validate_object_meta_update};
use super::names;
use super::scalar::{immutable, items, obeys, one_of, text};

/// Most parameters a class may have.
const PARAMETERS_MAX: usize = 512;
/// Most bytes that keys and values of the parameters may have together.
const PARAMETER_BYTES_MAX: usize = 256 << 10;

/// Checks a new StorageClass whose defaults are set.
pub fn validate(class: &StorageClass, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&class.metadata, Scope::Cluster, rule, &metadata, errors);
    let provisioner = Path::ROOT.child("provisioner");
    match class.provisioner.as_str() {
        "" => errors.required(&provisioner, ""),
        written => {
            let lower = written.to_lowercase();
            obeys(&provisioner, &lower, names::is_qualified_name, errors);
        }
    }
    if let Some(parameters) = &class.parameters {
        validate_parameters(parameters, &Path::ROOT.child("parameters"), errors);
    }
    let reclaim = text(class.reclaim_policy.as_ref());
    if !reclaim.is_empty() {
        one_of(&Path::ROOT.child("reclaimPolicy"), reclaim, &["Delete", "Retain"], errors);
    }
    let mode = text(class.volume_binding_mode.as_ref());
    let modes = ["Immediate", "WaitForFirstConsumer"];
    one_of(&Path::ROOT.child("volumeBindingMode"), mode, &modes, errors);
    let topologies = items(class.allowed_topologies.as_ref());
    validate_topologies(topologies, &Path::ROOT.child("allowedTopologies"), errors);
}

fn validate_parameters(
    parameters: &BTreeMap<String, String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if parameters.len() > PARAMETERS_MAX {
        errors.too_long(path, PARAMETERS_MAX);
        return;
    }
    if parameters.contains_key("") {
        errors.invalid(path, "", "field can not be empty.");
    }
    let bytes: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > PARAMETER_BYTES_MAX {
        errors.too_long(path, PARAMETER_BYTES_MAX);
    }
}

/// No two terms are the same, and an empty one is as good as one that is not there.
fn validate_topologies(terms: &[TopologySelectorTerm], path: &Path<'_>, errors: &mut Errors) {
    // The API server begins with as many empty terms as there are terms.
    let mut seen = vec![BTreeMap::new(); terms.len()];
    for (at, term) in terms.iter().enumerate() {
        let path = path.index(at);
        let expressions = path.child("matchLabelExpressions");
        let term = validate_topology(term, &expressions, errors);
        for _ in seen.iter().filter(|earlier| **earlier == term) {
            errors.duplicate(&expressions, "");
        }
        seen.push(term);
    }
}

/// Checks a term; returns the values it allows by their keys.
fn validate_topology<'t>(
    term: &'t TopologySelectorTerm,
    path: &Path<'_>,
    errors: &mut Errors,
) -> BTreeMap<&'t str, BTreeSet<&'t str>> {
    let mut by_key = BTreeMap::new();
    for (at, requirement) in items(term.match_label_expressions.as_ref()).iter().enumerate() {
        let path = path.index(at);
        let values_path = path.child("values");
        if requirement.values.is_empty() {
            errors.required(&values_path, "");
        }
        let mut values = BTreeSet::new();
        for (at, value) in requirement.values.iter().enumerate() {
            if !values.insert(value.as_str()) {
                errors.duplicate(&values_path.index(at), value);
            }
        }
        validate_label_name(&requirement.key, &path.child("key"), errors);
        if by_key.insert(requirement.key.as_str(), values).is_some() {
            errors.duplicate(&path.child("key"), &requirement.key);
        }
    }
    by_key
}

/// Checks that a StorageClass may become `new`, whose defaults are set (`ValidateStorageClassUpdate` of
/// pkg/apis/storage/validation).
pub fn validate_update(new: &StorageClass, old: &StorageClass, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    let none = BTreeMap::new();
    let changed = [
        (
            "parameters",
            new.parameters.as_ref().unwrap_or(&none) != old.parameters.as_ref().unwrap_or(&none),
        ),
        ("provisioner", new.provisioner != old.provisioner),
        ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy),
    ];
    for (field, _) in changed.into_iter().filter(|(_, changed)| *changed) {
        errors.forbidden(&Path::ROOT.child(field), format!("updates to {field} are forbidden."));
    }
    let path = Path::ROOT.child("volumeBindingMode");
    immutable(&path, &new.volume_binding_mode, &old.volume_binding_mode, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lines(class: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&serde_json::from_value(class).expect("a class"), &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    fn class(more: Value) -> Value {
        let mut whole = json!({"metadata": {"name": "s"}, "provisioner": "X.y/z",
            "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate"});
        for (field, value) in more.as_object().into_iter().flatten() {
            whole[field] = value.clone();
        }
        whole
    }

    #[test]
    fn a_class_says_who_makes_volumes_and_when() {
        assert_eq!(lines(class(json!({}))), [""; 0]);
        let bad = json!({"provisioner": "", "reclaimPolicy": "Recycle", "volumeBindingMode": "Later",
            "parameters": {"": "x"}});
        assert_eq!(
            lines(class(bad)),
            [
                "provisioner: Required value",
                "parameters: Invalid value: \"\": field can not be empty.",
                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
                "volumeBindingMode: Unsupported value: \"Later\": supported values: \"Immediate\", \
                 \"WaitForFirstConsumer\"",
            ]
        );
        let name = lines(class(json!({"provisioner": "a/b/c"})));
        assert!(name[0].starts_with("provisioner: Invalid value: \"a/b/c\": a valid label key"));
        let many: BTreeMap<String, String> =
            (0..513).map(|n| (n.to_string(), String::new())).collect();
        let large = BTreeMap::from([("a".to_owned(), "x".repeat(PARAMETER_BYTES_MAX))]);
        for (parameters, bytes) in [(many, 512), (large, PARAMETER_BYTES_MAX)] {
            let line = format!("parameters: Too long: may not be more than {bytes} bytes");
            assert_eq!(lines(class(json!({"parameters": parameters}))), [line]);
        }
    }

    #[test]
    fn no_topology_is_written_twice() {
        let term = |expressions: Value| json!({"matchLabelExpressions": expressions});
        let terms = json!([
            term(json!([{"key": "a", "values": []}, {"key": "a", "values": ["x", "x"]}])),
            term(json!([{"key": "a", "values": ["x"]}])),
            term(json!([])),
        ]);
        let found = lines(class(json!({"allowedTopologies": terms})));
        let empty = "allowedTopologies[2].matchLabelExpressions: Duplicate value: \"\"";
        assert_eq!(
            found,
            [
                "allowedTopologies[0].matchLabelExpressions[0].values: Required value",
                "allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: \"x\"",
                "allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: \"a\"",
                "allowedTopologies[1].matchLabelExpressions: Duplicate value: \"\"",
                empty,
                empty,
                empty,
            ]
        );
    }
}
