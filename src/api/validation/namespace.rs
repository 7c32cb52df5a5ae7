//! Namespaces.

use k8s_openapi::api::core::v1::Namespace;

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{items, obeys},
};

/// Finalizers a Namespace may have without a domain before them.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Checks a new Namespace.
pub fn validate(namespace: &Namespace, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::label_name;
    validate_object_meta(&namespace.metadata, Scope::Cluster, rule, &metadata, errors);
    let Some(spec) = &namespace.spec else { return };
    let path = Path::ROOT.child("spec");
    let path = path.child("finalizers");
    for finalizer in items(spec.finalizers.as_ref()) {
        obeys(&path, finalizer, names::is_qualified_name, errors);
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer.as_str()) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(&path, finalizer, detail);
        }
    }
}

/// Checks that a Namespace may become `new`.
pub fn validate_update(new: &Namespace, old: &Namespace, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
}
