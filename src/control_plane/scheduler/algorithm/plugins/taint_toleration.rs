//! TaintToleration: keeps pods off nodes with taints they do not tolerate, and prefers nodes with
//! fewer unwelcome soft ones (`plugins/tainttoleration`, 1.36).

use super::super::framework::{Code, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::rules::taints::{Effect, first_untolerated};

/// Its words.
pub const REASON: &str = "node(s) had untolerated taint(s)";

/// Whether a taint of this effect keeps pods from being placed.
pub fn keeps_off(effect: Effect) -> bool {
    matches!(effect, Effect::NoSchedule | Effect::NoExecute)
}

/// Rejects nodes with a taint that keeps the pod off.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    first_untolerated(&node.taints, &pod.spec().tolerations, keeps_off)
        .map(|_| Rejection::of(Plugin::TaintToleration, Code::UnschedulableAndUnresolvable))
}

/// How many soft taints the pod does not tolerate; fewer is better.
pub fn score(pod: &PodShape, node: &NodeInfo) -> i64 {
    let tolerations = &pod.spec().tolerations;
    node.taints
        .iter()
        .filter(|taint| taint.effect == Effect::PreferNoSchedule)
        .filter(|taint| !tolerations.iter().any(|toleration| toleration.covers(taint)))
        .count() as i64
}
