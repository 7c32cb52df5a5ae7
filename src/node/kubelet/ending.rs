//! Stopping: of single containers that failed a probe, and of whole pods (kubelet 1.36 `kuberuntime_container.go`
//! killContainer, `kuberuntime_termination_order.go`, `pod_workers.go`).
//!
//! A container gets its preStop hook, then SIGTERM with what is left of the grace period but at least 2 s, then
//! SIGKILL. Sidecars go after all others, the last one first, or when the grace period is over.

use std::sync::Arc;

use super::Desk;
use super::converted::removed;
use super::worker::{Ending, Kill, Life, SandboxKnown, Stage, Step, Worker};
use crate::api::kind::Kind;
use crate::api::pod::{Lifetime, StatusReason, WaitingReason};
use crate::messages::engine::EngineAsk;
use crate::messages::request::Propagation;
use crate::messages::{Call, Remark, Verb};
use crate::time::{SimDuration, SimTime};

/// The least time between SIGTERM and SIGKILL, in seconds (`minimumGracePeriodInSeconds`).
const MIN_GRACE: u32 = 2;

/// How many seconds a pod has to end: what was asked for now, else what its deletion says, else its spec;
/// at least one (kubelet 1.36 `calculateEffectiveGracePeriod`).
pub fn effective_grace(spec: u32, deletion: Option<u32>, asked: Option<u32>) -> u32 {
    asked.or(deletion).unwrap_or(spec).max(1)
}

const DEADLINE_EXCEEDED: &str = "Pod was active on the node longer than the specified deadline";

impl Worker {
    /// The pod is stopped for good, for `why`, within `grace` seconds.
    pub(super) fn end(&mut self, why: Ending, grace: u32, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        if self.stage == Stage::Active || why > self.ending {
            self.ending = why;
        }
        match self.stage {
            Stage::Active => {
                self.stage = Stage::Stopping;
                self.stopping = (now, grace);
                if let Step::PostStart(index) = self.step {
                    self.cut_hook(index.into(), desk);
                }
                // What the engine is in the middle of comes to its end; a pull is given up.
                if !matches!(self.step, Step::Sandbox | Step::Create(_) | Step::Start(_))
                    || self.waits_for_ever()
                {
                    self.step = Step::Idle;
                }
                for index in 0..self.runs.len() {
                    if matches!(self.runs[index].kill, Kill::Wanted(_) | Kill::PreStop(..)) {
                        self.cut_hook(index, desk);
                        self.runs[index].kill = Kill::None;
                    }
                    if matches!(self.runs[index].truth(), Life::Running(_)) {
                        let container = self.container(index).name.clone();
                        let fact = self.fact(Verb::Killing, desk).with("container", index as i64);
                        self.tell(fact.saying(format!("stopping container {container}")), desk);
                        self.say_of(index, desk, |container| {
                            let name = &container.name;
                            Remark::normal("Killing", format!("Stopping container {name}"))
                        });
                    }
                }
                self.drive(desk);
            }
            Stage::Stopping => {
                let (began, former) = self.stopping;
                let ends = |from: SimTime, grace: u32| from + SimDuration::from_secs(grace.into());
                if ends(now, grace) < ends(began, former) {
                    self.stopping = (now, grace);
                    for index in 0..self.runs.len() {
                        match self.runs[index].kill {
                            Kill::Asked(_) => self.stop_container(index, grace, desk),
                            // It is cut off, and begins anew with the stop.
                            Kill::PreStop(..) => {
                                self.cut_hook(index, desk);
                                self.runs[index].kill = Kill::None;
                            }
                            Kill::None | Kill::Wanted(_) => {}
                        }
                    }
                }
                self.drive(desk);
            }
            Stage::StoppingSandbox => {}
            Stage::Ended => {
                if why == Ending::Deleted {
                    self.send_delete(desk);
                }
            }
        }
    }

    /// Whether the step under way is a start the scenario puts off: nothing of it has begun.
    fn waits_for_ever(&self) -> bool {
        matches!(self.step, Step::Start(index) if self.is_staged(index.into()))
    }

    pub(super) fn end_at_deadline(&mut self, desk: &mut Desk<'_>) {
        self.reason = Some(Arc::new(StatusReason {
            reason: "DeadlineExceeded".into(),
            message: DEADLINE_EXCEEDED.into(),
        }));
        self.say(desk, || Remark::normal("DeadlineExceeded", DEADLINE_EXCEEDED));
        self.end(Ending::Deadline, effective_grace(self.spec.grace_seconds, None, None), desk);
    }

