//! When an indexed Job has succeeded though not all of its pods have.

use k8s_openapi::api::batch::v1::{JobSpec, SuccessPolicy, SuccessPolicyRule};

use super::{indexes, spec::is_indexed};
use crate::api::validation::{
    field::{Errors, Path},
    scalar::{json, not_negative},
};

const RULES_MAX: usize = 20;
const INDEXES_BYTES_MAX: usize = 64 * 1024;

/// Checks the rules of a Job's policy.
pub(super) fn validate(
    policy: &SuccessPolicy,
    spec: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if !is_indexed(spec) {
        return errors.invalid_as(path, printed(policy), "requires indexed completion mode");
    }
    let path = path.child("rules");
    if policy.rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.required(&path, detail);
    }
    if policy.rules.len() > RULES_MAX {
        errors.too_many(&path, policy.rules.len(), RULES_MAX);
    }
    // An indexed Job with no completions is refused for that; 0 lets the rules be read here.
    let completions = spec.completions.unwrap_or(0);
    for (at, rule) in policy.rules.iter().enumerate() {
        check_rule(rule, completions, &path.index(at), errors);
    }
}

/// The policy as the API server prints it: its internal type.
fn printed(policy: &SuccessPolicy) -> String {
    let rules: Vec<String> = policy
        .rules
        .iter()
        .map(|rule| {
            format!(
                "{{\"SucceededIndexes\":{},\"SucceededCount\":{}}}",
                json(&rule.succeeded_indexes),
                json(&rule.succeeded_count)
            )
        })
        .collect();
    format!("{{\"Rules\":[{}]}}", rules.join(","))
}

fn check_rule(rule: &SuccessPolicyRule, completions: i32, path: &Path<'_>, errors: &mut Errors) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.required(path, detail);
    }
    let mut total = 0;
    if let Some(set) = &rule.succeeded_indexes {
        let path = path.child("succeededIndexes");
        if set.len() > INDEXES_BYTES_MAX {
            errors.too_long(&path, INDEXES_BYTES_MAX);
        }
        match indexes::count(set, completions) {
            Ok(count) => total = count,
            Err(error) => {
                errors.invalid(&path, set, format!("error parsing succeededIndexes: {error}"));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let path = path.child("succeededCount");
    not_negative(&path, count, errors);
    let words = "must be less than or equal to";
    if count > completions {
        let detail = format!("{words} {completions} (the number of specified completions)");
        errors.invalid(&path, &count, detail);
    }
    if rule.succeeded_indexes.is_some() && count > total {
        let what = "the number of indexes in the specified succeededIndexes field";
        errors.invalid(&path, &count, format!("{words} {total} ({what})"));
    }
}
