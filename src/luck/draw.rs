//! One random value and the integers made from it.
//!
//! Owns the way from 64 bits to a number below a bound, a chance, a duration; refuses to know where the
//! bits come from. Every method consumes the draw: one draw decides one thing.
use crate::base::hash::{GOLDEN, avalanche};
use crate::time::SimDuration;

/// 64 random bits, to be spent on one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Draw {
    bits: u64,
}

impl Draw {
    /// A draw of given bits: for streams and for tests.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self { bits }
    }

    /// The bits themselves.
    #[inline]
    pub const fn u64(self) -> u64 {
        self.bits
    }

    /// An integer in `0..bound`, each exactly as likely (Lemire's multiplication with rejection).
    ///
    /// # Panics
    /// If `bound` is zero: there is nothing to choose from.
    #[inline]
    pub const fn below(mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a choice among nothing");
        loop {
            let product = self.bits as u128 * bound as u128;
            // 2^64 mod bound: so many of the smallest low halves would be one too many. It is less than
            // the bound, so it need not be worked out for the others.
            if product as u64 >= bound || product as u64 >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
            self = self.again();
        }
    }

    /// Whether something of this chance happens.
    #[inline]
    pub const fn chance(self, chance: Ratio) -> bool {
        self.below(chance.denominator) < chance.numerator
    }

    /// A duration in `from..=to` in nanoseconds, each exactly as likely; `from` where `to` is not after it.
    #[inline]
    pub fn duration_between(self, from: SimDuration, to: SimDuration) -> SimDuration {
        let Some(choices) = to.as_nanos().saturating_sub(from.as_nanos()).checked_add(1) else {
            return SimDuration::from_nanos(self.bits);
        };
        from + SimDuration::from_nanos(self.below(choices))
    }

    /// A fraction in `(0, 1]`, a multiple of 2^-53: never zero, so its logarithm is finite.
    pub(super) const fn fraction(self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        ((self.bits >> 11) + 1) as f64 * STEP
    }

    /// Other bits that follow from these.
    pub(super) const fn again(self) -> Self {
        Self { bits: avalanche(self.bits.wrapping_add(GOLDEN)) }
    }
}

/// A chance as a fraction of two integers, so that no float decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// What never happens.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// What always happens.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator`, or `None` where that is no chance (denominator zero, or more than one).
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || numerator > denominator {
            return None;
        }
        Some(Self { numerator, denominator })
    }

    /// The part above the line.
    pub const fn numerator(self) -> u64 {
        self.numerator
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};
    use proptest::prelude::*;

    const TEST: Label = Label::new("test");

    #[test]
    fn below_is_even_over_a_bound_that_does_not_divide() {
        // 3/4 of 2^64: a plain remainder would give the first third twice the weight.
        let bound = 3 << 62;
        let low =
            (0..30_000).filter(|&i| Luck::new(1).draw(TEST, 0, i).below(bound) < 1 << 62).count();
        assert!((9_700..10_300).contains(&low), "{low} of 30000");
        let spoiled =
            (0..30_000).filter(|&i| Luck::new(1).draw(TEST, 0, i).u64() % bound < 1 << 62).count();
        assert!(!(9_700..10_300).contains(&spoiled), "the same check must see a biased way");
    }

    #[test]
    fn chances_at_the_ends_are_certain() {
        let draws = || (0..1000).map(|i| Luck::new(3).draw(TEST, 1, i));
        assert!(draws().all(|draw| draw.chance(Ratio::ONE)));
        assert!(!draws().any(|draw| draw.chance(Ratio::ZERO)));
        let tenth = draws()
            .filter(|draw| draw.clone().chance(Ratio::new(1, 10).expect("a chance")))
            .count();
        assert!((70..130).contains(&tenth), "{tenth} of 1000");
        assert_eq!((Ratio::new(2, 1), Ratio::new(0, 0)), (None, None));
    }

    proptest! {
        #[test]
        fn durations_stay_in_their_bounds(bits: u64, a: u64, b: u64) {
            let (from, to) = (SimDuration::from_nanos(a.min(b)), SimDuration::from_nanos(a.max(b)));
            let drawn = Draw::from_bits(bits).duration_between(from, to);
            prop_assert!(from <= drawn && drawn <= to);
        }
    }
}
