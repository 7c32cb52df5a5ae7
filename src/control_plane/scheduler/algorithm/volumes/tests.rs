use super::*;
use crate::api::compact::Compactor;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{
    Code, Plugin, Profile, Resident, Snapshot, Standing, explain,
};
use serde_json::{Value, json};

/// What placing a pod meets: nodes, volumes, pods that are there.
struct Rig {
    snapshot: Snapshot,
    pods: u32,
}

fn volume_object(written: &Value) -> Object {
    let value = written.clone();
    let mut compactor = Compactor::new();
    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("an object")
    }
    let compacted = match written["kind"].as_str() {
        Some("PersistentVolume") => compactor.persistent_volume(read(value)),
        Some("PersistentVolumeClaim") => compactor.persistent_volume_claim(read(value)),
        Some("StorageClass") => compactor.storage_class(read(value)),
        Some("CSINode") => compactor.csi_node(read(value)),
        other => panic!("{other:?}"),
    };
    compacted.object
}

impl Rig {
    /// Nodes `a` and `b`, in zones of the same names.
    fn new(objects: &[Value]) -> Rig {
        let mut rig = Rig { snapshot: Snapshot::new(), pods: 0 };
        for (at, name) in (0..).zip(["a", "b"]) {
            let written = serde_json::from_value(json!({"metadata": {"name": name, "labels": {
                "topology.kubernetes.io/zone": name, HOSTNAME: name}},
                "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"}}}));
            match Compactor::new().node(written.expect("a node")).object {
                Object::Node(node) => rig.snapshot.set_node(Rig::node(at), &node),
                _ => unreachable!("a node"),
            }
        }
        for object in objects {
            rig.put(object);
        }
        rig.snapshot.settle();
        rig
    }

    fn node(at: u32) -> Id<Node> {
        Id::from_parts(at, 0)
    }

    fn put(&mut self, object: &Value) {
        self.snapshot.surroundings_mut().volumes_mut().put(volume_object(object));
    }

    fn volumes(&self) -> &Volumes {
        self.snapshot.surroundings().volumes()
    }

    fn place(&mut self, at: u32, shape: &PodShape) {
        self.pods += 1;
        let pod: Id<Pod> = Id::from_parts(self.pods, 0);
        let standing = Standing::Staying;
        let resident = Resident { pod, shape: shape.clone(), start: None, standing };
        self.snapshot.add_pod(Rig::node(at), resident);
        self.snapshot.settle();
    }

    /// Where the pod may go, and the message if nowhere.
    fn ask(&self, shape: &PodShape) -> (Vec<String>, String) {
        let profile = Profile::default();
        let answer = explain(&self.snapshot, shape, 0, &profile);
        let name = |id: &Id<Node>| self.snapshot.node(*id).expect("a node").name.to_string();
        let feasible = answer.feasible.iter().map(name).collect();
        (feasible, answer.diagnosis.message(shape, &profile).to_string())
    }

    /// What placing the pod on node `a` or `b` takes.
    fn reserve(&self, at: u32, shape: &PodShape) -> Result<Reservation, Conflicts> {
        reserve(self.volumes(), shape, self.snapshot.node(Rig::node(at)).expect("a node"))
    }
}

fn pod(name: &str, volumes: &Value) -> PodShape {
    let written = json!({"metadata": {"name": name, "uid": name},
        "spec": {"containers": [{"name": "c", "image": "i:1"}], "volumes": volumes}});
    match Compactor::new().pod(serde_json::from_value(written).expect("a pod")).object {
        Object::Pod(pod) => PodShape::of(&pod),
        _ => unreachable!("a pod"),
    }
}

fn with_claims(names: &[&str]) -> PodShape {
    let volume = |name: &&str| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
    pod("p", &names.iter().map(volume).collect())
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({"kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner,
        "volumeBindingMode": mode})
}

fn claim(name: &str, class: &str, size: &str) -> Value {
    json!({"kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": {"requests": {"storage": size}}}})
}

fn volume(name: &str, class: &str, size: &str, zone: Option<&str>) -> Value {
    let mut written = json!({"kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "capacity": {"storage": size}, "csi": {"driver": "d", "volumeHandle": name}},
        "status": {"phase": "Available"}});
    if let Some(zone) = zone {
        let one = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]});
        written["spec"]["nodeAffinity"] =
            json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [one]}]}});
    }
    written
}

fn bound(claim: &Value, volume: &str) -> Value {
    let mut claim = claim.clone();
    claim["spec"]["volumeName"] = volume.into();
    claim["metadata"]["annotations"] = json!({BIND_COMPLETED: "yes"});
    claim["status"] = json!({"phase": "Bound"});
    claim
}

const WAITS: &str = "WaitForFirstConsumer";

