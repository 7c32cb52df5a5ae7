//! Look-ups over current versions that more than one room needs.

use std::collections::BTreeMap;

use crate::api::limit_range::LimitRange;
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::vertical::is_vertical;
use crate::base::chunks::Chunked;
use crate::base::id::Id;

/// Which pods are bound to which node, and what bounds the objects of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    by_node: Chunked<Vec<Id<Pod>>>,
    quotas: BTreeMap<Text, Vec<Id<ResourceQuota>>>,
    limit_ranges: BTreeMap<Text, Vec<Id<LimitRange>>>,
    verticals: BTreeMap<Text, Vec<Id<Other>>>,
}

impl Indexes {
    /// The pods bound to `node`, in the order they came, gaps filled by the latest.
    pub fn pods_on(&self, node: Id<Node>) -> &[Id<Pod>] {
        self.by_node.get(node.slot()).map_or(&[], Vec::as_slice)
    }

    /// The ResourceQuotas of a namespace, oldest first.
    pub fn quotas_in(&self, namespace: &str) -> &[Id<ResourceQuota>] {
        self.quotas.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The LimitRanges of a namespace, oldest first.
    pub fn limit_ranges_in(&self, namespace: &str) -> &[Id<LimitRange>] {
        self.limit_ranges.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The VerticalPodAutoscalers of a namespace, oldest first.
    pub fn verticals_in(&self, namespace: &str) -> &[Id<Other>] {
        self.verticals.get(namespace).map_or(&[], Vec::as_slice)
    }

    pub(super) fn other(&mut self, id: Id<Other>, old: Option<&Other>, new: Option<&Other>) {
        let of = |it: &Other| is_vertical(it).then(|| it.meta.namespace.clone());
        moved(&mut self.verticals, id, old.and_then(of), new.and_then(of));
    }

    pub(super) fn quota(
        &mut self,
        id: Id<ResourceQuota>,
        old: Option<&ResourceQuota>,
        new: Option<&ResourceQuota>,
    ) {
        let of = |it: &ResourceQuota| it.meta.namespace.clone();
        moved(&mut self.quotas, id, old.map(of), new.map(of));
    }

    pub(super) fn limit_range(
        &mut self,
        id: Id<LimitRange>,
        old: Option<&LimitRange>,
        new: Option<&LimitRange>,
    ) {
        let of = |it: &LimitRange| it.meta.namespace.clone();
        moved(&mut self.limit_ranges, id, old.map(of), new.map(of));
    }

    pub(super) fn pod_moved(&mut self, pod: Id<Pod>, old: Option<Id<Node>>, new: Option<Id<Node>>) {
        if old == new {
            return;
        }
        if let Some(pods) = old.and_then(|node| self.by_node.get_mut(node.slot()))
            && let Some(at) = pods.iter().position(|&one| one == pod)
        {
            pods.swap_remove(at);
        }
        if let Some(node) = new {
            while self.by_node.len() <= node.slot() {
                self.by_node.push(Vec::new());
            }
            self.by_node[node.slot()].push(pod);
        }
    }
}

/// An object came into a namespace, or left it.
fn moved<T>(all: &mut BTreeMap<Text, Vec<Id<T>>>, id: Id<T>, old: Option<Text>, new: Option<Text>) {
    match (old, new) {
        (None, Some(namespace)) => all.entry(namespace).or_default().push(id),
        (Some(namespace), None) => {
            let Some(held) = all.get_mut(&namespace) else { return };
            held.retain(|&one| one != id);
            if held.is_empty() {
                all.remove(&namespace);
            }
        }
        _ => {}
    }
}
