//! Room for a critical pod that does not fit: others are evicted for it before it is admitted (kubelet 1.36
//! `pkg/kubelet/preemption`); it begins once they have ended.

use std::sync::Arc;

use super::preemption::{Candidate, victims};
use super::worker::{Ending, Stage};
use super::{Desk, KubeletNode, Kubelets, NodeIndex, Timer, Worker, effective_grace};
use crate::api::pod::StatusReason;
use crate::base::Id;
use crate::messages::{Effects, Remark, Verb};

const MESSAGE: &str = "Preempted in order to admit critical pod";

/// Workers of a node that wait, so that nobody looks for them among all.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    pub(super) room: Vec<Id<Worker>>,
    pub(super) resize: Vec<Id<Worker>>,
}

impl Kubelets {
    /// Evicts what a critical pod needs the room of; gives those that go. None go where that would not do.
    pub(super) fn make_room(
        &mut self,
        at: NodeIndex,
        wants: &Worker,
        fx: &mut Effects<Timer>,
    ) -> Vec<Id<Worker>> {
        let node = &self.nodes[at.row()];
        if !wants.is_critical() || wants.status.phase.is_terminal() || node.shutdown.is_some() {
            return Vec::new();
        }
        let missing = node.held.missing(&node.allocatable, &wants.spec);
        if missing.is_empty() {
            return Vec::new();
        }
        let mut others: Vec<Id<Worker>> = node.workers.clone();
        others.retain(|id| self.workers[*id].makes_way_for(wants));
        others.sort_unstable();
        let candidate = |(key, id): (usize, &Id<Worker>)| {
            let spec = &self.workers[*id].spec;
            Candidate { key, qos: spec.qos, requests: &spec.requests }
        };
        let candidates: Vec<_> = others.iter().enumerate().map(candidate).collect();
        let picked = victims(&missing, &candidates).unwrap_or_default();
        let gone: Vec<Id<Worker>> = picked.into_iter().map(|key| others[key]).collect();
        for &id in &gone {
            self.with(id, fx, Worker::make_way);
        }
        gone.into_iter().filter(|id| self.is_ending(*id)).collect()
    }

    /// Whether the lists of those who wait on a node hold all of them, and all workers know their places.
    ///
    /// # Errors
    /// Who does not, in words.
    pub fn check_lists(&self, at: NodeIndex) -> Result<(), String> {
        let KubeletNode { workers, waiting, .. } = &self.nodes[at.row()];
        for (place, id) in workers.iter().enumerate() {
            let worker = &self.workers[*id];
            let is_listed = |waits: bool, list: &[Id<Worker>]| !waits || list.contains(id);
            if worker.place as usize != place
                || !is_listed(!worker.awaits.is_empty(), &waiting.room)
                || !is_listed(worker.wants_resize(), &waiting.resize)
            {
                return Err(format!("{:?} is not where it is looked for", worker.pod));
            }
        }
        Ok(())
    }

    fn is_ending(&self, id: Id<Worker>) -> bool {
        self.workers.get(id).is_some_and(|worker| worker.stage != Stage::Ended)
    }

    /// A pod has ended: those that waited for its room may begin.
    pub(super) fn room_is_made(
        &mut self,
        at: NodeIndex,
        gone: Id<Worker>,
        fx: &mut Effects<Timer>,
    ) {
        let Kubelets { nodes, workers, .. } = self;
        let all = &mut nodes[at.row()].waiting.room;
        all.retain(|&id| workers.get(id).is_some_and(|one| !one.awaits.is_empty()));
        let waits = |id: &Id<Worker>| workers[*id].awaits.contains(&gone);
        let mut waiting: Vec<Id<Worker>> = all.iter().copied().filter(waits).collect();
        waiting.sort_unstable();
        for id in waiting {
            self.workers[id].awaits.retain(|one| *one != gone);
            fx.because(self.workers[id].cause.max(fx.cause()));
            self.with(id, fx, |_, _| {});
        }
    }
}

impl Worker {
    /// Whether it goes if that one needs its room (`Preemptable`).
    fn makes_way_for(&self, other: &Worker) -> bool {
        let is_lower = !self.is_critical() || self.spec.priority < other.spec.priority;
        self.stage == Stage::Active && is_lower
    }

    fn make_way(&mut self, desk: &mut Desk<'_>) {
        let fact = self.fact(Verb::Evicted, desk).saying(MESSAGE);
        self.tell(fact, desk);
        self.say(desk, || Remark::warning("Preempting", MESSAGE));
        let why = StatusReason { reason: "Preempting".into(), message: MESSAGE.into() };
        self.reason = Some(Arc::new(why));
        desk.give_back(self);
        self.has_made_room = true;
        self.end(Ending::Evicted, effective_grace(self.spec.grace_seconds, None, None), desk);
    }
}
