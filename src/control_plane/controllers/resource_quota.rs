//! The resource quota controller (kube-controller-manager 1.36 pkg/controller/resourcequota).
//!
//! Owns which ResourceQuotas need a sync and the write of their status: the limits as they are written
//! now, and what is used of them as its caches show it. Refuses to let anything in or keep it out:
//! that is the API server's, which counts up what is written here. What is given back is counted here
//! alone: at a pod's end, an object's deletion, a smaller Service or claim.
//!
//! ```text
//! new limits, something given back, or the round of each 5 min
//!   └─▶ count ─┬─ as written ─▶ done
//!              └─▶ write ─┬─ ok ─▶ done
//!                         └─ else ─▶ failed: again after a back-off
//! ```
//!
//! Upstream's round looks at every quota. Ours looks at those whose count may differ from what is
//! written: quotas that admission charged since, those of namespaces where something came that may not
//! have been charged, and those of namespaces with pods on their way out, which stop counting with time
//! alone. Where there are none there is no round.

mod count;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::resource_quota::{QuotaStatus, ResourceQuota};
use crate::api::rules::quota::amounts::masked;
use crate::api::rules::quota::{Evaluator, is_charged};
use crate::api::service::Service;
use crate::api::storage::PersistentVolumeClaim;
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Stored, View};
use crate::time::{SimDuration, SimTime};

use super::workqueue::{Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};
use tally::Tally;

/// `--resource-quota-sync-period`.
const ROUND: SimDuration = SimDuration::from_secs(300);

/// What is known of a namespace that has quotas.
#[derive(Clone, Debug, Default)]
struct Local {
    quotas: BTreeSet<Id<ResourceQuota>>,
    pods: Tally,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct ResourceQuotas {
    client: ClientId,
    pub(super) queue: Queue<ResourceQuota>,
    local: BTreeMap<Text, Local>,
    cadence: Cadence,
    /// Quotas whose count may differ from what is written.
    doubtful: BTreeSet<Id<ResourceQuota>>,
    /// What the latest write of each quota said.
    written: BTreeMap<Id<ResourceQuota>, QuotaStatus>,
    armed: SimTime,
}

fn rounds_from(start: SimTime) -> Cadence {
    Cadence::new(start, ROUND).expect("a period that is not zero")
}

impl ResourceQuotas {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> ResourceQuotas {
        ResourceQuotas {
            client,
            queue: Queue::new(Which::ResourceQuotas, settings),
            local: BTreeMap::new(),
            cadence: rounds_from(SimTime::ZERO),
            doubtful: BTreeSet::new(),
            written: BTreeMap::new(),
            armed: SimTime::MAX,
        }
    }

    /// The manager starts: the first round is one period later.
    pub fn begin(&mut self, now: SimTime) {
        self.cadence = rounds_from(now + ROUND);
    }

    /// When rounds fall.
    pub fn rounds(&self) -> Cadence {
        self.cadence
    }

    /// A quota changed. Its status is the API server's or our own: only its limits are looked at.
    pub fn quota(
        &mut self,
        change: &Change<'_, ResourceQuota>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(quota) = change.new else {
            self.doubtful.remove(&change.id);
            self.written.remove(&change.id);
            let Some(gone) = change.old else { return };
            if let Some(local) = self.local.get_mut(&gone.meta.namespace) {
                local.quotas.remove(&change.id);
                if local.quotas.is_empty() {
                    self.local.remove(&gone.meta.namespace);
                }
            }
            return;
        };
        match change.old {
            None => {
                let namespace = &quota.meta.namespace;
                let local = self.local.entry(namespace.clone()).or_insert_with(|| Local {
                    quotas: BTreeSet::new(),
                    pods: Tally::of_namespace(namespace, known.view),
                });
                local.quotas.insert(change.id);
                self.queue.add(change.id, fx);
            }
            Some(old) if old.hard != quota.hard => self.queue.add(change.id, fx),
            Some(_) if self.written.get(&change.id) == Some(&quota.status) => {}
            Some(_) => {
                self.doubtful.insert(change.id);
                self.arm(fx);
            }
        }
    }

