//! What mattered in a run, and what to ask next.

use std::collections::BTreeMap;

use super::kinds::line;
use super::question::asked_as;
use super::row::Row;
use super::{Timeline, read};
use crate::report::words::{clock, number};

/// Lines told of one kind of event; more are counted.
const EACH_MAX: usize = 6;
/// Questions suggested.
const QUESTIONS_MAX: usize = 6;

/// Events that matter, in the order of their telling, and whether what happened once may be told once
/// for each message.
const MAIN: [&str; 15] = [
    "step",
    "healed",
    "missed",
    "refused",
    "node-unknown",
    "node-not-ready",
    "node-ready",
    "leader-lost",
    "unschedulable",
    "preempted",
    "pull-failed",
    "probe-failed",
    "back-off",
    "evicted",
    "available",
];

#[derive(Default)]
struct Seen {
    /// The first of each kind, by number of the fact.
    rows: BTreeMap<u64, Row>,
    counts: BTreeMap<String, usize>,
    /// Objects worth asking about, with why.
    questions: Vec<(String, &'static str)>,
    failing: BTreeMap<String, (Row, Row, i64)>,
}

impl Seen {
    fn ask(&mut self, object: &str, why: &'static str) {
        let is_known = self.questions.iter().any(|(known, about)| known == object || *about == why);
        if !is_known {
            self.questions.push((object.to_owned(), why));
        }
    }

    fn take(&mut self, row: Row) {
        match row.verb.as_str() {
            "unschedulable" => self.ask(&row.object, "why it found no node"),
            "preempted" => self.ask(&row.object, "who took its place"),
            "evicted" => self.ask(&row.object, "why it was evicted"),
            "back-off" => self.ask(&row.object, "why it keeps crashing"),
            "node-unknown" => self.ask(&row.object, "what became of it and its pods"),
            "unready" => self.ask(&row.object, "why it was not ready any more"),
            "requests" => return self.requests(row),
            _ => {}
        }
        if !MAIN.contains(&row.verb.as_str()) {
            return;
        }
        let count = self.counts.entry(row.verb.clone()).or_default();
        *count += 1;
        if *count <= EACH_MAX {
            self.rows.insert(row.id, row);
        }
    }

    fn requests(&mut self, row: Row) {
        let failed: i64 =
            ["refused", "reset", "timeout", "failed"].iter().map(|kind| row.value(kind)).sum();
        if failed == 0 {
            return;
        }
        self.ask(&row.object, "why its requests failed");
        let seen = self.failing.entry(row.object.clone());
        let seen = seen.or_insert_with(|| (row.clone(), row.clone(), 0));
        seen.1 = row;
        seen.2 += failed;
    }
}

/// Tells it.
pub(super) fn tell(
    timeline: &mut dyn Timeline,
    summary: &serde_json::Value,
) -> Result<String, String> {
    let mut seen = Seen::default();
    let total = read(timeline, &mut |row| seen.take(row))?;
    let name = summary["scenario"].as_str().unwrap_or("a run");
    let mut out = match summary["converged_at_seconds"].as_f64() {
        Some(at) => format!("{name}: converged at {at:.3} s"),
        None => format!("{name}: did not converge"),
    };
    out += &format!("; {} facts\n\n", number(total));
    for row in seen.rows.values() {
        out += &line(row, &row.name());
    }
    for (verb, count) in &seen.counts {
        if *count > EACH_MAX {
            out += &format!(
                "{:>10}  and {} more like the {EACH_MAX} of \"{verb}\"\n",
                "",
                count - EACH_MAX
            );
        }
    }
    for (client, (first, last, failed)) in &seen.failing {
        let failed = number(u64::try_from(*failed).unwrap_or(0));
        let name = client.trim_start_matches("Client/");
        out += &format!(
            "{:>10}  {failed} requests of client {name} fail, the last told {}\n",
            clock(first.at),
            clock(last.at)
        );
    }
    for row in summary["expectations"].as_array().into_iter().flatten() {
        if row["passed"] == false {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            out += &format!("{:>10}  expectation {} fails: {}\n", "", text("name"), text("detail"));
        }
    }
    for row in summary["workloads"].as_array().into_iter().flatten() {
        if row["available"].as_i64() < row["desired"].as_i64() {
            let part = |key: &str| row[key].as_str().unwrap_or_default();
            let object = format!("{}/{}/{}", part("kind"), part("namespace"), part("name"));
            seen.ask(&object, "why it is not available");
        }
    }
    if seen.questions.is_empty() {
        for row in summary["workloads"].as_array().into_iter().flatten().take(1) {
            let part = |key: &str| row[key].as_str().unwrap_or_default();
            let object = format!("{}/{}/{}", part("kind"), part("namespace"), part("name"));
            seen.ask(&object, "how it came up");
        }
    }
    if !seen.questions.is_empty() {
        out += "\nask next, with wavetank explain RUN OBJECT\n";
    }
    for (object, why) in seen.questions.iter().take(QUESTIONS_MAX) {
        out += &format!("  {}  {why}\n", asked_as(object));
    }
    Ok(out)
}
