//! Whose pods make room for whom (`plugins/defaultpreemption`, `framework/preemption`).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::control_plane::scheduler::algorithm::diagnosis::{Diagnosis, MadeRoom};
use wavetank::control_plane::scheduler::algorithm::framework::{self, Code};
use wavetank::control_plane::scheduler::algorithm::preemption::{
    Candidate, Tour, choose, dry_run, earliest_start, enough, ineligible, more_important_first,
    post_filter, split_by_budgets,
};
use wavetank::control_plane::scheduler::algorithm::profile::{Candidates, Profile};
use wavetank::control_plane::scheduler::algorithm::{
    NodeInfo, Plugin, PodShape, Question, Rejection, Resident, Standing,
};
use wavetank::time::SimTime;

use super::scheduling::{self, Cluster, budget, instant};
use super::table::{Outcome, run};

/// Where the table's own dice let each cycle's dry run begin.
const OFFSETS: [usize; 3] = [4, 1, 3];

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn name(written: &Value) -> &str {
    written["metadata"]["name"].as_str().expect("a name")
}

/// The shape of a pod whose times are no times: what of it does not belong to the shape is left out.
fn shape(written: &Value) -> PodShape {
    let mut written = written.clone();
    for (part, field) in [("metadata", "deletionTimestamp"), ("", "status")] {
        let part = if part.is_empty() { &mut written } else { &mut written[part] };
        if let Some(fields) = part.as_object_mut() {
            fields.remove(field);
        }
    }
    scheduling::shape(&written)
}

fn start(written: &Value) -> Option<SimTime> {
    written["status"]["startTime"].as_str().map(instant)
}

/// The table's nodes of 500m CPU and 500 bytes, labelled as their names say.
fn nodes(input: &Value) -> Value {
    let node = |name: &Value| {
        let mut parts = name.as_str().expect("a name").split('/');
        let host = parts.next().unwrap_or_default();
        let mut labels = json!({ "hostname": host });
        for (key, value) in ["zone", "region"].iter().zip(parts) {
            labels[*key] = value.into();
        }
        let amounts = json!({"cpu": "500m", "memory": "500", "pods": "32"});
        json!({
            "metadata": {"name": host, "labels": labels},
            "status": {"capacity": amounts, "allocatable": amounts},
        })
    };
    Value::Array(list(&input["nodeNames"]).map(node).collect())
}

fn settle(mut cluster: Cluster, pods: &Value, budgets: &Value) -> Cluster {
    for pod in list(pods) {
        let node = pod["spec"]["nodeName"].as_str().expect("a node");
        cluster.place_since(node, name(pod), &shape(pod), start(pod));
    }
    set_budgets(&mut cluster, budgets);
    cluster.snapshot.settle();
    cluster
}

fn set_budgets(cluster: &mut Cluster, budgets: &Value) {
    for (number, written) in list(budgets).enumerate() {
        let disrupted = written["status"]["disruptedPods"].as_object().into_iter().flatten();
        let disrupted = disrupted.map(|(pod, _)| cluster.pod(pod)).collect();
        let namespace = written["metadata"]["namespace"].as_str().unwrap_or("default").into();
        let name = format!("budget-{number}").into();
        let budget = Some(budget(written, disrupted));
        cluster.snapshot.surroundings_mut().set_budget(&namespace, &name, budget);
    }
}

fn profile(input: &Value) -> Profile {
    let mut profile = Profile::default();
    if input["args"].is_object() {
        let number = |field: &str| input["args"][field].as_i64().expect("a number") as i32;
        profile.candidates = Candidates {
            percentage: number("minCandidateNodesPercentage"),
            absolute: number("minCandidateNodesAbsolute"),
        };
    }
    profile
}

fn tried(cluster: &Cluster, pod: &Value, profile: &Profile, offset: usize) -> Vec<Arc<Candidate>> {
    let shape = shape(pod);
    let q = Question { profile, snapshot: &cluster.snapshot, pod: &shape };
    let (_, state) = framework::pre_filter(q);
    let mut nodes: Vec<&NodeInfo> = cluster.snapshot.nodes().collect();
    let wanted = enough(profile.candidates, nodes.len());
    let count = nodes.len();
    nodes.rotate_left(offset % count);
    dry_run(q, &state, &nodes, wanted).0
}

