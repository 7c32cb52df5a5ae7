//! The Deployment controller (kube-controller-manager 1.36 pkg/controller/deployment).
//!
//! Owns which Deployments need a sync and the carrying out of a sync's writes; refuses to know
//! pods but for Recreate's question whether any is left. What a sync writes is worked out at once
//! ([`plan`]); the writes then go out one after another:
//!
//! ```text
//! begin ─▶ plan ─▶ write 1 ─ok─▶ write 2 ─ok─▶ .. ─▶ done, perhaps to come back at the deadline
//!                     │             │
//!                     └── refused ──┴─▶ failed: again after a back-off, 15 times
//! ```

pub mod annotations;
pub mod arithmetic;
pub mod hash;
pub mod plan;
pub mod status;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::api::kind::Kind;
use crate::api::meta::{Owner, RawId};
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::status::Status;
use crate::api::workload::{Deployment, ReplicaSet, SetKind, Strategy};
use crate::base::id::Id;
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Done, Effects, Part, Remark, Reply};
use crate::store::{Change, Rev};

use super::events::Events;
use super::index::owning_set;
use super::replica_set::TerminatingPods;
use super::workqueue::{Job, Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which, is_namespace_ending};
use plan::{Again, Held, OnError, Planner, Scaling, Step};

/// Failed syncs after which a Deployment is left alone until it changes.
pub const RETRIES: u32 = 15;

/// A sync under way.
#[derive(Clone, Debug)]
struct Task {
    job: Job<Deployment>,
    /// The Deployment as read, for what the plan does not carry.
    deployment: Box<Deployment>,
    /// Writes to come, the one in flight first.
    steps: VecDeque<Step>,
    again: Option<Again>,
    /// The set this sync created.
    created: Option<Id<ReplicaSet>>,
    /// Revisions of what was read or written.
    revisions: Vec<(Kind, RawId, Rev)>,
}

impl Task {
    fn base(&self, kind: Kind, id: RawId) -> Option<Rev> {
        self.revisions.iter().rev().find(|one| (one.0, one.1) == (kind, id)).map(|one| one.2)
    }
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Deployments {
    client: ClientId,
    terminating: TerminatingPods,
    pub(super) queue: Queue<Deployment>,
    pub(super) events: Events,
    tasks: Vec<Option<Task>>,
    local: BTreeMap<Text, BTreeSet<Id<Deployment>>>,
}

impl Deployments {
    /// The controller, sending by `client`, that counts pods on their way out or not.
    pub fn new(
        client: ClientId,
        settings: QueueSettings,
        terminating: TerminatingPods,
    ) -> Deployments {
        let settings = QueueSettings { retries: Some(RETRIES), ..settings };
        Deployments {
            client,
            terminating,
            queue: Queue::new(Which::Deployments, settings),
            events: Events::new(Which::Deployments, client),
            tasks: vec![None; usize::from(settings.workers.max(1))],
            local: BTreeMap::new(),
        }
    }

    /// A Deployment changed.
    pub fn deployment(&mut self, change: &Change<'_, Deployment>, fx: &mut Effects<Timer>) {
        let Some(any) = change.new.or(change.old) else { return };
        let local = self.local.entry(any.meta.namespace.clone()).or_default();
        if change.new.is_some() {
            local.insert(change.id);
        } else {
            local.remove(&change.id);
        }
        self.queue.add(change.id, fx);
    }

    /// A set changed.
    pub fn set(
        &mut self,
        change: &Change<'_, ReplicaSet>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let owner = |set: Option<&ReplicaSet>| {
            set.and_then(|set| set.meta.owner).filter(|owner| owner.kind == Kind::Deployment)
        };
        let (old, new) = (owner(change.old), owner(change.new));
        if old != new {
            self.add_owner(old, fx);
        }
        self.add_owner(new, fx);
        let Some(set) = change.new else { return };
        let is_news = change.old.is_none_or(|old| {
            old.meta.owner != set.meta.owner || old.meta.labels != set.meta.labels
        });
        if set.meta.owner.is_none() && set.kind == SetKind::ReplicaSet && is_news {
            let local = self.local.get(&set.meta.namespace).into_iter().flatten();
            let selecting = local.filter(|&&id| {
                known.view.get(id).is_some_and(|d| d.selector.matches(&set.meta.labels))
            });
            for id in selecting.copied().collect::<Vec<_>>() {
                self.queue.add(id, fx);
            }
        }
    }

