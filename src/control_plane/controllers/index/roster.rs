//! The pods of one ReplicaSet or ReplicationController, counted.

use std::sync::Arc;

use crate::api::meta::Labels;
use crate::api::pod::Pod;
use crate::api::workload::ReplicaSet;
use crate::base::id::Id;
use crate::store::View;

/// How many pods of a set are what. Counted over pods the set owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Neither done nor being deleted.
    pub active: i32,
    /// Active with all labels of the set's template.
    pub labeled: i32,
    /// Active and ready.
    pub ready: i32,
    /// Being deleted and not done.
    pub terminating: i32,
    /// Not done, being deleted or not.
    pub running: i32,
}

/// The pods of a set.
#[derive(Clone, Debug)]
pub struct Roster {
    /// The set.
    pub set: Id<ReplicaSet>,
    pods: Vec<Id<Pod>>,
    counts: Counts,
    /// The labels of the set's template; `None` while the set itself was not seen.
    template: Option<Arc<Labels>>,
    /// Pods whose labels are not the template's, which the set's selector matches for sure.
    strangers: u32,
}

/// Whether `labels` hold all of `wanted`.
pub(super) fn covers(labels: &Arc<Labels>, wanted: &Arc<Labels>) -> bool {
    Arc::ptr_eq(labels, wanted)
        || wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|held| held == value))
}

impl Roster {
    pub(super) const EMPTY: Roster = Roster {
        set: Id::from_parts(u32::MAX, u32::MAX),
        pods: Vec::new(),
        counts: Counts { active: 0, labeled: 0, ready: 0, terminating: 0, running: 0 },
        template: None,
        strangers: 0,
    };

    pub(super) fn of(id: Id<ReplicaSet>, set: Option<&ReplicaSet>) -> Roster {
        let template = set.map(|set| set.template.labels.clone());
        Roster { set: id, template, ..Roster::EMPTY }
    }

    /// All its pods, those that are done included, in no order that means anything.
    pub fn pods(&self) -> &[Id<Pod>] {
        &self.pods
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether pods must be compared with the set's selector: some may have to be released.
    pub fn needs_check(&self) -> bool {
        self.strangers > 0
    }

    pub(super) fn set_changed(&mut self, set: &ReplicaSet, view: &View<'_>) {
        let template = &set.template.labels;
        if self.template.as_ref().is_some_and(|held| Arc::ptr_eq(held, template)) {
            return;
        }
        let same = self.template.as_ref().is_some_and(|held| held == template);
        self.template = Some(template.clone());
        if !same {
            let pods = || self.pods.iter().filter_map(|&pod| view.get(pod));
            let labeled =
                pods().filter(|pod| pod.is_active() && covers(&pod.meta.labels, template));
            self.counts.labeled = labeled.count() as i32;
            self.strangers = pods().filter(|pod| self.is_stranger(pod)).count() as u32;
        }
    }

    pub(super) fn set_gone(&mut self) {
        self.template = None;
        self.counts.labeled = 0;
        self.strangers = self.pods.len() as u32;
    }

    fn is_stranger(&self, pod: &Pod) -> bool {
        let labels = &pod.meta.labels;
        !self.template.as_ref().is_some_and(|it| Arc::ptr_eq(it, labels) || it == labels)
    }

    pub(super) fn push(&mut self, pod: Id<Pod>) -> u32 {
        self.pods.push(pod);
        self.pods.len() as u32 - 1
    }

    /// Takes out the pod at `at`; returns the one that has taken its place.
    pub(super) fn remove(&mut self, at: usize) -> Option<Id<Pod>> {
        self.pods.swap_remove(at);
        self.pods.get(at).copied()
    }

    pub(super) fn count(&mut self, pod: &Pod) {
        self.strangers += u32::from(self.is_stranger(pod));
        self.add(pod, 1);
    }

    pub(super) fn uncount(&mut self, pod: &Pod) {
        self.strangers -= u32::from(self.is_stranger(pod));
        self.add(pod, -1);
    }

    fn add(&mut self, pod: &Pod, one: i32) {
        if pod.status.phase.is_terminal() {
            return;
        }
        self.counts.running += one;
        if pod.meta.is_terminating() {
            self.counts.terminating += one;
            return;
        }
        self.counts.active += one;
        if self.template.as_ref().is_some_and(|wanted| covers(&pod.meta.labels, wanted)) {
            self.counts.labeled += one;
        }
        if pod.is_ready() {
            self.counts.ready += one;
        }
    }
}
