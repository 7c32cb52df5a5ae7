//! Decisions of the real kube-scheduler 1.36.2, replayed step by step: which nodes were feasible,
//! what each plugin said of each, which were best, which was taken, and the message where none was.
//!
//! Small cases lie under `tests/data/scheduler-cases/`; the whole collection is replayed where it is
//! at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use wavetank::control_plane::scheduler::algorithm::{
    Algorithm, Code, Explanation, Plugin, PodShape, Profile, explain,
};

use wavetank::scenario::{Loader, Overrides};

use super::scheduling::{Cluster, shape};

/// Plugins whose part can be compared.
const KNOWN: [Plugin; 14] = [
    Plugin::NodeUnschedulable,
    Plugin::TaintToleration,
    Plugin::NodeAffinity,
    Plugin::NodePorts,
    Plugin::NodeResourcesFit,
    Plugin::VolumeRestrictions,
    Plugin::NodeVolumeLimits,
    Plugin::VolumeBinding,
    Plugin::VolumeZone,
    Plugin::PodTopologySpread,
    Plugin::InterPodAffinity,
    Plugin::DynamicResources,
    Plugin::NodeResourcesBalancedAllocation,
    Plugin::ImageLocality,
];

#[derive(Default, Debug)]
struct Tally {
    steps: usize,
    equal: usize,
    messages: usize,
    excluded: BTreeMap<&'static str, usize>,
    different: Vec<String>,
}

