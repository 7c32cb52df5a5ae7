//! When a sum of courses passes a level: worked out ahead, so that nobody need look in between.

use crate::messages::usage::Course;
use crate::time::SimTime;

/// How many bends are followed before the rest is put off.
const BENDS_MAX: u32 = 512;

/// A course that began at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// When.
    pub since: SimTime,
    /// What it goes like.
    pub course: &'a Course,
    /// What it does not go beyond.
    pub cap: u64,
}

/// When a level is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// At this instant.
    At(SimTime),
    /// Not before this instant; it was not looked at further.
    NotBefore(SimTime),
    /// Never, if nothing changes.
    Never,
}

impl Reach {
    /// When somebody must look again, if ever.
    pub fn look(self) -> Option<SimTime> {
        match self {
            Reach::At(at) | Reach::NotBefore(at) => Some(at),
            Reach::Never => None,
        }
    }
}

/// The sum at an instant.
pub fn sum_at(courses: &[Begun<'_>], at: SimTime) -> u64 {
    let amount = |one: &Begun<'_>| one.course.at(at.saturating_since(one.since)).min(one.cap);
    courses.iter().map(amount).fold(0, u64::saturating_add)
}

/// The first instant from `now` on at which the sum is at least `level`.
pub fn reaches(courses: &[Begun<'_>], level: u64, now: SimTime) -> Reach {
    let peak = |one: &Begun<'_>| one.course.peak_from(now.saturating_since(one.since)).min(one.cap);
    if courses.iter().map(peak).fold(0, u64::saturating_add) < level {
        return Reach::Never;
    }
    let mut at = now;
    for _ in 0..BENDS_MAX {
        if sum_at(courses, at) >= level {
            return Reach::At(at);
        }
        let bend = |one: &Begun<'_>| {
            let bend = one.course.bends_after(at.saturating_since(one.since))?;
            Some(one.since + bend)
        };
        let next = courses.iter().filter_map(bend).min().filter(|next| *next < SimTime::MAX);
        let Some(next) = next else { return Reach::Never };
        // Up to the bend all go straight (but for caps, which only hold back), so the sum does not come down
        // again once it has passed a level on its way up.
        let before = SimTime::from_nanos(next.as_nanos() - 1).max(at);
        if sum_at(courses, before) >= level {
            return Reach::At(first_between(courses, level, at, before));
        }
        at = next;
    }
    Reach::NotBefore(at)
}

/// The first instant after `low`, where the sum is below the level, up to `high`, where it is not.
fn first_between(courses: &[Begun<'_>], level: u64, low: SimTime, high: SimTime) -> SimTime {
    let (mut low, mut high) = (low.as_nanos(), high.as_nanos());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if sum_at(courses, SimTime::from_nanos(middle)) >= level {
            high = middle;
        } else {
            low = middle;
        }
    }
    SimTime::from_nanos(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::usage::{Between, Growth};
    use crate::time::SimDuration;

    fn secs(n: u64) -> SimDuration {
        SimDuration::from_secs(n)
    }

    #[test]
    fn two_leaks_reach_a_level_together() {
        let leak = Course::growing(10, Growth { by: 1, each: secs(1), up_to: None });
        let begun =
            |since| Begun { since: SimTime::from_secs(since), course: &leak, cap: u64::MAX };
        let both = [begun(0), begun(10)];
        assert_eq!(reaches(&both, 110, SimTime::from_secs(10)), Reach::At(SimTime::from_secs(50)));
        assert_eq!(reaches(&both[..1], 110, SimTime::ZERO), Reach::At(SimTime::from_secs(100)));
    }

    #[test]
    fn steps_are_followed_and_caps_hold_back() {
        let points = [(secs(0), 1), (secs(30), 9)];
        let steps = Course::through(&points, Between::Steps, Some(secs(60))).expect("points");
        let begun = |cap| [Begun { since: SimTime::from_secs(5), course: &steps, cap }];
        let now = SimTime::from_secs(40);
        assert_eq!(reaches(&begun(99), 9, now), Reach::At(now));
        assert_eq!(
            reaches(&begun(99), 9, SimTime::from_secs(70)),
            Reach::At(SimTime::from_secs(95))
        );
        assert_eq!(reaches(&begun(8), 9, now), Reach::Never);
        assert_eq!(reaches(&begun(99), 10, now), Reach::Never);
    }
}
