//! How many nodes of one kind pods need: first fit, the largest first (cluster-autoscaler 1.36
//! estimator/binpacking_estimator.go, decreasing_pod_orderer.go).

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{Limiter, Permit};
use super::simulation::{Simulation, Template, Wanderer};
use crate::api::node::{HOSTNAME_LABEL, Node};
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Plugin, PodShape};

/// Pods that are all alike.
#[derive(Clone, Debug)]
pub struct Alike {
    /// Their shape.
    pub shape: PodShape,
    /// The pods.
    pub pods: Vec<Id<Pod>>,
}

/// What an estimate came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Estimate {
    /// How many nodes to add.
    pub nodes: usize,
    /// The pods that would run then, in the order in which they were placed.
    pub pods: Vec<Id<Pod>>,
}

/// The share of a node a pod asks for, processors and memory added up, in units of 2^-32: the order
/// is all that matters.
fn score(shape: &PodShape, node: &Resources) -> u128 {
    let share = |asked: i64, of: i64| match of {
        ..=0 => 0,
        of => ((asked.max(0) as u128) << 32) / of as u128,
    };
    let asked = &shape.spec().requests;
    share(asked.cpu_milli, node.cpu_milli) + share(asked.memory, node.memory)
}

/// What one estimate has done so far.
struct Packing<'a> {
    simulation: Simulation,
    template: &'a Template,
    limiter: Limiter,
    added: BTreeSet<Id<Node>>,
    last: Option<Id<Node>>,
    /// Pods by node. A pod that spreads over host names may have gone to a node that was there
    /// before, which then counts as one to add, as upstream counts it.
    used: BTreeMap<Id<Node>, u32>,
    placed: Vec<Id<Pod>>,
}

/// Whether the rest of a group of equal pods is worth trying.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Go {
    On,
    NextGroup,
    /// The limit is reached: no more nodes at all.
    Enough,
}

/// How many nodes like `template` groups of equal pods need on top of the cluster in `simulation`.
pub fn estimate(
    simulation: &Simulation,
    template: &Template,
    groups: &[Alike],
    limiter: Limiter,
) -> Estimate {
    let mut ordered: Vec<&Alike> = groups.iter().filter(|group| !group.pods.is_empty()).collect();
    let of = &template.node.allocatable;
    ordered.sort_by_key(|group| std::cmp::Reverse(score(&group.shape, of)));
    let mut packing = Packing {
        simulation: simulation.clone(),
        template,
        limiter,
        added: BTreeSet::new(),
        last: None,
        used: BTreeMap::new(),
        placed: Vec::new(),
    };
    let mut may_add = Go::On;
    for group in ordered {
        let left = packing.on_added_nodes(group);
        if may_add != Go::Enough {
            may_add = packing.on_new_nodes(group, left);
        }
    }
    Estimate { nodes: packing.used.len(), pods: packing.placed }
}

impl Packing<'_> {
    fn note(&mut self, pod: Id<Pod>, node: Id<Node>) {
        *self.used.entry(node).or_insert(0) += 1;
        self.placed.push(pod);
    }

    /// Places pods on nodes added before; returns how many it got through.
    fn on_added_nodes(&mut self, group: &Alike) -> usize {
        for (at, &pod) in group.pods.iter().enumerate() {
            let one = Wanderer { pod, shape: group.shape.clone() };
            let added = &self.added;
            if added.is_empty() {
                return at;
            }
            match self.simulation.place_anywhere(&one, |node| added.contains(&node)) {
                Some(node) => self.note(pod, node),
                None => return at,
            }
        }
        group.pods.len()
    }

    /// Places the pods from `first` on, adding nodes as they are needed.
    fn on_new_nodes(&mut self, group: &Alike, first: usize) -> Go {
        for &pod in &group.pods[first..] {
            let one = Wanderer { pod, shape: group.shape.clone() };
            if self.on_what_is_there(&one) {
                continue;
            }
            match self.on_one_more(&one) {
                Go::On => {}
                stop => return stop,
            }
        }
        Go::On
    }

    /// The node added last; or, for a pod that spreads over host names, any other.
    fn on_what_is_there(&mut self, one: &Wanderer) -> bool {
        let Some(last) = self.last else { return false };
        let misfit = match self.simulation.place_on(one, last) {
            Ok(()) => {
                self.note(one.pod, last);
                return true;
            }
            Err(misfit) => misfit,
        };
        if misfit.plugin != Plugin::PodTopologySpread || !spreads_over_hosts(&one.shape) {
            return false;
        }
        let found = self.simulation.place_anywhere(one, |node| node != last);
        if let Some(node) = found {
            self.note(one.pod, node);
        }
        found.is_some()
    }

    fn on_one_more(&mut self, one: &Wanderer) -> Go {
        // Where an empty node did not help, another will not.
        if self.last.is_some_and(|last| !self.used.contains_key(&last)) {
            return Go::NextGroup;
        }
        if self.limiter.permit() == Permit::Refused {
            return Go::Enough;
        }
        let name = format!("{}-e-{}", self.template.node.meta.name, self.added.len());
        let node = self.simulation.add_node(self.template, &name);
        self.added.insert(node);
        self.last = Some(node);
        match self.simulation.place_on(one, node) {
            Ok(()) => {
                self.note(one.pod, node);
                Go::On
            }
            Err(_) => Go::NextGroup,
        }
    }
}

fn spreads_over_hosts(shape: &PodShape) -> bool {
    shape.spec().spread.iter().any(|one| &*one.topology_key == HOSTNAME_LABEL)
}
