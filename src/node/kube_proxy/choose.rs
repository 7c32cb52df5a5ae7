//! Which endpoints a new connection may go to (kube-proxy 1.36 `pkg/proxy/topology.go`, iptables mode).
//!
//! A chain of rules with chances 1/n, 1/(n-1), .. 1 picks each of n as likely; so does one draw of whoever asks.

use crate::api::node::Node;
use crate::api::service::{Endpoint, Hint, NodeHint};
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

/// An endpoint, and for whom its slice says it is.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// For whom it is.
    pub hint: Option<&'a Hint>,
}

/// Where the traffic is.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// On this node,
    pub node: Id<Node>,
    /// in this zone, empty if the node names none.
    pub zone: &'a str,
}

/// By which hints endpoints are picked (`topologyModeFromHints`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Near {
    Anywhere,
    Zone,
    Node,
}

impl Candidate<'_> {
    fn is_for_zone(&self, here: Here<'_>) -> bool {
        self.hint.is_some_and(|hint| hint.zone.as_deref() == Some(here.zone))
    }

    fn is_for_node(&self, here: Here<'_>) -> bool {
        let has_hint = self.hint.is_some_and(|hint| hint.node == NodeHint::Own);
        has_hint && self.endpoint.node == here.node
    }

    fn is_near(&self, near: Near, here: Here<'_>) -> bool {
        match near {
            Near::Anywhere => true,
            Near::Zone => self.is_for_zone(here),
            Near::Node => self.is_for_node(here),
        }
    }
}

/// Hints count only where every ready endpoint has one, and one of them is for this node or zone.
fn nearness<'a>(ready: impl Iterator<Item = Candidate<'a>>, here: Here<'_>) -> Near {
    let (mut nodes, mut zones) = ((true, false), (true, false));
    for one in ready {
        nodes.0 &= one.hint.is_some_and(|hint| hint.node == NodeHint::Own);
        nodes.1 |= one.is_for_node(here);
        zones.0 &= one.hint.is_some_and(|hint| hint.zone.is_some());
        zones.1 |= one.is_for_zone(here);
    }
    match (nodes, zones) {
        ((true, true), _) => Near::Node,
        (_, (true, true)) => Near::Zone,
        _ => Near::Anywhere,
    }
}

/// The endpoints that traffic under `policy` may go to from `here`: the ready ones, near ones only if
/// hints say so; or, if there are none, those that serve while they terminate. Under
/// [`TrafficPolicy::Local`] hints do not count.
pub fn usable<'a, I>(
    candidates: I,
    policy: TrafficPolicy,
    here: Here<'_>,
) -> impl Iterator<Item = &'a Endpoint> + Clone
where
    I: Iterator<Item = Candidate<'a>> + Clone,
{
    let is_in_reach = move |one: &Candidate<'_>| {
        policy == TrafficPolicy::Cluster || one.endpoint.node == here.node
    };
    let ready = candidates.clone().filter(is_in_reach);
    let ready = ready.filter(|one| is_usable(one.endpoint, Use::Ready));
    let how = if ready.clone().next().is_some() { Use::Ready } else { Use::Leaving };
    let near = match policy {
        TrafficPolicy::Cluster => nearness(ready, here),
        TrafficPolicy::Local => Near::Anywhere,
    };
    let picked = candidates.filter(is_in_reach);
    picked
        .filter(move |one| is_usable(one.endpoint, how) && one.is_near(near, here))
        .map(|one| one.endpoint)
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

    fn hosts(all: &[(Endpoint, Option<Hint>)], policy: TrafficPolicy, here: Here<'_>) -> Vec<u8> {
        let all = all.iter().map(|(endpoint, hint)| Candidate { endpoint, hint: hint.as_ref() });
        usable(all, policy, here).map(|one| one.ip.octets()[3]).collect()
    }

    #[test]
    fn what_leaves_is_usable_where_nothing_is_ready() {
        let here = Here { node: Id::from_parts(0, 0), zone: "" };
        let (far, leaving) =
            ((endpoint(1, 1, true, false), None), (endpoint(2, 0, false, true), None));
        let hosts = |all: &[_], policy| hosts(all, policy, here);
        assert_eq!(hosts(std::slice::from_ref(&far), TrafficPolicy::Local), [0; 0]);
        assert_eq!(hosts(&[leaving.clone(), far.clone()], TrafficPolicy::Local), [2]);
        assert_eq!(hosts(&[leaving.clone(), far], TrafficPolicy::Cluster), [1]);
        let unready = (endpoint(3, 0, false, false), None);
        assert_eq!(hosts(&[unready, leaving], TrafficPolicy::Cluster), [2]);
    }

    #[test]
    fn the_own_node_is_preferred_then_the_own_zone_then_all() {
        let for_zone = |zone: &str| Some(Hint { zone: Some(zone.into()), node: NodeHint::Own });
        let all: Vec<_> = [(1, 0, "a"), (2, 1, "a"), (3, 2, "b")]
            .map(|(host, node, zone)| (endpoint(host, node, true, false), for_zone(zone)))
            .into();
        let from = |node, zone| {
            let here = Here { node: Id::from_parts(node, 0), zone };
            hosts(&all, TrafficPolicy::Cluster, here)
        };
        assert_eq!(from(1, "a"), [2]);
        assert_eq!(from(7, "a"), [1, 2]);
        assert_eq!(from(7, "c"), [1, 2, 3]);
        assert_eq!(from(7, ""), [1, 2, 3]);
    }
}
