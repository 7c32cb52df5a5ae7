//! Field paths and field errors, worded as the API server words them.
//!
//! The texts follow `k8s.io/apimachinery/pkg/util/validation/field/errors.go` of 1.36.

use std::fmt;

use super::gates::{Gate, Gates, State};
use crate::api::rules::limits::joined;

/// A place in an object, as a chain of segments on the stack: nothing is allocated until an error
/// is written.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// The object itself.
    pub const ROOT: Path<'static> = Path { parent: None, segment: Segment::Root };

    /// The place this one is in, none for the object itself.
    pub fn parent(&self) -> Option<&'a Path<'a>> {
        self.parent
    }

    /// The field `name` below this place: `spec.name`.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Field(name) }
    }

    /// The item `at` of the list at this place: `spec.containers[0]`.
    pub fn index<'b>(&'b self, at: usize) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Index(at) }
    }

    /// The entry `key` of the map at this place: `metadata.labels[app]`.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Key(key) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        fmt::Display::fmt(parent, f)?;
        match self.segment {
            Segment::Root => Ok(()),
            // A place without a name is printed as an entry without a key (`Path.String`).
            Segment::Field("") => f.write_str("[]"),
            Segment::Field(name) if parent.parent.is_none() => f.write_str(name),
            Segment::Field(name) => write!(f, ".{name}"),
            Segment::Index(at) => write!(f, "[{at}]"),
            Segment::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A needed value is missing.
    Required,
    /// The value is malformed or out of bounds.
    Invalid,
    /// The value is none of the known ones.
    NotSupported,
    /// The value stands twice where it must be unique.
    Duplicate,
    /// The field may not be set here.
    Forbidden,
    /// The text is too long.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The value names something that is not there.
    NotFound,
    /// The value is of another type.
    TypeInvalid,
}

/// One error of one field. `Display` gives the API server's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, as `spec.containers[0].name`.
    pub path: String,
    /// The kind of error.
    pub reason: Reason,
    /// The value as the API server prints it (`-1`, `"x"`), empty where it prints none.
    pub value: String,
    /// What is expected, in the API server's words.
    pub detail: String,
    /// The gate, and where it must stand, for this to be an error; `None`: it is one anyway.
    pub only: Option<(Gate, State)>,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FieldError { path, reason, value, detail, .. } = self;
        let kind = match reason {
            Reason::Required => "Required value",
            Reason::Invalid | Reason::TypeInvalid => "Invalid value",
            Reason::NotSupported => "Unsupported value",
            Reason::Duplicate => "Duplicate value",
            Reason::Forbidden => "Forbidden",
            Reason::TooLong => "Too long",
            Reason::TooMany => "Too many",
            Reason::NotFound => "Not found",
        };
        let path = if path.is_empty() { "<nil>" } else { path };
        write!(f, "{path}: {kind}")?;
        if !value.is_empty() {
            write!(f, ": {value}")?;
        }
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

/// Values as the API server prints them inside an error.
pub trait Shown {
    /// The printed form: text in quotes, numbers bare.
    fn shown(&self) -> String;
}

impl Shown for str {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

macro_rules! shown_bare {
    ($($t:ty),*) => {$(impl Shown for $t {
        fn shown(&self) -> String {
            self.to_string()
        }
    })*};
}
shown_bare!(i32, i64, u32, u64, usize, bool);

/// The errors of one object, in the order the API server finds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    list: Vec<FieldError>,
    known: Known,
    /// What the checks under way are made for.
    only: Option<(Gate, State)>,
}

/// What is known of feature gates where objects are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Where they stand.
    All(Gates),
    /// Nothing yet: each error says which gate it hangs on.
    Nothing,
}

impl Default for Known {
    fn default() -> Known {
        Known::All(Gates::default())
    }
}

impl Errors {
    /// No error so far, with the feature gates of 1.36.
    pub fn new() -> Errors {
        Errors::default()
    }

    /// No error so far, under these gates.
    pub fn under(gates: Gates) -> Errors {
        Errors { known: Known::All(gates), ..Errors::default() }
    }

    /// No error so far, where nobody knows yet how gates stand.
    pub fn undecided() -> Errors {
        Errors { known: Known::Nothing, ..Errors::default() }
    }

    /// What `check` finds is an error only where the gate stands so.
    pub fn only(&mut self, gate: Gate, state: State, check: impl FnOnce(&mut Errors)) {
        if let Known::All(gates) = self.known {
            if gates.state(gate) == state {
                check(self);
            }
            return;
        }
        let before = self.only.replace((gate, state));
        check(self);
        self.only = before;
    }

