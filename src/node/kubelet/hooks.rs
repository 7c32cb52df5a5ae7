//! Hooks of containers: what is done after a start and before a stop (kubelet 1.36 `kuberuntime_container.go`
//! startContainer and executePreStopHook, `lifecycle/handlers.go`).
//!
//! ```text
//! Start --> PostStart --well--> the container counts as started, the next one begins
//!               `------badly--> it is killed (its preStop hook runs too), and started again by the pod's policy
//! Kill --> PreStop --ended, or the grace period is over--> SIGTERM, what is left of the grace period, at least 2 s
//! ```
//! Owns how long a hook takes and how it ends; refuses to know what it does. A command and a request end with their
//! container; a `sleep` is the kubelet's own. What a request is answered does not matter, only that it is.

use super::Desk;
use super::worker::{Kill, Life, Stage, Step, Worker};
use crate::api::pod::{Container, Hook, WaitingReason};
use crate::base::hash::StableHasher;
use crate::luck::{Draw, Label, Luck};
use crate::messages::app::{App, Delay, HookRun};
use crate::messages::{Remark, Verb};
use crate::time::{SimDuration, SimTime};

/// A hook that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hooked {
    /// When it ends by itself.
    ends: SimTime,
    outcome: Outcome,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Well,
    Badly,
}

/// Where a hook is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// By the kubelet.
    Node,
    /// In its container: it ends with it.
    Container,
}

/// Which hook of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    PostStart,
    PreStop,
}

impl Which {
    fn of(self, container: &Container) -> Option<Hook> {
        match self {
            Which::PostStart => container.post_start,
            Which::PreStop => container.pre_stop,
        }
    }

    fn told(self, app: &App) -> Option<&HookRun> {
        match self {
            Which::PostStart => app.post_start.as_ref(),
            Which::PreStop => app.pre_stop.as_ref(),
        }
    }

    fn label(self) -> Label {
        match self {
            Which::PostStart => const { Label::new("hook-post-start") },
            Which::PreStop => const { Label::new("hook-pre-stop") },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Which::PostStart => "postStart",
            Which::PreStop => "preStop",
        }
    }

    fn failed(self) -> Remark {
        match self {
            Which::PostStart => Remark::warning("FailedPostStartHook", "PostStartHook failed"),
            Which::PreStop => Remark::warning("FailedPreStopHook", "PreStopHook failed"),
        }
    }
}

impl Worker {
    /// The hook of a container as it goes if it begins at `now`; `None`: there is none, or it is through at once.
    fn hook(&self, index: usize, which: Which, now: SimTime, luck: Luck) -> Option<Hooked> {
        let hook = which.of(self.container(index))?;
        let (place, ends, outcome) = match hook {
            Hook::Sleep(time) => (Place::Node, now + time, Outcome::Well),
            Hook::Unknown => (Place::Node, now, Outcome::Badly),
            _ if !matches!(self.runs[index].truth(), Life::Running(_)) => {
                (Place::Container, now, Outcome::Badly)
            }
            Hook::Exec(sleeps) => {
                let sleeps = sleeps.unwrap_or(SimDuration::ZERO);
                let (lasts, outcome) = self.hook_told(index, which, luck);
                (Place::Container, now + lasts.unwrap_or(sleeps), outcome)
            }
            Hook::HttpGetElsewhere => {
                let (lasts, outcome) = self.hook_told(index, which, luck);
                (Place::Container, now + lasts.unwrap_or(SimDuration::ZERO), outcome)
            }
            Hook::HttpGet(port) => {
                let (ends, outcome) = self.hook_asks(index, which, port, now, luck);
                (Place::Container, ends, outcome)
            }
        };
        let is_through = ends <= now && outcome == Outcome::Well;
        (!is_through).then_some(Hooked { ends, outcome, place })
    }

    fn luck_of_hook(&self, index: usize, which: Which, luck: Luck) -> Draw {
        let key = StableHasher::new().word(self.uid.0).word(index as u64).finish();
        luck.draw(which.label(), key, self.runs[index].attempt.into())
    }

    /// What the scenario says of it.
    fn hook_told(&self, index: usize, which: Which, luck: Luck) -> (Option<SimDuration>, Outcome) {
        let Some(told) = self.app(index).and_then(|app| which.told(app)) else {
            return (None, Outcome::Well);
        };
        let lasts = told.lasts.as_ref().map(|it| it.sample(self.luck_of_hook(index, which, luck)));
        (lasts, if told.exit_code == 0 { Outcome::Well } else { Outcome::Badly })
    }

    /// When a request to a port of the pod is answered, by the container that has the port, or else by its own:
    /// never by a program that hangs; refused by one that does not answer yet.
    fn hook_asks(
        &self,
        index: usize,
        which: Which,
        port: u16,
        now: SimTime,
        luck: Luck,
    ) -> (SimTime, Outcome) {
        let has = |at: &usize| self.container(*at).ports.iter().any(|it| it.port == port);
        let server = (0..self.runs.len()).find(has).unwrap_or(index);
        let run = &self.runs[server];
        let runs = matches!(run.truth(), Life::Running(_));
        if port == 0 || !runs || now < run.answers.from {
            return (now, Outcome::Badly);
        }
        if run.answers.until <= now {
            return (SimTime::MAX, Outcome::Well);
        }
        let (lasts, outcome) = self.hook_told(index, which, luck);
        let serves = || {
            let time: Option<&Delay> = self.app(server)?.service.as_ref().map(|it| &it.time);
            Some(time?.sample(self.luck_of_hook(index, which, luck)))
        };
        (now + lasts.or_else(serves).unwrap_or(SimDuration::ZERO), outcome)
    }

