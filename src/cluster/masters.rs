//! The machines of the control plane: what runs on one goes down and comes up with it.

use super::World;
use super::nodes::Power;
use super::plan::Instance;
use super::processes::{ProcessId, Readiness};
use super::requests::Sink;
use crate::net::Place;

impl World {
    /// Whether the machine at `place` runs; one that is no node of the cluster always does.
    pub(super) fn is_machine_on(&self, place: Place) -> bool {
        let mut rows = self.nodes.indexes().map(|at| self.nodes.row(at));
        !rows.any(|row| row.place == place && row.power == Power::Off)
    }

    /// The machine at `place` crashed, with every instance of the control plane on it.
    pub(super) fn machine_off(&mut self, place: Place) {
        self.etcd.stop(place);
        self.servers.iter_mut().filter(|server| server.place == place).for_each(|it| it.stop());
        for id in self.processes_at(place) {
            self.kill(id);
        }
    }

    /// The machine at `place` is back: its kubelet starts what stands in its manifests.
    pub(super) fn machine_on(&mut self, cause: u64, place: Place, sink: Sink<'_>) {
        self.etcd.start(place);
        for number in 0..self.servers.len() {
            let is_free = !self.is_stopped(Instance::ApiServer(number as u16));
            if is_free && self.servers[number].place == place {
                self.servers[number].start();
            }
        }
        for id in self.processes_at(place) {
            let instance = match id {
                ProcessId::Scheduler(at) => Instance::Scheduler(at.into()),
                ProcessId::Manager(at) => Instance::ControllerManager(at.into()),
            };
            if self.is_stopped(instance) {
                continue;
            }
            self.start(cause, id, Readiness::AfterSync, sink);
        }
    }

    /// A process that was killed is started again, unless its machine is down: then it comes up with
    /// the machine.
    pub(super) fn revive(&mut self, cause: u64, id: ProcessId, sink: Sink<'_>) {
        if self.is_machine_on(self.process(id).place) {
            self.start(cause, id, Readiness::AfterSync, sink);
        }
    }

    fn processes_at(&self, place: Place) -> Vec<ProcessId> {
        self.processes().into_iter().filter(|&id| self.process(id).place == place).collect()
    }
}
