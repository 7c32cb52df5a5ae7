//! ReplicaSets.

use k8s_openapi::api::{
    apps::v1::{ReplicaSet, ReplicaSetSpec},
    core::v1::PodTemplateSpec,
};

use super::{Kind, SelectorIs, check_replicated_template, check_selector};
use crate::api::validation::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{immutable, not_negative_if_set},
};

// The API server says "deployment" of a ReplicaSet's selector too.
pub(super) const KIND: Kind = Kind {
    in_deadline: "ReplicaSet",
    in_selector: "deployment",
    unsound_selector: "invalid label selector",
};

/// Checks a new ReplicaSet whose defaults are set.
pub fn validate(set: &ReplicaSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&set.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(set.spec.as_ref(), errors);
}

/// Checks that a ReplicaSet may become `new`.
pub fn validate_update(new: &ReplicaSet, old: &ReplicaSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(new.spec.as_ref(), errors);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        let spec = Path::ROOT.child("spec");
        immutable(&spec.child("selector"), &new.selector, &old.selector, errors);
    }
}

fn validate_spec(spec: Option<&ReplicaSetSpec>, errors: &mut Errors) {
    let nothing = ReplicaSetSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let path = Path::ROOT.child("spec");
    not_negative_if_set(&path.child("replicas"), spec.replicas, errors);
    not_negative_if_set(&path.child("minReadySeconds"), spec.min_ready_seconds, errors);
    let selector = check_selector(&spec.selector, KIND, &path.child("selector"), errors);
    if selector == SelectorIs::Usable {
        let nothing = PodTemplateSpec::default();
        let template = spec.template.as_ref().unwrap_or(&nothing);
        check_replicated_template(template, &spec.selector, &path.child("template"), errors);
    }
}
