//! StatefulSets and DaemonSets against recorded timelines: every creation, readiness, deletion and
//! end of a pod, in its order and at its time.
//!
//! Source of every figure: `tests/data/golden/sets.json`.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::{Timeline, run};

const RECORDED: &str = include_str!("../data/golden/sets.json");

/// How the rows of a recording name what happens to pods.
const WORDS: [(Verb, &str); 4] = [
    (Verb::Created, "created"),
    (Verb::Ready, "ready"),
    (Verb::Deleting, "deleting"),
    (Verb::Deleted, "deleted"),
];

/// Names of pods in rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// `db-1#2`: the second pod of that name.
    Own,
    /// Nothing but the how many-th it is to meet with that: which node is first is chance.
    Rank,
}

/// What happens to pods from `from` on, counted from there.
fn events(ours: &Timeline, from: f64, naming: Naming) -> Vec<(String, f64)> {
    let mut lives: BTreeMap<String, usize> = BTreeMap::new();
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (at, _, fact) in ours.0.iter().filter(|it| it.2.object.kind == Kind::Pod) {
        let Some((_, word)) = WORDS.iter().find(|(verb, _)| *verb == fact.verb) else { continue };
        let name = fact.object.name.to_string();
        let life = lives.entry(name.clone()).or_default();
        *life += usize::from(fact.verb == Verb::Created);
        if *at < from {
            continue;
        }
        let rank = ranks.entry(word).or_default();
        *rank += 1;
        let row = match (naming, *life) {
            (Naming::Own, 0 | 1) => format!("{name} {word}"),
            (Naming::Own, life) => format!("{name}#{life} {word}"),
            (Naming::Rank, _) => format!("{word} {rank}"),
        };
        rows.push((row, at - from));
    }
    rows
}

/// Rows of a recording: least and greatest time.
fn rows(recording: &str) -> BTreeMap<String, (f64, f64)> {
    let all: Value = serde_json::from_str(RECORDED).expect("JSON");
    let rows = all["recordings"][recording]["rows"].as_object().expect("rows").clone();
    let number = |range: &Value, at: usize| range[at].as_f64().expect("a number");
    rows.iter().map(|(row, it)| (row.clone(), (number(it, 0), number(it, 1)))).collect()
}

