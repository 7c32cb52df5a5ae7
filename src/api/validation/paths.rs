//! File paths inside volumes and mounts.
//!
//! Follows `pkg/apis/core/validation` 1.36.

use super::field::{Errors, Path};

/// No `..` among the parts of the path.
pub(super) fn validate_no_backsteps(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.split('/').any(|part| part == "..") {
        errors.invalid(path, value, "must not contain '..'");
    }
}

/// A relative path without `..` among its parts.
pub(super) fn validate_local_descending(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.starts_with('/') {
        errors.invalid(path, value, "must be a relative path");
    }
    validate_no_backsteps(value, path, errors);
}

/// A relative path that also does not begin with `..` (names kept for the kubelet).
pub(super) fn validate_local_non_reserved(value: &str, path: &Path<'_>, errors: &mut Errors) {
    validate_local_descending(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.invalid(path, value, "must not start with '..'");
    }
}