    fn is_sidecar(&self, index: usize) -> bool {
        index < self.inits() && self.container(index).lifetime == Lifetime::Sidecar
    }

    fn is_open(&self, index: usize) -> bool {
        let run = &self.runs[index];
        matches!(run.truth(), Life::Running(_))
            || matches!(run.kill, Kill::Asked(_) | Kill::PreStop(..))
    }

    /// Whether a sidecar waits for its turn.
    pub(super) fn has_waiting_sidecar(&self, now: SimTime) -> bool {
        let waits = |kill| match kill {
            Kill::None => true,
            Kill::PreStop(until, _) => until <= now,
            Kill::Wanted(_) | Kill::Asked(_) => false,
        };
        let mut inits = 0..self.inits();
        inits.any(|at| self.is_sidecar(at) && self.is_open(at) && waits(self.runs[at].kill))
    }

    /// Stops whatever may be stopped by now; the sandbox once nothing runs.
    pub(super) fn drive(&mut self, desk: &mut Desk<'_>) {
        if self.stage != Stage::Stopping || !matches!(self.step, Step::Idle | Step::Kill) {
            return;
        }
        let now = desk.fx.now();
        let (began, grace) = self.stopping;
        let over = now >= began + SimDuration::from_secs(grace.into());
        for index in 0..self.runs.len() {
            if self.is_open(index) && self.runs[index].kill == Kill::None {
                self.begin_stop(index, grace, desk);
            }
            self.hook_done(index, desk);
        }
        let mut before_done =
            !(0..self.runs.len()).any(|at| !self.is_sidecar(at) && self.is_open(at));
        for index in
            (0..self.inits()).rev().filter(|&index| self.is_sidecar(index)).collect::<Vec<_>>()
        {
            if self.is_open(index) && self.runs[index].kill == Kill::None && (before_done || over) {
                let waited = now.saturating_since(began).as_secs() as u32;
                self.stop_container(index, grace.saturating_sub(waited), desk);
            }
            before_done &= !self.is_open(index);
        }
        if (0..self.runs.len()).any(|index| self.is_open(index)) {
            return;
        }
        if self.sandbox == SandboxKnown::None {
            return self.finish(desk);
        }
        self.stage = Stage::StoppingSandbox;
        self.step_op = self.ask(EngineAsk::StopPodSandbox(self.pod), desk);
    }

    /// A container's hook begins, or, if it has none, its stop; a sidecar's stop waits for its turn.
    pub(super) fn begin_stop(&mut self, index: usize, grace: u32, desk: &mut Desk<'_>) {
        if self.begin_pre_stop(index, grace, desk) {
            return;
        }
        if !self.is_sidecar(index) || self.stage == Stage::Active {
            self.stop_container(index, grace, desk);
        }
    }

    /// A container whose hook is through is stopped; a sidecar of a pod that stops, in its turn.
    fn hook_done(&mut self, index: usize, desk: &mut Desk<'_>) {
        let Kill::PreStop(until, left) = self.runs[index].kill else { return };
        if until > desk.fx.now() {
            return;
        }
        self.hook_ended(index, desk);
        let (began, grace) = self.stopping;
        let over = desk.fx.now() >= began + SimDuration::from_secs(grace.into());
        let is_next = !(0..self.runs.len()).any(|at| at != index && self.comes_before(at, index));
        if is_next || over || self.stage == Stage::Active {
            let waited = desk.fx.now().saturating_since(until).as_secs() as u32;
            self.stop_container(index, left.saturating_sub(waited), desk);
        }
    }

    /// Whether `index` must wait until `other` has ended.
    fn comes_before(&self, other: usize, index: usize) -> bool {
        self.is_sidecar(index) && self.is_open(other) && (!self.is_sidecar(other) || other > index)
    }

    fn stop_container(&mut self, index: usize, grace: u32, desk: &mut Desk<'_>) {
        let container = self.container_ref(index);
        let ask = EngineAsk::StopContainer(container, grace.max(MIN_GRACE));
        self.runs[index].kill = Kill::Asked(self.ask(ask, desk));
    }

    /// Goes on with killing containers that failed a probe; then with the sync.
    pub(super) fn drive_kills(&mut self, desk: &mut Desk<'_>) {
        for index in 0..self.runs.len() {
            if let Kill::Wanted(grace) = self.runs[index].kill {
                self.runs[index].kill = Kill::None;
                self.tell_killing(index, desk);
                self.begin_stop(index, grace, desk);
            }
            self.hook_done(index, desk);
        }
        if self.step == Step::Kill && self.runs.iter().all(|run| run.kill == Kill::None) {
            if self.is_restarting_all {
                self.begin_anew(desk);
            }
            self.start_next(desk);
        }
    }

