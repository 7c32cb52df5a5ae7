//! How many pods a second the scheduler places: `cargo run --release --example scheduler_throughput
//! [NODES]`, 5,000 nodes if none is said.
//!
//! For each case a cluster is made and filled, the pods to be measured are queued, and the clock runs
//! until every one of them is bound in the scheduler's own cache: queue, decision, assuming,
//! preemption. A first cluster of another size warms the process up; its pods and nodes are not
//! those that are measured.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement is printed")]

mod queued;
mod workloads;

use std::time::Instant;

use queued::queued;
use workloads::Case;

fn main() {
    let size = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(5000);
    println!(
        "{:<22} {:>7} {:>9} {:>10} {:>10} {:>7}",
        "case", "pods", "ms", "pods/s", "goal", "x goal"
    );
    for case in Case::ALL {
        let (mut warm, _) = queued(case, 500);
        warm.drain();
        let (mut alone, count) = queued(case, size);
        let begin = Instant::now();
        alone.drain();
        let took = begin.elapsed().as_secs_f64();
        let bound = alone.bound();
        assert!(bound >= count, "{} of {count} pods were bound", bound);
        let rate = count as f64 / took;
        println!(
            "{:<22} {count:>7} {:>9.1} {rate:>10.0} {:>10.0} {:>7.1}",
            case.name(),
            took * 1000.0,
            case.goal(),
            rate / case.goal(),
        );
    }
}
