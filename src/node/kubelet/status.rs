//! The status a kubelet writes of a pod (kubelet 1.36 `generateAPIPodStatus`).

use std::sync::Arc;

use super::duties::{Duty, next_after};
use super::merging::{Containers, merged};
use super::phase::{Finality, Initialized, phase_at_end, pod_phase};
use super::worker::{Ending, Life, SandboxKnown, Stage, Worker, shown_state, termination};
use super::{Desk, Kubelets, Timer};
use crate::api::pod::{
    ContainerState, ContainerStatus, Lifetime, Phase, Pod, PodCondition, PodStatus, StatusReason,
    Termination, TerminationReason, WaitingReason,
};
use crate::api::rules::pod_conditions::{Known, ready_to_start};
use crate::base::Id;
use crate::messages::{Call, Effects};
use crate::time::SimTime;

impl Kubelets {
    /// What is stored of a pod's readiness is seen: where somebody else wrote it (the node controller,
    /// while the node was not heard of), the next batch of statuses puts it right (kubelet 1.36
    /// `status_manager.go needsReconcile`).
    pub fn reconcile(&mut self, id: Id<Pod>, stored: &PodStatus, fx: &mut Effects<Timer>) {
        let Some(worker) = self.worker_of(id) else { return };
        let held = &self.workers[worker];
        let told = |status: &PodStatus| (status.phase, status.is(PodCondition::Ready));
        if told(&held.status) != told(stored) {
            self.resend(worker, fx);
        }
    }

    /// Others set conditions of a pod: where its readiness hangs on them, it is looked at again (kubelet 1.36
    /// `HandlePodReconcile`).
    pub fn conditions_set(&mut self, id: Id<Pod>, stored: &PodStatus, fx: &mut Effects<Timer>) {
        let Some(worker) = self.worker_of(id) else { return };
        let held = &mut self.workers[worker];
        if held.is_static() || held.status.others == stored.others {
            return;
        }
        held.status.others.clone_from(&stored.others);
        held.cause = held.cause.max(fx.cause());
        held.wants_sync |= !held.spec.readiness_gates.is_empty();
        self.with(worker, fx, |_, _| {});
    }

    /// A status is sent again with the next batch.
    pub(super) fn resend(&mut self, id: Id<Worker>, fx: &mut Effects<Timer>) {
        let worker = &mut self.workers[id];
        if std::mem::replace(&mut worker.is_unsent, true) {
            return;
        }
        let at = worker.node;
        let node = &mut self.nodes[at.row()];
        node.unsent.push(id);
        if node.unsent.len() == 1 {
            let cadence = Duty::Resend.cadence(self.luck, &node.meta.name);
            fx.arm_at(next_after(cadence, fx.now()), Timer::Resend(at));
        }
    }
}

impl Worker {
    /// The statuses of its containers as of the latest relist.
    pub(super) fn container_statuses(&self) -> Vec<ContainerStatus> {
        let idle = if self.inits() == 0 {
            WaitingReason::ContainerCreating
        } else {
            WaitingReason::PodInitializing
        };
        let status = |(index, run): (usize, &super::worker::ContainerRun)| {
            let state = shown_state(run.seen, run.waiting, idle);
            let held_back = matches!(state, ContainerState::Waiting(_));
            let last = if held_back { termination(run.seen).or(run.last) } else { run.last };
            let is_crashed = state == ContainerState::Waiting(WaitingReason::CrashLoopBackOff);
            let init = index < self.inits() && self.container(index).lifetime == Lifetime::Normal;
            let done = matches!(run.seen, Life::Ended(_, exit) if exit.code == 0);
            ContainerStatus {
                state,
                last,
                restarts: run.restarts,
                ready: if init { done } else { run.ready },
                started: run.started,
                held_back_millis: if is_crashed { run.held_back_millis } else { 0 },
            }
        };
        self.runs.iter().enumerate().map(status).collect()
    }

    /// Writes the status if it is not what was written last; gives the phase.
    pub(super) fn write_status(&mut self, desk: &mut Desk<'_>) -> Phase {
        let now = desk.fx.now();
        let status = self.next_status(now);
        let phase = status.phase;
        if status != self.status {
            self.status = status;
            self.send_status(desk);
        }
        phase
    }

