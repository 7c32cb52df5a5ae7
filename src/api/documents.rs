//! One input, document by document: from a stream of bytes to trees, one at a time.
//!
//! Owns: what a file may look like (YAML and JSON, several documents, lists, gzip, byte order marks),
//! where one document ends and the next begins, and the limits. A list is given out item by item; a
//! large one (a dump of a cluster) is never held whole. Values of Secrets go no further than here.
//! Refuses to know: files (it takes `impl Read` and a name to show), and what any kind means.
//!
//! ```text
//! bytes -> source (gzip, UTF-16, size limit) -> split -> json / yaml -> Sink -> the caller's closure
//! ```

use std::cell::OnceCell;
use std::io::Read;

mod secrets;
mod sink;
mod source;
mod split_json;
mod split_yaml;

use super::diagnostic::{Diagnostic, Position, Severity};
use super::json;
use super::kinds::{self, GroupVersionKind, Scope};
use super::tree::{Node, Value};
use super::validation::field::FieldError;
use sink::Sink;
use source::Source;

/// How much an input may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one input, after unpacking (`--max-input`).
    pub input_bytes_max: u64,
    /// Bytes of one document that cannot be taken apart item by item.
    pub document_bytes_max: usize,
    /// From how many bytes on a list is taken apart as text instead of as a tree.
    pub stream_from_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            input_bytes_max: 4 << 30,
            document_bytes_max: 256 << 20,
            stream_from_bytes: 4 << 20,
        }
    }
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

/// One object of an input, with what it takes to say where its fields stand.
#[derive(Debug)]
pub struct Document<'a> {
    /// The display name of the input.
    pub file: &'a str,
    /// The document within the input, from 1.
    pub number: usize,
    /// The item of the list it came in, from 0.
    pub item: Option<usize>,
    /// The object.
    pub node: Node<'a>,
    text: &'a str,
    start: Position,
    format: Format,
    /// The items that lead from the text's value to the object: none, or a list's item.
    within: Within,
    placed: OnceCell<Node<'a>>,
}

/// Where in its text an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// The text is the object.
    Whole,
    /// The text is a list object, this its item.
    Items(usize),
}

impl<'a> Document<'a> {
    /// Where the field at `path` stands in the file; for a missing field, where its owner stands.
    pub fn locate(&self, path: &str) -> Position {
        let found = match self.format {
            Format::Yaml => self.node.locate(path),
            Format::Json => self.placed.get_or_init(|| self.with_places()).locate(path),
        };
        found.offset_by(self.start)
    }

    /// The text as written from the key of the field at `path` to the end of its line; YAML only.
    pub fn line_from(&self, path: &str) -> &'a str {
        let at = self.node.locate(path);
        if self.format != Format::Yaml || !at.is_known() {
            return "";
        }
        let line = self.text.lines().nth(at.line as usize - 1).unwrap_or_default();
        let skipped = line.char_indices().nth(at.column as usize - 1);
        skipped.map_or("", |(at, _)| &line[at..])
    }

    /// The second walk: the tree again, with places.
    fn with_places(&self) -> Node<'a> {
        let Ok(mut root) = json::parse(self.text) else { return Node::new(Value::Null) };
        json::annotate(&mut root, self.text);
        match (self.within, root.value) {
            (Within::Items(at), Value::Map(entries)) => entries
                .into_iter()
                .find(|entry| entry.key == "items")
                .and_then(|entry| match entry.node.value {
                    Value::List(items) => items.into_iter().nth(at),
                    _ => None,
                })
                .unwrap_or_else(|| Node::new(Value::Null)),
            (_, value) => Node { value, at: root.at },
        }
    }

    /// The `apiVersion`, empty if there is none.
    pub fn api_version(&self) -> &str {
        self.node.get("apiVersion").and_then(Node::text).unwrap_or_default()
    }

    /// The `kind`, empty if there is none.
    pub fn kind(&self) -> &str {
        self.node.get("kind").and_then(Node::text).unwrap_or_default()
    }

    /// A field of the metadata that holds text.
    pub fn metadata(&self, field: &str) -> Option<&str> {
        self.node.get("metadata")?.get(field)?.text()
    }

    /// `Deployment/default/web`, as much of it as is known.
    pub fn object(&self) -> Option<String> {
        let kind = Some(self.kind()).filter(|kind| !kind.is_empty())?;
        let Some(name) = self.metadata("name").or_else(|| self.metadata("generateName")) else {
            return Some(kind.to_owned());
        };
        let named = GroupVersionKind::new(self.api_version(), kind);
        let scope = kinds::served(&named).map(|kind| kind.scope);
        Some(match self.metadata("namespace") {
            Some(namespace) => format!("{kind}/{namespace}/{name}"),
            None if scope == Some(Scope::Namespaced) => format!("{kind}/default/{name}"),
            None => format!("{kind}/{name}"),
        })
    }

    /// A finding about the field at `path` (empty: the object), with its place in the file.
    pub fn finding(
        &self,
        severity: Severity,
        path: &str,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            file: self.file.to_owned(),
            document: self.number,
            item: self.item,
            object: self.object(),
            position: self.locate(path),
            field: (!path.is_empty()).then(|| path.to_owned()),
            message: message.into(),
            hint: None,
        }
    }

    /// An error of validation as a finding.
    pub fn invalid(&self, error: &FieldError) -> Diagnostic {
        let words = error.to_string();
        let message = words.strip_prefix(&error.path).and_then(|rest| rest.strip_prefix(": "));
        let message = message.unwrap_or(&words).to_owned();
        self.finding(Severity::Error, &error.path, message)
    }
}

/// Reads all of `input` and hands each object to `each`. What is wrong with the text itself comes
/// back; a broken document does not keep those after it from being read.
pub fn read(
    name: &str,
    input: impl Read,
    limits: &Limits,
    each: &mut dyn FnMut(Document<'_>),
) -> Vec<Diagnostic> {
    let mut sink = Sink::new(name, each);
    let mut source = match Source::open(input, limits) {
        Ok(source) => source,
        Err(problem) => {
            sink.file_problem(&problem);
            return sink.finish();
        }
    };
    if let Err(problem) = read_all(&mut source, &mut sink, limits) {
        sink.file_problem(&problem);
    }
    sink.finish()
}

fn read_all(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
) -> Result<(), source::Problem> {
    while !sink.has_given_up() {
        match source.first_byte()? {
            None => break,
            Some((at, b'{')) if !source.bytes()[at..].starts_with(b"{{") => {
                source.consume(at);
                split_json::document(source, sink, limits)?;
            }
            Some(_) => split_yaml::document(source, sink, limits)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
