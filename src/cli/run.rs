//! `wavetank run`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Format, RunArgs, RuntimeArg};
use super::budget::Machine;
use super::folder::{ENGINE_LOG, RUN_SCHEMA, RunFolder};
use super::progress::{self, Line};
use super::real::{Ended, Real};
use super::{Code, Failure, complain, inputs, print_findings, say};
use crate::api::name::Text;
use crate::kernel::{Engine, FactSink, Halt};
use crate::messages::{Fact, Listening};
use crate::record::metrics::write_csv;
use crate::record::{Counts, Json, Metrics, Outcome, Recorder, Summary, unserved};
use crate::report::pictures::{self, Autoscaled};
use crate::report::{self, Chronicle, Page, Paint, Stop, Story, page, story, verdict};
use crate::runs::{self, Finished, Progress, Task};
use crate::scenario::Loaded;
use crate::time::SimTime;

pub(super) fn run(args: &RunArgs) -> Result<Code, Failure> {
    let overrides = args.end.over(args.input.overrides()?, args.seed)?;
    let mut folder = RunFolder::begin(args.out.as_deref())?;
    let machine = Machine::new(args.max_wall.as_deref(), args.max_memory.as_deref())?;
    let interrupt = progress::interrupt();
    let line = Line::new(args.input.quiet);
    line.say("reading");
    let loaded = inputs::load(args.input.sources(), overrides, &mut folder);
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
    let ran = simulate(&loaded, &folder, &interrupt, args, &machine)?;
    let Ran { finished, counts, metrics, chronicle, trouble } = ran;
    let summary = summary(&loaded, &finished, &counts, &metrics);
    if !args.input.quiet {
        let strangers = unserved(&loaded.plan, finished.world.store());
        let warnings = silent(&metrics).chain(strangers);
        warnings.for_each(|warning| complain(format_args!("warning: {warning}")));
    }
    let stop = if finished.halt == Halt::Interrupted { Stop::Interrupted } else { Stop::End };
    let lines = chronicle.lines();
    draw(&loaded, &finished, &metrics, &folder, &chronicle, (&summary, &lines, stop))?;
    folder.write("summary.json", &summary.to_json().pretty())?;
    folder.write("run.json", &run_json(&loaded, &finished, &folder).pretty())?;
    let place = folder.publish()?;
    match args.input.output {
        Format::Json => say(summary.to_json().pretty().trim_end()),
        Format::Text if args.input.quiet => {}
        Format::Text => {
            let refused = finished.world.refused();
            let (notes, paint) = (&loaded.notes, paint());
            let (summary, lines) = (&summary, &lines[..]);
            let missed = missed(&loaded, &finished);
            let missed = &missed;
            say(story(Story { summary, lines, notes, refused, missed, stop, paint }).trim_end());
            say(format_args!("\nwritten to {}", place.display()));
        }
    }
    let over = match finished.halt {
        Halt::WallClock => Some("--max-wall"),
        Halt::Memory => Some("--max-memory"),
        Halt::Events => Some("--max-events"),
        Halt::Until | Halt::Idle | Halt::Goal | Halt::Driver | Halt::Interrupted => None,
    };
    if let Some(trouble) = trouble {
        return Err(Failure::machine(format!("stopped at {} s: {trouble}", finished.world.now())));
    }
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

/// What a run leaves behind in memory.
struct Ran {
    finished: Finished,
    counts: Counts,
    metrics: Metrics,
    chronicle: Chronicle,
    /// Why a real runtime could do nothing more, if that is what ended it.
    trouble: Option<String>,
}

/// Keeps what happens and remembers what to tell.
struct Keeper<'a> {
    recorder: &'a mut Recorder<BufWriter<File>>,
    chronicle: &'a mut Chronicle,
}

impl FactSink<Fact> for Keeper<'_> {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        self.recorder.record(at, number, cause, fact);
        self.chronicle.record(at, number, cause, fact);
    }
}

