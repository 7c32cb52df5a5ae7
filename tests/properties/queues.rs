//! Pods under load behave as queueing theory says: mean times in system of M/M/1, M/M/c, M/D/1 and random
//! splitting, within one in a hundred.
//!
//! Power: each case runs until three standard errors of its mean (batch means, so that the queue's memory
//! counts) lie under one in a hundred; the check demands that too. Each is also run with service times three
//! in a hundred longer, and must then fail. The seed is 1 and was never another.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::cluster::World;
use wavetank::kernel::{self, Apart, Budgets, InputLog, NoSink, Order, Run, Unwatched, Virtual};
use wavetank::time::{SimDuration, SimTime};

use super::rig::{deployment, load};

/// What a worker takes for a request, in the mean.
const SERVICE: SimDuration = SimDuration::from_micros(100);
/// Batches a case is cut into; the first is left out.
const BATCHES: u32 = 41;

#[derive(Clone, Copy)]
enum Law {
    Exponential,
    Constant,
}

/// Pods, workers of each, load of a worker in hundredths, requests, and the mean time in system in
/// service times.
struct Case {
    law: Law,
    pods: u32,
    workers: u32,
    load: u32,
    requests: u64,
    mean: f64,
}

/// Mean time of the batches and its standard error, in service times, and how busy workers were.
fn measured(case: &Case, service: SimDuration) -> (f64, f64, f64) {
    let capacity = u64::from(case.pods * case.workers) * 1_000_000 / 100;
    let rate = capacity * u64::from(case.load) / 100;
    let time = match case.law {
        Law::Exponential => format!("{{exponential: {}ns}}", service.as_nanos()),
        Law::Constant => format!("{}ns", service.as_nanos()),
    };
    // A client on the pods' own node: no link lies between.
    let text = format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: queue}}\nspec:\n  \
         duration: 1000h\n  cluster: {{nodes: [{{name: n}}]}}\n  apps:\n  - start: 1s\n    \
         service: {{workers: {}, time: {time}}}\n  traffic:\n  \
         - {{name: c, from: node/n-0, to: 'web:80', rate: {rate}/s, start: 20s, timeout: 1h}}\n\
         ---\n{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\n\
         spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n",
        case.workers,
        deployment("web", case.pods, ""),
    );
    let mut world = World::new(Arc::new(load(&text)), Order::Fifo, &mut NoSink);
    let batch = SimDuration::from_nanos(case.requests * 1_000_000_000 / rate / u64::from(BATCHES));
    let mut until = SimTime::from_secs(20);
    let (mut means, mut before, mut busy) = (Vec::new(), None, (0.0, 0.0));
    for _ in 0..BATCHES {
        until += batch;
        let mut around = Run {
            budgets: Budgets::until(until),
            interrupt: &AtomicBool::new(false),
            observer: &mut Apart { sink: &mut NoSink, watch: Unwatched },
            log: &mut InputLog::new(),
        };
        kernel::run(&mut world, &mut Virtual::new(), &mut around);
        let (_, balance) = world.balances().next().expect("a client");
        let total = balance.total;
        assert_eq!(balance.area, balance.time, "Little's law");
        assert_eq!(total.by_outcome[0] + balance.in_flight, total.sent, "none fails");
        let now = (total.latency_sum, total.by_outcome[0], world.busy_nanos());
        if let Some((sum, count, worked)) = before {
            let mean = (now.0 - sum) as f64 / (now.1 - count) as f64;
            means.push(mean / SERVICE.as_nanos() as f64);
            busy.0 += (now.2 - worked) as f64;
            busy.1 += batch.as_nanos() as f64 * f64::from(case.pods * case.workers);
        }
        before = Some(now);
    }
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let squares: f64 = means.iter().map(|one| (one - mean) * (one - mean)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt(), busy.0 / busy.1)
}

#[expect(clippy::print_stdout, reason = "figures are read by people")]
fn hold(case: &Case) {
    let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 0.01;
    let (mean, error, busy) = measured(case, SERVICE);
    println!("{} x {} at {}: {mean:.4} +- {error:.4}", case.pods, case.workers, case.load);
    assert!(3.0 * error < 0.01 * case.mean, "too few samples: {mean} +- {error}");
    assert!(near(mean, case.mean), "{mean} +- {error}, and theory says {}", case.mean);
    assert!(near(busy, f64::from(case.load) / 100.0), "workers are busy for {busy} of the time");
    let slower = SimDuration::from_nanos(SERVICE.as_nanos() * 103 / 100);
    let fewer = Case { requests: case.requests / 8, ..*case };
    let (mean, ..) = measured(&fewer, slower);
    assert!(!near(mean, case.mean), "three in a hundred more service time go unseen: {mean}");
}

const SPLIT: Case =
    Case { law: Law::Exponential, pods: 10, workers: 1, load: 50, requests: 2_000_000, mean: 2.0 };

/// Q1: one queue before c workers, W = 1 + C(c, a) / (c - a).
#[test]
fn one_queue_before_many_workers() {
    hold(&Case { pods: 1, workers: 5, load: 80, requests: 4_000_000, mean: 1.5541, ..SPLIT });
}

/// Q1 and Q2: W = 1 / (1 - load), of one pod and of each of ten that requests are spread over at random.
#[test]
fn one_worker_a_pod() {
    hold(&SPLIT);
    hold(&Case { pods: 1, ..SPLIT });
}

/// Q4: W = 1 + load / (2 (1 - load)).
#[test]
fn service_times_that_are_all_alike() {
    let case = Case { law: Law::Constant, pods: 1, requests: 1_000_000, mean: 1.5, ..SPLIT };
    hold(&case);
}

/// The other rows of Q1, Q2 and Q4, which take tens of millions of requests: with `WAVETANK_QUEUES`
/// set, in a release build.
#[test]
#[expect(clippy::print_stdout, reason = "tells what is not run")]
#[expect(clippy::disallowed_methods, reason = "a test that is too long for every day")]
fn the_other_rows() {
    if std::env::var_os("WAVETANK_QUEUES").is_none() {
        println!("skipped: half a minute in a release build; set WAVETANK_QUEUES to run it");
        return;
    }
    let rows = [
        (Law::Exponential, 1, 1, 80, 12, 5.0),
        (Law::Exponential, 1, 2, 80, 12, 2.7778),
        (Law::Exponential, 1, 10, 90, 40, 1.6687),
        (Law::Exponential, 1, 20, 90, 40, 1.2754),
        (Law::Exponential, 10, 1, 80, 12, 5.0),
        (Law::Exponential, 10, 1, 90, 60, 10.0),
        (Law::Constant, 1, 1, 80, 8, 3.0),
        (Law::Constant, 1, 1, 90, 30, 5.5),
    ];
    for (law, pods, workers, load, millions, mean) in rows {
        hold(&Case { law, pods, workers, load, requests: millions * 1_000_000, mean });
    }
}
