//! The engine room: what happens next, when, and because of what. Not one word of the domain.
//!
//! Owns virtual time (only this module moves it), the order of events, recurring occurrences, the
//! numbers and the digest of facts, the run loop and the driver trait. Refuses to know what an event, a
//! fact or an input means: it is generic over all of them.
//!
//! ```text
//!             schedule(at, cause, event)            declare(key, cadence), wake_at(key, k)
//!  owners ---------------------------> EventQueue  <--------------------------- owners
//!                                          |   Recurring
//!                 events of an instant first, then occurrences by (kind, owner)
//!                                          v
//!  run(engine, driver) -- next_at --> [Kernel::next] --> Due --> the engine's dispatch --> record(fact) --> sink
//! ```
//!
//! Laws held here: events are ordered by (time, order of scheduling); nothing is scheduled into the past;
//! every event carries the number of the fact that caused it; facts are numbered and folded into the digest
//! whether or not a sink keeps them.
pub mod driver;
pub mod fact;
pub mod queue;
pub mod recurring;
pub mod run;

pub use driver::{Driver, InputLog, LoggedInput, Next, Virtual};
pub use fact::{Fact, FactSink, NO_CAUSE, NoSink};
pub use queue::{EventQueue, Order};
pub use recurring::{Cadence, Fidelity, Recurring};
pub use run::{Apart, Budgets, Engine, Halt, Outgoing, PULSE, Run, Unwatched, Watch, run};

use crate::base::StableHasher;
use crate::time::SimTime;

/// An event as it is queued: with the number of the latest fact upstream of it.
#[derive(Clone, Copy, Debug)]
struct Caused<E> {
    cause: u64,
    event: E,
}

/// What is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<E, R> {
    /// An event that was scheduled.
    Event {
        /// The number of the fact that led to it; [`NO_CAUSE`] if none did.
        cause: u64,
        /// The event.
        event: E,
    },
    /// The `k`-th occurrence of a declared recurrence.
    Occurrence {
        /// Whose it is: (kind, owner).
        key: R,
        /// Which one: it falls on phase + k * period.
        k: u64,
    },
}

/// The clock, the queue, the recurrences and the identity of one run.
///
/// `E` is the event (at most 16 bytes, so that a queued one is at most 32), `R` the key of a recurrence,
/// ordered by (kind, owner). A clone goes on exactly as the original would.
#[derive(Clone, Debug)]
pub struct Kernel<E: Copy, R> {
    now: SimTime,
    queue: EventQueue<Caused<E>>,
    /// Recurring occurrences; owners declare and ask here.
    pub recurring: Recurring<R>,
    facts: u64,
    digest: StableHasher,
    events: u64,
}

impl<E: Copy, R: recurring::Key> Kernel<E, R> {
    /// A kernel at time zero with nothing to do.
    pub fn new(order: Order, fidelity: Fidelity) -> Self {
        Self {
            now: SimTime::ZERO,
            queue: EventQueue::new(order),
            recurring: Recurring::new(fidelity),
            facts: 0,
            digest: StableHasher::new(),
            events: 0,
        }
    }

    /// The present instant.
    #[inline]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Events and occurrences handed out so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events waiting (occurrences not counted).
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Facts recorded so far: the number of the latest one.
    #[inline]
    pub fn facts(&self) -> u64 {
        self.facts
    }

    /// The run's identity up to now.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Queues `event` for `at`, behind all that is queued for the same instant.
    /// `cause` is the number of the latest fact upstream, or [`NO_CAUSE`]. [`SimTime::MAX`] is never: nothing is queued.
    ///
    /// # Panics
    /// If `at` is before now, which is a bug of the owner.
    #[inline]
    pub fn schedule(&mut self, at: SimTime, cause: u64, event: E) {
        assert!(at >= self.now, "an event may not be scheduled into the past");
        if at != SimTime::MAX {
            self.queue.push(at, Caused { cause, event });
        }
    }

    /// When the next event or occurrence is due, if there is one. Changes nothing.
    #[inline]
    pub fn next_at(&self) -> Option<SimTime> {
        match (self.queue.peek_time(), self.recurring.peek_time()) {
            (Some(event), Some(occurrence)) => Some(event.min(occurrence)),
            (event, occurrence) => event.or(occurrence),
        }
    }

    /// Moves time to what is due next and hands it out; `None` when nothing ever will be.
    #[expect(
        clippy::should_implement_trait,
        reason = "a kernel is no iterator: what is due depends on what is done"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Due<E, R>> {
        let occurrence_at = self.recurring.peek_time().unwrap_or(SimTime::MAX);
        match self.queue.peek_time() {
            Some(at) if at <= occurrence_at => {
                let (at, Caused { cause, event }) = self.queue.pop()?;
                self.advance(at);
                Some(Due::Event { cause, event })
            }
            _ => {
                let (at, key, k) = self.recurring.pop()?;
                self.advance(at);
                Some(Due::Occurrence { key, k })
            }
        }
    }

    #[inline]
    fn advance(&mut self, at: SimTime) {
        debug_assert!(at >= self.now, "time does not run back");
        self.now = at;
        self.events += 1;
    }

    /// Moves time to `at` without handing anything out: for an external input, a lane beside the queue, or
    /// the end of a run.
    ///
    /// # Panics
    /// If that is the past, or would jump over something due.
    pub fn advance_to(&mut self, at: SimTime) {
        assert!(at >= self.now, "time does not run back");
        assert!(self.next_at().is_none_or(|due| at <= due), "time does not jump over what is due");
        self.now = at;
    }

    /// Records a fact at the present instant: numbers it, folds it into the digest, shows it to the sink.
    /// `cause` is the number of the fact that led to it, or [`NO_CAUSE`]. Returns its number, counted from 1.
    #[inline]
    pub fn record<F: Fact>(&mut self, cause: u64, fact: &F, sink: &mut dyn FactSink<F>) -> u64 {
        debug_assert!(cause <= self.facts, "a cause comes before its effect");
        self.facts += 1;
        // A hasher of its own for each fact: facts cannot run together, and their folds overlap in time.
        let mut of_fact = StableHasher::new().word(self.now.as_nanos());
        fact.fold(&mut of_fact);
        self.digest = self.digest.word(of_fact.finish());
        sink.record(self.now, self.facts, cause, fact);
        self.facts
    }
}

#[cfg(test)]
mod tests;
