//! Signs of life: lease renewals by arithmetic, of nodes and of leaders.
//!
//! A node's kubelet renews its Lease at phase + k * 10 s. Whether renewal k arrived follows from the
//! node's state and its path at that instant, and when, from luck keyed by (node, k). So nothing is
//! stored but since when a node is heard, and the last renewal before it fell silent. Explicit
//! fidelity runs each renewal as an occurrence and notes its arrival; both answer alike.

use crate::api::node::Node;
use crate::base::StableHasher;
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::kernel::NO_CAUSE;
use crate::kernel::recurring::{Cadence, Fidelity};
use crate::luck::{Label, Luck};
use crate::messages::{Heartbeats, Profile};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const ARRIVAL: Label = Label::new("lease-renewal");
const COMMIT: Label = Label::new("lease-commit");

/// Whether renewals arrive as things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    /// They do, from this instant on.
    Heard(SimTime),
    /// They do not.
    Silent,
}

/// How renewals travel, and whether each is run.
#[derive(Clone, Debug)]
pub struct Way {
    fidelity: Fidelity,
    profile: Profile,
    luck: Luck,
}

impl Way {
    /// Renewals of a run.
    pub fn new(fidelity: Fidelity, profile: Profile, luck: Luck) -> Way {
        Way { fidelity, profile, luck }
    }
}

/// The renewals of one Lease.
#[derive(Clone, Debug)]
pub struct Pulse {
    key: u64,
    cadence: Cadence,
    voice: Voice,
    /// The arrival of the last renewal of an earlier stretch; the start of it all counts as one.
    last: SimTime,
    /// Explicit fidelity: the arrivals of the two latest renewals of this stretch.
    noted: [Option<SimTime>; 2],
}

impl Pulse {
    /// Renewals at `cadence`, heard from `since` on, when the Lease was first written.
    pub fn new(key: u64, cadence: Cadence, since: SimTime) -> Pulse {
        Pulse { key, cadence, voice: Voice::Heard(since), last: since, noted: [None; 2] }
    }

    /// When renewal `k` is stored, if nothing is in its way when it is sent.
    fn arrival(&self, k: u64, way: &Way) -> SimTime {
        let work = way.profile.api_request.sample(way.luck.draw(ARRIVAL, self.key, k));
        let commit = way.profile.etcd_commit.sample(way.luck.draw(COMMIT, self.key, k));
        self.cadence.at(k) + way.profile.link_floor() + work + commit
    }

    /// The latest arrival not later than `at` of the renewals sent in `[since, at]`, by arithmetic.
    fn counted(&self, since: SimTime, at: SimTime, way: &Way) -> Option<SimTime> {
        let first = self.cadence.first_from(since);
        let end = self.cadence.first_from(at + SimDuration::from_nanos(1));
        // Renewals are far enough apart to arrive in order.
        (first..end).rev().map(|k| self.arrival(k, way)).find(|&arrival| arrival <= at)
    }

    /// Explicit fidelity: renewal `k` is sent now.
    pub fn renew(&mut self, k: u64, way: &Way) {
        if self.is_heard() {
            self.noted = [self.noted[1], Some(self.arrival(k, way))];
        }
    }

    /// It falls silent at `now`: the renewal due at this very instant is not sent any more. Returns
    /// when the last one arrives; `None` if it was silent before.
    pub fn fall_silent(&mut self, now: SimTime, way: &Way) -> Option<SimTime> {
        let Voice::Heard(since) = self.voice else { return None };
        let sent = match way.fidelity {
            Fidelity::Explicit => self.noted[1],
            Fidelity::Elided => {
                let last = self.cadence.last_before(now).filter(|&k| self.cadence.at(k) >= since);
                last.map(|k| self.arrival(k, way))
            }
        };
        self.last = sent.unwrap_or(self.last);
        self.voice = Voice::Silent;
        self.noted = [None; 2];
        Some(self.last)
    }

    /// It is heard again from `now` on; the renewal due at this very instant is sent.
    pub fn speak(&mut self, now: SimTime) {
        if !self.is_heard() {
            self.voice = Voice::Heard(now);
        }
    }

    /// Whether it is heard.
    pub fn is_heard(&self) -> bool {
        matches!(self.voice, Voice::Heard(_))
    }

    /// Whoever renews starts anew: it renews at once, and from then on at the same period.
    fn restart(&mut self, now: SimTime) -> Option<Cadence> {
        self.cadence = Cadence::new(now, self.cadence.period())?;
        self.key = StableHasher::new().word(self.key).finish();
        Some(self.cadence)
    }

