//! Bringing a pod about: one sync looks at what is there and starts what is missing, in order (kubelet 1.36
//! `kuberuntime_manager.go`, SyncPod and computePodActions).

use super::asked::Tallies;
use super::failing::Failing;
use super::probes::Answers;
use super::worker::{Change, ContainerRun, Ending, Kill, Life, SandboxKnown, Stage, Step, Worker};
use super::{Desk, effective_grace, told};
use crate::api::pod::{Lifetime, WaitingReason};
use crate::base::hash::StableHasher;
use crate::kernel::Fidelity;
use crate::luck::{Label, Luck};
use crate::messages::engine::{
    ContainerRef, EngineAnswer, EngineAsk, EngineError, Exit, ProbeKind, Probing, SandboxConfig,
};
use crate::messages::{Remark, Verb};
use crate::time::{SimDuration, SimTime};

const READY: Label = Label::new("app-ready");
const HANG: Label = Label::new("app-hang");

impl Worker {
    /// Does whatever is due, and arms the next wake-up.
    pub(super) fn advance(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        self.tell_failing(desk);
        loop {
            if self.stage == Stage::Stopping {
                self.drive(desk);
            }
            if self.stage != Stage::Active {
                break;
            }
            if self.settle_probes(desk) {
                continue;
            }
            self.mirror_due(desk);
            if self.deadline().is_some_and(|at| at <= now) {
                self.end_at_deadline(desk);
                continue;
            }
            if self.step == Step::Kill {
                self.drive_kills(desk);
            }
            self.post_start_due(desk);
            if self.step != Step::Idle {
                break;
            }
            self.wants_sync |= self.runs.iter().any(|run| run.retry_at <= now);
            self.wants_sync |= self.resize.as_ref().is_some_and(|it| it.retry <= now);
            if !self.wants_sync || now < self.fresh_from || !self.awaits.is_empty() {
                break;
            }
            self.sync(desk);
        }
        if self.stage == Stage::Active {
            self.tell_failing(desk);
            self.ask_probes(desk);
        }
        self.await_relist(desk);
        let due = self.due(now);
        if due < self.armed {
            self.armed = due;
            desk.arm(due);
        }
        let look = self.next_look(now, desk.fidelity);
        if look < self.probing {
            self.probing = look;
            desk.arm_probe(look);
        }
    }

    /// A status that could not be sent, and a deletion, are sent again.
    pub(super) fn resend(&mut self, desk: &mut Desk<'_>) {
        if !self.is_unsent {
            return;
        }
        self.send_status(desk);
        if self.stage == Stage::Ended && self.ending == Ending::Deleted {
            self.send_delete(desk);
        }
    }

    /// A sync that waits for the next look at the engine comes with it.
    fn await_relist(&mut self, desk: &mut Desk<'_>) {
        let is_free = self.stage == Stage::Active && self.awaits.is_empty();
        let waits = is_free && self.step == Step::Idle && self.wants_sync;
        if waits && !self.has_news && self.fresh_from == desk.next_relist() {
            self.has_news = true;
            desk.has_news();
        }
    }

    /// When its probes are looked at next: where a result changes, or at each tick.
    fn next_look(&self, now: SimTime, fidelity: Fidelity) -> SimTime {
        let mut look = SimTime::MAX;
        if self.stage != Stage::Active {
            return look;
        }
        for (index, run) in self.runs.iter().enumerate() {
            let container = self.container(index);
            if let Some((at, _)) = run.next_result(container) {
                look = look.min(at);
            }
            if let Some(at) = run.next_failing(container, now) {
                look = look.min(at);
            }
            if (fidelity == Fidelity::Explicit || run.asked.is_some())
                && let Some(at) = run.next_tick(container, now)
            {
                look = look.min(at);
            }
        }
        look
    }

    /// When the pod is active for too long.
    pub(super) fn deadline(&self) -> Option<SimTime> {
        let seconds = self.spec.active_deadline_seconds?;
        Some(self.taken + SimDuration::from_secs(seconds.into()))
    }

