//! Node-pressure eviction (kubelet 1.36 `pkg/kubelet/eviction`): which thresholds are crossed, for how long,
//! and whose pod goes first.
//!
//! Owns signals, thresholds, their times, and the order of victims, as functions of what was observed; refuses
//! to know where observations come from, and ends nobody itself.
//!
//! ```text
//! a look (each 10 s): thresholds met --and those whose minimum reclaim is not reached--> since when -->
//!   conditions of the node (held for 5 min after) ; those met for their grace period --> one pod goes
//! ```
pub mod manager;
pub mod ranking;
pub mod thresholds;

use std::sync::Arc;

use crate::api::quantity::Quantity;
use crate::time::{SimDuration, SimTime};

/// How a kubelet is set about eviction.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// The thresholds.
    pub thresholds: Arc<[thresholds::Threshold]>,
    /// For how long a condition is kept after it was last seen (`evictionPressureTransitionPeriod`).
    pub transition: SimDuration,
    /// Seconds a pod has at most that is evicted for a soft threshold (`evictionMaxPodGracePeriod`).
    pub soft_grace_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        let defaults = thresholds::Config::DEFAULT.thresholds();
        Settings {
            thresholds: defaults.expect("the defaults are sound").into(),
            transition: SimDuration::from_secs(300),
            soft_grace_seconds: 0,
        }
    }
}

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signal {
    /// Memory of the node.
    MemoryAvailable,
    /// Memory that pods may take.
    AllocatableMemory,
    /// The disk of volumes, logs and, where there is only one, of everything.
    NodeFs,
    /// Its inodes.
    NodeFsInodes,
    /// The disk of images.
    ImageFs,
    /// Its inodes.
    ImageFsInodes,
    /// The disk of containers' own layers.
    ContainerFs,
    /// Its inodes.
    ContainerFsInodes,
    /// Process numbers.
    Pid,
}

/// What a pod is short of where a signal's threshold is crossed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Starved {
    /// `memory`.
    Memory,
    /// `ephemeral-storage`.
    Storage,
    /// `inodes`.
    Inodes,
    /// `pids`.
    Pids,
}

impl Starved {
    /// Its name as messages say it.
    pub const fn name(self) -> &'static str {
        match self {
            Starved::Memory => "memory",
            Starved::Storage => "ephemeral-storage",
            Starved::Inodes => "inodes",
            Starved::Pids => "pids",
        }
    }
}

/// A condition of a node under pressure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pressure {
    /// `MemoryPressure`.
    Memory,
    /// `DiskPressure`.
    Disk,
    /// `PIDPressure`.
    Pid,
}

impl Pressure {
    /// The condition's type.
    pub const fn name(self) -> &'static str {
        match self {
            Pressure::Memory => "MemoryPressure",
            Pressure::Disk => "DiskPressure",
            Pressure::Pid => "PIDPressure",
        }
    }
}

impl Signal {
    /// All signals.
    pub const ALL: [Signal; 9] = [
        Signal::MemoryAvailable,
        Signal::AllocatableMemory,
        Signal::NodeFs,
        Signal::NodeFsInodes,
        Signal::ImageFs,
        Signal::ImageFsInodes,
        Signal::ContainerFs,
        Signal::ContainerFsInodes,
        Signal::Pid,
    ];

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::MemoryAvailable => "memory.available",
            Signal::AllocatableMemory => "allocatableMemory.available",
            Signal::NodeFs => "nodefs.available",
            Signal::NodeFsInodes => "nodefs.inodesFree",
            Signal::ImageFs => "imagefs.available",
            Signal::ImageFsInodes => "imagefs.inodesFree",
            Signal::ContainerFs => "containerfs.available",
            Signal::ContainerFsInodes => "containerfs.inodesFree",
            Signal::Pid => "pid.available",
        }
    }

    /// The signal of this name.
    pub fn named(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// The condition it brings about.
    pub const fn pressure(self) -> Pressure {
        match self {
            Signal::MemoryAvailable | Signal::AllocatableMemory => Pressure::Memory,
            Signal::Pid => Pressure::Pid,
            Signal::NodeFs
            | Signal::NodeFsInodes
            | Signal::ImageFs
            | Signal::ImageFsInodes
            | Signal::ContainerFs
            | Signal::ContainerFsInodes => Pressure::Disk,
        }
    }

    /// What evicting pods gives back.
    pub const fn starved(self) -> Starved {
        match self {
            Signal::MemoryAvailable | Signal::AllocatableMemory => Starved::Memory,
            Signal::NodeFs | Signal::ImageFs | Signal::ContainerFs => Starved::Storage,
            Signal::NodeFsInodes | Signal::ImageFsInodes | Signal::ContainerFsInodes => {
                Starved::Inodes
            }
            Signal::Pid => Starved::Pids,
        }
    }
}

/// What was observed of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// How much there is in all.
    pub capacity: Quantity,
    /// How much of it is left.
    pub available: Quantity,
    /// When that was so, if it is known.
    pub at: Option<SimTime>,
}
