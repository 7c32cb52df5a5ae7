//! Programs as those who call them see them: whether one runs, stops, or is gone.

use super::{Sandbox, SimulatedEngines, container_of};
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::base::Id;
use crate::messages::engine::{ContainerRef, ListedState};
use crate::time::SimTime;

/// What a program does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramState {
    /// It does not run.
    Down,
    /// It runs.
    Running {
        /// Since when.
        since: SimTime,
        /// From when on it hangs.
        hangs: SimTime,
    },
    /// It may take something else now; otherwise it does what it did.
    Resized,
    /// It was told to stop.
    Stopping,
}

/// The state of a program changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramNews {
    /// The pod.
    pub pod: Id<Pod>,
    /// The container, init containers counted first.
    pub index: u16,
    /// What it does now.
    pub state: ProgramState,
    /// The latest fact upstream.
    pub cause: u64,
}

impl SimulatedEngines {
    /// From now on changes of programs are noted, for [`SimulatedEngines::take_news`].
    pub fn note_news(&mut self) {
        self.news.get_or_insert_default();
    }

    /// What changed since the last call; nothing, if it is not noted.
    pub fn take_news(&mut self) -> Vec<ProgramNews> {
        self.news.as_mut().map_or_else(Vec::new, std::mem::take)
    }

    /// What the program of a pod's container does.
    pub fn program_state(&self, pod: Id<Pod>, index: u16) -> ProgramState {
        let sandbox = self.sandbox_of(pod).map(|id| &self.sandboxes[id]);
        let found = sandbox.and_then(|sandbox| {
            let program = sandbox.containers.iter().find(|one| one.index == index)?;
            let ListedState::Running(started) = program.state else { return None };
            let container = ContainerRef { pod, index, attempt: program.attempt };
            Some(match program.stop {
                Some(_) => ProgramState::Stopping,
                None => {
                    let hangs = self.hangs(sandbox, container, started);
                    ProgramState::Running { since: started, hangs }
                }
            })
        });
        found.unwrap_or(ProgramState::Down)
    }

    /// What a pod's container may take at most, as it stands.
    pub fn limits_of(&self, pod: Id<Pod>, index: u16) -> Option<&Resources> {
        let sandbox = &self.sandboxes[self.sandbox_of(pod)?];
        container_of(&sandbox.config.spec, index).map(|one| &one.limits)
    }

    pub(super) fn tell_program(
        &mut self,
        sandbox: Id<Sandbox>,
        index: u16,
        state: ProgramState,
        cause: u64,
    ) {
        let pod = self.sandboxes[sandbox].config.pod;
        if let Some(news) = &mut self.news {
            news.push(ProgramNews { pod, index, state, cause });
        }
    }
}
