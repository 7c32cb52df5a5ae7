//! Whether a node takes a pod on (kubelet 1.36 `pkg/kubelet/lifecycle/predicate.go`): resources and ports of
//! the host. What the scheduler checks besides is not checked again.

use super::worker::Worker;
use crate::api::pod::{Pod, PodSpec, StatusReason};
use crate::api::resources::Resources;
use crate::api::rules::ports::HostPort;
use crate::base::Id;

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
        let held = &self.amounts;
        let asked = &spec.requests;
        let short = |what: &str, asked: i64, held: i64, capacity: i64| StatusReason {
            reason: format!("OutOf{what}").into(),
            message: format!(
                "Pod was rejected: Node didn't have enough resource: {what}, requested: {asked}, \
                 used: {held}, capacity: {capacity}"
            )
            .into(),
        };
        let amounts = [
            ("pods", 1, held.pods, allocatable.pods),
            ("cpu", asked.cpu_milli, held.cpu_milli, allocatable.cpu_milli),
            ("memory", asked.memory, held.memory, allocatable.memory),
            (
                "ephemeral-storage",
                asked.ephemeral_storage,
                held.ephemeral_storage,
                allocatable.ephemeral_storage,
            ),
        ];
        for (what, asked, held, capacity) in amounts {
            if asked > 0 && asked > capacity - held {
                return Err(short(what, asked, held, capacity));
            }
        }
        for (name, amount) in &asked.scalar {
            let (held, capacity) = (held.scalar(name), allocatable.scalar(name));
            if *amount > 0 && *amount > capacity - held {
                return Err(short(name, *amount, held, capacity));
            }
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
