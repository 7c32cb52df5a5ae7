//! Memory that runs out: a container's limit, and a node's.
//!
//! Both are arithmetic: how a program's memory goes is known when it begins, so the instant of its kill is
//! planned then, and a node's is planned anew whenever a program begins or ends there.

use super::usage::UNSAID;
use super::{Bench, EngineTimer, Sandbox, SimulatedEngines, container_of};
use crate::api::pod::{Lifetime, PodSpec, TerminationReason};
use crate::api::quantity::Quantity;
use crate::api::rules::oom_score::{OomContainer, OomPart, OomPod, badness, oom_score_adj};
use crate::base::Id;
use crate::compute::pressure::{Begun, Reach, reaches, sum_at};
use crate::messages::engine::{ContainerRef, Exit, ListedState};
use crate::messages::usage::{PodTaken, Scarce, Taken, Usage};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// Exit code of a process that SIGKILL ended.
const KILLED: u8 = 137;

impl SimulatedEngines {
    /// The memory of a node's machine, in bytes.
    pub fn set_memory(&mut self, node: NodeIndex, bytes: u64) {
        self.nodes[node.row()].memory = bytes;
    }

    /// How a program that begins at `now` is killed at its container's limit, if it gets there.
    pub(super) fn own_oom(
        &self,
        sandbox: &Sandbox,
        container: ContainerRef,
        now: SimTime,
    ) -> Option<Exit> {
        let app = Self::app(sandbox, container.index)?;
        let limit = container_of(&sandbox.config.spec, container.index)?.limits.memory;
        let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
        let usage = app.usage.as_ref()?;
        let begun = |(course, cap)| Begun { since: now, course, cap };
        let all: Vec<_> = usage.of(Scarce::Memory, &sandbox.config.spec).map(begun).collect();
        Some(killed(app.oom_exit, first_at(&all, limit + 1, now)?))
    }

    /// What the program of a container holds, if anything is said of it.
    pub(super) fn memory_of(&self, id: Id<Sandbox>, index: u16, now: SimTime) -> Option<u64> {
        let mut all = programs(&self.sandboxes[id]);
        let (_, since, usage) = all.find(|(at, ..)| *at == index)?;
        Some(memory_at(usage, &self.sandboxes[id].config.spec, now.saturating_since(since)))
    }

    /// A program of this container begins or ends: what the node has left changes.
    pub(super) fn usage_changed(
        &mut self,
        id: Id<Sandbox>,
        index: u16,
        by: i32,
        bench: &mut Bench<'_>,
    ) {
        let sandbox = &self.sandboxes[id];
        let is_said = Self::app(sandbox, index).is_some_and(|app| app.usage.is_some());
        let at = sandbox.node;
        if by != 0 {
            let most = self.cpu_most_of(id, index);
            self.count_cpu(at, (most, by > 0), bench.fx.now());
        }
        let node = &mut self.nodes[at.row()];
        if is_said {
            node.said = node.said.saturating_add_signed(by);
        } else if node.said == 0 {
            return;
        }
        self.touched.push(at);
        self.plan_pod_memory(id, bench);
        self.plan_memory(at, bench);
    }

    /// Nodes on which what is taken goes another way since the last call.
    pub fn take_touched(&mut self) -> Vec<NodeIndex> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Whether anything is said of what programs on a node take.
    pub fn is_watched(&self, at: NodeIndex) -> bool {
        self.nodes[at.row()].said > 0
    }

    /// When so much of something is taken on a node, if nothing begins or ends.
    pub fn reaches(&self, at: NodeIndex, what: Scarce, level: u64, now: SimTime) -> Reach {
        reaches(&self.begun(at, what), level, now)
    }

