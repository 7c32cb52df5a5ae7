//! What runs leave on the machine: listed, and taken away.
//!
//! A run that ends, however it ends while its process lives, clears its own. What a killed one left is found by
//! the next: its folder's lock is free. The clearing needs no containerd and trusts nothing to be there: it kills
//! the run's containerd, then its groups' processes and its shims, unmounts, removes groups, then folders.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, fstat, stat};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::Signal;
use serde_json::Value;

use super::error::Trouble;
use super::runtime::Settings;
use super::{cgroups, files, images, processes};

/// Where runs have their sockets, states and locks, whatever their work folder is.
pub(super) const STATES: &str = "/run/wavetank";
/// How often processes are told to die, 20 ms apart.
const STEPS: u32 = 750;
/// How a run's group begins.
const GROUP: &str = "wavetank-";
/// Files beside the runs: the lock, and which of [`SHIM_FOLDERS`] were made for them.
const LOCK: &str = "lock";
const MADE: &str = "made";
/// Folders that shims make, outer ones first.
const SHIM_FOLDERS: [&str; 2] = ["/run/containerd", SHIM_SOCKETS];
/// Where containerd 1.6 and 1.7 put the sockets of all shims, whatever their configuration says.
const SHIM_SOCKETS: &str = "/run/containerd/s";

/// The places of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    pub id: String,
    /// On a disk: blobs, containerd's root.
    pub work: PathBuf,
    /// With a short name: lock, socket, containerd's state.
    pub state: PathBuf,
}

impl Places {
    pub fn new(id: &str, settings: &Settings) -> Places {
        let state = Path::new(STATES).join(id);
        let said = files::text(state.join("run.json"));
        let said: Value =
            said.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let work = said["work"].as_str().map_or_else(|| settings.work.join(id), PathBuf::from);
        Places { id: id.to_owned(), work, state }
    }

    /// Where its images' blobs lie.
    pub fn blobs(&self) -> PathBuf {
        self.work.join("blobs")
    }

    /// Where its containers' logs are.
    pub fn logs(&self) -> PathBuf {
        self.work.join("logs")
    }

    /// The run's group, from each hierarchy's root.
    pub fn group(&self) -> String {
        format!("/{GROUP}{}", self.id)
    }
}

/// Whether this is how runs are called: nothing else is ever taken for one.
fn is_id(name: &str) -> bool {
    let Some((pid, stamp)) = name.strip_prefix('w').and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let all = |text: &str, is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    all(pid, |c| c.is_ascii_digit()) && all(stamp, |c| c.is_ascii_hexdigit())
}

/// The lock that every start, sweep and end holds while it looks at the runs of this machine.
pub(super) struct All(File);

/// Takes it.
pub(super) fn lock_all() -> Result<All, Trouble> {
    let folder = Path::new(STATES);
    let path = folder.join(LOCK);
    loop {
        files::make_folder(folder)?;
        let file = files::create(&path)?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| Trouble::machine("/run/wavetank/lock", error))?;
        // Whoever held it before may have taken it away with the folder.
        let is_same = match (stat(&path), fstat(&file)) {
            (Ok(there), Ok(held)) => there.st_ino == held.st_ino && there.st_dev == held.st_dev,
            _ => false,
        };
        if is_same {
            return Ok(All(file));
        }
    }
}

/// Notes which of containerd's folders for sockets are not there yet: these go with the last run.
pub(super) fn note_made(_: &All) -> Result<(), Trouble> {
    let path = Path::new(STATES).join(MADE);
    let mut text = files::text(&path).unwrap_or_default();
    for folder in SHIM_FOLDERS {
        if !Path::new(folder).exists() && !text.lines().any(|line| line == folder) {
            text += &format!("{folder}\n");
        }
    }
    files::write(&path, text)
}

/// When no run is left, takes away what they shared.
fn tidy(all: All, settings: &Settings) {
    // Each goes only if it is empty.
    let _ = std::fs::remove_dir(&settings.work);
    let states = Path::new(STATES);
    if files::names(states).iter().any(|name| name != LOCK && name != MADE) {
        return;
    }
    let made = files::text(states.join(MADE)).unwrap_or_default();
    for folder in SHIM_FOLDERS.iter().rev().filter(|one| made.lines().any(|line| line == **one)) {
        let _ = std::fs::remove_dir(folder);
    }
    let _ = std::fs::remove_file(states.join(MADE));
    let _ = std::fs::remove_file(states.join(LOCK));
    let _ = std::fs::remove_dir(states);
    drop(all.0);
}

