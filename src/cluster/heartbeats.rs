//! Signs of life: lease renewals by arithmetic, of nodes and of leaders.
//!
//! A node's kubelet renews its Lease at phase + k * 10 s. Whether renewal k arrived follows from the
//! node's state and its path at that instant, and when, from luck keyed by (node, k). So nothing is
//! stored but since when a node is heard and in what weather, and the last renewals before that. Explicit
//! fidelity runs each renewal as an occurrence and notes its arrival; both answer alike.

mod posts;

use crate::api::node::Node;
use crate::base::StableHasher;
use crate::base::chunks::Chunked;
use crate::base::id::Id;
use crate::kernel::NO_CAUSE;
use crate::kernel::recurring::{Cadence, Fidelity};
use crate::luck::{Label, Luck};
use crate::messages::{Heartbeats, Profile};
use crate::net::Weather;
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};
use posts::Posts;

const ARRIVAL: Label = Label::new("lease-renewal");
const COMMIT: Label = Label::new("lease-commit");
const LINK: Label = Label::new("lease-link");
const STATUS: Label = Label::new("node-status-link");

/// Whether renewals arrive as things stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    /// They do, from this instant on.
    Heard(SimTime),
    /// They do not.
    Silent,
}

/// How renewals travel where nothing is wrong, and whether each is run.
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

/// The renewals of one Lease. Whoever renews gives up on a renewal when the next is due, so renewals
/// arrive in order and at most one is on its way.
#[derive(Clone, Debug)]
pub struct Pulse {
    key: u64,
    cadence: Cadence,
    voice: Voice,
    /// What becomes of renewals that are sent now.
    weather: Weather,
    /// The arrivals of the two latest renewals, one of which may be to come: elided, those of earlier
    /// stretches. The start of it all counts as one.
    latest: [SimTime; 2],
}

impl Pulse {
    /// Renewals at `cadence`, heard from `since` on, when the Lease was first written.
    pub fn new(key: u64, cadence: Cadence, since: SimTime) -> Pulse {
        let (voice, weather) = (Voice::Heard(since), Weather::default());
        Pulse { key, cadence, voice, weather, latest: [since; 2] }
    }

    /// When renewal `k` is stored; nothing if it is lost or too late.
    fn arrival(&self, k: u64, way: &Way) -> Option<SimTime> {
        let more = match self.weather.is_calm() {
            true => SimDuration::ZERO,
            false => self.weather.carry(&way.luck.draw(LINK, self.key, k))?,
        };
        let work = way.profile.api_request.sample(way.luck.draw(ARRIVAL, self.key, k));
        let commit = way.profile.etcd_commit.sample(way.luck.draw(COMMIT, self.key, k));
        let takes = way.profile.link_floor() + more + work + commit;
        (takes < self.cadence.period()).then(|| self.cadence.at(k) + takes)
    }

