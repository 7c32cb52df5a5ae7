//! A turn of the lane: entries one after the other, each a hop of a request.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::clients::{Callers, Connection, RequestLuck};
use super::queue::Hop;
use super::requests::{NOWHERE, Outcome, Reason, Request, State};
use super::routes::{Ask, Direction, Version};
use super::servers::{BACKLOG, Doors, Harm, Program, Server};
use super::{Around, Client, Harmed, Traffic};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::service::Endpoint;
use crate::base::hash::{GOLDEN, avalanche};
use crate::base::{FastMap, Id};
use crate::luck::Draw;
use crate::messages::{Component, Fact, Verb};
use crate::net::{End, Place};
use crate::node::NodeIndex;
use crate::node::kube_proxy::choose::TrafficPolicy;
use crate::time::{SimDuration, SimTime};
use smallvec::SmallVec;

/// Failed requests told one by one, for each client, outcome and pod; the others are counted.
const TOLD_MAX: u8 = 10;

/// Clients outside the cluster.
const OUTSIDE: End = End { place: Place::Outside, pod: None };

/// Where a request goes.
enum Way {
    /// To this program, by this node, on a connection that stands or a new one.
    To(u32, NodeIndex, Option<Ipv4Addr>),
    /// Nowhere: the caller hears so at once.
    Refused(Reason, Option<NodeIndex>, u64),
    /// Nowhere, without a word.
    Dropped(Reason, Option<NodeIndex>, u64),
    /// Nobody is there to call.
    Uncalled,
}

/// Links of a request's way, each with luck of its own.
#[derive(Clone, Copy)]
enum Leg {
    ToEntry = 1,
    ToPod,
    FromPod,
    FromEntry,
}

impl Traffic {
    /// Takes entries as they come due, none at or after `before` nor after `until`, and at most so many;
    /// stops earlier at facts and where a node gets crowded. [`Traffic::now`] tells how far it came.
    pub fn run<A: Around>(&mut self, before: SimTime, until: SimTime, most: u32, around: &A) {
        for _ in 0..most {
            let at = self.next_at();
            if at >= before || at > until {
                return;
            }
            self.now = at;
            self.handled += 1;
            if at == self.tick {
                self.end_second();
                return;
            }
            match self.queue.pop(at) {
                Some(Hop::Send(client)) => self.send(client, around),
                Some(Hop::Arrive(request)) => self.arrive(request, around),
                Some(Hop::Done(request)) => self.done(request, around),
                Some(Hop::Answer(request)) => self.answer(request),
                Some(Hop::GiveUp(request)) => self.give_up(request),
                Some(Hop::Work(server)) => self.worked(server),
                Some(Hop::Look(node)) => self.look_again(node, around),
                None => return,
            }
            if !self.facts.is_empty() || !self.harmed.is_empty() || self.has_crowded {
                return;
            }
        }
    }

    /// A request ends the program it is in: the fact that says so comes first.
    #[cold]
    fn harm(&mut self, row: u32, harm: Harm) {
        let request = self.requests.row(row).clone();
        let Some(server) = &self.servers[request.server as usize] else { return };
        let program = &server.program;
        let (Program { pod, container, node, .. }, (namespace, name)) = (program, &program.name);
        let what = match harm {
            Harm::Crash => "a request crashes",
            Harm::Memory => "requests hold more memory than its limit in",
        };
        let text = format!("{what} pod {namespace}/{name}");
        let client = object(&self.clients[request.client as usize]);
        let fact = Fact::new(Component::Client, Verb::Harmed, client).saying(text);
        self.harmed.push(Harmed { pod: *pod, container: *container, node: *node, harm });
        let fact = fact.on(&self.nodes[node.row()].name);
        self.facts.push((server.cause, fact));
    }

    #[inline]
    pub(super) fn await_arrival(&mut self, at: u32) {
        let next = self.clients[at as usize].next_arrival(&self.law);
        self.queue.push(next, Hop::Send(at));
    }

