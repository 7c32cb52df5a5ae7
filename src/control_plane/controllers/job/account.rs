//! The second half of a Job's sync: which pods are counted now, which finalizers go, what is written
//! and whether the Job is finished (`trackJobStatusAndRemoveFinalizers`, kube-controller-manager 1.36
//! pkg/controller/job/job_controller.go).
//!
//! ```text
//! settle: counts ─▶ flush: uids to be counted ─▶ finalizers taken away ─▶ close: uids counted, end
//! ```
//!
//! A pod is counted in two steps, so that a crash between them counts it neither twice nor never: its
//! uid is written to the status, its finalizer goes, and then the uid becomes part of the count.

use super::assess::{Assessment, CaughtUp, Ending, Given, Managed, written};
use super::failure_policy::judge;
use super::indexes::Indexes;
use super::pods::{index_of, is_failed, is_tracked, valid_index};
use crate::api::job::{Activity, JobCondition, JobConditionKind, JobStatus};
use crate::api::meta::Uid;
use crate::api::pod::{Phase, Pod};
use crate::base::FastSet;
use crate::base::id::Id;
use crate::messages::Remark;
use crate::time::SimTime;

/// Uids that a status may hold before they are counted.
pub const UNCOUNTED_MAX: usize = 500;

/// What became of the pods that were to be made or taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Acted {
    /// Pods made.
    pub created: i32,
    /// Pods deleted.
    pub deleted: i32,
    /// Of those, the ready ones.
    pub deleted_ready: i32,
}

/// A word about the Job for whoever looks at its Events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// `Suspended`.
    Suspended,
    /// `Resumed`.
    Resumed,
    /// `Completed`, or why it failed.
    Finished,
}

impl News {
    /// The words of it (`recordJobFinished`, `syncJob`); `status` is what was written.
    pub fn remark(self, status: &JobStatus) -> Remark {
        let of =
            |kind| status.conditions.iter().find(|it| it.kind == kind && it.value == Some(true));
        match (self, of(JobConditionKind::Failed)) {
            (News::Suspended, _) => Remark::normal("Suspended", "Job suspended"),
            (News::Resumed, _) => Remark::normal("Resumed", "Job resumed"),
            (News::Finished, None) => Remark::normal("Completed", "Job completed"),
            (News::Finished, Some(why)) => Remark::warning(why.reason.to_string(), &*why.message),
        }
    }
}

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Account {
    /// The status.
    pub status: JobStatus,
    /// Whether it must be written before finalizers go.
    pub flush: Flush,
    /// Pods whose finalizers go.
    pub untrack: Vec<(Id<Pod>, Uid)>,
    /// The end, once no pod is left.
    pub end: Option<Ending>,
    /// What is worth an Event.
    pub news: Option<News>,
    /// Pods with a finalizer.
    tracked: FastSet<Uid>,
    /// Whether more pods wait to be counted than one sync does.
    full: Full,
}

/// Whether a status is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush {
    /// It is.
    Needed,
    /// It is as written.
    Not,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Full {
    Yes,
    No,
}

fn needs(flush: &mut Flush, changed: bool) {
    if changed {
        *flush = Flush::Needed;
    }
}

/// Works out what is written after pods were made or taken away.
pub fn settle(given: Given<'_>, mut found: Assessment, acted: Acted) -> Account {
    let job = given.job;
    let mut news = None;
    found.active += acted.created - acted.deleted;
    found.ready -= acted.deleted_ready;
    found.terminating += acted.deleted;
    if found.ending.is_some() {
        // Pods may be left that were not seen, or not deleted.
        if found.active != 0 || given.caught_up == CaughtUp::No {
            found.ending = None;
        }
    } else {
        let done = match job.spec.completions {
            None => found.succeeded > 0 && found.active == 0,
            Some(all) => found.succeeded >= all && found.active == 0,
        };
        if done {
            found.ending = Some(Ending {
                kind: JobConditionKind::SuccessCriteriaMet,
                reason: "CompletionsReached".into(),
                message: "Reached expected number of succeeded pods".into(),
            });
        } else if found.managed == Managed::Yes {
            news = suspension(job.spec.activity, &mut found.status, given.now);
        }
    }
    let mut status = found.status.clone();
    let mut flush = Flush::Not;
    needs(&mut flush, news.is_some());
    needs(&mut flush, status.active != found.active);
    needs(&mut flush, status.ready != Some(found.ready));
    needs(&mut flush, status.terminating != Some(found.terminating));
    status.active = found.active;
    status.ready = Some(found.ready);
    status.terminating = Some(found.terminating);
    let account = Account {
        status,
        flush,
        untrack: Vec::new(),
        end: None,
        news,
        tracked: FastSet::default(),
        full: Full::No,
    };
    track(given, found, account)
}

