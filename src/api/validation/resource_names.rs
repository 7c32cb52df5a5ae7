//! Names of resources in quotas, limits and nodes, and the amounts they may have.
//!
//! Follows `pkg/apis/core/helper` and `pkg/apis/core/validation` of 1.36.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::{
    field::{Errors, Path},
    names,
};
use crate::api::quantity::Quantity;

const CONTAINER: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Objects a quota counts; their amounts are whole.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const TOTALS: [&str; 6] = [
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// `hugepages-2Mi` and the like.
fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_huge_pages_quota(name: &str) -> bool {
    is_huge_pages(name) || name.starts_with("requests.hugepages-")
}

/// Whether Kubernetes itself knows the resource.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether the resource is a device or the like, counted in whole pieces.
fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::is_qualified_name(&format!("requests.{name}")).is_empty()
}

/// Whether more may be promised of the resource than there is.
pub(super) fn may_be_overcommitted(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

fn is_standard(name: &str) -> bool {
    CONTAINER.contains(&name)
        || TOTALS.contains(&name)
        || COUNTED.contains(&name)
        || matches!(name, "storage" | "requests.storage")
        || is_huge_pages_quota(name)
}

/// Whether a quota may bound the resource without a domain in its name.
pub(super) fn is_standard_quota(name: &str) -> bool {
    CONTAINER.contains(&name)
        || TOTALS.contains(&name)
        || COUNTED.contains(&name)
        || name == "requests.storage"
        || is_huge_pages_quota(name)
}

/// The name of any resource. Says whether it was found fine.
pub(super) fn check_name(name: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let complaints = names::is_qualified_name(name);
    let sound = complaints.is_empty();
    for complaint in complaints {
        errors.invalid(path, name, complaint);
    }
    if sound && !name.contains('/') && !is_standard(name) {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
        return false;
    }
    sound
}

/// The name of a resource that a container can ask for.
pub(super) fn check_container_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    check_name(name, path, errors);
    if !name.contains('/') {
        if !CONTAINER.contains(&name) && !is_huge_pages(name) {
            errors.invalid(path, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

/// The name of a resource that a quota can bound.
pub(super) fn check_quota_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    check_name(name, path, errors);
    if !name.contains('/') && !is_standard_quota(name) {
        errors.invalid(path, name, "must be a standard resource for quota");
    }
}

/// An amount as a number; a text that is none becomes an error.
pub(super) fn amount(written: &Written, path: &Path<'_>, errors: &mut Errors) -> Option<Quantity> {
    match Quantity::of(written) {
        Ok(quantity) => Some(quantity),
        Err(error) => {
            errors.invalid(path, &written.0, error.to_string());
            None
        }
    }
}

/// An amount of a resource: not negative, and whole where pieces are counted.
pub(super) fn check_amount(name: &str, written: &Written, path: &Path<'_>, errors: &mut Errors) {
    let Some(quantity) = amount(written, path, errors) else { return };
    let shown = quantity.to_string();
    if quantity.signum() < 0 {
        errors.invalid(path, &shown, "must be greater than or equal to 0");
    }
    if (COUNTED.contains(&name) || is_extended(name)) && quantity.milli_value() % 1000 != 0 {
        errors.invalid_as(path, shown, "must be an integer");
    }
}

/// An amount that must be above nothing. Says whether it is.
pub(super) fn check_positive(written: &Written, path: &Path<'_>, errors: &mut Errors) -> bool {
    let Some(quantity) = amount(written, path, errors) else { return false };
    if quantity.signum() <= 0 {
        errors.invalid(path, &quantity.to_string(), "must be greater than zero");
        return false;
    }
    true
}
