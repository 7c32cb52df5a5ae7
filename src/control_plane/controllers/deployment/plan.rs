//! One sync of a Deployment as a list of writes, worked out at once from what was read.
//!
//! In the real controller calls and decisions alternate, but each decision rests on what was read
//! at the start and on what the sync itself has written; so the list of writes is the same, as
//! long as each succeeds. The steps and their order are those of kube-controller-manager 1.36
//! pkg/controller/deployment (deployment_controller.go, sync.go, rolling.go, recreate.go,
//! progress.go).

use crate::api::meta::{Meta, Owner};
use crate::api::name::Name;
use crate::api::pod::PodTemplate;
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::workload::{
    Deployment, DeploymentStatus, ReplicaSet, Rollout, SetKind, SetStatus, Strategy,
};
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};
use std::sync::Arc;

use super::super::replica_set::TerminatingPods;
use super::annotations::{self, Change};
use super::arithmetic::{
    TEMPLATE_HASH, by_creation, deadline, has_deadline, is_complete, max_surge, max_unavailable,
    new_set_size, proportion, same_template,
};
use super::hash::template_hash;
use super::status;

/// A set as the plan knows it; without id it is yet to be created.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Its place in the store.
    pub id: Option<Id<ReplicaSet>>,
    /// Its state, with the plan's own changes.
    pub set: ReplicaSet,
    /// Pods of it that are not done, terminating ones included.
    pub running: i32,
}

/// One write.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// Create the new set.
    Create(Box<ReplicaSet>),
    /// Replace a set; `None`: the one this plan created.
    Update(Option<Id<ReplicaSet>>, Box<ReplicaSet>, Scaling, OnError),
    /// Delete a set.
    Delete(Id<ReplicaSet>),
    /// Write the Deployment's status and annotations.
    Status(Box<Deployment>),
}

/// Whether an update changes a set's size: such updates make an Event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scaling {
    /// It does; it was so many before.
    Resized(i32),
    /// It changes annotations only.
    Noted,
}

/// What a failed step does to the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnError {
    /// The sync fails and is tried again after a back-off.
    Retry,
    /// Further sets are left alone, status is written, nothing is tried again by itself.
    LeaveSets,
}

/// When to come back although nothing failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// After so long.
    After(SimDuration),
    /// After a back-off.
    RateLimited,
}

/// The outcome of planning.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// The writes, in order.
    pub steps: Vec<Step>,
    /// When to come back.
    pub again: Option<Again>,
}

/// A sync being worked out.
#[derive(Clone, Debug)]
pub struct Planner {
    /// The Deployment, with the plan's own changes.
    pub deployment: Deployment,
    id: Id<Deployment>,
    now: SimTime,
    terminating: TerminatingPods,
    plan: Plan,
}

/// All sets of a Deployment, told apart: the one of its template, if any, and the others.
#[derive(Clone, PartialEq, Debug)]
pub struct Sets {
    /// The set of the Deployment's template.
    pub new: Option<Held>,
    /// The others, in the order they were given.
    pub old: Vec<Held>,
}

impl Sets {
    /// All sets, old ones first.
    pub fn all(&self) -> impl Iterator<Item = &ReplicaSet> + Clone {
        self.old.iter().chain(&self.new).map(|held| &held.set)
    }

    fn total(&self) -> i32 {
        self.all().map(|set| set.replicas).sum()
    }
}

impl Planner {
    /// A plan for `deployment` as of `now`.
    pub fn new(id: Id<Deployment>, deployment: &Deployment, now: SimTime) -> Planner {
        let (deployment, terminating) = (deployment.clone(), TerminatingPods::Counted);
        Planner { deployment, id, now, terminating, plan: Plan::default() }
    }

    /// The same with or without the pods on their way out in the status.
    #[must_use]
    pub fn counting(self, terminating: TerminatingPods) -> Planner {
        Planner { terminating, ..self }
    }

    /// The plan so far.
    pub fn finish(self) -> Plan {
        self.plan
    }

