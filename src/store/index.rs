//! Look-ups over current versions that more than one room needs.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// By slot of a pod: its place in its node's list.
    places: Chunked<u32>,
    /// Nodes that are gone, as they were last, while pods are bound to them, and to each how many.
    departed: BTreeMap<Id<Node>, (Arc<Node>, u32)>,
    quotas: BTreeMap<Text, Vec<Id<ResourceQuota>>>,
    limit_ranges: BTreeMap<Text, Vec<Id<LimitRange>>>,
    verticals: BTreeMap<Text, Vec<Id<Other>>>,
}

impl Indexes {
    /// The pods bound to `node`, in the order they came, gaps filled by the latest.
    pub fn pods_on(&self, node: Id<Node>) -> &[Id<Pod>] {
        self.by_node.get(node.slot()).map_or(&[], Vec::as_slice)
    }

    /// A node that is gone, as it was last: for as long as a pod is bound to it.
    pub fn departed(&self, node: Id<Node>) -> Option<&Node> {
        self.departed.get(&node).map(|(last, _)| &**last)
    }

    /// A node is gone, or was when a pod was bound to it.
    pub(super) fn node_gone(&mut self, id: Id<Node>, last: &Node) {
        let pods = match self.departed.get(&id) {
            Some((_, pods)) => *pods,
            // Pods of one that had its slot before may be left.
            None => {
                let before = self.departed.range(Id::from_parts(id.slot() as u32, 0)..id);
                let others: u32 = before.map(|(_, (_, pods))| pods).sum();
                (self.pods_on(id).len() as u32).saturating_sub(others)
            }
        };
        self.departed.insert(id, (Arc::new(last.clone()), pods));
    }

    /// Forgets a node that is gone once no pod is bound to it.
    pub(super) fn forget_empty(&mut self, id: Id<Node>) {
        if self.departed.get(&id).is_some_and(|(_, pods)| *pods == 0) {
            self.departed.remove(&id);
        }
    }

    /// A pod came to a node that is gone, or left it.
    fn pod_of_departed(&mut self, old: Option<Id<Node>>, new: Option<Id<Node>>) {
        if self.departed.is_empty() {
            return;
        }
        if let Some((_, pods)) = new.and_then(|node| self.departed.get_mut(&node)) {
            *pods += 1;
        }
        if let Some(node) = old {
            if let Some((_, pods)) = self.departed.get_mut(&node) {
                *pods = pods.saturating_sub(1);
            }
            self.forget_empty(node);
        }
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
        self.pod_of_departed(old, new);
        if let Some(pods) = old.and_then(|node| self.by_node.get_mut(node.slot()))
            && let Some(&at) = self.places.get(pod.slot())
            && pods.get(at as usize) == Some(&pod)
        {
            pods.swap_remove(at as usize);
            if let Some(moved) = pods.get(at as usize) {
                self.places[moved.slot()] = at;
            }
        }
        if let Some(node) = new {
            while self.by_node.len() <= node.slot() {
                self.by_node.push(Vec::new());
            }
            while self.places.len() <= pod.slot() {
                self.places.push(0);
            }
            let pods = &mut self.by_node[node.slot()];
            self.places[pod.slot()] = pods.len() as u32;
            pods.push(pod);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Meta;
    use proptest::prelude::*;

    fn node(name: &str) -> Node {
        Node {
            meta: Meta::new("".into(), name.into()),
            schedulability: Default::default(),
            taints: Arc::from([]),
            capacity: Arc::default(),
            allocatable: Arc::default(),
            conditions: Default::default(),
            images: Arc::from([]),
            address: [10, 0, 0, 1].into(),
        }
    }

    #[test]
    fn a_node_that_is_gone_is_known_until_its_last_pod_is() {
        let [old, new] = [0, 1].map(|generation| Id::from_parts(7, generation));
        let pods = [0, 1, 2].map(|slot| Id::<Pod>::from_parts(slot, 0));
        let mut indexes = Indexes::default();
        let name = |indexes: &Indexes, id| indexes.departed(id).map(|it| it.meta.name.to_string());
        indexes.pod_moved(pods[0], None, Some(old));
        indexes.node_gone(old, &node("old"));
        // Somebody who has not heard of it binds another pod there.
        indexes.pod_moved(pods[1], None, Some(old));
        // Its slot is another node's by now, which goes too.
        indexes.pod_moved(pods[2], None, Some(new));
        indexes.node_gone(new, &node("new"));
        indexes.pod_moved(pods[0], Some(old), None);
        indexes.pod_moved(pods[2], Some(new), None);
        assert_eq!([old, new].map(|id| name(&indexes, id)), [Some("old".to_owned()), None]);
        indexes.pod_moved(pods[1], Some(old), None);
        assert_eq!(name(&indexes, old), None);
    }

    proptest! {
        /// The lists are those that a search for each pod that leaves would leave behind.
        #[test]
        fn pods_lie_where_a_search_would_have_them(steps in prop::collection::vec((0u32..12, prop::option::of(0u32..3)), 0..80)) {
            let mut indexes = Indexes::default();
            let mut plain = vec![Vec::new(); 3];
            let mut held: BTreeMap<u32, Id<Node>> = BTreeMap::new();
            for (slot, node) in steps {
                let (pod, node) = (Id::from_parts(slot, 0), node.map(|slot| Id::from_parts(slot, 0)));
                let old = held.get(&slot).copied();
                indexes.pod_moved(pod, old, node);
                if old != node {
                    let leaves = old.map(|old| &mut plain[old.slot()]);
                    if let Some(list) = leaves && let Some(at) = list.iter().position(|&one| one == pod) {
                        list.swap_remove(at);
                    }
                    node.iter().for_each(|node| plain[node.slot()].push(pod));
                    held.remove(&slot);
                    held.extend(node.map(|node| (slot, node)));
                }
                for (slot, list) in plain.iter().enumerate() {
                    prop_assert_eq!(indexes.pods_on(Id::from_parts(slot as u32, 0)), &list[..]);
                }
            }
        }
    }
}
