//! Requests, limits and overhead: names of resources, amounts, and how they fit together.
//!
//! Follows `validateResourceRequirements` of `pkg/apis/core/validation` 1.36.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, ResourceClaim, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::absent::{items, text};
use super::field::{Errors, Path, Shown};
use super::names::is_dns1123_label;
use super::resource_names::{check_amount, check_container_name, check_name};
use crate::api::quantity::Quantity;
use crate::api::rules::resources::{
    Amounts, SumRules, amounts, container_limits, container_requests, is_huge_pages,
    is_overcommit_allowed, is_pod_level_resource,
};

type Listed = BTreeMap<String, Written>;

/// Whose resources are checked: it decides which names are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A container (and a pod's overhead).
    Container,
    /// A pod as a whole.
    Pod,
}

fn validate_pod_resource_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    if check_name(name, path, errors) && !is_pod_level_resource(name) {
        errors.not_supported(path, name, &["cpu", "hugepages-", "memory"]);
    }
}

/// The pages of a `hugepages-SIZE` amount must be whole.
fn validate_huge_pages(name: &str, amount: Quantity, path: &Path<'_>, errors: &mut Errors) {
    let size = name.strip_prefix("hugepages-").map(Quantity::parse);
    let whole = match size {
        Some(Ok(size)) if size.signum() > 0 => amount.value() % size.value() == 0,
        _ => false,
    };
    if !whole {
        let shown = amount.to_string();
        let detail = format!("{shown} is not positive integer multiple of {name}");
        errors.invalid(path, &shown, detail);
    }
}

/// Limits and requests, and that requests keep below limits.
pub fn validate_requirements(
    requirements: &ResourceRequirements,
    holder: Holder,
    claims: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let none = Listed::new();
    let limits = requirements.limits.as_ref().unwrap_or(&none);
    let requests = requirements.requests.as_ref().unwrap_or(&none);
    let limits_path = path.child("limits");
    let requests_path = path.child("requests");
    let upper = validate_list(limits, holder, &limits_path, errors, |_, _, _| {});
    validate_list(requests, holder, &requests_path, errors, |name, amount, errors| {
        match upper.get(name) {
            Some(limit) if amount != *limit && !is_overcommit_allowed(name) => {
                let detail = format!("must be equal to {name} limit of {limit}");
                errors.invalid(&requests_path, &amount.to_string(), detail);
            }
            Some(limit) if amount > *limit => {
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                errors.invalid(&requests_path, &amount.to_string(), detail);
            }
            None if !is_overcommit_allowed(name) && !limits.contains_key(name) => {
                let detail = "Limit must be set for non overcommitable resources";
                errors.required(&limits_path, detail);
            }
            Some(_) | None => {}
        }
    });
    let mut names = limits.keys().chain(requests.keys());
    let computes = names.clone().any(|name| matches!(name.as_str(), "cpu" | "memory"));
    if !computes && names.any(|name| is_huge_pages(name)) {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
    validate_claim_names(items(&requirements.claims), claims, &path.child("claims"), errors);
}

/// Each entry of a list by itself, with `more` asked about each amount; returns the amounts read.
fn validate_list(
    list: &Listed,
    holder: Holder,
    path: &Path<'_>,
    errors: &mut Errors,
    more: impl Fn(&str, Quantity, &mut Errors),
) -> Amounts {
    let mut read = Amounts::new();
    for (name, written) in list {
        let path = path.key(name);
        match holder {
            Holder::Container => check_container_name(name, &path, errors),
            Holder::Pod => validate_pod_resource_name(name, &path, errors),
        }
        check_amount(name, written, &path, errors);
        let Ok(amount) = Quantity::of(written) else { continue };
        more(name, amount, errors);
        if is_huge_pages(name) {
            validate_huge_pages(name, amount, &path, errors);
        }
        read.insert(name.clone(), amount);
    }
    read
}

/// A container's claims name claims of the pod, each but once.
fn validate_claim_names(
    claims: &[ResourceClaim],
    known: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (at, claim) in claims.iter().enumerate() {
        let (name, request) = (claim.name.as_str(), text(&claim.request));
        let path = path.index(at);
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if seen.contains(name) {
            errors.duplicate(&path, name);
        } else {
            let mut key = name.to_owned();
            if !request.is_empty() {
                for message in is_dns1123_label(request) {
                    errors.invalid(&path.child("request"), request, message);
                }
                key = format!("{name}/{request}");
            }
            let covered = seen.iter().filter(|k| k.split_once('/').is_some_and(|k| k.0 == name));
            if seen.contains(&key) {
                errors.duplicate(&path, &key);
            } else if request.is_empty() {
                covered.for_each(|_| errors.duplicate(&path, name));
            }
            seen.insert(key);
        }
        if !known.contains(name) {
            let list: Vec<&str> = known.iter().copied().collect();
            let rest = match list.as_slice() {
                [] => " which is empty".to_owned(),
                names => format!(": {}", names.join(", ")),
            };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{rest}");
            errors.not_found_as(&path, name.shown(), detail);
        }
    }
}

/// Resources of a pod as a whole, and that its containers fit into them.
pub(super) fn validate_pod_level(
    spec: &PodSpec,
    claims: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(resources) = &spec.resources else { return };
    let path = path.child("resources");
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        errors.forbidden(&path, "may not be set for a windows pod");
        return;
    }
    if resources.claims.is_some() {
        let detail = "claims may not be set for Resources at pod-level";
        errors.forbidden(&path.child("claims"), detail);
    }
    validate_requirements(resources, Holder::Pod, claims, &path, errors);
    let requests = amounts(resources.requests.as_ref());
    let limits = amounts(resources.limits.as_ref());
    validate_room(
        &container_requests(spec, None, SumRules::default()),
        &requests,
        "requests",
        &path.child("requests"),
        errors,
    );
    let mut pages = container_limits(spec, None, SumRules::default());
    pages.retain(|name, _| is_huge_pages(name));
    validate_room(&pages, &limits, "limits", &path.child("limits"), errors);
    let containers = path.child("containers");
    for (at, container) in spec.containers.iter().enumerate() {
        let own = amounts(container.resources.as_ref().and_then(|r| r.limits.as_ref()));
        for (name, limit) in own {
            let Some(whole) = limits.get(&name).filter(|whole| limit > **whole) else { continue };
            let path = containers.index(at);
            let detail = format!("must be less than or equal to pod limits of {whole}");
            errors.invalid(&path.key(&name).child("limits"), &limit.to_string(), detail);
        }
    }
}

fn validate_room(
    needed: &Amounts,
    given: &Amounts,
    noun: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (name, sum) in needed {
        let Some(whole) = given.get(name).filter(|whole| sum > whole) else { continue };
        let detail =
            format!("must be greater than or equal to aggregate container {noun} of {sum}");
        errors.invalid(&path.key(name), &whole.to_string(), detail);
    }
}
