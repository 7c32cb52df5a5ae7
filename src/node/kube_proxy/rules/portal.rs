//! A port of a Service as a kube-proxy has it: its addresses, and the endpoints it leads to from here
//! (kube-proxy 1.36 `pkg/proxy/{serviceport,topology}.go`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::api::ip_family::IpFamily;
use crate::api::pod::Protocol;
use crate::api::service::{EndpointSlice, Service, ServicePort, SessionAffinity};
use crate::net::address::address6;
use crate::node::kube_proxy::choose::{Candidate, Here, TrafficPolicy, usable};

/// Where connections end up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Target {
    /// The endpoint's address.
    pub ip: IpAddr,
    /// The endpoint's port.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(out)
    }
}

/// A port of a Service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Portal {
    /// `NAMESPACE/SERVICE`, and `:PORT` where the port has a name.
    pub name: String,
    /// In small letters.
    pub protocol: &'static str,
    /// The port clients use.
    pub port: u16,
    /// The address inside the cluster.
    pub cluster_ip: IpAddr,
    /// `externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of the load balancer.
    pub balancers: Vec<IpAddr>,
    /// Who may use those; empty: everybody.
    pub source_ranges: Vec<String>,
    /// The port of every node.
    pub node_port: Option<u16>,
    /// `healthCheckNodePort`.
    pub health_port: Option<u16>,
    /// How long a client sticks to its endpoint, if it does.
    pub sticky_seconds: Option<u32>,
    /// `internalTrafficPolicy`.
    pub internal: TrafficPolicy,
    /// `externalTrafficPolicy`.
    pub external: TrafficPolicy,
    /// Endpoints under the policy Cluster.
    pub cluster: Vec<Target>,
    /// Endpoints under the policy Local.
    pub local: Vec<Target>,
    /// Whether there is any endpoint on any node.
    pub has_endpoints: bool,
}

impl Default for Portal {
    /// One without endpoints, at no address.
    fn default() -> Portal {
        Portal {
            name: String::new(),
            protocol: "tcp",
            port: 0,
            cluster_ip: Ipv4Addr::UNSPECIFIED.into(),
            external_ips: Vec::new(),
            balancers: Vec::new(),
            source_ranges: Vec::new(),
            node_port: None,
            health_port: None,
            sticky_seconds: None,
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            cluster: Vec::new(),
            local: Vec::new(),
            has_endpoints: false,
        }
    }
}

impl Portal {
    /// Whether it can be reached from outside the cluster.
    pub(super) fn is_accessible(&self) -> bool {
        self.node_port.is_some() || !self.balancers.is_empty() || !self.external_ips.is_empty()
    }

    pub(super) fn is_internal_local(&self) -> bool {
        self.internal == TrafficPolicy::Local
    }

    pub(super) fn is_external_local(&self) -> bool {
        self.external == TrafficPolicy::Local
    }

    /// Traffic from outside needs these too: a node's own goes by them whatever the policy.
    pub(super) fn uses_cluster(&self) -> bool {
        !self.is_internal_local() || self.is_accessible()
    }

    pub(super) fn uses_local(&self) -> bool {
        self.is_internal_local() || (self.is_external_local() && self.is_accessible())
    }

    /// Whether traffic from inside finds an endpoint.
    pub(super) fn has_internal(&self) -> bool {
        self.has_endpoints && !(self.is_internal_local() && self.local.is_empty())
    }

    /// Whether traffic from outside does.
    pub(super) fn has_external(&self) -> bool {
        self.has_endpoints && !(self.is_external_local() && self.local.is_empty())
    }

    /// All endpoints that some traffic of this node is led to.
    pub(super) fn reachable(&self) -> Vec<&Target> {
        let cluster = self.cluster.iter().filter(|_| self.uses_cluster());
        let mut all: Vec<&Target> =
            cluster.chain(self.local.iter().filter(|_| self.uses_local())).collect();
        all.sort_unstable_by_key(|target| target.to_string());
        all.dedup();
        all
    }
}

