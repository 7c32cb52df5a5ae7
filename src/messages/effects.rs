//! What a component wishes to happen: gathered while it handles one event, drained by the world
//! before the next.

use super::cloud::CloudCall;
use super::core_event::{CoreEvent, Listening, Source};
use super::engine::EngineCall;
use super::fact::Fact;
use super::request::{Call, ClientId, Request};
use crate::time::{SimDuration, SimTime};

/// One wish. `T` is the component's own timer.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect<T> {
    /// Send a request to the API server.
    Send(Request),
    /// Ask the container engine of the component's own node.
    Engine(EngineCall),
    /// Ask the cloud for machines, or give one back.
    Cloud(CloudCall),
    /// Wake me with `timer` at `at`.
    Arm {
        /// When; never before now.
        at: SimTime,
        /// What comes back; stale ones are told by a generation the owner keeps in it.
        timer: T,
    },
}

/// The effects of one handled event. The world reuses one buffer a component kind.
#[derive(Clone, Debug)]
pub struct Effects<T> {
    now: SimTime,
    cause: u64,
    next_fact: u64,
    list: Vec<(u64, Effect<T>)>,
    facts: Vec<(u64, Fact)>,
    listening: Listening,
    said: Vec<(SimTime, CoreEvent)>,
}

impl<T> Effects<T> {
    /// An empty buffer.
    pub fn new() -> Effects<T> {
        Effects {
            now: SimTime::ZERO,
            cause: 0,
            next_fact: 1,
            list: Vec::new(),
            facts: Vec::new(),
            listening: Listening::Nobody,
            said: Vec::new(),
        }
    }

    /// An empty buffer that keeps Events, or does not.
    pub fn listening(listening: Listening) -> Effects<T> {
        Effects { listening, ..Effects::new() }
    }

    /// Makes the buffer ready for one event: at `now`, caused by fact `cause`; the next fact will
    /// be number `next_fact`.
    pub fn begin(&mut self, now: SimTime, cause: u64, next_fact: u64) {
        debug_assert!(self.list.is_empty() && self.facts.is_empty(), "effects were not drained");
        (self.now, self.cause, self.next_fact) = (now, cause, next_fact);
    }

    /// The instant of the event being handled.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The number of the latest fact upstream of what is being done.
    pub fn cause(&self) -> u64 {
        self.cause
    }

    /// From here on `cause` is what the effects come from: for a component that works off what it
    /// was told earlier.
    pub fn because(&mut self, cause: u64) {
        self.cause = cause;
    }

    /// Something happened; later effects come from it. Returns its number.
    pub fn fact(&mut self, fact: Fact) -> u64 {
        self.facts.push((self.cause, fact));
        self.cause = self.next_fact;
        self.next_fact += 1;
        self.cause
    }

    /// An Event for people, built only where somebody listens: it changes nothing in the run. `None`: nothing
    /// can be said after all.
    #[inline]
    pub fn say(&mut self, event: impl FnOnce() -> Option<CoreEvent>) {
        self.say_at(self.now, event);
    }

    /// The same of something that happened before, at `at`.
    #[inline]
    pub fn say_at(&mut self, at: SimTime, event: impl FnOnce() -> Option<CoreEvent>) {
        if self.listening == Listening::All {
            self.said.extend(event().map(|event| (at, event)));
        }
    }

    /// Sends `call` to the API server; its reply comes with `tag`.
    pub fn send(&mut self, client: ClientId, tag: u64, call: Call) {
        self.list.push((self.cause, Effect::Send(Request { client, tag, call })));
    }

    /// Asks the container engine; its answer comes as an `EngineEvent` with the call's `op`.
    pub fn call(&mut self, call: EngineCall) {
        self.list.push((self.cause, Effect::Engine(call)));
    }

    /// Asks the cloud.
    pub fn cloud(&mut self, call: CloudCall) {
        self.list.push((self.cause, Effect::Cloud(call)));
    }

    /// Comes back with `timer` in `after`.
    pub fn arm(&mut self, after: SimDuration, timer: T) {
        let at = self.now + after;
        self.list.push((self.cause, Effect::Arm { at, timer }));
    }

    /// Comes back with `timer` at `at`, or now if that is past.
    pub fn arm_at(&mut self, at: SimTime, timer: T) {
        let at = at.max(self.now);
        self.list.push((self.cause, Effect::Arm { at, timer }));
    }

    /// Whether there are facts to be taken out: mostly there are none.
    pub fn has_facts(&self) -> bool {
        !self.facts.is_empty()
    }

    /// Takes the facts out, each with its cause, in order.
    pub fn drain_facts(&mut self) -> impl Iterator<Item = (u64, Fact)> + '_ {
        self.facts.drain(..)
    }

    /// What was said as part of a series comes from the speaker of this number.
    pub fn sign(&mut self, number: u8) {
        for (_, event) in &mut self.said {
            if let Source::Series { instance, .. } = &mut event.source {
                *instance = number;
            }
        }
    }

    /// Takes the Events out, each with its instant, in the order in which they were said.
    pub fn drain_said(&mut self) -> impl Iterator<Item = (SimTime, CoreEvent)> + '_ {
        self.said.drain(..)
    }

    /// Takes the wishes out, each with its cause, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, Effect<T>)> + '_ {
        self.list.drain(..)
    }
}

impl<T> Default for Effects<T> {
    fn default() -> Effects<T> {
        Effects::new()
    }
}
