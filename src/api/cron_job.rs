//! CronJobs as a run holds them (`batch/v1`).

use std::sync::Arc;

use super::job::{Activity, JobSpec};
use super::meta::{Labels, Meta, RawId, Uid};
use super::name::{Name, Text};
use crate::time::SimTime;

/// Annotation of a Job with the time it stands for.
pub const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A CronJob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronJob {
    /// Its metadata.
    pub meta: Meta,
    /// What is wanted.
    pub spec: Arc<CronJobSpec>,
    /// What its controller says of it.
    pub status: CronJobStatus,
}

/// What is wanted of a CronJob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronJobSpec {
    /// `spec.schedule`, as written.
    pub schedule: Text,
    /// `spec.timeZone`; `None`: the controller manager's, which is UTC here.
    pub time_zone: Option<Text>,
    /// `spec.startingDeadlineSeconds`.
    pub starting_deadline_seconds: Option<i64>,
    /// `spec.concurrencyPolicy`.
    pub concurrency: Concurrency,
    /// `spec.suspend`.
    pub activity: Activity,
    /// `spec.successfulJobsHistoryLimit`.
    pub successful_kept: Option<u32>,
    /// `spec.failedJobsHistoryLimit`.
    pub failed_kept: Option<u32>,
    /// What Jobs are made from.
    pub template: JobTemplate,
    /// The spec as written, as canonical JSON.
    pub written: Text,
}

/// What becomes of a start that comes while an earlier Job still runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Concurrency {
    /// Both run.
    #[default]
    Allow,
    /// It waits.
    Forbid,
    /// The earlier one is deleted.
    Replace,
}

impl Concurrency {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Concurrency::Allow => "Allow",
            Concurrency::Forbid => "Forbid",
            Concurrency::Replace => "Replace",
        }
    }
}

/// The template of a CronJob's Jobs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobTemplate {
    /// Labels of each Job.
    pub labels: Arc<Labels>,
    /// Annotations of each Job.
    pub annotations: Arc<Labels>,
    /// The spec of each Job.
    pub spec: Arc<JobSpec>,
}

/// Status of a CronJob.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CronJobStatus {
    /// Jobs it started that are not finished, as far as it saw.
    pub active: Vec<ActiveJob>,
    /// `lastScheduleTime`.
    pub last_schedule: Option<SimTime>,
    /// `lastSuccessfulTime`.
    pub last_successful: Option<SimTime>,
}

/// A Job in a CronJob's list of active ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActiveJob {
    /// Its uid.
    pub uid: Uid,
    /// Its name.
    pub name: Name,
    /// Where it lies.
    pub at: RawId,
    /// The version of it that was listed, if any is known.
    pub version: Option<u64>,
}
