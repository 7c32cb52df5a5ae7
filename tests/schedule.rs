//! `wavetank schedule` against recorded runs of kube-scheduler 1.36.2: each case goes in as a user
//! would give it, one list of objects, and every attempt and the end are compared with the recording.
//!
//! Small cases lie under `tests/data/scheduler-cases/`; the whole collection is replayed where it is
//! at hand.

mod common {
    pub mod cases;
}

use std::collections::BTreeMap;
use std::path::Path;

use common::cases::read;
use serde_json::{Value, json};
use wavetank::control_plane::scheduler::alone::{
    Alone, Arrival, Detail, Outcome, Settings, Ties, Way,
};
use wavetank::report;
use wavetank::scenario::{FeatureGates, Loader, Overrides};

/// Lists of a case, with what their objects are.
const LISTS: [(&str, &str, &str); 12] = [
    ("namespaces", "v1", "Namespace"),
    ("priority_classes", "scheduling.k8s.io/v1", "PriorityClass"),
    ("storage_classes", "storage.k8s.io/v1", "StorageClass"),
    ("pvs", "v1", "PersistentVolume"),
    ("pvcs", "v1", "PersistentVolumeClaim"),
    ("csi_nodes", "storage.k8s.io/v1", "CSINode"),
    ("services", "v1", "Service"),
    ("replica_sets", "apps/v1", "ReplicaSet"),
    ("stateful_sets", "apps/v1", "StatefulSet"),
    ("replication_controllers", "v1", "ReplicationController"),
    ("pdbs", "policy/v1", "PodDisruptionBudget"),
    ("nodes", "v1", "Node"),
];

/// What is compared of each step, beside its pod.
const FIELDS: [&str; 13] = [
    "attempt",
    "num_nodes",
    "evaluated",
    "nominated_before",
    "feasible",
    "scored",
    "scores",
    "per_plugin",
    "max_set",
    "chosen",
    "absent_nodes",
    "failure_message",
    "failure_reason",
];

