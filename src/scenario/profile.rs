//! Profiles of a container engine: what its operations cost, as measured on a machine.
//!
//! Owns the format (kind `Profile`), how it is read and written, the built-in ones, and what a simulated engine
//! makes of one. Refuses to know how it is measured and fitted: that is `calibration`.
//!
//! A time of a phase is that on a machine that is idle else; `work` is the part of it that is work for a core and
//! takes longer where others want the core too. The engine waits for the rest, however idle the node is.
pub mod built_in;
mod raw;
mod read;
pub(super) mod schema;
mod write;

use std::collections::BTreeMap;

use crate::luck::Measured;
use crate::node::container_engine::simulated::{Cost, EngineSettings, Unpacking};
use crate::time::SimDuration;

pub(super) use read::profile;

/// The kind of its document.
pub const KIND: &str = "Profile";

/// What is measured, one operation or interval each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// `Version`: the least a call costs.
    Version,
    /// `RunPodSandbox`.
    RunPodSandbox,
    /// `CreateContainer`.
    CreateContainer,
    /// `StartContainer`.
    StartContainer,
    /// From the call of `StartContainer` to the program's first sign of life.
    StartToRunning,
    /// `ContainerStatus`.
    ContainerStatus,
    /// `ListContainerStats` of one container.
    ContainerStats,
    /// `ExecSync` of a program that ends at once.
    Exec,
    /// The same in a container whose quota is used up.
    ExecUnderQuota,
    /// `StopContainer` of a program that ends at SIGTERM.
    StopContainer,
    /// From the call of it to the program's end.
    StopSignal,
    /// From the program's end to the answer.
    StopAnswer,
    /// `StopContainer` of a program that ignores SIGTERM, beyond its grace.
    StopIgnored,
    /// `StopContainer` with no grace at all.
    KillContainer,
    /// From a program's own end to when the engine shows it.
    ExitToSeen,
    /// The same where memory ran out.
    OomToSeen,
    /// `CreateContainer` and `StartContainer` of a next attempt.
    Restart,
    /// `RemoveContainer`.
    RemoveContainer,
    /// `StopPodSandbox`, its containers ended.
    StopPodSandbox,
    /// `StopPodSandbox` with a container that lives.
    StopPodSandboxLive,
    /// `RemovePodSandbox`.
    RemovePodSandbox,
    /// `PullImage` of an image that is there.
    PullPresent,
    /// `RemoveImage`.
    RemoveImage,
}

impl Phase {
    /// All of them, in the order of a report.
    pub const ALL: [Phase; 23] = [
        Phase::Version,
        Phase::RunPodSandbox,
        Phase::CreateContainer,
        Phase::StartContainer,
        Phase::StartToRunning,
        Phase::ContainerStatus,
        Phase::ContainerStats,
        Phase::Exec,
        Phase::ExecUnderQuota,
        Phase::StopContainer,
        Phase::StopSignal,
        Phase::StopAnswer,
        Phase::StopIgnored,
        Phase::KillContainer,
        Phase::ExitToSeen,
        Phase::OomToSeen,
        Phase::Restart,
        Phase::RemoveContainer,
        Phase::StopPodSandbox,
        Phase::StopPodSandboxLive,
        Phase::RemovePodSandbox,
        Phase::PullPresent,
        Phase::RemoveImage,
    ];

    /// What a simulated engine cannot do without.
    pub const NEEDED: [Phase; 9] = [
        Phase::RunPodSandbox,
        Phase::CreateContainer,
        Phase::StartContainer,
        Phase::StopSignal,
        Phase::StopAnswer,
        Phase::ExitToSeen,
        Phase::StopPodSandbox,
        Phase::RemovePodSandbox,
        Phase::PullPresent,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Version => "version",
            Phase::RunPodSandbox => "runPodSandbox",
            Phase::CreateContainer => "createContainer",
            Phase::StartContainer => "startContainer",
            Phase::StartToRunning => "startToRunning",
            Phase::ContainerStatus => "containerStatus",
            Phase::ContainerStats => "containerStats",
            Phase::Exec => "exec",
            Phase::ExecUnderQuota => "execUnderQuota",
            Phase::StopContainer => "stopContainer",
            Phase::StopSignal => "stopSignal",
            Phase::StopAnswer => "stopAnswer",
            Phase::StopIgnored => "stopIgnored",
            Phase::KillContainer => "killContainer",
            Phase::ExitToSeen => "exitToSeen",
            Phase::OomToSeen => "oomToSeen",
            Phase::Restart => "restart",
            Phase::RemoveContainer => "removeContainer",
            Phase::StopPodSandbox => "stopPodSandbox",
            Phase::StopPodSandboxLive => "stopPodSandboxLive",
            Phase::RemovePodSandbox => "removePodSandbox",
            Phase::PullPresent => "pullPresent",
            Phase::RemoveImage => "removeImage",
        }
    }

    /// The phase of this name.
    pub fn called(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

/// One phase as it was fitted.
#[derive(Clone, PartialEq, Debug)]
pub struct Fitted {
    /// How long it takes on a machine that is idle else.
    pub time: Measured,
    /// Thousandths of it that are work for a core; `None`: it is not known, or plays no part.
    pub work: Option<u32>,
    /// How many samples there were.
    pub samples: u32,
    /// The greatest distance between the shares of the samples and those of the law, in thousandths.
    pub distance: u32,
}

/// The machine, and how it was while it was measured.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Measurement {
    /// When, as in 2026-01-01T00:00:00Z.
    pub at: String,
    /// Its processor's name.
    pub cpu: String,
    /// Its processors.
    pub cores: u32,
    /// Its kernel's version.
    pub kernel: String,
    /// `v1`, `v2` or `hybrid`.
    pub cgroups: String,
    /// How pods were connected: `host`.
    pub network: String,
    /// The runtime's name and version.
    pub runtime: String,
    /// What it runs containers with.
    pub oci: String,
    /// How long it took.
    pub took: SimDuration,
    /// Thousandths of the time in which something waited for a processor: before, and after.
    pub pressure: (u32, u32),
    /// Thousandths of the processors' time that others had: before, and meanwhile.
    pub steal: (u32, u32),
    /// Whether it had other things to do.
    pub busy: bool,
    /// The file of all samples, beside this one.
    pub samples: String,
}

