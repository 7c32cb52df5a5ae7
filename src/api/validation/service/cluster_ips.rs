//! Cluster IPs of a Service and their families.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ServiceSpec;

use super::{is_headless, is_type};
use crate::api::validation::{
    address::{Family, check_ip, family_of},
    field::{Errors, Path},
    scalar::{items, json, text},
};

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/// Checks `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` against each other.
pub(super) fn validate(spec: &ServiceSpec, old: Option<&ServiceSpec>, errors: &mut Errors) {
    if is_type(spec, "ExternalName") {
        return;
    }
    let path = Path::ROOT.child("spec");
    let ips = items(spec.cluster_ips.as_ref());
    let ips_path = path.child("clusterIPs");
    validate_first(text(spec.cluster_ip.as_ref()), ips, &ips_path, errors);
    validate_families(spec, &path, errors);

    let known = old.map_or(&[][..], |old| items(old.cluster_ips.as_ref()));
    if !are_readable(ips, known, &ips_path, errors) {
        return;
    }
    if ips.len() > 1 && is_one_family(ips) {
        let detail = "may specify no more than one IP for each IP family";
        errors.invalid_as(&ips_path, json(&ips), detail);
    }
    if is_headless(spec) {
        return;
    }
    for (at, (ip, family)) in ips.iter().zip(items(spec.ip_families.as_ref())).enumerate() {
        let fits = match family_of(ip) {
            Family::V4 => family != "IPv6",
            Family::V6 => family != "IPv4",
        };
        if !fits {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{at}]`");
            errors.invalid(&ips_path.index(at), ip, detail);
        }
    }
}

fn validate_first(ip: &str, ips: &[String], path: &Path<'_>, errors: &mut Errors) {
    match (ip, ips.first()) {
        ("", None) => {}
        ("", Some(_)) => {
            errors.invalid_as(path, json(&ips), "must be empty when `clusterIP` is not specified");
        }
        (_, None) => errors.required(path, ""),
        (ip, Some(first)) if ip != first => {
            errors.invalid_as(path, json(&ips), "first value must match `clusterIP`");
        }
        _ => {}
    }
}

fn validate_families(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    let families = path.child("ipFamilies");
    for (at, family) in items(spec.ip_families.as_ref()).iter().enumerate() {
        if !FAMILIES.contains(&family.as_str()) {
            errors.not_supported(&families.index(at), family, &FAMILIES);
        }
        if !seen.insert(family) {
            errors.duplicate(&families.index(at), family);
        }
    }
    if let Some(policy) = &spec.ip_family_policy
        && !POLICIES.contains(&policy.as_str())
    {
        errors.not_supported(&path.child("ipFamilyPolicy"), policy, &POLICIES);
    }
}

/// Whether all are addresses (or the one `None`), so that families can be compared.
fn are_readable(ips: &[String], known: &[String], path: &Path<'_>, errors: &mut Errors) -> bool {
    let before = errors.list().len();
    for (at, ip) in ips.iter().enumerate() {
        if at > 0 || ip != "None" {
            check_ip(&path.index(at), ip, known, errors);
        } else if ips.len() > 1 {
            errors.invalid_as(path, json(&ips), "'None' must be the first and only value");
        }
    }
    let readable = errors.list().len() == before;
    if ips.len() > 2 {
        errors.invalid_as(path, json(&ips), "may only hold up to 2 values");
    }
    readable
}

fn is_one_family(ips: &[String]) -> bool {
    ips.iter().all(|ip| family_of(ip) == family_of(&ips[0]))
}

/// The first cluster IP and family stay; a second may come, or go when the policy says so.
pub(super) fn validate_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Errors) {
    if is_type(new, "ExternalName") || is_type(old, "ExternalName") {
        return;
    }
    let (new_headless, old_headless) = (is_headless(new), is_headless(old));
    if !(new_headless && old_headless) {
        validate_ips_change(new, old, errors);
    }
    if !new_headless && !old_headless {
        validate_families_change(new, old, errors);
    }
}

fn validate_ips_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Errors) {
    let spec = Path::ROOT.child("spec");
    let path = spec.child("clusterIPs");
    let (after, before) = (items(new.cluster_ips.as_ref()), items(old.cluster_ips.as_ref()));
    if after.len() == before.len() {
        for (at, (ip, was)) in after.iter().zip(before).enumerate() {
            if ip != was {
                errors.invalid_as(&path.index(at), json(&after), "may not change once set");
            }
        }
        return;
    }
    if after.is_empty() {
        errors.invalid_as(&path.index(0), json(&after), "primary clusterIP can not be unset");
    } else if before.first().is_some_and(|was| *was != after[0]) {
        errors.invalid_as(&path.index(0), json(&after), "may not change once set");
    }
    if after.len() == 1 && before.len() > 1 && !is_single_stack(new) {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        errors.invalid_as(&spec.child("ipFamilyPolicy"), json(&new.ip_family_policy), detail);
    }
}

fn validate_families_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Errors) {
    let spec = Path::ROOT.child("spec");
    let path = spec.child("ipFamilies");
    let (after, before) = (items(new.ip_families.as_ref()), items(old.ip_families.as_ref()));
    if after.len() == before.len() {
        for (family, was) in after.iter().zip(before) {
            if family != was {
                errors.invalid_as(&path.index(0), json(&after), "may not change once set");
            }
        }
        return;
    }
    if after.len() < before.len() && items(new.cluster_ips.as_ref()).is_empty() {
        errors.invalid_as(&path.index(0), json(&after), "primary ipFamily can not be unset");
    }
    if let (Some(family), Some(was)) = (after.first(), before.first())
        && family != was
    {
        let value = json(&items(new.cluster_ips.as_ref()));
        errors.invalid_as(&path.index(0), value, "may not change once set");
    }
    if after.len() == 1 && before.len() > 1 && !is_single_stack(new) {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        errors.invalid_as(&spec.child("ipFamilyPolicy"), json(&new.ip_family_policy), detail);
    }
}

fn is_single_stack(spec: &ServiceSpec) -> bool {
    text(spec.ip_family_policy.as_ref()) == "SingleStack"
}
