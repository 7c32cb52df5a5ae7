//! Every recording replayed, in a table that the test prints: compared, equal, not compared and why,
//! differing and why.
//!
//! `tests/data/golden/recordings.json` holds what is needed of each recording; where the recordings
//! themselves lie beside the repository, those are taken, and any others of the same format that lie
//! there. Rows that differ stand in `tests/data/golden/differing.tsv` with the reason: the list is
//! exact, so that it can only become shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::recording::Recording;
use super::replay::judge;

const COPIES: &str = include_str!("../data/golden/recordings.json");
const DIFFERING: &str = include_str!("../data/golden/differing.tsv");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/golden-timelines");

/// Recordings that are not replayed, by their name, and why.
const APART: [(&str, &str); 3] = [
    ("k", "real kubelets on a fake runtime, which no fake kubelet stands for"),
    ("s7_", "its metrics were fed by hand: autoscale.rs holds its replica counts"),
    ("_highqps", "client limits that leave the pace to the machine's CPU"),
];

fn apart(name: &str) -> Option<&'static str> {
    let fits = |word: &str| {
        if word.starts_with('_') { name.ends_with(word) } else { name.starts_with(word) }
    };
    APART.iter().find(|(word, _)| fits(word)).map(|it| it.1)
}

fn copies() -> Vec<Recording> {
    let all: Vec<Value> = serde_json::from_str(COPIES).expect("JSON");
    let name = |it: &Value| it["scenario"].as_str().expect("a name").to_owned();
    all.into_iter().map(|it| Recording::parse(&name(&it), it)).collect()
}

/// The rows that are known to differ, with the reason, by recording.
fn known() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut all: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for line in DIFFERING.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let [Some(name), Some(row), Some(why)] = [(); 3].map(|()| fields.next()) else {
            panic!("three fields: {line:?}");
        };
        all.entry(name).or_default().insert(row, why);
    }
    all
}

/// Replays a recording and prints its lines; returns how it departs from what is known of it.
#[expect(clippy::print_stdout, reason = "the table is read by people")]
fn replay(
    recording: &Recording,
    known: &BTreeMap<&str, &str>,
    totals: &mut [usize; 3],
) -> Vec<String> {
    let name = &recording.name;
    if let Some(why) = apart(name) {
        println!("{name}: not replayed: {why}");
        return Vec::new();
    }
    let runs = recording.runs().len();
    let verdict = match judge(recording) {
        Ok(verdict) => verdict,
        Err(why) => {
            println!("{name}: not replayed: {why}");
            let is_known = known.contains_key("replay");
            return (!is_known).then(|| format!("{name}: {why}")).into_iter().collect();
        }
    };
    let differing = verdict.differing.len();
    let equal = verdict.compared - differing;
    for (total, more) in totals.iter_mut().zip([verdict.compared, equal, verdict.apart.len()]) {
        *total += more;
    }
    println!(
        "{name}: {runs} runs, {} rows compared, {} of them noise, {equal} equal, {differing} differing, {} \
         not compared",
        verdict.compared,
        verdict.strict,
        verdict.apart.len()
    );
    if let (1.., within) = &verdict.chance {
        let rows = verdict.chance.0;
        println!("    {rows} rows hang on chance: all within in these of our runs: {within:?}");
    }
    for row in &verdict.apart {
        println!("    not compared: {row}");
    }
    for (row, how) in &verdict.differing {
        let why = known.get(row.as_str()).unwrap_or(&"NOT KNOWN");
        println!("    differing: {row}: {how}\n        because {why}");
    }
    let found: BTreeSet<&str> = verdict.differing.keys().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = known.keys().copied().collect();
    let more =
        found.difference(&wanted).map(|row| format!("{name}: {row}: {}", verdict.differing[*row]));
    let less =
        wanted.difference(&found).map(|row| format!("{name}: {row} is equal now: strike it out"));
    more.chain(less).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is read by people")]
fn recordings_go_as_recorded() {
    let known = known();
    let mut all = copies();
    for recording in Recording::folder(Path::new(FOLDER)) {
        all.retain(|copy| copy.name != recording.name);
        all.push(recording);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let none = BTreeMap::new();
    let of = |recording: &Recording| known.get(recording.name.as_str()).unwrap_or(&none);
    let mut totals = [0; 3];
    let wrong: Vec<String> = all.iter().flat_map(|it| replay(it, of(it), &mut totals)).collect();
    let [compared, equal, apart] = totals;
    println!(
        "all: {compared} rows compared, {equal} equal, {} differing, {apart} not compared",
        compared - equal
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was copied says what the recordings say.
#[test]
fn copies_are_of_the_recordings() {
    let originals = Recording::folder(Path::new(FOLDER));
    if originals.is_empty() {
        return super::skipped();
    }
    let copies = copies();
    for original in originals.iter().filter(|it| apart(&it.name) != Some(APART[0].1)) {
        let Some(copy) = copies.iter().find(|it| it.name == original.name) else { continue };
        assert_eq!(copy.manifests(), original.manifests(), "{}", original.name);
        for (ours, theirs) in copy.runs().into_iter().zip(original.runs()) {
            assert_eq!(ours.first_write(), theirs.first_write(), "{}", original.name);
            let (ours, theirs) = (ours.timings(), theirs.timings());
            assert!(ours.iter().all(|(row, it)| theirs.get(row) == Some(it)), "{}", original.name);
        }
    }
}

/// An etcd that stands still in place of one that is killed is understood, and answers sooner.
#[test]
fn a_frozen_etcd_is_understood() {
    let mut all: Vec<Value> = serde_json::from_str(COPIES).expect("JSON");
    all.retain(|it| it["scenario"] == "s6_etcd_kill20");
    let mut twin = all.swap_remove(0);
    for run in twin["runs"].as_array_mut().expect("runs") {
        run["actions"][0][1] = "SIGSTOP etcd".into();
        run["actions"][1][1] = "SIGCONT etcd".into();
    }
    let verdict = judge(&Recording::parse("twin", twin)).expect("it is understood");
    assert!(verdict.differing.len() < 12, "{:?}", verdict.differing);
}

/// A twin that must fail: one by one is not all at once.
#[test]
fn another_policy_is_told_apart() {
    let mut all: Vec<Value> = serde_json::from_str(COPIES).expect("JSON");
    all.retain(|it| it["scenario"] == "s4_statefulset_parallel");
    let mut twin = all.swap_remove(0);
    let manifest =
        twin["manifests"]["sts"].as_str().expect("a text").replace("Parallel", "OrderedReady");
    twin["manifests"]["sts"] = manifest.into();
    let verdict = judge(&Recording::parse("twin", twin)).expect("it is understood");
    assert!(verdict.differing.len() > 10, "{:?}", verdict.differing);
    assert!(verdict.differing.contains_key("order"));
}
