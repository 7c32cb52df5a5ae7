//! Zones of silent nodes, what a silent node's conditions and pods become, and its taints.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::compact::reconcile;
use wavetank::api::node::{Node, Posted, Tristate};
use wavetank::api::object::Object;
use wavetank::api::pod::PodCondition;
use wavetank::base::Id;
use wavetank::control_plane::controllers::Settings;
use wavetank::control_plane::controllers::node_lifecycle::{self, taints, zones};
use wavetank::kernel::NO_CAUSE;
use wavetank::messages::{Call, Heartbeats, Part};
use wavetank::store::Store;
use wavetank::time::{SimDuration, SimTime};

use super::objects::{self, instant, list, text};
use super::rig::Rig;
use super::suite::{Outcome, run, same};
use super::taint_eviction;

fn ready(status: &Value) -> Tristate {
    condition(status, "Ready")
}

fn condition(status: &Value, name: &str) -> Tristate {
    let conditions = list(&status["conditions"]);
    let one = conditions.iter().find(|one| one["type"] == name);
    match one.map(|one| text(&one["status"])) {
        Some("True") => Tristate::True,
        Some("False") => Tristate::False,
        _ => Tristate::Unknown,
    }
}

fn node(value: &Value) -> Node {
    let mut node = taint_eviction::node("", [].into());
    node.meta = objects::meta(&value["metadata"]);
    let status = &value["status"];
    node.conditions.ready = ready(status);
    node.conditions.network_unavailable = condition(status, "NetworkUnavailable");
    if !list(&status["conditions"]).iter().any(|one| one["type"] == "Ready") {
        node.conditions.posted = Posted::Never;
    }
    node
}

/// The state of each zone, named as the table names it.
fn states(nodes: &[Node], statuses: &[Value]) -> BTreeMap<String, &'static str> {
    let mut conditions: BTreeMap<zones::ZoneKey, Vec<Tristate>> = BTreeMap::new();
    for (node, status) in nodes.iter().zip(statuses) {
        if !zones::is_excluded(node) {
            conditions.entry(zones::key(node)).or_default().push(ready(status));
        }
    }
    let percent = zones::Settings::default().unhealthy_percent;
    let named = conditions.iter().map(|((region, zone), all)| {
        let key = match (&**region, &**zone) {
            ("", "") => String::new(),
            (region, zone) => format!("{region}:\0:{zone}"),
        };
        let state = match zones::judge(all, percent) {
            zones::State::Initial => "Initial",
            zones::State::Normal => "Normal",
            zones::State::Partial => "PartialDisruption",
            zones::State::Full => "FullDisruption",
        };
        (key, state)
    });
    named.collect()
}

fn zone_states(input: &Value, expected: &Value) -> Outcome {
    let given = list(&input["nodeList"]);
    let nodes: Vec<Node> = given.iter().map(node).collect();
    let before: Vec<Value> = given.iter().map(|one| one["status"].clone()).collect();
    let ours = [states(&nodes, &before), states(&nodes, list(&input["updatedNodeStatuses"]))];
    let theirs = ["expectedInitialStates", "expectedFollowingStates"].map(|field| {
        let all = expected[field].as_object().into_iter().flatten();
        all.map(|(key, state)| (key.clone(), text(state).to_owned())).collect::<BTreeMap<_, _>>()
    });
    let ours = ours.map(|one| one.into_iter().map(|(key, it)| (key, it.to_owned())).collect());
    same(ours, theirs)
}

/// Signs of life at these instants.
struct Heard(Vec<SimTime>);

impl Heartbeats for Heard {
    fn last_heard(&self, _node: Id<Node>, at: SimTime) -> Option<SimTime> {
        self.0.iter().copied().filter(|heard| *heard <= at).max()
    }

    fn silent(&self) -> &[Id<Node>] {
        &[]
    }

    fn changes(&self) -> u64 {
        0
    }

    fn silenced_by(&self, _: Id<Node>) -> u64 {
        NO_CAUSE
    }
}