/// The lock of a run; `None` if its process lives.
pub(super) fn lock(state: &Path) -> Option<File> {
    let file = files::create(&state.join("lock")).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// Runs of which anything is there and whose process does not live.
fn dead(settings: &Settings) -> Vec<String> {
    let mut ids = files::names(Path::new(STATES));
    ids.extend(files::names(&settings.work));
    let groups = cgroups::of_ours(GROUP);
    let named = groups.iter().filter_map(|path| path.file_name()?.to_str()?.strip_prefix(GROUP));
    ids.extend(named.map(str::to_owned));
    ids.retain(|id| is_id(id));
    ids.sort();
    ids.dedup();
    ids.retain(|id| {
        let state = Path::new(STATES).join(id);
        !state.join("lock").exists() || lock(&state).is_some()
    });
    ids
}

/// What is left on this machine of runs whose process is gone: processes, mounts, groups, sockets, folders (images
/// lie in these). Empty: nothing.
pub fn leftovers(settings: &Settings) -> Vec<String> {
    dead(settings).iter().flat_map(|id| left_of(&Places::new(id, settings))).collect()
}

/// What is there of one run.
pub(super) fn left_of(places: &Places) -> Vec<String> {
    let daemons = processes::daemons(&[&places.work, &places.state]);
    let mut left: Vec<String> =
        daemons.iter().map(|one| format!("process {} ({})", one.id, one.words.join(" "))).collect();
    left.extend(mounts(places).iter().map(|path| format!("mount {}", path.display())));
    let groups = cgroups::of_ours(&format!("{GROUP}{}", places.id));
    left.extend(groups.iter().map(|path| format!("cgroup {}", path.display())));
    left.extend(shim_sockets(places).iter().map(|path| format!("socket {}", path.display())));
    let folders = [&places.work, &places.state].into_iter().filter(|path| path.exists());
    left.extend(folders.map(|path| format!("folder {}", path.display())));
    left
}

/// Takes away what runs left whose process is gone; tells what that was.
///
/// # Errors
/// Something could not be taken away, or nothing may be (no root).
pub fn sweep(settings: &Settings) -> Result<Vec<String>, Trouble> {
    let all = lock_all()?;
    let swept = sweep_locked(&all, settings);
    tidy(all, settings);
    swept
}

/// Takes away a run that ends, and what it shared with no other.
pub(super) fn end(places: &Places, settings: &Settings) -> Result<(), Trouble> {
    let cleared = clear(places);
    tidy(lock_all()?, settings);
    cleared
}

pub(super) fn sweep_locked(_: &All, settings: &Settings) -> Result<Vec<String>, Trouble> {
    let mut swept = Vec::new();
    for id in dead(settings) {
        let places = Places::new(&id, settings);
        swept.extend(left_of(&places));
        clear(&places)?;
    }
    Ok(swept)
}

/// Takes away everything of one run.
pub(super) fn clear(places: &Places) -> Result<(), Trouble> {
    // What is gone already needs no taking away; what cannot be is told at the end.
    let folders = [places.work.as_path(), places.state.as_path()];
    let mut sockets = shim_sockets(places);
    let groups = || cgroups::of_ours(&format!("{GROUP}{}", places.id));
    for _ in 0..STEPS {
        // Who makes processes goes first: containerd, then shims, then runc, then what runs.
        let daemons = processes::daemons(&folders);
        // Shims that are being started have not noted their sockets yet: their arguments tell.
        sockets.extend(daemons.iter().filter_map(socket_of));
        let left: usize = groups().iter().map(|group| cgroups::kill(group)).sum();
        daemons.iter().for_each(|one| processes::signal(one.id, Signal::KILL));
        if daemons.is_empty() && left == 0 {
            break;
        }
        files::wait(20);
    }
    for path in mounts(places).iter().rev() {
        let _ = unmount(path, UnmountFlags::DETACH);
    }
    sockets.iter().for_each(|path| {
        let _ = std::fs::remove_file(path);
    });
    let mut failed = groups().iter().find_map(|group| cgroups::remove(group).err());
    for folder in folders {
        if let Err(error) = files::remove_tree(folder) {
            failed.get_or_insert(error);
        }
    }
    let left = left_of(places);
    match (left.first(), failed) {
        (None, _) => Ok(()),
        (Some(_), why) => {
            let why = why.map(|error| format!(" ({error})")).unwrap_or_default();
            Err(Trouble::Machine(format!("could not be cleared away{why}: {}", left.join("; "))))
        }
    }
}

/// What is mounted below the run's folders, outer ones first.
fn mounts(places: &Places) -> Vec<PathBuf> {
    let text = files::text("/proc/self/mountinfo").unwrap_or_default();
    let mut found: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .filter(|path| path.starts_with(&places.state) || path.starts_with(&places.work))
        // A work folder may be a mount of its own: that is not ours.
        .filter(|path| *path != places.work)
        .collect();
    found.sort();
    found
}

/// The sockets of the run's shims, as its task folders name them.
fn shim_sockets(places: &Places) -> Vec<PathBuf> {
    let tasks = places.state.join("state/io.containerd.runtime.v2.task/k8s.io");
    let addresses = files::names(&tasks).into_iter().filter_map(|id| {
        let text = files::text(tasks.join(id).join("address"))?;
        Some(PathBuf::from(text.trim().strip_prefix("unix://")?))
    });
    let mut found: Vec<PathBuf> =
        addresses.filter(|path| path.starts_with(SHIM_SOCKETS) && path.exists()).collect();
    found.sort();
    found.dedup();
    found
}

/// Where containerd 1.6 and 1.7 have a shim listen (`SocketAddress` of runtime/v2/shim).
fn socket_of(shim: &processes::Process) -> Option<PathBuf> {
    let value = |flag: &str| {
        let at = shim.words.iter().position(|word| word == flag)?;
        shim.words.get(at + 1)
    };
    let (of, space, id) = (value("-address")?, value("-namespace")?, value("-id")?);
    let name = images::digest(format!("{of}/{space}/{id}").as_bytes());
    Some(Path::new(SHIM_SOCKETS).join(name.trim_start_matches("sha256:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_called_like_a_run_is_taken_for_one() {
        assert!(is_id("w123-65f0a"));
        for name in ["", "w", "lock", "w-1", "w1-", "wx-1", "web-1", "w1-x", "../w1-a", "w1-a/b"] {
            assert!(!is_id(name), "{name}");
        }
    }
}
