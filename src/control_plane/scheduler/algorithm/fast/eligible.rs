//! Which nodes count in a pod's skews: those with the labels asked for, that the pod could go to as
//! far as its constraint says so (`matchNodeInclusionPolicies`, 1.36).

use super::super::node_info::{NodeInfo, Presence};
use super::super::plugins::{node_affinity, taint_toleration};
use super::super::shape::PodShape;
use super::tally::Tallies;
use super::topology::NOWHERE;
use crate::api::rules::spread::InclusionPolicy;
use crate::api::rules::taints::first_untolerated;

/// What makes a node count.
#[derive(Debug)]
pub(super) struct EligibleRule {
    /// Topologies in which it must have a domain.
    pub labels: Vec<usize>,
    /// Whether the pod's node selector and affinity count.
    pub affinity: InclusionPolicy,
    /// Whether its tolerations count.
    pub taints: InclusionPolicy,
    /// The pod.
    pub pod: PodShape,
}

impl EligibleRule {
    /// Whether it lets every node count that has a domain at all.
    pub fn is_open(&self) -> bool {
        // A node that is not known has no domain, nor one without the label that is counted by.
        self.labels.len() < 2
            && self.taints == InclusionPolicy::Ignore
            && (self.affinity == InclusionPolicy::Ignore || !self.pod.selects_nodes())
    }

    fn is_like(&self, other: &EligibleRule) -> bool {
        let (a, b) = (self.pod.spec(), other.pod.spec());
        let same_affinity = || {
            a.node_selector == b.node_selector
                && a.node_affinity.required == b.node_affinity.required
        };
        self.labels == other.labels
            && self.affinity == other.affinity
            && self.taints == other.taints
            && (self.affinity == InclusionPolicy::Ignore || same_affinity())
            && (self.taints == InclusionPolicy::Ignore || a.tolerations == b.tolerations)
    }

    fn allows(&self, slot: u32, node: &NodeInfo, tallies: &Tallies) -> bool {
        let keeps_off = taint_toleration::keeps_off;
        node.presence == Presence::Known
            && self.labels.iter().all(|&at| tallies.topology(at).of(slot) != NOWHERE)
            && (self.affinity == InclusionPolicy::Ignore || node_affinity::selects(&self.pod, node))
            && (self.taints == InclusionPolicy::Ignore
                || first_untolerated(&node.taints, &self.pod.spec().tolerations, keeps_off)
                    .is_none())
    }
}

/// All rules; each has the column of its number.
#[derive(Debug, Default)]
pub(super) struct Eligibles {
    rules: Vec<EligibleRule>,
}

impl Eligibles {
    /// The column of a rule, worked out if it is not there; `None`: every node counts.
    pub fn column(
        &mut self,
        rule: EligibleRule,
        rows: &[NodeInfo],
        tallies: &mut Tallies,
    ) -> Option<usize> {
        if rule.is_open() {
            return None;
        }
        if let Some(known) = self.rules.iter().position(|known| known.is_like(&rule)) {
            return Some(known);
        }
        let nodes = rows.iter().enumerate();
        let column = nodes.map(|(slot, node)| rule.allows(slot as u32, node, tallies)).collect();
        self.rules.push(rule);
        Some(tallies.add_eligible(column))
    }

    /// A node is another now; topologies know it already.
    pub fn node_changed(&self, slot: u32, node: &NodeInfo, tallies: &mut Tallies) {
        for (column, rule) in self.rules.iter().enumerate() {
            let counts = rule.allows(slot, node, tallies);
            tallies.set_eligible(column, slot, counts);
        }
    }
}
