//! What a controller still waits to see, so that it does not act twice on one lack.
//!
//! Owns counts and uids; refuses to know queues. kube-controller-manager 1.36
//! pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations).

use crate::api::meta::Uid;
use crate::base::id::Id;
use crate::base::{FastMap, FastSet};
use crate::time::{SimDuration, SimTime};

/// After so long an unmet expectation counts as met.
pub const TIMEOUT: SimDuration = SimDuration::from_secs(300);

#[derive(Clone, Debug, Default)]
struct Expectation {
    creations: usize,
    deletions: FastSet<Uid>,
    since: SimTime,
}

/// The expectations of one controller, by what it keeps: a set of pods.
#[derive(Clone, Debug)]
pub struct Expectations<T> {
    of: FastMap<Id<T>, Expectation>,
}

impl<T> Default for Expectations<T> {
    fn default() -> Expectations<T> {
        Expectations { of: FastMap::default() }
    }
}

impl<T> Expectations<T> {
    /// Whether `set` may be acted on: everything expected was seen, or is overdue.
    pub fn are_met(&self, set: Id<T>, now: SimTime) -> bool {
        self.of.get(&set).is_none_or(|one| now.saturating_since(one.since) > TIMEOUT)
    }

    /// So many pods will be created.
    pub fn expect_creations(&mut self, set: Id<T>, count: usize, now: SimTime) {
        if count == 0 {
            self.of.remove(&set);
            return;
        }
        let one = Expectation { creations: count, deletions: FastSet::default(), since: now };
        self.of.insert(set, one);
    }

    /// These pods will be deleted.
    pub fn expect_deletions(&mut self, set: Id<T>, pods: impl Iterator<Item = Uid>, now: SimTime) {
        let one = Expectation { creations: 0, deletions: pods.collect(), since: now };
        self.of.insert(set, one);
    }

    /// So many pods will be created, and these deleted.
    pub fn expect(
        &mut self,
        set: Id<T>,
        creations: usize,
        deletions: impl Iterator<Item = Uid>,
        now: SimTime,
    ) {
        let one = Expectation { creations, deletions: deletions.collect(), since: now };
        self.of.insert(set, one);
        self.drop_if_met(set);
    }

    /// So many creations were seen, or will not come.
    pub fn creations_seen(&mut self, set: Id<T>, count: usize) {
        if let Some(one) = self.of.get_mut(&set) {
            one.creations = one.creations.saturating_sub(count);
        }
        self.drop_if_met(set);
    }

    /// The deletion of `pod` was seen, or will not come.
    pub fn deletion_seen(&mut self, set: Id<T>, pod: Uid) {
        if let Some(one) = self.of.get_mut(&set) {
            one.deletions.remove(&pod);
        }
        self.drop_if_met(set);
    }

    /// `set` is gone.
    pub fn forget(&mut self, set: Id<T>) {
        self.of.remove(&set);
    }

    fn drop_if_met(&mut self, set: Id<T>) {
        if self.of.get(&set).is_some_and(|one| one.creations == 0 && one.deletions.is_empty()) {
            self.of.remove(&set);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workload::ReplicaSet;

    #[test]
    fn they_hold_until_all_is_seen_or_five_minutes_went_by() {
        let set: Id<ReplicaSet> = Id::from_parts(3, 0);
        let mut expected = Expectations::default();
        expected.expect_creations(set, 2, SimTime::ZERO);
        expected.creations_seen(set, 1);
        assert!(!expected.are_met(set, SimTime::from_secs(300)));
        assert!(expected.are_met(set, SimTime::from_secs(301)));
        expected.creations_seen(set, 1);
        assert!(expected.are_met(set, SimTime::ZERO));
    }

    #[test]
    fn a_deletion_seen_twice_counts_once() {
        let set: Id<ReplicaSet> = Id::from_parts(3, 0);
        let mut expected = Expectations::default();
        expected.expect_deletions(set, [Uid(1), Uid(2)].into_iter(), SimTime::ZERO);
        expected.deletion_seen(set, Uid(1));
        expected.deletion_seen(set, Uid(1));
        assert!(!expected.are_met(set, SimTime::ZERO));
        expected.deletion_seen(set, Uid(2));
        assert!(expected.are_met(set, SimTime::ZERO));
    }
}
