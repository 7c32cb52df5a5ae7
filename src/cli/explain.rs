//! `wavetank explain`.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::args::ExplainArgs;
use super::folder::RUN_SCHEMA;
use super::inputs::words;
use super::{Code, Failure, say};
use crate::report::explain::{Question, Timeline, explain as answer};

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
    Ok(Code::Fine)
}

#[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
fn read(run: &Path, name: &str) -> io::Result<String> {
    fs::read_to_string(run.join(name))
}
