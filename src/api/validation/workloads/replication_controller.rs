//! ReplicationControllers, whose selector is a plain map.

use k8s_openapi::api::core::v1::{ReplicationController, ReplicationControllerSpec};

use super::{Kind, check_endless};
use crate::api::validation::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    pod::validate_pod_template_spec,
    scalar::{json, not_negative, not_negative_if_set},
    selector::includes,
};

const KIND: Kind = Kind {
    in_deadline: "ReplicationController",
    in_selector: "replicationcontroller",
    unsound_selector: "",
};

/// Checks a new ReplicationController whose defaults are set.
pub fn validate(controller: &ReplicationController, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&controller.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(controller.spec.as_ref(), errors);
}

/// Checks that a ReplicationController may become `new`.
pub fn validate_update(
    new: &ReplicationController,
    old: &ReplicationController,
    errors: &mut Errors,
) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(new.spec.as_ref(), errors);
}

fn validate_spec(spec: Option<&ReplicationControllerSpec>, errors: &mut Errors) {
    let nothing = ReplicationControllerSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let path = Path::ROOT.child("spec");
    not_negative_if_set(&path.child("minReadySeconds"), spec.min_ready_seconds, errors);
    if spec.selector.as_ref().is_none_or(|selector| selector.is_empty()) {
        errors.required(&path.child("selector"), "");
    }
    match spec.replicas {
        None => errors.required(&path.child("replicas"), ""),
        Some(replicas) => not_negative(&path.child("replicas"), replicas, errors),
    }
    let path = path.child("template");
    let Some(template) = &spec.template else {
        return errors.required(&path, "");
    };
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let none = std::collections::BTreeMap::new();
    if !includes(spec.selector.as_ref(), labels.unwrap_or(&none)) {
        let value = labels.map_or_else(|| "null".to_owned(), json);
        let path = path.child("metadata");
        let detail = "`selector` does not match template `labels`";
        errors.invalid_as(&path.child("labels"), value, detail);
    }
    validate_pod_template_spec(template, &path, errors);
    check_endless(template, KIND, &path, errors);
}
