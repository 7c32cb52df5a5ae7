//! What the requests of one program took of its machine, up to each whole second that anybody may still
//! ask of.
//!
//! Kept so that the answer for an instant does not hang on when it is asked: what is told of an instant is
//! what was so at the last whole second before it.

use std::collections::VecDeque;

use crate::time::{SimDuration, SimTime};

/// Whole seconds remembered.
const SECONDS_MAX: usize = 180;

/// What requests took up to an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// Nanoseconds of a core, since the program began.
    pub cpu: u128,
    /// Requests inside.
    pub inside: u32,
    /// Requests it was done with, since the program began.
    pub served: u64,
}

/// The latest whole seconds at which something changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// The first whole second that is not marked; what happens from it on needs a mark first.
    pub due: SimTime,
    kept: VecDeque<(u64, Spent)>,
}

impl Marks {
    /// Forgets all: the program began anew at `now`.
    pub(super) fn begin(&mut self) {
        self.kept.clear();
    }

    /// Something is about to change at `now`: marks all whole seconds since the last change, as `at` tells
    /// them; it tells `None` besides if nothing changes after the second.
    pub(super) fn mark(&mut self, now: SimTime, at: impl Fn(SimTime) -> (Spent, Settled)) {
        let last = now.as_secs();
        let first = self.due.as_secs().max(last.saturating_sub(SECONDS_MAX as u64));
        for second in first..=last {
            let (spent, settled) = at(SimTime::from_secs(second));
            let second = if settled == Settled::Yes { last } else { second };
            if self.kept.len() == SECONDS_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back((second, spent));
            if settled == Settled::Yes {
                break;
            }
        }
        self.due = SimTime::from_secs(last + 1);
    }

    /// What was so at a whole second, if it is marked.
    pub(super) fn at(&self, second: u64) -> Option<Spent> {
        let first = self.kept.partition_point(|(marked, _)| *marked < second);
        self.kept.get(first).map(|(_, spent)| *spent)
    }
}

/// Whether what is told of an instant stays so until something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Settled {
    /// It does.
    Yes,
    /// Workers are at work.
    No,
}

/// Bandwidth control of the kernel's CFS: so much processor time in each period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// What may be spent in a period of [`PERIOD`]. Not zero.
    pub each_period: SimDuration,
}

/// The period of a quota (`cpu.cfs_period_us`, kubelet 1.36 `--cpu-cfs-quota-period`).
pub const PERIOD: SimDuration = SimDuration::from_millis(100);

/// How far a quota is spent. Work is charged in the order it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Charged {
    period: u64,
    used: u64,
}

impl Charged {
    /// Charges `cpu` of work that begins at `start`, never before earlier work did; gives when it is done if
    /// the quota holds it up, for in a period whose quota is spent nothing runs. `taken` is what is taken
    /// anyway in each period.
    pub(super) fn charge(
        &mut self,
        quota: Quota,
        taken: u64,
        start: SimTime,
        cpu: SimDuration,
    ) -> Option<SimTime> {
        let (period, cpu) = (start.as_nanos() / PERIOD.as_nanos(), cpu.as_nanos());
        // What is taken anyway leaves at least a hundredth, as fair shares do.
        let whole = quota.each_period.as_nanos();
        let room = whole.saturating_sub(taken).max(whole / 100).max(1);
        if period > self.period {
            *self = Charged { period, used: 0 };
        }
        let left = room.saturating_sub(self.used);
        if cpu <= left {
            self.used += cpu;
            // Earlier work has spent the periods up to this one.
            return (self.period > period).then(|| self.instant());
        }
        let rest = cpu - left;
        let periods = rest.div_ceil(room);
        self.period = self.period.saturating_add(periods);
        self.used = rest - (periods - 1) * room;
        Some(self.instant())
    }

    fn instant(&self) -> SimTime {
        SimTime::from_nanos(self.period.saturating_mul(PERIOD.as_nanos()).saturating_add(self.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    #[test]
    fn a_spent_quota_holds_work_up_until_the_next_period() {
        let quota = Quota { each_period: millis(20) };
        let mut charged = Charged::default();
        let mut charge = |at: u64, cpu: u64| {
            let done = charged.charge(quota, 0, SimTime::from_millis(at), millis(cpu));
            done.map(|at| at.as_nanos() / 1_000_000)
        };
        assert_eq!(charge(0, 15), None, "within the quota it runs as if there were none");
        assert_eq!(charge(15, 15), Some(110), "5 ms now, 10 ms in the next period");
        assert_eq!(charge(16, 10), Some(120));
        assert_eq!(charge(17, 1), Some(201));
        assert_eq!(charge(950, 20), None, "a quota that is not spent is not kept");
        assert_eq!(charge(960, 45), Some(1205));
    }

    #[test]
    fn what_is_taken_anyway_is_charged_in_each_period() {
        let quota = Quota { each_period: millis(20) };
        let mut charged = Charged::default();
        let taken = millis(10).as_nanos();
        let done = charged.charge(quota, taken, SimTime::ZERO, millis(25));
        assert_eq!(done, Some(SimTime::from_millis(205)));
    }

    #[test]
    fn marks_answer_for_the_second_whenever_they_are_asked() {
        let mut marks = Marks::default();
        let spent = |cpu| Spent { cpu, inside: 0, served: 0 };
        marks.mark(SimTime::from_millis(2500), |_| (spent(0), Settled::Yes));
        assert_eq!(
            [0, 1, 2, 3].map(|second| marks.at(second)),
            [Some(spent(0)), Some(spent(0)), Some(spent(0)), None]
        );
        marks.mark(SimTime::from_millis(5100), |at| (spent(at.as_secs().into()), Settled::No));
        assert_eq!(
            [2, 3, 4, 5, 6].map(|second| marks.at(second).map(|it| it.cpu)),
            [Some(0), Some(3), Some(4), Some(5), None]
        );
    }
}
