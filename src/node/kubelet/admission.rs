//! Whether a node takes a pod on (kubelet 1.36 `pkg/kubelet/lifecycle/predicate.go`): resources, by the
//! scheduler's own rule, and ports of the host. What the scheduler checks besides is not checked again.

use super::worker::Worker;
use crate::api::pod::{Pod, PodSpec, StatusReason};
use crate::api::resources::Resources;
use crate::api::rules::ports::HostPort;
use crate::base::Id;
use crate::control_plane::scheduler::algorithm::plugins::fit::{Shortage, short_of};

/// What the pods of a node hold of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    amounts: Resources,
    ports: Vec<(HostPort, Id<Worker>)>,
}

impl Held {
    /// Whether a pod fits beside what is held; if not, the reason its status will give.
    pub(super) fn admit(&self, allocatable: &Resources, pod: &Pod) -> Result<(), StatusReason> {
        let spec = &pod.spec;
        let (asked, held, all) = (&spec.requests, &self.amounts, allocatable);
        let (short, _) = short_of(asked, all, held, held.pods, |_| false);
        let disk = (asked.ephemeral_storage, held.ephemeral_storage, all.ephemeral_storage);
        let fixed = [
            (Shortage::PODS, "pods", (1, held.pods, all.pods)),
            (Shortage::CPU, "cpu", (asked.cpu_milli, held.cpu_milli, all.cpu_milli)),
            (Shortage::MEMORY, "memory", (asked.memory, held.memory, all.memory)),
            (Shortage::EPHEMERAL, "ephemeral-storage", disk),
        ];
        let extended = asked.scalar.iter().enumerate().map(|(index, (name, amount))| {
            (Shortage::scalar(index), &**name, (*amount, held.scalar(name), all.scalar(name)))
        });
        let mut short_of_it = fixed.into_iter().chain(extended).filter(|(it, ..)| short.has(*it));
        if let Some((_, what, (asked, held, capacity))) = short_of_it.next() {
            return Err(StatusReason {
                reason: format!("OutOf{what}").into(),
                message: format!(
                    "Pod was rejected: Node didn't have enough resource: {what}, requested: {asked}, \
                     used: {held}, capacity: {capacity}"
                )
                .into(),
            });
        }
        let clash = |port: &HostPort| self.ports.iter().any(|(held, _)| held.clashes(port));
        if spec.host_ports.iter().any(clash) {
            return Err(StatusReason {
                reason: "NodePorts".into(),
                message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free \
                          ports for the requested pod ports"
                    .into(),
            });
        }
        Ok(())
    }

    /// A pod takes its share.
    pub(super) fn take(&mut self, spec: &PodSpec, worker: Id<Worker>) {
        self.amounts.add(&spec.requests);
        self.amounts.pods += 1;
        self.ports.extend(spec.host_ports.iter().map(|port| (*port, worker)));
    }

    /// A pod gives its share back.
    pub(super) fn give_back(&mut self, spec: &PodSpec, worker: Id<Worker>) {
        self.amounts.subtract(&spec.requests);
        self.amounts.pods -= 1;
        if !spec.host_ports.is_empty() {
            self.ports.retain(|(_, holder)| *holder != worker);
        }
    }
}
