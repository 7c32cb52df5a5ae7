//! One sync of a set, step by step.

use std::sync::Arc;

use super::ranking;
use super::{BURST, DeletionCosts, ReplicaSets, TerminatingPods};
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner, Uid};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodStatus};
use crate::api::status::Status;
use crate::api::workload::{ReplicaSet, SetFailure, SetKind, SetStatus};
use crate::base::id::Id;
use crate::control_plane::controllers::batches::{Batches, Next};
use crate::control_plane::controllers::index::Roster;
use crate::control_plane::controllers::workqueue::{Job, Outcome, Tag};
use crate::control_plane::controllers::{Known, Timer, is_namespace_ending, told};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Reply};
use crate::store::Rev;
use crate::time::{SimDuration, SimTime};

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    job: Job<ReplicaSet>,
    /// The set and its revision as they were when the sync began.
    set: Box<ReplicaSet>,
    rev: Rev,
    /// The pods as they were then, and by adoptions since.
    counts: SetStatus,
    /// Pods it adopted, which its view does not show as its own yet.
    adopted: Vec<Id<Pod>>,
    may_act: Readiness,
    step: Step,
    /// The first error of a create or delete.
    error: Option<Text>,
}

/// Whether what was expected of earlier syncs was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Readiness {
    MayAct,
    MustWait,
}

#[derive(Clone, Debug)]
enum Step {
    /// Pods to adopt or release, the first in flight.
    Claim(Vec<Claim>),
    /// Batches of creations.
    Create(Batches),
    /// Deletions, all in flight.
    Delete { victims: Vec<(Uid, Name)>, answered: usize },
    /// The write of the status; how often it was refused.
    Status(u8),
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    pod: Id<Pod>,
    what: Claiming,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Claiming {
    Adopt,
    Release,
}

impl ReplicaSets {
    /// A worker begins to act on its key.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, set)) = known.view.version(job.key) else {
            self.expected.forget(job.key);
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let may_act = match self.expected.are_met(job.key, fx.now()) {
            true => Readiness::MayAct,
            false => Readiness::MustWait,
        };
        let roster = known.index.roster(job.key);
        let claims = claims(job.key, set, roster, known);
        let mut counts = status_of(set, roster, known, fx.now());
        if self.rules.terminating == TerminatingPods::LeftOut {
            counts.terminating = None;
        }
        let settled = may_act == Readiness::MustWait
            || set.meta.is_terminating()
            || counts.replicas == set.replicas;
        if claims.is_empty() && settled && same_but_failure(&counts, &set.status) {
            self.recheck_availability(job.key, set, known, fx);
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let set = Box::new(set.clone());
        let step = Step::Claim(claims);
        let task = Task { job, set, rev, counts, adopted: Vec::new(), may_act, step, error: None };
        self.next_claim(task, known, fx);
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, index) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        match task.step {
            Step::Claim(_) => self.claimed(task, reply, known, fx),
            Step::Create(_) => self.created(task, reply, known, fx),
            Step::Delete { .. } => self.deleted(task, reply, index, known, fx),
            Step::Status(tries) => self.status_written(task, tries, reply, known, fx),
        }
    }

