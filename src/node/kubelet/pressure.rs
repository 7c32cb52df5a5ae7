//! Pressure on a node: what its kubelet makes of what is taken there.
//!
//! Owns who is evicted and who is not taken on; what is taken, the world observes.

use std::sync::Arc;

use super::eviction::manager::{Eater, Verdict, message, victims};
use super::eviction::ranking::Candidate;
use super::eviction::thresholds::{Observations, Threshold};
use super::eviction::{Pressure, Starved};
use super::worker::{Ending, Stage, Worker};
use super::{Desk, Kubelets, Timer, Worker as Held, duties, effective_grace};
use crate::api::node::NodeConditions;
use crate::api::node::Tristate;
use crate::api::pod::{Medium, Pod, PodSpec, Qos, StatusReason};
use crate::api::quantity::{Format, Quantity};
use crate::api::rules::oom_score::CRITICAL_PRIORITY;
use crate::api::rules::resources::{SumRules, pod_limits};
use crate::api::rules::taints::{Effect, Taint};
use crate::base::Id;
use crate::messages::usage::PodTaken;
use crate::messages::{Effects, Remark, Verb};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// Seconds a pod has that is evicted for a hard threshold (`immediateEvictionGracePeriodSeconds`).
const GRACE: u32 = 1;
/// How long an evicted pod is waited for at least.
const STOP_MIN: SimDuration = SimDuration::from_secs(10);
/// How long it is waited for until what is left of it is cleaned up (`podCleanupTimeout`).
const CLEAN_UP_MAX: SimDuration = SimDuration::from_secs(30);
/// Bytes of a page of memory, and of a block of disk.
const PAGE: u64 = 4096;
/// The taint that lets a best-effort pod onto a node short of memory.
const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";

/// What comes of a look besides evictions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CleanUp {
    /// Nothing.
    None,
    /// Images that nobody uses must go.
    Images,
}

impl Kubelets {
    /// The thresholds of eviction.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    /// Whether the next look at a node's pressure may find something even if nothing changes.
    pub fn is_tense(&self, at: NodeIndex) -> bool {
        self.nodes[at.row()].pressure.is_tense()
    }

    /// A look at what is taken on a node: `cleaned` is what would be observed without the images that
    /// nobody uses, if there are any.
    pub fn look_at_pressure(
        &mut self,
        at: NodeIndex,
        observed: &Observations,
        cleaned: Option<&Observations>,
        taken: &[PodTaken],
        fx: &mut Effects<Timer>,
    ) -> CleanUp {
        if self.is_evicting(at, fx.now()) {
            return CleanUp::None;
        }
        let thresholds = self.thresholds.clone();
        let manager = &mut self.nodes[at.row()].pressure;
        let before = manager.pressures().to_vec();
        let transition = self.settings.eviction.transition;
        let verdict = manager.look(&thresholds, observed, transition, fx.now());
        let has_turned = before != manager.pressures();
        let active = self.active(taken);
        if let Some(&(first, _)) = active.first() {
            fx.because(self.workers[first].cause);
        }
        let over: Vec<_> = active
            .iter()
            .filter_map(|&(id, taken)| Some((id, over_own_limit(&self.workers[id], taken)?)))
            .collect();
        let mut clean_up = CleanUp::None;
        let mut cause = None;
        for (id, text) in &over {
            cause = self.evict(*id, text.clone(), (Ending::OverLimit, GRACE), fx).or(cause);
        }
        if let (Verdict::Evict(threshold), true) = (verdict, over.is_empty()) {
            self.nodes[at.row()].say_reclaims(threshold.signal.starved(), fx);
            let manager = &self.nodes[at.row()].pressure;
            let is_disk = threshold.signal.pressure() == Pressure::Disk;
            let is_short = cleaned.is_none_or(|after| manager.is_short_still(&thresholds, after));
            if is_disk && cleaned.is_some() {
                clean_up = CleanUp::Images;
            }
            if !is_disk || is_short {
                cause = self.evict_one(&threshold, observed, &active, fx);
            }
        }
        if has_turned {
            let node = &mut self.nodes[at.row()];
            let cadence = duties::Duty::Status.cadence(self.luck, &node.meta.name);
            node.pressure_changed = Some(cause.unwrap_or(fx.cause()));
            fx.arm_at(duties::next_after(cadence, fx.now()), Timer::Status(at));
        }
        clean_up
    }

