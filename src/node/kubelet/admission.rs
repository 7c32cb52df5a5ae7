//! Whether a node takes a pod on (kubelet 1.36 `pkg/kubelet/lifecycle/predicate.go`): resources, by the
//! scheduler's own rule, the node's labels, ports of the host, and taints that let nothing run. What the scheduler
//! checks besides is not checked again. A resource the node does not have at all is nobody's concern here.

use super::preemption::Missing;
use super::worker::Worker;
use crate::api::meta::Labels;
use crate::api::pod::{Pod, PodSpec, StatusReason};
use crate::api::resources::Resources;
use crate::api::rules::ports::HostPort;
use crate::api::rules::taints::{Effect, Taint, first_untolerated};
use crate::base::Id;
use crate::control_plane::scheduler::algorithm::plugins::fit::{Shortage, short_of};

/// What is asked for, held and there of something.
type Amounts = (i64, i64, i64);

/// The node as its kubelet sees it.
pub(super) struct Seen<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// Its taints.
    pub taints: &'a [Taint],
}

/// A predicate that rejects a pod.
fn failed(predicate: &str, why: &str) -> StatusReason {
    let message = format!("Pod was rejected: Predicate {predicate} failed: {why}");
    StatusReason { reason: predicate.into(), message: message.into() }
}

/// A node that goes down takes nothing on.
pub(super) fn going_down() -> StatusReason {
    let what = "Pod was rejected: Pod was rejected as the node is shutting down.";
    StatusReason { reason: "NodeShutdown".into(), message: what.into() }
}

/// What the pods of a node hold of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    amounts: Resources,
    ports: Vec<(HostPort, Id<Worker>)>,
}

impl Held {
    /// Whether a pod fits beside what is held; if not, the reason its status will give.
    pub(super) fn admit(
        &self,
        allocatable: &Resources,
        seen: &Seen<'_>,
        pod: &Pod,
    ) -> Result<(), StatusReason> {
        let spec = &pod.spec;
        if let Some((what, message)) = self.short_of(allocatable, spec) {
            return Err(StatusReason {
                reason: format!("OutOf{what}").into(),
                message: format!("Pod was rejected: {message}").into(),
            });
        }
        self.admit_beside_resources(seen, pod)
    }

    /// What a pod of this size lacks, and how much of it.
    pub(super) fn missing(&self, allocatable: &Resources, spec: &PodSpec) -> Vec<Missing> {
        let short = self.all_short_of(allocatable, spec).into_iter();
        let of = |(what, (asked, held, capacity)): (String, Amounts)| Missing {
            resource: what.into(),
            amount: asked.saturating_sub(capacity.saturating_sub(held)),
        };
        short.map(of).collect()
    }

    /// What there is not enough of for a pod of this size, in a kubelet's words.
    pub(super) fn lacks(&self, allocatable: &Resources, spec: &PodSpec) -> Option<String> {
        self.short_of(allocatable, spec).map(|(_, message)| message)
    }

    fn short_of(&self, allocatable: &Resources, spec: &PodSpec) -> Option<(String, String)> {
        let (what, (asked, held, capacity)) =
            self.all_short_of(allocatable, spec).into_iter().next()?;
        let message = format!(
            "Node didn't have enough resource: {what}, requested: {asked}, used: {held}, capacity: \
             {capacity}"
        );
        Some((what, message))
    }

    /// What there is not enough of: asked for, held, and there in all.
    fn all_short_of(&self, allocatable: &Resources, spec: &PodSpec) -> Vec<(String, Amounts)> {
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
        let extended = extended.filter(|(_, _, (_, _, capacity))| *capacity > 0);
        let short_of_it = fixed.into_iter().chain(extended).filter(|(it, ..)| short.has(*it));
        short_of_it.map(|(_, what, amounts)| (what.to_owned(), amounts)).collect()
    }

    fn admit_beside_resources(&self, seen: &Seen<'_>, pod: &Pod) -> Result<(), StatusReason> {
        let spec = &pod.spec;
        let is_selected =
            spec.node_selector.iter().all(|(key, value)| seen.labels.get(key) == Some(value));
        if !is_selected || !spec.node_affinity.allows(seen.name, seen.labels) {
            return Err(failed(
                "NodeAffinity",
                "node(s) didn't match Pod's node affinity/selector",
            ));
        }
        let clash = |port: &HostPort| self.ports.iter().any(|(held, _)| held.clashes(port));
        if spec.host_ports.iter().any(clash) {
            let what = "node(s) didn't have free ports for the requested pod ports";
            return Err(failed("NodePorts", what));
        }
        let is_barred = |effect| effect == Effect::NoExecute;
        if first_untolerated(seen.taints, &spec.tolerations, is_barred).is_some() {
            return Err(failed("TaintToleration", "node(s) had untolerated taint(s)"));
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
