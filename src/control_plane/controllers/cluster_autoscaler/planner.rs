//! Which nodes nobody needs, since when, and which of them may go now (cluster-autoscaler 1.36
//! core/scaledown/planner, core/scaledown/unneeded, simulator/cluster.go).

use std::collections::{BTreeMap, BTreeSet};

use super::eligible::Unremovable;
use super::simulation::{Simulation, Wanderer};
use crate::api::meta::Uid;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::messages::cloud::Sizing;
use crate::time::{SimDuration, SimTime};

/// Whether a node has pods to move.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Load {
    /// None but those that go along.
    Empty,
    /// Some that are evicted first.
    Drain,
}

/// A node that might go.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub node: Id<Node>,
    /// The pods on it that would not have to move; or what holds it.
    pub staying: Result<BTreeSet<Id<Pod>>, Unremovable>,
    /// How its group is resized.
    pub sizing: Sizing,
}

/// What a look at the cluster came to.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Nodes whose pods all have another place.
    pub unneeded: Vec<(Id<Node>, Load)>,
    /// The others that were looked at, and why.
    pub unremovable: Vec<(Id<Node>, Unremovable)>,
}

/// How many nodes may be unneeded at a time (`unneededNodesLimit`): as many as could be removed
/// while the first waits, no more than a buffer beyond those there were.
pub fn unneeded_most(
    before: usize,
    parallel: usize,
    wait: SimDuration,
    interval: SimDuration,
) -> usize {
    let rounds = wait.max(interval).as_nanos() / interval.as_nanos().max(1);
    let rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
    let bound = parallel.saturating_mul(rounds).saturating_add(parallel);
    bound.min(before + 2 * parallel)
}

/// What pods are asked before they count as moved: their budgets.
pub trait Gate {
    /// Whether all of these pods may go.
    ///
    /// # Errors
    /// Why their node is not removed then.
    fn check(&self, pods: &[Wanderer]) -> Result<(), Unremovable>;

    /// They count as gone.
    fn take(&mut self, pods: &[Wanderer]);
}

/// Looks at one candidate after the other: where all its pods find another place, it is unneeded,
/// its pods count as moved, and it is no place for others' (`categorizeNodes`). `most` limits how
/// many are found, those of groups that go as a whole left aside.
pub fn categorize(
    simulation: &mut Simulation,
    candidates: Vec<Candidate>,
    destinations: &mut BTreeSet<Id<Node>>,
    most: usize,
    gate: &mut impl Gate,
) -> Findings {
    let mut findings = Findings::default();
    let mut single = 0;
    for Candidate { node, staying, sizing } in candidates {
        if single >= most {
            break;
        }
        let moved = staying.and_then(|staying| {
            // Those that came in thought move as well.
            let pods = simulation.pods_of(node, |pod| !staying.contains(&pod));
            gate.check(&pods)?;
            let load = move_all(simulation, node, &pods, destinations)?;
            gate.take(&pods);
            Ok(load)
        });
        match moved {
            Ok(load) => {
                destinations.remove(&node);
                single += usize::from(sizing == Sizing::Single);
                findings.unneeded.push((node, load));
            }
            Err(why) => findings.unremovable.push((node, why)),
        }
    }
    findings
}

/// Moves pods off a node, in thought; nothing changes if one of them finds no place.
fn move_all(
    simulation: &mut Simulation,
    node: Id<Node>,
    pods: &[Wanderer],
    destinations: &BTreeSet<Id<Node>>,
) -> Result<Load, Unremovable> {
    if pods.is_empty() {
        return Ok(Load::Empty);
    }
    let mut tried = simulation.clone();
    for one in pods {
        tried.remove_pod(node, one.pod);
    }
    for one in pods {
        let found = tried.place_anywhere(one, |at| at != node && destinations.contains(&at));
        if found.is_none() {
            return Err(Unremovable::NoPlaceToMovePods);
        }
    }
    *simulation = tried;
    Ok(Load::Drain)
}

/// What a controller wants and has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replicas {
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub present: i32,
}

/// Of pods evicted a short while ago, those that were not made anew yet: each controller that lacks
/// pods is taken to make so many (`filterOutRecreatedPods`). Pods of controllers nobody knows count.
pub fn not_yet_recreated<T>(
    evicted: Vec<(T, Option<Uid>)>,
    replicas: impl Fn(Uid) -> Option<Replicas>,
) -> Vec<T> {
    let mut known: BTreeMap<Uid, Option<Replicas>> = BTreeMap::new();
    let mut left = Vec::new();
    for (pod, owner) in evicted {
        if let Some(owner) = owner
            && let Some(held) = known.entry(owner).or_insert_with(|| replicas(owner))
        {
            if held.present >= held.wanted {
                continue;
            }
            held.present += 1;
        }
        left.push(pod);
    }
    left
}

/// Since when a node is unneeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// The scan that found it so first.
    pub at: SimTime,
    /// What the latest scan found on it.
    pub load: Load,
}

/// Nodes nobody needs (`unneeded.Nodes`).
#[derive(Clone, Debug, Default)]
pub struct Unneeded(BTreeMap<Id<Node>, Since>);

impl Unneeded {
    /// Takes over what a scan found; those found before keep their time.
    pub fn update(&mut self, found: &[(Id<Node>, Load)], now: SimTime) {
        let before = std::mem::take(&mut self.0);
        self.0 = found
            .iter()
            .map(|&(node, load)| {
                let at = before.get(&node).map_or(now, |since| since.at);
                (node, Since { at, load })
            })
            .collect();
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes in order, and since when.
    pub fn iter(&self) -> impl Iterator<Item = (Id<Node>, Since)> + '_ {
        self.0.iter().map(|(&node, &since)| (node, since))
    }

    /// Whether a node is one of them.
    pub fn contains(&self, node: Id<Node>) -> bool {
        self.0.contains_key(&node)
    }
}

/// Whether a node is ready, and so which wait counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waits {
    /// For nodes that are ready (`--scale-down-unneeded-time`).
    pub unneeded: SimDuration,
    /// For others (`--scale-down-unready-time`).
    pub unready: SimDuration,
}

/// The sizes of a node's group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Its smallest.
    pub min: u32,
    /// Its target less the deletions under way.
    pub now: u32,
}

/// Whether an unneeded node may go now, budgets and drains left aside (`unremovableReason`).
///
/// # Errors
/// Why not.
pub fn removable(
    node: &Node,
    since: SimTime,
    now: SimTime,
    waits: Waits,
    group: Option<Sizes>,
) -> Result<(), Unremovable> {
    if super::eligible::is_disabled(node) {
        return Err(Unremovable::ScaleDownDisabled);
    }
    let sizes = group.ok_or(Unremovable::NotAutoscaled)?;
    if node.is_ready() && since + waits.unneeded > now {
        return Err(Unremovable::NotUnneededLongEnough);
    }
    if !node.is_ready() && since + waits.unready > now {
        return Err(Unremovable::NotUnreadyLongEnough);
    }
    if sizes.now <= sizes.min {
        return Err(Unremovable::MinSizeReached);
    }
    Ok(())
}

/// Of nodes that may go, in order, as many as their groups can spare, empty ones first
/// (`RemovableAt`): `spare` takes one off a group's number.
pub fn spared<T>(mut nodes: Vec<(T, Load)>, mut spare: impl FnMut(&T) -> bool) -> Vec<(T, Load)> {
    // Stable: within each kind the order stays.
    nodes.sort_by_key(|(_, load)| *load);
    nodes.retain(|(node, _)| spare(node));
    nodes
}
