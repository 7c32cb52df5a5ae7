//! What the reader has to say to the person who wrote a file: one line a finding.
//!
//! Owns the shape and the wording of that line; knows nothing of what is right or wrong.

use std::fmt::{self, Write};

/// A place in a file. Lines and columns start at 1; zero means "unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// The first character of a file.
    pub const START: Position = Position { line: 1, column: 1 };

    /// Whether the place is known.
    pub fn is_known(self) -> bool {
        self.line != 0
    }

    /// This place, read in a text that itself begins at `start` of a file.
    #[must_use]
    pub fn offset_by(self, start: Position) -> Position {
        if !self.is_known() || !start.is_known() {
            return self;
        }
        let column =
            if self.line == 1 { self.column.saturating_add(start.column - 1) } else { self.column };
        Position { line: self.line.saturating_add(start.line - 1), column }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The API server would refuse the input.
    Error,
    /// The API server would accept it and say so.
    Warning,
}

/// One finding in one file.
///
/// `Display` gives one line: `shop.yaml:12:9 (document 2, Deployment/default/web): spec.replicas:
/// Invalid value: -1: must be greater than or equal to 0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The display name of the input.
    pub file: String,
    /// The document within the file, from 1; 0 where the whole file is meant.
    pub document: usize,
    /// The item of a `List`, from 0.
    pub item: Option<usize>,
    /// The object, as `Deployment/default/web`, where it is known.
    pub object: Option<String>,
    /// Where in the file.
    pub position: Position,
    /// The path of the field, as `spec.containers[0].name`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error about the whole of `file`.
    pub fn of_file(file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            file: file.to_owned(),
            document: 0,
            item: None,
            object: None,
            position: Position::default(),
            field: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(&mut OneLine(f))
    }
}

/// Writes control characters, which names and keys may hold, as escapes.
struct OneLine<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            c if c.is_control() => write!(self.0, "{}", c.escape_debug()),
            c => self.0.write_char(c),
        })
    }
}

impl Diagnostic {
    fn write(&self, f: &mut impl Write) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.position.is_known() {
            write!(f, ":{}:{}", self.position.line, self.position.column)?;
        }
        if self.document > 0 {
            write!(f, " (document {}", self.document)?;
            if let Some(item) = self.item {
                write!(f, ", items[{item}]")?;
            }
            if let Some(object) = &self.object {
                write!(f, ", {object}")?;
            }
            f.write_str(")")?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let finding = Diagnostic {
            document: 2,
            object: Some("Deployment/default/web".to_owned()),
            position: Position { line: 12, column: 9 },
            field: Some("spec.replicas".to_owned()),
            ..Diagnostic::of_file("shop.yaml", "Invalid value: -1: must be 0 or more")
        };
        assert_eq!(
            finding.to_string(),
            "shop.yaml:12:9 (document 2, Deployment/default/web): spec.replicas: \
             Invalid value: -1: must be 0 or more"
        );
    }

    #[test]
    fn only_the_first_line_of_a_part_shifts_by_columns() {
        let start = Position { line: 10, column: 5 };
        assert_eq!(
            Position { line: 1, column: 3 }.offset_by(start),
            Position { line: 10, column: 7 }
        );
        assert_eq!(
            Position { line: 2, column: 3 }.offset_by(start),
            Position { line: 11, column: 3 }
        );
    }
}