    fn send<A: Around>(&mut self, at: u32, around: &A) {
        let connection = self.clients[at as usize].connection();
        let luck = self.clients[at as usize].request_luck();
        self.await_arrival(at);
        let work = luck.work;
        let way = self.way(at, connection, luck, around);
        if matches!(way, Way::Uncalled) {
            return;
        }
        let now = self.now;
        self.note_activity();
        let client = &mut self.clients[at as usize];
        client.tally.send(now);
        let mut request = Request {
            sent: now,
            deadline: now + client.plan.timeout,
            work,
            client: at,
            server: NOWHERE,
            node: NOWHERE,
            caller: None,
            connection,
            state: State::Out,
            answer: Outcome::Ok,
            entries: 0,
            gives_up: false,
            reason: Reason::TooSlow,
            cause: 0,
        };
        match way {
            Way::To(server, node, caller) => {
                (request.server, request.node, request.caller) = (server, node.0, caller);
                let row = self.requests.insert(request);
                match self.way_out(row, around) {
                    Some(takes) if now + takes <= self.requests.row(row).deadline => {
                        self.queue_hop(now + takes, Hop::Arrive(row), row);
                    }
                    _ => self.lose(row, Reason::Cut, self.net_cause),
                }
            }
            Way::Refused(reason, node, cause) => {
                request.node = node.map_or(NOWHERE, |node| node.0);
                let row = self.requests.insert(request);
                self.respond(row, Outcome::Refused, reason, cause, around);
            }
            Way::Dropped(reason, node, cause) => {
                request.node = node.map_or(NOWHERE, |node| node.0);
                let row = self.requests.insert(request);
                self.lose(row, reason, cause);
            }
            Way::Uncalled => {}
        }
    }

    /// Where the request that a client sends now goes.
    fn way<A: Around>(&mut self, at: u32, connection: u32, luck: RequestLuck, around: &A) -> Way {
        if let Some(way) = self.standing(at, connection) {
            return way;
        }
        let client = &self.clients[at as usize];
        let callee = client.callee as usize;
        let (node, caller, direction) = match &client.callers {
            Callers::Outside => match self.entry(callee, luck.caller, around) {
                Some(node) => (node, None, Direction::Outside),
                None => return Way::Refused(Reason::NoEntry, None, self.net_cause),
            },
            Callers::Node(Some(node)) => (*node, None, Direction::Inside),
            Callers::Pods(list) if !list.is_empty() => {
                let drawn = list[luck.caller.below(list.len() as u64) as usize];
                (drawn.node, drawn.ip, Direction::Inside)
            }
            Callers::Node(None) | Callers::Pods(_) => return Way::Uncalled,
        };
        if !self.nodes[node.row()].is_on {
            return Way::Uncalled;
        }
        let here = Some(node);
        if self.callees[callee].port_name().is_none() {
            return Way::Refused(Reason::NoService, here, self.callees[callee].cause);
        }
        let site = self.nodes[node.row()].site;
        let (callee, mut servers) = self.callee(callee, around);
        let (list, _) = callee.view(servers.now, site, direction, &mut servers);
        let count = list.targets.len() as u64;
        if count == 0 && list.has_others {
            return Way::Dropped(Reason::NoneHere, here, list.cause);
        }
        if count == 0 {
            return Way::Refused(Reason::NoEndpoints, here, list.cause);
        }
        let server = list.targets[luck.endpoint.below(count) as usize];
        self.connect(at, connection, server, (node, caller));
        Way::To(server, node, caller)
    }

    /// A connection that stands is used again.
    fn standing(&mut self, at: u32, connection: u32) -> Option<Way> {
        let client = &mut self.clients[at as usize];
        let held = client.connections.get_mut(connection as usize)?;
        let server = self.servers.get(held.server as usize)?.as_ref()?;
        let is_known_to_be_gone = match server.program.doors {
            Doors::Open | Doors::Leaving => server.life != held.life,
            Doors::Shut => true,
            // Nobody told the client.
            Doors::Silent => false,
        };
        if is_known_to_be_gone || !self.nodes[held.node.row()].is_on {
            *held = Connection::CLOSED;
            return None;
        }
        Some(Way::To(held.server, held.node, held.caller))
    }

