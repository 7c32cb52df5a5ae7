//! Nodes that nobody wrote as objects: `--nodes`, the scenario's groups, the default cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus, Taint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::compact::DEFAULT_MAX_PODS;
use crate::api::name::Text;
use crate::api::node::ZONE_LABEL;
use crate::api::pod::Pod;
use crate::api::quantity::Quantity;
use crate::cluster::plan::StaticPod;

/// Most nodes of one cluster: four times what Kubernetes supports.
pub const NODES_MAX: usize = 20_000;

/// What a node has where nobody says otherwise.
pub(super) const DEFAULT_CAPACITY: [(&str, &str); 3] =
    [("cpu", "4"), ("memory", "16Gi"), ("ephemeral-storage", "100Gi")];

/// How nodes are called where nobody says otherwise.
const DEFAULT_NAME: &str = "n";
/// How masters are called.
const MASTER_NAME: &str = "master";
/// The label of masters, and the key of the taint that keeps workloads off.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// Nodes of the default cluster.
const DEFAULT_COUNT: u32 = 3;
/// Their zone.
const DEFAULT_ZONE: &str = "a";

/// Nodes of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Names are this, a dash, and a number from 0.
    pub name: String,
    /// How many.
    pub count: u32,
    /// The zone; empty: none.
    pub zone: String,
    /// Capacity, as far as it differs from the default.
    pub capacity: BTreeMap<String, Written>,
    /// More labels.
    pub labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// Pods that each of them runs from a manifest of its own.
    pub static_pods: Vec<Arc<Pod>>,
}

impl Default for Group {
    fn default() -> Group {
        Group {
            name: DEFAULT_NAME.to_owned(),
            count: DEFAULT_COUNT,
            zone: DEFAULT_ZONE.to_owned(),
            capacity: BTreeMap::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            static_pods: Vec::new(),
        }
    }
}

impl Group {
    /// Reads the value of `--nodes`: `5`, `5x4,16Gi` (each 4 CPU and 16Gi), `3x400m,2Gi`.
    ///
    /// # Errors
    /// Where it is not of this form, in words that name the flag.
    pub fn parse(text: &str) -> Result<Group, String> {
        let wrong = |what: &str| {
            format!(
                "--nodes {text}: {what}; expected a number, or one with CPU and memory each, as in 5 or 5x4,16Gi"
            )
        };
        let (count, size) = match text.split_once('x') {
            Some((count, size)) => (count, Some(size)),
            None => (text, None),
        };
        let count: u32 = count.parse().map_err(|_| wrong(&format!("{count:?} is no number")))?;
        if count == 0 || count as usize > NODES_MAX {
            return Err(wrong(&format!("there may be 1 to {NODES_MAX} nodes")));
        }
        let mut capacity = BTreeMap::new();
        if let Some(size) = size {
            let Some((cpu, memory)) = size.split_once(',') else {
                return Err(wrong("memory is missing"));
            };
            for (name, amount) in [("cpu", cpu), ("memory", memory)] {
                match Quantity::parse(amount) {
                    Ok(quantity) if quantity.signum() > 0 => {}
                    _ => return Err(wrong(&format!("{amount:?} is no amount of {name}"))),
                }
                capacity.insert(name.to_owned(), Written(amount.to_owned()));
            }
        }
        Ok(Group { count, capacity, ..Group::default() })
    }

    /// What its nodes run from manifests of their own.
    pub(super) fn manifests(&self) -> impl Iterator<Item = StaticPod> + '_ {
        let of_node = |number| {
            let node: Text = format!("{}-{number}", self.name).into();
            self.static_pods
                .iter()
                .map(move |pod| StaticPod { node: node.clone(), pod: pod.clone() })
        };
        (0..self.count).flat_map(of_node)
    }

    /// The nodes of the group.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        (0..self.count).map(|number| self.node(number))
    }

    /// `pods` as they lie on each of so many masters.
    pub(super) fn master_manifests(count: u16, pods: &[Arc<Pod>]) -> Vec<StaticPod> {
        let (name, static_pods) = (MASTER_NAME.to_owned(), pods.to_vec());
        Group { name, static_pods, count: count.into(), ..Group::default() }.manifests().collect()
    }

    /// Machines of a control plane, marked as kubeadm does, in one of `zones` after the other.
    pub(super) fn masters(count: u16, zones: &[&str]) -> Vec<Node> {
        let taint = Taint {
            key: CONTROL_PLANE.to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        let master = |number: u16| {
            let zone = zones.get(usize::from(number) % zones.len().max(1));
            let group = Group {
                name: MASTER_NAME.to_owned(),
                zone: zone.copied().unwrap_or_default().to_owned(),
                labels: BTreeMap::from([(CONTROL_PLANE.to_owned(), String::new())]),
                taints: vec![taint.clone()],
                ..Group::default()
            };
            group.node(u32::from(number))
        };
        (0..count).map(master).collect()
    }

    /// Node `number` of the group.
    pub(super) fn node(&self, number: u32) -> Node {
        let mut labels = self.labels.clone();
        if !self.zone.is_empty() {
            labels.entry(ZONE_LABEL.to_owned()).or_insert_with(|| self.zone.clone());
        }
        let mut capacity = default_capacity();
        capacity.extend(self.capacity.clone());
        Node {
            metadata: ObjectMeta {
                name: Some(format!("{}-{number}", self.name)),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            spec: Some(NodeSpec { taints: Some(self.taints.clone()), ..NodeSpec::default() }),
            status: Some(NodeStatus { capacity: Some(capacity), ..NodeStatus::default() }),
        }
    }
}

/// What a node has where nobody says otherwise.
pub(super) fn default_capacity() -> BTreeMap<String, Written> {
    let mut capacity: BTreeMap<String, Written> = DEFAULT_CAPACITY
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Written(amount.to_owned())))
        .collect();
    capacity.insert("pods".to_owned(), Written(DEFAULT_MAX_PODS.to_string()));
    capacity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_can_be_given_by_number_and_size() {
        assert_eq!(Group::parse("5").expect("a number").count, 5);
        let group = Group::parse("3x400m,2Gi").expect("a size");
        let node = group.nodes().nth(2).expect("three nodes");
        assert_eq!(node.metadata.name.as_deref(), Some("n-2"));
        let capacity = node.status.and_then(|it| it.capacity).expect("a capacity");
        assert_eq!((&*capacity["cpu"].0, &*capacity["memory"].0), ("400m", "2Gi"));
        assert_eq!(capacity["pods"].0, "110");
    }

    #[test]
    fn other_forms_name_the_flag_and_what_is_expected() {
        for text in ["", "0", "-1", "x", "5x", "5x4", "5x4,1.5.0Gi", "5x0,1Gi", "99999999"] {
            let error = Group::parse(text).expect_err(text);
            assert!(error.starts_with("--nodes ") && error.contains("5x4,16Gi"), "{error}");
        }
    }
}
