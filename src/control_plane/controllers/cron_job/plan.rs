//! What one sync of a CronJob is to do: pure rules (`syncCronJob`, `cleanupFinishedJobs`,
//! kube-controller-manager 1.36 pkg/controller/cronjob/cronjob_controllerv2.go).

use jiff::{SignedDuration, Timestamp};

use super::schedule::{Clocked, Missed, NeverFires, Unusable, due, next_look};
use crate::api::cron_job::{Concurrency, CronJob, CronJobStatus};
use crate::api::job::{Activity, Job};
use crate::base::id::Id;

/// A Job of the CronJob.
pub type Child<'a> = (Id<Job>, &'a Job);

/// Something a sync warns of, in an Event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Warning {
    /// `UnknownTimeZone`.
    UnknownTimeZone,
    /// `UnparseableSchedule`.
    UnparseableSchedule,
    /// `InvalidSchedule`: it never fires.
    InvalidSchedule,
    /// `UnsupportedSchedule`: the zone stands in the schedule.
    UnsupportedSchedule,
    /// `TooManyMissedTimes`.
    TooManyMissedTimes,
    /// `MissSchedule`: the start comes too late.
    MissSchedule,
    /// `UnexpectedJob`: it was not started here.
    UnexpectedJob,
    /// `MissingJob`: it was deleted by somebody else.
    MissingJob,
    /// `SawCompletedJob`.
    SawCompletedJob,
    /// `JobAlreadyActive`: it is forbidden to run two.
    JobAlreadyActive,
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
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// Its schedule.
    pub schedule: &'a Result<Clocked, Unusable>,
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
            plan.said.push(Warning::MissingJob);
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
        Err(Unusable::Schedule(_)) => {
            plan.said.push(Warning::UnparseableSchedule);
            return plan;
        }
        Ok(schedule) => schedule,
    };
    if cron.spec.schedule.contains("TZ") {
        plan.said.push(Warning::UnsupportedSchedule);
    }
    start(cron, schedule, clock, &mut plan);
    plan
}

/// Which of the children are active, or are no longer.
fn follow(children: &[Child<'_>], plan: &mut Plan) {
    let Plan { status, said, .. } = plan;
    for (id, job) in children {
        let listed = status.active.iter().position(|it| it.uid == job.meta.uid);
        match (listed, job.is_finished()) {
            (None, false) => said.push(Warning::UnexpectedJob),
            // One out of a dump is listed by uid alone.
            (Some(at), false) => status.active[at].at = (*id).into(),
            (Some(at), true) => {
                status.active.remove(at);
                said.push(Warning::SawCompletedJob);
            }
            _ if job.is_complete() => {
                status.last_successful = status.last_successful.max(job.status.completed);
            }
            _ => {}
        }
    }
}

/// Whether a start is due now, and if not, or besides, when to come back.
fn start(cron: &CronJob, schedule: &Clocked, clock: Clock<'_>, plan: &mut Plan) {
    let deadline = cron.spec.starting_deadline_seconds;
    let found = match due(schedule, clock.last, deadline, clock.now) {
        Ok(found) => found,
        Err(NeverFires) => {
            plan.said.push(Warning::InvalidSchedule);
            return;
        }
    };
    plan.again = next_look(schedule, clock.last, clock.now);
    let Some(at) = found.latest else { return };
    if found.missed == Missed::Many {
        plan.said.push(Warning::TooManyMissedTimes);
    }
    let limit = deadline.and_then(|it| at.checked_add(SignedDuration::from_secs(it)).ok());
    if limit.is_some_and(|limit| limit < clock.now) {
        plan.said.push(Warning::MissSchedule);
        return;
    }
    let name = job_name(&cron.meta.name.to_string(), at);
    let is_listed = plan.status.active.iter().any(|it| it.name == *name.as_str());
    let is_done = cron.status.last_schedule.is_some() && clock.last == at;
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
