//! Cluster addresses and ports of nodes of Services: given at creation, taken and given back as a
//! Service changes, given back when it goes (`pkg/registry/core/service/storage/alloc.go`, 1.36).

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Server;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::service::{
    Exposure, ExternalTraffic, LoadBalancerPorts, Service, ServicePort, ServiceSpec,
};
use crate::api::status::Status;
use crate::luck::Label;
use crate::net::address::AddressError;
use crate::net::node_ports::{NODE_PORTS, PortError};

const CLUSTER_IP: Label = Label::new("cluster-ip");
const NODE_PORT: Label = Label::new("node-port");
const HEALTH_PORT: Label = Label::new("health-check-node-port");

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
        let held_ip = held.and_then(|held| held.cluster_ip);
        service.cluster_ip = match held_ip.filter(|_| service.spec.exposure.has_address()) {
            Some(held) => Some(held),
            None => self.address(service)?,
        };
        if let Err(why) = self.allocate_ports(service, held) {
            if let Some(given) = service.cluster_ip.filter(|_| held_ip.is_none()) {
                self.shared.service_range.give_back(given);
            }
            return Err(why);
        }
        if let Some(old) = held_ip.filter(|_| service.cluster_ip.is_none()) {
            self.shared.service_range.give_back(old);
        }
        Ok(())
    }

    fn address(&mut self, service: &Service) -> Result<Option<Ipv4Addr>, Status> {
        let (shared, spec) = (&mut *self.shared, &service.spec);
        match spec.wanted_ip {
            _ if !spec.exposure.has_address() => Ok(None),
            // The API server's own Service has had its address from the start.
            Some(wanted) if is_own(service) && wanted == shared.service_range.first() => {
                Ok(Some(wanted))
            }
            Some(wanted) => match shared.service_range.take(wanted) {
                Ok(()) => Ok(Some(wanted)),
                Err(why) => Err(refused_address(service, wanted, why)),
            },
            None => {
                let draw = shared.luck.draw(CLUSTER_IP, service.meta.uid.0, 0);
                let given = shared.service_range.take_any(draw);
                given
                    .map(Some)
                    .map_err(|_| internal("failed to allocate a serviceIP: range is full"))
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

fn refused_address(service: &Service, wanted: Ipv4Addr, why: AddressError) -> Status {
    let why = match why {
        AddressError::Taken => "provided IP is already allocated",
        AddressError::OutOfRange => "the provided network does not match the current range",
        AddressError::Full => "range is full",
    };
    let text = format!(
        "spec.clusterIPs: Invalid value: [\"{wanted}\"]: failed to allocate IP {wanted}: {why}"
    );
    Status::Invalid(ObjectName::of(Kind::Service, &service.meta), text.into())
}

fn refused_port(service: &Service, at: usize, wanted: u16, why: PortError) -> Status {
    let why = port_words(why);
    let text = format!("spec.ports[{at}].nodePort: Invalid value: {wanted}: {why}");
    Status::Invalid(ObjectName::of(Kind::Service, &service.meta), text.into())
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