    fn park(&mut self, task: Task) {
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    fn next_claim(&mut self, task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Step::Claim(claims) = &task.step else { return };
        let Some(claim) = claims.first() else { return self.manage(task, known, fx) };
        let Some((rev, pod)) = known.view.version(claim.pod) else {
            return self.skip_claim(task, known, fx);
        };
        let mut next = pod.clone();
        next.meta.owner = match claim.what {
            Claiming::Adopt => Some(owner_of(&task)),
            Claiming::Release => None,
        };
        let object = Object::Pod(Box::new(next));
        let base = Some(rev);
        let call = Call::Update { id: claim.pod.into(), object, base, part: Part::Main };
        fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, 0).pack(), call);
        self.park(task);
    }

    fn skip_claim(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        if let Step::Claim(claims) = &mut task.step {
            claims.remove(0);
        }
        self.next_claim(task, known, fx);
    }

    fn claimed(
        &mut self,
        mut task: Task,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Claim(claims) = &mut task.step else { return };
        let claim = claims.remove(0);
        match &reply.result {
            Ok(_) => {
                if claim.what == Claiming::Adopt
                    && let Some(pod) = known.view.get(claim.pod)
                {
                    add(&mut task.counts, pod, &task.set, fx.now());
                    task.adopted.push(claim.pod);
                }
            }
            Err(Status::NotFound(_)) => {}
            Err(_) => return self.queue.finish(task.job.worker, Outcome::Failed, fx),
        }
        self.next_claim(task, known, fx);
    }

    /// `manageReplicas`.
    fn manage(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let missing = i64::from(task.set.replicas) - i64::from(task.counts.replicas);
        if missing == 0 || task.may_act == Readiness::MustWait || task.set.meta.is_terminating() {
            return self.write_status(task, known, fx);
        }
        let amount = usize::try_from(missing.unsigned_abs()).unwrap_or(BURST).min(BURST);
        if missing > 0 {
            self.expected.expect_creations(task.job.key, amount, fx.now());
            task.step = Step::Create(Batches::of(amount));
            return self.create_batch(task, fx);
        }
        let victims = victims(&task, amount, self.rules.costs, known, fx.now());
        if victims.is_empty() {
            return self.write_status(task, known, fx);
        }
        let uids = victims.iter().map(|&(_, uid)| uid);
        self.expected.expect_deletions(task.job.key, uids, fx.now());
        let named =
            |&(pod, uid): &(Id<Pod>, Uid)| Some((uid, known.view.get(pod)?.meta.name.clone()));
        let named = victims.iter().filter_map(named).collect();
        for (index, (pod, _)) in (0..).zip(victims) {
            let call = Call::Delete {
                kind: Kind::Pod,
                id: pod.into(),
                uid: None,
                grace_seconds: None,
                propagation: Propagation::Background,
            };
            fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, index).pack(), call);
        }
        task.step = Step::Delete { victims: named, answered: 0 };
        self.park(task);
    }

    fn create_batch(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Step::Create(batches) = task.step else { return };
        let set = &task.set;
        let base = self.bases.entry(task.job.key);
        let base = base.or_insert_with(|| Text::from(format!("{}-", set.meta.name))).clone();
        let tag = Tag::Sync(task.job.worker, task.job.serial, 0).pack();
        for _ in batches.batch() {
            let mut meta = Meta::new(set.meta.namespace.clone(), Name::new(base.clone()));
            meta.labels = set.template.labels.clone();
            meta.annotations = set.template.annotations.clone();
            meta.rare = set.template.rare.clone();
            meta.owner = Some(owner_of(&task));
            let pod = Pod {
                meta,
                spec: set.template.spec.clone(),
                node: None,
                status: PodStatus::default(),
            };
            fx.send(self.client, tag, Call::Create(Object::Pod(Box::new(pod))));
        }
        self.park(task);
    }

    fn created(
        &mut self,
        mut task: Task,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Create(batches) = &mut task.step else { return };
        match &reply.result {
            Ok(done) => {
                let kind = task.set.kind.into();
                self.events.record(kind, &task.set.meta, fx, || told::created(done.id, known));
            }
            Err(status) if is_namespace_ending(status) => {}
            Err(status) => {
                batches.fail();
                task.error.get_or_insert_with(|| status.to_string().into());
                let kind = task.set.kind.into();
                self.events.record(kind, &task.set.meta, fx, || told::not_created(status));
            }
        }
        match batches.answer() {
            Next::Wait => self.park(task),
            Next::Send => self.create_batch(task, fx),
            Next::Over => {
                self.expected.creations_seen(task.job.key, batches.left());
                self.write_status(task, known, fx);
            }
        }
    }

    fn deleted(
        &mut self,
        mut task: Task,
        reply: &Reply,
        index: u16,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Delete { victims, answered } = &mut task.step else { return };
        *answered += 1;
        let is_last = *answered == victims.len();
        let kind = task.set.kind.into();
        let victim = victims.get(usize::from(index));
        if let (Ok(_), Some((_, name))) = (&reply.result, victim) {
            self.events.record(kind, &task.set.meta, fx, || told::deleted(name));
        }
        if let Err(status) = &reply.result {
            if let Some((uid, _)) = victim {
                self.expected.deletion_seen(task.job.key, *uid);
            }
            if !matches!(status, Status::NotFound(_)) {
                task.error.get_or_insert_with(|| status.to_string().into());
                self.events.record(kind, &task.set.meta, fx, || told::not_deleted(status));
            }
        }
        if is_last { self.write_status(task, known, fx) } else { self.park(task) }
    }

    fn write_status(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let missing = task.set.replicas - task.counts.replicas;
        task.counts.failure = match (&task.error, &task.set.status.failure) {
            (None, _) => None,
            (Some(_), Some(held)) => Some(held.clone()),
            (Some(error), None) => {
                let reason = if missing > 0 { "FailedCreate" } else { "FailedDelete" };
                let (reason, message) = (reason.into(), error.clone());
                Some(SetFailure { reason, message, since: fx.now() })
            }
        };
        if task.counts == task.set.status {
            return self.conclude(task, known, fx);
        }
        self.send_status(task, 0, fx);
    }

    fn send_status(&mut self, mut task: Task, tries: u8, fx: &mut Effects<Timer>) {
        task.step = Step::Status(tries);
        let mut next = task.set.clone();
        next.status = task.counts.clone();
        // The second try is on the newest version, read anew.
        let base = (tries == 0).then_some(task.rev);
        let object = Object::ReplicaSet(next);
        let call = Call::Update { id: task.job.key.into(), object, base, part: Part::Status };
        fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, 0).pack(), call);
        self.park(task);
    }

    fn status_written(
        &mut self,
        task: Task,
        tries: u8,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match &reply.result {
            Ok(_) => self.conclude(task, known, fx),
            Err(Status::Conflict(_)) if tries == 0 => self.send_status(task, 1, fx),
            Err(Status::NotFound(_)) => self.queue.finish(task.job.worker, Outcome::Done, fx),
            Err(_) => self.queue.finish(task.job.worker, Outcome::Failed, fx),
        }
    }

    fn conclude(&mut self, task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        if task.error.is_some() {
            return self.queue.finish(task.job.worker, Outcome::Failed, fx);
        }
        self.recheck_availability(task.job.key, &task.set, known, fx);
        self.queue.finish(task.job.worker, Outcome::Done, fx);
    }

    /// Comes back when the next ready pod will have been ready for long enough.
    fn recheck_availability(
        &mut self,
        key: Id<ReplicaSet>,
        set: &ReplicaSet,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let now = fx.now();
        if set.min_ready_seconds > 0 {
            let pods = known.index.roster(key).pods().iter().filter_map(|&id| known.view.get(id));
            if let Some(delay) = next_availability(pods, set.min_ready_seconds, now) {
                self.queue.add_after(key, delay, fx);
            }
        }
    }
}

