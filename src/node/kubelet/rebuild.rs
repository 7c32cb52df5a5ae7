//! A worker's beginning: of a new pod, or of one that a kubelet finds again when it starts.

use std::sync::Arc;

use smallvec::SmallVec;

use super::converted::{cut_off, lost};
use super::worker::{ContainerRun, Ending, Life, SandboxKnown, Stage, Step, Worker};
use super::{Desk, Found, Timer, effective_grace};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::pod::{ContainerState, ContainerStatus, Phase, Pod, PodCondition, PodStatus};
use crate::base::Id;
use crate::base::hash::StableHasher;
use crate::luck::Label;
use crate::messages::app::Apps;
use crate::messages::engine::{Exit, JobPart, ProbeKind};
use crate::messages::engine::{Listed, ListedPod, ListedState};
use crate::messages::{Effects, Remark, Verb};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const PROBE_START: Label = Label::new("probe-start");
/// A container that began so shortly before its kubelet may have been seen by nobody
/// (`kubeletRestartGracePeriod`).
const JUST_BEFORE: SimDuration = SimDuration::from_secs(10);
/// The annotation that carries the completion index of an Indexed Job's pod.
const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The worker of a pod that nothing was done for yet.
pub(super) fn new_worker(
    node: NodeIndex,
    pod: Id<Pod>,
    object: &Pod,
    apps: Apps,
    fx: &Effects<Timer>,
) -> Worker {
    let containers = object.spec.init_containers.len() + object.spec.containers.len();
    let index = object.meta.annotation(COMPLETION_INDEX);
    let is_of_job = object.meta.owner.is_some_and(|owner| owner.kind == Kind::Job);
    let mut status = object.status.clone();
    // What others wrote is theirs.
    status.conditions[PodCondition::DisruptionTarget as usize] = Default::default();
    status.disruption = None;
    Worker {
        pod,
        uid: object.meta.uid,
        node,
        name: ObjectName::of(Kind::Pod, &object.meta),
        spec: object.allocated_spec().clone(),
        apps,
        job: (is_of_job || index.is_some())
            .then(|| JobPart { index: index.and_then(|index| index.parse().ok()) }),
        cause: fx.cause(),
        stage: Stage::Active,
        ending: Ending::Finished,
        stopping: (SimTime::MAX, 0),
        step: Step::Idle,
        step_op: 0,
        ops: 0,
        cursor: 0,
        wants_sync: true,
        is_restarting_all: false,
        fresh_from: SimTime::ZERO,
        has_news: false,
        armed: SimTime::MAX,
        probing: SimTime::MAX,
        taken: object.status.start_time.unwrap_or(fx.now()),
        sandbox: SandboxKnown::None,
        status,
        is_unsent: false,
        reason: None,
        runs: std::iter::repeat_with(ContainerRun::new).take(containers).collect::<SmallVec<_>>(),
        awaits: Vec::new(),
        place: 0,
        has_made_room: false,
        resize: super::resizing::recalled(object, fx.now()),
        mirror: None,
    }
}

impl Worker {
    /// The kubelet takes the pod on, or refuses it.
    pub(super) fn take_on(&mut self, pod: &Pod, desk: &mut Desk<'_>) {
        if pod.status.phase.is_terminal() {
            self.stage = Stage::Ended;
        } else if let Err(reason) = desk.admit(pod) {
            let fact = self.fact(Verb::Refused, desk).saying(reason.message.clone());
            self.tell(fact, desk);
            self.say(desk, || {
                let why = reason.message.trim_start_matches("Pod was rejected: ");
                Remark::warning(reason.reason.to_string(), why)
            });
            self.stage = Stage::Ended;
            self.status = PodStatus {
                phase: Phase::Failed,
                start_time: Some(self.taken),
                reason: Some(Arc::new(reason)),
                ..self.status.clone()
            };
            self.send_status(desk);
        } else {
            desk.node.held.take(&self.spec, desk.id);
            self.spread_probes(desk);
            let fact = self.fact(Verb::Accepted, desk);
            self.tell(fact, desk);
            let at = desk.node.found.iter().position(|found| found.pod == self.pod);
            let found = at.map(|at| desk.node.found.swap_remove(at));
            let known = match self.is_static() {
                true => self.recorded(found.as_ref()),
                false => pod.status.containers.clone(),
            };
            if let Some(known) = known {
                self.recall(&known, found.as_ref(), desk);
            }
            self.want_mirror(desk);
        }
        if let Some(deletion) = pod.meta.deletion {
            let grace =
                effective_grace(self.spec.grace_seconds, Some(deletion.grace_seconds), None);
            self.end(Ending::Deleted, grace, desk);
        }
    }

