//! Nodes and pods of the scheduler's tables, as its algorithm sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};
use wavetank::api::compact::{Compactor, imported_uid};
use wavetank::api::defaults::pod::default_pod;
use wavetank::api::meta::{Labels, Uid};
use wavetank::api::name::Text;
use wavetank::api::node::Node;
use wavetank::api::object::Object;
use wavetank::api::pod::Pod;
use wavetank::api::rules::affinity::NodeAffinity;
use wavetank::api::rules::selector::{Operator, Requirement, Selector};
use wavetank::api::validation::Embedding;
use wavetank::api::validation::field::{Errors, Path};
use wavetank::api::validation::pod::validate_pod_spec;
use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::algorithm::{
    Budget, NodeInfo, PodShape, Resident, Snapshot, Standing,
};
use wavetank::time::SimTime;

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

/// Why the API server lets no pod with expressions as these in, as it says it.
pub fn refusals(written: &Value) -> Vec<String> {
    let whole = json!({"metadata": {}, "spec": {
        "affinity": written["spec"]["affinity"], "containers": [],
    }});
    let typed: core::Pod = serde_json::from_value(whole).expect("a pod");
    let (mut errors, path) = (Errors::new(), Path::ROOT.child("spec"));
    let spec = typed.spec.unwrap_or_default();
    validate_pod_spec(&spec, None, Embedding::Pod, &path, &mut errors);
    let is_affinity =
        |path: &str| path.starts_with("spec.affinity") && path.contains("Expressions");
    let of_affinity = errors.list().iter().filter(|error| is_affinity(&error.path));
    of_affinity.map(ToString::to_string).collect()
}

/// A lone node.
pub fn info(written: &Value) -> NodeInfo {
    NodeInfo::of(Id::from_parts(0, 0), &node(written))
}

fn text(value: &Value) -> Text {
    value.as_str().unwrap_or_default().into()
}

fn name_of(written: &Value) -> Text {
    text(&written["metadata"]["name"])
}

fn namespace_of(written: &Value) -> Text {
    match text(&written["metadata"]["namespace"]) {
        empty if empty.is_empty() => "default".into(),
        named => named,
    }
}

/// Controllers of pods, by list and kind.
const OWNERS: [(&str, &str); 3] = [
    ("replication_controllers", "ReplicationController"),
    ("replica_sets", "ReplicaSet"),
    ("stateful_sets", "StatefulSet"),
];

/// Reads an object of one kind.
type Read = fn(&Value) -> Object;

/// Objects about volumes, by list.
const VOLUMES: [(&str, Read); 4] = [
    ("pvs", |it| Compactor::new().persistent_volume(read(it)).object),
    ("pvcs", |it| Compactor::new().persistent_volume_claim(read(it)).object),
    ("storage_classes", |it| Compactor::new().storage_class(read(it)).object),
    ("csi_nodes", |it| Compactor::new().csi_node(read(it)).object),
];

fn read<T: serde::de::DeserializeOwned>(written: &Value) -> T {
    serde_json::from_value(written.clone()).expect("an object of its kind")
}

/// The uid of a controller. Some cases write it only where a pod refers to its controller, whom
/// upstream looks up by name.
fn uid_of(written: &Value, kind: &str, case: &Value) -> Uid {
    let created = case["ops"].as_array().into_iter().flatten().map(|op| &op["obj"]);
    let pods = case["pods"].as_array().into_iter().flatten().chain(created);
    let references = pods.flat_map(|pod| {
        let same_namespace = namespace_of(pod) == namespace_of(written);
        let list = pod["metadata"]["ownerReferences"].as_array().filter(|_| same_namespace);
        list.into_iter().flatten()
    });
    let mut to_it = references.filter(|reference| {
        reference["kind"] == kind && reference["name"] == written["metadata"]["name"]
    });
    let uid = written["metadata"]["uid"].as_str();
    imported_uid(uid.or_else(|| to_it.next()?["uid"].as_str()).unwrap_or_default())
}

fn labels(written: &Value) -> Labels {
    let pairs = written.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.as_str().into(), text(value))).collect()
}

fn selector(written: &Value) -> Selector {
    let mut selector = Selector::of_labels(&labels(&written["matchLabels"]));
    for one in written["matchExpressions"].as_array().into_iter().flatten() {
        let operator = match one["operator"].as_str() {
            Some("In") => Operator::In,
            Some("NotIn") => Operator::NotIn,
            Some("Exists") => Operator::Exists,
            Some("DoesNotExist") => Operator::DoesNotExist,
            other => panic!("an operator not known: {other:?}"),
        };
        let values = one["values"].as_array().into_iter().flatten().map(text).collect();
        selector.requirements.push(Requirement { key: text(&one["key"]), operator, values });
    }
    selector
}