    /// The earliest instant at which something is due of itself.
    fn due(&self, now: SimTime) -> SimTime {
        let mut due = SimTime::MAX;
        match self.stage {
            Stage::Active => {
                if self.step == Step::Idle && self.awaits.is_empty() {
                    let waits = self.wants_sync && !self.has_news;
                    due = if waits { self.fresh_from } else { SimTime::MAX };
                    let retries = self.runs.iter().map(|run| run.retry_at.max(self.fresh_from));
                    due = retries.fold(due, SimTime::min);
                    due = due.min(self.resize.as_ref().map_or(SimTime::MAX, |it| it.retry));
                }
                for (index, run) in self.runs.iter().enumerate() {
                    due = due.min(run.answers_at(self.container(index)).unwrap_or(SimTime::MAX));
                }
                due = due.min(self.deadline().unwrap_or(SimTime::MAX));
                due = due.min(self.mirror.as_ref().map_or(SimTime::MAX, |it| it.wanted));
            }
            Stage::Stopping => {
                let (began, grace) = self.stopping;
                let over = began + SimDuration::from_secs(grace.into());
                if self.has_waiting_sidecar(now) {
                    due = due.min(over);
                }
            }
            Stage::StoppingSandbox | Stage::Ended => {}
        }
        self.hooks_due(now).fold(due, SimTime::min)
    }

    /// Applies one change of a probe's result that is due; says whether there was one.
    fn settle_probes(&mut self, desk: &mut Desk<'_>) -> bool {
        let now = desk.fx.now();
        let due = self.runs.iter().enumerate().find_map(|(index, run)| {
            let (at, change) = run.next_change(self.container(index))?;
            (at <= now).then_some((index, change))
        });
        let Some((index, change)) = due else { return false };
        match change {
            Change::Started => {
                self.runs[index].started = true;
                self.wants_sync = true;
                self.write_status(desk);
            }
            Change::Ready => {
                self.runs[index].ready = true;
                self.write_status(desk);
            }
            Change::Unready => {
                // Its ticks so far are spent; the next sync that finds it not ready has it probed anew.
                (self.runs[index].ready, self.runs[index].ready_base) = (false, SimTime::MAX);
                self.wants_sync = true;
                self.probe_failed(index, ProbeKind::Readiness, desk);
                self.write_status(desk);
            }
            Change::Startup => self.kill_for(index, ProbeKind::Startup, desk),
            Change::Liveness => self.kill_for(index, ProbeKind::Liveness, desk),
        }
        true
    }

    fn probe_failed(&mut self, index: usize, kind: ProbeKind, desk: &mut Desk<'_>) {
        let container = &self.container(index).name;
        let why = self.why_unhealthy(index, kind, desk.fx.now());
        let fact = self.fact(Verb::ProbeFailed, desk).with("container", index as i64);
        let what = format!("container {container}: {} probe failed{why}", kind.name());
        self.tell(fact.saying(what), desk);
    }

    fn kill_for(&mut self, index: usize, kind: ProbeKind, desk: &mut Desk<'_>) {
        self.probe_failed(index, kind, desk);
        let own = kind.of(self.container(index)).and_then(|probe| probe.grace_seconds);
        self.runs[index].kill = Kill::Wanted(own.unwrap_or(self.spec.grace_seconds));
        self.wants_sync = true;
    }