/// How long a pull takes: a time for each pull, each byte and each file.
#[derive(Clone, PartialEq, Debug)]
pub struct Pull {
    /// For each pull.
    pub base: SimDuration,
    /// Bytes a second.
    pub bytes_a_second: u64,
    /// For each file.
    pub per_file: SimDuration,
    /// Files in 2^20 bytes of an image of which nothing else is known.
    pub files_a_mebibyte: u32,
    /// How much longer than expected one in a hundred takes, in thousandths; 1000: none does.
    pub spread: u32,
    /// Thousandths that are work for a core.
    pub work: u32,
    /// How many samples there were.
    pub samples: u32,
}

impl Pull {
    /// How long a pull of an image is expected to take.
    pub fn expected(&self, bytes: u64, files: u64) -> SimDuration {
        let second = SimDuration::from_secs(1);
        self.base + second.scaled(bytes, self.bytes_a_second.max(1)) + self.per_file * files
    }
}

/// What came of programs that want more memory than they may have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Oom {
    /// How often it was tried.
    pub runs: u32,
    /// How often the first look after the end showed code 137 and the reason OOMKilled.
    pub seen: u32,
}

/// What a program got that wants all it can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ceiling {
    /// Thousandths of a core that it may have.
    pub quota: u32,
    /// Its threads.
    pub threads: u32,
    /// Thousandths of a core that it had.
    pub used: u32,
}

/// A profile.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineProfile {
    /// Its name.
    pub name: String,
    /// Where and how it was measured.
    pub measured: Measurement,
    /// Thousandths of an operation's work that are spent once more while nobody waits.
    pub behind: u32,
    /// The phases.
    pub phases: BTreeMap<Phase, Fitted>,
    /// Pulls.
    pub pull: Pull,
    /// Programs that run out of memory.
    pub oom: Oom,
    /// Programs that are held back.
    pub quota: Vec<Ceiling>,
}

impl EngineProfile {
    /// What a simulated engine costs under it. The network is the scenario's own.
    pub fn settings(&self) -> EngineSettings {
        let default = EngineSettings::default();
        let behind = self.behind;
        let drawn = |Fitted { time, work, .. }: &Fitted| Cost::Drawn {
            time: time.clone(),
            work: work.unwrap_or(0),
            behind,
        };
        let cost = |phase, default: Cost| self.phases.get(&phase).map_or(default, drawn);
        EngineSettings {
            run_sandbox: cost(Phase::RunPodSandbox, default.run_sandbox),
            create: cost(Phase::CreateContainer, default.create),
            start: cost(Phase::StartContainer, default.start),
            stop: cost(Phase::StopAnswer, default.stop),
            stop_sandbox: cost(Phase::StopPodSandbox, default.stop_sandbox),
            remove_sandbox: cost(Phase::RemovePodSandbox, default.remove_sandbox),
            pull_present: cost(Phase::PullPresent, default.pull_present),
            unpacking: self.unpacking(),
            signal: self.phases.get(&Phase::StopSignal).map(drawn),
            exit_shown: cost(Phase::ExitToSeen, default.exit_shown),
            ..default
        }
    }

    fn unpacking(&self) -> Unpacking {
        let second = SimDuration::from_secs(1);
        let spread = match self.pull.spread {
            0..=1000 => Measured::Constant(second),
            spread => Measured::LogNormal {
                floor: SimDuration::ZERO,
                p50: second,
                p99: second.scaled(spread.into(), 1000),
            },
        };
        Unpacking::Measured {
            base: self.pull.base,
            bytes_a_second: self.pull.bytes_a_second,
            per_file: self.pull.per_file,
            files_a_mebibyte: self.pull.files_a_mebibyte,
            spread,
            work: self.pull.work,
            behind: self.behind,
        }
    }
}

#[cfg(test)]
mod tests;
