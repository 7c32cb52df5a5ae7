//! Required terms, the pod's own and those of pods that are there: counts by label of nodes and its
//! value (`plugins/interpodaffinity/filtering.go`, 1.36).

use std::collections::BTreeMap;

use super::super::super::framework::{Code, Plugin, Question, Rejection};
use super::super::super::node_info::NodeInfo;
use super::super::super::shape::PodShape;
use super::super::super::surroundings::Surroundings;
use super::{Of, is_about};
use crate::api::name::Text;
use crate::api::rules::affinity::PodTerm;

/// Its words where pods it must be near are not.
pub const REASON_AFFINITY: &str = "node(s) didn't match pod affinity rules";
/// Its words where pods it must keep away from are near.
pub const REASON_ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";
/// Its words where pods are near that keep away from it.
pub const REASON_EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// How often pods match, by label of their node and its value; what comes to 0 is not there.
type Counts = BTreeMap<(Text, Text), i64>;

/// What PreFilter worked out.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Of required anti-affinity terms of pods that are there, about the pod.
    existing: Counts,
    /// Of pods that all required affinity terms of the pod are about.
    near: Counts,
    /// Of pods that required anti-affinity terms of the pod are about.
    away: Counts,
}

/// Pods it must be near are not.
pub const NOT_NEAR: Rejection = rejection(Code::UnschedulableAndUnresolvable, 0);
/// Pods it must keep away from are near.
pub const TOO_NEAR: Rejection = rejection(Code::Unschedulable, 1);
/// Pods are near that keep away from it.
pub const UNWELCOME: Rejection = rejection(Code::Unschedulable, 2);

const fn rejection(code: Code, detail: u64) -> Rejection {
    Rejection { plugin: Plugin::InterPodAffinity, code, detail }
}

/// Counts on all nodes; `None` where nothing could be rejected.
pub fn pre_filter(q: Question<'_>) -> Option<State> {
    let mut state = State::default();
    for node in q.snapshot.nodes() {
        for resident in &node.pods {
            state.update(q, node, &resident.shape, 1);
        }
    }
    let spec = q.pod.spec();
    let demands =
        !spec.pod_affinity.required.is_empty() || !spec.pod_anti_affinity.required.is_empty();
    (demands || !state.existing.is_empty()).then_some(state)
}

impl State {
    /// `pod` comes to the node (`delta` 1), or goes from it (-1).
    pub fn update(&mut self, q: Question<'_>, node: &NodeInfo, pod: &PodShape, delta: i64) {
        let around = q.snapshot.surroundings();
        let (own, of_pod) = (q.pod.spec(), pod.spec());
        let keeps_away =
            |term: &&PodTerm| is_about(term, pod.namespace(), q.pod, around, Of::Resident);
        for term in of_pod.pod_anti_affinity.required.iter().filter(keeps_away) {
            add(&mut self.existing, node, term, delta);
        }
        let near = &own.pod_affinity.required;
        if all_are_about(near, q.pod, pod, around) {
            near.iter().for_each(|term| add(&mut self.near, node, term, delta));
        }
        let home = q.pod.namespace();
        let about = |term: &&PodTerm| is_about(term, home, pod, around, Of::Incoming);
        for term in own.pod_anti_affinity.required.iter().filter(about) {
            add(&mut self.away, node, term, delta);
        }
    }

    /// Rejects nodes that a required term forbids.
    pub fn filter(&self, q: Question<'_>, node: &NodeInfo) -> Option<Rejection> {
        if !self.is_near(q, node) {
            return Some(NOT_NEAR);
        }
        let away = q.pod.spec().pod_anti_affinity.required.iter();
        if away.map(|term| count(&self.away, node, &term.topology_key)).any(|count| count > 0) {
            return Some(TOO_NEAR);
        }
        let existing = self.existing.iter().filter(|(_, count)| **count > 0);
        if existing.map(|(pair, _)| pair).any(|(key, value)| node.labels.get(key) == Some(value)) {
            return Some(UNWELCOME);
        }
        None
    }

    /// Whether the pods that the pod must be near are near: of each required term, or of none where
    /// there are no such pods at all and the pod itself is what it asks for, the first of a series.
    fn is_near(&self, q: Question<'_>, node: &NodeInfo) -> bool {
        let near = &q.pod.spec().pod_affinity.required;
        if near.iter().any(|term| !node.labels.contains_key(&term.topology_key)) {
            return false;
        }
        near.iter().all(|term| count(&self.near, node, &term.topology_key) > 0)
            || self.near.is_empty() && all_are_about(near, q.pod, q.pod, q.snapshot.surroundings())
    }
}

/// Whether there are terms of `pod` and all are about `other`.
fn all_are_about(
    terms: &[PodTerm],
    pod: &PodShape,
    other: &PodShape,
    around: &Surroundings,
) -> bool {
    let about = |term| is_about(term, pod.namespace(), other, around, Of::Incoming);
    !terms.is_empty() && terms.iter().all(about)
}

fn add(counts: &mut Counts, node: &NodeInfo, term: &PodTerm, delta: i64) {
    let Some(value) = node.labels.get(&term.topology_key) else { return };
    let pair = (term.topology_key.clone(), value.clone());
    let count = counts.entry(pair.clone()).or_default();
    *count += delta;
    if *count == 0 {
        counts.remove(&pair);
    }
}

fn count(counts: &Counts, node: &NodeInfo, key: &Text) -> i64 {
    let Some(value) = node.labels.get(key) else { return 0 };
    counts.get(&(key.clone(), value.clone())).copied().unwrap_or(0)
}

/// The words of a rejection.
pub fn reason(detail: u64) -> &'static str {
    match detail {
        detail if detail == NOT_NEAR.detail => REASON_AFFINITY,
        detail if detail == TOO_NEAR.detail => REASON_ANTI_AFFINITY,
        _ => REASON_EXISTING,
    }
}
