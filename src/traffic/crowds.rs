//! Nodes whose programs ask for more processor time than there is.
//!
//! Owns what requests ask of each node, second by second, and what each program that is called may have of it;
//! refuses to know how shares are worked out ([`shares`]) and what else runs there ([`Around`]).
//!
//! A node is looked at when the first request of a second arrives there, and each second while requests are held
//! up. Where all of what programs take at most and what requests asked for a second ago fits, that is all.
//!
//! ```text
//!          asked for a second ago, still owed, and taken anyway: more than the cores
//!  enough -------------------------------------------------------------------------> crowded
//!    ^------------------------------------- all of it fits ------------------------------'
//! ```
//! On a crowded node every thread at work wants a core, what programs take anyway is wanted evenly over the second,
//! and whenever a thread begins or ends all get their shares anew, as CFS would give them.
//! A node of whose programs nothing is said has processor time for all.

use super::queue::Hop;
use super::requests::Reason;
use super::servers::{Doors, Server};
use super::{Around, Traffic};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::base::Id;
use crate::compute::shares::{self, Seat};
use crate::messages::usage::CORE;
use crate::messages::{Component, Fact, Verb};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// After how long without it a node that is crowded again is told of again.
const TOLD_AGAIN: SimDuration = SimDuration::from_secs(60);
const SECOND: SimDuration = SimDuration::from_secs(1);

/// The processors of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Processors {
    /// The end of the second it was looked at in.
    until: SimTime,
    /// Nanoseconds of cores that requests asked for in it.
    asked: u64,
    is_crowded: bool,
    /// Up to when it was crowded, if ever.
    crowded: Option<SimTime>,
    /// The fact that told so.
    cause: u64,
    /// When a look is queued for.
    looks: SimTime,
    /// Who shares it, where anybody does.
    crowd: Option<Box<Crowd>>,
}

/// Who shares a node.
#[derive(Clone, Debug)]
struct Crowd {
    /// Nano-cores there are.
    cores: u64,
    seats: Vec<Seat>,
    /// What each takes anyway.
    anyway: Vec<u64>,
    /// Programs that are called: the seat, the server.
    servers: Vec<(usize, u32)>,
    /// Whether they wanted more than there is when it was last shared out.
    is_tight: bool,
    /// When work is looked at next; never: [`SimTime::MAX`].
    armed: SimTime,
}

impl Traffic {
    /// A request is about to be taken in on a node.
    #[inline]
    pub(super) fn look_at_processors<A: Around>(&mut self, node: NodeIndex, around: &A) {
        if self.now >= self.nodes[node.row()].processors.until {
            self.look(node, around);
        }
    }

    /// A request asks for so much processor time of a node.
    #[inline]
    pub(super) fn ask(&mut self, node: NodeIndex, cpu: SimDuration) {
        let asked = &mut self.nodes[node.row()].processors.asked;
        *asked = asked.saturating_add(cpu.as_nanos());
    }

    #[cold]
    fn look<A: Around>(&mut self, node: NodeIndex, around: &A) {
        let row = &mut self.nodes[node.row()].processors;
        let second = SimTime::from_secs(self.now.as_secs());
        let before = if row.until == second { row.asked } else { 0 };
        (row.until, row.asked) = (second + SECOND, 0);
        let is_enough = match around.processors(node) {
            Some((cores, most)) => most.saturating_add(before) <= cores,
            None => true,
        };
        if row.is_crowded || !is_enough {
            self.share_out(node, around);
        }
    }

    /// A look at a node that held requests up is due.
    pub(super) fn look_again<A: Around>(&mut self, node: u32, around: &A) {
        let node = NodeIndex(node);
        self.look_at_processors(node, around);
        let is_held = |one: &Server| {
            one.program.node == node && one.sharing.as_ref().is_some_and(|it| !it.is_idle())
        };
        if self.servers.iter().flatten().any(is_held) {
            self.await_look(node);
        }
    }

