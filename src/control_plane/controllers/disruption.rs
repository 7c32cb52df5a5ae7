//! The disruption controller (kube-controller-manager 1.36 pkg/controller/disruption).
//!
//! Owns which PodDisruptionBudgets need a sync and the one write that brings their status about, and
//! takes back the condition DisruptionTarget of pods that were picked to be evicted and stayed.
//! Refuses to evict: that is the API server's, which counts down what is written here.
//!
//! ```text
//! begin ─▶ count ─┬─ a controller tells no number ─▶ write SyncFailed ─▶ done
//!                 ├─ as written ──────────────────────────────────────▶ done
//!                 └─▶ write ─┬─ ok ─▶ done (again when a disrupted pod is overdue)
//!                            ├─ changed meanwhile ─▶ failed: again after a back-off
//!                            └─ else ─▶ write SyncFailed
//! ```

pub mod budget;
mod told;

use crate::api::disruption::{BudgetReason, BudgetStatus, PodDisruptionBudget};
use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::name::Text;
use crate::api::node::Tristate;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodCondition};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::workqueue::{Job, Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};
use budget::{Disrupted, Scale};

/// After which a pod that was picked to be evicted and is not on its way out is no longer
/// (`stalePodDisruptionTimeout`).
const STALE: SimDuration = SimDuration::from_secs(120);
/// Reason of the condition DisruptionTarget that only a kubelet gives, and that stays.
const BY_KUBELET: &str = "TerminationByKubelet";
const KIND: Kind = Kind::PodDisruptionBudget;
/// What the index of a call's tag says: whose sync it is.
const BUDGET: u16 = 0;
const STALE_POD: u16 = 1;

#[derive(Clone, Debug)]
struct Task {
    job: Job<PodDisruptionBudget>,
    step: Step,
    /// When a disrupted pod is overdue.
    recheck: Option<SimTime>,
    /// What the write was worked out from.
    rev: Rev,
    budget: Box<PodDisruptionBudget>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Write,
    FailSafe,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Disruptions {
    client: ClientId,
    pub(super) queue: Queue<PodDisruptionBudget>,
    pub(super) stale: Queue<Pod>,
    pub(super) events: Events,
    task: Option<Task>,
}

impl Disruptions {
    /// The controller, sending by `client`. It has one worker for each of its queues.
    pub fn new(client: ClientId, settings: QueueSettings) -> Disruptions {
        let settings = QueueSettings { workers: 1, ..settings };
        Disruptions {
            client,
            queue: Queue::new(Which::Disruptions, settings),
            stale: Queue::new(Which::StaleDisruptions, settings),
            events: Events::new(Which::Disruptions, client),
            task: None,
        }
    }

    /// A budget changed.
    pub fn budget(&mut self, change: &Change<'_, PodDisruptionBudget>, fx: &mut Effects<Timer>) {
        self.queue.add(change.id, fx);
    }

    /// A pod changed, which `budgets` select. Of several only one hears of it: Kubernetes takes any,
    /// we the oldest.
    pub fn pod(
        &mut self,
        change: &Change<'_, Pod>,
        budgets: &[Id<PodDisruptionBudget>],
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if let Some(&first) = budgets.first() {
            if let (Some(pod), 2..) = (change.new.or(change.old), budgets.len()) {
                let budget = known.view.get(first);
                self.events.record(Kind::Pod, &pod.meta, fx, || told::of_several(pod, budget));
            }
            self.queue.add(first, fx);
        }
        if let Some(wait) = change.new.and_then(|pod| stale_in(pod, fx.now())) {
            self.stale.add_after(change.id, wait, fx);
        }
    }

    /// A worker begins to act on its key.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, budget)) = known.view.version(job.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        let mut next = Box::new(budget.clone());
        let (step, recheck) = match self.work_out(job.key, &mut next, known, fx) {
            Ok((true, _)) => return self.queue.finish(worker, Outcome::Done, fx),
            Ok((false, recheck)) => (Step::Write, recheck),
            Err(why) => {
                fail_safe(&mut next.status, why, fx.now());
                (Step::FailSafe, None)
            }
        };
        let task = Task { job, step, recheck, rev, budget: next };
        self.write(task, fx);
    }

