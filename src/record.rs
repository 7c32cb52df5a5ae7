//! What a run leaves behind: facts with their causes, counts, a summary.
//!
//! Owns the public formats (`summary.json`, `timeline.jsonl`, `metrics.csv`) and their JSON Schemas. Refuses to
//! know files: it writes to whatever it is given. What is kept never changes a run.
mod counts;
mod json;
pub mod metrics;
mod recorder;
pub mod schema;
mod summary;
mod timeline;

pub use counts::Counts;
pub use json::Json;
pub use metrics::Metrics;
pub use recorder::Recorder;
pub use summary::{
    ExpectationRow, NodeCounts, Outcome, PodCounts, RequestCounts, SUMMARY_SCHEMA, ServiceRow,
    Summary, WorkloadRow, unserved,
};
pub use timeline::{TIMELINE_SCHEMA, write_row};

#[cfg(test)]
mod tests;