    /// Who is on a node, and whether there is enough for all, is worked out anew.
    fn share_out<A: Around>(&mut self, node: NodeIndex, around: &A) {
        let (now, second) = (self.now, self.now.as_secs());
        let cores = around.processors(node).map_or(u64::MAX, |(cores, _)| cores);
        let mut seats = around.seats(node, now);
        let anyway: Vec<u64> = seats.iter().map(Seat::asks).collect();
        let mut servers = Vec::new();
        for (nth, seat) in seats.iter_mut().enumerate() {
            if let Some(at) = self.server_of(seat.pod, seat.container) {
                servers.push((nth, at));
                let wants = self.servers[at as usize].as_ref().map_or(0, |it| it.wants(second));
                seat.wants = seat.wants.saturating_add(wants);
            }
        }
        let asked = shares::asked(&seats);
        let is_crowded = asked > cores;
        for &(_, at) in &servers {
            match &mut self.servers[at as usize] {
                Some(server) if is_crowded => server.share(),
                Some(server) => server.share_no_more(),
                None => {}
            }
        }
        let row = &mut self.nodes[node.row()].processors;
        let was = row.crowded;
        self.has_crowded |= is_crowded && was.is_none_or(|was| was + SECOND < row.until);
        row.is_crowded = is_crowded;
        if is_crowded {
            row.crowded = Some(row.until);
            if was.is_none_or(|was| now >= was + TOLD_AGAIN) {
                self.tell_crowded(node, (asked, cores), &seats, around);
            }
        }
        let row = &mut self.nodes[node.row()].processors;
        if !is_crowded && row.crowd.is_none() {
            return;
        }
        let armed = row.crowd.as_ref().map_or(SimTime::MAX, |crowd| crowd.armed);
        // A quota holds requests up by itself: at an instant they are not held to its average.
        seats.iter_mut().for_each(|seat| seat.limit = u64::MAX);
        let is_tight = true;
        row.crowd = Some(Box::new(Crowd { cores, seats, anyway, servers, is_tight, armed }));
        self.balance(node);
    }

    /// Threads began or ended on a node: the others may get more or less.
    fn balance(&mut self, node: NodeIndex) {
        let Some(mut crowd) = self.nodes[node.row()].processors.crowd.take() else { return };
        let now = self.now;
        let Crowd { cores, seats, anyway, servers, is_tight: was_tight, .. } = &mut *crowd;
        let threads_of = |server: &Option<Server>| {
            let server = server.as_ref().filter(|it| it.program.node == node)?;
            Some(server.sharing.as_ref()?.threads().saturating_mul(CORE))
        };
        for (seat, anyway) in seats.iter_mut().zip(&*anyway) {
            seat.wants = *anyway;
        }
        let mut is_shared = false;
        for &(nth, at) in &*servers {
            let threads = threads_of(&self.servers[at as usize]);
            is_shared |= threads.is_some();
            seats[nth].wants = anyway[nth].saturating_add(threads.unwrap_or(0));
        }
        let is_tight = shares::asked(seats) > *cores;
        let got = if is_tight { shares::seat(*cores, seats) } else { Vec::new() };
        let mut due = SimTime::MAX;
        for &(nth, at) in &*servers {
            let Some(threads) = threads_of(&self.servers[at as usize]) else { continue };
            let Some(server) = &mut self.servers[at as usize] else { continue };
            if is_tight {
                // As much as they have a part in what their cgroup wants.
                let all = u128::from(seats[nth].wants.max(1));
                let part = (u128::from(got[nth]) * u128::from(threads) / all) as u64;
                server.set_speed(now, Some(part));
            } else if *was_tight {
                server.set_speed(now, None);
            }
            due = due.min(server.next_done().unwrap_or(SimTime::MAX));
        }
        crowd.is_tight = is_tight;
        if due < crowd.armed {
            crowd.armed = due;
            self.queue.push(due, Hop::Work(node.0));
        }
        self.nodes[node.row()].processors.crowd = is_shared.then_some(crowd);
    }

    /// The server of a pod's container, if it runs.
    fn server_of(&self, pod: Id<Pod>, container: u16) -> Option<u32> {
        let is_it = |server: &Server| {
            server.program.container == container
                && matches!(server.program.doors, Doors::Open | Doors::Leaving)
        };
        let known = self.by_pod.get(&pod)?.iter().copied();
        known.into_iter().find(|&at| self.servers[at as usize].as_ref().is_some_and(is_it))
    }

