//! Services, Endpoints and EndpointSlices, as `pkg/apis/core/v1/defaults.go` and
//! `pkg/registry/core/service` of 1.36 fill them in. Addresses and node ports are given elsewhere.

use k8s_openapi::{
    api::{
        core::v1::{ClientIPConfig, Endpoints, Service, ServiceSpec, SessionAffinityConfig},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::fill;

/// How long a client sticks to an endpoint, in seconds.
const AFFINITY_SECONDS: i32 = 10_800;

/// Fills in a Service.
pub fn default_service(service: &mut Service) {
    let spec = service.spec.get_or_insert_default();
    fill(&mut spec.session_affinity, "None");
    fill(&mut spec.type_, "ClusterIP");
    default_affinity(spec);
    for port in spec.ports.iter_mut().flatten() {
        fill(&mut port.protocol, "TCP");
        let given = match &port.target_port {
            None | Some(IntOrString::Int(0)) => false,
            Some(IntOrString::String(name)) => !name.is_empty(),
            Some(IntOrString::Int(_)) => true,
        };
        if !given {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    let kind = spec.type_.as_deref().unwrap_or("");
    let inside = matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer");
    let outside = matches!(kind, "NodePort" | "LoadBalancer")
        || kind == "ClusterIP" && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    if kind == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
    if outside {
        fill(&mut spec.external_traffic_policy, "Cluster");
    }
    if inside && spec.internal_traffic_policy.is_none() {
        spec.internal_traffic_policy = Some("Cluster".to_owned());
    }
    // An old client knows one cluster IP only.
    let ip = spec.cluster_ip.clone().filter(|ip| !ip.is_empty());
    if let (Some(ip), None) = (ip, spec.cluster_ips.as_ref().and_then(|ips| ips.first())) {
        spec.cluster_ips = Some(vec![ip]);
    }
}

fn default_affinity(spec: &mut ServiceSpec) {
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config: &mut SessionAffinityConfig =
                spec.session_affinity_config.get_or_insert_default();
            let client: &mut ClientIPConfig = config.client_ip.get_or_insert_default();
            client.timeout_seconds.get_or_insert(AFFINITY_SECONDS);
        }
        _ => {}
    }
}

/// What was allocated to the old Service and is not spoken of in the new one stays
/// (`patchAllocatedValues`).
pub fn keep_allocated(new: &mut Service, old: &Service) {
    let (Some(new), Some(old)) = (&mut new.spec, &old.spec) else { return };
    let kind = |spec: &ServiceSpec| spec.type_.clone().unwrap_or_default();
    let has_ip = |spec: &ServiceSpec| kind(spec) != "ExternalName";
    let has_ports = |spec: &ServiceSpec| matches!(kind(spec).as_str(), "NodePort" | "LoadBalancer");
    let unset = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
    if has_ip(new) && has_ip(old) {
        if unset(&new.cluster_ip) {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if new.cluster_ips.as_ref().is_none_or(Vec::is_empty) && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
        if new.ip_family_policy.is_none() {
            new.ip_family_policy.clone_from(&old.ip_family_policy);
        }
        if new.ip_families.as_ref().is_none_or(Vec::is_empty) {
            new.ip_families.clone_from(&old.ip_families);
        }
    }
    if has_ports(new) && has_ports(old) {
        keep_node_ports(new, old);
    }
    if new.health_check_node_port.unwrap_or(0) == 0 && kind(new) == "LoadBalancer" {
        new.health_check_node_port = old.health_check_node_port;
    }
}

/// What was given to a Service for the sake of its type goes with the type, if nobody else changed it
/// (`dropTypeDependentFields` of pkg/registry/core/service/strategy.go).
pub fn drop_type_dependent(new: &mut Service, old: &Service) {
    let (Some(new), Some(old)) = (&mut new.spec, &old.spec) else { return };
    let is = |spec: &ServiceSpec, name: &str| spec.type_.as_deref() == Some(name);
    if !is(old, "ExternalName") && is(new, "ExternalName") {
        if new.cluster_ip == old.cluster_ip && new.cluster_ips == old.cluster_ips {
            (new.cluster_ip, new.cluster_ips) = (None, None);
        }
        if new.ip_families == old.ip_families {
            new.ip_families = None;
        }
        if new.ip_family_policy == old.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    let has_ports = |spec: &ServiceSpec| is(spec, "NodePort") || is(spec, "LoadBalancer");
    if has_ports(old) && !has_ports(new) {
        let ports = |spec: &ServiceSpec| -> Vec<i32> {
            spec.ports.iter().flatten().filter_map(|port| port.node_port).collect()
        };
        let known = ports(old);
        if ports(new).iter().all(|port| *port == 0 || known.contains(port)) {
            new.ports.iter_mut().flatten().for_each(|port| port.node_port = None);
        }
    }
    let has_health_port = |spec: &ServiceSpec| {
        is(spec, "LoadBalancer") && spec.external_traffic_policy.as_deref() == Some("Local")
    };
    if has_health_port(old)
        && !has_health_port(new)
        && new.health_check_node_port == old.health_check_node_port
    {
        new.health_check_node_port = None;
    }
    if is(old, "LoadBalancer") && !is(new, "LoadBalancer") {
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if new.load_balancer_class == old.load_balancer_class {
            new.load_balancer_class = None;
        }
    }
    let is_outside = |spec: &ServiceSpec| {
        has_ports(spec)
            || is(spec, "ClusterIP")
                && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty())
    };
    if is_outside(old)
        && !is_outside(new)
        && new.external_traffic_policy == old.external_traffic_policy
    {
        new.external_traffic_policy = None;
    }
}

/// One who knows of one cluster IP only has changed it: the list follows (`normalizeClusterIPs` of
/// pkg/registry/core/service/storage).
pub fn normalize_cluster_ips(new: &mut Service, old: &Service) {
    let (Some(new), Some(old)) = (&mut new.spec, &old.spec) else { return };
    let first = |spec: &ServiceSpec| spec.cluster_ip.clone().filter(|ip| !ip.is_empty());
    let list = |spec: &ServiceSpec| spec.cluster_ips.clone().unwrap_or_default();
    if first(new) == first(old) {
        if list(new).is_empty() && !list(old).is_empty() {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
    } else if list(new) == list(old) {
        new.cluster_ips = first(new).map(|ip| vec![ip]);
    }
}

/// Whoever asks for one family instead of two and says no more keeps the first
/// (`trimFieldsForDualStackDowngrade` of pkg/registry/core/service/storage).
pub fn trim_families(new: &mut Service, old: &Service) {
    let (Some(new), Some(old)) = (&mut new.spec, &old.spec) else { return };
    let is_dual = |spec: &ServiceSpec| {
        matches!(spec.ip_family_policy.as_deref(), Some("PreferDualStack" | "RequireDualStack"))
    };
    if new.type_.as_deref() == Some("ExternalName") || !is_dual(old) || is_dual(new) {
        return;
    }
    if new.cluster_ips == old.cluster_ips {
        new.cluster_ips.iter_mut().for_each(|ips| ips.truncate(1));
    }
    if new.ip_families == old.ip_families {
        new.ip_families.iter_mut().for_each(|families| families.truncate(1));
    }
}

fn keep_node_ports(new: &mut ServiceSpec, old: &ServiceSpec) {
    let known = old.ports.as_deref().unwrap_or(&[]);
    let taken: Vec<i32> = new.ports.iter().flatten().filter_map(|port| port.node_port).collect();
    for port in new.ports.iter_mut().flatten().filter(|p| p.node_port.unwrap_or(0) == 0) {
        let same = |was: &&k8s_openapi::api::core::v1::ServicePort| {
            was.port == port.port && was.protocol == port.protocol
        };
        let kept = known.iter().find(same).and_then(|was| was.node_port);
        port.node_port = kept.filter(|kept| !taken.contains(kept)).or(port.node_port);
    }
}

/// Fills in Endpoints.
pub fn default_endpoints(endpoints: &mut Endpoints) {
    for subset in endpoints.subsets.iter_mut().flatten() {
        for port in subset.ports.iter_mut().flatten() {
            fill(&mut port.protocol, "TCP");
        }
    }
}

/// Fills in an EndpointSlice.
pub fn default_endpoint_slice(slice: &mut EndpointSlice) {
    for port in slice.ports.iter_mut().flatten() {
        port.name.get_or_insert_default();
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_filled_in() {
        let mut service: Service = serde_json::from_value(json!({
            "metadata": {"name": "s"},
            "spec": {"clusterIP": "None", "ports": [{"port": 80}]},
        }))
        .unwrap();
        default_service(&mut service);
        assert_eq!(
            serde_json::to_value(service.spec).unwrap(),
            json!({
                "clusterIP": "None", "clusterIPs": ["None"], "internalTrafficPolicy": "Cluster",
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "sessionAffinity": "None", "type": "ClusterIP",
            })
        );
    }

    #[test]
    fn a_client_that_sticks_does_so_for_three_hours() {
        let mut service = Service::default();
        service.spec.get_or_insert_default().session_affinity = Some("ClientIP".to_owned());
        default_service(&mut service);
        let config = service.spec.unwrap().session_affinity_config.unwrap();
        assert_eq!(config.client_ip.unwrap().timeout_seconds, Some(10_800));
    }
}
