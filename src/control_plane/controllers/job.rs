//! The Job controller (kube-controller-manager 1.36 pkg/controller/job).
//!
//! Owns one sync: see what pods came to, make or take away pods, count those that are done, end the
//! Job. Refuses to know CronJobs, nodes and schedulers. A sync waits for its replies:
//!
//! ```text
//!           create 1, 2, 4, .. │ remove (finalizer, then pod) │ end (all active pods)
//! begin ─▶ assess ─────────────┴──────────────────────────────┴───▶ settle ─▶ flush status
//!            ▲                                                                     │
//!            │ events of pods: 1 s later, all together             finalizers of counted pods go
//!            └───────────────────── done | failed ◀── status ◀── close ◀───────────┘
//! ```
//!
//! A Job itself:
//!
//! ```text
//! active ──▶ SuccessCriteriaMet ──▶ Complete        (the second when no pod is left)
//!    ├─────▶ FailureTarget ───────▶ Failed
//!    └◀────▶ Suspended
//! ```

pub mod account;
pub mod assess;
pub mod backoff;
pub mod failure_policy;
pub mod indexes;
mod orphans;
pub mod pods;
pub mod success_policy;
mod sync;

use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::{Owner, Uid};
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::base::{FastMap, FastSet};
use crate::messages::{ClientId, Effects, Reply};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::workqueue::{Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};
use backoff::Backoff;
use orphans::{FIRST_WORKER, Orphans};
use pods::is_tracked;
use sync::Task;

/// From an event about a Job's pods to the sync it leads to (`syncJobBatchPeriod`).
pub const BATCH: SimDuration = SimDuration::from_secs(1);
/// Delay of a Job after its first failed sync, and the longest (`DefaultJobApiBackOff`,
/// `MaxJobApiBackOff`).
const API_BACKOFF: (SimDuration, SimDuration) =
    (SimDuration::from_secs(1), SimDuration::from_secs(60));
/// After so long what was expected and not seen counts as seen.
const EXPECTED_MAX: SimDuration = SimDuration::from_secs(300);

/// Pods that are still to be seen made or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Expected {
    creations: usize,
    deletions: usize,
    since: SimTime,
}

/// What is remembered of a Job from sync to sync; all of it is lost with the process.
#[derive(Clone, Debug, Default)]
struct Memory {
    expected: Option<Expected>,
    backoff: Backoff,
    /// Pods whose finalizer was taken away, though that was not seen yet.
    untracked: FastSet<Uid>,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Jobs {
    client: ClientId,
    pub(super) queue: Queue<Job>,
    pub(super) events: Events,
    pub(super) orphans: Orphans,
    memory: FastMap<Id<Job>, Memory>,
    tasks: Vec<Option<Task>>,
}

/// The Job that owns an object, if its controller is one.
pub fn owning_job(owner: Option<Owner>) -> Option<Id<Job>> {
    owner.filter(|owner| owner.kind == Kind::Job).map(|owner| owner.at.typed())
}

impl Jobs {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> Jobs {
        let (backoff_base, backoff_max) = API_BACKOFF;
        let settings = QueueSettings { backoff_base, backoff_max, ..settings };
        Jobs {
            client,
            queue: Queue::new(Which::Jobs, settings),
            events: Events::new(Which::Jobs, client),
            orphans: Orphans::new(client, settings),
            memory: FastMap::default(),
            tasks: vec![None; usize::from(settings.workers.max(1))],
        }
    }

    /// A Job changed: at once if somebody changed what is wanted, else with what else happens.
    pub fn job(&mut self, change: &Change<'_, Job>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(new) = change.new else {
            self.memory.remove(&change.id);
            self.queue.add(change.id, fx);
            if let Some(old) = change.old {
                self.release(old.meta.uid, known, fx);
            }
            return;
        };
        match change.old {
            Some(old) if old.meta.generation == new.meta.generation => {
                self.queue.add_after(change.id, BATCH, fx);
            }
            _ => self.queue.add(change.id, fx),
        }
        if new.is_finished() {
            self.release(new.meta.uid, known, fx);
        }
        let deadline = |job: &Job| job.spec.active_deadline_seconds;
        if let (Some(start), Some(seconds)) = (new.status.start, deadline(new))
            && change.old.is_some_and(|old| deadline(old) != deadline(new))
        {
            let total = SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0));
            self.queue.add_after(change.id, (start + total).saturating_since(fx.now()), fx);
        }
    }

    /// Pods that nobody will count any more lose their finalizer.
    fn release(&mut self, job: Uid, known: Known<'_>, fx: &mut Effects<Timer>) {
        for &pod in known.index.owners.pods(job) {
            if known.view.get(pod).is_some_and(is_tracked) {
                self.orphans.queue.add(pod, fx);
            }
        }
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(any) = change.new.or(change.old) else { return };
        if let Some(old) = change.old
            && old.meta.owner != any.meta.owner
            && let Some(job) = owning_job(old.meta.owner)
        {
            self.queue.add_after(job, BATCH, fx);
        }
        let Some(job) = owning_job(any.meta.owner) else {
            if any.meta.owner.is_none() && change.new.is_some_and(is_tracked) {
                self.orphans.queue.add(change.id, fx);
            }
            return;
        };
        let Some(held) = known.view.get(job) else {
            // Listed before its Job, or its Job is gone: who is right is seen when its turn comes.
            if change.new.is_some_and(is_tracked) {
                self.orphans.queue.add_after(change.id, BATCH, fx);
            }
            return;
        };
        if held.is_finished() && change.new.is_some_and(is_tracked) {
            self.orphans.queue.add(change.id, fx);
        }
        self.observe(job, change);
        self.queue.add_after(job, BATCH, fx);
    }

    fn observe(&mut self, job: Id<Job>, change: &Change<'_, Pod>) {
        let Some(memory) = self.memory.get_mut(&job) else { return };
        let uid = change.new.or(change.old).map_or(Uid(0), |pod| pod.meta.uid);
        if !change.new.is_some_and(is_tracked) {
            memory.untracked.remove(&uid);
        }
        let Some(expected) = &mut memory.expected else { return };
        let is_leaving = change.new.is_none_or(|pod| pod.meta.is_terminating());
        if is_leaving {
            expected.deletions = expected.deletions.saturating_sub(1);
        } else if change.old.is_none() {
            expected.creations = expected.creations.saturating_sub(1);
        }
        if (expected.creations, expected.deletions) == (0, 0) {
            memory.expected = None;
        }
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, index) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        match worker.checked_sub(FIRST_WORKER) {
            Some(worker) => self.orphans.reply(worker, serial, reply, fx),
            None => self.sync_reply(worker, serial, index, reply, known, fx),
        }
    }
}
