//! Decisions of the real kube-scheduler 1.36.2, replayed step by step: which nodes were feasible,
//! what each plugin said of each, which were best, which was taken, and the message where none was.
//!
//! Small cases lie under `tests/data/scheduler-cases/`; the whole collection is replayed where it is
//! at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use wavetank::api::node::Node;
use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::algorithm::nominations::Nominee;
use wavetank::control_plane::scheduler::algorithm::preemption::{
    Candidate, Tour, Verdict, post_filter,
};
use wavetank::control_plane::scheduler::algorithm::{
    Algorithm, Code, Explanation, PodShape, Profile, Question, explain_first,
};
use wavetank::time::{SimDuration, SimTime};

use wavetank::scenario::{Loader, Overrides};

use crate::cases::read;

use super::scheduling::{Cluster, budget, instant, shape};

#[derive(Default, Debug)]
struct Tally {
    steps: usize,
    equal: usize,
    messages: usize,
    preemptions: usize,
    different: Vec<String>,
}

/// A case as it is replayed.
struct Replay<'c> {
    case: &'c Value,
    cluster: Cluster,
    pods: BTreeMap<String, PodShape>,
    placed: BTreeMap<String, String>,
    /// One a profile, with what it remembers of the steps before.
    algorithms: Vec<Algorithm>,
    start: usize,
    ops: usize,
    /// Counts up with every binding: pods bound later started later.
    now: SimTime,
}

