//! Deletions, evictions and late bindings against recorded timelines: what befalls each object, in
//! its order and at its time.
//!
//! Source of every figure: `tests/data/golden/cascade.json`. Pods are told by their application and
//! by how many before them met with the same: which of ten equal pods is first is chance.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::{Timeline, played};

const RECORDED: &str = include_str!("../data/golden/cascade.json");

const WORDS: [(Verb, &str); 5] = [
    (Verb::Created, "created"),
    (Verb::Bound, "bound"),
    (Verb::Ready, "ready"),
    (Verb::Deleting, "deleting"),
    (Verb::Deleted, "deleted"),
];

macro_rules! scenario {
    ($name:literal) => {
        include_str!(concat!("../../scenarios/golden/", $name, ".yaml"))
    };
}

/// What befalls objects.
fn events(ours: &Timeline) -> Vec<(String, f64)> {
    let mut ranks: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (at, _, fact) in &ours.0 {
        let Some((_, word)) = WORDS.iter().find(|(verb, _)| *verb == fact.verb) else { continue };
        let (kind, name) = (fact.object.kind, fact.object.name.to_string());
        let who = match kind {
            Kind::Pod => name.split('-').next().unwrap_or_default(),
            // A ConfigMap is the only kind here that is merely stored.
            Kind::Other => "ConfigMap",
            kind => kind.name(),
        };
        // What is there from the start; slices come with their Service, when is counted elsewhere.
        let is_made = fact.verb == Verb::Created;
        let is_beside = match kind {
            Kind::Node | Kind::Namespace | Kind::Lease | Kind::EndpointSlice => is_made,
            kind => kind == Kind::Endpoints,
        };
        if is_beside {
            continue;
        }
        let what = format!("{who} {word}");
        let rank = ranks.entry(what.clone()).or_default();
        *rank += 1;
        rows.push((format!("{what} {rank}"), *at));
    }
    rows
}

/// Rows that a recording tells from another row on (`low deleted 1 after low deleting 1`) are so told
/// of ours, too.
fn told_alike(events: Vec<(String, f64)>, recorded: &Rows) -> Vec<(String, f64)> {
    let at: BTreeMap<String, f64> = events.iter().cloned().collect();
    let from_another = |row: &str| {
        let longer = recorded.keys().find_map(|key| {
            let (what, from) = key.split_once(" after ")?;
            (what == row).then_some((key, from))
        });
        longer.and_then(|(key, from)| Some((key.clone(), at[row] - at.get(from)?)))
    };
    events.into_iter().map(|(row, at)| from_another(&row).unwrap_or((row, at))).collect()
}

/// Least and greatest time of each row.
type Rows = BTreeMap<String, (f64, f64)>;

/// Compares and prints a table; returns what differs.
#[expect(clippy::print_stdout, reason = "the table is read by people")]
fn compare(name: &str, scenario: &str, from: f64) -> Vec<String> {
    let all: Value = serde_json::from_str(RECORDED).expect("JSON");
    let recorded: Rows = serde_json::from_value(all["recordings"][name].clone()).expect("rows");
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        let events = told_alike(events(&played(scenario, seed).0.from(from)), &recorded);
        let mut seen: Vec<&str> = events.iter().map(|(row, _)| row.as_str()).collect();
        seen.sort_unstable();
        if !seen.iter().copied().eq(recorded.keys().map(String::as_str)) {
            wrong.push(format!("{name}, seed {seed}: {events:?}"));
            continue;
        }
        let mut strict = 0;
        for (row, at) in &events {
            let (least, greatest) = recorded[row];
            strict += usize::from((least..=greatest).contains(at));
            let (below, above) = ((least * 0.1).max(0.3), (greatest * 0.1).max(0.3));
            if !(least - below..=greatest + above).contains(at) {
                wrong.push(format!("{name}, seed {seed}: {row} at {at:.3}, {least} to {greatest}"));
            }
        }
        // Rows that every recorded run has in this order, by more than the noise of one machine.
        for pair in events.windows(2) {
            let ((first, _), (second, _)) = (&pair[0], &pair[1]);
            let are_times = !first.contains(" after ") && !second.contains(" after ");
            if are_times && recorded[second].1 < recorded[first].0 - NOISE {
                wrong.push(format!("{name}, seed {seed}: {first} before {second}"));
            }
        }
        println!(
            "{name}, seed {seed}: {} rows, {strict} within the recorded range as it stands",
            events.len()
        );
    }
    wrong
}

/// What the recordings' README calls scheduling noise, in seconds.
const NOISE: f64 = 0.1;

#[test]
fn deletions_cascade_as_recorded() {
    let cascade = scenario!("cascade");
    let orphan = cascade.replace("cascade: background", "cascade: orphan");
    let mut wrong = compare("s5_cascade_background", cascade, 30.0);
    wrong.extend(compare("s5_cascade_orphan", &orphan, 30.0));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// README of the recordings, fact 9: marked from the top down, gone from the bottom up, the Deployment
/// after 1.34 to 1.65 s.
#[test]
fn a_foreground_deletion_ends_with_the_owner() {
    let cascade = scenario!("cascade").replace("cascade: background", "cascade: foreground");
    for seed in 1..=3 {
        let events = events(&played(&cascade, seed).0.from(30.0));
        let at = |row: &str| {
            let found = events.iter().find(|(one, _)| one == row);
            found.unwrap_or_else(|| panic!("seed {seed}: no {row} in {events:?}")).1
        };
        let chain = [
            "Deployment deleting 1",
            "ReplicaSet deleting 1",
            "web deleting 1",
            "web deleted 10",
            "ReplicaSet deleted 1",
            "Deployment deleted 1",
        ];
        assert!(chain.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "seed {seed}: {events:?}");
        super::assert_within("Deployment gone", seed, at("Deployment deleted 1"), (1.34, 1.65));
    }
}

#[test]
fn a_namespace_goes_as_recorded() {
    let wrong = compare("s5_namespace_delete", scenario!("namespace-delete"), 30.0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All runs were recorded on two cores under a load of 10 and more (their `loadavg`), where a write took
/// 40 to 150 ms: what waits for a victim to stop is counted from its mark on.
#[test]
fn pods_make_room_for_others_as_recorded() {
    let wrong = compare("s5_preemption", scenario!("preemption"), 30.0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_taint_by_hand_sends_pods_away_as_recorded() {
    let wrong = compare("s8_taint_noexecute", scenario!("taint-by-hand"), 30.0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_lets_waiting_pods_in_as_recorded() {
    let wrong = compare("s8_unschedulable_label", scenario!("node-label"), 0.0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A twin that must fail: what is deleted with its dependents is no orphan's owner.
#[test]
fn another_cascade_is_told_apart() {
    assert!(!compare("s5_cascade_orphan", scenario!("cascade"), 30.0).is_empty());
}
