//! Environment variables and the references they are drawn from.
//!
//! Follows `ValidateEnv` and `ValidateEnvFrom` of `pkg/apis/core/validation` 1.36.

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, EnvFromSource, EnvVar, EnvVarSource, FileKeySelector,
    ObjectFieldSelector, ResourceFieldSelector,
};

use super::absent::text;
use super::field::{Errors, Path};
use super::gates::{Gate, State};
use super::names::{
    NameUse, is_config_map_key, is_dns1123_label, is_dns1123_subdomain, is_env_var_name,
    is_qualified_name, subdomain_name,
};
use super::paths::{validate_local_non_reserved, validate_no_backsteps};
use super::resource_names::amount;
use super::volumes::{require, validate_mode};

const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const FILE_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Where a resource reference stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Env,
    File,
}

/// A container's variables.
pub(super) fn validate_env(env: &[EnvVar], path: &Path<'_>, errors: &mut Errors) {
    for (at, variable) in env.iter().enumerate() {
        let path = path.index(at);
        let name_path = path.child("name");
        if variable.name.is_empty() {
            errors.required(&name_path, "");
        } else {
            for message in is_env_var_name(&variable.name) {
                errors.invalid(&name_path, &variable.name, message);
            }
        }
        if let Some(source) = &variable.value_from {
            let value = text(&variable.value);
            validate_source(source, value, &path.child("valueFrom"), errors);
        }
    }
}

