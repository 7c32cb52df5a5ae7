//! Services, their EndpointSlices and their Endpoints objects as a run holds them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::ip_family::{Families, FamilyPolicy, IpFamily};
use super::meta::{Labels, Meta, Uid};
use super::name::Text;
use super::node::Node;
use super::pod::{Pod, Protocol};
use crate::base::id::Id;

/// A Service.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its metadata.
    pub meta: Meta,
    /// What was asked for.
    pub spec: Arc<ServiceSpec>,
    /// Its address inside the cluster: allocated once, then fixed. `None` for headless ones and
    /// external names.
    pub cluster_ip: Option<Ipv4Addr>,
    /// Its IPv6 address inside the cluster, if it has that family.
    pub cluster_ip6: Option<Ipv6Addr>,
    /// The families of its addresses and of its endpoints' ones, as the API server filled them in.
    pub families: Families,
    /// How many families it is to have; `None` of an external name.
    pub policy: Option<FamilyPolicy>,
    /// Addresses of its load balancer: those it came with, for nothing here gives it any.
    pub balancers: Arc<[IpAddr]>,
    /// Its ports on every node, by the order of its ports; 0: none. Empty: none at all.
    pub node_ports: Arc<[u16]>,
    /// `healthCheckNodePort`, where nodes tell a load balancer whether they have endpoints.
    pub health_port: Option<u16>,
}

impl Service {
    /// Its address of the first of its families, if it has one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.families.primary() {
            IpFamily::V4 => self.cluster_ip.map(IpAddr::from),
            IpFamily::V6 => self.cluster_ip6.map(IpAddr::from),
        }
    }

    /// Its addresses, in the order of its families.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let families = match self.families {
            Families::Unsaid => Families::V4,
            said => said,
        };
        families.list().iter().filter_map(|family| match family {
            IpFamily::V4 => self.cluster_ip.map(IpAddr::from),
            IpFamily::V6 => self.cluster_ip6.map(IpAddr::from),
        })
    }
}

/// What a Service was asked to be.
#[derive(Clone, PartialEq, Debug)]
pub struct ServiceSpec {
    /// How it can be reached.
    pub exposure: Exposure,
    /// Which pods serve it; `None`: somebody else keeps its endpoints.
    pub selector: Option<Labels>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Whether a client sticks to its endpoint.
    pub affinity: SessionAffinity,
    /// Whether pods that are not ready are offered too.
    pub unready: UnreadyEndpoints,
    /// Which endpoints are preferred, by where the traffic comes from.
    pub distribution: Distribution,
    /// A cluster address asked for by name.
    pub wanted_ip: Option<Ipv4Addr>,
    /// An IPv6 one.
    pub wanted_ip6: Option<Ipv6Addr>,
    /// The families of the addresses asked for, in their order.
    pub wanted_of: Families,
    /// `ipFamilies` as written.
    pub wanted_families: Families,
    /// `ipFamilyPolicy` as written.
    pub wanted_policy: Option<FamilyPolicy>,
    /// Whether a load balancer's ports get ports of the nodes.
    pub load_balancer_ports: LoadBalancerPorts,
    /// Which nodes a load balancer may send to.
    pub external: ExternalTraffic,
    /// `healthCheckNodePort` as written.
    pub wanted_health_port: Option<u16>,
    /// The spec as written, as canonical JSON, the API server's defaults filled in.
    pub written: Text,
}

/// How a Service can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Exposure {
    /// By its cluster address.
    #[default]
    ClusterIp,
    /// By DNS only: names resolve to the pods' addresses (`clusterIP: None`).
    Headless,
    /// Also by a port of every node.
    NodePort,
    /// Also by a load balancer.
    LoadBalancer,
    /// It is another name for something outside.
    ExternalName,
}

impl Exposure {
    /// Whether it has an address of its own that proxies lead to its endpoints.
    pub fn has_address(self) -> bool {
        matches!(self, Exposure::ClusterIp | Exposure::NodePort | Exposure::LoadBalancer)
    }
}

/// Whether ports of nodes are allocated for a load balancer (`allocateLoadBalancerNodePorts`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LoadBalancerPorts {
    /// For every port.
    #[default]
    Allocated,
    /// Only those that are written.
    AsWritten,
}

