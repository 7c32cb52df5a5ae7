//! A run told in a few lines.

use std::fmt::Write;

use crate::api::compact::{Note, Notes};
use crate::cluster::Refusal;
use crate::record::{Summary, WorkloadRow};
use crate::time::SimTime;

/// Workloads shown one by one; more are counted.
const ROWS_MAX: usize = 40;
/// Messages of pods that cannot be placed shown, and refusals.
const MESSAGES_MAX: usize = 10;

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// How it ended.
    pub summary: &'a Summary,
    /// What was set and plays no part.
    pub notes: &'a Notes,
    /// What the API server refused.
    pub refused: &'a [Refusal],
    /// Whether somebody stopped it.
    pub stop: Stop,
}

/// How a run came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// By itself.
    End,
    /// Somebody stopped it.
    Interrupted,
}

/// The story of a run, for a terminal.
pub fn story(story: Story<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_story(&mut out, story);
    out
}

/// Seconds with three digits: people read no more.
fn short(at: SimTime) -> String {
    let millis = at.as_nanos().saturating_add(500_000) / 1_000_000;
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn write_story(out: &mut String, story: Story<'_>) -> std::fmt::Result {
    let Story { summary, notes, refused, stop } = story;
    let (name, now) = (&summary.scenario, short(summary.now));
    match (stop, summary.converged_at) {
        (Stop::Interrupted, _) => writeln!(out, "{name}: interrupted at {now}")?,
        (Stop::End, Some(at)) => writeln!(out, "{name}: converged at {}", short(at))?,
        (Stop::End, None) => writeln!(out, "{name}: did not converge in {now}")?,
    }
    writeln!(
        out,
        "  seed {}, digest {:016x}, {} events in {now} of virtual time",
        summary.seed, summary.digest, summary.events
    )?;
    let (pods, nodes) = (&summary.pods, &summary.nodes);
    writeln!(out, "  nodes {} of {} ready", nodes.ready, nodes.total)?;
    write!(out, "  pods  {} running, {} ready", pods.running, pods.ready)?;
    for (count, what) in [
        (pods.pending, "pending"),
        (pods.succeeded, "succeeded"),
        (pods.failed, "failed"),
        (pods.evicted, "evicted"),
        (pods.restarts, "restarts"),
    ] {
        if count > 0 {
            write!(out, ", {count} {what}")?;
        }
    }
    writeln!(out)?;
    write_workloads(out, &summary.workloads)?;
    write_services(out, summary)?;
    for (message, count, name) in summary.unplaced.iter().take(MESSAGES_MAX) {
        let others = match count {
            1 => String::new(),
            _ => format!(" and {} more", count - 1),
        };
        writeln!(out, "\npending: {name}{others}\n  {message}")?;
    }
    for refusal in refused.iter().take(MESSAGES_MAX) {
        writeln!(out, "\nrefused: {}\n  {}", refusal.source, refusal.status)?;
    }
    if refused.len() > MESSAGES_MAX {
        writeln!(out, "  and {} more", refused.len() - MESSAGES_MAX)?;
    }
    write_notes(out, notes)
}

fn write_workloads(out: &mut String, rows: &[WorkloadRow]) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<(bool, &WorkloadRow)> =
        rows.iter().map(|row| (row.available >= row.desired, row)).collect();
    if sorted.len() > ROWS_MAX {
        // What is missing is what people look for.
        sorted.sort_by_key(|(is_fine, _)| *is_fine);
    }
    let name = |row: &WorkloadRow| format!("{}/{}", row.kind.to_ascii_lowercase(), row.name);
    let shown = &sorted[..sorted.len().min(ROWS_MAX)];
    let wide = shown.iter().map(|(_, row)| name(row).len()).max().unwrap_or(0);
    let space = shown.iter().map(|(_, row)| row.namespace.len()).max().unwrap_or(0).max(9);
    writeln!(
        out,
        "\n  {:space$}  {:wide$}  READY  UP-TO-DATE  AVAILABLE",
        "NAMESPACE", "WORKLOAD"
    )?;
    for (is_fine, row) in shown {
        let ready = format!("{}/{}", row.ready, row.desired);
        let mark = if *is_fine { "" } else { "  <" };
        writeln!(
            out,
            "  {:space$}  {:wide$}  {ready:5}  {:<10}  {}{mark}",
            row.namespace,
            name(row),
            row.updated,
            row.available
        )?;
    }
    if sorted.len() > ROWS_MAX {
        writeln!(out, "  and {} more", sorted.len() - ROWS_MAX)?;
    }
    Ok(())
}

fn write_services(out: &mut String, summary: &Summary) -> std::fmt::Result {
    if summary.services.is_empty() {
        return Ok(());
    }
    let empty: Vec<String> = summary
        .services
        .iter()
        .filter(|row| row.endpoints == 0)
        .map(|row| format!("{}/{}", row.namespace, row.name))
        .collect();
    let total = summary.services.len();
    write!(out, "\n  {} of {total} services have endpoints", total - empty.len())?;
    if !empty.is_empty() {
        let shown = empty[..empty.len().min(5)].join(", ");
        let more = if empty.len() > 5 { ", .." } else { "" };
        write!(out, "; none: {shown}{more}")?;
    }
    writeln!(out)
}

fn write_notes(out: &mut String, notes: &Notes) -> std::fmt::Result {
    let mut kinds = Vec::new();
    let mut fields = Vec::new();
    for (note, count) in notes.iter() {
        match note {
            Note::Kind(kind) => kinds.push(format!("{kind} ({count})")),
            Note::Field(..) => fields.push(note.to_string()),
        }
    }
    if !kinds.is_empty() {
        writeln!(out, "\nkinds accepted, not modelled: {}", kinds.join(", "))?;
    }
    if !fields.is_empty() {
        writeln!(out, "\nfields accepted, not modelled: {}", fields.join(", "))?;
    }
    Ok(())
}