    /// Whether a pod that was evicted has not ended yet: so long nobody looks for another one. For how long that is
    /// waited follows from its grace period (kubelet 1.36 `pod_workers.go` killPodNow, `eviction_manager.go`
    /// waitForPodsCleanup).
    fn is_evicting(&self, at: NodeIndex, now: SimTime) -> bool {
        self.nodes[at.row()].workers.iter().any(|&id| {
            let worker = &self.workers[id];
            let (began, grace) = worker.stopping;
            let is_ending = matches!(worker.stage, Stage::Stopping | Stage::StoppingSandbox);
            let stop = SimDuration::from_secs(u64::from(grace) * 3 / 2).max(STOP_MIN);
            let is_evicted = matches!(worker.ending, Ending::Evicted | Ending::OverLimit);
            is_evicted && is_ending && now < began + stop + CLEAN_UP_MAX
        })
    }

    /// The pods among these that are not on their way out.
    fn active<'t>(&self, taken: &'t [PodTaken]) -> Vec<(Id<Held>, &'t PodTaken)> {
        let is_active = |id: &Id<Held>| self.workers[*id].stage == Stage::Active;
        let of = |one: &'t PodTaken| Some((self.worker_of(one.pod).filter(is_active)?, one));
        taken.iter().filter_map(of).collect()
    }

    fn evict_one(
        &mut self,
        threshold: &Threshold,
        observed: &Observations,
        active: &[(Id<Held>, &PodTaken)],
        fx: &mut Effects<Timer>,
    ) -> Option<u64> {
        let of = |&(id, taken): &(Id<Held>, &PodTaken)| candidate(&self.workers[id], taken);
        let candidates: Vec<_> = active.iter().map(of).collect();
        for place in victims(&candidates, threshold.signal.starved()) {
            let (id, taken) = active[place];
            let worker = &self.workers[id];
            if worker.is_critical() {
                continue;
            }
            let eaters = eaters(worker, taken, threshold.signal.starved());
            let text = message(threshold, observed, &eaters);
            let soft = self.settings.eviction.soft_grace_seconds.min(worker.spec.grace_seconds);
            let grace = if threshold.is_hard() { GRACE } else { soft };
            return self.evict(id, text, (Ending::Evicted, grace), fx);
        }
        None
    }

    /// Evicts a pod; gives the fact that says so.
    fn evict(
        &mut self,
        id: Id<Held>,
        text: String,
        how: (Ending, u32),
        fx: &mut Effects<Timer>,
    ) -> Option<u64> {
        if self.workers[id].is_critical() {
            return None;
        }
        let mut told = None;
        self.with(id, fx, |worker, desk| {
            worker.evict(text, how, desk);
            told = Some(worker.cause);
        });
        told
    }

    /// The conditions of a node's pressure as its status tells them.
    pub fn tell_pressure(&self, at: NodeIndex, conditions: &mut NodeConditions, now: SimTime) {
        let stands = self.nodes[at.row()].pressure.pressures();
        let value = |one| if stands.contains(&one) { Tristate::True } else { Tristate::False };
        let values = [Pressure::Memory, Pressure::Disk, Pressure::Pid].map(value);
        conditions.set_pressures(values, now);
    }
}

impl Worker {
    fn evict(&mut self, text: String, (ending, grace): (Ending, u32), desk: &mut Desk<'_>) {
        self.say(desk, || Remark::warning("Evicted", text.clone()));
        let fact = self.fact(Verb::Evicted, desk).saying(text.clone());
        self.tell(fact, desk);
        self.reason =
            Some(Arc::new(StatusReason { reason: "Evicted".into(), message: text.into() }));
        self.end(ending, effective_grace(self.spec.grace_seconds, None, Some(grace)), desk);
    }
}