#[test]
fn the_smallest_volume_that_fits_is_taken_where_it_can_be_reached() {
    let mut rig = Rig::new(&[
        class("local", NO_PROVISIONER, WAITS),
        volume("big", "local", "9Gi", Some("a")),
        volume("small", "local", "2Gi", Some("a")),
        volume("tiny", "local", "1Mi", Some("a")),
        volume("other", "else", "2Gi", Some("b")),
        claim("c", "local", "1Gi"),
        claim("d", "local", "3Gi"),
    ]);
    let both = with_claims(&["d", "c"]);
    assert_eq!(rig.ask(&both).0, ["a"]);
    let taken = rig.reserve(0, &both).expect("both fit");
    let pair = |claim: &str, volume: &str| (Text::from(claim), Text::from(volume));
    assert_eq!(taken.bindings, [pair("c", "small"), pair("d", "big")]);
    assert_eq!(rig.reserve(1, &both), Err(Conflicts::BIND));
    let node = rig.snapshot.node(Rig::node(0)).expect("a node").clone();
    bind(rig.snapshot.surroundings_mut().volumes_mut(), &"default".into(), &node, &taken);
    assert!(rig.volumes().claim("default", "c").expect("c").is_bound());
    assert_eq!(rig.ask(&both).0, ["a"], "bound now, and there");
    rig.put(&claim("e", "local", "1Mi"));
    assert_eq!(rig.reserve(0, &with_claims(&["e"])).expect("tiny").bindings, [pair("e", "tiny")]);
    rig.put(&claim("e", "local", "4Gi"));
    assert_eq!(
        rig.ask(&with_claims(&["e"])).1,
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. no \
         new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful \
         for scheduling."
    );
}

#[test]
fn a_volume_is_made_where_the_class_allows_it() {
    let mut zoned = class("zoned", "csi.example", WAITS);
    zoned["allowedTopologies"] = json!([{"matchLabelExpressions": [
        {"key": "topology.kubernetes.io/zone", "values": ["b", "z"]}]}]);
    let mut rig = Rig::new(&[
        zoned,
        claim("c", "zoned", "1Gi"),
        json!({"kind": "CSINode", "metadata": {"name": "b"}, "spec": {"drivers": [
            {"name": "csi.example", "nodeID": "b", "topologyKeys": ["topology.kubernetes.io/zone"]}]}}),
    ]);
    let shape = with_claims(&["c"]);
    assert_eq!(rig.ask(&shape).0, ["b"]);
    let taken = rig.reserve(1, &shape).expect("b");
    assert_eq!(taken.provisions, [Text::from("c")]);
    let node = rig.snapshot.node(Rig::node(1)).expect("a node").clone();
    bind(rig.snapshot.surroundings_mut().volumes_mut(), &"default".into(), &node, &taken);
    let made = rig.volumes().claim("default", "c").expect("c").volume.clone().expect("a volume");
    let made = rig.volumes().volume(&made).expect("there");
    assert!(reaches(made, &node.labels) && made.phase == VolumePhase::Bound);
    assert_eq!(rig.ask(&shape).0, ["b"], "its volume lies there");
}

#[test]
fn a_claim_meant_for_a_node_goes_nowhere_else() {
    let mut meant = claim("c", "made", "1Gi");
    meant["metadata"]["annotations"] = json!({SELECTED_NODE: "a"});
    let rig = Rig::new(&[class("made", "csi.example", WAITS), meant]);
    assert_eq!(rig.ask(&with_claims(&["c"])).0, ["a"]);
}

#[test]
fn what_is_missing_is_said_in_the_schedulers_words() {
    let terminating = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "ending",
        "uid": "e", "deletionTimestamp": "2024-01-01T00:00:00Z"}, "spec": {}});
    let mut lost = claim("lost", "made", "1Gi");
    lost["status"] = json!({"phase": "Lost"});
    lost["spec"]["volumeName"] = "gone".into();
    let rig = Rig::new(&[
        class("made", "csi.example", "Immediate"),
        claim("unbound", "made", "1Gi"),
        claim("classless", "nowhere", "1Gi"),
        bound(&claim("stray", "made", "1Gi"), "gone"),
        terminating,
        lost,
    ]);
    let refused = |claim: &str, words: &str| {
        let whole = format!("0/2 nodes are available: {words}. not found");
        assert_eq!(rig.ask(&with_claims(&[claim])).1, whole);
    };
    refused("nope", "persistentvolumeclaim \"nope\" not found");
    refused("unbound", "pod has unbound immediate PersistentVolumeClaims");
    refused("classless", "pod has unbound immediate PersistentVolumeClaims");
    refused("stray", "persistentvolume \"gone\" not found");
    refused("ending", "persistentvolumeclaim \"ending\" is being deleted");
    refused(
        "lost",
        "persistentvolumeclaim \"lost\" bound to non-existent persistentvolume \"gone\"",
    );
    let own = pod("p", &json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]));
    assert_eq!(
        rig.ask(&own).1,
        "0/2 nodes are available: waiting for ephemeral volume controller to create the \
         persistentvolumeclaim \"p-v\". not found"
    );
}

