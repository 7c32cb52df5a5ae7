//! What a kubelet remembers of one pod.

use std::net::Ipv4Addr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::asked::Tallies;
use super::backoff::Backoff;
use super::failing::Failing;
use super::hooks::Hooked;
use super::probes::{Answers, Prober, Startup};
use super::resizing::Resize;
use super::static_pods::Mirror;
use crate::api::meta::{ObjectName, Uid};
use crate::api::pod::{
    Container, ContainerState, Lifetime, Pod, PodSpec, PodStatus, Probe, RestartPolicy, Share,
    StatusReason, Termination, WaitingReason, container_at,
};
use crate::api::rules::restarts::{Anew, all_restart, restarts_on};
use crate::base::Id;
use crate::messages::app::{App, Apps};
use crate::messages::engine::{Exit, JobPart, ProbeKind};
use crate::node::NodeIndex;
use crate::time::SimTime;

/// Where a pod is in its life on the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It is brought about and kept so.
    Active,
    /// Its containers are being stopped.
    Stopping,
    /// Its sandbox is being stopped.
    StoppingSandbox,
    /// Nothing of it is left on the node.
    Ended,
}

/// Why a pod is stopped for good.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Ending {
    /// All its containers are through.
    Finished,
    /// It was active longer than `activeDeadlineSeconds`.
    Deadline,
    /// It took more than its own limits of disk.
    OverLimit,
    /// The node runs out of something.
    Evicted,
    /// Its node goes down.
    Shutdown,
    /// It is being deleted.
    Deleted,
    /// Its object is gone already.
    Removed,
}

/// What the sync under way waits for. A container is named by its index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// No sync is under way.
    Idle,
    /// The sandbox.
    Sandbox,
    /// Whether the image is there.
    Image(u16),
    /// The image.
    Pull(u16),
    /// The container's creation.
    Create(u16),
    /// The container's start.
    Start(u16),
    /// The container's postStart hook.
    PostStart(u16),
    /// That a container gets what it may take now.
    Update(u16),
    /// Containers that failed a probe are being killed.
    Kill,
}

/// The sandbox of a pod, as its kubelet knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SandboxKnown {
    /// There is none.
    None,
    /// It was asked for, or stands.
    Made(Option<Ipv4Addr>),
}

/// One attempt of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// It was not started yet.
    New,
    /// It runs since.
    Running(SimTime),
    /// It ended; it had started at the first instant.
    Ended(SimTime, Exit),
}

/// The stop of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kill {
    /// Nobody stops it.
    None,
    /// A failed probe asks for it; so many seconds of grace.
    Wanted(u32),
    /// Its preStop hook is waited for until then; so many seconds of grace are left after it.
    PreStop(SimTime, u32),
    /// The engine was asked, by the operation of this number.
    Asked(u32),
}

/// What a kubelet remembers of one container.
#[derive(Clone, Debug)]
pub(super) struct ContainerRun {
    /// As of the latest relist.
    pub seen: Life,
    /// What the next relist will show.
    pub unseen: Option<Life>,
    /// How often it was created before the attempt at hand.
    pub attempt: u32,
    /// The attempt that `seen` is.
    pub restarts: u32,
    /// How the attempt before the seen one ended.
    pub last: Option<Termination>,
    /// Why it waits, if it does.
    pub waiting: Option<WaitingReason>,
    /// How long it is held back after its latest crash, in milliseconds.
    pub held_back_millis: u32,
    /// When it may be tried again.
    pub retry_at: SimTime,
    /// Its crashes.
    pub crashes: Backoff,
    /// Its failed pulls.
    pub pulls: Backoff,
    pub kill: Kill,
    /// Its seen end is a kill of ours in the sync under way, which starts it again: back-off goes by the end before.
    pub killed: bool,
    /// Its startup probe succeeded, or it has none and was seen to run.
    pub started: bool,
    /// Its readiness probe succeeded, or it has none and the program is ready.
    pub ready: bool,
    /// When it was first seen to run.
    pub seen_at: SimTime,
    /// When its probes first tick, by [`ProbeKind`].
    pub probed_from: [SimTime; 3],
    /// A tick of its readiness probe.
    pub ready_base: SimTime,
    /// When its program answers.
    pub answers: Answers,
    /// What it has, where that is not what its spec says now.
    pub has: Option<Box<Share>>,
    /// Its failed probes that were told.
    pub failing: Failing,
    /// What its probes answered, where they are carried out.
    pub asked: Option<Tallies>,
    /// Its hook that runs.
    pub hook: Option<Hooked>,
}