    fn connect(
        &mut self,
        at: u32,
        connection: u32,
        server: u32,
        (node, caller): (NodeIndex, Option<Ipv4Addr>),
    ) {
        let life = self.servers[server as usize].as_ref().map_or(0, |server| server.life);
        let client = &mut self.clients[at as usize];
        if let Some(held) = client.connections.get_mut(connection as usize) {
            *held = Connection { server, life, node, caller };
        }
    }

    /// The node by which a connection from outside comes in.
    fn entry<A: Around>(&mut self, callee: usize, draw: Draw, around: &A) -> Option<NodeIndex> {
        if self.callees[callee].policy(Direction::Outside) == TrafficPolicy::Cluster {
            let entries = self.entries.as_deref().unwrap_or_default();
            let count = entries.len() as u64;
            return (count > 0).then(|| entries[draw.below(count) as usize]);
        }
        // The load balancer's health checks tell it which nodes have an endpoint of their own.
        let mut serving: SmallVec<[NodeIndex; 16]> = SmallVec::new();
        let entries = self.entries.take().unwrap_or_default();
        for &entry in &entries {
            let site = self.nodes[entry.row()].site;
            let (callee, mut servers) = self.callee(callee, around);
            let (list, _) = callee.view(servers.now, site, Direction::Outside, &mut servers);
            if !list.targets.is_empty() {
                serving.push(entry);
            }
        }
        self.entries = Some(entries);
        let count = serving.len() as u64;
        (count > 0).then(|| serving[draw.below(count) as usize])
    }