    /// What the pods of a node take now.
    pub fn taken(&self, at: NodeIndex, now: SimTime) -> Vec<PodTaken> {
        let of_sandbox = |&id: &Id<Sandbox>| {
            let sandbox = &self.sandboxes[id];
            let mut volumes = Vec::new();
            let spec = &sandbox.config.spec;
            let mut containers = smallvec::SmallVec::new();
            for (container, since, usage) in programs(sandbox) {
                let since = now.saturating_since(since);
                containers.push(Taken {
                    container,
                    memory: memory_at(usage, spec, since),
                    disk: usage.disk.course.at(since),
                    inodes: usage.inodes.course.at(since),
                    processes: usage.processes.course.at(since),
                });
                let on_disk = |name: &str| spec.held_in_memory(name).is_none();
                let of_it = usage.volumes.iter().filter(|(name, _)| on_disk(name));
                volumes.extend(of_it.map(|(name, it)| (name.clone(), it.course.at(since))));
            }
            PodTaken { pod: sandbox.config.pod, containers, volumes }
        };
        self.nodes[at.row()].sandboxes.iter().map(of_sandbox).collect()
    }

    /// When a container or a volume of a node's pods may hold more than its own limit of disk; `size_limit`
    /// tells a volume's on disk.
    pub fn disk_limit_at(
        &self,
        at: NodeIndex,
        now: SimTime,
        size_limit: impl Fn(&PodSpec, &str) -> Option<Quantity>,
    ) -> Option<SimTime> {
        let mut first = None;
        for &id in &self.nodes[at.row()].sandboxes {
            let sandbox = &self.sandboxes[id];
            let spec = &sandbox.config.spec;
            let limits = spec.limit(|it| it.ephemeral_storage);
            let mut all = Vec::new();
            for (index, since, usage) in programs(sandbox) {
                let begun = |course| Begun { since, course, cap: u64::MAX };
                let own = container_of(spec, index).map_or(0, |one| one.limits.ephemeral_storage);
                let mut each = vec![(begun(&usage.disk.course), own)];
                for (name, demand) in &usage.volumes {
                    if spec.held_in_memory(name).is_none() {
                        let limit = size_limit(spec, name).map_or(0, Quantity::value);
                        each.push((begun(&demand.course), limit));
                    }
                }
                for (course, limit) in each {
                    first = sooner(first, over(&[course], limit, now));
                    all.push(course);
                }
            }
            first = sooner(first, over(&all, limits, now));
        }
        first
    }

    /// Bytes of all images of a node.
    pub fn image_total(&self, at: NodeIndex) -> u64 {
        let bytes = |&image| u64::try_from(self.images.bytes(image)).unwrap_or(0);
        self.nodes[at.row()].images.iter().map(bytes).sum()
    }

    /// Bytes of all images of a node, and of those that no container uses.
    pub fn image_bytes(&self, at: NodeIndex) -> (u64, u64) {
        let bytes = |image| u64::try_from(self.images.bytes(image)).unwrap_or(0);
        let unused = self.unused_images(at).into_iter().map(bytes).sum();
        (self.image_total(at), unused)
    }

    /// Removes the images of a node that no container uses.
    pub fn remove_unused_images(&mut self, at: NodeIndex) {
        let unused = self.unused_images(at);
        self.remove_images(at, &unused);
    }

    pub(super) fn unused_images(&self, at: NodeIndex) -> Vec<super::ImageNumber> {
        let node = &self.nodes[at.row()];
        let used = |name: &str| self.images.find(name);
        let in_use: Vec<_> = node
            .sandboxes
            .iter()
            .flat_map(|&id| {
                let spec = &self.sandboxes[id].config.spec;
                spec.init_containers
                    .iter()
                    .chain(&spec.containers)
                    .filter_map(|one| used(&one.image))
            })
            .collect();
        node.images.iter().copied().filter(|image| !in_use.contains(image)).collect()
    }

