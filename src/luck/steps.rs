//! Waits that grow step by step (`k8s.io/apimachinery/pkg/util/wait` Backoff, 1.36).

use super::Draw;
use crate::time::SimDuration;

/// A wait, and how the next ones grow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps {
    /// The next wait, its jitter apart.
    pub wait: SimDuration,
    /// By how much it grows, in thousandths; 0: not at all.
    pub factor_milli: u64,
    /// By how much more than itself a wait may be at most, in thousandths.
    pub jitter_milli: u64,
    /// How often it still grows.
    pub left: u32,
    /// The longest wait; 0: any.
    pub longest: SimDuration,
}

impl Steps {
    /// The wait that is due now; the next one is longer, while there are steps left.
    pub fn step(&mut self, draw: Draw) -> SimDuration {
        let now = self.wait;
        if self.left > 0 {
            self.left -= 1;
            if self.factor_milli > 0 {
                self.wait = self.wait.scaled(self.factor_milli, 1000);
                if !self.longest.is_zero() && self.wait > self.longest {
                    (self.wait, self.left) = (self.longest, 0);
                }
            }
        }
        match self.jitter_milli {
            0 => now,
            jitter => draw.duration_between(now, now + now.scaled(jitter, 1000)),
        }
    }
}
