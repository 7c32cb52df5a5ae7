//! What programs take of their machine, worked out when somebody asks.

use std::sync::{Arc, LazyLock};

use super::memory::memory_at;
use super::{Sandbox, SimulatedEngines, container_of};
use crate::api::pod::{Container, Lifetime, Pod, PodSpec};
use crate::base::Id;
use crate::compute::shares::Seat;
use crate::messages::app::App;
use crate::messages::engine::ListedState;
use crate::messages::usage::{CORE, Course, Scarce, Usage};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// What is taken by a program of which nothing is said.
pub(super) static UNSAID: LazyLock<Arc<Usage>> = LazyLock::new(Arc::default);

/// What no program is counted beyond, so that those of a node add up: a million cores.
const CPU_MOST: u64 = 1 << 50;

/// A program that runs, and what it takes beside its requests.
#[derive(Clone, PartialEq, Debug)]
pub struct RunningProgram {
    /// Since when it runs.
    pub since: SimTime,
    /// What it takes.
    pub usage: Arc<Usage>,
    /// Of which pod.
    pub pod: Arc<PodSpec>,
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
        let of_memory = self.usage.of(Scarce::Memory, &self.pod).map(|(course, _)| bends(course));
        let next = of_memory.chain([bends(&self.usage.cpu.course)]);
        next.flatten().min().map_or(SimTime::MAX, |bend| self.since + bend)
    }

    /// Bytes it holds at an instant beside its requests.
    pub fn memory(&self, at: SimTime) -> u64 {
        memory_at(&self.usage, &self.pod, at.saturating_since(self.since))
    }
}

/// A program on a node, and its place among the cgroups there.
#[derive(Clone, PartialEq, Debug)]
pub struct Resident {
    /// The program.
    pub program: RunningProgram,
    /// When it ended, if it did: [`SimTime::MAX`] while it runs.
    pub ended: SimTime,
    /// Its place; it wants nothing yet. Its quota is in nano-cores.
    pub seat: Seat,
}

impl SimulatedEngines {
    /// How the program of a pod's container behaves, if its sandbox stands.
    pub fn app_of(&self, pod: Id<Pod>, index: u16) -> Option<&App> {
        self.sandboxes[self.sandbox_of(pod)?].config.apps.get(usize::from(index))
    }

    /// The node of a pod, if its sandbox stands.
    pub fn node_of_pod(&self, pod: Id<Pod>) -> Option<NodeIndex> {
        Some(self.sandboxes[self.sandbox_of(pod)?].node)
    }

    /// The programs of a node that run, or that ended after an instant and whose containers are still there.
    pub fn residents(&self, at: NodeIndex, after: SimTime) -> Vec<Resident> {
        let mut all = Vec::new();
        for &id in &self.nodes[at.row()].sandboxes {
            let sandbox = &self.sandboxes[id];
            let spec = &sandbox.config.spec;
            let (pod, qos, pod_milli) = (sandbox.config.pod, spec.qos, pod_milli(spec));
            for one in &sandbox.containers {
                let (since, ended) = match one.state {
                    ListedState::Running(since) => (since, SimTime::MAX),
                    ListedState::Exited(since, exit) if exit.finished > after => {
                        (since, exit.finished)
                    }
                    _ => continue,
                };
                let Some(program) = program_of(sandbox, one.index, since) else { continue };
                let container = one.index;
                let milli = container_of(spec, container).map_or(0, |it| it.requests.cpu_milli);
                let limit = program.cpu_limit.unwrap_or(u64::MAX);
                let seat = Seat { pod, container, qos, pod_milli, milli, wants: 0, limit };
                all.push(Resident { program, ended, seat });
            }
        }
        all
    }

    /// The fact that the program of a pod's container began by, or is about to end by.
    pub fn cause_of(&self, pod: Id<Pod>, index: u16) -> u64 {
        let sandbox = self.sandbox_of(pod).map(|id| &self.sandboxes[id]);
        let program =
            sandbox.and_then(|it| it.containers.iter().find(|program| program.index == index));
        program.map_or(0, |program| program.cause)
    }

