//! Cluster addresses and ports of nodes of Services: given at creation, taken and given back as a
//! Service changes, given back when it goes (`pkg/registry/core/service/storage/alloc.go`, 1.36).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Server, families};
use crate::api::ip_family::IpFamily;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::service::{
    Exposure, ExternalTraffic, LoadBalancerPorts, Service, ServicePort, ServiceSpec,
};
use crate::api::status::Status;
use crate::luck::Label;
use crate::net::address::{AddressError, service_address6, service_place6};
use crate::net::node_ports::{NODE_PORTS, PortError};

const CLUSTER_IP: Label = Label::new("cluster-ip");
const CLUSTER_IP6: Label = Label::new("cluster-ip6");
const NODE_PORT: Label = Label::new("node-port");
const HEALTH_PORT: Label = Label::new("health-check-node-port");

/// Where no address is left.
const RANGE_FULL: &str = "failed to allocate a serviceIP: range is full";

fn has_node_ports(spec: &ServiceSpec) -> bool {
    matches!(spec.exposure, Exposure::NodePort | Exposure::LoadBalancer)
}

fn allocates_node_ports(spec: &ServiceSpec) -> bool {
    has_node_ports(spec)
        && (spec.exposure == Exposure::NodePort
            || spec.load_balancer_ports == LoadBalancerPorts::Allocated)
}

fn has_health_port(spec: &ServiceSpec) -> bool {
    spec.exposure == Exposure::LoadBalancer && spec.external == ExternalTraffic::Local
}

/// The ports of a Service on the nodes while they are being given out, one a port number: TCP and UDP
/// of one number share theirs.
#[derive(Default)]
struct Ports {
    given: Vec<u16>,
    by_number: Vec<(u16, u16)>,
    /// What has to be given back if anything fails.
    taken: Vec<u16>,
}

impl Ports {
    fn of(&self, port: &ServicePort) -> Option<u16> {
        self.by_number.iter().find(|(number, _)| *number == port.port).map(|(_, given)| *given)
    }
}

