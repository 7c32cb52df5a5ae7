//! Whole clusters: cold start, a quiet day, clones, churn. Prints the process's own CPU seconds and
//! memory, as the kernel counts them.
//!
//! ```text
//! cargo bench --bench scale -- cold 5000 150000
//! cargo bench --bench scale -- day 5000 150000          or so many minutes: day 5000 150000 10
//! cargo bench --bench scale -- explicit-day 5000 150000 10     each occurrence an event
//! cargo bench --bench scale -- clone 5000 150000
//! cargo bench --bench scale -- churn 1000 100000
//! cargo bench --bench scale -- cron 200 10000 24        nodes, hourly CronJobs, hours
//! cargo bench --bench scale -- rolling 1000 1000        nodes, Deployments of 30 that all roll at once
//! cargo bench --bench scale -- autoscale 5000 100000    an autoscaler for each 200 pods, for an hour
//! cargo bench --bench scale -- failing 5000 150000      a tenth of the nodes die and their pods move
//! ```

#[path = "scale/plans.rs"]
mod plans;
#[path = "scale/process.rs"]
mod process;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::api::job::Job;
use wavetank::api::kind::Kind;
use wavetank::api::pod::Pod;
use wavetank::cluster::World;
use wavetank::cluster::plan::Plan;
use wavetank::kernel::{
    self, Apart, Budgets, Engine, FactSink, Fidelity, Halt, InputLog, NoSink, Order, Run,
    Unwatched, Virtual, Watch,
};
use wavetank::messages::{Fact, Verb};
use wavetank::node::container_engine::simulated::Sandbox;
use wavetank::node::kubelet::Worker;
use wavetank::time::{SimDuration, SimTime};

use process::{cpu_seconds, peak_mib, resident_mib};

struct Converged;

