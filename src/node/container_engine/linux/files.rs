//! Files and the wall clock, in one place: the rest of this room asks here.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the real-time part works with files and the wall clock"
)]

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::error::Trouble;
use crate::time::SimDuration;

/// A folder, with those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(path).map_err(|error| told(path, "cannot be made", &error))
}

/// A whole file.
pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Trouble> {
    fs::write(path, bytes).map_err(|error| told(path, "cannot be written", &error))
}

/// A new file to write to.
pub(super) fn create(path: &Path) -> Result<fs::File, Trouble> {
    fs::File::create(path).map_err(|error| told(path, "cannot be written", &error))
}

/// An open file.
pub(super) fn open(path: &Path) -> Result<fs::File, Trouble> {
    fs::File::open(path).map_err(|error| told(path, "cannot be read", &error))
}

/// A text of the kernel or of ours; `None` if it is not there or no text.
pub(super) fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The bytes of a file; `None` if it is not there.
pub(super) fn bytes(path: impl AsRef<Path>) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// A folder with all that is in it; fine if it is not there.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a folder, sorted; none if it is not there.
pub(super) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Waits so long.
pub(super) fn wait(millis: u64) {
    std::thread::sleep(std::time::Duration::from_millis(millis));
}

fn told(path: &Path, what: &str, error: &io::Error) -> Trouble {
    Trouble::Machine(format!("{} {what}: {error}", path.display()))
}

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch(Instant);

impl Watch {
    pub(super) fn start() -> Watch {
        Watch(Instant::now())
    }

    /// How long it has run.
    pub(super) fn took(self) -> SimDuration {
        SimDuration::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Nanoseconds since 1970, as runtimes stamp what they report.
pub(super) fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