/// The ports of `service` that a proxy has rules for, none where the Service has no address of this
/// family; `slices` are the Service's own of it, as far as the proxy knows.
pub fn portals(
    service: &Service,
    slices: &[&EndpointSlice],
    family: IpFamily,
    here: Here<'_>,
) -> Vec<Portal> {
    let is_of = |ip: &IpAddr| ip.is_ipv6() == (family == IpFamily::V6);
    let Some(cluster_ip) = service.addresses().find(is_of) else { return Vec::new() };
    if !service.spec.exposure.has_address() {
        return Vec::new();
    }
    let written: serde_json::Value =
        serde_json::from_str(&service.spec.written).unwrap_or_default();
    let texts = |field: &str| -> Vec<&str> {
        let all = written[field].as_array().into_iter().flatten();
        all.filter_map(serde_json::Value::as_str).map(str::trim).collect()
    };
    let policy = |field: &str| match written[field].as_str() {
        Some("Local") => TrafficPolicy::Local,
        _ => TrafficPolicy::Cluster,
    };
    let is_v6 = family == IpFamily::V6;
    let shared = Portal {
        cluster_ip,
        external_ips: texts("externalIPs")
            .into_iter()
            .filter_map(|ip| ip.parse().ok())
            .filter(is_of)
            .collect(),
        balancers: service.balancers.iter().copied().filter(is_of).collect(),
        source_ranges: texts("loadBalancerSourceRanges")
            .into_iter()
            .filter(|range| range.contains(':') == is_v6)
            .map(str::to_owned)
            .collect(),
        health_port: service.health_port,
        sticky_seconds: match service.spec.affinity {
            SessionAffinity::ClientIp(seconds) => Some(seconds),
            SessionAffinity::None => None,
        },
        internal: policy("internalTrafficPolicy"),
        external: policy("externalTrafficPolicy"),
        ..Portal::default()
    };
    let ports = service.spec.ports.iter().enumerate();
    ports
        .map(|(at, port)| {
            let given = service.node_ports.get(at).copied().filter(|&given| given != 0);
            let targets = |policy| targets(port, slices, policy, here);
            let cluster = targets(TrafficPolicy::Cluster);
            Portal {
                name: name(service, port),
                protocol: match port.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Sctp => "sctp",
                },
                port: port.port,
                node_port: given,
                has_endpoints: !cluster.is_empty(),
                local: targets(TrafficPolicy::Local),
                cluster,
                ..shared.clone()
            }
        })
        .collect()
}

fn name(service: &Service, port: &ServicePort) -> String {
    let of = format!("{}/{}", service.meta.namespace, service.meta.name);
    if port.name.is_empty() { of } else { format!("{of}:{}", port.name) }
}

/// Where a policy leads, in the order of the texts.
fn targets(
    port: &ServicePort,
    slices: &[&EndpointSlice],
    policy: TrafficPolicy,
    here: Here<'_>,
) -> Vec<Target> {
    let serving = slices.iter().flat_map(|slice| {
        let number =
            slice.ports.iter().find(|one| one.name == port.name && one.protocol == port.protocol);
        let all = slice.endpoints.iter().enumerate().filter(move |_| number.is_some());
        all.map(move |(at, endpoint)| (endpoint, slice.hints.get(at), slice.family, number))
    });
    let serving: Vec<_> = serving.collect();
    let candidates = serving.iter().map(|&(endpoint, hint, ..)| Candidate { endpoint, hint });
    let mut all: Vec<Target> = usable(candidates, policy, here)
        .filter_map(|endpoint| {
            let of = serving.iter().find(|one| std::ptr::eq(one.0, endpoint))?;
            let ip = match of.2 {
                IpFamily::V4 => endpoint.ip.into(),
                IpFamily::V6 => address6(endpoint.ip).into(),
            };
            Some(Target { ip, port: of.3?.port })
        })
        .collect();
    all.sort_unstable_by_key(ToString::to_string);
    all.dedup();
    all
}
