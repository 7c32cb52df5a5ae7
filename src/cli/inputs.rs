//! Files, folders and stdin as inputs.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::api::documents::Document;
use crate::scenario::{Loaded, Loader, Overrides};

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

/// Sees each document of the input with this number, values of Secrets blanked.
pub(super) trait Keep {
    /// The next input begins.
    fn begin(&mut self, number: usize, name: &str) -> Result<(), Failure>;
    /// A document of it.
    fn document(&mut self, document: &Document<'_>);
}

/// Keeps nothing.
pub(super) struct KeepNothing;

impl Keep for KeepNothing {
    fn begin(&mut self, _: usize, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn document(&mut self, _: &Document<'_>) {}
}

/// Reads all inputs of a command.
pub(super) fn load(
    files: &[PathBuf],
    overrides: Overrides,
    keep: &mut dyn Keep,
) -> Result<Loaded, Failure> {
    let inputs = expand(files)?;
    let mut loader = Loader::new(overrides);
    for (number, input) in inputs.iter().enumerate() {
        let name = input.name();
        keep.begin(number, &name)?;
        let mut each = |document: &Document<'_>| keep.document(document);
        match open(input) {
            Ok(reader) => loader.read(&name, reader, &mut each),
            Err(error) => loader.unreadable(&name, &format!("cannot be read: {}", words(&error))),
        }
    }
    while let Some(wanted) = loader.next_wanted() {
        let folder = Path::new(&wanted.beside).parent().unwrap_or(Path::new(""));
        let input = Input::File(folder.join(&wanted.path));
        match open(&input) {
            Ok(reader) => loader.read_wanted(&wanted, &input.name(), reader, &mut |_| {}),
            Err(error) => {
                loader.unreadable_wanted(&wanted, &format!("cannot be read: {}", words(&error)));
            }
        }
    }
    Ok(loader.finish())
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
