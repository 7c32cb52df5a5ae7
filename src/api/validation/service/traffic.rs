//! Where the traffic of a Service may go: policies, health check port, distribution.

use k8s_openapi::api::core::v1::ServiceSpec;

use super::is_type;
use crate::api::validation::{
    field::{Errors, Path},
    names,
    scalar::{items, one_of, text},
};

fn is_externally_accessible(spec: &ServiceSpec) -> bool {
    is_type(spec, "LoadBalancer")
        || is_type(spec, "NodePort")
        || is_type(spec, "ClusterIP") && !items(spec.external_ips.as_ref()).is_empty()
}

fn needs_health_check(spec: &ServiceSpec) -> bool {
    is_type(spec, "LoadBalancer") && text(spec.external_traffic_policy.as_ref()) == "Local"
}

/// Checks the policies against the type.
pub(super) fn validate(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    validate_external(spec, path, errors);
    let place = path.child("internalTrafficPolicy");
    match &spec.internal_traffic_policy {
        None if ["NodePort", "LoadBalancer", "ClusterIP"].iter().any(|t| is_type(spec, t)) => {
            errors.required(&place, "");
        }
        Some(policy) if !["Cluster", "Local"].contains(&policy.as_str()) => {
            errors.not_supported(&place, policy, &["Cluster", "Local"]);
        }
        _ => {}
    }
    let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    if let Some(distribution) = &spec.traffic_distribution
        && !known.contains(&distribution.as_str())
    {
        errors.not_supported(&path.child("trafficDistribution"), distribution, &known);
    }
}

fn validate_external(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let policy = text(spec.external_traffic_policy.as_ref());
    let place = path.child("externalTrafficPolicy");
    if is_externally_accessible(spec) {
        one_of(&place, policy, &["Cluster", "Local"], errors);
    } else if !policy.is_empty() {
        errors.invalid(&place, policy, "may only be set for externally-accessible services");
    }
    let port = spec.health_check_node_port.unwrap_or(0);
    let place = path.child("healthCheckNodePort");
    if !needs_health_check(spec) {
        if port != 0 {
            let detail = "may only be set when `type` is 'LoadBalancer' and \
                          `externalTrafficPolicy` is 'Local'";
            errors.invalid(&place, &port, detail);
        }
    } else if port == 0 {
        errors.required(&place, "");
    } else {
        for complaint in names::is_valid_port_num(port.into()) {
            errors.invalid(&place, &port, complaint);
        }
    }
}

/// The health check port stays once it is there.
pub(super) fn validate_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Errors) {
    if needs_health_check(old)
        && needs_health_check(new)
        && new.health_check_node_port != old.health_check_node_port
    {
        let path = Path::ROOT.child("spec");
        errors.forbidden(&path.child("healthCheckNodePort"), "field is immutable");
    }
}
