//! The first half of a Job's sync: what its pods amount to, whether it is to end, and which pods are
//! to be made or taken away (`syncJob` and `manageJob`, kube-controller-manager 1.36
//! pkg/controller/job/job_controller.go).
//!
//! Owns the rules up to the first request; refuses to send one. The second half is `account`.

use std::collections::BTreeMap;

use super::backoff::{BACKOFF_BASE, BACKOFF_MAX, Backoff, finished_at, remaining, to_second};
use super::failure_policy::judge;
use super::indexes::Indexes;
use super::pods::{
    JobPod, all_index_failures, failed_indexes, first_to_go, index_of, is_failed, is_tracked,
    kept_failures, next_index_failures, succeeded_indexes, valid_index,
};
use super::success_policy;
use crate::api::job::{Job, JobConditionKind, JobSpec, JobStatus};
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::pod::{Phase, Pod, RestartPolicy};
use crate::base::FastSet;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// Pods created or deleted in one sync at most.
pub const BURST: usize = 500;

/// What is known when a sync begins.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The Job.
    pub job: &'a Job,
    /// Its pods, finished ones too.
    pub pods: &'a [JobPod<'a>],
    /// Pods whose finalizer was taken away, though that was not seen yet.
    pub untracked: &'a FastSet<Uid>,
    /// Whether all that earlier syncs did was seen.
    pub caught_up: CaughtUp,
    /// Failures so far.
    pub backoff: Backoff,
    /// The instant.
    pub now: SimTime,
}

/// Whether what earlier syncs did was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaughtUp {
    /// It was.
    Yes,
    /// It was not: nothing new is begun.
    No,
}

/// Why a Job is to end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// `SuccessCriteriaMet` or `FailureTarget` when it is news, `Complete` or `Failed` when only the
    /// end itself is missing.
    pub kind: JobConditionKind,
    /// One CamelCase word.
    pub reason: Text,
    /// A sentence.
    pub message: Text,
}

/// A pod to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Creation {
    /// Its completion index.
    pub index: Option<i32>,
    /// Its annotations about failures before it: counted, ignored. `None`: the Job keeps no such books.
    pub failures: Option<(i32, i32)>,
}

/// What is to be done about pods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing.
    Rest,
    /// All active pods go; their finalizers stay until they are counted.
    End(Vec<Id<Pod>>),
    /// These go, their finalizers first: they are not counted.
    Remove(Vec<Id<Pod>>),
    /// These are made.
    Create(Vec<Creation>),
}

/// What a sync found, and has not written yet.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// What is to be done.
    pub action: Action,
    /// Come back after so long.
    pub again: Option<SimDuration>,
    /// The status as it will be written, its counts still to come.
    pub status: JobStatus,
    /// Why the Job is to end.
    pub ending: Option<Ending>,
    /// Active pods.
    pub active: i32,
    /// Of those, the ready ones.
    pub ready: i32,
    /// Pods being deleted.
    pub terminating: i32,
    /// Pods or indexes that succeeded, uncounted ones too.
    pub succeeded: i32,
    /// Failures, to be remembered once they are written.
    pub backoff: Backoff,
    /// Indexes that succeeded before, and now.
    pub succeeded_indexes: Option<(Indexes, Indexes)>,
    /// Indexes that failed, for a Job that has a limit for each.
    pub failed_indexes: Option<Indexes>,
    /// Failed pods that stay uncounted until they are replaced.
    pub kept: FastSet<Id<Pod>>,
    /// Whether pods were managed: only then may the Job be found suspended or resumed.
    pub managed: Managed,
}

/// Whether a sync came to manage pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Managed {
    /// It did.
    Yes,
    /// It did not.
    No,
}

