//! How many more copies of a pod fit, told.

use std::fmt::Write;

use super::text::table;
use crate::control_plane::scheduler::alone::{Capacity, Outcome, Stop};
use crate::record::Json;

/// Why no more copies fit.
fn why(capacity: &Capacity) -> String {
    match &capacity.stop {
        Stop::Full(words) => words.to_string(),
        Stop::Gated => "its scheduling gates hold it back".to_owned(),
        Stop::Ignored => "no profile has the name of its scheduler".to_owned(),
        Stop::Limit => "the limit is reached: more may fit".to_owned(),
    }
}

/// Copies of the pod of this name, as text.
pub fn capacity_text(outcome: &Outcome, pod: &str, capacity: &Capacity) -> String {
    let mut out = String::new();
    let copies = match capacity.copies {
        1 => "1 more copy".to_owned(),
        number => format!("{number} more copies"),
    };
    let fit = if capacity.copies == 1 { "fits" } else { "fit" };
    let _ = writeln!(out, "{copies} of {pod} {fit}; then: {}", why(capacity));
    let mut rows = vec![vec!["NODE".to_owned(), "COPIES".to_owned()]];
    for (node, number) in &capacity.on {
        rows.push(vec![outcome.node_name(*node), number.to_string()]);
    }
    if rows.len() > 1 {
        table(&rows, 1, &mut out);
    }
    out
}

/// The same as JSON.
pub fn capacity_json(outcome: &Outcome, pod: &str, capacity: &Capacity) -> Json {
    let on = capacity.on.iter();
    let on = on.map(|(node, number)| (outcome.node_name(*node), Json::count(*number)));
    let stop = match capacity.stop {
        Stop::Full(_) => "Unschedulable",
        Stop::Gated => "SchedulingGated",
        Stop::Ignored => "UnknownScheduler",
        Stop::Limit => "LimitReached",
    };
    Json::map([
        ("pod", Json::text(pod)),
        ("copies", Json::count(capacity.copies)),
        ("nodes", Json::Map(on.collect())),
        ("stop_reason", Json::text(stop)),
        ("stop_message", Json::text(why(capacity))),
    ])
}
