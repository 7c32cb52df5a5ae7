//! Kubernetes' own Events against recorded ones: who said what of what, how often, and how many such.
//!
//! Source of every figure: `tests/data/golden/events.json`. Where all recorded runs have as many Events of each
//! row of an object's reason, ours are the same, no more and no fewer. Runs disagree on sizes in the middle of a
//! rollout, which the recordings' README tells not to compare: of such an object such reasons are left out, and
//! counted in the table. The recordings' kubelets are fakes that say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::cluster::World;
use wavetank::control_plane::core_events::{CoreEvents, Stored};
use wavetank::kernel::NoSink;
use wavetank::messages::Listening;
use wavetank::messages::core_event::Source;
use wavetank::record::Metrics;
use wavetank::runs::{Task, run_task};
use wavetank::scenario::{Loader, Overrides};

const RECORDED: &str = include_str!("../data/golden/events.json");

/// A recording, our scenario of it, the second its action comes at, and our names for its workloads.
struct Case {
    recording: &'static str,
    scenario: &'static str,
    from: u64,
    names: &'static [(&'static str, &'static str)],
}

macro_rules! case {
    ($recording:literal, $scenario:literal, $from:literal, $names:expr) => {
        Case {
            recording: $recording,
            scenario: include_str!(concat!("../../scenarios/golden/", $scenario, ".yaml")),
            from: $from,
            names: $names,
        }
    };
}

const FRONT: &[(&str, &str)] = &[("front", "web")];
const SUMS: &[(&str, &str)] = &[("sums", "job")];
const CRON: &[(&str, &str)] = &[("allow", "cron")];

const CASES: [Case; 19] = [
    case!("s1_deploy10", "deploy-10", 0, FRONT),
    case!("s1_deploy10_ready2", "deploy-10-ready-2s", 0, FRONT),
    case!("s1_deploy100", "deploy-100", 0, FRONT),
    case!("s2_rolling_default", "rolling-default", 30, FRONT),
    case!("s2_rolling_surge0_unavail1", "rolling-one-by-one", 30, FRONT),
    case!("s2_recreate", "recreate", 30, FRONT),
    case!("s2_rolling_minready5", "rolling-min-ready", 30, FRONT),
    case!("s4_job_backoff", "job-backoff", 0, SUMS),
    case!("s4_job_backofflimit0", "job-no-retry", 0, SUMS),
    case!("s4_job_deadline", "job-deadline", 0, SUMS),
    case!("s4_job_indexed", "job-indexed", 0, SUMS),
    case!("s4_job_parallel", "job-parallel", 0, SUMS),
    case!("s4_job_ttl", "job-ttl", 0, SUMS),
    case!("s4_statefulset_ordered", "stateful-set-ordered", 0, &[]),
    case!("s4_statefulset_parallel", "stateful-set-parallel", 0, &[]),
    case!("s4_statefulset_broken", "stateful-set-broken", 30, &[]),
    case!("s4_daemonset_maxunavail1", "daemon-set", 0, &[]),
    case!("s4_daemonset_surge1", "daemon-set-surge", 0, &[]),
    case!("s4_cronjob", "cron-policies", 0, CRON),
];

