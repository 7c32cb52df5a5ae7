//! One sync of a StatefulSet, step by step.

use std::collections::VecDeque;
use std::sync::Arc;

use super::StatefulSets;
use super::identity;
use super::plan::{Act, Because, Member, Revision, Scene, completed, plan};
use super::writes::{What, Whose, Write, claims_of, writes};
use crate::api::controller_revision::ControllerRevision;
use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodTemplate};
use crate::api::stateful_set::{StatefulSet, StatefulSetStatus};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::control_plane::controllers::claims::{self, Claim};
use crate::control_plane::controllers::history::{self, Held, Revised, Revising};
use crate::control_plane::controllers::own_writes::Written;
use crate::control_plane::controllers::replica_set::next_availability;
use crate::control_plane::controllers::workqueue::{Job, Outcome, Tag};
use crate::control_plane::controllers::{Known, Timer};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Reply};
use crate::store::Rev;

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    job: Job<StatefulSet>,
    /// The set and its revision as they were when the sync began.
    set: Box<StatefulSet>,
    rev: Rev,
    /// The status as counted, and by deletions since.
    status: StatefulSetStatus,
    /// The templates of its current and its update revision.
    templates: [Arc<PodTemplate>; 2],
    step: Step,
    fate: Outcome,
}

#[derive(Clone, Debug)]
enum Step {
    /// Pods and revisions to adopt or release, the one in flight first.
    Claim(VecDeque<Claim>),
    /// The revision is created or renumbered.
    Revise(Box<ControllerRevision>),
    /// What is done at once, each pod's calls one after the other, and what comes then.
    Batch { running: Vec<VecDeque<Write>>, left: usize, next: VecDeque<Vec<Act>> },
    /// The write of the status; how often it was refused.
    Status(u8),
    /// Old revisions to delete, the one in flight first.
    Truncate(VecDeque<Id<ControllerRevision>>),
}

