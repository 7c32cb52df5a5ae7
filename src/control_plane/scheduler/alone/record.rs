//! What is told of a schedule: plain data, for whoever renders or compares it.

use std::sync::Arc;

use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Explanation, PluginSet, Profile};

/// What became of a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It ran on this node from the start.
    There(Id<Node>),
    /// It was bound to this node.
    Bound(Id<Node>),
    /// It waits: no node fits it.
    Waiting,
    /// Its scheduling gates hold it back.
    Gated,
    /// It names a scheduler that is not there, so nobody looks at it.
    Ignored,
    /// Another pod preempted it.
    Preempted,
    /// Somebody deleted it.
    Deleted,
    /// It had ended, or was on its way out before it had a node.
    Ended,
    /// It has not arrived yet.
    Away,
}

impl Fate {
    /// The node it takes room on.
    pub fn node(self) -> Option<Id<Node>> {
        match self {
            Fate::There(node) | Fate::Bound(node) => Some(node),
            _ => None,
        }
    }
}

/// One scheduling attempt.
#[derive(Clone, Debug)]
pub struct Step {
    /// The pod.
    pub pod: Id<Pod>,
    /// Which attempt of this pod it is, from 1.
    pub attempt: u32,
    /// The place of its profile among the settings' ones.
    pub profile: usize,
    /// The node that an earlier attempt made room on, which is tried before all others.
    pub nominated: Option<Id<Node>>,
    /// The node it was bound to.
    pub chosen: Option<Id<Node>>,
    /// Why it was bound to none, as its condition says.
    pub failure: Option<Text>,
    /// The plugins that rejected it, or nodes for it.
    pub plugins: PluginSet,
    /// Who had to go for it.
    pub preempted: Option<Preempted>,
    /// Every node's scores or rejection, where that was asked for.
    pub told: Option<Box<Explanation>>,
}

impl Step {
    /// The total of the node it was bound to, where scores were told and given.
    pub fn score(&self) -> Option<i64> {
        let told = self.told.as_deref()?;
        let at = told.feasible.iter().position(|id| Some(*id) == self.chosen)?;
        told.totals.get(at).copied()
    }
}

/// What pods take of a node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Use {
    /// How many they are.
    pub pods: i64,
    /// What they ask for.
    pub requested: Resources,
}

/// Pods that had to go for another.
#[derive(Clone, PartialEq, Debug)]
pub struct Preempted {
    /// The node where room was made.
    pub node: Id<Node>,
    /// Who went, the most important first.
    pub victims: Vec<Id<Pod>>,
}

/// Everything that happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The nodes, by the slots of their ids.
    pub nodes: Vec<Node>,
    /// The pods likewise.
    pub pods: Vec<Pod>,
    /// What became of each.
    pub fates: Vec<Fate>,
    /// The attempts in order.
    pub steps: Vec<Step>,
    /// The profiles.
    pub profiles: Vec<Arc<Profile>>,
    /// What was taken of each node at first.
    pub before: Vec<Use>,
    /// What is taken of each node in the end.
    pub after: Vec<Use>,
}

impl Outcome {
    /// `namespace/name` of a pod.
    pub fn pod_name(&self, pod: Id<Pod>) -> String {
        let meta = &self.pods[pod.slot()].meta;
        format!("{}/{}", meta.namespace, meta.name)
    }

    /// The name of a node.
    pub fn node_name(&self, node: Id<Node>) -> String {
        self.nodes[node.slot()].meta.name.to_string()
    }

    /// Pods with what became of them, in order.
    pub fn fates(&self) -> impl Iterator<Item = (Id<Pod>, Fate)> + '_ {
        (0..).zip(&self.fates).map(|(slot, fate)| (Id::from_parts(slot, 0), *fate))
    }

    /// Whether no pod stays pending.
    pub fn all_placed(&self) -> bool {
        let stuck = |fate: &Fate| matches!(fate, Fate::Waiting | Fate::Gated | Fate::Ignored);
        !self.fates.iter().any(stuck)
    }
}
