//! The Cluster Autoscaler's rules: estimates, limits, sizes, what may be removed and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::compact::imported_uid;
use wavetank::api::meta::{Deletion, Labels};
use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::base::id::Id;
use wavetank::control_plane::controllers::cluster_autoscaler::cluster_state::{
    WrongSize, acceptable, wrong_size,
};
use wavetank::control_plane::controllers::cluster_autoscaler::drain::{
    Fate, Scruples, fate, is_long_terminating, is_recreatable,
};
use wavetank::control_plane::controllers::cluster_autoscaler::eligible::Unremovable;
use wavetank::control_plane::controllers::cluster_autoscaler::estimator::{Alike, estimate};
use wavetank::control_plane::controllers::cluster_autoscaler::limits::{self, Limiter, Room};
use wavetank::control_plane::controllers::cluster_autoscaler::planner::{
    Candidate, Gate, Load, Replicas, Sizes, Waits, categorize, not_yet_recreated, removable,
    spared, unneeded_most,
};
use wavetank::control_plane::controllers::cluster_autoscaler::similar::have_equal_labels;
use wavetank::control_plane::controllers::cluster_autoscaler::simulation::{
    Simulation, Template, Wanderer,
};
use wavetank::control_plane::scheduler::algorithm::{PodShape, Profile};
use wavetank::messages::cloud::Sizing;
use wavetank::time::{SimDuration, SimTime};

use super::scheduling::{Cluster, instant, node, pod};
use super::table::{Outcome, run};

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn seconds(value: &Value) -> SimDuration {
    let text = value.as_str().expect("a duration").trim_start_matches('-').trim_end_matches('s');
    SimDuration::from_secs(text.parse().expect("seconds"))
}

/// A node as the estimator's tests make it: memory in MiB, room for so many pods.
fn node_of(millicores: i64, memory: i64, name: &str, zone: &str) -> Value {
    let amounts =
        json!({"cpu": format!("{millicores}m"), "memory": format!("{memory}Mi"), "pods": "10"});
    let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone});
    let ready = json!([{"type": "Ready", "status": "True"}]);
    json!({"metadata": {"name": name, "labels": labels},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": ready}})
}

fn estimated(input: &Value, expected: &Value) -> Outcome {
    let old = node_of(100, 100, "oldnode", "zone-jupiter");
    let mut cluster = Cluster::in_order(&json!([old]));
    let mut asked = BTreeMap::new();
    let mut groups = Vec::new();
    for group in input["podsEquivalenceGroup"].as_array().expect("groups") {
        let written = group["pods"].as_array().expect("pods");
        let shape = PodShape::of(&pod(&written[0]));
        let first = asked.len();
        let pods: Vec<Id<Pod>> = written
            .iter()
            .zip(first..)
            .map(|(one, at)| {
                let id = cluster.pod(&at.to_string());
                asked.insert(id, one["spec"]["containers"][0]["resources"].clone());
                id
            })
            .collect();
        groups.push(Alike { shape, pods });
    }
    let (cpu, memory) = (number(&input["millicores"]), number(&input["memory"]));
    let template = node(&node_of(cpu, memory, "template", "zone-mars"));
    let template = Template { node: template, daemons: Vec::new() };
    let limiter = Limiter::new([number(&input["maxNodes"])]);
    let simulation = Simulation::new(cluster.snapshot.clone(), 1, Arc::new(Profile::default()));
    let ours = estimate(&simulation, &template, &groups, limiter);
    let processed = expected["expectProcessedPods"].as_array().map(|pods| {
        let of = |pod: &Value| pod["spec"]["containers"][0]["resources"].clone();
        pods.iter().map(of).collect::<Vec<_>>()
    });
    let placed: Vec<Value> = ours.pods.iter().map(|id| asked[id].clone()).collect();
    let (nodes, pods) = (&expected["expectNodeCount"], &expected["expectPodCount"]);
    let numbers = (ours.nodes as i64, ours.pods.len() as i64);
    Outcome::same(
        (numbers, processed.is_none_or(|wanted| wanted == placed)),
        ((number(nodes), number(pods)), true),
    )
}

fn room(group: &Value) -> Room {
    Room { most: number(&group["maxNodes"]), now: number(&group["nodesCount"]) }
}

fn similar_room(input: &Value) -> i64 {
    let others = input["nodeGroupsConfig"].as_array().into_iter().flatten();
    limits::of_similar_groups(others.chain([&input["currentNodeGroup"]]).map(room))
}

/// The labels that the table's comparison is made for.
fn compared(input: &Value) -> bool {
    let labels = |field: &str| -> Labels {
        let pairs = input[field].as_object().into_iter().flatten();
        pairs
            .map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or_default().into()))
            .collect()
    };
    let keys = ["node.kubernetes.io/instance-type", "kubernetes.io/arch"].map(Into::into);
    have_equal_labels(&keys, &labels("labels1"), &labels("labels2"))
}

