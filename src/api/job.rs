//! Jobs as a run holds them (`batch/v1`).

use std::sync::Arc;

use super::meta::{Labels, Meta, Uid};
use super::name::Text;
use super::node::Tristate;
use super::pod::PodTemplate;
use super::rules::selector::Selector;
use crate::time::SimTime;

/// Finalizer of a pod that its Job has not counted yet.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// Annotation and label with the completion index of an Indexed Job's pod.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Annotation: failures of the pod's index before it that counted.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// Annotation: failures of the pod's index before it that a rule said to ignore.
pub const INDEX_IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// `spec.managedBy` of a Job that the built-in controller takes care of.
pub const BUILT_IN_MANAGER: &str = "kubernetes.io/job-controller";
/// Labels of a Job's pods: the Job's uid, under its old name and its new one.
pub const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
/// Labels of a Job's pods: the Job's name, under its old name and its new one.
pub const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// A Job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Its metadata.
    pub meta: Meta,
    /// What is wanted, shared by all Jobs of one CronJob.
    pub spec: Arc<JobSpec>,
    /// Labels of its pods: the template's, and those that tell whose they are. Worked out by the API
    /// server when the Job is stored.
    pub pod_labels: Arc<Labels>,
    /// What its controller says of it.
    pub status: JobStatus,
}

impl Job {
    /// Works out the labels of its pods: they are told by its uid and name, unless it says otherwise itself
    /// (`pkg/registry/batch/job/strategy.go`, 1.36).
    pub fn label_pods(&mut self) {
        let of_template = &self.spec.template.labels;
        self.pod_labels = match self.spec.manual_selector {
            Some(_) => of_template.clone(),
            None => {
                let mut labels = Labels::clone(of_template);
                let uid: Text = self.meta.uid.to_string().into();
                let name: Text = self.meta.name.to_string().into();
                labels.extend(UID_LABELS.map(|key| (key.into(), uid.clone())));
                labels.extend(NAME_LABELS.map(|key| (key.into(), name.clone())));
                Arc::new(labels)
            }
        };
    }
}

/// What is wanted of a Job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobSpec {
    /// `spec.parallelism`: pods at a time.
    pub parallelism: i32,
    /// `spec.completions`: pods that are to succeed; `None`: a work queue, one success ends it.
    pub completions: Option<i32>,
    /// `spec.completionMode`.
    pub mode: CompletionMode,
    /// `spec.backoffLimit`: failures before the Job fails.
    pub backoff_limit: i32,
    /// `spec.backoffLimitPerIndex`.
    pub backoff_limit_per_index: Option<i32>,
    /// `spec.maxFailedIndexes`.
    pub max_failed_indexes: Option<i32>,
    /// `spec.activeDeadlineSeconds`.
    pub active_deadline_seconds: Option<i64>,
    /// `spec.ttlSecondsAfterFinished`.
    pub ttl_seconds: Option<u32>,
    /// `spec.suspend`.
    pub activity: Activity,
    /// `spec.podReplacementPolicy`.
    pub replacement: Replacement,
    /// `spec.podFailurePolicy.rules`; `None`: every failure counts.
    pub failure_policy: Option<Vec<FailureRule>>,
    /// `spec.successPolicy.rules`; `None`: all completions are needed.
    pub success_policy: Option<Vec<SuccessRule>>,
    /// `spec.managedBy`.
    pub managed_by: Option<Text>,
    /// `spec.selector` of a Job with `manualSelector`; `None`: generated from its uid.
    pub manual_selector: Option<Selector>,
    /// What it makes pods from, as written.
    pub template: Arc<PodTemplate>,
    /// The spec as written, as canonical JSON.
    pub written: Text,
}

impl JobSpec {
    /// Whether each completion has an index.
    pub fn is_indexed(&self) -> bool {
        self.mode == CompletionMode::Indexed
    }

    /// Whether a pod is replaced only once it is done (`onlyReplaceFailedPods`, 1.36).
    pub fn replaces_only_failed(&self) -> bool {
        self.replacement == Replacement::Failed || self.failure_policy.is_some()
    }
}

/// What tells a Job's completions apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompletionMode {
    /// Nothing.
    #[default]
    NonIndexed,
    /// A number from 0 on.
    Indexed,
}

/// Whether something goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Activity {
    /// It does.
    #[default]
    Active,
    /// It is suspended.
    Suspended,
}

/// When a Job replaces a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Replacement {
    /// As soon as it is being deleted.
    #[default]
    TerminatingOrFailed,
    /// Once it is done.
    Failed,
}

/// What a rule makes of a failed pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureAction {
    /// It counts towards the limit.
    Count,
    /// Its index fails at once.
    FailIndex,
    /// The Job fails at once.
    FailJob,
    /// It does not count.
    Ignore,
}

impl FailureAction {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            FailureAction::Count => "Count",
            FailureAction::FailIndex => "FailIndex",
            FailureAction::FailJob => "FailJob",
            FailureAction::Ignore => "Ignore",
        }
    }
}

