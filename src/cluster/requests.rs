//! Requests on their way: from a component through its client's rate limit and the network to an API
//! server and etcd, and the reply back.
//!
//! ```text
//! sent --token--> departed --link, server, etcd--> committed --server, link--> replied
//!                     |  no server up or reachable        | server died meanwhile
//!                     `------------ Unreachable ----------+------> replied
//! ```
//! A third of the server's own work lies before the commit (authentication, admission) and the rest
//! after it, where a reply takes much the same way as a watch's news: decoded, encoded, sent, read.
//! So a watch may tell of a write before its reply does.
//!
//! Successes that nobody waits for (a kubelet's status patch) end at the commit.

use super::World;
use super::clients::{Owner, after};
use super::event::Event;
use super::processes::ProcessId;
use crate::api::meta::{self, RawId};
use crate::api::object::Object;
use crate::api::status::Status;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::control_plane::api_server::{Server, eviction};
use crate::kernel::FactSink;
use crate::luck::Label;
use crate::messages::{Call, Component, Done, Fact, Reply, Request, Verb};
use crate::net::{Place, Verdict};
use crate::node::NodeIndex;
use crate::store::{Store, TableKind};
use crate::time::{SimDuration, SimTime};

const REQUEST: Label = Label::new("api-request");
const COMMIT: Label = Label::new("etcd-commit");
const EVICTION_COMMIT: Label = Label::new("eviction-commit");
const EVICTION_RETRY: Label = Label::new("eviction-retry");
const LINK: Label = Label::new("request-link");

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    request: Option<Request>,
    client: crate::messages::ClientId,
    tag: u64,
    server: u8,
    /// Which life of the server it was sent to.
    life: u32,
    /// Which life its owner was in.
    of_life: u32,
    /// When the server began to work on it.
    begun: SimTime,
    /// How often the server put it off.
    tries: u32,
    /// What the server needs after the commit.
    answer: SimDuration,
    result: Option<Result<Done, Status>>,
}

/// Whose controller asks for a new object; none where nobody owns it.
fn maker(call: &Call) -> Option<meta::Owner> {
    match call {
        Call::Create(object) => object.meta().owner,
        _ => None,
    }
}

/// Whether a new object was refused for what it is, and not because its namespace ends.
fn is_of_admission(status: &Status) -> bool {
    match status {
        Status::Forbidden(_, why) => !why.contains("is being terminated"),
        Status::Invalid(..) => true,
        _ => false,
    }
}

/// Sink of facts, as World's handlers pass it on.
pub(super) type Sink<'a> = &'a mut dyn FactSink<Fact>;

impl World {
    /// Takes a request from a component.
    pub(super) fn send(&mut self, cause: u64, request: Request) {
        let now = self.kernel.now();
        let (client, tag) = (request.client, request.tag);
        let token_at = self.clients.reserve(client, now);
        let of_life = self.life_of(self.clients.get(client).owner);
        let request = Some(request);
        let answer = SimDuration::ZERO;
        let flight = Flight {
            request,
            client,
            tag,
            server: 0,
            life: 0,
            of_life,
            begun: now,
            tries: 0,
            answer,
            result: None,
        };
        let id = self.flights.insert(flight);
        if token_at > now {
            self.kernel.schedule(token_at, cause, Event::Depart(id));
        } else {
            self.depart(cause, id);
        }
    }

    /// The request leaves its client.
    pub(super) fn depart(&mut self, cause: u64, id: Id<Flight>) {
        let now = self.kernel.now();
        let Some(flight) = self.flights.get(id) else { return };
        if flight.of_life != self.life_of(self.clients.get(flight.client).owner) {
            // Its owner died while it waited for a token.
            self.flights.remove(id);
            return;
        }
        let Some(request) = &flight.request else { return };
        let (place, kind_key) = {
            let client = self.clients.get(flight.client);
            (client.place, client.kind_key)
        };
        let (object, count) = match &request.call {
            Call::Event => (0, self.clients.next_event(flight.client)),
            call => luck_key(&mut self.store, call),
        };
        let key = StableHasher::new().word(kind_key).word(object).finish();
        let Some(server) = self.server_for(place, key) else {
            self.fail(cause, id, Status::Unreachable);
            return;
        };
        let link = self.link(place, self.servers[usize::from(server)].place, key, count);
        let work = self.profile.api_request.sample(self.luck.draw(REQUEST, key, count));
        let commit = match request.call {
            // A read commits nothing.
            Call::Get { .. } => SimDuration::ZERO,
            _ => self.profile.etcd_commit.sample(self.luck.draw(COMMIT, key, count)),
        };
        let at = &mut self.servers[usize::from(server)];
        let (life, wait) = (at.life, at.cores.take(now, self.profile.work_of(&request.call)));
        let Some(flight) = self.flights.get_mut(id) else { return };
        let before = work / 3;
        (flight.server, flight.life, flight.answer) = (server, life, work - before);
        flight.begun = after(now, link.max(wait));
        let at = self.clients.in_order(flight.client, after(flight.begun, before + commit));
        self.kernel.schedule(at, cause, Event::Commit(id));
    }