impl ContainerRun {
    pub(super) fn new() -> ContainerRun {
        ContainerRun {
            seen: Life::New,
            unseen: None,
            attempt: 0,
            restarts: 0,
            last: None,
            waiting: None,
            held_back_millis: 0,
            retry_at: SimTime::MAX,
            crashes: Backoff::default(),
            pulls: Backoff::default(),
            kill: Kill::None,
            killed: false,
            started: false,
            ready: false,
            seen_at: SimTime::MAX,
            probed_from: [SimTime::ZERO; 3],
            ready_base: SimTime::MAX,
            answers: Answers { from: SimTime::MAX, until: SimTime::MAX },
            has: None,
            failing: Failing::default(),
            asked: None,
            hook: None,
        }
    }

    /// What the kubelet goes by: starts it knows of as it made them, ends only once seen.
    pub(super) fn known(&self) -> Life {
        match (self.seen, self.unseen) {
            (Life::Running(_), Some(Life::Ended(..))) | (_, None) => self.seen,
            (_, Some(Life::Ended(started, _))) => Life::Running(started),
            (_, Some(life)) => life,
        }
    }

    /// What is so, seen or not.
    pub(super) fn truth(&self) -> Life {
        self.unseen.unwrap_or(self.seen)
    }

    /// A relist at `now` shows what happened.
    pub(super) fn look(&mut self, container: &Container, now: SimTime) {
        let Some(life) = self.unseen.take() else { return };
        if self.restarts != self.attempt {
            self.last = termination(self.seen).or(self.last);
            self.restarts = self.attempt;
        }
        self.seen = life;
        match life {
            Life::Running(_) => {
                self.seen_at = now;
                self.started = container.startup.is_none();
                (self.ready, self.ready_base, self.killed) = (false, SimTime::MAX, false);
            }
            Life::Ended(..) | Life::New => (self.started, self.ready) = (false, false),
        }
    }