    fn add_owner(&mut self, owner: Option<Owner>, fx: &mut Effects<Timer>) {
        if let Some(owner) = owner {
            self.queue.add(owner.at.typed(), fx);
        }
    }

    /// A pod is gone: Recreate waits for the last one.
    pub fn pod_gone(&mut self, pod: &Pod, known: Known<'_>, fx: &mut Effects<Timer>) {
        let set = owning_set(pod.meta.owner).and_then(|set| known.view.get(set));
        let Some(owner) = set.and_then(|set| set.meta.owner) else { return };
        let id: Id<Deployment> = owner.at.typed();
        let is_recreate = known.view.get(id).is_some_and(|d| d.strategy == Strategy::Recreate);
        let sets = known.index.owners.sets(owner.uid);
        if is_recreate && sets.iter().all(|&set| known.index.roster(set).pods().is_empty()) {
            self.queue.add(id, fx);
        }
    }

    /// A worker begins to act on its key.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, deployment)) = known.view.version(job.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if deployment.selector.is_empty() {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let mut revisions = vec![(Kind::Deployment, job.key.into(), rev)];
        let (claims, sets) = sets_of(job.key, deployment, known, &mut revisions);
        let plan = Planner::new(job.key, deployment, fx.now());
        let plan = plan.counting(self.terminating).sync(sets);
        let steps = claims.into_iter().chain(plan.steps).collect();
        let deployment = Box::new(deployment.clone());
        let task = Task { job, deployment, steps, again: plan.again, created: None, revisions };
        self.step(task, fx);
    }

    fn step(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Some(step) = task.steps.front() else { return self.conclude(task, fx) };
        let call = match step {
            Step::Create(set) => Call::Create(Object::ReplicaSet(set.clone())),
            Step::Update(id, set, ..) => {
                let Some(id) = id.or(task.created) else { return self.fail(&task, fx) };
                let object = Object::ReplicaSet(set.clone());
                let base = task.base(Kind::ReplicaSet, id.into());
                Call::Update { id: id.into(), object, base, part: Part::Main }
            }
            Step::Delete(id) => Call::Delete {
                kind: Kind::ReplicaSet,
                id: (*id).into(),
                uid: None,
                grace_seconds: None,
                propagation: Propagation::Background,
            },
            Step::Status(deployment) => {
                let id = task.job.key.into();
                let base = task.base(Kind::Deployment, id);
                let object = Object::Deployment(deployment.clone());
                Call::Update { id, object, base, part: Part::Status }
            }
        };
        fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, 0).pack(), call);
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(mut task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        let Some(step) = task.steps.pop_front() else { return };
        match &reply.result {
            Ok(done) => {
                self.written(&mut task, &step, *done, fx);
                self.step(task, fx);
            }
            Err(status) => self.refused(task, step, status, known, fx),
        }
    }

    fn written(&mut self, task: &mut Task, step: &Step, done: Done, fx: &mut Effects<Timer>) {
        match step {
            Step::Create(set) => {
                task.created = Some(done.id.typed());
                task.revisions.push((Kind::ReplicaSet, done.id, done.rev));
                if set.replicas > 0 {
                    self.tell_scaling(task, set, 0, fx);
                }
            }
            Step::Update(_, set, scaling, _) => {
                task.revisions.push((Kind::ReplicaSet, done.id, done.rev));
                if let Scaling::Resized(before) = *scaling {
                    self.tell_scaling(task, set, before, fx);
                }
            }
            Step::Delete(_) => {}
            Step::Status(_) => task.revisions.push((Kind::Deployment, done.id, done.rev)),
        }
    }

    /// `scaleReplicaSet`.
    fn tell_scaling(
        &mut self,
        task: &Task,
        set: &ReplicaSet,
        before: i32,
        fx: &mut Effects<Timer>,
    ) {
        self.events.record(Kind::Deployment, &task.deployment.meta, fx, || {
            let (name, size) = (&set.meta.name, set.replicas);
            let way = if before < size { "up" } else { "down" };
            let what = format!("Scaled {way} replica set {name} from {before} to {size}");
            Remark::normal("ScalingReplicaSet", what)
        });
    }

    fn refused(
        &mut self,
        mut task: Task,
        step: Step,
        status: &Status,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match (step, status) {
            (Step::Delete(_), Status::NotFound(_)) => self.step(task, fx),
            (Step::Update(_, _, _, OnError::LeaveSets), _) => {
                task.steps.retain(|step| matches!(step, Step::Status(_)));
                self.step(task, fx);
            }
            (Step::Create(set), Status::AlreadyExists(_)) => {
                self.name_taken(task, &set, known, fx);
            }
            (Step::Create(_), _) if is_namespace_ending(status) => {
                self.queue.finish(task.job.worker, Outcome::Done, fx);
            }
            (Step::Create(set), _) => self.creation_failed(task, &set, status, fx),
            _ => self.fail(&task, fx),
        }
    }

    /// The new set's name is taken: by our own set, which the watch will show; or by another,
    /// and then the next try goes by another hash.
    fn name_taken(
        &mut self,
        mut task: Task,
        set: &ReplicaSet,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let name = set.meta.name.to_string();
        let taken = known.view.find::<ReplicaSet>(&set.meta.namespace, &name);
        let Some(taken) = taken.and_then(|id| known.view.get(id)) else {
            return self.fail(&task, fx);
        };
        let is_ours = taken.meta.is_owned_by(task.deployment.meta.uid)
            && arithmetic::same_template(&taken.template, &task.deployment.template);
        if is_ours {
            return self.fail(&task, fx);
        }
        let mut next = task.deployment.clone();
        next.status.collision_count += 1;
        self.last_write(&mut task, next);
        self.step(task, fx);
    }

    fn creation_failed(
        &mut self,
        mut task: Task,
        set: &ReplicaSet,
        why: &Status,
        fx: &mut Effects<Timer>,
    ) {
        let message = format!("Failed to create new replica set \"{}\": {why}", set.meta.name);
        let meta = &task.deployment.meta;
        self.events.record(Kind::Deployment, meta, fx, || {
            Remark::warning(status::SET_FAILED, message.clone())
        });
        if !arithmetic::has_deadline(&task.deployment) {
            return self.fail(&task, fx);
        }
        let mut next = task.deployment.clone();
        let failed = status::condition(Some(false), status::SET_FAILED, message, fx.now());
        status::set_condition(&mut next.status.progressing, failed);
        self.last_write(&mut task, next);
        self.step(task, fx);
    }

    /// One status write, and then the sync has failed.
    fn last_write(&mut self, task: &mut Task, next: Box<Deployment>) {
        task.steps = VecDeque::from([Step::Status(next)]);
        task.again = Some(Again::RateLimited);
    }

    fn fail(&mut self, task: &Task, fx: &mut Effects<Timer>) {
        self.queue.finish(task.job.worker, Outcome::Failed, fx);
    }

    fn conclude(&mut self, task: Task, fx: &mut Effects<Timer>) {
        match task.again {
            Some(Again::RateLimited) => return self.fail(&task, fx),
            Some(Again::After(delay)) => self.queue.add_after(task.job.key, delay, fx),
            None => {}
        }
        self.queue.finish(task.job.worker, Outcome::Done, fx);
    }
}