    /// One sync: write what is, then begin with what is missing.
    fn sync(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        self.wants_sync = false;
        self.cursor = 0;
        self.runs.iter_mut().for_each(|run| run.killed = false);
        if self.wants_restart_all() {
            self.stop_to_restart();
        } else {
            self.mark_waiting(desk);
        }
        let phase = self.write_status(desk);
        if phase.is_terminal() || self.is_through() {
            let grace = effective_grace(self.spec.grace_seconds, None, None);
            return self.end(Ending::Finished, grace, desk);
        }
        self.trigger_readiness(now);
        self.restart_to_resize();
        let is_wanted = |run: &ContainerRun| matches!(run.kill, Kill::Wanted(_));
        if self.is_restarting_all || self.runs.iter().any(is_wanted) {
            self.step = Step::Kill;
            self.drive_kills(desk);
        } else if self.sandbox == SandboxKnown::None {
            if self.status.ip.is_some() {
                let what = "Pod sandbox changed, it will be killed and re-created.";
                self.say(desk, || Remark::normal("SandboxChanged", what));
            }
            self.step = Step::Sandbox;
            self.sandbox = SandboxKnown::Made(None);
            let config = SandboxConfig {
                pod: self.pod,
                uid: self.uid,
                spec: self.spec.clone(),
                apps: self.apps.clone(),
                job: self.job,
            };
            self.step_op = self.ask(EngineAsk::RunPodSandbox(config), desk);
        } else {
            self.start_next(desk);
        }
    }

    /// A sync that finds a container started and not ready has it probed at once, and its probe ticks
    /// from then on (`UpdatePodStatus`).
    fn trigger_readiness(&mut self, now: SimTime) {
        for (index, run) in self.runs.iter_mut().enumerate() {
            let has_probe = super::worker::container_of(&self.spec, index).readiness.is_some();
            let runs = matches!(run.seen, Life::Running(_));
            let helps = run.ready_base == SimTime::MAX || now < run.answers.from;
            if has_probe && runs && run.started && !run.ready && helps {
                run.ready_base = now.max(run.probed_from[ProbeKind::Readiness as usize]);
            }
        }
    }

    /// Finds which ended containers must wait before they are started again.
    fn mark_waiting(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        for index in 0..self.runs.len() {
            let run = &mut self.runs[index];
            if run.retry_at <= now {
                run.retry_at = SimTime::MAX;
            }
            let Life::Ended(_, exit) = run.known() else { continue };
            let until = run.crashes.until(&desk.settings.crashes, exit.finished, now);
            if let Some(until) = until
                && self.restarts(index, &exit)
            {
                self.wait_to_restart(index, until, desk);
            }
        }
    }

    fn wait_to_restart(&mut self, index: usize, until: SimTime, desk: &mut Desk<'_>) {
        self.say_back_off(index, desk);
        let run = &mut self.runs[index];
        run.retry_at = until;
        if run.waiting != Some(WaitingReason::CrashLoopBackOff) {
            run.waiting = Some(WaitingReason::CrashLoopBackOff);
            run.held_back_millis = run.crashes.wait().as_millis() as u32;
            let seconds = run.crashes.wait().as_secs() as i64;
            let fact = self.fact(Verb::BackOff, desk).with("seconds", seconds);
            self.tell(fact.saying("back-off restarting failed container"), desk);
        }
    }

    /// The container to start next in this sync, if any.
    fn next_to_start(&self, now: SimTime) -> Option<usize> {
        let once = self.has_initialized();
        for (index, run) in self.runs.iter().enumerate() {
            let done_with = index < usize::from(self.cursor)
                || run.retry_at > now && run.retry_at < SimTime::MAX;
            let wanted = match run.known() {
                Life::New => true,
                Life::Ended(..) if run.killed => self.restarts_killed(index),
                Life::Ended(_, exit) => self.restarts(index, &exit),
                Life::Running(_) => false,
            };
            let is_init = index < self.inits();
            let sidecar = is_init && self.container(index).lifetime == Lifetime::Sidecar;
            if wanted && !done_with && !(once && is_init && !sidecar && run.known() != Life::New) {
                return Some(index);
            }
            // An init container that is not through holds the rest back, unless they ran before.
            let through = match (run.known(), sidecar) {
                (Life::Running(_), true) => run.started,
                (Life::Ended(_, exit), false) => exit.code == 0,
                (Life::Running(_) | Life::New, false) | (Life::New | Life::Ended(..), true) => {
                    false
                }
            };
            if is_init && !through && !once {
                return None;
            }
        }
        None
    }

