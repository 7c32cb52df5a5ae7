//! From a document's text to the caller: parsed, lists unpacked, Secrets blanked, findings kept.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::source::Problem;
use super::{Document, Format, Within, secrets};
use crate::api::diagnostic::{Diagnostic, Position, Severity};
use crate::api::json;
use crate::api::tree::{Entry, Node, Value};
use crate::api::yaml;

/// Findings kept for one input; a broken generator would fill the memory otherwise.
const FINDINGS_MAX: usize = 1000;

/// What an item of a list is where it does not say so itself: `PodList` holds `Pod`s.
#[derive(Clone, Debug, Default)]
pub(super) struct ItemKind {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
}

impl ItemKind {
    /// From the object around the items.
    pub(super) fn of_list(list: &Node<'_>) -> ItemKind {
        let text = |key: &str| list.get(key).and_then(Node::text);
        let kind = text("kind").and_then(|kind| kind.strip_suffix("List"));
        match kind {
            Some(kind) if !kind.is_empty() => ItemKind {
                api_version: text("apiVersion").map(ToOwned::to_owned),
                kind: Some(kind.to_owned()),
            },
            _ => ItemKind::default(),
        }
    }
}

/// A text that is one value, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    pub(super) start: Position,
}

pub(super) struct Sink<'n, 'c> {
    file: &'n str,
    each: &'c mut dyn FnMut(Document<'_>),
    number: usize,
    findings: Vec<Diagnostic>,
    given_up: bool,
}

impl<'n, 'c> Sink<'n, 'c> {
    pub(super) fn new(file: &'n str, each: &'c mut dyn FnMut(Document<'_>)) -> Sink<'n, 'c> {
        Sink { file, each, number: 0, findings: Vec::new(), given_up: false }
    }

    /// Whether reading on makes no sense: a template, or too much is wrong.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }

    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.findings
    }

    /// The next document begins.
    pub(super) fn begin(&mut self) {
        self.number += 1;
    }

    pub(super) fn file_problem(&mut self, problem: &Problem) {
        let mut finding = Diagnostic::of_file(self.file, problem.to_string());
        if matches!(problem, Problem::TooLarge(_)) {
            finding.hint = Some("raise --max-input if this is meant".to_owned());
        }
        self.find(finding);
    }

    fn find(&mut self, finding: Diagnostic) {
        if self.findings.len() >= FINDINGS_MAX {
            let message = format!("more than {FINDINGS_MAX} findings: the rest is not read");
            self.findings.push(Diagnostic::of_file(self.file, message));
            self.given_up = true;
        } else {
            self.findings.push(finding);
        }
    }

    /// An error in the text of the current document.
    pub(super) fn text_error(
        &mut self,
        item: Option<usize>,
        at: Position,
        message: impl Into<String>,
    ) {
        let finding = Diagnostic {
            document: self.number,
            item,
            position: at,
            ..Diagnostic::of_file(self.file, message)
        };
        self.find(finding);
    }

