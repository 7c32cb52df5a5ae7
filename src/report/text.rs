//! A run told in a few lines.

use std::fmt::Write;

use crate::api::compact::{Note, Notes};
use crate::api::name::Text;
use crate::cluster::Refusal;
use crate::record::{ExpectationRow, ServiceRow, Summary, WorkloadRow};

use super::story::{Line, Tone};
use super::words::{count, millis, number, short};

/// Workloads shown one by one; more are counted.
const ROWS_MAX: usize = 40;
/// Messages of pods that cannot be placed shown, and refusals.
const MESSAGES_MAX: usize = 10;

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// How it ended.
    pub summary: &'a Summary,
    /// What happened.
    pub lines: &'a [Line],
    /// What was set and plays no part.
    pub notes: &'a Notes,
    /// What the API server refused.
    pub refused: &'a [Refusal],
    /// Steps of the timeline that found nothing to do, and why.
    pub missed: &'a [(Text, Text)],
    /// Whether somebody stopped it.
    pub stop: Stop,
    /// How it is shown.
    pub paint: Paint,
}

/// Whether colours can be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// They cannot: it goes to a file or another program.
    Plain,
    /// A terminal shows it.
    Colour,
}

impl Paint {
    fn tone(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Paint::Plain, _) | (_, Tone::Plain) => return text.to_owned(),
            (_, Tone::Headline) => "1",
            (_, Tone::Good) => "32",
            (_, Tone::Bad) => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn dim(self, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Colour => format!("\x1b[2m{text}\x1b[0m"),
        }
    }
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

/// How it went, in one line.
pub fn verdict(summary: &Summary, stop: Stop) -> String {
    let (name, now) = (&summary.scenario, short(summary.now));
    let rows = &summary.expectations;
    let held = rows.iter().filter(|row| row.passed).count();
    match (stop, summary.converged_at) {
        (Stop::Interrupted, _) => format!("{name}: interrupted at {now}"),
        _ if held < rows.len() => {
            format!("{name}: {} of {} expectations failed", rows.len() - held, rows.len())
        }
        (Stop::End, Some(at)) if rows.is_empty() => format!("{name}: converged at {}", short(at)),
        (Stop::End, None) if rows.is_empty() => format!("{name}: did not converge in {now}"),
        (Stop::End, Some(at)) => {
            format!("{name}: {} met, converged at {}", count(held as u64, "expectation"), short(at))
        }
        (Stop::End, None) => format!("{name}: {} met", count(held as u64, "expectation")),
    }
}

