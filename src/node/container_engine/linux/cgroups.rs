//! Control groups of ours, in every hierarchy that is mounted.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::files;
use super::processes::signal;

/// How often a removal is tried again: groups are busy until the kernel has let their last process go.
const TRIES: u32 = 50;

/// The roots of all hierarchies, of both versions.
pub(super) fn roots() -> Vec<PathBuf> {
    let mounts = files::text("/proc/self/mounts").unwrap_or_default();
    let mut roots: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, place, kind, ..] = words[..] else { return None };
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(place))
        })
        .collect();
    roots.sort();
    roots.dedup();
    roots
}

/// Groups right below the roots whose names begin so.
pub(super) fn of_ours(prefix: &str) -> Vec<PathBuf> {
    let below = |root: PathBuf| {
        let names = files::names(&root).into_iter().filter(|name| name.starts_with(prefix));
        names.map(|name| root.join(name)).collect::<Vec<_>>()
    };
    roots().into_iter().flat_map(below).filter(|path| path.is_dir()).collect()
}

/// Removes a group with all below it, deepest first; nothing may run in it any more.
pub(super) fn remove(group: &Path) -> std::io::Result<()> {
    for _ in 0..TRIES {
        match remove_once(group) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => files::wait(20),
        }
    }
    remove_once(group)
}

fn below(group: &Path) -> Vec<PathBuf> {
    let names = files::names(group).into_iter().map(|name| group.join(name));
    names.filter(|path| path.is_dir()).collect()
}

/// Kills what runs in a group and below it; says how many processes that were.
pub(super) fn kill(group: &Path) -> usize {
    let below: usize = below(group).iter().map(|inner| kill(inner)).sum();
    // A runtime that was killed while it froze a group leaves it frozen: nothing in it can die then. Only one of
    // these is there, of version 1 or 2.
    for (file, word) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        let path = group.join(file);
        if path.exists() {
            let _ = files::write(&path, word);
        }
    }
    let inside = files::text(group.join("cgroup.procs")).unwrap_or_default();
    let ids: Vec<i32> = inside.lines().filter_map(|line| line.parse().ok()).collect();
    ids.iter().for_each(|id| signal(*id, Signal::KILL));
    below + ids.len()
}

fn remove_once(group: &Path) -> std::io::Result<()> {
    for inner in below(group) {
        remove_once(&inner)?;
    }
    std::fs::remove_dir(group)
}
