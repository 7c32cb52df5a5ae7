//! What the operations of a simulated engine cost.

use crate::luck::{Distribution, Draw, Measured};
use crate::messages::app::Delay;
use crate::time::SimDuration;

/// One in thousandths.
const WHOLE: u64 = 1000;

/// What one operation costs this time: work for one core of the node, shared with whatever else runs there, and
/// then a time that passes however idle the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent {
    /// Time of one core.
    pub work: SimDuration,
    /// The rest.
    pub floor: SimDuration,
    /// Time of one core that is spent as well while nobody waits for it.
    pub behind: SimDuration,
}

/// What operations of one kind cost.
#[derive(Clone, PartialEq, Debug)]
pub enum Cost {
    /// Always the same.
    Fixed(Spent),
    /// As it was measured.
    Drawn {
        /// How long it takes on a node that is idle else.
        time: Measured,
        /// Thousandths of that time that are work for a core.
        work: u32,
        /// Thousandths of that work that are spent once more while nobody waits.
        behind: u32,
    },
}

impl Cost {
    const fn micros(work: u64, floor: u64) -> Cost {
        let (work, floor) = (SimDuration::from_micros(work), SimDuration::from_micros(floor));
        Cost::Fixed(Spent { work, floor, behind: SimDuration::ZERO })
    }

    /// Whether it was measured.
    pub fn is_measured(&self) -> bool {
        matches!(self, Cost::Drawn { .. })
    }

    /// What it costs this time.
    pub fn spend(&self, draw: impl FnOnce() -> Draw) -> Spent {
        match self {
            Cost::Fixed(spent) => *spent,
            Cost::Drawn { time, work, behind } => split(time.sample(draw), *work, *behind),
        }
    }
}

/// A time on an idle node, told apart.
fn split(time: SimDuration, work: u32, behind: u32) -> Spent {
    let work = time.scaled(u64::from(work).min(WHOLE), WHOLE);
    Spent { work, floor: time - work, behind: work.scaled(behind.into(), WHOLE) }
}

/// How an image's layers are unpacked.
#[derive(Clone, PartialEq, Debug)]
pub enum Unpacking {
    /// So many bytes a second by one core; then [`EngineSettings::pull_present`]'s floor.
    Bytes(u64),
    /// As it was measured: a time for each pull, each byte and each file.
    Measured {
        /// For each pull.
        base: SimDuration,
        /// Bytes a second.
        bytes_a_second: u64,
        /// For each file.
        per_file: SimDuration,
        /// Files in 2^20 bytes of an image of which nothing else is known.
        files_a_mebibyte: u32,
        /// The factor that varies it, told as a time: one second is as long as expected.
        spread: Measured,
        /// Thousandths of the time that are work for a core.
        work: u32,
        /// Thousandths of that work that are spent once more while nobody waits.
        behind: u32,
    },
}

impl Unpacking {
    /// What it costs to unpack an image of so many bytes. `present`: what a pull costs of one that is there.
    pub fn spend(&self, bytes: i64, present: &Cost, draw: impl FnOnce() -> Draw) -> Spent {
        match self {
            Unpacking::Bytes(a_second) => {
                let floor = match present {
                    Cost::Fixed(spent) => spent.floor,
                    Cost::Drawn { time, .. } => time.median(),
                };
                Spent { work: over(bytes, *a_second), floor, behind: SimDuration::ZERO }
            }
            Unpacking::Measured {
                base,
                bytes_a_second,
                per_file,
                files_a_mebibyte,
                spread,
                work,
                behind,
            } => {
                let files = (bytes.max(0) as u64).saturating_mul((*files_a_mebibyte).into()) >> 20;
                let expected = *base + over(bytes, *bytes_a_second) + *per_file * files;
                let factor = spread.sample(draw).as_nanos();
                let time = expected.scaled(factor, SimDuration::from_secs(1).as_nanos());
                split(time, *work, *behind)
            }
        }
    }
}

/// How long so many bytes take at so many a second.
pub(super) fn over(bytes: i64, a_second: u64) -> SimDuration {
    SimDuration::from_secs(1).scaled(bytes.max(0) as u64, a_second.max(1))
}

