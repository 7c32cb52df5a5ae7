//! From the parser's events to the tree: nesting, aliases, merge keys, duplicate keys, limits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::YamlError;
use super::scalars::{Written, resolve};
use crate::api::diagnostic::Position;
use crate::api::tree::{DEPTH_MAX, Entry, Node, Value, scalar_text};

/// How many values a document's aliases may add in all. go-yaml allows a share of the document; a
/// real manifest repeats a few hundred.
const ALIASED_NODES_MAX: usize = 200_000;

/// Objects above this many keys are searched for duplicates by sorting.
const FEW_KEYS: usize = 16;

/// Scalars whose escapes are mended in one document.
const MENDED_MAX: usize = 64;

/// What a text holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<'a> {
    /// Its first document; `null` if it is empty.
    pub node: Node<'a>,
    /// Where something stands behind the document's end mark (`...`), which kubectl never looks at.
    pub ignored: Option<Position>,
}

/// The first document of a text, as [`parse_first`] reads it.
///
/// # Errors
/// As for [`parse_first`].
pub fn parse(text: &str) -> Result<Node<'_>, YamlError> {
    parse_first(text).map(|parsed| parsed.node)
}

/// Reads the first document of a text. An empty text is `null`, as for kubectl.
///
/// # Errors
/// Whatever is no YAML, a duplicate key, an alias without its anchor, nesting deeper than
/// [`DEPTH_MAX`], aliases that add too much, a key that is a list or an object.
pub fn parse_first(text: &str) -> Result<Parsed<'_>, YamlError> {
    let (mut error, mut escape) = match build(text) {
        Ok(parsed) => return Ok(parsed),
        Err(Fault { error, escape }) => (error, escape),
    };
    let mut mended = text.to_owned();
    for _ in 0..MENDED_MAX {
        let Some(at) = escape.filter(|&at| mend_escapes(&mut mended, at)) else { break };
        match build(&mended) {
            Ok(Parsed { node, ignored }) => {
                return Ok(Parsed { node: node.into_owned(), ignored });
            }
            Err(fault) => (error, escape) = (fault.error, fault.escape.filter(|&next| next > at)),
        }
    }
    Err(error)
}

/// An error, and the byte where a quoted scalar with an unknown escape begins.
struct Fault {
    error: YamlError,
    escape: Option<usize>,
}

impl From<YamlError> for Fault {
    fn from(error: YamlError) -> Fault {
        Fault { error, escape: None }
    }
}

fn build(text: &str) -> Result<Parsed<'_>, Fault> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder = Builder::default();
    let mut ignored = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Fault {
            error: scan_error(&error),
            escape: error
                .info()
                .contains("unknown escape character")
                .then(|| error.marker().byte_offset())
                .flatten(),
        })?;
        if matches!(event, Event::DocumentEnd) && builder.root.is_some() {
            ignored = span.end.byte_offset().and_then(|end| content_behind(text, end));
            break;
        }
        builder.take(event, &span)?;
    }
    let node = builder.root.unwrap_or(Node { value: Value::Null, at: Position::START });
    Ok(Parsed { node, ignored })
}

/// The first line from `end` on that is neither blank nor a comment.
fn content_behind(text: &str, end: usize) -> Option<Position> {
    let rest = text.get(end..)?;
    let before = text[..end].matches('\n').count();
    let line = rest.lines().position(|line| {
        let line = line.trim_start_matches("...").trim();
        !line.is_empty() && !line.starts_with('#')
    })?;
    Some(Position { line: u32::try_from(before + line + 1).ok()?, column: 1 })
}

/// go-yaml knows the escape `\'`, the parser does not: within the scalar that begins at `start` it is
/// written in the other way. (Columns behind it on its line move; nothing else does.)
fn mend_escapes(text: &mut String, start: usize) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut found) = (start + 1, Vec::new());
    while at < bytes.len() && bytes[at] != b'"' {
        if bytes[at] == b'\\' {
            if bytes.get(at + 1) == Some(&b'\'') {
                found.push(at);
            }
            at += 1;
        }
        at += 1;
    }
    for &at in found.iter().rev() {
        text.replace_range(at..at + 2, "\\x27");
    }
    !found.is_empty()
}

fn scan_error(error: &ScanError) -> YamlError {
    let at = place(error.marker());
    let mut message = error.info();
    if message == "recursion limit exceeded" {
        message = format!("nested deeper than {DEPTH_MAX} levels");
    }
    YamlError { at, message: format!("not valid YAML: {message}") }
}

fn place(marker: &granit_parser::Marker) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: count(marker.line()), column: count(marker.col()).saturating_add(1) }
}

/// An open list or object.
struct Open<'a> {
    at: Position,
    anchor: usize,
    merges: bool,
    body: Body<'a>,
}

enum Body<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Vec<Entry<'a>>, key: Option<Key<'a>> },
}