/// The objects of a case as one list.
fn list(case: &Value) -> Value {
    let typed = |object: &Value, version: &str, kind: &str| {
        let mut object = object.clone();
        object["apiVersion"] = version.into();
        object["kind"] = kind.into();
        object
    };
    let mut items = Vec::new();
    for (field, version, kind) in LISTS.into_iter().chain([("pods", "v1", "Pod")]) {
        let objects = case[field].as_array().into_iter().flatten();
        items.extend(objects.map(|object| typed(object, version, kind)));
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn schedule(case: &Value, way: Way) -> Result<Outcome, String> {
    let gates = case["feature_gates"].as_object().into_iter().flatten();
    let gates: Vec<String> = gates.map(|(name, on)| format!("{name}={on}")).collect();
    let feature_gates = FeatureGates::parse(&gates.join(",")).expect("gates");
    let overrides = Overrides { feature_gates, ..Overrides::default() };
    let mut loader = Loader::for_placement(overrides);
    if !case["profile"].is_null() {
        loader.read("profile", case["profile"].to_string().as_bytes(), &mut |_| {});
    }
    loader.read("case", list(case).to_string().as_bytes(), &mut |_| {});
    let loaded = loader.finish_placement();
    if loaded.has_errors() {
        let errors = loaded.findings.iter().filter(|it| it.is_error());
        return Err(errors.map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let settings = Settings {
        profiles: loaded.scheduler.profiles,
        backoff: loaded.scheduler.backoff,
        gates: loaded.scheduler.gates,
        way,
        arrival: match case["mode"].as_str() {
            Some("batch") => Arrival::Batch,
            _ => Arrival::Sequential,
        },
        ties: match case["tie_rule"].as_str() {
            Some("smallest-name") => Ties::SmallestName,
            _ => Ties::Real,
        },
        detail: Detail::Scores,
        start: loaded.start,
    };
    let mut alone = Alone::new(loaded.given, settings);
    match case["ops"].as_array() {
        Some(ops) => ops.iter().for_each(|op| operate(&mut alone, op)),
        None => alone.run(),
    }
    Ok(alone.outcome())
}

/// One of a list of operations, in the place of pods that arrive one after the other.
fn operate(alone: &mut Alone, op: &Value) {
    let mut loader = Loader::for_placement(Overrides::default());
    if let Value::Object(_) = op["obj"] {
        let mut object = op["obj"].clone();
        object["apiVersion"] = "v1".into();
        object["kind"] = op["kind"].clone();
        loader.read("op", object.to_string().as_bytes(), &mut |_| {});
    }
    let loaded = loader.finish_placement();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let mut given = loaded.given;
    match (op["op"].as_str(), op["kind"].as_str()) {
        (Some("create"), Some("Pod")) => {
            alone.add(given.pods.remove(0));
        }
        (Some("create" | "update"), Some("Node")) => {
            alone.set_node(given.nodes.remove(0));
        }
        (Some("delete"), Some("Pod")) => {
            let pod = alone.pod_named(op["name"].as_str().expect("a name"));
            alone.remove(pod.expect("a pod"));
        }
        (Some("delete"), Some("Node")) => {
            let node = alone.node_named(op["name"].as_str().expect("a name"));
            alone.remove_node(node.expect("a node"));
        }
        _ => panic!("{op}"),
    }
}

fn rejections(step: &Value) -> BTreeMap<String, String> {
    let mut nodes = BTreeMap::new();
    for group in step["rejected"].as_array().into_iter().flatten() {
        let line = format!("{} {} {}", group["plugin"], group["code"], group["reasons"]);
        for node in group["nodes"].as_array().into_iter().flatten() {
            nodes.insert(node.to_string(), line.clone());
        }
    }
    nodes
}

/// The first thing in which a step differs from its recording.
fn difference(ours: &Value, theirs: &Value) -> Option<String> {
    let title = format!("{} #{}", theirs["pod"], theirs["attempt"]);
    if ours["pod"] != theirs["pod"] {
        return Some(format!("{title}: ours is {} #{}", ours["pod"], ours["attempt"]));
    }
    for field in FIELDS {
        if ours[field] != theirs[field] {
            return Some(format!(
                "{title}: {field}: ours {}, theirs {}",
                ours[field], theirs[field]
            ));
        }
    }
    if rejections(ours) != rejections(theirs) {
        return Some(format!(
            "{title}: rejected: ours {:?}, theirs {:?}",
            rejections(ours),
            rejections(theirs)
        ));
    }
    for field in ["nominated", "victims"] {
        let (ours, theirs) = (&ours["preemption"][field], &theirs["preemption"][field]);
        if ours != theirs {
            return Some(format!("{title}: {field}: ours {ours}, theirs {theirs}"));
        }
    }
    None
}

/// In what a case comes out differently.
fn compare(case: &Value, outcome: &Outcome) -> Option<String> {
    let ours: Value =
        serde_json::from_str(&report::placement::json(outcome).pretty()).expect("JSON");
    let empty = Vec::new();
    let steps = |of: &Value| of["steps"].as_array().unwrap_or(&empty).clone();
    let (mine, theirs) = (steps(&ours), steps(case));
    for (ours, theirs) in mine.iter().zip(&theirs) {
        if let Some(difference) = difference(ours, theirs) {
            return Some(difference);
        }
    }
    if mine.len() != theirs.len() {
        return Some(format!("{} steps, not {}", mine.len(), theirs.len()));
    }
    ["bound", "unschedulable", "gated", "deleted"].into_iter().find_map(|field| {
        let (ours, theirs) = (&ours["final"][field], &case["final"][field]);
        (ours != theirs).then(|| format!("final {field}: ours {ours}, theirs {theirs}"))
    })
}

#[expect(clippy::print_stdout, reason = "a table says how much it held against each other")]
fn replay(folder: &Path) {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (mut equal, mut different) = (0, Vec::new());
    for path in paths.iter().filter(|path| path.to_string_lossy().contains(".json")) {
        let case = read(path);
        let both = [Way::Plain, Way::Fast].map(|way| match schedule(&case, way) {
            Ok(outcome) => compare(&case, &outcome).map(|found| format!("{way:?}: {found}")),
            Err(errors) => Some(errors),
        });
        let found = both.into_iter().flatten().next();
        match found {
            Some(found) => different.push(format!("{}: {found}", case["name"])),
            None => equal += 1,
        }
    }
    println!("{equal} cases equal, {} different", different.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(equal > 0);
}

#[test]
fn small_cases_come_out_alike() {
    replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scheduler-cases"));
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn all_cases_come_out_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/scheduler-cases/cases");
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    replay(&folder);
}