    /// `syncDeployment`, from the point where its sets are known.
    pub fn sync(mut self, sets: Vec<Held>) -> Plan {
        if self.deployment.meta.is_terminating() {
            let sets = self.tell_apart(sets);
            self.plain_status(&sets);
            return self.plan;
        }
        self.check_paused();
        if self.deployment.rollout == Rollout::Paused || self.is_scaled(&sets) {
            let sets = self.tell_apart_and_note(sets);
            self.scale(&sets);
            if self.deployment.rollout == Rollout::Paused {
                self.clean_up(&sets.old);
            }
            self.plain_status(&sets);
            return self.plan;
        }
        match self.deployment.strategy {
            Strategy::Recreate => self.recreate(sets),
            Strategy::RollingUpdate { .. } => self.rolling(sets),
        }
        self.plan
    }

    /// `checkPausedConditions`.
    fn check_paused(&mut self) {
        let d = &mut self.deployment;
        if !has_deadline(d) {
            return;
        }
        let reason = d.status.progressing.as_ref().map(|held| held.reason);
        if reason == Some(status::TIMED_OUT) {
            return;
        }
        let noted = reason == Some(status::PAUSED);
        let next = match d.rollout {
            Rollout::Paused if !noted => {
                status::condition(None, status::PAUSED, "Deployment is paused", self.now)
            }
            Rollout::Active if noted => {
                status::condition(None, status::RESUMED, "Deployment is resumed", self.now)
            }
            _ => return,
        };
        status::set_condition(&mut d.status.progressing, next);
        self.write_status();
    }

    /// `isScalingEvent`: some active set was made for another size.
    fn is_scaled(&self, sets: &[Held]) -> bool {
        sets.iter().filter(|held| held.set.replicas > 0).any(|held| {
            annotations::desired_replicas(&held.set)
                .is_some_and(|desired| desired != self.deployment.replicas)
        })
    }

    /// `FindNewReplicaSet` and `FindOldReplicaSets`: of several sets of the template the oldest.
    pub fn tell_apart(&self, mut sets: Vec<Held>) -> Sets {
        sets.sort_by(|a, b| by_creation(&a.set, &b.set));
        let is_new = |held: &Held| same_template(&held.set.template, &self.deployment.template);
        let new = sets.iter().position(is_new).map(|at| sets.remove(at));
        Sets { new, old: sets }
    }

    /// `getAllReplicaSetsAndSyncRevision` without creating: the existing new set gets the newest
    /// revision, and so does the Deployment.
    pub fn tell_apart_and_note(&mut self, sets: Vec<Held>) -> Sets {
        let mut sets = self.tell_apart(sets);
        let revision = self.next_revision(&sets.old);
        let Some(held) = &mut sets.new else { return sets };
        let d = &mut self.deployment;
        let noted = annotations::note_revision(d, &mut held.set, revision);
        if noted == Change::Made || held.set.min_ready_seconds != d.min_ready_seconds {
            held.set.min_ready_seconds = d.min_ready_seconds;
            let next = Box::new(held.set.clone());
            self.plan.steps.push(Step::Update(held.id, next, Scaling::Noted, OnError::Retry));
            return sets;
        }
        let revision = held.set.meta.annotation(annotations::REVISION).unwrap_or("").to_string();
        let mut change = annotations::note_deployment_revision(d, &revision);
        if has_deadline(d) && d.status.progressing.is_none() {
            let message = format!("Found new replica set \"{}\"", held.set.meta.name);
            let next = status::condition(Some(true), status::NEW_SET_FOUND, message, self.now);
            status::set_condition(&mut d.status.progressing, next);
            change = Change::Made;
        }
        if change == Change::Made {
            self.write_status();
        }
        sets
    }

    fn next_revision(&self, old: &[Held]) -> i64 {
        old.iter().map(|held| annotations::revision(&held.set.meta)).max().unwrap_or(0) + 1
    }

    /// The other half of `getNewReplicaSet`: creates the set of the Deployment's template.
    fn create(&mut self, sets: &mut Sets) {
        let revision = self.next_revision(&sets.old);
        let mut set = self.new_set();
        set.replicas = new_set_size(&self.deployment, sets.total(), 0);
        annotations::note_revision(&self.deployment, &mut set, revision);
        annotations::note_size(&self.deployment, &mut set);
        self.plan.steps.push(Step::Create(Box::new(set.clone())));
        let d = &mut self.deployment;
        let mut change = annotations::note_deployment_revision(d, &revision.to_string());
        if has_deadline(d) {
            let message = format!("Created new replica set \"{}\"", set.meta.name);
            let next = status::condition(Some(true), status::NEW_SET_CREATED, message, self.now);
            status::set_condition(&mut d.status.progressing, next);
            change = Change::Made;
        }
        if change == Change::Made {
            self.write_status();
        }
        sets.new = Some(Held { id: None, set, running: 0 });
    }

