//! Nodes that were looked at in vain, each with its rejection: thousands of nodes, few rejections.

use smallvec::SmallVec;

use super::framework::{Code, PluginSet, Rejection};
use crate::api::node::Node;
use crate::base::id::Id;

/// Nodes with their rejections, in the order in which they were looked at.
#[derive(Clone, Default, Debug)]
pub struct Rejected {
    /// What may be said, with how many nodes it was said of.
    said: SmallVec<[(Rejection, u32); 4]>,
    /// Nodes with the number of what was said of each.
    nodes: Vec<(Id<Node>, u32)>,
}

impl Rejected {
    /// None yet, with room for so many; these rejections have the numbers of their places.
    pub(super) fn numbered(rejections: &[Rejection], nodes: usize) -> Rejected {
        let said = rejections.iter().map(|rejection| (*rejection, 0)).collect();
        Rejected { said, nodes: Vec::with_capacity(nodes) }
    }

    /// Another node is rejected, with the rejection of this number.
    #[inline]
    pub(super) fn push_numbered(&mut self, node: Id<Node>, number: u32) {
        self.said[number as usize].1 += 1;
        self.nodes.push((node, number));
    }

    /// Another node is rejected.
    pub fn push(&mut self, node: Id<Node>, rejection: Rejection) {
        let known = self.said.iter().position(|(known, _)| *known == rejection);
        let at = known.unwrap_or_else(|| {
            self.said.push((rejection, 0));
            self.said.len() - 1
        });
        self.said[at].1 += 1;
        self.nodes.push((node, at as u32));
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Each node with its rejection.
    pub fn iter(&self) -> impl Iterator<Item = (Id<Node>, Rejection)> + '_ {
        self.nodes.iter().map(|&(node, at)| (node, self.said[at as usize].0))
    }

    /// The rejection of a node, if it was looked at.
    pub fn of(&self, node: Id<Node>) -> Option<Rejection> {
        self.iter().find(|(known, _)| *known == node).map(|(_, rejection)| rejection)
    }

    /// How many nodes were rejected how.
    pub fn counts(&self) -> impl Iterator<Item = (Rejection, u32)> + '_ {
        self.said.iter().copied().filter(|(_, nodes)| *nodes > 0)
    }

    /// The plugins that rejected any.
    pub fn plugins(&self) -> PluginSet {
        let mut plugins = PluginSet::EMPTY;
        self.counts().for_each(|(rejection, _)| plugins.insert(rejection.plugin));
        plugins
    }

    /// The nodes that would do if pods went away.
    pub fn resolvable(&self) -> impl Iterator<Item = Id<Node>> + '_ {
        let yes: SmallVec<[bool; 4]> =
            self.said.iter().map(|(it, _)| it.code == Code::Unschedulable).collect();
        self.nodes.iter().filter(move |(_, at)| yes[*at as usize]).map(|(node, _)| *node)
    }
}

impl PartialEq for Rejected {
    /// Equal nodes are rejected alike in the same order.
    fn eq(&self, other: &Rejected) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Rejected {}

impl FromIterator<(Id<Node>, Rejection)> for Rejected {
    fn from_iter<I: IntoIterator<Item = (Id<Node>, Rejection)>>(nodes: I) -> Rejected {
        let mut rejected = Rejected::default();
        nodes.into_iter().for_each(|(node, rejection)| rejected.push(node, rejection));
        rejected
    }
}