    /// A callee, and what working out its views needs beside it.
    #[inline]
    pub(super) fn callee<'a, A: Around>(
        &'a mut self,
        at: usize,
        around: &'a A,
    ) -> (&'a mut super::Callee, Asking<'a, A>) {
        let Traffic { callees, servers, vacant, by_pod, now, .. } = self;
        (&mut callees[at], Asking { around, servers, vacant, by_pod, now: *now })
    }

    /// How long a request takes to its pod, as things stand; `None`: it is lost.
    fn way_out<A: Around>(&mut self, row: u32, around: &A) -> Option<SimDuration> {
        let request = self.requests.row(row);
        let server = &self.servers[request.server as usize].as_ref()?.program;
        let entry = End { place: self.nodes[request.node as usize].place, pod: request.caller };
        let pod = End { place: self.nodes[server.node.row()].place, pod: Some(server.ip) };
        let outside = match self.clients[request.client as usize].callers {
            Callers::Outside => around.carry(OUTSIDE, entry, leg(request.work, Leg::ToEntry))?,
            Callers::Node(_) | Callers::Pods(_) => SimDuration::ZERO,
        };
        Some(outside + around.carry(entry, pod, leg(request.work, Leg::ToPod))?)
    }

    /// How long news of a request take back to its client; `None`: they are lost.
    fn way_back<A: Around>(&mut self, row: u32, around: &A) -> Option<SimDuration> {
        let request = self.requests.row(row);
        let callers = &self.clients[request.client as usize].callers;
        let is_outside = matches!(callers, Callers::Outside);
        let Some(node) = self.nodes.get(request.node as usize) else {
            return Some(SimDuration::ZERO);
        };
        if !node.is_on {
            return None;
        }
        let entry = End { place: node.place, pod: request.caller };
        let server = self.servers.get(request.server as usize).and_then(Option::as_ref);
        let inside = match server.map(|it| (&self.nodes[it.program.node.row()], it.program.ip)) {
            Some((pod, _)) if !pod.is_on => return None,
            Some((pod, ip)) => {
                let pod = End { place: pod.place, pod: Some(ip) };
                around.carry(pod, entry, leg(request.work, Leg::FromPod))?
            }
            // It never got further than that node: there and back.
            None if is_outside => around.carry(OUTSIDE, entry, leg(request.work, Leg::ToEntry))?,
            None => SimDuration::ZERO,
        };
        if !is_outside {
            return Some(inside);
        }
        Some(inside + around.carry(entry, OUTSIDE, leg(request.work, Leg::FromEntry))?)
    }

    #[inline]
    pub(super) fn queue_hop(&mut self, at: SimTime, hop: Hop, row: u32) {
        if at != SimTime::MAX {
            self.requests.row(row).entries += 1;
            self.queue.push(at, hop);
        }
    }

    fn arrive<A: Around>(&mut self, row: u32, around: &A) {
        let now = self.now;
        let request = self.requests.row(row);
        request.entries -= 1;
        let (at, deadline, work) = (request.server, request.deadline, request.work);
        let is_standing = request.connection != NOWHERE;
        let Some(server) = &mut self.servers[at as usize] else {
            return self.respond(row, Outcome::Refused, Reason::NotListening, 0, around);
        };
        let cause = server.cause;
        match server.program.doors {
            Doors::Open => {}
            Doors::Leaving if is_standing => {}
            Doors::Leaving => {
                return self.respond(row, Outcome::Refused, Reason::Stopping, cause, around);
            }
            Doors::Shut => {
                let outcome = if is_standing { Outcome::Reset } else { Outcome::Refused };
                return self.respond(row, outcome, Reason::NotListening, cause, around);
            }
            Doors::Silent => return self.lose(row, Reason::DeadNode, cause),
        }
        if server.inside >= BACKLOG.saturating_add(server.program.serving.workers) {
            return self.lose(row, Reason::Backlog, cause);
        }
        let node = server.program.node;
        self.look_at_processors(node, around);
        let Some(server) = &mut self.servers[at as usize] else { return };
        let promise = server.accept(now, (row, work), &self.law);
        self.ask(node, promise.cpu);
        let request = self.requests.row(row);
        request.state = State::Inside;
        request.answer = if promise.is_error { Outcome::Failed } else { Outcome::Ok };
        match promise.done {
            Some(done) => {
                self.queue_hop(done, Hop::Done(row), row);
                if done > deadline {
                    self.await_deadline(row);
                }
            }
            None => self.hold(at, row),
        }
        if let Some(server) = &self.servers[at as usize]
            && server.program.load.memory.is_some()
            && server.is_over_memory(now)
        {
            self.harm(row, Harm::Memory);
        }
    }

    pub(super) fn await_deadline(&mut self, row: u32) {
        let request = self.requests.row(row);
        if !request.gives_up {
            request.gives_up = true;
            let deadline = request.deadline.max(self.now);
            self.queue_hop(deadline, Hop::GiveUp(row), row);
        }
    }

    fn done<A: Around>(&mut self, row: u32, around: &A) {
        let request = self.requests.row(row);
        request.entries -= 1;
        let (state, at, answer, work) =
            (request.state, request.server, request.answer, request.work);
        if !matches!(state, State::Inside | State::Abandoned) {
            return self.requests.release(row);
        }
        let mut cause = 0;
        if let Some(server) = &mut self.servers[at as usize] {
            if server.crashes(work) {
                return self.harm(row, Harm::Crash);
            }
            server.leave(self.now);
            cause = server.cause;
            if server.sharing.is_some() {
                self.make_room(at, row);
            }
        }
        if state == State::Abandoned {
            self.requests.row(row).state = State::Over;
            return self.requests.release(row);
        }
        self.respond(row, answer, Reason::Error, cause, around);
    }

    /// News of a request start on their way back.
    pub(super) fn respond<A: Around>(
        &mut self,
        row: u32,
        outcome: Outcome,
        reason: Reason,
        cause: u64,
        around: &A,
    ) {
        let now = self.now;
        let back = self.way_back(row, around);
        let request = self.requests.row(row);
        match back {
            Some(takes) if now + takes <= request.deadline => {
                request.state = State::Answered(outcome);
                (request.reason, request.cause) = (reason, cause);
                self.queue_hop(now + takes, Hop::Answer(row), row);
            }
            Some(_) => self.lose(row, Reason::TooSlow, cause),
            None => self.lose(row, Reason::Cut, self.net_cause),
        }
    }

    /// Nothing will come of a request.
    pub(super) fn lose(&mut self, row: u32, reason: Reason, cause: u64) {
        let request = self.requests.row(row);
        request.state = State::Lost;
        (request.reason, request.cause) = (reason, cause);
        self.await_deadline(row);
    }

    fn answer(&mut self, row: u32) {
        let request = self.requests.row(row);
        request.entries -= 1;
        if let State::Answered(outcome) = request.state {
            request.state = State::Over;
            self.finish(row, outcome);
        }
        self.requests.release(row);
    }

    fn give_up(&mut self, row: u32) {
        let request = self.requests.row(row);
        request.entries -= 1;
        let server = request.server;
        let is_held = request.state == State::Inside && request.reason == Reason::Crowded;
        let next = match request.state {
            State::Inside => State::Abandoned,
            State::Out | State::Lost | State::Answered(_) => State::Over,
            State::Abandoned | State::Over => return self.requests.release(row),
        };
        request.state = next;
        let (client, connection) = (request.client as usize, request.connection as usize);
        // A client that waited in vain does not trust its connection any more.
        if let Some(held) = self.clients[client].connections.get_mut(connection) {
            *held = Connection::CLOSED;
        }
        if is_held {
            self.requests.row(row).cause = self.crowd_behind(server);
        }
        self.finish(row, Outcome::Timeout);
        self.requests.release(row);
    }

    /// The client knows what became of a request.
    #[inline]
    fn finish(&mut self, row: u32, outcome: Outcome) {
        let now = self.now;
        self.note_activity();
        let request = self.requests.row(row);
        let client = &mut self.clients[request.client as usize];
        client.tally.finish(request.sent, now, outcome);
        if outcome != Outcome::Ok {
            self.failed(row, outcome);
        }
    }

    #[cold]
    fn failed(&mut self, row: u32, outcome: Outcome) {
        let request = self.requests.row(row).clone();
        self.clients[request.client as usize].cause = request.cause;
        let told = self.told.entry((request.client, outcome, request.server)).or_default();
        if *told < TOLD_MAX {
            *told += 1;
            let fact = self.failure(&request, outcome);
            self.facts.push((request.cause, fact));
        }
    }

    fn failure(&self, request: &Request, outcome: Outcome) -> Fact {
        let client = &self.clients[request.client as usize];
        let callee = &self.callees[client.callee as usize];
        let server = self.servers.get(request.server as usize).and_then(Option::as_ref);
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = write!(text, "{}", in_words(outcome, request.reason));
        if let Some(server) = server {
            let (namespace, name) = &server.program.name;
            let node = &self.nodes[server.program.node.row()].name;
            let _ = write!(text, " (pod {namespace}/{name} on {node},");
        } else {
            let _ = write!(text, " (");
        }
        let space = if server.is_some() { " " } else { "" };
        let _ = write!(text, "{space}Service {}/{})", callee.service.0, callee.service.1);
        let fact = Fact::new(Component::Client, Verb::RequestFailed, object(client)).saying(text);
        match self.nodes.get(request.node as usize) {
            Some(node) => fact.on(&node.name),
            None => fact,
        }
    }

    /// Something was counted: the second's end will tell.
    #[inline]
    fn note_activity(&mut self) {
        if self.tick == SimTime::MAX {
            self.tick = SimTime::from_secs(self.now.as_secs() + 1);
        }
    }

    /// The second is over: one fact for each client that something was counted of.
    fn end_second(&mut self) {
        self.tick = SimTime::MAX;
        for client in self.clients.iter_mut().filter(|client| client.tally.is_active()) {
            let (counts, in_flight, buckets) = client.tally.take();
            let of = |outcome| count(counts.of(outcome));
            let micros = i64::try_from(counts.latency_sum / 1000).unwrap_or(i64::MAX);
            let fact = Fact::new(Component::Client, Verb::Requests, object(client))
                .with("sent", count(counts.sent))
                .with("ok", of(Outcome::Ok))
                .with("refused", of(Outcome::Refused))
                .with("reset", of(Outcome::Reset))
                .with("timeout", of(Outcome::Timeout))
                .with("failed", of(Outcome::Failed))
                .with("in_flight", count(in_flight))
                .with("latency_us_sum", micros)
                .counting(buckets);
            self.facts.push((std::mem::take(&mut client.cause), fact));
        }
    }

    /// The run ends at `now`: what was counted since the last whole second is told too.
    pub fn close(&mut self, now: SimTime) {
        self.now = now;
        self.end_second();
    }
}

