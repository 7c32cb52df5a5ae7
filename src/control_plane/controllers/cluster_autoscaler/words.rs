//! What the autoscaler says, in its own words (core/scaleup/orchestrator, processors/status,
//! core/scaledown/actuation of cluster-autoscaler 1.36).

use std::collections::BTreeMap;

use crate::api::kind::Kind;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::controllers::{Known, Timer};
use crate::messages::core_event::Source;
use crate::messages::{About, CoreEvent, Effects, Remark};

fn source() -> Source {
    Source::Core { component: "cluster-autoscaler", host: None }
}

fn of_node(
    id: Id<Node>,
    known: Known<'_>,
    fx: &mut Effects<Timer>,
    remark: impl FnOnce() -> Remark,
) {
    fx.say(|| {
        let about = About::of(Kind::Node, &known.view.get(id)?.meta);
        Some(CoreEvent { source: source(), about, remark: remark() })
    });
}

fn of_pod(id: Id<Pod>, known: Known<'_>, fx: &mut Effects<Timer>, remark: impl FnOnce() -> Remark) {
    fx.say(|| {
        let about = About::of(Kind::Pod, &known.view.get(id)?.meta);
        Some(CoreEvent { source: source(), about, remark: remark() })
    });
}

/// A node is to go.
pub fn marked(id: Id<Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
    of_node(id, known, fx, || {
        Remark::normal("ScaleDown", "marked the node as toBeDeleted/unschedulable")
    });
}

/// A pod has to leave its node.
pub fn evicting(id: Id<Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
    of_pod(id, known, fx, || Remark::normal("ScaleDown", "deleting pod for node scale down"));
}

/// A node's machine is given back.
pub fn removed(id: Id<Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
    of_node(id, known, fx, || Remark::normal("ScaleDown", "nodes removed by cluster autoscaler"));
}

/// Pods would not leave a node.
pub fn drain_failed(id: Id<Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
    of_node(id, known, fx, || {
        Remark::warning("ScaleDownFailed", "failed to drain the node, aborting ScaleDown")
    });
}

/// A group that grows: its name, and its sizes before, then, and at most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Growth {
    /// Its name.
    pub group: String,
    /// Before.
    pub from: u32,
    /// After.
    pub to: u32,
    /// At most.
    pub max: u32,
}

/// Pods led to nodes being added.
pub fn triggered(pods: &[Id<Pod>], growth: &[Growth], known: Known<'_>, fx: &mut Effects<Timer>) {
    let written: Vec<String> = growth
        .iter()
        .map(|one| format!("{{{} {}->{} (max: {})}}", one.group, one.from, one.to, one.max))
        .collect();
    let message = format!("pod triggered scale-up: [{}]", written.join(" "));
    for &pod in pods {
        of_pod(pod, known, fx, || Remark::normal("TriggeredScaleUp", message.clone()));
    }
}

/// Why no group helps, as one sentence: how many groups for which reason (`ReasonsMessage`).
pub fn reasons(of_groups: &[Vec<String>]) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for reason in of_groups.iter().flatten() {
        *counts.entry(reason).or_insert(0) += 1;
    }
    let mut lines: Vec<String> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    lines.sort();
    match lines.is_empty() {
        true => "pod didn't trigger scale-up:".to_owned(),
        false => format!("pod didn't trigger scale-up: {}", lines.join(", ")),
    }
}

/// A pod did not lead to nodes being added.
pub fn not_triggered(pod: Id<Pod>, message: &str, known: Known<'_>, fx: &mut Effects<Timer>) {
    of_pod(pod, known, fx, || Remark::normal("NotTriggerScaleUp", message.to_owned()));
}
