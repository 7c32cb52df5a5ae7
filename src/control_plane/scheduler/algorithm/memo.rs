//! What the algorithm remembers of nodes, by what pods ask: a column a kind of request, a cell a
//! node, each cell good for one version of its node. Only a memory: with or without it the answer is
//! the same, so a clone starts with none.

use super::framework::{Code, Plugin, Rejection, filter_static};
use super::plugins::fit::Shortage;
use super::plugins::{balanced, fit, node_affinity, taint_toleration};
use super::profile::Profile;
use super::shape::PodShape;
use super::snapshot::Snapshot;

/// So many columns of each kind are kept; the one longest unused makes room.
const COLUMNS: usize = 128;

/// What follows from the node object alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    version: u32,
    /// The plugin that rejects the node, always for good.
    pub rejected: Option<Plugin>,
    /// Soft taints not tolerated.
    pub soft_taints: u16,
    /// Weights of preferred terms, summed.
    pub affinity: u32,
}

/// What follows from what is left of the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    version: u32,
    shortage: u8,
    code: Code,
    /// The score of NodeResourcesFit.
    pub fit: u8,
    /// The score of NodeResourcesBalancedAllocation.
    pub balanced: u8,
}

impl Room {
    /// The rejection, if the pod does not fit.
    pub fn rejection(self) -> Option<Rejection> {
        (self.shortage != 0).then_some(Rejection {
            plugin: Plugin::NodeResourcesFit,
            code: self.code,
            detail: u64::from(self.shortage),
        })
    }
}

/// A cell no version of a node is like.
const EMPTY: Room =
    Room { version: 0, shortage: 0, code: Code::Unschedulable, fit: 0, balanced: 0 };

/// A column of cells, by slot of the node.
#[derive(Debug)]
struct Column<Cell> {
    pod: PodShape,
    used: u64,
    cells: Vec<Cell>,
}

/// Columns by what pods ask.
#[derive(Debug, Default)]
pub(super) struct Memo {
    placements: Vec<Column<Placement>>,
    rooms: Vec<Column<Room>>,
    clock: u64,
}

impl Clone for Memo {
    fn clone(&self) -> Memo {
        Memo::default()
    }
}

impl Memo {
    /// The two columns for a pod of this shape, as long as the snapshot.
    pub fn columns(
        &mut self,
        pod: &PodShape,
        snapshot: &Snapshot,
    ) -> (&mut [Placement], &mut [Room]) {
        self.clock += 1;
        let slots = snapshot.versions().len();
        let placements =
            column(&mut self.placements, pod, self.clock, |known| known.places_like(pod));
        let rooms = column(&mut self.rooms, pod, self.clock, |known| same_request(known, pod));
        placements
            .resize(slots, Placement { version: 0, rejected: None, soft_taints: 0, affinity: 0 });
        rooms.resize(slots, EMPTY);
        (placements, rooms)
    }
}

/// Whether both ask for the same amounts.
fn same_request(a: &PodShape, b: &PodShape) -> bool {
    let (a, b) = (a.spec(), b.spec());
    std::sync::Arc::ptr_eq(a, b)
        || a.requests == b.requests
            && a.nonzero_requests.cpu_milli == b.nonzero_requests.cpu_milli
            && a.nonzero_requests.memory == b.nonzero_requests.memory
}

fn column<'c, Cell>(
    columns: &'c mut Vec<Column<Cell>>,
    pod: &PodShape,
    clock: u64,
    same: impl Fn(&PodShape) -> bool,
) -> &'c mut Vec<Cell> {
    let at = columns.iter().position(|column| same(&column.pod)).unwrap_or_else(|| {
        let fresh = Column { pod: pod.clone(), used: 0, cells: Vec::new() };
        if columns.len() < COLUMNS {
            columns.push(fresh);
            return columns.len() - 1;
        }
        let oldest = (0..columns.len()).min_by_key(|&at| columns[at].used).unwrap_or(0);
        columns[oldest] = fresh;
        oldest
    });
    columns[at].used = clock;
    &mut columns[at].cells
}

/// What the node object says to the pod, from the cell if that is still good.
#[inline]
pub(super) fn placement(
    cell: &mut Placement,
    profile: &Profile,
    pod: &PodShape,
    snapshot: &Snapshot,
    slot: u32,
) -> Placement {
    let version = snapshot.versions()[slot as usize].node;
    if cell.version != version {
        let node = snapshot.row(slot);
        *cell = Placement {
            version,
            rejected: filter_static(profile, pod, node).map(|rejection| rejection.plugin),
            soft_taints: taint_toleration::score(pod, node) as u16,
            affinity: node_affinity::score(pod, node) as u32,
        };
    }
    *cell
}

/// What is left for the pod on the node, from the cell if that is still good.
#[inline]
pub(super) fn room(
    cell: &mut Room,
    profile: &Profile,
    pod: &PodShape,
    snapshot: &Snapshot,
    slot: u32,
) -> Room {
    let version = snapshot.versions()[slot as usize].row;
    if cell.version != version {
        let node = snapshot.row(slot);
        let (mut shortage, code) = fit::shortage(&profile.fit, pod, node);
        if !profile.filters.has(Plugin::NodeResourcesFit) {
            shortage = Shortage::default();
        }
        let balanced = if balanced::pre_score(pod) { balanced::score(pod, node) } else { 0 };
        *cell = Room {
            version,
            shortage: shortage.0 as u8,
            code,
            fit: fit::score(&profile.fit, pod, node) as u8,
            balanced: balanced as u8,
        };
    }
    *cell
}
