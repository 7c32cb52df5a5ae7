//! A real container engine on this machine: containerd by the CRI, started and ended by us.
//!
//! Owns everything between a kubelet's call and real processes: the gRPC client, a private containerd with its
//! own root, state, socket and configuration, images without a registry, and the clean-up that always runs.
//! Refuses to know pods' policies and the run loop; it is no part of a World: it lives behind the driver that
//! follows the wall clock. This is a real-time part: files, threads, processes and the wall clock are used here.
//!
//! ```text
//!            LinuxRuntime::start                        LinuxRuntime::end, drop
//!  sweep what dead runs left -> containerd, registry -> | -> sandboxes, daemon, processes, mounts,
//!                                                           cgroups, folders
//!        kill -9, power: the next start finds the run's folder unlocked, and sweeps it
//! ```
//! Everything of a run is found by its id (`w<pid>-<hex>`): the folders `<work>/<id>` and `/run/wavetank/<id>`, the
//! cgroup `/wavetank-<id>` in every hierarchy, the label [`RUN_LABEL`] of sandboxes, and the arguments of
//! containerd and its shims, which name those folders. Nothing else is ever touched.
mod archive;
mod cgroups;
mod cri;
mod daemon;
mod engine;
mod error;
mod files;
mod images;
mod machine;
mod preflight;
mod processes;
mod registry;
mod runtime;
mod sweep;

pub use archive::read_archive;
pub use cri::{
    Called, Client, ContainerSpec, ContainerState, ContainerTold, Executed, ImageTold, SandboxSpec,
    SandboxTold, Timed, Used,
};
pub use engine::{Clock, LinuxEngine};
pub use error::{CriError, CriKind, Trouble};
pub use images::{Built, Filling, PROGRAM, Recipe, build};
pub use machine::{CgroupMode, MachineFacts, Pressure};
pub use preflight::{Check, Found, preflight};
pub use registry::Registry;
pub use runtime::{LinuxRuntime, RUN_LABEL, Settings};
pub use sweep::{leftovers, sweep};

#[cfg(test)]
mod tests;
