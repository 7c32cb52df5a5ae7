//! Metadata that all objects have: names, labels, annotations, owners, finalizers.
//!
//! Follows `k8s.io/apimachinery/pkg/api/validation/objectmeta.go` of 1.36. What a name may look like
//! is the kind's affair: the caller passes its [`NameRule`].

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    ManagedFieldsEntry, ObjectMeta, OwnerReference, Time,
};

use super::field::{Errors, Path, Shown};
use super::labels::validate_labels;
use super::names::{NameRule, NameUse, is_qualified_name, label_name};

/// Most bytes of all annotations of an object together, keys included.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Whether a kind lives in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Objects stand in a namespace.
    Namespaced,
    /// Objects belong to the cluster as a whole.
    Cluster,
}

/// Metadata of a new object, its name already generated and its namespace already filled in.
pub fn validate_object_meta(
    meta: &ObjectMeta,
    scope: Scope,
    name_rule: NameRule,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(prefix) = meta.generate_name.as_deref().filter(|text| !text.is_empty()) {
        for message in name_rule(prefix, NameUse::Prefix) {
            errors.invalid(&path.child("generateName"), prefix, message);
        }
    }
    match meta.name.as_deref().unwrap_or("") {
        "" => errors.required(&path.child("name"), "name or generateName is required"),
        name => {
            for message in name_rule(name, NameUse::Whole) {
                errors.invalid(&path.child("name"), name, message);
            }
        }
    }
    validate_namespace(meta.namespace.as_deref().unwrap_or(""), scope, path, errors);
    validate_nonnegative(meta.generation.unwrap_or(0), &path.child("generation"), errors);
    validate_common(meta, path, errors);
}

fn validate_namespace(namespace: &str, scope: Scope, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("namespace");
    match scope {
        Scope::Namespaced if namespace.is_empty() => errors.required(&path, ""),
        Scope::Namespaced => {
            for message in label_name(namespace, NameUse::Whole) {
                errors.invalid(&path, namespace, message);
            }
        }
        Scope::Cluster if !namespace.is_empty() => {
            errors.forbidden(&path, "not allowed on this type");
        }
        Scope::Cluster => {}
    }
}

/// `path: Invalid value: -1: must be greater than or equal to 0` for a negative number.
pub fn validate_nonnegative(number: i64, path: &Path<'_>, errors: &mut Errors) {
    if number < 0 {
        errors.invalid(path, &number, "must be greater than or equal to 0");
    }
}

fn validate_common(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    if let Some(labels) = &meta.labels {
        validate_labels(labels, &path.child("labels"), errors);
    }
    if let Some(annotations) = &meta.annotations {
        validate_annotations(annotations, &path.child("annotations"), errors);
    }
    let owners = meta.owner_references.as_deref().unwrap_or(&[]);
    validate_owner_references(owners, &path.child("ownerReferences"), errors);
    let finalizers = meta.finalizers.as_deref().unwrap_or(&[]);
    validate_finalizers(finalizers, &path.child("finalizers"), errors);
    let managed = meta.managed_fields.as_deref().unwrap_or(&[]);
    validate_managed_fields(managed, &path.child("managedFields"), errors);
}

/// Annotations: keys as label keys of any case, and a limit on their bytes together.
pub fn validate_annotations(
    annotations: &BTreeMap<String, String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for key in annotations.keys() {
        for message in is_qualified_name(&key.to_lowercase()) {
            errors.invalid(path, key, message);
        }
    }
    if annotations.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>() > ANNOTATIONS_BYTES_MAX {
        errors.too_long(path, ANNOTATIONS_BYTES_MAX);
    }
}

fn validate_owner_references(owners: &[OwnerReference], path: &Path<'_>, errors: &mut Errors) {
    let mut controller: Option<String> = None;
    for owner in owners {
        validate_owner_reference(owner, path, errors);
        if owner.controller != Some(true) {
            continue;
        }
        let name = format!("{}/{}", owner.kind, owner.name);
        match &controller {
            None => controller = Some(name),
            Some(first) => {
                let shown: Vec<String> = owners.iter().map(shown_owner).collect();
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {name}"
                );
                errors.invalid_as(path, format!("[{}]", shown.join(", ")), detail);
            }
        }
    }
}

