//! Jobs and CronJobs, as `pkg/apis/batch/validation` of 1.36 checks them.

pub mod cron_job;
mod failure_policy;
pub mod indexes;
pub mod job;
mod job_update;
mod spec;
mod success_policy;

pub use cron_job::{validate as validate_cron_job, validate_update as validate_cron_job_update};
pub use job::validate as validate_job;
pub use job_update::validate as validate_job_update;
