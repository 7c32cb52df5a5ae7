//! Zones: their state, and the line in which their silent nodes wait for the NoExecute taint.
//!
//! The real controller looks at its lines each 100 ms, counted from the end of the look before, so that where
//! looks fall between passes is luck: within 100 ms, a line moves, and only when a token of its bucket
//! (one at a time) is there. kube-controller-manager 1.36
//! pkg/controller/nodelifecycle/{node_lifecycle_controller,scheduler/rate_limited_queue}.go.

use std::collections::{BTreeMap, VecDeque};

use super::{ZONE_LINE, taints};
use crate::api::name::Text;
use crate::api::node::{Node, TAINT_NOT_READY, TAINT_UNREACHABLE, Tristate};
use crate::api::rules::taints::Effect;
use crate::base::id::Id;
use crate::control_plane::controllers::workqueue::Tag;
use crate::control_plane::controllers::{Known, Timer};
use crate::luck::{Label, Luck};
use crate::messages::{ClientId, Effects};
use crate::time::{SimDuration, SimTime};

/// Rates and thresholds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// From one node given up to the next (`--node-eviction-rate` 0.1/s).
    pub interval: SimDuration,
    /// The same in a large zone in partial disruption (`--secondary-node-eviction-rate` 0.01/s).
    pub secondary_interval: SimDuration,
    /// Zones up to this size stop instead (`--large-cluster-size-threshold`).
    pub large: usize,
    /// Share of silent nodes from which on a zone is partially disrupted, in percent
    /// (`--unhealthy-zone-threshold` 0.55).
    pub unhealthy_percent: u32,
    /// When looks fall.
    pub luck: Luck,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            interval: SimDuration::from_secs(10),
            secondary_interval: SimDuration::from_secs(100),
            large: 50,
            unhealthy_percent: 55,
            luck: Luck::new(0),
        }
    }
}

/// From look to look at a line (`NodeEvictionPeriod`).
const LOOKS: SimDuration = SimDuration::from_millis(100);
const LOOK: Label = Label::new("zone-line-look");
/// A write that met another one's is tried again after 100 ms and up to as much again, five times in all
/// (`UpdateTaintBackoff`).
const TRIES: u8 = 5;
const TRY_AGAIN: Label = Label::new("zone-line-try");

/// How a zone does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not yet judged.
    Initial,
    /// Most of its nodes are ready.
    Normal,
    /// More than two are not, and they are at least the threshold's share.
    Partial,
    /// None is ready.
    Full,
}

/// A zone's key: region and zone.
pub type ZoneKey = (Text, Text);

/// The key of a node's zone.
pub fn key(node: &Node) -> ZoneKey {
    (node.region().into(), node.zone().into())
}

/// Whether a node does not count in judging its zone, by its label
/// (`isNodeExcludedFromDisruptionChecks`).
pub fn is_excluded(node: &Node) -> bool {
    node.meta.labels.contains_key("node.kubernetes.io/exclude-disruption")
}

/// Judges a zone by the Ready conditions of its nodes (`ComputeZoneState`, its threshold compared
/// as there in 32-bit floats).
pub fn judge(conditions: &[Tristate], unhealthy_percent: u32) -> State {
    let ready = conditions.iter().filter(|one| **one == Tristate::True).count();
    let silent = conditions.len() - ready;
    let threshold = unhealthy_percent as f32 / 100.0;
    if ready == 0 && silent > 0 {
        State::Full
    } else if silent > 2 && silent as f32 / conditions.len() as f32 >= threshold {
        State::Partial
    } else {
        State::Normal
    }
}

#[derive(Clone, Debug)]
struct Zone {
    state: State,
    /// From token to token; `None`: there are none.
    interval: Option<SimDuration>,
    /// When the next token is there.
    token: SimTime,
    line: VecDeque<Id<Node>>,
    /// The write in flight for the first of the line.
    writing: Option<taints::Writing>,
    /// When the line was last asked to move; earlier wishes count no more.
    armed: SimTime,
    /// Looks that were asked for.
    looks: u64,
    /// Writes for the first of the line that met another one's.
    refused: u8,
}

/// All zones.
#[derive(Clone, Debug)]
pub struct Zones {
    settings: Settings,
    keys: BTreeMap<ZoneKey, u32>,
    zones: Vec<Zone>,
}

impl Zones {
    pub(super) fn new(settings: Settings) -> Zones {
        Zones { settings, keys: BTreeMap::new(), zones: Vec::new() }
    }

    fn of(&mut self, key: ZoneKey) -> usize {
        let next = self.zones.len() as u32;
        let at = *self.keys.entry(key).or_insert(next);
        if at == next {
            self.zones.push(Zone {
                state: State::Initial,
                interval: Some(self.settings.interval),
                token: SimTime::ZERO,
                line: VecDeque::new(),
                writing: None,
                armed: SimTime::MAX,
                looks: 0,
                refused: 0,
            });
        }
        at as usize
    }

    /// Puts a node that lacks the taint in its zone's line (`markNodeForTainting`).
    pub(super) fn mark(&mut self, id: Id<Node>, node: &Node, fx: &mut Effects<Timer>) {
        let at = self.of(key(node));
        let zone = &mut self.zones[at];
        if !zone.line.contains(&id) {
            zone.line.push_back(id);
        }
        self.arm(at, fx);
    }

    /// Takes a node that was heard of out of its line.
    pub(super) fn unmark(&mut self, id: Id<Node>, node: &Node) {
        let at = self.of(key(node));
        self.zones[at].line.retain(|&held| held != id);
    }

    /// A node is gone.
    pub(super) fn forget(&mut self, id: Id<Node>) {
        for zone in &mut self.zones {
            zone.line.retain(|&held| held != id);
        }
    }

