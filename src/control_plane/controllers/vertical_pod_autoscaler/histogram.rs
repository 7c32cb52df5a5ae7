//! A distribution of amounts in which older ones weigh less: pure (vertical-pod-autoscaler
//! pkg/recommender/util/histogram.go, decaying_histogram.go). Floats where it has them; powers and
//! logarithms by `libm`.
//!
//! Instants are nanoseconds from the start of the run: what a checkpoint knows may be older than that.

use std::collections::BTreeMap;

use crate::time::SimDuration;

/// After this, a sample weighs half.
const HALF_LIFE: SimDuration = SimDuration::from_secs(24 * 3600);
/// The same, in nanoseconds.
const HALF: i64 = HALF_LIFE.as_nanos() as i64;
/// The reference moves once weights have doubled so often.
const DOUBLINGS_MAX: i64 = 100;
/// What a checkpoint's heaviest bucket weighs (`MaxCheckpointWeight`).
const KEPT_MAX: f64 = 10_000.0;
/// A bucket that weighs less is empty.
const EPSILON: f64 = 0.0001;

/// How amounts are divided: buckets grow from the first one's width up to the most, each so much wider than the one
/// before.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    first: f64,
    most: f64,
    growth: f64,
}

impl Scale {
    /// Of processors, in cores.
    pub const CPU: Scale = Scale { first: 0.001, most: 1000.0, growth: 1.05 };
    /// Of memory, in bytes.
    pub const MEMORY: Scale = Scale { first: 1e7, most: 1e12, growth: 1.05 };

    fn steps(self, value: f64) -> f64 {
        libm::log(value * (self.growth - 1.0) / self.first + 1.0) / libm::log(self.growth)
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
        self.first * (libm::pow(self.growth, bucket as f64) - 1.0) / (self.growth - 1.0)
    }
}

/// A distribution.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    scale: Scale,
    weights: Vec<f64>,
    total: f64,
    reference: i64,
}

/// A distribution as a checkpoint keeps it.
#[derive(Clone, PartialEq, Debug)]
pub struct Kept {
    /// What weights are relative to.
    pub reference: i64,
    /// Weight of all buckets that are not empty, in ten-thousandths of the heaviest.
    pub buckets: BTreeMap<u16, u32>,
    /// What they weigh together.
    pub total: f64,
}

impl Histogram {
    /// One without samples.
    pub fn new(scale: Scale) -> Histogram {
        Histogram { scale, weights: vec![0.0; scale.buckets()], total: 0.0, reference: 0 }
    }

    /// What a checkpoint keeps; nothing if that is no distribution on this scale.
    pub fn load(scale: Scale, kept: &Kept) -> Option<Histogram> {
        let mut loaded = Histogram::new(scale);
        loaded.reference = kept.reference;
        let sum: u64 = kept.buckets.values().map(|&weight| u64::from(weight)).sum();
        if kept.total < 0.0 || !kept.total.is_finite() {
            return None;
        }
        for (&bucket, &weight) in &kept.buckets {
            let share = f64::from(weight) * (kept.total / sum.max(1) as f64);
            *loaded.weights.get_mut(usize::from(bucket))? += share;
        }
        loaded.total = if sum == 0 { 0.0 } else { kept.total };
        Some(loaded)
    }

    /// What a checkpoint is to keep. Buckets that weigh next to nothing beside the heaviest are left out.
    pub fn save(&self) -> Kept {
        let filled = self.filled();
        let most = filled.clone().map(|bucket| self.weights[bucket]).fold(0.0, f64::max);
        let kept = |bucket: usize| {
            let weight = libm::floor(self.weights[bucket] * (KEPT_MAX / most) + 0.5) as u32;
            (weight > 0).then_some((bucket as u16, weight))
        };
        let buckets = filled.filter_map(kept).collect();
        Kept { reference: self.reference, buckets, total: self.total }
    }

