//! All nodes as the algorithm sees them, kept up to date change by change.
//!
//! Owns the rows, their versions and the order in which they are looked at. A row lies at the slot
//! of its node, so that a change costs no search.

use super::images::Images;
use super::node_info::{NodeInfo, Presence};
use super::node_tree::NodeTree;
use super::resident::Resident;
use super::surroundings::Surroundings;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;

/// The version of a row: none is used twice in one snapshot, so what was remembered of an older
/// state (or of an earlier node of that slot) is told from what is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Versions {
    /// Changes with the node object.
    pub node: u32,
    /// Changes with the node object and with the pods on it.
    pub row: u32,
}

/// All nodes and what is taken of them.
#[derive(Clone, Default, Debug)]
pub struct Snapshot {
    rows: Vec<NodeInfo>,
    versions: Vec<Versions>,
    latest: u32,
    tree: NodeTree,
    order: Vec<u32>,
    order_is_old: bool,
    images: Images,
    surroundings: Surroundings,
    /// Rows that changed since the last [`Snapshot::settle`].
    changed: Vec<u32>,
    is_changed: Vec<bool>,
}

impl Snapshot {
    /// A snapshot without nodes.
    pub fn new() -> Snapshot {
        Snapshot::default()
    }

    /// Forgets all nodes and pods; the surroundings stay. Versions go on counting, so that what was remembered of rows
    /// before does not count for those to come.
    pub fn clear(&mut self) {
        let surroundings = std::mem::take(&mut self.surroundings);
        *self = Snapshot { latest: self.latest, surroundings, ..Snapshot::default() };
    }

    /// How many nodes are known.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether no node is known.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// A node was added or changed.
    pub fn set_node(&mut self, id: Id<Node>, node: &Node) {
        let slot = self.row_of(id);
        let row = &mut self.rows[slot];
        let before = (row.presence == Presence::Known).then(|| row.zone.clone());
        row.set_node(node);
        let same_images = row.images.len() == node.images.len()
            && node.images.iter().all(|image| row.image(&image.name).is_some());
        if !same_images {
            self.images.remove(&row.images);
            row.images = self.images.add(&node.images);
        }
        if before.as_ref() != Some(&row.zone) {
            if let Some(zone) = before {
                self.tree.remove(&zone, slot as u32);
            }
            self.tree.add(&row.zone, slot as u32);
            self.order_is_old = true;
        }
        self.touch(slot);
        self.versions[slot].node = self.latest;
    }

    /// A node is gone; pods still on it stay counted in case it comes back.
    pub fn remove_node(&mut self, id: Id<Node>) {
        if self.node(id).is_none() {
            return;
        }
        let slot = id.slot();
        let row = &mut self.rows[slot];
        let images = std::mem::take(&mut row.images);
        row.presence = Presence::PodsOnly;
        self.images.remove(&images);
        self.tree.remove(&row.zone, slot as u32);
        self.order_is_old = true;
        self.touch(slot);
    }

    /// A pod was placed on a node.
    pub fn add_pod(&mut self, node: Id<Node>, pod: Resident) {
        let slot = self.row_of(node);
        self.rows[slot].add_pod(pod);
        self.touch(slot);
    }

    /// A pod that was placed on a node is there no more; returns it, if it was there.
    pub fn remove_pod(&mut self, node: Id<Node>, pod: Id<Pod>) -> Option<Resident> {
        let row = self.rows.get_mut(node.slot()).filter(|row| row.id == node)?;
        let gone = row.remove_pod(pod)?;
        self.touch(node.slot());
        Some(gone)
    }

    /// A pod on a node is another now.
    pub fn change_pod(&mut self, node: Id<Node>, pod: Resident) {
        let Some(row) = self.rows.get_mut(node.slot()).filter(|row| row.id == node) else { return };
        let Some(held) = row.pods.iter_mut().find(|held| held.pod == pod.pod) else { return };
        if held.shape.is(&pod.shape) {
            (held.start, held.standing) = (pod.start, pod.standing);
            return;
        }
        row.remove_pod(pod.pod);
        row.add_pod(pod);
        self.touch(node.slot());
    }

    /// Objects besides nodes and pods that count.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The same, to be changed.
    pub fn surroundings_mut(&mut self) -> &mut Surroundings {
        &mut self.surroundings
    }

    /// What is known of a node.
    pub fn node(&self, id: Id<Node>) -> Option<&NodeInfo> {
        let row = self.rows.get(id.slot())?;
        (row.id == id && row.presence == Presence::Known).then_some(row)
    }

    /// Makes changes count for the next decision: the order of nodes, and how many nodes have the
    /// images of each changed one. kube-scheduler does this once before each cycle (UpdateSnapshot).
    pub fn settle(&mut self) {
        if self.order_is_old {
            let mut order = std::mem::take(&mut self.order);
            self.tree.list_into(&mut order);
            self.order = order;
            self.order_is_old = false;
        }
        while let Some(slot) = self.changed.pop() {
            self.is_changed[slot as usize] = false;
            self.images.refresh(&mut self.rows[slot as usize].images);
        }
    }

    /// Nodes in the order in which they are looked at, as of the last [`Snapshot::settle`].
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &NodeInfo> {
        self.order.iter().map(|&slot| &self.rows[slot as usize])
    }

    /// Whether any node has one of these images.
    pub fn has_image(&self, name: &str) -> bool {
        self.images.any_has(name)
    }

    /// The node of this name. A search: for pods that name their node.
    pub fn named(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes().find(|node| node.written_name() == name)
    }

    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    pub(super) fn row(&self, slot: u32) -> &NodeInfo {
        &self.rows[slot as usize]
    }

    pub(super) fn versions(&self) -> &[Versions] {
        &self.versions
    }

    fn row_of(&mut self, id: Id<Node>) -> usize {
        let slot = id.slot();
        while self.rows.len() <= slot {
            let blank = Id::from_parts(self.rows.len() as u32, u32::MAX);
            self.rows.push(NodeInfo::pods_only(blank));
            self.versions.push(Versions::default());
            self.is_changed.push(false);
        }
        if self.rows[slot].id != id {
            self.remove_node(self.rows[slot].id);
            self.rows[slot] = NodeInfo::pods_only(id);
        }
        slot
    }

    fn touch(&mut self, slot: usize) {
        self.latest = self.latest.wrapping_add(1);
        self.versions[slot].row = self.latest;
        if !std::mem::replace(&mut self.is_changed[slot], true) {
            self.changed.push(slot as u32);
        }
    }
}
