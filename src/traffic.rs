//! Clients that call Services, in a lane of their own beside the kernel's events.
pub mod plan;

pub use plan::{Arrivals, Origin, PortName, Rate, TrafficPlan};