    /// The request reaches etcd.
    pub(super) fn commit(&mut self, cause: u64, id: Id<Flight>, sink: Sink<'_>) {
        let Some(flight) = self.flights.get(id) else { return };
        let server = &self.servers[usize::from(flight.server)];
        if !server.is_up() || server.life != flight.life {
            self.fail(cause, id, Status::Unreachable);
            return;
        }
        if !self.reaches_etcd(usize::from(flight.server)) {
            self.fail(cause, id, Status::Unavailable);
            return;
        }
        if let Some(Request { call: Call::Evict { pod }, .. }) = &flight.request
            && flight.tries < eviction::RETRIES
            && eviction::contended(&self.store, self.shared.counted_down, *pod, flight.begun)
        {
            return self.put_off(cause, id);
        }
        let Some(flight) = self.flights.get_mut(id) else { return };
        let Some(request) = flight.request.take() else { return };
        let is_awaited = !matches!(request.call, Call::PodStatus { .. });
        let (client, server, answer) = (flight.client, flight.server, flight.answer);
        let maker = maker(&request.call);
        let (result, mut cause) = self.execute(cause, request.call, sink);
        if let (Some(maker), Err(status)) = (maker, &result)
            && is_of_admission(status)
        {
            cause = self.tell_refused(cause, maker, status, sink);
        }
        if result.is_ok() && !is_awaited {
            self.flights.remove(id);
            return;
        }
        let now = self.kernel.now();
        let place = self.clients.get(client).place;
        let back =
            self.link(self.servers[usize::from(server)].place, place, u64::from(client.0), 0);
        if let Some(flight) = self.flights.get_mut(id) {
            flight.result = Some(result);
        }
        self.kernel.schedule(after(now, answer + back), cause, Event::Reply(id));
    }

    /// Admission refused what a controller made for `maker`: it is told of `maker`, and of a Deployment
    /// rather than of its set. Users hear of theirs as the answer to what they asked.
    fn tell_refused(
        &mut self,
        cause: u64,
        maker: meta::Owner,
        status: &Status,
        sink: Sink<'_>,
    ) -> u64 {
        let Some((mut object, _)) = self.object(maker.kind, maker.at) else { return cause };
        if let (Object::ReplicaSet(_), Some(above)) = (&object, object.meta().owner)
            && let Some((deployment, _)) = self.object(above.kind, above.at)
        {
            object = deployment;
        }
        let fact = Fact::new(Component::ApiServer, Verb::Refused, object.name());
        self.kernel.record(cause, &fact.saying(status.to_string()), sink)
    }

