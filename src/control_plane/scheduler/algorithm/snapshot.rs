//! All nodes as the algorithm sees them, kept up to date change by change.
//!
//! Owns the rows, their versions and the order in which they are looked at. A row lies at the slot
//! of its node, so that a change costs no search.

use std::sync::Arc;

use super::images::Images;
use super::log::{Change, Log, Step};
use super::node_info::{NodeInfo, Presence};
use super::node_tree::NodeTree;
use super::nominations::Nominations;
use super::plugins::gpu_share::GpuShare;
use super::plugins::gpu_share::devices::Devices;
use super::profile::Profile;
use super::resident::Resident;
use super::shape::PodShape;
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

/// The place of a slot that is not in the order.
pub(super) const NO_PLACE: u32 = u32::MAX;

/// All nodes and what is taken of them.
#[derive(Clone, Default, Debug)]
pub struct Snapshot {
    rows: Vec<NodeInfo>,
    /// The ids of the rows, close together.
    ids: Vec<Id<Node>>,
    versions: Vec<Versions>,
    latest: u32,
    tree: NodeTree,
    order: Vec<u32>,
    /// The place of each slot in the order; [`NO_PLACE`] for those not in it.
    places: Vec<u32>,
    order_is_old: bool,
    /// The slots of the order by name of the node.
    by_name: Vec<u32>,
    /// Changes with the order.
    order_version: u32,
    log: Log,
    images: Images,
    surroundings: Surroundings,
    nominations: Nominations,
    /// How devices are shared out, where they are.
    gpus: Option<Arc<GpuShare>>,
    /// Rows that changed since the last [`Snapshot::settle`].
    changed: Vec<u32>,
    is_changed: Vec<bool>,
}

impl Snapshot {
    /// A snapshot without nodes.
    pub fn new() -> Snapshot {
        Snapshot::default()
    }