    /// The fact that a node is crowded.
    #[cold]
    fn tell_crowded<A: Around>(
        &mut self,
        node: NodeIndex,
        (asked, cores): (u64, u64),
        seats: &[Seat],
        around: &A,
    ) {
        let Some(largest) = seats.iter().max_by_key(|seat| seat.asks()) else { return };
        let (pod, cause) = around.behind(largest.pod, largest.container);
        let name = &self.nodes[node.row()].name;
        let milli = |nano: u64| (nano / (CORE / 1000)) as i64;
        let object =
            ObjectName { kind: Kind::Node, namespace: Text::default(), name: name.clone() };
        let fact = Fact::new(Component::Node, Verb::Crowded, object)
            .on(name)
            .with("asked_milli", milli(asked))
            .with("cores_milli", milli(cores))
            .saying(format!(
                "programs ask for {}m of {}m CPU, most of it pod {pod} ({}m): each gets its share by cpu.shares",
                milli(asked),
                milli(cores),
                milli(largest.asks())
            ));
        self.facts.push((cause, fact));
        self.newly_crowded = Some(node);
    }

    /// The number of the fact about a crowded node that was just recorded.
    pub fn crowd_told(&mut self, number: u64) {
        if let Some(node) = self.newly_crowded.take() {
            self.nodes[node.row()].processors.cause = number;
        }
    }

    /// Whether a node is crowded since the last call that was not.
    pub fn take_crowded(&mut self) -> bool {
        std::mem::take(&mut self.has_crowded)
    }

    /// Whether a node was crowded at any instant since this one.
    pub fn was_crowded(&self, node: NodeIndex, since: SimTime) -> bool {
        let row = self.nodes.get(node.row());
        row.and_then(|row| row.processors.crowded).is_some_and(|until| until > since)
    }

    /// A request is inside a program whose node is crowded: what holds it up, if something does.
    pub(super) fn hold(&mut self, at: u32, row: u32) {
        let Some(node) = self.servers[at as usize].as_ref().map(|it| it.program.node) else {
            return;
        };
        let request = self.requests.row(row);
        request.entries += 1;
        request.reason = Reason::Crowded;
        self.await_deadline(row);
        self.balance(node);
        self.await_look(node);
    }

    /// The fact that tells why a request that was held up took too long.
    pub(super) fn crowd_behind(&self, server: u32) -> u64 {
        let server = self.servers.get(server as usize).and_then(Option::as_ref);
        server.map_or(0, |it| self.nodes[it.program.node.row()].processors.cause)
    }

    /// Work of requests may be done on a node.
    pub(super) fn worked(&mut self, node: u32) {
        let (now, node) = (self.now, NodeIndex(node));
        let Some(crowd) = &mut self.nodes[node.row()].processors.crowd else { return };
        if crowd.armed <= now {
            crowd.armed = SimTime::MAX;
        }
        for (_, at) in crowd.servers.clone() {
            while let Some(server) = &mut self.servers[at as usize]
                && server.program.node == node
                && let Some((row, done)) = server.work_done(now)
            {
                self.requests.row(row).entries -= 1;
                self.queue_hop(done, Hop::Done(row), row);
            }
        }
        self.balance(node);
    }

    /// A request left a program whose requests are held up.
    #[cold]
    pub(super) fn make_room(&mut self, at: u32, row: u32) {
        let Some(server) = &mut self.servers[at as usize] else { return };
        server.free_worker(self.now, row);
        let node = server.program.node;
        self.balance(node);
    }

    /// A node is looked at next second.
    fn await_look(&mut self, node: NodeIndex) {
        let row = &mut self.nodes[node.row()].processors;
        if row.looks < row.until {
            row.looks = row.until;
            self.queue.push(row.until, Hop::Look(node.0));
        }
    }

    /// A program ends, or its machine does.
    pub(super) fn end_server(&mut self, at: u32, doors: Doors) {
        let Some(server) = &mut self.servers[at as usize] else { return };
        let held = server.take_held();
        server.end(doors, self.now);
        let node = server.program.node;
        for row in held {
            self.requests.row(row).entries -= 1;
        }
        self.balance(node);
    }
}