fn validate_source(source: &EnvVarSource, value: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    if let Some(field) = &source.field_ref {
        count += 1;
        validate_field(field, &ENV_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = &source.resource_field_ref {
        count += 1;
        validate_resource(resource, Place::Env, &path.child("resourceFieldRef"), errors);
    }
    if let Some(key) = &source.config_map_key_ref {
        count += 1;
        validate_key(&key.name, &key.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(key) = &source.secret_key_ref {
        count += 1;
        validate_key(&key.name, &key.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(key) = &source.file_key_ref {
        count += 1;
        validate_file_key(key, &path.child("fileKeyRef"), errors);
    }
    if count == 0 {
        errors.only(Gate::EnvFiles, State::On, |errors| {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
                          `secretKeyRef` or `fileKeyRef`";
            errors.invalid(path, "", detail);
        });
        errors.only(Gate::EnvFiles, State::Off, |errors| {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
                          `secretKeyRef`";
            errors.invalid(path, "", detail);
        });
        return;
    }
    let detail = match count {
        _ if !value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.invalid(path, "", detail);
}

fn validate_key(name: &str, key: &str, path: &Path<'_>, errors: &mut Errors) {
    for message in is_dns1123_subdomain(name) {
        errors.invalid(&path.child("name"), name, message);
    }
    let path = path.child("key");
    if key.is_empty() {
        errors.required(&path, "");
        return;
    }
    for message in is_config_map_key(key) {
        errors.invalid(&path, key, message);
    }
}

fn validate_file_key(file: &FileKeySelector, path: &Path<'_>, errors: &mut Errors) {
    let checked = [
        ("key", &file.key, is_env_var_name as fn(&str) -> Vec<String>),
        ("volumeName", &file.volume_name, is_dns1123_label),
    ];
    for (field, value, rule) in checked {
        let path = path.child(field);
        require(value, &path, errors);
        for message in rule(value).into_iter().filter(|_| !value.is_empty()) {
            errors.invalid(&path, value, message);
        }
    }
    require(&file.path, &path.child("path"), errors);
    validate_no_backsteps(&file.path, &path.child("path"), errors);
}

/// Splits `metadata.labels['key']` into the field and the key.
fn subscripted(field: &str) -> Option<(&str, &str)> {
    field.strip_suffix("']")?.split_once("['")
}

fn validate_field(
    field: &ObjectFieldSelector,
    known: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let version = text(&field.api_version);
    if version.is_empty() {
        errors.required(&path.child("apiVersion"), "");
        return;
    }
    let field_path = path.child("fieldPath");
    let name = field.field_path.as_str();
    if name.is_empty() {
        errors.required(&field_path, "");
        return;
    }
    if version != "v1" {
        let detail = format!("error converting fieldPath: unsupported pod version: {version}");
        errors.invalid(&field_path, name, detail);
        return;
    }
    let (base, subscript) = match subscripted(name) {
        Some((base, key)) => (base, Some(key)),
        None => (name, None),
    };
    let convertible = match subscript {
        Some(_) => matches!(base, "metadata.annotations" | "metadata.labels"),
        None => {
            ENV_FIELDS.contains(&base)
                || FILE_FIELDS.contains(&base)
                || matches!(
                    base,
                    "spec.restartPolicy" | "spec.schedulerName" | "status.phase" | "spec.host"
                )
        }
    };
    if !convertible {
        let fault = match subscript {
            Some(_) => format!("field label does not support subscript: {name}"),
            None => format!("field label not supported: {name}"),
        };
        errors.invalid(&field_path, name, format!("error converting fieldPath: {fault}"));
        return;
    }
    match (base, subscript) {
        ("metadata.annotations", Some(key)) => {
            let key = key.to_lowercase();
            for message in is_qualified_name(&key) {
                errors.invalid(path, &key, message);
            }
        }
        (_, Some(key)) => {
            for message in is_qualified_name(key) {
                errors.invalid(path, key, message);
            }
        }
        ("spec.host", None) if known.contains(&"spec.nodeName") => {}
        (_, None) if !known.contains(&base) => errors.not_supported(&field_path, base, known),
        (_, None) => {}
    }
}

fn validate_resource(
    resource: &ResourceFieldSelector,
    place: Place,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let name = resource.resource.as_str();
    let pages = name.starts_with("requests.hugepages-") || name.starts_with("limits.hugepages-");
    if place == Place::File && text(&resource.container_name).is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if name.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCE_FIELDS.contains(&name) && !pages {
        errors.not_supported(&path.child("resource"), name, &RESOURCE_FIELDS);
    }
    let Some(written) = &resource.divisor else { return };
    let path = path.child("divisor");
    let Some(divisor) = amount(written, &path, errors).filter(|d| !d.is_zero()) else {
        return;
    };
    let divisor = divisor.to_string();
    let sizes = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let (noun, fine) = match name.split_once('.').map_or("", |(_, rest)| rest) {
        "cpu" => {
            if divisor != "1m" && divisor != "1" {
                let detail = "only divisor's values 1m and 1 are supported with the cpu resource";
                errors.invalid(&path, name, detail);
            }
            return;
        }
        "memory" => ("memory", sizes.contains(&divisor.as_str())),
        "ephemeral-storage" => ("local ephemeral storage", sizes.contains(&divisor.as_str())),
        _ if pages => ("hugepages", sizes.contains(&divisor.as_str())),
        _ => return,
    };
    if !fine {
        let list = sizes.join(", ");
        let detail = format!("only divisor's values {list} are supported with the {noun} resource");
        errors.invalid(&path, name, detail);
    }
}

/// Variables taken from whole ConfigMaps and Secrets.
pub(super) fn validate_env_from(sources: &[EnvFromSource], path: &Path<'_>, errors: &mut Errors) {
    for (at, source) in sources.iter().enumerate() {
        let item = path.index(at);
        let prefix = text(&source.prefix);
        if !prefix.is_empty() {
            for message in is_env_var_name(prefix) {
                errors.invalid(&item.child("prefix"), prefix, message);
            }
        }
        let map = source.config_map_ref.as_ref().map(|map| ("configMapRef", &map.name));
        let secret = source.secret_ref.as_ref().map(|secret| ("secretRef", &secret.name));
        for (field, name) in map.into_iter().chain(secret) {
            let path = item.child(field);
            require(name, &path.child("name"), errors);
            let messages = subdomain_name(name, NameUse::Prefix).into_iter();
            for message in messages.filter(|_| !name.is_empty()) {
                errors.invalid(&path.child("name"), name, message);
            }
        }
        match (map, secret) {
            (None, None) => {
                errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
            }
            (Some(_), Some(_)) => {
                errors.invalid(path, "", "may not have more than one field specified at a time");
            }
            _ => {}
        }
    }
}

/// A file of a downward API volume.
pub(super) fn validate_downward_file(
    file: &DownwardAPIVolumeFile,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    require(&file.path, &path.child("path"), errors);
    validate_local_non_reserved(&file.path, &path.child("path"), errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            validate_field(field, &FILE_FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(path, "resource", detail);
            }
        }
        (None, Some(resource)) => {
            validate_resource(resource, Place::File, &path.child("resourceFieldRef"), errors);
        }
        (None, None) => {
            errors.required(path, "one of fieldRef and resourceFieldRef is required");
        }
    }
    validate_mode(file.mode, &path.child("mode"), errors);
}
