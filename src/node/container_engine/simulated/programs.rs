//! The programs in containers: how they run and end.

use super::operations::not_found;
use super::{
    Bench, EngineTimer, Op, OpKind, Program, ProgramState, Sandbox, SimulatedEngines, container_of,
    report,
};
use crate::api::pod::{Lifetime, Pod, PodSpec, TerminationReason};
use crate::base::Id;
use crate::base::hash::StableHasher;
use crate::luck::{Draw, Label, Ratio};
use crate::messages::app::{App, Delay};
use crate::messages::engine::ListedState;
use crate::messages::engine::{ContainerRef, EngineAnswer, EngineError, EngineEvent, Exit, OpId};
use crate::time::{SimDuration, SimTime};

const START: Label = Label::new("app-start");
const RUN: Label = Label::new("app-run");
const STOP: Label = Label::new("app-stop");
const HANG: Label = Label::new("app-hang");
const CRASH: Label = Label::new("app-crash");
const CRASHES: Label = Label::new("app-crashes");
const STOPPED: Label = Label::new("engine-stop");
const SHOWN: Label = Label::new("engine-exit-shown");

impl SimulatedEngines {
    fn draw(&self, sandbox: &Sandbox, label: Label, index: u16, attempt: u32) -> Draw {
        let key = StableHasher::new().word(sandbox.config.uid.0).word(index.into()).finish();
        self.luck.draw(label, key, attempt.into())
    }

    pub(super) fn app(sandbox: &Sandbox, index: u16) -> Option<&App> {
        sandbox.config.apps.get(usize::from(index))
    }

    /// When the scenario lets the container run: counted from when its sandbox was asked for, a
    /// restart at once. `None`: it says nothing of it.
    pub(super) fn start_delay(&self, container: ContainerRef) -> Option<SimTime> {
        let sandbox = &self.sandboxes[self.sandbox_of(container.pod)?];
        let delay = Self::app(sandbox, container.index)?.start.as_ref()?;
        let draw = self.draw(sandbox, START, container.index, 0);
        match delay.after(sandbox.asked, draw) {
            SimTime::MAX => Some(SimTime::MAX),
            _ if container.attempt > 0 => Some(SimTime::ZERO),
            at => Some(at),
        }
    }

    /// The program begins, and it is settled how it would end if left alone.
    pub(super) fn start(
        &mut self,
        container: ContainerRef,
        cause: u64,
        bench: &mut Bench<'_>,
    ) -> Result<EngineAnswer, EngineError> {
        let id = self.ready_sandbox(container)?;
        let sandbox = &self.sandboxes[id];
        let at = sandbox
            .containers
            .iter()
            .position(|one| one.index == container.index && one.attempt == container.attempt)
            .ok_or_else(|| not_found(container))?;
        let now = bench.fx.now();
        let end = if self.forbidden.contains(&container.pod)
            || self.port_is_taken(sandbox, container.index)
        {
            ended(1, now + self.settings.bind_failure)
        } else {
            self.end_of(sandbox, container, now)
        };
        let hangs = self.hangs(sandbox, container, now);
        let program = &mut self.sandboxes[id].containers[at];
        program.state = ListedState::Running(now);
        program.cause = cause;
        self.tell_program(id, container.index, ProgramState::Running { since: now, hangs }, cause);
        self.plan_end(id, at, end, bench);
        self.usage_changed(id, container.index, 1, bench);
        Ok(EngineAnswer::Started(now))
    }

    /// How a program that began at `began` ends if left alone.
    pub(super) fn end_of(
        &self,
        sandbox: &Sandbox,
        container: ContainerRef,
        began: SimTime,
    ) -> Exit {
        let own = self.own_end(sandbox, container, began);
        let crash = self.crash_of(sandbox, container, began);
        let oom = self.own_oom(sandbox, container, began);
        crash
            .into_iter()
            .chain(oom)
            .fold(own, |first, it| if it.finished < first.finished { it } else { first })
    }

