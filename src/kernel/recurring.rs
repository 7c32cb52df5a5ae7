//! What happens again and again: declared once, worked out by arithmetic, queued only where somebody must look.
//!
//! Owns declarations (key, phase, period) and wake-ups; refuses to know what an occurrence does. A key is
//! (kind, owner). Occurrences of an instant come after its ordinary events, ordered by key.
//!
//! ```text
//! undeclared --declare--> asleep --wake_at(k), wake_next--> awake(k) --pop k--> asleep
//!                 elided   ^-----------sleep---------------'
//! undeclared --declare--> awake(first) --pop k--> awake(k+1) --pop--> ..          explicit: every one pops
//! ```
//! Fidelity changes which occurrences pop, never what one does: an owner must come to the same state from
//! popping k as from counting it later with [`Cadence::occurrences`].
//!
//! What recurs without a cadence (each look of a candidate follows from the one before) or is told by other
//! arithmetic (probes) is asked for look by look with [`Recurring::once`], and has its place among the rest.
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Range;

use crate::base::FastMap;
use crate::time::{SimDuration, SimTime};

/// Whether occurrences that change nothing are run or only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// Only occurrences somebody asked for pop.
    #[default]
    Elided,
    /// Every occurrence pops.
    Explicit,
}

/// How a timer of a component comes about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// An event at the instant it is armed for.
    Event,
    /// An occurrence at the instant it is armed for ([`Recurring::once`]).
    Once,
    /// The next occurrence of the duty that its owner has declared.
    Cadence,
}

/// What a recurrence key must be: small, and ordered by (kind, owner).
pub trait Key: Copy + Ord + Hash + Debug {}

impl<T: Copy + Ord + Hash + Debug> Key for T {}

/// Occurrence `k` falls on phase + k * period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    phase: SimTime,
    period: SimDuration,
}

impl Cadence {
    /// A cadence whose occurrence 0 falls on `phase`; `None` where the period is zero.
    pub const fn new(phase: SimTime, period: SimDuration) -> Option<Self> {
        if period.is_zero() { None } else { Some(Self { phase, period }) }
    }

    /// The span between occurrences, never zero.
    pub const fn period(self) -> SimDuration {
        self.period
    }

    /// The instant of occurrence `k`; never, beyond the end of time.
    pub fn at(self, k: u64) -> SimTime {
        self.phase + self.period * k
    }

    /// The first occurrence at or after `instant`.
    pub const fn first_from(self, instant: SimTime) -> u64 {
        let since = instant.as_nanos().saturating_sub(self.phase.as_nanos());
        since.div_ceil(self.period.as_nanos())
    }

    /// The last occurrence before `instant`, if there is one.
    pub const fn last_before(self, instant: SimTime) -> Option<u64> {
        self.first_from(instant).checked_sub(1)
    }

    /// The occurrences in `[from, to)`: none where `to` is not after `from`.
    pub const fn occurrences(self, from: SimTime, to: SimTime) -> Range<u64> {
        let (first, end) = (self.first_from(from), self.first_from(to));
        first..(if end < first { first } else { end })
    }
}

#[derive(Clone, Copy, Debug)]
struct Declared {
    cadence: Cadence,
    /// The occurrence that will pop.
    awake: Option<u64>,
}

/// All recurrences of a run, and the queue of those that will pop.
#[derive(Clone, Debug)]
pub struct Recurring<R> {
    fidelity: Fidelity,
    declared: FastMap<R, Declared>,
    awake: BTreeSet<(SimTime, R)>,
    /// Occurrences of no cadence.
    once: BinaryHeap<Reverse<(SimTime, R)>>,
    /// The time of the first entry of `awake` and `once`, kept beside it because every step of a run asks.
    next: Option<SimTime>,
    /// The occurrence popped last: nothing at or before it pops any more.
    passed: Option<(SimTime, R)>,
}

impl<R: Key> Recurring<R> {
    /// No recurrences yet.
    pub fn new(fidelity: Fidelity) -> Self {
        Self {
            fidelity,
            declared: FastMap::default(),
            awake: BTreeSet::new(),
            once: BinaryHeap::new(),
            next: None,
            passed: None,
        }
    }

    /// Declares a recurrence from `now` on, in place of the key's former one (whose wake-up is cancelled).
    /// `now` counts, unless an occurrence of this instant with the same or a later key has popped already.
    pub fn declare(&mut self, now: SimTime, key: R, cadence: Cadence) {
        self.retire(key);
        self.declared.insert(key, Declared { cadence, awake: None });
        if self.fidelity == Fidelity::Explicit {
            self.arm(key, self.next_of(now, key, cadence));
        }
    }

    /// Ends a recurrence; its wake-up is cancelled. Nothing happens if it was not declared.
    pub fn retire(&mut self, key: R) {
        self.disarm(key);
        self.declared.remove(&key);
    }

    /// The cadence of a declared recurrence.
    pub fn cadence(&self, key: R) -> Option<Cadence> {
        self.declared.get(&key).map(|declared| declared.cadence)
    }

