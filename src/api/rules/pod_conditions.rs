//! The conditions of a pod, worked out of its containers, and why each is as it is (kubelet 1.36
//! `pkg/kubelet/status/generate.go`). Refuses to know where statuses come from.

use std::net::Ipv4Addr;

use crate::api::node::Tristate;
use crate::api::pod::{Container, ContainerState, ContainerStatus, Lifetime, Phase, PodSpec};

/// What a pod's conditions are worked out of.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its spec.
    pub spec: &'a PodSpec,
    /// The status of a container by its index, init containers first, if there is one; no function: no statuses
    /// were ever written.
    pub statuses: Option<&'a dyn Fn(usize) -> Option<ContainerStatus>>,
    /// Its phase.
    pub phase: Phase,
}

/// A condition's value, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Whether it holds.
    pub holds: bool,
    /// One word; empty: there is nothing to say.
    pub reason: &'static str,
    /// A sentence, or empty.
    pub message: String,
}

impl Finding {
    const fn plain(holds: bool, reason: &'static str) -> Finding {
        Finding { holds, reason, message: String::new() }
    }

    const UNKNOWN: Finding = Finding::plain(false, "UnknownContainerStatuses");
    const TRUE: Finding = Finding::plain(true, "");
}

/// Containers a condition waits for, by name.
#[derive(Default)]
struct Lacking<'a> {
    unknown: Vec<&'a str>,
    unfit: Vec<&'a str>,
}

impl<'a> Lacking<'a> {
    fn look(&mut self, container: &'a Container, is_fit: Option<bool>) {
        match is_fit {
            Some(true) => {}
            Some(false) => self.unfit.push(&container.name),
            None => self.unknown.push(&container.name),
        }
    }

    fn message(&self, what: &str) -> String {
        let lists = [("unknown", &self.unknown), (what, &self.unfit)];
        let parts = lists.iter().filter(|(_, names)| !names.is_empty());
        let parts = parts
            .map(|(how, names)| format!("containers with {how} status: [{}]", names.join(" ")));
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl<'a> Known<'a> {
    fn status(&self, index: usize) -> Option<ContainerStatus> {
        self.statuses?(index)
    }

    /// ContainersReady: every container and sidecar is ready, and the pod is not done.
    pub fn containers_ready(&self) -> Finding {
        if self.statuses.is_none() {
            return Finding::UNKNOWN;
        }
        let inits = &self.spec.init_containers;
        let sidecars =
            inits.iter().enumerate().filter(|(_, one)| one.lifetime == Lifetime::Sidecar);
        let mains = self.spec.containers.iter().enumerate();
        let mains = mains.map(|(at, container)| (inits.len() + at, container));
        let mut lacking = Lacking::default();
        for (index, container) in sidecars.chain(mains) {
            lacking.look(container, self.status(index).map(|status| status.ready));
        }
        match self.phase {
            Phase::Succeeded if lacking.unknown.is_empty() => Finding::plain(false, "PodCompleted"),
            Phase::Failed => Finding::plain(false, "PodFailed"),
            _ => match lacking.message("unready") {
                message if message.is_empty() => Finding::TRUE,
                message => Finding { holds: false, reason: "ContainersNotReady", message },
            },
        }
    }

    /// Ready: ContainersReady, and whatever the pod's readiness gates name; `gate` tells what the condition of a
    /// gate is, `None` where nobody set it.
    pub fn ready(&self, gate: impl Fn(&str) -> Option<Tristate>) -> Finding {
        let containers = self.containers_ready();
        if !containers.holds {
            return containers;
        }
        let said = self.spec.readiness_gates.iter().filter_map(|name| match gate(name) {
            Some(Tristate::True) => None,
            Some(value) => Some(format!(
                "the status of pod readiness gate \"{name}\" is not \"True\", but {}",
                value.name()
            )),
            None => Some(format!(
                "corresponding condition of pod readiness gate \"{name}\" does not exist."
            )),
        });
        match said.collect::<Vec<_>>() {
            said if said.is_empty() => Finding::TRUE,
            said => {
                Finding { holds: false, reason: "ReadinessGatesNotReady", message: said.join(", ") }
            }
        }
    }

    /// Initialized: init containers are through and sidecars started, or it was so once, as a container that runs
    /// or ran shows.
    pub fn initialized(&self) -> Finding {
        let inits = &self.spec.init_containers;
        if self.statuses.is_none() && !inits.is_empty() {
            return Finding::UNKNOWN;
        }
        let mut lacking = Lacking::default();
        for (index, container) in inits.iter().enumerate() {
            let is_through = |status: ContainerStatus| match container.lifetime {
                Lifetime::Normal => status.ready,
                Lifetime::Sidecar => status.started,
            };
            lacking.look(container, self.status(index).map(is_through));
        }
        if self.phase == Phase::Succeeded && lacking.unknown.is_empty() {
            return Finding::plain(true, "PodCompleted");
        }
        let mains = inits.len()..inits.len() + self.spec.containers.len();
        if mains.filter_map(|at| self.status(at)).any(|status| ran(&status)) {
            return Finding::TRUE;
        }
        match lacking.message("incomplete") {
            message if message.is_empty() => Finding::TRUE,
            message => Finding { holds: false, reason: "ContainersNotInitialized", message },
        }
    }
}

/// PodReadyToStartContainers: the sandbox stands and has an address.
pub fn ready_to_start(address: Option<Ipv4Addr>) -> bool {
    address.is_some()
}

/// Whether a container runs or ran.
fn ran(status: &ContainerStatus) -> bool {
    !matches!(status.state, ContainerState::Waiting(_)) || status.last.is_some()
}
