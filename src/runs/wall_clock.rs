//! Real time: events run when their instant has come, and a real engine carries out what kubelets ask.
//!
//! An input is stamped with the instant it is handed to the run, and never before what is due by then has run: so
//! its stamp alone makes a replay apply it at the same place. A run that lags behind the clock (events are due
//! faster than they are worked off) runs its events first, and hears late.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cluster::{EngineInput, EngineOrder};
use crate::kernel::{Driver, Next};
use crate::messages::engine::EngineCall;
use crate::node::NodeIndex;
use crate::node::container_engine::EngineReport;
use crate::time::{SimDuration, SimTime};

/// How long it waits at most before it looks whether somebody wants it to stop.
const LOOK: SimDuration = SimDuration::from_millis(100);

/// An engine with a clock of its own, which began when the run did.
pub trait RealEngine {
    /// The present instant.
    fn now(&self) -> SimTime;

    /// Takes a call on.
    fn submit(&mut self, node: NodeIndex, call: EngineCall);

    /// Waits until something is told, at most so long.
    fn wait(&mut self, at_most: SimDuration) -> Option<EngineReport>;

    /// Why it can do nothing more, if so.
    fn trouble(&mut self) -> Option<String>;
}

/// Follows the clock of a real engine.
#[derive(Debug)]
pub struct WallClock<'a, E> {
    engine: E,
    interrupt: &'a AtomicBool,
    /// Told, and not yet heard: something was due first.
    waiting: Option<EngineReport>,
    trouble: Option<String>,
}

impl<'a, E: RealEngine> WallClock<'a, E> {
    /// A driver of this engine; `interrupt` ends its waiting.
    pub fn new(engine: E, interrupt: &'a AtomicBool) -> WallClock<'a, E> {
        WallClock { engine, interrupt, waiting: None, trouble: None }
    }

    /// Why the engine could do nothing more, if that is what ended the run.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

impl<E: RealEngine> Driver for WallClock<'_, E> {
    type Input = EngineInput;
    type Call = EngineOrder;

    fn next(&mut self, now: SimTime, deadline: Option<SimTime>) -> Next<EngineInput> {
        loop {
            if self.waiting.is_none() {
                self.waiting = self.engine.wait(SimDuration::ZERO);
            }
            let at = self.engine.now().max(now);
            if deadline.is_some_and(|due| due <= at) {
                return Next::EventDue;
            }
            if let Some(EngineReport { node, event, .. }) = self.waiting.take() {
                return Next::External { at, input: EngineInput { node, event } };
            }
            if self.interrupt.load(Ordering::Relaxed) {
                return Next::Stop;
            }
            self.trouble = self.engine.trouble();
            if self.trouble.is_some() {
                return Next::Stop;
            }
            let left = deadline.map_or(LOOK, |due| due - at);
            self.waiting = self.engine.wait(left.min(LOOK));
        }
    }

    fn send(&mut self, _op: u64, order: EngineOrder) {
        self.engine.submit(order.node, order.call);
    }
}

#[cfg(feature = "linux-runtime")]
impl RealEngine for crate::node::container_engine::linux::LinuxEngine {
    fn now(&self) -> SimTime {
        self.now()
    }

    fn submit(&mut self, node: NodeIndex, call: EngineCall) {
        crate::node::container_engine::linux::LinuxEngine::submit(self, node, call);
    }

    fn wait(&mut self, at_most: SimDuration) -> Option<EngineReport> {
        crate::node::container_engine::linux::LinuxEngine::wait(self, at_most)
    }

    fn trouble(&mut self) -> Option<String> {
        self.runtime_trouble()
    }
}

#[cfg(test)]
mod tests;
