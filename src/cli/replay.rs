//! A run folder run again, to see what it did not write down.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::Value;

use super::args::{Cli, Command, RunArgs};
use super::folder::{ENGINE_LOG, RUN_SCHEMA};
use super::inputs::{self, KeepNothing};
use super::progress::{self, Line};
use super::{Code, Failure, complain};
use crate::cluster::plan::Plan;
use crate::cluster::{EngineInput, World};
use crate::kernel::{Engine, FactSink, Halt, InputLog, Virtual};
use crate::messages::{Fact, Listening};
use crate::record::Metrics;
use crate::runs::{Task, decode_input, run_outside, run_to};
use crate::scenario::Loaded;
use crate::time::SimTime;

/// The plan that the run in this folder had, read from the inputs that it kept. Whether this version
/// goes the same way with it is for the caller to see.
///
/// # Errors
/// In words, where nothing says what its plan was.
pub(super) fn plan(run: &Path) -> Result<Arc<Plan>, String> {
    Ok(Arc::new(again(run, &read(run, "run.json")?)?.plan))
}

/// The same with what was expected. `said` is the folder's `run.json`.
fn again(run: &Path, said: &Value) -> Result<Loaded, String> {
    let list = |key: &str| -> Vec<String> {
        let items = said[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let Ok(Cli { command: Command::Run(mut args) }) = Cli::try_parse_from(list("command")) else {
        return Err("run.json names no command that this version knows".to_owned());
    };
    let kept = list("inputs");
    let is_first =
        |name: &&String| !name.starts_with("applied/") && !name.starts_with(inputs::PROFILE);
    let first = kept.iter().filter(is_first);
    args.input.files = first.map(|name| run.join("inputs").join(name)).collect();
    if args.input.scheduler_config.is_some() {
        args.input.scheduler_config = args.input.files.pop();
    }
    if let Some(profile) = kept.iter().find(|name| name.starts_with(inputs::PROFILE)) {
        // One that a flag named lies beside the inputs now.
        for set in args.input.set.iter_mut().filter(|set| set.starts_with("spec.cluster.profile="))
        {
            *set = format!("spec.cluster.profile={profile}");
        }
    }
    let said_seed = said["seed"].as_u64();
    let mut loaded =
        loaded(&RunArgs { seed: said_seed.or(args.seed), ..args }).map_err(|failure| {
            failure.message.unwrap_or_else(|| "its inputs are not as they were".to_owned())
        })?;
    if let Some(name) = said["scenario"].as_str() {
        loaded.plan.name = name.into();
    }
    Ok(loaded)
}

fn loaded(args: &RunArgs) -> Result<Loaded, Failure> {
    let overrides = args.end.over(args.input.overrides()?, args.seed)?;
    let loaded = inputs::load(args.input.sources(), overrides, &mut KeepNothing)?;
    if let Some(error) = loaded.findings.iter().find(|it| it.is_error()) {
        return Err(Failure::usage(error.to_string()));
    }
    Ok(loaded)
}

#[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
fn read(run: &Path, name: &str) -> Result<Value, String> {
    let text = fs::read_to_string(run.join(name))
        .map_err(|error| format!("{name} cannot be read: {}", inputs::words(&error)))?;
    serde_json::from_str(&text).map_err(|error| format!("{name} is no JSON: {error}"))
}

/// Facts were told when the run was made.
struct Silence;

impl FactSink<Fact> for Silence {
    fn record(&mut self, _: SimTime, _: u64, _: u64, _: &Fact) {}
}

/// The world of the run in this folder as it was at `at`, or at its end; with Events if somebody listens.
pub(super) fn world(
    run: &Path,
    at: Option<SimTime>,
    listening: Listening,
) -> Result<World, Failure> {
    let shown = run.display();
    let said = read(run, "run.json").ok().filter(|said| said["schema"] == RUN_SCHEMA);
    let Some(said) = said else {
        return Err(Failure::usage(format!(
            "{shown}: no run folder: name one that `wavetank run` left, as in reports/first-light"
        )));
    };
    let wrong = |why: String| Failure::usage(format!("{shown}: {why}"));
    let loaded = again(run, &said).map_err(wrong)?;
    let mut is_same = said["plan"] == format!("{:016x}", loaded.plan.hash());
    let cut = match said["stopped"].as_str() {
        Some("interrupted" | "budget") => Some(cut(run).map_err(wrong)?),
        _ => None,
    };
    let stop = at.or(cut).unwrap_or(SimTime::MAX);
    let world = simulate(&loaded, log(run).map_err(wrong)?, stop, listening)?;
    if at.is_none() && cut.is_none() {
        is_same &= said["digest"] == format!("{:016x}", world.digest());
    }
    if !is_same {
        complain(format_args!(
            "warning: {shown}: run again, it goes another way: another version made this run"
        ));
    }
    let end = cut.unwrap_or(SimTime::MAX).min(world.now());
    match at {
        Some(at) if at > end => Err(Failure::usage(format!("--at: {shown} ended at {end} s"))),
        _ => Ok(world),
    }
}

/// Where a run was stopped before its end.
fn cut(run: &Path) -> Result<SimTime, String> {
    let summary = read(run, "summary.json")?;
    let seconds = summary["virtual_seconds"].as_f64().unwrap_or(0.0);
    // Up to the next nanosecond: what happened at the very last instant is in.
    Ok(SimTime::from_nanos((seconds * 1e9).ceil() as u64))
}

/// What came in from a real engine, if the run had one.
#[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
fn log(run: &Path) -> Result<Option<InputLog<EngineInput>>, String> {
    let path = run.join(ENGINE_LOG);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{ENGINE_LOG} cannot be read: {}", inputs::words(&error)))?;
    let read = |(number, line)| {
        decode_input(line).map_err(|why| format!("{ENGINE_LOG}, line {number}: {why}"))
    };
    let lines: Result<Vec<_>, String> = (1..).zip(text.lines()).map(read).collect();
    lines.map(|lines| Some(lines.into()))
}

fn simulate(
    loaded: &Loaded,
    log: Option<InputLog<EngineInput>>,
    stop: SimTime,
    listening: Listening,
) -> Result<World, Failure> {
    let plan = Arc::new(loaded.plan.clone());
    // Expectations keep a run going for as long as they may come true, and look at what it measures.
    let mut metrics = Metrics::sampling(&plan);
    let interrupt = progress::interrupt();
    let line = Line::new(false);
    let task = Task {
        plan,
        expectations: loaded.expectations.clone(),
        sink: &mut Silence,
        metrics: &mut metrics,
        interrupt: &interrupt,
        events_max: u64::MAX,
        listening,
    };
    let look = &mut |progress| {
        line.show(progress);
        ControlFlow::Continue(())
    };
    let finished = match log {
        None => run_to(task, stop, look),
        Some(log) => run_outside(task, stop, &mut Virtual::replaying(log), look).0,
    };
    line.clear();
    match finished.halt {
        Halt::Interrupted => Err(Failure::said(Code::Interrupted)),
        _ => Ok(finished.world),
    }
}
