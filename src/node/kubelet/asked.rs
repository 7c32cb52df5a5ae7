//! Probes that are carried out: asked at each tick, and counted as their answers come (kubelet 1.36 `pkg/kubelet/prober`,
//! worker.go).
//!
//! The counterpart of [`super::probes`], which works out the same where a program's answers are known ahead. Ticks
//! are the same; a result changes when the answer that makes it change has come.

use super::Desk;
use super::worker::{Change, ContainerRun, Worker};
use crate::api::pod::Container;
use crate::messages::engine::{ContainerRef, EngineAsk, ProbeKind};
use crate::time::SimTime;

/// The answers so far of one attempt of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tallies([Tally; 3]);

/// The answers of one probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tally {
    /// How many good answers came in a row, or, below zero, bad ones.
    run: i32,
    /// The tick it was last asked at.
    asked: SimTime,
}

impl Tallies {
    /// No answer yet.
    pub fn new() -> Tallies {
        Tallies([Tally { run: 0, asked: SimTime::MAX }; 3])
    }

    fn of(&mut self, kind: ProbeKind) -> &mut Tally {
        &mut self.0[kind as usize]
    }

    fn note(&mut self, kind: ProbeKind, good: bool) {
        let run = &mut self.of(kind).run;
        *run = if good { (*run).max(0) + 1 } else { (*run).min(0) - 1 };
    }

    fn is_good(mut self, kind: ProbeKind, container: &Container) -> bool {
        let least = kind.of(container).map_or(1, |probe| probe.success_threshold.max(1));
        self.of(kind).run >= i32::try_from(least).unwrap_or(i32::MAX)
    }

    fn is_bad(mut self, kind: ProbeKind, container: &Container) -> bool {
        let least = kind.of(container).map_or(1, |probe| probe.failure_threshold.max(1));
        self.of(kind).run <= -i32::try_from(least).unwrap_or(i32::MAX)
    }

    /// What the answers change of a container, if anything.
    pub fn change(self, container: &Container, run: &ContainerRun) -> Option<Change> {
        if !run.started {
            return if self.is_good(ProbeKind::Startup, container) {
                Some(Change::Started)
            } else {
                self.is_bad(ProbeKind::Startup, container).then_some(Change::Startup)
            };
        }
        if self.is_bad(ProbeKind::Liveness, container) {
            return Some(Change::Liveness);
        }
        let is_probed = container.readiness.is_some() && run.ready_base != SimTime::MAX;
        match run.ready {
            _ if !is_probed => None,
            false => self.is_good(ProbeKind::Readiness, container).then_some(Change::Ready),
            true => self.is_bad(ProbeKind::Readiness, container).then_some(Change::Unready),
        }
    }
}

impl Worker {
    /// Asks for the probes whose tick this is.
    pub(super) fn ask_probes(&mut self, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        for index in 0..self.runs.len() {
            for kind in ProbeKind::ALL {
                let container = super::worker::container_of(&self.spec, index);
                let run = &mut self.runs[index];
                if !run.ticks_at(container, kind, now) {
                    continue;
                }
                let Some(tallies) = &mut run.asked else { continue };
                if std::mem::replace(&mut tallies.of(kind).asked, now) != now {
                    let container = self.container_ref(index);
                    self.ask(EngineAsk::Probe(container, kind), desk);
                }
            }
        }
    }

    /// An answer has come.
    pub(super) fn probed(
        &mut self,
        of: ContainerRef,
        kind: ProbeKind,
        good: bool,
        desk: &mut Desk<'_>,
    ) {
        let run = self.runs.get_mut(usize::from(of.index));
        let Some(run) = run.filter(|run| run.attempt == of.attempt) else { return };
        if let Some(tallies) = &mut run.asked {
            tallies.note(kind, good);
            if !good {
                self.say_unhealthy(of.index.into(), kind, desk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_in_a_row() {
        let mut tallies = Tallies::new();
        for good in [true, true, false] {
            tallies.note(ProbeKind::Liveness, good);
        }
        assert_eq!(tallies.of(ProbeKind::Liveness).run, -1);
        tallies.note(ProbeKind::Liveness, false);
        assert_eq!(tallies.of(ProbeKind::Liveness).run, -2);
        assert_eq!(tallies.of(ProbeKind::Readiness).run, 0);
    }
}
