//! YAML as kubectl reads it: one document's text to a [`super::tree::Node`] tree with places.
//!
//! kubectl turns YAML into JSON by `sigs.k8s.io/yaml`, whose scalars are those of go-yaml v2 (YAML
//! 1.1, with exceptions): `scalars` holds these rules, `build` puts the tree together (merge keys,
//! aliases, duplicate keys, limits). The events come from the parser inside the `serde_yaml` crate:
//! its own typed reader resolves scalars by other rules than kubectl's. Knows no Kubernetes kind.

mod build;
mod scalars;

pub(in crate::api) use build::duplicate;
pub use build::{Parsed, parse, parse_first};

use super::diagnostic::Position;
use super::tree::Value;

/// Whether a scalar without quotes is read as this text, and not as a number, a flag or null.
pub fn is_text(scalar: &str) -> bool {
    let value = scalars::resolve(scalar.into(), scalars::Written::Plain, None);
    matches!(value, Ok(Value::Text(_)))
}

/// Why a text is no document. One for each text: YAML has no way to go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Where, relative to the text.
    pub at: Position,
    /// What is wrong.
    pub message: String,
}
