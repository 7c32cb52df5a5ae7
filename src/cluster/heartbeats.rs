//! Signs of life of nodes: lease renewals by arithmetic.
//!
//! A node's kubelet renews its Lease at phase + k * 10 s. Whether renewal k arrived follows from the
//! node's state and its path at that instant, and when, from luck keyed by (node, k). So nothing is
//! stored but since when a node is heard, and the last renewal before it fell silent. Explicit
//! fidelity runs each renewal as an occurrence and notes its arrival; both answer alike.

use crate::api::node::Node;
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::kernel::recurring::{Cadence, Fidelity};
use crate::luck::{Label, Luck};
use crate::messages::{Heartbeats, Profile};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const ARRIVAL: Label = Label::new("lease-renewal");
const COMMIT: Label = Label::new("lease-commit");

/// Whether renewals of a node arrive as things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    /// They do, from this instant on.
    Heard(SimTime),
    /// They do not.
    Silent,
}

#[derive(Clone, Debug)]
struct Row {
    node: Id<Node>,
    key: u64,
    lease: Cadence,
    voice: Voice,
    /// The arrival of the last renewal of an earlier stretch; the start of the run counts as one.
    last: SimTime,
    /// Explicit fidelity: the arrivals of the two latest renewals of this stretch.
    noted: [Option<SimTime>; 2],
}

/// Renewals of all nodes.
#[derive(Clone, Debug)]
pub struct Renewals {
    rows: Chunked<Row>,
    by_slot: Chunked<Option<NodeIndex>>,
    silent: Vec<Id<Node>>,
    fidelity: Fidelity,
    profile: Profile,
    luck: Luck,
}

impl Renewals {
    /// Of no node yet.
    pub fn new(fidelity: Fidelity, profile: Profile, luck: Luck) -> Renewals {
        Renewals {
            rows: Chunked::new(),
            by_slot: Chunked::new(),
            silent: Vec::new(),
            fidelity,
            profile,
            luck,
        }
    }

    /// Adds the next machine, heard from the start of the run on.
    pub fn add(&mut self, node: Id<Node>, key: u64, lease: Cadence) {
        while self.by_slot.len() <= node.slot() {
            self.by_slot.push(None);
        }
        self.by_slot[node.slot()] = Some(NodeIndex(self.rows.len() as u32));
        self.rows.push(Row {
            node,
            key,
            lease,
            voice: Voice::Heard(SimTime::ZERO),
            last: SimTime::ZERO,
            noted: [None; 2],
        });
    }

    /// When renewal `k` of a node is stored, if nothing is in its way when it is sent.
    fn arrival(&self, row: &Row, k: u64) -> SimTime {
        let work = self.profile.api_request.sample(self.luck.draw(ARRIVAL, row.key, k));
        let commit = self.profile.etcd_commit.sample(self.luck.draw(COMMIT, row.key, k));
        row.lease.at(k) + self.profile.link_floor() + work + commit
    }

    /// The latest arrival not later than `at` of the renewals sent in `[since, at]`, by arithmetic.
    fn counted(&self, row: &Row, since: SimTime, at: SimTime) -> Option<SimTime> {
        let first = row.lease.first_from(since);
        let end = row.lease.first_from(at + SimDuration::from_nanos(1));
        // Renewals are far enough apart to arrive in order.
        (first..end).rev().map(|k| self.arrival(row, k)).find(|&arrival| arrival <= at)
    }

    /// Explicit fidelity: renewal `k` of a machine is sent now.
    pub fn renew(&mut self, at: NodeIndex, k: u64) {
        let row = &self.rows[at.row()];
        if matches!(row.voice, Voice::Heard(_)) {
            let arrival = self.arrival(row, k);
            let row = &mut self.rows[at.row()];
            row.noted = [row.noted[1], Some(arrival)];
        }
    }

    /// A machine falls silent at `now`: the renewal due at this very instant is not sent any more.
    pub fn fall_silent(&mut self, at: NodeIndex, now: SimTime) {
        let row = &self.rows[at.row()];
        let Voice::Heard(since) = row.voice else { return };
        let sent = match self.fidelity {
            Fidelity::Explicit => row.noted[1],
            Fidelity::Elided => {
                let last = row.lease.last_before(now).filter(|&k| row.lease.at(k) >= since);
                last.map(|k| self.arrival(row, k))
            }
        };
        let row = &mut self.rows[at.row()];
        row.last = sent.unwrap_or(row.last);
        row.voice = Voice::Silent;
        row.noted = [None; 2];
        self.silent.push(row.node);
    }

    /// A machine is heard again from `now` on; its renewal due at this very instant is sent.
    pub fn speak(&mut self, at: NodeIndex, now: SimTime) {
        let row = &mut self.rows[at.row()];
        if row.voice == Voice::Silent {
            row.voice = Voice::Heard(now);
            let node = row.node;
            self.silent.retain(|&one| one != node);
        }
    }

    /// Whether a machine is heard.
    pub fn is_heard(&self, at: NodeIndex) -> bool {
        matches!(self.rows[at.row()].voice, Voice::Heard(_))
    }
}

impl Heartbeats for Renewals {
    fn last_heard(&self, node: Id<Node>, at: SimTime) -> Option<SimTime> {
        let index = (*self.by_slot.get(node.slot())?)?;
        let row = &self.rows[index.row()];
        if row.node != node {
            return None;
        }
        let recent = match (row.voice, self.fidelity) {
            (Voice::Silent, _) => None,
            (Voice::Heard(since), Fidelity::Elided) => self.counted(row, since, at),
            (Voice::Heard(_), Fidelity::Explicit) => {
                row.noted.into_iter().rev().flatten().find(|&arrival| arrival <= at)
            }
        };
        recent.or(Some(row.last)).filter(|&heard| heard <= at)
    }

    fn silent(&self) -> &[Id<Node>] {
        &self.silent
    }
}