/// What working out views asks of traffic's own servers and of the world.
pub(super) struct Asking<'a, A> {
    around: &'a A,
    servers: &'a mut Vec<Option<Server>>,
    vacant: &'a mut Vec<u32>,
    by_pod: &'a mut FastMap<Id<Pod>, SmallVec<[u32; 1]>>,
    pub(super) now: SimTime,
}

impl<A: Around> Ask for Asking<'_, A> {
    fn programmed_at(&self, node: NodeIndex, version: Version) -> SimTime {
        self.around.programmed_at(node, version)
    }

    fn zone(&self, node: Id<Node>) -> Text {
        self.around.zone(node)
    }

    fn server(&mut self, endpoint: &Endpoint, port: u16) -> u32 {
        let program = self.around.program(endpoint, port);
        let known = self.by_pod.entry(endpoint.pod).or_default();
        let container = program.container;
        let is_it = |at: &&u32| {
            let server = self.servers[**at as usize].as_ref();
            server.is_some_and(|server| server.program.container == container)
        };
        if let Some(&at) = known.iter().find(is_it) {
            return at;
        }
        let server = Some(Server::new(program));
        let at = match self.vacant.pop() {
            Some(at) => {
                self.servers[at as usize] = server;
                at
            }
            None => {
                self.servers.push(server);
                (self.servers.len() - 1) as u32
            }
        };
        known.push(at);
        at
    }
}

