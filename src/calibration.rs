//! Calibration: from measurements of a real container engine to a profile, and how far off a model is that goes
//! by one.
//!
//! Owns samples and their shares, the laws fitted to them, what contention makes of an operation, the terms of a
//! pull, and the pictures of all that. Measuring and validating need the feature `linux-runtime`; what is worked
//! out from samples does not. Refuses to know the format of a profile: that is `scenario::profile`.
//!
//! ```text
//! real engine -> samples (phase, in flight, time) -> laws (1 in flight) + work shares (1, 2 and 8) -> Profile
//!                                                 -> 4 in flight: held back, and told beside the model's
//! ```
pub mod cases;
pub mod contention;
pub mod fit;
pub mod judged;
pub mod plots;
pub mod pulls;
#[cfg(feature = "linux-runtime")]
pub mod real;
pub mod samples;
pub mod sitting;
pub mod told;
pub mod watched;