/// Whether it is news that the Job is suspended, or goes on.
fn suspension(activity: Activity, status: &mut JobStatus, now: SimTime) -> Option<News> {
    let kind = JobConditionKind::Suspended;
    match activity {
        Activity::Suspended => {
            let is_news = ensure(status, kind, Some(true), "JobSuspended", "Job suspended", now);
            is_news.then(|| {
                // Its active time begins anew when it is resumed.
                status.start = None;
                News::Suspended
            })
        }
        Activity::Active => {
            let is_news = ensure(status, kind, Some(false), "JobResumed", "Job resumed", now);
            is_news.then(|| {
                status.start = Some(now);
                News::Resumed
            })
        }
    }
}

/// Puts a condition as said; a false one that is not there is not added. Returns whether that is
/// news (`ensureJobConditionStatus`).
fn ensure(
    status: &mut JobStatus,
    kind: JobConditionKind,
    value: Option<bool>,
    reason: &str,
    message: &str,
    now: SimTime,
) -> bool {
    let fresh = || JobCondition {
        kind,
        value,
        reason: reason.into(),
        message: message.into(),
        since: written(now),
    };
    match status.conditions.iter_mut().find(|it| it.kind == kind) {
        Some(it) if it.value == value && &*it.reason == reason && &*it.message == message => false,
        Some(it) => {
            *it = fresh();
            true
        }
        None if value == Some(false) => false,
        None => {
            status.conditions.push(fresh());
            true
        }
    }
}

/// Counts pods that are done and says which finalizers go.
fn track(given: Given<'_>, found: Assessment, mut account: Account) -> Account {
    let (job, spec) = (given.job, &*given.job.spec);
    let mut pods = given.pods.to_vec();
    if spec.is_indexed() {
        pods.sort_by_key(|(_, pod)| (index_of(pod).unwrap_or(i32::MAX), pod.meta.uid));
    }
    let is_held = |pod: &Pod| is_tracked(pod) && !given.untracked.contains(&pod.meta.uid);
    let held = pods.iter().filter(|(_, pod)| is_held(pod));
    account.tracked = held.map(|(_, pod)| pod.meta.uid).collect();
    if account.count_untracked() {
        account.flush = Flush::Needed;
    }
    let mut new_indexes = Vec::new();
    for &(id, pod) in &pods {
        if !is_held(pod) || !may_untrack(given, &found, id, pod) {
            continue;
        }
        let uid = pod.meta.uid;
        account.untrack.push((id, uid));
        if pod.status.phase == Phase::Succeeded && !job.status.uncounted_failed.contains(&uid) {
            if spec.is_indexed() {
                let before = found.succeeded_indexes.as_ref().map(|(before, _)| before);
                let is_new = |&index: &i32| before.is_none_or(|before| !before.has(index));
                if let Some(index) = valid_index(spec, pod).filter(is_new) {
                    new_indexes.push(index);
                    account.flush = Flush::Needed;
                }
            } else if !job.status.uncounted_succeeded.contains(&uid) {
                account.status.uncounted_succeeded.push(uid);
                account.flush = Flush::Needed;
            }
        } else if (is_failed(spec, pod) || found.ending.as_ref().is_some_and(is_failure))
            && !job.status.uncounted_failed.contains(&uid)
            && (!spec.is_indexed() || valid_index(spec, pod).is_some())
            && judge(spec.failure_policy.as_deref(), pod).counts()
        {
            account.status.uncounted_failed.push(uid);
            account.flush = Flush::Needed;
        }
        let status = &account.status;
        let waiting = status.uncounted_succeeded.len() + status.uncounted_failed.len();
        if new_indexes.len() + waiting >= UNCOUNTED_MAX {
            account.full = Full::Yes;
            break;
        }
    }
    if let Some((before, _)) = &found.succeeded_indexes {
        write_indexes(&before.with(new_indexes), &found, &mut account);
    }
    announce(found.ending, &mut account, given.now);
    account
}

