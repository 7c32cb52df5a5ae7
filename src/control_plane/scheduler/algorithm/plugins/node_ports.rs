//! NodePorts: two pods on one node cannot hold the same port of the host (`plugins/nodeports`, 1.36).

use super::super::framework::{Code, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::rules::ports::HostPort;

/// Its words.
pub const REASON: &str = "node(s) didn't have free ports for the requested pod ports";

/// Whether any of `wanted` clashes with any of `taken`.
pub fn clash(wanted: &[HostPort], taken: &[HostPort]) -> bool {
    wanted.iter().any(|port| taken.iter().any(|other| port.clashes(other)))
}

/// Rejects nodes where a port is taken.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    clash(&pod.spec().host_ports, &node.ports)
        .then_some(Rejection::of(Plugin::NodePorts, Code::Unschedulable))
}
