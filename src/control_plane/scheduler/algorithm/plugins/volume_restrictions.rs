//! VolumeRestrictions: one disk cannot be mounted by two pods of a node unless both only read, and a
//! claim with access mode ReadWriteOncePod has one pod (`plugins/volumerestrictions`, 1.36).

use super::super::framework::{Code, Plugin, Question, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::name::Text;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::AccessModes;

/// A disk is mounted by another pod of the node.
const DISK: &str = "node(s) had no available disk";
/// Another pod has the claim.
const ONCE_POD: &str = "node has pod using PersistentVolumeClaim with the same name and \
                        ReadWriteOncePod access mode";

/// What PreFilter worked out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The pod's claims that only one pod may use.
    once_pod: Vec<Text>,
    /// How many of them are in use, pods added and taken away in thought included.
    in_use: i64,
}

fn named(pod: &PodShape) -> impl Iterator<Item = &Text> {
    pod.spec().volumes.claims.iter().filter_map(|claim| match claim {
        PodClaim::Named(name) => Some(name),
        PodClaim::Ephemeral(_) => None,
    })
}

/// PreFilter: no state where there is nothing to filter.
///
/// # Errors
/// A claim that is not there.
pub fn pre_filter(q: Question<'_>) -> Result<Option<State>, Refusal> {
    let volumes = q.snapshot.surroundings().volumes();
    let mut once_pod: Vec<Text> = Vec::new();
    for name in named(q.pod) {
        let Some(claim) = volumes.claim(q.pod.namespace(), name) else {
            return Err(Refusal {
                plugin: Plugin::VolumeRestrictions,
                code: Code::UnschedulableAndUnresolvable,
                words: format!("persistentvolumeclaim \"{name}\" not found").into(),
            });
        };
        if claim.spec.access.has(AccessModes::READ_WRITE_ONCE_POD) && !once_pod.contains(name) {
            once_pod.push(name.clone());
        }
    }
    let is_used = |name: &&Text| {
        let mut residents = q.snapshot.nodes().flat_map(|node| &node.pods);
        residents.any(|resident| {
            let shape = &resident.shape;
            shape.namespace() == q.pod.namespace() && named(shape).any(|held| held == *name)
        })
    };
    let in_use = once_pod.iter().filter(is_used).count() as i64;
    let filters = in_use > 0 || !q.pod.spec().volumes.disks.is_empty();
    Ok(filters.then_some(State { once_pod, in_use }))
}

impl State {
    /// A pod comes (1) or goes (-1) in thought. The real plugin counts by the claims' names alone,
    /// whatever namespace the pod is of; so do we.
    pub fn shift(&mut self, pod: &PodShape, by: i64) {
        let held = named(pod).filter(|name| self.once_pod.contains(name)).count() as i64;
        self.in_use += by * held;
    }
}

/// Rejects nodes where a disk is mounted, and every node while a claim is in use.
pub fn filter(state: &State, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let reject = |detail| Rejection {
        plugin: Plugin::VolumeRestrictions,
        code: Code::Unschedulable,
        detail,
    };
    let wanted = &pod.spec().volumes.disks;
    let mounted = node.pods.iter().flat_map(|resident| &resident.shape.spec().volumes.disks);
    let clashes = !wanted.is_empty()
        && mounted.into_iter().any(|held| wanted.iter().any(|disk| disk.clashes(held)));
    match () {
        () if clashes => Some(reject(0)),
        () if state.in_use > 0 => Some(reject(1)),
        () => None,
    }
}

/// The words for what is wrong.
pub fn reason(detail: u64) -> &'static str {
    if detail == 0 { DISK } else { ONCE_POD }
}
