//! Pods resized in place: room is made first, containers follow (kubelet 1.36 `pkg/kubelet/allocation`,
//! `kuberuntime_manager.go` doPodResizeAction).
//!
//! ```text
//! asked for --> fits beside the others --> allocated --each container: updated, or restarted--> through
//!     |  ^           |                                        `-- refused: tried again after 10 s
//!     |  `-----------+-- not now: Deferred; tried again when a pod ends or shrinks
//!     `------------------ not on this node: Infeasible
//! ```
//! Those that wait get their turn by this order: those that grow nothing, then by priority, quality of service,
//! and how long they wait.

use std::cmp::Reverse;
use std::sync::Arc;

use super::resize_words::told;
use super::worker::{Kill, Life, Stage, Step, Worker};
use super::{Desk, KubeletNode, Kubelets, Timer};
use crate::api::pod::{
    Container, OnResize, Pod, PodSpec, ResizePolicy, Resizing, Share, StatusReason, container_at,
};
use crate::api::resources::Resources;
use crate::base::Id;
use crate::messages::engine::{EngineAnswer, EngineAsk, EngineError};
use crate::messages::{Effects, Remark, Verb};
use crate::node::NodeIndex;
use crate::time::SimTime;

/// How far a pod is resized.
#[derive(Clone, Debug)]
pub(super) struct Resize {
    /// What is asked for and has no room yet.
    desired: Option<Arc<PodSpec>>,
    /// Since when it waits.
    since: SimTime,
    /// The pod's generation that asked for it.
    generation: u32,
    pending: Option<StatusReason>,
    progress: Option<StatusReason>,
    /// When a container that could not be updated is tried again; never: [`SimTime::MAX`].
    pub retry: SimTime,
}

impl Resize {
    fn new(now: SimTime, generation: u32) -> Resize {
        let retry = SimTime::MAX;
        Resize { desired: None, since: now, generation, pending: None, progress: None, retry }
    }
}

/// What a kubelet that starts anew knows of a resize: what was allocated, and what is asked for.
pub(super) fn recalled(pod: &Pod, now: SimTime) -> Option<Box<Resize>> {
    let held = pod.status.resize.as_deref()?;
    let mut resize = Resize::new(now, pod.meta.generation);
    resize.desired = (held.allocated.written != pod.spec.written).then(|| pod.spec.clone());
    resize.pending.clone_from(&held.pending);
    Some(Box::new(resize))
}

impl Kubelets {
    /// The containers of a pod are to take what this spec says, since this generation of it.
    pub fn pod_resized(
        &mut self,
        id: Id<Pod>,
        (spec, generation): (&Arc<PodSpec>, u32),
        fx: &mut Effects<Timer>,
    ) {
        let Some(id) = self.worker_of(id) else { return };
        let worker = &mut self.workers[id];
        let asked = worker.resize.as_ref().and_then(|it| it.desired.as_ref());
        if worker.is_static() || asked.unwrap_or(&worker.spec).written == spec.written {
            return;
        }
        let (at, now) = (worker.node, fx.now());
        worker.cause = worker.cause.max(fx.cause());
        let is_back = worker.spec.written == spec.written;
        let resize = worker.resize.get_or_insert_with(|| Box::new(Resize::new(now, generation)));
        (resize.desired, resize.pending) = ((!is_back).then(|| spec.clone()), None);
        (resize.since, resize.generation) = (now, generation);
        let waiting = &mut self.nodes[at.row()].waiting.resize;
        if !waiting.contains(&id) {
            waiting.push(id);
        }
        if is_back {
            self.with(id, fx, |worker, desk| {
                worker.write_status(desk);
            });
        }
        self.retry_resizes(at, fx);
    }

    /// Pods of a node that wait to be resized are looked at again.
    pub(super) fn retry_resizes(&mut self, at: NodeIndex, fx: &mut Effects<Timer>) {
        let Kubelets { nodes, workers, .. } = self;
        let all = &mut nodes[at.row()].waiting.resize;
        all.retain(|&id| workers.get(id).is_some_and(Worker::wants_resize));
        let mut waiting = all.clone();
        waiting.sort_by_cached_key(|id| (self.workers[*id].turn(), *id));
        for id in waiting {
            fx.because(self.workers[id].cause);
            self.with(id, fx, Worker::try_resize);
        }
    }
}

