//! What containers of one name used, and what follows for their requests: pure rules
//! (vertical-pod-autoscaler pkg/recommender/model: container.go, aggregate_container_state.go;
//! pkg/recommender/logic: estimator.go, recommender.go).

use super::histogram::{Histogram, Kept, Scale};
use crate::api::vertical::Amounts;
use crate::time::{SimDuration, SimTime};

/// Weight of a sample of processors (`minSampleWeight`).
const CPU_WEIGHT: f64 = 0.1;
/// Of memory, the peak of each such stretch counts.
const STRETCH: SimDuration = SimDuration::from_secs(24 * 3600);
/// What was used longer ago than so many stretches is forgotten, where nothing came since.
const STRETCHES: u64 = 8;
/// After it ran out, memory is to be so much more ..
const OOM_RATIO: f64 = 1.2;
/// .. and at least so many bytes.
const OOM_LEAST: i64 = 100 * 1024 * 1024;
/// What is added to all that is recommended.
const MARGIN: f64 = 0.15;
/// The least recommended for a pod: thousandths of a core, and bytes.
const CPU_LEAST: f64 = 25.0;
const MEMORY_LEAST: f64 = 250.0 * 1024.0 * 1024.0;
/// The most there is (`MaxResourceAmount`).
const MOST: f64 = 1e14;

/// An instant in nanoseconds from the start of the run.
fn nanos(at: SimTime) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

/// What all containers of one name used.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    cpu: Histogram,
    memory: Histogram,
    /// The first sample of processors, and the last, in nanoseconds from the start of the run.
    span: Option<(i64, i64)>,
    samples: u64,
}

/// The same as a checkpoint keeps it.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Of processors.
    pub cpu: Kept,
    /// Of peaks of memory.
    pub memory: Kept,
    /// The first sample of processors, and the last, in nanoseconds from the start of the run.
    pub span: Option<(i64, i64)>,
    /// How many there were.
    pub samples: u64,
}

impl Default for Aggregate {
    fn default() -> Aggregate {
        let (cpu, memory) = (Histogram::new(Scale::CPU), Histogram::new(Scale::MEMORY));
        Aggregate { cpu, memory, span: None, samples: 0 }
    }
}

impl Aggregate {
    /// What a checkpoint keeps; nothing if that cannot be.
    pub fn load(record: &Record) -> Option<Aggregate> {
        let cpu = Histogram::load(Scale::CPU, &record.cpu)?;
        let memory = Histogram::load(Scale::MEMORY, &record.memory)?;
        Some(Aggregate { cpu, memory, span: record.span, samples: record.samples })
    }

    /// What a checkpoint is to keep. Peaks of stretches that are not over are left out: whoever goes on from there
    /// counts them again.
    pub fn save<'a>(&self, seen: impl Iterator<Item = &'a Seen>, now: SimTime) -> Record {
        let mut memory = self.memory.clone();
        for one in seen {
            if let Some(until) = one.until.filter(|until| now < *until) {
                memory.subtract(one.peak.max(one.oom_peak) as f64, 1.0, nanos(until));
            }
        }
        let (cpu, memory) = (self.cpu.save(), memory.save());
        Record { cpu, memory, span: self.span, samples: self.samples }
    }

    /// Whether processors were measured at all: without, nothing is recommended.
    pub fn has_samples(&self) -> bool {
        self.samples > 0
    }

    /// Whether it is so old that it counts no more.
    pub fn is_expired(&self, now: SimTime) -> bool {
        let window = nanos(SimTime::ZERO + STRETCH * STRETCHES);
        self.span.is_some_and(|(_, last)| nanos(now).saturating_sub(last) >= window)
    }
}

/// What is known of one container of a pod.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// The latest sample.
    at: Option<SimTime>,
    /// When the stretch ends for which the peak is held.
    until: Option<SimTime>,
    peak: i64,
    oom_peak: i64,
    /// When its memory ran out last.
    pub oom: Option<SimTime>,
}

