//! One sync of a CronJob, request by request.

use std::sync::Arc;

use jiff::Timestamp;

use super::plan::{Child, Clock, Plan, job_name, oldest, plan, unlisted};
use super::schedule::Clocked;
use super::{CronJobs, last};
use crate::api::cron_job::{ActiveJob, Concurrency, CronJob, SCHEDULED_AT};
use crate::api::job::{Job, JobStatus};
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner, RawId, Uid};
use crate::api::name::Name;
use crate::api::object::Object;
use crate::api::status::Status;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::control_plane::controllers::workqueue::{Job as Work, Outcome, Tag};
use crate::control_plane::controllers::{Known, Timer, is_namespace_ending};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Remark, Reply};
use crate::store::Rev;
use crate::time::SimDuration;

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    work: Work<CronJob>,
    /// The CronJob and its revision as they were when the sync began.
    cron: Box<CronJob>,
    rev: Rev,
    plan: Plan,
    step: Step,
    /// How the sync ends once its status is written.
    ends: Outcome,
}

#[derive(Clone, Debug)]
enum Step {
    /// Jobs to be deleted, the first in flight, and why.
    Delete(Vec<(RawId, Uid, Name)>, Reason),
    /// The Job that is started.
    Create(Box<Job>),
    /// The write of the status.
    Status,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// There are enough finished ones.
    History,
    /// Another one takes its place.
    Replaced,
}

impl CronJobs {
    /// A worker begins to act on its CronJob.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(work) = self.queue.begin(worker, serial) else { return };
        fx.because(work.cause);
        let Some((mut rev, mut cron)) = known.view.version(work.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let seen = cron;
        let ids = known.index.owners.jobs(cron.meta.uid).iter();
        let children: Vec<Child<'_>> =
            ids.filter_map(|&id| Some((id, known.view.get(id)?))).collect();
        // Before a Job counts as somebody else's, the CronJob is read past the caches.
        if unlisted(cron, &children).is_some_and(|uid| {
            let read = known.view.read(work.key);
            read.is_some_and(|(_, read)| read.status.active.iter().any(|it| it.uid == uid))
        }) {
            (rev, cron) = known.view.read(work.key).unwrap_or((rev, cron));
        }
        let calendar = self.calendar;
        let (last, now) = (last(cron, calendar), calendar.at(fx.now()));
        let clock = Clock { schedule: self.schedule(work.key, seen, work.cause), last, now };
        let namespace = &cron.meta.namespace;
        let is_there =
            |job: &ActiveJob| known.view.find::<Job>(namespace, &job.name.to_string()).is_some();
        let mut plan = plan(cron, &children, is_there, clock);
        // Events cost their client's tokens: one each.
        for warning in plan.said.drain(..) {
            self.events.record(Kind::CronJob, &cron.meta, fx, || warning.remark(cron));
        }
        let of = |is: fn(&Job) -> bool, kept: Option<u32>| {
            let finished = || children.iter().filter(|(_, job)| is(job)).copied();
            match kept.is_none_or(|kept| finished().count() <= kept as usize) {
                true => Vec::new(),
                false => oldest(finished().collect(), kept),
            }
        };
        let spec = &cron.spec;
        let mut beyond = of(Job::is_complete, spec.successful_kept);
        beyond.extend(of(Job::has_failed, spec.failed_kept));
        let beyond = beyond.into_iter().filter(|(_, job)| !job.meta.is_terminating());
        let beyond: Vec<_> =
            beyond.map(|(id, job)| (id.into(), job.meta.uid, job.meta.name.clone())).collect();
        if beyond.is_empty() && plan.start.is_none() && plan.status == cron.status {
            self.come_back(work.key, &plan, fx);
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let step = Step::Delete(beyond, Reason::History);
        let cron = Box::new(cron.clone());
        let task = Task { work, cron, rev, plan, step, ends: Outcome::Done };
        self.next_deletion(task, fx);
    }

    fn come_back(&mut self, key: Id<CronJob>, plan: &Plan, fx: &mut Effects<Timer>) {
        if let Some(span) = plan.again {
            let nanos = u64::try_from(span.as_nanos()).unwrap_or(0);
            let here = fx.cause();
            fx.because(self.read.get(&key).map_or(here, |read| read.cause));
            self.queue.add_after(key, SimDuration::from_nanos(nanos), fx);
            fx.because(here);
        }
    }

    fn park(&mut self, task: Task) {
        let worker = usize::from(task.work.worker);
        self.tasks[worker] = Some(task);
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.work.cause.max(fx.cause()));
        match &task.step {
            Step::Delete(..) => self.deleted(task, reply, fx),
            Step::Create(_) => self.created(task, reply, known, fx),
            Step::Status => self.written(task, reply, fx),
        }
    }

