//! client-go's event broadcaster: core Events of one controller, sent one at a time.
//!
//! Owns the waiting line, the spam filter and the one request in flight; refuses to know what the
//! Events say. They matter for what they cost: each takes a token of the controller's own client,
//! between the calls that do the work. client-go 1.36 tools/record (event.go, events_cache.go).
//!
//! ```text
//! record ─ spam filter ─▶ waiting ─▶ in flight ─ reply ─▶ next
//!                            ▲             │ unreachable
//!                            └── 10 s ─────┘ (12 tries)
//! ```

use std::collections::VecDeque;

use super::workqueue::Tag;
use super::{Timer, Which};
use crate::api::meta::Uid;
use crate::api::status::Status;
use crate::base::FastMap;
use crate::messages::{Call, ClientId, Effects};
use crate::time::{SimDuration, SimTime};

/// Events about one object that pass at once; then one each [`SPAM_REFILL`].
const SPAM_BURST: u64 = 25;
const SPAM_REFILL: SimDuration = SimDuration::from_secs(300);
/// Objects the spam filter remembers.
const SPAM_OBJECTS: usize = 4096;
/// Events that may wait.
const WAITING_MAX: usize = 1000;
/// How often an Event is tried while the server cannot be reached, and how long between.
const TRIES: u32 = 12;
const RETRY: SimDuration = SimDuration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Spam {
    /// When the object's bucket would be full again.
    full: SimTime,
    used: u64,
}

/// The broadcaster of one controller.
#[derive(Clone, Debug)]
pub struct Events {
    of: Which,
    client: ClientId,
    /// Causes of the Events that wait, the one in flight first.
    waiting: VecDeque<u64>,
    tries: u32,
    spam: FastMap<Uid, Spam>,
    uses: VecDeque<(u64, Uid)>,
    use_count: u64,
}

impl Events {
    /// A broadcaster that sends by `client`.
    pub fn new(of: Which, client: ClientId) -> Events {
        Events {
            of,
            client,
            waiting: VecDeque::new(),
            tries: 0,
            spam: FastMap::default(),
            uses: VecDeque::new(),
            use_count: 0,
        }
    }

    /// Something is to be said about `object`.
    pub fn record(&mut self, object: Uid, fx: &mut Effects<Timer>) {
        if !self.passes(object, fx.now()) || self.waiting.len() >= WAITING_MAX {
            return;
        }
        self.waiting.push_back(fx.cause());
        if self.waiting.len() == 1 {
            self.send(fx);
        }
    }

    /// The answer to the Event in flight.
    pub fn reply(&mut self, result: Result<(), &Status>, fx: &mut Effects<Timer>) {
        self.tries += 1;
        if matches!(result, Err(Status::Unreachable)) && self.tries < TRIES {
            fx.arm(RETRY, Timer::Event { of: self.of });
            return;
        }
        self.tries = 0;
        self.waiting.pop_front();
        self.send(fx);
    }

    /// The time to try again has come.
    pub fn retry(&mut self, fx: &mut Effects<Timer>) {
        self.send(fx);
    }

    fn send(&mut self, fx: &mut Effects<Timer>) {
        if let Some(&cause) = self.waiting.front() {
            fx.because(cause);
            fx.send(self.client, Tag::Event.pack(), Call::Event);
        }
    }

    /// The spam filter: a token bucket for each object.
    fn passes(&mut self, object: Uid, now: SimTime) -> bool {
        self.use_count += 1;
        let fresh = Spam { full: SimTime::ZERO, used: 0 };
        let one = self.spam.entry(object).or_insert(fresh);
        one.used = self.use_count;
        let full = one.full.max(now) + SPAM_REFILL;
        let passes = full.saturating_since(now) <= SPAM_REFILL * SPAM_BURST;
        if passes {
            one.full = full;
        }
        self.uses.push_back((self.use_count, object));
        self.forget_oldest();
        passes
    }

    fn forget_oldest(&mut self) {
        let is_current = |spam: &FastMap<Uid, Spam>, (used, object): (u64, Uid)| {
            spam.get(&object).is_some_and(|one| one.used == used)
        };
        while self.spam.len() > SPAM_OBJECTS {
            let Some(oldest) = self.uses.pop_front() else { return };
            if is_current(&self.spam, oldest) {
                self.spam.remove(&oldest.1);
            }
        }
        if self.uses.len() > 4 * SPAM_OBJECTS {
            let spam = &self.spam;
            self.uses.retain(|&one| is_current(spam, one));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fx: &mut Effects<Timer>) -> usize {
        fx.drain().count()
    }

    #[test]
    fn one_is_in_flight_and_the_rest_wait() {
        let fx = &mut Effects::new();
        let mut events = Events::new(Which::ReplicaSets, ClientId(1));
        (0..3).for_each(|_| events.record(Uid(7), fx));
        assert_eq!(sent(fx), 1);
        events.reply(Ok(()), fx);
        events.reply(Ok(()), fx);
        assert_eq!(sent(fx), 2);
        events.reply(Ok(()), fx);
        assert_eq!(sent(fx), 0);
    }

    #[test]
    fn of_one_object_25_pass_and_then_one_each_5_minutes() {
        let mut events = Events::new(Which::ReplicaSets, ClientId(1));
        let mut passed = |at, uid| events.passes(Uid(uid), SimTime::from_secs(at));
        assert_eq!((0..40).filter(|_| passed(0, 1)).count(), 25);
        assert!(passed(0, 2), "another object has its own");
        assert_eq!((0..40).filter(|_| passed(600, 1)).count(), 2);
    }

    #[test]
    fn the_filter_remembers_the_objects_used_last() {
        let mut events = Events::new(Which::ReplicaSets, ClientId(1));
        let now = SimTime::ZERO;
        (0..25).for_each(|_| assert!(events.passes(Uid(1), now)));
        for other in 0..SPAM_OBJECTS as u64 * 3 {
            events.passes(Uid(100 + other), now);
            assert!(!events.passes(Uid(1), now), "it is used all along");
        }
        assert!(events.uses.len() <= 4 * SPAM_OBJECTS && events.spam.len() <= SPAM_OBJECTS);
        for other in 0..SPAM_OBJECTS as u64 {
            events.passes(Uid(1 << 40 | other), now);
        }
        assert!(events.passes(Uid(1), now), "it was forgotten");
    }
}
