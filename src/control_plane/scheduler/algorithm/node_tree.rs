//! The order in which nodes are looked at: round and round over the zones, in each by arrival
//! (`nodeTree`, pkg/scheduler/backend/cache/node_tree.go 1.36).

use crate::api::name::Text;

/// A zone: region and zone name.
pub type Zone = (Text, Text);

/// Nodes by zone, both in order of arrival.
#[derive(Clone, Default, Debug)]
pub struct NodeTree {
    zones: Vec<(Zone, Vec<u32>)>,
    nodes: usize,
}

impl NodeTree {
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes == 0
    }

    /// Takes a node in as the last of its zone; a new zone comes last.
    pub fn add(&mut self, zone: &Zone, node: u32) {
        self.nodes += 1;
        match self.zones.iter_mut().find(|(known, _)| known == zone) {
            Some((_, nodes)) => nodes.push(node),
            None => self.zones.push((zone.clone(), vec![node])),
        }
    }

    /// Takes a node out; a zone without nodes goes.
    pub fn remove(&mut self, zone: &Zone, node: u32) {
        let Some(at) = self.zones.iter().position(|(known, _)| known == zone) else { return };
        let nodes = &mut self.zones[at].1;
        let before = nodes.len();
        nodes.retain(|&known| known != node);
        self.nodes -= before - nodes.len();
        if nodes.is_empty() {
            self.zones.remove(at);
        }
    }

    /// Writes all nodes in order.
    pub fn list_into(&self, order: &mut Vec<u32>) {
        order.clear();
        let longest = self.zones.iter().map(|(_, nodes)| nodes.len()).max().unwrap_or(0);
        for round in 0..longest {
            order.extend(self.zones.iter().filter_map(|(_, nodes)| nodes.get(round)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Kubernetes documentation (scheduler-perf-tuning): zones of nodes 1 to 4 and 5
    /// to 6 are visited 1, 5, 2, 6, 3, 4.
    #[test]
    fn the_published_order_of_two_zones() {
        let mut tree = NodeTree::default();
        for (zone, node) in [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5), ("b", 6)] {
            tree.add(&("".into(), zone.into()), node);
        }
        let mut order = Vec::new();
        tree.list_into(&mut order);
        assert_eq!(order, [1, 5, 2, 6, 3, 4]);
    }

    #[test]
    fn zones_take_turns_and_go_when_empty() {
        let zone = |name: &str| ("".into(), name.into());
        let mut tree = NodeTree::default();
        for (name, node) in [("a", 0), ("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            tree.add(&zone(name), node);
        }
        let mut order = Vec::new();
        tree.list_into(&mut order);
        assert_eq!(order, [0, 2, 4, 1, 3]);
        tree.remove(&zone("b"), 2);
        tree.add(&zone("b"), 5);
        tree.list_into(&mut order);
        assert_eq!((order.as_slice(), tree.len()), (&[0, 4, 5, 1, 3][..], 5));
    }
}