/// Costs of all operations. The defaults are containerd's over CRI as measured serially: the least time
/// seen is taken as work, the rest up to the median as floor.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineSettings {
    /// `RunPodSandbox`.
    pub run_sandbox: Cost,
    /// `CreateContainer`.
    pub create: Cost,
    /// `StartContainer`.
    pub start: Cost,
    /// `StopContainer`, from the program's end to its answer; all of it if the program had ended.
    pub stop: Cost,
    /// `StopPodSandbox`.
    pub stop_sandbox: Cost,
    /// `RemovePodSandbox`.
    pub remove_sandbox: Cost,
    /// `PullImage` of an image that is there: the registry is asked.
    pub pull_present: Cost,
    /// Bytes a second from the registry to a node.
    pub bandwidth: u64,
    /// How an image is unpacked.
    pub unpacking: Unpacking,
    /// From `StopContainer` to when the program has its signal; nothing: it has it at once.
    pub signal: Option<Cost>,
    /// From a program's end by itself to when the engine shows it.
    pub exit_shown: Cost,
    /// From SIGTERM to the end of a program whose scenario says nothing.
    pub stop_default: Delay,
    /// How long an init container runs whose scenario says nothing; it ends well.
    pub init_default: Delay,
    /// How long a container of a Job's pod runs whose scenario says nothing; it ends well.
    pub job_default: Delay,
    /// From a program's start to its end if its port is taken.
    pub bind_failure: SimDuration,
}

impl Default for EngineSettings {
    fn default() -> EngineSettings {
        EngineSettings {
            run_sandbox: Cost::micros(50_000, 45_000),
            create: Cost::micros(6_000, 16_000),
            start: Cost::micros(43_000, 22_000),
            stop: Cost::micros(31_000, 12_000),
            stop_sandbox: Cost::micros(72_000, 28_000),
            remove_sandbox: Cost::micros(5_000, 23_000),
            pull_present: Cost::micros(20_000, 20_000),
            bandwidth: 50_000_000,
            unpacking: Unpacking::Bytes(130_000_000),
            signal: None,
            exit_shown: Cost::micros(0, 31_000),
            stop_default: Delay::Takes(Distribution::Constant(SimDuration::from_millis(12))),
            init_default: Delay::Takes(Distribution::Constant(SimDuration::from_secs(1))),
            job_default: Delay::Takes(Distribution::Constant(SimDuration::from_secs(10))),
            bind_failure: SimDuration::from_millis(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    #[test]
    fn a_measured_cost_is_told_apart_without_a_loss() {
        let time = Measured::Constant(SimDuration::from_nanos(100_000_007));
        let cost = Cost::Drawn { time, work: 650, behind: 200 };
        let spent = cost.spend(|| unreachable!("it is constant"));
        assert_eq!(spent.work, SimDuration::from_nanos(65_000_004));
        assert_eq!(spent.work + spent.floor, SimDuration::from_nanos(100_000_007));
        assert_eq!(spent.behind, SimDuration::from_nanos(13_000_000));
    }

    #[test]
    fn an_image_costs_by_its_bytes_and_its_files() {
        let unpacking = Unpacking::Measured {
            base: millis(100),
            bytes_a_second: 100 << 20,
            per_file: SimDuration::from_micros(500),
            files_a_mebibyte: 60,
            spread: Measured::Constant(SimDuration::from_millis(1100)),
            work: 1000,
            behind: 0,
        };
        let present = EngineSettings::default().pull_present;
        let spent = unpacking.spend(50 << 20, &present, || unreachable!("it is constant"));
        // 100 ms + 500 ms + 3,000 files of 0.5 ms, a tenth more.
        assert_eq!((spent.work, spent.floor), (millis(2310), SimDuration::ZERO));
    }

    #[test]
    fn what_nobody_measured_draws_no_luck() {
        let settings = EngineSettings::default();
        for cost in [&settings.run_sandbox, &settings.create, &settings.stop] {
            assert_eq!(cost.spend(|| unreachable!()).behind, SimDuration::ZERO);
        }
        let spent =
            settings.unpacking.spend(130_000_000, &settings.pull_present, || unreachable!());
        assert_eq!((spent.work, spent.floor), (SimDuration::from_secs(1), millis(20)));
    }
}
