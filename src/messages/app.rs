//! How the program in a container behaves, as a scenario's `apps` section says.

use std::sync::Arc;

use crate::luck::Distribution;

/// How long something takes.
#[derive(Clone, PartialEq, Debug)]
pub enum Delay {
    /// A time of some distribution, drawn anew for each container and attempt.
    Takes(Distribution),
    /// It never comes about.
    Never,
}

/// The behaviour of one container's program.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct App {
    /// From the kubelet seeing the pod to Running, in place of pull, create and start; `None`: the
    /// engine does what it does.
    pub start: Option<Delay>,
    /// From Running to ready: when readiness and startup probes begin to succeed, or, without a
    /// readiness probe, when the pod counts as ready. `None`: at once.
    pub ready: Option<Delay>,
    /// From SIGTERM to its end; `Never`: it ignores SIGTERM. `None`: the profile's default.
    pub stop: Option<Delay>,
    /// A program that ends by itself; `None`: it runs until it is stopped.
    pub run: Option<Run>,
}

/// How a program that ends by itself does so.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// How long it runs.
    pub lasts: Delay,
    /// Its exit code.
    pub exit_code: u8,
    /// Exit codes by completion index of an Indexed Job.
    pub exit_by_index: Vec<(u32, u8)>,
}

/// The behaviours of all containers of one pod spec, in the order init containers, containers.
pub type Apps = Arc<[App]>;