fn heartbeats(status: &Value, lease: &Value) -> impl Iterator<Item = SimTime> {
    let posts = list(&status["conditions"]).iter().map(|one| &one["lastHeartbeatTime"]);
    let all: Vec<&Value> = posts.chain([&lease["spec"]["renewTime"]]).collect();
    all.into_iter().filter_map(instant).collect::<Vec<_>>().into_iter()
}

/// One pass, or two with `timeToPass` in between; a ready pod runs on the node.
fn passes(input: &Value, expected: &Value) -> Outcome {
    let given = &input["fakeNodeHandler"]["existing"][0];
    let start = instant(&"2015-01-01T12:00:00Z".into()).expect("an instant");
    let mut store = Store::default();
    let of = store.create(start, node(given));
    let mut pod = objects::pod(&serde_json::json!({"metadata": {"name": "pod0"}}));
    pod.node = Some(of);
    pod.status.set(PodCondition::Ready, true, start);
    store.create(start, pod);
    let nodes = node_lifecycle::Settings {
        grace: SimDuration::from_secs(40),
        startup_grace: SimDuration::from_secs(60),
        ..node_lifecycle::Settings::default()
    };
    let settings = Settings { nodes, ..Settings::default() };
    let heard = heartbeats(&given["status"], &input["lease"])
        .chain(heartbeats(&input["newNodeStatus"], &input["newLease"]));
    let heard = Heard(heard.collect());
    let mut rig = Rig::new(store, start, settings, Box::new(|_| Ok(())));
    rig.node_pass(&heard);
    let pass: u64 = text(&input["timeToPass"]).trim_end_matches('s').parse().unwrap_or(0);
    if pass > 0 {
        rig.run(SimDuration::from_secs(pass));
        rig.node_pass(&heard);
    }
    let is_unknown = rig.calls.iter().any(|(_, call)| {
        matches!(call, Call::Update { object: Object::Node(node), part: Part::Status, .. }
            if node.conditions.ready == Tristate::Unknown)
    });
    let is_pod_told = rig.calls.iter().any(|(_, call)| {
        matches!(call, Call::Update { object: Object::Pod(pod), .. } if !pod.is_ready())
    });
    let theirs = list(&expected["expectedNodes"]).first();
    let theirs = match theirs {
        Some(node) => list(&node["status"]["conditions"])
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "Unknown"),
        None => expected["expectedPodStatusUpdate"] == true,
    };
    same((is_unknown, is_pod_told), (theirs, expected["expectedPodStatusUpdate"] == true))
}

fn no_schedule(input: &Value, expected: &Value) -> Outcome {
    let (added, removed) = taints::no_schedule(&node(&input["node"]));
    let ours: Vec<String> = added.iter().map(|one| one.key.to_string()).collect();
    let key = |one: &Value| text(&one["key"]).to_owned();
    let theirs: Vec<String> = list(&expected["expectedTaints"]).iter().map(key).collect();
    same((ours, removed.len()), (theirs, 0))
}

/// The old names of labels, kept beside the new ones.
fn old_labels(input: &Value, expected: &Value) -> Outcome {
    let old = |labels: &Value| -> BTreeMap<String, String> {
        let all = labels.as_object().into_iter().flatten();
        let old = all.filter(|(key, _)| key.starts_with("beta."));
        old.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
    };
    let mut labels = (*objects::labels(&input["node"]["metadata"]["labels"])).clone();
    reconcile(&mut labels);
    let ours = labels.iter().filter(|(key, _)| key.starts_with("beta."));
    let ours = ours.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    same(old(&expected["expectedLabels"]), ours)
}

#[test]
pub fn node_lifecycle() {
    let data = include_str!("../data/vectors/node_lifecycle.json");
    let tally = run("node lifecycle", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestMonitorNodeHealth" => zone_states(input, expected),
            "TestMonitorNodeHealthUpdateStatus"
            | "TestMonitorNodeHealthUpdateNodeAndPodStatusWithLease"
            | "TestMonitorNodeHealthMarkPodsNotReady" => passes(input, expected),
            "TestTaintsNodeByCondition" => no_schedule(input, expected),
            "Test_isNodeExcludedFromDisruptionChecks" => {
                same(zones::is_excluded(&node(&input["input"])), expected["want"] == true)
            }
            "TestReconcileNodeLabels" => old_labels(input, expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 35);
}