    fn next_deletion(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Step::Delete(line, reason) = &task.step else { return };
        let Some(&(id, uid, _)) = line.first() else {
            return match reason {
                Reason::History => self.replace(task, fx),
                Reason::Replaced => self.create(task, fx),
            };
        };
        let call = Call::Delete {
            kind: Kind::Job,
            id,
            uid: Some(uid),
            grace_seconds: None,
            propagation: Propagation::Background,
        };
        fx.send(self.client, Tag::Sync(task.work.worker, task.work.serial, 0).pack(), call);
        self.park(task);
    }

    fn deleted(&mut self, mut task: Task, reply: &Reply, fx: &mut Effects<Timer>) {
        let Step::Delete(line, reason) = &mut task.step else { return };
        let (_, uid, name) = line.remove(0);
        self.events.record(Kind::CronJob, &task.cron.meta, fx, || match &reply.result {
            Ok(_) => Remark::normal("SuccessfulDelete", format!("Deleted job {name}")),
            Err(why) => Remark::warning("FailedDelete", format!("Deleted job: {why}")),
        });
        match (&reply.result, reason) {
            (Ok(_) | Err(Status::NotFound(_)), _) => {
                task.plan.status.active.retain(|it| it.uid != uid);
            }
            // History is looked at again with the next event.
            (Err(_), Reason::History) => {}
            (Err(_), Reason::Replaced) => return self.fail(task, fx),
        }
        self.next_deletion(task, fx);
    }

    /// Running Jobs make room for the next one, if they are to.
    fn replace(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        let replaces = task.cron.spec.concurrency == Concurrency::Replace;
        let active = match task.plan.start {
            Some(_) if replaces => &task.plan.status.active[..],
            _ => &[],
        };
        let line = active.iter().map(|it| (it.at, it.uid, it.name.clone())).collect();
        task.step = Step::Delete(line, Reason::Replaced);
        self.next_deletion(task, fx);
    }

    fn create(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        let Some(at) = task.plan.start else { return self.write(task, fx) };
        let schedule = self.schedule(task.work.key, &task.cron, task.work.cause);
        let job = new_job(&task.cron, task.work.key, at, schedule.as_ref().ok());
        let call = Call::Create(Object::Job(Box::new(job.clone())));
        fx.send(self.client, Tag::Sync(task.work.worker, task.work.serial, 0).pack(), call);
        task.step = Step::Create(Box::new(job));
        self.park(task);
    }

