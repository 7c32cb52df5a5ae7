//! The run loop: engine and driver taken step by step until a budget, a goal or the user says stop.
//!
//! Owns the loop and the reasons for stopping; refuses to know the wall clock and the memory of the process
//! (a [`Watch`] looks at them) and what an engine simulates. Whatever the reason, the engine is left between two
//! steps: what was simulated so far is whole, and the run can be taken up again.
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Driver, FactSink, InputLog, LoggedInput, Next};
use crate::time::SimTime;

/// A call on its way out, with the number its outcome will name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing<C> {
    /// The operation's number.
    pub op: u64,
    /// What is asked for.
    pub call: C,
}

/// What the loop runs: a state machine with a clock of its own.
pub trait Engine {
    /// What it reports.
    type Fact;
    /// What it takes from outside.
    type Input;
    /// What it asks of the outside.
    type Call;

    /// The present instant.
    fn now(&self) -> SimTime;

    /// When the next step is due; `None` if nothing but an input can make anything happen. Never before now.
    fn next_at(&self) -> Option<SimTime>;

    /// Steps taken, as the event budget counts them.
    fn events(&self) -> u64;

    /// What it has done so far, in units of about an event: more than [`Engine::events`] where a step does
    /// the work of many.
    fn work(&self) -> u64 {
        self.events()
    }

    /// Takes the step due at [`Engine::next_at`]; only called when there is one, not past `until`. An engine
    /// with a lane of small entries beside its events may take many of them as one step: up to its next
    /// event, and never past `until`.
    fn step(
        &mut self,
        until: SimTime,
        sink: &mut dyn FactSink<Self::Fact>,
        calls: &mut Vec<Outgoing<Self::Call>>,
    );

    /// Takes an input at its stamped instant, which lies before all that is due.
    fn external(
        &mut self,
        input: &LoggedInput<Self::Input>,
        sink: &mut dyn FactSink<Self::Fact>,
        calls: &mut Vec<Outgoing<Self::Call>>,
    );

    /// Moves the clock to `at`, over an empty stretch.
    fn advance_to(&mut self, at: SimTime);
}

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// The last instant that is run; the clock ends there.
    pub until: SimTime,
    /// Steps, counted from the engine's beginning.
    pub events: u64,
}

impl Budgets {
    /// As long as anything happens.
    pub const UNLIMITED: Self = Self { until: SimTime::MAX, events: u64::MAX };

    /// Up to an instant, which is included.
    pub const fn until(until: SimTime) -> Self {
        Self { until, ..Self::UNLIMITED }
    }
}

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Virtual time reached the budget.
    Until,
    /// Nothing is due and nothing can come in any more.
    Idle,
    /// The number of events reached the budget.
    Events,
    /// The watch saw what it waited for.
    Goal,
    /// The watch found the wall-clock budget used up.
    WallClock,
    /// The watch found the memory budget used up.
    Memory,
    /// The driver stopped although something is due.
    Driver,
    /// The user interrupted it.
    Interrupted,
}

/// Looks at a run from outside and may stop it. What it sees must not depend on when it is asked, except for the
/// limits of the machine.
pub trait Watch<E> {
    /// After every step and input: goals of the run.
    #[inline]
    fn after_step(&mut self, _engine: &E) -> ControlFlow<Halt> {
        ControlFlow::Continue(())
    }

    /// The last instant a step may go to as things stand: where the run will end unless something happens.
    #[inline]
    fn until(&self, _engine: &E) -> SimTime {
        SimTime::MAX
    }

    /// Before the first step and whenever the work of [`PULSE`] events is done: wall clock, memory, progress.
    #[inline]
    fn pulse(&mut self, _engine: &E) -> ControlFlow<Halt> {
        ControlFlow::Continue(())
    }
}

/// Events, or as much work, between two looks at the machine.
pub const PULSE: u64 = 4096;

/// Lets a run go on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl<E> Watch<E> for Unwatched {}

/// A sink and a watch that know nothing of each other, as one observer.
pub struct Apart<'a, F, W> {
    /// Who keeps the facts.
    pub sink: &'a mut dyn FactSink<F>,
    /// Who may stop the run.
    pub watch: W,
}

impl<F, W> FactSink<F> for Apart<'_, F, W> {
    #[inline]
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &F) {
        self.sink.record(at, number, cause, fact);
    }
}

impl<E, F, W: Watch<E>> Watch<E> for Apart<'_, F, W> {
    #[inline]
    fn after_step(&mut self, engine: &E) -> ControlFlow<Halt> {
        self.watch.after_step(engine)
    }

    #[inline]
    fn until(&self, engine: &E) -> SimTime {
        self.watch.until(engine)
    }

    #[inline]
    fn pulse(&mut self, engine: &E) -> ControlFlow<Halt> {
        self.watch.pulse(engine)
    }
}

/// What surrounds one stretch of a run.
pub struct Run<'a, E: Engine, O> {
    /// How far it may go.
    pub budgets: Budgets,
    /// Set from outside (a signal) to stop between two steps.
    pub interrupt: &'a AtomicBool,
    /// Who hears the facts of a step, then looks at what it left, and may stop the run.
    pub observer: &'a mut O,
    /// Where inputs are numbered and kept.
    pub log: &'a mut InputLog<E::Input>,
}

/// Runs `engine` under `driver` until something says stop; the engine is left between two steps.
///
/// # Panics
/// If the driver stamps an input outside its window, a bug of the driver.
pub fn run<E, D, O>(engine: &mut E, driver: &mut D, around: &mut Run<'_, E, O>) -> Halt
where
    E: Engine,
    D: Driver<Input = E::Input, Call = E::Call>,
    O: FactSink<E::Fact> + Watch<E>,
{
    let mut calls = Vec::new();
    let mut next_pulse = engine.work();
    loop {
        if let Some(halt) = budget_spent(engine, around) {
            return halt;
        }
        if engine.work() >= next_pulse {
            if let ControlFlow::Break(halt) = around.observer.pulse(engine) {
                return halt;
            }
            next_pulse = engine.work() + PULSE;
        }

        let due = engine.next_at().filter(|&at| at <= around.budgets.until);
        let deadline = due.or(Some(around.budgets.until).filter(|&until| until != SimTime::MAX));
        match driver.next(engine.now(), deadline) {
            Next::EventDue if let Some(due) = due => {
                let until = around.observer.until(engine).clamp(due, around.budgets.until);
                engine.step(until, around.observer, &mut calls);
            }
            Next::EventDue => {
                // Only the end of the run is due. `until` lies ahead of the clock, or nothing would be left to wait for.
                engine.advance_to(around.budgets.until.max(engine.now()));
                return Halt::Until;
            }
            Next::External { at, input } => {
                assert!(at >= engine.now(), "an input is stamped before the present");
                assert!(
                    deadline.is_none_or(|due| at < due),
                    "an input is stamped past what is due"
                );
                engine.external(around.log.note(at, input), around.observer, &mut calls);
            }
            Next::Stop => return if due.is_some() { Halt::Driver } else { Halt::Idle },
        }
        if !calls.is_empty() {
            calls.drain(..).for_each(|Outgoing { op, call }| driver.send(op, call));
        }
        if let ControlFlow::Break(halt) = around.observer.after_step(engine) {
            return halt;
        }
    }
}

fn budget_spent<E: Engine, O>(engine: &E, around: &Run<'_, E, O>) -> Option<Halt> {
    if around.interrupt.load(Ordering::Relaxed) {
        return Some(Halt::Interrupted);
    }
    (engine.events() >= around.budgets.events).then_some(Halt::Events)
}

#[cfg(test)]
mod tests;
