//! Processes as the kernel lists them: found by what they were started with, ended by their ids.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::files;

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Process {
    pub id: i32,
    /// Its arguments.
    pub words: Vec<String>,
}

/// The arguments of a process; none if it is gone (or has none).
fn words(id: i32) -> Vec<String> {
    let bytes = files::bytes(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Containerd, its shims and runc that were started with a file below one of these folders as an argument. They have
/// them as arguments of their own (`-c`, `-address`, `--root`), which nobody else gives.
pub(super) fn daemons(folders: &[&Path]) -> Vec<Process> {
    let ids = files::names(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    let all = ids.map(|id| Process { id, words: words(id) });
    all.filter(|one| {
        let program = one.words.first().map(String::as_str).unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        let is_below =
            |word: &String| folders.iter().any(|folder| Path::new(word).starts_with(folder));
        (name.starts_with("containerd") || name == "runc") && one.words.iter().skip(1).any(is_below)
    })
    .collect()
}

/// Tells a process to end, or kills it. That it is gone already is fine.
pub(super) fn signal(id: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(id).filter(|_| id > 1) {
        let _ = kill_process(pid, signal);
    }
}