impl Seen {
    /// A sample: thousandths of a core, and bytes. Those that are not newer count once.
    pub fn sample(&mut self, to: &mut Aggregate, at: SimTime, (cpu, memory): (i64, i64)) {
        if self.at.is_some_and(|last| at <= last) {
            return;
        }
        self.at = Some(at);
        let instant = nanos(at);
        to.cpu.add(cpu as f64 / 1000.0, CPU_WEIGHT, instant);
        let (first, last) = to.span.unwrap_or((instant, instant));
        to.span = Some((first.min(instant), last.max(instant)));
        to.samples += 1;
        self.memory(to, at, memory, Source::Measured);
    }

    /// Its memory ran out at `at` while it requested so many bytes. What is older than the stretch it is in is
    /// not counted.
    pub fn ran_out(&mut self, to: &mut Aggregate, at: SimTime, requested: i64) {
        self.oom = Some(at);
        if self.until.is_some_and(|until| at + STRETCH < until) {
            return;
        }
        let used = requested.max(self.peak);
        let needed = used.saturating_add(OOM_LEAST).max(scaled(used as f64, OOM_RATIO));
        self.memory(to, at, needed, Source::RanOut);
    }

    /// One peak counts for each stretch.
    fn memory(&mut self, to: &mut Aggregate, at: SimTime, amount: i64, source: Source) {
        let until = self.until.unwrap_or(at);
        let before = self.peak.max(self.oom_peak);
        if at < until {
            if before == 0 || amount <= before {
                return;
            }
            to.memory.subtract(before as f64, 1.0, nanos(until));
        } else {
            let stretches = (at - until).as_nanos() / STRETCH.as_nanos() + 1;
            self.until = Some(until + STRETCH * stretches);
            (self.peak, self.oom_peak) = (0, 0);
        }
        to.memory.add(amount as f64, 1.0, nanos(self.until.unwrap_or(at)));
        match source {
            Source::Measured => self.peak = amount,
            Source::RanOut => self.oom_peak = amount,
        }
    }
}

/// Where an amount of memory comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Measured,
    RanOut,
}

/// `amount * factor` as a whole amount.
fn scaled(amount: f64, factor: f64) -> i64 {
    // A cast from float saturates; what is not a number is nothing.
    (amount * factor).clamp(0.0, MOST) as i64
}

/// What is recommended, without any policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// What to request.
    pub target: Amounts,
    /// Less is too little.
    pub lower: Amounts,
    /// More is too much.
    pub upper: Amounts,
}

impl Aggregate {
    /// How much is known, in days of a sample a minute.
    fn confidence(&self) -> f64 {
        let day = STRETCH.as_nanos() as f64;
        let days = self.span.map_or(0.0, |(first, last)| (last - first) as f64 / day);
        days.min(self.samples as f64 / (60.0 * 24.0))
    }

