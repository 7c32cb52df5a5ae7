//! What a DaemonSet has and wants on each node, as one sync sees it, and the status that follows
//! (`getNodesToDaemonPods`, `updateDaemonSetStatus`, kube-controller-manager 1.36
//! pkg/controller/daemon).

use super::placement::Fit;
use crate::api::daemon_set::{DaemonSet, DaemonSetStatus, DaemonUpdate};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::workload::{IntOrPercent, Rounding};
use crate::base::id::Id;
use crate::control_plane::controllers::history::REVISION_HASH;
use crate::time::SimTime;

/// Label of a pod: how often the template had changed when it was made.
pub const POD_GENERATION: &str = "pod-template-generation";

/// A pod with its id.
pub type Held<'a> = (Id<Pod>, &'a Pod);

/// A node, and the DaemonSet's pods that are on it or for it. Pods that are done and being deleted
/// are left out.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The node; none: it is not there (any more).
    pub node: Option<Id<Node>>,
    /// How it stands to the DaemonSet.
    pub fit: Fit,
    /// The pods, the oldest first.
    pub pods: Vec<Held<'a>>,
}

/// What is known when a sync acts.
pub struct Scene<'a> {
    /// The DaemonSet.
    pub set: &'a DaemonSet,
    /// The hash of its newest revision.
    pub hash: &'a str,
    /// All nodes, then what pods are for nodes that are not there.
    pub places: Vec<Place<'a>>,
    /// Now.
    pub now: SimTime,
}

/// Of how many nodes there may be no available pod, and how many may have two, while pods are
/// replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// `maxUnavailable` in nodes.
    pub max_unavailable: i32,
    /// `maxSurge` in nodes.
    pub max_surge: i32,
}

/// The older pod, by the second of creation and then by name; a pod without node comes last
/// (`podByCreationTimestampAndPhase`).
pub fn sort(pods: &mut [Held<'_>]) {
    let key = |(_, pod): &Held<'_>| (pod.node.is_none(), pod.meta.created.as_secs());
    pods.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.1.meta.name.cmp(&b.1.meta.name)));
}

/// Whether a pod is of the newest template, by generation or by hash (`IsPodUpdated`).
pub fn is_updated(pod: &Pod, hash: &str, template_generation: i64) -> bool {
    let label = |key: &str| pod.meta.labels.get(key).map(AsRef::as_ref);
    let of_generation = template_generation > 0
        && label(POD_GENERATION) == Some(template_generation.to_string().as_str());
    of_generation || (!hash.is_empty() && label(REVISION_HASH) == Some(hash))
}

/// Whether there may be two pods on a node while pods are replaced (`AllowsSurge`).
pub fn allows_surge(update: DaemonUpdate) -> bool {
    match update {
        DaemonUpdate::RollingUpdate { max_surge: IntOrPercent::Int(number), .. } => number > 0,
        DaemonUpdate::RollingUpdate { max_surge: IntOrPercent::Percent(share), .. } => share > 0,
        DaemonUpdate::OnDelete => false,
    }
}

/// The bounds among so many nodes (`updatedDesiredNodeCounts`): percents rounded up; where both come
/// to nothing, one may be unavailable.
pub fn bounds(update: DaemonUpdate, desired: i32) -> Bounds {
    let DaemonUpdate::RollingUpdate { max_unavailable, max_surge } = update else {
        return Bounds { max_unavailable: 0, max_surge: 0 };
    };
    let mut max_unavailable = max_unavailable.of(desired, Rounding::Up);
    let max_surge = max_surge.of(desired, Rounding::Up);
    if desired > 0 && max_unavailable == 0 && max_surge == 0 {
        max_unavailable = 1;
    }
    Bounds { max_unavailable, max_surge }
}

impl Scene<'_> {
    /// Whether a pod has been ready for long enough.
    pub fn is_available(&self, pod: &Pod) -> bool {
        pod.is_available(self.set.min_ready_seconds, self.now)
    }

    /// Whether a pod is of the newest template.
    pub fn is_updated(&self, pod: &Pod) -> bool {
        is_updated(pod, self.hash, self.set.template_generation)
    }

    /// How many nodes are to run a pod.
    pub fn desired(&self) -> i32 {
        self.places.iter().filter(|place| place.fit == Fit::Runs).count() as i32
    }

    /// The status as things stand; the generation it speaks of is the DaemonSet's.
    pub fn status(&self) -> DaemonSetStatus {
        let mut status = DaemonSetStatus {
            observed_generation: self.set.meta.generation,
            collision_count: self.set.status.collision_count,
            ..DaemonSetStatus::default()
        };
        for place in self.places.iter().filter(|place| place.node.is_some()) {
            let oldest = place.pods.first();
            if place.fit != Fit::Runs {
                status.misscheduled += i32::from(oldest.is_some());
                continue;
            }
            status.desired += 1;
            if let Some((_, pod)) = oldest {
                status.current += 1;
                status.ready += i32::from(pod.is_ready());
                status.available += i32::from(self.is_available(pod));
                status.updated += i32::from(self.is_updated(pod));
            }
        }
        status.unavailable = status.desired - status.available;
        status
    }
}
