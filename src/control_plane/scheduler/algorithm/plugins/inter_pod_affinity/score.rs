//! Preferred terms, the pod's own and those of pods that are there, and required affinity the other
//! way round (`plugins/interpodaffinity/scoring.go`, 1.36).

use std::collections::BTreeMap;

use super::super::super::framework::{MAX_SCORE, Plugin, PluginScores, Question};
use super::super::super::node_info::NodeInfo;
use super::super::super::profile::ResidentPreferences;
use super::super::super::shape::PodShape;
use super::{Of, is_about};
use crate::api::name::Text;
use crate::api::rules::affinity::PodTerm;

/// What nodes are worth, by label and its value.
type Worth = BTreeMap<Text, BTreeMap<Text, i64>>;

/// The scores of the feasible nodes; `None` where no term is about anyone.
pub fn score(q: Question<'_>, nodes: &[&NodeInfo]) -> Option<PluginScores> {
    let spec = q.pod.spec();
    let wishes =
        !spec.pod_affinity.preferred.is_empty() || !spec.pod_anti_affinity.preferred.is_empty();
    if !wishes && q.profile.preferences_of_residents == ResidentPreferences::Ignored {
        return None;
    }
    let mut worth = Worth::new();
    for node in q.snapshot.nodes() {
        for resident in &node.pods {
            count(q, &mut worth, node, &resident.shape);
        }
    }
    if worth.is_empty() {
        return None;
    }
    let raw: Vec<i64> = nodes.iter().map(|node| of_node(&worth, node)).collect();
    let normalized = normalize(&raw);
    Some(PluginScores { plugin: Plugin::InterPodAffinity, raw, normalized })
}

/// Counts what `resident`, a pod on `node`, says of nodes near it (`processExistingPod`).
fn count(q: Question<'_>, worth: &mut Worth, node: &NodeInfo, resident: &PodShape) {
    let (own, theirs) = (q.pod.spec(), resident.spec());
    let mut add = |term: &PodTerm, weight: i32, of: Of| {
        let (pod, other) = match of {
            Of::Incoming => (q.pod, resident),
            Of::Resident => (resident, q.pod),
        };
        let around = q.snapshot.surroundings();
        let Some(value) = node.labels.get(&term.topology_key) else { return };
        if is_about(term, pod.namespace(), other, around, of) {
            let of_key = worth.entry(term.topology_key.clone()).or_default();
            *of_key.entry(value.clone()).or_default() += i64::from(weight);
        }
    };
    for (weight, term) in &own.pod_affinity.preferred {
        add(term, *weight, Of::Incoming);
    }
    for (weight, term) in &own.pod_anti_affinity.preferred {
        add(term, -*weight, Of::Incoming);
    }
    if q.profile.hard_pod_affinity_weight > 0 {
        for term in &theirs.pod_affinity.required {
            add(term, q.profile.hard_pod_affinity_weight, Of::Resident);
        }
    }
    for (weight, term) in &theirs.pod_affinity.preferred {
        add(term, *weight, Of::Resident);
    }
    for (weight, term) in &theirs.pod_anti_affinity.preferred {
        add(term, -*weight, Of::Resident);
    }
}

fn of_node(worth: &Worth, node: &NodeInfo) -> i64 {
    let of_label = |(key, values): (&Text, &BTreeMap<Text, i64>)| {
        node.labels.get(key).and_then(|value| values.get(value)).copied().unwrap_or(0)
    };
    worth.iter().map(of_label).sum()
}

fn normalize(raw: &[i64]) -> Vec<i64> {
    let max = raw.iter().copied().max().unwrap_or(0);
    let min = raw.iter().copied().min().unwrap_or(0);
    raw.iter().map(|&score| share(score, min, max)).collect()
}

/// The share of a raw score: the least is worth 0, the most 100. Floats as upstream, cut off.
pub fn share(score: i64, min: i64, max: i64) -> i64 {
    match max - min {
        0 => 0,
        span => (MAX_SCORE as f64 * ((score - min) as f64 / span as f64)) as i64,
    }
}