    /// The occurrence that will pop next for this key, if any will.
    pub fn awake(&self, key: R) -> Option<u64> {
        self.declared.get(&key)?.awake
    }

    /// The instant of the next occurrence that has not popped, `now` counted as in
    /// [`Recurring::declare`]; `None` where the key is not declared.
    pub fn next_at(&self, now: SimTime, key: R) -> Option<SimTime> {
        let cadence = self.cadence(key)?;
        Some(cadence.at(self.next_of(now, key, cadence)))
    }

    /// Asks that occurrence `k` pops, in place of the key's former wake-up. Where every occurrence pops
    /// anyway, nothing changes.
    ///
    /// # Panics
    /// If the key is not declared, or occurrence `k` lies before `now` or has popped.
    pub fn wake_at(&mut self, now: SimTime, key: R, k: u64) {
        let cadence = self.cadence(key).expect("a declared recurrence");
        let entry = (cadence.at(k), key);
        assert!(
            entry.0 >= now && self.passed.is_none_or(|passed| passed < entry),
            "occurrence {k} of {key:?} has passed"
        );
        if self.fidelity == Fidelity::Elided {
            self.arm(key, k);
        }
    }

    /// Asks that the next occurrence from `now` on pops, in place of the key's former wake-up. `now` counts
    /// as in [`Recurring::declare`]. Returns which one it is.
    ///
    /// # Panics
    /// If the key is not declared.
    pub fn wake_next(&mut self, now: SimTime, key: R) -> u64 {
        let cadence = self.cadence(key).expect("a declared recurrence");
        let k = self.next_of(now, key, cadence);
        if self.fidelity == Fidelity::Elided {
            self.arm(key, k);
        }
        k
    }

    /// Cancels the key's wake-up, if it has one. Where every occurrence pops anyway, nothing changes.
    pub fn sleep(&mut self, key: R) {
        if self.fidelity == Fidelity::Elided {
            self.disarm(key);
        }
    }

    /// Asks for a single occurrence at `at`, which pops in either fidelity, as number 0. It cannot be taken
    /// back: owners tell stale ones. [`SimTime::MAX`] is never. The key need not be declared.
    ///
    /// # Panics
    /// If `at` lies before `now`.
    #[inline]
    pub fn once(&mut self, now: SimTime, key: R, at: SimTime) {
        assert!(at >= now, "an occurrence may not be asked for in the past");
        if at != SimTime::MAX {
            self.once.push(Reverse((at, key)));
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }

    /// The instant of the next wake-up. Changes nothing.
    #[inline]
    pub fn peek_time(&self) -> Option<SimTime> {
        self.next
    }

    /// The next wake-up: instant and key. Changes nothing.
    pub fn peek(&self) -> Option<(SimTime, R)> {
        let single = self.once.peek().map(|&Reverse(entry)| entry);
        let declared = self.awake.first().copied();
        single.into_iter().chain(declared).min()
    }

    /// Takes out the next wake-up: instant, key, number of the occurrence.
    pub fn pop(&mut self) -> Option<(SimTime, R, u64)> {
        let single = self.once.peek().map(|&Reverse(entry)| entry);
        if let Some(entry) = single
            && self.awake.first().is_none_or(|first| entry < *first)
        {
            self.once.pop();
            self.passed = self.passed.max(single);
            self.look_ahead();
            return Some((entry.0, entry.1, 0));
        }
        let (at, key) = self.awake.pop_first()?;
        self.passed = self.passed.max(Some((at, key)));
        let declared = self.declared.get_mut(&key).expect("what is awake is declared");
        let k = declared.awake.take().expect("what is queued is awake");
        if self.fidelity == Fidelity::Explicit {
            self.arm(key, k + 1);
        }
        self.look_ahead();
        Some((at, key, k))
    }

    fn look_ahead(&mut self) {
        let declared = self.awake.first().map(|&(at, _)| at);
        let single = self.once.peek().map(|Reverse((at, _))| *at);
        self.next = match (declared, single) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn next_of(&self, now: SimTime, key: R, cadence: Cadence) -> u64 {
        let k = cadence.first_from(now);
        match self.passed {
            Some(passed) if (cadence.at(k), key) <= passed => k + 1,
            _ => k,
        }
    }

    fn arm(&mut self, key: R, k: u64) {
        if self.awake(key) == Some(k) {
            return;
        }
        self.disarm(key);
        let declared = self.declared.get_mut(&key).expect("a declared recurrence");
        let at = declared.cadence.at(k);
        if at != SimTime::MAX {
            declared.awake = Some(k);
            self.awake.insert((at, key));
            self.look_ahead();
        }
    }

    fn disarm(&mut self, key: R) {
        if let Some(declared) = self.declared.get_mut(&key)
            && let Some(k) = declared.awake.take()
        {
            self.awake.remove(&(declared.cadence.at(k), key));
            self.look_ahead();
        }
    }
}

#[cfg(test)]
mod tests;
