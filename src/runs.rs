//! Runs a plan to its end, once or under many seeds.
//!
//! Owns the driver and the stop of a run, and the verdict over many. Runs go side by side, one thread
//! each; what a run does never depends on how many there are. Refuses to know files and terminals.
mod input_log;
mod many;
mod one;
mod told;
mod wall_clock;

pub use input_log::{decode_input, encode_input};
pub use many::{Link, Seeds, Test, Trouble, Verdict, many};
pub use one::{Finished, Look, Progress, Task, run, run_outside, run_task, run_to};
pub use told::{Decided, decisions};
pub use wall_clock::{RealEngine, WallClock};
