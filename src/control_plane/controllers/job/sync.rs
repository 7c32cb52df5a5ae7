//! One sync of a Job, request by request.

use std::sync::Arc;

use super::account::{Account, Acted, Flush, settle};
use super::assess::{Action, Assessment, CaughtUp, Creation, Given, assess};
use super::backoff::{Backoff, to_second};
use super::pods::{JobPod, base_name, untracking};
use super::{EXPECTED_MAX, Expected, Jobs};
use crate::api::job::{COMPLETION_INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, Job, TRACKING};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, Owner, Uid};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodStatus};
use crate::api::status::Status;
use crate::base::FastSet;
use crate::base::id::Id;
use crate::control_plane::controllers::batches::{Batches, Next};
use crate::control_plane::controllers::workqueue::{Job as Work, Outcome, Tag};
use crate::control_plane::controllers::{Known, Timer, is_namespace_ending, told};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Reply};
use crate::store::Rev;

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    work: Work<Job>,
    /// The Job and its revision as they were when the sync began.
    job: Box<Job>,
    rev: Rev,
    /// Its pods as they were then.
    pods: Vec<(Id<Pod>, Pod)>,
    untracked: FastSet<Uid>,
    caught_up: CaughtUp,
    /// Failures, remembered once what they came from is written.
    backoff: Backoff,
    found: Option<Box<Assessment>>,
    account: Option<Box<Account>>,
    step: Step,
    is_bad: Health,
}

/// Whether a call about pods went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Health {
    Good,
    Bad,
}

#[derive(Clone, Debug)]
enum Step {
    /// Batches of creations.
    Create { wanted: Vec<Creation>, batches: Batches },
    /// Deletions, all in flight; of those to be removed the finalizer goes first.
    Delete { pods: Vec<Id<Pod>>, answered: usize, acted: Acted },
    /// The first write of the status.
    Flush,
    /// Finalizers of counted pods, all in flight.
    Untrack { answered: usize },
    /// The last write of the status.
    Close,
}

/// The second call about a pod to be removed has this bit in its tag's index.
const SECOND: u16 = 1 << 15;

impl Task {
    fn pods(&self) -> Vec<JobPod<'_>> {
        self.pods.iter().map(|(id, pod)| (*id, pod)).collect()
    }

    fn tag(&self, index: u16) -> u64 {
        Tag::Sync(self.work.worker, self.work.serial, index).pack()
    }
}