fn simulate(
    loaded: &Loaded,
    folder: &RunFolder,
    interrupt: &AtomicBool,
    args: &RunArgs,
    machine: &Machine,
) -> Result<Ran, Failure> {
    let real = match args.runtime {
        RuntimeArg::Simulated => None,
        RuntimeArg::Linux => Some(Real::start(args, loaded)?),
    };
    let plan = Arc::new(loaded.plan.clone());
    let mut recorder: Recorder<BufWriter<File>> = Recorder::to(folder.file("timeline.jsonl")?);
    let mut chronicle = Chronicle::new(&plan);
    let mut metrics = Metrics::sampling(&plan);
    let line = Line::new(args.input.quiet);
    let mut last = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut keeper = Keeper { recorder: &mut recorder, chronicle: &mut chronicle };
        let task = Task {
            plan,
            expectations: loaded.expectations.clone(),
            sink: &mut keeper,
            metrics: &mut metrics,
            interrupt,
            events_max: args.max_events,
            listening: Listening::Nobody,
        };
        let look = &mut |progress| {
            last = Some(progress);
            line.show(progress);
            machine.look()
        };
        match &real {
            None => Ok((runs::run_task(task, look), None)),
            Some(real) => real.run(task, look).map(|ended| {
                let Ended { finished, log, trouble } = ended;
                (finished, Some((log, trouble)))
            }),
        }
    }));
    line.clear();
    // Before anything else can go wrong: nothing of it may stay on the machine.
    let ended = real.map_or(Ok(()), Real::end);
    let (finished, outside) = result.map_err(|_| bug(loaded.plan.seed, last))??;
    ended?;
    let mut trouble = None;
    if let Some((log, why)) = outside {
        let lines: Vec<String> = log.inputs().iter().map(runs::encode_input).collect();
        folder.write(ENGINE_LOG, &(lines.join("\n") + "\n"))?;
        trouble = why;
    }
    let counts = recorder.finish().map_err(|error| cannot("timeline.jsonl", &error))?;
    Ok(Ran { finished, counts, metrics, chronicle, trouble })
}

fn cannot(name: &str, error: &std::io::Error) -> Failure {
    Failure::machine(format!("{name} cannot be written: {}", inputs::words(error)))
}

/// Writes the metrics, the pictures and the page that holds them.
fn draw(
    loaded: &Loaded,
    finished: &Finished,
    metrics: &Metrics,
    folder: &RunFolder,
    chronicle: &Chronicle,
    (summary, lines, stop): (&Summary, &[report::Line], Stop),
) -> Result<(), Failure> {
    let now = finished.world.now();
    let series = metrics.series(now);
    let mut table = folder.file("metrics.csv")?;
    let written = write_csv(&mut table, &series, now).and_then(|()| table.flush());
    written.map_err(|error| cannot("metrics.csv", &error))?;
    let moments = pictures::moments(&loaded.plan, &finished.world);
    let mut drawn = Vec::new();
    let autoscaled =
        Autoscaled { targets: chronicle.autoscaled().collect(), surges: chronicle.surges() };
    for picture in pictures::pictures(&series, now, &moments, &autoscaled) {
        let failed = |error| Failure::machine(format!("{} cannot be drawn: {error}", picture.name));
        let svg = picture.svg().map_err(failed)?;
        folder.write(&format!("{}.svg", picture.name), &svg)?;
        let name = format!("{}.png", picture.name);
        let png = picture.png().map_err(failed)?;
        let mut file = folder.file(&name)?;
        let written = file.write_all(&png).and_then(|()| file.flush());
        written.map_err(|error| cannot(&name, &error))?;
        drawn.push((picture, svg));
    }
    let verdict = verdict(summary, stop);
    let html = page(Page { summary, story: lines, pictures: &drawn, verdict: &verdict });
    folder.write("report.html", &html)
}

/// Colours are for a terminal, where nobody asked for none (no-color.org).
#[expect(clippy::disallowed_methods, reason = "how results look is no part of a run")]
fn paint() -> Paint {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_wanted && stdout().is_terminal() { Paint::Colour } else { Paint::Plain }
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

fn summary(loaded: &Loaded, finished: &Finished, counts: &Counts, metrics: &Metrics) -> Summary {
    let world = &finished.world;
    let mut summary = Summary::of(Outcome {
        plan: &loaded.plan,
        store: world.store(),
        counts,
        metrics,
        now: world.now(),
        events: world.events(),
        digest: world.digest(),
        converged_at: world.converged_since(),
    });
    summary.costs = world.costs();
    summary.expectations.clone_from(&finished.expectations);
    let warnings = loaded.findings.iter().filter(|it| !it.is_error());
    summary.warnings.extend(warnings.map(ToString::to_string));
    for refusal in world.refused() {
        summary.warnings.push(format!("{}: refused: {}", refusal.source, refusal.status));
    }
    for (name, why) in missed(loaded, finished) {
        summary.warnings.push(format!("step {name:?} did nothing: {why}"));
    }
    summary.warnings.extend(silent(metrics));
    for (note, count) in loaded.notes.iter() {
        summary.warnings.push(format!("{note}: accepted, not modelled ({count} objects)"));
    }
    summary
}

/// Clients of which a reader may think that they called.
fn silent(metrics: &Metrics) -> impl Iterator<Item = String> {
    metrics.silent_clients().map(|client| {
        let why = "nobody of its `from` was there to call, or it was never its time";
        format!("client {client:?} sent no request: {why}")
    })
}

/// The steps that found nothing to do, and why.
fn missed(loaded: &Loaded, finished: &Finished) -> Vec<(Text, Text)> {
    let named = |(step, why): &(usize, Text)| (loaded.plan.steps[*step].name.clone(), why.clone());
    finished.world.missed().iter().map(named).collect()
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