    fn own_end(&self, sandbox: &Sandbox, container: ContainerRef, now: SimTime) -> Exit {
        let app = Self::app(sandbox, container.index);
        let draw = |label| self.draw(sandbox, label, container.index, container.attempt);
        let Some(run) = app.and_then(|app| app.run.as_ref()) else {
            let init = sandbox.config.spec.init_containers.get(usize::from(container.index));
            let runs_out = init.is_some_and(|init| init.lifetime == Lifetime::Normal);
            let lasts = match (init, sandbox.config.job) {
                _ if runs_out => self.settings.init_default,
                (None, Some(_)) => self.settings.job_default,
                _ => Delay::Never,
            };
            return ended(0, lasts.after(now, draw(RUN)));
        };
        let code = run.exit_code_of(sandbox.config.job.and_then(|job| job.index));
        let at = run.lasts.after(now, draw(RUN));
        ended(code, if self.hangs(sandbox, container, now) <= at { SimTime::MAX } else { at })
    }

    /// How a program that began at `now` crashes of itself, if it does; one that hangs by then does not.
    fn crash_of(&self, sandbox: &Sandbox, container: ContainerRef, now: SimTime) -> Option<Exit> {
        let crash = Self::app(sandbox, container.index)?.crash.as_ref()?;
        let draw = |label| self.draw(sandbox, label, container.index, container.attempt);
        let at = crash.after.after(now, draw(CRASH));
        let comes = at < self.hangs(sandbox, container, now)
            && (crash.chance == Ratio::ONE || draw(CRASHES).chance(crash.chance));
        comes.then(|| ended(crash.exit_code, at))
    }

    /// When a program that began at `started` hangs; never, for most.
    pub(super) fn hangs(
        &self,
        sandbox: &Sandbox,
        container: ContainerRef,
        started: SimTime,
    ) -> SimTime {
        let hang = Self::app(sandbox, container.index).and_then(|app| app.hang.as_ref());
        hang.map_or(SimTime::MAX, |hang| {
            hang.after(started, self.draw(sandbox, HANG, container.index, container.attempt))
        })
    }

    /// Whether a running container of the pod has a port that this one declares too.
    fn port_is_taken(&self, sandbox: &Sandbox, index: u16) -> bool {
        let ports =
            |index| container_of(&sandbox.config.spec, index).map_or(&[][..], |one| &one.ports);
        let wanted = ports(index);
        sandbox.containers.iter().any(|other| {
            other.index != index
                && matches!(other.state, ListedState::Running(_))
                && ports(other.index).iter().any(|held| {
                    wanted
                        .iter()
                        .any(|want| (want.port, want.protocol) == (held.port, held.protocol))
                })
        })
    }

    /// From now on the program ends so.
    pub(super) fn plan_end(
        &mut self,
        id: Id<Sandbox>,
        at: usize,
        end: Exit,
        bench: &mut Bench<'_>,
    ) {
        let program = &mut self.sandboxes[id].containers[at];
        (program.end, program.shown) = (end, SimTime::MAX);
        if end.finished < SimTime::MAX {
            bench.fx.arm_at(end.finished, EngineTimer::Exit(id, at as u16));
        }
    }