impl Given<'_> {
    fn spec(&self) -> &JobSpec {
        &self.job.spec
    }

    fn uncounted(&self, pod: &Pod) -> bool {
        is_tracked(pod) && !self.untracked.contains(&pod.meta.uid)
    }

    /// Pods that are done and in no count yet (`getNewFinishedPods`).
    fn new_finished(&self) -> (Vec<&Pod>, Vec<&Pod>) {
        let status = &self.job.status;
        let fits = |pod: &&Pod| {
            self.uncounted(pod)
                && (!self.spec().is_indexed() || valid_index(self.spec(), pod).is_some())
        };
        let pods = || self.pods.iter().map(|(_, pod)| *pod).filter(fits);
        let succeeded = pods().filter(|pod| {
            pod.status.phase == Phase::Succeeded
                && !status.uncounted_succeeded.contains(&pod.meta.uid)
        });
        let failed = pods().filter(|pod| {
            is_failed(self.spec(), pod) && !status.uncounted_failed.contains(&pod.meta.uid)
        });
        (succeeded.collect(), failed.collect())
    }
}

/// Works out what a sync of an unfinished Job is to do.
pub fn assess(given: Given<'_>) -> Assessment {
    let (job, spec, now) = (given.job, given.spec(), given.now);
    let (new_succeeded, new_failed) = given.new_finished();
    let times = |pods: &[&Pod]| pods.iter().map(|pod| finished_at(pod)).collect::<Vec<_>>();
    let backoff = given.backoff.with(&times(&new_succeeded), &times(&new_failed));
    let counted = |pod: &&&Pod| judge(spec.failure_policy.as_deref(), pod).counts();
    let uncounted = (&job.status.uncounted_succeeded, &job.status.uncounted_failed);
    let failed =
        job.status.failed + (new_failed.iter().filter(counted).count() + uncounted.1.len()) as i32;
    let active: Vec<JobPod<'_>> =
        given.pods.iter().filter(|(_, pod)| pod.is_active()).copied().collect();
    let mut status = job.status.clone();
    if status.start.is_none() && !job.is_suspended() {
        status.start = Some(now);
    }
    let mut found = Assessment {
        action: Action::Rest,
        again: None,
        ending: ending(given, failed, &status),
        status,
        active: active.len() as i32,
        ready: active.iter().filter(|(_, pod)| pod.is_ready()).count() as i32,
        terminating: given.pods.iter().filter(|(_, pod)| is_leaving(pod)).count() as i32,
        succeeded: job.status.succeeded + (new_succeeded.len() + uncounted.0.len()) as i32,
        backoff,
        succeeded_indexes: None,
        failed_indexes: None,
        kept: FastSet::default(),
        managed: Managed::No,
    };
    if found.ending.is_none() {
        found.again = deadline_left(given, &found.status);
    }
    let mut kept = BTreeMap::new();
    if spec.is_indexed() {
        kept = by_index(given, &active, &mut found);
        found.kept = kept.values().map(|(id, _)| *id).collect();
    }
    if found.ending.is_some() {
        found.action = Action::End(active.iter().map(|(id, _)| *id).collect());
    } else if given.caught_up == CaughtUp::Yes && !job.meta.is_terminating() {
        found.managed = Managed::Yes;
        manage(given, active, &kept, &mut found);
    }
    found
}

/// Being deleted, and not done (`CountTerminatingPods`).
fn is_leaving(pod: &Pod) -> bool {
    pod.meta.is_terminating() && !pod.status.phase.is_terminal()
}