/// One rule of a `podFailurePolicy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureRule {
    /// What becomes of the pod; `None`: a word this version does not know, so that the rule is skipped.
    pub action: Option<FailureAction>,
    /// Which pods.
    pub applies: FailurePattern,
}

/// Which failed pods a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FailurePattern {
    /// Those with a container that ended with such a code.
    ExitCodes {
        /// The container's name; `None`: any.
        container: Option<Text>,
        /// Whether the code must be among the values.
        operator: ExitCodeOperator,
        /// The values.
        values: Vec<i32>,
    },
    /// Those with one of these conditions: type, and value.
    Conditions(Vec<(Text, Tristate)>),
}

/// How an exit code is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitCodeOperator {
    /// It is among the values.
    In,
    /// It is not.
    NotIn,
    /// A word this version does not know: nothing matches.
    Unknown,
}

/// One rule of a `successPolicy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuccessRule {
    /// `succeededIndexes`, as written.
    pub indexes: Option<Text>,
    /// `succeededCount`.
    pub count: Option<i32>,
}

/// Status of a Job.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JobStatus {
    /// `startTime`: when its controller took it up, or it was resumed last; to the second.
    pub start: Option<SimTime>,
    /// `completionTime`, to the second.
    pub completed: Option<SimTime>,
    /// Pods that are neither done nor being deleted.
    pub active: i32,
    /// Of those, the ready ones; `None`: not counted yet.
    pub ready: Option<i32>,
    /// Pods being deleted that are not done; `None`: not counted yet.
    pub terminating: Option<i32>,
    /// Pods, or indexes, that succeeded.
    pub succeeded: i32,
    /// Pods that failed.
    pub failed: i32,
    /// `completedIndexes`: `0,2-4`.
    pub completed_indexes: Text,
    /// `failedIndexes`; `None` without `backoffLimitPerIndex`.
    pub failed_indexes: Option<Text>,
    /// `uncountedTerminatedPods.succeeded`.
    pub uncounted_succeeded: Vec<Uid>,
    /// `uncountedTerminatedPods.failed`.
    pub uncounted_failed: Vec<Uid>,
    /// Its conditions, in the order they came.
    pub conditions: Vec<JobCondition>,
}

/// A condition of a Job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobCondition {
    /// Which.
    pub kind: JobConditionKind,
    /// Its value; `None` is `Unknown`.
    pub value: Option<bool>,
    /// One CamelCase word.
    pub reason: Text,
    /// A sentence.
    pub message: Text,
    /// When its value changed last, to the second.
    pub since: SimTime,
}

/// The conditions of a Job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum JobConditionKind {
    /// It is suspended, or was.
    Suspended,
    /// It will have failed once its pods are gone.
    FailureTarget,
    /// It will be complete once its pods are gone.
    SuccessCriteriaMet,
    /// It has failed.
    Failed,
    /// It is complete.
    Complete,
}

impl JobConditionKind {
    /// All of them.
    pub const ALL: [JobConditionKind; 5] = [
        JobConditionKind::Suspended,
        JobConditionKind::FailureTarget,
        JobConditionKind::SuccessCriteriaMet,
        JobConditionKind::Failed,
        JobConditionKind::Complete,
    ];

    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            JobConditionKind::Suspended => "Suspended",
            JobConditionKind::FailureTarget => "FailureTarget",
            JobConditionKind::SuccessCriteriaMet => "SuccessCriteriaMet",
            JobConditionKind::Failed => "Failed",
            JobConditionKind::Complete => "Complete",
        }
    }
}

impl JobStatus {
    /// The condition `kind`, if it is true.
    pub fn holding(&self, kind: JobConditionKind) -> Option<&JobCondition> {
        self.conditions.iter().find(|it| it.kind == kind && it.value == Some(true))
    }

    /// The condition `Complete` or `Failed`, whichever is true.
    pub fn end(&self) -> Option<&JobCondition> {
        let ends = |it: &&JobCondition| {
            matches!(it.kind, JobConditionKind::Complete | JobConditionKind::Failed)
                && it.value == Some(true)
        };
        self.conditions.iter().find(ends)
    }
}

impl Job {
    /// Whether it is complete or has failed.
    pub fn is_finished(&self) -> bool {
        self.status.end().is_some()
    }

    /// Whether it is complete.
    pub fn is_complete(&self) -> bool {
        self.status.holding(JobConditionKind::Complete).is_some()
    }

    /// Whether it has failed.
    pub fn has_failed(&self) -> bool {
        self.status.holding(JobConditionKind::Failed).is_some()
    }

    /// Whether it is suspended.
    pub fn is_suspended(&self) -> bool {
        self.spec.activity == Activity::Suspended
    }

    /// Whether another controller than the built-in one takes care of it.
    pub fn is_managed_elsewhere(&self) -> bool {
        self.spec.managed_by.as_deref().is_some_and(|name| name != BUILT_IN_MANAGER)
    }
}
