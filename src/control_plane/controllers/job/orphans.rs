//! Pods that still carry a Job's finalizer though no Job will ever count them: it is taken away
//! (`syncOrphanPod`, kube-controller-manager 1.36 pkg/controller/job/job_controller.go).

use super::owning_job;
use super::pods::{is_tracked, untracking};
use crate::api::pod::Pod;
use crate::control_plane::controllers::workqueue::{Outcome, Queue, QueueSettings, Tag};
use crate::control_plane::controllers::{Known, Timer, Which};
use crate::messages::{ClientId, Effects, Reply};

/// Tags of this line's calls have workers from this number on.
pub(super) const FIRST_WORKER: u8 = 128;

/// The line of such pods; one worker empties it.
#[derive(Clone, Debug)]
pub struct Orphans {
    client: ClientId,
    /// The line.
    pub queue: Queue<Pod>,
}

impl Orphans {
    pub(super) fn new(client: ClientId, settings: QueueSettings) -> Orphans {
        let settings = QueueSettings { workers: 1, ..settings };
        Orphans { client, queue: Queue::new(Which::JobOrphans, settings) }
    }

    /// The worker begins to act on a pod.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(work) = self.queue.begin(worker, serial) else { return };
        fx.because(work.cause);
        let pod = known.view.get(work.key).filter(|pod| is_tracked(pod));
        let nobodys = pod.filter(|pod| {
            let job = owning_job(pod.meta.owner).and_then(|id| known.view.get(id));
            job.is_none_or(|job| !pod.meta.is_owned_by(job.meta.uid) || job.is_finished())
        });
        let Some(pod) = nobodys else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let call = untracking(work.key, pod.meta.uid);
        let tag = Tag::Sync(worker + FIRST_WORKER, work.serial, 0);
        fx.send(self.client, tag.pack(), call);
    }

    pub(super) fn reply(
        &mut self,
        worker: u8,
        serial: u32,
        reply: &Reply,
        fx: &mut Effects<Timer>,
    ) {
        self.queue.answered(worker, serial, reply, fx);
    }
}
