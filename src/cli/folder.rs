//! The folder a run leaves behind: written beside its place, then renamed; complete or not there.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Failure;
use super::inputs::{Keep, words};
use crate::api::tree::{Node, canonical_json};

/// The version of `run.json`.
pub(super) const RUN_SCHEMA: &str = "wavetank.dev/run/v1";
/// What came in from a real engine, an input a line; only of runs that had one.
pub(super) const ENGINE_LOG: &str = "engine.jsonl";
/// Where runs go by default.
const REPORTS: &str = "reports";

/// A run folder in the making. Dropped before [`RunFolder::publish`], it is gone.
pub(super) struct RunFolder {
    /// Where it is to be; by default known when the scenario's name is.
    place: Option<PathBuf>,
    parent: PathBuf,
    /// Whether the parent was made for this run.
    is_parent_new: bool,
    partial: PathBuf,
    input: Option<BufWriter<fs::File>>,
    inputs: Vec<String>,
    failure: Option<io::Error>,
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::machine(format!("{}: cannot be written: {}", path.display(), words(error)))
}

impl RunFolder {
    /// Begins a folder that will be `out`, or one below `reports/`.
    #[expect(clippy::disallowed_methods, reason = "cli writes the run folder")]
    pub(super) fn begin(out: Option<&Path>) -> Result<RunFolder, Failure> {
        if let Some(out) = out {
            check_place(out)?;
        }
        let parent = match out.and_then(Path::parent) {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from(REPORTS),
        };
        let is_parent_new = !parent.exists();
        let partial = parent.join(format!(".wavetank-{}.partial", std::process::id()));
        let inputs = partial.join("inputs");
        fs::create_dir_all(&inputs)
            .map_err(|error| cannot_write(out.unwrap_or(Path::new(REPORTS)), &error))?;
        Ok(RunFolder {
            place: out.map(Path::to_owned),
            parent,
            is_parent_new,
            partial,
            input: None,
            inputs: Vec::new(),
            failure: None,
        })
    }

    /// Settles where it is to be, for a run called `name`.
    pub(super) fn called(&mut self, name: &str) -> Result<(), Failure> {
        if self.place.is_none() {
            let place = self.parent.join(name);
            check_place(&place)?;
            self.place = Some(place);
        }
        self.end_input();
        match self.failure.take() {
            Some(error) => Err(cannot_write(&self.partial, &error)),
            None => Ok(()),
        }
    }

    /// The inputs kept, by their names in `inputs/`.
    pub(super) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// A file of it to be written bit by bit.
    #[expect(clippy::disallowed_methods, reason = "cli writes the run folder")]
    pub(super) fn file(&self, name: &str) -> Result<BufWriter<fs::File>, Failure> {
        let path = self.partial.join(name);
        let file = fs::File::create(&path).map_err(|error| cannot_write(&path, &error))?;
        Ok(BufWriter::with_capacity(1 << 18, file))
    }

    /// A file of it, whole.
    #[expect(clippy::disallowed_methods, reason = "cli writes the run folder")]
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.partial.join(name);
        fs::write(&path, text).map_err(|error| cannot_write(&path, &error))
    }

    /// Puts it in its place, where a former run may be; returns the place.
    #[expect(clippy::disallowed_methods, reason = "cli writes the run folder")]
    pub(super) fn publish(self) -> Result<PathBuf, Failure> {
        let place = self.place.clone().unwrap_or_else(|| self.parent.join("run"));
        let failed = |error: io::Error| cannot_write(&place, &error);
        if place.exists() {
            check_place(&place)?;
            let old = self.parent.join(format!(".wavetank-{}.old", std::process::id()));
            fs::rename(&place, &old).map_err(failed)?;
            fs::rename(&self.partial, &place).map_err(failed)?;
            fs::remove_dir_all(&old).map_err(failed)?;
        } else {
            fs::rename(&self.partial, &place).map_err(failed)?;
        }
        Ok(place)
    }

    fn end_input(&mut self) {
        if let Some(mut input) = self.input.take()
            && let Err(error) = input.flush()
        {
            self.failure.get_or_insert(error);
        }
    }
}

impl Drop for RunFolder {
    #[expect(clippy::disallowed_methods, reason = "cli clears away what it did not finish")]
    fn drop(&mut self) {
        // After publishing it is not there any more; nothing else can be done about a failure.
        let _ = fs::remove_dir_all(&self.partial);
        if self.is_parent_new {
            // Goes only if it is empty.
            let _ = fs::remove_dir(&self.parent);
        }
    }
}

impl Keep for RunFolder {
    #[expect(clippy::disallowed_methods, reason = "cli writes the run folder")]
    fn begin(&mut self, kept_as: &str) -> Result<(), Failure> {
        self.end_input();
        let path = Path::new("inputs").join(kept_as);
        if let Some(folder) = path.parent() {
            let folder = self.partial.join(folder);
            fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
        }
        self.input = Some(self.file(&path.to_string_lossy())?);
        self.inputs.push(kept_as.to_owned());
        Ok(())
    }

    fn document(&mut self, node: &Node<'_>) {
        let Some(input) = &mut self.input else { return };
        if let Err(error) = writeln!(input, "{}", canonical_json(node)) {
            self.failure.get_or_insert(error);
            self.input = None;
        }
    }
}

/// A run may take the place of nothing, or of a run.
#[expect(clippy::disallowed_methods, reason = "cli looks at the folder it is to replace")]
fn check_place(place: &Path) -> Result<(), Failure> {
    if !place.exists() {
        return Ok(());
    }
    let is_ours =
        fs::read_to_string(place.join("run.json")).is_ok_and(|text| text.contains(RUN_SCHEMA));
    let is_empty = fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
    if is_ours || is_empty {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--out {}: exists and holds no run of ours; it is left alone: name another folder",
        place.display()
    )))
}
