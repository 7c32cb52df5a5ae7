//! The algorithm step by step, every score told: for people, for tests, and as the measure of
//! [`super::fast`].

use super::diagnosis::Diagnosis;
use super::framework::{
    MAX_SCORE, Order, Plugin, PreFilter, Rejection, filter, normalization, normalized, pre_filter,
    pre_score, score,
};
use super::node_info::NodeInfo;
use super::profile::Profile;
use super::shape::PodShape;
use super::snapshot::Snapshot;
use super::{feasible_to_find, heap_rank};
use crate::api::node::Node;
use crate::base::id::Id;

/// A decision, with everything that led to it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Explanation {
    /// The nodes that passed all filters, in the order they were looked at.
    pub feasible: Vec<Id<Node>>,
    /// The nodes that did not, with the first rejection.
    pub rejected: Vec<(Id<Node>, Rejection)>,
    /// Normalised scores (before the weight) by plugin, in the order of `feasible`. Plugins that
    /// have nothing to say are absent; with fewer than two feasible nodes nothing is scored.
    pub scores: Vec<(Plugin, Vec<i64>)>,
    /// Weighted sums, in the order of `feasible`.
    pub totals: Vec<i64>,
    /// The node chosen.
    pub chosen: Option<Id<Node>>,
    /// Why none was, otherwise.
    pub diagnosis: Diagnosis,
    /// Where the next search starts.
    pub next_start: usize,
}

/// Decides as kube-scheduler 1.36 does (`schedulePod`), from the node at place `start` of the order
/// on, under `profile`.
pub fn explain(
    snapshot: &Snapshot,
    pod: &PodShape,
    start: usize,
    profile: &Profile,
) -> Explanation {
    let mut answer = Explanation { next_start: start, ..Explanation::default() };
    answer.diagnosis.nodes = snapshot.len();
    if snapshot.is_empty() {
        return answer;
    }
    find(snapshot, pod, start, profile, &mut answer);
    let nodes = |answer: &Explanation| -> Vec<NodeInfo> {
        let known = answer.feasible.iter().filter_map(|&id| snapshot.node(id));
        known.cloned().collect()
    };
    match answer.feasible.len() {
        0 => return answer,
        1 => answer.chosen = Some(answer.feasible[0]),
        _ => score_all(profile, &nodes(&answer), pod, snapshot.len(), &mut answer),
    }
    answer.diagnosis = Diagnosis { nodes: snapshot.len(), ..Diagnosis::default() };
    answer
}

fn find(
    snapshot: &Snapshot,
    pod: &PodShape,
    start: usize,
    profile: &Profile,
    answer: &mut Explanation,
) {
    let all: Vec<&NodeInfo> = snapshot.nodes().collect();
    let nodes = match pre_filter(profile, pod) {
        PreFilter::All => all.clone(),
        PreFilter::Only(names) => {
            answer.diagnosis.narrowed_by.insert(Plugin::NodeAffinity);
            let named = |name| all.iter().copied().find(|node| node.written_name() == name);
            names.iter().filter_map(|name| named(&**name)).collect()
        }
        PreFilter::Refused(plugin, words) => {
            answer.diagnosis.refused = Some((plugin, words));
            return;
        }
    };
    let wanted = feasible_to_find(profile.percentage, nodes.len());
    for step in 0..nodes.len() {
        let node = nodes[(start + step) % nodes.len()];
        match filter(profile, pod, node) {
            Some(rejection) => {
                answer.rejected.push((node.id, rejection));
                answer.diagnosis.count(rejection);
            }
            None if answer.feasible.len() == wanted => break,
            None => answer.feasible.push(node.id),
        }
    }
    let processed = answer.feasible.len() + answer.rejected.len();
    answer.next_start = (start + processed) % all.len();
}

fn score_all(
    profile: &Profile,
    nodes: &[NodeInfo],
    pod: &PodShape,
    all: usize,
    answer: &mut Explanation,
) {
    answer.totals = vec![0; nodes.len()];
    for plugin in Plugin::SCORING {
        if !pre_score(profile, plugin, pod) {
            continue;
        }
        let mut scores: Vec<i64> =
            nodes.iter().map(|node| score(profile, plugin, pod, node, all)).collect();
        if let Some(order) = normalization(plugin) {
            let max = scores.iter().copied().max().unwrap_or(0);
            for score in &mut scores {
                *score = normalized(*score, max, order);
            }
            debug_assert!(order == Order::Ascending || scores.contains(&MAX_SCORE) || max > 0);
        }
        for (total, score) in answer.totals.iter_mut().zip(&scores) {
            *total += profile.weight(plugin) * score;
        }
        answer.scores.push((plugin, scores));
    }
    let best = (0..nodes.len()).min_by_key(|&at| (-answer.totals[at], heap_rank(at)));
    answer.chosen = best.map(|at| nodes[at].id);
}
