//! Nodes under pressure: what is observed of each, and when somebody must look.
//!
//! A node is looked at on the ten-second grid of its kubelet, but only where something that programs take can
//! have crossed a threshold by then: the instant follows from their courses. A node of whose programs nothing
//! is said is never looked at.

use super::requests::Sink;
use super::{Duty, World};
use crate::api::quantity::{Format, Quantity};
use crate::messages::engine::IdleImage;
use crate::messages::usage::{PodTaken, Scarce};
use crate::node::NodeIndex;
use crate::node::kubelet::eviction::thresholds::{Observations, Threshold};
use crate::node::kubelet::eviction::{Observation, Signal};
use crate::node::kubelet::image_gc::doomed;
use crate::node::kubelet::pressure::CleanUp;
use crate::node::kubelet::{Timer, pressure::size_limit};
use crate::time::{SimDuration, SimTime};

/// Bytes of disk that one inode stands for (ext4's default).
const BYTES_AN_INODE: u64 = 16 << 10;

/// What a node has in all.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    memory: u64,
    disk: u64,
}

impl Capacity {
    fn of(self, what: Scarce) -> u64 {
        match what {
            Scarce::Memory => self.memory,
            Scarce::Disk => self.disk,
            Scarce::Inodes => self.disk / BYTES_AN_INODE,
        }
    }
}

/// What a signal watches.
fn scarce(signal: Signal) -> Option<Scarce> {
    Some(match signal {
        Signal::MemoryAvailable | Signal::AllocatableMemory => Scarce::Memory,
        Signal::NodeFs | Signal::ImageFs | Signal::ContainerFs => Scarce::Disk,
        Signal::NodeFsInodes | Signal::ImageFsInodes | Signal::ContainerFsInodes => Scarce::Inodes,
        Signal::Pid => return None,
    })
}

impl World {
    fn capacity(&self, at: NodeIndex) -> Option<Capacity> {
        let node = self.store.get(self.nodes.row(at).id)?;
        let whole = |amount: i64| u64::try_from(amount).unwrap_or(0);
        let (memory, disk) = (node.capacity.memory, node.capacity.ephemeral_storage);
        Some(Capacity { memory: whole(memory), disk: whole(disk) })
    }

    /// Programs began or ended: their nodes are looked at when that can matter.
    pub(super) fn plan_pressures(&mut self) {
        for at in self.nodes.engines.take_touched() {
            self.plan_pressure(at);
            self.plan_images(at);
        }
    }

    /// Wakes a kubelet's look at pressure for the first occurrence that may find something.
    pub(super) fn plan_pressure(&mut self, at: NodeIndex) {
        let (now, key) = (self.kernel.now(), Duty::Kubelet(Timer::Pressure(at)));
        let recurring = &self.kernel.recurring;
        let (Some(cadence), Some(earliest)) = (recurring.cadence(key), recurring.next_at(now, key))
        else {
            return;
        };
        let due = if self.nodes.kubelets.is_tense(at) {
            Some(earliest)
        } else {
            self.may_cross(at, now).map(|due| due.max(earliest))
        };
        match due.filter(|due| *due < SimTime::MAX) {
            Some(due) => self.kernel.recurring.wake_at(now, key, cadence.first_from(due)),
            None => self.kernel.recurring.sleep(key),
        }
    }

    /// Wakes a kubelet's look at its images for the first occurrence at which some may have to go.
    pub(super) fn plan_images(&mut self, at: NodeIndex) {
        let (now, key) = (self.kernel.now(), Duty::Kubelet(Timer::Images(at)));
        let recurring = &self.kernel.recurring;
        let (Some(cadence), Some(earliest)) = (recurring.cadence(key), recurring.next_at(now, key))
        else {
            return;
        };
        let due = self.may_fill(at, now).into_iter().chain(self.may_expire(at, now)).min();
        match due.map(|due| due.max(earliest)).filter(|due| *due < SimTime::MAX) {
            Some(due) => self.kernel.recurring.wake_at(now, key, cadence.first_from(due)),
            None => self.kernel.recurring.sleep(key),
        }
    }

    /// When the disk of a node may be so full that images go.
    fn may_fill(&self, at: NodeIndex, now: SimTime) -> Option<SimTime> {
        let high = u64::from(self.plan.kubelet.images.high);
        let disk = self.capacity(at)?.disk;
        if high >= 100 || disk == 0 {
            return None;
        }
        let images = self.nodes.engines.image_total(at);
        // In whole percent, rounded up, as the kubelet counts what is used.
        let level = (u128::from(disk) * u128::from(high.saturating_sub(1)) / 100) as u64;
        match level.checked_sub(images) {
            None | Some(0) => Some(now),
            Some(left) => self.nodes.engines.reaches(at, Scarce::Disk, left, now).look(),
        }
    }

