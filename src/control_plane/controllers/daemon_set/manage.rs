//! Which pods of a DaemonSet come and go whatever its template does: one a node that is to run one
//! (`manage`, `podsShouldBeOnNode`, kube-controller-manager 1.36 pkg/controller/daemon).
//!
//! Owns that choice for each node; refuses to know what is held back by back-off, which is told to
//! it pod by pod.

use super::nodes::{Held, Place, Scene, allows_surge, sort};
use super::placement::Fit;
use crate::api::node::Node;
use crate::api::pod::{Phase, Pod};
use crate::base::id::Id;
use crate::control_plane::controllers::history::REVISION_HASH;

/// What a sync is to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Nodes that get a pod.
    pub create: Vec<Id<Node>>,
    /// Pods that go.
    pub delete: Vec<Id<Pod>>,
    /// Of those, the ones that failed or are done: each is worth an Event.
    pub ended: Vec<Id<Pod>>,
}

/// What becomes of a failed pod now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// It is deleted, so that another takes its place.
    Goes,
    /// It stays until its back-off is over.
    Waits,
}

/// What is to be done on all nodes. `failed` is asked about each failed pod.
pub fn manage(
    scene: &Scene<'_>,
    failed: &mut impl FnMut(Option<Id<Node>>, Id<Pod>) -> Failed,
) -> Changes {
    let mut changes = Changes::default();
    for place in &scene.places {
        let Some(node) = place.node else {
            // Pods for a node that is not there, not bound to any.
            let unbound = place.pods.iter().filter(|(_, pod)| pod.node.is_none());
            changes.delete.extend(unbound.map(|(id, _)| *id));
            continue;
        };
        match place.fit {
            Fit::Runs if place.pods.is_empty() => changes.create.push(node),
            Fit::Runs | Fit::Keeps => keep(scene, place, failed, &mut changes),
            Fit::Never => {
                let staying = place.pods.iter().filter(|(_, pod)| !pod.meta.is_terminating());
                changes.delete.extend(staying.map(|(id, _)| *id));
            }
        }
    }
    changes
}

fn keep(
    scene: &Scene<'_>,
    place: &Place<'_>,
    failed: &mut impl FnMut(Option<Id<Node>>, Id<Pod>) -> Failed,
    changes: &mut Changes,
) {
    let mut running: Vec<Held<'_>> = Vec::new();
    for &(id, pod) in place.pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()) {
        match pod.status.phase {
            Phase::Failed if failed(place.node, id) == Failed::Waits => {}
            Phase::Failed | Phase::Succeeded => {
                changes.delete.push(id);
                changes.ended.push(id);
            }
            Phase::Pending | Phase::Running | Phase::Unknown => running.push((id, pod)),
        }
    }
    if running.len() <= 1 {
        return;
    }
    sort(&mut running);
    if !allows_surge(scene.set.update) {
        changes.delete.extend(running[1..].iter().map(|(id, _)| *id));
        return;
    }
    // The oldest of the newest template and the oldest of another may stand side by side while the
    // new one is not available and the old one is ready.
    let (mut new, mut old): (Option<Held<'_>>, Option<Held<'_>>) = (None, None);
    for one in running {
        let is_new = one.1.meta.labels.get(REVISION_HASH).is_some_and(|it| **it == *scene.hash);
        let slot = if is_new { &mut new } else { &mut old };
        match slot {
            None => *slot = Some(one),
            Some(_) => changes.delete.push(one.0),
        }
    }
    if let (Some(new), Some(old)) = (new, old)
        && (!old.1.is_ready() || scene.is_available(new.1))
    {
        changes.delete.push(old.0);
    }
}
