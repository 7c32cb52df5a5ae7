//! NodeAffinity: node selectors, required and preferred terms (`plugins/nodeaffinity`, 1.36).

use std::collections::BTreeSet;

use super::super::framework::{Code, Plugin, PluginSet, PreFilter, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use crate::api::name::Text;
use crate::api::rules::affinity::NodeAffinity;
use crate::api::rules::selector::Operator;

/// Its words.
pub const REASON: &str = "node(s) didn't match Pod's node affinity/selector";
/// Its words for nodes that the profile's own affinity excludes.
pub const REASON_ENFORCED: &str = "node(s) didn't match scheduler-enforced node affinity";
/// [`Rejection::detail`] of the latter.
const ENFORCED: u64 = 1;
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

/// The words of a rejection.
pub fn reason(detail: u64) -> &'static str {
    if detail == ENFORCED { REASON_ENFORCED } else { REASON }
}

/// Rejects nodes that are not selected, by the affinity the profile adds or by the pod.
pub fn filter(added: &NodeAffinity, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let (plugin, code) = (Plugin::NodeAffinity, Code::UnschedulableAndUnresolvable);
    if !added.allows(node.written_name(), &node.labels) {
        return Some(Rejection { plugin, code, detail: ENFORCED });
    }
    (pod.selects_nodes() && !selects(pod, node)).then_some(Rejection::of(plugin, code))
}

/// Whether the profile or the pod prefers any nodes.
pub fn pre_score(added: &NodeAffinity, pod: &PodShape) -> bool {
    !added.preferred.is_empty() || !pod.spec().node_affinity.preferred.is_empty()
}

/// The weights of the preferred terms that select the node, summed.
pub fn score(added: &NodeAffinity, pod: &PodShape, node: &NodeInfo) -> i64 {
    let terms = added.preferred.iter().chain(&pod.spec().node_affinity.preferred);
    let selecting = terms.filter(|(_, term)| term.matches(node.written_name(), &node.labels));
    selecting.map(|(weight, _)| i64::from(*weight)).sum()
}
