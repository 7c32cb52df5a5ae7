//! A document becomes an object: its kind looked up, its official type read, its slips named.
//!
//! Owns the order of checks that kubectl and the API server's decoder make before validation: is there
//! a kind, is it served, do the types fit, are there fields nobody knows. Refuses to know what the
//! values mean (`validation`) and how objects are held.

mod reader;
mod typed;

use std::collections::BTreeMap;

pub use reader::{Misfit, UnknownField, read};
pub use typed::Typed;

use super::diagnostic::{Diagnostic, Severity};
use super::documents::Document;
use super::kinds::{self, GroupVersionKind, Kind, Kinds, Standing};
use super::tree::{Node, Value};

/// Wrong types named per object; more are not looked for.
const MISFITS_MAX: usize = 20;

/// Unknown fields of one kind and path named per decoder; a dump would repeat them for every object.
const REPEATS_MAX: usize = 10;

/// What an unknown field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// A warning, as by kubectl's `--validate=warn`.
    #[default]
    Warn,
    /// An error, as by kubectl's `--validate=strict`.
    Strict,
}

/// An object of the input.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// Of a built-in kind.
    BuiltIn(&'static Kind, Typed),
    /// Of a kind that Kubernetes itself does not have: its name; the tree is the document's.
    Custom(GroupVersionKind),
}

/// Decodes the documents of all inputs of one command: a CRD in one defines kinds for the others.
#[derive(Debug, Default)]
pub struct Decoder {
    kinds: Kinds,
    strictness: Strictness,
    /// Kinds nobody serves so far; a CRD that follows may define them.
    undefined: Vec<(GroupVersionKind, Diagnostic)>,
    repeats: BTreeMap<(GroupVersionKind, String), usize>,
}

impl Decoder {
    /// A decoder that knows the built-in kinds.
    pub fn new(strictness: Strictness) -> Decoder {
        Decoder { strictness, ..Decoder::default() }
    }

    /// The kinds known so far.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The object in `document`; what is to be said of it is added to `findings`. Nothing comes back
    /// where there was an error.
    pub fn decode(
        &mut self,
        document: &Document<'_>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Decoded> {
        let named = self.name(document, findings)?;
        match self.kinds.standing(&named) {
            Standing::Custom => Some(Decoded::Custom(named)),
            Standing::Unknown => {
                let mut finding =
                    document.finding(Severity::Error, "kind", kinds::no_match(&named));
                finding.field = None;
                finding.hint = kinds::hint(&named);
                self.undefined.push((named.clone(), finding));
                Some(Decoded::Custom(named))
            }
            Standing::Served(kind) => {
                if kind.kind == "CustomResourceDefinition" {
                    self.kinds.define(&document.node);
                }
                self.built_in(kind, named, document, findings)
            }
        }
    }

    /// What can only be said when every input was read: kinds of Kubernetes' own groups that are
    /// neither served nor defined by a CRD. Objects of such kinds came out as [`Decoded::Custom`].
    pub fn finish(self) -> Vec<Diagnostic> {
        let kinds = self.kinds;
        self.undefined
            .into_iter()
            .filter(|(named, _)| kinds.standing(named) == Standing::Unknown)
            .map(|(_, finding)| finding)
            .collect()
    }

    fn name(
        &self,
        document: &Document<'_>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<GroupVersionKind> {
        let mut whole = true;
        for field in ["apiVersion", "kind"] {
            let message = match document.node.get(field).map(|node| &node.value) {
                Some(Value::Text(text)) if !text.is_empty() => continue,
                None | Some(Value::Null | Value::Text(_)) => "Required value".to_owned(),
                Some(_) => "expected a string".to_owned(),
            };
            findings.push(document.finding(Severity::Error, field, message));
            whole = false;
        }
        whole.then(|| GroupVersionKind::new(document.api_version(), document.kind()))
    }

    fn built_in(
        &mut self,
        kind: &'static Kind,
        named: GroupVersionKind,
        document: &Document<'_>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Decoded> {
        let mut unknown = Vec::new();
        let read = typed::read_kind(kind, &document.node, &mut unknown)?;
        let decoded = match read {
            Ok(mut object) => {
                let selector = document.node.get("spec").and_then(|spec| spec.get("selector"));
                if selector.is_some_and(|it| matches!(it.value, Value::Map(_))) {
                    object.tell_empty_selector();
                }
                Some(Decoded::BuiltIn(kind, object))
            }
            Err(misfit) => {
                unknown = all_misfits(kind, misfit, document, findings);
                None
            }
        };
        for field in unknown {
            self.unknown_field(&named, field, document, findings);
        }
        decoded
    }

    fn unknown_field(
        &mut self,
        named: &GroupVersionKind,
        field: UnknownField,
        document: &Document<'_>,
        findings: &mut Vec<Diagnostic>,
    ) {
        let seen = self.repeats.entry((named.clone(), shape(&field.path))).or_default();
        *seen += 1;
        if *seen > REPEATS_MAX {
            return;
        }
        let severity = match self.strictness {
            Strictness::Warn => Severity::Warning,
            Strictness::Strict => Severity::Error,
        };
        let message = format!("unknown field {:?}", field.path);
        let mut finding = document.finding(severity, &field.path, message);
        finding.field = None;
        finding.hint = field.nearest.map(|name| format!("did you mean {name:?}?"));
        findings.push(finding);
    }
}

/// A path without the numbers of its items.
fn shape(path: &str) -> String {
    let mut digits = false;
    path.chars()
        .filter(|&c| {
            digits = c == '[' || (digits && c.is_ascii_digit());
            !(digits && c.is_ascii_digit())
        })
        .collect()
}

/// Serde stops at the first value that does not fit: it is named, blanked, and the rest read again.
fn all_misfits(
    kind: &Kind,
    first: Misfit,
    document: &Document<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<UnknownField> {
    let mut node = document.node.clone();
    let mut misfit = first;
    for _ in 0..MISFITS_MAX {
        let mut finding = document.finding(Severity::Error, &misfit.path, misfit.message.clone());
        finding.hint = hint(&node, &misfit);
        findings.push(finding);
        let blanked = match node.at_path_mut(&misfit.path) {
            Some(place) if !matches!(place.value, Value::Null) => {
                place.value = Value::Null;
                true
            }
            _ => false,
        };
        let mut unknown = Vec::new();
        match typed::read_kind(kind, &node, &mut unknown) {
            Some(Err(next)) if blanked => misfit = next,
            _ => return unknown,
        }
    }
    Vec::new()
}

/// What usually went wrong: a word or a number that needs quotes, or a number that has them.
fn hint(node: &Node<'_>, misfit: &Misfit) -> Option<String> {
    let mut probe = node.clone();
    let place = probe.at_path_mut(&misfit.path)?;
    let wants = |what: &str| misfit.message.starts_with(&format!("expected {what}"));
    match &place.value {
        Value::Bool(_) if wants("a string") => {
            Some("put it in quotes: yes, no, on, off, y and n are booleans in YAML".to_owned())
        }
        Value::Int(_) | Value::Big(_) | Value::Float(_) if wants("a string") => {
            Some("put it in quotes".to_owned())
        }
        Value::Text(text) if wants("an integer") && text.parse::<i64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        Value::Text(text) if wants("true or false") && (text == "true" || text == "false") => {
            Some("write it without quotes".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so, and shows its table")]
mod corpus;
#[cfg(test)]
mod tests;
