//! What groups of nodes should have and what they have: readiness, sizes, scale-ups under way,
//! back-off after failures (cluster-autoscaler 1.36 clusterstate, utils/backoff).

use crate::time::{SimDuration, SimTime};

/// How many nodes of a group are in which state (`Readiness`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readiness {
    /// Ready.
    pub ready: u32,
    /// Not ready, though they once were or should be.
    pub unready: u32,
    /// Registered a short while ago and not ready yet.
    pub not_started: u32,
    /// On their way out.
    pub deleted: u32,
    /// Machines without a node object.
    pub unregistered: u32,
    /// The same for longer than a machine may take.
    pub long_unregistered: u32,
}

impl Readiness {
    /// Nodes with an object.
    pub fn registered(self) -> u32 {
        self.ready + self.unready + self.not_started + self.deleted
    }

    /// Machines on the way: in the target, but neither up nor given up (`GetUpcomingNodes`).
    pub fn upcoming(self, target: u32) -> u32 {
        target.saturating_sub(self.ready + self.unready + self.deleted + self.long_unregistered)
    }
}

/// How many nodes a group may have without anything being wrong (`AcceptableRange`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The fewest.
    pub min: i64,
    /// The most.
    pub max: i64,
    /// Its target size.
    pub target: i64,
}

/// The range of a group with this target (`updateAcceptableRanges`): machines being added, or given up,
/// may lack; machines being removed may still be there.
pub fn acceptable(target: i64, long_unregistered: i64, adding: i64, removing: i64) -> Range {
    Range { min: target - long_unregistered - adding, max: target + removing, target }
}

/// A group of the wrong size, since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongSize {
    /// The target.
    pub expected: i64,
    /// Nodes with an object.
    pub current: i64,
    /// When it was first seen so.
    pub since: SimTime,
}

/// Whether a group has the wrong size (`updateIncorrectNodeGroupSizes`); one seen before with the same
/// numbers keeps its time.
pub fn wrong_size(
    target: i64,
    registered: i64,
    unregistered: i64,
    before: Option<WrongSize>,
    now: SimTime,
) -> Option<WrongSize> {
    let is_wrong = registered > target || registered < target - unregistered;
    let found = WrongSize { expected: target, current: registered, since: now };
    let same = |held: &WrongSize| (held.expected, held.current) == (target, registered);
    is_wrong.then(|| before.filter(same).unwrap_or(found))
}

/// A scale-up under way (`ScaleUpRequest`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScaleUp {
    /// How many nodes were asked for.
    pub increase: u32,
    /// When it was last added to.
    pub at: SimTime,
    /// When they should be up.
    pub expected: SimTime,
}

/// Waits after failed scale-ups of a group (`exponentialBackoff`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffTimes {
    /// The first (`--initial-node-group-backoff-duration`).
    pub initial: SimDuration,
    /// The longest (`--max-node-group-backoff-duration`).
    pub max: SimDuration,
    /// After so long without a failure it begins anew (`--node-group-backoff-reset-timeout`).
    pub reset: SimDuration,
}

impl Default for BackoffTimes {
    fn default() -> BackoffTimes {
        BackoffTimes {
            initial: SimDuration::from_secs(300),
            max: SimDuration::from_secs(1800),
            reset: SimDuration::from_secs(3 * 3600),
        }
    }
}

/// A group's wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    lasts: SimDuration,
    failed: SimTime,
    /// When it ends.
    pub until: SimTime,
}

impl Backoff {
    /// The wait after a failure at `now`, if the one before it was `before`.
    pub fn after(before: Option<Backoff>, now: SimTime, times: BackoffTimes) -> Backoff {
        let again = before.filter(|held| held.failed + times.reset > now);
        let lasts = match again {
            // Failures during a wait do not prolong the next one.
            Some(held) if held.until > now => held.lasts,
            Some(held) => SimDuration::from_nanos(held.lasts.as_nanos().saturating_mul(2)),
            None => times.initial,
        };
        let lasts = lasts.min(times.max);
        Backoff { lasts, failed: now, until: now + lasts }
    }
}

/// Whether so many nodes that are not ready are too many to go on (`IsClusterHealthy`: more than
/// `--ok-total-unready-count` and more than `--max-total-unready-percentage`).
pub fn is_healthy(unready: u64, all: u64, ok_count: u64, most_percent: u64) -> bool {
    unready <= ok_count || unready * 100 <= most_percent * all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let times = BackoffTimes::default();
        let (mut held, mut now) = (None, SimTime::from_secs(1000));
        let mut lasted = Vec::new();
        for _ in 0..5 {
            let next = Backoff::after(held, now, times);
            lasted.push(next.until.saturating_since(now).as_secs());
            (held, now) = (Some(next), next.until);
        }
        assert_eq!(lasted, [300, 600, 1200, 1800, 1800]);
        let much_later = now + times.reset;
        assert_eq!(Backoff::after(held, much_later, times).until, much_later + times.initial);
    }

    #[test]
    fn more_than_45_percent_and_more_than_three_are_too_many() {
        assert!(is_healthy(3, 3, 3, 45));
        assert!(!is_healthy(4, 8, 3, 45));
        assert!(is_healthy(4, 9, 3, 45));
    }
}
