//! The phase of a pod, worked out of its containers (kubelet 1.36 `pkg/kubelet/kubelet_pods.go`, `getPhase`).

use crate::api::pod::{
    Container, ContainerState, ContainerStatus, Lifetime, Phase, PodSpec, RestartPolicy,
};

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

/// How containers of a kind stand.
#[derive(Default)]
struct Count {
    running: u32,
    waiting: u32,
    stopped: u32,
    succeeded: u32,
}

/// How the init containers stand.
#[derive(Default)]
struct Inits {
    pending: u32,
    failed: u32,
    pending_sidecars: u32,
}

/// The phase of a pod of this spec. `statuses` are of its init containers and then its containers, in
/// the order of the spec; one that is not there yet is waiting.
pub fn pod_phase(
    spec: &PodSpec,
    statuses: &[ContainerStatus],
    finality: Finality,
    initialized: Initialized,
) -> Phase {
    let inits = spec.init_containers.len().min(statuses.len());
    let (of_init, of_main) = statuses.split_at(inits);
    let mut count = Count::default();
    let init = count_inits(&spec.init_containers, of_init, &mut count);
    for status in of_main {
        match exit_of(status) {
            Seen::Running => count.running += 1,
            Seen::Waiting => count.waiting += 1,
            Seen::Ended(code) => {
                count.stopped += 1;
                count.succeeded += u32::from(code == 0);
            }
        }
    }
    count.waiting += (spec.containers.len() - of_main.len().min(spec.containers.len())) as u32;
    if init.failed > 0 && spec.restart_policy == RestartPolicy::Never {
        return Phase::Failed;
    }
    let held_back = init.pending_sidecars > 0 && initialized == Initialized::NotYet;
    if init.pending > 0 || held_back || count.waiting > 0 {
        return Phase::Pending;
    }
    if count.running > 0 {
        return Phase::Running;
    }
    if count.stopped == 0 {
        return Phase::Pending;
    }
    let all_well = count.stopped == count.succeeded;
    match (finality, spec.restart_policy) {
        (Finality::Final, _) => ended(all_well),
        (Finality::Open, RestartPolicy::Always) => Phase::Running,
        (Finality::Open, _) if all_well => Phase::Succeeded,
        (Finality::Open, RestartPolicy::Never) => Phase::Failed,
        (Finality::Open, RestartPolicy::OnFailure) => Phase::Running,
    }
}

fn ended(all_well: bool) -> Phase {
    if all_well { Phase::Succeeded } else { Phase::Failed }
}

fn count_inits(containers: &[Container], statuses: &[ContainerStatus], count: &mut Count) -> Inits {
    let mut init = Inits::default();
    for (container, status) in containers.iter().zip(statuses) {
        match (container.lifetime, exit_of(status)) {
            (Lifetime::Normal, Seen::Ended(0)) => {}
            (Lifetime::Normal, Seen::Ended(_)) => init.failed += 1,
            (Lifetime::Normal, _) => init.pending += 1,
            (Lifetime::Sidecar, Seen::Running) => {
                count.running += 1;
                init.pending_sidecars += u32::from(!status.started);
            }
            (Lifetime::Sidecar, Seen::Waiting) => {
                init.pending_sidecars += 1;
                count.waiting += 1;
            }
            (Lifetime::Sidecar, Seen::Ended(_)) => {}
        }
    }
    let missing = containers.iter().skip(statuses.len());
    init.pending += missing.filter(|one| one.lifetime == Lifetime::Normal).count() as u32;
    init
}

enum Seen {
    Waiting,
    Running,
    Ended(u8),
}

/// A container that waits to be started again counts as ended.
fn exit_of(status: &ContainerStatus) -> Seen {
    match (status.state, status.last) {
        (ContainerState::Running(_), _) => Seen::Running,
        (ContainerState::Terminated(end), _) | (ContainerState::Waiting(_), Some(end)) => {
            Seen::Ended(end.exit_code)
        }
        (ContainerState::Waiting(_), None) => Seen::Waiting,
    }
}