    fn begun(&self, at: NodeIndex, what: Scarce) -> Vec<Begun<'_>> {
        let sandboxes = self.nodes[at.row()].sandboxes.iter().map(|&id| &self.sandboxes[id]);
        sandboxes.flat_map(|sandbox| begun_in(sandbox, what)).collect()
    }

    /// When the programs of a pod may hold more together than the pod as a whole may.
    fn plan_pod_memory(&mut self, id: Id<Sandbox>, bench: &mut Bench<'_>) {
        let sandbox = &self.sandboxes[id];
        let Some(limit) = whole_limit(&sandbox.config.spec) else { return };
        let all: Vec<_> = begun_in(sandbox, Scarce::Memory).collect();
        let due = reaches(&all, limit + 1, bench.fx.now()).look().unwrap_or(SimTime::MAX);
        let sandbox = &mut self.sandboxes[id];
        if sandbox.memory_due != due {
            sandbox.memory_due = due;
            if due < SimTime::MAX {
                bench.fx.arm_at(due, EngineTimer::PodMemory(id));
            }
        }
    }

    /// The programs of a pod may hold more together than it may: the kernel kills among them until they do not.
    pub(super) fn pod_memory_due(&mut self, id: Id<Sandbox>, bench: &mut Bench<'_>) {
        let now = bench.fx.now();
        let Some(sandbox) = self.sandboxes.get_mut(id).filter(|one| one.memory_due == now) else {
            return;
        };
        sandbox.memory_due = SimTime::MAX;
        let Some(limit) = whole_limit(&sandbox.config.spec) else { return };
        let is_over = |sandbox: &Sandbox| {
            sum_at(&begun_in(sandbox, Scarce::Memory).collect::<Vec<_>>(), now) > limit
        };
        while is_over(&self.sandboxes[id]) {
            let capacity = self.nodes[self.sandboxes[id].node.row()].memory;
            let Some((id, place, exit)) = self.worst(&[id], capacity, now) else { break };
            self.end_program(id, place, killed(exit, now), bench);
        }
        self.plan_pod_memory(id, bench);
    }

    fn plan_memory(&mut self, at: NodeIndex, bench: &mut Bench<'_>) {
        let node = &self.nodes[at.row()];
        let due = if node.said == 0 || node.memory == 0 {
            None
        } else {
            self.reaches(at, Scarce::Memory, node.memory.saturating_add(1), bench.fx.now()).look()
        };
        let node = &mut self.nodes[at.row()];
        let due = due.unwrap_or(SimTime::MAX);
        if node.memory_due != due {
            node.memory_due = due;
            if due < SimTime::MAX {
                bench.fx.arm_at(due, EngineTimer::Memory(at));
            }
        }
    }

    /// A node's memory may be used up: the kernel kills until it is not.
    pub(super) fn memory_due(&mut self, at: NodeIndex, bench: &mut Bench<'_>) {
        let now = bench.fx.now();
        if self.nodes[at.row()].memory_due != now {
            return;
        }
        self.nodes[at.row()].memory_due = SimTime::MAX;
        let capacity = self.nodes[at.row()].memory;
        while sum_at(&self.begun(at, Scarce::Memory), now) > capacity {
            let of_node = &self.nodes[at.row()].sandboxes;
            let Some((id, place, exit)) = self.worst(of_node, capacity, now) else { break };
            self.end_program(id, place, killed(exit, now), bench);
        }
        self.plan_memory(at, bench);
    }

    /// The program of these sandboxes that the kernel of a machine with so much memory kills first.
    fn worst(
        &self,
        among: &[Id<Sandbox>],
        capacity: u64,
        now: SimTime,
    ) -> Option<(Id<Sandbox>, usize, Option<u8>)> {
        let mut worst: Option<(i128, Id<Sandbox>, u16)> = None;
        for &id in among {
            let sandbox = &self.sandboxes[id];
            for (index, since, usage) in programs(sandbox) {
                let memory = usage.memory.course.at(now.saturating_since(since));
                let adj = adj_of(&sandbox.config.spec, index, capacity);
                let Some(points) = badness(memory, adj, capacity) else { continue };
                if worst.is_none_or(|(most, ..)| points > most) {
                    worst = Some((points, id, index));
                }
            }
        }
        let (_, id, index) = worst?;
        let sandbox = &self.sandboxes[id];
        let place = sandbox.containers.iter().position(|one| one.index == index)?;
        Some((id, place, Self::app(sandbox, index).and_then(|app| app.oom_exit)))
    }
}

