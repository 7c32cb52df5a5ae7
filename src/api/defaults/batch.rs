//! Jobs and CronJobs, as `pkg/apis/batch/v1/defaults.go` of 1.36 fills them in.

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};

use super::{fill, workloads::default_template};

const RETRIES: i32 = 6;
const SUCCEEDED_KEPT: i32 = 3;
const FAILED_KEPT: i32 = 1;

/// Fills in a Job. Its selector follows from its uid and is made when it is created.
pub fn default_job(job: &mut Job) {
    let spec = job.spec.get_or_insert_default();
    default_pods(spec);
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    // With a limit for each index, the one for all is not meant to bind.
    let retries = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { RETRIES };
    spec.backoff_limit.get_or_insert(retries);
    let labels = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.clone());
    let own = &mut job.metadata.labels;
    if labels.is_some() && own.as_ref().is_none_or(|own| own.is_empty()) {
        *own = labels;
    }
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replacement =
        if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_owned());
}

fn default_pods(spec: &mut JobSpec) {
    default_template(&mut spec.template);
    for rule in spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules) {
        for pattern in rule.on_pod_conditions.iter_mut().flatten() {
            fill(&mut pattern.status, "True");
        }
    }
}

/// Fills in a CronJob. Its Jobs are filled in when they are made.
pub fn default_cron_job(job: &mut CronJob) {
    let spec = &mut job.spec;
    default_pods(spec.job_template.spec.get_or_insert_default());
    fill(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(SUCCEEDED_KEPT);
    spec.failed_jobs_history_limit.get_or_insert(FAILED_KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_runs_one_pod_to_its_end() {
        let mut job = Job::default();
        default_job(&mut job);
        let spec = job.spec.unwrap();
        assert_eq!((spec.completions, spec.parallelism), (Some(1), Some(1)));
        assert_eq!(spec.backoff_limit, Some(6));
        assert_eq!(spec.pod_replacement_policy.as_deref(), Some("TerminatingOrFailed"));
    }

    #[test]
    fn a_work_queue_has_no_completions() {
        let mut job = Job::default();
        job.spec.get_or_insert_default().parallelism = Some(3);
        default_job(&mut job);
        assert_eq!(job.spec.unwrap().completions, None);
    }
}
