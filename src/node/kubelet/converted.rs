//! The status of a container out of what a container engine shows of it and what was written before (kubelet 1.36
//! `kubelet_pods.go` convertToAPIContainerStatuses): what an engine forgot is made good.

use crate::api::pod::{
    Container, ContainerState, ContainerStatus, Lifetime, Termination, TerminationReason,
    WaitingReason,
};
use crate::time::SimTime;

/// The exit code of a container whose end nobody saw, or that was removed.
const UNSEEN: i32 = 137;
/// What an engine says of a container whose process is gone with the machine's power.
const NO_TASK: i32 = 255;

/// What an engine shows of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// What it does.
    pub state: ContainerState,
    /// Its attempt, as its labels tell.
    pub restarts: u32,
}

/// A container, and what its pod is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its spec.
    pub container: &'a Container,
    /// Which list it is in.
    pub list: List,
    /// Whether its pod has init containers.
    pub waits_as: WaitingReason,
    /// What its pod is about.
    pub course: Course,
}

/// Which list of a spec a container is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// The containers.
    Main,
    /// The init containers, of a pod that was initialised once or was not.
    Init(super::phase::Initialized),
}

/// What a pod is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// It goes on.
    Open,
    /// It is being deleted.
    Deleted,
    /// All its containers are stopped and removed, to be started anew.
    RestartsAll,
}

/// The end of a container that ran since `started` and that nobody knows any more.
pub fn lost(started: SimTime, now: SimTime) -> Termination {
    let reason = TerminationReason::ContainerStatusUnknown;
    Termination { exit_code: UNSEEN, reason, started, finished: now }
}

/// The end of a container that its engine had on disk when the machine lost its power (containerd 2
/// `internal/cri/server/restart.go`).
pub fn cut_off(started: SimTime, now: SimTime) -> Termination {
    Termination { exit_code: NO_TASK, reason: TerminationReason::Unknown, started, finished: now }
}

/// The status to be written.
pub fn status(
    subject: Subject<'_>,
    shown: Option<Shown>,
    before: Option<ContainerStatus>,
    now: SimTime,
) -> ContainerStatus {
    match shown {
        Some(shown) => found(shown, before),
        None => not_found(subject, before, now),
    }
}

fn found(shown: Shown, before: Option<ContainerStatus>) -> ContainerStatus {
    let mut status =
        ContainerStatus { state: shown.state, last: None, restarts: shown.restarts, ..BLANK };
    let Some(before) = before.filter(|before| before.restarts > shown.restarts) else {
        return status;
    };
    // The engine lost its earlier attempts.
    let is_same = matches!(shown.state, ContainerState::Terminated(_));
    match before.state {
        ContainerState::Terminated(end) if !is_same => {
            (status.restarts, status.last) = (before.restarts + 1, Some(end));
        }
        _ => (status.restarts, status.last) = (before.restarts, before.last),
    }
    status
}

fn not_found(
    subject: Subject<'_>,
    before: Option<ContainerStatus>,
    now: SimTime,
) -> ContainerStatus {
    let waiting = ContainerState::Waiting(subject.waits_as);
    let idle = ContainerStatus { state: waiting, ..before.unwrap_or(BLANK) };
    let was = before.map(|before| before.state);
    match (subject.list, was) {
        (List::Init(super::phase::Initialized::Once), None)
            if subject.container.lifetime == Lifetime::Normal =>
        {
            let reason = TerminationReason::Completed;
            let end = Termination { exit_code: 0, reason, started: now, finished: now };
            ContainerStatus { state: ContainerState::Terminated(end), ..BLANK }
        }
        (_, Some(ContainerState::Running(started))) => {
            let (state, end) = match subject.course {
                Course::RestartsAll => (RESTARTING, removed(started, now)),
                Course::Open | Course::Deleted => (waiting, lost(started, now)),
            };
            let again = u32::from(subject.course != Course::Deleted);
            ContainerStatus { state, last: Some(end), restarts: idle.restarts + again, ..BLANK }
        }
        (_, Some(ContainerState::Terminated(end))) if subject.course == Course::RestartsAll => {
            let last = Some(removed(end.started, end.finished));
            ContainerStatus { state: RESTARTING, last, restarts: idle.restarts + 1, ..BLANK }
        }
        (_, Some(ContainerState::Terminated(_))) => before.unwrap_or(BLANK),
        (_, Some(ContainerState::Waiting(_)) | None) => idle,
    }
}

const RESTARTING: ContainerState = ContainerState::Waiting(WaitingReason::RestartingAllContainers);

const BLANK: ContainerStatus = ContainerStatus {
    state: ContainerState::Waiting(WaitingReason::ContainerCreating),
    last: None,
    restarts: 0,
    ready: false,
    started: false,
    held_back_millis: 0,
};

/// The end of a container that is removed so that all begin anew.
pub fn removed(started: SimTime, finished: SimTime) -> Termination {
    let reason = TerminationReason::RestartingAllContainers;
    Termination { exit_code: UNSEEN, reason, started, finished }
}
