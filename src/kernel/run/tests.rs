//! A toy engine: jobs that are sent out, answered from outside, and repeated by timers and a heartbeat.
use super::*;
use crate::base::StableHasher;
use crate::kernel::{
    Cadence, Due, Fact, Fidelity, Kernel, NO_CAUSE, NoSink, Order as EventOrder, Unwatched, Virtual,
};
use crate::luck::{Label, Luck};
use crate::time::SimDuration;
use std::sync::mpsc::{Receiver, Sender, channel};

const DELAY: Label = Label::new("toy-delay");

#[derive(Clone, Copy)]
struct Asked {
    job: u32,
    round: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ToyFact {
    Asked { job: u32, round: u32 },
    Answered { op: u64, value: u64 },
    Beat { k: u64 },
}

impl Fact for ToyFact {
    fn fold(&self, hasher: &mut StableHasher) {
        *hasher = match *self {
            Self::Asked { job, round } => hasher.text("asked").word(job.into()).word(round.into()),
            Self::Answered { op, value } => hasher.text("answered").word(op).word(value),
            Self::Beat { k } => hasher.text("beat").word(k),
        };
    }
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    op: u64,
    value: u64,
}

#[derive(Clone)]
struct Toy {
    kernel: Kernel<Asked, (u8, u32)>,
    luck: Luck,
    rounds: u32,
    ops: u64,
}

impl Toy {
    fn new(seed: u64, jobs: u32, rounds: u32) -> Self {
        let mut kernel = Kernel::new(EventOrder::Fifo, Fidelity::Explicit);
        let cadence = Cadence::new(SimTime::from_nanos(500), SimDuration::from_nanos(700));
        kernel.recurring.declare(SimTime::ZERO, (0, 0), cadence.expect("a period"));
        for job in 0..jobs {
            kernel.schedule(SimTime::from_nanos(100), NO_CAUSE, Asked { job, round: 0 });
        }
        Self { kernel, luck: Luck::new(seed), rounds, ops: 0 }
    }

    fn reschedule(&mut self, cause: u64, job: u32, round: u32) {
        if round < self.rounds {
            let delay = self.luck.draw(DELAY, job.into(), round.into()).below(1_000);
            let at = self.kernel.now() + SimDuration::from_nanos(delay);
            self.kernel.schedule(at, cause, Asked { job, round });
        }
    }
}

impl Engine for Toy {
    type Fact = ToyFact;
    type Input = Answer;
    type Call = u64;

    fn now(&self) -> SimTime {
        self.kernel.now()
    }

    fn next_at(&self) -> Option<SimTime> {
        self.kernel.next_at()
    }

    fn events(&self) -> u64 {
        self.kernel.events()
    }

    fn step(
        &mut self,
        _until: SimTime,
        sink: &mut dyn FactSink<ToyFact>,
        calls: &mut Vec<Outgoing<u64>>,
    ) {
        match self.kernel.next().expect("something is due") {
            Due::Event { cause, event: Asked { job, round } } => {
                let fact = self.kernel.record(cause, &ToyFact::Asked { job, round }, sink);
                self.ops += 1;
                calls.push(Outgoing { op: self.ops, call: u64::from(job) });
                self.reschedule(fact, job, round + 1);
            }
            Due::Occurrence { k, .. } => {
                self.kernel.record(NO_CAUSE, &ToyFact::Beat { k }, sink);
            }
        }
    }

    fn external(
        &mut self,
        input: &LoggedInput<Answer>,
        sink: &mut dyn FactSink<ToyFact>,
        _calls: &mut Vec<Outgoing<u64>>,
    ) {
        self.kernel.advance_to(input.at);
        let Answer { op, value } = input.input;
        let fact = self.kernel.record(NO_CAUSE, &ToyFact::Answered { op, value }, sink);
        if value.is_multiple_of(3) {
            self.reschedule(fact, u32::try_from(value).expect("small"), self.rounds / 2);
        }
    }