    /// The processor time of a node's machine, in nano-cores.
    pub fn set_cores(&mut self, at: NodeIndex, nano_cores: u64) {
        self.nodes[at.row()].cores = nano_cores;
    }

    /// Nano-cores of a node's machine, and what its programs take of them at most beside their requests.
    pub fn cpu_at_most(&self, at: NodeIndex) -> (u64, u64) {
        let node = &self.nodes[at.row()];
        (node.cores, node.cpu_most)
    }

    /// Whether the programs of a node could take more processor time than it has, at any instant since this one,
    /// beside their requests.
    pub fn may_be_short(&self, at: NodeIndex, since: SimTime) -> bool {
        self.was_short && {
            let node = &self.nodes[at.row()];
            node.cpu_most > node.cores || node.cpu_short > since
        }
    }

    /// Whether since the last call any node got programs that could take more than it has.
    pub fn take_short(&mut self) -> bool {
        std::mem::take(&mut self.gets_short)
    }

    /// What a container's program takes of the processor at most, beside its requests.
    pub(super) fn cpu_most_of(&self, id: Id<Sandbox>, index: u16) -> u64 {
        let program = program_of(&self.sandboxes[id], index, SimTime::ZERO);
        program.map_or(0, |program| {
            let peak = program.usage.cpu.course.peak_from(SimDuration::ZERO);
            peak.min(program.cpu_limit.unwrap_or(u64::MAX)).min(CPU_MOST)
        })
    }

    /// A program that takes so much at most begins (or ends) on a node.
    pub(super) fn count_cpu(&mut self, at: NodeIndex, (most, begins): (u64, bool), now: SimTime) {
        let node = &mut self.nodes[at.row()];
        if node.cpu_most > node.cores {
            node.cpu_short = now;
        }
        node.cpu_most = match begins {
            true => node.cpu_most.saturating_add(most),
            false => node.cpu_most.saturating_sub(most),
        };
        let is_short = node.cpu_most > node.cores;
        self.was_short |= is_short;
        self.gets_short |= is_short && node.cpu_short < now;
    }

    /// Reads what is known of these pods' sandboxes, one kind of thing after the other: memory is fetched for
    /// many of them at a time where none waits for another. Of a hundred thousand pods little is in a cache.
    pub fn look_ahead(&self, pods: impl Iterator<Item = Id<Pod>>) {
        let sandboxes = pods.filter_map(|pod| self.by_pod.get(pod));
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
        program_of(sandbox, index, since)
    }
}

/// The program of a container that began then.
fn program_of(sandbox: &Sandbox, index: u16, since: SimTime) -> Option<RunningProgram> {
    let limits = &container_of(&sandbox.config.spec, index)?.limits;
    let limit = |amount: i64| u64::try_from(amount).ok().filter(|amount| *amount > 0);
    let app = sandbox.config.apps.get(usize::from(index));
    let usage = app.and_then(|app| app.usage.as_ref()).unwrap_or_else(|| &*UNSAID);
    Some(RunningProgram {
        since,
        usage: usage.clone(),
        pod: sandbox.config.spec.clone(),
        cpu_limit: limit(limits.cpu_milli).map(|milli| milli.saturating_mul(CORE / 1000)),
        memory_limit: limit(limits.memory),
    })
}

/// Thousandths of a core that a pod requests: its containers and sidecars together, or its largest init container.
fn pod_milli(spec: &PodSpec) -> i64 {
    let milli = |one: &Container| one.requests.cpu_milli;
    let inits = |lifetime| spec.init_containers.iter().filter(move |it| it.lifetime == lifetime);
    let beside = spec.containers.iter().chain(inits(Lifetime::Sidecar)).map(milli);
    let first = inits(Lifetime::Normal).map(milli).max();
    beside.fold(0, i64::saturating_add).max(first.unwrap_or(0))
}
