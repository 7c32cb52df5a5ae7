//! Nodes as a run holds them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::resources::Resources;
use super::rules::taints::Taint;
use crate::time::SimTime;

/// A node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its metadata; labels tell its zone and host name.
    pub meta: Meta,
    /// `spec.unschedulable`: cordoned.
    pub schedulability: Schedulability,
    /// `spec.taints`.
    pub taints: Arc<[Taint]>,
    /// Its hardware.
    pub capacity: Arc<Resources>,
    /// What pods may use of it.
    pub allocatable: Arc<Resources>,
    /// Its conditions.
    pub conditions: NodeConditions,
    /// Images it reports to have, by name.
    pub images: Arc<[NodeImage]>,
    /// Its own address.
    pub address: Ipv4Addr,
}

/// Whether new pods may be placed on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Schedulability {
    /// They may.
    #[default]
    Open,
    /// The node is cordoned.
    Cordoned,
}

/// An image a node has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeImage {
    /// Its name, tag included.
    pub name: Text,
    /// Its size in bytes.
    pub bytes: i64,
}

/// A condition's value where nobody may know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Tristate {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    #[default]
    Unknown,
}

impl Tristate {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            Tristate::True => "True",
            Tristate::False => "False",
            Tristate::Unknown => "Unknown",
        }
    }

    /// `True` or `False`.
    pub fn of(value: bool) -> Tristate {
        if value { Tristate::True } else { Tristate::False }
    }

    /// What this text says; anything but `True` and `False` is unknown.
    pub fn parse(text: &str) -> Tristate {
        match text {
            "True" => Tristate::True,
            "False" => Tristate::False,
            _ => Tristate::Unknown,
        }
    }
}

/// Why a kubelet says that its node is not ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NotReady {
    /// Its container engine has not answered yet.
    #[default]
    Starting,
    /// The machine goes down in order.
    ShuttingDown,
}

/// The conditions of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeConditions {
    /// `Ready`.
    pub ready: Tristate,
    /// Since when `Ready` has its value.
    pub ready_since: SimTime,
    /// Why it is not, where it is false.
    pub not_ready: NotReady,
    /// Since when the conditions of memory, disk and process numbers have their values.
    pub pressures_since: [SimTime; 3],
    /// `MemoryPressure`.
    pub memory_pressure: Tristate,
    /// `DiskPressure`.
    pub disk_pressure: Tristate,
    /// `PIDPressure`.
    pub pid_pressure: Tristate,
    /// `NetworkUnavailable`, which whoever sets up routes writes; unknown: it is not there.
    pub network_unavailable: Tristate,
    /// Whether anybody ever wrote them.
    pub posted: Posted,
}

impl NodeConditions {
    /// `Ready` is so from `now` on, if it was not before.
    pub fn set_ready(&mut self, value: Tristate, now: SimTime) {
        if self.ready != value {
            (self.ready, self.ready_since) = (value, now);
        }
    }

    /// The conditions of memory, disk and process numbers.
    pub fn pressures(&self) -> [Tristate; 3] {
        [self.memory_pressure, self.disk_pressure, self.pid_pressure]
    }

    /// They are so from `now` on, as far as they were not before.
    pub fn set_pressures(&mut self, values: [Tristate; 3], now: SimTime) {
        let held = [&mut self.memory_pressure, &mut self.disk_pressure, &mut self.pid_pressure];
        for ((held, since), value) in held.into_iter().zip(&mut self.pressures_since).zip(values) {
            if *held != value {
                (*held, *since) = (value, now);
            }
        }
    }
}

/// Whether a node's status was ever posted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Posted {
    /// It was.
    #[default]
    Once,
    /// The node was created without.
    Never,
}

/// Label that names a node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Label that names a node's region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// Label that names a node's host.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// Taint of a node that is not ready.
pub const TAINT_NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a node that pods cannot be reached on.
pub const TAINT_NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";
/// Taint of a node nobody hears from.
pub const TAINT_UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Taint of a cordoned node.
pub const TAINT_UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Taint of a master.
pub const TAINT_CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

impl Node {
    /// The name of its zone, empty if it has none.
    pub fn zone(&self) -> &str {
        self.meta.labels.get(ZONE_LABEL).map_or("", AsRef::as_ref)
    }

    /// The name of its region, empty if it has none.
    pub fn region(&self) -> &str {
        self.meta.labels.get(REGION_LABEL).map_or("", AsRef::as_ref)
    }

    /// Whether the node is ready.
    pub fn is_ready(&self) -> bool {
        self.conditions.ready == Tristate::True
    }
}