    fn advance_to(&mut self, at: SimTime) {
        self.kernel.advance_to(at);
    }
}

struct Kept(Vec<(SimTime, u64, u64, ToyFact)>);

impl FactSink<ToyFact> for Kept {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &ToyFact) {
        self.0.push((at, number, cause, fact.clone()));
    }
}

/// Runs a stretch; returns why it stopped, the digest and the inputs that were applied.
fn stretch<D: Driver<Input = Answer, Call = u64>>(
    toy: &mut Toy,
    driver: &mut D,
    budgets: Budgets,
    sink: &mut dyn FactSink<ToyFact>,
) -> (Halt, u64, InputLog<Answer>) {
    let mut log = InputLog::new();
    let interrupt = AtomicBool::new(false);
    let observer = &mut Apart { sink, watch: Unwatched };
    let mut around = Run { budgets, interrupt: &interrupt, observer, log: &mut log };
    let halt = run(toy, driver, &mut around);
    (halt, toy.kernel.digest(), log)
}

/// Follows a clock that only moves when it is read, faster than the engine now and then, and talks to a thread.
struct Threaded {
    clock: u64,
    reads: u64,
    calls: Sender<Outgoing<u64>>,
    answers: Receiver<Answer>,
    outstanding: usize,
}

impl Threaded {
    #[expect(clippy::disallowed_methods, reason = "the test needs a world outside the run")]
    fn start() -> Self {
        let (calls, asked) = channel::<Outgoing<u64>>();
        let (answer, answers) = channel();
        std::thread::spawn(move || {
            for Outgoing { op, call } in asked {
                let sent = answer.send(Answer { op, value: call });
                if sent.is_err() {
                    break;
                }
            }
        });
        Self { clock: 0, reads: 0, calls, answers, outstanding: 0 }
    }

    /// An answer if one is there; every sixteenth time, waits for one that is owed, however slow the thread is.
    fn poll(&mut self) -> Option<Answer> {
        let owed = self.outstanding > 0 && self.reads.is_multiple_of(16);
        let answer = if owed { self.answers.recv().ok() } else { self.answers.try_recv().ok() };
        self.outstanding -= usize::from(answer.is_some());
        answer
    }
}

impl Driver for Threaded {
    type Input = Answer;
    type Call = u64;

    fn next(&mut self, now: SimTime, deadline: Option<SimTime>) -> Next<Answer> {
        loop {
            self.reads += 1;
            self.clock = self.clock.max(now.as_nanos()) + 1 + self.reads % 7;
            if deadline.is_some_and(|due| self.clock >= due.as_nanos()) {
                return Next::EventDue;
            }
            if let Some(input) = self.poll() {
                return Next::External { at: SimTime::from_nanos(self.clock), input };
            }
            if deadline.is_none() && self.outstanding == 0 {
                return Next::Stop;
            }
        }
    }

    fn send(&mut self, op: u64, call: u64) {
        self.outstanding += 1;
        self.calls.send(Outgoing { op, call }).expect("the thread listens");
    }
}

#[test]
fn a_threaded_run_replays_from_its_log_with_an_equal_digest() {
    let until = Budgets::until(SimTime::from_nanos(20_000));
    for seed in 0..20 {
        let (mut live_facts, mut replayed_facts) = (Kept(Vec::new()), Kept(Vec::new()));
        let (halt, live, log) =
            stretch(&mut Toy::new(seed, 4, 10), &mut Threaded::start(), until, &mut live_facts);
        assert_eq!(halt, Halt::Until);
        assert!(log.inputs().len() >= 30, "{} answers came in", log.inputs().len());

        let mut replay = Virtual::replaying(log.clone());
        let (_, replayed, again) =
            stretch(&mut Toy::new(seed, 4, 10), &mut replay, until, &mut replayed_facts);
        assert_eq!(replayed_facts.0, live_facts.0);
        assert_eq!((replayed, &again), (live, &log));

        // The twin that must fail: one answer a nanosecond earlier is another run.
        let mut inputs = log.inputs().to_vec();
        inputs[0].at = inputs[0].at.saturating_sub(SimDuration::from_nanos(1));
        let mut moved = Virtual::replaying(InputLog::from(inputs));
        let (_, other, _) = stretch(&mut Toy::new(seed, 4, 10), &mut moved, until, &mut NoSink);
        assert_ne!(other, live);
    }
}