    /// Goes on with the sync under way: the next container, or its end.
    pub(super) fn start_next(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        if self.update_next(desk) {
            return;
        }
        let Some(index) = self.next_to_start(now) else {
            self.resize_ended(desk);
            self.step = Step::Idle;
            self.cursor = 0;
            self.fresh_from = if self.is_all_staged() { now } else { desk.next_relist() };
            return;
        };
        self.cursor = index as u16 + 1;
        if let Life::Ended(_, exit) = self.runs[index].known() {
            let run = &mut self.runs[index];
            // A sync that kills goes by what it saw before: the end of the attempt before.
            let event =
                if run.killed { run.last.map(|last| last.finished) } else { Some(exit.finished) };
            if let Some(event) = event {
                let law = &desk.settings.crashes;
                if let Some(until) = run.crashes.until(law, event, now) {
                    self.wait_to_restart(index, until, desk);
                    self.write_status(desk);
                    self.wants_sync = true;
                    return self.start_next(desk);
                }
                run.crashes.next(law, event, now);
            }
        }
        if self.is_staged(index) {
            self.create(index, desk);
        } else {
            self.ensure_image(index, desk);
        }
    }

    pub(super) fn create(&mut self, index: usize, desk: &mut Desk<'_>) {
        let run = &mut self.runs[index];
        if matches!(run.known(), Life::Ended(..)) {
            run.attempt = run.restarts + 1;
        }
        let container = self.container_ref(index);
        if self.resize.is_some() {
            let spec = self.spec.clone();
            self.ask(EngineAsk::UpdateContainerResources(container, spec), desk);
        }
        self.step = Step::Create(index as u16);
        self.step_op = self.ask(EngineAsk::CreateContainer(container), desk);
    }

    pub(super) fn container_ref(&self, index: usize) -> ContainerRef {
        ContainerRef { pod: self.pod, index: index as u16, attempt: self.runs[index].attempt }
    }

    /// The engine has answered what the sync under way waited for.
    pub(super) fn step_done(
        &mut self,
        result: Result<EngineAnswer, EngineError>,
        desk: &mut Desk<'_>,
    ) {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        match (step, result) {
            (Step::Sandbox, Ok(EngineAnswer::Sandbox(address))) => {
                self.sandbox = SandboxKnown::Made(Some(address));
            }
            (Step::Sandbox, _) => {
                self.sandbox = SandboxKnown::None;
                self.wants_sync = true;
                self.fresh_from = desk.fx.now() + desk.settings.error_retry;
                return;
            }
            (Step::Start(index), Ok(EngineAnswer::Started(at))) => {
                self.container_started(usize::from(index), at, desk);
                if self.step == Step::PostStart(index) {
                    return;
                }
            }
            _ if self.stage != Stage::Active => {}
            (Step::Update(index), result) => self.updated(index.into(), result, desk),
            (Step::Image(index), found) => {
                return self.image_looked_at(index.into(), found.is_ok(), desk);
            }
            (Step::Pull(index), result) => return self.pull_ended(index.into(), result, desk),
            (Step::Create(index), Ok(_)) => {
                let created = |_: &_| Remark::normal("Created", "Container created");
                self.say_of(index.into(), desk, created);
                self.step = Step::Start(index);
                let container = self.container_ref(index.into());
                self.step_op = self.ask(EngineAsk::StartContainer(container), desk);
                return;
            }
            (Step::Create(index) | Step::Start(index), _) => {
                self.hold(index.into(), WaitingReason::RunContainerError, desk);
            }
            (Step::Idle | Step::Kill | Step::PostStart(_), _) => {}
        }
        if self.stage == Stage::Active {
            self.start_next(desk);
        }
    }