/// A case as it is replayed.
struct Replay<'c> {
    case: &'c Value,
    cluster: Cluster,
    pods: BTreeMap<String, (PodShape, i32)>,
    placed: BTreeMap<String, String>,
    /// One a profile, with what it remembers of the steps before.
    algorithms: Vec<Algorithm>,
    start: usize,
    ops: usize,
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
        let mut replay = Replay {
            case,
            cluster,
            pods: BTreeMap::new(),
            placed: BTreeMap::new(),
            algorithms: profiles(&case["profile"]).into_iter().map(Algorithm::new).collect(),
            start: 0,
            ops: 0,
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
        for field in ["affinity", "topologySpreadConstraints"] {
            if !admitted[field].is_null() {
                defaulted["spec"][field] = admitted[field].clone();
            }
        }
        let shape = shape(&defaulted);
        if let Some(node) = written["spec"]["nodeName"].as_str() {
            self.cluster.place(node, &key, &shape);
            self.placed.insert(key.clone(), node.to_owned());
        }
        self.pods.insert(key, (shape, priority as i32));
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

    /// Why a step cannot be compared yet.
    fn excluded(&self, step: &Value) -> Option<&'static str> {
        let known = |plugin: &str| KNOWN.iter().any(|one| one.name() == plugin);
        let rejected = step["rejected"].as_array();
        if rejected.into_iter().flatten().any(|one| !known(one["plugin"].as_str().unwrap_or(""))) {
            return Some("next issue: rejected by a plugin that comes later");
        }
        if !step["node_hint"].is_null() || !step["nominated_before"].is_null() {
            return Some("next issue: nominations and hints");
        }
        None
    }

    fn step(&mut self, step: &Value, tally: &mut Tally) {
        self.catch_up(step);
        tally.steps += 1;
        let pod = step["pod"].as_str().expect("a pod").to_owned();
        let (shape, priority) = self.pods[&pod].clone();
        self.cluster.snapshot.settle();
        if let Some(start) = step["start_index"].as_u64()
            && self.excluded(step).is_none()
            && start as usize != self.start
        {
            tally.different.push(format!("{pod}: starts at {}, not {start}", self.start));
        }
        self.start = step["start_index"].as_u64().map_or(self.start, |start| start as usize);
        let named = |one: &Algorithm| one.profile().name == shape.spec().scheduler_name;
        let at = self.algorithms.iter().position(named).expect("a profile of that name");
        let ours =
            explain(&self.cluster.snapshot, &shape, self.start, self.algorithms[at].profile());
        match self.excluded(step) {
            Some(why) => *tally.excluded.entry(why).or_default() += 1,
            None => self.compare(step, &shape, priority, &ours, tally),
        }
        self.start = ours.next_start;
        for victim in step["preemption"]["victims"].as_array().into_iter().flatten() {
            self.take_away(victim.as_str().expect("a name"));
        }
        if let Some(node) = step["chosen"].as_str() {
            self.cluster.place(node, &pod, &shape);
            self.placed.insert(pod, node.to_owned());
        }
    }

    fn compare(
        &mut self,
        step: &Value,
        shape: &PodShape,
        priority: i32,
        ours: &Explanation,
        tally: &mut Tally,
    ) {
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
        let comparable = others_are_even(step);
        if comparable {
            self.compare_choice(step, ours, &mut same);
        }
        self.algorithm_agrees(shape, ours, &mut same);
        if let Some(message) = step["failure_message"].as_str() {
            let named = |one: &&Algorithm| one.profile().name == shape.spec().scheduler_name;
            let profile = self.algorithms.iter().find(named).expect("a profile").profile();
            let written = ours.diagnosis.message(shape, profile);
            let lower = self.placed.keys().any(|pod| self.pods[pod].1 < priority);
            let first = |text: &str| text.split(" no new claims").next().map(str::to_owned);
            if lower {
                same("message", format!("{:?}", first(&written)), format!("{:?}", first(message)));
            } else {
                same("message", written.to_string(), message.to_owned());
                tally.messages += 1;
            }
        }
        if tally.different.len() > before {
            return;
        }
        if comparable {
            tally.equal += 1;
        } else {
            let why = "next issue: choice depends on a plugin that comes later";
            *tally.excluded.entry(why).or_default() += 1;
        }
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

    fn algorithm_agrees(
        &mut self,
        shape: &PodShape,
        ours: &Explanation,
        same: &mut impl FnMut(&str, String, String),
    ) {
        let named = |one: &&mut Algorithm| one.profile().name == shape.spec().scheduler_name;
        let algorithm = self.algorithms.iter_mut().find(named).expect("a profile of that name");
        algorithm.start_at(self.start);
        let fast = algorithm.schedule(&self.cluster.snapshot, shape);
        let plain = ours.chosen.ok_or_else(|| Box::new(ours.diagnosis.clone()));
        same("out of columns", format!("{fast:?}"), format!("{plain:?}"));
        same("next start", algorithm.start().to_string(), ours.next_start.to_string());
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

/// Whether plugins that come later gave every node the same.
fn others_are_even(step: &Value) -> bool {
    let known = |plugin: &str| KNOWN.iter().any(|one| one.name() == plugin);
    step["per_plugin"].as_object().into_iter().flatten().filter(|(plugin, _)| !known(plugin)).all(
        |(_, scores)| {
            let of_nodes: BTreeSet<Option<i64>> =
                scores.as_object().into_iter().flatten().map(|(_, score)| score.as_i64()).collect();
            of_nodes.len() <= 1
        },
    )
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

/// Why a whole case cannot be replayed yet.
fn excluded(case: &Value) -> Option<&'static str> {
    let profiles = case["profile"]["profiles"].as_array();
    let other = |profile: &Value| {
        let configs = profile["pluginConfig"].as_array();
        let modelled = ["NodeResourcesFit", "PodTopologySpread"].map(Value::from);
        configs.into_iter().flatten().any(|config| !modelled.contains(&config["name"]))
    };
    if profiles.into_iter().flatten().any(other) {
        return Some("next issue: arguments of plugins that come later");
    }
    let mut steps = case["steps"].as_array().into_iter().flatten();
    if steps.any(|step| step["preemption"]["nominated"].is_string()) {
        return Some("next issue: preemption");
    }
    None
}

fn replay(case: &Value, tally: &mut Tally) {
    if let Some(why) = excluded(case) {
        *tally.excluded.entry(why).or_default() += case["steps"].as_array().map_or(0, Vec::len);
        return;
    }
    let mut replay = Replay::new(case);
    for step in case["steps"].as_array().into_iter().flatten() {
        replay.step(step, tally);
    }
}

#[expect(clippy::disallowed_methods, reason = "recorded cases lie in files")]
fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("a case");
    let mut text = String::new();
    if path.extension().is_some_and(|ending| ending == "gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    } else {
        text = String::from_utf8(bytes).expect("text");
    }
    serde_json::from_str(&text).expect("a case")
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
        "{what}: {} steps, {} equal, {} whole messages, excluded {:?}",
        tally.steps, tally.equal, tally.messages, tally.excluded
    );
    let shown = &tally.different[..tally.different.len().min(20)];
    assert!(tally.different.is_empty(), "{} differ:\n{}", tally.different.len(), shown.join("\n"));
    assert!(tally.equal > 0 && tally.messages > 0);
}

#[test]
fn small_cases_are_decided_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scheduler-cases");
    conclude("scheduler cases, small", &replay_folder(&folder));
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn all_cases_are_decided_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/scheduler-cases/cases");
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    conclude("scheduler cases, all", &replay_folder(&folder));
}