    fn tell_killing(&mut self, index: usize, desk: &mut Desk<'_>) {
        let container = self.container(index).name.clone();
        let resizes = self.must_restart(index);
        let (is_restarted, is_alone) = (self.restarts_killed(index), self.runs.len() == 1);
        let why = match (self.is_restarting_all, resizes) {
            (true, _) => "is stopped, because all containers are restarted",
            (false, true) => "resize requires restart",
            (false, false) if is_restarted => "failed a probe, will be restarted",
            (false, false) => "failed a probe",
        };
        let fact = self.fact(Verb::Killing, desk).with("container", index as i64);
        self.tell(fact.saying(format!("container {container} {why}")), desk);
        let probe = if self.runs[index].started { "liveness" } else { "startup" };
        let is_probe = !self.is_restarting_all;
        self.say_of(index, desk, |container| {
            let name = &container.name;
            Remark::normal(
                "Killing",
                match is_probe {
                    true if resizes => format!("Container {name} resize requires restart"),
                    true if is_restarted => {
                        format!("Container {name} failed {probe} probe, will be restarted")
                    }
                    // Nothing is left of the pod: all of it is stopped.
                    true if is_alone => format!("Stopping container {name}"),
                    true => format!("Container {name} failed {probe} probe"),
                    false => format!("Stopping container {name}"),
                },
            )
        });
    }

    /// All containers are to be stopped, before all are started anew.
    pub(super) fn stop_to_restart(&mut self) {
        self.is_restarting_all = true;
        let grace = self.spec.grace_seconds;
        for run in &mut self.runs {
            if matches!(run.truth(), Life::Running(_)) && run.kill == Kill::None {
                run.kill = Kill::Wanted(grace);
            }
        }
    }

    /// All containers have ended and are removed: the pod begins anew, with its init containers (kubelet 1.36
    /// `RestartAllContainers`).
    fn begin_anew(&mut self, desk: &mut Desk<'_>) {
        self.is_restarting_all = false;
        let now = desk.fx.now();
        for index in 0..self.runs.len() {
            self.look(index, desk);
            let run = &mut self.runs[index];
            let Life::Ended(started, exit) = run.seen else { continue };
            run.last = Some(removed(started, exit.finished.min(now)));
            run.restarts += 1;
            run.attempt = run.restarts;
            (run.seen, run.killed) = (Life::New, false);
            run.waiting = Some(WaitingReason::RestartingAllContainers);
            run.retry_at = SimTime::MAX;
        }
        self.write_status(desk);
    }

    /// The engine has answered a stop; says whether the number was one's.
    pub(super) fn stop_done(&mut self, number: u32, desk: &mut Desk<'_>) -> bool {
        if self.stage == Stage::StoppingSandbox && number == self.step_op {
            self.sandbox = SandboxKnown::None;
            self.ask(EngineAsk::RemovePodSandbox(self.pod), desk);
            self.finish(desk);
            return true;
        }
        let Some(index) = self.runs.iter().position(|run| run.kill == Kill::Asked(number)) else {
            return false;
        };
        self.runs[index].kill = Kill::None;
        if self.stage == Stage::Active {
            // Killed within a sync, it is started again by the same sync.
            self.look(index, desk);
            // One that is killed for its postStart hook is done with in this sync.
            let is_done_with = index < usize::from(self.cursor);
            self.runs[index].killed = !is_done_with;
            if is_done_with {
                self.wait_for_hook(index);
            }
            if self.step == Step::Kill {
                self.drive_kills(desk);
            }
        } else {
            self.drive(desk);
        }
        true
    }

    /// Nothing of the pod is left on the node.
    fn finish(&mut self, desk: &mut Desk<'_>) {
        self.stage = Stage::Ended;
        self.step = Step::Idle;
        for index in 0..self.runs.len() {
            self.look(index, desk);
        }
        if !self.has_made_room {
            desk.give_back(self);
        }
        if self.ending == Ending::Removed {
            return;
        }
        self.write_status(desk);
        if self.ending == Ending::Deleted {
            self.send_delete(desk);
        }
    }

    /// Asks the API server to let the object go.
    pub(super) fn send_delete(&mut self, desk: &mut Desk<'_>) {
        desk.send_delete(Call::Delete {
            kind: Kind::Pod,
            id: self.pod.into(),
            uid: Some(self.uid),
            grace_seconds: Some(0),
            propagation: Propagation::Background,
        });
    }
}
