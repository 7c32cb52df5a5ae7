//! The causes behind a fact, from the first to the last.
//!
//! Facts that tell nothing new are left out: a component that works off a list names each item as the
//! cause of the next, and a batch of changes wakes a controller under the first of them. So between two
//! pods only what makes one follow from the other counts, and statuses are passed over.

use super::row::Row;
use crate::report::words::clock;

/// Facts walked back at most.
const WALK_MAX: usize = 200;
/// Facts shown of one chain; the middle of a longer one is left out.
const SHOWN_MAX: usize = 12;

/// The chain of causes that ends in fact `of`, as lines; `fact` looks a fact up by its number.
pub fn chain(of: u64, fact: &dyn Fn(u64) -> Option<Row>) -> String {
    let rows = causes(of, fact);
    written(&rows, "")
}

/// The facts that led to `of`, first to last, itself included.
pub(super) fn causes(of: u64, fact: &dyn Fn(u64) -> Option<Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut next = Some(of);
    for _ in 0..WALK_MAX {
        let Some(row) = next.and_then(fact) else { break };
        next = row.cause;
        match rows.last() {
            Some(follower) if !tells(&row, follower) => {}
            _ => rows.push(row),
        }
    }
    rows.reverse();
    rows
}

/// The step of the timeline that struck an object before a fact about it that nothing leads to: a silence
/// leaves no fact of its own.
pub(super) fn step_before<'a>(steps: &'a [Row], row: &Row) -> Option<&'a Row> {
    let is_root = row.cause.is_none() && row.verb != "step";
    let struck = |step: &&Row| step.object == row.object && step.id < row.id;
    steps.iter().rev().filter(|_| is_root).find(struck)
}

/// Whether `row` says why `follower` came about.
fn tells(row: &Row, follower: &Row) -> bool {
    if row.object == follower.object {
        // What a pod goes through step by step is its life, not a reason.
        return row.verb != "status" && row.verb != follower.verb;
    }
    let is_end =
        ["evicted", "preempted", "deleting", "deleted", "finished", "exited"].contains(&&*row.verb);
    match (row.kind(), follower.kind()) {
        ("Pod", "Pod") if follower.verb == "preempted" => row.verb == "nominated",
        ("Pod", "Pod") => is_end && follower.verb == "created",
        ("Pod", "ReplicaSet" | "Deployment" | "Service" | "EndpointSlice") => {
            follower.verb != "created" && follower.verb != "scaled"
        }
        (_, "Pod") if row.verb == "status" => false,
        ("Deployment", "Deployment") | ("Service", "Service") => false,
        ("EndpointSlice", _) | ("Lease", _) => follower.kind() == "Client",
        (_, _) => row.verb != "status",
    }
}

/// Lines of a chain, each a step further in.
pub(super) fn written(rows: &[Row], margin: &str) -> String {
    let mut out = String::new();
    let skip = rows.len().saturating_sub(SHOWN_MAX);
    for (at, row) in rows.iter().enumerate() {
        if skip > 0 && at > 1 && at < 2 + skip {
            if at == 2 {
                out += &format!("{margin}             {} more ..\n", skip);
            }
            continue;
        }
        let depth = if skip > 0 && at > 1 { at - skip } else { at };
        let arrow = if depth == 0 { String::new() } else { "   ".repeat(depth - 1) + "└─ " };
        let text = row.sentence(&row.name());
        out += &format!("{margin}{:>10}  {arrow}{text}  #{}\n", clock(row.at), row.id);
    }
    out
}
