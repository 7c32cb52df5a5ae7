//! Jobs and CronJobs.

use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::meta::{arrival, imported_uid};
use super::pod_spec::canonical;
use super::pod_status::truth;
use super::workload::number;
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::cron_job::{
    ActiveJob, Concurrency, CronJob, CronJobSpec, CronJobStatus, JobTemplate,
};
use crate::api::job::{
    Activity, CompletionMode, ExitCodeOperator, FailureAction, FailurePattern, FailureRule, Job,
    JobCondition, JobConditionKind, JobSpec, JobStatus, NAME_LABELS, Replacement, SuccessRule,
    UID_LABELS,
};
use crate::api::kinds::Scope;
use crate::api::name::Name;
use crate::api::node::Tristate;
use crate::api::object::Object;
use crate::time::SimTime;

fn activity(suspend: Option<bool>) -> Activity {
    match suspend {
        Some(true) => Activity::Suspended,
        _ => Activity::Active,
    }
}

fn action(word: &str) -> Option<FailureAction> {
    use FailureAction::{Count, FailIndex, FailJob, Ignore};
    [Count, FailIndex, FailJob, Ignore].into_iter().find(|it| it.name() == word)
}

/// What the API server makes of a Job's uid and name is not part of what was written.
fn take_generated(spec: &mut batch::JobSpec) {
    if spec.manual_selector == Some(true) {
        return;
    }
    spec.selector = None;
    if let Some(meta) = &mut spec.template.metadata
        && let Some(labels) = &mut meta.labels
    {
        labels.retain(|key, _| !UID_LABELS.iter().chain(&NAME_LABELS).any(|it| it == key));
        if labels.is_empty() {
            meta.labels = None;
        }
    }
    let metadata = &mut spec.template.metadata;
    *metadata = metadata.take().filter(|meta| *meta != ObjectMeta::default());
}

