//! What a Job's controller reads off one pod, and which of several it takes away
//! (kube-controller-manager 1.36 pkg/controller/job/indexed_job_utils.go, job_controller.go).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::backoff::finished_at;
use super::failure_policy::judge;
use super::indexes::Indexes;
use crate::api::job::{
    COMPLETION_INDEX, FailureAction, INDEX_FAILURES, INDEX_IGNORED_FAILURES, Job, JobSpec, TRACKING,
};
use crate::api::kind::Kind;
use crate::api::meta::Uid;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::base::id::Id;
use crate::messages::Call;
use crate::messages::request::MetaPatch;
use crate::time::SimTime;

/// A pod of a Job.
pub type JobPod<'a> = (Id<Pod>, &'a Pod);

/// Longest base of a generated name.
const BASE_MAX: usize = 58;

/// The pod's completion index, if it has a valid one.
pub fn index_of(pod: &Pod) -> Option<i32> {
    let index: i32 = pod.meta.annotation(COMPLETION_INDEX)?.parse().ok()?;
    (index >= 0).then_some(index)
}

/// The pod's completion index, if the Job has a completion of that number.
pub fn valid_index(spec: &JobSpec, pod: &Pod) -> Option<i32> {
    index_of(pod).filter(|&index| spec.completions.is_none_or(|all| index < all))
}

/// Whether the Job has not counted the pod yet.
pub fn is_tracked(pod: &Pod) -> bool {
    pod.meta.has_finalizer(TRACKING)
}

/// The call that takes a pod's finalizer away.
pub(super) fn untracking(pod: Id<Pod>, uid: Uid) -> Call {
    let patch = MetaPatch::DropFinalizer(TRACKING.into());
    Call::Patch { kind: Kind::Pod, id: pod.into(), uid, patch }
}

/// Whether the pod counts as failed: one that is being deleted does, unless the Job waits for its
/// end (`isPodFailed`).
pub fn is_failed(spec: &JobSpec, pod: &Pod) -> bool {
    match pod.status.phase {
        Phase::Failed => true,
        Phase::Succeeded => false,
        Phase::Pending | Phase::Running | Phase::Unknown => {
            !spec.replaces_only_failed() && pod.meta.is_terminating()
        }
    }
}

fn count_in(pod: &Pod, key: &str) -> i32 {
    pod.meta.annotation(key).and_then(|text| text.parse().ok()).filter(|&it| it >= 0).unwrap_or(0)
}

/// Failures of the pod's index before it that counted.
pub fn index_failures(pod: &Pod) -> i32 {
    count_in(pod, INDEX_FAILURES)
}

/// Failures of the pod's index before it, ignored ones too.
pub fn all_index_failures(pod: &Pod) -> i32 {
    index_failures(pod).saturating_add(count_in(pod, INDEX_IGNORED_FAILURES))
}

/// The two numbers for the pod that replaces `replaced`: failures that counted, and ignored ones
/// (`getNewIndexFailureCounts`).
pub fn next_index_failures(spec: &JobSpec, replaced: Option<&Pod>) -> (i32, i32) {
    let Some(pod) = replaced else { return (0, 0) };
    let (counted, ignored) = (index_failures(pod), count_in(pod, INDEX_IGNORED_FAILURES));
    if judge(spec.failure_policy.as_deref(), pod).counts() {
        (counted.saturating_add(1), ignored)
    } else {
        (counted, ignored.saturating_add(1))
    }
}

/// Whether the pod's failure is its index's last (`isIndexFailed`).
pub fn fails_index(spec: &JobSpec, pod: &Pod) -> bool {
    if !is_failed(spec, pod) {
        return false;
    }
    let verdict = judge(spec.failure_policy.as_deref(), pod);
    verdict.action == Some(FailureAction::FailIndex)
        || (verdict.counts()
            && spec.backoff_limit_per_index.is_some_and(|limit| index_failures(pod) >= limit))
}

