//! Runs a plan to its end, once or under many seeds.
//!
//! Owns the driver and the stop of a run, and the verdict over many. Runs go side by side, one thread
//! each; what a run does never depends on how many there are. Refuses to know files and terminals.
mod many;
mod one;

pub use many::{Seeds, Verdict, many};
pub use one::{Finished, Look, Progress, run, run_within};