fn key(written: &Value) -> String {
    let namespace = written["metadata"]["namespace"].as_str().unwrap_or("default");
    format!("{namespace}/{}", written["metadata"]["name"].as_str().expect("a name"))
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl<'c> Replay<'c> {
    fn new(case: &'c Value) -> Replay<'c> {
        let mut cluster = Cluster::of(&case["nodes"]);
        cluster.surround(case);
        for written in case["pdbs"].as_array().into_iter().flatten() {
            let namespace = written["metadata"]["namespace"].as_str().unwrap_or("default").into();
            let name = written["metadata"]["name"].as_str().expect("a name").into();
            let budget = Some(budget(written, BTreeSet::new()));
            cluster.snapshot.surroundings_mut().set_budget(&namespace, &name, budget);
        }
        let mut replay = Replay {
            case,
            cluster,
            pods: BTreeMap::new(),
            placed: BTreeMap::new(),
            algorithms: profiles(&case["profile"]).into_iter().map(Algorithm::new).collect(),
            start: 0,
            ops: 0,
            now: instant("2024-01-01T00:00:00Z"),
        };
        for pod in case["pods"].as_array().into_iter().flatten() {
            replay.add(pod);
        }
        replay
    }

    fn add(&mut self, written: &Value) {
        let key = key(written);
        let mut defaulted = written.clone();
        let admitted = &self.case["admitted_pods"][&key];
        let classes = self.case["priority_classes"].as_array();
        let class = written["spec"]["priorityClassName"].as_str();
        let of_class =
            classes.into_iter().flatten().find(|one| one["metadata"]["name"].as_str() == class);
        let priority = admitted["priority"]
            .as_i64()
            .or_else(|| written["spec"]["priority"].as_i64())
            .or_else(|| of_class?["value"].as_i64())
            .unwrap_or(0);
        if let Some(policy) = admitted["preemptionPolicy"].as_str() {
            defaulted["spec"]["preemptionPolicy"] = policy.into();
        }
        defaulted["spec"]["priority"] = priority.into();
        for field in ["affinity", "topologySpreadConstraints"] {
            if !admitted[field].is_null() {
                defaulted["spec"][field] = admitted[field].clone();
            }
        }
        let shape = shape(&defaulted);
        if let Some(node) = written["spec"]["nodeName"].as_str() {
            let start = written["status"]["startTime"].as_str().map(instant);
            self.cluster.place_since(node, &key, &shape, start);
            self.placed.insert(key.clone(), node.to_owned());
        }
        self.pods.insert(key, shape);
    }

    fn take_away(&mut self, pod: &str) {
        if let Some(node) = self.placed.remove(pod) {
            self.cluster.take_away(&node, pod);
        }
    }

    fn catch_up(&mut self, step: &Value) {
        let Some(upto) = step["op"].as_u64() else { return };
        let case = self.case;
        while self.ops <= upto as usize {
            let op = &case["ops"][self.ops];
            match (op["op"].as_str(), op["kind"].as_str()) {
                (Some("create"), Some("Pod")) => self.add(&op["obj"]),
                (Some("delete"), Some("Pod")) => {
                    self.take_away(op["name"].as_str().expect("a name"));
                }
                (_, Some("Node")) => self.cluster.set(&op["obj"]),
                other => panic!("an operation not known here: {other:?}"),
            }
            self.ops += 1;
        }
    }

    fn step(&mut self, step: &Value, tally: &mut Tally) {
        self.catch_up(step);
        tally.steps += 1;
        let pod = step["pod"].as_str().expect("a pod").to_owned();
        let shape = self.pods[&pod].clone();
        self.cluster.snapshot.settle();
        if let Some(start) = step["start_index"].as_u64()
            && start as usize != self.start
        {
            tally.different.push(format!("{pod}: starts at {}, not {start}", self.start));
        }
        self.start = step["start_index"].as_u64().map_or(self.start, |start| start as usize);
        let named = |one: &Algorithm| one.profile().name == shape.spec().scheduler_name;
        let at = self.algorithms.iter().position(named).expect("a profile of that name");
        let profile = self.algorithms[at].profile().clone();
        let id = self.cluster.pod(&pod);
        let promised = self.cluster.snapshot.withdraw(id);
        let before = promised.map(|node| self.cluster.name(node));
        if before.as_deref() != step["nominated_before"].as_str() {
            tally.different.push(format!("{pod}: was promised {before:?} before: {step}"));
        }
        let hint = step["node_hint"].as_str().map(|node| self.cluster.id(node));
        let first = promised.or(hint);
        let q = Question { profile: &profile, snapshot: &self.cluster.snapshot, pod: &shape };
        let mut ours = explain_first(q, self.start, first);
        let title = format!("{} {pod} #{}", self.case["name"], step["attempt"]);
        let fast = self.algorithm_agrees(at, &shape, first, &ours);
        tally.different.extend(fast.into_iter().map(|what| format!("{title}: {what}")));
        let mut kept = None;
        if ours.chosen.is_none() {
            let q = Question { profile: &profile, snapshot: &self.cluster.snapshot, pod: &shape };
            let verdict = post_filter(q, &ours.diagnosis, promised, Tour::ByName);
            ours.diagnosis.made_room = verdict.made_room(ours.diagnosis.nodes, &shape);
            kept = promised.filter(|_| matches!(verdict, Verdict::Ineligible(_)));
            let (ours, theirs) = (self.made_room(&verdict), preemption(step));
            if ours != theirs {
                tally.different.push(format!("{title}: ours {ours:?}, theirs {theirs:?}"));
            }
            tally.preemptions += usize::from(theirs.is_some());
        }
        self.compare(step, &shape, &ours, tally);
        self.start = ours.next_start;
        self.carry_out(step, &pod, kept);
    }

    /// Goes on as the recorded scheduler did.
    fn carry_out(&mut self, step: &Value, pod: &str, kept: Option<Id<Node>>) {
        let shape = self.pods[pod].clone();
        let id = self.cluster.pod(pod);
        for victim in step["preemption"]["victims"].as_array().into_iter().flatten() {
            self.take_away(victim.as_str().expect("a name"));
        }
        let nominated = step["preemption"]["nominated"].as_str();
        if let Some(node) = nominated.map(|name| self.cluster.id(name)) {
            let snapshot = &mut self.cluster.snapshot;
            let lower = |one: &&Nominee| one.shape.spec().priority < shape.spec().priority;
            let displaced = snapshot.nominations().at(node).iter().filter(lower);
            let displaced: Vec<_> = displaced.map(|one| one.pod).collect();
            for lower in displaced {
                snapshot.withdraw(lower);
            }
            snapshot.promise(id, &shape, node);
        } else if let Some(node) = kept {
            self.cluster.snapshot.promise(id, &shape, node);
        }
        self.now += SimDuration::from_secs(1);
        if let Some(node) = step["chosen"].as_str() {
            self.cluster.place_since(node, pod, &shape, Some(self.now));
            self.placed.insert(pod.to_owned(), node.to_owned());
        }
    }

    fn made_room(&self, verdict: &Verdict) -> Option<MadeRoom> {
        let plan = verdict.plan()?;
        let victims = |candidate: &Candidate| -> Vec<String> {
            let keys = candidate.victims.iter().map(|pod| self.cluster.key(pod.pod).to_owned());
            keys.collect()
        };
        let candidates = plan
            .candidates
            .iter()
            .map(|one| (self.cluster.name(one.node), (victims(one), u64::from(one.violations))));
        let tied: BTreeSet<String> = plan.tied.iter().map(|&id| self.cluster.name(id)).collect();
        Some(MadeRoom {
            nominated: self.cluster.name(plan.chosen.node),
            victims: victims(&plan.chosen),
            candidates: candidates.collect(),
            tied: if tied.len() > 1 { tied } else { BTreeSet::new() },
        })
    }

    fn compare(&mut self, step: &Value, shape: &PodShape, ours: &Explanation, tally: &mut Tally) {
        let before = tally.different.len();
        let title = format!("{} {} #{}", self.case["name"], step["pod"], step["attempt"]);
        let mut same = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                tally.different.push(format!("{title}: {what}: ours {ours}, theirs {theirs}"));
            }
        };
        let feasible: BTreeSet<String> =
            ours.feasible.iter().map(|&id| self.cluster.name(id)).collect();
        same("feasible", format!("{feasible:?}"), format!("{:?}", names(&step["feasible"])));
        same("rejected", format!("{:?}", self.rejected(ours, shape)), rejected(step));
        let spoke = ours.scores.iter().map(|scores| scores.plugin.name().to_owned()).collect();
        let theirs = step["per_plugin"].as_object().into_iter().flatten();
        let theirs: BTreeSet<String> = theirs.map(|(plugin, _)| plugin.clone()).collect();
        same(
            "plugins",
            format!("{:?}", BTreeSet::<String>::from_iter::<Vec<_>>(spoke)),
            format!("{theirs:?}"),
        );
        for scores in &ours.scores {
            let plugin = scores.plugin;
            let theirs = &step["per_plugin"][plugin.name()];
            for (id, score) in ours.feasible.iter().zip(&scores.normalized) {
                let name = self.cluster.name(*id);
                let what = format!("{} of {name}", plugin.name());
                same(&what, score.to_string(), theirs[&name].to_string());
            }
        }
        self.compare_choice(step, ours, &mut same);
        if let Some(message) = step["failure_message"].as_str() {
            let named = |one: &&Algorithm| one.profile().name == shape.spec().scheduler_name;
            let profile = self.algorithms.iter().find(named).expect("a profile").profile();
            let written = ours.diagnosis.message(shape, profile);
            same("message", written.to_string(), message.to_owned());
            tally.messages += 1;
        }
        tally.equal += usize::from(tally.different.len() == before);
    }

    fn compare_choice(
        &self,
        step: &Value,
        ours: &Explanation,
        same: &mut impl FnMut(&str, String, String),
    ) {
        let chosen = ours.chosen.map(|id| self.cluster.name(id));
        if self.case["tie_rule"] == "real-serial" || ours.feasible.len() == 1 {
            let theirs = step["chosen"].as_str().map(str::to_owned);
            same("chosen", format!("{chosen:?}"), format!("{theirs:?}"));
        }
        let best = ours.totals.iter().copied().max();
        let at_best =
            ours.feasible.iter().zip(&ours.totals).filter(|(_, total)| Some(**total) == best);
        let best: BTreeSet<String> = at_best.map(|(id, _)| self.cluster.name(*id)).collect();
        if step["scored"] == true {
            same("best", format!("{best:?}"), format!("{:?}", names(&step["max_set"])));
        }
    }

    /// How what remembers differs from what does not.
    fn algorithm_agrees(
        &mut self,
        at: usize,
        shape: &PodShape,
        first: Option<Id<Node>>,
        ours: &Explanation,
    ) -> Vec<String> {
        let algorithm = &mut self.algorithms[at];
        algorithm.start_at(self.start);
        let fast = algorithm.schedule_first(&self.cluster.snapshot, shape, first);
        let plain = ours.chosen.ok_or_else(|| Box::new(ours.diagnosis.clone()));
        let mut different = Vec::new();
        if fast != plain {
            different.push(format!("out of columns {fast:?}, step by step {plain:?}"));
        }
        if algorithm.start() != ours.next_start {
            different.push(format!("next start {}, not {}", algorithm.start(), ours.next_start));
        }
        different
    }

    fn rejected(&self, ours: &Explanation, shape: &PodShape) -> BTreeMap<String, String> {
        let line =
            |(id, rejection): &(_, wavetank::control_plane::scheduler::algorithm::Rejection)| {
                let code = match rejection.code {
                    Code::Unschedulable => "Unschedulable",
                    Code::UnschedulableAndUnresolvable => "UnschedulableAndUnresolvable",
                };
                let reasons: BTreeSet<String> =
                    rejection.reasons(shape).iter().map(|reason| reason.to_string()).collect();
                (self.cluster.name(*id), format!("{} {code} {reasons:?}", rejection.plugin.name()))
            };
        ours.rejected.iter().map(line).collect()
    }
}

