//! On which nodes a DaemonSet runs a pod (`NodeShouldRunDaemonPod`, kube-controller-manager 1.36
//! pkg/controller/daemon), by the rules the scheduler's plugins NodeName, NodeAffinity and
//! TaintToleration go by; and what its pods tolerate besides (pkg/controller/daemon/util).

use crate::api::node::{Node, TAINT_NOT_READY, TAINT_UNREACHABLE, TAINT_UNSCHEDULABLE};
use crate::api::pod::{PodNetwork, PodSpec};
use crate::api::rules::taints::{Comparison, Effect, Toleration, first_untolerated};
use crate::control_plane::controllers::node_lifecycle::taints::{
    TAINT_DISK_PRESSURE, TAINT_MEMORY_PRESSURE, TAINT_PID_PRESSURE,
};

/// Taint of a node without network yet (`k8s.io/api/core/v1`, 1.36).
const TAINT_NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";

/// How a node stands to a DaemonSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// It is to run a pod.
    Runs,
    /// It is not to get one, but may keep the one it has.
    Keeps,
    /// It is to have none.
    Never,
}

/// What a DaemonSet's pods tolerate whatever their template says.
pub fn tolerations(template: &PodSpec) -> Vec<Toleration> {
    let exists = |(key, effect): (&str, Effect)| Toleration {
        key: key.into(),
        comparison: Comparison::Exists,
        value: "".into(),
        effect: Some(effect),
        seconds: None,
    };
    let always = [
        (TAINT_NOT_READY, Effect::NoExecute),
        (TAINT_UNREACHABLE, Effect::NoExecute),
        (TAINT_DISK_PRESSURE, Effect::NoSchedule),
        (TAINT_MEMORY_PRESSURE, Effect::NoSchedule),
        (TAINT_PID_PRESSURE, Effect::NoSchedule),
        (TAINT_UNSCHEDULABLE, Effect::NoSchedule),
    ];
    let host = (template.network == PodNetwork::Host)
        .then_some((TAINT_NETWORK_UNAVAILABLE, Effect::NoSchedule));
    always.into_iter().chain(host).map(exists).collect()
}

/// How `node` stands to a DaemonSet of this template, whose pods tolerate `tolerations`.
pub fn fit(template: &PodSpec, tolerations: &[Toleration], node: &Node) -> Fit {
    let labels = &node.meta.labels;
    let is_named = template.node_name.as_deref().is_none_or(|name| node.meta.name == *name);
    let is_selected = template.node_selector.iter().all(|(key, it)| labels.get(key) == Some(it));
    let is_wanted = || template.node_affinity.allows(&node.meta.name.to_string(), labels);
    if !is_named || !is_selected || !is_wanted() {
        return Fit::Never;
    }
    let untolerated = |effects: &[Effect]| {
        first_untolerated(&node.taints, tolerations, |effect| effects.contains(&effect)).is_some()
    };
    if !untolerated(&[Effect::NoSchedule, Effect::NoExecute]) {
        Fit::Runs
    } else if untolerated(&[Effect::NoExecute]) {
        Fit::Never
    } else {
        Fit::Keeps
    }
}

/// Whether a change of a node can change what DaemonSets do there (`shouldIgnoreNodeUpdate`).
pub fn matters(old: &Node, new: &Node) -> bool {
    old.meta.labels != new.meta.labels || old.taints != new.taints
}
