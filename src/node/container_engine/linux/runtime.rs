//! One run's runtime: started whole, ended whole, whatever comes between.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::cri::{Client, SandboxSpec};
use super::daemon::{self, Daemon};
use super::error::{CriKind, Trouble};
use super::files;
use super::images::{Built, Recipe, build};
use super::preflight::{self, Found};
use super::registry::Registry;
use super::sweep::{self, Places};

/// The label of every sandbox of ours; its value is the run's id.
pub const RUN_LABEL: &str = "wavetank.dev/run";
/// The program of sandboxes.
const PAUSE: &str = "wavetank/pause:1";

/// What a runtime is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// A folder on a disk for images and snapshots: each run has one of its own in it.
    pub work: PathBuf,
    /// The containerd program; found as the shell finds programs.
    pub containerd: PathBuf,
    /// The socket of a CRI v1 runtime that runs already, in place of a containerd of our own. It must pull from
    /// loopback addresses by plain HTTP, and take cgroupfs paths as parents of groups.
    pub socket: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            work: PathBuf::from("/var/lib/wavetank"),
            containerd: PathBuf::from(daemon::CONTAINERD),
            socket: None,
        }
    }
}

/// The folders of a run, locked while its process lives; cleared when it is dropped.
#[derive(Debug)]
struct Run {
    places: Places,
    settings: Settings,
    _lock: File,
    is_cleared: bool,
}

impl Run {
    fn begin(settings: &Settings) -> Result<Run, Trouble> {
        let all = sweep::lock_all()?;
        sweep::sweep_locked(&all, settings)?;
        sweep::note_made(&all)?;
        let stamp = files::unix_nanos();
        let id = format!("w{}-{stamp:x}", std::process::id());
        let state = Path::new(sweep::STATES).join(&id);
        files::make_folder(&state)?;
        let lock = sweep::lock(&state)
            .ok_or_else(|| Trouble::Machine(format!("{} is locked", state.display())))?;
        // Its own lock keeps it from being swept; and what fails from here on clears, which takes the other.
        drop(all);
        let work = settings.work.join(&id);
        files::write(&state.join("run.json"), json!({"work": work}).to_string())?;
        let places = Places { id, work, state };
        let settings = settings.clone();
        let run = Run { places, settings, _lock: lock, is_cleared: false };
        files::make_folder(&run.places.blobs())?;
        files::make_folder(&run.places.logs())?;
        Ok(run)
    }

    fn clear(&mut self) -> Result<(), Trouble> {
        self.is_cleared = true;
        sweep::end(&self.places, &self.settings)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_cleared {
            // The next start finds what could not be cleared, and says so.
            let _ = self.clear();
        }
    }
}

/// A container runtime for one run of ours: containerd (unless another was named), and a registry.
///
/// Dropped, also in a panic, it takes everything of it away; [`LinuxRuntime::end`] does the same and says what
/// went wrong.
#[derive(Debug)]
pub struct LinuxRuntime {
    client: Client,
    registry: Registry,
    /// Images made so far.
    images: AtomicU32,
    places: Places,
    /// What is to be ended; nothing, once it is.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    /// None if the runtime is somebody else's.
    daemon: Option<Daemon>,
    run: Run,
}

impl LinuxRuntime {
    /// Sweeps what dead runs left, then starts a runtime and waits until it answers.
    ///
    /// # Errors
    /// [`Trouble::CannotHere`] where this machine cannot, with what to do about it, before anything is started;
    /// [`Trouble::Machine`] where it fails: then all of it is cleared away.
    pub fn start(settings: &Settings) -> Result<LinuxRuntime, Trouble> {
        let missing: Vec<String> = preflight::preflight(settings)
            .into_iter()
            .filter_map(|check| match check.found {
                Found::Missing { what, fix } => Some(format!("{}: {what}: {fix}", check.name)),
                Found::Fine(_) | Found::Weak { .. } => None,
            })
            .collect();
        if !missing.is_empty() {
            return Err(Trouble::CannotHere(missing.join("\n")));
        }
        let run = Run::begin(settings)?;
        let registry = Registry::start()?;
        let shelf = run.places.blobs().join("pause");
        files::make_folder(&shelf)?;
        let pause = build(&Recipe::program(PAUSE, &["pause"]), &shelf)?;
        let pause = registry.offer(PAUSE, &pause);
        let (daemon, socket) = match &settings.socket {
            Some(socket) => (None, socket.clone()),
            None => {
                let work = run.places.work.as_path();
                let places = daemon::Places { work, state: &run.places.state };
                let daemon = Daemon::start(&settings.containerd, &places, &pause)?;
                let socket = daemon.socket.clone();
                (Some(daemon), socket)
            }
        };
        let client = Client::connect(&socket)?;
        let has_own = daemon.is_some();
        let places = run.places.clone();
        let held = Mutex::new(Some(Held { daemon, run }));
        let images = AtomicU32::new(0);
        let runtime = LinuxRuntime { client, registry, images, places, held };
        let version = runtime.client.version();
        version.map_err(|error| match error.kind {
            CriKind::Unimplemented | CriKind::Unavailable => Trouble::CannotHere(error.to_string()),
            _ => Trouble::Cri(error),
        })?;
        if has_own {
            runtime.client.pull_image(&pause)?;
        }
        Ok(runtime)
    }

