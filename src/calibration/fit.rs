//! A law for samples: a floor and a log-normal above it, or, where that does not fit, the samples' own quantiles.

use std::sync::Arc;

use super::samples::Samples;
use crate::luck::Measured;
use crate::time::SimDuration;

/// z with P(Z <= z) = 0.99 for a standard normal Z.
const Z99: f64 = 2.326_347_874_040_841;
/// Floors that are tried, from none up to just below the least sample.
const FLOORS: u64 = 64;
/// Values by which samples that no log-normal fits are told.
const QUANTILES: u64 = 20;
/// So few samples give no shape of their own.
const FEW: usize = 12;

/// A law and how far the samples are from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The law.
    pub law: Measured,
    /// Kolmogorov and Smirnov's D.
    pub distance: f64,
}

/// The law of these samples; `None` if there are none.
pub fn fit(samples: &Samples) -> Option<Fit> {
    if samples.is_empty() {
        return None;
    }
    let smooth = log_normal(samples);
    if samples.len() < FEW || smooth.distance <= too_far(samples.len()) {
        return Some(smooth);
    }
    let quantile = |at| micros(samples.quantile(at * 1000 / QUANTILES));
    let law = Measured::Quantiles((0..=QUANTILES).map(quantile).collect::<Arc<[_]>>());
    let distance = samples.distance_to(&law);
    Some(if distance < smooth.distance { Fit { law, distance } } else { smooth })
}

/// In whole microseconds, as samples are kept: a law is no finer.
fn micros(span: SimDuration) -> SimDuration {
    SimDuration::from_micros(span.as_nanos() / 1000)
}

/// The distance that samples of a normal law are farther from the one fitted to them only once in a hundred times
/// (Lilliefors' test, Dallal and Wilkinson's formula of 1986).
fn too_far(count: usize) -> f64 {
    let root = libm::sqrt(count as f64);
    1.035 / (root - 0.01 + 0.83 / root)
}

/// The floor and the log-normal with the least distance.
fn log_normal(samples: &Samples) -> Fit {
    // Of few samples the least lies well above the floor; a floor just below it would take it for an exception,
    // and the law would get a tail that nobody ever saw.
    let above_least = samples.median() - samples.least();
    let least = samples.least().saturating_sub(above_least / samples.len() as u64);
    let floor = |at: u64| {
        // Closer and closer to the least: that is where laws differ.
        let gap = 1.0 - at as f64 / FLOORS as f64;
        let nanos = libm::round(least.as_nanos() as f64 * (1.0 - gap * gap)) as u64;
        SimDuration::from_nanos(nanos.min(least.as_nanos().saturating_sub(1)))
    };
    let fits = (0..=FLOORS).map(|at| above(samples, floor(at)));
    let best = fits.reduce(|best, next| if next.distance < best.distance { next } else { best });
    best.expect("at least one floor is tried")
}

/// The log-normal above a floor, by the moments of the logarithms.
fn above(samples: &Samples, floor: SimDuration) -> Fit {
    let logs: Vec<f64> = samples
        .sorted()
        .iter()
        .map(|it| libm::log(it.saturating_sub(floor).as_nanos().max(1) as f64))
        .collect();
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / count;
    let nanos = |z: f64| libm::round(libm::exp(mean + z * libm::sqrt(variance))) as u64;
    let at = |z: f64| SimDuration::from_nanos(floor.as_nanos().saturating_add(nanos(z)));
    let law =
        Measured::LogNormal { floor: micros(floor), p50: micros(at(0.0)), p99: micros(at(Z99)) };
    let distance = samples.distance_to(&law);
    Fit { law, distance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};

    fn millis(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    fn drawn(law: &Measured, count: u64) -> Samples {
        let draw = |i| Luck::new(8).draw(Label::new("fit"), 1, i);
        (0..count).map(|i| law.sample(|| draw(i))).collect()
    }

    #[test]
    fn a_known_law_is_found_again() {
        let law = Measured::LogNormal { floor: millis(50), p50: millis(95), p99: millis(300) };
        let found = fit(&drawn(&law, 2000)).expect("samples");
        let Measured::LogNormal { floor, p50, p99 } = found.law else { panic!("{found:?}") };
        let near = |found: SimDuration, told: u64, percent: u64| {
            found.as_millis().abs_diff(told) * 100 <= told * percent
        };
        // Four standard errors: the median's is 1.25 sigma / sqrt(2000), 2.8 % of the 45 ms above the floor.
        assert!(near(p50, 95, 6) && near(floor, 50, 10) && near(p99, 300, 20), "{found:?}");
        assert!(found.distance < 0.03, "{found:?}");
    }

    #[test]
    fn two_humps_are_told_by_their_quantiles() {
        let (low, high) = (millis(20), millis(100));
        let hump = |at: SimDuration| {
            drawn(&Measured::LogNormal { floor: at, p50: at + millis(2), p99: at + millis(4) }, 100)
        };
        let both: Samples = hump(low).sorted().iter().chain(hump(high).sorted()).copied().collect();
        let found = fit(&both).expect("samples");
        assert!(matches!(found.law, Measured::Quantiles(_)), "{found:?}");
        assert!(found.distance < 0.06 && log_normal(&both).distance > 0.15, "{found:?}");
        let again = drawn(&found.law, 2000).distance(&both);
        assert!(again < 0.12, "{again}");
    }

    #[test]
    fn samples_of_a_log_normal_are_not_taken_for_something_else() {
        let law = Measured::LogNormal { floor: millis(5), p50: millis(9), p99: millis(30) };
        for count in [12, 40, 300] {
            let found = fit(&drawn(&law, count)).expect("samples");
            assert!(matches!(found.law, Measured::LogNormal { .. }), "{count}: {found:?}");
        }
    }

    #[test]
    fn few_samples_give_no_tail_that_nobody_saw() {
        let law = Measured::LogNormal { floor: millis(50), p50: millis(95), p99: millis(200) };
        for count in [3, 4, 6, 9] {
            let samples = drawn(&law, count);
            let found = fit(&samples).expect("samples");
            let Measured::LogNormal { p99, .. } = found.law else { panic!("{found:?}") };
            assert!(p99 < samples.quantile(1000) * 3, "{count}: {found:?} of {samples:?}");
        }
    }

    #[test]
    fn few_samples_and_equal_ones_have_a_law_too() {
        let one: Samples = [millis(3)].into_iter().collect();
        let law = fit(&one).expect("a sample").law;
        assert_eq!(law.median(), millis(3));
        assert_eq!(fit(&Samples::default()), None);
    }
}
