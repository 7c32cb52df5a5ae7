//! The course of one expectation: a window, and what was seen in it so far.
//!
//! Owns when an expectation is decided. It is told the condition's value at an instant, which stands
//! until it is told another; it refuses to know conditions, worlds and words.

use crate::time::{SimDuration, SimTime};

/// When a condition must hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// At every instant of the window.
    Always,
    /// At none.
    Never,
    /// At some instant, or for some time on end.
    Eventually,
    /// When the run ends.
    AtEnd,
}

impl Mode {
    /// As written in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Always => "always",
            Mode::Never => "never",
            Mode::Eventually => "eventually",
            Mode::AtEnd => "atEnd",
        }
    }
}

/// How an expectation came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It held; at this instant it was clear.
    Passed(SimTime),
    /// It was broken at this instant.
    Broken(SimTime),
    /// The window, or the run, was over at this instant, and it had not come to hold.
    Unfulfilled(SimTime),
    /// It could not be evaluated at any instant up to this one.
    NeverEvaluated(SimTime),
}

/// The course of one expectation.
#[derive(Clone, Debug)]
pub(super) struct Course {
    mode: Mode,
    after: SimDuration,
    within: Option<SimDuration>,
    hold: SimDuration,
    /// Where the window is counted from; none: not known yet.
    from: Option<SimTime>,
    is_open: bool,
    was_evaluated: bool,
    /// Since when what is expected has held on end.
    held_since: Option<SimTime>,
    outcome: Option<Outcome>,
}

impl Course {
    pub(super) fn new(
        mode: Mode,
        after: SimDuration,
        within: Option<SimDuration>,
        hold: Option<SimDuration>,
    ) -> Course {
        let (within, hold) = match (mode, hold) {
            (Mode::Always | Mode::Never, Some(hold)) => (Some(after + hold), SimDuration::ZERO),
            (_, hold) => (within, hold.unwrap_or_default()),
        };
        Course {
            mode,
            after,
            within,
            hold,
            from: None,
            is_open: false,
            was_evaluated: false,
            held_since: None,
            outcome: None,
        }
    }

    /// The window is counted from this instant.
    pub(super) fn anchor(&mut self, at: SimTime) {
        self.from.get_or_insert(at);
    }

