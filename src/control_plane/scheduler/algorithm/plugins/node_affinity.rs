//! NodeAffinity: node selectors, required and preferred terms (`plugins/nodeaffinity`, 1.36).

use std::collections::BTreeSet;

use super::super::framework::{Code, Plugin, PluginSet, PreFilter, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::name::Text;
use crate::api::rules::selector::Operator;

/// Its words.
pub const REASON: &str = "node(s) didn't match Pod's node affinity/selector";
/// Its words for terms that name different nodes at once.
pub const REASON_CONFLICT: &str = "pod affinity terms conflict";

/// Where every required term names its nodes, only those are looked at.
pub fn pre_filter(pod: &PodShape) -> PreFilter {
    let Some(terms) = &pod.spec().node_affinity.required else { return PreFilter::All };
    let mut names: BTreeSet<Text> = BTreeSet::new();
    for term in terms {
        let mut of_term: Option<BTreeSet<&Text>> = None;
        for field in &term.fields {
            if &*field.key != "metadata.name" || field.operator != Operator::In {
                continue;
            }
            let listed: BTreeSet<&Text> = field.values.iter().collect();
            of_term = Some(match of_term {
                Some(known) => known.intersection(&listed).copied().collect(),
                None => listed,
            });
        }
        let Some(of_term) = of_term else { return PreFilter::All };
        names.extend(of_term.into_iter().cloned());
    }
    if terms.is_empty() {
        PreFilter::All
    } else if names.is_empty() {
        PreFilter::Refused(Refusal {
            plugin: Plugin::NodeAffinity,
            code: Code::UnschedulableAndUnresolvable,
            words: REASON_CONFLICT.into(),
        })
    } else {
        PreFilter::Only(names.into_iter().collect(), PluginSet::of(&[Plugin::NodeAffinity]))
    }
}

/// Whether the node selector and the required terms select the node.
pub fn selects(pod: &PodShape, node: &NodeInfo) -> bool {
    let spec = pod.spec();
    spec.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
        && spec.node_affinity.allows(node.written_name(), &node.labels)
}

/// Rejects nodes that are not selected.
pub fn filter(pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    (pod.selects_nodes() && !selects(pod, node))
        .then_some(Rejection::of(Plugin::NodeAffinity, Code::UnschedulableAndUnresolvable))
}

/// Whether the pod has any node affinity at all.
pub fn pre_score(pod: &PodShape) -> bool {
    !pod.spec().node_affinity.preferred.is_empty()
}

/// The weights of the preferred terms that select the node, summed.
pub fn score(pod: &PodShape, node: &NodeInfo) -> i64 {
    pod.spec()
        .node_affinity
        .preferred
        .iter()
        .filter(|(_, term)| term.matches(node.written_name(), &node.labels))
        .map(|(weight, _)| i64::from(*weight))
        .sum()
}
