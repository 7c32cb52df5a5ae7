//! Feature gates of kube-scheduler 1.36 that change how it decides here.
//!
//! Owns what they are and their defaults; which names a user may write, and what becomes of the many
//! others, is `scenario`'s business.

/// The gates that act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gates {
    /// `SchedulerPopFromBackoffQ`: with an empty active queue, pods still in backoff are taken.
    pub pop_from_backoff: bool,
    /// `OpportunisticBatching`: equal pods in a row take the next best node of the one before.
    pub batching: bool,
    /// `SchedulerAsyncPreemption`: victims are evicted beside the scheduling cycle.
    pub async_preemption: bool,
}

impl Default for Gates {
    /// As of 1.36: all on.
    fn default() -> Gates {
        Gates { pop_from_backoff: true, batching: true, async_preemption: true }
    }
}
