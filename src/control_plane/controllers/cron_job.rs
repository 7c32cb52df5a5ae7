//! The CronJob controller (kube-controller-manager 1.36 pkg/controller/cronjob, the second version).
//!
//! Owns one sync: see which Jobs have ended, delete those beyond the history, start the one that is
//! due, say when to look again. Refuses to know pods. It sleeps until the next start: a CronJob that
//! fires once a day costs one event a day.
//!
//! A calendar is no fixed period: each start is asked of `kernel/recurring` by itself, and those of one
//! instant come after its events, CronJob by CronJob.
//!
//! ```text
//! begin ─▶ delete old Jobs ─▶ what is due? ─┬─ nothing ──────────────────▶ status ─▶ done, again at the next start
//!                                           ├─ Replace: delete running ─┐     ▲         + 100 ms
//!                                           └───────────────────────────┴▶ create Job
//! ```

pub mod plan;
pub mod schedule;
mod sync;

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::cron_job::{CronJob, CronJobSpec};
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::{ClientId, Effects};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::workqueue::{Queue, QueueSettings};
use super::{Timer, Which};

use schedule::{Clocked, Unusable, next_look};
use sync::Task;

/// The calendar of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calendar {
    /// The start of the run, in seconds since 1970 UTC.
    pub epoch_seconds: i64,
}

impl Calendar {
    /// An instant of the run on the calendar, to the nanosecond.
    pub fn at(self, at: SimTime) -> Timestamp {
        let seconds = self.epoch_seconds.saturating_add_unsigned(at.as_secs());
        let nanos = (at.as_nanos() % 1_000_000_000) as i32;
        Timestamp::new(seconds, nanos).unwrap_or(Timestamp::MAX)
    }

    /// An instant of the calendar in the run; what lies before the run is its start.
    pub fn of(self, at: Timestamp) -> SimTime {
        let seconds = at.as_second().saturating_sub(self.epoch_seconds);
        SimTime::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

/// A schedule as read, the spec it is of, and the fact that brought it: each start comes from that one,
/// not from the start before.
#[derive(Clone, Debug)]
struct Read {
    spec: Arc<CronJobSpec>,
    cause: u64,
    schedule: Result<Clocked, Unusable>,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct CronJobs {
    client: ClientId,
    calendar: Calendar,
    pub(super) queue: Queue<CronJob>,
    pub(super) events: Events,
    read: FastMap<Id<CronJob>, Read>,
    tasks: Vec<Option<Task>>,
}

impl CronJobs {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, calendar: Calendar, settings: QueueSettings) -> CronJobs {
        CronJobs {
            client,
            calendar,
            queue: Queue::new(Which::CronJobs, settings),
            events: Events::new(Which::CronJobs, client),
            read: FastMap::default(),
            tasks: vec![None; usize::from(settings.workers.max(1))],
        }
    }

    /// A CronJob changed.
    pub fn cron_job(&mut self, change: &Change<'_, CronJob>, fx: &mut Effects<Timer>) {
        let Some(new) = change.new else {
            self.read.remove(&change.id);
            return self.queue.add(change.id, fx);
        };
        let clock = |job: &CronJob| (job.spec.schedule.clone(), job.spec.time_zone.clone());
        if change.old.is_none_or(|old| clock(old) == clock(new)) {
            return self.queue.add(change.id, fx);
        }
        // Another schedule: its next start counts; what the old one had queued finds nothing due.
        let calendar = self.calendar;
        let Ok(clocked) = self.schedule(change.id, new, fx.cause()) else { return };
        if let Some(wait) = wait(clocked, new, calendar, fx.now()) {
            self.queue.add_after(change.id, wait, fx);
        }
    }

    /// A Job changed: its CronJob looks at once.
    pub fn job(&mut self, change: &Change<'_, Job>, fx: &mut Effects<Timer>) {
        let owner = |job: Option<&Job>| {
            let owner = job?.meta.owner.filter(|owner| owner.kind == Kind::CronJob)?;
            Some(owner.at.typed())
        };
        let (old, new) = (owner(change.old), owner(change.new));
        if let Some(id) = old.filter(|_| old != new) {
            self.queue.add(id, fx);
        }
        if let Some(id) = new {
            self.queue.add(id, fx);
        }
    }

    /// The schedule of a CronJob, read once for each spec it has.
    fn schedule(
        &mut self,
        id: Id<CronJob>,
        job: &CronJob,
        cause: u64,
    ) -> &mut Result<Clocked, Unusable> {
        let spec = &job.spec;
        let read = || {
            let schedule = Clocked::read(&spec.schedule, spec.time_zone.as_deref());
            Read { spec: spec.clone(), cause, schedule }
        };
        let held = self.read.entry(id).or_insert_with(read);
        if !Arc::ptr_eq(&held.spec, spec) {
            *held = read();
        }
        &mut held.schedule
    }
}

/// The last start, or when the CronJob was made.
fn last(job: &CronJob, calendar: Calendar) -> Timestamp {
    let created = SimTime::from_secs(job.meta.created.as_secs());
    calendar.at(job.status.last_schedule.unwrap_or(created))
}

/// How long until its next start is to be looked at.
fn wait(
    schedule: &mut Clocked,
    job: &CronJob,
    calendar: Calendar,
    now: SimTime,
) -> Option<SimDuration> {
    let span = next_look(schedule, last(job, calendar), calendar.at(now))?;
    Some(SimDuration::from_nanos(u64::try_from(span.as_nanos()).unwrap_or(0)))
}
