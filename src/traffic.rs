//! Clients that call Services, in a lane of their own beside the kernel's events.
//!
//! Owns clients and their arrivals, requests under way, the programs that answer them with their queues,
//! what each node's kube-proxy makes of the EndpointSlices, and the counts of it all. Refuses to know
//! why pods come and go: the world tells it what really runs (not what the API says), and answers when it
//! asks for a link's delay ([`Around`]).
//!
//! ```text
//!  client --Send--> choose an endpoint as the caller's kube-proxy has it --link--> Arrive at the pod
//!                     | none: refused   | the way is cut: lost                        | queue, worker, time
//!                     v                 v                                             v
//!                   counted          GiveUp at the deadline  <--too slow--          Done --link--> Answer
//! ```
//! # The lane
//!
//! The kernel lets it run up to its next event ([`Traffic::run`]); at one instant events go first, so every
//! request sees endpoints, faults and machines exactly as they stand. A turn ends early at a fact (the
//! counts of a second, a request that failed) and after some thirty thousand entries. Where a turn ends
//! changes nothing: what is due next depends on what was done, not on when somebody looked.
//!
//! # Rules
//!
//! * A client from outside comes in through a load balancer, whatever the Service's type: by a drawn worker
//!   node that lives, is Ready, and is reached from outside (health checks are instant), then by that
//!   node's kube-proxy under `externalTrafficPolicy`; with `Local` only nodes that have an endpoint. Its
//!   answer goes back the same way.
//! * A client in pods is one process shared by its ready pods: each request starts at one drawn from them,
//!   on its node. With no such pod, or on a dead node, nobody calls.
//! * Headless Services: DNS gives the ready pods' addresses as the caller's node knows them; one is drawn.
//! * A packet's way is judged when it leaves. What cannot arrive is given up at the deadline; what a bad
//!   link loses by luck is sent anew, as TCP does (the world's rule).
//! * A program takes connections from when it runs until SIGTERM; connections that stand are served until it
//!   ends. Nobody there: refused. It ends: what it holds is reset. Its machine dies: silence.
//! * The client gives up after its timeout; the program does the work all the same.
//! * Where the programs of a node ask for more processor time than it has, each gets its share by `cpu.shares`,
//!   second by second; requests take as much longer as that makes them (`crowds`).
//! * A program that is given more than it can do has `servers::BACKLOG` connections waiting; the next
//!   ones get no answer, so memory does not grow with a queue.
mod check;
mod clients;
mod crowds;
mod lane;
pub mod plan;
mod queue;
mod requests;
mod routes;
mod servers;
mod sharing;
mod spent;
mod tally;
mod told;

pub use plan::{Arrivals, Origin, PortName, Rate, TrafficPlan};
pub use queue::LaneQueue;
pub use requests::Outcome;
pub use routes::{ServiceRules, Version};
pub use servers::{Doors, Harm, Load, Program};
pub use spent::{PERIOD, Quota, Spent};
pub use tally::{Balance, Counts};
pub use told::{Change, News};

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::service::Endpoint;
use crate::base::hash::hash_text;
use crate::base::{FastMap, Id};
use crate::compute::shares::Seat;
use crate::kernel::Order;
use crate::luck::{Exponential, Label, Luck};
use crate::messages::Fact;
use crate::net::{End, Place};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

use clients::{Callers, Client};
use crowds::Processors;
use requests::Requests;
use routes::{Callee, Link, Site};
use servers::Server;

const LUCK: Label = Label::new("traffic");