#[test]
fn budgets_and_the_user_stop_it_between_two_steps() {
    let at = SimTime::from_nanos;
    let go = |toy: &mut Toy, budgets| stretch(toy, &mut Virtual::new(), budgets, &mut NoSink);

    let mut toy = Toy::new(1, 2, 5);
    assert_eq!(go(&mut toy, Budgets { events: 3, ..Budgets::UNLIMITED }).0, Halt::Events);
    assert_eq!(toy.events(), 3);
    assert_eq!(go(&mut toy, Budgets::until(at(1_200))).0, Halt::Until);
    assert_eq!(toy.now(), at(1_200));
    // The heartbeat at exactly the end, 500 + 700, has run.
    assert!(toy.next_at().is_some_and(|next| next > at(1_200)));

    let interrupt = AtomicBool::new(true);
    let mut log = InputLog::new();
    let mut around = Run {
        budgets: Budgets::UNLIMITED,
        interrupt: &interrupt,
        observer: &mut Apart { sink: &mut NoSink, watch: Unwatched },
        log: &mut log,
    };
    let before = toy.events();
    assert_eq!(run(&mut toy, &mut Virtual::new(), &mut around), Halt::Interrupted);
    assert_eq!(toy.events(), before);
}

#[test]
fn a_run_taken_in_stretches_or_by_clones_ends_with_the_same_digest() {
    let end = Budgets::until(SimTime::from_nanos(9_000));
    let go = |toy: &mut Toy, budgets| stretch(toy, &mut Virtual::new(), budgets, &mut NoSink).1;
    let whole = go(&mut Toy::new(7, 5, 9), end);
    let mut pieces = Toy::new(7, 5, 9);
    for events in 0..60 {
        go(&mut pieces, Budgets { events, ..end });
        assert_eq!(go(&mut pieces.clone(), end), whole, "cloned after {events} events");
    }
    assert_eq!(go(&mut pieces, end), whole);
    assert_ne!(go(&mut Toy::new(8, 5, 9), end), whole);
}

struct StopAt {
    facts: u64,
    pulses: u32,
}

impl Watch<Toy> for StopAt {
    fn after_step(&mut self, toy: &Toy) -> ControlFlow<Halt> {
        if toy.kernel.facts() == self.facts {
            return ControlFlow::Break(Halt::Goal);
        }
        ControlFlow::Continue(())
    }

    fn pulse(&mut self, _toy: &Toy) -> ControlFlow<Halt> {
        self.pulses += 1;
        if self.pulses == 3 { ControlFlow::Break(Halt::Memory) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_watch_sees_every_step_and_the_machine_now_and_then() {
    let go = |facts| {
        let mut toy = Toy::new(1, 2, 5);
        let (interrupt, mut log) = (AtomicBool::new(false), InputLog::new());
        let mut around = Run {
            budgets: Budgets::UNLIMITED,
            interrupt: &interrupt,
            observer: &mut Apart { sink: &mut NoSink, watch: StopAt { facts, pulses: 0 } },
            log: &mut log,
        };
        (run(&mut toy, &mut Virtual::new(), &mut around), toy.events())
    };
    assert_eq!(go(7), (Halt::Goal, 7));
    assert_eq!(go(u64::MAX), (Halt::Memory, 2 * PULSE));
}

#[test]
fn it_is_idle_when_nothing_is_due_and_nothing_comes_in() {
    let mut toy = Toy::new(1, 3, 4);
    toy.kernel.recurring.retire((0, 0));
    let (halt, ..) = stretch(&mut toy, &mut Virtual::new(), Budgets::UNLIMITED, &mut NoSink);
    assert_eq!((halt, toy.events()), (Halt::Idle, 12));
}
