//! What one sync of a CronJob is to do: pure rules (`syncCronJob`, `cleanupFinishedJobs`,
//! kube-controller-manager 1.36 pkg/controller/cronjob/cronjob_controllerv2.go).

use jiff::{SignedDuration, Timestamp};

use super::schedule::{Clocked, Missed, NeverFires, Unusable, due, next_look};
use crate::api::cron::NotASchedule;
use crate::api::cron_job::{Concurrency, CronJob, CronJobStatus};
use crate::api::job::{Activity, Job, JobConditionKind};
use crate::api::meta::Uid;
use crate::api::name::Name;
use crate::base::id::Id;
use crate::messages::Remark;

/// A Job of the CronJob.
pub type Child<'a> = (Id<Job>, &'a Job);

/// Something a sync tells of, in an Event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// `UnknownTimeZone`.
    UnknownTimeZone,
    /// `UnparseableSchedule`, and why.
    UnparseableSchedule(NotASchedule),
    /// `InvalidSchedule`: it never fires.
    InvalidSchedule,
    /// `UnsupportedSchedule`: the zone stands in the schedule.
    UnsupportedSchedule,
    /// `TooManyMissedTimes`.
    TooManyMissedTimes,
    /// `MissSchedule`: the start comes too late.
    MissSchedule(Timestamp),
    /// `UnexpectedJob`: it was not started here.
    UnexpectedJob(Name),
    /// `MissingJob`: it was deleted by somebody else.
    MissingJob(Name),
    /// `SawCompletedJob`, and how it ended.
    SawCompletedJob(Name, JobConditionKind),
    /// `JobAlreadyActive`: it is forbidden to run two.
    JobAlreadyActive,
}

impl Warning {
    /// The words of it.
    pub fn remark(&self, cron: &CronJob) -> Remark {
        let schedule = &cron.spec.schedule;
        match self {
            Warning::UnknownTimeZone => {
                let zone = cron.spec.time_zone.as_deref().unwrap_or_default();
                let what = format!("invalid timeZone: \"{zone}\": unknown time zone {zone}");
                Remark::warning("UnknownTimeZone", what)
            }
            Warning::UnparseableSchedule(why) => {
                let what = format!("unparseable schedule: \"{schedule}\" : {why}");
                Remark::warning("UnparseableSchedule", what)
            }
            Warning::InvalidSchedule => {
                let why = "time difference between two schedules is less than 1 second";
                let what = format!("invalid schedule: {schedule} : {why}");
                Remark::warning("InvalidSchedule", what)
            }
            Warning::UnsupportedSchedule => {
                let what = format!(
                    "CRON_TZ or TZ used in schedule \"{schedule}\" is not officially supported, \
                     see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for \
                     more details"
                );
                Remark::warning("UnsupportedSchedule", what)
            }
            Warning::TooManyMissedTimes => Remark::warning(
                "TooManyMissedTimes",
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or \
                 check clock skew",
            ),
            Warning::MissSchedule(at) => {
                let at = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
                let what = format!("Missed scheduled time to start a job: {at}");
                Remark::warning("MissSchedule", what)
            }
            Warning::UnexpectedJob(job) => {
                let what = "Saw a job that the controller did not create or forgot";
                Remark::warning("UnexpectedJob", format!("{what}: {job}"))
            }
            Warning::MissingJob(job) => {
                Remark::normal("MissingJob", format!("Active job went missing: {job}"))
            }
            Warning::SawCompletedJob(job, end) => {
                let what = format!("Saw completed job: {job}, condition: {}", end.name());
                Remark::normal("SawCompletedJob", what)
            }
            Warning::JobAlreadyActive => Remark::normal(
                "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is \
                 Forbid",
            ),
        }
    }
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The status, the start not counted in.
    pub status: CronJobStatus,
    /// The start that is due.
    pub start: Option<Timestamp>,
    /// Come back after so long.
    pub again: Option<SignedDuration>,
    /// What an Event tells.
    pub said: Vec<Warning>,
}

/// How the clock of a CronJob stands.
pub struct Clock<'a> {
    /// Its schedule.
    pub schedule: &'a mut Result<Clocked, Unusable>,
    /// Its last start, or when it was made.
    pub last: Timestamp,
    /// The instant.
    pub now: Timestamp,
}

/// Finished Jobs beyond `kept`, those that started first before others (`removeOldestJobs`).
pub fn oldest<'a>(mut finished: Vec<Child<'a>>, kept: Option<u32>) -> Vec<Child<'a>> {
    let Some(kept) = kept.and_then(|kept| usize::try_from(kept).ok()) else { return Vec::new() };
    let beyond = finished.len().saturating_sub(kept);
    finished.sort_by(|(_, a), (_, b)| {
        // One that never started goes last.
        let start = |job: &Job| (job.status.start.is_none(), job.status.start);
        start(a).cmp(&start(b)).then_with(|| a.meta.name.cmp(&b.meta.name))
    });
    finished.truncate(beyond);
    finished
}

