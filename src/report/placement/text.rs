//! A schedule as people read it: where each pod goes, who waits and why, how full nodes get.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::words::count;
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::base::id::Id;
use crate::control_plane::scheduler::alone::{Fate, Outcome, Use};

/// Pods named where several share a message; more are counted.
const NAMES_MAX: usize = 6;

/// The schedule in full.
pub fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    placed(outcome, &mut out);
    pending(outcome, &mut out);
    others(outcome, &mut out);
    nodes(outcome, &mut out);
    out.push_str(&totals(outcome));
    out
}

/// Rows with columns as wide as they must be; numbers of columns from `right` on stand to the right.
pub(super) fn table(rows: &[Vec<String>], right: usize, out: &mut String) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            let width = widths[at];
            let _ = match at >= right {
                true => write!(line, "{gap}{cell:>width$}"),
                false => write!(line, "{gap}{cell:width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn placed(outcome: &Outcome, out: &mut String) {
    let bound = outcome.steps.iter().filter(|step| step.chosen.is_some());
    let mut rows = vec![vec!["POD".to_owned(), "NODE".to_owned(), "SCORE".to_owned()]];
    for step in bound {
        let Some(node) = step.chosen else { continue };
        let score = step.score().map_or(String::new(), |score| score.to_string());
        rows.push(vec![outcome.pod_name(step.pod), outcome.node_name(node), score]);
    }
    if rows.len() == 1 {
        return;
    }
    if rows[1..].iter().all(|row| row[2].is_empty()) {
        rows.iter_mut().for_each(|row| row.truncate(2));
    }
    table(&rows, 2, out);
    out.push('\n');
}

/// `a, b and 3 more`.
fn named(outcome: &Outcome, pods: &[Id<Pod>]) -> String {
    let shown: Vec<String> =
        pods.iter().take(NAMES_MAX).map(|pod| outcome.pod_name(*pod)).collect();
    match pods.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn of_fate(outcome: &Outcome, wanted: Fate) -> Vec<Id<Pod>> {
    outcome.fates().filter(|(_, fate)| *fate == wanted).map(|(pod, _)| pod).collect()
}

fn pending(outcome: &Outcome, out: &mut String) {
    let waiting = of_fate(outcome, Fate::Waiting);
    if waiting.is_empty() {
        return;
    }
    let mut last: BTreeMap<Id<Pod>, &str> = BTreeMap::new();
    for step in &outcome.steps {
        if let Some(message) = &step.failure {
            last.insert(step.pod, message);
        }
    }
    let mut groups: Vec<(&str, Vec<Id<Pod>>)> = Vec::new();
    for pod in &waiting {
        let message = last.get(pod).copied().unwrap_or("not tried");
        match groups.iter_mut().find(|(known, _)| *known == message) {
            Some((_, pods)) => pods.push(*pod),
            None => groups.push((message, vec![*pod])),
        }
    }
    groups.sort_by_key(|(_, pods)| std::cmp::Reverse(pods.len()));
    let _ = writeln!(out, "{} pending:", count(waiting.len() as u64, "pod"));
    for (message, pods) in groups {
        let _ = writeln!(out, "  {}  {message}\n      {}", pods.len(), named(outcome, &pods));
    }
    out.push('\n');
}

fn others(outcome: &Outcome, out: &mut String) {
    let gated = of_fate(outcome, Fate::Gated);
    if !gated.is_empty() {
        let pods = count(gated.len() as u64, "pod");
        let _ = writeln!(out, "{pods} held back by scheduling gates: {}\n", named(outcome, &gated));
    }
    let mut ignored: BTreeMap<&str, Vec<Id<Pod>>> = BTreeMap::new();
    for pod in of_fate(outcome, Fate::Ignored) {
        ignored.entry(&outcome.pods[pod.slot()].spec.scheduler_name).or_default().push(pod);
    }
    for (scheduler, pods) in ignored {
        let _ = writeln!(
            out,
            "{} left alone: no profile is called {scheduler:?}, so nobody looks at {}\n",
            count(pods.len() as u64, "pod"),
            named(outcome, &pods)
        );
    }
    for step in &outcome.steps {
        let Some(preempted) = &step.preempted else { continue };
        let _ = writeln!(
            out,
            "{} preempted on {} for {}: {}\n",
            count(preempted.victims.len() as u64, "pod"),
            outcome.node_name(preempted.node),
            outcome.pod_name(step.pod),
            named(outcome, &preempted.victims)
        );
    }
}

/// Thousandths of a core as cores.
fn cores(milli: i64) -> String {
    match (milli / 1000, milli % 1000) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

/// Bytes in the largest unit that leaves something before the point.
fn bytes(bytes: i64) -> String {
    let units = [("Ti", 1_i64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units.into_iter().find(|(_, size)| bytes.abs() >= *size) {
        None => bytes.to_string(),
        Some((unit, size)) => {
            let tenths = (i128::from(bytes) * 10 + i128::from(size) / 2) / i128::from(size);
            match tenths % 10 {
                0 => format!("{}{unit}", tenths / 10),
                rest => format!("{}.{rest}{unit}", tenths / 10),
            }
        }
    }
}

/// One resource: its name, how it is written, and how much of it there is.
struct Measured {
    title: String,
    amount: Box<dyn Fn(&Resources) -> i64>,
    written: fn(i64) -> String,
}

fn measured(outcome: &Outcome) -> Vec<Measured> {
    let mut list = vec![
        Measured { title: "CPU".to_owned(), amount: Box::new(|it| it.cpu_milli), written: cores },
        Measured { title: "MEMORY".to_owned(), amount: Box::new(|it| it.memory), written: bytes },
    ];
    let mut extended: Vec<&str> = Vec::new();
    for name in outcome.nodes.iter().flat_map(|node| node.allocatable.scalar.iter()) {
        if !extended.contains(&&*name.0) {
            extended.push(&name.0);
        }
    }
    extended.sort_unstable();
    for name in extended {
        let wanted = name.to_owned();
        let amount = Box::new(move |it: &Resources| it.scalar(&wanted));
        let written = if name.starts_with("hugepages-") { bytes } else { |n: i64| n.to_string() };
        list.push(Measured { title: name.to_owned(), amount, written });
    }
    list
}

fn percent(part: i64, whole: i64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{}%", i128::from(part) * 100 / i128::from(whole)),
    }
}

/// `before -> after of all` in four cells.
fn cells(before: i64, after: i64, all: i64, written: fn(i64) -> String) -> [String; 2] {
    let change = match before == after {
        true => written(after),
        false => format!("{} -> {}", written(before), written(after)),
    };
    [format!("{change} of {}", written(all)), percent(after, all)]
}

fn nodes(outcome: &Outcome, out: &mut String) {
    if outcome.nodes.is_empty() {
        return;
    }
    let list = measured(outcome);
    let mut head = vec!["NODE".to_owned(), "PODS".to_owned(), String::new()];
    for one in &list {
        head.extend([one.title.clone(), String::new()]);
    }
    let mut rows = vec![head];
    let mut sums = vec![[0_i64; 3]; list.len() + 1];
    for (slot, node) in outcome.nodes.iter().enumerate() {
        let (before, after) = (&outcome.before[slot], &outcome.after[slot]);
        let mut row = vec![node.meta.name.to_string()];
        let amounts = |used: &Use, one: &Measured| (one.amount)(&used.requested);
        let mut add = |at: usize, before: i64, after: i64, all: i64, written: fn(i64) -> String| {
            for (sum, value) in sums[at].iter_mut().zip([before, after, all]) {
                *sum = sum.saturating_add(value);
            }
            row.extend(cells(before, after, all, written));
        };
        add(0, before.pods, after.pods, node.allocatable.pods, |n| n.to_string());
        for (at, one) in list.iter().enumerate() {
            let all = (one.amount)(&node.allocatable);
            add(at + 1, amounts(before, one), amounts(after, one), all, one.written);
        }
        rows.push(row);
    }
    if outcome.nodes.len() > 1 {
        let mut row = vec!["all".to_owned()];
        row.extend(cells(sums[0][0], sums[0][1], sums[0][2], |n| n.to_string()));
        for (one, [before, after, all]) in list.iter().zip(&sums[1..]) {
            row.extend(cells(*before, *after, *all, one.written));
        }
        rows.push(row);
    }
    table(&rows, 1, out);
    out.push('\n');
}

/// How it went, in one line.
pub fn totals(outcome: &Outcome) -> String {
    let bound = outcome.fates.iter().filter(|fate| matches!(fate, Fate::Bound(_))).count();
    let stuck = |wanted: Fate| of_fate(outcome, wanted).len();
    let (waiting, gated) = (stuck(Fate::Waiting), stuck(Fate::Gated));
    let (ignored, gone) = (stuck(Fate::Ignored), stuck(Fate::Preempted));
    let arrived = bound + waiting + gated + ignored;
    let mut line = format!("{bound} of {} placed", count(arrived as u64, "pod"));
    for (number, what) in [
        (waiting, "pending"),
        (gated, "gated"),
        (ignored, "with an unknown scheduler"),
        (gone, "preempted"),
    ] {
        if number > 0 {
            let _ = write!(line, ", {number} {what}");
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_true() {
        assert_eq!([cores(0), cores(1500), cores(4000), cores(5)], ["0", "1.5", "4", "0.005"]);
        assert_eq!([bytes(0), bytes(1 << 30), bytes(1_610_612_736)], ["0", "1Gi", "1.5Gi"]);
        assert_eq!([bytes(512 << 20), bytes(1023)], ["512Mi", "1023"]);
    }
}