impl Jobs {
    /// A worker begins to act on its Job.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(work) = self.queue.begin(worker, serial) else { return };
        fx.because(work.cause);
        let found = known.view.version(work.key);
        let Some((rev, job)) = found.filter(|(_, job)| !job.is_managed_elsewhere()) else {
            self.memory.remove(&work.key);
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if job.is_finished() {
            self.memory.remove(&work.key);
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let now = fx.now();
        let memory = self.memory.entry(work.key).or_default();
        memory.expected = memory.expected.filter(|it| it.since + EXPECTED_MAX >= now);
        let caught_up = match memory.expected {
            None => CaughtUp::Yes,
            Some(_) => CaughtUp::No,
        };
        let ids = known.index.owners.pods(job.meta.uid).iter();
        let pods: Vec<JobPod<'_>> = ids.filter_map(|&id| Some((id, known.view.get(id)?))).collect();
        let untracked = memory.untracked.clone();
        let backoff = memory.backoff;
        let given = Given { job, pods: &pods, untracked: &untracked, caught_up, backoff, now };
        let mut found = assess(given);
        if let Some(again) = found.again.take() {
            self.queue.add_after(work.key, again, fx);
        }
        let action = std::mem::replace(&mut found.action, Action::Rest);
        let mut task = Task {
            work,
            job: Box::new(job.clone()),
            rev,
            pods: Vec::new(),
            untracked: FastSet::default(),
            caught_up,
            backoff: found.backoff,
            found: None,
            account: None,
            step: Step::Flush,
            is_bad: Health::Good,
        };
        if matches!(&action, Action::Rest) || matches!(&action, Action::End(all) if all.is_empty())
        {
            task.account = Some(Box::new(settle(given, found, Acted::default())));
            return self.write(task, fx);
        }
        task.pods = pods.into_iter().map(|(id, pod)| (id, pod.clone())).collect();
        task.untracked = untracked;
        task.found = Some(Box::new(found));
        self.act(task, action, fx);
    }

    fn act(&mut self, mut task: Task, action: Action, fx: &mut Effects<Timer>) {
        let now = fx.now();
        let expect = |creations, deletions| Some(Expected { creations, deletions, since: now });
        let memory = self.memory.entry(task.work.key).or_default();
        match action {
            Action::Rest => {}
            Action::Create(wanted) => {
                memory.expected = expect(wanted.len(), 0);
                let batches = Batches::of(wanted.len());
                task.step = Step::Create { wanted, batches };
                self.create_batch(task, fx);
            }
            Action::Remove(pods) => {
                memory.expected = expect(0, pods.len());
                for (index, &pod) in (0..).zip(&pods) {
                    let held = task.pods.iter().find(|(id, _)| *id == pod);
                    let uid = held.map_or(Uid(0), |(_, pod)| pod.meta.uid);
                    memory.untracked.insert(uid);
                    let call = untracking(pod, uid);
                    fx.send(self.client, task.tag(index), call);
                }
                task.step = Step::Delete { pods, answered: 0, acted: Acted::default() };
                self.park(task);
            }
            Action::End(pods) => {
                for (index, &pod) in (0..).zip(&pods) {
                    fx.send(self.client, task.tag(index | SECOND), deletion(pod));
                }
                task.step = Step::Delete { pods, answered: 0, acted: Acted::default() };
                self.park(task);
            }
        }
    }

    fn park(&mut self, task: Task) {
        let worker = usize::from(task.work.worker);
        self.tasks[worker] = Some(task);
    }

    pub(super) fn sync_reply(
        &mut self,
        worker: u8,
        serial: u32,
        index: u16,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(mut task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.work.cause.max(fx.cause()));
        match std::mem::replace(&mut task.step, Step::Flush) {
            Step::Create { wanted, batches } => {
                task.step = Step::Create { wanted, batches };
                self.created(task, reply, known, fx);
            }
            Step::Delete { pods, answered, acted } => {
                task.step = Step::Delete { pods, answered, acted };
                self.deleted(task, index, reply, fx);
            }
            Step::Flush => self.flushed(task, reply, fx),
            Step::Untrack { answered } => self.untracked(task, answered + 1, index, reply, fx),
            Step::Close => self.closed(task, reply, fx),
        }
    }

    fn create_batch(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Step::Create { wanted, batches } = &task.step else { return };
        let tag = task.tag(0);
        for creation in &wanted[batches.batch()] {
            let pod = new_pod(&task.job, task.work.key, *creation);
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
        let Step::Create { batches, .. } = &mut task.step else { return };
        match &reply.result {
            Ok(done) => {
                self.events.record(Kind::Job, &task.job.meta, fx, || told::created(done.id, known));
            }
            Err(status) if is_namespace_ending(status) => {}
            Err(status) => {
                batches.fail();
                task.is_bad = Health::Bad;
                self.events.record(Kind::Job, &task.job.meta, fx, || told::not_created(status));
            }
        }
        match batches.answer() {
            Next::Wait => self.park(task),
            Next::Send => self.create_batch(task, fx),
            Next::Over => {
                let acted = Acted { created: batches.done() as i32, ..Acted::default() };
                let left = batches.left();
                if left > 0 {
                    self.not_coming(task.work.key, left, 0);
                }
                self.acted(task, acted, fx);
            }
        }
    }

    /// So many creations or deletions will not be seen.
    fn not_coming(&mut self, job: Id<Job>, creations: usize, deletions: usize) {
        let Some(memory) = self.memory.get_mut(&job) else { return };
        let Some(expected) = &mut memory.expected else { return };
        expected.creations = expected.creations.saturating_sub(creations);
        expected.deletions = expected.deletions.saturating_sub(deletions);
        if (expected.creations, expected.deletions) == (0, 0) {
            memory.expected = None;
        }
    }

    fn deleted(&mut self, mut task: Task, index: u16, reply: &Reply, fx: &mut Effects<Timer>) {
        let key = task.work.key;
        let tag = task.tag(index | SECOND);
        let Step::Delete { pods, answered, acted } = &mut task.step else { return };
        let Some(&pod) = pods.get(usize::from(index & !SECOND)) else { return self.park(task) };
        let held = task.pods.iter().find(|(id, _)| *id == pod).map(|(_, pod)| pod);
        if index & SECOND == 0 && reply.result.is_ok() {
            fx.send(self.client, tag, deletion(pod));
            return self.park(task);
        }
        *answered += 1;
        let is_gone = matches!(&reply.result, Ok(_) | Err(Status::NotFound(_)));
        if index & SECOND != 0 && is_gone {
            acted.deleted += 1;
            acted.deleted_ready += i32::from(held.is_some_and(Pod::is_ready));
            if let Some(held) = held {
                let name = &held.meta.name;
                self.events.record(Kind::Job, &task.job.meta, fx, || told::deleted(name));
            }
        } else {
            if let (Some(memory), Some(held)) = (self.memory.get_mut(&key), held)
                && index & SECOND == 0
            {
                memory.untracked.remove(&held.meta.uid);
            }
            task.is_bad = if is_gone { task.is_bad } else { Health::Bad };
            self.not_coming(key, 0, 1);
        }
        let Step::Delete { pods, answered, acted } = &task.step else { return };
        if *answered < pods.len() {
            return self.park(task);
        }
        let acted = *acted;
        self.acted(task, acted, fx);
    }

    /// Pods were made or taken away as far as they were: what is to be written is worked out.
    fn acted(&mut self, mut task: Task, acted: Acted, fx: &mut Effects<Timer>) {
        let Some(found) = task.found.take() else {
            return self.queue.finish(task.work.worker, Outcome::Failed, fx);
        };
        let account = {
            let pods = task.pods();
            let Task { job, untracked, caught_up, backoff, .. } = &task;
            let (caught_up, backoff, now) = (*caught_up, *backoff, fx.now());
            settle(Given { job, pods: &pods, untracked, caught_up, backoff, now }, *found, acted)
        };
        task.account = Some(Box::new(account));
        self.write(task, fx);
    }

    fn write(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        let Some(account) = &task.account else { return };
        if account.flush == Flush::Not {
            return self.untrack(task, fx);
        }
        task.step = Step::Flush;
        self.send_status(task, fx);
    }

    fn send_status(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Some(account) = &task.account else { return };
        let mut next = task.job.clone();
        next.status = account.status.clone();
        round(&mut next);
        let (id, base, part) = (task.work.key.into(), Some(task.rev), Part::Status);
        let call = Call::Update { id, object: Object::Job(next), base, part };
        fx.send(self.client, task.tag(0), call);
        self.park(task);
    }

    fn refused(&mut self, task: &Task, status: &Status, fx: &mut Effects<Timer>) {
        let outcome = match status {
            Status::NotFound(_) => Outcome::Done,
            _ => Outcome::Failed,
        };
        self.queue.finish(task.work.worker, outcome, fx);
    }

    fn flushed(&mut self, mut task: Task, reply: &Reply, fx: &mut Effects<Timer>) {
        match &reply.result {
            Ok(done) => {
                task.rev = done.rev;
                self.memory.entry(task.work.key).or_default().backoff = task.backoff;
                self.tell(&task, fx);
                if let Some(account) = &mut task.account {
                    account.news = None;
                }
                self.untrack(task, fx);
            }
            Err(status) => self.refused(&task, status, fx),
        }
    }

    fn untrack(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        let Some(account) = &task.account else { return };
        if account.untrack.is_empty() {
            return self.close(task, fx);
        }
        let memory = self.memory.entry(task.work.key).or_default();
        for (index, &(pod, uid)) in (0..).zip(&account.untrack) {
            memory.untracked.insert(uid);
            let call = untracking(pod, uid);
            fx.send(self.client, task.tag(index), call);
        }
        task.step = Step::Untrack { answered: 0 };
        self.park(task);
    }

    fn untracked(
        &mut self,
        mut task: Task,
        answered: usize,
        index: u16,
        reply: &Reply,
        fx: &mut Effects<Timer>,
    ) {
        let Some(account) = &mut task.account else { return };
        if let Some(&(_, uid)) = account.untrack.get(usize::from(index)) {
            match &reply.result {
                Ok(_) => account.untracked(uid),
                Err(status) => {
                    if let Some(memory) = self.memory.get_mut(&task.work.key) {
                        memory.untracked.remove(&uid);
                    }
                    match status {
                        Status::NotFound(_) => account.untracked(uid),
                        _ => task.is_bad = Health::Bad,
                    }
                }
            }
        }
        if answered < account.untrack.len() {
            task.step = Step::Untrack { answered };
            return self.park(task);
        }
        self.close(task, fx);
    }

    fn close(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        let Some(account) = &mut task.account else { return };
        match account.close(fx.now()) {
            Flush::Not => self.conclude(&task, fx),
            Flush::Needed => {
                task.step = Step::Close;
                self.send_status(task, fx);
            }
        }
    }

    fn closed(&mut self, task: Task, reply: &Reply, fx: &mut Effects<Timer>) {
        match &reply.result {
            Ok(_) => {
                self.tell(&task, fx);
                self.conclude(&task, fx);
            }
            Err(status) => self.refused(&task, status, fx),
        }
    }

    /// What the status that was written has to tell.
    fn tell(&mut self, task: &Task, fx: &mut Effects<Timer>) {
        let Some(account) = &task.account else { return };
        if let Some(news) = account.news {
            self.events.record(Kind::Job, &task.job.meta, fx, || news.remark(&account.status));
        }
    }

    fn conclude(&mut self, task: &Task, fx: &mut Effects<Timer>) {
        let outcome = match task.is_bad {
            Health::Good => Outcome::Done,
            Health::Bad => Outcome::Failed,
        };
        self.queue.finish(task.work.worker, outcome, fx);
    }
}

fn deletion(pod: Id<Pod>) -> Call {
    Call::Delete {
        kind: Kind::Pod,
        id: pod.into(),
        uid: None,
        grace_seconds: None,
        propagation: Propagation::Background,
    }
}

/// Instants as the API keeps them.
fn round(job: &mut Job) {
    job.status.start = job.status.start.map(to_second);
}

/// A pod of the Job, to be stored.
fn new_pod(job: &Job, id: Id<Job>, creation: Creation) -> Pod {
    let base: Text = base_name(&job.meta.name.to_string(), creation.index).into();
    let mut meta = Meta::new(job.meta.namespace.clone(), Name::new(base));
    meta.owner = Some(Owner { kind: Kind::Job, uid: job.meta.uid, at: id.into() });
    let template = &job.spec.template;
    meta.rare = template.rare.clone();
    meta.add_finalizer(TRACKING);
    meta.labels = job.pod_labels.clone();
    meta.annotations = template.annotations.clone();
    if let Some(index) = creation.index {
        let index: Text = index.to_string().into();
        let mut labels = Labels::clone(&meta.labels);
        labels.insert(COMPLETION_INDEX.into(), index.clone());
        meta.labels = Arc::new(labels);
        meta.annotate(COMPLETION_INDEX, &index);
    }
    if let Some((counted, ignored)) = creation.failures {
        meta.annotate(INDEX_FAILURES, &counted.to_string());
        if ignored > 0 {
            meta.annotate(INDEX_IGNORED_FAILURES, &ignored.to_string());
        }
    }
    Pod { meta, spec: template.spec.clone(), node: None, status: PodStatus::default() }
}