    /// `StopContainer`: SIGTERM now, SIGKILL after `grace`; none at all is SIGKILL now.
    pub(super) fn stop_container(
        &mut self,
        op: Id<Op>,
        container: ContainerRef,
        grace: SimDuration,
        bench: &mut Bench<'_>,
    ) {
        let found = self.sandbox_of(container.pod).and_then(|id| {
            let programs = &self.sandboxes[id].containers;
            let at = programs.iter().position(|one| {
                one.index == container.index && matches!(one.state, ListedState::Running(_))
            })?;
            Some((id, at))
        });
        let Some((id, at)) = found else {
            let spent = self.settings.stop.spend(|| self.luck_of_call(STOPPED, container));
            return if self.start_delay(container).is_some() {
                self.op_due(op, bench);
            } else {
                self.work(op, spent, bench);
            };
        };
        let now = bench.fx.now();
        let sandbox = &self.sandboxes[id];
        let program = &sandbox.containers[at];
        let first = program.stop.is_none();
        let mut end = program.end;
        let killed = Exit { code: 137, reason: TerminationReason::Error, finished: now + grace };
        if first && !grace.is_zero() {
            let term = self.term_end(sandbox, container, now);
            end = if term.finished < end.finished { term } else { end };
        }
        end = if killed.finished < end.finished { killed } else { end };
        if let Some(former) = self.sandboxes[id].containers[at].stop.replace(op) {
            self.ops.remove(former);
        }
        let cause = bench.fx.cause();
        self.sandboxes[id].containers[at].cause = cause;
        if first {
            self.tell_program(id, container.index, ProgramState::Stopping, cause);
        }
        self.plan_end(id, at, end, bench);
    }

    /// Programs of a pod that run end now with this exit code: those in the container of this name,
    /// or all.
    pub fn end_programs(
        &mut self,
        pod: Id<Pod>,
        container: Option<&str>,
        exit: u8,
        bench: &mut Bench<'_>,
    ) {
        let is_meant = |spec: &PodSpec, index| {
            let name = container_of(spec, index).map(|one| &*one.name);
            container.is_none_or(|wanted| name == Some(wanted))
        };
        self.kill_programs(pod, is_meant, |now| ended(exit, now), bench);
    }

    /// The program of a pod's container, if it runs, ends now like this.
    pub fn kill_program(
        &mut self,
        pod: Id<Pod>,
        index: u16,
        (code, reason): (u8, TerminationReason),
        bench: &mut Bench<'_>,
    ) {
        let end = |finished| Exit { code: code.into(), reason, finished };
        self.kill_programs(pod, |_, at| at == index, end, bench);
    }

    fn kill_programs(
        &mut self,
        pod: Id<Pod>,
        is_meant: impl Fn(&PodSpec, u16) -> bool,
        end: impl Fn(SimTime) -> Exit,
        bench: &mut Bench<'_>,
    ) {
        let Some(id) = self.sandbox_of(pod) else { return };
        let cause = bench.fx.cause();
        for at in 0..self.sandboxes[id].containers.len() {
            let sandbox = &self.sandboxes[id];
            let index = sandbox.containers[at].index;
            let is_meant = is_meant(&sandbox.config.spec, index);
            if is_meant && matches!(sandbox.containers[at].state, ListedState::Running(_)) {
                let end = end(bench.fx.now());
                let program = &mut self.sandboxes[id].containers[at];
                (program.end, program.cause) = (end, cause);
                self.end_program(id, at, end, bench);
            }
        }
    }

    /// How SIGTERM at `now` ends the program.
    fn term_end(&self, sandbox: &Sandbox, container: ContainerRef, now: SimTime) -> Exit {
        let app = Self::app(sandbox, container.index);
        let delay = app.and_then(|app| app.stop.as_ref()).unwrap_or(&self.settings.stop_default);
        let draw = self.draw(sandbox, STOP, container.index, container.attempt);
        ended(0, delay.after(now, draw))
    }

    /// A program's end, or when it is shown, has come.
    pub(super) fn exit_due(&mut self, id: Id<Sandbox>, at: u16, bench: &mut Bench<'_>) {
        let now = bench.fx.now();
        let Some(sandbox) = self.sandboxes.get(id) else { return };
        let Some(program) = sandbox.containers.get(usize::from(at)) else { return };
        match program.state {
            ListedState::Running(_) if program.end.finished == now => {
                let end = program.end;
                self.end_program(id, usize::from(at), end, bench);
            }
            ListedState::Exited(_, exit) if program.shown == now => {
                let (node, cause) = (sandbox.node, program.cause);
                let container = ContainerRef {
                    pod: sandbox.config.pod,
                    index: program.index,
                    attempt: program.attempt,
                };
                let program = &mut self.sandboxes[id].containers[usize::from(at)];
                (program.shown, program.told) = (SimTime::MAX, true);
                bench.fx.because(cause);
                report(node, cause, EngineEvent::Exited(container, exit), bench);
            }
            _ => {}
        }
    }