fn is_failure(ending: &Ending) -> bool {
    matches!(ending.kind, JobConditionKind::FailureTarget | JobConditionKind::Failed)
}

/// `canRemoveFinalizer`.
fn may_untrack(given: Given<'_>, found: &Assessment, id: Id<Pod>, pod: &Pod) -> bool {
    given.job.meta.is_terminating()
        || found.ending.is_some()
        || pod.status.phase == Phase::Succeeded
        || (is_failed(&given.job.spec, pod) && !found.kept.contains(&id))
}

fn write_indexes(succeeded: &Indexes, found: &Assessment, account: &mut Account) {
    let status = &mut account.status;
    let text = succeeded.to_string();
    needs(&mut account.flush, *status.completed_indexes != *text);
    status.succeeded = succeeded.total();
    status.completed_indexes = text.into();
    let failed = found.failed_indexes.as_ref().map(|failed| failed.to_string().into());
    needs(&mut account.flush, status.failed_indexes != failed);
    status.failed_indexes = failed;
}

/// The interim condition is written before finalizers go, the final one after.
fn announce(ending: Option<Ending>, account: &mut Account, now: SimTime) {
    let Some(ending) = ending else { return };
    let end = match ending.kind {
        JobConditionKind::FailureTarget | JobConditionKind::Failed => JobConditionKind::Failed,
        _ => JobConditionKind::Complete,
    };
    if ending.kind != end {
        account.status.conditions.push(JobCondition {
            kind: ending.kind,
            value: Some(true),
            reason: ending.reason.clone(),
            message: ending.message.clone(),
            since: written(now),
        });
        account.flush = Flush::Needed;
    }
    account.end = Some(Ending { kind: end, ..ending });
}

impl Account {
    /// Uids whose finalizer is gone become part of the counts (`cleanUncountedPodsWithoutFinalizers`).
    fn count_untracked(&mut self) -> bool {
        let status = &mut self.status;
        let before = (status.uncounted_succeeded.len(), status.uncounted_failed.len());
        status.uncounted_succeeded.retain(|uid| self.tracked.contains(uid));
        status.uncounted_failed.retain(|uid| self.tracked.contains(uid));
        let succeeded = before.0 - status.uncounted_succeeded.len();
        let failed = before.1 - status.uncounted_failed.len();
        status.succeeded += succeeded as i32;
        status.failed += failed as i32;
        succeeded + failed > 0
    }

    /// The finalizer of this pod is gone.
    pub fn untracked(&mut self, uid: Uid) {
        self.tracked.remove(&uid);
    }

    /// Finalizers are gone as far as they went: counts them, and ends the Job if that was all that
    /// was missing. Returns whether the status is to be written once more.
    pub fn close(&mut self, now: SimTime) -> Flush {
        let mut flush = Flush::Not;
        needs(&mut flush, self.count_untracked());
        let status = &self.status;
        let waits = self.full == Full::Yes
            || !status.uncounted_succeeded.is_empty()
            || !status.uncounted_failed.is_empty()
            || status.terminating.is_some_and(|it| it > 0);
        let Some(end) = self.end.clone().filter(|_| !waits) else { return flush };
        ensure(&mut self.status, end.kind, Some(true), &end.reason, &end.message, now);
        if end.kind == JobConditionKind::Complete {
            self.status.completed = Some(written(now));
        }
        self.news = Some(News::Finished);
        Flush::Needed
    }
}