    /// Lets the GPUs of its nodes be shared out as these profiles say: by the first that does. To be
    /// called while it is empty.
    pub fn share_gpus<'p>(&mut self, profiles: impl IntoIterator<Item = &'p Arc<Profile>>) {
        let sharing = profiles.into_iter().find(|profile| profile.shares_gpus());
        self.gpus = sharing.map(|profile| Arc::clone(&profile.gpu));
    }

    /// Forgets all nodes and pods, and what pods were promised; the surroundings stay. Versions go
    /// on counting, so that what was remembered of rows
    /// before does not count for those to come.
    pub fn clear(&mut self) {
        let surroundings = std::mem::take(&mut self.surroundings);
        let mut log = std::mem::take(&mut self.log);
        log.forget();
        let order_version = self.order_version.wrapping_add(1);
        let (latest, gpus) = (self.latest, self.gpus.take());
        *self = Snapshot { latest, order_version, log, surroundings, gpus, ..Snapshot::default() };
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
        let mut differs = row.set_node(node);
        let same_images = row.images.len() == node.images.len()
            && node.images.iter().all(|image| row.image(&image.name).is_some());
        if !same_images {
            differs = true;
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
        if differs {
            self.touch(slot);
            self.versions[slot].node = self.latest;
            self.log.push(slot, Change::Node);
        }
        self.mark(slot);
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
        self.log.push(slot, Change::Node);
    }

    /// A pod was placed on a node.
    pub fn add_pod(&mut self, node: Id<Node>, pod: Resident) {
        let slot = self.row_of(node);
        self.note(slot, &pod, Step::In);
        self.rows[slot].add_pod(pod);
        self.touch(slot);
    }

    /// A pod that was placed on a node is there no more; returns it, if it was there.
    pub fn remove_pod(&mut self, node: Id<Node>, pod: Id<Pod>) -> Option<Resident> {
        let row = self.rows.get_mut(node.slot()).filter(|row| row.id == node)?;
        let gone = row.remove_pod(pod)?;
        self.note(node.slot(), &gone, Step::Out);
        self.touch(node.slot());
        Some(gone)
    }

    /// A watch told of a pod on a node: it may be another now. Its node's images are looked at again
    /// with the next [`Snapshot::settle`], as the real cache takes each such pod off and puts it back.
    /// It keeps its place, unless it asks for other amounts; nothing here depends on where equal
    /// shapes lie.
    pub fn change_pod(&mut self, node: Id<Node>, pod: Resident) {
        let Some(row) = self.rows.get_mut(node.slot()).filter(|row| row.id == node) else { return };
        let Some(held) = row.pods.iter_mut().find(|held| held.pod == pod.pod) else { return };
        let before = std::mem::replace(held, pod.clone());
        let (was, is) = (before.shape.spec(), pod.shape.spec());
        let takes_the_same = Arc::ptr_eq(was, is)
            || was.requests == is.requests
                && was.nonzero_requests == is.nonzero_requests
                && was.host_ports == is.host_ports;
        if takes_the_same {
            self.mark(node.slot());
        } else {
            *held = before.clone();
            row.remove_pod(pod.pod);
            row.add_pod(pod.clone());
            self.touch(node.slot());
        }
        let same = before.standing == pod.standing && before.start == pod.start;
        if !same || !before.shape.is(&pod.shape) {
            self.note(node.slot(), &before, Step::Out);
            self.note(node.slot(), &pod, Step::In);
        }
    }

    /// Objects besides nodes and pods that count.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The same, to be changed.
    pub fn surroundings_mut(&mut self) -> &mut Surroundings {
        &mut self.surroundings
    }

    /// Who is promised which node.
    pub fn nominations(&self) -> &Nominations {
        &self.nominations
    }

    /// Promises `node` to a pod that is not on one; an earlier promise to it is void.
    pub fn promise(&mut self, pod: Id<Pod>, shape: &PodShape, node: Id<Node>) {
        self.withdraw(pod);
        self.nominations.set(pod, shape, node);
        self.log.push(node.slot(), Change::Offer);
    }

    /// A pod is promised nothing any more; returns what it was.
    pub fn withdraw(&mut self, pod: Id<Pod>) -> Option<Id<Node>> {
        let node = self.nominations.remove(pod)?;
        self.log.push(node.slot(), Change::Offer);
        Some(node)
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
            self.places.clear();
            self.places.resize(self.rows.len(), NO_PLACE);
            for (place, &slot) in order.iter().enumerate() {
                self.places[slot as usize] = place as u32;
            }
            self.by_name.clone_from(&order);
            let rows = &self.rows;
            let name = |slot: &u32| rows[*slot as usize].written_name();
            self.by_name.sort_unstable_by(|a, b| name(a).cmp(name(b)));
            self.order = order;
            self.order_is_old = false;
            self.order_version = self.order_version.wrapping_add(1);
        }
        while let Some(slot) = self.changed.pop() {
            self.is_changed[slot as usize] = false;
            if self.images.refresh(&mut self.rows[slot as usize].images) {
                self.log.push(slot as usize, Change::Offer);
            }
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

    /// The node of this name, as of the last [`Snapshot::settle`].
    pub fn named(&self, name: &str) -> Option<&NodeInfo> {
        let row = |slot: &u32| &self.rows[*slot as usize];
        let found = self.by_name.binary_search_by(|slot| row(slot).written_name().cmp(name));
        found.ok().map(|at| row(&self.by_name[at]))
    }

    /// The slots of the nodes by name, as of the last [`Snapshot::settle`].
    pub(super) fn by_name(&self) -> &[u32] {
        &self.by_name
    }

    /// The id of the node at a slot.
    pub(super) fn id(&self, slot: u32) -> Id<Node> {
        self.ids[slot as usize]
    }

    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    pub(super) fn row(&self, slot: u32) -> &NodeInfo {
        &self.rows[slot as usize]
    }

    /// Rows, those of nodes not known among them.
    pub(super) fn rows(&self) -> &[NodeInfo] {
        &self.rows
    }

    /// The place in the order of the node at a slot, [`NO_PLACE`] if it has none.
    pub(super) fn place(&self, slot: u32) -> u32 {
        self.places.get(slot as usize).copied().unwrap_or(NO_PLACE)
    }

    /// Changes with the order of nodes.
    pub(super) fn order_version(&self) -> u32 {
        self.order_version
    }

    /// What changed of late.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn versions(&self) -> &[Versions] {
        &self.versions
    }

    fn blank(&self, id: Id<Node>) -> NodeInfo {
        let mut node = NodeInfo::pods_only(id);
        node.devices = self.gpus.clone().map(|args| Box::new(Devices::new(args)));
        node
    }

    fn row_of(&mut self, id: Id<Node>) -> usize {
        let slot = id.slot();
        while self.rows.len() <= slot {
            let blank = Id::from_parts(self.rows.len() as u32, u32::MAX);
            self.rows.push(self.blank(blank));
            self.ids.push(blank);
            self.versions.push(Versions::default());
            self.is_changed.push(false);
        }
        if self.rows[slot].id != id {
            self.remove_node(self.rows[slot].id);
            let blank = self.blank(id);
            let before = std::mem::replace(&mut self.rows[slot], blank);
            self.ids[slot] = id;
            for pod in &before.pods {
                self.note(slot, pod, Step::Out);
            }
        }
        slot
    }

    fn touch(&mut self, slot: usize) {
        self.latest = self.latest.wrapping_add(1);
        self.versions[slot].row = self.latest;
        self.mark(slot);
    }

    /// The row's images are to be looked at again (`UpdateSnapshot` takes each row that was touched).
    fn mark(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.is_changed[slot], true) {
            self.changed.push(slot as u32);
        }
    }

    fn note(&mut self, slot: usize, pod: &Resident, step: Step) {
        let (shape, standing) = (pod.shape.clone(), pod.standing);
        self.log.push(slot, Change::Pod { shape, standing, step });
    }
}
