//! What became of one client's requests: counted, never kept one by one.
//!
//! Owns the counts of the second under way and of the whole run, and the two sides of Little's law as
//! whole numbers; refuses to know why a request failed.
use std::sync::Arc;

use super::requests::Outcome;
use crate::base::histogram::bucket_of;
use crate::time::SimTime;

/// Counts of one client.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Of the second under way.
    second: Counts,
    /// Latencies of the second under way by bucket, and which of them are used.
    buckets: Vec<u32>,
    lowest: usize,
    highest: usize,
    /// Of the whole run.
    total: Counts,
    in_flight: u64,
    /// The sum over those in flight of when they were sent.
    sent_sum: u128,
    /// The area under the curve of requests in flight up to `area_at`, in requests times nanoseconds.
    area: u128,
    area_at: SimTime,
    /// The time that finished requests took, whatever became of them.
    time_sum: u128,
}

/// Requests by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// By [`Outcome`].
    pub by_outcome: [u64; Outcome::COUNT],
    /// The latencies of those that were answered, in nanoseconds.
    pub latency_sum: u128,
}

impl Counts {
    /// Those of one outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// Those that have ended.
    pub fn finished(&self) -> u64 {
        self.by_outcome.iter().sum()
    }
}

/// Both sides of Little's law and of conservation, at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// Of the run so far.
    pub total: Counts,
    /// Requests sent and not ended.
    pub in_flight: u64,
    /// The area under the curve of requests in flight.
    pub area: u128,
    /// The time all requests have spent so far, those in flight included.
    pub time: u128,
}

impl Tally {
    /// A request is sent.
    #[inline]
    pub fn send(&mut self, now: SimTime) {
        self.grow(now);
        self.second.sent += 1;
        self.in_flight += 1;
        self.sent_sum += u128::from(now.as_nanos());
    }

    /// A request that was sent at `sent` has ended.
    #[inline]
    pub fn finish(&mut self, sent: SimTime, now: SimTime, outcome: Outcome) {
        self.grow(now);
        self.in_flight -= 1;
        self.sent_sum -= u128::from(sent.as_nanos());
        let took = now.saturating_since(sent).as_nanos();
        self.time_sum += u128::from(took);
        self.second.by_outcome[outcome as usize] += 1;
        if outcome == Outcome::Ok {
            self.second.latency_sum += u128::from(took);
            let bucket = usize::from(bucket_of(took));
            if bucket >= self.buckets.len() {
                self.buckets.resize(bucket + 1, 0);
            }
            self.buckets[bucket] += 1;
            (self.lowest, self.highest) = (self.lowest.min(bucket), self.highest.max(bucket + 1));
        }
    }

    #[inline]
    fn grow(&mut self, now: SimTime) {
        let span = now.saturating_since(self.area_at).as_nanos();
        self.area += u128::from(self.in_flight) * u128::from(span);
        self.area_at = now;
    }

    /// Whether anything was counted since the last [`Tally::take`].
    pub fn is_active(&self) -> bool {
        self.second.sent + self.second.finished() > 0
    }

    /// The counts since the last call, and the latencies by bucket.
    pub fn take(&mut self) -> (Counts, u64, Arc<[(u16, u32)]>) {
        let second = std::mem::take(&mut self.second);
        self.total.sent += second.sent;
        self.total.latency_sum += second.latency_sum;
        for (total, more) in self.total.by_outcome.iter_mut().zip(second.by_outcome) {
            *total += more;
        }
        let used = self.lowest.min(self.highest)..self.highest;
        let counted =
            used.clone().zip(&self.buckets[used.clone()]).filter(|(_, count)| **count > 0);
        let buckets = counted.map(|(bucket, count)| (bucket as u16, *count)).collect();
        self.buckets[used].fill(0);
        (self.lowest, self.highest) = (usize::MAX, 0);
        (second, self.in_flight, buckets)
    }

    /// Where it stands at `now`.
    pub fn balance(&self, now: SimTime) -> Balance {
        let mut total = self.total;
        total.sent += self.second.sent;
        total.latency_sum += self.second.latency_sum;
        for (total, more) in total.by_outcome.iter_mut().zip(self.second.by_outcome) {
            *total += more;
        }
        let flying = u128::from(self.in_flight) * u128::from(now.as_nanos());
        let span = now.saturating_since(self.area_at).as_nanos();
        Balance {
            total,
            in_flight: self.in_flight,
            area: self.area + u128::from(self.in_flight) * u128::from(span),
            time: self.time_sum + flying - self.sent_sum,
        }
    }
}

impl Balance {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_move_from_the_second_to_the_total_and_the_law_holds() {
        let at = SimTime::from_millis;
        let mut tally = Tally::default();
        [0, 10, 20].into_iter().for_each(|ms| tally.send(at(ms)));
        tally.finish(at(0), at(30), Outcome::Ok);
        tally.finish(at(10), at(40), Outcome::Reset);
        let balance = tally.balance(at(50));
        assert_eq!((balance.area, balance.time), (90_000_000, 90_000_000));
        let (second, in_flight, buckets) = tally.take();
        assert_eq!((second.sent, second.of(Outcome::Ok), in_flight), (3, 1, 1));
        assert_eq!(*buckets, [(bucket_of(30_000_000), 1)]);
        assert!(!tally.is_active());
        assert_eq!((tally.take().2.len(), tally.balance(at(50)).total), (0, balance.total));
    }
}
