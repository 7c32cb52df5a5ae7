//! DaemonSets: which nodes run a pod, the bounds of a rollout, which pods are up to date, failed pods.

use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::compact::derived::NodeSpecs;
use wavetank::api::daemon_set::DaemonSet;
use wavetank::api::meta::Meta;
use wavetank::api::name::Name;
use wavetank::api::node::{Node, TAINT_UNSCHEDULABLE};
use wavetank::api::object::Object;
use wavetank::api::pod::{Phase, Pod, PodStatus};
use wavetank::api::rules::taints::{Effect, Taint};
use wavetank::base::Id;
use wavetank::control_plane::controllers::daemon_set::manage::{Failed, manage};
use wavetank::control_plane::controllers::daemon_set::nodes::{
    Bounds, Held, Place, Scene, bounds, is_updated,
};
use wavetank::control_plane::controllers::daemon_set::placement::{Fit, fit, matters, tolerations};

use super::objects::{self, NOW, int, labels, list, text};
use super::suite::{Outcome, run, same};
use super::taint_eviction::node;

fn set(value: &Value) -> DaemonSet {
    let mut value = value.clone();
    // The tables leave out what the API server fills in.
    if value["metadata"].is_null() {
        value["metadata"] = json!({"name": "x"});
    }
    let containers = &mut value["spec"]["template"]["spec"]["containers"];
    for container in containers.as_array_mut().into_iter().flatten() {
        container["name"] = json!("c");
        if let Some(ports) = container["ports"].as_array_mut() {
            ports.iter_mut().for_each(|port| port["containerPort"] = json!(1));
        } else if let Some(fields) = container.as_object_mut() {
            fields.remove("ports");
        }
    }
    if containers.is_null() {
        *containers = json!([]);
    }
    let written = serde_json::from_value(value).expect("a DaemonSet");
    match Compactor::new().daemon_set(written).object {
        Object::DaemonSet(set) => *set,
        other => panic!("a DaemonSet became a {}", other.kind()),
    }
}

/// The table's node is called `test-node` and has the labels of `simpleDaemonSetLabel`.
fn placed(input: &Value, expected: &Value) -> Outcome {
    let set = set(&input["ds"]);
    let mut node = node("test-node", Arc::from([]));
    node.meta.labels = labels(&json!({"name": "simple-daemon", "type": "production"}));
    if input["nodeUnschedulable"] == true {
        node.taints = Arc::from([Taint::new(TAINT_UNSCHEDULABLE, "", Effect::NoSchedule)]);
    }
    let template = &set.template.spec;
    // An empty nodeName is none.
    let mut template = wavetank::api::pod::PodSpec::clone(template);
    template.node_name = template.node_name.filter(|name| !name.is_empty());
    let specs = NodeSpecs::new(&template, &tolerations(&template));
    let fit = fit(&template, &specs.spec().tolerations, &node);
    same(
        (fit == Fit::Runs, fit != Fit::Never),
        (expected["shouldRun"] == true, expected["shouldContinueRunning"] == true),
    )
}

/// The test behind the table makes two nodes, three where one of the pods is on its way out, and
/// none in the case that says so; a node without pod that stays is what it calls empty.
fn unavailable(title: &str, input: &Value, expected: &Value) -> Outcome {
    let set = set(&input["ds"]);
    let count = match title {
        "No nodes" => 0,
        _ if title.ends_with("pod terminating") => 3,
        _ => 2,
    };
    let specs = NodeSpecs::new(&set.template.spec, &tolerations(&set.template.spec));
    let names = (0..count).map(|at| format!("node-{at}"));
    let (mut desired, mut empty) = (0, 0);
    for name in names {
        let node = node(&name, Arc::from([]));
        desired +=
            i32::from(fit(&set.template.spec, &specs.spec().tolerations, &node) == Fit::Runs);
        empty += i64::from(list(&input["nodeToPods"][&name]).is_empty());
    }
    let Bounds { max_unavailable, max_surge } = bounds(set.update, desired);
    same(
        [max_surge, max_unavailable, desired].map(i64::from),
        ["maxSurge", "maxUnavailable", "desiredNumberScheduled"].map(|it| int(&expected[it])),
    )
    .and(same(empty, int(&expected["emptyNodes"])))
}

