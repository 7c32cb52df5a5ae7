//! `wavetank explain`.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::args::ExplainArgs;
use super::folder::RUN_SCHEMA;
use super::inputs::words;
use super::progress::{self, Line};
use super::{Code, Failure, replay, say};
use crate::control_plane::scheduler::telling::Asked;
use crate::kernel::Engine;
use crate::messages::Listening;
use crate::report::explain::{Placing, Question, Timeline, explain as answer, placings};
use crate::report::get::describe;
use crate::report::placement::explain_telling;
use crate::runs::decisions;

/// The timeline of a run folder.
struct File {
    path: PathBuf,
}

impl Timeline for File {
    #[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
    fn open(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(BufReader::new(fs::File::open(&self.path)?)))
    }
}

pub(super) fn explain(args: &ExplainArgs) -> Result<Code, Failure> {
    let question: Option<Question> = match &args.object {
        Some(text) => Some(text.parse().map_err(Failure::usage)?),
        None => None,
    };
    let run = &args.run;
    let is_ours = read(run, "run.json").is_ok_and(|text| text.contains(RUN_SCHEMA));
    if !is_ours {
        return Err(Failure::usage(format!(
            "{}: no run folder: name one that `wavetank run` left, as in reports/first-light",
            run.display()
        )));
    }
    let wrong = |what: String| Failure::usage(format!("{}: {what}", run.display()));
    let summary = read(run, "summary.json")
        .map_err(|error| wrong(format!("summary.json cannot be read: {}", words(&error))))?;
    let summary = serde_json::from_str(&summary)
        .map_err(|error| wrong(format!("summary.json is no summary: {error}")))?;
    let mut timeline = File { path: run.join("timeline.jsonl") };
    let text = answer(&mut timeline, &summary, question.as_ref()).map_err(wrong)?;
    say(text.trim_end());
    if let Some(object) = question.as_ref().and_then(Question::object) {
        tell_events(run, &object)?;
    }
    let Some(pod) = question.as_ref().and_then(Question::pod) else { return Ok(Code::Fine) };
    let facts = placings(&mut timeline, &pod).map_err(wrong)?;
    if facts.is_empty() {
        return Ok(Code::Fine);
    }
    match decided(run, &pod, &facts) {
        Ok(Some(text)) => say(format_args!("\n{}", text.trim_end())),
        Ok(None) => return Err(Failure::said(Code::Interrupted)),
        Err(why) => say(format_args!("\nhow the scheduler decided cannot be told: {why}")),
    }
    Ok(Code::Fine)
}

/// Kubernetes' own Events about an object as they were at the end, heard by running the run again.
fn tell_events(run: &Path, object: &str) -> Result<(), Failure> {
    let mut world = match replay::world(run, None, Listening::All) {
        Ok(world) => world,
        Err(Failure { message: Some(why), .. }) => {
            say(format_args!("\nits Events cannot be told: {why}"));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let now = world.now();
    if let Some(events) = world.core_events() {
        say(format_args!("\n{}", describe(events, object, now).trim_end()));
    }
    Ok(())
}

/// How the scheduler came to each of its decisions about a pod, worked out by running the run again.
/// Nothing where the user had enough.
fn decided(run: &Path, pod: &Asked, facts: &[Placing]) -> Result<Option<String>, String> {
    let plan = replay::plan(run)?;
    let last = facts.last().map_or(0, |fact| fact.id);
    let line = Line::new(false);
    let found = decisions(&plan, pod, last, &progress::interrupt(), &mut |it| line.show(it));
    line.clear();
    let Some(found) = found else { return Ok(None) };
    let name = format!("{}/{}", pod.namespace, pod.name);
    let mut out = String::new();
    for one in &found {
        let is_same = |fact: &Placing| {
            fact.id == one.fact && fact.node == one.node.as_ref().map(ToString::to_string)
        };
        if !facts.iter().any(is_same) {
            return Err("run again, it goes another way: another version made this run".to_owned());
        }
        out += &explain_telling(&name, one.fact, &one.telling);
    }
    if out.is_empty() {
        return Err("no scheduler worked it out: it was recorded".to_owned());
    }
    Ok(Some(out))
}

#[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
fn read(run: &Path, name: &str) -> io::Result<String> {
    fs::read_to_string(run.join(name))
}
