//! What programs take of their machine, worked out when somebody asks.

use std::sync::{Arc, LazyLock};

use super::{Program, Sandbox, SimulatedEngines, container_of};
use crate::api::pod::Pod;
use crate::base::Id;
use crate::messages::app::App;
use crate::messages::engine::ListedState;
use crate::messages::usage::{CORE, Course, Usage};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// What is taken by a program of which nothing is said.
pub(super) static UNSAID: LazyLock<Arc<Usage>> = LazyLock::new(Arc::default);

/// A program that runs, and what it takes beside its requests.
#[derive(Clone, PartialEq, Debug)]
pub struct RunningProgram {
    /// Since when it runs.
    pub since: SimTime,
    /// What it takes.
    pub usage: Arc<Usage>,
    /// Nano-cores it gets at most: the container's CPU limit.
    pub cpu_limit: Option<u64>,
    /// Bytes it may hold: the container's memory limit.
    pub memory_limit: Option<u64>,
}

impl RunningProgram {
    /// Time of cores it took from `from` to `to` beside its requests, as far as it ran by then and its
    /// limit lets it: at no instant more than the limit, which is how CFS quotas even out over more than
    /// a few periods of 100 ms (within one they stop a program altogether once it is spent).
    pub fn cpu(&self, from: SimTime, to: SimTime) -> SimDuration {
        let since = |at: SimTime| at.saturating_since(self.since);
        let cap = self.cpu_limit.unwrap_or(u64::MAX);
        let total = self.usage.cpu.course.total(since(from), since(to), cap) / u128::from(CORE);
        SimDuration::from_nanos(u64::try_from(total).unwrap_or(u64::MAX))
    }

    /// Up to when it takes of processor and memory what it takes at an instant, beside its requests;
    /// [`SimTime::MAX`]: for ever.
    pub fn bends_after(&self, at: SimTime) -> SimTime {
        let since = at.saturating_since(self.since);
        let bends = |course: &Course| course.bends_after(since);
        let next = [bends(&self.usage.cpu.course), bends(&self.usage.memory.course)];
        next.into_iter().flatten().min().map_or(SimTime::MAX, |bend| self.since + bend)
    }

    /// Bytes it holds at an instant beside its requests.
    pub fn memory(&self, at: SimTime) -> u64 {
        self.usage.memory.course.at(at.saturating_since(self.since))
    }
}

/// A program that runs, and what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its pod.
    pub pod: Id<Pod>,
    /// Its container, init containers counted first.
    pub container: u16,
    /// Thousandths of a core that its container requests.
    pub asked_milli: i64,
}

impl SimulatedEngines {
    /// How the program of a pod's container behaves, if its sandbox stands.
    pub fn app_of(&self, pod: Id<Pod>, index: u16) -> Option<&App> {
        self.sandboxes[self.sandbox_of(pod)?].config.apps.get(usize::from(index))
    }

    /// The node of a pod, and the programs that run there.
    pub fn beside(&self, pod: Id<Pod>) -> Option<(NodeIndex, Vec<Neighbour>)> {
        let node = self.sandboxes[self.sandbox_of(pod)?].node;
        let sandboxes = self.nodes[node.row()].sandboxes.iter().map(|&id| &self.sandboxes[id]);
        let of_sandbox = |sandbox: &Sandbox| {
            let is_up = |one: &&Program| matches!(one.state, ListedState::Running(_));
            let (pod, spec) = (sandbox.config.pod, sandbox.config.spec.clone());
            let asked = move |one: &Program| {
                let milli = container_of(&spec, one.index).map_or(0, |it| it.requests.cpu_milli);
                Neighbour { pod, container: one.index, asked_milli: milli }
            };
            sandbox.containers.iter().filter(is_up).map(asked).collect::<Vec<_>>()
        };
        Some((node, sandboxes.flat_map(of_sandbox).collect()))
    }

    /// Reads what is known of these pods' sandboxes, one kind of thing after the other: memory is fetched for
    /// many of them at a time where none waits for another. Of a hundred thousand pods little is in a cache.
    pub fn look_ahead(&self, pods: &[Id<Pod>]) {
        let sandboxes = pods.iter().filter_map(|&pod| self.by_pod.get(pod));
        let sandboxes: Vec<Id<Sandbox>> = sandboxes.collect();
        let found = sandboxes.iter().filter_map(|&id| self.sandboxes.get(id));
        let found: Vec<&Sandbox> = found.collect();
        let first = |it: &Sandbox| it.containers.first().map_or(0, |one| usize::from(one.index));
        let seen = found.iter().fold(0, |seen, it| seen ^ it.config.pod.slot() ^ first(it));
        std::hint::black_box(seen);
    }

    /// The program of a pod's container, if it runs; init containers are counted first.
    pub fn running(&self, pod: Id<Pod>, index: u16) -> Option<RunningProgram> {
        let sandbox = &self.sandboxes[self.sandbox_of(pod)?];
        let program = sandbox.containers.iter().find(|one| one.index == index)?;
        let ListedState::Running(since) = program.state else { return None };
        let limits = &container_of(&sandbox.config.spec, index)?.limits;
        let limit = |amount: i64| u64::try_from(amount).ok().filter(|amount| *amount > 0);
        let app = sandbox.config.apps.get(usize::from(index));
        let usage = app.and_then(|app| app.usage.as_ref()).unwrap_or_else(|| &*UNSAID);
        Some(RunningProgram {
            since,
            usage: usage.clone(),
            cpu_limit: limit(limits.cpu_milli).map(|milli| milli.saturating_mul(CORE / 1000)),
            memory_limit: limit(limits.memory),
        })
    }
}
