//! Constraints that are wishes: the fewer pods of their kind nodes near by have, the better
//! (`plugins/podtopologyspread/scoring.go`, 1.36). Floats as upstream, rounded to whole numbers.

use std::collections::BTreeMap;

use super::super::super::framework::{MAX_SCORE, Plugin, PluginScores, Question};
use super::super::super::node_info::NodeInfo;
use super::super::super::profile::SpreadDefaults;
use super::{Constraint, HOSTNAME, constraints, has_all_keys};
use crate::api::rules::spread::WhenUnsatisfiable;

/// Whether a node needs the labels of all constraints to be scored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Keys {
    /// All of them.
    #[default]
    All,
    /// Under Kubernetes' own defaults a node without a zone is still spread by host name.
    Any,
}

impl Keys {
    /// What the pod's constraints, its own or the profile's, need.
    pub fn of(q: Question<'_>) -> Keys {
        let own = !q.pod.spec().spread.is_empty();
        match own || q.profile.spread != SpreadDefaults::System {
            true => Keys::All,
            false => Keys::Any,
        }
    }
}

/// What each pod counts for where the candidates have so many values of the label
/// (`topologyNormalizingWeight`).
pub fn weight(values: usize) -> f64 {
    libm::log((values + 2) as f64)
}

/// What `count` pods come to under one constraint (`scoreForCount`).
pub fn worth(count: i64, max_skew: i64, weight: f64) -> f64 {
    count as f64 * weight + (max_skew - 1) as f64
}

/// The share of a raw score where the counting ones lie between `min` and `max`, none below 0.
pub fn share(score: i64, min: i64, max: i64) -> i64 {
    if max == 0 { MAX_SCORE } else { MAX_SCORE * (max + min - score) / max }
}

/// One constraint with its counts.
struct Counted<'n> {
    constraint: Constraint,
    /// Pods by value of the label, of the values candidates have; none for host names, which are
    /// counted where they are scored. Nodes without the label count as one value.
    pods: BTreeMap<&'n str, i64>,
    /// So much the more a label with many values weighs.
    weight: f64,
}

/// The scores of the feasible nodes; `None` where the pod has no wishes.
pub fn score(q: Question<'_>, nodes: &[&NodeInfo]) -> Option<PluginScores> {
    let constraints = constraints(q, WhenUnsatisfiable::ScheduleAnyway);
    if constraints.is_empty() {
        return None;
    }
    let keys = Keys::of(q);
    let left_out: Vec<bool> =
        nodes.iter().map(|node| keys == Keys::All && !has_all_keys(node, &constraints)).collect();
    let counted = count(q, constraints, nodes, &left_out, keys);
    let raw: Vec<i64> = nodes
        .iter()
        .zip(&left_out)
        .map(|(node, left_out)| if *left_out { 0 } else { raw(q, &counted, node) })
        .collect();
    let normalized = normalize(&raw, &left_out);
    Some(PluginScores { plugin: Plugin::PodTopologySpread, raw, normalized })
}

/// Counts the pods of all nodes by the values that candidates have.
fn count<'n>(
    q: Question<'n>,
    constraints: Vec<Constraint>,
    nodes: &[&'n NodeInfo],
    left_out: &[bool],
    keys: Keys,
) -> Vec<Counted<'n>> {
    let candidates: Vec<&NodeInfo> =
        nodes.iter().zip(left_out).filter(|(_, out)| !**out).map(|(node, _)| *node).collect();
    let counts_everywhere: Vec<&NodeInfo> = q
        .snapshot
        .nodes()
        .filter(|node| keys == Keys::Any || has_all_keys(node, &constraints))
        .collect();
    let counted = |constraint: Constraint| {
        let mut pods: BTreeMap<&str, i64> = BTreeMap::new();
        let mut size = candidates.len();
        if &*constraint.key != HOSTNAME {
            pods.extend(candidates.iter().map(|node| (value(node, &constraint), 0)));
            size = pods.len();
            for node in &counts_everywhere {
                if let Some(pods) = pods.get_mut(value(node, &constraint))
                    && constraint.includes(q, node)
                {
                    *pods += constraint.count(q, node);
                }
            }
        }
        Counted { constraint, pods, weight: weight(size) }
    };
    constraints.into_iter().map(counted).collect()
}

/// The node's value of the label, empty if it has none.
fn value<'n>(node: &'n NodeInfo, constraint: &Constraint) -> &'n str {
    node.labels.get(&constraint.key).map_or("", AsRef::as_ref)
}

fn raw(q: Question<'_>, counted: &[Counted<'_>], node: &NodeInfo) -> i64 {
    let mut score = 0.0;
    for Counted { constraint, pods, weight } in counted {
        let Some(value) = node.labels.get(&constraint.key) else { continue };
        let count = match &*constraint.key {
            HOSTNAME => constraint.count(q, node),
            _ => pods.get(&**value).copied().unwrap_or(0),
        };
        score += worth(count, constraint.max_skew, *weight);
    }
    score.round() as i64
}

/// The fewest pods make the best score.
fn normalize(raw: &[i64], left_out: &[bool]) -> Vec<i64> {
    let counting = raw.iter().zip(left_out).filter(|(_, out)| !**out).map(|(score, _)| *score);
    let max = counting.clone().max().unwrap_or(0).max(0);
    let min = counting.min().unwrap_or(0);
    let normalized = |(score, out): (&i64, &bool)| if *out { 0 } else { share(*score, min, max) };
    raw.iter().zip(left_out).map(normalized).collect()
}
