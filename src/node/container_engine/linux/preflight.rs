//! What a runtime needs of this machine: there, weak or missing, each with what to do about it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::statvfs;

use super::files;
use super::machine::CgroupMode;
use super::registry::Registry;
use super::runtime::Settings;
use super::sweep;

/// Less free disk than this is too little for images and snapshots; less than that is weak.
const DISK_MIN: u64 = 256 << 20;
const DISK_GOOD: u64 = 2 << 30;
/// Capabilities (linux/capability.h).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_RESOURCE: u32 = 24;

/// Something looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub found: Found,
}

/// How something is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is there.
    Fine(String),
    /// It works, but not as well as it might.
    Weak {
        /// What is weak.
        what: String,
        /// What to do about it.
        fix: String,
    },
    /// Without it nothing works.
    Missing {
        /// What is missing.
        what: String,
        /// What to do about it.
        fix: String,
    },
}

fn missing(what: impl Into<String>, fix: impl Into<String>) -> Found {
    Found::Missing { what: what.into(), fix: fix.into() }
}

/// Looks at everything; starts nothing but the programs' `--version`.
pub fn preflight(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![
        Check { name: "root", found: root() },
        Check { name: "capabilities", found: capabilities() },
        Check { name: "cgroups", found: groups() },
    ];
    match &settings.socket {
        Some(socket) => checks.push(Check { name: "socket", found: socket_there(socket) }),
        None => {
            let containerd = program(&settings.containerd, "containerd");
            checks.push(Check { name: "containerd", found: containerd });
            checks.push(Check { name: "runc", found: program(Path::new("runc"), "runc") });
            checks.push(Check { name: "disk", found: disk(&settings.work) });
        }
    }
    checks.push(Check { name: "port", found: port() });
    checks.push(Check { name: "leftovers", found: left(settings) });
    checks
}

fn root() -> Found {
    if rustix::process::geteuid().is_root() {
        return Found::Fine("root".to_owned());
    }
    missing("not root", "run it with sudo: namespaces, mounts and control groups need root")
}

fn capabilities() -> Found {
    let status = files::text("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: u32| held >> bit & 1 == 1;
    if !has(CAP_SYS_ADMIN) {
        let fix = "run it with sudo, or the container it is in with --privileged";
        return missing("no CAP_SYS_ADMIN", fix);
    }
    if !has(CAP_SYS_RESOURCE) {
        return Found::Fine(
            "CAP_SYS_ADMIN; no CAP_SYS_RESOURCE: sandboxes keep the OOM score they get".to_owned(),
        );
    }
    Found::Fine("CAP_SYS_ADMIN, CAP_SYS_RESOURCE".to_owned())
}

fn groups() -> Found {
    let mode = CgroupMode::read();
    match mode {
        CgroupMode::None => missing(
            "no control groups are mounted",
            "mount -t cgroup2 none /sys/fs/cgroup, or run the container it is in with --privileged",
        ),
        CgroupMode::V2 => Found::Weak {
            what: "version 2".to_owned(),
            fix: "expected to work, tried on version 1 and hybrid machines only".to_owned(),
        },
        CgroupMode::V1 | CgroupMode::Hybrid => Found::Fine(mode.name().to_owned()),
    }
}

/// Where the shell would find a program; Debian keeps runc where only root looks.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.exists().then(|| program.to_owned());
    }
    #[expect(clippy::disallowed_methods, reason = "a program is looked for as the shell does")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The first line of what a program says of its version; empty if it does not say.
pub(super) fn version(program: &Path) -> String {
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().trim().to_owned()
}

fn program(program: &Path, package: &str) -> Found {
    match found(program) {
        Some(path) => match version(&path) {
            text if text.is_empty() => {
                missing(format!("{} does not run", path.display()), format!("reinstall {package}"))
            }
            text => Found::Fine(format!("{} ({text})", path.display())),
        },
        None => missing(
            format!("no program {}", program.display()),
            format!("apt-get install --no-install-recommends {package}, or your system's way"),
        ),
    }
}

fn socket_there(socket: &Path) -> Found {
    if socket.exists() {
        return Found::Fine(socket.display().to_string());
    }
    let fix = "start the runtime, or name its socket; without --socket a containerd is started";
    missing(format!("nothing at {}", socket.display()), fix)
}

fn port() -> Found {
    match Registry::start() {
        Ok(_) => Found::Fine("127.0.0.1 has free ports".to_owned()),
        Err(trouble) => {
            missing(trouble.to_string(), "bring the loopback interface up: ip link set lo up")
        }
    }
}

/// The nearest folder that is there already.
fn there(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn disk(work: &Path) -> Found {
    let fix = "free some, or name another folder with --work";
    let free = match statvfs(there(work)) {
        Ok(told) => told.f_bavail.saturating_mul(told.f_frsize),
        Err(error) => return missing(format!("{}: {error}", work.display()), fix),
    };
    let what = format!("{} MiB free for {}", free >> 20, work.display());
    match free {
        _ if free < DISK_MIN => missing(what, fix),
        _ if free < DISK_GOOD => Found::Weak { what, fix: fix.to_owned() },
        _ => Found::Fine(what),
    }
}

fn left(settings: &Settings) -> Found {
    match sweep::leftovers(settings).len() {
        0 => Found::Fine("none of earlier runs".to_owned()),
        count => Found::Weak {
            what: format!("{count} things of runs that were killed"),
            fix: "the next run takes them away".to_owned(),
        },
    }
}
