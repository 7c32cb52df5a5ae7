//! A document as a tree of plain values, each with its place in the file.
//!
//! Both readers (YAML and JSON) give this tree, so everything behind them has one shape to look at.
//! Text is borrowed from the document wherever nothing had to be unescaped. The tree knows no kind.

use std::borrow::Cow;

use super::diagnostic::Position;

/// How deep a document may nest. The API server's own decoder stops at 10,000; real manifests stay
/// below 60 (CRD schemas).
pub const DEPTH_MAX: usize = 200;

/// A value and where it stands. JSON values carry no place until [`super::json::annotate`].
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Its place, relative to the text it was read from.
    pub at: Position,
}

/// A JSON value. Numbers keep the three forms Go's decoders keep.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Big(u64),
    /// Any other number; always finite.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, its keys in the order written, each once.
    Map(Vec<Entry<'a>>),
}

/// One key of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// Where the key stands.
    pub key_at: Position,
    /// What it holds.
    pub node: Node<'a>,
}

impl<'a> Node<'a> {
    /// A value without a place.
    pub fn new(value: Value<'a>) -> Node<'a> {
        Node { value, at: Position::default() }
    }

    /// The same, holding its text itself.
    pub fn into_owned(self) -> Node<'static> {
        let value = match self.value {
            Value::Null => Value::Null,
            Value::Bool(flag) => Value::Bool(flag),
            Value::Int(number) => Value::Int(number),
            Value::Big(number) => Value::Big(number),
            Value::Float(number) => Value::Float(number),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::List(items) => Value::List(items.into_iter().map(Node::into_owned).collect()),
            Value::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|entry| Entry {
                        key: Cow::Owned(entry.key.into_owned()),
                        key_at: entry.key_at,
                        node: entry.node.into_owned(),
                    })
                    .collect(),
            ),
        };
        Node { value, at: self.at }
    }

    /// The value under `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value under `key`, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node<'a>> {
        match &mut self.value {
            Value::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
            }
            _ => None,
        }
    }

    /// The text, if this is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The keys and values; none if this is no object.
    pub fn entries(&self) -> &[Entry<'a>] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items; none if this is no list.
    pub fn items(&self) -> &[Node<'a>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Where the field at `path` stands (`spec.containers[0].name`, `metadata.labels[a/b]`). A field
    /// that is not there gives its nearest parent's place, so a missing field points at its owner.
    pub fn locate(&self, path: &str) -> Position {
        let (mut node, mut found, mut rest) = (self, self.at, path);
        while let Some((at, child, after)) = node.step(rest) {
            (node, found, rest) = (child, at, after);
        }
        found
    }

    /// The node at `path`.
    pub fn at_path(&self, path: &str) -> Option<&Node<'a>> {
        let (mut node, mut rest) = (self, path);
        while !rest.is_empty() {
            (_, node, rest) = node.step(rest)?;
        }
        Some(node)
    }

    /// The node at `path`, to change.
    pub fn at_path_mut(&mut self, path: &str) -> Option<&mut Node<'a>> {
        if path.is_empty() {
            return Some(self);
        }
        let (_, _, rest) = self.step(path)?;
        let at = self.step_index(path)?;
        match &mut self.value {
            Value::Map(entries) => entries.get_mut(at)?.node.at_path_mut(rest),
            Value::List(items) => items.get_mut(at)?.at_path_mut(rest),
            _ => None,
        }
    }

    /// One segment down the path: the key's place, the child, and the rest of the path.
    fn step<'n, 'p>(&'n self, path: &'p str) -> Option<(Position, &'n Node<'a>, &'p str)> {
        let at = self.step_index(path)?;
        match &self.value {
            Value::Map(entries) => {
                let entry = &entries[at];
                let rest = strip_key(path, &entry.key)?;
                Some((entry.key_at, &entry.node, rest))
            }
            Value::List(items) => {
                let (_, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items[at].at, &items[at], rest))
            }
            _ => None,
        }
    }

    /// The child that the first segment of `path` names. A key may hold dots: the longest key that
    /// the path begins with is meant.
    fn step_index(&self, path: &str) -> Option<usize> {
        match &self.value {
            Value::Map(entries) => (0..entries.len())
                .filter(|&at| strip_key(path, &entries[at].key).is_some())
                .max_by_key(|&at| entries[at].key.len()),
            Value::List(items) => {
                let (number, _) = path.strip_prefix('[')?.split_once(']')?;
                number.parse().ok().filter(|&at: &usize| at < items.len())
            }
            _ => None,
        }
    }
}

/// `path` without its first segment `key`, written `key`, `.key` or `[key]`.
fn strip_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix('[') {
        return rest.strip_prefix(key)?.strip_prefix(']');
    }
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The value as JSON with sorted keys and no spaces: equal values give equal text.
pub fn canonical_json(node: &Node<'_>) -> String {
    let mut out = String::new();
    write_canonical(node, &mut out);
    out
}

fn write_canonical(node: &Node<'_>, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut sorted: Vec<&Entry<'_>> = entries.iter().collect();
            sorted.sort_by(|a, b| a.key.cmp(&b.key));
            out.push('{');
            for (at, entry) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(&entry.key, out);
                out.push(':');
                write_canonical(&entry.node, out);
            }
            out.push('}');
        }
        other => out.push_str(&scalar_text(other).unwrap_or_default()),
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// A scalar as Go's `encoding/json` prints it; nothing for lists and objects.
pub fn scalar_text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Big(number) => Some(number.to_string()),
        Value::Float(number) => Some(float_text(*number)),
        Value::Text(text) => Some(text.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// Go's form: plain digits, an exponent below 1e-6 and from 1e21 on (`encoding/json` floatEncoder).
fn float_text(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
            _ => text,
        };
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::yaml;

    fn tree(text: &str) -> Node<'_> {
        yaml::parse(text).expect("the test's text is good YAML")
    }

    #[test]
    fn paths_lead_to_places() {
        let node = tree(
            "spec:\n  containers:\n  - name: a\n    image: b\nmetadata:\n  labels:\n    a.b/c: d\n",
        );
        let at = |path: &str| {
            let place = node.locate(path);
            (place.line, place.column)
        };
        assert_eq!(at("spec.containers[0].image"), (4, 5));
        assert_eq!(at("metadata.labels[a.b/c]"), (7, 5));
        assert_eq!(at("metadata.labels.a.b/c"), (7, 5));
        assert_eq!(at("spec.containers[0].ports"), (3, 5), "a missing field points at its owner");
        assert_eq!(at("spec.containers[7]"), (2, 3));
    }

    #[test]
    fn canonical_json_is_sorted_and_prints_numbers_as_go() {
        assert_eq!(
            canonical_json(&tree("b: [1, 1.50, 1e21, 1e-7, 3.0, null]\na: \"x\\\"y\"")),
            r#"{"a":"x\"y","b":[1,1.5,1e+21,1e-7,3,null]}"#
        );
    }
}
