//! The API server's checks on an object, with its field paths and its words.
pub mod field;
pub mod labels;
pub mod meta;
pub mod names;
