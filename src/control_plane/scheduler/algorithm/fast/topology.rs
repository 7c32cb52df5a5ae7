//! Which nodes are near each other: for each label asked for, the domain of each node.

use super::super::node_info::{NodeInfo, Presence};
use crate::api::name::Text;
use crate::base::FastMap;

/// The domain of a node that has not the label, or is not known.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The domains of one label. Numbers are given in order of appearance and stay.
#[derive(Debug)]
pub(super) struct Topology {
    key: Text,
    numbers: FastMap<Text, u32>,
    /// The domain of each node, by slot.
    of_slot: Vec<u32>,
}

impl Topology {
    /// The domains of this label, no node known yet.
    pub fn new(key: &Text) -> Topology {
        Topology { key: key.clone(), numbers: FastMap::default(), of_slot: Vec::new() }
    }

    /// The label.
    pub fn key(&self) -> &Text {
        &self.key
    }

    /// How many domains there ever were.
    pub fn domains(&self) -> usize {
        self.numbers.len()
    }

    /// The domain of the node at a slot.
    #[inline]
    pub fn of(&self, slot: u32) -> u32 {
        self.of_slot.get(slot as usize).copied().unwrap_or(NOWHERE)
    }

    /// How many slots were ever told of.
    pub fn slots(&self) -> usize {
        self.of_slot.len()
    }

    /// A node is another now.
    pub fn set(&mut self, slot: u32, node: &NodeInfo) {
        let slot = slot as usize;
        if self.of_slot.len() <= slot {
            self.of_slot.resize(slot + 1, NOWHERE);
        }
        let value = node.labels.get(&self.key).filter(|_| node.presence == Presence::Known);
        self.of_slot[slot] = match value {
            None => NOWHERE,
            Some(value) => match self.numbers.get(value) {
                Some(&known) => known,
                None => {
                    let next = self.numbers.len() as u32;
                    self.numbers.insert(value.clone(), next);
                    next
                }
            },
        };
    }
}
