//! Files, folders and stdin as inputs.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::api::documents::Document;
use crate::api::tree::{Node, Value};
use crate::scenario::{API_VERSION, Loaded, Loader, Overrides, is_file, letter_at};

/// What is read out of a folder, as by kubectl; each may be gzipped.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// An input to read.
enum Input {
    Stdin,
    File(PathBuf),
}

impl Input {
    fn name(&self) -> String {
        match self {
            Input::Stdin => "stdin".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }
}

/// Sees each document of each input, values of Secrets blanked.
pub(super) trait Keep {
    /// The next input begins, to be kept under this name: files that steps apply in a folder of their
    /// own, where nobody takes them for objects of the start.
    fn begin(&mut self, kept_as: &str) -> Result<(), Failure>;
    /// A document of it.
    fn document(&mut self, node: &Node<'_>);
}

/// Keeps nothing.
pub(super) struct KeepNothing;

impl Keep for KeepNothing {
    fn begin(&mut self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn document(&mut self, _: &Node<'_>) {}
}

/// Reads all inputs of a command.
pub(super) fn load(
    sources: (&[PathBuf], Option<&PathBuf>),
    overrides: Overrides,
    keep: &mut dyn Keep,
) -> Result<Loaded, Failure> {
    let mut loader = Loader::new(overrides);
    read(sources, &mut loader, keep)?;
    Ok(loader.finish())
}

/// Reads them with a loader that is there.
pub(super) fn read(
    (files, scheduler_config): (&[PathBuf], Option<&PathBuf>),
    loader: &mut Loader,
    keep: &mut dyn Keep,
) -> Result<(), Failure> {
    let inputs = expand(files)?;
    for (number, input) in inputs.iter().enumerate() {
        let name = input.name();
        keep.begin(&kept_as(number, &name))?;
        let mut each = |document: &Document<'_>| keep_document(keep, document);
        match open(input) {
            Ok(reader) => loader.read(&name, reader, &mut each),
            Err(error) => loader.unreadable(&name, &format!("cannot be read: {}", words(&error))),
        }
    }
    if let Some(path) = scheduler_config {
        let input = Input::File(path.clone());
        let name = input.name();
        keep.begin(&kept_as(inputs.len(), &name))?;
        let mut each = |document: &Document<'_>| keep_document(keep, document);
        match open(&input) {
            Ok(reader) => loader.read_scheduler_config(&name, reader, &mut each),
            Err(error) => loader.unreadable(&name, &format!("cannot be read: {}", words(&error))),
        }
    }
    let mut number = 0;
    while let Some(wanted) = loader.next_wanted() {
        keep.begin(&applied_as(number, &wanted.path))?;
        number += 1;
        let folder = Path::new(&wanted.beside).parent().unwrap_or(Path::new(""));
        let input = Input::File(folder.join(&wanted.path));
        match open(&input) {
            Ok(reader) => {
                let mut each = |document: &Document<'_>| keep.document(&document.node);
                loader.read_wanted(&wanted, &input.name(), reader, &mut each);
            }
            Err(error) => {
                loader.unreadable_wanted(&wanted, &format!("cannot be read: {}", words(&error)));
            }
        }
    }
    if let Some(wanted) = loader.wanted_profile() {
        keep.begin(&profile_as(&wanted.path))?;
        let folder = Path::new(&wanted.beside).parent().unwrap_or(Path::new(""));
        let input = Input::File(folder.join(&wanted.path));
        match open(&input) {
            Ok(reader) => {
                let mut each = |document: &Document<'_>| keep.document(&document.node);
                loader.read_profile(&input.name(), reader, &mut each);
            }
            Err(error) => {
                loader.unreadable_profile(&wanted, &format!("cannot be read: {}", words(&error)));
            }
        }
    }
    Ok(())
}

/// The folder a profile is kept in, for folders inside one are not read.
pub(super) const PROFILE: &str = "profile/";

/// The name a profile is kept under.
fn profile_as(path: &str) -> String {
    format!("{PROFILE}{}", kept_as(0, path))
}

/// The name an input is kept under.
fn kept_as(number: usize, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let plain: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{number:04}-{plain}.json")
}

/// The name that a file which a step applies is kept under: in a folder, for folders inside one are not
/// read.
fn applied_as(number: usize, path: &str) -> String {
    format!("applied/{}", kept_as(number, path))
}

/// A Scenario is kept with the names its files are kept under, and its nodes' names as texts.
fn keep_document(keep: &mut dyn Keep, document: &Document<'_>) {
    if (document.api_version(), document.kind()) != (API_VERSION, "Scenario") {
        return keep.document(&document.node);
    }
    let mut node = document.node.clone();
    if let Some(Value::Text(name)) =
        node.at_path_mut("spec.cluster.profile").map(|it| &mut it.value)
        && is_file(name)
    {
        *name = profile_as(name).into();
    }
    let mut number = 0;
    let mut rename = |it: &mut Node<'_>| {
        if let Value::Text(path) = &mut it.value {
            *path = applied_as(number, path).into();
            number += 1;
        }
    };
    for at in 0.. {
        if node.at_path(&format!("spec.timeline[{at}]")).is_none() {
            break;
        }
        let Some(apply) = node.at_path_mut(&format!("spec.timeline[{at}].apply")) else { continue };
        match &mut apply.value {
            Value::List(items) => items.iter_mut().for_each(&mut rename),
            _ => rename(apply),
        }
    }
    for at in 0.. {
        let group = format!("spec.cluster.nodes[{at}]");
        if node.at_path(&group).is_none() {
            break;
        }
        for path in [format!("{group}.name"), format!("{group}.zone")] {
            let Some(written) = node.at_path_mut(&path) else { continue };
            if let (Value::Bool(_), Some(name)) = (&written.value, letter_at(document, &path)) {
                written.value = Value::Text(name.into());
            }
        }
    }
    keep.document(&node);
}

/// An error of the machine without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    plain[..1].to_ascii_lowercase() + &plain[1..]
}

fn open(input: &Input) -> io::Result<Box<dyn Read>> {
    Ok(match input {
        Input::Stdin => Box::new(io::stdin().lock()),
        Input::File(path) => Box::new(open_file(path)?),
    })
}

#[expect(clippy::disallowed_methods, reason = "cli opens files")]
pub(super) fn open_file(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

/// The inputs in order: files as given, files of a folder by name.
fn expand(files: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    let mut has_stdin = false;
    for path in files {
        if path.as_os_str() == "-" {
            if has_stdin {
                return Err(Failure::usage("-: stdin can be read only once"));
            }
            has_stdin = true;
            inputs.push(Input::Stdin);
        } else if path.is_dir() {
            inputs.extend(in_folder(path)?.into_iter().map(Input::File));
        } else {
            inputs.push(Input::File(path.clone()));
        }
    }
    Ok(inputs)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let shown = folder.display();
    let unreadable =
        |error: io::Error| Failure::usage(format!("{shown}: cannot be read: {}", words(&error)));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() && is_manifest(&path) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Failure::usage(format!(
            "{shown}: no .yaml, .yml or .json file in this folder (folders inside it are not read)"
        )));
    }
    Ok(found)
}

pub(super) fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.starts_with('.') && ENDINGS.contains(&ending)
}
