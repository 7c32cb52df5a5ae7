//! The iptables rules of a node's kube-proxy, for people who want to see how a Service comes about.

use super::Moment;
use crate::api::ip_family::{Families, IpFamily};
use crate::api::node::Node;
use crate::api::service::{EndpointSlice, Service};
use crate::base::id::Id;
use crate::node::kube_proxy::choose::Here;
use crate::node::kube_proxy::rules::{portals, rules};

/// What the kube-proxy of a node goes by at this moment, or will within its next sync: Services in the
/// order of their names, one block a family. `None`: there is no such node.
pub fn proxy_rules(moment: Moment<'_>, node: &str) -> Option<String> {
    let id: Id<Node> = moment.store.find("", node)?;
    let of = moment.store.get(id)?;
    let here = Here { node: id, zone: of.zone() };
    let mut services: Vec<(Id<Service>, &Service)> =
        moment.store.table::<Service>().iter().collect();
    services.sort_by_key(|(_, it)| (it.meta.namespace.clone(), it.meta.name.to_string()));
    let families = match moment.families {
        Families::Unsaid => Families::V4,
        said => said,
    };
    let blocks = families.list().iter().map(|&family| {
        let program = if family == IpFamily::V4 { "iptables" } else { "ip6tables" };
        let each = services.iter().flat_map(|&(id, service)| {
            portals(service, &slices_of(moment, id, family), family, here)
        });
        let rules = rules(&each.collect::<Vec<_>>(), family);
        format!("# {program}-restore of the kube-proxy on {node}\n{rules}")
    });
    Some(blocks.collect::<Vec<_>>().join("\n"))
}

/// The slices of a Service that hold this family, by name.
fn slices_of(moment: Moment<'_>, service: Id<Service>, family: IpFamily) -> Vec<&EndpointSlice> {
    let all = moment.store.table::<EndpointSlice>().iter().map(|(_, slice)| slice);
    let is_of = |slice: &&EndpointSlice| {
        let owner = slice.meta.owner.map(|owner| owner.at.typed::<Service>());
        owner == Some(service) && slice.family == family
    };
    let mut slices: Vec<&EndpointSlice> = all.filter(is_of).collect();
    slices.sort_by_key(|slice| slice.meta.name.to_string());
    slices
}
