//! Absent values read as the API server reads them: as the empty text, the empty list, zero.

/// The text, empty if absent.
pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

/// The items, none if absent.
pub(super) fn items<T>(value: &Option<Vec<T>>) -> &[T] {
    value.as_deref().unwrap_or(&[])
}
