//! Constraints that must hold: counts of pods by value of the label, and the smallest of them
//! (`plugins/podtopologyspread/filtering.go`, 1.36).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::super::framework::{Code, Plugin, Question, Rejection};
use super::super::super::node_info::NodeInfo;
use super::super::super::shape::PodShape;
use super::{Constraint, constraints, has_all_keys};
use crate::api::name::Text;
use crate::api::rules::spread::WhenUnsatisfiable;

/// Its words where a node would get too many.
pub const REASON: &str = "node(s) didn't match pod topology spread constraints";
/// Its words for a node without the label.
pub const REASON_NO_LABEL: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";
/// [`Rejection::detail`] of the latter.
const NO_LABEL: u64 = 1;

/// A node would get too many.
pub const TOO_MANY: Rejection = Rejection::of(Plugin::PodTopologySpread, Code::Unschedulable);
/// A node has not the label.
pub const UNLABELED: Rejection = Rejection {
    plugin: Plugin::PodTopologySpread,
    code: Code::UnschedulableAndUnresolvable,
    detail: NO_LABEL,
};

/// What PreFilter worked out.
#[derive(Clone, Debug)]
pub struct State {
    constraints: Arc<[Constraint]>,
    /// By constraint.
    domains: Vec<Domains>,
}

/// Counts of one constraint.
#[derive(Clone, Debug, Default)]
struct Domains {
    /// Pods by value of the label.
    counts: BTreeMap<Text, i64>,
    lowest: Lowest,
}

/// The values with the smallest counts, smallest first. Two are enough, since in thought pods come
/// and go on one node at a time, and so one value changes while the other stands.
#[derive(Clone, Debug, Default)]
struct Lowest([Option<(Text, i64)>; 2]);

impl Lowest {
    /// The smallest count; none if there is no value.
    fn count(&self) -> Option<i64> {
        self.0[0].as_ref().map(|(_, count)| *count)
    }

    /// The count of a value is another now.
    fn update(&mut self, value: &Text, count: i64) {
        let is = |held: &Option<(Text, i64)>| held.as_ref().is_some_and(|(it, _)| it == value);
        let above = |held: &Option<(Text, i64)>| held.as_ref().is_none_or(|(_, it)| count < *it);
        let fresh = Some((value.clone(), count));
        match self.0.iter().position(is) {
            Some(at) => {
                self.0[at] = fresh;
                let [first, second] = &self.0;
                if let (Some((_, first)), Some((_, second))) = (first, second)
                    && first > second
                {
                    self.0.swap(0, 1);
                }
            }
            None if above(&self.0[0]) => {
                self.0[1] = self.0[0].take();
                self.0[0] = fresh;
            }
            None if above(&self.0[1]) => self.0[1] = fresh,
            None => {}
        }
    }
}

/// Counts pods on all nodes; `None` where no constraint must hold.
pub fn pre_filter(q: Question<'_>) -> Option<State> {
    let constraints: Arc<[Constraint]> = constraints(q, WhenUnsatisfiable::DoNotSchedule).into();
    if constraints.is_empty() {
        return None;
    }
    let mut domains = vec![Domains::default(); constraints.len()];
    for node in q.snapshot.nodes().filter(|node| has_all_keys(node, &constraints)) {
        for (constraint, domains) in constraints.iter().zip(&mut domains) {
            if let Some(value) = node.labels.get(&constraint.key)
                && constraint.includes(q, node)
            {
                *domains.counts.entry(value.clone()).or_default() += constraint.count(q, node);
            }
        }
    }
    for Domains { counts, lowest } in &mut domains {
        counts.iter().for_each(|(value, count)| lowest.update(value, *count));
    }
    Some(State { constraints, domains })
}

impl State {
    /// `pod` comes to the node in thought (`delta` 1), or goes from it (-1). Pods on their way out
    /// are not told apart here, as upstream does not.
    pub fn update(&mut self, q: Question<'_>, node: &NodeInfo, pod: &PodShape, delta: i64) {
        if pod.namespace() != q.pod.namespace() || !has_all_keys(node, &self.constraints) {
            return;
        }
        for (constraint, domains) in self.constraints.iter().zip(&mut self.domains) {
            let Some(value) = node.labels.get(&constraint.key) else { continue };
            if constraint.selects(pod.labels()) && constraint.includes(q, node) {
                let count = domains.counts.entry(value.clone()).or_default();
                *count += delta;
                domains.lowest.update(value, *count);
            }
        }
    }

    /// Rejects nodes on which the pod would make the skew too large.
    pub fn filter(&self, q: Question<'_>, node: &NodeInfo) -> Option<Rejection> {
        for (constraint, domains) in self.constraints.iter().zip(&self.domains) {
            let Some(value) = node.labels.get(&constraint.key) else {
                return Some(UNLABELED);
            };
            let too_few = domains.counts.len() < constraint.min_domains;
            let lowest = if too_few { 0 } else { domains.lowest.count().unwrap_or(i64::MAX) };
            let own = i64::from(constraint.selects(q.pod.labels()));
            let here = domains.counts.get(value).copied().unwrap_or(0);
            if (here + own).saturating_sub(lowest) > constraint.max_skew {
                return Some(TOO_MANY);
            }
        }
        None
    }
}

/// The words of a rejection.
pub fn reason(detail: u64) -> &'static str {
    if detail == NO_LABEL { REASON_NO_LABEL } else { REASON }
}
