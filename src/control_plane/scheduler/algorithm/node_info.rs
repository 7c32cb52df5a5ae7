//! One node as the algorithm sees it: what it offers, and what the pods on it take
//! (`NodeInfo`, pkg/scheduler/framework/types.go 1.36).

use std::sync::Arc;

use super::images::ImageOnNode;
use super::plugins::gpu_share::devices::Devices;
use super::resident::Resident;
use crate::api::meta::Labels;
use crate::api::name::{Name, Text};
use crate::api::node::{Node, Schedulability};
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::api::rules::ports::HostPort;
use crate::api::rules::taints::Taint;
use crate::base::id::Id;

/// Whether the node object is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It is.
    Known,
    /// Only pods that are bound to it are: it was not seen yet, or is gone.
    PodsOnly,
}

/// A node and what is taken of it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node.
    pub id: Id<Node>,
    /// Whether there is more of it than pods.
    pub presence: Presence,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Its taints.
    pub taints: Arc<[Taint]>,
    /// Whether it is cordoned.
    pub schedulability: Schedulability,
    /// What pods may use of it.
    pub allocatable: Arc<Resources>,
    /// What its pods ask for.
    pub requested: Resources,
    /// CPU its pods ask for, those that ask for none counted as 100m a container.
    pub nonzero_cpu: i64,
    /// Memory its pods ask for, those that ask for none counted as 200Mi a container.
    pub nonzero_memory: i64,
    /// The pods on it, in no order that means anything.
    pub pods: Vec<Resident>,
    /// Ports of the host its pods hold.
    pub ports: Vec<HostPort>,
    /// Its GPUs, where a profile shares them out.
    pub devices: Option<Box<Devices>>,
    /// Images it has, sorted by name, as last looked at.
    pub images: Vec<ImageOnNode>,
    /// Its name as plain text, for requirements on `metadata.name`.
    written: Text,
    /// Its region and zone.
    pub(super) zone: (Text, Text),
}

impl NodeInfo {
    /// A node of which nothing is known but pods.
    pub(super) fn pods_only(id: Id<Node>) -> NodeInfo {
        NodeInfo {
            id,
            presence: Presence::PodsOnly,
            name: Name::new(""),
            labels: Arc::default(),
            taints: Arc::default(),
            schedulability: Schedulability::Open,
            allocatable: Arc::default(),
            requested: Resources::default(),
            nonzero_cpu: 0,
            nonzero_memory: 0,
            pods: Vec::new(),
            ports: Vec::new(),
            devices: None,
            images: Vec::new(),
            written: "".into(),
            zone: ("".into(), "".into()),
        }
    }

    /// An empty node.
    pub fn of(id: Id<Node>, node: &Node) -> NodeInfo {
        let mut info = NodeInfo::pods_only(id);
        info.set_node(node);
        info
    }

    /// Takes over what the node object says; pods and images stay. Returns whether anything is
    /// another now.
    pub fn set_node(&mut self, node: &Node) -> bool {
        let same = self.presence == Presence::Known
            && self.name == node.meta.name
            && self.schedulability == node.schedulability
            && self.labels == node.meta.labels
            && self.taints == node.taints
            && self.allocatable == node.allocatable;
        if same {
            return false;
        }
        self.presence = Presence::Known;
        if self.name != node.meta.name {
            self.name = node.meta.name.clone();
            self.written = node.meta.name.to_string().into();
        }
        self.labels = Arc::clone(&node.meta.labels);
        self.taints = Arc::clone(&node.taints);
        self.schedulability = node.schedulability;
        self.allocatable = Arc::clone(&node.allocatable);
        self.zone = (node.region().into(), node.zone().into());
        if let Some(devices) = &mut self.devices {
            devices.set_node(&self.labels, &self.allocatable);
        }
        true
    }

    /// Its name as plain text.
    pub fn written_name(&self) -> &str {
        &self.written
    }

    /// Counts a pod in.
    pub fn add_pod(&mut self, pod: Resident) {
        let spec = pod.shape.spec();
        if let Some(devices) = &mut self.devices {
            let cpu = self.allocatable.cpu_milli.saturating_sub(self.requested.cpu_milli);
            devices.add_pod(pod.pod, &pod.shape, cpu);
        }
        self.requested.add(&spec.requests);
        self.nonzero_cpu = self.nonzero_cpu.saturating_add(spec.nonzero_requests.cpu_milli);
        self.nonzero_memory = self.nonzero_memory.saturating_add(spec.nonzero_requests.memory);
        self.ports.extend_from_slice(&spec.host_ports);
        self.pods.push(pod);
    }

    /// Counts a pod out; returns it, if it was there.
    pub fn remove_pod(&mut self, pod: Id<Pod>) -> Option<Resident> {
        let at = self.pods.iter().position(|resident| resident.pod == pod)?;
        let gone = self.pods.swap_remove(at);
        if let Some(devices) = &mut self.devices {
            devices.remove_pod(pod);
        }
        let spec = gone.shape.spec();
        self.requested.subtract(&spec.requests);
        self.nonzero_cpu = self.nonzero_cpu.saturating_sub(spec.nonzero_requests.cpu_milli);
        self.nonzero_memory = self.nonzero_memory.saturating_sub(spec.nonzero_requests.memory);
        for port in &spec.host_ports {
            if let Some(at) = self.ports.iter().position(|held| held == port) {
                self.ports.swap_remove(at);
            }
        }
        Some(gone)
    }

    /// The image of this name (with its tag), if the node has it.
    pub fn image(&self, name: &str) -> Option<&ImageOnNode> {
        self.images
            .binary_search_by(|image| (*image.name).cmp(name))
            .ok()
            .map(|at| &self.images[at])
    }
}
