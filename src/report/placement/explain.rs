//! Why each pod went where it did: every node's scores, or why it was rejected.

use std::fmt::Write;

use super::super::words::{clock, count};
use super::json::code;
use super::text::table;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Explanation, PodShape, Profile};
use crate::control_plane::scheduler::alone::{Fate, Outcome, Ties};
use crate::control_plane::scheduler::telling::{End, Telling};

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
        let names = |node| outcome.node_name(node);
        let preempts = step.preempted.as_ref().map(|it| {
            let victims = it.victims.iter().map(|pod| outcome.pod_name(*pod)).collect();
            (it.node, victims)
        });
        attempt(
            &Attempt {
                pod: outcome.pod_name(step.pod),
                number: step.attempt,
                shape: PodShape::of(&outcome.pods[step.pod.slot()]),
                profile: &outcome.profiles[step.profile],
                promised: step.nominated,
                hint: None,
                told: step.told.as_deref(),
                ties,
                chosen: step.chosen,
                failure: step.failure.as_deref(),
                preempts,
                names: &names,
            },
            &mut out,
        );
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

/// One decision of a run about `pod`, its `namespace/name`, that became fact number `fact`.
pub fn explain_telling(pod: &str, fact: u64, telling: &Telling) -> String {
    let names = |node: Id<Node>| match telling.names.get(&node) {
        Some(name) => name.to_string(),
        None => "a node that is gone".to_owned(),
    };
    let (chosen, failure, preempts) = match &telling.end {
        End::Node(node) => (Some(*node), None, None),
        End::Nowhere { message, preempts } => (None, Some(&**message), preempts.clone()),
    };
    let at = clock(telling.at);
    let mut out = format!("how the scheduler came to #{fact}, from what it knew at {at}\n\n");
    attempt(
        &Attempt {
            pod: pod.to_owned(),
            number: telling.attempt,
            shape: telling.shape.clone(),
            profile: &telling.profile,
            promised: telling.promised,
            hint: telling.hint,
            told: Some(&telling.told),
            ties: Ties::Real,
            chosen,
            failure,
            preempts,
            names: &names,
        },
        &mut out,
    );
    out
}

/// An attempt to place a pod.
struct Attempt<'a> {
    pod: String,
    number: u32,
    shape: PodShape,
    profile: &'a Profile,
    promised: Option<Id<Node>>,
    hint: Option<Id<Node>>,
    told: Option<&'a Explanation>,
    ties: Ties,
    chosen: Option<Id<Node>>,
    failure: Option<&'a str>,
    preempts: Option<(Id<Node>, Vec<String>)>,
    names: &'a dyn Fn(Id<Node>) -> String,
}

fn attempt(it: &Attempt<'_>, out: &mut String) {
    let title = match it.number {
        1 => it.pod.clone(),
        again => format!("{}, attempt {again}", it.pod),
    };
    let _ = match it.chosen {
        Some(node) => writeln!(out, "{title} -> {}", (it.names)(node)),
        None => writeln!(out, "{title}: pending"),
    };
    if let Some(node) = it.promised {
        let node = (it.names)(node);
        let _ = writeln!(out, "  room was made on {node}, which is tried before all others");
    }
    if let Some(node) = it.hint {
        let node = (it.names)(node);
        let _ = writeln!(
            out,
            "  {node} was the next best node for the pod before, which is like this one: tried before \
             all others"
        );
    }
    if let Some(told) = it.told {
        scores(it, told, out);
        winner(it, told, out);
        rejected(it, told, out);
    }
    if let Some(message) = it.failure {
        let _ = writeln!(out, "  {message}");
    }
    if let Some((node, victims)) = &it.preempts {
        let _ = writeln!(out, "  preempts on {}: {}", (it.names)(*node), victims.join(", "));
    }
    out.push('\n');
}

fn indent(text: &str, out: &mut String) {
    for line in text.lines() {
        let _ = writeln!(out, "  {line}");
    }
}

/// Feasible nodes, the best first: what each plugin said, raw and normalised, times its weight.
fn scores(it: &Attempt<'_>, told: &Explanation, out: &mut String) {
    if told.totals.is_empty() {
        return;
    }
    let mut head = vec!["NODE".to_owned(), "TOTAL".to_owned()];
    for one in &told.scores {
        head.push(format!("{} x{}", one.plugin.name(), it.profile.weight(one.plugin)));
    }
    let mut order: Vec<usize> = (0..told.feasible.len()).collect();
    order.sort_by_key(|at| (Some(told.feasible[*at]) != it.chosen, -told.totals[*at]));
    let mut rows = vec![head];
    for at in order {
        let mut row = vec![(it.names)(told.feasible[at]), told.totals[at].to_string()];
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

fn winner(it: &Attempt<'_>, told: &Explanation, out: &mut String) {
    let Some(chosen) = it.chosen else { return };
    let node = (it.names)(chosen);
    let best: Vec<Id<Node>> = told.best().collect();
    if told.totals.is_empty() {
        if it.hint != Some(chosen) {
            let _ = writeln!(out, "  {node} is the only feasible node: nothing is scored");
        }
        return;
    }
    let total = told.totals.iter().max().copied().unwrap_or(0);
    if best.len() == 1 {
        let _ = writeln!(out, "  {node} has the best total, {total}");
        return;
    }
    let mut names: Vec<String> = best.iter().map(|id| (it.names)(*id)).collect();
    names.sort();
    let why = match it.ties {
        Ties::Real => "is on top of the scheduler's heap of nodes",
        Ties::SmallestName => "has the smallest name",
    };
    let _ = writeln!(out, "  best total {total}: {}; {node} {why}", names.join(", "));
}

fn rejected(it: &Attempt<'_>, told: &Explanation, out: &mut String) {
    if told.rejected.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {} rejected:", count(told.rejected.len() as u64, "node"));
    let mut rows: Vec<Vec<String>> = told
        .rejected
        .iter()
        .map(|(node, rejection)| {
            let reasons: Vec<String> =
                rejection.reasons(&it.shape).iter().map(ToString::to_string).collect();
            vec![
                (it.names)(*node),
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
