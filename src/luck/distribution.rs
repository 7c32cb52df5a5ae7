//! How long things take: laws of time, in whole nanoseconds.
//!
//! Owns the way from a draw to a duration; refuses to know what takes that long. Logarithms and powers go
//! through `libm` (the same bits on every platform) and are rounded to an integer at once.
use super::Draw;
use crate::time::SimDuration;

/// z with P(Z <= z) = 0.99 for a standard normal Z.
const Z99: f64 = 2.326_347_874_040_841;

/// A law of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Always this long.
    Constant(SimDuration),
    /// From `min` to `max`, both included, each nanosecond as likely; `min` where `max` is below it.
    Uniform {
        /// The shortest.
        min: SimDuration,
        /// The longest.
        max: SimDuration,
    },
    /// Memoryless with this mean.
    Exponential {
        /// The mean.
        mean: SimDuration,
    },
    /// Log-normal with this median and 99th percentile; the median alone where `p99` is below it.
    LogNormal {
        /// The median.
        p50: SimDuration,
        /// The value that one in a hundred exceeds.
        p99: SimDuration,
    },
}

impl Distribution {
    /// How long it takes this time. Saturates at [`SimDuration::MAX`].
    pub fn sample(&self, draw: Draw) -> SimDuration {
        match *self {
            Self::Constant(duration) => duration,
            Self::Uniform { min, max } => draw.duration_between(min, max),
            Self::Exponential { mean } => rounded(-libm::log(draw.fraction()), mean),
            Self::LogNormal { p50, p99 } if p99 <= p50 || p50 == SimDuration::ZERO => p50,
            Self::LogNormal { p50, p99 } => {
                let spread = libm::log(p99.as_nanos() as f64 / p50.as_nanos() as f64) / Z99;
                rounded(libm::exp(spread * standard_normal(draw)), p50)
            }
        }
    }
}

impl From<SimDuration> for Distribution {
    fn from(duration: SimDuration) -> Self {
        Self::Constant(duration)
    }
}

/// `factor * unit` to the nearest nanosecond; Rust's conversion saturates.
fn rounded(factor: f64, unit: SimDuration) -> SimDuration {
    SimDuration::from_nanos(libm::round(factor * unit.as_nanos() as f64) as u64)
}

/// Box and Muller's normal variate, from the draw and its successor.
fn standard_normal(draw: Draw) -> f64 {
    let angle = std::f64::consts::TAU * draw.clone().again().fraction();
    libm::sqrt(-2.0 * libm::log(draw.fraction())) * libm::cos(angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};

    /// 20,000 samples in ascending order, in nanoseconds.
    fn sorted(law: Distribution) -> Vec<u64> {
        let luck = Luck::new(11);
        let draw = |i| luck.draw(Label::new("law"), 4, i);
        let mut all: Vec<u64> = (0..20_000).map(|i| law.sample(draw(i)).as_nanos()).collect();
        all.sort_unstable();
        all
    }

    fn millis(ms: u64) -> SimDuration {
        SimDuration::from_millis(ms)
    }

    #[test]
    fn an_exponential_has_its_mean_and_its_median() {
        let all = sorted(Distribution::Exponential { mean: millis(10) });
        let mean = all.iter().sum::<u64>() / 20_000;
        // Standard error of the mean: 10 ms / sqrt(20,000) = 71 us; four of them.
        assert!(mean.abs_diff(10_000_000) < 283_000, "{mean}");
        assert!(all[10_000].abs_diff(6_931_472) < 283_000, "{}", all[10_000]);
        let wrong = sorted(Distribution::Uniform { min: millis(0), max: millis(20) });
        assert!(wrong[10_000].abs_diff(6_931_472) > 283_000, "the check must see another law");
    }

    #[test]
    fn a_log_normal_has_its_percentiles() {
        let all = sorted(Distribution::LogNormal { p50: millis(100), p99: millis(800) });
        // Four standard errors of the ranks (500 / 20,000 at the median, 56 at p99), read off as values.
        assert!((all[9_717]..=all[10_283]).contains(&100_000_000), "{}", all[10_000]);
        assert!((all[19_744]..=all[19_856]).contains(&800_000_000), "{}", all[19_800]);
    }

    #[test]
    fn degenerate_laws_are_their_lower_end() {
        let draw = || Draw::from_bits(u64::MAX / 3);
        let sample = |law: Distribution| law.sample(draw());
        assert_eq!(sample(Distribution::Constant(millis(3))), millis(3));
        assert_eq!(sample(Distribution::Uniform { min: millis(3), max: millis(1) }), millis(3));
        assert_eq!(sample(Distribution::LogNormal { p50: millis(3), p99: millis(1) }), millis(3));
        assert_eq!(
            sample(Distribution::Exponential { mean: SimDuration::ZERO }),
            SimDuration::ZERO
        );
        let never = Distribution::Exponential { mean: SimDuration::MAX };
        assert_eq!(never.sample(Draw::from_bits(0)), SimDuration::MAX);
    }
}