fn write_story(out: &mut String, story: Story<'_>) -> std::fmt::Result {
    let Story { summary, lines, notes, refused, missed, stop, paint } = story;
    let wide = lines.iter().map(|line| line.time.len()).max().unwrap_or(0);
    for line in lines {
        if line.tone == Tone::Headline {
            writeln!(out)?;
        }
        let time = paint.dim(&format!("{:>wide$}", line.time));
        writeln!(out, "  {time}  {}", paint.tone(line.tone, &line.text))?;
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", paint.tone(Tone::Headline, &verdict(summary, stop)))?;
    writeln!(
        out,
        "  seed {}, digest {:016x}, {} events in {} of virtual time",
        summary.seed,
        summary.digest,
        summary.events,
        short(summary.now)
    )?;
    let (pods, nodes) = (&summary.pods, &summary.nodes);
    writeln!(out, "  nodes {} of {} ready", nodes.ready, nodes.total)?;
    write_costs(out, summary)?;
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
    write_expectations(out, &summary.expectations, paint)?;
    write_workloads(out, &summary.workloads, paint)?;
    write_services(out, summary, paint)?;
    for (message, count, name) in summary.unplaced.iter().take(MESSAGES_MAX) {
        let others = match count {
            1 => String::new(),
            _ => format!(" and {} more", count - 1),
        };
        writeln!(out, "\npending: {name}{others}\n  {message}")?;
    }
    for (step, why) in missed.iter().take(MESSAGES_MAX) {
        writeln!(out, "\nfailed, for a step did nothing: {step}\n  {why}")?;
    }
    if missed.len() > MESSAGES_MAX {
        writeln!(out, "  and {} more", missed.len() - MESSAGES_MAX)?;
    }
    for refusal in refused.iter().take(MESSAGES_MAX) {
        let place = refusal.source.to_string();
        let what = if place.is_empty() { refusal.object.to_string() } else { place };
        writeln!(out, "\nrefused: {what}\n  {}", refusal.status)?;
    }
    if refused.len() > MESSAGES_MAX {
        writeln!(out, "  and {} more", refused.len() - MESSAGES_MAX)?;
    }
    write_notes(out, notes)
}

/// Hundredths of something of which there are so many parts, rounded.
fn hundredths(parts: u64, whole: u64) -> String {
    let all = (parts * 100 + whole / 2) / whole;
    format!("{}.{:02}", all / 100, all % 100)
}

/// A price as it was written: as many decimals as it has, two at least.
fn price(millionths: u64) -> String {
    let all = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let kept = all.trim_end_matches('0').len().max(all.len() - 4);
    all[..kept].to_owned()
}

/// What the machines of node groups cost.
fn write_costs(out: &mut String, summary: &Summary) -> std::fmt::Result {
    for group in &summary.costs {
        let hours = hundredths(group.seconds, 3600);
        let (name, machines, lent) = (&group.name, group.machines, group.lent);
        write!(out, "  nodes of {name}: {machines} now, {lent} in all, {hours} node-hours")?;
        match group.price {
            Some(each) => {
                writeln!(out, " at {}: {}", price(each), hundredths(group.cost, 1_000_000))?
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn write_expectations(out: &mut String, rows: &[ExpectationRow], paint: Paint) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let wide = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).min(40);
    writeln!(out, "\n  EXPECTATIONS")?;
    for row in rows {
        let (mark, tone) = if row.passed { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        let (mark, name) = (paint.tone(tone, mark), &row.name);
        writeln!(out, "  {mark} {name:wide$}  {}", row.detail)?;
    }
    Ok(())
}

fn write_workloads(out: &mut String, rows: &[WorkloadRow], paint: Paint) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<(bool, &WorkloadRow)> =
        rows.iter().map(|row| (row.is_as_wanted(), row)).collect();
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
        let text = format!(
            "{:space$}  {:wide$}  {ready:5}  {:<10}  {}{mark}",
            row.namespace,
            name(row),
            row.updated,
            row.available
        );
        let tone = if *is_fine { Tone::Plain } else { Tone::Bad };
        writeln!(out, "  {}", paint.tone(tone, &text))?;
    }
    if sorted.len() > ROWS_MAX {
        writeln!(out, "  and {} more", sorted.len() - ROWS_MAX)?;
    }
    Ok(())
}

fn write_services(out: &mut String, summary: &Summary, paint: Paint) -> std::fmt::Result {
    if summary.services.is_empty() {
        return Ok(());
    }
    let name = |row: &ServiceRow| format!("{}/{}", row.namespace, row.name);
    let called: Vec<&ServiceRow> =
        summary.services.iter().filter(|row| row.requests.total > 0).collect();
    if !called.is_empty() {
        let shown = &called[..called.len().min(ROWS_MAX)];
        let wide = shown.iter().map(|row| name(row).len()).max().unwrap_or(0).max(7);
        writeln!(
            out,
            "\n  {:wide$}  {:>9}  {:>10}  {:>9}  {:>8}  {:>10}  {:>10}  {:>10}",
            "SERVICE", "ENDPOINTS", "REQUESTS", "ANSWERED", "ERRORS", "P50", "P95", "P99"
        )?;
        for row in shown {
            let [p50, p95, p99] =
                row.requests.latency_us.map(|it| it.map_or_else(|| "-".to_owned(), millis));
            let text = format!(
                "{:wide$}  {:>9}  {:>10}  {:>9}  {:>8}  {p50:>10}  {p95:>10}  {p99:>10}",
                name(row),
                row.endpoints,
                number(row.requests.total),
                share(row.requests.ok, row.requests.ok + row.requests.errors),
                number(row.requests.errors)
            );
            let tone = if row.requests.errors == 0 { Tone::Plain } else { Tone::Bad };
            writeln!(out, "  {}", paint.tone(tone, &text))?;
        }
        if called.len() > ROWS_MAX {
            writeln!(out, "  and {} more", called.len() - ROWS_MAX)?;
        }
    }
    let empty: Vec<String> =
        summary.services.iter().filter(|row| row.endpoints == 0).map(name).collect();
    let total = summary.services.len();
    write!(out, "\n  {} of {} endpoints", total - empty.len(), have(total))?;
    if !empty.is_empty() {
        let shown = empty[..empty.len().min(5)].join(", ");
        let more = if empty.len() > 5 { ", .." } else { "" };
        write!(out, "; none: {shown}{more}")?;
    }
    writeln!(out)
}

fn have(services: usize) -> String {
    if services == 1 { "1 service has".to_owned() } else { format!("{services} services have") }
}

/// A share in hundredths of a percent, rounded down: all but one is never all.
fn share(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_money_are_rounded_and_prices_are_not() {
        let hours: Vec<String> = [0, 18, 1820, 2400, 3600].map(|it| hundredths(it, 3600)).into();
        assert_eq!(hours, ["0.00", "0.01", "0.51", "0.67", "1.00"]);
        assert_eq!(hundredths(96_055, 1_000_000), "0.10");
        let prices: Vec<String> = [190_000, 41_600, 2_000_000, 1_234_567].map(price).into();
        assert_eq!(prices, ["0.19", "0.0416", "2.00", "1.234567"]);
    }
}