impl Compactor {
    /// A Job; its status counts only if it was in a cluster.
    pub fn job(&mut self, written: batch::Job) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = Arc::new(self.job_spec("Job", written.spec.unwrap_or_default()));
        let status = match (arrival, &written.status) {
            (Arrival::Imported, Some(status)) => self.job_status(status),
            _ => JobStatus::default(),
        };
        let pod_labels = spec.template.labels.clone();
        let job = Job { meta, spec, pod_labels, status };
        Compacted { object: Object::Job(Box::new(job)), arrival, node: None }
    }

    fn job_spec(&mut self, kind: &'static str, mut spec: batch::JobSpec) -> JobSpec {
        take_generated(&mut spec);
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = self.intern.text(canonical(&spec, &mut scratch));
        self.intern.scratch = scratch;
        let failure_policy = spec.pod_failure_policy.as_ref();
        let success_policy = spec.success_policy.as_ref();
        let is_manual = spec.manual_selector == Some(true);
        JobSpec {
            parallelism: spec.parallelism.unwrap_or(1),
            completions: spec.completions,
            mode: match spec.completion_mode.as_deref() {
                Some("Indexed") => CompletionMode::Indexed,
                _ => CompletionMode::NonIndexed,
            },
            backoff_limit: spec.backoff_limit.unwrap_or(6),
            backoff_limit_per_index: spec.backoff_limit_per_index,
            max_failed_indexes: spec.max_failed_indexes,
            active_deadline_seconds: spec.active_deadline_seconds,
            ttl_seconds: spec.ttl_seconds_after_finished.map(|it| unsigned(it.into())),
            activity: activity(spec.suspend),
            replacement: match spec.pod_replacement_policy.as_deref() {
                Some("Failed") => Replacement::Failed,
                _ => Replacement::TerminatingOrFailed,
            },
            failure_policy: failure_policy
                .map(|it| it.rules.iter().map(|rule| self.failure_rule(rule)).collect()),
            success_policy: success_policy.map(|it| {
                let rule = |rule: &batch::SuccessPolicyRule| SuccessRule {
                    indexes: rule.succeeded_indexes.as_deref().map(|it| self.intern.text(it)),
                    count: rule.succeeded_count,
                };
                it.rules.iter().map(rule).collect()
            }),
            managed_by: spec.managed_by.as_deref().map(|it| self.intern.text(it)),
            manual_selector: spec
                .selector
                .as_ref()
                .filter(|_| is_manual)
                .map(|it| self.intern.selector(it)),
            template: Arc::new(self.template(kind, Some(spec.template))),
            written: text,
        }
    }

    fn failure_rule(&mut self, written: &batch::PodFailurePolicyRule) -> FailureRule {
        let applies = match &written.on_exit_codes {
            Some(codes) => FailurePattern::ExitCodes {
                container: codes.container_name.as_deref().map(|it| self.intern.text(it)),
                operator: match codes.operator.as_str() {
                    "In" => ExitCodeOperator::In,
                    "NotIn" => ExitCodeOperator::NotIn,
                    _ => ExitCodeOperator::Unknown,
                },
                values: codes.values.clone(),
            },
            None => FailurePattern::Conditions(
                written
                    .on_pod_conditions
                    .iter()
                    .flatten()
                    .map(|it| {
                        let value = it.status.as_deref().unwrap_or("True");
                        (self.intern.text(&it.type_), Tristate::parse(value))
                    })
                    .collect(),
            ),
        };
        FailureRule { action: action(&written.action), applies }
    }

    fn job_status(&mut self, written: &batch::JobStatus) -> JobStatus {
        let start = |at: bool| at.then_some(SimTime::ZERO);
        let uncounted = written.uncounted_terminated_pods.clone().unwrap_or_default();
        let uids = |list: Option<Vec<String>>| {
            list.into_iter().flatten().map(|uid| imported_uid(&uid)).collect()
        };
        let mut status = JobStatus {
            start: start(written.start_time.is_some()),
            completed: start(written.completion_time.is_some()),
            active: number(written.active),
            ready: written.ready,
            terminating: written.terminating,
            succeeded: number(written.succeeded),
            failed: number(written.failed),
            completed_indexes: self.intern.optional(written.completed_indexes.as_deref()),
            failed_indexes: written.failed_indexes.as_deref().map(|it| self.intern.text(it)),
            uncounted_succeeded: uids(uncounted.succeeded),
            uncounted_failed: uids(uncounted.failed),
            conditions: Vec::new(),
        };
        for it in written.conditions.iter().flatten() {
            let known = JobConditionKind::ALL.into_iter().find(|kind| kind.name() == it.type_);
            let Some(kind) = known else { continue };
            status.conditions.push(JobCondition {
                kind,
                value: truth(&it.status),
                reason: self.intern.optional(it.reason.as_deref()),
                message: self.intern.optional(it.message.as_deref()),
                since: SimTime::ZERO,
            });
        }
        status
    }

    /// A CronJob; its status counts only if it was in a cluster.
    pub fn cron_job(&mut self, written: batch::CronJob) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let status = match (arrival, &written.status) {
            (Arrival::Imported, Some(status)) => self.cron_job_status(status),
            _ => CronJobStatus::default(),
        };
        let spec = Arc::new(self.cron_job_spec(written.spec));
        let job = CronJob { meta, spec, status };
        Compacted { object: Object::CronJob(Box::new(job)), arrival, node: None }
    }

    fn cron_job_spec(&mut self, spec: batch::CronJobSpec) -> CronJobSpec {
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = self.intern.text(canonical(&spec, &mut scratch));
        self.intern.scratch = scratch;
        let template = spec.job_template;
        let template_meta = template.metadata.unwrap_or_default();
        let mut job = batch::Job { spec: template.spec, ..batch::Job::default() };
        // What the API server would fill in when the Job is stored.
        crate::api::defaults::batch::default_job(&mut job);
        CronJobSpec {
            schedule: self.intern.text(&spec.schedule),
            time_zone: spec.time_zone.as_deref().map(|it| self.intern.text(it)),
            starting_deadline_seconds: spec.starting_deadline_seconds,
            concurrency: match spec.concurrency_policy.as_deref() {
                Some("Forbid") => Concurrency::Forbid,
                Some("Replace") => Concurrency::Replace,
                _ => Concurrency::Allow,
            },
            activity: activity(spec.suspend),
            successful_kept: spec.successful_jobs_history_limit.map(|it| unsigned(it.into())),
            failed_kept: spec.failed_jobs_history_limit.map(|it| unsigned(it.into())),
            template: JobTemplate {
                labels: self.intern.labels(template_meta.labels.as_ref()),
                annotations: self.intern.labels(template_meta.annotations.as_ref()),
                spec: Arc::new(self.job_spec("CronJob", job.spec.unwrap_or_default())),
            },
            written: text,
        }
    }

    fn cron_job_status(&mut self, written: &batch::CronJobStatus) -> CronJobStatus {
        let job = |it: &ObjectReference| ActiveJob {
            uid: imported_uid(it.uid.as_deref().unwrap_or_default()),
            name: Name::new(it.name.as_deref().unwrap_or_default()),
            at: crate::api::meta::RawId::NOWHERE,
            version: it.resource_version.as_deref().and_then(|it| it.parse().ok()),
        };
        CronJobStatus {
            active: written.active.iter().flatten().map(job).collect(),
            last_schedule: written.last_schedule_time.as_ref().map(|_| SimTime::ZERO),
            last_successful: written.last_successful_time.as_ref().map(|_| SimTime::ZERO),
        }
    }
}
