//! Services.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::container::{port, protocol};
use super::meta::arrival;
use super::pod_spec::canonical;
use super::{Arrival, Compacted, Compactor, unsigned};
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
        let wanted_ip: Option<Ipv4Addr> = spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok());
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
        let cluster_ip = wanted_ip.filter(|_| arrival == Arrival::Imported);
        let (node_ports, health_port) = (Arc::from([]), None);
        let spec = Arc::new(compact);
        let service = Service { meta, spec, cluster_ip, node_ports, health_port };
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
        }
    }

    fn note_service(&mut self, spec: &core::ServiceSpec) {
        let is_v6 = |family: &String| family == "IPv6";
        let address = spec.cluster_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        let is_told_v6 =
            spec.ip_families.iter().flatten().any(is_v6) || address.is_some_and(|ip| ip.is_ipv6());
        let fields = [
            (spec.external_ips.as_ref().is_some_and(|it| !it.is_empty()), "externalIPs"),
            (spec.load_balancer_ip.is_some(), "loadBalancerIP"),
            (spec.load_balancer_source_ranges.is_some(), "loadBalancerSourceRanges"),
            (is_told_v6, "ipFamilies"),
        ];
        for (_, field) in fields.into_iter().filter(|(set, _)| *set) {
            self.notes.add_fields("Service", &[field]);
        }
    }
}