    pub(super) fn prober<'a>(
        &self,
        kind: ProbeKind,
        probe: &'a Probe,
        started: SimTime,
    ) -> Prober<'a> {
        let base = match kind {
            ProbeKind::Startup | ProbeKind::Liveness => self.probed_from[kind as usize],
            ProbeKind::Readiness => self.ready_base,
        };
        let counts_from = self.seen_at.max(started + probe.initial_delay);
        Prober { probe, base, counts_from }
    }

    /// Since when it runs, if it is to run on.
    pub(super) fn running(&self) -> Option<SimTime> {
        match (self.seen, self.kill) {
            (Life::Running(since), Kill::None) => Some(since),
            _ => None,
        }
    }

    /// Whether a probe of it has its tick at `now`, and counts.
    pub(super) fn ticks_at(&self, container: &Container, kind: ProbeKind, now: SimTime) -> bool {
        let (Some(since), Some(probe)) = (self.running(), kind.of(container)) else { return false };
        let is_its_time = match kind {
            ProbeKind::Startup => !self.started,
            ProbeKind::Liveness => self.started,
            ProbeKind::Readiness => self.started && self.ready_base != SimTime::MAX,
        };
        is_its_time && self.prober(kind, probe, since).ticks_at(now)
    }

    /// When its program answers probes that a startup probe holds back: it answered that one already.
    pub(super) fn answers_once_started(&self, container: &Container) -> Answers {
        if container.startup.is_some() { self.answers.begun() } else { self.answers }
    }

    /// When it gets ready without a probe.
    pub(super) fn answers_at(&self, container: &Container) -> Option<SimTime> {
        self.running()?;
        let is_plain = container.readiness.is_none() && self.started && !self.ready;
        let at = self.answers.from.max(self.seen_at);
        (is_plain && at < SimTime::MAX).then_some(at)
    }

    /// The next tick after `now` of any of its probes.
    pub(super) fn next_tick(&self, container: &Container, now: SimTime) -> Option<SimTime> {
        let since = self.running()?;
        let tick = |kind: ProbeKind| self.prober(kind, kind.of(container)?, since).next_tick(now);
        if !self.started {
            return tick(ProbeKind::Startup);
        }
        let readiness = (self.ready_base != SimTime::MAX).then(|| tick(ProbeKind::Readiness));
        let (readiness, liveness) = (readiness.flatten(), tick(ProbeKind::Liveness));
        readiness.into_iter().chain(liveness).min()
    }

    /// What changes next of itself: it gets ready without a probe, or a probe's result changes.
    pub(super) fn next_change(&self, container: &Container) -> Option<(SimTime, Change)> {
        let result = self.next_result(container);
        match (self.answers_at(container), result) {
            (Some(at), Some(result)) if result.0 < at => Some(result),
            (Some(at), _) => Some((at, Change::Ready)),
            (None, result) => result,
        }
    }

    /// What its probes will change next if nothing happens.
    pub(super) fn next_result(&self, container: &Container) -> Option<(SimTime, Change)> {
        let since = self.running()?;
        if let Some(tallies) = self.asked {
            return tallies.change(container, self).map(|change| (SimTime::ZERO, change));
        }
        if !self.started {
            let probe = container.startup.as_ref()?;
            return self.prober(ProbeKind::Startup, probe, since).starts(self.answers).map(|end| {
                match end {
                    Startup::Started(at) => (at, Change::Started),
                    Startup::Failed(at) => (at, Change::Startup),
                }
            });
        }
        let readiness = match (&container.readiness, self.ready) {
            (None, _) => None,
            (Some(_), false) if self.ready_base == SimTime::MAX => None,
            (Some(probe), false) => {
                let prober = self.prober(ProbeKind::Readiness, probe, since);
                prober.turns_good(self.answers).map(|at| (at, Change::Ready))
            }
            (Some(probe), true) => {
                let prober = self.prober(ProbeKind::Readiness, probe, since);
                prober.turns_bad(self.answers.begun()).map(|at| (at, Change::Unready))
            }
        };
        let liveness = container.liveness.as_ref().and_then(|probe| {
            let prober = self.prober(ProbeKind::Liveness, probe, since);
            prober.turns_bad(self.answers_once_started(container)).map(|at| (at, Change::Liveness))
        });
        let next = match (readiness, liveness) {
            (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
            (a, b) => a.or(b),
        };
        next.filter(|(at, _)| *at < SimTime::MAX)
    }
}

/// What a probe changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The startup probe succeeded.
    Started,
    /// The container is ready.
    Ready,
    /// The readiness probe failed.
    Unready,
    /// The startup probe failed for good.
    Startup,
    /// The liveness probe failed.
    Liveness,
}

/// The record of an attempt that ended.
pub(super) fn termination(life: Life) -> Option<Termination> {
    let Life::Ended(started, exit) = life else { return None };
    let Exit { code, reason, finished } = exit;
    Some(Termination { exit_code: code, reason, started, finished })
}

/// What a kubelet remembers of one pod. About 450 bytes with one container.
#[derive(Clone, Debug)]
pub struct Worker {
    pub(super) pod: Id<Pod>,
    pub(super) uid: Uid,
    pub(super) node: NodeIndex,
    pub(super) name: ObjectName,
    pub(super) spec: Arc<PodSpec>,
    pub(super) apps: Apps,
    /// What it does of a Job, if it is a Job's pod.
    pub(super) job: Option<JobPart>,
    /// The latest fact of this pod here: what timers' work comes from.
    pub(super) cause: u64,
    pub(super) stage: Stage,
    /// Why it is stopped, once it is.
    pub(super) ending: Ending,
    /// When its stopping began, and how many seconds it may take.
    pub(super) stopping: (SimTime, u32),
    pub(super) step: Step,
    /// The operation the step waits for.
    pub(super) step_op: u32,
    /// Operations asked for so far.
    pub(super) ops: u32,
    /// Containers below are done with in the sync under way.
    pub(super) cursor: u16,
    /// Something happened that a sync must look at.
    pub(super) wants_sync: bool,
    /// All its containers are being stopped, to be started anew.
    pub(super) is_restarting_all: bool,
    /// A sync needs a look at the engine that is younger than the last sync; there is one from here on.
    pub(super) fresh_from: SimTime,
    /// It is in its node's list for the next relist.
    pub(super) has_news: bool,
    /// The next wake-up that is armed.
    pub(super) armed: SimTime,
    /// The next look at its probes that is armed.
    pub(super) probing: SimTime,
    /// When the kubelet took it on.
    pub(super) taken: SimTime,
    pub(super) sandbox: SandboxKnown,
    /// The status as last written.
    pub(super) status: PodStatus,
    /// A write failed: the status goes out with the next batch.
    pub(super) is_unsent: bool,
    /// Reason and message of a pod that was stopped.
    pub(super) reason: Option<Arc<StatusReason>>,
    pub(super) runs: SmallVec<[ContainerRun; 1]>,
    /// Pods that make room for it: until they have ended, nothing of it is begun.
    pub(super) awaits: Vec<Id<Worker>>,
    /// Its place in its node's list of workers.
    pub(super) place: u32,
    /// Its share of the node was given back before it ended.
    pub(super) has_made_room: bool,
    /// How far it is resized, if that was ever asked for.
    pub(super) resize: Option<Box<Resize>>,
    /// Its mirror in the API, if it comes from a file of its node.
    pub(super) mirror: Option<Box<Mirror>>,
}