/// How long until the next of `pods` becomes available; `None`: none will by itself
/// (`findMinNextPodAvailabilityCheck`).
pub fn next_availability<'p>(
    pods: impl Iterator<Item = &'p Pod>,
    min_ready_seconds: u32,
    now: SimTime,
) -> Option<SimDuration> {
    let from = pods.filter(|pod| pod.is_active());
    let from = from.filter_map(|pod| pod.available_from(min_ready_seconds));
    Some(from.filter(|&from| from > now).min()?.saturating_since(now))
}

fn owner_of(task: &Task) -> Owner {
    Owner { kind: task.set.kind.into(), uid: task.set.meta.uid, at: task.job.key.into() }
}

/// Whether a status differs from what was counted in nothing but the failure condition, which
/// only a sync that acts can change, or not even in that.
fn same_but_failure(counts: &SetStatus, held: &SetStatus) -> bool {
    held.failure.is_none() && counts == held
}

fn claims(key: Id<ReplicaSet>, set: &ReplicaSet, roster: &Roster, known: Known<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    if roster.needs_check() {
        let ours = roster.pods().iter().filter_map(|&id| Some((id, known.view.get(id)?)));
        let strays = ours.filter(|(_, pod)| {
            pod.is_active()
                && !Arc::ptr_eq(&pod.meta.labels, &set.template.labels)
                && !set.selector.matches(&pod.meta.labels)
        });
        claims.extend(strays.map(|(pod, _)| Claim { pod, what: Claiming::Release }));
    }
    if set.meta.is_terminating() {
        return claims;
    }
    debug_assert!(known.view.get(key).is_some(), "a set just read");
    for group in known.index.groups.with_orphans(&set.meta.namespace) {
        if !set.selector.matches(&group.labels) {
            continue;
        }
        let free = group.members.iter();
        let free = free.filter(|one| one.is_orphan && !one.is_terminating && !one.is_done);
        claims.extend(free.map(|one| Claim { pod: one.pod, what: Claiming::Adopt }));
    }
    claims
}