fn dry_runs(input: &Value, expected: &Value) -> Outcome {
    let cluster = Cluster::in_order(&nodes(input));
    let cluster = settle(cluster, &input["initPods"], &input["pdbs"]);
    let profile = profile(input);
    let told = |candidate: &Arc<Candidate>| {
        let victims = candidate.victims.iter().map(|pod| cluster.key(pod.pod).to_owned());
        let victims: BTreeSet<String> = victims.collect();
        (cluster.name(candidate.node), victims, i64::from(candidate.violations))
    };
    let mut ours = Vec::new();
    for (pod, offset) in list(&input["testPods"]).zip(OFFSETS) {
        let of_cycle: BTreeSet<_> =
            tried(&cluster, pod, &profile, offset).iter().map(told).collect();
        ours.push(of_cycle);
    }
    let theirs: Vec<BTreeSet<_>> = list(&expected["expected"])
        .map(|cycle| {
            let of_cycle = list(cycle).map(|candidate| {
                let victims = &candidate["victims"];
                let names = list(&victims["pods"]).map(|pod| name(pod).to_owned());
                let violations = victims["numPDBViolations"].as_i64().unwrap_or(0);
                let node = candidate["name"].as_str().expect("a name").to_owned();
                (node, names.collect(), violations)
            });
            of_cycle.collect()
        })
        .collect();
    Outcome::same(ours, theirs)
}

fn best(input: &Value, expected: &Value) -> Outcome {
    let cluster = settle(Cluster::in_order(&nodes(input)), &input["pods"], &Value::Null);
    let candidates = tried(&cluster, &input["pod"], &Profile::default(), 0);
    let tied = choose(&candidates).map(|(_, tied)| tied).unwrap_or_default();
    let ours: BTreeSet<String> = tied.into_iter().map(|id| cluster.name(id)).collect();
    let theirs = list(&expected["expected"]).filter_map(Value::as_str).map(str::to_owned);
    Outcome::same(ours, theirs.collect())
}

fn code(number: &Value) -> Code {
    match number.as_i64() {
        Some(3) => Code::UnschedulableAndUnresolvable,
        _ => Code::Unschedulable,
    }
}

fn eligible(input: &Value, expected: &Value) -> Outcome {
    let node = |name: &Value| json!({"metadata": {"name": name}});
    let nodes = Value::Array(list(&input["nodes"]).map(node).collect());
    let mut cluster = Cluster::in_order(&nodes);
    for pod in list(&input["pods"]) {
        let condition = &pod["status"]["conditions"][0];
        let standing = match condition["reason"].as_str() {
            Some("PreemptionByScheduler") => Standing::Preempted,
            _ => Standing::Leaving,
        };
        let (id, node) = (cluster.pod(name(pod)), pod["spec"]["nodeName"].as_str());
        let node = cluster.id(node.expect("a node"));
        let resident = Resident { pod: id, shape: shape(pod), start: None, standing };
        cluster.snapshot.add_pod(node, resident);
    }
    cluster.snapshot.settle();
    let (pod, profile) = (shape(&input["pod"]), Profile::default());
    let q = Question { profile: &profile, snapshot: &cluster.snapshot, pod: &pod };
    let nominated = input["pod"]["status"]["nominatedNodeName"].as_str();
    let nominated = nominated.map(|name| cluster.id(name));
    let code = code(&input["nominatedNodeStatus"]["code"]);
    let rejected = nominated.map(|id| (id, Rejection::of(Plugin::TaintToleration, code)));
    let diagnosis = Diagnosis { rejected: rejected.into_iter().collect(), ..Diagnosis::default() };
    let ours = ineligible(q, &diagnosis, nominated).is_none();
    Outcome::same(ours, expected["expected"] == true)
}

