//! The conditions of a pod, worked out of its containers (kubelet 1.36 `pkg/kubelet/status/generate.go`).

use crate::api::pod::{Container, ContainerState, ContainerStatus, Lifetime, Phase, PodSpec};

/// ContainersReady: every container and sidecar is ready, and the pod is not done.
pub fn containers_ready(spec: &PodSpec, statuses: &[ContainerStatus], phase: Phase) -> bool {
    let inits = spec.init_containers.len();
    let ready = |at: usize| statuses.get(at).is_some_and(|status| status.ready);
    let sidecars = (0..inits).filter(|&at| spec.init_containers[at].lifetime == Lifetime::Sidecar);
    let mains = inits..inits + spec.containers.len();
    !phase.is_terminal() && sidecars.chain(mains).all(ready)
}

/// Ready: ContainersReady, and whatever the pod's readiness gates name, which nobody here sets.
pub fn pod_ready(spec: &PodSpec, statuses: &[ContainerStatus], phase: Phase) -> bool {
    spec.readiness_gates.is_empty() && containers_ready(spec, statuses, phase)
}

/// Initialized: init containers are through and sidecars started, or it was so once, as a container
/// that runs or ran shows.
pub fn pod_initialized(spec: &PodSpec, statuses: &[ContainerStatus], phase: Phase) -> bool {
    let through = |(container, status): (&Container, &ContainerStatus)| match container.lifetime {
        Lifetime::Normal => status.ready,
        Lifetime::Sidecar => status.started,
    };
    let inits = spec.init_containers.len();
    phase == Phase::Succeeded
        || any_ran(statuses.get(inits..).unwrap_or_default())
        || (statuses.len() >= inits && spec.init_containers.iter().zip(statuses).all(through))
}

/// Whether any of the containers runs or ran.
pub fn any_ran(mains: &[ContainerStatus]) -> bool {
    mains
        .iter()
        .any(|status| !matches!(status.state, ContainerState::Waiting(_)) || status.last.is_some())
}
