//! CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};

use super::spec;
use crate::api::{
    cron::{self, Layout, Schedule},
    validation::{
        field::{Errors, Path},
        meta::{Scope, validate_object_meta, validate_object_meta_update},
        names,
        scalar::{json, not_negative_if_set, one_of, text},
    },
};

/// The controller appends eleven characters to the name, and a Job's name is a DNS label.
const NAME_BYTES_MAX: usize = 63 - 11;
/// Most bytes of one part of a time zone's name.
const ZONE_PART_BYTES_MAX: usize = 14;

/// Whether a schedule may name a time zone itself, as was once allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneInSchedule {
    /// New schedules may not.
    Refused,
    /// The old object's schedule did.
    Kept,
}

/// Checks a new CronJob whose defaults are set.
pub fn validate(job: &CronJob, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&job.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(&job.spec, None, errors);
    let name = text(job.metadata.name.as_ref());
    if name.len() > NAME_BYTES_MAX {
        let detail = format!("must be no more than {NAME_BYTES_MAX} characters");
        errors.invalid(&metadata.child("name"), name, detail);
    }
}

/// Checks that a CronJob may become `new`.
pub fn validate_update(new: &CronJob, old: &CronJob, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(&new.spec, Some(&old.spec), errors);
}

fn validate_spec(spec: &CronJobSpec, old: Option<&CronJobSpec>, errors: &mut Errors) {
    let path = Path::ROOT.child("spec");
    let place = path.child("schedule");
    if spec.schedule.is_empty() {
        errors.required(&place, "");
    } else {
        let zone = match old {
            Some(old) if old.schedule.contains("TZ") => ZoneInSchedule::Kept,
            _ => ZoneInSchedule::Refused,
        };
        validate_schedule(&spec.schedule, spec.time_zone.as_deref(), zone, &place, errors);
    }
    let deadline = path.child("startingDeadlineSeconds");
    not_negative_if_set(&deadline, spec.starting_deadline_seconds, errors);
    if old.is_none_or(|old| old.time_zone != spec.time_zone)
        && let Some(zone) = &spec.time_zone
    {
        check_time_zone(zone, &path.child("timeZone"), errors);
    }
    let policy = text(spec.concurrency_policy.as_ref());
    let known = ["Allow", "Forbid", "Replace"];
    one_of(&path.child("concurrencyPolicy"), policy, &known, errors);
    validate_job_template(&spec.job_template, &path.child("jobTemplate"), errors);
    for (field, limit) in [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        not_negative_if_set(&path.child(field), limit, errors);
    }
}

/// Checks the text of a schedule.
pub fn validate_schedule(
    schedule: &str,
    time_zone: Option<&str>,
    zone_in_schedule: ZoneInSchedule,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Err(error) = Schedule::parse(schedule, Layout::Standard) {
        errors.invalid(path, schedule, error.to_string());
    }
    if !schedule.contains("TZ") {
        return;
    }
    match zone_in_schedule {
        ZoneInSchedule::Kept if time_zone.is_some() => {
            let detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
            errors.invalid(path, schedule, detail);
        }
        ZoneInSchedule::Kept => {}
        ZoneInSchedule::Refused => {
            let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            errors.invalid(path, schedule, detail);
        }
    }
}

/// Checks a time zone's name, and that there is such a zone.
fn check_time_zone(zone: &str, path: &Path<'_>, errors: &mut Errors) {
    if zone.is_empty() {
        return errors.invalid(path, zone, "timeZone must be nil or non-empty string");
    }
    let part_is_sound = |part: &str| {
        !part.is_empty()
            && part.len() <= ZONE_PART_BYTES_MAX
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
    };
    if !zone.split('/').all(part_is_sound) {
        return errors.invalid(path, zone, format!("unknown time zone {zone}"));
    }
    if zone.eq_ignore_ascii_case("Local") {
        let detail =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        return errors.invalid(path, zone, detail);
    }
    if cron::zone(zone).is_none() {
        errors.invalid(path, zone, format!("unknown time zone {zone}"));
    }
}

fn validate_job_template(template: &JobTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    let nothing = JobSpec::default();
    let job = template.spec.as_ref().unwrap_or(&nothing);
    let path = path.child("spec");
    spec::validate(job, &path, errors);
    if let Some(selector) = &job.selector {
        let detail = "`selector` will be auto-generated";
        errors.invalid_as(&path.child("selector"), json(selector), detail);
    }
    if job.manual_selector == Some(true) {
        errors.not_supported(&path.child("manualSelector"), &true, &["nil", "false"]);
    }
}