#[inline]
fn leg(bits: u64, leg: Leg) -> impl FnOnce() -> u64 {
    move || avalanche(bits.wrapping_add(GOLDEN.wrapping_mul(leg as u64)))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn object(client: &Client) -> ObjectName {
    ObjectName { kind: Kind::Client, namespace: Text::default(), name: client.name.clone() }
}

fn in_words(outcome: Outcome, reason: Reason) -> &'static str {
    match (outcome, reason) {
        (_, Reason::NoService) => "refused: there is no such Service or port",
        (_, Reason::NoEndpoints) => "refused: the Service has no endpoints",
        (_, Reason::NoneHere) => {
            "timed out: the Service has no endpoint on this node and its policy is Local"
        }
        (_, Reason::NoEntry) => "refused: the load balancer has no healthy node",
        (_, Reason::Cut) => "timed out: the network lost it on its way",
        (_, Reason::DeadNode) => "timed out: the pod's node is dead",
        (Outcome::Reset, _) => "reset: the pod ended before it answered",
        (_, Reason::NotListening) => "refused: the pod does not listen",
        (_, Reason::Stopping) => "refused: the pod is stopping",
        (_, Reason::Backlog) => "timed out: too many connections wait for the pod already",
        (Outcome::Failed, _) => "the pod answered with an error",
        (_, Reason::Crowded) => "timed out: the pod took too long, its node is short of CPU",
        (_, Reason::TooSlow | Reason::Ended | Reason::Error) => "timed out: the pod took too long",
    }
}
