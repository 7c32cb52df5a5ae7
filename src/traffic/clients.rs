//! One client: when it sends, from where, and over which connection.

use std::net::Ipv4Addr;

use super::plan::{Arrivals, TrafficPlan};
use super::requests::NOWHERE;
use super::tally::Tally;
use crate::api::meta::Uid;
use crate::api::name::Name;
use crate::luck::{Draw, Exponential, Stream};
use crate::node::NodeIndex;
use crate::time::SimTime;

/// Where a client's requests start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Callers {
    /// Outside the cluster.
    Outside,
    /// On one node; `None`: there is no such node.
    Node(Option<NodeIndex>),
    /// In any of these ready pods, sorted by uid; only pods on living nodes call.
    Pods(Vec<Caller>),
}

/// A pod that calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The pod.
    pub uid: Uid,
    /// Where it runs.
    pub node: NodeIndex,
    /// Its address.
    pub ip: Option<Ipv4Addr>,
}

/// A long-lived connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The program at its end; [`NOWHERE`] while it is not open.
    pub server: u32,
    /// Which life of the program.
    pub life: u32,
    /// The node it starts from, or comes in by.
    pub node: NodeIndex,
    /// The address of the pod it starts from, if it does.
    pub caller: Option<Ipv4Addr>,
}

impl Connection {
    /// One that is not open.
    pub const CLOSED: Connection =
        Connection { server: NOWHERE, life: 0, node: NodeIndex(0), caller: None };
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the plan says of it.
    pub plan: TrafficPlan,
    /// Its name in facts.
    pub name: Name,
    /// What it calls, by number.
    pub callee: u32,
    /// Where its requests start.
    pub callers: Callers,
    /// Its long-lived connections.
    pub connections: Vec<Connection>,
    /// What became of its requests.
    pub tally: Tally,
    /// The fact upstream of its latest failure in the second under way.
    pub cause: u64,
    luck: Stream,
    /// Arrivals so far.
    arrivals: u64,
    /// When the last one fell, with a fraction of a nanosecond in 2^-32.
    last: SimTime,
    fraction: u64,
}

/// The luck of one request.
#[derive(Clone, Debug)]
pub struct RequestLuck {
    /// Who calls, or by which node it comes in.
    pub caller: Draw,
    /// Which endpoint it goes to.
    pub endpoint: Draw,
    /// The bits of its work and its way.
    pub work: u64,
}

impl Client {
    /// A client at its start. Its stream is its own: law 12.
    pub fn new(plan: &TrafficPlan, callee: u32, callers: Callers, luck: Stream) -> Client {
        let connections = plan.connections.unwrap_or(0) as usize;
        Client {
            name: Name::new(plan.name.clone()),
            callee,
            callers,
            connections: vec![Connection::CLOSED; connections],
            tally: Tally::default(),
            cause: 0,
            luck,
            arrivals: 0,
            last: plan.start,
            fraction: 0,
            plan: plan.clone(),
        }
    }

    /// When the next request is due; never, once the client's time is over.
    #[inline]
    pub fn next_arrival(&mut self, law: &Exponential) -> SimTime {
        let rate = self.plan.rate;
        if rate.requests == 0 {
            return SimTime::MAX;
        }
        self.arrivals += 1;
        match self.plan.arrivals {
            Arrivals::Constant => {
                let nanos = u128::from(self.arrivals) * u128::from(rate.per.as_nanos());
                let after = u64::try_from(nanos / u128::from(rate.requests)).unwrap_or(u64::MAX);
                let start = self.plan.start.as_nanos();
                self.last = SimTime::from_nanos(start.saturating_add(after));
            }
            Arrivals::Poisson => {
                let mean = rate.per.as_nanos() as f64 / rate.requests as f64;
                let gap = law.sample(self.luck.draw()) * mean;
                let whole = gap as u64;
                // Nothing is lost to rounding, however high the rate.
                self.fraction += ((gap - whole as f64) * (1u64 << 32) as f64) as u64;
                let nanos = whole.saturating_add(self.fraction >> 32);
                self.fraction &= u64::from(u32::MAX);
                self.last = SimTime::from_nanos(self.last.as_nanos().saturating_add(nanos));
            }
        }
        if self.last < self.plan.until { self.last } else { SimTime::MAX }
    }

    /// The luck of the request that is sent now: as much for each, so that the next one's is its own.
    #[inline]
    pub fn request_luck(&mut self) -> RequestLuck {
        RequestLuck {
            caller: self.luck.draw(),
            endpoint: self.luck.draw(),
            work: self.luck.draw().u64(),
        }
    }

    /// Which connection the request that is sent now goes over, if it shares one: in turn.
    #[inline]
    pub fn connection(&self) -> u32 {
        match self.connections.len() as u64 {
            0 => NOWHERE,
            count => ((self.arrivals - 1) % count) as u32,
        }
    }
}
