//! The house rules that a compiler does not hold: which room may import which, how long a file may
//! grow, and what must not be left lying about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms in order: a room may import itself and those before it.
const ORDER: &[&str] = &[
    "base",
    "time",
    "luck",
    "kernel",
    "api",
    "store",
    "messages",
    "net",
    "compute",
    "control_plane",
    "node",
    "traffic",
    "faults",
    "cluster",
    "record",
    "expect",
    "scenario",
    "runs",
    "report",
    "calibration",
    "cli",
];

/// Imports against the order, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Parts of a room that never import each other, nor are imported by the other parts' rooms: only
/// `cluster` names them all.
const COMPONENTS: &[&str] = &[
    "control_plane/api_server",
    "control_plane/scheduler",
    "control_plane/controllers",
    "node/kubelet",
    "node/container_engine",
    "node/kube_proxy",
    "traffic",
    "faults",
];

/// Files grown past their idea are split; data and tests may be longer.
const LINES_MAX: usize = 700;

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        let entries = std::fs::read_dir(folder).expect("a folder of sources");
        for entry in entries.map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                #[expect(clippy::disallowed_methods, reason = "this test reads the sources")]
                let text = std::fs::read_to_string(&entry).expect("a source");
                found.insert(entry, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    found
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(root).expect("below src").to_owned(), text))
        .collect()
}

/// The room of a path below `src`: its first folder or file stem.
fn room(path: &Path) -> String {
    let first = path.components().next().expect("a path").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The `crate::` paths a source uses outside its tests and comments.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut found = Vec::new();
    for line in lines {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            found.push(rest[..end.unwrap_or(rest.len())].trim_end_matches(':').to_owned());
        }
    }
    found
}

#[test]
fn rooms_import_upwards_only() {
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let here = room(&path);
        if ["lib", "main"].contains(&here.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let Some(own) = rank(&here) else {
            wrong.push(format!("{}: the room `{here}` is not in the table", path.display()));
            continue;
        };
        for import in imports(&text) {
            let there = import.split("::").next().unwrap_or_default();
            let allowed = EXCEPTIONS.iter().any(|(a, b, _)| *a == here && *b == there);
            if rank(there).is_some_and(|other| other > own) && !allowed {
                wrong.push(format!("{}: imports crate::{import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn components_do_not_import_each_other() {
    // Libraries that are shared by name (the design's list).
    let shared = ["control_plane::scheduler::algorithm", "node::kube_proxy::choose"];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.to_string_lossy().trim_end_matches(".rs").to_owned();
        let Some(own) = COMPONENTS.iter().find(|part| name.starts_with(**part)) else { continue };
        if name.contains("tests") || name.contains("testing") {
            continue;
        }
        for import in imports(&text) {
            let there = import.replace("::", "/");
            let other = COMPONENTS.iter().find(|part| there.starts_with(**part));
            if other.is_some_and(|other| other != own)
                && !shared.iter().any(|library| import.starts_with(library))
            {
                wrong.push(format!("{}: imports crate::{import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small_and_finished() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, more than {LINES_MAX}", path.display()));
        }
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")] {
            if text.contains(word) {
                wrong.push(format!("{}: `{word}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
