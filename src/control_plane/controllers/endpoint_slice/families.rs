//! Which families of addresses the slices of a Service hold (`getAddressTypesForService` of Kubernetes
//! 1.36 staging/src/k8s.io/endpointslice/utils.go).

use crate::api::ip_family::{Families, IpFamily};
use crate::api::service::Service;

/// The families there are slices of, in the order in which they are looked after. A Service that comes
/// from a cluster older than families has that of its address; a headless one may have both.
pub fn of_service(service: &Service) -> &'static [IpFamily] {
    if !service.families.is_unsaid() {
        return service.families.list();
    }
    match (service.cluster_ip, service.cluster_ip6) {
        (Some(_), _) => Families::V4.list(),
        (None, Some(_)) => Families::V6.list(),
        (None, None) => Families::V4V6.list(),
    }
}

/// Whether pods have addresses of a family, in a cluster of these families.
pub(super) fn have(cluster: Families, family: IpFamily) -> bool {
    cluster.has(family) || (cluster.is_unsaid() && family == IpFamily::V4)
}
