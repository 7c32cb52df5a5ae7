//! What an engine has made: sandboxes by their pods, containers by their places in them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::api::pod::Pod;
use crate::base::Id;
use crate::messages::engine::{ContainerRef, Exit, Listed, ListedPod, ListedState, SandboxConfig};
use crate::node::NodeIndex;
use crate::node::container_engine::linux::SandboxSpec;

/// A sandbox, from when it is asked for until it is removed.
pub(super) struct Made {
    pub node: NodeIndex,
    pub config: SandboxConfig,
    pub spec: SandboxSpec,
    pub address: Ipv4Addr,
    pub state: SandboxState,
    pub containers: Vec<Boxed>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SandboxState {
    /// It is being made.
    Coming,
    /// It stands; the runtime's id.
    Ready(String),
    /// It was stopped; the runtime's id.
    Stopped(String),
}

impl SandboxState {
    pub fn id(&self) -> Option<&str> {
        match self {
            SandboxState::Coming => None,
            SandboxState::Ready(id) | SandboxState::Stopped(id) => Some(id),
        }
    }
}

/// A container that was created.
pub(super) struct Boxed {
    pub container: ContainerRef,
    /// The runtime's id.
    pub id: String,
    pub state: ListedState,
    /// How often it was told to stop: only the last is answered.
    pub stops: u32,
}

/// Everything an engine has made.
#[derive(Default)]
pub(super) struct Table {
    pods: BTreeMap<Id<Pod>, Made>,
}

impl Table {
    pub fn pod(&self, pod: Id<Pod>) -> Option<&Made> {
        self.pods.get(&pod)
    }

    pub fn pod_mut(&mut self, pod: Id<Pod>) -> Option<&mut Made> {
        self.pods.get_mut(&pod)
    }

    /// Takes note of a sandbox that is being made; whether its pod had none.
    pub fn begin(&mut self, pod: Id<Pod>, made: Made) -> bool {
        let is_new = !self.pods.contains_key(&pod);
        if is_new {
            self.pods.insert(pod, made);
        }
        is_new
    }

    pub fn remove(&mut self, pod: Id<Pod>) -> Option<Made> {
        self.pods.remove(&pod)
    }

    pub fn container(&mut self, of: ContainerRef) -> Option<&mut Boxed> {
        let made = self.pods.get_mut(&of.pod)?;
        made.containers.iter_mut().find(|one| one.container == of)
    }

    /// Takes note that a container is told to stop once more; how often that makes.
    pub fn next_stop(&mut self, of: ContainerRef) -> u32 {
        self.container(of).map_or(0, |one| {
            one.stops += 1;
            one.stops
        })
    }

    /// Containers that run, with the runtime's ids.
    pub fn running(&self) -> Vec<(ContainerRef, String)> {
        let all = self.pods.values().flat_map(|made| &made.containers);
        let running = all.filter(|one| matches!(one.state, ListedState::Running(_)));
        running.map(|one| (one.container, one.id.clone())).collect()
    }

    /// A container that ran has ended so. Its node, if nobody had noticed yet.
    pub fn ended(&mut self, of: ContainerRef, exit: Exit) -> Option<(NodeIndex, Exit)> {
        let node = self.pods.get(&of.pod)?.node;
        let one = self.container(of)?;
        let ListedState::Running(since) = one.state else { return None };
        let exit = Exit { finished: exit.finished.max(since), ..exit };
        one.state = ListedState::Exited(since, exit);
        Some((node, exit))
    }

    pub fn list(&self, node: NodeIndex) -> Vec<ListedPod> {
        let stands = self
            .pods
            .iter()
            .filter(|(_, made)| made.node == node && made.state != SandboxState::Coming);
        stands
            .map(|(&pod, made)| ListedPod {
                pod,
                address: matches!(made.state, SandboxState::Ready(_)).then_some(made.address),
                containers: made
                    .containers
                    .iter()
                    .map(|one| Listed { container: one.container, state: one.state })
                    .collect(),
            })
            .collect()
    }
}