/// Whether and why the Job is to end, indexes and success policy apart.
fn ending(given: Given<'_>, failed: i32, status: &JobStatus) -> Option<Ending> {
    let (job, spec) = (given.job, given.spec());
    let as_held = |held: JobConditionKind, kind: JobConditionKind| {
        let it = status.holding(held)?;
        Some(Ending { kind, reason: it.reason.clone(), message: it.message.clone() })
    };
    if let Some(met) = as_held(JobConditionKind::SuccessCriteriaMet, JobConditionKind::Complete) {
        return Some(met);
    }
    if let Some(held) = as_held(JobConditionKind::FailureTarget, JobConditionKind::Failed) {
        return Some(held);
    }
    let rules = spec.failure_policy.as_deref();
    let by_policy = given.pods.iter().filter(|(_, pod)| is_failed(spec, pod));
    if let Some(why) = by_policy.filter_map(|(_, pod)| judge(rules, pod).failure).next() {
        return Some(failing("PodFailurePolicy", &why));
    }
    if failed > spec.backoff_limit || too_many_restarts(spec, given.pods) {
        let why = "Job has reached the specified backoff limit";
        return Some(failing("BackoffLimitExceeded", why));
    }
    let deadline = spec.active_deadline_seconds.filter(|_| !job.is_suspended());
    let past = deadline
        .zip(status.start)
        .is_some_and(|(seconds, start)| start + seconds_of(seconds) <= given.now);
    past.then(|| failing("DeadlineExceeded", "Job was active longer than specified deadline"))
}

fn failing(reason: &str, message: &str) -> Ending {
    let kind = JobConditionKind::FailureTarget;
    Ending { kind, reason: reason.into(), message: message.into() }
}

fn seconds_of(seconds: i64) -> SimDuration {
    SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// What is left of `activeDeadlineSeconds`.
fn deadline_left(given: Given<'_>, status: &JobStatus) -> Option<SimDuration> {
    let seconds = given.spec().active_deadline_seconds.filter(|_| !given.job.is_suspended())?;
    Some((status.start? + seconds_of(seconds)).saturating_since(given.now))
}

/// `pastBackoffLimitOnFailure`: restarts of containers that are started again count as failures.
fn too_many_restarts(spec: &JobSpec, pods: &[JobPod<'_>]) -> bool {
    if spec.template.spec.restart_policy != RestartPolicy::OnFailure {
        return false;
    }
    let going = pods.iter().filter(|(_, pod)| !pod.status.phase.is_terminal());
    let restarts: i64 = going.map(|(_, pod)| i64::from(pod.status.restarts())).sum();
    match spec.backoff_limit {
        0 => restarts > 0,
        limit => restarts >= i64::from(limit),
    }
}

/// What only a Job with indexes has; returns the failed pod that is kept of each index.
fn by_index<'a>(
    given: Given<'a>,
    active: &[JobPod<'a>],
    found: &mut Assessment,
) -> BTreeMap<i32, JobPod<'a>> {
    let (job, spec) = (given.job, given.spec());
    let completions = spec.completions.unwrap_or(0);
    let (before, succeeded) = succeeded_indexes(job, given.pods);
    found.succeeded = succeeded.total();
    let mut kept = BTreeMap::new();
    if spec.backoff_limit_per_index.is_some() {
        let failed = failed_indexes(job, given.pods);
        if found.ending.is_none() {
            let (bad, good) = (failed.total(), succeeded.total());
            if spec.max_failed_indexes.is_some_and(|most| bad > most) {
                let why = "Job has exceeded the specified maximal number of failed indexes";
                found.ending = Some(failing("MaxFailedIndexesExceeded", why));
            } else if bad > 0 && bad + good >= completions {
                found.ending = Some(failing("FailedIndexes", "Job has failed indexes"));
            }
        }
        let tracked = given.pods.iter().copied().filter(|(_, pod)| given.uncounted(pod));
        let going = indexes_of(active.iter());
        kept = kept_failures(spec, tracked, &going, &succeeded, &failed);
        found.failed_indexes = Some(failed);
    }
    let rules = spec.success_policy.as_deref();
    if found.ending.is_none()
        && let Some(message) = success_policy::met(rules, completions, &succeeded)
    {
        found.ending = Some(Ending {
            kind: JobConditionKind::SuccessCriteriaMet,
            reason: "SuccessPolicy".into(),
            message: message.into(),
        });
    }
    found.succeeded_indexes = Some((before, succeeded));
    kept
}

fn indexes_of<'a>(pods: impl Iterator<Item = &'a JobPod<'a>>) -> Indexes {
    Indexes::default().with(pods.filter_map(|(_, pod)| index_of(pod)))
}