/// What the lane asks of the world around it. The answers hold for the whole of a turn.
pub trait Around {
    /// How long it takes from one end to another, begun now; `None`: it does not arrive. Its luck is drawn
    /// from `bits`.
    fn carry(&self, from: End, to: End, bits: impl FnOnce() -> u64) -> Option<SimDuration>;
    /// When a node's proxy has programmed a version of a slice, if nothing cuts it off before.
    fn programmed_at(&self, node: NodeIndex, version: Version) -> SimTime;
    /// The zone of a node, empty if it names none.
    fn zone(&self, node: Id<Node>) -> Text;
    /// Nano-cores of a node's machine, and what its programs take at most beside requests. `None`: nothing is
    /// said of any program there, and there is enough for all.
    fn processors(&self, node: NodeIndex) -> Option<(u64, u64)>;
    /// The programs that run on a node, each with what it takes of the processor over the second from `at` on
    /// beside requests, in nano-cores.
    fn seats(&self, node: NodeIndex, at: SimTime) -> Vec<Seat>;
    /// A program's pod as people write it, and the fact its program began by.
    fn behind(&self, pod: Id<Pod>, container: u16) -> (String, u64);
    /// What runs behind a port of an endpoint's pod.
    fn program(&self, endpoint: &Endpoint, port: u16) -> Program;
}

/// A node as traffic sees it.
#[derive(Clone, Debug)]
struct NodeRow {
    site: Site,
    name: Name,
    place: Place,
    /// Whether its machine runs.
    is_on: bool,
    /// The latest fact about its machine.
    cause: u64,
    /// How often its proxy came back.
    heals: u32,
    processors: Processors,
}

/// All traffic of a run.
#[derive(Clone, Debug)]
pub struct Traffic {
    now: SimTime,
    queue: LaneQueue,
    law: Exponential,
    clients: Vec<Client>,
    callees: Vec<Callee>,
    requests: Requests,
    servers: Vec<Option<Server>>,
    /// Numbers of servers nobody uses.
    vacant: Vec<u32>,
    by_pod: FastMap<Id<Pod>, SmallVec<[u32; 1]>>,
    /// Pods that are gone from the store and still have a server.
    gone: Vec<Id<Pod>>,
    nodes: Vec<NodeRow>,
    /// Nodes a load balancer sends connections to; `None`: to be worked out anew.
    entries: Option<Vec<NodeIndex>>,
    /// The latest fact about links.
    net_cause: u64,
    /// The end of the second under way, if anything was counted in it.
    tick: SimTime,
    /// Facts about failed requests so far, by client, outcome and server.
    told: BTreeMap<(u32, Outcome, u32), u8>,
    facts: Vec<(u64, Fact)>,
    /// Programs that requests ended, each with the fact that says so in its place.
    harmed: Vec<Harmed>,
    /// A node that is crowded, as the latest fact says.
    newly_crowded: Option<NodeIndex>,
    /// Whether a node is crowded that was not.
    has_crowded: bool,
    handled: u64,
}

/// A program that a request ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Harmed {
    /// The pod.
    pub pod: Id<Pod>,
    /// The container, init containers counted first.
    pub container: u16,
    /// The node it runs on.
    pub node: NodeIndex,
    /// How it ends.
    pub harm: Harm,
}

impl Traffic {
    /// The clients of a plan, at the start of a run.
    pub fn new(plans: &[TrafficPlan], luck: Luck, order: Order) -> Traffic {
        let mut callees: Vec<Callee> = Vec::new();
        let mut clients = Vec::with_capacity(plans.len());
        for plan in plans {
            let is_same = |one: &Callee| one.service == plan.service && one.port == plan.port;
            let callee = callees.iter().position(is_same).unwrap_or_else(|| {
                callees.push(Callee::new(plan.service.clone(), plan.port.clone()));
                callees.len() - 1
            });
            let callers = match plan.from {
                Origin::Outside => Callers::Outside,
                Origin::Node(_) => Callers::Node(None),
                Origin::Pods { .. } => Callers::Pods(Vec::new()),
            };
            let stream = luck.stream(LUCK, hash_text(&plan.name));
            clients.push(Client::new(plan, callee as u32, callers, stream));
        }
        let mut traffic = Traffic {
            now: SimTime::ZERO,
            queue: LaneQueue::new(order),
            law: Exponential::new(),
            clients,
            callees,
            requests: Requests::default(),
            servers: Vec::new(),
            vacant: Vec::new(),
            by_pod: FastMap::default(),
            gone: Vec::new(),
            nodes: Vec::new(),
            entries: None,
            net_cause: 0,
            tick: SimTime::MAX,
            told: BTreeMap::new(),
            facts: Vec::new(),
            harmed: Vec::new(),
            newly_crowded: None,
            has_crowded: false,
            handled: 0,
        };
        for at in 0..traffic.clients.len() as u32 {
            traffic.await_arrival(at);
        }
        traffic
    }