/// What preemption came to.
#[derive(PartialEq, Eq, Debug)]
struct MadeRoom {
    nominated: String,
    victims: Vec<String>,
    candidates: BTreeMap<String, (Vec<String>, u64)>,
    /// Empty where none was as good as the one chosen.
    tied: BTreeSet<String>,
}

fn preemption(step: &Value) -> Option<MadeRoom> {
    let recorded = &step["preemption"];
    let list = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let candidates = recorded["candidates"].as_object().into_iter().flatten();
    let candidates = candidates.map(|(node, one)| {
        let violations = one["pdb_violations"].as_u64().expect("a count");
        (node.clone(), (list(&one["victims"]), violations))
    });
    Some(MadeRoom {
        nominated: recorded["nominated"].as_str()?.to_owned(),
        victims: list(&recorded["victims"]),
        candidates: candidates.collect(),
        tied: names(&recorded["tied"]),
    })
}

fn rejected(step: &Value) -> String {
    let mut nodes: BTreeMap<String, String> = BTreeMap::new();
    for group in step["rejected"].as_array().into_iter().flatten() {
        let text = |field: &str| group[field].as_str().unwrap_or_default().to_owned();
        for node in names(&group["nodes"]) {
            let line =
                format!("{} {} {:?}", text("plugin"), text("code"), names(&group["reasons"]));
            nodes.insert(node, line);
        }
    }
    format!("{nodes:?}")
}

