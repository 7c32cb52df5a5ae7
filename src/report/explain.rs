//! Why: causes told in plain words, from what a run left behind.
//!
//! Owns the reading of `timeline.jsonl`, line by line and twice at most, and the answers. Refuses to
//! know files: it is given something to read from. Memory: a word a line, and what the answer holds;
//! a cause is an earlier line, so a second reading finds every fact of a chain.

mod chain;
mod kinds;
mod overview;
mod question;
mod row;

use std::collections::BTreeMap;
use std::io::{self, BufRead};

pub use chain::chain;
pub use question::Question;
pub use row::Row;

use question::Subject;

use crate::control_plane::scheduler::telling::Asked;

/// Longest line of a timeline, in bytes.
const LINE_MAX: u64 = 1 << 20;
/// Facts about one object that are kept for the answer; the earliest and the latest of more.
const OWN_MAX: usize = 400;

/// Where a timeline can be read from, as often as it is needed.
pub trait Timeline {
    /// From its beginning.
    ///
    /// # Errors
    /// Where it cannot be opened.
    fn open(&mut self) -> io::Result<Box<dyn BufRead + '_>>;
}

/// Answers a question about a run. `summary` is its `summary.json`.
///
/// # Errors
/// In words: the line that is no fact, the object that is not there with its nearest namesakes, or what
/// failed while reading.
pub fn explain(
    timeline: &mut dyn Timeline,
    summary: &serde_json::Value,
    question: Option<&Question>,
) -> Result<String, String> {
    let asked = question.map(Question::asked);
    match asked {
        None => overview::tell(timeline, summary),
        Some(Subject::Fact(number)) => fact(timeline, number),
        Some(Subject::Object(object)) => kinds::tell(timeline, summary, &object),
    }
}

/// A fact that says where a pod went, or that it went nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placing {
    /// Its number.
    pub id: u64,
    /// The node it was bound to.
    pub node: Option<String>,
}

/// The facts about the placing of a pod, in order.
///
/// # Errors
/// In words, as of [`explain`].
pub fn placings(timeline: &mut dyn Timeline, pod: &Asked) -> Result<Vec<Placing>, String> {
    let object = format!("Pod/{}/{}", pod.namespace, pod.name);
    let mut found = Vec::new();
    read(timeline, &mut |row| {
        if row.object == object && ["bound", "unschedulable"].contains(&row.verb.as_str()) {
            found.push(Placing { id: row.id, node: row.node });
        }
    })?;
    Ok(found)
}

/// Reads all lines; returns their number.
pub(in crate::report::explain) fn read(
    timeline: &mut dyn Timeline,
    take: &mut dyn FnMut(Row),
) -> Result<u64, String> {
    let failed = |error: io::Error| format!("timeline.jsonl cannot be read: {error}");
    let mut lines = timeline.open().map_err(failed)?;
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let limited = &mut io::Read::take(&mut lines, LINE_MAX);
        let size = limited.read_until(b'\n', &mut line).map_err(failed)?;
        if size == 0 {
            return Ok(number);
        }
        number += 1;
        let text = std::str::from_utf8(&line)
            .map_err(|_| format!("timeline.jsonl, line {number}: no text"))?;
        take(Row::parse(number, text)?);
    }
}

/// Facts by number, gathered by reading once more: those in `wanted` and all their causes.
pub(in crate::report::explain) fn gather(
    timeline: &mut dyn Timeline,
    causes: &[u32],
    wanted: impl IntoIterator<Item = u64>,
) -> Result<BTreeMap<u64, Row>, String> {
    let mut numbers = std::collections::BTreeSet::new();
    for start in wanted {
        let mut next = start;
        while next > 0 && numbers.insert(next) {
            next = causes.get(next as usize - 1).copied().unwrap_or(0).into();
        }
    }
    let mut rows = BTreeMap::new();
    read(timeline, &mut |row| {
        if numbers.contains(&row.id) {
            rows.insert(row.id, row);
        }
    })?;
    Ok(rows)
}

/// The number of the cause as kept for each line: 0 for none.
pub(in crate::report::explain) fn cause_of(row: &Row) -> u32 {
    row.cause.and_then(|cause| u32::try_from(cause).ok()).unwrap_or(0)
}

/// Why one fact came about, and what followed from it.
fn fact(timeline: &mut dyn Timeline, number: u64) -> Result<String, String> {
    let mut causes = Vec::new();
    let (mut followers, mut steps): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
    let mut followed = 0_u64;
    let total = read(timeline, &mut |row| {
        causes.push(cause_of(&row));
        if row.verb == "step" && steps.len() < OWN_MAX {
            steps.push(row.clone());
        }
        if row.cause == Some(number) {
            followed += 1;
            if followers.len() < 10 {
                followers.push(row);
            }
        }
    })?;
    if number == 0 || number > total {
        return Err(format!("there is no fact #{number}: the timeline has #1 to #{total}"));
    }
    let rows = gather(timeline, &causes, [number])?;
    let look = |id: u64| {
        let known = rows.get(&id).or_else(|| steps.iter().find(|step| step.id == id));
        let mut row = known.cloned()?;
        if let Some(step) = chain::step_before(&steps, &row) {
            row.cause = Some(step.id);
        }
        Some(row)
    };
    let mut out = String::from("why it came about\n\n");
    out += &chain::written(&chain::causes(number, &look), "");
    if followers.is_empty() {
        out += "\nnothing followed from it\n";
        return Ok(out);
    }
    out += "\nwhat followed from it\n\n";
    for row in &followers {
        out += &kinds::line(row, &row.name());
    }
    if followed > followers.len() as u64 {
        out += &format!("{:>10}  and {} more\n", "", followed - followers.len() as u64);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