/// Which endpoints traffic from outside may reach (`externalTrafficPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExternalTraffic {
    /// All of the cluster's.
    #[default]
    Cluster,
    /// Those of the node it came to.
    Local,
}

/// Session affinity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SessionAffinity {
    /// Each connection for itself.
    #[default]
    None,
    /// By client address, for so many seconds.
    ClientIp(u32),
}

/// What becomes of endpoints that are not ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnreadyEndpoints {
    /// They are left out.
    #[default]
    Hidden,
    /// They are offered (`publishNotReadyAddresses`).
    Published,
}

/// Which endpoints connections prefer (`trafficDistribution`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Distribution {
    /// All are as good.
    #[default]
    Cluster,
    /// Those of the caller's zone (`PreferSameZone`, and `PreferClose`, its older name).
    SameZone,
    /// Those of the caller's node, then of its zone.
    SameNode,
}

/// A port of a Service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePort {
    /// Its name, empty if it is the only one and has none.
    pub name: Text,
    /// The port clients use.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The port of the pod.
    pub target: TargetPort,
    /// A port of every node asked for by number.
    pub node_port: Option<u16>,
    /// `appProtocol`: a hint of what is spoken there.
    pub app_protocol: Option<Text>,
}

/// A port that endpoints serve.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EndpointPort {
    /// The name of the Service's port.
    pub name: Text,
    /// The port of the pods.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// `appProtocol` of the Service's port.
    pub app_protocol: Option<Text>,
}

/// The port of a pod that a Service's port leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name of a container's port.
    Name(Text),
}

/// Label of an EndpointSlice that names its Service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// An EndpointSlice.
#[derive(Clone, PartialEq, Debug)]
pub struct EndpointSlice {
    /// Its metadata; its owner is the Service.
    pub meta: Meta,
    /// Of which family the addresses of its endpoints are (`addressType`).
    pub family: IpFamily,
    /// The endpoints.
    pub endpoints: Arc<[Endpoint]>,
    /// For whom each endpoint is, in the order of the endpoints; empty where no endpoint has a hint.
    pub hints: Arc<[Hint]>,
    /// The ports all its endpoints serve.
    pub ports: Arc<[EndpointPort]>,
}

/// An Endpoints object as the endpoints controller keeps it. Those that people write themselves are
/// not modelled.
#[derive(Clone, PartialEq, Debug)]
pub struct Endpoints {
    /// Its metadata; its name is the Service's.
    pub meta: Meta,
    /// Addresses by the ports they serve.
    pub subsets: Arc<[EndpointSubset]>,
}

/// Addresses that serve the same ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointSubset {
    /// Addresses that take connections, ascending.
    pub addresses: Arc<[EndpointAddress]>,
    /// Addresses of pods that are not ready, ascending.
    pub not_ready: Arc<[EndpointAddress]>,
    /// The ports.
    pub ports: Arc<[EndpointPort]>,
}

/// An address of a subset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndpointAddress {
    /// The address, in IPv4: that of the Service's first family follows from it.
    pub ip: Ipv4Addr,
    /// The pod behind it.
    pub pod: Id<Pod>,
}

/// One endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The pod behind it.
    pub pod: Id<Pod>,
    /// The pod's uid.
    pub uid: Uid,
    /// Where it runs.
    pub node: Id<Node>,
    /// Its IPv4 address, which the IPv6 one follows from.
    pub ip: Ipv4Addr,
    /// What it may be used for.
    pub conditions: EndpointConditions,
}

/// For whom an endpoint is (`hints`). The controller names one zone an endpoint, and no node but the
/// endpoint's own; nobody else writes slices here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hint {
    /// For callers of this zone (`forZones`).
    pub zone: Option<Text>,
    /// Whether it is for callers of some node first (`forNodes`).
    pub node: NodeHint,
}

/// For callers of which node an endpoint is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NodeHint {
    /// Of no node in particular.
    #[default]
    None,
    /// Of the node it runs on.
    Own,
}

/// Conditions of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndpointConditions {
    /// It takes new connections.
    pub ready: bool,
    /// It answers, be it on its way out.
    pub serving: bool,
    /// It is on its way out.
    pub terminating: bool,
}