    /// How much a sample of `at` weighs beside one of the reference.
    fn factor(&mut self, at: i64) -> f64 {
        let age = at.saturating_sub(self.reference);
        if age > DOUBLINGS_MAX * HALF {
            let halves = age / HALF;
            let down = libm::exp2(-(halves as f64));
            self.weights.iter_mut().for_each(|weight| *weight *= down);
            self.total *= down;
            self.reference += HALF * halves;
        }
        libm::exp2(at.saturating_sub(self.reference) as f64 / HALF as f64)
    }

    /// Adds a sample.
    pub fn add(&mut self, value: f64, weight: f64, at: i64) {
        let weight = weight * self.factor(at);
        self.weights[self.scale.bucket(value)] += weight;
        self.total += weight;
    }

    /// Takes a sample away that was added.
    pub fn subtract(&mut self, value: f64, weight: f64, at: i64) {
        let weight = weight * self.factor(at);
        let held = &mut self.weights[self.scale.bucket(value)];
        let weight = if weight > *held - EPSILON { *held } else { weight };
        *held -= weight;
        self.total -= weight;
    }

    /// The buckets from the first that is not empty to the last.
    fn filled(&self) -> std::ops::Range<usize> {
        let is_full = |weight: &f64| *weight >= EPSILON;
        let first = self.weights.iter().position(is_full);
        let last = self.weights.iter().rposition(is_full);
        first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
    }

