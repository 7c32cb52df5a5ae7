//! How the program in a container behaves, as a scenario's `apps` section says.

use std::sync::Arc;

use super::usage::Usage;
use crate::luck::{Distribution, Draw, Ratio};
use crate::time::{SimDuration, SimTime};

/// How long something takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Delay {
    /// A time of some distribution, drawn anew for each container and attempt.
    Takes(Distribution),
    /// It never comes about.
    Never,
}

impl Delay {
    /// How long it takes this time; [`SimDuration::MAX`] for never.
    pub fn sample(&self, draw: Draw) -> SimDuration {
        match self {
            Delay::Takes(law) => law.sample(draw),
            Delay::Never => SimDuration::MAX,
        }
    }

    /// When it is over, begun at `from`; [`SimTime::MAX`] for never.
    pub fn after(&self, from: SimTime, draw: Draw) -> SimTime {
        from + self.sample(draw)
    }
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
    /// From Running to when it hangs: from then on no probe of any kind succeeds, nor does the
    /// program end by itself. `None`: never.
    pub hang: Option<Delay>,
    /// From SIGTERM to its end, with exit code 0; `Never`: it ignores SIGTERM. `None`: the profile's default.
    pub stop: Option<Delay>,
    /// A program that ends by itself; `None`: it runs until it is stopped.
    pub run: Option<Run>,
    /// How it answers requests; `None`: nothing is known of it.
    pub service: Option<Serving>,
    /// What it takes of its machine; `None`: nothing is known of it ([`Usage::default`] is assumed).
    pub usage: Option<Arc<Usage>>,
    /// How it crashes; `None`: not by itself.
    pub crash: Option<Crash>,
    /// With which code it ends itself when the kernel kills a child of it for memory; `None`: it is killed
    /// itself, or with its children.
    pub oom_exit: Option<u8>,
    /// How it is slower at first; `None`: it is not.
    pub warm_up: Option<WarmUp>,
    /// How its postStart hook goes, where that is a command or a request; `None`: see [`HookRun`].
    pub post_start: Option<HookRun>,
    /// How its preStop hook goes, where that is a command or a request.
    pub pre_stop: Option<HookRun>,
}

/// How a command or a request of a lifecycle hook goes. Of which nothing is said: a command that sleeps takes its
/// time, a request the time of a request the program serves, others no time; all end well.
#[derive(Clone, PartialEq, Debug)]
pub struct HookRun {
    /// How long it takes; `None`: as if nothing was said.
    pub lasts: Option<Delay>,
    /// Its exit code; a request whose code is not 0 gets no answer.
    pub exit_code: u8,
}

/// How a program ends against its will.
#[derive(Clone, PartialEq, Debug)]
pub struct Crash {
    /// From Running to the crash.
    pub after: Delay,
    /// The chance that an attempt crashes so at all.
    pub chance: Ratio,
    /// The chance that a request it serves crashes it.
    pub per_request: Ratio,
    /// Its exit code.
    pub exit_code: u8,
}

/// For how long a program that began is slower, and by how much: a request takes so much longer, and so
/// much more processor time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WarmUp {
    /// From Running on.
    pub lasts: SimDuration,
    /// Thousandths of a request's time, from 1000 on.
    pub slower: u32,
}

/// How a program answers requests: so many at a time, the others wait in one queue, first come first
/// served.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Serving {
    /// How many it works on at a time, at least 1.
    pub workers: u32,
    /// How long one request takes a worker.
    pub time: Delay,
    /// The chance that a request is answered with an error, after its time.
    pub errors: Ratio,
}

impl Serving {
    /// How a program answers of which nothing is said: it is rarely what others wait for.
    pub const DEFAULT: Serving = Serving {
        workers: 16,
        time: Delay::Takes(Distribution::Exponential { mean: SimDuration::from_millis(10) }),
        errors: Ratio::ZERO,
    };
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

impl Run {
    /// Its exit code in the pod of this completion index.
    pub fn exit_code_of(&self, completion_index: Option<u32>) -> u8 {
        self.exit_by_index
            .iter()
            .find(|(index, _)| Some(*index) == completion_index)
            .map_or(self.exit_code, |(_, code)| *code)
    }
}

/// The behaviours of all containers of one pod spec, in the order init containers, containers.
pub type Apps = Arc<[App]>;
