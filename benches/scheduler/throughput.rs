//! How many pods a second the scheduler places: `cargo run --release --example scheduler_throughput
//! [NODES]`, 5,000 nodes if none is said.
//!
//! For each case a cluster is made and filled, the pods to be measured are queued, and the clock runs
//! until every one of them is bound in the scheduler's own cache: queue, decision, assuming,
//! preemption. A first cluster of another size warms the process up; its pods and nodes are not
//! those that are measured.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement reads clocks and is printed"
)]

mod queued;
mod workloads;

use std::time::Instant;

use queued::queued;
use workloads::Case;

/// Pods a second a case is asked to reach at 5,000 nodes.
fn goal(case: Case) -> f64 {
    match case {
        Case::Basic => 200_000.0,
        Case::NodeAffinity => 22_000.0,
        Case::PodAffinity => 3_500.0,
        Case::AntiAffinity => 6_000.0,
        Case::PreferredAffinity | Case::PreferredAntiAffinity => 9_000.0,
        Case::TopologySpread => 46_000.0,
        Case::Preemption => 11_400.0,
        Case::Unschedulable => 59_000.0,
    }
}

/// CPU time of this process so far, in seconds; 0 where it cannot be read (it is read from Linux's
/// `/proc`).
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().next().and_then(|it| it.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e9
}

fn main() {
    let size = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(5000);
    println!(
        "{:<22} {:>7} {:>9} {:>10} {:>12} {:>10}",
        "case", "pods", "ms", "pods/s", "pods/CPU s", "asked for"
    );
    for case in Case::ALL {
        let (mut warm, _) = queued(case, 500);
        warm.drain();
        let (mut alone, count) = queued(case, size);
        let (begin, cpu) = (Instant::now(), cpu_seconds());
        alone.drain();
        let (took, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let bound = alone.bound();
        assert!(bound >= count, "{bound} of {count} pods were bound");
        let count = count as f64;
        println!(
            "{:<22} {count:>7} {:>9.1} {:>10.0} {:>12.0} {:>10.0}",
            case.name(),
            took * 1000.0,
            count / took,
            count / cpu,
            goal(case),
        );
    }
}
