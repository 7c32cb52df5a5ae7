//! Which pods of an old template go, and which nodes get a second pod, while a DaemonSet's pods are
//! replaced (`rollingUpdate`, kube-controller-manager 1.36 pkg/controller/daemon/update.go).
//!
//! Pods being deleted do not count as unavailable, so that a rollout goes on past dead nodes. Nodes
//! are taken in their order; upstream takes them in none.

use super::manage::Changes;
use super::nodes::{Held, Scene, bounds};
use super::placement::Fit;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;

/// The pods of one node that stay, by template.
enum Pair<'a> {
    None,
    New(Held<'a>),
    Old(Held<'a>),
    Both {
        new: Held<'a>,
        old: Held<'a>,
    },
    /// Several of one template: left to [`super::manage`].
    Excess,
}

fn pair<'a>(scene: &Scene<'_>, pods: &[Held<'a>]) -> Pair<'a> {
    let (mut new, mut old) = (None, None);
    for one in pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()) {
        let slot = if scene.is_updated(one.1) { &mut new } else { &mut old };
        if slot.replace(*one).is_some() {
            return Pair::Excess;
        }
    }
    match (new, old) {
        (None, None) => Pair::None,
        (Some(new), None) => Pair::New(new),
        (None, Some(old)) => Pair::Old(old),
        (Some(new), Some(old)) => Pair::Both { new, old },
    }
}

/// What is to be done for a rolling update as things stand.
pub fn rolling(scene: &Scene<'_>) -> Changes {
    let bounds = bounds(scene.set.update, scene.desired());
    if bounds.max_surge == 0 {
        replace(scene, i64::from(bounds.max_unavailable))
    } else {
        surge(scene, i64::from(bounds.max_surge))
    }
}

fn left(most: i64, used: i64) -> usize {
    usize::try_from(most - used).unwrap_or(0)
}

/// Old pods go, as many as may be unavailable; [`super::manage`] makes new ones.
fn replace(scene: &Scene<'_>, max_unavailable: i64) -> Changes {
    let mut unavailable = 0;
    let mut delete: Vec<Id<Pod>> = Vec::new();
    let mut candidates = Vec::new();
    for place in &scene.places {
        // A node that is to run no pod and has none does not count.
        if place.pods.is_empty() && place.fit != Fit::Runs {
            continue;
        }
        match pair(scene, &place.pods) {
            Pair::None | Pair::Both { .. } | Pair::Excess => unavailable += 1,
            Pair::New((_, pod)) => unavailable += i64::from(!scene.is_available(pod)),
            Pair::Old((id, pod)) if !scene.is_available(pod) => {
                delete.push(id);
                unavailable += 1;
            }
            Pair::Old(_) if unavailable >= max_unavailable => {}
            Pair::Old((id, _)) => candidates.push(id),
        }
    }
    candidates.truncate(left(max_unavailable, unavailable));
    delete.extend(candidates);
    Changes { delete, ..Changes::default() }
}

/// New pods come beside old ones, as many as may surge; an old one goes when its new one is
/// available.
fn surge(scene: &Scene<'_>, max_surge: i64) -> Changes {
    let (mut surging, mut available) = (0, 0);
    let mut delete: Vec<Id<Pod>> = Vec::new();
    let mut leaving: Vec<Id<Pod>> = Vec::new();
    let mut create: Vec<Id<Node>> = Vec::new();
    let mut candidates: Vec<Id<Node>> = Vec::new();
    for place in &scene.places {
        let is_available = |one: &Held<'_>| scene.is_available(one.1);
        match pair(scene, &place.pods) {
            Pair::None => {}
            Pair::Excess => surging += 1,
            Pair::New(new) => available += i64::from(is_available(&new)),
            Pair::Both { new, old } => {
                available += i64::from(is_available(&old));
                if is_available(&new) {
                    delete.push(old.0);
                } else {
                    surging += 1;
                }
            }
            Pair::Old(old) => {
                let Some(node) = place.node else { continue };
                match (is_available(&old), place.fit == Fit::Runs) {
                    (false, true) => create.push(node),
                    (false, false) => delete.push(old.0),
                    (true, false) => {
                        available += 1;
                        leaving.push(old.0);
                    }
                    (true, true) => {
                        available += 1;
                        if surging < max_surge {
                            candidates.push(node);
                        }
                    }
                }
            }
        }
    }
    // Pods leave nodes that are to run none only when there are enough elsewhere.
    leaving.truncate(left(available, i64::from(scene.desired())));
    delete.extend(leaving);
    candidates.truncate(left(max_surge, surging));
    create.extend(candidates);
    Changes { create, delete, ended: 0 }
}