/// What a pod may hold of memory as a whole, where that is set.
fn whole_limit(spec: &PodSpec) -> Option<u64> {
    u64::try_from(spec.memory.limit?).ok().filter(|limit| *limit > 0)
}

/// What the programs of a sandbox take of something, each no more than its container may.
fn begun_in(sandbox: &Sandbox, what: Scarce) -> impl Iterator<Item = Begun<'_>> {
    let spec = &sandbox.config.spec;
    programs(sandbox).flat_map(move |(index, since, usage): (u16, SimTime, &Usage)| {
        let limit = container_of(spec, index).map_or(0, |it| it.limits.memory);
        let most = match (what, u64::try_from(limit)) {
            (Scarce::Memory, Ok(limit)) if limit > 0 => limit,
            _ => u64::MAX,
        };
        let of_it = usage.of(what, spec);
        of_it.map(move |(course, cap)| Begun { since, course, cap: cap.min(most) })
    })
}

/// The memory a program holds as part of this pod so long after its start. What it wrote to volumes in memory is
/// its container's, and goes with it (in a cluster such pages stay until the pod goes, charged to the pod).
pub(super) fn memory_at(usage: &Usage, spec: &PodSpec, since: SimDuration) -> u64 {
    let all = usage.of(Scarce::Memory, spec);
    all.map(|(course, cap)| course.at(since).min(cap)).fold(0, u64::saturating_add)
}

/// The first instant from `now` on at which the sum is at least `level`, however many bends come before (up to
/// a limit that no sensible course reaches).
fn first_at(courses: &[Begun<'_>], level: u64, now: SimTime) -> Option<SimTime> {
    const STRETCHES_MAX: u32 = 64;
    let mut from = now;
    for _ in 0..STRETCHES_MAX {
        match reaches(courses, level, from) {
            Reach::At(at) => return Some(at),
            Reach::NotBefore(at) => from = at,
            Reach::Never => return None,
        }
    }
    None
}

/// When courses together pass a limit; 0 is none.
fn over(courses: &[Begun<'_>], limit: i64, now: SimTime) -> Option<SimTime> {
    let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
    reaches(courses, limit + 1, now).look()
}

fn sooner(a: Option<SimTime>, b: Option<SimTime>) -> Option<SimTime> {
    a.into_iter().chain(b).min()
}

fn killed(code: Option<u8>, finished: SimTime) -> Exit {
    Exit { code: code.unwrap_or(KILLED).into(), reason: TerminationReason::OomKilled, finished }
}

/// The programs of a sandbox that run: container, since when, and what each takes.
fn programs(sandbox: &Sandbox) -> impl Iterator<Item = (u16, SimTime, &Usage)> {
    sandbox.containers.iter().filter_map(|program| {
        let ListedState::Running(since) = program.state else { return None };
        let app = sandbox.config.apps.get(usize::from(program.index));
        let usage = app.and_then(|app| app.usage.as_ref()).unwrap_or_else(|| &*UNSAID);
        Some((program.index, since, &**usage))
    })
}

/// The `oom_score_adj` of a pod's container.
fn adj_of(spec: &PodSpec, index: u16, capacity: u64) -> i64 {
    let inits = spec.init_containers.len();
    let all = spec.init_containers.iter().chain(&spec.containers).enumerate();
    let containers: Vec<_> = all
        .map(|(at, one)| OomContainer {
            asked: one.requests.memory,
            part: match one.lifetime {
                _ if at >= inits => OomPart::Main,
                Lifetime::Sidecar => OomPart::Sidecar,
                Lifetime::Normal => OomPart::Init,
            },
        })
        .collect();
    let pod = OomPod {
        qos: spec.qos,
        priority: spec.priority,
        priority_class: &spec.priority_class,
        asked: spec.memory.asked,
        containers: &containers,
    };
    oom_score_adj(&pod, index.into(), i64::try_from(capacity).unwrap_or(i64::MAX))
}
