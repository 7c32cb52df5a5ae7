//! `timeline.jsonl`: a fact a line.

use std::io::{self, Write};

use super::json::quoted;
use crate::kernel::NO_CAUSE;
use crate::messages::Fact;
use crate::time::SimTime;

/// The version of the format.
pub const TIMELINE_SCHEMA: &str = "wavetank.dev/timeline/v1";

/// Writes one fact as a line.
///
/// # Errors
/// Where `out` fails.
pub fn write_row(
    out: &mut impl Write,
    at: SimTime,
    number: u64,
    cause: u64,
    fact: &Fact,
) -> io::Result<()> {
    write!(out, "{{\"t\": {at}, \"id\": {number}, \"cause\": ")?;
    if cause == NO_CAUSE {
        write!(out, "null")?;
    } else {
        write!(out, "{cause}")?;
    }
    // Names of components and verbs need no escape; names of objects are DNS names or were refused.
    write!(
        out,
        ", \"component\": \"{}\", \"verb\": \"{}\", \"object\": {}",
        fact.component.name(),
        fact.verb,
        quoted(&fact.object.to_string())
    )?;
    match &fact.node {
        Some(node) => write!(out, ", \"node\": {}", quoted(&node.to_string()))?,
        None => write!(out, ", \"node\": null")?,
    }
    write!(out, ", \"values\": {{")?;
    for (at, (key, value)) in fact.values.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        write!(out, "{comma}\"{key}\": {value}")?;
    }
    match &fact.message {
        Some(message) => write!(out, "}}, \"message\": {}", quoted(message))?,
        None => write!(out, "}}, \"message\": null")?,
    }
    if let Some(buckets) = &fact.buckets {
        write!(out, ", \"buckets\": [")?;
        for (at, (bucket, count)) in buckets.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(out, "{comma}[{bucket}, {count}]")?;
        }
        write!(out, "]")?;
    }
    writeln!(out, "}}")
}
