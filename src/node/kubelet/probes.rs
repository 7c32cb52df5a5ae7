//! When a probe's result changes, by arithmetic over its ticks: a program that answers as it did needs no look.
//!
//! A prober's ticks fall on base + k * period; an answer counts once the container is seen running and its
//! initial delay is over; a result changes after so many equal answers in a row (kubelet 1.36 `pkg/kubelet/prober`,
//! worker.go). The four kinds of handler differ in how they ask, not in when. A refused probe fails at its
//! tick; one that hangs fails `timeout` later.

use crate::api::pod::Probe;
use crate::kernel::recurring::Cadence;
use crate::time::{SimDuration, SimTime};

/// When a program answers probes: from `from`, up to but not at `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answers {
    /// The first instant.
    pub from: SimTime,
    /// From here on it hangs.
    pub until: SimTime,
}

impl Answers {
    fn at(self, instant: SimTime) -> bool {
        self.from <= instant && instant < self.until
    }

    /// The same of a program that has answered already.
    pub fn begun(self) -> Answers {
        Answers { from: SimTime::ZERO, ..self }
    }
}

/// How a startup probe ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Startup {
    /// The container counts as started from then.
    Started(SimTime),
    /// It is to be killed then.
    Failed(SimTime),
}

/// A probe at work on one container.
#[derive(Clone, Copy, Debug)]
pub struct Prober<'a> {
    /// What was asked for.
    pub probe: &'a Probe,
    /// A tick it counts from.
    pub base: SimTime,
    /// No answer before counts.
    pub counts_from: SimTime,
}

