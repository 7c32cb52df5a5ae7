//! The one vocabulary components share: requests to the API server and its replies, facts, calls to
//! a container engine, and the buffer their effects are gathered in. A component's own timers stay
//! private to it.
pub mod app;
pub mod cloud;
pub mod core_event;
pub mod effects;
pub mod engine;
pub mod fact;
pub mod heartbeat;
pub mod metrics;
pub mod profile;
pub mod request;
pub mod usage;

pub use core_event::{About, CoreEvent, Listening, Remark};
pub use effects::{Effect, Effects};
pub use fact::{Component, Fact, Verb};
pub use heartbeat::Heartbeats;
pub use metrics::MetricsApi;
pub use profile::Profile;
pub use request::{Call, ClientId, Done, Part, Reply, Request};