    /// A container's preStop hook begins, within `grace` seconds; says whether there is one to wait for.
    pub(super) fn begin_pre_stop(&mut self, index: usize, grace: u32, desk: &Desk<'_>) -> bool {
        let now = desk.fx.now();
        let Some(hook) = self.hook(index, Which::PreStop, now, desk.luck) else { return false };
        let until = hook.ends.min(now + SimDuration::from_secs(grace.into()));
        let took = until.saturating_since(now).as_secs() as u32;
        self.runs[index].hook = Some(hook);
        self.runs[index].kill = Kill::PreStop(until, grace.saturating_sub(took));
        true
    }

    /// A container began: so does its postStart hook, if it takes any time or fails.
    pub(super) fn begin_post_start(&mut self, index: usize, desk: &Desk<'_>) {
        if self.stage != Stage::Active {
            return;
        }
        if let Some(hook) = self.hook(index, Which::PostStart, desk.fx.now(), desk.luck) {
            self.runs[index].hook = Some(hook);
            self.step = Step::PostStart(index as u16);
        }
    }

    /// When hooks that are waited for come to their end.
    pub(super) fn hooks_due(&self, now: SimTime) -> impl Iterator<Item = SimTime> {
        let after_start = match self.step {
            Step::PostStart(index) => self.runs[usize::from(index)].hook.map(|hook| hook.ends),
            _ => None,
        };
        let before_stop = self.runs.iter().filter_map(move |run| match run.kill {
            Kill::PreStop(until, _) => Some(until).filter(|until| *until > now),
            Kill::None | Kill::Wanted(_) | Kill::Asked(_) => None,
        });
        before_stop.chain(after_start)
    }

    /// A preStop hook is waited for no longer: it ended, or it goes on until its container ends.
    pub(super) fn hook_ended(&mut self, index: usize, desk: &mut Desk<'_>) {
        let ended = |hook: &mut Hooked| hook.ends <= desk.fx.now();
        let Some(hook) = self.runs[index].hook.take_if(ended) else { return };
        if hook.outcome == Outcome::Badly {
            self.tell_hook_failed(index, Which::PreStop, desk);
        }
    }

    /// The pod is stopped, or sooner than it was: a hook that runs is cut off.
    pub(super) fn cut_hook(&mut self, index: usize, desk: &mut Desk<'_>) {
        let which = match self.step {
            Step::PostStart(at) if usize::from(at) == index => Which::PostStart,
            _ => Which::PreStop,
        };
        if self.runs[index].hook.take().is_some() {
            self.tell_hook_failed(index, which, desk);
        }
    }

    /// A container ended: a hook that ran in it fails.
    pub(super) fn hook_dies(&mut self, index: usize, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        let run = &mut self.runs[index];
        let Some(hook) = &mut run.hook else { return };
        if hook.place == Place::Node {
            return;
        }
        if hook.ends > now {
            (hook.ends, hook.outcome) = (now, Outcome::Badly);
        }
        match &mut run.kill {
            Kill::PreStop(until, _) => *until = now.min(*until),
            // It was waited for no longer.
            Kill::Asked(_) => self.hook_ended(index, desk),
            Kill::None | Kill::Wanted(_) => {}
        }
    }

    /// Goes on with the sync once the postStart hook is through.
    pub(super) fn post_start_due(&mut self, desk: &mut Desk<'_>) {
        let Step::PostStart(at) = self.step else { return };
        let index = usize::from(at);
        let ended = |hook: &mut Hooked| hook.ends <= desk.fx.now();
        let Some(hook) = self.runs[index].hook.take_if(ended) else { return };
        self.step = Step::Idle;
        self.noticed(index, desk);
        if hook.outcome == Outcome::Well {
            return self.start_next(desk);
        }
        self.tell_hook_failed(index, Which::PostStart, desk);
        let container = self.container(index).name.clone();
        let fact = self.fact(Verb::Killing, desk).with("container", index as i64);
        let why = format!("container {container}: its postStart hook failed");
        self.tell(fact.saying(why), desk);
        self.say_of(index, desk, |_| Remark::normal("Killing", "FailedPostStartHook"));
        self.step = Step::Kill;
        self.begin_stop(index, self.spec.grace_seconds, desk);
        self.drive_kills(desk);
    }

    /// A container that was killed for its postStart hook says so while it waits to be started again.
    pub(super) fn wait_for_hook(&mut self, index: usize) {
        if let Life::Ended(_, exit) = self.runs[index].known()
            && self.restarts(index, &exit)
        {
            self.runs[index].waiting = Some(WaitingReason::PostStartHookError);
        }
    }

    fn tell_hook_failed(&mut self, index: usize, which: Which, desk: &mut Desk<'_>) {
        let container = self.container(index).name.clone();
        let fact = self.fact(Verb::HookFailed, desk).with("container", index as i64);
        let what = format!("container {container}: its {} hook failed", which.name());
        self.tell(fact.saying(what), desk);
        self.say_of(index, desk, |_| which.failed());
    }
}