    pub(super) fn is_anchored(&self) -> bool {
        self.from.is_some()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// When the window begins, once that is known.
    pub(super) fn begin(&self) -> Option<SimTime> {
        self.from.map(|from| from + self.after)
    }

    /// Whether the window has begun by `at`.
    pub(super) fn has_begun(&self, at: SimTime) -> bool {
        self.begin().is_some_and(|begin| begin <= at)
    }

    pub(super) fn end(&self) -> Option<SimTime> {
        Some(self.from? + self.within?)
    }

    /// The next instant at which time alone may decide something.
    pub(super) fn wakes_at(&self) -> Option<SimTime> {
        if self.outcome.is_some() {
            return None;
        }
        if !self.is_open {
            return self.begin();
        }
        let held = (self.mode == Mode::Eventually)
            .then(|| self.held_since.map(|since| since + self.hold))
            .flatten();
        match (self.end(), held) {
            (Some(end), Some(held)) => Some(end.min(held)),
            (end, held) => end.or(held),
        }
    }

    /// Until when a run must go on for this to be decided, if nothing else keeps it.
    pub(super) fn waits_until(&self) -> SimTime {
        if self.outcome.is_some() {
            return SimTime::ZERO;
        }
        let Some(begin) = self.begin() else { return SimTime::ZERO };
        match self.mode {
            Mode::AtEnd => SimTime::ZERO,
            Mode::Eventually => self.end().unwrap_or(SimTime::MAX),
            Mode::Always | Mode::Never => self.end().unwrap_or(begin),
        }
    }

    /// The condition has `value` from `at` on; none: it cannot be evaluated. Instants never run back.
    pub(super) fn look(&mut self, at: SimTime, value: Option<bool>) {
        if self.outcome.is_some() || self.begin().is_none_or(|begin| at < begin) {
            return;
        }
        self.is_open = true;
        self.was_evaluated |= value.is_some();
        match (self.mode, value) {
            (Mode::Always, Some(false)) | (Mode::Never, Some(true)) => {
                self.outcome = Some(Outcome::Broken(at));
            }
            (Mode::Eventually | Mode::AtEnd, Some(true)) => {
                let since = *self.held_since.get_or_insert(at);
                if self.mode == Mode::Eventually && at.saturating_since(since) >= self.hold {
                    self.outcome = Some(Outcome::Passed(at));
                }
            }
            (Mode::Eventually | Mode::AtEnd, _) => self.held_since = None,
            _ => {}
        }
        if self.outcome.is_none() && self.end().is_some_and(|end| end <= at) {
            self.close(at);
        }
    }

    /// The run ends.
    pub(super) fn finish(&mut self, at: SimTime) {
        if self.outcome.is_none() {
            self.close(at);
        }
    }

    fn close(&mut self, at: SimTime) {
        let held = self.held_since.is_some_and(|since| at.saturating_since(since) >= self.hold);
        self.outcome = Some(match self.mode {
            _ if !self.was_evaluated => Outcome::NeverEvaluated(at),
            Mode::Always | Mode::Never => Outcome::Passed(at),
            Mode::AtEnd if held => Outcome::Passed(at),
            Mode::AtEnd | Mode::Eventually => Outcome::Unfulfilled(at),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    const fn span(seconds: u64) -> SimDuration {
        SimDuration::from_secs(seconds)
    }

    /// Plays values against a course as the judge does, waking it where time alone decides.
    fn play(mut course: Course, values: &[(u64, Option<bool>)], end: u64) -> Outcome {
        let mut held = None;
        for &(seconds, value) in values.iter().chain(&[(end, values.last().expect("one").1)]) {
            while let Some(wake) = course.wakes_at().filter(|&wake| wake < at(seconds)) {
                course.look(wake, held);
            }
            held = value;
            course.look(at(seconds), value);
        }
        course.finish(at(end));
        course.outcome().expect("it is over")
    }

    /// Mode, after, within, for; values; outcome at 100 s.
    type Row<'a> = (Mode, u64, Option<u64>, Option<u64>, &'a [(u64, Option<bool>)], Outcome);

    #[test]
    fn the_truth_table_of_each_mode_with_windows() {
        use Mode::{Always, AtEnd, Eventually, Never};
        use Outcome::{Broken, NeverEvaluated, Passed, Unfulfilled};
        let (t, f, n) = (Some(true), Some(false), None);
        let none = None;
        let table: &[Row<'_>] = &[
            (Always, 0, none, none, &[(0, t)], Passed(at(100))),
            (Always, 0, none, none, &[(0, t), (7, f), (8, t)], Broken(at(7))),
            (Always, 10, none, none, &[(0, f), (9, t)], Passed(at(100))),
            (Always, 10, none, none, &[(0, f)], Broken(at(10))),
            (Always, 10, Some(20), none, &[(0, t), (20, f)], Broken(at(20))),
            (Always, 10, Some(20), none, &[(0, t), (21, f)], Passed(at(20))),
            (Always, 10, none, Some(10), &[(0, t), (21, f)], Passed(at(20))),
            (Always, 0, none, none, &[(0, n)], NeverEvaluated(at(100))),
            (Always, 0, none, none, &[(0, n), (50, t), (60, n)], Passed(at(100))),
            (Always, 0, Some(40), none, &[(0, n), (50, t)], NeverEvaluated(at(40))),
            (Always, 200, none, none, &[(0, t)], NeverEvaluated(at(100))),
            (Never, 0, none, none, &[(0, f)], Passed(at(100))),
            (Never, 0, none, none, &[(0, f), (3, t)], Broken(at(3))),
            (Never, 5, Some(6), none, &[(0, t), (4, f), (7, t)], Passed(at(6))),
            (Never, 0, none, none, &[(0, n)], NeverEvaluated(at(100))),
            (Eventually, 0, none, none, &[(0, f), (30, t), (31, f)], Passed(at(30))),
            (Eventually, 0, none, none, &[(0, f)], Unfulfilled(at(100))),
            (Eventually, 0, Some(30), none, &[(0, f), (30, t)], Passed(at(30))),
            (Eventually, 0, Some(30), none, &[(0, f), (31, t)], Unfulfilled(at(30))),
            (Eventually, 40, none, none, &[(0, t), (30, f)], Unfulfilled(at(100))),
            (Eventually, 40, none, none, &[(0, t)], Passed(at(40))),
            (Eventually, 0, none, Some(10), &[(0, t), (9, f), (20, t)], Passed(at(30))),
            (Eventually, 0, Some(29), Some(10), &[(0, t), (9, f), (20, t)], Unfulfilled(at(29))),
            (Eventually, 5, none, Some(10), &[(0, t)], Passed(at(15))),
            (Eventually, 0, none, Some(10), &[(0, t), (5, n), (6, t)], Passed(at(16))),
            (Eventually, 0, none, none, &[(0, n)], NeverEvaluated(at(100))),
            (AtEnd, 0, none, none, &[(0, f), (99, t)], Passed(at(100))),
            (AtEnd, 0, none, none, &[(0, t), (99, f)], Unfulfilled(at(100))),
            (AtEnd, 0, none, Some(5), &[(0, f), (95, t)], Passed(at(100))),
            (AtEnd, 0, none, Some(5), &[(0, f), (96, t)], Unfulfilled(at(100))),
            (AtEnd, 0, none, none, &[(0, n)], NeverEvaluated(at(100))),
        ];
        for &(mode, after, within, hold, values, expected) in table {
            let mut course = Course::new(mode, span(after), within.map(span), hold.map(span));
            course.anchor(at(0));
            let outcome = play(course, values, 100);
            assert_eq!(outcome, expected, "{mode:?} {after} {within:?} {hold:?} {values:?}");
        }
    }

    #[test]
    fn a_window_counted_from_something_that_never_came_is_never_evaluated() {
        for mode in [Mode::Always, Mode::Never, Mode::Eventually] {
            let course = Course::new(mode, span(0), None, None);
            assert_eq!(
                play(course, &[(0, Some(true))], 9),
                Outcome::NeverEvaluated(at(9)),
                "{mode:?}"
            );
        }
    }

    #[test]
    fn a_run_goes_on_as_long_as_something_is_open() {
        let wait = |mode, after, within, values: &[(u64, bool)]| {
            let mut course = Course::new(mode, span(after), within, None);
            course.anchor(at(10));
            values.iter().for_each(|&(seconds, value)| course.look(at(seconds), Some(value)));
            course.waits_until()
        };
        assert_eq!(wait(Mode::Eventually, 0, None, &[(10, false)]), SimTime::MAX);
        assert_eq!(wait(Mode::Eventually, 0, Some(span(5)), &[(10, false)]), at(15));
        assert_eq!(wait(Mode::Eventually, 0, None, &[(12, true)]), SimTime::ZERO);
        assert_eq!(wait(Mode::Always, 30, None, &[]), at(40));
        assert_eq!(wait(Mode::Always, 0, Some(span(60)), &[(10, true)]), at(70));
        assert_eq!(wait(Mode::Always, 0, Some(span(60)), &[(10, false)]), SimTime::ZERO);
        assert_eq!(wait(Mode::AtEnd, 0, None, &[(10, false)]), SimTime::ZERO);
    }
}