    /// The bytes as text, or a finding.
    pub(super) fn utf8<'t>(&mut self, bytes: &'t [u8], start: Position) -> Option<&'t str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
                let column = good.rsplit('\n').next().unwrap_or_default().chars().count();
                let at =
                    Position { line: count(good.matches('\n').count()), column: count(column) };
                self.text_error(None, at.offset_by(start), "not valid UTF-8");
                None
            }
        }
    }

    /// A document of YAML; one that is JSON is read as JSON.
    pub(super) fn yaml(&mut self, piece: Piece<'_>) {
        self.begin();
        let value = piece.text.trim_start();
        if value.starts_with('{') && !value.starts_with("{{") {
            return self.json_or_yaml(piece);
        }
        self.yaml_only(piece);
    }

    fn yaml_only(&mut self, piece: Piece<'_>) {
        match yaml::parse_first(piece.text) {
            Ok(parsed) => self.parsed(parsed, piece),
            Err(error) => self.no_value(piece, None, error.at, &error.message),
        }
    }

    fn parsed(&mut self, parsed: yaml::Parsed<'_>, piece: Piece<'_>) {
        self.root(parsed.node, piece, Format::Yaml);
        if let Some(at) = parsed.ignored {
            let message = "kubectl does not read what stands behind `...` up to the next `---`";
            self.text_error(None, at.offset_by(piece.start), message);
            if let Some(finding) = self.findings.last_mut() {
                finding.severity = Severity::Warning;
            }
        }
    }

    /// A document that begins with `{`: JSON, or else an object in YAML's flow style.
    pub(super) fn json_or_yaml(&mut self, piece: Piece<'_>) {
        match json::parse(piece.text) {
            Ok(node) => self.root(node, piece, Format::Json),
            Err(error) => match yaml::parse_first(piece.text) {
                Ok(parsed) if !error.message.contains("duplicate field") => {
                    self.parsed(parsed, piece);
                }
                Err(other) if !looks_like_json(piece.text) => {
                    self.no_value(piece, None, other.at, &other.message);
                }
                _ => self.no_value(piece, None, error.at, &error.message),
            },
        }
    }

    /// An item of a list that is read item by item, as JSON.
    pub(super) fn json_item(&mut self, piece: Piece<'_>, at: usize, kind: &ItemKind) {
        match json::parse(piece.text) {
            Ok(node) => self.item(node, piece, (at, Within::Whole), Format::Json, kind),
            Err(error) => self.no_value(piece, Some(at), error.at, &error.message),
        }
    }

    /// An item of a list that is read item by item, as a YAML list of one.
    pub(super) fn yaml_item(&mut self, piece: Piece<'_>, at: usize, kind: &ItemKind) {
        match yaml::parse(piece.text).map(|node| node.value) {
            Ok(Value::List(items)) => {
                for node in items {
                    self.item(node, piece, (at, Within::Whole), Format::Yaml, kind);
                }
            }
            Ok(_) => self.text_error(Some(at), piece.start, "expected an item of a list"),
            Err(error) => self.no_value(piece, Some(at), error.at, &error.message),
        }
    }

    /// A text that cannot be read: a template is told apart from a slip.
    fn no_value(&mut self, piece: Piece<'_>, item: Option<usize>, at: Position, message: &str) {
        match template_line(piece.text) {
            Some(place) => self.template(place.offset_by(piece.start)),
            None => {
                self.text_error(item, at.offset_by(piece.start), message);
                if let Some(finding) = self.findings.last_mut().filter(|_| is_templated(piece.text))
                {
                    finding.hint = Some("is this a template that was not filled in?".to_owned());
                }
            }
        }
    }

    fn template(&mut self, at: Position) {
        self.text_error(None, at, "this is an unrendered Helm template, not a manifest");
        if let Some(finding) = self.findings.last_mut() {
            finding.hint = Some("run `helm template` and give its output".to_owned());
        }
        self.given_up = true;
    }

    fn root(&mut self, node: Node<'_>, piece: Piece<'_>, format: Format) {
        if matches!(node.value, Value::Null) {
            self.number -= 1;
            return;
        }
        let names = [node.get("apiVersion"), node.get("kind")];
        let metadata = node.get("metadata");
        let names = names.into_iter().chain([
            metadata.and_then(|m| m.get("name")),
            metadata.and_then(|m| m.get("namespace")),
        ]);
        if names.flatten().filter_map(Node::text).any(is_templated)
            && let Some(place) = template_line(piece.text)
        {
            return self.template(place.offset_by(piece.start));
        }
        // kubectl takes any object with a list under `items` for a list (unstructured IsList).
        if !node.get("items").is_some_and(|items| matches!(items.value, Value::List(_))) {
            return self.object(node, piece, None, (Within::Whole, format));
        }
        let kind = ItemKind::of_list(&node);
        let Value::Map(entries) = node.value else { return };
        for entry in entries {
            let Value::List(items) = entry.node.value else { continue };
            if entry.key != "items" {
                continue;
            }
            for (at, item) in items.into_iter().enumerate() {
                self.item(item, piece, (at, Within::Items(at)), format, &kind);
            }
        }
    }

    fn item(
        &mut self,
        mut node: Node<'_>,
        piece: Piece<'_>,
        (at, within): (usize, Within),
        format: Format,
        kind: &ItemKind,
    ) {
        if let Value::Map(entries) = &mut node.value {
            let mut supply = |key: &'static str, text: &Option<String>| {
                let Some(text) = text else { return };
                if !entries.iter().any(|entry| entry.key == key) {
                    let node = Node::new(Value::Text(Cow::Owned(text.clone())));
                    let key_at = Position::default();
                    entries.push(Entry { key: Cow::Borrowed(key), key_at, node });
                }
            };
            supply("apiVersion", &kind.api_version);
            supply("kind", &kind.kind);
        }
        self.object(node, piece, Some(at), (within, format));
    }

    fn object(
        &mut self,
        mut node: Node<'_>,
        piece: Piece<'_>,
        item: Option<usize>,
        (within, format): (Within, Format),
    ) {
        let found = match &node.value {
            Value::Map(_) => None,
            Value::List(_) => Some("a list"),
            Value::Text(_) => Some("a text"),
            _ => Some("a bare value"),
        };
        let problems = if found.is_none() { secrets::blank(&mut node) } else { Vec::new() };
        let document = Document {
            file: self.file,
            number: self.number,
            item,
            node,
            text: piece.text,
            start: piece.start,
            format,
            within,
            placed: OnceCell::new(),
        };
        if let Some(found) = found {
            let message = format!("expected an object with apiVersion and kind, found {found}");
            let finding = document.finding(Severity::Error, "", message);
            return self.find(finding);
        }
        for (path, message) in problems {
            let finding = document.finding(Severity::Error, &path, message);
            self.find(finding);
        }
        (self.each)(document);
    }
}

/// Whether the first key is in quotes.
fn looks_like_json(text: &str) -> bool {
    let inside = text.trim_start().trim_start_matches('{').trim_start();
    inside.is_empty() || inside.starts_with(['"', '}'])
}

fn is_templated(text: &str) -> bool {
    text.contains("{{")
}

/// Where the first action of a Helm template stands, if the text is one: `{{ .Values.x }}`, a line
/// `{{- if ..}}`, `{{ include ..}}`. Placeholders and braces of other tools are none.
fn template_line(text: &str) -> Option<Position> {
    text.lines().enumerate().find_map(|(line, row)| {
        let alone = row.trim_start().starts_with("{{");
        row.match_indices("{{").find_map(|(at, _)| {
            let action = row[at + 2..].trim_start_matches('-').trim_start();
            let action = action.split("}}").next().unwrap_or_default();
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
            is_helm(action, alone)
                .then(|| Position { line: count(line), column: count(row[..at].chars().count()) })
        })
    })
}

/// Whether an action is Helm's: what it names, what it calls, or a control word on a line of its own.
fn is_helm(action: &str, alone: bool) -> bool {
    const NAMES: [&str; 6] =
        [".Values", ".Release", ".Chart", ".Files", ".Capabilities", ".Template"];
    const CALLS: [&str; 6] = ["include ", "template ", "define ", "toYaml ", "tpl ", "/*"];
    const CONTROL: [&str; 6] = ["if ", "else", "end", "range ", "with ", "$"];
    NAMES.iter().any(|name| action.contains(name))
        || CALLS.iter().any(|call| action.starts_with(call))
        || (alone && CONTROL.iter().any(|word| action.starts_with(word)))
}
