//! Services.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::container::{port, protocol};
use super::meta::arrival;
use super::pod_spec::canonical;
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::ip_family::{Families, FamilyPolicy, IpFamily};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::service::{
    Distribution, Exposure, ExternalTraffic, LoadBalancerPorts, Service, ServicePort, ServiceSpec,
    SessionAffinity, TargetPort, UnreadyEndpoints,
};

/// `sessionAffinityConfig.clientIP.timeoutSeconds` where nothing is written.
const CLIENT_IP_SECONDS: i32 = 10_800;

fn exposure(spec: &core::ServiceSpec) -> Exposure {
    match (spec.type_.as_deref(), spec.cluster_ip.as_deref()) {
        (Some("ExternalName"), _) => Exposure::ExternalName,
        (_, Some("None")) => Exposure::Headless,
        (Some("NodePort"), _) => Exposure::NodePort,
        (Some("LoadBalancer"), _) => Exposure::LoadBalancer,
        _ => Exposure::ClusterIp,
    }
}

fn affinity(spec: &core::ServiceSpec) -> SessionAffinity {
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return SessionAffinity::None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|it| it.client_ip.as_ref());
    let seconds = config.and_then(|it| it.timeout_seconds).unwrap_or(CLIENT_IP_SECONDS);
    SessionAffinity::ClientIp(unsigned(i64::from(seconds)))
}

fn node_port(written: Option<i32>) -> Option<u16> {
    written.map(port).filter(|port| *port != 0)
}

/// The cluster addresses asked for by name.
fn addresses(spec: &core::ServiceSpec) -> Vec<IpAddr> {
    let all = spec.cluster_ips.as_ref().filter(|all| !all.is_empty());
    let all = all.map_or(spec.cluster_ip.as_slice(), Vec::as_slice);
    all.iter().filter_map(|ip| ip.parse().ok()).collect()
}

impl Compactor {
    /// A Service. One that was in a cluster keeps its address.
    pub fn service(&mut self, written: core::Service) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        self.note_service(&spec);
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = canonical(&spec, &mut scratch).into();
        self.intern.scratch = scratch;
        let wanted = addresses(&spec);
        let wanted_ip =
            wanted.iter().find_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None });
        let wanted_ip6 =
            wanted.iter().find_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
        let named = spec.ip_families.iter().flatten();
        let wanted_families = Families::of(named.filter_map(|name| IpFamily::named(name)));
        let wanted_policy = spec.ip_family_policy.as_deref().and_then(FamilyPolicy::named);
        let compact = ServiceSpec {
            exposure: exposure(&spec),
            selector: spec
                .selector
                .as_ref()
                .filter(|labels| !labels.is_empty())
                .map(|labels| self.intern.plain_labels(labels)),
            ports: spec.ports.iter().flatten().map(|it| self.service_port(it)).collect(),
            affinity: affinity(&spec),
            unready: match spec.publish_not_ready_addresses {
                Some(true) => UnreadyEndpoints::Published,
                _ => UnreadyEndpoints::Hidden,
            },
            distribution: match spec.traffic_distribution.as_deref() {
                Some("PreferClose" | "PreferSameZone") => Distribution::SameZone,
                Some("PreferSameNode") => Distribution::SameNode,
                _ => Distribution::Cluster,
            },
            wanted_ip,
            wanted_ip6,
            wanted_of: Families::of(wanted.iter().map(|ip| match ip {
                IpAddr::V4(_) => IpFamily::V4,
                IpAddr::V6(_) => IpFamily::V6,
            })),
            wanted_families,
            wanted_policy,
            load_balancer_ports: match spec.allocate_load_balancer_node_ports {
                Some(false) => LoadBalancerPorts::AsWritten,
                _ => LoadBalancerPorts::Allocated,
            },
            external: match spec.external_traffic_policy.as_deref() {
                Some("Local") => ExternalTraffic::Local,
                _ => ExternalTraffic::Cluster,
            },
            wanted_health_port: node_port(spec.health_check_node_port),
            written: text,
        };
        let is_held = arrival == Arrival::Imported;
        let status = written.status.and_then(|status| status.load_balancer);
        let balancers = status.and_then(|balancer| balancer.ingress).unwrap_or_default();
        let balancers = balancers.into_iter().filter_map(|one| one.ip?.parse().ok());
        let service = Service {
            meta,
            spec: Arc::new(compact),
            cluster_ip: wanted_ip.filter(|_| is_held),
            cluster_ip6: wanted_ip6.filter(|_| is_held),
            families: if is_held { wanted_families } else { Families::Unsaid },
            policy: wanted_policy.filter(|_| is_held),
            balancers: balancers.filter(|_| is_held).collect(),
            node_ports: Arc::from([]),
            health_port: None,
        };
        Compacted { object: Object::Service(Box::new(service)), arrival, node: None }
    }

    fn service_port(&mut self, written: &core::ServicePort) -> ServicePort {
        ServicePort {
            name: self.intern.optional(written.name.as_deref()),
            port: port(written.port),
            protocol: protocol(written.protocol.as_deref()),
            target: match &written.target_port {
                Some(IntOrString::String(name)) => TargetPort::Name(self.intern.text(name)),
                Some(IntOrString::Int(number)) if *number != 0 => TargetPort::Number(port(*number)),
                _ => TargetPort::Number(port(written.port)),
            },
            node_port: node_port(written.node_port),
            app_protocol: written.app_protocol.as_deref().map(|it| self.intern.text(it)),
        }
    }

    fn note_service(&mut self, spec: &core::ServiceSpec) {
        let fields = [
            (spec.external_ips.as_ref().is_some_and(|it| !it.is_empty()), "externalIPs"),
            (spec.load_balancer_ip.is_some(), "loadBalancerIP"),
            (spec.load_balancer_source_ranges.is_some(), "loadBalancerSourceRanges"),
        ];
        for (_, field) in fields.into_iter().filter(|(set, _)| *set) {
            self.notes.add_fields("Service", &[field]);
        }
    }
}