impl Prober<'_> {
    fn ticks(&self) -> Option<(Cadence, u64)> {
        let ticks = Cadence::new(self.base, self.probe.period)?;
        Some((ticks, ticks.first_from(self.counts_from)))
    }

    /// Its first tick after `now` whose answer counts.
    pub fn next_tick(&self, now: SimTime) -> Option<SimTime> {
        let (ticks, first) = self.ticks()?;
        Some(ticks.at(first.max(ticks.first_from(now + SimDuration::from_nanos(1)))))
    }

    /// Whether it has a tick at `now` whose answer counts.
    pub fn ticks_at(&self, now: SimTime) -> bool {
        self.ticks().is_some_and(|(ticks, first)| ticks.at(first.max(ticks.first_from(now))) == now)
    }

    /// When a result that is bad becomes good; `None`: never, as things stand.
    pub fn turns_good(&self, answers: Answers) -> Option<SimTime> {
        let (ticks, first) = self.ticks()?;
        if answers.from == SimTime::MAX {
            return None;
        }
        let first = first.max(ticks.first_from(answers.from));
        let good = ticks.at(first + u64::from(self.probe.success_threshold.max(1)) - 1);
        answers.at(good).then_some(good)
    }

    /// When a result that is good, as it is before the first try, becomes bad.
    pub fn turns_bad(&self, answers: Answers) -> Option<SimTime> {
        let (ticks, first) = self.ticks()?;
        let tries = u64::from(self.probe.failure_threshold.max(1));
        // Refused since its first try; a program that hangs before it answers is refused until then.
        let refused = ticks.at(first + tries - 1);
        if refused < answers.from.min(answers.until) {
            return Some(refused);
        }
        if answers.until == SimTime::MAX {
            return None;
        }
        let has_answered = ticks.at(first.max(ticks.first_from(answers.from))) < answers.until;
        let since = if has_answered { answers.until } else { SimTime::ZERO };
        let hangs = first.max(ticks.first_from(since));
        Some(ticks.at(hangs + tries - 1) + self.probe.timeout)
    }

    /// The next instant after `now` at which a try has failed.
    pub fn next_failing(&self, answers: Answers, now: SimTime) -> Option<SimTime> {
        let (ticks, first) = self.ticks()?;
        let from = |at: SimTime| ticks.at(first.max(ticks.first_from(at)));
        let after = now + SimDuration::from_nanos(1);
        let refused = from(after);
        if refused < answers.from.min(answers.until) {
            return Some(refused);
        }
        if answers.until == SimTime::MAX {
            return None;
        }
        let begun = SimTime::ZERO + after.saturating_since(SimTime::ZERO + self.probe.timeout);
        Some(from(begun.max(answers.until)) + self.probe.timeout)
    }

    /// How a startup probe ends: by its first good answer or by its last bad one.
    pub fn starts(&self, answers: Answers) -> Option<Startup> {
        let (ticks, first) = self.ticks()?;
        let last_bad = ticks.at(first + u64::from(self.probe.failure_threshold.max(1)) - 1);
        let good = ticks.at(first.max(ticks.first_from(answers.from)));
        if good <= last_bad && answers.at(good) {
            return Some(Startup::Started(good));
        }
        let hangs = last_bad >= answers.until;
        Some(Startup::Failed(if hangs { last_bad + self.probe.timeout } else { last_bad }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::ProbeHandler;
    use proptest::prelude::*;

    fn secs(n: u64) -> SimTime {
        SimTime::from_secs(n)
    }

    fn probe(period: u64, good: u32, bad: u32) -> Probe {
        Probe {
            handler: ProbeHandler::HttpGet(80),
            initial_delay: SimDuration::ZERO,
            period: SimDuration::from_secs(period),
            timeout: SimDuration::from_secs(1),
            success_threshold: good,
            failure_threshold: bad,
            grace_seconds: None,
        }
    }

    #[test]
    fn a_probe_turns_good_at_a_tick_and_bad_after_its_threshold() {
        let probe = probe(10, 2, 3);
        let prober = Prober { probe: &probe, base: secs(3), counts_from: secs(5) };
        let answers = Answers { from: secs(14), until: secs(100) };
        assert_eq!(prober.turns_good(answers), Some(secs(33)), "ticks 23 and 33");
        assert_eq!(
            prober.turns_bad(answers),
            Some(secs(124)),
            "ticks 103, 113, 123 and the timeout"
        );
        assert_eq!(prober.turns_good(Answers { until: secs(33), ..answers }), None);
        assert_eq!(prober.turns_bad(Answers { until: SimTime::MAX, ..answers }), None);
    }

    #[test]
    fn a_startup_probe_has_so_many_tries() {
        let probe = probe(10, 1, 3);
        let prober = Prober { probe: &probe, base: secs(0), counts_from: secs(1) };
        let ends = |from| prober.starts(Answers { from: secs(from), until: SimTime::MAX });
        assert_eq!(ends(5), Some(Startup::Started(secs(10))));
        assert_eq!(ends(30), Some(Startup::Started(secs(30))), "the third try");
        assert_eq!(ends(31), Some(Startup::Failed(secs(30))));
    }

    /// The kubelet's worker, tick by tick: the instant at which the result first differs from `initial`.
    fn by_ticks(
        prober: &Prober<'_>,
        answers: Answers,
        initial: Option<bool>,
    ) -> Option<(SimTime, bool)> {
        let (mut run, mut last) = (0u32, None);
        for k in 0..10_000u64 {
            let tick = prober.base + prober.probe.period * k;
            if tick < prober.counts_from {
                continue;
            }
            let good = answers.at(tick);
            run = if last == Some(good) { run + 1 } else { 1 };
            last = Some(good);
            let threshold =
                if good { prober.probe.success_threshold } else { prober.probe.failure_threshold };
            if run >= threshold && initial != Some(good) {
                let hangs = !good && tick >= answers.until;
                let at = if hangs { tick + prober.probe.timeout } else { tick };
                return Some((at, good));
            }
        }
        None
    }

    proptest! {
        #[test]
        fn arithmetic_tells_what_ticks_tell(
            period in 1u64..20, good in 1u32..4, bad in 1u32..4,
            base in 0u64..50, counts in 0u64..60, from in 0u64..200, lasts in 0u64..300, hangs: bool,
        ) {
            let probe = probe(period, good, bad);
            let prober = Prober { probe: &probe, base: secs(base), counts_from: secs(counts) };
            let until = if hangs { secs(from + lasts) } else { SimTime::MAX };
            let answers = Answers { from: secs(from), until };
            prop_assert_eq!(
                prober.turns_good(answers).map(|at| (at, true)),
                by_ticks(&prober, answers, Some(false))
            );
            for answers in [answers, answers.begun()] {
                let once = Probe { success_threshold: 1, ..probe.clone() };
                let prober = Prober { probe: &once, ..prober };
                prop_assert_eq!(
                    prober.turns_bad(answers).map(|at| (at, false)),
                    by_ticks(&prober, answers, Some(true))
                );
            }
            let once = Probe { success_threshold: 1, ..probe.clone() };
            let prober = Prober { probe: &once, ..prober };
            let ends = prober.starts(answers).map(|end| match end {
                Startup::Started(at) => (at, true),
                Startup::Failed(at) => (at, false),
            });
            prop_assert_eq!(ends, by_ticks(&prober, answers, None));
        }

        #[test]
        fn every_try_that_fails_is_found(
            period in 1u64..20, base in 0u64..50, counts in 0u64..60, from in 0u64..200, lasts in 0u64..300,
        ) {
            let probe = probe(period, 1, 3);
            let prober = Prober { probe: &probe, base: secs(base), counts_from: secs(counts) };
            let answers = Answers { from: secs(from), until: secs(from + lasts) };
            let ticks = (0..100).map(|k| prober.base + probe.period * k);
            let failed = ticks.filter(|tick| *tick >= prober.counts_from && !answers.at(*tick));
            let told = failed.map(|tick| if tick < answers.until { tick } else { tick + probe.timeout });
            let mut now = SimTime::ZERO;
            for at in told.filter(|at| *at > SimTime::ZERO) {
                prop_assert_eq!(prober.next_failing(answers, now), Some(at));
                now = at;
            }
        }
    }
}
