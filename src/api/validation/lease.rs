//! Leases, as `pkg/apis/coordination/validation` of 1.36 checks them.

use k8s_openapi::api::coordination::v1::Lease;

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::not_negative_if_set,
};

/// Checks a new Lease.
pub fn validate(lease: &Lease, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&lease.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(lease, errors);
}

/// Checks that a Lease may become `new`.
pub fn validate_update(new: &Lease, old: &Lease, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(new, errors);
}

fn validate_spec(lease: &Lease, errors: &mut Errors) {
    let Some(spec) = &lease.spec else { return };
    let path = Path::ROOT.child("spec");
    if let Some(seconds) = spec.lease_duration_seconds
        && seconds <= 0
    {
        errors.invalid(&path.child("leaseDurationSeconds"), &seconds, "must be greater than 0");
    }
    not_negative_if_set(&path.child("leaseTransitions"), spec.lease_transitions, errors);
    if spec.preferred_holder.as_ref().is_some_and(|holder| !holder.is_empty())
        && spec.strategy.as_ref().is_none_or(String::is_empty)
    {
        let detail = "may only be specified when `strategy` is defined";
        errors.forbidden(&path.child("preferredHolder"), detail);
    }
}