impl Worker {
    pub(super) fn container(&self, index: usize) -> &Container {
        container_of(&self.spec, index)
    }

    pub(super) fn app(&self, index: usize) -> Option<&App> {
        self.apps.get(index)
    }

    /// Whether the scenario says when the container runs.
    pub(super) fn is_staged(&self, index: usize) -> bool {
        self.app(index).is_some_and(|app| app.start.is_some())
    }

    /// Whether it says so of all containers.
    pub(super) fn is_all_staged(&self) -> bool {
        !self.apps.is_empty() && (0..self.runs.len()).all(|index| self.is_staged(index))
    }

    pub(super) fn inits(&self) -> usize {
        self.spec.init_containers.len()
    }

    /// Whether a container proper ever ran in this sandbox.
    pub(super) fn has_initialized(&self) -> bool {
        self.runs[self.inits()..].iter().any(|run| run.truth() != Life::New)
    }

    /// Whether a container that ended like this is started again.
    pub(super) fn restarts(&self, index: usize, exit: &Exit) -> bool {
        let container = self.container(index);
        let is_step = index < self.inits() && container.lifetime == Lifetime::Normal;
        !(is_step && exit.code == 0) && restarts_on(container, self.spec.restart_policy, exit.code)
    }

    /// Whether a sync that kills a container for a probe starts it again, whatever it ends with (kubelet 1.36
    /// `computePodActions`, which asks the pod alone, and `computeInitContainerActions`).
    pub(super) fn restarts_killed(&self, index: usize) -> bool {
        index < self.inits() || self.spec.restart_policy != RestartPolicy::Never
    }

    /// Whether a container ended so that all are started anew (kubelet 1.36 `ShouldAllContainersRestart`).
    pub(super) fn wants_restart_all(&self) -> bool {
        let anew = if self.is_restarting_all { Anew::Underway } else { Anew::No };
        let ended = self.runs.iter().enumerate().filter_map(|(index, run)| match run.known() {
            Life::Ended(_, exit) => Some((self.container(index), exit.code)),
            Life::New | Life::Running(_) => None,
        });
        all_restart(anew, ended)
    }

    /// Whether all containers proper ended and none is started again.
    pub(super) fn is_through(&self) -> bool {
        (self.inits()..self.runs.len()).all(|index| match self.runs[index].known() {
            Life::Ended(_, exit) => !self.restarts(index, &exit),
            Life::New | Life::Running(_) => false,
        })
    }
}

/// The spec of a container by its index, init containers first.
pub(super) fn container_of(spec: &PodSpec, index: usize) -> &Container {
    container_at(spec, index)
}

/// The state that the API shows of a container.
pub(super) fn shown_state(
    life: Life,
    waiting: Option<WaitingReason>,
    idle: WaitingReason,
) -> ContainerState {
    match (life, waiting) {
        (Life::Running(since), _) => ContainerState::Running(since),
        (_, Some(reason)) => ContainerState::Waiting(reason),
        (Life::New, None) => ContainerState::Waiting(idle),
        (Life::Ended(..), None) => {
            termination(life).map_or(ContainerState::Waiting(idle), ContainerState::Terminated)
        }
    }
}
