//! Laws of time as measurements give them.
//!
//! Owns the way from a draw to a duration under such a law, and back to its shares; refuses to know how one is
//! fitted. A law is told by values of the time itself (its least, its median, its 99th percentile), not by
//! parameters of a formula, so it can be read beside the samples.
use std::sync::Arc;

use super::{Distribution, Draw};
use crate::time::SimDuration;

/// z with P(Z <= z) = 0.99 for a standard normal Z.
const Z99: f64 = 2.326_347_874_040_841;

/// A law of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Always this long; it takes no draw.
    Constant(SimDuration),
    /// Log-normal above a floor.
    LogNormal {
        /// What it never is below.
        floor: SimDuration,
        /// The median of the whole.
        p50: SimDuration,
        /// The 99th percentile of the whole.
        p99: SimDuration,
    },
    /// Through these values, which are equally likely apart, in ascending order; straight between two.
    Quantiles(Arc<[SimDuration]>),
}

impl Measured {
    /// How long it takes this time.
    pub fn sample(&self, draw: impl FnOnce() -> Draw) -> SimDuration {
        match self {
            Measured::Constant(span) => *span,
            Measured::LogNormal { floor, p50, p99 } => {
                let above = Distribution::LogNormal { p50: *p50 - *floor, p99: *p99 - *floor };
                let sampled = above.sample(draw());
                SimDuration::from_nanos(floor.as_nanos().saturating_add(sampled.as_nanos()))
            }
            Measured::Quantiles(values) => match &values[..] {
                [] => SimDuration::ZERO,
                [only] => *only,
                values => between(values, draw()),
            },
        }
    }

    /// The median.
    pub fn median(&self) -> SimDuration {
        match self {
            Measured::Constant(span) => *span,
            Measured::LogNormal { p50, .. } => *p50,
            Measured::Quantiles(values) => match values.len() {
                0 => SimDuration::ZERO,
                count if count % 2 == 1 => values[count / 2],
                count => (values[count / 2 - 1] + values[count / 2]) / 2,
            },
        }
    }

    /// The share of times that are no longer than `span`.
    pub fn share_up_to(&self, span: SimDuration) -> f64 {
        match self {
            Measured::Constant(value) => f64::from(u8::from(span >= *value)),
            Measured::LogNormal { floor, p50, p99 } => {
                let (over, median, high) = (
                    span.saturating_sub(*floor).as_nanos() as f64,
                    p50.saturating_sub(*floor).as_nanos() as f64,
                    p99.saturating_sub(*floor).as_nanos() as f64,
                );
                if high <= median || median <= 0.0 {
                    return f64::from(u8::from(span >= *p50));
                }
                if over <= 0.0 {
                    return 0.0;
                }
                let sigma = libm::log(high / median) / Z99;
                0.5 * libm::erfc(-libm::log(over / median) / (sigma * std::f64::consts::SQRT_2))
            }
            Measured::Quantiles(values) => {
                let next = values.partition_point(|value| *value <= span);
                if next == 0 || values.len() < 2 {
                    return f64::from(u8::from(next > 0));
                }
                let steps = (values.len() - 1) as f64;
                let Some(high) = values.get(next) else { return 1.0 };
                let low = values[next - 1];
                let part = (span - low).as_nanos() as f64 / (*high - low).as_nanos() as f64;
                ((next - 1) as f64 + part) / steps
            }
        }
    }
}

impl From<SimDuration> for Measured {
    fn from(span: SimDuration) -> Measured {
        Measured::Constant(span)
    }
}

/// A place between two neighbours, each place as likely; integers alone.
fn between(values: &[SimDuration], draw: Draw) -> SimDuration {
    const PARTS: u64 = 1 << 32;
    let place = draw.below((values.len() as u64 - 1) * PARTS);
    let (at, part) = ((place / PARTS) as usize, place % PARTS);
    let (low, high) = (values[at], values[at + 1]);
    low + high.saturating_sub(low).scaled(part, PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};

    fn millis(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    fn sorted(law: &Measured) -> Vec<u64> {
        let sample = |i| law.sample(|| Luck::new(4).draw(Label::new("measured"), 9, i)).as_nanos();
        let mut all: Vec<u64> = (0..20_000).map(sample).collect();
        all.sort_unstable();
        all
    }

    fn laws() -> [Measured; 2] {
        let values: Vec<SimDuration> = [40, 50, 52, 60, 200].map(millis).to_vec();
        [
            Measured::LogNormal { floor: millis(40), p50: millis(60), p99: millis(200) },
            Measured::Quantiles(values.into()),
        ]
    }

    #[test]
    fn shares_are_those_of_the_samples() {
        for law in laws() {
            let all = sorted(&law);
            // The greatest distance over 20,000 samples of the right law is over 1.63 / sqrt(20,000) once in 100.
            let distance = |law: &Measured| {
                let at = |i: usize| (i as f64 + 0.5) / all.len() as f64;
                let share = |&nanos: &u64| law.share_up_to(SimDuration::from_nanos(nanos));
                let apart = all.iter().enumerate().map(|(i, it)| (share(it) - at(i)).abs());
                apart.fold(0.0, f64::max)
            };
            assert!(distance(&law) < 0.0116, "{law:?}: {}", distance(&law));
            let other =
                Measured::LogNormal { floor: millis(39), p50: millis(61), p99: millis(205) };
            assert!(distance(&other) > 0.0116, "the check must see another law");
        }
    }

    #[test]
    fn nothing_is_below_the_floor_and_the_median_is_the_median() {
        for law in laws() {
            let all = sorted(&law);
            assert!(all[0] >= 40_000_000, "{}", all[0]);
            let (low, high) = (all[9_717], all[10_283]);
            assert!((low..=high).contains(&law.median().as_nanos()), "{law:?}");
        }
    }

    #[test]
    fn what_is_always_so_long_takes_no_draw() {
        let law = Measured::from(millis(7));
        assert_eq!(law.sample(|| unreachable!("no luck in it")), millis(7));
        assert_eq!((law.share_up_to(millis(6)), law.share_up_to(millis(7))), (0.0, 1.0));
    }
}