    /// Whether a renewal of the present stretch has arrived by `now`.
    fn is_back(&self, now: SimTime, way: &Way) -> bool {
        match self.voice {
            Voice::Silent => false,
            Voice::Heard(since) => {
                let first = self.arrival(self.cadence.first_from(since), way);
                self.last >= since || first <= now
            }
        }
    }

    /// The latest arrival not later than `at`.
    pub fn last_heard(&self, at: SimTime, way: &Way) -> Option<SimTime> {
        let recent = match (self.voice, way.fidelity) {
            (Voice::Silent, _) => None,
            (Voice::Heard(since), Fidelity::Elided) => self.counted(since, at, way),
            (Voice::Heard(_), Fidelity::Explicit) => {
                self.noted.into_iter().rev().flatten().find(|&arrival| arrival <= at)
            }
        };
        recent.or(Some(self.last)).filter(|&heard| heard <= at)
    }
}

#[derive(Clone, Debug)]
struct Row {
    node: Id<Node>,
    pulse: Pulse,
    /// The fact that silenced it last.
    silenced_by: u64,
}

/// Renewals of all nodes.
#[derive(Clone, Debug)]
pub struct Renewals {
    rows: Chunked<Row>,
    by_slot: Chunked<Option<NodeIndex>>,
    silent: Vec<Id<Node>>,
    way: Way,
}

impl Renewals {
    /// Of no node yet.
    pub fn new(way: Way) -> Renewals {
        Renewals { rows: Chunked::new(), by_slot: Chunked::new(), silent: Vec::new(), way }
    }

    /// Adds the next machine, heard from the start of the run on.
    pub fn add(&mut self, node: Id<Node>, key: u64, lease: Cadence) {
        while self.by_slot.len() <= node.slot() {
            self.by_slot.push(None);
        }
        self.by_slot[node.slot()] = Some(NodeIndex(self.rows.len() as u32));
        let pulse = Pulse::new(key, lease, SimTime::ZERO);
        self.rows.push(Row { node, pulse, silenced_by: NO_CAUSE });
    }

    /// Explicit fidelity: renewal `k` of a machine is sent now.
    pub fn renew(&mut self, at: NodeIndex, k: u64) {
        self.rows[at.row()].pulse.renew(k, &self.way);
    }

    /// A machine falls silent at `now`, because of the fact `cause`: the renewal due at this very
    /// instant is not sent any more.
    pub fn fall_silent(&mut self, at: NodeIndex, now: SimTime, cause: u64) {
        let row = &self.rows[at.row()];
        if row.pulse.is_heard() {
            let row = &mut self.rows[at.row()];
            row.pulse.fall_silent(now, &self.way);
            row.silenced_by = cause;
            if !self.silent.contains(&row.node) {
                self.silent.push(row.node);
            }
        }
    }

    /// A machine is heard again from `now` on; its renewal due at this very instant is sent.
    pub fn speak(&mut self, at: NodeIndex, now: SimTime) {
        if !self.is_heard(at) {
            self.rows[at.row()].pulse.speak(now);
        }
    }

    /// The kubelet of a silent machine is started: its renewals begin anew. Returns when they fall.
    pub fn restart(&mut self, at: NodeIndex, now: SimTime) -> Option<Cadence> {
        self.rows[at.row()].pulse.restart(now)
    }

    /// A machine that is back posts its status, which is a sign of life like a renewal.
    pub fn posted(&mut self, at: NodeIndex, now: SimTime) {
        self.rows[at.row()].pulse.last = now;
    }

    /// Lets go of machines that have been heard of again: until then they count as silent.
    pub fn settle(&mut self, now: SimTime) {
        let Renewals { rows, by_slot, silent, way } = self;
        silent.retain(|node| {
            let at = by_slot[node.slot()].expect("a silent machine is known");
            !rows[at.row()].pulse.is_back(now, way)
        });
    }

    /// Whether a machine is heard.
    pub fn is_heard(&self, at: NodeIndex) -> bool {
        self.rows[at.row()].pulse.is_heard()
    }
}

impl Heartbeats for Renewals {
    fn last_heard(&self, node: Id<Node>, at: SimTime) -> Option<SimTime> {
        let index = (*self.by_slot.get(node.slot())?)?;
        let row = &self.rows[index.row()];
        if row.node != node {
            return None;
        }
        row.pulse.last_heard(at, &self.way)
    }

    fn silent(&self) -> &[Id<Node>] {
        &self.silent
    }

    fn silenced_by(&self, node: Id<Node>) -> u64 {
        let index = self.by_slot.get(node.slot()).copied().flatten();
        let row = index.map(|index| &self.rows[index.row()]).filter(|row| row.node == node);
        row.map_or(NO_CAUSE, |row| row.silenced_by)
    }
}