/// `manageJob`: how many pods are wanted, and what follows.
fn manage<'a>(
    given: Given<'a>,
    active: Vec<JobPod<'a>>,
    kept: &BTreeMap<i32, JobPod<'a>>,
    found: &mut Assessment,
) {
    let (job, spec) = (given.job, given.spec());
    let count = active.len() as i32;
    if job.is_suspended() {
        let gone = first_to_go(spec, active, count as usize);
        found.action = removal(gone);
        return;
    }
    let wanted = match spec.completions {
        None if found.succeeded > 0 => count,
        None => spec.parallelism,
        Some(all) => (all - found.succeeded).min(spec.parallelism).max(0),
    };
    let surplus = (count - wanted).max(0) as usize;
    let busy = indexes_of(active.iter());
    let gone = first_to_go(spec, active, surplus);
    if !gone.is_empty() {
        found.action = removal(gone);
        return;
    }
    let waiting = if spec.replaces_only_failed() { found.terminating } else { 0 };
    let missing = wanted - waiting - count;
    if missing > 0 {
        create(given, missing as usize, &busy, kept, found);
    }
}

fn removal(gone: Vec<JobPod<'_>>) -> Action {
    if gone.is_empty() {
        return Action::Rest;
    }
    Action::Remove(gone.into_iter().take(BURST).map(|(id, _)| id).collect())
}

fn create(
    given: Given<'_>,
    missing: usize,
    busy: &Indexes,
    kept: &BTreeMap<i32, JobPod<'_>>,
    found: &mut Assessment,
) {
    let spec = given.spec();
    let by_index = spec.backoff_limit_per_index.is_some();
    if !by_index {
        let wait = found.backoff.remaining(given.now);
        if !wait.is_zero() {
            return come_back(wait, found);
        }
    }
    let missing = missing.min(BURST);
    if !spec.is_indexed() {
        found.action = Action::Create(vec![Creation { index: None, failures: None }; missing]);
        return;
    }
    let (_, succeeded) = found.succeeded_indexes.clone().unwrap_or_default();
    let mut taken = succeeded.merge(busy);
    if spec.replaces_only_failed() {
        let leaving = given.pods.iter().filter(|(_, pod)| is_leaving(pod));
        taken = taken.merge(&indexes_of(leaving));
    }
    if let Some(failed) = &found.failed_indexes {
        taken = taken.merge(failed);
    }
    let indexes = taken.first_missing(missing, spec.completions.unwrap_or(0));
    let mut creations = Vec::with_capacity(indexes.len());
    let mut least: Option<SimDuration> = None;
    for index in indexes {
        let replaced = kept.get(&index).map(|(_, pod)| *pod);
        let wait = replaced.map_or(SimDuration::ZERO, |pod| index_wait(pod, given.now));
        if wait.is_zero() {
            let failures = by_index.then(|| next_index_failures(spec, replaced));
            creations.push(Creation { index: Some(index), failures });
        } else {
            least = Some(least.map_or(wait, |held| held.min(wait)));
        }
    }
    match least {
        Some(wait) if creations.is_empty() => come_back(wait, found),
        _ if creations.is_empty() => {}
        _ => found.action = Action::Create(creations),
    }
}

/// How long the successor of a failed pod still waits.
pub fn index_wait(pod: &Pod, now: SimTime) -> SimDuration {
    let failures = all_index_failures(pod).saturating_add(1);
    remaining(failures, finished_at(pod), now, BACKOFF_BASE, BACKOFF_MAX)
}

fn come_back(wait: SimDuration, found: &mut Assessment) {
    let wait = wait.max(super::BATCH);
    found.again = Some(found.again.map_or(wait, |held| held.min(wait)));
}

/// An instant as it stands in a status.
pub(super) fn written(at: SimTime) -> SimTime {
    to_second(at)
}
