//! Nodes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::meta::arrival;
use super::{Compacted, Compactor};
use crate::api::kinds::Scope;
use crate::api::meta::Labels;
use crate::api::node::{
    HOSTNAME_LABEL, Node, NodeConditions, NodeImage, NotReady, Posted, Schedulability, Tristate,
};
use crate::api::object::Object;
use crate::api::resources::Resources;
use crate::api::rules::resources::{amounts, counted};
use crate::api::rules::taints::{Effect, Taint};
use crate::time::SimTime;

/// How many pods a kubelet takes by default (`--max-pods`).
pub const DEFAULT_MAX_PODS: i64 = 110;

/// Labels each kubelet puts on its node when it registers.
const OS_LABELS: [(&str, &str); 2] =
    [("kubernetes.io/arch", "amd64"), ("kubernetes.io/os", "linux")];

/// Old names of labels that the node lifecycle controller keeps beside the new ones
/// (kube-controller-manager 1.36 pkg/controller/nodelifecycle, `labelReconcileInfo`).
const OLD_LABELS: [(&str, &str); 2] = [
    ("kubernetes.io/arch", "beta.kubernetes.io/arch"),
    ("kubernetes.io/os", "beta.kubernetes.io/os"),
];

fn tristate(written: Option<&core::NodeCondition>) -> Tristate {
    match written.map(|it| it.status.as_str()) {
        Some("True") => Tristate::True,
        Some("False") => Tristate::False,
        _ => Tristate::Unknown,
    }
}

fn conditions(status: &core::NodeStatus) -> NodeConditions {
    let of = |name: &str| tristate(status.conditions.iter().flatten().find(|it| it.type_ == name));
    let has_any = status.conditions.iter().flatten().any(|it| it.type_ == "Ready");
    NodeConditions {
        ready: of("Ready"),
        ready_since: SimTime::ZERO,
        not_ready: NotReady::default(),
        pressures_since: [SimTime::ZERO; 3],
        memory_pressure: of("MemoryPressure"),
        disk_pressure: of("DiskPressure"),
        pid_pressure: of("PIDPressure"),
        network_unavailable: of("NetworkUnavailable"),
        posted: if has_any { Posted::Once } else { Posted::Never },
    }
}

/// Keeps old names of labels beside the new ones (`reconcileNodeLabels`).
pub fn reconcile(labels: &mut Labels) {
    for (new, old) in OLD_LABELS {
        if let Some(value) = labels.get(new).cloned() {
            labels.insert(old.into(), value);
        }
    }
}

impl Compactor {
    /// A node. One whose status names no capacity has none; the caller decides what it is given.
    /// The labels that a kubelet and the node lifecycle controller add are there.
    pub fn node(&mut self, written: core::Node) -> Compacted {
        let arrival = arrival(&written.metadata);
        let mut meta = self.meta(&written.metadata, Scope::Cluster);
        let name = meta.name.to_string();
        let labels = Arc::make_mut(&mut meta.labels);
        for (key, value) in OS_LABELS.into_iter().chain([(HOSTNAME_LABEL, name.as_str())]) {
            if !labels.contains_key(key) {
                labels.insert(self.intern.text(key), self.intern.text(value));
            }
        }
        reconcile(labels);
        let spec = written.spec.unwrap_or_default();
        let status = written.status.unwrap_or_default();
        let capacity = counted(&amounts(status.capacity.as_ref()));
        let allocatable = match &status.allocatable {
            Some(written) => counted(&amounts(Some(written))),
            None => capacity.clone(),
        };
        let capacity =
            if capacity == Resources::default() { allocatable.clone() } else { capacity };
        let address = status
            .addresses
            .iter()
            .flatten()
            .filter(|it| it.type_ == "InternalIP")
            .find_map(|it| it.address.parse().ok())
            .unwrap_or(Ipv4Addr::UNSPECIFIED);
        let node = Node {
            meta,
            schedulability: match spec.unschedulable {
                Some(true) => Schedulability::Cordoned,
                _ => Schedulability::Open,
            },
            taints: spec.taints.iter().flatten().filter_map(|it| self.taint(it)).collect(),
            capacity: Arc::new(capacity),
            allocatable: Arc::new(allocatable),
            conditions: conditions(&status),
            images: self.images(&status),
            address,
        };
        Compacted { object: Object::Node(Box::new(node)), arrival, node: None }
    }

    /// A taint; none where its effect is no effect.
    pub fn taint(&mut self, written: &core::Taint) -> Option<Taint> {
        Some(Taint {
            key: self.intern.text(&written.key),
            value: self.intern.optional(written.value.as_deref()),
            effect: Effect::named(&written.effect)?,
            added: None,
        })
    }

    fn images(&mut self, status: &core::NodeStatus) -> Arc<[NodeImage]> {
        let mut images: Vec<NodeImage> = Vec::new();
        for image in status.images.iter().flatten() {
            let bytes = image.size_bytes.unwrap_or(0).max(0);
            for name in image.names.iter().flatten() {
                images.push(NodeImage { name: self.intern.text(name), bytes });
            }
        }
        images.sort_unstable();
        images.into()
    }
}
