//! `wavetank schedule`.

use super::args::{ArrivalArg, Format, ScheduleArgs, TieBreak, WayArg};
use super::inputs::{self, KeepNothing, open_file, words};
use super::{Code, Failure, complain, counted, print_findings, say};
use crate::api::compact::Notes;
use crate::control_plane::scheduler::alone::{
    Alone, Arrival, COPIES_MAX, Detail, Outcome, Settings, Ties, Way,
};
use crate::record::Json;
use crate::report::placement::{capacity_json, capacity_text, explain, json, text, totals};
use crate::scenario::Loader;
use crate::scenario::placement::Loaded;

/// Nodes times pods up to which scores are told unasked: working them out takes no time to speak of.
const SMALL: usize = 20_000;

pub(super) fn schedule(args: &ScheduleArgs) -> Result<Code, Failure> {
    let loaded = load(args)?;
    if !args.input.quiet || loaded.has_errors() {
        print_findings(&loaded.findings);
        tell_notes(&loaded.notes);
    }
    if loaded.has_errors() {
        return Err(Failure::said(Code::Input));
    }
    let settings = settings(args, &loaded);
    let mut alone = Alone::new(loaded.given, settings);
    alone.run();
    let copy = loaded.copy.map(|pod| {
        let capacity = alone.clone().capacity(&pod, COPIES_MAX);
        (format!("{}/{}", pod.meta.namespace, pod.meta.name), capacity)
    });
    let outcome = alone.outcome();
    match args.input.output {
        Format::Json => {
            let mut whole = json(&outcome);
            if let (Json::Map(fields), Some((pod, capacity))) = (&mut whole, &copy) {
                fields.push(("capacity".to_owned(), capacity_json(&outcome, pod, capacity)));
            }
            say(whole.pretty().trim_end());
        }
        Format::Text => {
            tell(args, &outcome)?;
            if let Some((pod, capacity)) = &copy {
                say(format_args!("\n{}", capacity_text(&outcome, pod, capacity).trim_end()));
            }
        }
    }
    Ok(if outcome.all_placed() { Code::Fine } else { Code::Failed })
}

/// Reads everything that the command line names.
fn load(args: &ScheduleArgs) -> Result<Loaded, Failure> {
    let mut loader = Loader::for_placement(args.input.overrides()?);
    inputs::read(args.input.sources(), &mut loader, &mut KeepNothing)?;
    if let Some(path) = &args.capacity {
        let name = path.display().to_string();
        match open_file(path) {
            Ok(file) => loader.read_copy(&name, file),
            Err(error) => loader.unreadable(&name, &format!("cannot be read: {}", words(&error))),
        }
    }
    Ok(loader.finish_placement())
}

fn settings(args: &ScheduleArgs, loaded: &Loaded) -> Settings {
    let (nodes, pods) = (loaded.given.nodes.len(), loaded.given.pods.len());
    let is_small = args.input.output == Format::Text && nodes * pods <= SMALL;
    let tells = args.explain.is_some() || args.input.output == Format::Json || is_small;
    Settings {
        profiles: loaded.scheduler.profiles.clone(),
        backoff: loaded.scheduler.backoff,
        gates: loaded.scheduler.gates,
        way: match args.scheduler {
            WayArg::Fast => Way::Fast,
            WayArg::Plain => Way::Plain,
        },
        arrival: match args.arrival {
            ArrivalArg::Sequential => Arrival::Sequential,
            ArrivalArg::Batch => Arrival::Batch,
        },
        ties: ties(args),
        detail: if tells { Detail::Scores } else { Detail::Choices },
        start: loaded.start,
    }
}

fn ties(args: &ScheduleArgs) -> Ties {
    match args.tie_break {
        TieBreak::Real => Ties::Real,
        TieBreak::SmallestName => Ties::SmallestName,
    }
}

fn tell(args: &ScheduleArgs, outcome: &Outcome) -> Result<(), Failure> {
    if let Some(pod) = &args.explain {
        let pod = Some(pod.as_str()).filter(|pod| !pod.is_empty());
        let why = explain(outcome, ties(args), pod);
        let Some(why) = why else {
            let pod = pod.unwrap_or_default();
            return Err(Failure::usage(format!("--explain {pod}: no such pod in the input")));
        };
        say(why.trim_end());
        if pod.is_some() {
            return Ok(());
        }
        say("");
    }
    match args.input.quiet {
        true => say(totals(outcome).trim_end()),
        false => say(text(outcome).trim_end()),
    }
    Ok(())
}

/// What was set in the input and plays no part.
fn tell_notes(notes: &Notes) {
    for (note, count) in notes.iter() {
        let objects = counted(count as usize, "object");
        complain(format_args!("warning: {note}: accepted, not modelled ({objects})"));
    }
}
