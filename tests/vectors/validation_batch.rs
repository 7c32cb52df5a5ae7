//! Jobs, CronJobs, autoscalers, disruption budgets, priority classes and endpoint slices.

use k8s_openapi::{
    api::{
        autoscaling::v2::HorizontalPodAutoscalerBehavior,
        batch::v1::{CronJob, Job},
        discovery::v1::EndpointSlice,
        policy::v1::{PodDisruptionBudgetSpec, PodDisruptionBudgetStatus},
        scheduling::v1::PriorityClass,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde_json::Value;
use wavetank::api::validation::gates::Gate;
use wavetank::api::validation::{
    autoscaling,
    batch::{self, cron_job, indexes},
    endpoints,
    field::{FieldError, Path},
    policy, priority_class,
};

use super::table::{Outcome, errors, errors_without, lines, object, run, verdict};

#[test]
pub fn small_kinds_are_checked_as_by_the_api_server() {
    let data = include_str!("../data/vectors/validation_batch_autoscaling_policy.json");
    run("validation_batch_autoscaling_policy", data, |function, title, input, expected| {
        let valid = expected["valid"].as_bool();
        Some(match function {
            "TestValidateJob" => job(title, input, valid?),
            "TestValidateCronJob" => {
                let job: CronJob = object(input);
                let found = errors(|errors| batch::validate_cron_job(&job, errors));
                named(valid?, title, &found)
            }
            "TestValidateIndexesString" => {
                let completions = i32::try_from(input["completions"].as_i64()?).ok()?;
                let ours = indexes::count(input["indexesString"].as_str()?, completions);
                let theirs = match expected["wantError"]["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(i32::try_from(expected["wantTotal"].as_i64()?).ok()?),
                };
                Outcome::same(ours, theirs)
            }
            "TestValidateScheduleFormatNormalCases" => {
                let zone = match input["allowTZInSchedule"].as_bool()? {
                    true => cron_job::ZoneInSchedule::Kept,
                    false => cron_job::ZoneInSchedule::Refused,
                };
                let schedule = input["schedule"].as_str()?;
                let found = errors(|errors| {
                    let time_zone = input["timeZone"].as_str();
                    cron_job::validate_schedule(schedule, time_zone, zone, &Path::ROOT, errors);
                });
                let text = expected["expectedError"].as_str()?;
                verdict(!expected["expectError"].as_bool()?, text, &found)
            }
            "TestValidateBehavior" => behavior(input, valid?),
            "TestValidateMinAvailablePodDisruptionBudgetSpec" => {
                let amount: IntOrString = object(&input["value"]);
                let spec = PodDisruptionBudgetSpec {
                    min_available: Some(amount),
                    ..PodDisruptionBudgetSpec::default()
                };
                let found = errors(|errors| policy::validate_spec(Some(&spec), errors));
                verdict(valid?, "", &found)
            }
            "TestValidatePodDisruptionBudgetStatus" => budget_status(input, expected),
            "TestValidatePriorityClass" => {
                let class: PriorityClass = object(input);
                let found = errors(|errors| priority_class::validate(&class, errors));
                verdict(valid?, "", &found)
            }
            "TestValidateEndpointSlice" => slice(input, expected),
            _ => return None,
        })
    });
}

fn job(title: &str, input: &Value, valid: bool) -> Outcome {
    let mut job: Job = object(input.get("job").unwrap_or(input));
    let found = match input["opts"]["requirePrefixedLabels"] == false {
        // That is so where it was stored before there were any, and is changed.
        true => {
            job.metadata.resource_version = Some("1".to_owned());
            errors(|errors| batch::validate_job_update(&job, &job, errors))
        }
        false => errors(|errors| batch::validate_job(&job, errors)),
    };
    named(valid, title, &found)
}

/// These tables name a case after its error: `field:detail` or the whole line.
fn named(valid: bool, title: &str, found: &[FieldError]) -> Outcome {
    // The table's names stand for the zone its cases have.
    let title = &title.replace("Continent/Zone", "Europe/Rome");
    let title = &title.replace("Continent/InvalidZone", "Europe/InvalidRome");
    let title = &title.replace("time zone  Europe/Invalid", "time zone Europe/Invalid");
    let outcome = verdict(valid, "", found);
    if valid || !matches!(outcome, Outcome::Equal) {
        return outcome;
    }
    let said = |error: &FieldError| {
        let short = error.detail.as_str();
        let line = error.to_string();
        let field = title.split(':').next().unwrap_or("");
        error.path == field && (line.starts_with(title.as_str()) || title.ends_with(short))
    };
    match found.iter().any(said) {
        true => Outcome::Equal,
        false => Outcome::Different(format!("no such line in {:?}", lines(found))),
    }
}

fn behavior(input: &Value, valid: bool) -> Outcome {
    let mut given = input.get("behavior").unwrap_or(input).clone();
    // What Go leaves at zero must be written in v1.
    for rules in ["scaleUp", "scaleDown"] {
        let policies = given.get_mut(rules).and_then(|rules| rules.get_mut("policies"));
        for policy in policies.and_then(Value::as_array_mut).into_iter().flatten() {
            let policy = policy.as_object_mut().expect("policy");
            policy.entry("periodSeconds").or_insert(0.into());
            policy.entry("value").or_insert(0.into());
        }
    }
    let behavior: HorizontalPodAutoscalerBehavior = object(&given);
    let spec = Path::ROOT.child("spec");
    let path = spec.child("behavior");
    let found = errors(|errors| autoscaling::validate_behavior(&behavior, &path, errors));
    verdict(valid, input["msg"].as_str().unwrap_or(""), &found)
}

fn budget_status(input: &Value, expected: &Value) -> Outcome {
    let mut given = input["pdbStatus"].clone();
    for condition in given["conditions"].as_array_mut().into_iter().flatten() {
        let condition = condition.as_object_mut().expect("condition");
        condition.insert("lastTransitionTime".to_owned(), "2026-01-01T00:00:00Z".into());
    }
    let status: PodDisruptionBudgetStatus = object(&given);
    let found = errors(|errors| policy::validate_status(&status, errors));
    let versions = expected["expectErrForVersion"].as_object().expect("versions");
    let internal = versions.iter().find(|(version, _)| version.contains("__internal"));
    verdict(internal.expect("internal").1 == false, "", &found)
}

fn slice(input: &Value, expected: &Value) -> Outcome {
    let slice: EndpointSlice = object(&input["endpointSlice"]);
    let found = match input["legacyIPs"] == true {
        true => errors_without(Gate::StrictIPCIDRValidation, |errors| {
            endpoints::validate_slice(&slice, errors);
        }),
        false => errors(|errors| endpoints::validate_slice(&slice, errors)),
    };
    match expected["expectedErrors"].as_u64() == u64::try_from(found.len()).ok() {
        true => Outcome::Equal,
        false => Outcome::Different(format!("theirs {expected}, ours {:?}", lines(&found))),
    }
}
