//! Which ports of a pod the ports of a Service lead to (`getEndpointPorts` and `FindPort` of
//! Kubernetes 1.36 staging/src/k8s.io/endpointslice/util).

use std::sync::Arc;

use crate::api::pod::{Lifetime, PodSpec};
use crate::api::service::{EndpointPort, ServicePort, ServiceSpec, TargetPort};

/// The ports all endpoints of a slice serve.
pub type Ports = Arc<[EndpointPort]>;

/// Whether the ports are the same for every pod.
pub fn are_fixed(spec: &ServiceSpec) -> bool {
    spec.ports.iter().all(|port| matches!(port.target, TargetPort::Number(_)))
}

/// The ports of `service` on a pod of this spec. A port whose name no container has is left out.
pub fn of_pod(service: &ServiceSpec, pod: Option<&PodSpec>) -> Ports {
    let ports = service.ports.iter();
    let of = |it: &ServicePort| {
        let (name, app_protocol) = (it.name.clone(), it.app_protocol.clone());
        Some(EndpointPort { name, port: find(it, pod)?, protocol: it.protocol, app_protocol })
    };
    ports.filter_map(of).collect()
}

/// The port of the pod that `port` leads to.
pub fn find(port: &ServicePort, pod: Option<&PodSpec>) -> Option<u16> {
    let wanted = match &port.target {
        TargetPort::Number(number) => return Some(*number),
        TargetPort::Name(name) => name,
    };
    let pod = pod?;
    let sidecars = pod.init_containers.iter().filter(|one| one.lifetime == Lifetime::Sidecar);
    let mut declared = pod.containers.iter().chain(sidecars).flat_map(|one| &one.ports);
    let found = declared.find(|one| one.name == *wanted && one.protocol == port.protocol)?;
    Some(found.port)
}