    /// An eviction found its budget changed meanwhile: the server reads it anew, later.
    fn put_off(&mut self, cause: u64, id: Id<Flight>) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        let Some(Request { call: Call::Evict { pod }, .. }) = &flight.request else { return };
        let uid = self.store.get(*pod).map_or(0, |pod| pod.meta.uid.0);
        let tries = u64::from(flight.tries);
        let draw = |label| self.luck.draw(label, uid, tries);
        let mut retry = eviction::RETRY;
        let wait = retry.step(draw(EVICTION_RETRY));
        let commit = self.profile.etcd_commit.sample(draw(EVICTION_COMMIT));
        flight.tries += 1;
        flight.begun = after(self.kernel.now(), wait);
        let at = after(flight.begun, commit);
        self.kernel.schedule(at, cause, Event::Commit(id));
    }

    /// Carries a call out at this instant; returns what came of it and the latest fact.
    pub(super) fn execute(
        &mut self,
        cause: u64,
        call: Call,
        sink: Sink<'_>,
    ) -> (Result<Done, Status>, u64) {
        let now = self.kernel.now();
        let mut effects = std::mem::take(&mut self.buffers.server);
        effects.begin(now, cause, self.kernel.facts() + 1);
        let result =
            Server { now, store: &mut self.store, shared: &mut self.shared, effects: &mut effects }
                .execute(call);
        let cause = effects.cause();
        if effects.has_facts() {
            for (of, fact) in effects.drain_facts() {
                self.kernel.record(of, &fact, sink);
            }
        }
        self.buffers.server = effects;
        self.observe(cause);
        (result, cause)
    }

    /// The reply reaches its client.
    pub(super) fn reply(&mut self, cause: u64, id: Id<Flight>, sink: Sink<'_>) {
        let Some(flight) = self.flights.remove(id) else { return };
        let Some(result) = flight.result else { return };
        let reply = Reply { client: flight.client, tag: flight.tag, result };
        let owner = self.clients.get(flight.client).owner;
        if flight.of_life != self.life_of(owner) {
            return;
        }
        match owner {
            Owner::Candidate(of) => self.candidate_reply(of, cause, &reply, sink),
            Owner::Scheduler(at) => self.scheduler_reply(at, cause, &reply, sink),
            Owner::Manager(at) => self.manager_reply(at, cause, &reply, sink),
            Owner::Kubelet(slot) => self.kubelet_reply(slot, cause, &reply, sink),
            Owner::User => self.user_reply(cause, &reply, sink),
            Owner::Machine(number) => self.registered(number, cause, &reply, sink),
            Owner::Cloud => self.cloud_reply(cause, &reply),
        }
    }

    /// Which life an owner of clients is in: a request of an earlier one has nobody to answer to.
    fn life_of(&self, owner: Owner) -> u32 {
        match owner {
            Owner::Scheduler(at) => u32::from(self.process(ProcessId::Scheduler(at)).life),
            Owner::Manager(at) => u32::from(self.process(ProcessId::Manager(at)).life),
            Owner::Candidate(of) => u32::from(self.process(of).candidacy),
            Owner::Kubelet(at) => self.nodes.row(NodeIndex(at)).life,
            Owner::User | Owner::Machine(_) | Owner::Cloud => 0,
        }
    }

    /// No answer will come: the client learns it when it gives up, or at once if nobody listens.
    fn fail(&mut self, cause: u64, id: Id<Flight>, status: Status) {
        let now = self.kernel.now();
        let wait = match status {
            Status::Unreachable if self.servers.iter().all(|server| !server.is_up()) => {
                self.profile.link_floor()
            }
            _ => self.profile.request_timeout,
        };
        if let Some(flight) = self.flights.get_mut(id) {
            flight.request = None;
            flight.result = Some(Err(status));
        }
        self.kernel.schedule(after(now, wait), cause, Event::Reply(id));
    }

    /// Which API server a client at `place` uses: the one beside it if it is up, else one picked by
    /// `key` among those up and reachable.
    pub(super) fn server_for(&self, place: Place, key: u64) -> Option<u8> {
        let usable = |at: &usize| self.is_served(place, *at);
        let count = self.servers.len();
        if let Some(beside) = (0..count).find(|at| self.servers[*at].place == place && usable(at)) {
            return Some(beside as u8);
        }
        let first = (key % count.max(1) as u64) as usize;
        (0..count).map(|step| (first + step) % count).find(usable).map(|at| at as u8)
    }

    /// Whether an API server answers a client at `place`: it is up, reachable, and reaches etcd
    /// (behind a load balancer one that does not is taken out by its readiness check).
    pub(super) fn is_served(&self, place: Place, server: usize) -> bool {
        let at = &self.servers[server];
        at.is_up() && self.net.reaches(place, at.place) && self.reaches_etcd(server)
    }

    /// Whether writes of an API server go through.
    pub(super) fn reaches_etcd(&self, server: usize) -> bool {
        let server = &self.servers[server];
        server.is_linked() && self.etcd.has_quorum(server.place, &self.net)
    }

    fn link(&self, from: Place, to: Place, key: u64, count: u64) -> SimDuration {
        match self.net.carry(from, to, self.luck.draw(LINK, key, count)) {
            Verdict::Deliver(delay) => delay,
            Verdict::Drop => self.profile.request_timeout,
        }
    }
}

/// The key of a request's luck: the object it is about and that object's own request count.
fn luck_key(store: &mut Store, call: &Call) -> (u64, u64) {
    let (table, id) = match call {
        Call::Create(object) => match object.meta().owner {
            Some(owner) => (TableKind::of(owner.kind), owner.at),
            None => return (object.name().stable_hash(), 0),
        },
        Call::Update { id, object, .. } => (TableKind::of(object.kind()), *id),
        Call::PodStatus { pod, .. }
        | Call::Disrupt { pod, .. }
        | Call::Fail { pod, .. }
        | Call::Evict { pod }
        | Call::Bind { pod, .. } => (TableKind::Pod, RawId::from(*pod)),
        Call::Get { kind, id }
        | Call::Delete { kind, id, .. }
        | Call::Scale { kind, id, .. }
        | Call::Patch { kind, id, .. }
        | Call::Collect { kind, id, .. } => (TableKind::of(*kind), *id),
        Call::Event => return (0, 0),
    };
    let (uid, count) = store.next_request(table, id);
    (uid.0, u64::from(count))
}
