//! A containerd of our own: its own root, state, socket and configuration, started and ended by its process id.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::cri::Client;
use super::error::Trouble;
use super::files;
use super::processes::signal;

/// How long it may take to answer, and to end when told to, in steps of 20 ms.
const START_STEPS: u32 = 1500;
const END_STEPS: u32 = 500;
/// The program, as the search path finds it, if no other is named.
pub(super) const CONTAINERD: &str = "containerd";

/// A containerd that runs.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    pub socket: PathBuf,
}

/// Where the parts of one go.
pub(super) struct Places<'a> {
    /// A folder on a disk: images, snapshots, its configuration and log.
    pub work: &'a Path,
    /// A folder with a short name: its socket and state.
    pub state: &'a Path,
}

impl Places<'_> {
    pub fn config(&self) -> PathBuf {
        self.work.join("containerd.toml")
    }

    pub fn log(&self) -> PathBuf {
        self.work.join("containerd.log")
    }
}

/// The configuration: nothing outside the run's folders, the host's network, cgroupfs, and nothing that needs
/// CAP_SYS_RESOURCE.
fn config(places: &Places<'_>, socket: &Path, pause: &str) -> String {
    let (work, state) = (places.work.display(), places.state.display());
    let socket = socket.display();
    format!(
        r#"version = 2
root = "{work}/root"
state = "{state}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{work}/cni/bin"
    conf_dir = "{work}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{state}/runc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{work}/opt"
"#
    )
}

impl Daemon {
    /// Starts one and waits until it answers. It is in a process group of its own, so that a Ctrl-C meant for us
    /// does not reach it.
    ///
    /// # Errors
    /// There is no such program, or it ends at once: then its own words are told.
    pub fn start(program: &Path, places: &Places<'_>, pause: &str) -> Result<Daemon, Trouble> {
        for folder in ["root", "opt", "cni/bin", "cni/conf"] {
            files::make_folder(&places.work.join(folder))?;
        }
        files::make_folder(places.state)?;
        let socket = places.state.join("c.sock");
        files::write(&places.config(), config(places, &socket, pause))?;
        let log = files::create(&places.log())?;
        let errors =
            log.try_clone().map_err(|error| Trouble::machine("containerd's log", error))?;
        let child = command(program, places, log, errors).spawn().map_err(|error| {
            Trouble::CannotHere(format!(
                "{} cannot be started: {error} (Debian: apt-get install containerd runc)",
                program.display()
            ))
        })?;
        let mut daemon = Daemon { child, socket };
        match daemon.answers(places) {
            Ok(()) => Ok(daemon),
            Err(trouble) => {
                daemon.end();
                Err(trouble)
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn answers(&mut self, places: &Places<'_>) -> Result<(), Trouble> {
        let client = Client::connect(&self.socket)?;
        for _ in 0..START_STEPS {
            if let Ok(Some(status)) = self.child.try_wait() {
                let last = last_words(&places.log());
                return Err(Trouble::Machine(format!("containerd ended ({status}): {last}")));
            }
            if self.socket.exists() && client.version().is_ok() {
                return Ok(());
            }
            files::wait(20);
        }
        let last = last_words(&places.log());
        Err(Trouble::Machine(format!("containerd does not answer: {last}")))
    }

    /// How it ended, if it did, by itself.
    pub fn has_ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("containerd ended in the middle ({status})"))
    }

    /// Tells it to end, and kills it if it does not.
    pub fn end(&mut self) {
        let id = i32::try_from(self.child.id()).unwrap_or_default();
        signal(id, Signal::TERM);
        for _ in 0..END_STEPS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            files::wait(20);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &Path, places: &Places<'_>, out: File, errors: File) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(places.config()).arg("--log-level").arg("warn");
    command.stdin(Stdio::null()).stdout(out).stderr(errors).process_group(0);
    command
}

/// What it last said, for an error.
fn last_words(log: &Path) -> String {
    let text = files::text(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    match lines[..] {
        [] => "it says nothing".to_owned(),
        _ => lines.into_iter().rev().collect::<Vec<_>>().join("; "),
    }
}