fn split(input: &Value, expected: &Value) -> Outcome {
    let is_group = |victim: &Value| list(&victim["pods"]).count() > 1;
    if list(&input["victims"]).any(is_group) {
        return Outcome::Excluded("groups of pods: an alpha feature, off by default");
    }
    let mut cluster = Cluster::default();
    set_budgets(&mut cluster, &input["pdbs"]);
    let mut pods = Vec::new();
    for victim in list(&input["victims"]) {
        let written = &victim["pods"][0]["pod"];
        let (pod, standing) = (cluster.pod(name(written)), Standing::Staying);
        pods.push(Resident { pod, shape: shape(written), start: None, standing });
    }
    let (violating, others) = split_by_budgets(pods, cluster.snapshot.surroundings());
    let ours = |pods: &[Resident]| -> Vec<String> {
        pods.iter().map(|pod| cluster.key(pod.pod).to_owned()).collect()
    };
    let theirs = |victims: &Value| -> Vec<String> {
        list(victims).map(|victim| name(&victim["pods"][0]["pod"]).to_owned()).collect()
    };
    Outcome::same(
        (ours(&violating), ours(&others)),
        (theirs(&expected["expectedViolating"]), theirs(&expected["expectedNonViolating"])),
    )
}

fn post_filters(title: &str, input: &Value, expected: &Value) -> Outcome {
    if title.contains("TestPlugin") {
        return Outcome::Excluded("a plugin made up for the test");
    }
    let reasons = expected["wantStatus"]["reasons"].to_string();
    if reasons.contains("pod group") || reasons.contains("workload aware") {
        return Outcome::Excluded("groups of pods: an alpha feature, off by default");
    }
    let cluster = settle(Cluster::in_order(&input["nodes"]), &input["pods"], &input["pdbs"]);
    let (pod, profile) = (shape(&input["pod"]), Profile::default());
    let q = Question { profile: &profile, snapshot: &cluster.snapshot, pod: &pod };
    let statuses = input["filteredNodesStatuses"]["nodeToStatus"].as_object();
    let rejected = statuses.into_iter().flatten().map(|(node, status)| {
        (cluster.id(node), Rejection::of(Plugin::NodeName, code(&status["code"])))
    });
    let nodes = cluster.snapshot.len();
    let diagnosis = Diagnosis { nodes, rejected: rejected.collect(), ..Diagnosis::default() };
    let verdict = post_filter(q, &diagnosis, None, Tour::ByName);
    let nominated = verdict.plan().map(|plan| cluster.name(plan.chosen.node)).unwrap_or_default();
    let said = match verdict.made_room(nodes, &pod) {
        MadeRoom::No(words) => format!("preemption: {words}"),
        _ => String::new(),
    };
    let their_node = expected["wantResult"]["nominatedNodeName"].as_str().unwrap_or_default();
    let their_words = expected["wantStatus"]["reasons"][0].as_str().unwrap_or_default();
    Outcome::same((nominated, said), (their_node.to_owned(), their_words.to_owned()))
}

/// The pods of a table with no names for their ids but their places.
fn residents(pods: &[&Value]) -> Vec<Resident> {
    let mut cluster = Cluster::default();
    let resident = |pod: &&Value| Resident {
        pod: cluster.pod(name(pod)),
        shape: shape(pod),
        start: start(pod),
        standing: Standing::Staying,
    };
    pods.iter().map(resident).collect()
}

fn more_important(input: &Value, expected: &Value) -> Outcome {
    // The second goes in first, so that order cannot be what decides.
    let mut pods = residents(&[&input["p2"], &input["p1"]]);
    let first = pods[1].pod;
    more_important_first(&mut pods);
    Outcome::same(pods[0].pod == first, expected["expected"] == true)
}

fn earliest(input: &Value, expected: &Value) -> Outcome {
    let pods: Vec<&Value> = list(&input["pods"]).collect();
    let theirs = expected["expectedStartTime"].as_str().map(instant);
    Outcome::same(earliest_start(&residents(&pods)), theirs)
}

#[test]
pub fn scheduler_preemption() {
    let data = include_str!("../data/vectors/scheduler_preemption.json");
    run("scheduler preemption", data, |function, title, input, expected| {
        Some(match function {
            "TestSelectBestCandidate" => best(input, expected),
            "TestPodEligibleToPreemptOthers" => eligible(input, expected),
            "TestFilterVictimsWithPDBViolation" => split(input, expected),
            "TestDryRunPreemption" => match title {
                "a pod that does not fit on any node"
                | "get Unschedulable in the preemption phase when the filter plugins filtering \
                   the nodes" => Outcome::Excluded("a filter made up for the test"),
                _ => dry_runs(input, expected),
            },
            "TestPostFilter" => post_filters(title, input, expected),
            "TestMoreImportantPod" => more_important(input, expected),
            "TestGetEarliestPodStartTime" => earliest(input, expected),
            _ => return None,
        })
    });
}
