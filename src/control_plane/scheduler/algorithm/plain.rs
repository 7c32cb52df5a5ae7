//! The algorithm step by step, every score told: for people, for tests, and as the measure of
//! [`super::fast`].

use super::diagnosis::Diagnosis;
use super::framework::{
    CycleState, Plugin, PluginScores, PreFilter, Question, Rejection, pre_filter, score,
};
use super::node_info::NodeInfo;
use super::nominations::filter_beside_nominees;
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
    /// What each plugin says of the feasible nodes. Plugins that have nothing to say are absent;
    /// with fewer than two feasible nodes nothing is scored.
    pub scores: Vec<PluginScores>,
    /// Weighted sums, in the order of `feasible`.
    pub totals: Vec<i64>,
    /// The node chosen.
    pub chosen: Option<Id<Node>>,
    /// Why none was, otherwise.
    pub diagnosis: Diagnosis,
    /// Where the next search starts.
    pub next_start: usize,
}

impl Explanation {
    /// The nodes of the best total, in the order they were looked at; a lone one is the best.
    pub fn best(&self) -> impl Iterator<Item = Id<Node>> + '_ {
        let most = self.totals.iter().copied().max();
        let is_best = move |at: usize| self.totals.get(at).copied() == most;
        (0..self.feasible.len()).filter(move |at| is_best(*at)).map(|at| self.feasible[at])
    }

    /// The nodes that were scored with their totals, in the order they were looked at.
    pub fn scored(&self) -> impl Iterator<Item = (i64, Id<Node>)> + '_ {
        self.totals.iter().copied().zip(self.feasible.iter().copied())
    }
}

/// Decides as kube-scheduler 1.36 does (`schedulePod`), from the node at place `start` of the order
/// on, under `profile`.
pub fn explain(
    snapshot: &Snapshot,
    pod: &PodShape,
    start: usize,
    profile: &Profile,
) -> Explanation {
    explain_first(Question { profile, snapshot, pod }, start, None)
}

/// The same for a pod that was promised the node `first`, or has a hint to it: that one is tried
/// alone before all others, and taken if it will do.
pub fn explain_first(q: Question<'_>, start: usize, first: Option<Id<Node>>) -> Explanation {
    let snapshot = q.snapshot;
    let mut answer = Explanation { next_start: start, ..Explanation::default() };
    answer.diagnosis.nodes = snapshot.len();
    if snapshot.is_empty() {
        return answer;
    }
    find(q, start, first, &mut answer);
    match answer.feasible.len() {
        0 => {
            answer.diagnosis.rejected = answer.rejected.iter().copied().collect();
            return answer;
        }
        1 => answer.chosen = Some(answer.feasible[0]),
        _ => score_all(q, &mut answer),
    }
    answer.diagnosis = Diagnosis { nodes: snapshot.len(), ..Diagnosis::default() };
    answer
}

/// Runs the filters over the nodes (`findNodesThatFitPod`).
fn find(q: Question<'_>, start: usize, first: Option<Id<Node>>, answer: &mut Explanation) {
    let all: Vec<&NodeInfo> = q.snapshot.nodes().collect();
    let (narrowed, state) = pre_filter(q);
    let nodes = match narrowed {
        PreFilter::All => all.clone(),
        PreFilter::Only(names, plugins) => {
            answer.diagnosis.narrowed_by = plugins;
            let named = |name| all.iter().copied().find(|node| node.written_name() == name);
            names.iter().filter_map(|name| named(&**name)).collect()
        }
        PreFilter::Refused(refusal) => {
            answer.diagnosis.refused = Some(refusal);
            return;
        }
    };
    let first = first.and_then(|id| q.snapshot.node(id));
    let rejection = first.map(|node| (node.id, filter_beside_nominees(q, &state, node)));
    if let Some((id, None)) = rejection {
        answer.feasible.push(id);
        return;
    }
    look_at(q, &state, &nodes, start, answer);
    if let Some((id, Some(rejection))) = rejection
        && !answer.rejected.iter().any(|(known, _)| *known == id)
    {
        // It was looked at all the same.
        answer.rejected.push((id, rejection));
    }
    let processed = answer.feasible.len() + answer.rejected.len();
    answer.next_start = (start + processed) % all.len();
}

/// Looks at nodes from place `start` on until enough are found (`findNodesThatPassFilters`).
fn look_at(
    q: Question<'_>,
    state: &CycleState,
    nodes: &[&NodeInfo],
    start: usize,
    answer: &mut Explanation,
) {
    let wanted = feasible_to_find(q.profile.percentage, nodes.len());
    for step in 0..nodes.len() {
        let node = nodes[(start + step) % nodes.len()];
        match filter_beside_nominees(q, state, node) {
            Some(rejection) => answer.rejected.push((node.id, rejection)),
            None if answer.feasible.len() == wanted => break,
            None => answer.feasible.push(node.id),
        }
    }
}

/// Runs the scores over the feasible nodes and takes the best (`prioritizeNodes`, `selectHost`).
fn score_all(q: Question<'_>, answer: &mut Explanation) {
    let nodes: Vec<&NodeInfo> =
        answer.feasible.iter().filter_map(|&id| q.snapshot.node(id)).collect();
    answer.totals = vec![0; nodes.len()];
    for plugin in Plugin::SCORING {
        let Some(scores) = score(q, plugin, &nodes) else { continue };
        for (total, score) in answer.totals.iter_mut().zip(&scores.normalized) {
            *total += q.profile.weight(plugin) * score;
        }
        answer.scores.push(scores);
    }
    let best = (0..nodes.len()).min_by_key(|&at| (-answer.totals[at], heap_rank(at)));
    answer.chosen = best.map(|at| nodes[at].id);
}