impl KubeletNode {
    /// Whether a pod of this size has room beside the others; if not, why it must wait.
    fn room_for(&self, spec: &PodSpec) -> Result<(), StatusReason> {
        let no = |reason: &str, message: String| {
            Err(StatusReason { reason: reason.into(), message: message.into() })
        };
        let (asked, all) = (&spec.requests, &*self.allocatable);
        let amounts = |of: &Resources| [("cpu", of.cpu_milli), ("memory", of.memory)];
        // Memory is told before CPU.
        let mut both = amounts(asked).into_iter().zip(amounts(all)).rev();
        if let Some(((name, asked), (_, capacity))) = both.find(|((_, a), (_, b))| a > b) {
            return no(
                "Infeasible",
                format!(
                    "Node didn't have enough capacity: {name}, requested: {asked}, capacity: {capacity}"
                ),
            );
        }
        match self.held.lacks(all, spec) {
            Some(message) => no("Deferred", message),
            None => Ok(()),
        }
    }
}

impl Worker {
    /// Whether something is asked for and not allocated.
    pub(super) fn wants_resize(&self) -> bool {
        self.wanted().is_some()
    }

    /// What is asked for and not allocated, if it still can be.
    fn wanted(&self) -> Option<&Arc<PodSpec>> {
        let wanted = self.resize.as_ref()?.desired.as_ref()?;
        (self.stage == Stage::Active).then_some(wanted)
    }

    /// When its turn is among those that wait.
    fn turn(&self) -> impl Ord + use<> {
        let grows = self.wanted().is_some_and(|next| {
            let (now, next) = (&self.spec.requests, &next.requests);
            next.cpu_milli > now.cpu_milli || next.memory > now.memory
        });
        let since = self.resize.as_ref().map(|it| it.since);
        (grows, Reverse(self.spec.priority), self.spec.qos, since)
    }

    fn try_resize(&mut self, desk: &mut Desk<'_>) {
        let Some(next) = self.wanted().cloned() else { return };
        desk.node.held.give_back(&self.spec, desk.id);
        let verdict = desk.node.room_for(&next);
        let taken = if verdict.is_ok() { &next } else { &self.spec };
        desk.node.held.take(taken, desk.id);
        match verdict {
            Ok(()) => self.allocate(next, desk),
            Err(why) => self.defer(&next, why, desk),
        }
    }

    fn defer(&mut self, next: &PodSpec, why: StatusReason, desk: &mut Desk<'_>) {
        let Some(resize) = &mut self.resize else { return };
        if resize.pending.as_ref() == Some(&why) {
            return;
        }
        resize.pending = Some(why.clone());
        let fact = self.fact(Verb::ResizePending, desk);
        self.tell(fact.saying(format!("{}: {}", why.reason, why.message)), desk);
        self.say(desk, || {
            let words = format!("Pod resize {}", why.reason);
            let message = told(&words, next, self.resize_generation(), &why.message);
            Remark::warning(format!("Resize{}", why.reason), message)
        });
        self.write_status(desk);
    }

    /// There is room: containers that run get what they may take now, in the next sync.
    fn allocate(&mut self, next: Arc<PodSpec>, desk: &mut Desk<'_>) {
        for (index, run) in self.runs.iter_mut().enumerate() {
            if !matches!(run.truth(), Life::Running(_)) {
                continue;
            }
            let has =
                run.has.take().map_or_else(|| container_at(&self.spec, index).share(), |it| *it);
            let may = container_at(&next, index).share();
            run.has = (has != may).then(|| Box::new(has));
        }
        self.spec = next;
        if let Some(resize) = &mut self.resize {
            let started = StatusReason { reason: "".into(), message: "".into() };
            (resize.desired, resize.pending) = (None, None);
            (resize.progress, resize.retry) = (Some(started), SimTime::MAX);
        }
        let fact = self.fact(Verb::Resizing, desk);
        self.tell(fact, desk);
        self.say(desk, || self.of_resize("ResizeStarted", "Pod resize started"));
        self.wants_sync = true;
        self.fresh_from = desk.fx.now();
        self.write_status(desk);
    }

    fn resize_generation(&self) -> u32 {
        self.resize.as_ref().map_or(0, |resize| resize.generation)
    }

