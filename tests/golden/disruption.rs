//! Evictions under a PodDisruptionBudget against recorded timelines.
//!
//! Source of every figure: `tests/data/golden/disruption.json`. A time of ours must lie between the
//! recorded ones, widened as everywhere here; the values of the budget's status must come in the
//! order of one of the runs where no pod is only marked while it is counted (a share of what the
//! Deployment wants), elsewhere they must begin, dip and end alike.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::{Timeline, played};

const RECORDED: &str = include_str!("../data/golden/disruption.json");
/// When the first request leaves.
const AT: f64 = 30.0;

const WORDS: [(Verb, &str); 4] = [
    (Verb::Created, "created"),
    (Verb::Ready, "ready"),
    (Verb::Deleting, "deleting"),
    (Verb::Deleted, "deleted"),
];

fn recording(name: &str) -> Value {
    let all: Value = serde_json::from_str(RECORDED).expect("JSON");
    all["recordings"][name].clone()
}

/// What happens to pods, by the how many-th it is to meet with that.
fn rows(ours: &Timeline) -> Vec<(String, f64)> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (at, _, fact) in ours.0.iter().filter(|it| it.2.object.kind == Kind::Pod) {
        let Some((_, word)) = WORDS.iter().find(|(verb, _)| *verb == fact.verb) else { continue };
        let rank = ranks.entry(word).or_default();
        *rank += 1;
        rows.push((format!("{word} {rank}"), *at));
    }
    rows
}

/// The values that the budget's status takes.
fn budget(ours: &Timeline) -> Vec<[i64; 4]> {
    let facts = ours.0.iter().map(|it| &it.2);
    let told =
        facts.filter(|it| it.object.kind == Kind::PodDisruptionBudget && it.verb == Verb::Status);
    told.map(|fact| std::array::from_fn(|at| fact.values[at].1)).collect()
}

fn budgets(recorded: &Value) -> Vec<Vec<[i64; 4]>> {
    serde_json::from_value(recorded["budget"].clone()).expect("lists of four numbers")
}

/// Compares the times of pods; returns what differs.
#[expect(clippy::print_stdout, reason = "a table for people")]
fn compare(name: &str, seed: u64, ours: &Timeline, from: f64) -> Vec<String> {
    let recorded = recording(name);
    let recorded = recorded["rows"].as_object().expect("rows");
    let mut wrong = Vec::new();
    let rows = rows(ours);
    let mut seen: Vec<&str> = rows.iter().map(|(row, _)| row.as_str()).collect();
    seen.sort_unstable();
    if !seen.iter().copied().eq(recorded.keys().map(String::as_str)) {
        wrong.push(format!("{name}, seed {seed}: {rows:?}"));
        return wrong;
    }
    let mut strict = 0;
    for (row, at) in &rows {
        let at = at - from;
        let [least, greatest] = [0, 1].map(|it| recorded[row][it].as_f64().expect("a time"));
        strict += usize::from((least..=greatest).contains(&at));
        let (below, above) = ((least * 0.1).max(0.3), (greatest * 0.1).max(0.3));
        if !(least - below..=greatest + above).contains(&at) {
            wrong.push(format!("{name}, seed {seed}: {row} at {at:.3}, {least} to {greatest}"));
        }
    }
    println!("{name}, seed {seed}: {} rows, {strict} within the range as it stands", rows.len());
    wrong
}

#[test]
fn a_drain_under_a_share_goes_as_recorded() {
    let name = "s5_drain_pdb_minavail80";
    let scenario = include_str!("../../scenarios/golden/drain-budget-share.yaml");
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        let ours = played(scenario, seed).0.from(AT);
        wrong.extend(compare(name, seed, &ours, 0.0));
        // The first value stands from the start.
        let theirs = budgets(&recording(name));
        assert!(theirs.iter().any(|run| run[1..] == budget(&ours)), "{:?}", budget(&ours));
        let gap: Vec<f64> = ours.pods(Verb::Evicted).iter().map(|it| it.0).collect();
        let gap = gap[1] - gap[0];
        assert!((0.5..0.6).contains(&gap), "the second is put off once, for {gap:.3} s");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The recorded drain is given up after 22 s; ours goes on.
#[test]
fn a_drain_that_is_not_allowed_is_asked_again_each_5_seconds() {
    let scenario = include_str!("../../scenarios/golden/drain-budget-none.yaml");
    let (ours, finished) = played(scenario, 1);
    let ours = ours.from(AT);
    assert!(rows(&ours).is_empty() && budget(&ours).is_empty(), "nothing happens to any pod");
    let refused: Vec<_> = ours.0.iter().filter(|it| it.2.verb == Verb::Refused).collect();
    let words = "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption \
                 budget. The disruption budget web needs 10 healthy pods and has 10 currently";
    assert!(refused.iter().all(|it| it.2.message.as_deref().is_some_and(|it| it.ends_with(words))));
    let of_one: Vec<f64> =
        refused.iter().filter(|it| it.2.object == refused[0].2.object).map(|it| it.0).collect();
    assert_eq!(of_one.len(), 6, "{of_one:?}");
    assert!(of_one.windows(2).all(|pair| (5.0..5.1).contains(&(pair[1] - pair[0]))), "{of_one:?}");
    assert!(!finished.has_converged(), "the drain is not done");
}

#[test]
fn five_evictions_in_a_row_go_as_recorded() {
    let name = "s5_eviction_api";
    let scenario = include_str!("../../scenarios/golden/drain-budget-none.yaml");
    let scenario = scenario.replace("maxUnavailable: 0", "minAvailable: 8");
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        let names: Vec<String> = {
            let ours = played(&scenario, seed).0;
            let created = ours.0.iter().filter(|it| it.2.verb == Verb::Created);
            let pods = created.filter(|it| it.2.object.kind == Kind::Pod);
            pods.take(5).map(|it| it.2.object.name.to_string()).collect()
        };
        let step = |name: &String| format!("  - {{at: 30s, evict: pod/default/{name}}}\n");
        let steps: String = names.iter().map(step).collect();
        let scenario = scenario.replace("  - {at: 30s, name: drain, drain: node/n-3}\n", &steps);
        let ours = played(&scenario, seed).0.from(AT);
        wrong.extend(compare(name, seed, &ours, 0.0));
        let refused = ours.0.iter().filter(|it| it.2.verb == Verb::Refused).count();
        assert_eq!(refused, 3, "two of five may go");
        let values = budget(&ours);
        for run in budgets(&recording(name)) {
            assert_eq!((values[0], values.last()), (run[1], run.last()));
            let least = |values: &[[i64; 4]], at: usize| values.iter().map(|it| it[at]).min();
            assert_eq!(
                [0, 1, 2, 3].map(|at| least(&values, at)),
                [0, 1, 2, 3].map(|at| least(&run, at))
            );
        }
        // Pods on their way out are counted among those expected.
        assert!(values.iter().any(|it| it[3] > 10));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
