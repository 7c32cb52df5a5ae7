//! Renders what a run left behind: text for a person at a terminal, pictures, a page, and why things happened.
pub mod explain;
pub mod get;
pub mod kubelet_api;
mod page;
pub mod pictures;
pub mod placement;
mod story;
mod surges;
mod text;
mod words;

pub use explain::chain;
pub use page::{Page, page};
pub use story::{Chronicle, Line, Tone};
pub use surges::{Felt, Stage, StageKind, Surge};
pub use text::{Paint, Stop, Story, story, verdict};
