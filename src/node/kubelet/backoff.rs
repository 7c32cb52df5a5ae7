//! Waiting longer each time: client-go 1.36 `util/flowcontrol` Backoff, as the kubelet uses it for
//! crashed containers and failed pulls.

use crate::time::{SimDuration, SimTime};

/// How a back-off grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffLaw {
    /// The first wait.
    pub initial: SimDuration,
    /// No wait is longer.
    pub max: SimDuration,
    /// Something that happens more than this after the last update starts anew.
    pub forgotten_after: SimDuration,
}

impl BackoffLaw {
    /// The kubelet's law: 10 s doubling to 300 s, forgotten after 600 s (kubelet 1.36
    /// `newCrashLoopBackOff`; twice the longest wait for pulls).
    pub const KUBELET: BackoffLaw = BackoffLaw {
        initial: SimDuration::from_secs(10),
        max: SimDuration::from_secs(300),
        forgotten_after: SimDuration::from_secs(600),
    };

    /// How containers that crash wait: no longer than a node's configuration says, and from the start on more
    /// briefly where the gate `ReduceDefaultCrashLoopBackOffDecay` is on (kubelet 1.36 `newCrashLoopBackOff`).
    pub fn of_crashes(decay: CrashDecay, longest: Option<SimDuration>) -> BackoffLaw {
        let (initial, max) = match decay {
            CrashDecay::Default => (SimDuration::from_secs(10), SimDuration::from_secs(300)),
            CrashDecay::Reduced => (SimDuration::from_secs(1), SimDuration::from_secs(60)),
        };
        let max = longest.unwrap_or(max);
        BackoffLaw { initial: initial.min(max), max, ..BackoffLaw::KUBELET }
    }
}

/// How fast waits for crashed containers grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashDecay {
    /// From 10 s to 300 s.
    Default,
    /// From 1 s to 60 s.
    Reduced,
}

/// The state of one back-off; new: nothing to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backoff {
    wait: SimDuration,
    updated: SimTime,
}

impl Backoff {
    /// How long it waits now.
    pub fn wait(&self) -> SimDuration {
        self.wait
    }

    /// Whether what happened at `event` is too long after the last update to count with it.
    fn is_forgotten(&self, law: &BackoffLaw, event: SimTime) -> bool {
        event.saturating_since(self.updated) > law.forgotten_after
    }

    /// Until when to wait after what happened at `event` (`IsInBackOffSince`); `None`: no longer.
    pub fn until(&self, law: &BackoffLaw, event: SimTime, now: SimTime) -> Option<SimTime> {
        if self.wait.is_zero() || self.is_forgotten(law, event) {
            return None;
        }
        let until = event + self.wait;
        (now < until).then_some(until)
    }

    /// The wait grows: something is tried again at `now` after what happened at `event` (`Next`).
    pub fn next(&mut self, law: &BackoffLaw, event: SimTime, now: SimTime) {
        let anew = self.wait.is_zero() || self.is_forgotten(law, event);
        self.wait = if anew { law.initial } else { (self.wait * 2).min(law.max) };
        self.updated = now;
    }

    /// Until when to wait after the last update (`IsInBackOffSinceUpdate`); `None`: no longer.
    pub fn until_since_update(&self, law: &BackoffLaw, now: SimTime) -> Option<SimTime> {
        if self.wait.is_zero() || self.is_forgotten(law, now) {
            return None;
        }
        let until = self.updated + self.wait;
        (now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> SimTime {
        SimTime::from_secs(n)
    }

    #[test]
    fn the_first_restart_is_at_once_and_each_later_one_waits_twice_as_long_from_the_finish() {
        let law = &BackoffLaw::KUBELET;
        let mut backoff = Backoff::default();
        let (mut finish, mut waits) = (secs(5), Vec::new());
        for _ in 0..8 {
            let restart = backoff.until(law, finish, finish).unwrap_or(finish);
            waits.push((restart - finish).as_secs());
            backoff.next(law, finish, restart);
            finish = restart + SimDuration::from_secs(1);
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_minutes_of_running_are_forgiven() {
        let law = &BackoffLaw::KUBELET;
        let mut backoff = Backoff::default();
        backoff.next(law, secs(1), secs(1));
        backoff.next(law, secs(20), secs(20));
        assert_eq!(backoff.until(law, secs(620), secs(620)), Some(secs(640)), "600 s are not more");
        assert_eq!(backoff.until(law, secs(621), secs(621)), None);
        backoff.next(law, secs(621), secs(621));
        assert_eq!(backoff.wait(), SimDuration::from_secs(10));
    }
}
