//! ConfigMaps, Secrets and ServiceAccounts.
//!
//! The values of a Secret are dropped at the door and its keys are kept: an empty value is taken as
//! one that was dropped, and only a value that is there is looked into.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret, ServiceAccount},
};

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{immutable, obeys, text},
};

/// Bytes of all values of a ConfigMap or Secret together.
const BYTES_MAX: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// Checks a new ConfigMap.
pub fn validate_config_map(map: &ConfigMap, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&map.metadata, Scope::Namespaced, rule, &metadata, errors);
    let mut bytes = 0;
    let path = Path::ROOT.child("data");
    for (key, value) in map.data.iter().flatten() {
        obeys(&path.key(key), key, names::is_config_map_key, errors);
        if map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
            errors.invalid(&path.key(key), key, "duplicate of key present in binaryData");
        }
        bytes += value.len();
    }
    let path = Path::ROOT.child("binaryData");
    for (key, value) in map.binary_data.iter().flatten() {
        obeys(&path.key(key), key, names::is_config_map_key, errors);
        bytes += value.0.len();
    }
    if bytes > BYTES_MAX {
        errors.too_long(&Path::ROOT.child(""), BYTES_MAX);
    }
}

/// Checks that a ConfigMap may become `new`.
pub fn validate_config_map_update(new: &ConfigMap, old: &ConfigMap, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.forbidden(&Path::ROOT.child("immutable"), FROZEN);
        }
        if new.data != old.data {
            errors.forbidden(&Path::ROOT.child("data"), FROZEN);
        }
        if new.binary_data != old.binary_data {
            errors.forbidden(&Path::ROOT.child("binaryData"), FROZEN);
        }
    }
    validate_config_map(new, errors);
}

/// Checks a new Secret whose defaults are set (`stringData` already in `data`).
pub fn validate_secret(secret: &Secret, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&secret.metadata, Scope::Namespaced, rule, &metadata, errors);
    let path = Path::ROOT.child("data");
    let mut bytes = 0;
    for (key, value) in secret.data.iter().flatten() {
        obeys(&path.key(key), key, names::is_config_map_key, errors);
        bytes += value.0.len();
    }
    if bytes > BYTES_MAX {
        errors.too_long(&path, BYTES_MAX);
    }
    let none = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&none);
    let has = |key: &str| data.contains_key(key);
    match text(secret.type_.as_ref()) {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let annotations = secret.metadata.annotations.as_ref();
            if annotations.and_then(|all| all.get(key)).is_none_or(String::is_empty) {
                errors.required(&metadata.child("annotations").key(key), "");
            }
        }
        "kubernetes.io/dockercfg" => check_json(data, ".dockercfg", &path, errors),
        "kubernetes.io/dockerconfigjson" => check_json(data, ".dockerconfigjson", &path, errors),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.required(&path.key("username"), "");
            errors.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if !has("ssh-privatekey") => {
            errors.required(&path.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"].into_iter().filter(|key| !has(key)) {
                errors.required(&path.key(key), "");
            }
        }
        _ => {}
    }
}

fn check_json(
    data: &BTreeMap<String, ByteString>,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(value) = data.get(key) else {
        return errors.required(&path.key(key), "");
    };
    if value.0.is_empty() {
        return;
    }
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_slice(&value.0);
    if let Err(error) = parsed {
        errors.invalid(&path.key(key), "<secret contents redacted>", error.to_string());
    }
}

/// Checks that a Secret may become `new`.
pub fn validate_secret_update(new: &Secret, old: &Secret, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    immutable(&Path::ROOT.child("type"), &new.type_, &old.type_, errors);
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.forbidden(&Path::ROOT.child("immutable"), FROZEN);
        }
        if new.data != old.data {
            errors.forbidden(&Path::ROOT.child("data"), FROZEN);
        }
    }
    validate_secret(new, errors);
}

/// Checks a new ServiceAccount.
pub fn validate_service_account(account: &ServiceAccount, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&account.metadata, Scope::Namespaced, rule, &metadata, errors);
}

/// Checks that a ServiceAccount may become `new`.
pub fn validate_service_account_update(
    new: &ServiceAccount,
    old: &ServiceAccount,
    errors: &mut Errors,
) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_service_account(new, errors);
}