/// The profiles of a case's configuration, read as a user's would be.
fn profiles(configuration: &Value) -> Vec<Arc<Profile>> {
    if configuration.is_null() {
        return vec![Arc::default()];
    }
    let mut loader = Loader::new(Overrides::default());
    loader.read("configuration", configuration.to_string().as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded.plan.scheduler.profiles
}

fn replay(case: &Value, tally: &mut Tally) {
    let mut replay = Replay::new(case);
    for step in case["steps"].as_array().into_iter().flatten() {
        replay.step(step, tally);
    }
}

fn replay_folder(folder: &Path) -> Tally {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut tally = Tally::default();
    for path in paths.iter().filter(|path| path.to_string_lossy().contains(".json")) {
        replay(&read(path), &mut tally);
    }
    tally
}

#[expect(clippy::print_stdout, reason = "a table says what it left out")]
fn conclude(what: &str, tally: &Tally) {
    println!(
        "{what}: {} steps, {} equal, {} messages, {} preemptions",
        tally.steps, tally.equal, tally.messages, tally.preemptions
    );
    let shown = &tally.different[..tally.different.len().min(20)];
    assert!(tally.different.is_empty(), "{} differ:\n{}", tally.different.len(), shown.join("\n"));
    assert!(tally.equal > 0 && tally.messages > 0 && tally.preemptions > 0);
}

#[test]
pub fn small_cases_are_decided_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scheduler-cases");
    conclude("scheduler cases, small", &replay_folder(&folder));
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn all_cases_are_decided_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/scheduler-cases/cases");
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    conclude("scheduler cases, all", &replay_folder(&folder));
}
