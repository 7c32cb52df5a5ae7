//! How long a pod waits after a failed attempt: doubling, ordered in windows of one second so that
//! whole windows go together (`backoff_queue.go`, 1.36).

use super::Waiting;
use crate::time::{SimDuration, SimTime};

/// Backoffs are cut to this.
const WINDOW: SimDuration = SimDuration::from_secs(1);

/// The times of backing off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// After the first failed attempt.
    pub initial: SimDuration,
    /// At most; zero: nobody backs off.
    pub max: SimDuration,
}

impl Default for Backoff {
    /// One second, doubling to ten (`podInitialBackoffSeconds`, `podMaxBackoffSeconds`).
    fn default() -> Backoff {
        Backoff { initial: SimDuration::from_secs(1), max: SimDuration::from_secs(10) }
    }
}

impl Backoff {
    /// How long after `count` failed attempts.
    pub fn duration(&self, count: u32) -> SimDuration {
        let Some(doublings) = count.checked_sub(1) else { return SimDuration::ZERO };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        (self.initial * factor).min(self.max)
    }

    /// Until when a pod backs off, cut to the window; `None`: it need not.
    pub fn until(&self, waiting: &Waiting) -> Option<SimTime> {
        self.until_after(waiting.since, waiting.unschedulable, waiting.errors)
    }

    /// The same after so many attempts, the last at `since`. Errors in a row count instead of
    /// rejections where there are any.
    pub fn until_after(&self, since: SimTime, rejections: u32, errors: u32) -> Option<SimTime> {
        let count = if errors > 0 { errors } else { rejections };
        if count == 0 || self.max.is_zero() {
            return None;
        }
        Some(window(since + self.duration(count)))
    }

    /// Whether a backoff until `until` is over: not before its window is.
    pub fn is_over(&self, until: SimTime, now: SimTime) -> bool {
        until < window(now)
    }

    /// When a backoff until `until` is over.
    pub fn over_at(&self, until: SimTime) -> SimTime {
        until + WINDOW
    }
}

fn window(at: SimTime) -> SimTime {
    SimTime::from_secs(at.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_the_maximum_without_overflow() {
        let backoff = Backoff::default();
        let seconds: Vec<u64> = (0..7).map(|count| backoff.duration(count).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.duration(1000).as_secs(), 10);
    }
}
