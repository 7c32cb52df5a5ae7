//! Pods that were promised a node and wait for its room to come free
//! (`pkg/scheduler/backend/queue/nominator.go`, 1.36).
//!
//! Owns who is promised which node. Refuses to know why: preemption, or a nomination found in a
//! pod's status.

use std::collections::BTreeMap;

use super::framework::{CycleState, Question, Rejection, filter};
use super::node_info::NodeInfo;
use super::resident::{Resident, Standing};
use super::shape::PodShape;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;

/// A pod that was promised a node.
#[derive(Clone, Debug)]
pub struct Nominee {
    /// The pod.
    pub pod: Id<Pod>,
    /// What it asks for.
    pub shape: PodShape,
}

/// Who is promised which node. A pod that is being decided about is not among them: take it out
/// first, and put it back if it found none.
#[derive(Clone, Default, Debug)]
pub struct Nominations {
    /// In the order of the promises.
    by_node: BTreeMap<Id<Node>, Vec<Nominee>>,
    of_pod: BTreeMap<Id<Pod>, Id<Node>>,
    /// How many have required anti-affinity.
    repelling: usize,
}

fn repels(shape: &PodShape) -> bool {
    !shape.spec().pod_anti_affinity.required.is_empty()
}

impl Nominations {
    /// Promises `node` to the pod; an earlier promise to it is void.
    pub fn set(&mut self, pod: Id<Pod>, shape: &PodShape, node: Id<Node>) {
        self.remove(pod);
        self.of_pod.insert(pod, node);
        self.repelling += usize::from(repels(shape));
        self.by_node.entry(node).or_default().push(Nominee { pod, shape: shape.clone() });
    }

    /// The pod is promised nothing any more; returns what it was.
    pub fn remove(&mut self, pod: Id<Pod>) -> Option<Id<Node>> {
        let node = self.of_pod.remove(&pod)?;
        if let Some(nominees) = self.by_node.get_mut(&node) {
            if let Some(at) = nominees.iter().position(|nominee| nominee.pod == pod) {
                let gone = nominees.remove(at);
                self.repelling -= usize::from(repels(&gone.shape));
            }
            if nominees.is_empty() {
                self.by_node.remove(&node);
            }
        }
        Some(node)
    }

    /// The node a pod is promised.
    pub fn of(&self, pod: Id<Pod>) -> Option<Id<Node>> {
        self.of_pod.get(&pod).copied()
    }

    /// The pods that are promised this node.
    pub fn at(&self, node: Id<Node>) -> &[Nominee] {
        self.by_node.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Whether any of those who were promised a node keeps others away from it, by required
    /// anti-affinity.
    pub(super) fn any_repels(&self) -> bool {
        self.repelling > 0
    }

    /// Whether nobody is promised anything.
    pub fn is_empty(&self) -> bool {
        self.of_pod.is_empty()
    }
}

/// Runs the filters on one node as if the pods it is promised to were there, those of lower priority
/// left out, and then without them: a promise may not be kept, and what needs its pod must not rely
/// on it (`RunFilterPluginsWithNominatedPods`, 1.36).
pub fn filter_beside_nominees(
    q: Question<'_>,
    state: &CycleState,
    node: &NodeInfo,
) -> Option<Rejection> {
    let priority = q.pod.spec().priority;
    let count = |nominee: &&Nominee| nominee.shape.spec().priority >= priority;
    let mut nominees = q.snapshot.nominations().at(node.id).iter().filter(count).peekable();
    if nominees.peek().is_some() {
        let (mut state, mut node) = (state.clone(), node.clone());
        for nominee in nominees {
            let (pod, shape) = (nominee.pod, nominee.shape.clone());
            node.add_pod(Resident { pod, shape, start: None, standing: Standing::Staying });
            state.add_pod(q, &node, &nominee.shape);
        }
        let rejection = filter(q, &state, &node);
        if rejection.is_some() {
            return rejection;
        }
    }
    filter(q, state, node)
}
