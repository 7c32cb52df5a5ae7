//! NodeUnschedulable: pods keep off cordoned nodes, unless they tolerate the taint that cordoning
//! would set (`plugins/nodeunschedulable`, 1.36).

use super::super::framework::{Code, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::node::{Schedulability, TAINT_UNSCHEDULABLE};
use crate::api::pod::PodSpec;
use crate::api::rules::taints::{Effect, Taint};

/// Its words.
pub const REASON: &str = "node(s) were unschedulable";

/// Rejects cordoned nodes.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    (node.schedulability == Schedulability::Cordoned && !pod.tolerates_cordon())
        .then_some(Rejection::of(Plugin::NodeUnschedulable, Code::UnschedulableAndUnresolvable))
}

/// Whether a pod may be placed on a cordoned node.
pub fn tolerated(spec: &PodSpec) -> bool {
    if spec.tolerations.is_empty() {
        return false;
    }
    let taint = Taint::new(TAINT_UNSCHEDULABLE, "", Effect::NoSchedule);
    spec.tolerations.iter().any(|toleration| toleration.covers(&taint))
}
