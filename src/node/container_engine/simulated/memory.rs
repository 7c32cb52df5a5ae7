//! Memory that runs out: a container's limit, and a node's.
//!
//! Both are arithmetic: how a program's memory goes is known when it begins, so the instant of its kill is
//! planned then, and a node's is planned anew whenever a program begins or ends there.

use super::usage::UNSAID;
use super::{Bench, EngineTimer, Sandbox, SimulatedEngines, container_of};
use crate::api::pod::{Lifetime, PodSpec, TerminationReason};
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
        let course = &app.usage.as_ref()?.memory.course;
        let after = course.reaches(limit + 1, SimDuration::ZERO)?;
        Some(killed(app.oom_exit, now + after))
    }

    /// What the program of a container holds, if anything is said of it.
    pub(super) fn memory_of(&self, id: Id<Sandbox>, index: u16, now: SimTime) -> Option<u64> {
        let mut all = programs(&self.sandboxes[id]);
        let (_, since, usage) = all.find(|(at, ..)| *at == index)?;
        Some(usage.memory.course.at(now.saturating_since(since)))
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
            let mut containers = smallvec::SmallVec::new();
            for (container, since, usage) in programs(sandbox) {
                let since = now.saturating_since(since);
                containers.push(Taken {
                    container,
                    memory: usage.memory.course.at(since),
                    disk: usage.disk.course.at(since),
                    inodes: usage.inodes.course.at(since),
                    processes: usage.processes.course.at(since),
                });
                let of_it = usage.volumes.iter();
                volumes.extend(of_it.map(|(name, it)| (name.clone(), it.course.at(since))));
            }
            PodTaken { pod: sandbox.config.pod, containers, volumes }
        };
        self.nodes[at.row()].sandboxes.iter().map(of_sandbox).collect()
    }

    /// When a container or a volume of a node's pods may hold more than its own limit of disk; `size_limit`
    /// tells a volume's, out of the spec as written.
    pub fn disk_limit_at(
        &self,
        at: NodeIndex,
        now: SimTime,
        size_limit: impl Fn(&str, &str) -> Option<i64>,
    ) -> Option<SimTime> {
        let mut first = None;
        for &id in &self.nodes[at.row()].sandboxes {
            let sandbox = &self.sandboxes[id];
            let spec = &sandbox.config.spec;
            let limits: i64 = spec.containers.iter().map(|one| one.limits.ephemeral_storage).sum();
            let mut all = Vec::new();
            for (index, since, usage) in programs(sandbox) {
                let begun = |course| Begun { since, course, cap: u64::MAX };
                let own = container_of(spec, index).map_or(0, |one| one.limits.ephemeral_storage);
                let mut each = vec![(begun(&usage.disk.course), own)];
                for (name, demand) in &usage.volumes {
                    each.push((
                        begun(&demand.course),
                        size_limit(&spec.written, name).unwrap_or(0),
                    ));
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
        let of_sandbox = |sandbox| {
            programs(sandbox).flat_map(move |(index, since, usage): (u16, SimTime, &Usage)| {
                let limit =
                    container_of(&sandbox.config.spec, index).map_or(0, |it| it.limits.memory);
                let cap = match (what, u64::try_from(limit)) {
                    (Scarce::Memory, Ok(limit)) if limit > 0 => limit,
                    _ => u64::MAX,
                };
                usage.of(what).map(move |course| Begun { since, course, cap })
            })
        };
        sandboxes.flat_map(of_sandbox).collect()
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
            let Some((id, place, exit)) = self.worst(at, now) else { break };
            self.end_program(id, place, killed(exit, now), bench);
        }
        self.plan_memory(at, bench);
    }

    /// The program that the kernel kills first.
    fn worst(&self, at: NodeIndex, now: SimTime) -> Option<(Id<Sandbox>, usize, Option<u8>)> {
        let capacity = self.nodes[at.row()].memory;
        let mut worst: Option<(i128, Id<Sandbox>, u16)> = None;
        for &id in &self.nodes[at.row()].sandboxes {
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

/// When courses together pass a limit; 0 is none.
fn over(courses: &[Begun<'_>], limit: i64, now: SimTime) -> Option<SimTime> {
    let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
    reaches(courses, limit + 1, now).look()
}

fn sooner(a: Option<SimTime>, b: Option<SimTime>) -> Option<SimTime> {
    a.into_iter().chain(b).min()
}

fn killed(code: Option<u8>, finished: SimTime) -> Exit {
    Exit { code: code.unwrap_or(KILLED), reason: TerminationReason::OomKilled, finished }
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
        asked: None,
        containers: &containers,
    };
    oom_score_adj(&pod, index.into(), i64::try_from(capacity).unwrap_or(i64::MAX))
}
