//! One run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cluster::plan::Plan;
use crate::cluster::{EngineInput, EngineOrder, Engines, Watching, World};
use crate::expect::{Expectations, Judge};
use crate::kernel::{
    self, Budgets, Driver, Engine, FactSink, Halt, InputLog, Order, Virtual, Watch,
};
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

impl Progress {
    fn of(world: &World) -> Progress {
        Progress { now: world.now(), events: world.events(), digest: world.digest() }
    }
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
    course: Course,
}

/// How a run comes to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Course {
    /// Nothing happens but what is due: when nothing is due before its end, it is over.
    Foreseen,
    /// Something may come in at any time: it goes up to here, where its end is as things stand.
    UpTo(SimTime),
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
        if let Course::UpTo(end) = self.course {
            (self.look)(Progress::of(world))?;
            return match self.ends_at(world) == end {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(Halt::Goal),
            };
        }
        match world.next_at() {
            Some(next) if next <= self.ends_at(world) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Halt::Goal),
        }
    }

    fn until(&self, world: &World) -> SimTime {
        self.ends_at(world)
    }

    fn pulse(&mut self, world: &World) -> ControlFlow<Halt> {
        (self.look)(Progress::of(world))
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
pub fn run_task<'a>(task: Task<'a>, look: Look<'a>) -> Finished {
    run_to(task, SimTime::MAX, look)
}

/// The same, as far as the instant `stop`, which is included: the world is as it was then, whatever its
/// plan still has before it. A run that ended before has its own end.
pub fn run_to<'a>(task: Task<'a>, stop: SimTime, look: Look<'a>) -> Finished {
    let mut begun = Begun::new(task, Engines::Inside, stop, look);
    let until = begun.world.plan().end.until().min(stop);
    let halt = begun.stretch(until, &mut Virtual::new());
    let Begun { world, observer, .. } = &mut begun;
    // What holds now is known to hold as long as nothing changes: the clock may go to the end.
    if halt == Halt::Goal {
        let ends = observer.ends_at(world);
        if ends > world.now() && world.next_at().is_none_or(|next| ends <= next) {
            world.advance_to(ends);
        }
    }
    begun.finish(halt).0
}

/// Runs a task whose container engines are outside, behind `driver`, as far as `stop`: by the wall clock, or as it
/// was logged. Gives besides the log of what came in, which makes it run so again.
pub fn run_outside<'a, D>(
    task: Task<'a>,
    stop: SimTime,
    driver: &mut D,
    look: Look<'a>,
) -> (Finished, InputLog<EngineInput>)
where
    D: Driver<Input = EngineInput, Call = EngineOrder>,
{
    let mut begun = Begun::new(task, Engines::Outside, stop, look);
    let halt = loop {
        let end = begun.observer.ends_at(&begun.world);
        if end <= begun.world.now() {
            break Halt::Goal;
        }
        begun.observer.course = Course::UpTo(end);
        match begun.stretch(end, driver) {
            // Its end may have moved.
            Halt::Goal | Halt::Until => {}
            // A driver that waits is the first to see it.
            _ if begun.interrupt.load(Ordering::Relaxed) => break Halt::Interrupted,
            halt => break halt,
        }
    };
    begun.finish(halt)
}

/// A run on its way.
struct Begun<'a> {
    world: World,
    observer: Observer<'a>,
    log: InputLog<EngineInput>,
    interrupt: &'a AtomicBool,
    events_max: u64,
}

impl<'a> Begun<'a> {
    fn new(task: Task<'a>, engines: Engines, stop: SimTime, look: Look<'a>) -> Begun<'a> {
        let Task { plan, expectations, sink, metrics, interrupt, events_max, listening } = task;
        let judge = Judge::new(expectations);
        judge.prepare(metrics);
        let course = Course::Foreseen;
        let mut observer = Observer { sink, metrics, judge, look, stop, course };
        let watching = Watching { events: listening, engines, ..Watching::default() };
        let world = World::watched(plan, watching, Order::Fifo, &mut observer);
        observer.judge.begin(&world);
        Begun { world, observer, log: InputLog::new(), interrupt, events_max }
    }

    /// Runs on, at most to `until`, which is included.
    fn stretch<D>(&mut self, until: SimTime, driver: &mut D) -> Halt
    where
        D: Driver<Input = EngineInput, Call = EngineOrder>,
    {
        let mut around = kernel::Run {
            budgets: Budgets { until, events: self.events_max },
            interrupt: self.interrupt,
            observer: &mut self.observer,
            log: &mut self.log,
        };
        kernel::run(&mut self.world, driver, &mut around)
    }

    fn finish(self, halt: Halt) -> (Finished, InputLog<EngineInput>) {
        let Begun { mut world, mut observer, log, .. } = self;
        world.close(&mut observer);
        observer.metrics.finish(&world);
        let expectations = observer.judge.finish(&world, observer.metrics);
        let chain = |row: &ExpectationRow| row.of_fact.map(|fact| observer.judge.chain(fact));
        let failed = expectations.iter().filter(|row| !row.passed);
        let chains = failed.map(|row| chain(row).unwrap_or_default()).collect();
        (Finished { world, halt, expectations, chains }, log)
    }
}
