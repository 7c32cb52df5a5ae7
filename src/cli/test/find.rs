//! Which tests a command line means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::inputs::{is_manifest, open_file, words};
use crate::api::documents::{self, Limits};
use crate::scenario::API_VERSION;

/// Folders whose files are no tests by themselves.
const SKIPPED: [&str; 2] = ["with", "bench"];

/// The inputs of each test: the files named are one together, each scenario below a folder is one.
pub(super) fn tests(named: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>, Failure> {
    let (folders, files): (Vec<_>, Vec<_>) = named.iter().cloned().partition(|it| it.is_dir());
    let mut tests = Vec::new();
    if !files.is_empty() {
        tests.push(files);
    }
    for folder in folders {
        let mut found = Vec::new();
        walk(&folder, &mut found)?;
        let before = tests.len();
        let scenarios = found.into_iter().filter(|file| has_scenario(file));
        tests.extend(scenarios.map(|file| vec![file]));
        if tests.len() == before {
            let shown = folder.display();
            return Err(Failure::usage(format!(
                "{shown}: no file with a Scenario in this folder or below it"
            )));
        }
    }
    Ok(tests)
}

/// All manifests below a folder, by path.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: io::Error| {
        Failure::usage(format!("{}: cannot be read: {}", folder.display(), words(&error)))
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if !SKIPPED.contains(&name) && !name.starts_with('.') {
                walk(&path, found)?;
            }
        } else if path.is_file() && is_manifest(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a Scenario is among a file's documents. A file that cannot be read whole is one if it
/// names our group: then what is wrong is told when it is loaded.
fn has_scenario(file: &Path) -> bool {
    let group = API_VERSION.split_once('/').map_or("", |(group, _)| group);
    let Ok(input) = open_file(file) else { return true };
    let (mut is_ours, mut has_errors) = (false, false);
    let shown = file.display().to_string();
    let findings = documents::read(&shown, input, &Limits::default(), &mut |document| {
        is_ours |= document.api_version().starts_with(group);
    });
    has_errors |= findings.iter().any(crate::api::diagnostic::Diagnostic::is_error);
    is_ours || (has_errors && names(file, group))
}

#[expect(clippy::disallowed_methods, reason = "cli reads files")]
fn names(file: &Path, group: &str) -> bool {
    fs::read(file)
        .is_ok_and(|bytes| bytes.windows(group.len()).any(|window| window == group.as_bytes()))
}
