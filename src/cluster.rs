//! The cluster: the plan it is built from.
pub mod plan;
