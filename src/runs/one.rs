//! One run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cluster::World;
use crate::cluster::plan::Plan;
use crate::kernel::{
    self, Apart, Budgets, Engine, FactSink, Halt, InputLog, Order, Virtual, Watch,
};
use crate::messages::Fact;
use crate::time::SimTime;

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The world as it was left.
    pub world: World,
    /// Why it ended.
    pub halt: Halt,
}

impl Finished {
    /// Whether the cluster was as desired at the end.
    pub fn has_converged(&self) -> bool {
        self.world.converged_since().is_some()
    }
}

/// How far a run has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The present instant.
    pub now: SimTime,
    /// Events handled.
    pub events: u64,
    /// The identity so far.
    pub digest: u64,
}

/// Ends a run when its plan says so, and tells how far it is.
struct Until<'p> {
    look: Look<'p>,
}

impl Watch<World> for Until<'_> {
    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        let ends = world.ends_at();
        match world.next_at() {
            Some(next) if next <= ends => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Halt::Goal),
        }
    }

    fn pulse(&mut self, world: &World) -> ControlFlow<Halt> {
        (self.look)(Progress { now: world.now(), events: world.events(), digest: world.digest() })
    }
}

/// Hears from time to time how far a run is, and may stop it for what it costs the machine.
pub type Look<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<Halt>;

/// Runs `plan` in virtual time to its end, or until `interrupt` is set. Facts go to `sink`; `tell`
/// hears from time to time how far it is.
pub fn run(
    plan: Arc<Plan>,
    sink: &mut dyn FactSink<Fact>,
    interrupt: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
) -> Finished {
    run_within(plan, sink, interrupt, u64::MAX, &mut |progress| {
        tell(progress);
        ControlFlow::Continue(())
    })
}

/// The same for at most `events_max` events; `look` may stop it besides.
pub fn run_within(
    plan: Arc<Plan>,
    sink: &mut dyn FactSink<Fact>,
    interrupt: &AtomicBool,
    events_max: u64,
    look: Look<'_>,
) -> Finished {
    let until = plan.end.until();
    let mut world = World::new(plan, Order::Fifo, sink);
    let mut log = InputLog::new();
    let mut around = kernel::Run {
        budgets: Budgets { until, events: events_max },
        interrupt,
        observer: &mut Apart { sink, watch: Until { look } },
        log: &mut log,
    };
    let halt = kernel::run(&mut world, &mut Virtual::new(), &mut around);
    // Convergence is known to hold as long as nothing changes: the clock may go to the end of the stretch.
    if halt == Halt::Goal {
        let ends = world.ends_at();
        if ends > world.now() && world.next_at().is_none_or(|next| ends <= next) {
            world.advance_to(ends);
        }
    }
    Finished { world, halt }
}
