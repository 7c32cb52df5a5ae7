//! What containers of one name used, and what follows for their requests: pure rules
//! (vertical-pod-autoscaler pkg/recommender/model: container.go, aggregate_container_state.go;
//! pkg/recommender/logic: estimator.go, recommender.go).

use super::histogram::{Histogram, Scale};
use crate::api::vertical::Amounts;
use crate::time::{SimDuration, SimTime};

/// Weight of a sample of processors (`minSampleWeight`).
const CPU_WEIGHT: f64 = 0.1;
/// Of memory, the peak of each such stretch counts.
const STRETCH: SimDuration = SimDuration::from_secs(24 * 3600);
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

/// What all containers of one name used.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    cpu: Histogram,
    memory: Histogram,
    /// The first sample of processors, and the last.
    span: Option<(SimTime, SimTime)>,
    samples: u64,
}

impl Default for Aggregate {
    fn default() -> Aggregate {
        let (cpu, memory) = (Histogram::new(Scale::CPU), Histogram::new(Scale::MEMORY));
        Aggregate { cpu, memory, span: None, samples: 0 }
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
        to.cpu.add(cpu as f64 / 1000.0, CPU_WEIGHT, at);
        to.span = Some((to.span.map_or(at, |span| span.0), at.max(to.span.map_or(at, |it| it.1))));
        to.samples += 1;
        self.memory(to, at, memory, Source::Measured);
    }

    /// Its memory ran out at `at` while it requested so many bytes.
    pub fn ran_out(&mut self, to: &mut Aggregate, at: SimTime, requested: i64) {
        self.oom = Some(at);
        let used = requested.max(self.peak);
        let needed = (used + OOM_LEAST).max(scaled(used as f64, OOM_RATIO));
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
            to.memory.subtract(before as f64, 1.0, until);
        } else {
            let stretches = (at - until).as_nanos() / STRETCH.as_nanos() + 1;
            self.until = Some(until + STRETCH * stretches);
            (self.peak, self.oom_peak) = (0, 0);
        }
        to.memory.add(amount as f64, 1.0, self.until.unwrap_or(at));
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
        let days = self.span.map_or(0.0, |(first, last)| (last - first).as_nanos() as f64 / day);
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

    fn used(minutes: u64, cpu: i64, memory: i64) -> (Aggregate, Seen) {
        let (mut aggregate, mut seen) = (Aggregate::default(), Seen::default());
        for minute in 0..minutes {
            seen.sample(&mut aggregate, SimTime::from_secs(60 * minute), (cpu, memory));
        }
        (aggregate, seen)
    }

    #[test]
    fn the_least_is_divided_among_the_containers_of_a_pod() {
        let (aggregate, _) = used(10, 1, MIB);
        let least = |containers| aggregate.estimate(containers).target;
        assert_eq!(least(1), Amounts { cpu: Some(25), memory: Some(262_144_000) });
        assert_eq!(least(2), Amounts { cpu: Some(12), memory: Some(131_072_000) });
    }

    #[test]
    fn bounds_close_in_as_history_grows() {
        let width = |minutes| {
            let (aggregate, _) = used(minutes, 500, 1024 * MIB);
            let found = aggregate.estimate(1);
            (
                found.lower.cpu.expect("it is known"),
                found.target.cpu,
                found.upper.cpu.expect("known"),
            )
        };
        // One sample is no history: anything will do.
        let (lower, target, upper) = width(1);
        assert_eq!((lower, upper), (25, 100_000_000_000_000));
        let (day_lower, day_target, day_upper) = width(24 * 60);
        assert_eq!(target, day_target);
        // 500m and up to 5 % for the bucket, and a margin of 15 %.
        assert!((575..=605).contains(&target.expect("it is known")), "{target:?}");
        let (week_lower, _, week_upper) = width(7 * 24 * 60);
        assert!(lower < day_lower && day_lower <= week_lower);
        // Twice after a day, one seventh more after a week.
        assert!((1150..1220).contains(&day_upper), "{day_upper}");
        assert!((650..700).contains(&week_upper), "{week_upper}");
    }

    #[test]
    fn memory_that_ran_out_is_asked_for_and_more() {
        let (mut aggregate, mut seen) = used(5, 10, 90 * MIB);
        seen.ran_out(&mut aggregate, SimTime::from_secs(300), 400 * MIB);
        // 100 MiB more, the bucket's end, 15 %.
        let target = aggregate.estimate(1).target.memory.expect("it is known");
        assert!((575 * MIB..610 * MIB).contains(&target), "{}", target / MIB);
        // The peak it stands for counts once: what was used before is forgotten with it.
        let lower = aggregate.estimate(1).lower.memory.expect("it is known");
        assert!(lower > 300 * MIB, "{}", lower / MIB);
    }
}