    /// Sends the status as it stands.
    pub(super) fn send_status(&mut self, desk: &mut Desk<'_>) {
        self.is_unsent = false;
        if self.ending == Ending::Removed && self.stage != Stage::Active {
            return;
        }
        let Some(uid) = self.uid_in_api() else { return };
        let status = Box::new(self.status.clone());
        desk.send_status(Call::PodStatus { pod: self.pod, uid, status });
    }

    fn next_status(&self, now: SimTime) -> PodStatus {
        let mut containers = self.container_statuses();
        let is_over = self.stage == Stage::Ended && self.ending != Ending::Finished;
        if is_over {
            for status in &mut containers {
                end_for_good(status, now);
            }
        }
        let finality = if is_over { Finality::Final } else { Finality::Open };
        let once = if self.has_initialized() { Initialized::Once } else { Initialized::NotYet };
        let held = self.status.phase;
        let of = |index: usize| containers.get(index).copied();
        let phase = match pod_phase(&self.spec, of, finality, once) {
            _ if held.is_terminal() => held,
            _ if is_over && self.reason.is_some() => Phase::Failed,
            phase if is_over => phase_at_end(phase),
            phase => phase,
        };
        let mut status = PodStatus {
            phase,
            conditions: self.status.conditions,
            others: self.status.others.clone(),
            ip: self.status.ip,
            start_time: Some(self.taken),
            observed_generation: 0,
            reason: self.reason.clone(),
            containers: None,
            disruption: None,
            nominated: None,
            resize: self.resizing(),
        };
        let is_by_us = matches!(self.ending, Ending::Evicted | Ending::Shutdown);
        if is_by_us && self.stage != Stage::Active {
            status.set(PodCondition::DisruptionTarget, true, now);
            status.disruption = self.reason.as_ref().map(|why| {
                let message = why.message.clone();
                Arc::new(StatusReason { reason: "TerminationByKubelet".into(), message })
            });
        }
        if let SandboxKnown::Made(Some(address)) = self.sandbox {
            status.ip = Some(address);
        }
        let known = Known { spec: &self.spec, statuses: Some(&of), phase };
        // Conditions of readiness gates are for others to set.
        let gate = |kind: &str| self.status.said(kind).map(|it| it.value);
        let findings = [
            (PodCondition::Initialized, known.initialized()),
            (PodCondition::ContainersReady, known.containers_ready()),
            (PodCondition::Ready, known.ready(gate)),
        ];
        let address = match self.sandbox {
            SandboxKnown::Made(address) => address,
            SandboxKnown::None => None,
        };
        // Whoever placed it: it is here.
        status.set(PodCondition::PodScheduled, true, now);
        status.set(PodCondition::PodReadyToStartContainers, ready_to_start(address), now);
        for (which, found) in findings {
            status.set(which, found.holds, now);
        }
        status.containers = match &self.status.containers {
            Some(held) if **held == *containers => Some(held.clone()),
            _ => Some(Arc::from(containers)),
        };
        let may_run = self.runs.iter().any(|run| matches!(run.truth(), Life::Running(_)));
        let containers = if may_run { Containers::MayRun } else { Containers::Gone };
        merged(&self.status, status, containers, now)
    }
}

/// A container of a pod that is stopped for good is ended, whether its end was seen or not
/// (kubelet 1.36 status manager, `TerminatePod`).
fn end_for_good(status: &mut ContainerStatus, now: SimTime) {
    (status.ready, status.started, status.held_back_millis) = (false, false, 0);
    status.state = match status.state {
        ContainerState::Terminated(_) => return,
        ContainerState::Waiting(_) if status.last.is_some() => {
            // It waited to be started again: how it ended is known.
            let end = status.last.take();
            end.map_or(status.state, ContainerState::Terminated)
        }
        ContainerState::Running(_) | ContainerState::Waiting(_) => {
            let started =
                if let ContainerState::Running(since) = status.state { since } else { now };
            ContainerState::Terminated(Termination {
                exit_code: 137,
                reason: TerminationReason::ContainerStatusUnknown,
                started,
                finished: now,
            })
        }
    };
}