/// Why a pod is not taken on by a node under pressure (`managerImpl.Admit`).
pub(super) fn refused(stands: &[Pressure], pod: &Pod) -> Option<StatusReason> {
    if stands.is_empty() || pod.spec.priority >= CRITICAL_PRIORITY {
        return None;
    }
    if stands == [Pressure::Memory] {
        let taint = Taint::new(MEMORY_PRESSURE, "", Effect::NoSchedule);
        let tolerates = pod.spec.tolerations.iter().any(|one| one.covers(&taint));
        if pod.spec.qos != Qos::BestEffort || tolerates {
            return None;
        }
    }
    let names: Vec<_> = stands.iter().map(|one| one.name()).collect();
    let message = format!("Pod was rejected: The node had condition: [{}]. ", names.join(" "));
    Some(StatusReason { reason: "Evicted".into(), message: message.into() })
}

fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn candidate(worker: &Worker, taken: &PodTaken) -> Candidate {
    let sum = |of: fn(&crate::messages::usage::Taken) -> u64| -> u64 {
        taken.containers.iter().map(of).sum()
    };
    let volumes: u64 = taken.volumes.iter().map(|(_, bytes)| bytes).sum();
    Candidate {
        priority: worker.spec.priority,
        memory: whole(sum(|one| one.memory)),
        memory_asked: worker.spec.requests.memory,
        disk: whole(sum(|one| one.disk) + volumes),
        disk_asked: worker.spec.requests.ephemeral_storage,
        inodes: whole(sum(|one| one.inodes)),
        processes: whole(sum(|one| one.processes)),
    }
}

/// Containers with what they take and asked for of what is short.
fn eaters<'w>(worker: &'w Worker, taken: &PodTaken, starved: Starved) -> Vec<Eater<'w>> {
    let of = |one: &crate::messages::usage::Taken| {
        let container = worker.container(one.container.into());
        let (used, asked) = match starved {
            Starved::Memory => (one.memory, container.requests.memory),
            Starved::Storage => (one.disk, container.requests.ephemeral_storage),
            Starved::Inodes | Starved::Pids => return None,
        };
        // Both are taken by the page.
        Some((&*container.name, used / PAGE * PAGE, asked))
    };
    taken.containers.iter().filter_map(of).collect()
}

/// What a pod took beyond its own limits of disk, if it did (`localStorageEviction`): of a volume, of all its
/// containers together, of one of those that are no init containers.
fn over_own_limit(worker: &Worker, taken: &PodTaken) -> Option<String> {
    let spec = &worker.spec;
    for (name, used) in &taken.volumes {
        if let Some(limit) = size_limit(spec, name).filter(|limit| whole(*used) > limit.value()) {
            return Some(format!(
                "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
            ));
        }
    }
    let total = spec.limit(|it| it.ephemeral_storage);
    if total > 0 && candidate(worker, taken).disk > total {
        let written = serde_json::from_str(&spec.written).ok();
        let limits = written.map(|spec| pod_limits(&spec, None, SumRules::default()));
        let limit = limits.and_then(|it| it.get("ephemeral-storage").copied());
        return Some(format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
            limit.unwrap_or(Quantity::new(total, Format::BinarySi))
        ));
    }
    taken.containers.iter().find_map(|one| {
        let place = usize::from(one.container).checked_sub(worker.inits())?;
        let container = &spec.containers[place];
        let (name, limit) = (&container.name, container.limits.ephemeral_storage);
        (limit > 0 && whole(one.disk) > limit).then(|| {
            let limit = written_limit(&spec.written, place)
                .unwrap_or(Quantity::new(limit, Format::BinarySi));
            format!("Container {name} exceeded its local ephemeral storage limit \"{limit}\". ")
        })
    })
}

/// The limit of disk of a container as it is written.
fn written_limit(spec: &str, place: usize) -> Option<Quantity> {
    let spec: serde_json::Value = serde_json::from_str(spec).ok()?;
    let limit = &spec["containers"][place]["resources"]["limits"]["ephemeral-storage"];
    Quantity::parse(limit.as_str()?).ok()
}

/// `sizeLimit` of an `emptyDir` of this name that lies on disk: one in memory cannot grow beyond its own.
pub fn size_limit(spec: &PodSpec, volume: &str) -> Option<Quantity> {
    spec.empty_dir(volume).filter(|dir| dir.medium == Medium::Disk)?.size_limit
}