struct Key<'a> {
    text: Cow<'a, str>,
    at: Position,
    merge: bool,
}

/// An anchored value and how many values it holds.
struct Anchored<'a> {
    node: Node<'a>,
    size: usize,
}

#[derive(Default)]
struct Builder<'a> {
    stack: Vec<Open<'a>>,
    anchors: BTreeMap<usize, Anchored<'a>>,
    aliased: usize,
    root: Option<Node<'a>>,
}

impl<'a> Builder<'a> {
    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), YamlError> {
        let at = place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), at)
            }
            Event::SequenceStart(_, anchor, _) => self.open(at, anchor, Body::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(at, anchor, Body::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, at),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), YamlError> {
        let written = if style == ScalarStyle::Plain { Written::Plain } else { Written::Quoted };
        let merge = written == Written::Plain && text == "<<" && tag.is_none();
        let name = tag.map(|tag| tag.core_suffix().unwrap_or("!"));
        let value = resolve(text, written, name).map_err(|message| error(at, message))?;
        self.add(Node { value, at }, anchor, merge)
    }

    fn open(&mut self, at: Position, anchor: usize, body: Body<'a>) -> Result<(), YamlError> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(error(at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.stack.push(Open { at, anchor, merges: false, body });
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let value = match open.body {
            Body::List(items) => Value::List(items),
            Body::Map { mut entries, .. } => {
                if open.merges {
                    entries = last_of_each(entries);
                } else if let Some(twice) = duplicate(&entries) {
                    let message = format!("key {:?} already set in map", twice.key);
                    return Err(error(twice.key_at, message));
                }
                Value::Map(entries)
            }
        };
        self.add(Node { value, at: open.at }, open.anchor, false)
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<(), YamlError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(error(at, "an alias inside the value it stands for"));
        };
        self.aliased += anchored.size;
        let too_deep = self.stack.len() + depth(&anchored.node) > DEPTH_MAX;
        if self.aliased > ALIASED_NODES_MAX || too_deep {
            return Err(error(at, "the document contains excessive aliasing"));
        }
        let node = Node { value: anchored.node.value.clone(), at };
        self.add(node, 0, false)
    }

    /// A finished value: an item, a key, a key's value, or the whole document.
    fn add(&mut self, node: Node<'a>, anchor: usize, merge: bool) -> Result<(), YamlError> {
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.body {
            Body::List(items) => items.push(node),
            Body::Map { entries, key } => match key.take() {
                None => *key = Some(as_key(node, merge)?),
                Some(Key { merge: true, .. }) => {
                    if let Some(twice) = duplicate(entries).filter(|_| !open.merges) {
                        let message = format!("key {:?} already set in map", twice.key);
                        return Err(error(twice.key_at, message));
                    }
                    open.merges = true;
                    merge_into(entries, node)?;
                }
                Some(Key { text, at, .. }) => {
                    entries.push(Entry { key: text, key_at: at, node });
                }
            },
        }
        Ok(())
    }
}

fn error(at: Position, message: impl Into<String>) -> YamlError {
    YamlError { at, message: message.into() }
}

/// A key as text: `sigs.k8s.io/yaml` turns booleans and numbers into theirs and takes nothing else.
fn as_key(node: Node<'_>, merge: bool) -> Result<Key<'_>, YamlError> {
    let at = node.at;
    match node.value {
        Value::Text(text) => Ok(Key { text, at, merge }),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            let text = scalar_text(&node.value).unwrap_or_default();
            Ok(Key { text: text.into(), at, merge: false })
        }
        Value::Null => Err(error(at, "a key may not be null")),
        Value::Big(_) => Err(error(at, "a key may not be a number of that size")),
        Value::List(_) => Err(error(at, "a key may not be a list")),
        Value::Map(_) => Err(error(at, "a key may not be an object")),
    }
}

/// `<<`: what is merged overwrites what stands above it and yields to what stands below; of a list
/// the earlier wins (go-yaml v2 `decode.go` merge).
fn merge_into<'a>(entries: &mut Vec<Entry<'a>>, node: Node<'a>) -> Result<(), YamlError> {
    let at = node.at;
    match node.value {
        Value::Map(merged) => {
            entries.extend(merged);
            Ok(())
        }
        Value::List(items) => items.into_iter().rev().try_for_each(|item| match item.value {
            Value::Map(merged) => {
                entries.extend(merged);
                Ok(())
            }
            _ => Err(error(item.at, "map merge requires map or sequence of maps as the value")),
        }),
        _ => Err(error(at, "map merge requires map or sequence of maps as the value")),
    }
}

/// Each key once, with its last value, where it first stood.
fn last_of_each(entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    let mut kept: indexmap::IndexMap<String, Entry<'_>> = indexmap::IndexMap::new();
    for entry in entries {
        kept.insert(entry.key.to_string(), entry);
    }
    kept.into_values().collect()
}

