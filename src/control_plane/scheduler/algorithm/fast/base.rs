//! What pods of one kind of request find on each node, as far as that node alone decides it: a
//! column of cells in the order of nodes, each worked out when it is asked for and good until its
//! node changes.
//!
//! Covers the plugins from NodeUnschedulable to NodeResourcesFit, and the scores of a node for
//! itself. Refuses to know what depends on other nodes.

use std::sync::Arc;

use super::super::framework::{Plugin, Rejection, filter_static};
use super::super::node_info::NodeInfo;
use super::super::plugins::{
    balanced, fit, image_locality, node_affinity, node_ports, taint_toleration,
};
use super::super::preemption::{Candidate, Failure};
use super::super::profile::Profile;
use super::super::resident::{Resident, Standing};
use super::super::shape::PodShape;
use super::super::snapshot::Snapshot;
use super::bits::{Bits, WORD};

/// What a node is to a kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The version of the node object that `blocked`, `soft_taints` and `affinity` are good for.
    node: u32,
    /// The rejection for good, whatever pods the node has; [`FEASIBLE`] if there is none.
    blocked: u32,
    /// The number of the rejection, [`FEASIBLE`] if there is none.
    verdict: u32,
    /// Soft taints not tolerated.
    pub soft_taints: u16,
    /// Weights of preferred node affinity terms, summed.
    pub affinity: i32,
    /// Weighted scores that need no normalising, summed.
    pub plain: i64,
}

/// No rejection.
const FEASIBLE: u32 = u32::MAX;

const BLANK: Cell =
    Cell { node: 0, blocked: FEASIBLE, verdict: FEASIBLE, soft_taints: 0, affinity: 0, plain: 0 };

/// What a dry run of preemption came to.
type Trial = Result<Arc<Candidate>, Failure>;

/// Columns for one kind of request.
#[derive(Debug)]
pub(super) struct Base {
    shape: PodShape,
    stale: Bits,
    feasible: Bits,
    cells: Vec<Cell>,
    /// Rejections met so far.
    verdicts: Vec<Rejection>,
    /// Who would have to go, by place; good as long as the cell is, and so are the budgets of this
    /// version.
    trials: Vec<Option<Trial>>,
    budgets: u64,
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
            trials: Vec::new(),
            budgets: 0,
            images: Images::Nowhere,
        }
    }

    /// Whether pods of this shape find the same.
    pub fn is_for(&self, other: &PodShape) -> bool {
        let (a, b) = (self.shape.spec(), other.spec());
        Arc::ptr_eq(a, b)
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
        self.trials.clear();
    }

    /// The node at a place is another now.
    #[inline]
    pub fn touch(&mut self, place: usize) {
        // A trial may have been made on a node whose cell nobody asked for.
        if let Some(trial) = self.trials.get_mut(place) {
            *trial = None;
        }
        if place < self.cells.len() {
            self.stale.insert(place);
            self.feasible.remove(place);
        }
    }

    /// What preemption found out of each place, as far as it holds.
    pub fn trials(&mut self, snapshot: &Snapshot) -> &mut [Option<Trial>] {
        let budgets = snapshot.surroundings().budgets_version();
        if std::mem::replace(&mut self.budgets, budgets) != budgets {
            self.trials.clear();
        }
        self.trials.resize(self.cells.len(), None);
        &mut self.trials
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

    /// The cell of a place that was worked out.
    #[inline]
    pub fn cell(&self, place: usize) -> &Cell {
        &self.cells[place]
    }

    /// All rejections met so far: the numbers of [`Base::verdict`].
    pub fn verdicts(&self) -> &[Rejection] {
        &self.verdicts
    }

    /// The number of the rejection of the node at a place that was worked out and will not do.
    #[inline]
    pub fn verdict(&self, place: usize) -> u32 {
        self.cells[place].verdict
    }

    /// Why the node at a place that was worked out is rejected, if it is.
    pub fn rejection(&self, place: usize) -> Option<Rejection> {
        self.verdicts.get(self.cells[place].verdict as usize).copied()
    }

    fn work_out(&mut self, place: usize, snapshot: &Snapshot, profile: &Profile) {
        let slot = snapshot.order()[place];
        let (node, version) = (snapshot.row(slot), snapshot.versions()[slot as usize].node);
        if self.cells[place].node != version {
            let blocked = self.number(filter_static(profile, &self.shape, node));
            let pod = &self.shape;
            self.cells[place] = Cell {
                node: version,
                blocked,
                soft_taints: taint_toleration::score(pod, node) as u16,
                affinity: node_affinity::score(&profile.added_affinity, pod, node) as i32,
                ..BLANK
            };
        }
        let pod = &self.shape;
        let verdict = match self.cells[place].blocked {
            FEASIBLE => {
                let beside = with_nominees(profile, pod, node, snapshot);
                let rejection = beside.or_else(|| crowded(profile, pod, node));
                self.number(rejection)
            }
            blocked => blocked,
        };
        let cell = &mut self.cells[place];
        cell.verdict = verdict;
        if verdict == FEASIBLE {
            cell.plain = scores(profile, &self.shape, node, self.images);
            self.feasible.insert(place);
        }
    }

    /// The number of a rejection.
    fn number(&mut self, rejection: Option<Rejection>) -> u32 {
        let Some(rejection) = rejection else { return FEASIBLE };
        let known = self.verdicts.iter().position(|known| *known == rejection);
        known.unwrap_or_else(|| {
            self.verdicts.push(rejection);
            self.verdicts.len() - 1
        }) as u32
    }
}

/// The rejection by what is taken of the node once those who were promised it are there.
fn with_nominees(
    profile: &Profile,
    pod: &PodShape,
    node: &NodeInfo,
    snapshot: &Snapshot,
) -> Option<Rejection> {
    let nominees = snapshot.nominations().at(node.id).iter();
    let priority = pod.spec().priority;
    let mut nominees = nominees.filter(|it| it.shape.spec().priority >= priority).peekable();
    nominees.peek()?;
    let mut node = node.clone();
    for nominee in nominees {
        let (pod, shape) = (nominee.pod, nominee.shape.clone());
        node.add_pod(Resident { pod, shape, start: None, standing: Standing::Staying });
    }
    crowded(profile, pod, &node)
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
