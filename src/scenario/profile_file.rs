//! The profile that a Scenario names: a built-in one, or a file beside it that somebody else opens.

use std::io::Read;

use super::judge::Judge;
use super::load::{API_VERSION, Loader};
use super::profile::{self, EngineProfile, built_in};
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::documents::{self, Document, Limits};
use crate::api::kinds::nearest;
use crate::node::container_engine::simulated::EngineSettings;

/// The field that names it.
pub(super) const FIELD: &str = "spec.cluster.profile";
/// How files end, so that they are told from names.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// What a Scenario names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// Nothing, or `default`.
    Default,
    /// One that comes with the program.
    BuiltIn(&'static str),
    /// A file.
    File(String),
}

/// A file with a profile, to be read by whoever opens files.
#[derive(Clone, PartialEq, Debug)]
pub struct WantedProfile {
    /// The display name of the input that names it.
    pub beside: String,
    /// Its path as written, relative to that input.
    pub path: String,
    /// What is to be said where it cannot be read.
    at: Diagnostic,
}

/// Judges what was written.
pub(super) fn named(written: Option<&str>, judge: &mut Judge<'_, '_>) -> Named {
    let Some(written) = written.filter(|name| *name != "default") else { return Named::Default };
    if let Some(text) = built_in::text(written) {
        return Named::BuiltIn(text);
    }
    if is_file(written) {
        return Named::File(written.to_owned());
    }
    let known: Vec<String> = built_in::names().iter().map(|name| format!("{name:?}")).collect();
    let message = format!(
        "Invalid value: {written:?}: expected one of {}, or a file that ends with .yaml, .yml or .json",
        known.join(", ")
    );
    let mut finding = judge.document.finding(Severity::Error, FIELD, message);
    let near = nearest(written, &built_in::names());
    finding.hint = near.map(|name| format!("did you mean {name:?}?"));
    judge.findings.push(finding);
    Named::Default
}

/// Whether a Scenario that names this means a file.
pub fn is_file(name: &str) -> bool {
    built_in::text(name).is_none()
        && (name.contains('/') || ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// The one profile in a text shown as `file`. `each` sees every document as read.
///
/// # Errors
/// What is wrong with it, all of it errors.
pub fn read(
    file: &str,
    input: impl Read,
    limits: &Limits,
    each: &mut dyn FnMut(&Document<'_>),
) -> Result<EngineProfile, Vec<Diagnostic>> {
    let (mut found, mut wrong, mut documents) = (None, Vec::new(), 0);
    let text = documents::read(file, input, limits, &mut |document| {
        documents += 1;
        each(&document);
        let named = (document.api_version(), document.kind());
        if named != (API_VERSION, profile::KIND) {
            let (version, kind) = named;
            let message = format!("no matches for kind {kind:?} in version {version:?}");
            let hint = format!("a profile is of kind {} in {API_VERSION:?}", profile::KIND);
            let finding = document.finding(Severity::Error, "kind", message).with_hint(hint);
            wrong.push(finding);
            return;
        }
        let mut judge = Judge { document: &document, findings: &mut wrong };
        if documents > 1 {
            judge.error("", "a second document: a file holds one profile");
            return;
        }
        found = profile::profile(&mut judge);
    });
    wrong.extend(text);
    wrong.retain(Diagnostic::is_error);
    match found {
        Some(profile) if wrong.is_empty() => Ok(profile),
        _ if wrong.is_empty() => Err(vec![Diagnostic::of_file(file, "holds no profile")]),
        _ => Err(wrong),
    }
}

impl Loader {
    /// The profile that the Scenario names, if it is a file that nobody read yet.
    pub fn wanted_profile(&mut self) -> Option<WantedProfile> {
        self.wanted_profile.take()
    }

    /// Reads it, shown as `file`.
    pub fn read_profile(
        &mut self,
        file: &str,
        input: impl Read,
        each: &mut dyn FnMut(&Document<'_>),
    ) {
        match read(file, input, &self.limits(), each) {
            Ok(profile) => self.set_engine(profile.settings()),
            Err(wrong) => self.tell(wrong),
        }
    }

    /// It could not be opened.
    pub fn unreadable_profile(&mut self, wanted: &WantedProfile, why: &str) {
        let message = format!("{:?} {why}", wanted.path);
        self.tell(vec![Diagnostic { message, ..wanted.at.clone() }]);
    }

    /// Finds out what the Scenario in this document names.
    pub(super) fn want_profile(
        &mut self,
        named: &Named,
        document: &Document<'_>,
    ) -> Option<EngineSettings> {
        match named {
            Named::Default => None,
            Named::BuiltIn(text) => {
                let limits = self.limits();
                let profile = read("built-in", text.as_bytes(), &limits, &mut |_| {});
                profile.ok().map(|profile| profile.settings())
            }
            Named::File(path) => {
                self.wanted_profile = Some(WantedProfile {
                    beside: document.file.to_owned(),
                    path: path.clone(),
                    at: document.finding(Severity::Error, FIELD, ""),
                });
                None
            }
        }
    }
}
