//! What Jobs and the templates of CronJobs have in common.

use k8s_openapi::api::batch::v1::JobSpec;

use super::{failure_policy, success_policy};
use crate::api::validation::{
    field::{Errors, Path},
    names,
    pod::validate_pod_template_spec,
    scalar::{not_negative_if_set, text},
};

const PARALLELISM_MAX: i32 = 100_000;
const FAILED_INDEXES_MAX: i32 = 100_000;
/// Above so many completions the limits below hold.
const COMPLETIONS_SOFT_MAX: i32 = 100_000;
const PARALLELISM_MAX_OF_MANY: i32 = 10_000;
const FAILED_INDEXES_MAX_OF_MANY: i32 = 10_000;
const MANAGED_BY_BYTES_MAX: usize = 63;
const INDEXED_ONLY: &str = "requires indexed completion mode";

/// Whether each pod of the Job has a number of its own.
pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    text(spec.completion_mode.as_ref()) == "Indexed"
}

/// Checks all of a spec but its selector.
pub(super) fn validate(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    not_negative_if_set(&path.child("parallelism"), spec.parallelism, errors);
    not_negative_if_set(&path.child("completions"), spec.completions, errors);
    not_negative_if_set(&path.child("activeDeadlineSeconds"), spec.active_deadline_seconds, errors);
    not_negative_if_set(&path.child("backoffLimit"), spec.backoff_limit, errors);
    let ttl = spec.ttl_seconds_after_finished;
    not_negative_if_set(&path.child("ttlSecondsAfterFinished"), ttl, errors);
    not_negative_if_set(&path.child("backoffLimitPerIndex"), spec.backoff_limit_per_index, errors);
    not_negative_if_set(&path.child("maxFailedIndexes"), spec.max_failed_indexes, errors);
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if let Some(manager) = &spec.managed_by {
        check_manager(manager, &path.child("managedBy"), errors);
    }
    check_mode(spec, path, errors);
    if spec.pod_failure_policy.is_some() {
        failure_policy::validate(spec, &path.child("podFailurePolicy"), errors);
    }
    if let Some(policy) = &spec.success_policy {
        success_policy::validate(policy, spec, &path.child("successPolicy"), errors);
    }
    check_replacement(spec, &path.child("podReplacementPolicy"), errors);
    validate_pod_template_spec(&spec.template, &path.child("template"), errors);
    check_restart_policy(spec, path, errors);
}

/// `managedBy` is a domain and a path: `acme.io/foo`.
fn check_manager(manager: &str, path: &Path<'_>, errors: &mut Errors) {
    match manager.split_once('/') {
        _ if manager.is_empty() => errors.required(path, ""),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            for complaint in names::is_dns1123_subdomain(domain) {
                errors.invalid(path, domain, complaint);
            }
            if !is_path(rest) {
                let detail = "Invalid path (regex used for validation is \
                              '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
                errors.invalid(path, rest, detail);
            }
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.invalid(path, manager, detail);
        }
    }
    if manager.len() > MANAGED_BY_BYTES_MAX {
        errors.too_long(path, MANAGED_BY_BYTES_MAX);
    }
}

fn is_path(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b))
}

fn check_mode(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let known = ["NonIndexed", "Indexed"];
    if let Some(mode) = &spec.completion_mode
        && !known.contains(&mode.as_str())
    {
        errors.not_supported(&path.child("completionMode"), mode, &known);
    }
    match spec.completion_mode.as_deref() {
        Some("Indexed") => check_indexed(spec, path, errors),
        None | Some("NonIndexed") => {
            if let Some(limit) = spec.backoff_limit_per_index {
                errors.invalid(&path.child("backoffLimitPerIndex"), &limit, INDEXED_ONLY);
            }
            if let Some(limit) = spec.max_failed_indexes {
                errors.invalid(&path.child("maxFailedIndexes"), &limit, INDEXED_ONLY);
            }
        }
        Some(_) => {}
    }
}

fn check_indexed(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let parallelism = spec.parallelism.unwrap_or(0);
    let failed = spec.max_failed_indexes.unwrap_or(0);
    let parallelism_path = path.child("parallelism");
    let failed_path = path.child("maxFailedIndexes");
    if spec.completions.is_none() {
        errors.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if parallelism > PARALLELISM_MAX {
        let words = "must be less than or equal to";
        let detail = format!("{words} {PARALLELISM_MAX} when completion mode is Indexed");
        errors.invalid(&parallelism_path, &parallelism, detail);
    }
    if spec.completions.is_some_and(|completions| failed > completions) {
        errors.invalid(&failed_path, &failed, "must be less than or equal to completions");
    }
    if failed > FAILED_INDEXES_MAX {
        let detail = format!("must be less than or equal to {FAILED_INDEXES_MAX}");
        errors.invalid(&failed_path, &failed, detail);
    }
    if spec.completions.unwrap_or(0) <= COMPLETIONS_SOFT_MAX
        || spec.backoff_limit_per_index.is_none()
    {
        return;
    }
    let of_many = |limit: i32| {
        format!(
            "must be less than or equal to {limit} when completions are above \
             {COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
        )
    };
    if spec.max_failed_indexes.is_none() {
        let detail = format!("must be specified when completions is above {COMPLETIONS_SOFT_MAX}");
        errors.required(&failed_path, &detail);
    }
    if parallelism > PARALLELISM_MAX_OF_MANY {
        errors.invalid(&parallelism_path, &parallelism, of_many(PARALLELISM_MAX_OF_MANY));
    }
    if failed > FAILED_INDEXES_MAX_OF_MANY {
        errors.invalid(&failed_path, &failed, of_many(FAILED_INDEXES_MAX_OF_MANY));
    }
}

fn check_replacement(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(policy) = &spec.pod_replacement_policy else { return };
    let known: &[&str] = match spec.pod_failure_policy {
        Some(_) => &["Failed"],
        None => &["Failed", "TerminatingOrFailed"],
    };
    if !known.contains(&policy.as_str()) {
        errors.not_supported(path, policy, known);
    }
}

fn check_restart_policy(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("template");
    let path = path.child("spec");
    let path = path.child("restartPolicy");
    let pod = spec.template.spec.as_ref();
    match text(pod.and_then(|pod| pod.restart_policy.as_ref())) {
        // `Always` is what the default made of a policy that was not given.
        "" | "Always" => errors.required(&path, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.invalid(&path, "OnFailure", detail);
        }
        "OnFailure" | "Never" => {}
        other => errors.not_supported(&path, other, &["OnFailure", "Never"]),
    }
}
