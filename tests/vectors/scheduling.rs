//! Nodes and pods of the scheduler's tables, as its algorithm sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;
use wavetank::api::compact::Compactor;
use wavetank::api::defaults::pod::default_pod;
use wavetank::api::node::Node;
use wavetank::api::object::Object;
use wavetank::api::pod::Pod;
use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::algorithm::{
    NodeInfo, PodShape, Resident, Snapshot, Standing,
};

/// A node as written, nothing added.
pub fn node(written: &Value) -> Node {
    let typed: core::Node = serde_json::from_value(written.clone()).expect("a node");
    let labels = typed.metadata.labels.clone().unwrap_or_default();
    match Compactor::new().node(typed).object {
        Object::Node(mut node) => {
            let as_written = labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
            node.meta.labels = Arc::new(as_written);
            *node
        }
        _ => unreachable!("a node stays one"),
    }
}

/// A pod with the API server's defaults.
pub fn pod(written: &Value) -> Pod {
    let mut typed: core::Pod = serde_json::from_value(written.clone()).expect("a pod");
    default_pod(&mut typed);
    match Compactor::new().pod(typed).object {
        Object::Pod(pod) => *pod,
        _ => unreachable!("a pod stays one"),
    }
}

/// The shape of a pod as written.
pub fn shape(written: &Value) -> PodShape {
    PodShape::of(&pod(written))
}

/// A lone node.
pub fn info(written: &Value) -> NodeInfo {
    NodeInfo::of(Id::from_parts(0, 0), &node(written))
}

/// Nodes by name, with pods on them.
#[derive(Default)]
pub struct Cluster {
    pub snapshot: Snapshot,
    ids: BTreeMap<String, Id<Node>>,
    pods: BTreeMap<String, Id<Pod>>,
}

impl Cluster {
    /// Nodes that were there when the scheduler started: it lists them by name.
    pub fn of(nodes: &Value) -> Cluster {
        let mut sorted = nodes.as_array().cloned().unwrap_or_default();
        let name = |node: &Value| node["metadata"]["name"].as_str().map(str::to_owned);
        sorted.sort_by_key(name);
        Cluster::in_order(&Value::Array(sorted))
    }

    /// Nodes that came in this order.
    pub fn in_order(nodes: &Value) -> Cluster {
        let mut cluster = Cluster::default();
        for written in nodes.as_array().into_iter().flatten() {
            cluster.set(written);
        }
        cluster
    }

    pub fn set(&mut self, written: &Value) {
        let name = written["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let next = Id::from_parts(self.ids.len() as u32, 0);
        let id = *self.ids.entry(name).or_insert(next);
        self.snapshot.set_node(id, &node(written));
    }

    pub fn name(&self, id: Id<Node>) -> String {
        self.snapshot.node(id).expect("a known node").written_name().to_owned()
    }

    /// Puts the pod of this key (namespace and name) on a node.
    pub fn place(&mut self, node: &str, key: &str, shape: &PodShape) {
        let next = Id::from_parts(self.pods.len() as u32, 0);
        let pod = *self.pods.entry(key.to_owned()).or_insert(next);
        let standing = Standing::Staying;
        let resident = Resident { pod, shape: shape.clone(), start: None, standing };
        self.snapshot.add_pod(self.ids[node], resident);
    }

    pub fn take_away(&mut self, node: &str, key: &str) {
        self.snapshot.remove_pod(self.ids[node], self.pods[key]);
    }
}