/// The most pods at a time that are not being deleted.
fn most_pods(ours: &Timeline) -> i64 {
    let (mut now, mut most) = (0, 0);
    for (_, _, fact) in ours.0.iter().filter(|it| it.2.object.kind == Kind::Pod) {
        match fact.verb {
            Verb::Created => now += 1,
            Verb::Deleting => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// Compares and prints a table; returns what differs.
#[expect(clippy::print_stdout, reason = "the table is read by people")]
fn compare(recording: &str, scenario: &str, from: f64, naming: Naming) -> Vec<String> {
    let recorded = rows(recording);
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        let (ours, _) = run(scenario, seed);
        let all: Value = serde_json::from_str(RECORDED).expect("JSON");
        let bounds = &all["recordings"][recording]["most_pods"];
        let most = most_pods(&ours);
        if !bounds.as_array().expect("sizes").contains(&most.into()) {
            wrong.push(format!("{recording}, seed {seed}: {most} pods at most, recorded {bounds}"));
        }
        let events = events(&ours, from, naming);
        let mut seen: Vec<&str> = events.iter().map(|(row, _)| row.as_str()).collect();
        seen.sort_unstable();
        if !seen.iter().copied().eq(recorded.keys().map(String::as_str)) {
            wrong.push(format!("{recording}, seed {seed}: {events:?}"));
            continue;
        }
        let mut strict = 0;
        for (row, at) in &events {
            let (least, greatest) = recorded[row];
            strict += usize::from((least..=greatest).contains(at));
            let (below, above) = ((least * 0.1).max(0.3), (greatest * 0.1).max(0.3));
            if !(least - below..=greatest + above).contains(at) {
                let range = format!("recorded {least} to {greatest}");
                wrong.push(format!("{recording}, seed {seed}: {row} at {at:.3}, {range}"));
            }
        }
        println!(
            "{recording}, seed {seed}: {} rows, {strict} within the recorded range as it stands",
            events.len()
        );
        // Rows that no recorded run has in another order.
        for pair in events.windows(2) {
            let ((first, _), (second, _)) = (&pair[0], &pair[1]);
            if recorded[second].1 < recorded[first].0 {
                wrong.push(format!("{recording}, seed {seed}: {first} before {second}"));
            }
        }
    }
    wrong
}

macro_rules! scenario {
    ($name:literal) => {
        include_str!(concat!("../../scenarios/golden/", $name, ".yaml"))
    };
}

#[test]
fn stateful_sets_go_as_recorded() {
    let mut wrong = Vec::new();
    for (recording, scenario, from) in [
        ("s4_statefulset_ordered", scenario!("stateful-set-ordered"), 0.0),
        ("s4_statefulset_parallel", scenario!("stateful-set-parallel"), 0.0),
        ("s4_statefulset_broken", scenario!("stateful-set-broken"), 30.0),
    ] {
        wrong.extend(compare(recording, scenario, from, Naming::Own));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn daemon_sets_go_as_recorded() {
    let mut wrong = Vec::new();
    for (recording, scenario) in [
        ("s4_daemonset_maxunavail1", scenario!("daemon-set")),
        ("s4_daemonset_surge1", scenario!("daemon-set-surge")),
    ] {
        wrong.extend(compare(recording, scenario, 0.0, Naming::Rank));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A twin that must fail: one by one is not all at once.
#[test]
fn another_policy_is_told_apart() {
    let scenario = scenario!("stateful-set-parallel").replace("Parallel", "OrderedReady");
    assert!(!compare("s4_statefulset_parallel", &scenario, 0.0, Naming::Own).is_empty());
}

/// What runs beside the Deployments of `node-lost.yaml` in s3_node_fail_1of3.
const BESIDE: &str = "
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      tolerations:
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 10}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 10}
      containers: [{name: c, image: 'app:v1', resources: {requests: {cpu: 100m}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: c, image: 'app:v1', resources: {requests: {cpu: 100m}}}]
";

/// s3_node_fail_1of3: the StatefulSet's pod is marked when its toleration ends and is not made again before
/// the node is back; the DaemonSet's pod is never marked, and its node is one where none is wanted meanwhile.
#[test]
fn sets_bear_a_lost_node_as_recorded() {
    let scenario = scenario!("node-lost").to_owned() + BESIDE;
    for seed in 1..=3 {
        let (ours, _) = run(&scenario, seed);
        let ours = ours.from(30.0);
        let no_execute = ours.taint(Verb::Tainted, "unreachable:NoExecute");
        let at = |object: &str, verb| ours.first_of(object, verb);
        let marked = at("Pod/default/db-", Verb::Deleting);
        super::assert_within("db marked", seed, marked - no_execute, (10.05, 10.11));
        let gone = at("Pod/default/db-", Verb::Deleted);
        super::assert_within("db gone", seed, gone - 395.0, (1.122, 1.122));
        let again = at("Pod/default/db-", Verb::Created);
        super::assert_within("db made again", seed, again - gone, (0.062, 0.075));
        let agents = ours.0.iter().filter(|it| it.2.object.to_string().contains("/agent-"));
        let mut agents = agents.filter(|it| it.2.object.kind == Kind::Pod);
        assert!(agents.all(|it| it.2.verb != Verb::Deleting), "seed {seed}: an agent leaves");
        let statuses = ours
            .0
            .iter()
            .filter(|it| it.2.object.kind == Kind::DaemonSet && it.2.verb == Verb::Status);
        let statuses: Vec<[i64; 3]> =
            statuses.map(|it| [0, 2, 5].map(|value| it.2.values[value].1)).collect();
        // Desired, misscheduled, available.
        assert_eq!(statuses.first(), Some(&[2, 1, 2]), "seed {seed}: {statuses:?}");
        assert_eq!(statuses.last(), Some(&[3, 0, 3]), "seed {seed}: {statuses:?}");
    }
}