    /// What one of `containers` containers of a pod should request.
    pub fn estimate(&self, containers: usize) -> Estimate {
        let share = 1.0 / containers.max(1) as f64;
        let confidence = self.confidence();
        let amounts = |percentile: f64, factor: f64| {
            let with_margin = |amount: f64| {
                let base = amount as i64;
                scaled((base + scaled(base as f64, MARGIN)) as f64, factor)
            };
            let cpu = with_margin(self.cpu.percentile(percentile) * 1000.0);
            let memory = with_margin(self.memory.percentile(percentile));
            Amounts {
                cpu: Some(cpu.max(scaled(CPU_LEAST, share))),
                memory: Some(memory.max(scaled(MEMORY_LEAST, share))),
            }
        };
        Estimate {
            target: amounts(0.9, 1.0),
            lower: amounts(0.5, libm::pow(1.0 + 0.001 / confidence, -2.0)),
            upper: amounts(0.95, 1.0 + 1.0 / confidence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1024 * 1024;
    const GB: i64 = 1_000_000_000;

    fn used(minutes: u64, cpu: i64, memory: i64) -> (Aggregate, Seen) {
        let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
        for minute in 0..minutes {
            seen.sample(&mut aggregate, SimTime::from_secs(60 * minute), (cpu, memory));
        }
        (aggregate, seen)
    }

    /// The peaks of memory that count, each as the bucket it falls into.
    fn peaks(aggregate: &Aggregate) -> Vec<u16> {
        aggregate.memory.save().buckets.into_keys().collect()
    }

    fn bucket(bytes: i64) -> u16 {
        let mut histogram = Histogram::new(Scale::MEMORY);
        histogram.add(bytes as f64, 1.0, 0);
        *histogram.save().buckets.keys().next().expect("a bucket")
    }

    /// `TestMinResourcesApplied`, `TestMinResourcesSplitAcrossContainers` (pkg/recommender/logic/recommender_test.go).
    #[test]
    fn the_least_is_divided_among_the_containers_of_a_pod() {
        let (aggregate, _) = used(10, 1, MIB);
        let least = |containers| aggregate.estimate(containers).target;
        assert_eq!(least(1), Amounts { cpu: Some(25), memory: Some(262_144_000) });
        assert_eq!(least(2), Amounts { cpu: Some(12), memory: Some(131_072_000) });
        assert_eq!(least(3), Amounts { cpu: Some(8), memory: Some(87_381_333) });
    }

    /// `TestPercentileEstimator` (pkg/recommender/logic/estimator_test.go): within the 5 % of a bucket.
    #[test]
    fn percentiles_of_both_are_taken() {
        let mut aggregate = Aggregate::default();
        for (cores, bytes) in [(1.0, GB), (2.0, 2 * GB), (3.0, 3 * GB)] {
            aggregate.cpu.add(cores, 1.0, 0);
            aggregate.memory.add(bytes as f64, 1.0, 0);
        }
        let (cpu, memory) = (aggregate.cpu.percentile(0.2), aggregate.memory.percentile(0.5));
        assert!((1.0..=1.05).contains(&cpu), "{cpu}");
        assert!((2e9..=2.1e9).contains(&memory), "{memory}");
    }

    /// `TestConfidenceMultiplier` (the same file): nine samples two minutes apart are 9/1440 of a day's, and
    /// 3.14 cores times (1 + 0.1/0.00625)^2 are 907.46; without history, all there is or nothing.
    #[test]
    fn confidence_is_the_lesser_of_time_and_samples() {
        let mut aggregate = Aggregate::default();
        let mut seen = Seen::default();
        assert_eq!(aggregate.confidence(), 0.0);
        for minute in (0..18).step_by(2) {
            seen.sample(&mut aggregate, SimTime::from_secs(60 * minute), (1000, 1));
        }
        assert_eq!(aggregate.confidence(), 0.00625);
        let factor = libm::pow(1.0 + 0.1 / aggregate.confidence(), 2.0);
        assert_eq!(scaled(3140.0, factor), 907_460);
        assert_eq!(scaled(3140.0, 1.0 + 1.0 / 0.0), 100_000_000_000_000);
        assert_eq!(scaled(3140.0, libm::pow(1.0 + 1.0 / 0.0, -1.0)), 0);
        // Thrice a minute: time counts. Each tenth minute: samples do.
        let days = |apart: u64, samples: u64| {
            let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
            let at = |number: u64| SimTime::from_secs(apart * number);
            (0..samples).for_each(|number| seen.sample(&mut aggregate, at(number), (1, 1)));
            aggregate.confidence()
        };
        assert_eq!(days(20, 4321), 1.0);
        assert_eq!(days(600, 144), 0.1);
    }

    /// The comments of `CreatePodResourceRecommender` (pkg/recommender/logic/recommender.go) tell these multipliers.
    #[test]
    fn bounds_close_in_as_history_grows() {
        let found = |minutes| {
            let (aggregate, _) = used(minutes, 500, 1024 * MIB);
            let found = aggregate.estimate(1);
            let target = found.target.cpu.expect("it is known") as f64;
            let lower = found.lower.cpu.expect("it is known") as f64 / target;
            (lower, target, found.upper.cpu.expect("it is known"))
        };
        // One sample is no history: anything will do.
        let (lower, target, upper) = found(1);
        assert!(lower < 0.05, "{lower}");
        assert_eq!(upper, 100_000_000_000_000);
        // 500m and up to 5 % for the bucket, and a margin of 15 %.
        assert!((575.0..=605.0).contains(&target), "{target}");
        for (minutes, expected_lower, expected_upper) in [
            (6, 0.6, 289.0),
            (31, 0.9, 49.0),
            (61, 0.95, 25.0),
            (12 * 60 + 1, 0.99, 3.0),
            (24 * 60 + 1, 0.99, 2.0),
            (7 * 24 * 60 + 1, 0.99, 1.143),
        ] {
            let (lower, target, upper) = found(minutes);
            assert!((lower - expected_lower).abs() < 0.02, "{minutes}: {lower}");
            let upper = upper as f64 / target;
            assert!((upper / expected_upper - 1.0).abs() < 0.01, "{minutes}: {upper}");
        }
    }

    /// `TestAggregateContainerUsageSamples` (pkg/recommender/model/container_test.go): half a stretch apart, memory
    /// of 5, 10 and 2; the first two are of one stretch, and its peak is the second.
    #[test]
    fn one_peak_of_memory_counts_for_each_stretch() {
        let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
        let at = |halves: u64| SimTime::from_secs(halves * 12 * 3600 + 5);
        let (five, ten, two) = (50 * MIB, 100 * MIB, 20 * MIB);
        seen.sample(&mut aggregate, at(0), (3140, five));
        assert_eq!(peaks(&aggregate), [bucket(five)]);
        seen.sample(&mut aggregate, at(1), (6280, ten));
        assert_eq!(peaks(&aggregate), [bucket(ten)]);
        seen.sample(&mut aggregate, at(2), (1570, two));
        assert_eq!(peaks(&aggregate), [bucket(two), bucket(ten)]);
        // Out of order, and no later: not counted.
        seen.sample(&mut aggregate, at(2), (1000, 500 * MIB));
        assert_eq!((aggregate.samples, peaks(&aggregate).len()), (3, 2));
    }

    /// `TestRecordOOM*` (the same file): what the memory that ran out comes to, in MiB, after a sample and at the
    /// request it had.
    #[test]
    fn memory_that_ran_out_is_asked_for_and_more() {
        let day = |days: u64| SimTime::from_secs(days * 24 * 3600);
        for (name, sampled, ran_out, expected) in [
            ("a fifth more", None, &[(0, 1000)][..], &[1200][..]),
            (
                "smaller ones after it change nothing",
                None,
                &[(0, 1000), (0, 999), (0, 999)],
                &[1200],
            ),
            ("a larger one does", None, &[(0, 1000), (0, 2000)], &[2400]),
            ("100 MiB at least", None, &[(0, 1)], &[101]),
            ("more than was requested was used", Some(3000), &[(0, 1000)], &[3600]),
            ("in a stretch of its own", Some(2000), &[(2, 1000)], &[2000, 2400]),
        ] {
            let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
            if let Some(memory) = sampled {
                seen.sample(&mut aggregate, day(0), (1, memory * MIB));
            }
            for &(days, requested) in ran_out {
                seen.ran_out(&mut aggregate, day(days), requested * MIB);
            }
            let expected: Vec<u16> = expected.iter().map(|it| bucket(it * MIB)).collect();
            assert_eq!(peaks(&aggregate), expected, "{name}");
        }
        // Stale: before the stretch that is being counted.
        let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
        seen.sample(&mut aggregate, day(3), (1, 1000 * MIB));
        seen.ran_out(&mut aggregate, day(1), 4000 * MIB);
        assert_eq!(peaks(&aggregate), [bucket(1000 * MIB)]);
    }

    /// `TestMergeContainerStateForCheckpointDropsRecentMemoryPeak` (pkg/recommender/checkpoint) and what is read back.
    #[test]
    fn a_checkpoint_leaves_out_the_peak_that_is_being_counted() {
        let (aggregate, seen) = used(2, 250, 1024 * MIB);
        let now = SimTime::from_secs(90);
        let record = aggregate.save([&seen].into_iter(), now);
        assert!(record.memory.buckets.is_empty());
        let later = now + STRETCH;
        let record = aggregate.save([&seen].into_iter(), later);
        let again = Aggregate::load(&record).expect("it can be read");
        assert_eq!((again.samples, again.span), (aggregate.samples, aggregate.span));
        assert_eq!(again.estimate(1), aggregate.estimate(1));
    }

    /// `TestAggregateContainerStateIsExpired` (pkg/recommender/model/aggregate_container_state_test.go).
    #[test]
    fn what_is_eight_days_old_counts_no_more() {
        let (aggregate, _) = used(1, 1, 1);
        let after = |days: u64| SimTime::from_secs(days * 24 * 3600);
        assert!(!aggregate.is_expired(after(7)));
        assert!(aggregate.is_expired(after(8)));
    }
}
