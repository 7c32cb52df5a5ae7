//! Each try of a probe that fails is told (kubelet 1.36 `pkg/kubelet/prober`, prober.go), as far as anybody would hear
//! of it: a pod's Events are let through 25 at first, then one each five minutes (client-go 1.36 `tools/events`,
//! `EventSourceObjectSpamFilter`). So a program that never answers costs no more than that.

use super::Desk;
use super::worker::{ContainerRun, Worker};
use crate::api::pod::{Container, ProbeHandler};
use crate::messages::engine::ProbeKind;
use crate::time::{SimDuration, SimTime};

/// Tries that are told one by one.
const BURST: u16 = 25;
/// From one that is told to the next, after those.
const REFILL: SimDuration = SimDuration::from_secs(300);

/// The failed tries of one attempt of a container that were told.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Failing {
    count: u16,
    last: Option<SimTime>,
}

impl Failing {
    /// After when the next is told.
    fn after(self, now: SimTime) -> SimTime {
        match self.last {
            Some(last) if self.count >= BURST => now.max(last + REFILL),
            _ => now,
        }
    }
}

impl ContainerRun {
    /// The next instant after `now` at which a try of this kind has failed.
    fn fails(&self, container: &Container, kind: ProbeKind, now: SimTime) -> Option<SimTime> {
        let (since, probe) = (self.running()?, kind.of(container)?);
        let (is_its_time, answers) = match kind {
            ProbeKind::Startup => (!self.started, self.answers),
            ProbeKind::Liveness => (self.started, self.answers_once_started(container)),
            ProbeKind::Readiness => {
                let ticks = self.started && self.ready_base != SimTime::MAX;
                (ticks, self.answers_once_started(container))
            }
        };
        // What a command writes nobody knows, so nothing is told of it.
        let is_told = probe.handler != ProbeHandler::Exec && self.asked.is_none();
        let prober = || self.prober(kind, probe, since);
        (is_its_time && is_told).then(|| prober().next_failing(answers, now)).flatten()
    }

    /// The next instant after `now` at which a failed try is told.
    pub(super) fn next_failing(&self, container: &Container, now: SimTime) -> Option<SimTime> {
        let after = self.failing.after(now);
        ProbeKind::ALL.iter().filter_map(|kind| self.fails(container, *kind, after)).min()
    }
}

impl Worker {
    /// Tells of tries that failed just now.
    pub(super) fn tell_failing(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        let before = SimTime::ZERO + now.saturating_since(SimTime::from_nanos(1));
        for index in 0..self.runs.len() {
            let run = &self.runs[index];
            if run.failing.last == Some(now) || run.failing.after(before) > before {
                continue;
            }
            for kind in ProbeKind::ALL {
                let run = &mut self.runs[index];
                let container = super::worker::container_of(&self.spec, index);
                if run.fails(container, kind, before) == Some(now) {
                    run.failing = Failing { count: run.failing.count + 1, last: Some(now) };
                    self.say_unhealthy(index, kind, desk);
                }
            }
        }
    }
}
