//! The TTL-after-finished controller (kube-controller-manager 1.36 pkg/controller/ttlafterfinished).
//!
//! Owns when a finished Job goes. Refuses to know why it finished. Between two Jobs that finish there
//! is nothing to do: it is woken when a Job's time is up, not before.
//!
//! ```text
//! finished, with a TTL ─▶ time left ─┬─ some ─▶ again when it is up
//!                                    └─ none ─▶ deleted, its pods first
//! ```

use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Reply};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::workqueue::{Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};

/// The controller.
#[derive(Clone, Debug)]
pub struct TtlAfterFinished {
    client: ClientId,
    pub(super) queue: Queue<Job>,
}

/// When the Job is to go; `None`: it has no TTL, or is not finished.
pub fn expires_at(job: &Job) -> Option<SimTime> {
    let ttl = SimDuration::from_secs(job.spec.ttl_seconds?.into());
    Some(job.status.end()?.since + ttl)
}

impl TtlAfterFinished {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> TtlAfterFinished {
        TtlAfterFinished { client, queue: Queue::new(Which::TtlAfterFinished, settings) }
    }

    /// A Job changed.
    pub fn job(&mut self, change: &Change<'_, Job>, fx: &mut Effects<Timer>) {
        let due = change.new.filter(|job| !job.meta.is_terminating()).and_then(expires_at);
        if due.is_some() {
            self.queue.add(change.id, fx);
        }
    }

    /// A worker begins to act on a Job.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(work) = self.queue.begin(worker, serial) else { return };
        fx.because(work.cause);
        let job = known.view.get(work.key).filter(|job| !job.meta.is_terminating());
        let Some((job, at)) = job.and_then(|job| Some((job, expires_at(job)?))) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if at > fx.now() {
            self.queue.add_after(work.key, at.saturating_since(fx.now()), fx);
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let call = Call::Delete {
            kind: Kind::Job,
            id: work.key.into(),
            uid: Some(job.meta.uid),
            grace_seconds: None,
            propagation: Propagation::Foreground,
        };
        fx.send(self.client, Tag::Sync(worker, work.serial, 0).pack(), call);
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        self.queue.replied(reply, fx);
    }
}
