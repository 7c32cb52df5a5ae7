//! The kernel under the hold model: N timers, each of which, when it fires, says one fact and arms itself anew
//! after a random delay. Beside it, simcore with the same load. In CPU time of the process.
//!
//! `cargo bench --bench kernel`
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use serde::Serialize;
use wavetank::base::StableHasher;
use wavetank::base::hash::hash_text;
use wavetank::kernel::{Due, Fact, FactSink, Fidelity, Kernel, NO_CAUSE, NoSink, Order};
use wavetank::luck::{Label, Luck};
use wavetank::time::SimDuration;

const PENDING: [u32; 2] = [1_000, 1_000_000];
const DELAY: Label = Label::new("bench-delay");
/// Delays are even up to two seconds, in nanoseconds.
const DELAY_MAX: u64 = 2_000_000_000;
const FIRED: u64 = hash_text("fired");

/// A timer that fires for the `round`-th time: 16 bytes, as the events of a run are.
#[derive(Clone, Copy)]
struct Tick {
    timer: u64,
    round: u64,
}

/// A fact of the usual size: verb, two names, one integer.
struct Fired {
    timer: u64,
    round: u64,
}

impl Fact for Fired {
    fn fold(&self, hasher: &mut StableHasher) {
        *hasher = hasher.word(FIRED).word(self.timer).word(0).word(1).word(self.round);
    }
}

fn delay(luck: Luck, timer: u64, round: u64) -> u64 {
    luck.draw(DELAY, timer, round).below(DELAY_MAX)
}

struct Hold {
    kernel: Kernel<Tick, (u8, u32)>,
    luck: Luck,
}

impl Hold {
    fn new(timers: u32) -> Self {
        let mut hold =
            Self { kernel: Kernel::new(Order::Fifo, Fidelity::Elided), luck: Luck::new(42) };
        for timer in 0..u64::from(timers) {
            hold.arm(NO_CAUSE, timer, 0);
        }
        hold
    }

    fn arm(&mut self, cause: u64, timer: u64, round: u64) {
        let after = SimDuration::from_nanos(delay(self.luck, timer, round));
        self.kernel.schedule(self.kernel.now() + after, cause, Tick { timer, round });
    }

    fn run(&mut self, events: u64, sink: &mut dyn FactSink<Fired>) {
        for _ in 0..events {
            if let Some(Due::Event { cause, event: Tick { timer, round } }) = self.kernel.next() {
                let fact = self.kernel.record(cause, &Fired { timer, round }, sink);
                self.arm(fact, timer, round + 1);
            }
        }
        black_box(self.kernel.digest());
    }
}

/// The same in simcore: one component owns the timers and folds the same digest.
struct Peer {
    context: simcore::SimulationContext,
    luck: Luck,
    digest: StableHasher,
}

#[derive(Clone, Serialize)]
struct PeerTick {
    timer: u64,
    round: u64,
}

impl Peer {
    fn arm(&self, timer: u64, round: u64) {
        let after = delay(self.luck, timer, round) as f64 / 1e9;
        self.context.emit_self(PeerTick { timer, round }, after);
    }
}

impl simcore::EventHandler for Peer {
    fn on(&mut self, event: simcore::Event) {
        let at = event.time;
        simcore::cast!(match event.data {
            PeerTick { timer, round } => {
                let mut of_fact = StableHasher::new().word(at.to_bits());
                Fired { timer, round }.fold(&mut of_fact);
                self.digest = self.digest.word(of_fact.finish());
                self.arm(timer, round + 1);
            }
        })
    }
}

fn peer(timers: u32) -> simcore::Simulation {
    let mut simulation = simcore::Simulation::new(42);
    let context = simulation.create_context("timers");
    let peer =
        Rc::new(RefCell::new(Peer { context, luck: Luck::new(42), digest: StableHasher::new() }));
    simulation.add_handler("timers", peer.clone());
    for timer in 0..u64::from(timers) {
        peer.borrow().arm(timer, 0);
    }
    simulation
}

/// CPU time of this thread as Linux counts it (in scheduler ticks of a few milliseconds: measure long).
#[expect(clippy::disallowed_methods, reason = "a bench measures the machine")]
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux's schedstat");
    let nanos = text.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("schedstat starts with nanoseconds on the CPU"))
}

fn in_cpu_time(work: impl FnOnce()) -> Duration {
    let before = cpu_time();
    work();
    cpu_time() - before
}

fn hold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold");
    group.throughput(Throughput::Elements(1)).sample_size(10).sampling_mode(SamplingMode::Flat);
    for timers in PENDING {
        // Each timer has fired a few times before the first measurement: the spread is the steady one.
        let warm_up = 4 * u64::from(timers);
        // Built once, by the first call, for criterion calls the outer closure again for each sample.
        let mut ours = None;
        group.bench_function(BenchmarkId::new("wavetank", timers), |bencher| {
            let hold = ours.get_or_insert_with(|| {
                let mut hold = Hold::new(timers);
                hold.run(warm_up, &mut NoSink);
                hold
            });
            bencher.iter_custom(|events| in_cpu_time(|| hold.run(events, &mut NoSink)));
        });
        drop(ours);
        let mut simulation = None;
        group.bench_function(BenchmarkId::new("simcore", timers), |bencher| {
            let simulation = simulation.get_or_insert_with(|| {
                let mut simulation = peer(timers);
                simulation.steps(warm_up);
                simulation
            });
            bencher.iter_custom(|events| in_cpu_time(|| _ = simulation.steps(events)));
        });
    }
    group.finish();
}

/// A World's clock and queue are copied whole when it is cloned.
fn clone(criterion: &mut Criterion) {
    let mut hold = Hold::new(1_000_000);
    hold.run(1_000_000, &mut NoSink);
    criterion.bench_function("clone a kernel with 1000000 pending", |bencher| {
        bencher.iter(|| black_box(hold.kernel.clone()));
    });
}

criterion_group!(benches, hold, clone);
criterion_main!(benches);
