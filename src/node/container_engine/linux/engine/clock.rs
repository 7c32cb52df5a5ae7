//! The wall clock as a run's clock: virtual time zero is the instant the run began.

use super::super::files::{Watch, unix_nanos};
use crate::time::SimTime;

/// A clock that began at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    watch: Watch,
    /// The same instant in nanoseconds since 1970.
    began: i64,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Clock {
        Clock { watch: Watch::start(), began: unix_nanos() }
    }

    /// The present instant.
    pub fn now(&self) -> SimTime {
        SimTime::ZERO + self.watch.took()
    }

    /// The instant of a runtime's stamp (nanoseconds since 1970); never before the beginning, nor in the future.
    pub fn of(&self, stamp: i64) -> SimTime {
        let nanos = u64::try_from(stamp.saturating_sub(self.began)).unwrap_or(0);
        SimTime::from_nanos(nanos).min(self.now())
    }
}
