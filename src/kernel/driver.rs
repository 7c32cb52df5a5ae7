//! Who says when: the driver decides when the next event may run, and what comes in from outside before it.
//!
//! Owns the trait, the log of inputs and the driver that jumps through virtual time. Refuses to know the wall
//! clock: drivers that follow it live with the code that runs runs.
//!
//! The rule that makes a log replay exactly: **an input stamped t is applied when nothing due at or before
//! t is left.** So a driver hands out an input only while its clock stands before the deadline; an engine that lags
//! behind runs its events first. Replay needs the stamps alone.
use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::time::SimTime;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<I> {
    /// The deadline is reached: run what is due.
    EventDue,
    /// Something came in before the deadline.
    External {
        /// When, in virtual time: not before the present, and before the deadline.
        at: SimTime,
        /// What.
        input: I,
    },
    /// Nothing more is to come, or the user had enough.
    Stop,
}

/// Between the engine and the rest of the world. `Input` comes in, `Call` goes out.
pub trait Driver {
    /// What comes in.
    type Input;
    /// What goes out.
    type Call;

    /// Waits, in whatever way this driver waits, until `deadline` (the time of the next event or the end of the
    /// run; `None` if only an input can make anything happen) or an input before it.
    fn next(&mut self, now: SimTime, deadline: Option<SimTime>) -> Next<Self::Input>;

    /// Sends a call out. Its outcome comes back as an input that names `op`.
    fn send(&mut self, op: u64, call: Self::Call);
}

/// An input as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedInput<I> {
    /// Counted from 1.
    pub number: u64,
    /// When it was applied, in virtual time.
    pub at: SimTime,
    /// What came in.
    pub input: I,
}

/// All inputs of a run in order: with plan and seed, what the run is a function of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputLog<I> {
    inputs: Vec<LoggedInput<I>>,
}

impl<I> InputLog<I> {
    /// No inputs yet.
    pub const fn new() -> Self {
        Self { inputs: Vec::new() }
    }

    /// The inputs in the order they were applied.
    pub fn inputs(&self) -> &[LoggedInput<I>] {
        &self.inputs
    }

    /// Notes an input and numbers it.
    pub(super) fn note(&mut self, at: SimTime, input: I) -> &LoggedInput<I> {
        let number = self.inputs.len() as u64 + 1;
        self.inputs.push(LoggedInput { number, at, input });
        self.inputs.last().expect("just pushed")
    }
}

impl<I> Default for InputLog<I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I> From<Vec<LoggedInput<I>>> for InputLog<I> {
    fn from(inputs: Vec<LoggedInput<I>>) -> Self {
        Self { inputs }
    }
}

/// Jumps from event to event; inputs, if any, come from a log.
#[derive(Clone, Debug)]
pub struct Virtual<I, C> {
    pending: VecDeque<LoggedInput<I>>,
    calls: PhantomData<fn(C)>,
}

impl<I, C> Virtual<I, C> {
    /// A run with no input from outside.
    pub const fn new() -> Self {
        Self { pending: VecDeque::new(), calls: PhantomData }
    }

    /// A run that gets its inputs from the log of an earlier one.
    pub fn replaying(log: InputLog<I>) -> Self {
        Self { pending: log.inputs.into(), calls: PhantomData }
    }
}

impl<I, C> Default for Virtual<I, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I, C> Driver for Virtual<I, C> {
    type Input = I;
    type Call = C;

    fn next(&mut self, _now: SimTime, deadline: Option<SimTime>) -> Next<I> {
        let comes_first = |logged: &mut LoggedInput<I>| deadline.is_none_or(|due| logged.at < due);
        match (self.pending.pop_front_if(comes_first), deadline) {
            (Some(logged), _) => Next::External { at: logged.at, input: logged.input },
            (None, Some(_)) => Next::EventDue,
            (None, None) => Next::Stop,
        }
    }

    /// Goes nowhere: in a replay the outcome is in the log, else calls are answered inside the engine.
    fn send(&mut self, _op: u64, _call: C) {}
}