impl StatefulSets {
    /// A worker begins to act on its key.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, set)) = known.view.version(job.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if !self.written.are_seen(job.key, known) {
            return self.queue.finish(worker, Outcome::Failed, fx);
        }
        if set.selector.is_empty() {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let owner = Owner { kind: Kind::StatefulSet, uid: set.meta.uid, at: job.key.into() };
        let is_member = |pod: &Pod| identity::ordinal(set, pod).is_some();
        let claims = claims::all(owner, &set.meta, &set.selector, is_member, known);
        let templates = [set.template.clone(), set.template.clone()];
        let status = set.status.clone();
        let step = Step::Claim(claims.into());
        let set = Box::new(set.clone());
        let task = Task { job, set, rev, status, templates, step, fate: Outcome::Done };
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
        let Some(mut task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        match std::mem::replace(&mut task.step, Step::Status(0)) {
            Step::Claim(mut claims) => {
                let claim = claims.pop_front();
                task.step = Step::Claim(claims);
                match &reply.result {
                    Ok(done) => {
                        let what = claim.map_or(Written::Pod, |claim| claim.what());
                        self.written.note(task.job.key, what, done.rev);
                        self.next_claim(task, known, fx);
                    }
                    Err(Status::NotFound(_)) => self.next_claim(task, known, fx),
                    Err(_) => self.finish(&task, Outcome::Failed, fx),
                }
            }
            Step::Revise(revision) => self.revised(task, &revision, reply, known, fx),
            step @ Step::Batch { .. } => {
                self.answered(task, step, usize::from(index), reply, known, fx);
            }
            Step::Status(tries) => self.status_written(task, tries, reply, known, fx),
            Step::Truncate(mut old) => {
                old.pop_front();
                match &reply.result {
                    Ok(_) | Err(Status::NotFound(_)) => {}
                    Err(_) => return self.finish(&task, Outcome::Failed, fx),
                }
                self.truncate(task, old, fx);
            }
        }
    }

    fn send(&mut self, task: &Task, index: usize, call: Call, fx: &mut Effects<Timer>) {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let tag = Tag::Sync(task.job.worker, task.job.serial, index).pack();
        fx.send(self.client, tag, call);
    }

    fn park(&mut self, task: Task) {
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    fn finish(&mut self, task: &Task, outcome: Outcome, fx: &mut Effects<Timer>) {
        self.queue.finish(task.job.worker, outcome, fx);
    }

    fn next_claim(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Step::Claim(claims) = &mut task.step else { return };
        while let Some(claim) = claims.front() {
            if let Some(call) = claim.call(known) {
                self.send(&task, 0, call, fx);
                return self.park(task);
            }
            claims.pop_front();
        }
        self.revise(task, known, fx);
    }

    fn revise(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let (set, owner) = (&task.set, owner_of(&task));
        let collisions = task.status.collision_count;
        let held = revisions(set, known);
        match history::revising((&set.meta, owner), &held, &set.template, collisions, known) {
            Revising::Is(one) => {
                let name = one.meta.name.to_string();
                self.act(task, &name, known, fx);
            }
            Revising::Write(next, call) => {
                task.step = Step::Revise(next);
                self.send(&task, 0, call, fx);
                self.park(task);
            }
        }
    }

    fn revised(
        &mut self,
        mut task: Task,
        revision: &ControllerRevision,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if let Ok(done) = &reply.result {
            self.written.note(task.job.key, Written::Revision, done.rev);
        }
        match history::revised(revision, &task.set.template, reply, known) {
            Revised::Is(one) => {
                let name = one.meta.name.to_string();
                self.act(task, &name, known, fx);
            }
            // Another goes by this name: the next try goes by the next one, at once.
            Revised::Taken => {
                task.status.collision_count += 1;
                self.revise(task, known, fx);
            }
            Revised::Over(outcome) => self.finish(&task, outcome, fx),
        }
    }

    /// `updateStatefulSet`, with `update` as the revision to get to.
    fn act(&mut self, mut task: Task, update: &str, known: Known<'_>, fx: &mut Effects<Timer>) {
        let held = revisions(&task.set, known);
        let current = &*task.set.status.current_revision;
        let found = held.iter().find(|one| one.revision.meta.name == *current);
        let (name, template) = match found {
            Some(one) => (current, one.revision.template.clone()),
            None => (update, task.set.template.clone()),
        };
        let (name, update): (Text, Text) = (name.into(), update.into());
        task.templates = [template, task.set.template.clone()];
        let set = &*task.set;
        let whose = Whose { set, owner: owner_of(&task) };
        let members = members(set, known);
        let claims = |ordinal: i32| {
            let at = members.binary_search_by_key(&ordinal, |one| one.ordinal);
            let pod = at.ok().map(|at| members[at]);
            let pod =
                pod.map(|one| Owner { kind: Kind::Pod, uid: one.pod.meta.uid, at: one.id.into() });
            claims_of(whose, ordinal, pod, known)
        };
        let scene = Scene {
            set,
            members: members.clone(),
            current: &name,
            update: &update,
            max_unavailable: self.max_unavailable,
            claims: &claims,
            now: fx.now(),
        };
        let plan = plan(&scene);
        let collision_count = task.status.collision_count;
        task.status = StatefulSetStatus { collision_count, ..plan.status };
        self.next_batch(task, plan.batches.into(), known, fx);
    }

    fn next_batch(
        &mut self,
        mut task: Task,
        mut next: VecDeque<Vec<Act>>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        while let Some(acts) = next.pop_front() {
            let whose = Whose { set: &task.set, owner: owner_of(&task) };
            let of = |act: &Act| match act {
                Act::Create(_, Revision::Current) => {
                    (&*task.templates[0], &*task.status.current_revision)
                }
                _ => (&*task.templates[1], &*task.status.update_revision),
            };
            let running = acts.iter().map(|act| writes(*act, whose, of(act), known));
            let running: Vec<VecDeque<Write>> = running.filter(|one| !one.is_empty()).collect();
            if running.is_empty() {
                continue;
            }
            let first: Vec<Call> =
                running.iter().filter_map(|one| Some(one.front()?.call.clone())).collect();
            task.step = Step::Batch { left: running.len(), running, next };
            for (index, call) in first.into_iter().enumerate() {
                self.send(&task, index, call, fx);
            }
            return self.park(task);
        }
        self.write_status(task, 0, known, fx);
    }

    fn answered(
        &mut self,
        mut task: Task,
        step: Step,
        index: usize,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Batch { mut running, mut left, next } = step else { return };
        let Some(write) = running.get_mut(index).and_then(VecDeque::pop_front) else {
            task.step = Step::Batch { running, left, next };
            return self.park(task);
        };
        let writes = &mut running[index];
        if !self.went_well(&mut task, &write, reply, fx) {
            writes.clear();
        }
        if let Some(following) = writes.front() {
            let call = following.call.clone();
            self.send(&task, index, call, fx);
        } else {
            left -= 1;
        }
        if left > 0 {
            task.step = Step::Batch { running, left, next };
            return self.park(task);
        }
        match task.fate {
            Outcome::Done => self.next_batch(task, next, known, fx),
            Outcome::Failed => self.write_status(task, 0, known, fx),
        }
    }

    /// Takes note of an answer; returns whether the next call of its pod may follow.
    fn went_well(
        &mut self,
        task: &mut Task,
        write: &Write,
        reply: &Reply,
        fx: &mut Effects<Timer>,
    ) -> bool {
        let what = write.what;
        let is_pod = matches!(what, What::Pod | What::Deletion(_));
        if let (Ok(done), true) = (&reply.result, is_pod) {
            self.written.note(task.job.key, Written::Pod, done.rev);
        }
        let is_fine = match (&reply.result, what) {
            (Ok(_), _)
            | (Err(Status::AlreadyExists(_)), What::Claim)
            | (Err(Status::NotFound(_)), What::Deletion(_)) => true,
            (Err(_), _) => false,
        };
        if what == What::Deletion(Because::Old) && is_fine {
            task.status.current -= 1;
        }
        if !is_fine {
            task.fate = Outcome::Failed;
        }
        let is_silent = what == What::Change
            || matches!(&reply.result, Err(Status::AlreadyExists(_) | Status::NotFound(_)));
        if !is_silent {
            let result = reply.result.as_ref().map(drop);
            let meta = &task.set.meta;
            self.events.record(Kind::StatefulSet, meta, fx, || write.remark(&meta.name, result));
        }
        is_fine
    }

    fn write_status(
        &mut self,
        mut task: Task,
        tries: u8,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if tries == 0 {
            task.status = completed(&task.set, task.status);
        }
        if task.status == task.set.status {
            return self.conclude(task, known, fx);
        }
        let next = Box::new(StatefulSet { status: task.status.clone(), ..(*task.set).clone() });
        // Later tries are on the newest version, read anew.
        let base = (tries == 0).then_some(task.rev);
        let object = Object::StatefulSet(next);
        let call = Call::Update { id: task.job.key.into(), object, base, part: Part::Status };
        task.step = Step::Status(tries);
        self.send(&task, 0, call, fx);
        self.park(task);
    }

    fn status_written(
        &mut self,
        mut task: Task,
        tries: u8,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match &reply.result {
            Ok(done) => self.written.note(task.job.key, Written::Own, done.rev),
            Err(Status::Conflict(_)) if tries == 0 => {
                return self.write_status(task, 1, known, fx);
            }
            Err(Status::NotFound(_)) => return self.finish(&task, Outcome::Done, fx),
            Err(_) => task.fate = Outcome::Failed,
        }
        self.conclude(task, known, fx);
    }

    /// `truncateHistory`, and when to come back.
    fn conclude(&mut self, task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let set = &task.set;
        let members = members(set, known);
        let min_ready = set.min_ready_seconds;
        if min_ready > 0
            && let Some(wait) =
                next_availability(members.iter().map(|one| one.pod), min_ready, fx.now())
        {
            self.queue.add_after(task.job.key, wait, fx);
        }
        let held = revisions(set, known);
        let status = &task.status;
        let is_live = |one: &ControllerRevision| {
            let name = one.meta.name.to_string();
            [&*status.current_revision, &*status.update_revision].contains(&&*name)
                || members.iter().any(|one| identity::revision(one.pod) == name)
        };
        let old = history::surplus(&held, set.revision_history_limit, is_live);
        self.truncate(task, old.into(), fx);
    }

    fn truncate(
        &mut self,
        mut task: Task,
        old: VecDeque<Id<ControllerRevision>>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(&id) = old.front() else {
            let fate = task.fate;
            return self.finish(&task, fate, fx);
        };
        let call = Call::Delete {
            kind: Kind::ControllerRevision,
            id: id.into(),
            uid: None,
            grace_seconds: None,
            propagation: Propagation::Background,
        };
        task.step = Step::Truncate(old);
        self.send(&task, 0, call, fx);
        self.park(task);
    }
}

fn revisions<'a>(set: &StatefulSet, known: Known<'a>) -> Vec<Held<'a>> {
    history::listed((set.meta.uid, &set.meta.namespace), &set.selector, known)
}

fn owner_of(task: &Task) -> Owner {
    Owner { kind: Kind::StatefulSet, uid: task.set.meta.uid, at: task.job.key.into() }
}

/// The set's pods.
fn members<'a>(set: &StatefulSet, known: Known<'a>) -> Vec<Member<'a>> {
    let ids = known.index.owned.pods(set.meta.uid).iter();
    let pods = ids.filter_map(|&id| Some((id, known.view.get(id)?)));
    let pods = pods.filter(|(_, pod)| set.selector.matches(&pod.meta.labels));
    let members = pods.filter_map(|(id, pod)| {
        let ordinal = identity::ordinal(set, pod)?;
        Some(Member { id, pod, ordinal })
    });
    let mut members: Vec<Member<'a>> = members.collect();
    members.sort_by_key(|one| one.ordinal);
    members
}
