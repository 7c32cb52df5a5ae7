//! Why each pod went where it did: every node's scores, or why it was rejected.

use std::fmt::Write;

use super::super::words::count;
use super::json::code;
use super::text::table;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Explanation, PodShape};
use crate::control_plane::scheduler::alone::{Fate, Outcome, Step, Ties};

/// The attempts of one pod, or of all; nothing where there is no such pod. A pod is meant by
/// `namespace/name`, or by its name alone.
pub fn explain(outcome: &Outcome, ties: Ties, pod: Option<&str>) -> Option<String> {
    let is_meant = |id: Id<Pod>| {
        let Some(wanted) = pod else { return true };
        let name = outcome.pod_name(id);
        name == wanted || name.split_once('/').is_some_and(|(_, name)| name == wanted)
    };
    let mut out = String::new();
    for step in outcome.steps.iter().filter(|step| is_meant(step.pod)) {
        attempt(outcome, step, ties, &mut out);
    }
    for (id, fate) in outcome.fates().filter(|(id, _)| is_meant(*id)) {
        let name = outcome.pod_name(id);
        let _ = match fate {
            Fate::Gated => writeln!(out, "{name}: not tried, its scheduling gates hold it back\n"),
            Fate::Ignored => writeln!(
                out,
                "{name}: not tried, nobody is called {:?}\n",
                outcome.pods[id.slot()].spec.scheduler_name
            ),
            Fate::There(node) if pod.is_some() => {
                writeln!(out, "{name}: ran on {} from the start\n", outcome.node_name(node))
            }
            _ => Ok(()),
        };
    }
    (!out.is_empty() || pod.is_none()).then_some(out)
}

fn attempt(outcome: &Outcome, step: &Step, ties: Ties, out: &mut String) {
    let name = outcome.pod_name(step.pod);
    let title = match step.attempt {
        1 => name,
        again => format!("{name}, attempt {again}"),
    };
    let _ = match step.chosen {
        Some(node) => writeln!(out, "{title} -> {}", outcome.node_name(node)),
        None => writeln!(out, "{title}: pending"),
    };
    if let Some(node) = step.nominated {
        let node = outcome.node_name(node);
        let _ = writeln!(out, "  room was made on {node}, which is tried before all others");
    }
    if let Some(told) = step.told.as_deref() {
        scores(outcome, step, told, out);
        winner(outcome, step, told, ties, out);
        rejected(outcome, step, told, out);
    }
    if let Some(message) = &step.failure {
        let _ = writeln!(out, "  {message}");
    }
    if let Some(preempted) = &step.preempted {
        let victims: Vec<String> =
            preempted.victims.iter().map(|pod| outcome.pod_name(*pod)).collect();
        let node = outcome.node_name(preempted.node);
        let _ = writeln!(out, "  preempts on {node}: {}", victims.join(", "));
    }
    out.push('\n');
}

fn indent(text: &str, out: &mut String) {
    for line in text.lines() {
        let _ = writeln!(out, "  {line}");
    }
}

/// Feasible nodes, the best first: what each plugin said, raw and normalised, times its weight.
fn scores(outcome: &Outcome, step: &Step, told: &Explanation, out: &mut String) {
    if told.totals.is_empty() {
        return;
    }
    let profile = &outcome.profiles[step.profile];
    let mut head = vec!["NODE".to_owned(), "TOTAL".to_owned()];
    for one in &told.scores {
        head.push(format!("{} x{}", one.plugin.name(), profile.weight(one.plugin)));
    }
    let mut order: Vec<usize> = (0..told.feasible.len()).collect();
    order.sort_by_key(|at| (Some(told.feasible[*at]) != step.chosen, -told.totals[*at]));
    let mut rows = vec![head];
    for at in order {
        let mut row = vec![outcome.node_name(told.feasible[at]), told.totals[at].to_string()];
        for one in &told.scores {
            row.push(match one.raw[at] == one.normalized[at] {
                true => one.raw[at].to_string(),
                false => format!("{} (raw {})", one.normalized[at], one.raw[at]),
            });
        }
        rows.push(row);
    }
    let mut text = String::new();
    table(&rows, 1, &mut text);
    indent(&text, out);
}

fn winner(outcome: &Outcome, step: &Step, told: &Explanation, ties: Ties, out: &mut String) {
    let Some(chosen) = step.chosen else { return };
    let node = outcome.node_name(chosen);
    let best: Vec<Id<Node>> = told.best().collect();
    if told.totals.is_empty() {
        let _ = writeln!(out, "  {node} is the only feasible node: nothing is scored");
        return;
    }
    let total = told.totals.iter().max().copied().unwrap_or(0);
    if best.len() == 1 {
        let _ = writeln!(out, "  {node} has the best total, {total}");
        return;
    }
    let mut names: Vec<String> = best.iter().map(|id| outcome.node_name(*id)).collect();
    names.sort();
    let why = match ties {
        Ties::Real => "is on top of the scheduler's heap of nodes",
        Ties::SmallestName => "has the smallest name",
    };
    let _ = writeln!(out, "  best total {total}: {}; {node} {why}", names.join(", "));
}

fn rejected(outcome: &Outcome, step: &Step, told: &Explanation, out: &mut String) {
    if told.rejected.is_empty() {
        return;
    }
    let shape = PodShape::of(&outcome.pods[step.pod.slot()]);
    let _ = writeln!(out, "  {} rejected:", count(told.rejected.len() as u64, "node"));
    let mut rows: Vec<Vec<String>> = told
        .rejected
        .iter()
        .map(|(node, rejection)| {
            let reasons: Vec<String> =
                rejection.reasons(&shape).iter().map(ToString::to_string).collect();
            vec![
                outcome.node_name(*node),
                rejection.plugin.name().to_owned(),
                reasons.join(", "),
                format!("({})", code(rejection.code)),
            ]
        })
        .collect();
    rows.sort();
    let mut text = String::new();
    table(&rows, usize::MAX, &mut text);
    indent(&text, out);
}
