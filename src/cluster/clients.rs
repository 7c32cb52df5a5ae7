//! Clients of the API server: whose they are, where they sit, and how fast they may ask.

use super::processes::ProcessId;
use crate::base::chunks::Chunked;
use crate::messages::ClientId;
use crate::net::Place;
use crate::time::{SimDuration, SimTime};

/// Whose replies a client's are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// A scheduler instance.
    Scheduler(u8),
    /// A controller manager instance (which tells its controllers apart by client).
    Manager(u8),
    /// The candidate for leadership of a process.
    Candidate(ProcessId),
    /// The kubelet of the node in this slot.
    Kubelet(u32),
    /// Whoever runs the cluster.
    User,
    /// The kubelet of machine number so-and-so, which has no node yet.
    Machine(u32),
    /// The cloud's own controller.
    Cloud,
}

/// How many requests a client may make: `qps` a second, `burst` at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Requests a second, at least 1.
    pub qps: u32,
    /// Requests that may be made at once after a pause, at least 1.
    pub burst: u32,
}

/// A token bucket as `golang.org/x/time/rate` has it: tokens come continuously, a request that
/// finds none takes the next one that will come, first come first served. Held as the instant at
/// which the bucket has, or will have, no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bucket {
    interval: u64,
    burst: u64,
    empty_at: i128,
}

impl Bucket {
    fn full(limit: RateLimit) -> Bucket {
        let interval = 1_000_000_000 / u64::from(limit.qps.max(1));
        let burst = u64::from(limit.burst.max(1));
        // Long ago; well inside i128.
        Bucket { interval, burst, empty_at: -i128::from(u64::MAX) }
    }

    /// Takes a token; returns when it may be used.
    fn reserve(&mut self, now: SimTime) -> SimTime {
        let now = i128::from(now.as_nanos());
        let full = now - i128::from(self.interval) * i128::from(self.burst);
        self.empty_at = self.empty_at.max(full) + i128::from(self.interval);
        SimTime::from_nanos(self.empty_at.max(now) as u64)
    }
}

/// One client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whose it is.
    pub owner: Owner,
    /// Where it sits.
    pub place: Place,
    /// The stable number of its kind, for keyed draws: equal for all kubelets.
    pub kind_key: u64,
    bucket: Bucket,
    /// When its latest write is committed.
    committed: SimTime,
    /// Core Events it sent: they are about no object of ours, so their luck counts by client.
    events: u64,
}

/// All clients of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    rows: Chunked<Client>,
}

impl Clients {
    /// Adds a client with a full bucket.
    pub fn add(&mut self, owner: Owner, place: Place, kind_key: u64, limit: RateLimit) -> ClientId {
        let id = ClientId(self.rows.len() as u32);
        self.rows.push(Client {
            owner,
            place,
            kind_key,
            bucket: Bucket::full(limit),
            committed: SimTime::ZERO,
            events: 0,
        });
        id
    }

    /// The client `id`.
    pub fn get(&self, id: ClientId) -> &Client {
        &self.rows[id.0 as usize]
    }

    /// Takes a token of client `id`; returns when it may send.
    pub fn reserve(&mut self, id: ClientId, now: SimTime) -> SimTime {
        self.rows[id.0 as usize].bucket.reserve(now)
    }

    /// The number of the core Event that client `id` sends now, from 0.
    pub fn next_event(&mut self, id: ClientId) -> u64 {
        let client = &mut self.rows[id.0 as usize];
        client.events += 1;
        client.events - 1
    }

    /// When a write of client `id` that would be committed at `at` is committed: a kubelet writes
    /// one status after the other (its status manager is one loop), so none overtakes another.
    pub fn in_order(&mut self, id: ClientId, at: SimTime) -> SimTime {
        let client = &mut self.rows[id.0 as usize];
        if !matches!(client.owner, Owner::Kubelet(_)) {
            return at;
        }
        // At an instant of its own: events of one instant have no order to rely on.
        client.committed = at.max(after(client.committed, SimDuration::from_nanos(1)));
        client.committed
    }
}

/// How long after `now` a span ends, never beyond the end of time.
pub fn after(now: SimTime, span: SimDuration) -> SimTime {
    now.checked_add(span).unwrap_or(SimTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_each_interval() {
        let mut bucket = Bucket::full(RateLimit { qps: 20, burst: 3 });
        let now = SimTime::from_secs(1);
        let millis: Vec<u64> =
            (0..6).map(|_| bucket.reserve(now).checked_since(now).unwrap().as_millis()).collect();
        assert_eq!(millis, [0, 0, 0, 50, 100, 150]);
        let later = SimTime::from_secs(2);
        let millis: Vec<u64> = (0..5)
            .map(|_| bucket.reserve(later).checked_since(later).unwrap().as_millis())
            .collect();
        assert_eq!(millis, [0, 0, 0, 50, 100], "a pause fills it to the burst, not beyond");
    }
}
