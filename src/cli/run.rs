//! `wavetank run`.

use std::fs::File;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Format, RunArgs};
use super::budget::Machine;
use super::folder::{RUN_SCHEMA, RunFolder};
use super::progress::{self, Line};
use super::{Code, Failure, inputs, print_findings, say};
use crate::kernel::{Engine, Halt};
use crate::record::{Counts, Json, Metrics, Outcome, Recorder, Summary};
use crate::report::{Stop, Story, story};
use crate::runs::{self, Finished, Progress, Task};
use crate::scenario::Loaded;

pub(super) fn run(args: &RunArgs) -> Result<Code, Failure> {
    let overrides = args.end.over(args.input.overrides()?, args.seed)?;
    let mut folder = RunFolder::begin(args.out.as_deref())?;
    let machine = Machine::new(args.max_wall.as_deref(), args.max_memory.as_deref())?;
    let interrupt = progress::interrupt();
    let line = Line::new(args.input.quiet);
    line.say("reading");
    let loaded = inputs::load(&args.input.files, overrides, &mut folder);
    line.clear();
    let loaded = loaded?;
    if !args.input.quiet || loaded.has_errors() {
        print_findings(&loaded.findings);
    }
    if loaded.has_errors() {
        return Err(Failure::said(Code::Input));
    }
    if interrupt.load(Ordering::Relaxed) {
        return Err(Failure::said(Code::Interrupted));
    }
    folder.called(&loaded.plan.name)?;
    let (finished, counts) = simulate(&loaded, &folder, &interrupt, args, &machine)?;
    let summary = summary(&loaded, &finished, &counts);
    folder.write("summary.json", &summary.to_json().pretty())?;
    folder.write("run.json", &run_json(&loaded, &finished, &folder).pretty())?;
    let place = folder.publish()?;
    let stop = if finished.halt == Halt::Interrupted { Stop::Interrupted } else { Stop::End };
    match args.input.output {
        Format::Json => say(summary.to_json().pretty().trim_end()),
        Format::Text if args.input.quiet => {}
        Format::Text => {
            let refused = finished.world.refused();
            let notes = &loaded.notes;
            say(story(Story { summary: &summary, notes, refused, stop }).trim_end());
            say(format_args!("\nwritten to {}", place.display()));
        }
    }
    let over = match finished.halt {
        Halt::WallClock => Some("--max-wall"),
        Halt::Memory => Some("--max-memory"),
        Halt::Events => Some("--max-events"),
        Halt::Until | Halt::Idle | Halt::Goal | Halt::Driver | Halt::Interrupted => None,
    };
    if let Some(flag) = over {
        let message = format!("stopped at {} s: over {flag}", finished.world.now());
        return Err(Failure::machine(message));
    }
    Ok(match stop {
        Stop::Interrupted => Code::Interrupted,
        Stop::End if finished.has_passed() => Code::Fine,
        Stop::End => Code::Failed,
    })
}

fn simulate(
    loaded: &Loaded,
    folder: &RunFolder,
    interrupt: &AtomicBool,
    args: &RunArgs,
    machine: &Machine,
) -> Result<(Finished, Counts), Failure> {
    let plan = Arc::new(loaded.plan.clone());
    let mut recorder: Recorder<BufWriter<File>> = Recorder::to(folder.file("timeline.jsonl")?);
    let mut metrics = Metrics::new(&plan);
    let line = Line::new(args.input.quiet);
    let mut last = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let task = Task {
            plan,
            expectations: loaded.expectations.clone(),
            sink: &mut recorder,
            metrics: &mut metrics,
            interrupt,
            events_max: args.max_events,
        };
        runs::run_task(task, &mut |progress| {
            last = Some(progress);
            line.show(progress);
            machine.look()
        })
    }));
    line.clear();
    let finished = result.map_err(|_| bug(loaded.plan.seed, last))?;
    let counts = recorder.finish().map_err(|error| {
        Failure::machine(format!("timeline.jsonl cannot be written: {}", inputs::words(&error)))
    })?;
    Ok((finished, counts))
}

/// A run came to grief through a fault of ours; the panic has told what.
fn bug(seed: u64, last: Option<Progress>) -> Failure {
    let place = last.map_or("before the first event".to_owned(), |progress| {
        format!(
            "after event {} at {} s, digest {:016x}",
            progress.events, progress.now, progress.digest
        )
    });
    let message = format!("this is a bug of wavetank: seed {seed}, {place}; nothing was written");
    Failure { code: Code::Bug, message: Some(message) }
}

fn summary(loaded: &Loaded, finished: &Finished, counts: &Counts) -> Summary {
    let world = &finished.world;
    let mut summary = Summary::of(Outcome {
        plan: &loaded.plan,
        store: world.store(),
        counts,
        now: world.now(),
        events: world.events(),
        digest: world.digest(),
        converged_at: world.converged_since(),
    });
    summary.expectations.clone_from(&finished.expectations);
    let warnings = loaded.findings.iter().filter(|it| !it.is_error());
    summary.warnings.extend(warnings.map(ToString::to_string));
    for refusal in world.refused() {
        summary.warnings.push(format!("{}: refused: {}", refusal.source, refusal.status));
    }
    for (step, why) in world.missed() {
        let name = &loaded.plan.steps[*step].name;
        summary.warnings.push(format!("step {name:?} did nothing: {why}"));
    }
    for (note, count) in loaded.notes.iter() {
        summary.warnings.push(format!("{note}: accepted, not modelled ({count} objects)"));
    }
    summary
}

fn run_json(loaded: &Loaded, finished: &Finished, folder: &RunFolder) -> Json {
    // As a reader would type it, wherever the program lies.
    let arguments = std::env::args().skip(1);
    let command = ["wavetank".to_owned()].into_iter().chain(arguments).map(Json::Text).collect();
    let stopped = match finished.halt {
        Halt::Interrupted => "interrupted",
        Halt::Until => "until",
        Halt::Idle => "idle",
        Halt::Goal => "settled",
        Halt::Events | Halt::WallClock | Halt::Memory | Halt::Driver => "budget",
    };
    let inputs = folder.inputs().iter().map(Json::text).collect();
    Json::map([
        ("schema", Json::text(RUN_SCHEMA)),
        ("version", Json::text(env!("CARGO_PKG_VERSION"))),
        ("scenario", Json::text(&*loaded.plan.name)),
        ("seed", Json::count(loaded.plan.seed)),
        ("plan", Json::text(format!("{:016x}", loaded.plan.hash()))),
        ("digest", Json::text(format!("{:016x}", finished.world.digest()))),
        ("stopped", Json::text(stopped)),
        ("command", Json::List(command)),
        ("inputs", Json::List(inputs)),
    ])
}