    /// The client: everything a CRI runtime can be asked.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.places.id
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The containerd's process id, if it is our own.
    pub fn daemon_id(&self) -> Option<u32> {
        self.held().as_ref()?.daemon.as_ref().map(Daemon::id)
    }

    /// Why it can do nothing more: its containerd has ended.
    pub fn trouble(&self) -> Option<String> {
        self.held().as_mut()?.daemon.as_mut()?.has_ended()
    }

    /// The folder of containers' logs: `<folder>/<sandbox's name>/<container's name>_<attempt>.log`, the
    /// first line written when the program begins.
    pub fn logs(&self) -> PathBuf {
        self.places.logs()
    }

    /// Makes an image and serves it; gives the name it is pulled by.
    ///
    /// # Errors
    /// The work folder cannot be written.
    pub fn offer(&self, recipe: &Recipe) -> Result<String, Trouble> {
        let blobs = self.shelf()?;
        let image = build(recipe, &blobs)?;
        Ok(self.registry.offer(&recipe.name, &image))
    }

    /// Reads an OCI archive of the user's and serves its images; gives them with the names they are pulled by.
    ///
    /// # Errors
    /// As [`super::read_archive`].
    pub fn offer_archive(&self, path: &Path) -> Result<Vec<(Built, Vec<String>)>, Trouble> {
        let blobs = self.shelf()?;
        let images = super::archive::read_archive(path, &blobs)?;
        let registry = &self.registry;
        let offered = |image: Built| {
            let names = image.names.iter().map(|name| registry.offer(name, &image)).collect();
            (image, names)
        };
        Ok(images.into_iter().map(offered).collect())
    }

    /// A new folder for the blobs of images.
    fn shelf(&self) -> Result<PathBuf, Trouble> {
        let number = self.images.fetch_add(1, Ordering::Relaxed);
        let folder = self.places.blobs().join(format!("image-{number}"));
        files::make_folder(&folder)?;
        Ok(folder)
    }

    /// The name an image would be pulled by, whether it is offered or not.
    pub fn reference(&self, name: &str) -> String {
        self.registry.reference(name)
    }

    /// A sandbox of this run: labelled as ours, below our group, with a folder for its logs. Names differ from
    /// sandbox to sandbox.
    pub fn sandbox(&self, name: &str) -> SandboxSpec {
        SandboxSpec {
            name: name.to_owned(),
            namespace: self.id().to_owned(),
            uid: name.to_owned(),
            attempt: 0,
            labels: vec![(RUN_LABEL.to_owned(), self.id().to_owned())],
            cgroup_parent: format!("{}/{name}", self.places.group()),
            logs: self.logs().join(name).display().to_string(),
        }
    }

    /// Stops and removes every sandbox of the run; containerd and images stay.
    ///
    /// # Errors
    /// The first call that failed; the others are made all the same.
    pub fn clear_sandboxes(&self) -> Result<(), Trouble> {
        let mut failed = None;
        for sandbox in self.client.list_pod_sandboxes((RUN_LABEL, self.id()))?.value {
            for done in [
                self.client.stop_pod_sandbox(&sandbox.id),
                self.client.remove_pod_sandbox(&sandbox.id),
            ] {
                failed = failed.or(done.err());
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What of this run is on the machine; empty after [`LinuxRuntime::end`].
    pub fn left(&self) -> Vec<String> {
        sweep::left_of(&self.places)
    }

    /// Ends it: sandboxes, images, containerd, and everything else of this run. Calls under way fail. Ended already,
    /// nothing happens.
    ///
    /// # Errors
    /// What could not be taken away.
    pub fn end(&self) -> Result<(), Trouble> {
        let Some(Held { daemon, mut run }) = self.held().take() else { return Ok(()) };
        // A containerd that died cannot be asked any more: the clearing does without it.
        let cleared = self.clear_sandboxes();
        match daemon {
            Some(mut daemon) => {
                daemon.end();
                run.clear()
            }
            None => {
                self.remove_images();
                run.clear()?;
                cleared
            }
        }
    }

    /// Images of ours go from a runtime that is not ours.
    fn remove_images(&self) {
        let host = format!("127.0.0.1:{}/", self.registry.port());
        let Ok(images) = self.client.list_images() else { return };
        for image in images.value {
            if image.names.iter().any(|name| name.starts_with(&host)) {
                let _ = self.client.remove_image(&image.id);
            }
        }
    }
}

impl Drop for LinuxRuntime {
    fn drop(&mut self) {
        // Nobody is there to be told; the next start sweeps what is left.
        let _ = self.end();
    }
}