    /// When an image of a node may be unused for too long.
    fn may_expire(&self, at: NodeIndex, now: SimTime) -> Option<SimTime> {
        let max_age = self.plan.kubelet.images.max_age;
        if max_age.is_zero() {
            return None;
        }
        let idle = self.nodes.engines.idle_images(at);
        let of = |one: &IdleImage| (one.used + max_age + SimDuration::from_nanos(1)).max(now);
        idle.iter().map(of).min()
    }

    /// A look at a node's images is due.
    pub(super) fn look_at_images(&mut self, cause: u64, at: NodeIndex, sink: Sink<'_>) {
        let (now, policy) = (self.kernel.now(), self.plan.kubelet.images);
        if let Some(capacity) = self.capacity(at).filter(|capacity| capacity.disk > 0) {
            let engines = &self.nodes.engines;
            let images = engines.image_total(at);
            let taken = engines.taken(at, now);
            let used = disk_of(&taken).saturating_add(images);
            let available = capacity.disk.saturating_sub(used);
            let wanted = policy.excess(capacity.disk, available).unwrap_or(0);
            let (gone, freed) = doomed(&policy, &engines.idle_images(at), wanted, now);
            self.nodes.engines.remove_images(at, &gone);
            if wanted > 0 || !gone.is_empty() {
                self.kubelet(at, cause, sink, |kubelets, fx| {
                    kubelets.images_collected(at, (wanted, freed, gone.len()), fx);
                });
            }
        }
        self.plan_pressure(at);
        self.plan_images(at);
    }

    /// When a threshold, or a limit of a pod's disk, may be crossed on a node.
    fn may_cross(&self, at: NodeIndex, now: SimTime) -> Option<SimTime> {
        let engines = &self.nodes.engines;
        if !engines.is_watched(at) {
            return None;
        }
        let capacity = self.capacity(at)?;
        let images = engines.image_total(at);
        let of_threshold = |threshold: &Threshold| {
            let what = scarce(threshold.signal)?;
            let whole = capacity.of(what);
            if whole == 0 {
                return None;
            }
            let least = threshold.value.of(bytes(whole)).value();
            let level = whole.saturating_sub(u64::try_from(least).unwrap_or(0)).saturating_add(1);
            let level = if what == Scarce::Disk { level.saturating_sub(images) } else { level };
            engines.reaches(at, what, level, now).look()
        };
        let thresholds = self.nodes.kubelets.thresholds().iter().filter_map(of_threshold).min();
        let limits = engines.disk_limit_at(at, now, size_limit);
        thresholds.into_iter().chain(limits).min()
    }

    /// A look at a node's pressure is due.
    pub(super) fn look_at_pressure(&mut self, cause: u64, at: NodeIndex, sink: Sink<'_>) {
        let engines = &self.nodes.engines;
        if !engines.is_watched(at) && !self.nodes.kubelets.is_tense(at) {
            return;
        }
        let now = self.kernel.now();
        if let Some(capacity) = self.capacity(at) {
            let taken = engines.taken(at, now);
            let (images, unused) = engines.image_bytes(at);
            let observed = observations(capacity, &taken, images, now);
            let cleaned =
                (unused > 0).then(|| observations(capacity, &taken, images - unused, now));
            let mut clean_up = CleanUp::None;
            self.kubelet(at, cause, sink, |kubelets, fx| {
                clean_up = kubelets.look_at_pressure(at, &observed, cleaned.as_ref(), &taken, fx);
            });
            if clean_up == CleanUp::Images {
                self.nodes.engines.remove_unused_images(at);
            }
        }
        self.plan_pressure(at);
    }
}

fn bytes(amount: u64) -> Quantity {
    Quantity::new(i64::try_from(amount).unwrap_or(i64::MAX), Format::BinarySi)
}

/// What programs and their volumes take of a disk.
fn disk_of(taken: &[PodTaken]) -> u64 {
    let containers = taken.iter().flat_map(|pod| &pod.containers).map(|one| one.disk);
    let volumes = taken.iter().flat_map(|pod| &pod.volumes).map(|(_, bytes)| *bytes);
    containers.chain(volumes).sum()
}

fn observations(capacity: Capacity, taken: &[PodTaken], images: u64, now: SimTime) -> Observations {
    let containers = || taken.iter().flat_map(|pod| &pod.containers);
    let volumes: u64 = taken.iter().flat_map(|pod| &pod.volumes).map(|(_, bytes)| bytes).sum();
    let used = |what| match what {
        Scarce::Memory => containers().map(|one| one.memory).sum(),
        Scarce::Disk => containers().map(|one| one.disk).sum::<u64>() + volumes + images,
        Scarce::Inodes => containers().map(|one| one.inodes).sum(),
    };
    let of = |signal| {
        let what = scarce(signal)?;
        let whole = capacity.of(what);
        let available = bytes(whole.saturating_sub(used(what)));
        let seen = Observation { capacity: bytes(whole), available, at: Some(now) };
        (whole > 0).then_some((signal, seen))
    };
    Signal::ALL.into_iter().filter_map(of).collect()
}
