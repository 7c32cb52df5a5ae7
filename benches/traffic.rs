//! Requests a second of CPU time: one Service of ten pods under open-loop Poisson load, exact mode, steady
//! and with faults and roll-outs in progress. Prints the process's own CPU seconds, as the kernel counts them.
//!
//! ```text
//! cargo bench --bench traffic                 both, three times each: the best counts, others share the machine
//! cargo bench --bench traffic -- steady 1     only the first, once
//! ```

#[path = "scale/process.rs"]
#[allow(dead_code, reason = "shared with another bench, which uses all of it")]
mod process;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::cluster::World;
use wavetank::cluster::plan::Plan;
use wavetank::kernel::{
    self, Apart, Budgets, Engine, InputLog, NoSink, Order, Run, Unwatched, Virtual,
};
use wavetank::scenario::{Loader, Overrides};

use process::{cpu_seconds, peak_mib};

const STEADY: &str = include_str!("../scenarios/bench/traffic-10.yaml");
const FAULTS: &str = include_str!("../scenarios/bench/traffic-10-faults.yaml");

fn plan(text: &str) -> Plan {
    let mut loader = Loader::new(Overrides::default());
    loader.read("bench.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded.plan
}

/// Requests sent, requests answered, CPU seconds.
fn once(plan: &Arc<Plan>) -> (u64, u64, f64) {
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let begun = cpu_seconds();
    let mut around = Run {
        budgets: Budgets::until(plan.end.until()),
        interrupt: &AtomicBool::new(false),
        observer: &mut Apart { sink: &mut NoSink, watch: Unwatched },
        log: &mut InputLog::new(),
    };
    kernel::run(&mut world, &mut Virtual::new(), &mut around);
    let took = cpu_seconds() - begun;
    let totals = world.balances().map(|(_, balance)| balance.total);
    let (sent, ok) = totals.fold((0, 0), |(sent, ok), it| (sent + it.sent, ok + it.by_outcome[0]));
    assert!(world.events() > 0);
    (sent, ok, took)
}

#[expect(clippy::print_stdout, reason = "a bench prints what it measured")]
fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = words.first().map(String::as_str);
    let rounds = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(3);
    for (name, text) in [("steady", STEADY), ("faults", FAULTS)] {
        if wanted.is_some_and(|wanted| wanted != name) {
            continue;
        }
        let plan = Arc::new(plan(text));
        let mut best = f64::MAX;
        for _ in 0..rounds {
            let (sent, ok, took) = once(&plan);
            best = best.min(took);
            println!(
                "{name}: {sent} requests, {ok} answered, {took:.2} CPU s: {:.2} million a CPU second",
                sent as f64 / took / 1e6
            );
        }
        println!("{name}: best {best:.2} CPU s; peak memory {:.0} MiB", peak_mib());
    }
}