    /// Its probes begin now, or, where its kubelet started less than a period ago, after a part of the period by
    /// luck, so that not all probes of a node come at once (kubelet 1.36 `prober/worker.go` run).
    fn spread_probes(&mut self, desk: &Desk<'_>) {
        let now = desk.fx.now();
        let (started, nth) = desk.node.started;
        for index in 0..self.runs.len() {
            for kind in ProbeKind::ALL {
                let Some(probe) = kind.of(super::worker::container_of(&self.spec, index)) else {
                    continue;
                };
                let is_recent = started.is_some_and(|at| probe.period > now.saturating_since(at));
                let delay = is_recent.then(|| {
                    let key = StableHasher::new().word(self.uid.0).word(index as u64);
                    let key = key.word(kind as u64).finish();
                    let last = probe.period.saturating_sub(SimDuration::from_nanos(1));
                    let draw = desk.luck.draw(PROBE_START, key, nth.into());
                    draw.duration_between(SimDuration::ZERO, last)
                });
                let from = now + delay.unwrap_or(SimDuration::ZERO);
                self.runs[index].probed_from[kind as usize] = from;
            }
        }
    }

    /// A kubelet that starts anew puts together what the API says and what the engine has.
    fn recall(&mut self, known: &[ContainerStatus], found: Option<&ListedPod>, desk: &Desk<'_>) {
        if let Some(address) = found.and_then(|found| found.address) {
            self.sandbox = SandboxKnown::Made(Some(address));
        }
        let inits = self.inits();
        for (index, status) in known.iter().enumerate().take(self.runs.len()) {
            let run = &mut self.runs[index];
            (run.last, run.restarts, run.attempt) = (status.last, status.restarts, status.restarts);
            let mut listed = found.iter().flat_map(|found| &found.containers);
            match listed.find(|one| usize::from(one.container.index) == index) {
                Some(listed) => {
                    self.recall_listed(index, listed, desk);
                    self.recall_readiness(index, status, desk);
                }
                None => self.recall_lost(index, status, desk),
            }
        }
        // In a new sandbox the init containers have their work before them again.
        let any_new = self.runs[inits..].iter().any(|run| run.seen == Life::New);
        if self.sandbox == SandboxKnown::None && any_new {
            for run in &mut self.runs[..inits] {
                run.seen = Life::New;
            }
        }
    }

    fn recall_listed(&mut self, index: usize, listed: &Listed, desk: &Desk<'_>) {
        self.runs[index].attempt = listed.container.attempt;
        let life = match listed.state {
            ListedState::Created => return,
            ListedState::Running(since) => {
                self.runs[index].answers = self.answers(index, since, desk.luck);
                Life::Running(since)
            }
            ListedState::Exited(since, exit) => Life::Ended(since, exit),
        };
        let container = super::worker::container_of(&self.spec, index);
        self.runs[index].unseen = Some(life);
        self.runs[index].look(container, desk.fx.now());
    }

    /// A container that runs is as started and ready as it was, until probes say otherwise (kubelet 1.36
    /// `prober_manager.go` isContainerStarted and setReadyStateOnKubeletRestart).
    fn recall_readiness(&mut self, index: usize, status: &ContainerStatus, desk: &Desk<'_>) {
        let now = desk.fx.now();
        let container = super::worker::container_of(&self.spec, index);
        let run = &mut self.runs[index];
        let Life::Running(since) = run.seen else { return };
        if desk.settings.found == Found::Unknown {
            return;
        }
        run.started |= status.started;
        if container.readiness.is_none() {
            run.ready = run.started && run.answers.from <= now;
            return;
        }
        let was_there = since + JUST_BEFORE < desk.node.started.0.unwrap_or(now);
        if run.started && was_there && self.status.is(PodCondition::Ready) {
            (run.ready, run.ready_base) = (true, run.probed_from[ProbeKind::Readiness as usize]);
        }
    }

    /// The engine knows nothing of a container: if it ran, nobody saw its end.
    fn recall_lost(&mut self, index: usize, status: &ContainerStatus, desk: &Desk<'_>) {
        let now = desk.fx.now();
        let end = match status.state {
            ContainerState::Waiting(_) => status.last,
            ContainerState::Running(started) if desk.node.has_rebooted => {
                Some(cut_off(started, now))
            }
            ContainerState::Running(started) => Some(lost(started, now)),
            ContainerState::Terminated(end) => Some(end),
        };
        let Some(end) = end else { return };
        let exit = Exit { code: end.exit_code, reason: end.reason, finished: end.finished };
        if self.restarts(index, &exit) {
            let run = &mut self.runs[index];
            run.last = Some(end);
            (run.restarts, run.attempt) = (status.restarts + 1, status.restarts + 1);
        } else {
            self.runs[index].seen = Life::Ended(end.started, exit);
        }
    }
}
