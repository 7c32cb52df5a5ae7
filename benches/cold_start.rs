//! Cold start of a cluster: apply to converged. Prints the process's CPU seconds and peak memory.
//!
//! `cargo bench --bench cold_start -- 5000 150000`

mod plans;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use wavetank::cluster::World;
use wavetank::kernel::{self, Budgets, Engine, Halt, InputLog, NoSink, Order, Run, Virtual, Watch};

struct Converged;

impl Watch<World> for Converged {
    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        match world.converged_since() {
            Some(_) => ControlFlow::Break(Halt::Goal),
            None => ControlFlow::Continue(()),
        }
    }
}

/// CPU seconds of this process, user and system.
#[expect(clippy::disallowed_methods, reason = "a bench reads its own cost from the kernel")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Peak resident memory of this process, in MiB.
#[expect(clippy::disallowed_methods, reason = "a bench reads its own cost from the kernel")]
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (nodes, pods) = match numbers[..] {
        [nodes, pods, ..] => (nodes, pods),
        _ => (100, 1000),
    };
    let plan = plans::deployments(nodes, pods);
    let (cpu_before, mib_before) = (cpu_seconds(), peak_mib());
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let mut log = InputLog::new();
    let mut around = Run {
        budgets: Budgets::until(plan.end.until()),
        interrupt: &AtomicBool::new(false),
        sink: &mut NoSink,
        watch: &mut Converged,
        log: &mut log,
    };
    let halt = kernel::run(&mut world, &mut Virtual::new(), &mut around);
    let cpu = cpu_seconds() - cpu_before;
    println!(
        "{nodes} nodes, {pods} pods: {halt:?} at {} s virtual, {cpu:.2} CPU s ({:.1} us a pod), \
         {:.0} MiB peak ({mib_before:.0} before), {} events, {} facts, digest {:016x}",
        world.now(),
        cpu * 1e6 / pods as f64,
        peak_mib(),
        world.events(),
        world.facts(),
        world.digest()
    );
}
