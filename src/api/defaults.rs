//! What the API server fills in where a document is silent.
//!
//! Works on the official types, in place, before validation: what is filled in here is required
//! there. Admission (priorities, tolerations, service accounts) is no part of it.
pub mod batch;
pub mod cluster;
pub mod pod;
pub mod service;
pub mod storage;
pub mod workloads;

/// An absent text and an empty one are the same to the API server: both get the default.
fn fill(field: &mut Option<String>, default: &str) {
    if field.as_ref().is_none_or(String::is_empty) {
        *field = Some(default.to_owned());
    }
}