fn names(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// A cluster of the planner's tests, in thought, with the pods of each node.
struct Scene {
    simulation: Simulation,
    nodes: Vec<(String, Id<Node>)>,
    pods: BTreeMap<String, Vec<(Pod, Wanderer)>>,
}

fn scene(input: &Value) -> Scene {
    let mut cluster = Cluster::in_order(&input["nodes"]);
    let mut pods: BTreeMap<String, Vec<(Pod, Wanderer)>> = BTreeMap::new();
    for written in input["pods"].as_array().into_iter().flatten() {
        let one = pod(written);
        let name = written["metadata"]["name"].as_str().expect("a name");
        let at = written["spec"]["nodeName"].as_str().expect("a node");
        let shape = movable(written);
        cluster.place(at, name, &shape);
        let wanderer = Wanderer { pod: cluster.pod(name), shape };
        pods.entry(at.to_owned()).or_default().push((one, wanderer));
    }
    let all = names_of(&input["nodes"]);
    let nodes: Vec<(String, Id<Node>)> =
        all.into_iter().map(|name| (name.clone(), cluster.id(&name))).collect();
    let slots = nodes.len();
    let simulation = Simulation::new(cluster.snapshot, slots, Arc::new(Profile::default()));
    Scene { simulation, nodes, pods }
}

/// The shape of a pod whose manifest names a node because it is there, not because it must be.
fn movable(written: &Value) -> PodShape {
    let mut free = written.clone();
    if let Some(spec) = free["spec"].as_object_mut() {
        spec.remove("nodeName");
    }
    PodShape::of(&pod(&free))
}

fn names_of(nodes: &Value) -> Vec<String> {
    let all = nodes.as_array().into_iter().flatten();
    all.map(|node| node["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// No budgets.
struct Open;

impl Gate for Open {
    fn check(&self, _: &[Wanderer]) -> Result<(), Unremovable> {
        Ok(())
    }

    fn take(&mut self, _: &[Wanderer]) {}
}

fn planned(input: &Value, expected: &Value) -> Outcome {
    let Scene { mut simulation, nodes, pods } = scene(input);
    let evicted = input["actuationStatus"]["recentEvictions"].as_array().into_iter().flatten();
    let evicted = evicted.filter(|written| is_recreatable(&pod(written))).map(|written| {
        let owner = pod(written).meta.owner.map(|owner| owner.uid);
        (movable(written), owner)
    });
    let replicas = |uid| {
        let mut sets = input["replicasSets"].as_array().into_iter().flatten();
        let set = sets
            .find(|set| imported_uid(set["metadata"]["uid"].as_str().unwrap_or_default()) == uid)?;
        let count = |part: &str| set[part]["replicas"].as_i64().unwrap_or(0) as i32;
        Some(Replicas { wanted: count("spec"), present: count("status") })
    };
    for shape in not_yet_recreated(evicted.collect(), replicas) {
        let pod = simulation.imagined_pod();
        let _found = simulation.place_anywhere(&Wanderer { pod, shape }, |_| true);
    }
    let eligible = names(&input["eligible"]);
    let chosen = nodes.iter().filter(|(name, _)| eligible.contains(name));
    let candidates = chosen.map(|(name, node)| {
        let mut staying = BTreeSet::new();
        let mut held = None;
        for (one, wanderer) in pods.get(name).into_iter().flatten() {
            match fate(one, false, Scruples::default(), SimTime::ZERO) {
                Fate::Moves => {}
                Fate::Holds(_) => held = Some(Unremovable::BlockedByPod),
                Fate::GoesAlong | Fate::Ignored => {
                    staying.insert(wanderer.pod);
                }
            }
        }
        Candidate { node: *node, staying: held.map_or(Ok(staying), Err), sizing: Sizing::Single }
    });
    let candidates: Vec<Candidate> = candidates.collect();
    let mut destinations: BTreeSet<Id<Node>> = nodes.iter().map(|(_, id)| *id).collect();
    let found = categorize(&mut simulation, candidates, &mut destinations, usize::MAX, &mut Open);
    let unneeded: BTreeSet<&str> = nodes
        .iter()
        .filter(|(_, id)| found.unneeded.iter().any(|(node, _)| node == id))
        .map(|(name, _)| name.as_str())
        .collect();
    let wanted = names(&expected["wantUnneeded"]);
    let rest = nodes.iter().map(|(name, _)| name.as_str()).filter(|name| !unneeded.contains(name));
    let left = names(&expected["wantUnremovable"]);
    let rest: BTreeSet<&str> = rest.collect();
    Outcome::same(
        (unneeded, rest),
        (wanted.iter().map(String::as_str).collect(), left.iter().map(String::as_str).collect()),
    )
}

fn limited(input: &Value, expected: &Value) -> Outcome {
    let sizing = match input["opts"]["zeroOrMaxNodeScaling"].as_bool() {
        Some(true) => Sizing::ZeroOrMax,
        _ => Sizing::Single,
    };
    let count = number(&input["nodes"]) as u32;
    let candidates = (0..count)
        .map(|slot| Candidate {
            node: Id::from_parts(slot, 0),
            staying: Ok(BTreeSet::new()),
            sizing,
        })
        .collect();
    let before = number(&input["previouslyUnneeded"]) as usize;
    let parallel = number(&input["maxParallelism"]) as usize;
    let (wait, interval) = (seconds(&input["maxUnneededTime"]), seconds(&input["updateInterval"]));
    let most = unneeded_most(before, parallel, wait, interval);
    let cluster = Cluster::in_order(&json!([]));
    let mut simulation = Simulation::new(cluster.snapshot, 0, Arc::new(Profile::default()));
    let found = categorize(&mut simulation, candidates, &mut BTreeSet::new(), most, &mut Open);
    Outcome::same(found.unneeded.len() as i64, number(&expected["wantUnneeded"]))
}

fn removed(input: &Value, expected: &Value) -> Outcome {
    let count = |field: &str| number(&input[field]);
    let nodes = std::iter::repeat_n(((), Load::Drain), count("numDrain") as usize)
        .chain(std::iter::repeat_n(((), Load::Empty), count("numEmpty") as usize));
    let mut spare = count("targetSize") - count("numOngoingDeletions") - count("minSize");
    let going = spared(nodes.collect(), |()| {
        spare -= 1;
        spare >= 0
    });
    let of = |load| going.iter().filter(|(_, it)| *it == load).count() as i64;
    Outcome::same(
        (of(Load::Empty), of(Load::Drain)),
        (number(&expected["numEmptyToRemove"]), number(&expected["numDrainToRemove"])),
    )
}

fn reason(input: &Value, expected: &Value) -> Outcome {
    let (of_node, of_group) = (&input["nodeConfig"], &input["groupConfig"]);
    let disabled = of_node["hasScaleDownDisabledAnnotation"].as_bool() == Some(true);
    let key = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
    let annotations = if disabled { json!({key: "true"}) } else { json!({}) };
    let status = if of_node["isReady"].as_bool() == Some(true) { "True" } else { "False" };
    let node = node(&json!({
        "metadata": {"name": "n", "annotations": annotations},
        "status": {"conditions": [{"type": "Ready", "status": status}]}}));
    let now = SimTime::from_secs(10_000);
    let since = SimTime::from_secs(10_000 - seconds(&of_node["sinceOffset"]).as_secs());
    let waits = Waits {
        unneeded: seconds(&input["thresholds"]["unneeded"]),
        unready: seconds(&input["thresholds"]["unready"]),
    };
    let size = |field: &str| number(&of_group[field]) as u32;
    let sizes = (of_group["isConfigured"].as_bool() == Some(true))
        .then(|| Sizes { min: size("minSize"), now: size("targetSize") });
    let ours = removable(&node, since, now, waits, sizes).err().map_or(0, |why| why as i64);
    Outcome::same(ours, number(&expected["expectedReason"]))
}

fn count(list: &Value) -> i64 {
    list.as_array().map_or(0, |list| list.len() as i64)
}

fn ranges(input: &Value, expected: &Value) -> Outcome {
    let mut ours = BTreeMap::new();
    for (group, target) in input["targetSizes"].as_object().expect("groups") {
        let long = count(&input["readiness"][group]["longUnregistered"]);
        let adding = input["scaleUpRequests"][group]["increase"].as_i64().unwrap_or(0);
        let removing = input["scaledDownGroups"].as_array().into_iter().flatten();
        let removing = removing.filter(|one| *one == group).count() as i64;
        let range = acceptable(number(target), long, adding, removing);
        let range =
            json!({"minNodes": range.min, "maxNodes": range.max, "currentTarget": range.target});
        ours.insert(group.clone(), range);
    }
    Outcome::same(json!(ours), expected["wantAcceptableRanges"].clone())
}

fn wrong_sizes(input: &Value, expected: &Value) -> Outcome {
    let now = instant("now");
    let read = |written: &Value| {
        Some(WrongSize {
            expected: written["expectedSize"].as_i64()?,
            current: number(&written["currentSize"]),
            since: instant(written["firstObserved"].as_str()?),
        })
    };
    let (mut ours, mut wanted) = (BTreeMap::new(), BTreeMap::new());
    for (group, range) in input["acceptableRanges"].as_object().expect("groups") {
        let of = &input["readiness"][group];
        let unregistered = count(&of["unregistered"]) + count(&of["longUnregistered"]);
        let before = read(&input["incorrectSizes"][group]);
        let target = number(&range["currentTarget"]);
        let found = wrong_size(target, count(&of["registered"]), unregistered, before, now);
        ours.insert(group, found);
        wanted.insert(group, read(&expected["wantIncorrectSizes"][group]));
    }
    Outcome::same(ours, wanted)
}

fn long_terminating(input: &Value) -> bool {
    let written = &input["pod"];
    let mut one = pod(&json!({"spec": written["spec"]}));
    if let Some(at) = written["metadata"]["deletionTimestamp"].as_str() {
        one.meta.deletion = Some(Deletion { at: instant(at), grace_seconds: 0 });
    }
    is_long_terminating(&one, instant("2020-12-18T17:00:00Z"))
}

#[test]
pub fn cluster_autoscaler() {
    let data = include_str!("../data/vectors/cluster_autoscaler.json");
    run("cluster autoscaler", data, |function, _, input, expected| {
        let of = |field: &str| number(&input[field]);
        Some(match function {
            "TestBinpackingEstimate" => estimated(input, expected),
            "TestNewClusterCapacityThreshold" => Outcome::same(
                limits::of_cluster(of("contextMaxNodes"), of("contextCurrentNodes")),
                number(&expected["wantThreshold"]),
            ),
            "TestSngCapacityThreshold" => {
                Outcome::same(similar_room(input), number(&expected["wantThreshold"]))
            }
            "TestMinLimit" => Outcome::same(
                limits::smaller(of("baseLimit"), of("targetLimit")),
                number(&expected["want"]),
            ),
            "TestNodeLabelComparison" => {
                Outcome::same(Some(compared(input)), expected["isSimilar"].as_bool())
            }
            "TestUpdateClusterState" if input["isSimulationTimeout"] == true => {
                Outcome::Excluded("a scan takes no time that a wall clock could limit")
            }
            "TestUpdateClusterState" => planned(input, expected),
            "TestUpdateClusterStatUnneededNodesLimit" => limited(input, expected),
            "TestRemovableAt" => removed(input, expected),
            "TestRemovableAt_UnremovableReasons" if input["shouldTimeGetterError"] == true => {
                Outcome::Excluded("settings of a group are at hand and cannot fail to be read")
            }
            "TestRemovableAt_UnremovableReasons" => reason(input, expected),
            "TestUpdateAcceptableRanges" => ranges(input, expected),
            "TestUpdateIncorrectNodeGroupSizes" => wrong_sizes(input, expected),
            "TestIsPodLongTerminating" => {
                Outcome::same(Some(long_terminating(input)), expected["want"].as_bool())
            }
            _ => return None,
        })
    });
}
