//! ResourceQuotas.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement},
    apimachinery::pkg::api::resource::Quantity as Written,
};

use crate::api::validation::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names, resource_names,
    scalar::{items, json, text},
};

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
const OPPOSITES: [[&str; 2]; 2] =
    [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

/// Checks a new ResourceQuota.
pub fn validate_quota(quota: &ResourceQuota, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&quota.metadata, Scope::Namespaced, rule, &metadata, errors);
    if let Some(spec) = &quota.spec {
        check_spec(spec, &Path::ROOT.child("spec"), errors);
    }
    if let Some(status) = &quota.status {
        let path = Path::ROOT.child("status");
        check_amounts(status.hard.iter().flatten(), &path.child("hard"), errors);
        check_amounts(status.used.iter().flatten(), &path.child("used"), errors);
    }
}

/// Checks that a ResourceQuota may become `new`.
pub fn validate_quota_update(new: &ResourceQuota, old: &ResourceQuota, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    let path = Path::ROOT.child("spec");
    if let Some(spec) = &new.spec {
        check_spec(spec, &path, errors);
    }
    fn scopes(quota: &ResourceQuota) -> BTreeSet<&String> {
        quota.spec.iter().flat_map(|spec| spec.scopes.iter().flatten()).collect()
    }
    if scopes(new) != scopes(old) {
        let value = json(&new.spec.as_ref().and_then(|spec| spec.scopes.as_ref()));
        errors.invalid_as(&path.child("scopes"), value, "field is immutable");
    }
}

fn check_amounts<'a>(
    amounts: impl Iterator<Item = (&'a String, &'a Written)>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (name, amount) in amounts {
        resource_names::check_quota_name(name, &path.key(name), errors);
        resource_names::check_amount(name, amount, &path.key(name), errors);
    }
}

fn check_spec(spec: &ResourceQuotaSpec, path: &Path<'_>, errors: &mut Errors) {
    check_amounts(spec.hard.iter().flatten(), &path.child("hard"), errors);
    let scopes = items(spec.scopes.as_ref());
    let place = path.child("scopes");
    for scope in scopes {
        if !SCOPES.contains(&scope.as_str()) {
            errors.invalid_as(&place, json(&scopes), "unsupported scope");
        }
        for _ in misfits(spec, scope) {
            errors.invalid_as(&place, json(&scopes), "unsupported scope applied to resource");
        }
    }
    check_opposites(scopes.iter().map(String::as_str).collect(), spec, &place, errors);
    let Some(selector) = &spec.scope_selector else { return };
    let path = path.child("scopeSelector");
    let path = path.child("matchExpressions");
    let requirements = items(selector.match_expressions.as_ref());
    for requirement in requirements {
        check_requirement(requirement, spec, &path, errors);
    }
    let names = requirements.iter().map(|requirement| requirement.scope_name.as_str()).collect();
    check_opposites(names, spec, &path, errors);
}

fn check_opposites(
    scopes: BTreeSet<&str>,
    spec: &ResourceQuotaSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for pair in OPPOSITES {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid_as(path, json(&spec.scopes), "conflicting scopes");
        }
    }
}

/// Resources of a quota to which a scope does not apply.
fn misfits<'a>(spec: &'a ResourceQuotaSpec, scope: &'a str) -> impl Iterator<Item = &'a String> {
    let resources = spec.hard.iter().flat_map(|hard| hard.keys());
    resources.filter(move |resource| {
        let resource = resource.as_str();
        resource_names::is_standard_quota(resource) && !applies(scope, resource)
    })
}

fn applies(scope: &str, resource: &str) -> bool {
    let compute =
        ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => resource == "pods" || compute.contains(&resource),
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => {
            matches!(resource, "persistentvolumeclaims" | "requests.storage")
        }
        _ => true,
    }
}

fn check_requirement(
    requirement: &ScopedResourceSelectorRequirement,
    spec: &ResourceQuotaSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let ScopedResourceSelectorRequirement { operator, scope_name, values } = requirement;
    let values = items(values.as_ref());
    if !SCOPES.contains(&text(Some(scope_name))) {
        errors.invalid(&path.child("scopeName"), scope_name, "unsupported scope");
    }
    for _ in misfits(spec, scope_name) {
        let value = json(&spec.scope_selector);
        errors.invalid_as(path, value, "unsupported scope applied to resource");
    }
    let only_exists = [
        "BestEffort",
        "NotBestEffort",
        "Terminating",
        "NotTerminating",
        "CrossNamespacePodAffinity",
    ];
    if only_exists.contains(&scope_name.as_str()) && operator != "Exists" {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                      ResourceQuotaScopeNotBestEffort or \
                      ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.invalid(&path.child("operator"), operator, detail);
    }
    let place = path.child("values");
    match operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail =
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.required(&place, detail);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail =
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.invalid_as(&place, json(&values), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => {
            errors.invalid(&path.child("operator"), other, "not a valid selector operator");
        }
    }
}