/// Works out a sync. `children` are the Jobs the CronJob owns, as far as they were seen; `is_there`
/// tells whether a Job that was not seen is there all the same.
pub fn plan(
    cron: &CronJob,
    children: &[Child<'_>],
    is_there: impl Fn(&crate::api::cron_job::ActiveJob) -> bool,
    clock: Clock<'_>,
) -> Plan {
    let mut plan = Plan { status: cron.status.clone(), start: None, again: None, said: Vec::new() };
    follow(children, &mut plan);
    plan.status.active.retain(|job| {
        let stays = children.iter().any(|(_, child)| child.meta.uid == job.uid) || is_there(job);
        if !stays {
            plan.said.push(Warning::MissingJob(job.name.clone()));
        }
        stays
    });
    if cron.meta.is_terminating() {
        return plan;
    }
    let schedule = match clock.schedule {
        Err(Unusable::Zone(_)) => {
            plan.said.push(Warning::UnknownTimeZone);
            return plan;
        }
        _ if cron.spec.activity == Activity::Suspended => return plan,
        Err(Unusable::Schedule(why)) => {
            plan.said.push(Warning::UnparseableSchedule(why.clone()));
            return plan;
        }
        Ok(schedule) => schedule,
    };
    // So it says `TZ` somewhere.
    if schedule.names_its_zone() {
        plan.said.push(Warning::UnsupportedSchedule);
    }
    start(cron, schedule, (clock.last, clock.now), &mut plan);
    plan
}

/// The first Job that runs and is not listed as active.
pub fn unlisted(cron: &CronJob, children: &[Child<'_>]) -> Option<Uid> {
    let is_listed = |job: &Job| cron.status.active.iter().any(|it| it.uid == job.meta.uid);
    let mut children = children.iter().map(|(_, job)| *job);
    children.find(|job| !job.is_finished() && !is_listed(job)).map(|job| job.meta.uid)
}

/// Which of the children are active, or are no longer.
fn follow(children: &[Child<'_>], plan: &mut Plan) {
    let Plan { status, said, .. } = plan;
    for (id, job) in children {
        let listed = status.active.iter().position(|it| it.uid == job.meta.uid);
        match (listed, job.is_finished()) {
            (None, false) => said.push(Warning::UnexpectedJob(job.meta.name.clone())),
            // One out of a dump is listed by uid alone.
            (Some(at), false) => status.active[at].at = (*id).into(),
            (Some(at), true) => {
                status.active.remove(at);
                let end = if job.is_complete() {
                    JobConditionKind::Complete
                } else {
                    JobConditionKind::Failed
                };
                said.push(Warning::SawCompletedJob(job.meta.name.clone(), end));
            }
            _ if job.is_complete() => {
                status.last_successful = status.last_successful.max(job.status.completed);
            }
            _ => {}
        }
    }
}

/// Whether a start is due now, and if not, or besides, when to come back.
fn start(
    cron: &CronJob,
    schedule: &mut Clocked,
    (last, now): (Timestamp, Timestamp),
    plan: &mut Plan,
) {
    let deadline = cron.spec.starting_deadline_seconds;
    let found = match due(schedule, last, deadline, now) {
        Ok(found) => found,
        Err(NeverFires) => {
            plan.said.push(Warning::InvalidSchedule);
            return;
        }
    };
    plan.again = next_look(schedule, last, now);
    let Some(at) = found.latest else { return };
    if found.missed == Missed::Many {
        plan.said.push(Warning::TooManyMissedTimes);
    }
    let limit = deadline.and_then(|it| at.checked_add(SignedDuration::from_secs(it)).ok());
    if limit.is_some_and(|limit| limit < now) {
        plan.said.push(Warning::MissSchedule(at));
        return;
    }
    let name = job_name(&cron.meta.name.to_string(), at);
    let is_listed = plan.status.active.iter().any(|it| it.name == *name.as_str());
    let is_done = cron.status.last_schedule.is_some() && last == at;
    if is_listed || is_done {
        return;
    }
    if cron.spec.concurrency == Concurrency::Forbid && !plan.status.active.is_empty() {
        plan.said.push(Warning::JobAlreadyActive);
        return;
    }
    plan.start = Some(at);
}

/// The name of the Job for a start: the minute it stands for, so that nobody starts it twice.
pub fn job_name(cron: &str, at: Timestamp) -> String {
    format!("{cron}-{}", at.as_second() / 60)
}
