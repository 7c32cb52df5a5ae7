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
    Changes { create, delete, ended: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::daemon_set::{DaemonSet, DaemonSetStatus, DaemonUpdate};
    use crate::api::meta::{Deletion, Meta};
    use crate::api::name::Name;
    use crate::api::pod::PodCondition;
    use crate::api::workload::IntOrPercent;
    use crate::control_plane::controllers::daemon_set::nodes::Place;
    use crate::control_plane::controllers::history::REVISION_HASH;
    use crate::control_plane::controllers::testing::{self, template};
    use crate::time::SimTime;
    use std::sync::Arc;

    fn set(max_unavailable: i32, max_surge: i32) -> DaemonSet {
        let of = IntOrPercent::Int;
        let (max_unavailable, max_surge) = (of(max_unavailable), of(max_surge));
        DaemonSet {
            meta: Meta::new("default".into(), Name::new("agent")),
            selector: Arc::default(),
            template: Arc::new(template("agent", 1)),
            update: DaemonUpdate::RollingUpdate { max_unavailable, max_surge },
            min_ready_seconds: 0,
            revision_history_limit: 10,
            template_generation: 0,
            status: DaemonSetStatus::default(),
        }
    }

    /// A pod by a letter: `r`eady, `s`tarting, `t`erminating; a capital is of the old template.
    fn pod(letter: char) -> Pod {
        let mut pod = testing::pod("agent-x", "agent");
        let hash = if letter.is_uppercase() { "old" } else { "new" };
        Arc::make_mut(&mut pod.meta.labels).insert(REVISION_HASH.into(), hash.into());
        let letter = letter.to_ascii_lowercase();
        pod.status.set(PodCondition::Ready, letter != 's', SimTime::ZERO);
        let deletion = Deletion { at: SimTime::ZERO, grace_seconds: 30 };
        pod.meta.deletion = (letter == 't').then_some(deletion);
        pod
    }

    /// What is done to nodes with these pods, a word each; `!` at its end: the node is to run none,
    /// but may keep what it has. `+1`: node 1 gets one; `-1R`: node 1 loses the pod `R`.
    fn done(set: &DaemonSet, nodes: &[&str]) -> String {
        let pods: Vec<Vec<(char, Pod)>> = nodes
            .iter()
            .map(|word| word.chars().filter(|it| it.is_alphabetic()).map(|it| (it, pod(it))))
            .map(Iterator::collect)
            .collect();
        let id = |node: usize, at: usize| Id::from_parts((10 * node + at) as u32, 0);
        let places = nodes.iter().zip(&pods).enumerate().map(|(node, (word, pods))| Place {
            node: Some(Id::from_parts(node as u32, 0)),
            fit: if word.ends_with('!') { Fit::Keeps } else { Fit::Runs },
            pods: pods.iter().enumerate().map(|(at, (_, pod))| (id(node, at), pod)).collect(),
        });
        let scene =
            Scene { set, hash: "new", places: places.collect(), now: SimTime::from_secs(60) };
        let changes = rolling(&scene);
        let made = changes.create.iter().map(|node| format!("+{}", node.slot()));
        let gone = changes.delete.iter().map(|pod| {
            let (node, at) = (pod.slot() / 10, pod.slot() % 10);
            format!("-{node}{}", pods[node][at].0)
        });
        made.chain(gone).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn old_pods_go_as_many_as_may_be_unavailable() {
        let one = set(1, 0);
        assert_eq!(done(&one, &["R", "R", "R"]), "-0R");
        assert_eq!(done(&one, &["s", "R", "R"]), "", "a new one is not available yet");
        assert_eq!(done(&one, &["", "R", "R"]), "", "nor is one that is not there");
        assert_eq!(done(&one, &["S", "R", "R"]), "-0S", "one that is down anyway goes at once");
        assert_eq!(done(&one, &["t", "R", "R"]), "", "one that ends leaves its node without");
        assert_eq!(done(&one, &["R!", "R", "r"]), "-0R");
        assert_eq!(done(&set(2, 0), &["R", "R", "R"]), "-0R -1R");
        assert_eq!(done(&set(0, 0), &["R", "R", "R"]), "-0R", "one at least");
    }

    #[test]
    fn new_pods_come_beside_old_ones_as_many_as_may_surge() {
        let one = set(0, 1);
        assert_eq!(done(&one, &["R", "R", "R"]), "+0");
        assert_eq!(done(&one, &["Rs", "R", "R"]), "", "it is waited for");
        assert_eq!(done(&one, &["Rr", "R", "R"]), "+1 -0R");
        assert_eq!(done(&one, &["S", "R", "R"]), "+0 +1", "one that is down costs no surge");
        assert_eq!(done(&one, &["R!", "r", "r"]), "-0R", "enough are there without it");
        assert_eq!(done(&one, &["R!", "r", "s"]), "", "not enough are");
    }
}