impl Watch<World> for Converged {
    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        match world.converged_since() {
            Some(_) => ControlFlow::Break(Halt::Goal),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Notes when nodes are found unknown.
#[derive(Default)]
struct Unknown(Vec<String>);

impl FactSink<Fact> for Unknown {
    fn record(&mut self, at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        if fact.verb == Verb::NodeUnknown {
            self.0.push(format!("{} at {at}", fact.object));
        }
    }
}

fn go(world: &mut World, until: SimTime, watch: impl Watch<World>, sink: &mut dyn FactSink<Fact>) {
    let mut around = Run {
        budgets: Budgets::until(until),
        interrupt: &AtomicBool::new(false),
        observer: &mut Apart { sink, watch },
        log: &mut InputLog::new(),
    };
    kernel::run(world, &mut Virtual::new(), &mut around);
}

fn told(world: &World) -> String {
    format!(
        "{} s virtual, {} events, {} facts, digest {:016x}",
        world.now(),
        world.events(),
        world.facts(),
        world.digest()
    )
}

/// Apply to converged.
fn cold(nodes: usize, pods: usize) {
    let plan = Arc::new(plans::deployments(nodes, pods));
    let before = cpu_seconds();
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    go(&mut world, plan.end.until(), Converged, &mut NoSink);
    let cpu = cpu_seconds() - before;
    say(format!(
        "cold {nodes} nodes {pods} pods: {cpu:.2} CPU s ({:.1} us a pod), {:.0} MiB peak, {}",
        cpu * 1e6 / pods as f64,
        peak_mib(),
        told(&world)
    ));
    say(format!(
        "bytes a pod: {} store row, {} kubelet worker, {} sandbox with its containers",
        size_of::<Pod>(),
        size_of::<Worker>(),
        size_of::<Sandbox>()
    ));
}

/// Minutes in which nothing happens until a node crashes in the last one.
fn day(nodes: usize, pods: usize, minutes: u64, fidelity: Fidelity) {
    let plan = Arc::new(Plan { fidelity, ..plans::quiet(nodes, pods, minutes) });
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    go(&mut world, plans::DAY_STARTS, Unwatched, &mut NoSink);
    let before = (cpu_seconds(), world.events());
    let mut unknown = Unknown::default();
    go(&mut world, plan.end.until(), Unwatched, &mut unknown);
    say(format!(
        "{minutes} minutes {nodes} nodes {pods} pods {fidelity:?}: {:.2} CPU s, {} events, {:?}; {}",
        cpu_seconds() - before.0,
        world.events() - before.1,
        unknown.0,
        told(&world)
    ));
}

/// Clones of a warm world, and a minute with a rollout in each of two branches.
fn branches(nodes: usize, pods: usize) {
    let plan = Arc::new(plans::rollout(nodes, pods));
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let just_before = plans::DAY_STARTS.saturating_sub(SimDuration::from_nanos(1));
    go(&mut world, just_before, Unwatched, &mut NoSink);
    let (cpu, resident) = (cpu_seconds(), resident_mib());
    let clones: Vec<World> = (0..10).map(|_| world.clone()).collect();
    let each = (cpu_seconds() - cpu) * 1000.0 / 10.0;
    let grown = (resident_mib() - resident) / 10.0;
    drop(clones);
    say(format!("clone {nodes} nodes {pods} pods: {each:.1} ms and {grown:.1} MiB each"));
    let resident = resident_mib();
    let cpu = cpu_seconds();
    let mut clone = world.clone();
    go(&mut clone, plan.end.until(), Unwatched, &mut NoSink);
    let with_clone = cpu_seconds() - cpu;
    let grown = resident_mib() - resident;
    drop(clone);
    let cpu = cpu_seconds();
    go(&mut world, plan.end.until(), Unwatched, &mut NoSink);
    let alone = cpu_seconds() - cpu;
    say(format!(
        "a minute with a rollout: {:.0} ms cloning included, {:.0} ms alone, {grown:.0} MiB grown",
        with_clone * 1000.0,
        alone * 1000.0
    ));
}

/// Bare pods that come and go.
fn churn(nodes: usize, pods: usize) {
    let plan = Arc::new(plans::churn(nodes, pods));
    let (before, resident) = (cpu_seconds(), resident_mib());
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    go(&mut world, plan.end.until(), Unwatched, &mut NoSink);
    say(format!(
        "churn {nodes} nodes {pods} pods: {:.2} CPU s, {:.0} MiB beyond the plan's {resident:.0}, \
         {} pods left, {}",
        cpu_seconds() - before,
        resident_mib() - resident,
        world.store().table::<Pod>().len(),
        told(&world)
    ));
}

/// Deployments of 30 pods that all get another image at once: from there to converged.
fn rolling(nodes: usize, deployments: usize) {
    let plan = Arc::new(plans::rolling(nodes, deployments));
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let just_before = plans::DAY_STARTS.saturating_sub(SimDuration::from_nanos(1));
    go(&mut world, just_before, Unwatched, &mut NoSink);
    let (before, facts) = (cpu_seconds(), world.facts());
    go(&mut world, plans::DAY_STARTS, Unwatched, &mut NoSink);
    go(&mut world, plan.end.until(), Converged, &mut NoSink);
    let cpu = cpu_seconds() - before;
    let pods = deployments * 30;
    say(format!(
        "rolling {nodes} nodes {deployments} Deployments of 30: {cpu:.2} CPU s ({:.1} us a pod), \
         {:.0} MiB peak, {} facts, {}",
        cpu * 1e6 / pods as f64,
        peak_mib(),
        world.facts() - facts,
        told(&world)
    ));
}

/// A tenth of the nodes die: from there until their pods run elsewhere.
fn failing(nodes: usize, pods: usize) {
    let plan = Arc::new(plans::failing(nodes, pods));
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let just_before = plans::DAY_STARTS.saturating_sub(SimDuration::from_nanos(1));
    go(&mut world, just_before, Unwatched, &mut NoSink);
    let before = cpu_seconds();
    let mut moved = Moved::default();
    go(&mut world, plan.end.until(), Unwatched, &mut moved);
    let cpu = cpu_seconds() - before;
    say(format!(
        "failing {nodes} nodes {pods} pods: {cpu:.2} CPU s, {} evicted, {} ready again \
         ({:.1} us each), {:.0} MiB peak, {}",
        moved.evicted,
        moved.ready,
        cpu * 1e6 / moved.evicted.max(1) as f64,
        peak_mib(),
        told(&world)
    ));
}

/// Counts pods that were told to leave, and those that became ready.
#[derive(Default)]
struct Moved {
    evicted: u64,
    ready: u64,
}

impl FactSink<Fact> for Moved {
    fn record(&mut self, _at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.evicted += u64::from(fact.verb == Verb::Evicted);
        self.ready += u64::from(fact.verb == Verb::Ready);
    }
}

/// An hour of Deployments whose pods use more or less each minute, each with an autoscaler.
fn autoscale(nodes: usize, pods: usize) {
    let plan = Arc::new(plans::autoscaled(nodes, pods));
    let before = cpu_seconds();
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let mut asked = Asked::default();
    go(&mut world, plans::DAY_STARTS, Unwatched, &mut asked);
    let started = cpu_seconds();
    go(&mut world, plan.end.until(), Unwatched, &mut asked);
    let cpu = cpu_seconds() - started;
    say(format!(
        "autoscale {nodes} nodes {pods} pods: {:.2} CPU s to begin with, {cpu:.2} CPU s the hour \
         ({:.1} us a pod), {} new sizes, {:.0} MiB peak, {}",
        started - before,
        cpu * 1e6 / pods as f64,
        asked.0,
        peak_mib(),
        told(&world)
    ));
}

/// Counts new sizes that autoscalers ask for.
#[derive(Default)]
struct Asked(u64);

impl FactSink<Fact> for Asked {
    fn record(&mut self, _at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.0 += u64::from(fact.verb == Verb::Recommended);
    }
}

/// Hourly CronJobs, and the memory held every few hours.
fn cron(nodes: usize, count: usize, hours: u64) {
    let plan = Arc::new(plans::cron_jobs(nodes, count, hours));
    let before = cpu_seconds();
    let mut world = World::new(plan.clone(), Order::Fifo, &mut NoSink);
    let mut jobs = Made::default();
    let mut held = Vec::new();
    for quarter in 1..=4 {
        let until = SimTime::from_secs(3600 * hours * quarter / 4);
        go(&mut world, until, Unwatched, &mut jobs);
        held.push(format!("{:.0}", resident_mib()));
    }
    let cpu = cpu_seconds() - before;
    say(format!(
        "cron {nodes} nodes {count} CronJobs {hours} h: {cpu:.2} CPU s, {} Jobs ({:.1} us each), \
         MiB by quarter {}, {} Jobs and {} pods left, {}",
        jobs.0,
        cpu * 1e6 / jobs.0.max(1) as f64,
        held.join(" "),
        world.store().table::<Job>().len(),
        world.store().table::<Pod>().len(),
        told(&world)
    ));
}

/// Counts Jobs that are made.
#[derive(Default)]
struct Made(u64);

impl FactSink<Fact> for Made {
    fn record(&mut self, _at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.0 += u64::from(fact.verb == Verb::Created && fact.object.kind == Kind::Job);
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn say(line: String) {
    println!("{line}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let number = |at: usize, default: usize| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (nodes, pods) = (number(1, 100), number(2, 1000));
    let minutes = number(3, 1440).max(1) as u64;
    match arguments.first().map(String::as_str) {
        Some("day") => day(nodes, pods, minutes, Fidelity::Elided),
        Some("explicit-day") => day(nodes, pods, minutes, Fidelity::Explicit),
        Some("clone") => branches(nodes, pods),
        Some("churn") => churn(nodes, pods),
        Some("rolling") => rolling(nodes, pods),
        Some("failing") => failing(nodes, pods),
        Some("autoscale") => autoscale(nodes, pods),
        Some("cron") => cron(nodes, pods, number(3, 24).max(1) as u64),
        _ => cold(nodes, pods),
    }
}