    /// A container that could not be started is tried again later.
    pub(super) fn hold(&mut self, index: usize, why: WaitingReason, desk: &mut Desk<'_>) {
        let run = &mut self.runs[index];
        run.waiting = Some(why);
        run.retry_at = desk.fx.now() + desk.settings.error_retry;
        self.write_status(desk);
    }

    fn container_started(&mut self, index: usize, at: SimTime, desk: &mut Desk<'_>) {
        let attempt = self.runs[index].attempt;
        let answers = self.answers(index, at, desk.luck);
        let run = &mut self.runs[index];
        run.answers = answers;
        (run.has, run.hook, run.failing) = (None, None, Failing::default());
        run.asked = (desk.probing == Probing::Asked).then(Tallies::new);
        run.unseen = Some(Life::Running(at));
        run.waiting = None;
        run.retry_at = SimTime::MAX;
        let fact = self.fact(Verb::Started, desk).with("container", index as i64);
        self.tell(fact.with("restarts", attempt.into()), desk);
        self.say_of(index, desk, |_| Remark::normal("Started", "Container started"));
        self.begin_post_start(index, desk);
        self.noticed(index, desk);
    }

    /// When the program of a container that runs since `at` answers probes: the luck of its attempt.
    pub(super) fn answers(&self, index: usize, at: SimTime, luck: Luck) -> Answers {
        let key = StableHasher::new().word(self.uid.0).word(index as u64).finish();
        let draw = |label| luck.draw(label, key, self.runs[index].attempt.into());
        let app = self.app(index);
        let ready = app.and_then(|app| app.ready.as_ref());
        let hang = app.and_then(|app| app.hang.as_ref());
        Answers {
            from: ready.map_or(at, |ready| ready.after(at, draw(READY))),
            until: hang.map_or(SimTime::MAX, |hang| hang.after(at, draw(HANG))),
        }
    }

    /// A container ended.
    pub(super) fn container_exited(&mut self, of: ContainerRef, exit: Exit, desk: &mut Desk<'_>) {
        let index = usize::from(of.index);
        let Some(run) = self.runs.get_mut(index).filter(|run| run.attempt == of.attempt) else {
            return;
        };
        let Life::Running(since) = run.truth() else { return };
        run.unseen = Some(Life::Ended(since, exit));
        // Whoever ended it is why, if that is news.
        self.cause = self.cause.max(desk.fx.cause());
        self.hook_dies(index, desk);
        self.noticed(index, desk);
    }

    /// Something happened to a container: it is seen at the next relist, or at once where the scenario
    /// sets the times or the kubelet stops it and looks itself.
    pub(super) fn noticed(&mut self, index: usize, desk: &mut Desk<'_>) {
        if self.step == Step::PostStart(index as u16) {
            // Nobody looks before its hook is through.
        } else if self.is_staged(index) || self.stage != Stage::Active {
            self.look(index, desk);
            self.wants_sync = true;
            self.fresh_from = desk.fx.now();
        } else if !self.has_news {
            self.has_news = true;
            desk.has_news();
        }
    }

    /// A relist: what happened is seen.
    pub(super) fn relisted(&mut self, desk: &mut Desk<'_>) {
        self.has_news = false;
        for index in 0..self.runs.len() {
            self.look(index, desk);
        }
        self.wants_sync = true;
        self.fresh_from = desk.fx.now();
    }

    /// Looks at one container.
    pub(super) fn look(&mut self, index: usize, desk: &mut Desk<'_>) {
        if self.runs[index].unseen.is_none() || self.step == Step::PostStart(index as u16) {
            return;
        }
        let container = super::worker::container_of(&self.spec, index);
        self.runs[index].look(container, desk.fx.now());
        if let Life::Ended(_, exit) = self.runs[index].seen {
            let fact = self.fact(Verb::Exited, desk).with("container", index as i64);
            let fact = fact.with("exit_code", exit.code.into());
            let fact = match told::why_ended(self.container(index), exit) {
                Some(why) => fact.saying(why),
                None => fact,
            };
            self.tell(fact, desk);
        }
    }
}
