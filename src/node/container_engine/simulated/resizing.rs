//! Containers that get more or less while they run.

use std::sync::Arc;

use super::{Bench, ProgramState, SimulatedEngines, container_of};
use crate::api::pod::{PodSpec, Share};
use crate::base::Id;
use crate::messages::engine::{ContainerRef, EngineAnswer, EngineError, Exit, ListedState};

impl SimulatedEngines {
    /// `UpdateContainerResources`: no less memory than the program holds (kubelet 1.36
    /// `validateMemoryResizeAction`); when it will be too much is worked out anew.
    pub(super) fn update(
        &mut self,
        container: ContainerRef,
        spec: &PodSpec,
        bench: &mut Bench<'_>,
    ) -> Result<EngineAnswer, EngineError> {
        let id = self.ready_sandbox(container)?;
        let Some(new) = container_of(spec, container.index) else {
            return Err(super::operations::not_found(container));
        };
        let share = new.share();
        let now = bench.fx.now();
        let sandbox = &self.sandboxes[id];
        let running = sandbox.containers.iter().position(|one| {
            one.index == container.index && matches!(one.state, ListedState::Running(_))
        });
        let limit = u64::try_from(share.limits.memory).unwrap_or(0);
        if let Some(held) = running.and_then(|_| self.memory_of(id, container.index, now))
            && limit > 0
            && held > limit
        {
            return Err(EngineError::Unknown(
                format!("attempting to set memory limit ({limit}) below current usage ({held})")
                    .into(),
            ));
        }
        let before = self.cpu_most_of(id, container.index);
        self.give(id, container.index, share);
        if running.is_some() {
            let (at, after) = (self.sandboxes[id].node, self.cpu_most_of(id, container.index));
            self.count_cpu(at, (before, false), now);
            self.count_cpu(at, (after, true), now);
        }
        let cause = bench.fx.cause();
        self.tell_program(id, container.index, ProgramState::Resized, cause);
        if let Some(at) = running {
            self.plan_anew(id, at, bench);
            self.usage_changed(id, container.index, 0, bench);
        }
        Ok(EngineAnswer::Ok)
    }

    fn give(&mut self, id: Id<super::Sandbox>, index: u16, share: Share) {
        let spec = Arc::make_mut(&mut self.sandboxes[id].config.spec);
        let mut all = spec.init_containers.iter_mut().chain(&mut spec.containers);
        if let Some(held) = all.nth(index.into()) {
            (held.requests, held.limits) = (share.requests, share.limits);
        }
    }

    /// A program that runs on ends at its own time, or when it holds more than it may now.
    fn plan_anew(&mut self, id: Id<super::Sandbox>, at: usize, bench: &mut Bench<'_>) {
        let sandbox = &self.sandboxes[id];
        let program = &sandbox.containers[at];
        let ListedState::Running(started) = program.state else { return };
        if program.stop.is_some() {
            return;
        }
        let (pod, index, attempt) = (sandbox.config.pod, program.index, program.attempt);
        let end: Exit = self.end_of(sandbox, ContainerRef { pod, index, attempt }, started);
        self.plan_end(id, at, end, bench);
    }
}