/// The sets of a Deployment, and the writes that adopt or release some
/// (`ClaimReplicaSets`).
fn sets_of(
    id: Id<Deployment>,
    d: &Deployment,
    known: Known<'_>,
    revisions: &mut Vec<(Kind, RawId, Rev)>,
) -> (Vec<Step>, Vec<Held>) {
    let mut claims = Vec::new();
    let mut sets = Vec::new();
    let owned = known.index.owners.sets(d.meta.uid).iter().copied();
    let orphans = known.index.owners.orphan_sets(&d.meta.namespace);
    for set_id in owned.chain(orphans) {
        let Some((rev, set)) = known.view.version(set_id) else { continue };
        if set.kind != SetKind::ReplicaSet {
            continue;
        }
        let selected = d.selector.matches(&set.meta.labels);
        let is_ours = set.meta.is_owned_by(d.meta.uid);
        let mut set = set.clone();
        if is_ours != selected {
            let may_adopt = !d.meta.is_terminating() && !set.meta.is_terminating();
            if selected && !may_adopt {
                continue;
            }
            let owner = Owner { kind: Kind::Deployment, uid: d.meta.uid, at: id.into() };
            set.meta.owner = selected.then_some(owner);
            let next = Box::new(set.clone());
            claims.push(Step::Update(Some(set_id), next, Scaling::Noted, OnError::Retry));
        }
        revisions.push((Kind::ReplicaSet, set_id.into(), rev));
        if selected {
            let running = known.index.roster(set_id).counts().running;
            sets.push(Held { id: Some(set_id), set, running });
        }
    }
    (claims, sets)
}
