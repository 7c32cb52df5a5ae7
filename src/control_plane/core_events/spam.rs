//! The spam filter of a broadcaster: of too many Events about one object most are dropped.

use std::hash::Hash;

use super::lru::Lru;
use crate::time::{SimDuration, SimTime};

/// Events about one object that pass at once; then one each [`REFILL`] (`defaultSpamBurst`,
/// `defaultSpamQPS`, client-go 1.36 tools/record/events_cache.go).
const BURST: u64 = 25;
const REFILL: SimDuration = SimDuration::from_secs(300);

/// A token bucket for each object.
#[derive(Clone, Debug)]
pub struct SpamFilter<K> {
    /// When an object's bucket would be full again.
    full: Lru<K, SimTime>,
}

impl<K> Default for SpamFilter<K> {
    fn default() -> SpamFilter<K> {
        SpamFilter { full: Lru::default() }
    }
}

impl<K: Copy + Eq + Hash> SpamFilter<K> {
    /// Whether one more Event about `object` passes now.
    pub fn passes(&mut self, object: K, now: SimTime) -> bool {
        self.full.with(object, |held| {
            let full = (*held).max(now) + REFILL;
            let passes = full.saturating_since(now) <= REFILL * BURST;
            if passes {
                *held = full;
            }
            passes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_object_25_pass_and_then_one_each_5_minutes() {
        let mut filter = SpamFilter::default();
        let mut passed = |at, object: u64| filter.passes(object, SimTime::from_secs(at));
        assert_eq!((0..40).filter(|_| passed(0, 1)).count(), 25);
        assert!(passed(0, 2), "another object has its own");
        assert_eq!((0..40).filter(|_| passed(600, 1)).count(), 2);
    }
}
