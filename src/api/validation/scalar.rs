//! Checks of single values that many kinds share: signs, closed sets, names, immutability.
//!
//! The words follow `pkg/apis/core/validation` and `apimachinery/pkg/api/validation` of 1.36.

use serde::Serialize;

use super::field::{Errors, Path};

/// A text field: Go has no absent text, only an empty one.
pub(super) fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

/// A list field: Go has no difference between an absent and an empty list.
pub(super) fn items<T>(value: Option<&Vec<T>>) -> &[T] {
    value.map_or(&[], Vec::as_slice)
}

/// The value may not be negative.
pub(super) fn not_negative(path: &Path<'_>, value: impl Into<i64>, errors: &mut Errors) {
    let value = value.into();
    if value < 0 {
        errors.invalid(path, &value, "must be greater than or equal to 0");
    }
}

/// The value, if there is one, may not be negative.
pub(super) fn not_negative_if_set(
    path: &Path<'_>,
    value: Option<impl Into<i64>>,
    errors: &mut Errors,
) {
    if let Some(value) = value {
        not_negative(path, value, errors);
    }
}

/// Each complaint about a text becomes an error of its field.
pub(super) fn obeys(
    path: &Path<'_>,
    value: &str,
    rule: impl Fn(&str) -> Vec<String>,
    errors: &mut Errors,
) {
    for complaint in rule(value) {
        errors.invalid(path, value, complaint);
    }
}

/// The value must be there and one of `known` (sorted as the API server prints them).
pub(super) fn one_of(path: &Path<'_>, value: &str, known: &[&str], errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else if !known.contains(&value) {
        errors.not_supported(path, value, known);
    }
}

/// The value may not differ from what the old object has.
pub(super) fn immutable<T: PartialEq + Serialize>(
    path: &Path<'_>,
    new: &T,
    old: &T,
    errors: &mut Errors,
) {
    if new != old {
        errors.invalid_as(path, json(new), "field is immutable");
    }
}

/// A structured value as the API server prints it in an error: compact JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Protocols a port may speak.
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// A value printed in a form given by the caller.
pub(super) struct Printed(pub(super) String);

impl super::field::Shown for Printed {
    fn shown(&self) -> String {
        self.0.clone()
    }
}
