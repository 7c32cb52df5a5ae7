//! The master: what decides. Its parts never see each other; they meet at the API server.
pub mod api_server;
pub mod controllers;
pub mod core_events;
pub mod election;
pub mod metrics_server;
pub mod scheduler;