    /// Something of a resize for which there is room.
    fn of_resize(&self, reason: &'static str, words: &str) -> Remark {
        Remark::normal(reason, told(words, &self.spec, self.resize_generation(), ""))
    }

    /// Whether a container runs with something else than its spec says now.
    fn lags(&self, index: usize) -> bool {
        let run = &self.runs[index];
        run.has.is_some() && matches!(run.truth(), Life::Running(_))
    }

    /// Whether a container must be restarted to get what it may take now.
    pub(super) fn must_restart(&self, index: usize) -> bool {
        let run = &self.runs[index];
        let Some(has) = &run.has else { return false };
        let container: &Container = self.container(index);
        let OnResize { cpu, memory } = container.on_resize;
        let differs = |of: fn(&Resources) -> i64| {
            of(&has.requests) != of(&container.requests) || of(&has.limits) != of(&container.limits)
        };
        cpu == ResizePolicy::Restart && differs(|it| it.cpu_milli)
            || memory == ResizePolicy::Restart && differs(|it| it.memory)
    }

    /// Containers that cannot be resized while they run are to be stopped.
    pub(super) fn restart_to_resize(&mut self) {
        for index in 0..self.runs.len() {
            let runs = matches!(self.runs[index].known(), Life::Running(_));
            if runs && self.runs[index].kill == Kill::None && self.must_restart(index) {
                self.runs[index].kill = Kill::Wanted(self.spec.grace_seconds);
            }
        }
    }

    /// Gives the next container that runs what it may take now; says whether there is one.
    pub(super) fn update_next(&mut self, desk: &mut Desk<'_>) -> bool {
        let now = desk.fx.now();
        let Some(resize) = &mut self.resize else { return false };
        if resize.retry <= now {
            resize.retry = SimTime::MAX;
        }
        if resize.retry < SimTime::MAX {
            return false;
        }
        let waits = |index: &usize| self.lags(*index) && !self.must_restart(*index);
        let Some(index) = (0..self.runs.len()).find(waits) else { return false };
        let (container, spec) = (self.container_ref(index), self.spec.clone());
        self.step = Step::Update(index as u16);
        self.step_op = self.ask(EngineAsk::UpdateContainerResources(container, spec), desk);
        true
    }

    /// The engine gave a container what it may take, or did not.
    pub(super) fn updated(
        &mut self,
        index: usize,
        result: Result<EngineAnswer, EngineError>,
        desk: &mut Desk<'_>,
    ) {
        // One that is not there any more gets it when it is created.
        let Err(EngineError::Unknown(why)) = result else {
            self.runs[index].has = None;
            return;
        };
        let retry = desk.fx.now() + desk.settings.error_retry;
        if let Some(resize) = &mut self.resize {
            resize.progress = Some(StatusReason { reason: "Error".into(), message: why.clone() });
            resize.retry = retry;
        }
        let fact = self.fact(Verb::ResizeFailed, desk).with("container", index as i64);
        self.tell(fact.saying(why.clone()), desk);
        self.say(desk, || {
            let generation = self.resize_generation();
            Remark::warning("ResizeError", told("Pod resize error", &self.spec, generation, &why))
        });
        self.write_status(desk);
    }

    /// A sync has done what it could: the resize may be through.
    pub(super) fn resize_ended(&mut self, desk: &mut Desk<'_>) {
        let lacks = (0..self.runs.len()).any(|index| self.lags(index));
        let Some(resize) = self.resize.as_mut().filter(|it| it.progress.is_some() && !lacks) else {
            return;
        };
        resize.progress = None;
        let fact = self.fact(Verb::Resized, desk);
        self.tell(fact, desk);
        self.say(desk, || self.of_resize("ResizeCompleted", "Pod resize completed"));
        self.write_status(desk);
    }

    /// What its status says of it.
    pub(super) fn resizing(&self) -> Option<Arc<Resizing>> {
        let resize = self.resize.as_ref()?;
        let lagging = (0..self.runs.len()).filter(|&index| self.lags(index));
        let actual = lagging.filter_map(|index| {
            let has: &Share = self.runs[index].has.as_deref()?;
            Some((index as u16, has.clone()))
        });
        Some(Arc::new(Resizing {
            allocated: self.spec.clone(),
            actual: actual.collect(),
            pending: resize.pending.clone(),
            progress: resize.progress.clone(),
            counted: self.spec.clone(),
        }))
    }
}
