//! What pods of one kind of request find on each node, as far as that node alone decides it: a
//! column of cells in the order of nodes, each worked out when it is asked for and good until its
//! node changes.
//!
//! Covers the plugins from NodeUnschedulable to NodeResourcesFit, and the scores of a node for
//! itself. Refuses to know what depends on other nodes.

use super::super::framework::{Plugin, Rejection, filter_static};
use super::super::node_info::NodeInfo;
use super::super::plugins::{
    balanced, fit, image_locality, node_affinity, node_ports, taint_toleration,
};
use super::super::profile::Profile;
use super::super::shape::PodShape;
use super::super::snapshot::Snapshot;
use super::bits::{Bits, WORD};

/// What a node is to a kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The version of the node object that `blocked`, `soft_taints` and `affinity` are good for.
    node: u32,
    /// The plugin that rejects the node for good, whatever pods it has.
    blocked: Option<Rejection>,
    /// 0: feasible; else one more than the number of the rejection.
    verdict: u16,
    /// Soft taints not tolerated.
    pub soft_taints: u16,
    /// Weights of preferred node affinity terms, summed.
    pub affinity: i32,
    /// Weighted scores that need no normalising, summed.
    pub plain: i64,
}

const BLANK: Cell =
    Cell { node: 0, blocked: None, verdict: 0, soft_taints: 0, affinity: 0, plain: 0 };

/// Columns for one kind of request.
#[derive(Debug)]
pub(super) struct Base {
    shape: PodShape,
    stale: Bits,
    feasible: Bits,
    cells: Vec<Cell>,
    /// Rejections met so far, with how many cells that are not stale have each.
    verdicts: Vec<(Rejection, u32)>,
    /// Whether a node with one of the pod's images is known: then its scores count.
    images: Images,
}

/// Whether scores for images matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Images {
    /// No node has any.
    Nowhere,
    /// Some have, among so many nodes.
    Among(usize),
}

impl Base {
    /// Columns of nothing known.
    pub fn new(shape: &PodShape) -> Base {
        Base {
            shape: shape.clone(),
            stale: Bits::default(),
            feasible: Bits::default(),
            cells: Vec::new(),
            verdicts: Vec::new(),
            images: Images::Nowhere,
        }
    }

    /// Whether pods of this shape find the same.
    pub fn is_for(&self, other: &PodShape) -> bool {
        let (a, b) = (self.shape.spec(), other.spec());
        std::sync::Arc::ptr_eq(a, b)
            || a.requests == b.requests
                && a.nonzero_requests.cpu_milli == b.nonzero_requests.cpu_milli
                && a.nonzero_requests.memory == b.nonzero_requests.memory
                && a.priority == b.priority
                && a.host_ports == b.host_ports
                && self.shape.images() == other.images()
                && self.shape.places_like(other)
    }

    /// Forgets everything: the order of nodes is another, of so many.
    pub fn forget(&mut self, nodes: usize) {
        self.stale = Bits::all(nodes);
        self.feasible = Bits::none(nodes);
        self.cells.clear();
        self.cells.resize(nodes, BLANK);
        self.verdicts.iter_mut().for_each(|(_, count)| *count = 0);
    }

    /// The node at a place is another now.
    #[inline]
    pub fn touch(&mut self, place: usize) {
        if place < self.cells.len() && !self.stale.has(place) {
            self.stale.insert(place);
            self.feasible.remove(place);
            if let Some(at) = self.cells[place].verdict.checked_sub(1) {
                self.verdicts[usize::from(at)].1 -= 1;
            }
        }
    }

    /// Looks whether images matter; scores worked out under another answer are forgotten.
    pub fn look_for_images(&mut self, snapshot: &Snapshot, profile: &Profile) {
        let counts = profile.weight(Plugin::ImageLocality) > 0;
        let images = match counts && self.shape.images().iter().any(|it| snapshot.has_image(it)) {
            true => Images::Among(snapshot.len()),
            false => Images::Nowhere,
        };
        if std::mem::replace(&mut self.images, images) != images {
            self.forget(snapshot.len());
        }
    }

    /// The feasible places of a word, all of it worked out.
    #[inline]
    pub fn feasible_word(&mut self, word: usize, snapshot: &Snapshot, profile: &Profile) -> u64 {
        let mut stale = self.stale.take_word(word);
        while stale != 0 {
            let place = word * WORD + stale.trailing_zeros() as usize;
            stale &= stale - 1;
            self.work_out(place, snapshot, profile);
        }
        self.feasible.word(word)
    }

    /// Works out what is stale everywhere.
    pub fn settle(&mut self, snapshot: &Snapshot, profile: &Profile) {
        for word in 0..self.stale.words() {
            self.feasible_word(word, snapshot, profile);
        }
    }

    /// The cell of a place that was worked out.
    #[inline]
    pub fn cell(&self, place: usize) -> &Cell {
        &self.cells[place]
    }

    /// Why the node at a place that was worked out is rejected, if it is.
    pub fn rejection(&self, place: usize) -> Option<Rejection> {
        let at = self.cells[place].verdict.checked_sub(1)?;
        Some(self.verdicts[usize::from(at)].0)
    }

    fn work_out(&mut self, place: usize, snapshot: &Snapshot, profile: &Profile) {
        let slot = snapshot.order()[place];
        let (node, version) = (snapshot.row(slot), snapshot.versions()[slot as usize].node);
        let pod = &self.shape;
        let cell = &mut self.cells[place];
        if cell.node != version {
            *cell = Cell {
                node: version,
                blocked: filter_static(profile, pod, node),
                verdict: 0,
                soft_taints: taint_toleration::score(pod, node) as u16,
                affinity: node_affinity::score(&profile.added_affinity, pod, node) as i32,
                plain: 0,
            };
        }
        let rejection = match cell.blocked {
            Some(rejection) => Some(rejection),
            None => crowded(profile, pod, node),
        };
        match rejection {
            Some(rejection) => {
                let known = self.verdicts.iter().position(|(known, _)| *known == rejection);
                let at = known.unwrap_or_else(|| {
                    self.verdicts.push((rejection, 0));
                    self.verdicts.len() - 1
                });
                self.verdicts[at].1 += 1;
                self.cells[place].verdict = at as u16 + 1;
            }
            None => {
                cell.verdict = 0;
                cell.plain = scores(profile, pod, node, self.images);
                self.feasible.insert(place);
            }
        }
    }
}

/// The rejection by what pods on the node take of it.
fn crowded(profile: &Profile, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let has = |plugin| profile.filters.has(plugin);
    let by_ports = || node_ports::filter(pod, node).filter(|_| has(Plugin::NodePorts));
    let by_room = || match has(Plugin::NodeResourcesFit) {
        true => fit::filter(&profile.fit, pod, node),
        false => None,
    };
    by_ports().or_else(by_room)
}

/// Weighted scores of the node for itself.
fn scores(profile: &Profile, pod: &PodShape, node: &NodeInfo, images: Images) -> i64 {
    let mut sum = profile.weight(Plugin::NodeResourcesFit) * fit::score(&profile.fit, pod, node);
    let among = &profile.balanced;
    if balanced::pre_score(among, pod) {
        sum += profile.weight(Plugin::NodeResourcesBalancedAllocation)
            * balanced::score(among, pod, node);
    }
    if let Images::Among(nodes) = images {
        sum += profile.weight(Plugin::ImageLocality) * image_locality::score(pod, node, nodes);
    }
    sum
}