/// The `addedAffinity` of NodeAffinity's arguments, read as a pod's own would be.
pub fn added_affinity(args: &Value) -> NodeAffinity {
    let affinity = json!({"nodeAffinity": args["addedAffinity"]});
    pod(&json!({"spec": {"affinity": affinity}})).spec.node_affinity.clone()
}

/// An instant as tables write it: RFC 3339, or `now` with seconds more or less.
pub fn instant(text: &str) -> SimTime {
    const NOW: i64 = 1_000_000_000;
    if let Some(offset) = text.strip_prefix("now") {
        let seconds = offset.trim_start_matches('+').trim_end_matches('s');
        let seconds: i64 = if seconds.is_empty() { 0 } else { seconds.parse().expect("seconds") };
        return SimTime::from_secs((NOW + seconds) as u64);
    }
    let at: jiff::Timestamp = text.parse().expect("an instant");
    SimTime::from_nanos(u64::try_from(at.as_nanosecond()).expect("after 1970"))
}

/// A disruption budget as written, with the pods whose disruption it counts already.
pub fn budget(written: &Value, disrupted: BTreeSet<Id<Pod>>) -> Budget {
    let selected = &written["spec"]["selector"];
    Budget {
        selector: selected.is_object().then(|| selector(selected)),
        allowed: written["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) as i32,
        disrupted,
    }
}

/// How the existing pod stands, by its metadata.
pub fn standing(written: &Value) -> Standing {
    match written["metadata"]["deletionTimestamp"].is_null() {
        true => Standing::Staying,
        false => Standing::Leaving,
    }
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

    pub fn has(&self, node: &str) -> bool {
        self.ids.contains_key(node)
    }

    pub fn name(&self, id: Id<Node>) -> String {
        self.snapshot.node(id).expect("a known node").written_name().to_owned()
    }

    /// Takes in the objects besides nodes and pods that count: `case` has them by list.
    pub fn surround(&mut self, case: &Value) {
        let around = self.snapshot.surroundings_mut();
        let list = |field: &str| case[field].as_array().cloned().unwrap_or_default();
        for written in list("namespaces") {
            let labels = Arc::new(labels(&written["metadata"]["labels"]));
            around.set_namespace(&name_of(&written), Some(labels));
        }
        for written in list("services") {
            let selector = &written["spec"]["selector"];
            let selector = selector.is_object().then(|| Arc::new(labels(selector)));
            around.set_service(&namespace_of(&written), &name_of(&written), selector);
        }
        for (field, object) in VOLUMES {
            for written in list(field) {
                around.volumes_mut().put(object(&written));
            }
        }
        for (field, kind) in OWNERS {
            for written in list(field) {
                let selector = match kind {
                    "ReplicationController" => json!({"matchLabels": written["spec"]["selector"]}),
                    _ => written["spec"]["selector"].clone(),
                };
                let uid = uid_of(&written, kind, case);
                around.set_owner(uid, Some(Arc::new(self::selector(&selector))));
            }
        }
    }

    /// Puts the pod of this key (namespace and name) on a node, there to stay.
    pub fn place(&mut self, node: &str, key: &str, shape: &PodShape) {
        self.place_as(node, key, shape, Standing::Staying);
    }

    /// The same of a pod that may be on its way out.
    pub fn place_as(&mut self, node: &str, key: &str, shape: &PodShape, standing: Standing) {
        let pod = self.pod(key);
        let resident = Resident { pod, shape: shape.clone(), start: None, standing };
        self.snapshot.add_pod(self.ids[node], resident);
    }

    /// The same of a pod that started at this instant, there to stay.
    pub fn place_since(&mut self, node: &str, key: &str, shape: &PodShape, start: Option<SimTime>) {
        let (pod, standing) = (self.pod(key), Standing::Staying);
        let resident = Resident { pod, shape: shape.clone(), start, standing };
        self.snapshot.add_pod(self.ids[node], resident);
    }

    /// The id of the pod of this key.
    pub fn pod(&mut self, key: &str) -> Id<Pod> {
        let next = Id::from_parts(self.pods.len() as u32, 0);
        *self.pods.entry(key.to_owned()).or_insert(next)
    }

    /// The key of a pod.
    pub fn key(&self, id: Id<Pod>) -> &str {
        let known = self.pods.iter().find(|(_, known)| **known == id);
        known.map(|(key, _)| key.as_str()).expect("a known pod")
    }

    /// The id of the node of this name.
    pub fn id(&self, node: &str) -> Id<Node> {
        self.ids[node]
    }

    pub fn take_away(&mut self, node: &str, key: &str) {
        self.snapshot.remove_pod(self.ids[node], self.pods[key]);
    }
}