    /// A pod changed: quotas hear of it when it stops counting.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(any) = change.new.or(change.old) else { return };
        let Some(local) = self.local.get_mut(&any.meta.namespace) else { return };
        local.pods.note(change);
        let counts = |pod: &Pod| is_charged(pod, fx.now());
        let is_over = match change.new {
            None => true,
            Some(new) => !counts(new) && change.old.is_some_and(counts),
        };
        // What is new may not have been charged: its quota may have had no status yet.
        let is_leaving = change.new.is_some_and(|pod| pod.meta.is_terminating() && counts(pod));
        if is_leaving || change.old.is_none() {
            self.doubtful.extend(&local.quotas);
        }
        if is_over {
            self.given_back(&any.meta.namespace.clone(), Evaluator::Pods, known, fx);
        }
        self.arm(fx);
    }

    /// Something new is there that may not have been charged.
    fn doubt(&mut self, namespace: &Text, fx: &mut Effects<Timer>) {
        if let Some(local) = self.local.get(namespace) {
            self.doubtful.extend(&local.quotas);
            self.arm(fx);
        }
    }

    /// A Service changed.
    pub fn service(
        &mut self,
        change: &Change<'_, Service>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.changed(Evaluator::Services, change, |old, new| old.spec != new.spec, known, fx);
    }

    /// A claim changed.
    pub fn claim(
        &mut self,
        change: &Change<'_, PersistentVolumeClaim>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.changed(Evaluator::Claims, change, |old, new| old.spec != new.spec, known, fx);
    }

    /// An object of a kind of which only objects are counted changed.
    pub fn object<T: Stored>(
        &mut self,
        resource: &str,
        change: &Change<'_, T>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.changed(Evaluator::of(resource), change, |_, _| false, known, fx);
    }

    fn changed<T: Stored>(
        &mut self,
        evaluator: Evaluator<'_>,
        change: &Change<'_, T>,
        is_other: impl Fn(&T, &T) -> bool,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if self.local.is_empty() {
            return;
        }
        match (change.old, change.new) {
            (None, Some(new)) => self.doubt(&new.meta().namespace, fx),
            (Some(gone), None) => self.given_back(&gone.meta().namespace, evaluator, known, fx),
            (Some(old), Some(new)) if is_other(old, new) => {
                self.given_back(&new.meta().namespace, evaluator, known, fx);
            }
            _ => {}
        }
    }

    /// Quotas of a namespace that bound what `evaluator` counts are counted anew.
    fn given_back(
        &mut self,
        namespace: &Text,
        evaluator: Evaluator<'_>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(local) = self.local.get(namespace) else { return };
        for &id in &local.quotas {
            let hard = known.view.get(id).and_then(|quota| quota.status.hard.as_ref());
            if hard.is_some_and(|hard| hard.keys().any(|name| evaluator.tracks(name))) {
                self.queue.add(id, fx);
            }
        }
    }

    /// A round.
    pub fn round(&mut self, fx: &mut Effects<Timer>) {
        self.armed = SimTime::MAX;
        for id in std::mem::take(&mut self.doubtful) {
            self.queue.add(id, fx);
        }
    }

    fn arm(&mut self, fx: &mut Effects<Timer>) {
        if self.doubtful.is_empty() || self.armed != SimTime::MAX {
            return;
        }
        let at = self.cadence.at(self.cadence.first_from(fx.now() + SimDuration::from_nanos(1)));
        self.armed = at;
        fx.arm_at(at, Timer::Quotas);
    }

    /// A worker begins to act on its key (`syncResourceQuota`).
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, quota)) = known.view.version(job.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let Some(local) = self.local.get(&quota.meta.namespace) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let status = worked_out(quota, &local.pods, known.view);
        if local.pods.depends_on_time(known.view, fx.now()) {
            self.doubtful.insert(job.key);
            self.arm(fx);
        }
        self.written.insert(job.key, status.clone());
        if status == quota.status {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let object = Object::ResourceQuota(Box::new(ResourceQuota { status, ..quota.clone() }));
        let call = Call::Update { id: job.key.into(), object, base: Some(rev), part: Part::Status };
        fx.send(self.client, Tag::Sync(worker, job.serial, 0).pack(), call);
    }

    /// A reply to a write.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        self.queue.replied(reply, fx);
    }
}

/// What the status of a quota should be, all objects of its namespace looked at.
pub fn status_of(quota: &ResourceQuota, view: &View<'_>) -> QuotaStatus {
    let pods = Tally::of_namespace(&quota.meta.namespace, view);
    worked_out(quota, &pods, view)
}

/// What the status of a quota should be: what nobody can count keeps the count it had.
fn worked_out(quota: &ResourceQuota, pods: &Tally, view: &View<'_>) -> QuotaStatus {
    let mut used = quota.status.used.as_deref().cloned().unwrap_or_default();
    used.extend(count::used(quota, pods, view, view.now));
    let used = masked(&used, |name| quota.hard.contains_key(name));
    QuotaStatus { hard: Some(quota.hard.clone()), used: Some(Arc::new(used)) }
}
