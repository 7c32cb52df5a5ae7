//! What the API server fills in where a document is silent.
//!
//! Works on the official types, in place, before validation: what is filled in here is required
//! there. Admission (priorities, tolerations, service accounts) is no part of it.
pub mod pod;