    /// The arrivals of the renewals sent in `[since, until)`, latest first.
    fn arrivals<'a>(
        &'a self,
        since: SimTime,
        until: SimTime,
        way: &'a Way,
    ) -> impl Iterator<Item = SimTime> + use<'a> {
        let (first, end) = (self.cadence.first_from(since), self.cadence.first_from(until));
        (first..end).rev().filter_map(move |k| self.arrival(k, way))
    }

    fn note(&mut self, arrival: SimTime) {
        let [before, last] = self.latest;
        self.latest = if arrival >= last { [last, arrival] } else { [before.max(arrival), last] };
    }

    /// Explicit fidelity: renewal `k` is sent now.
    pub fn renew(&mut self, k: u64, way: &Way) {
        if let (true, Some(arrival)) = (self.is_heard(), self.arrival(k, way)) {
            self.note(arrival);
        }
    }

    /// What is sent from `now` on goes another way, or not at all: the renewal due at this very instant
    /// is not sent any more as those before it were.
    fn close(&mut self, now: SimTime, way: &Way) {
        if let (Voice::Heard(since), Fidelity::Elided) = (self.voice, way.fidelity) {
            let mut two = self.arrivals(since, now, way);
            let (last, before) = (two.next(), two.next());
            drop(two);
            before.into_iter().chain(last).for_each(|arrival| self.note(arrival));
        }
    }

    /// It falls silent at `now`. Returns when the last renewal arrives; `None` if it was silent before.
    pub fn fall_silent(&mut self, now: SimTime, way: &Way) -> Option<SimTime> {
        if !self.is_heard() {
            return None;
        }
        self.close(now, way);
        self.voice = Voice::Silent;
        Some(self.latest[1])
    }

    /// It is heard again from `now` on; the renewal due at this very instant is sent.
    pub fn speak(&mut self, now: SimTime) {
        if !self.is_heard() {
            self.voice = Voice::Heard(now);
        }
    }

    /// Renewals sent from `now` on travel in this weather.
    fn travel(&mut self, now: SimTime, weather: Weather, way: &Way) {
        self.close(now, way);
        self.weather = weather;
        if self.is_heard() {
            self.voice = Voice::Heard(now);
        }
    }

    /// Whether it is heard, if not of each renewal.
    pub fn is_heard(&self) -> bool {
        matches!(self.voice, Voice::Heard(_))
    }

    /// Whoever renews starts anew: it renews at once, and from then on at the same period.
    fn restart(&mut self, now: SimTime) -> Option<Cadence> {
        self.cadence = Cadence::new(now, self.cadence.period())?;
        self.key = StableHasher::new().word(self.key).finish();
        Some(self.cadence)
    }

    /// Whether all renewals arrive from now on, and one of the present stretch has.
    fn is_sure(&self, now: SimTime, way: &Way) -> bool {
        match self.voice {
            Voice::Silent => false,
            Voice::Heard(since) => {
                self.weather.is_calm()
                    && self.last_heard(now, way).is_some_and(|heard| heard >= since)
            }
        }
    }

    /// The latest arrival not later than `at`.
    pub fn last_heard(&self, at: SimTime, way: &Way) -> Option<SimTime> {
        let noted = self.latest.into_iter().filter(|&arrival| arrival <= at).max();
        let recent = match (self.voice, way.fidelity) {
            (Voice::Heard(since), Fidelity::Elided) => {
                let until = at.checked_add(SimDuration::from_nanos(1)).unwrap_or(at);
                self.arrivals(since, until, way).find(|&arrival| arrival <= at)
            }
            (Voice::Silent, _) | (_, Fidelity::Explicit) => None,
        };
        noted.max(recent)
    }
}

impl Pulse {
    /// Whether a status that is posted at occurrence `k` arrives as things stand.
    fn carries(&self, k: u64, way: &Way) -> bool {
        self.weather.is_calm() || {
            let late = self.weather.carry(&way.luck.draw(STATUS, self.key, k));
            late.is_some_and(|late| late < self.cadence.period())
        }
    }
}

#[derive(Clone, Debug)]
struct Row {
    node: Id<Node>,
    pulse: Pulse,
    posts: Posts,
    /// The fact that silenced it last.
    silenced_by: u64,
    /// When it fell silent or was heard again last.
    changed_at: SimTime,
}

impl Row {
    /// The present stretch of its voice, if it has one, is about to end.
    fn close_posts(&mut self, now: SimTime, way: &Way) {
        if let Voice::Heard(since) = self.pulse.voice {
            let pulse = &self.pulse;
            self.posts.close((since, now), |k| pulse.carries(k, way));
        }
    }
}

/// Renewals of all nodes.
#[derive(Clone, Debug)]
pub struct Renewals {
    rows: Chunked<Row>,
    by_slot: Chunked<Option<NodeIndex>>,
    silent: Vec<Id<Node>>,
    changes: u64,
    way: Way,
}

impl Renewals {
    /// Of no node yet.
    pub fn new(way: Way) -> Renewals {
        Renewals {
            rows: Chunked::new(),
            by_slot: Chunked::new(),
            silent: Vec::new(),
            changes: 0,
            way,
        }
    }