/// Indexes that succeeded: those of the status, and all with the pods not counted yet.
pub fn succeeded_indexes(job: &Job, pods: &[JobPod<'_>]) -> (Indexes, Indexes) {
    let completions = job.spec.completions.unwrap_or(0);
    let before = Indexes::parse(&job.status.completed_indexes, completions);
    let new =
        pods.iter().filter(|(_, pod)| pod.status.phase == Phase::Succeeded && is_tracked(pod));
    let all = before.with(new.filter_map(|(_, pod)| valid_index(&job.spec, pod)));
    (before, all)
}

/// Indexes that failed for good, those of pods not counted yet among them.
pub fn failed_indexes(job: &Job, pods: &[JobPod<'_>]) -> Indexes {
    let completions = job.spec.completions.unwrap_or(0);
    let held = job.status.failed_indexes.as_deref().unwrap_or("");
    let new = pods.iter().filter(|(_, pod)| is_tracked(pod) && fails_index(&job.spec, pod));
    let new = new.filter_map(|(_, pod)| valid_index(&job.spec, pod));
    Indexes::parse(held, completions).with(new)
}

/// By index the failed pod that is kept until it is replaced, so that its count of failures is not
/// lost (`getPodsWithDelayedDeletionPerIndex`). `tracked` are pods the Job has not counted yet.
pub fn kept_failures<'a>(
    spec: &JobSpec,
    tracked: impl Iterator<Item = JobPod<'a>>,
    active: &Indexes,
    succeeded: &Indexes,
    failed: &Indexes,
) -> BTreeMap<i32, JobPod<'a>> {
    let mut kept: BTreeMap<i32, JobPod<'a>> = BTreeMap::new();
    for (id, pod) in tracked {
        let Some(index) = valid_index(spec, pod).filter(|_| is_failed(spec, pod)) else { continue };
        if active.has(index) || succeeded.has(index) || failed.has(index) {
            continue;
        }
        let later = |(_, held): &JobPod<'_>| {
            let key = |pod: &Pod| (all_index_failures(pod), finished_at(pod));
            key(held) < key(pod)
        };
        if kept.get(&index).is_none_or(later) {
            kept.insert(index, (id, pod));
        }
    }
    kept
}

/// Active pods of an Indexed Job that have no place in it or whose index another one has, and the
/// others (`appendDuplicatedIndexPodsForRemoval`).
pub fn duplicates<'a>(spec: &JobSpec, pods: Vec<JobPod<'a>>) -> (Vec<JobPod<'a>>, Vec<JobPod<'a>>) {
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    let mut by_index: BTreeMap<Option<i32>, Vec<JobPod<'a>>> = BTreeMap::new();
    for pod in pods {
        by_index.entry(index_of(pod.1)).or_default().push(pod);
    }
    for (index, mut of_index) in by_index {
        let is_valid = index.is_some_and(|it| spec.completions.is_none_or(|all| it < all));
        if is_valid {
            of_index.sort_by(|a, b| order(a.1, b.1));
            left.extend(of_index.pop());
        }
        gone.extend(of_index);
    }
    (gone, left)
}

/// The active pods that go first, at least `least` of them (`activePodsForRemoval`).
pub fn first_to_go<'a>(spec: &JobSpec, active: Vec<JobPod<'a>>, least: usize) -> Vec<JobPod<'a>> {
    let (mut gone, mut left) = match spec.is_indexed() {
        true => duplicates(spec, active),
        false => (Vec::new(), active),
    };
    if gone.len() < least {
        left.sort_by(|a, b| order(a.1, b.1));
        let more = (least - gone.len()).min(left.len());
        gone.extend(left.into_iter().take(more));
    }
    gone
}

/// `controller.ActivePods`: the lesser goes first. Ties, which upstream leaves to chance, by uid.
fn order(a: &Pod, b: &Pod) -> Ordering {
    let stage = |pod: &Pod| u8::from(pod.status.phase == Phase::Running);
    let ready_since = |pod: &Pod| pod.status.condition(PodCondition::Ready).since_seconds;
    let created = |pod: &Pod| SimTime::from_secs(pod.meta.created.as_secs());
    let restarts = |pod: &Pod| {
        let all = pod.status.containers.as_deref().unwrap_or_default().iter();
        all.map(|one| one.restarts).max().unwrap_or(0)
    };
    (a.node.is_some().cmp(&b.node.is_some()))
        .then_with(|| stage(a).cmp(&stage(b)))
        .then_with(|| a.is_ready().cmp(&b.is_ready()))
        .then_with(|| match a.is_ready() && b.is_ready() {
            true => ready_since(b).cmp(&ready_since(a)),
            false => Ordering::Equal,
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| created(b).cmp(&created(a)))
        .then_with(|| a.meta.uid.cmp(&b.meta.uid))
}

/// What the name of an index's pod is generated from (`podGenerateNameWithIndex`).
pub fn base_name(job: &str, index: Option<i32>) -> String {
    let Some(index) = index else { return format!("{job}-") };
    let tail = format!("-{index}-");
    let room = BASE_MAX.saturating_sub(tail.len());
    // Names of objects are ASCII; anything else is cut where a letter begins.
    let cut = (0..=room.min(job.len())).rev().find(|&at| job.is_char_boundary(at)).unwrap_or(0);
    format!("{}{tail}", &job[..cut])
}