    fn new_set(&self) -> ReplicaSet {
        let d = &self.deployment;
        let hash = template_hash(&d.template, d.status.collision_count);
        let labels = annotations::with_label(&d.template.labels, TEMPLATE_HASH, &hash);
        let mut requirements = d.selector.requirements.clone();
        requirements.push(Requirement {
            key: TEMPLATE_HASH.into(),
            operator: Operator::In,
            values: vec![hash.as_str().into()],
        });
        let name = Name::new(format!("{}-{hash}", d.meta.name));
        let mut meta = Meta::new(d.meta.namespace.clone(), name);
        meta.labels = labels.clone();
        meta.owner = Some(Owner {
            kind: crate::api::kind::Kind::Deployment,
            uid: d.meta.uid,
            at: self.id.into(),
        });
        ReplicaSet {
            meta,
            kind: SetKind::ReplicaSet,
            replicas: 0,
            min_ready_seconds: d.min_ready_seconds,
            selector: Arc::new(Selector { requirements }),
            template: Arc::new(PodTemplate { labels, ..PodTemplate::clone(&d.template) }),
            status: SetStatus::default(),
        }
    }

    /// `rolloutRolling`.
    fn rolling(&mut self, sets: Vec<Held>) {
        let mut sets = self.tell_apart_and_note(sets);
        if sets.new.is_none() {
            self.create(&mut sets);
        }
        let scaled =
            self.reconcile_new(&sets) == Change::Made || self.reconcile_old(&sets) == Change::Made;
        if !scaled && is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up(&sets.old);
        }
        self.rollout_status(&sets);
    }

    /// `reconcileNewReplicaSet`: brings the new set up, or down to the Deployment's own size.
    pub fn reconcile_new(&mut self, sets: &Sets) -> Change {
        let Some(new) = &sets.new else { return Change::None };
        let desired = self.deployment.replicas;
        let size = match new.set.replicas.cmp(&desired) {
            std::cmp::Ordering::Equal => return Change::None,
            std::cmp::Ordering::Greater => desired,
            std::cmp::Ordering::Less => {
                new_set_size(&self.deployment, sets.total(), new.set.replicas)
            }
        };
        self.resize(new, size, OnError::Retry)
    }

    /// `reconcileOldReplicaSets`: old pods that are not healthy go first, then as many others as
    /// may go.
    pub fn reconcile_old(&mut self, sets: &Sets) -> Change {
        let mut active: Vec<Held> =
            sets.old.iter().filter(|held| held.set.replicas > 0).cloned().collect();
        if active.is_empty() {
            return Change::None;
        }
        let new = sets.new.as_ref().map(|held| &held.set);
        let new_missing = new.map_or(0, |set| set.replicas - set.status.available);
        let least = self.deployment.replicas - max_unavailable(&self.deployment);
        let most_down = sets.total() - least - new_missing;
        if most_down <= 0 {
            return Change::None;
        }
        let Some(cleaned) = self.clean_up_unhealthy(&mut active, most_down) else {
            return Change::None;
        };
        let new_available = new.map_or(0, |set| set.status.available);
        let scaled = self.scale_down_old(&mut active, new_available);
        if cleaned + scaled > 0 { Change::Made } else { Change::None }
    }

    /// `cleanupUnhealthyReplicas`: at most `most` old replicas that are not available go, of the
    /// oldest sets first. Returns how many; `None` where a set reports more available pods than it
    /// is to have, for its status is then out of date: nothing old is scaled down on its word.
    pub fn clean_up_unhealthy(&mut self, active: &mut [Held], most: i32) -> Option<i32> {
        active.sort_by(|a, b| by_creation(&a.set, &b.set));
        let mut total = 0;
        for held in active {
            if total >= most {
                break;
            }
            let unhealthy = held.set.replicas - held.set.status.available;
            if held.set.replicas == 0 || unhealthy == 0 {
                continue;
            }
            let down = unhealthy.min(most - total);
            if down < 0 {
                return None;
            }
            let size = held.set.replicas - down;
            self.resize(held, size, OnError::LeaveSets);
            held.set.replicas = size;
            total += down;
        }
        Some(total)
    }

    /// `scaleDownOldReplicaSetsForRollingUpdate`: as many old replicas go as are available beyond
    /// the least, of the oldest sets first. Returns how many.
    pub fn scale_down_old(&mut self, active: &mut [Held], new_available: i32) -> i32 {
        let least = self.deployment.replicas - max_unavailable(&self.deployment);
        let available: i32 = active.iter().map(|held| held.set.status.available).sum();
        let most = available + new_available - least;
        active.sort_by(|a, b| by_creation(&a.set, &b.set));
        let mut total = 0;
        for held in active {
            if total >= most {
                break;
            }
            if held.set.replicas == 0 {
                continue;
            }
            let down = held.set.replicas.min(most - total);
            let size = held.set.replicas - down;
            self.resize(held, size, OnError::LeaveSets);
            held.set.replicas = size;
            total += down;
        }
        total
    }

    /// `rolloutRecreate`.
    fn recreate(&mut self, sets: Vec<Held>) {
        let mut sets = self.tell_apart_and_note(sets);
        let active: Vec<Held> =
            sets.old.iter().filter(|held| held.set.replicas > 0).cloned().collect();
        if !active.is_empty() {
            for held in &active {
                self.resize(held, 0, OnError::Retry);
            }
            return self.rollout_status(&sets);
        }
        if old_pods_run(&sets) {
            return self.rollout_status(&sets);
        }
        if sets.new.is_none() {
            self.create(&mut sets);
        }
        if let Some(new) = &sets.new {
            let size = self.deployment.replicas;
            self.resize(new, size, OnError::Retry);
        }
        if is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up(&sets.old);
        }
        self.rollout_status(&sets);
    }

    /// `scale`: the Deployment's size changed, or it is paused.
    pub fn scale(&mut self, sets: &Sets) {
        let desired = self.deployment.replicas;
        if let Some(one) = active_or_latest(sets) {
            if one.set.replicas != desired {
                self.resize(one, desired, OnError::Retry);
            }
            return;
        }
        if self.is_saturated(sets.new.as_ref()) {
            for held in sets.old.iter().filter(|held| held.set.replicas > 0) {
                self.resize(held, 0, OnError::Retry);
            }
            return;
        }
        if matches!(self.deployment.strategy, Strategy::RollingUpdate { .. }) {
            self.scale_in_proportion(sets);
        }
    }

    fn scale_in_proportion(&mut self, sets: &Sets) {
        let all = sets.old.iter().chain(&sets.new);
        let mut active: Vec<&Held> = all.filter(|held| held.set.replicas > 0).collect();
        let total: i32 = active.iter().map(|held| held.set.replicas).sum();
        let desired = self.deployment.replicas;
        let allowed = if desired > 0 { desired + max_surge(&self.deployment) } else { 0 };
        let to_add = allowed - total;
        let by_size = |a: &&Held, b: &&Held| b.set.replicas.cmp(&a.set.replicas);
        if to_add > 0 {
            active.sort_by(|a, b| by_size(a, b).then_with(|| by_creation(&b.set, &a.set)));
        } else if to_add < 0 {
            active.sort_by(|a, b| by_size(a, b).then_with(|| by_creation(&a.set, &b.set)));
        }
        let mut added = 0;
        let mut sizes: Vec<i32> = Vec::with_capacity(active.len());
        for held in &active {
            let share = proportion(&held.set, &self.deployment, to_add, added);
            sizes.push(held.set.replicas + share);
            added += share;
        }
        if let Some(first) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (held, size) in active.into_iter().zip(sizes) {
            self.resize_and_note(held, size, OnError::Retry);
        }
    }

    /// `IsSaturated`: the new set alone is what was asked for, and available.
    fn is_saturated(&self, new: Option<&Held>) -> bool {
        let desired = self.deployment.replicas;
        new.is_some_and(|new| {
            new.set.replicas == desired
                && annotations::desired_replicas(&new.set) == Some(desired)
                && new.set.status.available == desired
        })
    }

    /// `scaleReplicaSetAndRecordEvent`: nothing happens where the size is right already.
    fn resize(&mut self, held: &Held, size: i32, on_error: OnError) -> Change {
        if held.set.replicas == size {
            return Change::None;
        }
        self.resize_and_note(held, size, on_error)
    }

    /// `scaleReplicaSet`: also where only the noted size is out of date.
    fn resize_and_note(&mut self, held: &Held, size: i32, on_error: OnError) -> Change {
        let resized = held.set.replicas != size;
        if !resized && !annotations::size_differs(&self.deployment, &held.set) {
            return Change::None;
        }
        let mut set = held.set.clone();
        set.replicas = size;
        annotations::note_size(&self.deployment, &mut set);
        let scaling = if resized { Scaling::Resized(held.set.replicas) } else { Scaling::Noted };
        self.plan.steps.push(Step::Update(held.id, Box::new(set), scaling, on_error));
        if resized { Change::Made } else { Change::None }
    }

    /// `cleanupDeployment`: old sets beyond the history limit go, lowest revision first.
    pub fn clean_up(&mut self, old: &[Held]) {
        let limit = self.deployment.revision_history_limit;
        if limit == i32::MAX {
            return;
        }
        let mut old: Vec<&Held> =
            old.iter().filter(|held| !held.set.meta.is_terminating()).collect();
        let beyond = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by(|a, b| {
            let revision = |held: &Held| annotations::revision(&held.set.meta);
            revision(a).cmp(&revision(b)).then_with(|| by_creation(&a.set, &b.set))
        });
        for held in old.into_iter().take(beyond) {
            let set = &held.set;
            let is_empty = set.status.replicas == 0 && set.replicas == 0;
            let is_seen = set.meta.generation <= set.status.observed_generation;
            if is_empty
                && is_seen
                && let Some(id) = held.id
            {
                self.plan.steps.push(Step::Delete(id));
            }
        }
    }

    /// `syncRolloutStatus`.
    pub fn rollout_status(&mut self, sets: &Sets) {
        let new = sets.new.as_ref().map(|held| &held.set);
        let next = status::rollout(&self.deployment, sets.all(), new, self.now);
        let next = self.as_counted(next);
        if next == self.deployment.status {
            self.plan.again = self.when_stuck();
            return;
        }
        self.deployment.status = next;
        self.write_status();
    }

    /// `syncDeploymentStatus`.
    fn plain_status(&mut self, sets: &Sets) {
        let new = sets.new.as_ref().map(|held| &held.set);
        let next = status::calculate(&self.deployment, sets.all(), new, self.now);
        let next = self.as_counted(next);
        if next != self.deployment.status {
            self.deployment.status = next;
            self.write_status();
        }
    }

    fn as_counted(&self, next: DeploymentStatus) -> DeploymentStatus {
        match self.terminating {
            TerminatingPods::Counted => next,
            TerminatingPods::LeftOut => DeploymentStatus { terminating: None, ..next },
        }
    }

    /// `requeueStuckDeployment`: when to look whether the deadline has passed.
    fn when_stuck(&self) -> Option<Again> {
        let d = &self.deployment;
        let held = d.status.progressing.as_ref()?;
        if !has_deadline(d) || is_complete(d, &d.status) || held.reason == status::TIMED_OUT {
            return None;
        }
        let second = SimDuration::from_secs(1);
        let after = (held.updated + deadline(d)).saturating_since(self.now);
        if after < second {
            return Some(Again::RateLimited);
        }
        Some(Again::After(after + second))
    }

    fn write_status(&mut self) {
        self.plan.steps.push(Step::Status(Box::new(self.deployment.clone())));
    }
}

/// `FindActiveOrLatest`: the only active set, or with none the newest; `None` where several are
/// active.
fn active_or_latest(sets: &Sets) -> Option<&Held> {
    let all = sets.old.iter().chain(&sets.new);
    let mut active = all.filter(|held| held.set.replicas > 0);
    match (active.next(), active.next()) {
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => None,
        (None, _) => {
            sets.new.as_ref().or_else(|| sets.old.iter().max_by(|a, b| by_creation(&a.set, &b.set)))
        }
    }
}

/// `oldPodsRunning`: some pod of an old template is not done, be it on its way out.
pub fn old_pods_run(sets: &Sets) -> bool {
    sets.old.iter().any(|held| held.set.status.replicas > 0 || held.running > 0)
}
