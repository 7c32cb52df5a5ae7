//! Which endpoint a new connection goes to (kube-proxy 1.36 `pkg/proxy/topology.go`, iptables mode).
//!
//! A chain of rules with chances 1/n, 1/(n-1), .. 1 picks each of n endpoints as likely; so does one draw.

use crate::api::node::Node;
use crate::api::service::Endpoint;
use crate::base::Id;
use crate::luck::Draw;

/// Which endpoints traffic of one direction may go to (`internalTrafficPolicy`, `externalTrafficPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrafficPolicy {
    /// Those of all nodes.
    #[default]
    Cluster,
    /// Those of the node the traffic is on.
    Local,
}

/// What becomes of a new connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// It goes to this endpoint.
    To(Endpoint),
    /// It is refused at once: the Service has no endpoints.
    Rejected,
    /// It is lost without a word: there are endpoints, but none on this node.
    Dropped,
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

/// Where a connection under `policy` that starts on node `at` goes.
pub fn choose<'a, I>(endpoints: I, policy: TrafficPolicy, at: Id<Node>, draw: Draw) -> Choice
where
    I: Iterator<Item = &'a Endpoint> + Clone,
{
    let mut candidates = usable(endpoints.clone(), policy, at);
    let count = candidates.clone().count() as u64;
    if count > 0 {
        let picked = candidates.nth(draw.below(count) as usize);
        return picked.map_or(Choice::Rejected, |endpoint| Choice::To(*endpoint));
    }
    match usable(endpoints, TrafficPolicy::Cluster, at).next() {
        Some(_) => Choice::Dropped,
        None => Choice::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Uid;
    use crate::api::service::EndpointConditions;
    use crate::luck::{Label, Luck};
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
    fn each_ready_endpoint_is_as_likely() {
        let all = [1, 2, 3].map(|host| endpoint(host, 1, true, false));
        let mut hits = [0; 4];
        for i in 0..30_000 {
            let draw = Luck::new(9).draw(Label::new("choice"), 1, i);
            if let Choice::To(to) = choose(all.iter(), TrafficPolicy::Cluster, here(), draw) {
                hits[usize::from(to.ip.octets()[3])] += 1;
            }
        }
        // Standard deviation 82; four of them.
        assert!(hits[1..].iter().all(|&n| (9_670..10_330).contains(&n)), "{hits:?}");
    }

    #[test]
    fn local_traffic_with_endpoints_elsewhere_only_is_dropped_and_without_any_refused() {
        let far = [endpoint(1, 1, true, false)];
        let draw = || Draw::from_bits(0);
        let local = |all: &[Endpoint]| choose(all.iter(), TrafficPolicy::Local, here(), draw());
        assert_eq!((local(&far), local(&[])), (Choice::Dropped, Choice::Rejected));
        let leaving = [endpoint(1, 0, false, true), far[0]];
        assert_eq!(local(&leaving), Choice::To(leaving[0]), "better one that leaves than none");
        assert_eq!(
            choose(leaving.iter(), TrafficPolicy::Cluster, here(), draw()),
            Choice::To(far[0])
        );
    }
}
