//! One run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cluster::plan::Plan;
use crate::cluster::{Watching, World};
use crate::expect::{Expectations, Judge};
use crate::kernel::{self, Budgets, Engine, FactSink, Halt, InputLog, Order, Virtual, Watch};
use crate::messages::{Fact, Listening};
use crate::record::{ExpectationRow, Metrics};
use crate::time::SimTime;

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The world as it was left.
    pub world: World,
    /// Why it ended.
    pub halt: Halt,
    /// What came of what was expected, in the order written.
    pub expectations: Vec<ExpectationRow>,
    /// For each of them that failed: the facts that led to it, from the one it was seen at to the
    /// first cause.
    pub chains: Vec<Vec<u64>>,
}

impl Finished {
    /// Whether the cluster was as desired at the end.
    pub fn has_converged(&self) -> bool {
        self.world.converged_since().is_some()
    }

    /// Whether all that was expected came true, or, with nothing expected, the cluster was as desired
    /// at the end; and every step of the timeline found what it was meant for.
    pub fn has_passed(&self) -> bool {
        let is_fine = match &self.expectations[..] {
            [] => self.has_converged(),
            rows => rows.iter().all(|row| row.passed),
        };
        is_fine && self.world.missed().is_empty()
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

/// Hears from time to time how far a run is, and may stop it for what it costs the machine.
pub type Look<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<Halt>;

/// Hears the facts of each step and measures them, judges what the step left, and ends the run when
/// its plan says so.
struct Observer<'p> {
    sink: &'p mut dyn FactSink<Fact>,
    metrics: &'p mut Metrics,
    judge: Judge,
    look: Look<'p>,
    /// Where somebody stops it whatever its plan says.
    stop: SimTime,
}

impl Observer<'_> {
    /// When the run may end if nothing changes until then.
    fn ends_at(&self, world: &World) -> SimTime {
        let own = world.ends_at().max(self.judge.waits_until());
        own.min(world.plan().end.until()).min(self.stop)
    }
}

impl FactSink<Fact> for Observer<'_> {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        self.metrics.record(at, number, cause, fact);
        self.judge.record(at, number, cause, fact);
        self.sink.record(at, number, cause, fact);
    }
}

impl Watch<World> for Observer<'_> {
    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        self.metrics.sample(world);
        self.judge.after_step(world, self.metrics);
        match world.next_at() {
            Some(next) if next <= self.ends_at(world) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Halt::Goal),
        }
    }

    fn until(&self, world: &World) -> SimTime {
        self.ends_at(world)
    }

    fn pulse(&mut self, world: &World) -> ControlFlow<Halt> {
        (self.look)(Progress { now: world.now(), events: world.events(), digest: world.digest() })
    }
}

/// What is run, and who hears of it.
pub struct Task<'a> {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What is expected of it.
    pub expectations: Arc<Expectations>,
    /// Who keeps the facts.
    pub sink: &'a mut dyn FactSink<Fact>,
    /// What measures; it samples the world if it is one that does.
    pub metrics: &'a mut Metrics,
    /// Set from outside to stop it.
    pub interrupt: &'a AtomicBool,
    /// Most events.
    pub events_max: u64,
    /// Whether Kubernetes' own Events are kept.
    pub listening: Listening,
}

/// Runs `plan` in virtual time to its end, or until `interrupt` is set, expecting nothing. Facts go
/// to `sink`; `tell` hears from time to time how far it is.
pub fn run(
    plan: Arc<Plan>,
    sink: &mut dyn FactSink<Fact>,
    interrupt: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
) -> Finished {
    let metrics = &mut Metrics::default();
    let expectations = Arc::default();
    let task = Task {
        plan,
        expectations,
        sink,
        metrics,
        interrupt,
        events_max: u64::MAX,
        listening: Listening::Nobody,
    };
    run_task(task, &mut |progress| {
        tell(progress);
        ControlFlow::Continue(())
    })
}

/// Runs a task in virtual time to its end; `look` may stop it besides.
pub fn run_task(task: Task<'_>, look: Look<'_>) -> Finished {
    run_to(task, SimTime::MAX, look)
}

/// The same, as far as the instant `stop`, which is included: the world is as it was then, whatever its
/// plan still has before it. A run that ended before has its own end.
pub fn run_to(task: Task<'_>, stop: SimTime, look: Look<'_>) -> Finished {
    let Task { plan, expectations, sink, metrics, interrupt, events_max, listening } = task;
    let until = plan.end.until().min(stop);
    let judge = Judge::new(expectations);
    judge.prepare(metrics);
    let mut observer = Observer { sink, metrics, judge, look, stop };
    let watching = Watching { events: listening, ..Watching::default() };
    let mut world = World::watched(plan, watching, Order::Fifo, &mut observer);
    observer.judge.begin(&world);
    let mut log = InputLog::new();
    let mut around = kernel::Run {
        budgets: Budgets { until, events: events_max },
        interrupt,
        observer: &mut observer,
        log: &mut log,
    };
    let halt = kernel::run(&mut world, &mut Virtual::new(), &mut around);
    // What holds now is known to hold as long as nothing changes: the clock may go to the end.
    if halt == Halt::Goal {
        let ends = observer.ends_at(&world);
        if ends > world.now() && world.next_at().is_none_or(|next| ends <= next) {
            world.advance_to(ends);
        }
    }
    world.close(&mut observer);
    observer.metrics.finish(&world);
    let expectations = observer.judge.finish(&world, observer.metrics);
    let chain = |row: &ExpectationRow| row.of_fact.map(|fact| observer.judge.chain(fact));
    let failed = expectations.iter().filter(|row| !row.passed);
    let chains = failed.map(|row| chain(row).unwrap_or_default()).collect();
    Finished { world, halt, expectations, chains }
}
