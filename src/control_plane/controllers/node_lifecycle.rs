//! The node lifecycle controller (kube-controller-manager 1.36 pkg/controller/nodelifecycle).
//!
//! Owns who was heard of when, the conditions and taints of silent nodes, and how fast nodes are
//! given up a zone; refuses to know why a node is silent and what becomes of its pods, but for
//! their Ready condition. Every 5 s, counted from the end of the last one, a pass looks at all
//! nodes:
//!
//! ```text
//! pass k ─▶ each node: heard of since? ─ silent for the grace ─▶ Ready=Unknown ─▶ pods not ready
//!                │                                                   └▶ zone's line for NoExecute
//!                └─ all looked at ─▶ zones judged: normal, partial, full disruption ─▶ rates
//! node changed ─▶ NoSchedule taints made to match its conditions, at once
//! zone's line ── a token each 10 s (100 s, never) ─▶ NoExecute taint
//! ```
//!
//! Where nothing can change, a pass need not run: [`NodeLifecycle::next_pass`] names the first one
//! that matters, and a pass that does run then finds what every pass in between would have noted.

mod pass;
pub mod taints;

/// That a node came or went (`RecordNodeEvent`).
fn in_controller(
    node: &Node,
    reason: &'static str,
    verb: &str,
    way: &str,
) -> (Option<About>, Remark) {
    let name = &node.meta.name;
    let what = format!("Node {name} event: {verb} Node {name} {way} Controller");
    (Some(About::of(Kind::Node, &node.meta)), Remark::normal(reason, what))
}

#[cfg(test)]
mod tests;
pub mod zones;

use std::collections::BTreeMap;

use crate::api::kind::Kind;
use crate::api::node::{Node, Posted, Tristate};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::{About, ClientId, Effects, Heartbeats, Remark, Reply};
use crate::store::{Change, View};
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::workqueue::{Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};
use pass::Pass;
use zones::Zones;

/// Times of the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// From the end of one pass to the next: `--node-monitor-period`.
    pub period: SimDuration,
    /// What a pass takes that writes nothing, and how much more for each node it knows.
    pub pass: (SimDuration, SimDuration),
    /// `--node-monitor-grace-period`.
    pub grace: SimDuration,
    /// `--node-startup-grace-period`: for nodes never heard of.
    pub startup_grace: SimDuration,
    /// Rates of giving nodes up.
    pub zones: zones::Settings,
}

impl Default for Settings {
    /// 5 s, 50 s, 60 s; passes as recorded: 70 in a row drifted by 6 ms each with 3 to 5 nodes, 22 by 32 ms
    /// with 60.
    fn default() -> Settings {
        Settings {
            period: SimDuration::from_secs(5),
            pass: (SimDuration::from_millis(5), SimDuration::from_micros(450)),
            grace: SimDuration::from_secs(50),
            startup_grace: SimDuration::from_secs(60),
            zones: zones::Settings::default(),
        }
    }
}

impl Settings {
    /// From the end of what a pass writes to the end of the next pass that writes nothing, if it knows so
    /// many nodes.
    pub fn period_with(&self, nodes: usize) -> SimDuration {
        let (pass, more) = self.pass;
        (self.period + pass + more * nodes as u64).max(SimDuration::from_nanos(1))
    }
}

/// What the controller remembers of a node.
#[derive(Clone, Copy, Debug)]
struct Health {
    /// The latest renewal it noted.
    noted: Option<SimTime>,
    /// The pass in which it noted it; the grace counts from here.
    stamp: SimTime,
    /// Whether the node's pods have still to be marked not ready.
    retry: Retry,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Retry {
    Needed,
    No,
}

/// Whether the next pass must run whatever the heartbeats say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Look {
    Needed,
    No,
}

/// The next pass in which something could change, once worked out. It can only move away as time
/// goes on, so it holds until it has come or something else changes.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    /// The heartbeats' changes that are in it.
    changes: u64,
    pass: Option<u64>,
}

/// Tags of calls that belong to a pass, and to the lines of zones, above those of the queue.
const PASS_LANE: u8 = 0x40;
const ZONE_LINE: u8 = 0x80;

/// The controller.
#[derive(Clone, Debug)]
pub struct NodeLifecycle {
    client: ClientId,
    settings: Settings,
    cadence: Cadence,
    health: BTreeMap<Id<Node>, Health>,
    zones: Zones,
    /// Nodes whose NoSchedule taints may not match their conditions.
    pub(super) queue: Queue<Node>,
    pub(super) events: Events,
    pass: Option<Pass>,
    passes: u32,
    look: Look,
    awaited: Option<Awaited>,
}

