//! What an input sets and a run does not model: gathered by kind and field, told once.

use std::collections::BTreeMap;
use std::fmt;

use crate::api::name::Text;

/// A kind or a field of a kind that plays no part in a run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Note {
    /// Objects of this kind are stored and listed, and that is all.
    Kind(Text),
    /// This field of this kind is kept and nothing looks at it.
    Field(&'static str, &'static str),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Kind(kind) => f.write_str(kind),
            Note::Field(kind, field) => write!(f, "{kind} {field}"),
        }
    }
}

/// All notes of an input, each with the number of objects it was seen on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    counts: BTreeMap<Note, u32>,
}

impl Notes {
    /// Counts one more object.
    pub fn add(&mut self, note: Note) {
        *self.counts.entry(note).or_default() += 1;
    }

    /// Counts one more object for each of `fields` of `kind`.
    pub(super) fn add_fields(&mut self, kind: &'static str, fields: &[&'static str]) {
        for field in fields {
            self.add(Note::Field(kind, field));
        }
    }

    /// The notes in order, each with its number of objects.
    pub fn iter(&self) -> impl Iterator<Item = (&Note, u32)> {
        self.counts.iter().map(|(note, count)| (note, *count))
    }
}