    /// Those that do not hang on a gate, or on one that `is_so`.
    pub fn decided(mut self, is_so: impl Fn(Gate, State) -> bool) -> Errors {
        self.list.retain(|error| error.only.is_none_or(|(gate, state)| is_so(gate, state)));
        self
    }

    /// Whether no error was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All errors in one: each message once, in brackets if there are several (`Aggregate.Error`
    /// of apimachinery 1.36).
    pub fn together(&self) -> String {
        let all: Vec<String> = self.list.iter().map(ToString::to_string).collect();
        joined(&all).unwrap_or_default()
    }

    /// All errors, in order.
    pub fn list(&self) -> &[FieldError] {
        &self.list
    }

    /// The errors, given away.
    pub fn into_list(self) -> Vec<FieldError> {
        self.list
    }

    fn push(&mut self, path: &Path<'_>, reason: Reason, value: String, detail: String) {
        let only = self.only;
        self.list.push(FieldError { path: path.to_string(), reason, value, detail, only });
    }

    /// `path: Required value: detail`.
    pub fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, Reason::Required, String::new(), detail.to_owned());
    }

    /// `path: Invalid value: value: detail`.
    pub fn invalid(
        &mut self,
        path: &Path<'_>,
        value: &(impl Shown + ?Sized),
        detail: impl Into<String>,
    ) {
        self.push(path, Reason::Invalid, value.shown(), detail.into());
    }

    /// `path: Unsupported value: "x": supported values: "A", "B"`; the values are printed sorted
    /// as given by the caller.
    pub fn not_supported(
        &mut self,
        path: &Path<'_>,
        value: &(impl Shown + ?Sized),
        supported: &[&str],
    ) {
        let names: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let detail = if names.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", names.join(", "))
        };
        self.push(path, Reason::NotSupported, value.shown(), detail);
    }

    /// `path: Duplicate value: value`.
    pub fn duplicate(&mut self, path: &Path<'_>, value: &(impl Shown + ?Sized)) {
        self.push(path, Reason::Duplicate, value.shown(), String::new());
    }

    /// `path: Duplicate value: value: detail`.
    pub fn duplicate_because(
        &mut self,
        path: &Path<'_>,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(path, Reason::Duplicate, value.into(), detail.into());
    }

    /// `path: Forbidden: detail`.
    pub fn forbidden(&mut self, path: &Path<'_>, detail: impl Into<String>) {
        self.push(path, Reason::Forbidden, String::new(), detail.into());
    }

    /// `path: Too long: may not be more than N bytes`.
    pub fn too_long(&mut self, path: &Path<'_>, bytes_max: usize) {
        let noun = if bytes_max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {bytes_max} {noun}");
        self.push(path, Reason::TooLong, String::new(), detail);
    }

    /// `path: Too many: N: must have at most M items`.
    pub fn too_many(&mut self, path: &Path<'_>, have: usize, items_max: usize) {
        let noun = if items_max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {items_max} {noun}");
        self.push(path, Reason::TooMany, have.to_string(), detail);
    }

    /// `path: Not found: value`.
    pub fn not_found(&mut self, path: &Path<'_>, value: &(impl Shown + ?Sized)) {
        self.push(path, Reason::NotFound, value.shown(), String::new());
    }

    /// `path: Not found: value: detail`.
    pub fn not_found_as(
        &mut self,
        path: &Path<'_>,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(path, Reason::NotFound, value.into(), detail.into());
    }

    /// An error whose value is printed in a form of its own (Go structs and maps).
    pub fn invalid_as(
        &mut self,
        path: &Path<'_>,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(path, Reason::Invalid, value.into(), detail.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_name_is_printed_as_an_index_without_one() {
        let mut errors = Errors::new();
        errors.too_long(&Path::ROOT.child(""), 1024);
        assert_eq!(errors.list()[0].to_string(), "[]: Too long: may not be more than 1024 bytes");
    }

    #[test]
    fn lines_read_as_the_api_servers() {
        let mut errors = Errors::new();
        let spec = Path::ROOT.child("spec");
        errors.invalid(&spec.child("replicas"), &-1, "must be greater than or equal to 0");
        errors.required(&spec.child("containers").index(0).child("name"), "");
        errors.duplicate(&Path::ROOT.child("metadata").child("labels").key("a/b"), "x");
        let lines: Vec<String> = errors.list().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.containers[0].name: Required value",
                "metadata.labels[a/b]: Duplicate value: \"x\"",
            ]
        );
    }
}
