//! The machines of the control plane: what runs on one goes down and comes up with it.

use super::World;
use super::clients::after;
use super::event::Event;
use super::nodes::Power;
use super::plan::Instance;
use super::processes::{ProcessId, Readiness};
use super::requests::Sink;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::{Name, Text};
use crate::base::hash::StableHasher;
use crate::kernel::NO_CAUSE;
use crate::luck::Label;
use crate::messages::{Component, Fact, Verb};
use crate::net::Place;

const START: Label = Label::new("api-server-start");

impl World {
    /// Whether the machine at `place` runs; one that is no node of the cluster always does.
    pub(super) fn is_machine_on(&self, place: Place) -> bool {
        let mut rows = self.nodes.indexes().map(|at| self.nodes.row(at));
        !rows.any(|row| row.place == place && row.power == Power::Off)
    }

    /// The machine at `place` crashed, with every instance of the control plane on it.
    pub(super) fn machine_off(&mut self, place: Place) {
        self.etcd.stop(place);
        self.etcd_changed(NO_CAUSE);
        self.servers.iter_mut().filter(|server| server.place == place).for_each(|it| it.stop());
        for id in self.processes_at(place) {
            self.kill(id);
        }
    }

    /// The machine at `place` is back: its kubelet starts what stands in its manifests.
    pub(super) fn machine_on(&mut self, cause: u64, place: Place, sink: Sink<'_>) {
        self.etcd.start(place);
        self.etcd_changed(cause);
        for number in 0..self.servers.len() {
            let is_free = !self.is_stopped(Instance::ApiServer(number as u16));
            if is_free && self.servers[number].place == place {
                self.start_server(cause, number);
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

    /// An API server starts, unless it runs: it answers some time later.
    pub(super) fn start_server(&mut self, cause: u64, number: usize) {
        let server = &mut self.servers[number];
        if !server.is_down() {
            return;
        }
        let life = server.life + 1;
        let draw = self.luck.draw(START, server_key(number as u8), u64::from(life));
        let at = after(self.kernel.now(), self.profile.api_server_start.sample(draw));
        server.start(at);
        self.kernel.schedule(at, cause, Event::Serves(number as u8, life));
    }

    /// An API server answers from now on.
    pub(super) fn serves(&mut self, cause: u64, number: u8, life: u32, sink: Sink<'_>) {
        let now = self.kernel.now();
        if !self.servers[usize::from(number)].serve(life, now) {
            return;
        }
        if !self.etcd.has_member() {
            self.servers[usize::from(number)].unlink(now);
        }
        let name = Name::new(Instance::ApiServer(number.into()).to_string());
        let object = ObjectName { kind: Kind::Other, namespace: Text::default(), name };
        let fact = Fact::new(Component::ApiServer, Verb::Ready, object).saying("it answers");
        let cause = self.kernel.record(cause, &fact, sink);
        self.paths_changed(cause, sink);
    }

    /// A member of etcd came or went: with the last one the connections of API servers go, and they come
    /// back as these dial again.
    pub(super) fn etcd_changed(&mut self, cause: u64) {
        let (now, luck, is_there) = (self.kernel.now(), self.luck, self.etcd.has_member());
        for (number, server) in (0u8..).zip(&mut self.servers) {
            if !is_there {
                server.unlink(now);
            } else if let Some(at) = server.dials(now, luck, server_key(number)) {
                self.kernel.schedule(at, cause, Event::Dials(number));
            }
        }
    }

    /// An API server dials etcd, which was back a moment ago.
    pub(super) fn dials_etcd(&mut self, cause: u64, number: u8, sink: Sink<'_>) {
        let server = &mut self.servers[usize::from(number)];
        if self.etcd.has_member() && !server.is_linked() {
            server.link();
            self.paths_changed(cause, sink);
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

fn server_key(number: u8) -> u64 {
    StableHasher::new().text("kube-apiserver").word(u64::from(number)).finish()
}