impl<T> Server<'_, T> {
    /// Gives a Service what it is to have of `held` (what it had before, if anything) and the
    /// allocators.
    pub(super) fn allocate(
        &mut self,
        service: &mut Service,
        held: Option<&Service>,
    ) -> Result<(), Status> {
        let (families, policy) = families::settled(service, held, self.shared.families)?;
        (service.families, service.policy) = (families, policy);
        let held_ip = held.and_then(|held| held.cluster_ip);
        let held_ip6 = held.and_then(|held| held.cluster_ip6);
        let has = |family| service.spec.exposure.has_address() && families.has(family);
        let (has_v4, has_v6) = (has(IpFamily::V4), has(IpFamily::V6));
        service.cluster_ip = match held_ip.filter(|_| has_v4) {
            None if has_v4 => Some(self.address(service)?),
            kept => kept,
        };
        let of_v6 = match held_ip6.filter(|_| has_v6) {
            None if has_v6 => self.address6(service).map(Some),
            kept => Ok(kept),
        };
        let ports = of_v6.and_then(|address| {
            service.cluster_ip6 = address;
            self.allocate_ports(service, held)
        });
        let give_back = match &ports {
            Ok(()) => [
                held_ip.filter(|_| service.cluster_ip.is_none()),
                held_ip6.filter(|_| service.cluster_ip6.is_none()).map(service_place6),
            ],
            Err(_) => [
                service.cluster_ip.filter(|_| held_ip.is_none()),
                service.cluster_ip6.filter(|_| held_ip6.is_none()).map(service_place6),
            ],
        };
        let [of_v4, of_v6] = give_back;
        of_v4.into_iter().for_each(|it| self.shared.service_range.give_back(it));
        of_v6.into_iter().for_each(|it| self.shared.service_range6.give_back(it));
        ports
    }

    fn address(&mut self, service: &Service) -> Result<Ipv4Addr, Status> {
        let (shared, spec) = (&mut *self.shared, &service.spec);
        match spec.wanted_ip {
            // The API server's own Service has had its address from the start.
            Some(wanted) if is_own(service) && wanted == shared.service_range.first() => Ok(wanted),
            Some(wanted) => match shared.service_range.take(wanted) {
                Ok(()) => Ok(wanted),
                // One that was in another cluster keeps the address it had in its range.
                Err(AddressError::OutOfRange) if service.cluster_ip == Some(wanted) => Ok(wanted),
                Err(why) => Err(refused_address(service, wanted.into(), why)),
            },
            None => {
                let draw = shared.luck.draw(CLUSTER_IP, service.meta.uid.0, 0);
                shared.service_range.take_any(draw).map_err(|_| internal(RANGE_FULL))
            }
        }
    }

    fn address6(&mut self, service: &Service) -> Result<Ipv6Addr, Status> {
        let (shared, spec) = (&mut *self.shared, &service.spec);
        match spec.wanted_ip6 {
            Some(wanted) => match shared.service_range6.take(service_place6(wanted)) {
                Ok(()) => Ok(wanted),
                Err(AddressError::OutOfRange) if service.cluster_ip6 == Some(wanted) => Ok(wanted),
                Err(why) => Err(refused_address(service, wanted.into(), why)),
            },
            None => {
                let draw = shared.luck.draw(CLUSTER_IP6, service.meta.uid.0, 0);
                let place = shared.service_range6.take_any(draw);
                place.map(service_address6).map_err(|_| internal(RANGE_FULL))
            }
        }
    }

    fn allocate_ports(
        &mut self,
        service: &mut Service,
        held: Option<&Service>,
    ) -> Result<(), Status> {
        let held_ports: &[u16] = held.map_or(&[], |held| &held.node_ports);
        let held_health = held.and_then(|held| held.health_port);
        let mut ports = Ports::default();
        let given = self.node_ports(service, held, &mut ports).and_then(|()| {
            let health = self.health_port(service, held_health)?;
            ports.taken.extend(health.filter(|port| held_health != Some(*port)));
            Ok(health)
        });
        let allocator = &mut self.shared.node_ports;
        match given {
            Err(why) => {
                ports.taken.iter().for_each(|&port| allocator.give_back(port));
                Err(why)
            }
            Ok(health) => {
                let kept = |port: u16| ports.given.contains(&port) || health == Some(port);
                let old = held_ports.iter().copied().chain(held_health);
                old.filter(|&port| port != 0 && !kept(port)).for_each(|it| allocator.give_back(it));
                service.node_ports = Arc::from(ports.given);
                service.health_port = health;
                Ok(())
            }
        }
    }

    fn node_ports(
        &mut self,
        service: &Service,
        held: Option<&Service>,
        ports: &mut Ports,
    ) -> Result<(), Status> {
        let spec = &service.spec;
        if !has_node_ports(spec) {
            return Ok(());
        }
        let held_ports: &[u16] = held.map_or(&[], |held| &held.node_ports);
        for (at, port) in spec.ports.iter().enumerate() {
            let shared = ports.of(port);
            // What is asked for by number further down counts for its siblings too.
            let later = || {
                let siblings = spec.ports.iter().filter(|it| it.port == port.port);
                siblings.filter_map(|it| it.node_port).next()
            };
            let before = || held.and_then(|held| held_port(held, port));
            let wanted = match shared {
                Some(_) => port.node_port,
                None => port.node_port.or_else(later).or_else(before),
            };
            let given = match (wanted, shared) {
                (None, None) if !allocates_node_ports(spec) => 0,
                (None, Some(shared)) => shared,
                (Some(wanted), _) if Some(wanted) == shared => wanted,
                (Some(wanted), _) if held_ports.contains(&wanted) => wanted,
                (Some(wanted), _) => {
                    let taken = self.shared.node_ports.take(wanted);
                    taken.map_err(|why| refused_port(service, at, wanted, why))?;
                    ports.taken.push(wanted);
                    wanted
                }
                (None, None) => {
                    let draw = self.shared.luck.draw(NODE_PORT, service.meta.uid.0, at as u64);
                    let given = self.shared.node_ports.take_any(draw);
                    let full = |_| internal("failed to allocate a nodePort: range is full");
                    let given = given.map_err(full)?;
                    ports.taken.push(given);
                    given
                }
            };
            if shared.is_none() && given != 0 {
                ports.by_number.push((port.port, given));
            }
            ports.given.push(given);
        }
        Ok(())
    }

    fn health_port(&mut self, service: &Service, held: Option<u16>) -> Result<Option<u16>, Status> {
        if !has_health_port(&service.spec) {
            return Ok(None);
        }
        if held.is_some() {
            return Ok(held);
        }
        let shared = &mut *self.shared;
        match service.spec.wanted_health_port {
            Some(wanted) => match shared.node_ports.take(wanted) {
                Ok(()) => Ok(Some(wanted)),
                Err(why) => {
                    let why = port_words(why);
                    Err(internal(&format!(
                        "failed to allocate requested HealthCheck NodePort {wanted}: {why}"
                    )))
                }
            },
            None => {
                let draw = shared.luck.draw(HEALTH_PORT, service.meta.uid.0, 0);
                let full = "failed to allocate a HealthCheck NodePort 0: range is full";
                shared.node_ports.take_any(draw).map(Some).map_err(|_| internal(full))
            }
        }
    }

    /// Gives back what a Service had that is gone.
    pub(super) fn release(&mut self, gone: &Service) {
        if let Some(address) = gone.cluster_ip.filter(|_| !is_own(gone)) {
            self.shared.service_range.give_back(address);
        }
        if let Some(address) = gone.cluster_ip6 {
            self.shared.service_range6.give_back(service_place6(address));
        }
        let ports = gone.node_ports.iter().copied().chain(gone.health_port);
        ports.filter(|&port| port != 0).for_each(|it| self.shared.node_ports.give_back(it));
    }
}

