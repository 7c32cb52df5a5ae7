//! JSON: one value's text to a [`Node`] tree, and the ends of values in a stream of bytes.
//!
//! The tree is built by `serde_json`, text borrowed where nothing is escaped. Places are found by a
//! second walk ([`annotate`]), which is paid for only where there is something to say.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::diagnostic::Position;
use super::tree::{DEPTH_MAX, Entry, Node, Value};

/// Why a text is no JSON value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    /// Where, relative to the text.
    pub at: Position,
    /// What is wrong.
    pub message: String,
}

/// Reads one JSON value and nothing after it.
///
/// # Errors
/// Whatever is no JSON, a key that stands twice, nesting deeper than the reader goes (128).
pub fn parse(text: &str) -> Result<Node<'_>, JsonError> {
    serde_json::from_str(text).map_err(|error| {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
        let at = Position { line: count(error.line()), column: count(error.column()).max(1) };
        JsonError { at, message: format!("not valid JSON: {message}") }
    })
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Null))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Bool(flag)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Int(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::new(i64::try_from(number).map_or(Value::Big(number), Value::Int)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Float(number)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::new(Value::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::new(Value::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut entries: Vec<Entry<'de>> = Vec::new();
        while let Some(KeyText(key)) = map.next_key()? {
            let node = map.next_value()?;
            entries.push(Entry { key, key_at: Position::default(), node });
        }
        match super::yaml::duplicate(&entries) {
            Some(twice) => Err(Error::custom(format_args!("duplicate field {:?}", twice.key))),
            None => Ok(Node::new(Value::Map(entries))),
        }
    }
}

/// A key, borrowed where it can be.
struct KeyText<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for KeyText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = KeyText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Gives every value and key of `node` its place in `text`, which must be what it was read from.
pub fn annotate(node: &mut Node<'_>, text: &str) {
    Walk { text, at: 0, place: Position::START }.value(node);
}

struct Walk<'t> {
    text: &'t str,
    at: usize,
    place: Position,
}

impl Walk<'_> {
    fn value(&mut self, node: &mut Node<'_>) {
        self.skip_white();
        node.at = self.place;
        match &mut node.value {
            Value::Map(entries) => {
                self.skip(1);
                for entry in entries {
                    self.skip_white();
                    entry.key_at = self.place;
                    self.string();
                    self.value(&mut entry.node);
                }
                self.skip_white();
                self.skip(1);
            }
            Value::List(items) => {
                self.skip(1);
                for item in items {
                    self.value(item);
                }
                self.skip_white();
                self.skip(1);
            }
            Value::Text(_) => self.string(),
            _ => {
                let rest = &self.text[self.at.min(self.text.len())..];
                let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']);
                self.skip(end.unwrap_or(rest.len()));
            }
        }
    }

    /// To the next character that is neither white nor a comma nor a colon.
    fn skip_white(&mut self) {
        let rest = &self.text[self.at.min(self.text.len())..];
        let white = rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t', ',', ':']).len();
        self.skip(white);
    }

    fn string(&mut self) {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let end = string_end(rest).unwrap_or(rest.len());
        self.skip(end);
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        for c in self.text[self.at..end].chars() {
            if c == '\n' {
                self.place = Position { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.at = end;
    }
}

/// The length of the string that `bytes` begins with, quotes included; nothing if it does not end.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Finds the end of an object or a list in bytes that come piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndFinder {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// The bytes that open and close something outside a string.
const MARKS: [bool; 256] = {
    let mut marks = [false; 256];
    let mut at = 0;
    while at < 5 {
        marks[b"{}[]\""[at] as usize] = true;
        at += 1;
    }
    marks
};

/// What the finder found in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The value ends before this offset of the piece.
    At(usize),
    /// The value goes on behind the piece.
    NotYet,
    /// The value nests deeper than [`DEPTH_MAX`], at this offset.
    TooDeep(usize),
}

impl EndFinder {
    /// For bytes that begin inside one object.
    pub fn inside_one() -> EndFinder {
        EndFinder { depth: 1, ..EndFinder::default() }
    }

    /// Looks through the next piece. The first piece begins with `{` or `[`.
    pub fn look(&mut self, piece: &[u8]) -> End {
        let mut at = 0;
        while at < piece.len() {
            if self.in_string {
                at = self.through_string(piece, at);
                continue;
            }
            // Most bytes mean nothing here: they are passed by one look into a table each.
            at += piece[at..].iter().take_while(|&&byte| !MARKS[usize::from(byte)]).count();
            let Some(&byte) = piece.get(at) else { break };
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return End::TooDeep(at);
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return End::At(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        End::NotYet
    }

    fn through_string(&mut self, piece: &[u8], from: usize) -> usize {
        let mut at = from;
        if self.escaped {
            self.escaped = false;
            at += 1;
        }
        while at < piece.len() {
            match piece[at] {
                b'"' => {
                    self.in_string = false;
                    return at + 1;
                }
                b'\\' if at + 1 == piece.len() => {
                    self.escaped = true;
                    return at + 1;
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_however_the_bytes_are_cut() {
        let text = br#"{"a\"}\\": [1, {"b": "]}"}], "c": "\\"} {"next": 1}"#;
        let end = text.len() - br#" {"next": 1}"#.len();
        for piece in 1..text.len() {
            let mut finder = EndFinder::default();
            let mut seen = 0;
            let found = text.chunks(piece).find_map(|chunk| match finder.look(chunk) {
                End::At(at) => Some(seen + at),
                _ => {
                    seen += chunk.len();
                    None
                }
            });
            assert_eq!(found, Some(end), "pieces of {piece}");
        }
        assert_eq!(
            EndFinder::default().look("[".repeat(100_000).as_bytes()),
            End::TooDeep(DEPTH_MAX)
        );
    }

    #[test]
    fn places_come_from_a_second_walk() {
        let text = "{\n  \"a\\n\": [1, {\"b\": true}],\n  \"c\": \"x\"\n}";
        let mut node = parse(text).expect("the test's text is JSON");
        annotate(&mut node, text);
        let at = |path: &str| {
            let place = node.locate(path);
            (place.line, place.column)
        };
        assert_eq!(at("a\n[1].b"), (2, 15));
        assert_eq!(at("c"), (3, 3));
    }

    #[test]
    fn refusals_name_the_place() {
        let error = parse("{\"a\": 1,\n \"a\": 2}").expect_err("a key stands twice");
        assert_eq!(
            (error.at.line, error.message.as_str()),
            (2, "not valid JSON: duplicate field \"a\"")
        );
        assert!(parse("{\"a\": }").is_err());
        assert!(parse("{} {}").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