    /// The end of the bucket up to which a share of the weight lies; 0 of nothing.
    pub fn percentile(&self, share: f64) -> f64 {
        let filled = self.filled();
        if filled.is_empty() {
            return 0.0;
        }
        let (threshold, mut sum) = (share * self.total, 0.0);
        let mut bucket = filled.start;
        while bucket + 1 < filled.end {
            sum += self.weights[bucket];
            if sum >= threshold {
                break;
            }
            bucket += 1;
        }
        // The last bucket of all has no end.
        self.scale.start((bucket + 1).min(self.scale.buckets() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = HALF / 24;

    /// Whether a bucket ends there into which the value falls: it is at most a twentieth wide.
    fn ends_after(found: f64, value: f64) -> bool {
        found > value && found <= value * 1.06
    }

    /// The autoscaler's own table (`TestExponentialHistogramOptions`, pkg/recommender/util/histogram_options_test.go).
    #[test]
    fn buckets_grow_from_the_first_to_the_last() {
        let scale = Scale { first: 40.0, most: 500.0, growth: 1.5 };
        assert_eq!(scale.buckets(), 6);
        for (bucket, start) in [0.0, 40.0, 100.0, 190.0, 325.0, 527.5].into_iter().enumerate() {
            assert!((scale.start(bucket) - start).abs() < 1e-9, "{bucket}");
        }
        for (value, bucket) in [(-1.0, 0), (39.99, 0), (40.0, 1), (100.0, 2), (900.0, 5)] {
            assert_eq!(scale.bucket(value), bucket, "{value}");
        }
        // More than the most there is ends at the last bucket's start.
        let mut histogram = Histogram::new(scale);
        histogram.add(1e6, 1.0, 0);
        assert!((histogram.percentile(0.9) - 527.5).abs() < 1e-9);
    }

    /// Values 1 to 4 of weights 1 to 4, at one instant and each half a life after the one before: where the
    /// percentiles lie (pkg/recommender/util/histogram_test.go, decaying_histogram_test.go).
    #[test]
    fn percentiles_are_where_the_autoscalers_own_tables_have_them() {
        let filled = |apart: i64| {
            let mut histogram = Histogram::new(Scale::CPU);
            for number in 1..=4_i64 {
                histogram.add(number as f64, number as f64, 40 * HALF + apart * number);
            }
            histogram
        };
        let fresh = filled(0);
        for (share, value) in [
            (0.0, 1.0),
            (0.1, 1.0),
            (0.2, 2.0),
            (0.3, 2.0),
            (0.4, 3.0),
            (0.5, 3.0),
            (0.6, 3.0),
            (0.7, 4.0),
            (1.0, 4.0),
        ] {
            let found = fresh.percentile(share);
            assert!(ends_after(found, value), "{share}: {found}");
        }
        let aged = filled(HALF);
        for (share, value) in [
            (0.0, 1.0),
            (0.02, 1.0),
            (0.03, 2.0),
            (0.10, 2.0),
            (0.11, 3.0),
            (0.34, 3.0),
            (0.35, 4.0),
            (1.0, 4.0),
        ] {
            let found = aged.percentile(share);
            assert!(ends_after(found, value), "aged, {share}: {found}");
        }
    }

    /// A heavy sample is outweighed 20 half-lives later, and forgotten after a hundred (the same file).
    #[test]
    fn what_is_old_is_outweighed_and_then_forgotten() {
        let mut histogram = Histogram::new(Scale::CPU);
        histogram.add(2.0, 1000.0, 0);
        histogram.add(1.0, 1.0, 20 * HALF);
        assert!(ends_after(histogram.percentile(0.999), 1.0));
        assert!(ends_after(histogram.percentile(1.0), 2.0));
        let mut histogram = Histogram::new(Scale::CPU);
        histogram.add(2.0, 1.0, 0);
        histogram.add(1.0, 1.0, 101 * HALF);
        assert!(ends_after(histogram.percentile(1.0), 1.0));
        // Taken away, nothing is left; and years do not overflow.
        histogram.subtract(1.0, 1.0, 101 * HALF);
        assert_eq!(histogram.percentile(0.5), 0.0);
        histogram.add(5.0, 1.0, 5000 * HALF);
        assert!(ends_after(histogram.percentile(0.01), 5.0));
    }

    /// What a checkpoint keeps: shares of the heaviest in ten-thousandths, and nothing below half of one
    /// (`TestHistogramSaveToCheckpoint*`).
    #[test]
    fn a_checkpoint_keeps_shares_of_the_heaviest_bucket() {
        for (samples, expected) in [
            (vec![], vec![]),
            (vec![(1.0, 1.0)], vec![10_000]),
            (vec![(1.0, 1.0), (2.0, 100_000.0)], vec![10_000]),
            (vec![(1.0, 1.0), (2.0, 10_000.0), (3.0, 50.0)], vec![1, 10_000, 50]),
        ] {
            let mut histogram = Histogram::new(Scale::CPU);
            samples.iter().for_each(|&(value, weight)| histogram.add(value, weight, 0));
            let kept = histogram.save();
            let total: f64 = samples.iter().map(|it| it.1).sum();
            assert!((kept.total - total).abs() < 1e-9, "{samples:?}");
            assert_eq!(kept.buckets.into_values().collect::<Vec<_>>(), expected, "{samples:?}");
        }
    }

    /// What is read back weighs as much together (`TestHistogramLoadFromCheckpoint*`).
    #[test]
    fn one_goes_on_from_a_checkpoint_that_fits_its_scale() {
        let kept = |buckets: &[(u16, u32)], total| Kept {
            reference: -HOUR,
            buckets: buckets.iter().copied().collect(),
            total,
        };
        let loaded = Histogram::load(Scale::CPU, &kept(&[(0, 1), (1, 2)], 6.0)).expect("it fits");
        assert_eq!((loaded.weights[0], loaded.weights[1], loaded.total), (2.0, 4.0, 6.0));
        assert_eq!(loaded.save(), kept(&[(0, 5000), (1, 10_000)], 6.0));
        assert_eq!(Histogram::load(Scale::CPU, &kept(&[(9999, 1)], 1.0)), None);
        assert_eq!(Histogram::load(Scale::CPU, &kept(&[], -1.0)), None);
        let empty = Histogram::load(Scale::CPU, &kept(&[], 0.0)).expect("it fits");
        assert_eq!(empty.percentile(0.5), 0.0);
    }
}
