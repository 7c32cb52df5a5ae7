//! Renders a record: for now as text for a person at a terminal.
mod text;

pub use text::{Stop, Story, story};
