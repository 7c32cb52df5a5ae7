//! The engine itself: a kubelet's calls carried out by a CRI runtime, side by side.
//!
//! Each call is taken on by a thread of its own, and what comes of it is told once, with ends of containers in
//! between: the end of a stopped container before the answer to its stop. Containers that end by themselves are
//! found by looking at all of them each [`LOOK_MILLIS`] ms; the instant of an end is the runtime's own stamp.
//!
//! Image names are those of manifests. One that an archive of the user's brought stands for its image; any other
//! stands for an image of our own program, which does what the scenario's `apps` say of the container. Pods are
//! in the host's network, each with an address of its own out of 127.0.0.0/8: our program listens there, a user's
//! program must look at `WAVETANK_ADDRESS`, or keep its ports apart itself.
mod clock;
mod probing;
mod script;
mod table;
mod work;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

pub use clock::Clock;

use self::table::Table;
use super::error::Trouble;
use super::images::Recipe;
use super::runtime::{LinuxRuntime, RUN_LABEL};
use crate::luck::Luck;
use crate::messages::engine::{EngineAsk, EngineCall, EngineEvent, ListedPod};
use crate::node::NodeIndex;
use crate::node::container_engine::{ContainerEngine, EngineReport};
use crate::time::{SimDuration, SimTime};

/// How often containers are looked at for those that ended.
pub const LOOK_MILLIS: u64 = 10;

/// What the threads of an engine share.
struct Shared {
    runtime: Arc<LinuxRuntime>,
    clock: Clock,
    luck: Luck,
    /// Images of the user's own, by name as [`whole_name`] has it.
    own_images: BTreeSet<String>,
    /// Images of our program that are offered already.
    offered: Mutex<BTreeSet<String>>,
    /// Images are fetched one at a time, as kubelets do (`serializeImagePulls`).
    pulling: Mutex<()>,
    table: Mutex<Table>,
    out: mpsc::Sender<EngineReport>,
    /// Pods' addresses given out so far.
    addresses: AtomicU32,
    /// Sandboxes made so far: each has a name of its own, whatever its pod was before.
    sandboxes: AtomicU32,
    is_over: AtomicBool,
}

/// A container engine of real processes, for the nodes of one run.
pub struct LinuxEngine {
    shared: Arc<Shared>,
    told: mpsc::Receiver<EngineReport>,
    looker: Option<JoinHandle<()>>,
}

/// An image's name with what is left out filled in, but for the registry.
pub(super) fn whole_name(name: &str) -> String {
    let name = name.trim_start_matches("docker.io/").trim_start_matches("library/");
    let last = name.rsplit('/').next().unwrap_or_default();
    let is_whole = last.contains(':') || last.contains('@');
    if is_whole { name.to_owned() } else { format!("{name}:latest") }
}

impl LinuxEngine {
    /// An engine on a runtime, by this clock. `own_images` are names that archives brought; `luck` is the run's, so
    /// that programs behave as they would in virtual time.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(
        runtime: Arc<LinuxRuntime>,
        own_images: &[String],
        clock: Clock,
        luck: Luck,
    ) -> Result<LinuxEngine, Trouble> {
        let (out, told) = mpsc::channel();
        let shared = Arc::new(Shared {
            runtime,
            clock,
            luck,
            own_images: own_images.iter().map(|name| whole_name(name)).collect(),
            offered: Mutex::default(),
            pulling: Mutex::default(),
            table: Mutex::default(),
            out,
            addresses: AtomicU32::new(0),
            sandboxes: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
        });
        let looking = shared.clone();
        let looker = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || work::look(&looking))
            .map_err(|error| Trouble::machine("the engine cannot be started", error))?;
        Ok(LinuxEngine { shared, told, looker: Some(looker) })
    }

    /// Takes a call on; what comes of it is told by [`LinuxEngine::wait`].
    pub fn submit(&self, node: NodeIndex, call: EngineCall) {
        let shared = self.shared.clone();
        let op = call.op;
        // In the order they are asked: of several stops only the last is answered.
        let turn = match call.ask {
            EngineAsk::StopContainer(container, _) => shared.table().next_stop(container),
            _ => 0,
        };
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let work = move || work::carry_out(&shared, node, call, turn);
        if let Err(error) = thread.spawn(work) {
            let failed = crate::messages::engine::EngineError::Unknown(error.to_string().into());
            self.shared.tell(node, EngineEvent::Done(op, Err(failed)));
        }
    }

    /// Waits until something is told, at most so long; gives the first thing told.
    pub fn wait(&self, at_most: SimDuration) -> Option<EngineReport> {
        self.told.recv_timeout(Duration::from_nanos(at_most.as_nanos())).ok()
    }

    /// The instant by its clock.
    pub fn now(&self) -> SimTime {
        self.shared.clock.now()
    }

    /// Pods and containers of a node.
    pub fn list(&self, node: NodeIndex) -> Vec<ListedPod> {
        self.shared.table().list(node)
    }

    /// Why it can do nothing more, if so.
    pub fn runtime_trouble(&self) -> Option<String> {
        self.shared.runtime.trouble()
    }

    /// Serves our program under a name, as any container's image that no archive brought is.
    ///
    /// # Errors
    /// The work folder cannot be written.
    pub fn offer(&self, image: &str) -> Result<(), Trouble> {
        self.shared.offer(image)
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the kubelet. Whoever listens may have gone.
    fn tell(&self, node: NodeIndex, event: EngineEvent) {
        let _ = self.out.send(EngineReport { node, cause: 0, event });
    }

    fn is_own_image(&self, name: &str) -> bool {
        self.own_images.contains(&whole_name(name))
    }

    fn offer(&self, name: &str) -> Result<(), Trouble> {
        if self.is_own_image(name) {
            return Ok(());
        }
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        if offered.insert(name.to_owned()) {
            self.runtime.offer(&Recipe::program(name, &[]))?;
        }
        Ok(())
    }

    fn next_address(&self) -> Ipv4Addr {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed) % ((1 << 16) - 2) + 1;
        // Runs of other processes are elsewhere, most likely.
        let second = 64 + (std::process::id() % 128) as u8;
        Ipv4Addr::new(127, second, (number >> 8) as u8, number as u8)
    }

    fn label(&self) -> (&'static str, &str) {
        (RUN_LABEL, self.runtime.id())
    }
}

impl ContainerEngine for LinuxEngine {
    type Outside<'a> = ();

    fn submit(&mut self, node: NodeIndex, call: EngineCall, (): ()) {
        LinuxEngine::submit(self, node, call);
    }
}

impl Drop for LinuxEngine {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(looker) = self.looker.take() {
            let _ = looker.join();
        }
        // Calls under way end with it; what they still make goes with the runtime.
        let _ = self.shared.runtime.clear_sandboxes();
    }
}

#[cfg(test)]
mod tests;
