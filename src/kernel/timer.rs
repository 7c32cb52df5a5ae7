//! Timers that can be taken back: a generation in the event, compared when it pops.
//!
//! Owns the counter; refuses to touch the queue. There is no set of cancelled timers: a stale one stays queued
//! and is dropped at the pop.
//!
//! ```text
//! idle --arm--> armed(g) --fires(g)--> idle
//!                  |--- arm ----> armed(g+1)      an event that still carries g is stale
//!                  `-- disarm --> idle
//! ```

/// Which arming of a timer an event belongs to. Wraps after 2^32 armings of one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// A timer of one owner; its events carry the [`Generation`] that [`Timer::arm`] returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    generation: u32,
    armed: bool,
}

impl Timer {
    /// An idle timer.
    pub const fn new() -> Self {
        Self { generation: 0, armed: false }
    }

    /// Arms it, or arms it anew; events of earlier armings are stale from now on.
    pub fn arm(&mut self) -> Generation {
        self.generation = self.generation.wrapping_add(1);
        self.armed = true;
        Generation(self.generation)
    }

    /// Takes it back; its event, if queued, is stale from now on.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// Whether an event is still to fire.
    pub fn is_armed(&self) -> bool {
        self.armed
    }

    /// Whether the popped event counts: true once, for the latest arming; false for a stale one.
    #[must_use]
    pub fn fires(&mut self, generation: Generation) -> bool {
        let counts = self.armed && generation.0 == self.generation;
        self.armed &= !counts;
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_arming_fires_and_only_once() {
        let mut timer = Timer::new();
        let first = timer.arm();
        let second = timer.arm();
        assert!(!timer.fires(first));
        assert!(timer.fires(second));
        assert!(!timer.fires(second));
        let third = timer.arm();
        timer.disarm();
        assert!(!timer.fires(third) && !timer.is_armed());
    }
}