/// `calculateStatus`, the failure condition apart.
fn status_of(set: &ReplicaSet, roster: &Roster, known: Known<'_>, now: SimTime) -> SetStatus {
    let counts = roster.counts();
    let available = if set.min_ready_seconds == 0 {
        counts.ready
    } else {
        let pods = roster.pods().iter().filter_map(|&id| known.view.get(id));
        let pods = pods.filter(|pod| pod.is_active());
        pods.filter(|pod| pod.is_available(set.min_ready_seconds, now)).count() as i32
    };
    let mut status = SetStatus {
        replicas: counts.active,
        fully_labeled: counts.labeled,
        ready: counts.ready,
        available,
        terminating: match set.kind {
            SetKind::ReplicaSet => Some(counts.terminating),
            // Its status has no such field.
            SetKind::ReplicationController => None,
        },
        observed_generation: set.meta.generation,
        failure: None,
    };
    if roster.needs_check() {
        // Pods about to be released no longer count.
        for pod in roster.pods().iter().filter_map(|&id| known.view.get(id)) {
            if pod.is_active() && !set.selector.matches(&pod.meta.labels) {
                status.replicas -= 1;
                status.ready -= i32::from(pod.is_ready());
                status.available -= i32::from(pod.is_available(set.min_ready_seconds, now));
            }
        }
    }
    status
}

fn add(status: &mut SetStatus, pod: &Pod, set: &ReplicaSet, now: SimTime) {
    let wanted = &set.template.labels;
    let labeled = wanted.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value));
    status.replicas += 1;
    status.fully_labeled += i32::from(labeled);
    status.ready += i32::from(pod.is_ready());
    status.available += i32::from(pod.is_available(set.min_ready_seconds, now));
}

/// The `amount` pods that go first, of those the set has claimed (`claimPods`): its own that match, and the
/// adopted ones.
fn victims(
    task: &Task,
    amount: usize,
    costs: DeletionCosts,
    known: Known<'_>,
    now: SimTime,
) -> Vec<(Id<Pod>, Uid)> {
    let pods_of = |set| known.index.roster(set).pods().iter();
    let roster = known.index.roster(task.job.key);
    let adopted = task.adopted.iter().filter(|id| !roster.pods().contains(id));
    let ours = roster.pods().iter().chain(adopted);
    let ours = ours.filter_map(|&id| Some((id, known.view.get(id)?)));
    let is_claimed = |pod: &Pod| {
        pod.is_active() && (!roster.needs_check() || task.set.selector.matches(&pod.meta.labels))
    };
    let ours = ours.filter(|(_, pod)| is_claimed(pod)).collect();
    // Of a set that nobody owns no pod is related (`getIndirectlyRelatedPods`).
    let owner = task.set.meta.owner;
    let sets = owner.map_or(&[][..], |owner| known.index.owners.sets(owner.uid));
    let related = sets.iter().flat_map(|&set| pods_of(set));
    let related = related.filter_map(|&id| known.view.get(id));
    ranking::first_to_go(ours, related, amount, costs, now)
}