impl NodeLifecycle {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: Settings, queue: QueueSettings) -> NodeLifecycle {
        let now = SimTime::ZERO;
        let workers = 8;
        let period = settings.period_with(0);
        NodeLifecycle {
            client,
            settings,
            cadence: Cadence::new(now + period, period).expect("a period that is not zero"),
            health: BTreeMap::new(),
            zones: Zones::new(settings.zones),
            queue: Queue::new(Which::Nodes, QueueSettings { workers, ..queue }),
            events: Events::new(Which::Nodes, client),
            pass: None,
            passes: 0,
            look: Look::Needed,
            awaited: None,
        }
    }

    /// The manager starts: the first pass is one period later.
    pub fn begin(&mut self, now: SimTime) {
        self.pace(now);
        self.zones = Zones::new(self.settings.zones);
    }

    /// The next pass is one period after `now`.
    fn pace(&mut self, now: SimTime) {
        let period = self.settings.period_with(self.health.len());
        self.cadence = Cadence::new(now + period, period).expect("a period that is not zero");
    }

    /// When passes fall, up to the end of one that writes: the next is counted from there.
    pub fn cadence(&self) -> Cadence {
        self.cadence
    }

    /// A node changed.
    pub fn node(&mut self, change: &Change<'_, Node>, fx: &mut Effects<Timer>) {
        match (change.old, change.new) {
            (Some(old), Some(new)) => {
                if old.conditions == new.conditions
                    && old.taints == new.taints
                    && old.schedulability == new.schedulability
                    && old.zone() == new.zone()
                {
                    return;
                }
                self.look = Look::Needed;
                self.queue.add(change.id, fx);
            }
            (None, Some(node)) => {
                self.events
                    .mention(fx, || in_controller(node, "RegisteredNode", "Registered", "in"));
                self.look = Look::Needed;
                self.queue.add(change.id, fx);
            }
            (old, None) => {
                if let Some(node) = old {
                    self.events
                        .mention(fx, || in_controller(node, "RemovingNode", "Removing", "from"));
                }
                self.look = Look::Needed;
                self.health.remove(&change.id);
                self.zones.forget(change.id);
            }
        }
    }

    /// Whether [`NodeLifecycle::next_pass`] would come to none again: nothing has changed since it did.
    pub fn rests(&self, heartbeats: &dyn Heartbeats) -> bool {
        let none =
            |awaited: Awaited| awaited.pass.is_none() && awaited.changes == heartbeats.changes();
        self.look == Look::No && self.awaited.is_some_and(none)
    }

    /// The first pass after `after` in which something could change, as things stand. `None`: as
    /// things stand, none.
    pub fn next_pass(
        &mut self,
        after: SimTime,
        heartbeats: &dyn Heartbeats,
        view: &View<'_>,
    ) -> Option<u64> {
        let next = self.cadence.first_from(after + SimDuration::from_nanos(1));
        if self.look == Look::Needed {
            self.awaited = None;
            return Some(next);
        }
        let changes = heartbeats.changes();
        if let Some(awaited) = self.awaited.filter(|it| it.changes == changes)
            && awaited.pass.is_none_or(|pass| pass >= next)
        {
            return awaited.pass;
        }
        let silent = heartbeats.silent().iter();
        let due = silent.filter_map(|&id| {
            let node = view.get(id)?;
            let held = self.health.get(&id)?;
            if node.conditions.ready == Tristate::Unknown && node.conditions.posted == Posted::Once
            {
                return None;
            }
            let (_, until) = self.heard(id, node, held, after, heartbeats);
            Some(self.cadence.first_from(until + SimDuration::from_nanos(1)))
        });
        let pass = due.min().map(|due| due.max(next));
        self.awaited = Some(Awaited { changes, pass });
        pass
    }

    /// What a pass at `at` notes of a node, and until when that counts as a sign of life.
    fn heard(
        &self,
        id: Id<Node>,
        node: &Node,
        held: &Health,
        at: SimTime,
        heartbeats: &dyn Heartbeats,
    ) -> (Health, SimTime) {
        let Some(heard) = heartbeats.last_heard(id, at) else {
            return (*held, node.meta.created + self.settings.startup_grace);
        };
        let mut next = *held;
        if next.noted.is_none_or(|noted| heard > noted) {
            // The first pass from then on stamps it with its own time, whether it is run or not.
            let first = self.cadence.at(self.cadence.first_from(heard));
            next.stamp = next.stamp.max(first);
            next.noted = Some(heard);
        }
        (next, next.stamp + self.settings.grace)
    }

    /// A worker begins to act on its node.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let writing = known.view.version(job.key).and_then(|(rev, node)| {
            let (add, remove) = taints::no_schedule(node);
            taints::Writing::new(job.key, node, rev, (&add, &remove), fx.now())
        });
        let Some(writing) = writing else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let tag = Tag::Sync(worker, serial, 0).pack();
        fx.send(self.client, tag, writing.call());
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if worker & ZONE_LINE != 0 {
            // Until the news of its taint is here, a pass marks the node again.
            self.look = Look::Needed;
            return self.zones.reply(serial, reply.result.is_ok(), fx);
        }
        if worker & PASS_LANE != 0 {
            return self.pass_reply(worker & !PASS_LANE, serial, reply, known, fx);
        }
        self.queue.replied(reply, fx);
    }

    /// A zone's line may move.
    pub fn line(&mut self, zone: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.zones.advance(zone, self.client, known, fx);
    }
}