/// The node port that a port of this name or number had.
fn held_port(held: &Service, port: &ServicePort) -> Option<u16> {
    let is_it = |it: &ServicePort| it.port == port.port && it.protocol == port.protocol;
    let at = held.spec.ports.iter().position(is_it)?;
    held.node_ports.get(at).copied().filter(|&port| port != 0)
}

/// Whether it is the Service of the API server itself.
fn is_own(service: &Service) -> bool {
    &*service.meta.namespace == "default" && service.meta.name.to_string() == "kubernetes"
}

fn internal(why: &str) -> Status {
    Status::Internal(format!("Internal error occurred: {why}").into())
}

/// The Service is refused for what the text says.
pub(super) fn refused(service: &Service, text: &str) -> Status {
    Status::Invalid(ObjectName::of(Kind::Service, &service.meta), text.into())
}

fn refused_address(service: &Service, wanted: IpAddr, why: AddressError) -> Status {
    let why = match why {
        AddressError::Taken => "provided IP is already allocated",
        AddressError::OutOfRange => "the provided network does not match the current range",
        AddressError::Full => "range is full",
    };
    let all = families::wanted(service).join(",");
    let text =
        format!("spec.clusterIPs: Invalid value: [{all}]: failed to allocate IP {wanted}: {why}");
    refused(service, &text)
}

fn refused_port(service: &Service, at: usize, wanted: u16, why: PortError) -> Status {
    let why = port_words(why);
    refused(service, &format!("spec.ports[{at}].nodePort: Invalid value: {wanted}: {why}"))
}

fn port_words(why: PortError) -> String {
    match why {
        PortError::Taken => "provided port is already allocated".to_owned(),
        PortError::OutOfRange => format!(
            "provided port is not in the valid range. The range of valid ports is {}-{}",
            NODE_PORTS.start(),
            NODE_PORTS.end()
        ),
        PortError::Full => "range is full".to_owned(),
    }
}
