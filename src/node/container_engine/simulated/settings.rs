//! What the operations of a simulated engine cost.

use crate::luck::Distribution;
use crate::messages::app::Delay;
use crate::time::SimDuration;

/// What one operation costs: work for one core of the node, shared with whatever else runs there, and
/// then a time that passes however idle the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Time of one core.
    pub work: SimDuration,
    /// The rest.
    pub floor: SimDuration,
}

impl Cost {
    const fn micros(work: u64, floor: u64) -> Cost {
        Cost { work: SimDuration::from_micros(work), floor: SimDuration::from_micros(floor) }
    }
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
    /// Bytes of an image that one core unpacks in a second.
    pub unpacked_a_second: u64,
    /// From a program's end by itself to when the engine shows it.
    pub exit_shown: SimDuration,
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
            unpacked_a_second: 130_000_000,
            exit_shown: SimDuration::from_millis(31),
            stop_default: Delay::Takes(Distribution::Constant(SimDuration::from_millis(12))),
            init_default: Delay::Takes(Distribution::Constant(SimDuration::from_secs(1))),
            job_default: Delay::Takes(Distribution::Constant(SimDuration::from_secs(10))),
            bind_failure: SimDuration::from_millis(10),
        }
    }
}
