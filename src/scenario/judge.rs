//! Collects what is wrong with one Scenario, each finding with its place.

use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::documents::Document;
use crate::api::kinds::nearest;
use crate::api::validation::field::{Errors, Reason};

/// One Scenario under judgement.
pub(super) struct Judge<'j, 'd> {
    pub document: &'j Document<'d>,
    pub findings: &'j mut Vec<Diagnostic>,
}

impl Judge<'_, '_> {
    /// The field at `path` is wrong.
    pub(super) fn error(&mut self, path: &str, message: impl Into<String>) {
        self.findings.push(self.document.finding(Severity::Error, path, message));
    }

    /// The field at `path` is missing, if it is: one that was refused, be it for its name, is told of
    /// already.
    pub(super) fn missing(&mut self, path: &str, message: impl Into<String>) {
        let here = self.blank(path);
        let is_told = self.findings.iter().any(|it| {
            let rest = it.field.as_deref().and_then(|field| field.strip_prefix(path));
            let is_here = (&it.file, it.document) == (&here.file, here.document);
            let is_within =
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            it.is_error() && is_here && is_within
        });
        if !is_told {
            self.error(path, message);
        }
    }

    /// The value at `path` is none of `names`.
    pub(super) fn not_one_of(&mut self, path: &str, value: &str, names: &[&str]) {
        let expected: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let message =
            format!("Unsupported value: {value:?}: supported values: {}", expected.join(", "));
        let mut finding = self.document.finding(Severity::Error, path, message);
        finding.hint = nearest(value, names).map(|name| format!("did you mean {name:?}?"));
        self.findings.push(finding);
    }

    /// There is no field at `path`; `meant` is what it probably was to be.
    pub(super) fn unknown_field(&mut self, path: &str, meant: Option<&str>) {
        let mut finding = self.document.finding(Severity::Error, path, "");
        finding.message = format!("unknown field {path:?}");
        finding.hint = meant.map(|name| format!("did you mean {name:?}?"));
        self.findings.push(finding);
    }

    /// Errors of validation.
    pub(super) fn invalid(&mut self, errors: Errors) {
        for error in errors.into_list() {
            let mut finding = self.document.invalid(&error);
            if error.reason == Reason::NotSupported {
                // Names stand in quotes, the value's as well.
                let quoted = |text: &str| -> Vec<String> {
                    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
                };
                let names = quoted(&error.detail);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let value = quoted(&error.value).pop().unwrap_or_default();
                finding.hint = nearest(&value, &names).map(|it| format!("did you mean {it:?}?"));
            }
            self.findings.push(finding);
        }
    }

    /// An error of the field at `path`, its words to be filled in.
    pub(super) fn blank(&self, path: &str) -> Diagnostic {
        self.document.finding(Severity::Error, path, "")
    }

    /// Something that is right and plays no part.
    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>) {
        self.findings.push(self.document.finding(Severity::Warning, path, message));
    }
}