/// The world at the end of a scenario; whether somebody listens must not change it.
fn ended(scenario: &str, listening: Listening) -> World {
    let mut loader = Loader::new(Overrides { seed: Some(1), ..Overrides::default() });
    loader.read("scenario", scenario.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    let plan = Arc::new(loaded.plan);
    let task = Task {
        expectations: loaded.expectations,
        sink: &mut NoSink,
        metrics: &mut Metrics::new(&plan),
        interrupt: &AtomicBool::new(false),
        events_max: u64::MAX,
        listening,
        plan,
    };
    run_task(task, &mut |_| ControlFlow::Continue(())).world
}

/// Names of ours and what the recordings have for them, the longest first.
fn names(events: &CoreEvents, case: &Case) -> Vec<(String, String)> {
    let theirs = |name: &str| {
        let given = case.names.iter().find(|(ours, _)| name.starts_with(ours));
        given.map_or(name.to_owned(), |(ours, theirs)| name.replacen(ours, theirs, 1))
    };
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut sets: BTreeMap<String, usize> = BTreeMap::new();
    for it in events.iter() {
        let about = &it.about;
        let name = about.name.to_string();
        let known = match about.kind {
            Kind::Node => "NODE".to_owned(),
            Kind::ReplicaSet if !names.contains_key(&name) => {
                let of = name.rsplit_once('-').map_or(&*name, |(of, _)| of).to_owned();
                let number = sets.entry(of.clone()).or_default();
                *number += 1;
                format!("{}-<rs{number}>", theirs(&of))
            }
            Kind::Job => {
                let of = name.trim_end_matches(|it: char| it.is_ascii_digit()).to_owned();
                if of.len() + 8 == name.len() { theirs(&of) + "JOB" } else { theirs(&name) }
            }
            Kind::Deployment | Kind::CronJob => theirs(&name),
            _ => continue,
        };
        names.insert(name, known);
    }
    for it in events.iter().filter(|it| it.about.kind == Kind::Pod) {
        let (name, base) = (it.about.name.to_string(), it.about.name.base().trim_end_matches('-'));
        if base.len() < name.len() {
            // An indexed Job's pods bear their index before the suffix.
            let known = names.get(base).cloned().unwrap_or_else(|| theirs(base));
            names.insert(name, known + "-POD");
        }
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

fn row(it: &Stored, names: &[(String, String)]) -> String {
    let normal = |text: &str| {
        let mut rest = text;
        let mut normal = String::new();
        while !rest.is_empty() {
            let is_start = !normal.ends_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
            let found = names.iter().find(|(name, _)| is_start && rest.starts_with(&**name));
            let (taken, put) = match found {
                Some((name, theirs)) => (name.len(), &**theirs),
                None if is_start && rest.starts_with("default/") => (8, "NS/"),
                None => {
                    let first = rest.chars().next().map_or(1, char::len_utf8);
                    (first, &rest[..first])
                }
            };
            normal += put;
            rest = &rest[taken..];
        }
        normal
    };
    let from = match &it.source {
        Source::Core { component, .. } => (*component).to_owned(),
        Source::Series { component, .. } => component.to_string(),
    };
    let object = format!("{}/{}", it.about.kind, normal(&it.about.name.to_string()));
    let (tone, reason) = (it.remark.tone.name(), &it.remark.reason);
    format!("{object} {tone} {reason} {from}: {} ({})", normal(&it.remark.message), it.count)
}

fn ours(case: &Case) -> BTreeMap<String, u64> {
    let mut world = ended(case.scenario, Listening::All);
    let events = world.core_events().expect("somebody listens");
    let names = names(events, case);
    let mut rows = BTreeMap::new();
    // What is of nodes alone comes with the start of a manager.
    let is_compared = |it: &&Stored| {
        let is_kubelet = matches!(it.source, Source::Core { component: "kubelet", .. });
        it.about.kind != Kind::Node && !is_kubelet && it.last.as_secs() >= case.from
    };
    for it in events.iter().filter(is_compared) {
        *rows.entry(row(it, &names)).or_default() += 1;
    }
    rows
}

/// Rows that a single recorded run has otherwise, and why.
const BY_CHANCE: [(&str, &str, &str); 1] = [(
    "s4_cronjob",
    "SawCompletedJob",
    "a sync that comes before the watch tells of the status just written sees a Job end twice",
)];

/// Object and reason of a row.
fn subject(row: &str) -> [&str; 2] {
    let mut words = row.split(' ');
    [words.next().unwrap_or_default(), words.nth(1).unwrap_or_default()]
}

/// Compares and prints a line of the table; returns what differs.
#[expect(clippy::print_stdout, reason = "the table is read by people")]
fn compare(case: &Case, recorded: &Value) -> Vec<String> {
    let ours = ours(case);
    let rows = recorded["rows"].as_object().expect("rows");
    let range = |it: &Value| [0, 1].map(|at| it[at].as_u64().expect("a count"));
    let is_open = |row: &str| {
        let differs = rows.iter().filter(|(_, it)| range(it)[0] != range(it)[1]);
        let [object, reason] = subject(row);
        let by_chance = BY_CHANCE.iter().any(|it| (it.0, it.1) == (case.recording, reason));
        by_chance || differs.map(|(row, _)| subject(row)).any(|it| it == [object, reason])
    };
    let all: BTreeSet<&str> = rows.keys().chain(ours.keys()).map(String::as_str).collect();
    let (mut wrong, mut equal, mut open) = (Vec::new(), 0, 0);
    for row in all {
        let least = rows.get(row).map_or(0, |it| range(it)[0]);
        let count = ours.get(row).copied().unwrap_or(0);
        match (is_open(row), count == least) {
            (true, _) => open += 1,
            (false, true) => equal += 1,
            (false, false) => {
                wrong.push(format!("{}: {row}: {count}, recorded {least}", case.recording));
            }
        }
    }
    let (name, runs) = (case.recording, &recorded["runs"]);
    println!("{name:28} {runs} runs: {equal:>3} rows equal, {open:>3} on which runs differ");
    for (_, reason, why) in BY_CHANCE.iter().filter(|it| it.0 == name) {
        println!("{:28} not compared: {reason}: {why}", "");
    }
    wrong
}

#[test]
fn events_are_as_recorded() {
    let all: Value = serde_json::from_str(RECORDED).expect("JSON");
    let wrong: Vec<String> =
        CASES.iter().flat_map(|case| compare(case, &all["recordings"][case.recording])).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whether_somebody_listens_changes_nothing() {
    for case in [&CASES[3], &CASES[7], &CASES[15]] {
        let digest = |listening| ended(case.scenario, listening).digest();
        assert_eq!(digest(Listening::All), digest(Listening::Nobody), "{}", case.recording);
    }
    assert!(ended(CASES[0].scenario, Listening::Nobody).core_events().is_none());
}