/// The first key that stands a second time.
pub(in crate::api) fn duplicate<'e, 'a>(entries: &'e [Entry<'a>]) -> Option<&'e Entry<'a>> {
    if entries.len() <= FEW_KEYS {
        return (1..entries.len())
            .find(|&at| entries[..at].iter().any(|before| before.key == entries[at].key))
            .map(|at| &entries[at]);
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| entries[a].key.cmp(&entries[b].key).then(a.cmp(&b)));
    order
        .windows(2)
        .filter(|pair| entries[pair[0]].key == entries[pair[1]].key)
        .map(|pair| pair[1])
        .min()
        .map(|at| &entries[at])
}

fn size(node: &Node<'_>) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.node)).sum::<usize>(),
        _ => 0,
    }
}

fn depth(node: &Node<'_>) -> usize {
    let below = match &node.value {
        Value::List(items) => items.iter().map(depth).max(),
        Value::Map(entries) => entries.iter().map(|entry| depth(&entry.node)).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tree::canonical_json;

    fn json(text: &str) -> String {
        canonical_json(&parse(text).expect("the test's text is good YAML"))
    }

    fn refusal(text: &str) -> (u32, u32, String) {
        let error = parse(text).expect_err("the test's text is bad YAML");
        (error.at.line, error.at.column, error.message)
    }

    #[test]
    fn keys_that_are_no_text_become_text() {
        assert_eq!(json("on: 1\n5: 2\n1.5: 3\ntrue2: 4"), r#"{"1.5":3,"5":2,"true":1,"true2":4}"#);
        assert_eq!(refusal("~: 1"), (1, 1, "a key may not be null".to_owned()));
        assert_eq!(refusal("a:\n  ? [x]\n  : 1").2, "a key may not be a list");
    }

    #[test]
    fn merge_keys_are_applied_in_order() {
        let text =
            "a: &a {x: 1, v: 2}\nb: &b {x: 3, z: 4}\nc: {<<: [*a, *b], v: 5}\nd: {x: 9, <<: *a}";
        assert_eq!(
            json(text),
            r#"{"a":{"v":2,"x":1},"b":{"x":3,"z":4},"c":{"v":5,"x":1,"z":4},"d":{"v":2,"x":1}}"#
        );
        assert_eq!(json("'<<': 1"), r#"{"<<":1}"#, "a quoted << is a key like any other");
    }

    #[test]
    fn a_duplicate_key_is_refused_where_it_stands() {
        let message = r#"key "b" already set in map"#.to_owned();
        assert_eq!(refusal("a:\n  b: 1\n  c: 2\n  b: 3"), (4, 3, message));
        let many: String = (0..40).map(|n| format!("k{n}: 1\n")).collect();
        assert_eq!(refusal(&format!("{many}k7: 2\n")).0, 41);
    }

    #[test]
    fn limits_hold() {
        let deep = "[".repeat(100_000);
        assert!(refusal(&deep).2.contains("nested deeper than 200 levels"), "{:?}", refusal(&deep));
        assert_eq!(json("a:\n"), r#"{"a":null}"#, "a first level");
        let deep: String = (0..1000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(refusal(&deep).2.contains("nested deeper than 200 levels"), "{:?}", refusal(&deep));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let before = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{before}]\n"));
        }
        assert_eq!(refusal(&bomb).2, "the document contains excessive aliasing");
        assert_eq!(refusal("a: &x [*x]").2, "an alias inside the value it stands for");
    }

    #[test]
    fn go_yaml_knows_an_escape_more() {
        let text = "a: \"it\\'s \\\\'\"\nb: 'it\\'\nc: [\"\\'\"]\n";
        assert_eq!(json(text), r#"{"a":"it's \\'","b":"it\\","c":["'"]}"#);
        assert_eq!((refusal("a: \"\\q \\'\"").0, refusal("a: \"\\'").0), (1, 1));
    }

    #[test]
    fn what_stands_behind_the_end_mark_is_not_read() {
        let parsed = parse_first("a: 1\n...\n# more\nb: [\n").expect("good YAML");
        assert_eq!(canonical_json(&parsed.node), r#"{"a":1}"#);
        assert_eq!(parsed.ignored, Some(Position { line: 4, column: 1 }));
        assert_eq!(parse_first("a: 1\n...\n# end\n").map(|parsed| parsed.ignored), Ok(None));
    }

    #[test]
    fn bad_yaml_names_its_place() {
        let places = ["a:\n\tb: 2\n", "a: [1, 2\nb: 3\n", "a: *nowhere", "a: 'x"].map(refusal);
        assert_eq!(
            places.map(|(line, column, _)| (line, column)),
            [(2, 2), (2, 2), (1, 4), (1, 4)]
        );
    }
}
