//! client-go's event broadcaster: core Events of one controller, sent one at a time.
//!
//! Owns the waiting line, the spam filter and the one request in flight. In the run Events matter for what
//! they cost: each takes a token of the controller's own client, between the calls that do the work; what
//! they say is for those who listen. client-go 1.36 tools/record (event.go, events_cache.go).
//!
//! ```text
//! record ─ spam filter ─▶ waiting ─▶ in flight ─ reply ─▶ next
//!    │                       ▲             │ unreachable
//!    └─▶ core_events         └── 10 s ─────┘ (12 tries)
//! ```

use std::collections::VecDeque;

use super::workqueue::Tag;
use super::{Timer, Which};
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Uid};
use crate::api::status::Status;
use crate::control_plane::core_events::spam::SpamFilter;
use crate::messages::core_event::Source;
use crate::messages::{About, Call, ClientId, CoreEvent, Effects, Remark};
use crate::time::SimDuration;

/// Events that may wait.
const WAITING_MAX: usize = 1000;
/// How often an Event is tried while the server cannot be reached, and how long between.
const TRIES: u32 = 12;
const RETRY: SimDuration = SimDuration::from_secs(10);

/// The broadcaster of one controller.
#[derive(Clone, Debug)]
pub struct Events {
    of: Which,
    client: ClientId,
    /// Causes of the Events that wait, the one in flight first.
    waiting: VecDeque<u64>,
    tries: u32,
    spam: SpamFilter<Uid>,
}

impl Events {
    /// A broadcaster that sends by `client`.
    pub fn new(of: Which, client: ClientId) -> Events {
        let (waiting, spam) = (VecDeque::new(), SpamFilter::default());
        Events { of, client, waiting, tries: 0, spam }
    }

    /// This is to be said about an object of `kind`.
    pub fn record(
        &mut self,
        kind: Kind,
        object: &Meta,
        fx: &mut Effects<Timer>,
        remark: impl FnOnce() -> Remark,
    ) {
        self.say(object.uid, fx, || (Some(About::of(kind, object)), remark()));
    }

    /// The same of what is known by its uid; what nobody can name any more is not said.
    pub fn say(
        &mut self,
        object: Uid,
        fx: &mut Effects<Timer>,
        words: impl FnOnce() -> (Option<About>, Remark),
    ) {
        self.mention(fx, words);
        if !self.spam.passes(object, fx.now()) || self.waiting.len() >= WAITING_MAX {
            return;
        }
        self.waiting.push_back(fx.cause());
        if self.waiting.len() == 1 {
            self.send(fx);
        }
    }

    /// The same, at no cost in the run.
    pub fn mention(
        &mut self,
        fx: &mut Effects<Timer>,
        words: impl FnOnce() -> (Option<About>, Remark),
    ) {
        fx.say(|| {
            let (about, remark) = words();
            let source = Source::Core { component: self.of.speaker(), host: None };
            Some(CoreEvent { source, about: about?, remark })
        });
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
        let meta = Meta::new("shop".into(), "web".into());
        for _ in 0..3 {
            events.record(Kind::ReplicaSet, &meta, fx, || unreachable!("nobody listens"));
        }
        assert_eq!(sent(fx), 1);
        events.reply(Ok(()), fx);
        events.reply(Ok(()), fx);
        assert_eq!(sent(fx), 2);
        events.reply(Ok(()), fx);
        assert_eq!(sent(fx), 0);
    }
}
