//! A distribution of amounts in which older ones weigh less: pure (vertical-pod-autoscaler
//! pkg/recommender/util/histogram.go, decaying_histogram.go). Floats where it has them; powers and
//! logarithms by `libm`.

use crate::time::{SimDuration, SimTime};

/// A bucket is so much wider than the one before.
const GROWTH: f64 = 1.05;
/// After this, a sample weighs half.
const HALF_LIFE: SimDuration = SimDuration::from_secs(24 * 3600);
/// The reference moves once weights have doubled so often.
const DOUBLINGS_MAX: u64 = 100;
/// A bucket that weighs less is empty.
const EPSILON: f64 = 0.0001;

/// How amounts are divided: buckets grow from the first one's width up to the most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    first: f64,
    most: f64,
}

impl Scale {
    /// Of processors, in cores.
    pub const CPU: Scale = Scale { first: 0.001, most: 1000.0 };
    /// Of memory, in bytes.
    pub const MEMORY: Scale = Scale { first: 1e7, most: 1e12 };

    fn steps(self, value: f64) -> f64 {
        libm::log(value * (GROWTH - 1.0) / self.first + 1.0) / libm::log(GROWTH)
    }

    fn buckets(self) -> usize {
        libm::ceil(self.steps(self.most)) as usize + 1
    }

    fn bucket(self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        (self.steps(value) as usize).min(self.buckets() - 1)
    }

    fn start(self, bucket: usize) -> f64 {
        if bucket == 0 {
            return 0.0;
        }
        self.first * (libm::pow(GROWTH, bucket as f64) - 1.0) / (GROWTH - 1.0)
    }
}

/// A distribution.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    scale: Scale,
    weights: Vec<f64>,
    total: f64,
    reference: SimTime,
}

impl Histogram {
    /// One without samples.
    pub fn new(scale: Scale) -> Histogram {
        let weights = vec![0.0; scale.buckets()];
        Histogram { scale, weights, total: 0.0, reference: SimTime::ZERO }
    }

    /// How much a sample of `at` weighs beside one of the reference.
    fn factor(&mut self, at: SimTime) -> f64 {
        let age = at.saturating_since(self.reference);
        if age.as_nanos() > DOUBLINGS_MAX * HALF_LIFE.as_nanos() {
            let halves = age.as_nanos() / HALF_LIFE.as_nanos();
            let down = libm::exp2(-(halves as f64));
            self.weights.iter_mut().for_each(|weight| *weight *= down);
            self.total *= down;
            self.reference += HALF_LIFE * halves;
        }
        let age = at.saturating_since(self.reference);
        libm::exp2(age.as_nanos() as f64 / HALF_LIFE.as_nanos() as f64)
    }

    /// Adds a sample.
    pub fn add(&mut self, value: f64, weight: f64, at: SimTime) {
        let weight = weight * self.factor(at);
        self.weights[self.scale.bucket(value)] += weight;
        self.total += weight;
    }

    /// Takes a sample away that was added.
    pub fn subtract(&mut self, value: f64, weight: f64, at: SimTime) {
        let weight = weight * self.factor(at);
        let held = &mut self.weights[self.scale.bucket(value)];
        let weight = if weight > *held - EPSILON { *held } else { weight };
        *held -= weight;
        self.total -= weight;
    }

    /// The end of the bucket up to which a share of the weight lies; 0 of nothing.
    pub fn percentile(&self, share: f64) -> f64 {
        let is_full = |weight: &f64| *weight >= EPSILON;
        let Some(first) = self.weights.iter().position(is_full) else { return 0.0 };
        let last = self.weights.iter().rposition(is_full).unwrap_or(first);
        let (threshold, mut sum) = (share * self.total, 0.0);
        let mut bucket = first;
        while bucket < last {
            sum += self.weights[bucket];
            if sum >= threshold {
                break;
            }
            bucket += 1;
        }
        self.scale.start((bucket + 1).min(self.weights.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_a_bucket_too_high() {
        let mut histogram = Histogram::new(Scale::CPU);
        assert_eq!(histogram.percentile(0.9), 0.0);
        (1..=100).for_each(|at| histogram.add(f64::from(at) / 100.0, 0.1, SimTime::ZERO));
        for (share, exact) in [(0.5, 0.5), (0.9, 0.9), (0.95, 0.95)] {
            let found = histogram.percentile(share);
            assert!(found >= exact && found <= exact * 1.06, "{share}: {found}");
        }
    }

    #[test]
    fn what_is_a_day_older_weighs_half_and_years_do_not_overflow() {
        let day = |days: u64| SimTime::from_secs(24 * 3600 * days);
        let mut histogram = Histogram::new(Scale::MEMORY);
        histogram.add(1e8, 1.0, day(0));
        histogram.add(1e9, 1.0, day(1));
        // A third of the weight is the older one's.
        assert!(histogram.percentile(0.33) < 1.2e8);
        assert!(histogram.percentile(0.34) > 9e8);
        histogram.add(5e8, 1.0, day(3000));
        assert!((5e8..5.4e8).contains(&histogram.percentile(0.01)));
        histogram.subtract(5e8, 1.0, day(3000));
        assert_eq!(histogram.percentile(0.9), 0.0);
    }
}
