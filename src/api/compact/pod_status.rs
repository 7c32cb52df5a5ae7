//! The status of pods that were in a cluster.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::intern::Interner;
use super::unsigned;
use crate::api::node::Tristate;
use crate::api::pod::{
    Condition, ContainerState, ContainerStatus, Phase, PodCondition, PodSpec, PodStatus,
    SaidCondition, StatusReason, Termination, TerminationReason, WaitingReason,
};
use crate::api::rules::pod_addresses::in_order;
use crate::time::SimTime;

/// Conditions that kubelets work out of a resize.
const OF_RESIZES: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// The value of a condition: `Unknown` is neither true nor false, so it is not there.
pub(super) fn truth(written: &str) -> Option<bool> {
    match written {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

fn waiting(reason: Option<&str>) -> WaitingReason {
    match reason {
        Some("PodInitializing") => WaitingReason::PodInitializing,
        Some("CrashLoopBackOff") => WaitingReason::CrashLoopBackOff,
        Some("ErrImagePull") => WaitingReason::ErrImagePull,
        Some("ImagePullBackOff") => WaitingReason::ImagePullBackOff,
        Some("ErrImageNeverPull") => WaitingReason::ErrImageNeverPull,
        Some("InvalidImageName") => WaitingReason::InvalidImageName,
        Some("PostStartHookError") => WaitingReason::PostStartHookError,
        Some("RestartingAllContainers") => WaitingReason::RestartingAllContainers,
        Some("RunContainerError" | "CreateContainerError" | "CreateContainerConfigError") => {
            WaitingReason::RunContainerError
        }
        _ => WaitingReason::ContainerCreating,
    }
}

fn termination(written: &core::ContainerStateTerminated) -> Termination {
    let reason = match written.reason.as_deref() {
        Some("OOMKilled") => TerminationReason::OomKilled,
        Some("StartError" | "ContainerCannotRun") => TerminationReason::StartError,
        Some("ContainerStatusUnknown") => TerminationReason::ContainerStatusUnknown,
        Some("Unknown") => TerminationReason::Unknown,
        Some("RestartingAllContainers") => TerminationReason::RestartingAllContainers,
        Some("Completed") => TerminationReason::Completed,
        _ if written.exit_code == 0 => TerminationReason::Completed,
        _ => TerminationReason::Error,
    };
    Termination {
        exit_code: written.exit_code,
        reason,
        started: SimTime::ZERO,
        finished: SimTime::ZERO,
    }
}

fn state(written: Option<&core::ContainerState>) -> ContainerState {
    let written = written.cloned().unwrap_or_default();
    match (written.running, written.terminated) {
        (Some(_), _) => ContainerState::Running(SimTime::ZERO),
        (None, Some(ended)) => ContainerState::Terminated(termination(&ended)),
        (None, None) => {
            ContainerState::Waiting(waiting(written.waiting.and_then(|it| it.reason).as_deref()))
        }
    }
}

fn container(written: Option<&core::ContainerStatus>) -> ContainerStatus {
    let Some(written) = written else {
        let state = ContainerState::Waiting(WaitingReason::ContainerCreating);
        return ContainerStatus {
            state,
            last: None,
            restarts: 0,
            ready: false,
            started: false,
            held_back_millis: 0,
        };
    };
    let last = written.last_state.as_ref().and_then(|it| it.terminated.as_ref());
    ContainerStatus {
        state: state(written.state.as_ref()),
        last: last.map(termination),
        restarts: unsigned(i64::from(written.restart_count)),
        ready: written.ready,
        started: written.started.unwrap_or(false),
        held_back_millis: 0,
    }
}

/// The pod's address of the family that counts here, whichever its cluster puts first.
fn address(written: &core::PodStatus) -> Option<Ipv4Addr> {
    let all = written.pod_ips.iter().flatten().map(|it| it.ip.as_str());
    let all: Vec<&str> = written.pod_ip.as_deref().into_iter().chain(all).collect();
    match in_order(None, &all).first()? {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    }
}

impl Interner {
    pub(super) fn pod_status(&mut self, written: &core::PodStatus, spec: &PodSpec) -> PodStatus {
        let mut status = PodStatus {
            phase: match written.phase.as_deref() {
                Some("Running") => Phase::Running,
                Some("Succeeded") => Phase::Succeeded,
                Some("Failed") => Phase::Failed,
                Some("Unknown") => Phase::Unknown,
                _ => Phase::Pending,
            },
            ip: address(written),
            start_time: written.start_time.as_ref().map(|_| SimTime::ZERO),
            ..PodStatus::default()
        };
        let mut others = Vec::new();
        for it in written.conditions.iter().flatten() {
            let said = it.last_transition_time.is_some();
            let since_seconds = if said { 0 } else { Condition::UNSAID };
            match PodCondition::named(&it.type_) {
                Some(which) => {
                    let value = Some(Tristate::parse(&it.status));
                    status.conditions[which as usize] = Condition { value, since_seconds };
                }
                None if OF_RESIZES.contains(&&*it.type_) => {}
                None => others.push(SaidCondition {
                    kind: self.text(&it.type_),
                    value: Tristate::parse(&it.status),
                    reason: self.optional(it.reason.as_deref()),
                    message: self.optional(it.message.as_deref()),
                    since_seconds,
                }),
            }
        }
        status.others = (!others.is_empty()).then(|| others.into());
        if let Some(reason) = written.reason.as_deref().filter(|reason| !reason.is_empty()) {
            let message = self.optional(written.message.as_deref());
            status.reason = Some(Arc::new(StatusReason { reason: self.text(reason), message }));
        }
        let statuses = [&written.init_container_statuses, &written.container_statuses];
        if statuses.iter().any(|list| list.as_ref().is_some_and(|list| !list.is_empty())) {
            let [init, main] = statuses;
            let of = |name: &str, list: &Option<Vec<core::ContainerStatus>>| {
                container(list.iter().flatten().find(|it| it.name == name))
            };
            let init = spec.init_containers.iter().map(|it| of(&it.name, init));
            let main = spec.containers.iter().map(|it| of(&it.name, main));
            status.containers = Some(init.chain(main).collect());
        }
        status
    }
}