    /// Adds the next machine, heard from `since` on, with its cadences of renewals and of its status.
    pub fn add(&mut self, node: Id<Node>, key: u64, [lease, status]: [Cadence; 2], since: SimTime) {
        while self.by_slot.len() <= node.slot() {
            self.by_slot.push(None);
        }
        self.by_slot[node.slot()] = Some(NodeIndex(self.rows.len() as u32));
        let pulse = Pulse::new(key, lease, since);
        let posts = Posts::new(status, since, (self.way.luck, key));
        let (silenced_by, changed_at) = (NO_CAUSE, SimTime::ZERO);
        self.rows.push(Row { node, pulse, posts, silenced_by, changed_at });
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
            self.changes += 1;
            let row = &mut self.rows[at.row()];
            row.close_posts(now, &self.way);
            row.pulse.fall_silent(now, &self.way);
            row.silenced_by = cause;
            row.changed_at = now;
            if !self.silent.contains(&row.node) {
                self.silent.push(row.node);
            }
        }
    }

    /// A machine is heard again from `now` on; its renewal due at this very instant is sent.
    pub fn speak(&mut self, at: NodeIndex, now: SimTime) {
        if !self.is_heard(at) {
            self.changes += 1;
            let row = &mut self.rows[at.row()];
            row.pulse.speak(now);
            row.changed_at = now;
        }
    }

    /// Renewals of a machine travel in this weather from `now` on, because of the fact `cause`.
    pub fn travel(&mut self, at: NodeIndex, now: SimTime, weather: Weather, cause: u64) {
        let row = &self.rows[at.row()];
        if row.pulse.weather == weather {
            return;
        }
        self.changes += 1;
        let row = &mut self.rows[at.row()];
        if !weather.is_calm() {
            row.silenced_by = cause;
        }
        row.close_posts(now, &self.way);
        row.pulse.travel(now, weather, &self.way);
        if !self.silent.contains(&row.node) {
            self.silent.push(row.node);
        }
    }

    /// Whether a status that a machine's kubelet posts at its occurrence `k` arrives.
    pub fn arrives(&self, at: NodeIndex, k: u64) -> bool {
        self.rows[at.row()].pulse.carries(k, &self.way)
    }

    /// The kubelet of a silent machine is started: its renewals begin anew. Returns when they fall.
    pub fn restart(&mut self, at: NodeIndex, now: SimTime) -> Option<Cadence> {
        self.changes += 1;
        let row = &mut self.rows[at.row()];
        row.posts.restarted(now);
        row.pulse.restart(now)
    }

    /// A machine that is back posts its status, which is a sign of life like a renewal.
    pub fn posted(&mut self, at: NodeIndex, now: SimTime) {
        self.rows[at.row()].pulse.note(now);
        self.status_changed(at, now);
    }

    /// A machine's kubelet posts a status that changed.
    pub fn status_changed(&mut self, at: NodeIndex, now: SimTime) {
        let row = &mut self.rows[at.row()];
        if row.pulse.is_heard() {
            let key = row.pulse.key;
            row.posts.changed(now, (self.way.luck, key));
        }
    }

    /// When the kubelet of a node posted its status last as of `at`, be it that nothing had changed
    /// (`lastHeartbeatTime` of its conditions): an instant since the node was last silent, or in worse weather.
    pub fn last_post(&self, node: Id<Node>, at: SimTime) -> Option<SimTime> {
        let index = (*self.by_slot.get(node.slot())?)?;
        let row = Some(&self.rows[index.row()]).filter(|row| row.node == node)?;
        Some(match row.pulse.voice {
            Voice::Silent => row.posts.last_before(),
            Voice::Heard(since) => row.posts.last((since, at), |k| row.pulse.carries(k, &self.way)),
        })
    }

    /// Lets go of machines that will be heard of for sure: until then they count as silent.
    pub fn settle(&mut self, now: SimTime) {
        let Renewals { rows, by_slot, silent, way, .. } = self;
        silent.retain(|node| {
            let at = by_slot[node.slot()].expect("a silent machine is known");
            // Another may have its slot by now.
            rows[at.row()].node == *node && !rows[at.row()].pulse.is_sure(now, way)
        });
    }

    /// When a machine fell silent or was heard again last.
    pub fn changed_at(&self, at: NodeIndex) -> SimTime {
        self.rows[at.row()].changed_at
    }

    /// Whether a machine was heard at an instant not long ago: what was before its last change but one
    /// is forgotten.
    pub fn hears(&self, at: NodeIndex, then: SimTime) -> bool {
        let row = &self.rows[at.row()];
        (then >= row.changed_at) == row.pulse.is_heard()
            || row.changed_at == SimTime::ZERO && row.pulse.is_heard()
    }

    /// Whether some machine was not heard at an instant not long ago.
    pub fn is_any_mute(&self, then: SimTime) -> bool {
        self.silent.iter().any(|node| {
            let at = self.by_slot.get(node.slot()).copied().flatten();
            at.is_some_and(|at| !self.hears(at, then))
        })
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

    fn changes(&self) -> u64 {
        self.changes
    }

    fn silenced_by(&self, node: Id<Node>) -> u64 {
        let index = self.by_slot.get(node.slot()).copied().flatten();
        let row = index.map(|index| &self.rows[index.row()]).filter(|row| row.node == node);
        row.map_or(NO_CAUSE, |row| row.silenced_by)
    }
}
