//! What a scheduler alone decided, told: as text for people, step by step for those who ask why, and
//! as JSON with the names that the recorded runs of kube-scheduler use.

mod capacity;
mod explain;
mod json;
mod schema;
mod text;

pub use capacity::{capacity_json, capacity_text};
pub use explain::{explain, explain_telling};
pub use json::json;
pub use schema::schema;
pub use text::{text, totals};
