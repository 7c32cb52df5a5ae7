//! Jobs and CronJobs.

use serde_json::{Map, Value, json};

use super::Moment;
use super::status::counts;
use crate::api::cron_job::CronJob;
use crate::api::job::Job;
use crate::api::meta::Uid;

fn uids(list: &[Uid]) -> Value {
    list.iter().map(|uid| json!(uid.to_string())).collect()
}

/// The status of a Job.
pub(super) fn job(moment: Moment<'_>, it: &Job) -> Value {
    let held = &it.status;
    let mut status = counts([
        ("active", held.active.into()),
        ("succeeded", held.succeeded.into()),
        ("failed", held.failed.into()),
    ]);
    let mut put = |field: &str, value: Value| status.insert(field.to_owned(), value);
    for (field, count) in [("ready", held.ready), ("terminating", held.terminating)] {
        if let Some(count) = count {
            put(field, json!(count));
        }
    }
    for (field, at) in [("startTime", held.start), ("completionTime", held.completed)] {
        if let Some(at) = at {
            put(field, moment.instant(at));
        }
    }
    if !held.completed_indexes.is_empty() {
        put("completedIndexes", json!(&*held.completed_indexes));
    }
    if let Some(indexes) = &held.failed_indexes {
        put("failedIndexes", json!(&**indexes));
    }
    let mut uncounted = Map::new();
    for (field, list) in
        [("succeeded", &held.uncounted_succeeded), ("failed", &held.uncounted_failed)]
    {
        if !list.is_empty() {
            uncounted.insert(field.to_owned(), uids(list));
        }
    }
    // Its controller begins with it, and says when the Job started or that it is suspended.
    if held.start.is_some() || !held.conditions.is_empty() {
        put("uncountedTerminatedPods", Value::Object(uncounted));
    }
    let conditions: Vec<Value> = held
        .conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.kind.name(),
                "status": match condition.value {
                    Some(true) => "True",
                    Some(false) => "False",
                    None => "Unknown",
                },
                "reason": &*condition.reason,
                "message": &*condition.message,
                "lastProbeTime": moment.instant(condition.since),
                "lastTransitionTime": moment.instant(condition.since),
            })
        })
        .collect();
    if !conditions.is_empty() {
        put("conditions", json!(conditions));
    }
    Value::Object(status)
}

/// The status of a CronJob.
pub(super) fn cron_job(moment: Moment<'_>, it: &CronJob) -> Value {
    let held = &it.status;
    let mut status = Map::new();
    let active: Vec<Value> = held
        .active
        .iter()
        .map(|job| {
            let mut listed = json!({
                "apiVersion": "batch/v1",
                "kind": "Job",
                "namespace": &*it.meta.namespace,
                "name": job.name.to_string(),
                "uid": job.uid.to_string(),
            });
            if let Some(version) = job.version {
                listed["resourceVersion"] = json!(version.to_string());
            }
            listed
        })
        .collect();
    if !active.is_empty() {
        status.insert("active".to_owned(), json!(active));
    }
    for (field, at) in
        [("lastScheduleTime", held.last_schedule), ("lastSuccessfulTime", held.last_successful)]
    {
        if let Some(at) = at {
            status.insert(field.to_owned(), moment.instant(at));
        }
    }
    Value::Object(status)
}
