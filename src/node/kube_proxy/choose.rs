//! Which endpoints a new connection may go to (kube-proxy 1.36 `pkg/proxy/topology.go`, iptables mode).
//!
//! A chain of rules with chances 1/n, 1/(n-1), .. 1 picks each of n as likely; so does one draw of whoever asks.

use crate::api::node::Node;
use crate::api::service::Endpoint;
use crate::base::Id;

/// Which endpoints traffic of one direction may go to (`internalTrafficPolicy`, `externalTrafficPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrafficPolicy {
    /// Those of all nodes.
    #[default]
    Cluster,
    /// Those of the node the traffic is on.
    Local,
}

/// How endpoints are usable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Ready,
    /// Serving and terminating: where nothing is ready.
    Leaving,
}

fn is_usable(endpoint: &Endpoint, how: Use) -> bool {
    let conditions = endpoint.conditions;
    match how {
        Use::Ready => conditions.ready,
        Use::Leaving => !conditions.ready && conditions.serving && conditions.terminating,
    }
}

/// The endpoints that traffic under `policy` on node `at` may go to: the ready ones, or, if there are
/// none, those that serve while they terminate.
pub fn usable<'a, I>(
    endpoints: I,
    policy: TrafficPolicy,
    at: Id<Node>,
) -> impl Iterator<Item = &'a Endpoint> + Clone
where
    I: Iterator<Item = &'a Endpoint> + Clone,
{
    let near = move |endpoint: &&Endpoint| policy == TrafficPolicy::Cluster || endpoint.node == at;
    let any_ready = endpoints.clone().filter(near).any(|one| is_usable(one, Use::Ready));
    let how = if any_ready { Use::Ready } else { Use::Leaving };
    endpoints.filter(near).filter(move |endpoint| is_usable(endpoint, how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Uid;
    use crate::api::service::EndpointConditions;
    use std::net::Ipv4Addr;

    fn endpoint(host: u8, node: u32, ready: bool, terminating: bool) -> Endpoint {
        Endpoint {
            pod: Id::from_parts(host.into(), 0),
            uid: Uid(host.into()),
            node: Id::from_parts(node, 0),
            ip: Ipv4Addr::new(10, 0, 0, host),
            conditions: EndpointConditions { ready, serving: true, terminating },
        }
    }

    fn here() -> Id<Node> {
        Id::from_parts(0, 0)
    }

    #[test]
    fn what_leaves_is_usable_where_nothing_is_ready() {
        let hosts = |all: &[Endpoint], policy| {
            usable(all.iter(), policy, here()).map(|one| one.ip.octets()[3]).collect::<Vec<_>>()
        };
        let (far, leaving) = (endpoint(1, 1, true, false), endpoint(2, 0, false, true));
        assert_eq!(hosts(&[far], TrafficPolicy::Local), [0; 0]);
        assert_eq!(hosts(&[leaving, far], TrafficPolicy::Local), [2]);
        assert_eq!(hosts(&[leaving, far], TrafficPolicy::Cluster), [1]);
        assert_eq!(hosts(&[endpoint(3, 0, false, false), leaving], TrafficPolicy::Cluster), [2]);
    }
}