/// One outcome out of two.
trait And {
    fn and(self, other: Outcome) -> Outcome;
}

impl And for Outcome {
    fn and(self, other: Outcome) -> Outcome {
        if matches!(self, Outcome::Equal) { other } else { self }
    }
}

fn updated(input: &Value, expected: &Value) -> Outcome {
    let pod = objects::pod(&input["pod"]);
    let ours = is_updated(&pod, text(&input["hash"]), int(&input["templateGeneration"]));
    same(ours, expected["isUpdated"] == true)
}

fn affinity(input: &Value, expected: &Value) -> Outcome {
    let mut spec = json!({"containers": []});
    if !input["affinity"].is_null() {
        spec["affinity"] = input["affinity"].clone();
    }
    let ours = NodeSpecs::new(&objects::pod_spec(&spec), &[]).on(text(&input["hostname"]));
    let mut wanted = json!({"containers": []});
    wanted["affinity"] = expected["expected"].clone();
    let theirs = objects::pod_spec(&wanted);
    same(&ours.node_affinity, &theirs.node_affinity).and(same(&ours.written, &theirs.written))
}

fn pods(input: &Value) -> Vec<Pod> {
    let many = |field: &str, phase| (0..int(&input[field])).map(move |at| (at, phase));
    let all = many("numFailedPods", Phase::Failed).chain(many("numNormalPods", Phase::Pending));
    let pod = |(at, phase): (i64, Phase)| {
        let meta = Meta::new("default".into(), Name::new(format!("{phase:?}-{at}")));
        let status = PodStatus { phase, ..PodStatus::default() };
        Pod { meta, spec: Arc::default(), node: None, status }
    };
    all.map(pod).collect()
}

fn failed(input: &Value, expected: &Value) -> Outcome {
    let set = set(&json!({"spec": {"selector": {}, "template": {}}}));
    let pods = pods(input);
    let ids = (0..).map(|slot| Id::from_parts(slot, 0));
    let held: Vec<Held<'_>> = ids.zip(&pods).collect();
    let node: Id<Node> = Id::from_parts(0, 0);
    let place = Place { node: Some(node), fit: Fit::Runs, pods: held };
    let scene = Scene { set: &set, hash: "", places: vec![place], now: NOW };
    let changes = manage(&scene, &mut |_, _| Failed::Goes);
    same(
        [changes.create.len(), changes.delete.len(), changes.ended.len()],
        ["expectedCreates", "expectedDeletes", "expectedEvents"]
            .map(|it| int(&expected[it]) as usize),
    )
}

fn ignored(input: &Value, expected: &Value) -> Outcome {
    let read = |value: &Value| {
        let taint =
            |one: &Value| Taint::new(text(&one["key"]), text(&one["value"]), Effect::NoSchedule);
        let taints = list(&value["spec"]["taints"]).iter().map(taint).collect();
        let mut node = node("node1", taints);
        node.meta.labels = labels(&value["metadata"]["labels"]);
        node
    };
    let ours = !matters(&read(&input["oldNode"]), &read(&input["newNode"]));
    same(ours, expected["expectedResult"] == true)
}

#[test]
pub fn daemonset_json() {
    let tally =
        run("daemonset.json", include_str!("../data/vectors/daemonset.json"), |function, case| {
            let (input, expected) = (&case["input"], &case["expected"]);
            match function {
                "TestNodeShouldRunDaemonPod" => placed(input, expected),
                "TestGetUnavailableNumbers" => unavailable(text(&case["name"]), input, expected),
                "TestIsPodUpdated" => updated(input, expected),
                "TestReplaceDaemonSetPodNodeNameNodeAffinity" => affinity(input, expected),
                "TestDaemonKillFailedPods" => failed(input, expected),
                "TestShouldIgnoreNodeUpdate" => ignored(input, expected),
                other => Outcome::Different(format!("no question for {other}")),
            }
        });
    assert_eq!(tally.equal, 44);
}
