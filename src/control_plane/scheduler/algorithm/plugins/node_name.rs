//! NodeName: a pod that names its node goes nowhere else (`plugins/nodename`, 1.36).

use super::super::framework::{Code, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;

/// Its words.
pub const REASON: &str = "node(s) didn't match the requested node name";

/// Rejects nodes of other names.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let wanted = pod.spec().node_name.as_ref()?;
    (!wanted.is_empty() && node.name != **wanted)
        .then_some(Rejection::of(Plugin::NodeName, Code::UnschedulableAndUnresolvable))
}
