//! Numbers of pods that may be percentages, in fields.
//!
//! Follows `ValidatePositiveIntOrPercent` and its neighbours in `pkg/apis/apps/validation` of 1.36.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{
    field::{Errors, Path},
    names,
    scalar::not_negative,
};

/// An amount must be a whole number of at least 0, or a percentage.
pub(super) fn check_amount(value: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    match value {
        IntOrString::Int(count) => not_negative(path, *count, errors),
        IntOrString::String(percent) => {
            for complaint in names::is_valid_percent(percent) {
                errors.invalid(path, percent, complaint);
            }
        }
    }
}

/// A percentage must be at most 100.
pub(super) fn check_at_most_all(value: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    if let IntOrString::String(percent) = value
        && names::is_valid_percent(percent).is_empty()
        && amount_or_zero(value) > 100
    {
        errors.invalid(path, percent, "must not be greater than 100%");
    }
}

/// The number in an amount, count or percentage alike; 0 where there is none.
pub(super) fn amount_or_zero(value: &IntOrString) -> i64 {
    match value {
        IntOrString::Int(count) => (*count).into(),
        IntOrString::String(text) => {
            text.strip_suffix('%').unwrap_or(text).parse().unwrap_or_else(|_| {
                // More digits than fit are still more than any limit.
                if names::is_valid_percent(text).is_empty() { i64::MAX } else { 0 }
            })
        }
    }
}