    fn arm(&mut self, at: usize, fx: &mut Effects<Timer>) {
        let (luck, now) = (self.settings.luck, fx.now());
        let zone = &mut self.zones[at];
        let earliest = zone.token.max(now + SimDuration::from_nanos(1));
        let is_armed = zone.armed != SimTime::MAX && zone.armed >= earliest;
        if is_armed || zone.line.is_empty() || zone.interval.is_none() || zone.writing.is_some() {
            return;
        }
        zone.looks += 1;
        let draw = luck.draw(LOOK, at as u64, zone.looks);
        let when = earliest + draw.duration_between(SimDuration::ZERO, LOOKS);
        zone.armed = when;
        fx.arm_at(when, Timer::Zone { zone: at as u32 });
    }

    /// A line may move: the first of it gets the taint its condition calls for, and loses the
    /// other one.
    pub(super) fn advance(
        &mut self,
        at: u32,
        client: ClientId,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(zone) = self.zones.get_mut(at as usize) else { return };
        if zone.armed != fx.now() || zone.writing.is_some() {
            return;
        }
        zone.armed = SimTime::MAX;
        while let Some(&id) = zone.line.front() {
            let Some(interval) = zone.interval else { return };
            // A write that is tried again has its token.
            if zone.refused == 0 {
                if zone.token > fx.now() {
                    break;
                }
                zone.token = fx.now() + interval;
            }
            let writing = known.view.version(id).and_then(|(rev, node)| {
                let (add, remove) = match node.conditions.ready {
                    Tristate::False => (TAINT_NOT_READY, TAINT_UNREACHABLE),
                    Tristate::Unknown => (TAINT_UNREACHABLE, TAINT_NOT_READY),
                    Tristate::True => return None,
                };
                let [add, remove] = [add, remove].map(|key| taints::taint(key, Effect::NoExecute));
                taints::Writing::new(id, node, rev, (&[add], &[remove]), fx.now())
            });
            match writing {
                Some(writing) => {
                    fx.send(client, Tag::Sync(ZONE_LINE, at, 0).pack(), writing.call());
                    zone.writing = Some(writing);
                    return;
                }
                None => {
                    zone.line.pop_front();
                    zone.refused = 0;
                }
            }
        }
        self.arm(at as usize, fx);
    }

    /// The answer to the write for the first of a line: refused, it is tried again, and stays there.
    pub(super) fn reply(&mut self, at: u32, went_well: bool, fx: &mut Effects<Timer>) {
        let Some(zone) = self.zones.get_mut(at as usize) else { return };
        if zone.writing.take().is_none() {
            return;
        }
        if went_well {
            zone.line.pop_front();
            zone.refused = 0;
        } else if zone.refused + 1 < TRIES {
            zone.refused += 1;
            zone.looks += 1;
            let draw = self.settings.luck.draw(TRY_AGAIN, u64::from(at), zone.looks);
            zone.armed = fx.now() + draw.duration_between(LOOKS, LOOKS * 2);
            return fx.arm_at(zone.armed, Timer::Zone { zone: at });
        } else {
            zone.refused = 0;
        }
        self.arm(at as usize, fx);
    }

    fn set_rate(&mut self, at: usize, interval: Option<SimDuration>, fx: &mut Effects<Timer>) {
        let zone = &mut self.zones[at];
        if zone.interval == interval {
            return;
        }
        // A new bucket is full, unless the old one had no token: then the new one has none either.
        let now = fx.now();
        let had_token = zone.interval.is_some() && zone.token <= now;
        zone.token = match interval {
            Some(interval) if !had_token => now + interval,
            _ => SimTime::ZERO,
        };
        zone.interval = interval;
        zone.armed = SimTime::MAX;
        self.arm(at, fx);
    }

    fn rate_of(&self, state: State, size: usize) -> Option<SimDuration> {
        match state {
            State::Partial if size > self.settings.large => Some(self.settings.secondary_interval),
            State::Partial => None,
            State::Initial | State::Normal | State::Full => Some(self.settings.interval),
        }
    }

    /// What the end of a pass calls for (`handleDisruption`).
    pub(super) fn settle(
        &mut self,
        conditions: &BTreeMap<ZoneKey, Vec<Tristate>>,
        fx: &mut Effects<Timer>,
    ) -> Verdict {
        let mut judged = Vec::new();
        for (key, list) in conditions {
            let state = judge(list, self.settings.unhealthy_percent);
            judged.push((self.of(key.clone()), state, list.len()));
        }
        let is_full = judged.iter().all(|&(_, state, _)| state == State::Full);
        let was_full = judged.iter().all(|&(at, _, _)| self.zones[at].state == State::Full);
        let mut changed = false;
        let verdict = match (was_full, is_full) {
            (true, true) => return Verdict::Settled,
            (false, true) => Verdict::AllLost,
            (true, false) => Verdict::Back,
            (false, false) => Verdict::Settled,
        };
        for (at, state, size) in judged {
            let is_new = self.zones[at].state != state || verdict == Verdict::Back;
            changed |= is_new;
            self.zones[at].state = state;
            if verdict == Verdict::AllLost {
                self.set_rate(at, None, fx);
            } else if is_new {
                let rate = self.rate_of(state, size);
                self.set_rate(at, rate, fx);
            }
        }
        if changed && verdict == Verdict::Settled { Verdict::Moved } else { verdict }
    }
}

/// What the end of a pass calls for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing changed.
    Settled,
    /// Some zone's state did.
    Moved,
    /// No node anywhere is ready any more: NoExecute taints are taken back, nobody is given up.
    AllLost,
    /// The first is ready again: all nodes count as heard of now.
    Back,
}