    /// Adds the next node.
    pub fn add_node(&mut self, id: Id<Node>, name: &Name, place: Place) {
        let at = NodeIndex(self.nodes.len() as u32);
        for client in &mut self.clients {
            if let (Origin::Node(wanted), Callers::Node(found)) =
                (&client.plan.from, &mut client.callers)
                && *name == **wanted
            {
                *found = Some(at);
            }
        }
        self.nodes.push(NodeRow {
            site: Site { at, id, link: Link::Whole },
            name: name.clone(),
            place,
            is_on: true,
            cause: 0,
            heals: 0,
            processors: Processors::default(),
        });
    }

    /// When the next entry is due; never, if none is.
    #[inline]
    pub fn next_at(&self) -> SimTime {
        self.queue.next_at().min(self.tick)
    }

    /// Entries handled so far.
    pub fn handled(&self) -> u64 {
        self.handled
    }

    /// The instant of the latest entry or news.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Takes out the facts of the last turn, each with its cause. They fall on [`Traffic::now`].
    pub fn take_facts(&mut self) -> Vec<(u64, Fact)> {
        std::mem::take(&mut self.facts)
    }

    /// Takes out the programs that requests of the last turn ended. Nothing else happens in the lane before
    /// they have.
    pub fn take_harmed(&mut self) -> Vec<Harmed> {
        std::mem::take(&mut self.harmed)
    }

    /// What the requests of a program took since it began, up to the whole second that `at` is in; the
    /// latest minutes can be asked of. `None`: no client ever asked for it.
    pub fn spent(&self, pod: Id<Pod>, container: u16, at: SimTime) -> Option<Spent> {
        let servers = self.by_pod.get(&pod)?.iter();
        let mut servers = servers.filter_map(|&at| self.servers[at as usize].as_ref());
        Some(servers.find(|one| one.program.container == container)?.spent(at))
    }

    /// How many requests a second the programs of a pod were done with, in thousandths: from a whole second
    /// `window` before `at`, or the first since a program began, to the latest; the window at most what
    /// [`Traffic::spent`] can be asked of. `None`: no client ever asked for it, or it began just now.
    pub fn rate(&self, pod: Id<Pod>, window: SimDuration, at: SimTime) -> Option<u64> {
        let servers = self.by_pod.get(&pod)?.iter();
        let servers = servers.filter_map(|&server| self.servers[server as usize].as_ref());
        let of_each = servers.filter_map(|server| server.rate(window, at));
        of_each.reduce(u64::saturating_add)
    }

    /// The same of all pods that `counts` picks, together.
    pub fn rate_of(
        &self,
        counts: impl Fn(Id<Pod>) -> bool,
        window: SimDuration,
        at: SimTime,
    ) -> Option<u64> {
        let servers = self.servers.iter().flatten();
        let counted = servers.filter(|server| counts(server.program.pod));
        counted.filter_map(|server| server.rate(window, at)).reduce(u64::saturating_add)
    }

    /// The pods at the ends of long-lived connections that are open, each as often as it has one.
    pub fn connections(&self) -> impl Iterator<Item = &Name> {
        let all = self.clients.iter().flat_map(|client| &client.connections);
        all.filter_map(|held| {
            Some(&self.servers.get(held.server as usize)?.as_ref()?.program.name.1)
        })
    }

    /// Where each client stands, by name.
    pub fn balances(&self, now: SimTime) -> impl Iterator<Item = (&Name, Balance)> {
        self.clients.iter().map(move |client| (&client.name, client.tally.balance(now)))
    }
}