    fn created(
        &mut self,
        mut task: Task,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Create(job) = &task.step else { return };
        let (mut uid, name) = (job.meta.uid, job.meta.name.clone());
        let (at, rev) = match &reply.result {
            Ok(done) => {
                self.events.record(Kind::CronJob, &task.cron.meta, fx, || {
                    Remark::normal("SuccessfulCreate", format!("Created job {name}"))
                });
                (done.id, Some(done.rev))
            }
            Err(Status::AlreadyExists(_)) => {
                // Started before, and not noted; or somebody else's.
                let id = known.view.find::<Job>(&job.meta.namespace, &name.to_string());
                let held = id.and_then(|id| Some((id, known.view.get(id)?)));
                let Some((id, held)) = held else { return self.fail(task, fx) };
                let is_listed = task.plan.status.active.iter().any(|it| it.uid == held.meta.uid);
                if !held.meta.is_owned_by(task.cron.meta.uid) || is_listed {
                    // Nothing is looked at again until something happens to the CronJob or a Job of it.
                    task.plan.again = None;
                    return self.write(task, fx);
                }
                uid = held.meta.uid;
                (id.into(), known.view.version(id).map(|(rev, _)| rev))
            }
            Err(status) if is_namespace_ending(status) => return self.fail(task, fx),
            Err(why) => {
                self.events.record(Kind::CronJob, &task.cron.meta, fx, || {
                    Remark::warning("FailedCreate", format!("Error creating job: {why}"))
                });
                return self.fail(task, fx);
            }
        };
        task.plan.status.active.push(ActiveJob { uid, name, at, version: rev.map(|it| it.0) });
        task.plan.status.last_schedule = task.plan.start.map(|start| self.calendar.of(start));
        self.write(task, fx);
    }

    /// What the sync has found out is written all the same.
    fn fail(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        task.ends = Outcome::Failed;
        task.plan.again = None;
        self.write(task, fx);
    }

    fn write(&mut self, mut task: Task, fx: &mut Effects<Timer>) {
        if task.plan.status == task.cron.status {
            self.come_back(task.work.key, &task.plan, fx);
            return self.queue.finish(task.work.worker, task.ends, fx);
        }
        let mut next = task.cron.clone();
        next.status = task.plan.status.clone();
        let object = Object::CronJob(next);
        let base = Some(task.rev);
        let call = Call::Update { id: task.work.key.into(), object, base, part: Part::Status };
        fx.send(self.client, Tag::Sync(task.work.worker, task.work.serial, 0).pack(), call);
        task.step = Step::Status;
        self.park(task);
    }

    fn written(&mut self, task: Task, reply: &Reply, fx: &mut Effects<Timer>) {
        let outcome = match &reply.result {
            Ok(_) => {
                self.come_back(task.work.key, &task.plan, fx);
                task.ends
            }
            Err(Status::NotFound(_)) => Outcome::Done,
            Err(_) => Outcome::Failed,
        };
        self.queue.finish(task.work.worker, outcome, fx);
    }
}

/// The Job for a start (`getJobFromTemplate2`). Its uid follows from the CronJob's and the start.
fn new_job(cron: &CronJob, id: Id<CronJob>, at: Timestamp, schedule: Option<&Clocked>) -> Job {
    let template = &cron.spec.template;
    let name = job_name(&cron.meta.name.to_string(), at);
    let mut meta = Meta::new(cron.meta.namespace.clone(), Name::new(name));
    let hasher = StableHasher::new().text("cron").word(cron.meta.uid.0);
    meta.uid = Uid(hasher.signed(at.as_second()).finish());
    meta.owner = Some(Owner { kind: Kind::CronJob, uid: cron.meta.uid, at: id.into() });
    // A Job without labels of its own gets those of its pods.
    meta.labels = match template.labels.is_empty() {
        true => template.spec.template.labels.clone(),
        false => template.labels.clone(),
    };
    meta.annotations = template.annotations.clone();
    let zone = schedule.map(|it| it.zone().clone()).filter(|_| cron.spec.time_zone.is_some());
    let stamp = match zone {
        Some(zone) => at.display_with_offset(zone.to_offset(at)).to_string(),
        None => at.to_string(),
    };
    meta.annotate(SCHEDULED_AT, &stamp);
    let (spec, pod_labels) = (template.spec.clone(), Arc::default());
    Job { meta, spec, pod_labels, status: JobStatus::default() }
}