    /// Works out what the status should be; returns whether it is so, and when to look again.
    fn work_out(
        &mut self,
        key: Id<PodDisruptionBudget>,
        budget: &mut PodDisruptionBudget,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Result<(bool, Option<SimTime>), Text> {
        let members = || known.index.groups.of_budget(key).flat_map(|group| &group.members);
        let pods = || members().filter_map(|member| known.view.get(member.pod));
        let count = pods().count();
        if count == 0 {
            self.events.record(KIND, &budget.meta, fx, told::no_pods);
        }
        let scales = pods().map(|pod| scale(pod, known));
        let expected = budget::expected(budget.limit, count, scales).inspect_err(|why| {
            self.events.record(KIND, &budget.meta, fx, || told::uncounted(why));
        })?;
        if expected.unmanaged > 0 {
            self.events.record(KIND, &budget.meta, fx, || told::unmanaged(budget));
        }
        let found = budget::disrupted(&budget.status.disrupted, pods(), fx.now());
        let Disrupted { pods: disrupted, overdue, recheck } = found;
        for uid in overdue {
            let pod = pods().find(|pod| pod.meta.uid == uid);
            self.events.say(uid, fx, || told::not_deleted(pod, budget));
        }
        let healthy = budget::healthy(pods(), &disrupted, fx.now());
        let mut status = BudgetStatus {
            allowed: budget::allowed(expected, healthy),
            disrupted,
            healthy,
            desired: expected.healthy,
            expected: expected.pods,
            observed_generation: budget.meta.generation,
            condition: budget.status.condition.clone(),
        };
        status.tell(fx.now());
        let is_so = status == budget.status;
        budget.status = status;
        Ok((is_so, recheck))
    }

    fn write(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let object = Object::PodDisruptionBudget(task.budget.clone());
        let Job { worker, serial, key, .. } = task.job;
        let base = Some(task.rev);
        let call = Call::Update { id: key.into(), object, base, part: Part::Status };
        fx.send(self.client, Tag::Sync(worker, serial, BUDGET).pack(), call);
        self.task = Some(task);
    }

    /// A worker looks at a pod that may have been picked to be evicted in vain
    /// (`syncStalePodDisruption`).
    pub fn sync_stale(
        &mut self,
        worker: u8,
        serial: u32,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(job) = self.stale.begin(worker, serial) else { return };
        fx.because(job.cause);
        let found = known.view.version(job.key);
        let found = found.and_then(|(rev, pod)| Some((rev, pod, stale_in(pod, fx.now())?)));
        match found {
            None => self.stale.finish(worker, Outcome::Done, fx),
            Some((_, _, wait)) if !wait.is_zero() => {
                self.stale.add_after(job.key, wait, fx);
                self.stale.finish(worker, Outcome::Done, fx);
            }
            Some((rev, pod, _)) => {
                let mut next = pod.clone();
                next.status.set(PodCondition::DisruptionTarget, false, fx.now());
                next.status.disruption = None;
                let object = Object::Pod(Box::new(next));
                let (id, base) = (job.key.into(), Some(rev));
                let call = Call::Update { id, object, base, part: Part::Status };
                fx.send(self.client, Tag::Sync(worker, serial, STALE_POD).pack(), call);
            }
        }
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        match Tag::unpack(reply.tag) {
            Tag::Event => self.events.reply(reply.result.as_ref().map(drop), fx),
            Tag::Sync(_, _, STALE_POD) => self.stale.replied(reply, fx),
            Tag::Sync(worker, serial, BUDGET) if self.queue.is_at(worker, serial) => {
                self.written(reply, fx);
            }
            Tag::Sync(..) => {}
        }
    }

    fn written(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Some(mut task) = self.task.take() else { return };
        let Job { worker, key, cause, .. } = task.job;
        fx.because(cause.max(fx.cause()));
        let outcome = match &reply.result {
            Ok(_) => {
                if let Some(at) = task.recheck {
                    // One beyond: what is due this very instant still counts.
                    let wait = at.saturating_since(fx.now()) + SimDuration::from_nanos(1);
                    self.queue.add_after(key, wait, fx);
                }
                Outcome::Done
            }
            Err(Status::NotFound(_)) => Outcome::Done,
            Err(status) if task.step == Step::Write && !matches!(status, Status::Conflict(_)) => {
                task.step = Step::FailSafe;
                task.recheck = None;
                fail_safe(&mut task.budget.status, status.to_string().into(), fx.now());
                return self.write(task, fx);
            }
            Err(_) => Outcome::Failed,
        };
        self.queue.finish(worker, outcome, fx);
    }
}

/// What nobody could count may not be disrupted (`failSafe`).
fn fail_safe(status: &mut BudgetStatus, why: Text, now: SimTime) {
    status.allowed = 0;
    status.say(BudgetReason::SyncFailed, why, now);
}

/// After how long a pod that was picked to be evicted is so in vain; none if it is not, or for good.
pub fn stale_in(pod: &Pod, now: SimTime) -> Option<SimDuration> {
    let condition = pod.status.condition(PodCondition::DisruptionTarget);
    let is_for_good = pod.meta.is_terminating()
        || pod.status.phase.is_terminal()
        || pod.status.disruption.as_ref().is_some_and(|why| *why.reason == *BY_KUBELET);
    if condition.value != Some(Tristate::True) || is_for_good {
        return None;
    }
    let until = condition.since().unwrap_or(SimTime::ZERO) + STALE;
    Some(until.saturating_since(now))
}

/// How many pods the controller of a pod wants (`finders`).
fn scale(pod: &Pod, known: Known<'_>) -> Scale {
    let Some(owner) = pod.meta.owner else { return Scale::Unmanaged };
    let missing = || {
        Scale::Unknown(
            format!("found no controllers for pod {:?}", pod.meta.name.to_string()).into(),
        )
    };
    match owner.kind {
        Kind::ReplicaSet | Kind::ReplicationController => {
            let Some(set) = found::<ReplicaSet>(owner, known) else { return missing() };
            // A Deployment speaks for its sets.
            match set.meta.owner.filter(|owner| owner.kind == Kind::Deployment) {
                None => Scale::Wanted(set.meta.uid, set.replicas),
                Some(above) => match found::<Deployment>(above, known) {
                    Some(deployment) => Scale::Wanted(deployment.meta.uid, deployment.replicas),
                    None => missing(),
                },
            }
        }
        Kind::StatefulSet => match found::<StatefulSet>(owner, known) {
            Some(set) => Scale::Wanted(set.meta.uid, set.replicas),
            None => missing(),
        },
        Kind::Other | Kind::Client | Kind::NodeGroup | Kind::VerticalPodAutoscaler => missing(),
        kind => {
            let resource = kind.resource();
            Scale::Unknown(format!("{resource} does not implement the scale subresource").into())
        }
    }
}

fn found<'a, T: Stored>(owner: Owner, known: Known<'a>) -> Option<&'a T> {
    known.view.get::<T>(owner.at.typed()).filter(|it| it.meta().uid == owner.uid)
}
