//! What an instance remembers of its decisions about a pod that somebody asks about.
//!
//! Owns the question and the answers. Refuses to decide: the decision is worked out a second time, step
//! by step, on the very snapshot it was made on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scheduler;
use super::algorithm::{Explanation, PodShape, Profile, Question, explain_first};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::store::View;
use crate::time::SimTime;

/// The pod somebody asks about; several may bear its name one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Name,
}

impl Asked {
    fn is(&self, pod: &Pod) -> bool {
        self.name == pod.meta.name && self.namespace == pod.meta.namespace
    }
}

/// One decision, as it was made.
#[derive(Clone, Debug)]
pub struct Telling {
    /// When its cycle began.
    pub at: SimTime,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Under which profile.
    pub profile: Arc<Profile>,
    /// What mattered of the pod.
    pub shape: PodShape,
    /// The node it was promised before, which was tried first.
    pub promised: Option<Id<Node>>,
    /// The node it had a hint to, from the pod before it, which was tried first.
    pub hint: Option<Id<Node>>,
    /// Every node's scores or rejection.
    pub told: Explanation,
    /// What came of it.
    pub end: End,
    /// What the nodes were called.
    pub names: BTreeMap<Id<Node>, Text>,
}

/// What came of a decision.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// This node.
    Node(Id<Node>),
    /// None.
    Nowhere {
        /// Why, as the pod's condition says.
        message: Text,
        /// The node where room is made for it, and the pods that must go, as `namespace/name`.
        preempts: Option<(Id<Node>, Vec<String>)>,
    },
}

/// The half of a telling that is known before the decision.
#[derive(Debug)]
pub(super) struct Begun {
    shape: PodShape,
    promised: Option<Id<Node>>,
    hint: Option<Id<Node>>,
    told: Explanation,
    names: BTreeMap<Id<Node>, Text>,
}

impl Scheduler {
    /// What it remembers of the pod of its settings; it forgets it.
    pub fn take_tellings(&mut self) -> Vec<Telling> {
        std::mem::take(&mut self.tellings)
    }

    /// If it is this pod that is asked about: how the decision that is about to be made comes about.
    /// The node it was promised, or has a hint to, is tried before all others.
    pub(super) fn begin_telling(
        &self,
        pod: &Pod,
        shape: &PodShape,
        at: usize,
        (promised, hint): (Option<Id<Node>>, Option<Id<Node>>),
    ) -> Option<Box<Begun>> {
        self.settings.asked.as_ref().filter(|asked| asked.is(pod))?;
        let snapshot = self.cache.snapshot();
        let q = Question { profile: &self.settings.profiles[at], snapshot, pod: shape };
        let told = explain_first(q, self.algorithms[at].start(), promised.or(hint));
        let names = snapshot.nodes().map(|node| (node.id, node.written_name().into())).collect();
        Some(Box::new(Begun { shape: shape.clone(), promised, hint, told, names }))
    }

    /// The decision was made.
    pub(super) fn end_telling(
        &mut self,
        begun: Begun,
        at: usize,
        (now, attempt): (SimTime, u32),
        end: End,
    ) {
        let Begun { shape, promised, hint, told, names } = begun;
        let profile = self.settings.profiles[at].clone();
        self.tellings.push(Telling {
            at: now,
            attempt,
            profile,
            shape,
            promised,
            hint,
            told,
            end,
            names,
        });
    }
}

/// Pods as people call them; those that are gone have no name.
pub(super) fn names_of(pods: impl Iterator<Item = Id<Pod>>, view: &View<'_>) -> Vec<String> {
    pods.filter_map(|id| view.get(id))
        .map(|pod| format!("{}/{}", pod.meta.namespace, pod.meta.name))
        .collect()
}