fn validate_owner_reference(owner: &OwnerReference, path: &Path<'_>, errors: &mut Errors) {
    let version = match owner.api_version.split_once('/') {
        Some((_, version)) => version,
        None => &owner.api_version,
    };
    if version.is_empty() || version.contains('/') {
        let detail = "version must not be empty";
        errors.invalid(&path.child("apiVersion"), &owner.api_version, detail);
    }
    for (field, value) in [("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)] {
        if value.is_empty() {
            errors.invalid(&path.child(field), value, "must not be empty");
        }
    }
    if owner.api_version == "v1" && owner.kind == "Event" {
        let detail = "/v1, Kind=Event is disallowed from being an owner";
        errors.invalid_as(path, shown_owner(owner), detail);
    }
}

fn shown_owner(owner: &OwnerReference) -> String {
    let flag = |value: Option<bool>| value.map_or("nil".to_owned(), |set| format!("*{set}"));
    format!(
        "&OwnerReference{{Kind:{},Name:{},UID:{},APIVersion:{},Controller:{},\
         BlockOwnerDeletion:{},}}",
        owner.kind,
        owner.name,
        owner.uid,
        owner.api_version,
        flag(owner.controller),
        flag(owner.block_owner_deletion),
    )
}

fn validate_finalizers(finalizers: &[String], path: &Path<'_>, errors: &mut Errors) {
    for finalizer in finalizers {
        for message in is_qualified_name(finalizer) {
            errors.invalid(path, finalizer, message);
        }
    }
    for (at, finalizer) in finalizers.iter().enumerate() {
        let standard = matches!(finalizer.as_str(), "kubernetes" | "orphan" | "foregroundDeletion");
        if !standard && !finalizer.contains('/') {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(&path.index(at), finalizer, detail);
        }
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer foregroundDeletion and orphan cannot be both set";
        errors.invalid_as(path, shown_strings(finalizers), detail);
    }
}

/// A list of strings as Go prints it: `[]string{"a", "b"}`.
pub fn shown_strings(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(Shown::shown).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}

fn validate_managed_fields(entries: &[ManagedFieldsEntry], path: &Path<'_>, errors: &mut Errors) {
    for (at, entry) in entries.iter().enumerate() {
        let path = path.index(at);
        let operation = entry.operation.as_deref().unwrap_or("");
        if !matches!(operation, "Apply" | "Update") {
            let detail = "must be `Apply` or `Update`";
            errors.invalid(&path.child("operation"), operation, detail);
        }
        let fields_type = entry.fields_type.as_deref().unwrap_or("");
        if !matches!(fields_type, "" | "FieldsV1") {
            errors.invalid(&path.child("fieldsType"), fields_type, "must be `FieldsV1`");
        }
        if entry.manager.as_ref().is_some_and(|manager| manager.len() > 128) {
            errors.too_long(&path.child("manager"), 128);
        }
        if entry.subresource.as_ref().is_some_and(|name| name.len() > 256) {
            errors.too_long(&path.child("subresource"), 256);
        }
    }
}

/// Metadata of an object that replaces `old`: what may not change, and the rules of a new one.
pub fn validate_object_meta_update(
    new: &ObjectMeta,
    old: &ObjectMeta,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if old.deletion_timestamp.is_some() {
        forbid_new_finalizers(new, old, path, errors);
    }
    if new.resource_version.as_deref().unwrap_or("").is_empty() {
        let detail = "must be specified for an update";
        errors.invalid(&path.child("resourceVersion"), "", detail);
    }
    let generation = new.generation.unwrap_or(0);
    if generation < old.generation.unwrap_or(0) {
        errors.invalid(&path.child("generation"), &generation, "must not be decremented");
    }
    let mut immutable = |field: &str, new: Option<String>, old: Option<String>| {
        if new != old {
            let value = new.unwrap_or_else(|| "null".to_owned());
            errors.invalid_as(&path.child(field), value, IMMUTABLE);
        }
    };
    let text = |value: &Option<String>| Some(value.as_deref().unwrap_or("").shown());
    let time = |value: &Option<Time>| value.as_ref().map(|time| time.0.to_string().shown());
    let number = |value: Option<i64>| value.map(|number| number.to_string());
    immutable("name", text(&new.name), text(&old.name));
    immutable("namespace", text(&new.namespace), text(&old.namespace));
    immutable("uid", text(&new.uid), text(&old.uid));
    immutable("creationTimestamp", time(&new.creation_timestamp), time(&old.creation_timestamp));
    immutable("deletionTimestamp", time(&new.deletion_timestamp), time(&old.deletion_timestamp));
    immutable(
        "deletionGracePeriodSeconds",
        number(new.deletion_grace_period_seconds),
        number(old.deletion_grace_period_seconds),
    );
    validate_common(new, path, errors);
}

/// What the API server says of a changed field that may not change.
pub const IMMUTABLE: &str = "field is immutable";

fn forbid_new_finalizers(new: &ObjectMeta, old: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let known = old.finalizers.as_deref().unwrap_or(&[]);
    let mut added: Vec<String> = new.finalizers.clone().unwrap_or_default();
    added.retain(|finalizer| !known.contains(finalizer));
    added.sort();
    added.dedup();
    if !added.is_empty() {
        let words = "no new finalizers can be added if the object is being deleted, found new \
                     finalizers";
        let detail = format!("{words} {}", shown_strings(&added));
        errors.forbidden(&path.child("finalizers"), detail);
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::subdomain_name;
    use super::*;

    fn lines(meta: &ObjectMeta, scope: Scope) -> Vec<String> {
        let mut errors = Errors::new();
        let path = Path::ROOT.child("metadata");
        validate_object_meta(meta, scope, subdomain_name, &path, &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_and_namespaces_are_asked_for() {
        let nothing = ObjectMeta::default();
        assert_eq!(
            lines(&nothing, Scope::Namespaced),
            [
                "metadata.name: Required value: name or generateName is required",
                "metadata.namespace: Required value",
            ]
        );
        let placed = ObjectMeta {
            name: Some("X".to_owned()),
            namespace: Some("d".to_owned()),
            ..ObjectMeta::default()
        };
        let found = lines(&placed, Scope::Cluster);
        assert!(found[0].starts_with(
            "metadata.name: Invalid value: \"X\": a lowercase RFC 1123 subdomain must consist of"
        ));
        assert_eq!(found[1], "metadata.namespace: Forbidden: not allowed on this type");
    }
}