    /// A stop is answered: where that is measured, it shows the end before it says so.
    pub(super) fn show_stopped(&mut self, container: ContainerRef, bench: &mut Bench<'_>) {
        if !self.settings.exit_shown.is_measured() {
            return;
        }
        let Some(id) = self.sandbox_of(container.pod) else { return };
        let programs = &self.sandboxes[id].containers;
        let is_meant =
            |one: &Program| (one.index, one.attempt) == (container.index, container.attempt);
        if let Some(at) = programs.iter().position(is_meant) {
            self.show_end(id, at as u16, bench);
        }
    }

    /// A program's end is shown now, if it is still the one that was to be.
    pub(super) fn show_end(&mut self, id: Id<Sandbox>, at: u16, bench: &mut Bench<'_>) {
        let programs = self.sandboxes.get_mut(id).map(|sandbox| &mut sandbox.containers);
        let Some(program) = programs.and_then(|all| all.get_mut(usize::from(at))) else { return };
        if matches!(program.state, ListedState::Exited(..)) && !program.told {
            program.shown = bench.fx.now();
            self.exit_due(id, at, bench);
        }
    }

    /// The program ends now; a stop that waits for it goes on.
    pub(super) fn end_program(
        &mut self,
        id: Id<Sandbox>,
        at: usize,
        end: Exit,
        bench: &mut Bench<'_>,
    ) {
        let now = bench.fx.now();
        let sandbox = &self.sandboxes[id];
        let (pod, index) = (sandbox.config.pod, sandbox.containers[at].index);
        let container = ContainerRef { pod, index, attempt: sandbox.containers[at].attempt };
        let sandbox = &mut self.sandboxes[id];
        let staged = Self::app(sandbox, index).is_some_and(|app| app.start.is_some());
        let program = &mut sandbox.containers[at];
        let ListedState::Running(started) = program.state else { return };
        program.state = ListedState::Exited(started, end);
        let (stop, cause) = (program.stop.take(), program.cause);
        bench.fx.because(cause);
        self.tell_program(id, index, ProgramState::Down, cause);
        self.usage_changed(id, index, -1, bench);
        let program = &mut self.sandboxes[id].containers[at];
        if stop.is_some() && self.settings.exit_shown.is_measured() && !staged {
            // The answer shows it.
            program.shown = SimTime::MAX;
        } else if staged || stop.is_some() {
            // Whoever stops a container looks at it when that is answered: no need to wait for the
            // engine to show its end.
            program.shown = now;
            self.exit_due(id, at as u16, bench);
        } else {
            let spent = self.settings.exit_shown.spend(|| self.luck_of_call(SHOWN, container));
            if spent.work.is_zero() {
                let shown = now + spent.floor;
                self.sandboxes[id].containers[at].shown = shown;
                bench.fx.arm_at(shown, EngineTimer::Exit(id, at as u16));
            } else {
                let node = self.sandboxes[id].node;
                let (kind, floor) = (OpKind::Show(id, at as u16), SimDuration::ZERO);
                // Nobody asked for it, so it has no number that anybody waits for.
                let number = OpId(u64::MAX);
                let show = Op { node, number, cause, kind, floor, asked: now, begun: now };
                let show = self.ops.insert(show);
                self.work(show, spent, bench);
            }
        }
        if let Some(op) = stop {
            let spent = self.settings.stop.spend(|| self.luck_of_call(STOPPED, container));
            if staged { self.op_due(op, bench) } else { self.work(op, spent, bench) }
        }
    }
}

/// An end with this exit code, its reason the plain one.
fn ended(code: u8, finished: SimTime) -> Exit {
    let reason = if code == 0 { TerminationReason::Completed } else { TerminationReason::Error };
    Exit { code: code.into(), reason, finished }
}