#[test]
fn a_claim_made_with_a_pod_is_that_pods_alone() {
    let mut made = bound(&claim("p-v", "made", "1Gi"), "vol");
    made["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p",
        "uid": "p", "controller": true}]);
    let rig = Rig::new(&[class("made", "d", WAITS), volume("vol", "made", "1Gi", Some("b")), made]);
    let volumes = json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    assert_eq!(rig.ask(&pod("p", &volumes)).0, ["b"]);
    let mut other = pod("p", &volumes);
    assert!(other.own().is_some());
    let written = json!({"metadata": {"name": "p", "uid": "another"}, "spec": {
        "containers": [{"name": "c", "image": "i:1"}], "volumes": volumes}});
    if let Object::Pod(it) =
        Compactor::new().pod(serde_json::from_value(written).expect("a pod")).object
    {
        other = PodShape::of(&it);
    }
    assert_eq!(
        rig.ask(&other).1,
        "0/2 nodes are available: PVC default/p-v was not created for pod default/p (pod is not \
         owner). not found"
    );
}

#[test]
fn a_claim_for_one_pod_waits_until_that_pod_makes_room() {
    let mut once = bound(&claim("c", "made", "1Gi"), "vol");
    once["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
    let mut rig = Rig::new(&[class("made", "d", WAITS), volume("vol", "made", "1Gi", None), once]);
    let shape = with_claims(&["c"]);
    assert_eq!(rig.ask(&shape).0, ["a", "b"]);
    rig.place(0, &shape);
    assert!(rig.ask(&shape).1.starts_with(
        "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and \
         ReadWriteOncePod access mode."
    ));
    // Taken away in thought, on whatever node: this is how preemption finds out.
    use crate::control_plane::scheduler::algorithm::framework::{Question, filter, pre_filter};
    let profile = Profile::default();
    let q = Question { profile: &profile, snapshot: &rig.snapshot, pod: &shape };
    let (_, mut state) = pre_filter(q);
    let node = rig.snapshot.node(Rig::node(0)).expect("a node");
    let rejection = filter(q, &state, node).expect("in use");
    assert_eq!(
        (rejection.plugin, rejection.code),
        (Plugin::VolumeRestrictions, Code::Unschedulable)
    );
    state.remove_pod(q, node, &shape);
    assert_eq!(filter(q, &state, node), None);
}

#[test]
fn one_disk_is_mounted_once_unless_all_only_read() {
    let mut rig = Rig::new(&[]);
    let disk = |read_only: bool| {
        let volume =
            json!([{"name": "d", "gcePersistentDisk": {"pdName": "x", "readOnly": read_only}}]);
        pod("p", &volume)
    };
    rig.place(0, &disk(true));
    assert_eq!(rig.ask(&disk(true)).0, ["a", "b"]);
    assert_eq!(rig.ask(&disk(false)).0, ["b"]);
    rig.place(1, &disk(false));
    assert!(rig.ask(&disk(true)).0 == ["a"]);
    assert!(rig.ask(&disk(false)).1.contains("2 node(s) had no available disk"));
}

#[test]
fn a_driver_attaches_so_many_and_one_volume_counts_once() {
    let node = |name: &str, count: i32| {
        json!({"kind": "CSINode", "metadata": {"name": name}, "spec": {"drivers": [
            {"name": "d", "nodeID": name, "allocatable": {"count": count}}]}})
    };
    let mut rig = Rig::new(&[
        node("a", 1),
        node("b", 0),
        class("made", "d", WAITS),
        volume("v", "made", "1Gi", None),
        bound(&claim("c", "made", "1Gi"), "v"),
        claim("new", "made", "1Gi"),
    ]);
    assert_eq!(rig.ask(&with_claims(&["c"])).0, ["a"]);
    rig.place(0, &with_claims(&["c"]));
    assert_eq!(rig.ask(&with_claims(&["c"])).0, ["a"], "attached already");
    // A volume yet to be made counts as one of its class's driver.
    assert!(rig.ask(&with_claims(&["new"])).1.contains("2 node(s) exceed max volume count"));
}

#[test]
fn a_volume_of_a_zone_is_used_there_and_on_nodes_without_zone() {
    let mut zoned = volume("v", "made", "1Gi", None);
    zoned["metadata"]["labels"] = json!({"failure-domain.beta.kubernetes.io/zone": "b__c"});
    let rig = Rig::new(&[class("made", "d", WAITS), zoned, bound(&claim("c", "made", "1Gi"), "v")]);
    let (feasible, _) = rig.ask(&with_claims(&["c"]));
    assert_eq!(feasible, ["b"]);
}
