//! The phase of a pod, worked out of its containers (kubelet 1.36 `pkg/kubelet/kubelet_pods.go`, `getPhase`).

use crate::api::pod::{
    Container, ContainerState, ContainerStatus, Lifetime, Phase, PodSpec, RestartPolicy,
    TerminationReason,
};
use crate::api::rules::restarts::restarts_on;

/// Whether a pod has come to its end, whatever its restart policy says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finality {
    /// It goes on as its restart policy says.
    Open,
    /// It was stopped for good: deleted, evicted, past its deadline.
    Final,
}

/// Whether a pod was initialised before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initialized {
    /// Its init containers still have their work before them.
    NotYet,
    /// They were through once: sidecars that restart do not hold it back.
    Once,
}

/// How the containers stand.
#[derive(Default)]
struct Count {
    running: u32,
    waiting: u32,
    unknown: u32,
    stopped: u32,
    succeeded: u32,
    /// Of those stopped, how many are started again.
    coming_back: u32,
}

/// How the init containers stand.
#[derive(Default)]
struct Inits {
    pending: u32,
    /// Failed for good.
    failed: u32,
    pending_sidecars: u32,
}

/// The phase of a pod of this spec. `status` tells the status of a container by its index, init containers first;
/// one that has none yet has not been heard of.
pub fn pod_phase(
    spec: &PodSpec,
    status: impl Fn(usize) -> Option<ContainerStatus>,
    finality: Finality,
    initialized: Initialized,
) -> Phase {
    let inits = spec.init_containers.len();
    let mut count = Count::default();
    let init = count_inits(spec, &status, &mut count);
    for (at, container) in spec.containers.iter().enumerate() {
        count.look(container, spec.restart_policy, status(inits + at));
    }
    if init.failed > 0 {
        return Phase::Failed;
    }
    let held_back = init.pending_sidecars > 0 && initialized == Initialized::NotYet;
    if init.pending > 0 || held_back || count.waiting > 0 || count.unknown > 0 {
        return Phase::Pending;
    }
    if count.running > 0 {
        return Phase::Running;
    }
    match (count.stopped, finality) {
        (0, _) => Phase::Pending,
        (_, Finality::Open) if count.coming_back > 0 => Phase::Running,
        (stopped, _) if stopped == count.succeeded => Phase::Succeeded,
        _ => Phase::Failed,
    }
}

/// The phase of a pod of which nothing runs any more: one that is not done has failed
/// (kubelet 1.36 status manager, `TerminatePod`).
pub fn phase_at_end(phase: Phase) -> Phase {
    if phase.is_terminal() { phase } else { Phase::Failed }
}

impl Count {
    fn look(&mut self, container: &Container, policy: RestartPolicy, of: Option<ContainerStatus>) {
        let Some(status) = of else {
            self.unknown += 1;
            return;
        };
        match (status.state, status.last) {
            (ContainerState::Running(_), _) => self.running += 1,
            (ContainerState::Terminated(end), _) => {
                self.stopped += 1;
                self.succeeded += u32::from(end.exit_code == 0);
                self.coming_back += u32::from(restarts_on(container, policy, end.exit_code));
            }
            // It waits to be started again.
            (ContainerState::Waiting(_), Some(end)) => {
                self.stopped += 1;
                let comes_back = end.reason == TerminationReason::RestartingAllContainers
                    || restarts_on(container, policy, end.exit_code);
                self.coming_back += u32::from(comes_back);
            }
            (ContainerState::Waiting(_), None) => self.waiting += 1,
        }
    }
}

fn count_inits(
    spec: &PodSpec,
    status: impl Fn(usize) -> Option<ContainerStatus>,
    count: &mut Count,
) -> Inits {
    let mut init = Inits::default();
    for (at, container) in spec.init_containers.iter().enumerate() {
        let status = status(at);
        let state = status.map(|status| (status.state, status.last));
        match (container.lifetime, state) {
            (Lifetime::Normal, None | Some((ContainerState::Running(_), _))) => init.pending += 1,
            (
                Lifetime::Normal,
                Some(
                    (ContainerState::Terminated(end), _) | (ContainerState::Waiting(_), Some(end)),
                ),
            ) => match end.exit_code {
                _ if end.reason == TerminationReason::RestartingAllContainers => init.pending += 1,
                0 => {}
                code => {
                    let stays = !restarts_on(container, spec.restart_policy, code);
                    init.failed += u32::from(stays);
                }
            },
            (Lifetime::Normal, Some((ContainerState::Waiting(_), None))) => init.pending += 1,
            (Lifetime::Sidecar, Some((ContainerState::Running(_), _))) => {
                count.running += 1;
                init.pending_sidecars += u32::from(!status.is_some_and(|one| one.started));
            }
            (Lifetime::Sidecar, Some((ContainerState::Waiting(_), None))) => {
                init.pending_sidecars += 1;
                count.waiting += 1;
            }
            (Lifetime::Sidecar, None) => {
                init.pending_sidecars += 1;
                count.unknown += 1;
            }
            (Lifetime::Sidecar, Some(_)) => {}
        }
    }
    init
}
