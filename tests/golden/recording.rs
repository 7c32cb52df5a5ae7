//! A recording of a real control plane as it lies in a file: what was applied, done, seen and when.
//!
//! Knows the format (`golden-timelines/README.md`) and, but for the words of its actions, nothing of what a
//! recording is about.

#![expect(clippy::disallowed_methods, reason = "recordings lie in files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use super::actions::{Deed, Way, deeds};
use super::verdict::NOISE;

/// One file.
pub struct Recording {
    /// Its name, without ending.
    pub name: String,
    json: Value,
}

/// What held from when on, in seconds.
pub type Steps = Vec<(f64, String)>;

/// Something that was done: when, in seconds, and in whose words.
pub type Action = (f64, String);

impl Recording {
    pub fn parse(name: &str, json: Value) -> Recording {
        Recording { name: name.to_owned(), json }
    }

    fn open(path: &Path) -> Option<Recording> {
        let file = path.file_name()?.to_str()?;
        let name = file.strip_suffix(".gz").unwrap_or(file).strip_suffix(".json")?;
        let bytes = fs::read(path).expect("it is readable");
        let mut text = Vec::new();
        if file.ends_with(".gz") {
            GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("gzip");
        } else {
            text = bytes;
        }
        Some(Recording::parse(name, serde_json::from_slice(&text).expect("JSON")))
    }

    /// All recordings of a folder, by name; none where there is no folder.
    pub fn folder(path: &Path) -> Vec<Recording> {
        let entries = fs::read_dir(path).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
        files.sort();
        files.iter().filter_map(|file| Recording::open(file)).collect()
    }

    pub fn runs(&self) -> Vec<Run<'_>> {
        self.json["runs"].as_array().expect("runs").iter().map(Run).collect()
    }

    pub fn cluster(&self) -> &Value {
        &self.json["cluster"]
    }

    /// What was applied or sent as a patch, by its key in the file, in the order of the file.
    pub fn manifests(&self) -> Vec<(&str, &str)> {
        let all = self.json["manifests"].as_object().expect("manifests");
        all.iter().map(|(key, text)| (key.as_str(), text.as_str().expect("a text"))).collect()
    }
}

/// One run of a recording.
#[derive(Clone, Copy)]
pub struct Run<'r>(&'r Value);

impl<'r> Run<'r> {
    pub fn actions(self) -> Vec<Action> {
        let all = self.0["actions"].as_array().expect("actions").iter();
        let one = |it: &Value| {
            (it[0].as_f64().expect("a time"), it[1].as_str().expect("words").to_owned())
        };
        all.map(one).collect()
    }

    /// Its timings and counts by name; those that are lists have a row for the least and greatest.
    pub fn timings(self) -> BTreeMap<String, f64> {
        let mut found = BTreeMap::new();
        for (name, value) in self.0["key_timings"].as_object().expect("timings") {
            if let Some(number) = value.as_f64() {
                found.insert(name.clone(), number);
            }
        }
        found
    }

    /// A list or object that some recordings have besides.
    pub fn field(self, name: &str) -> &'r Value {
        &self.0[name]
    }

    /// Of each ReplicaSet the sizes that were asked for, in order.
    pub fn sizes(self) -> BTreeMap<String, Vec<i64>> {
        let of = |(name, list): (&String, &Value)| {
            let steps = list.as_array().expect("steps").iter();
            (name.clone(), steps.filter_map(|step| step[1].as_i64()).collect())
        };
        self.0["facts"]["replicaset_sizes"].as_object().into_iter().flatten().map(of).collect()
    }

    /// The conditions of its one Deployment, each time they changed, from the first action on; none if there
    /// is no such Deployment, or more of them, which the recordings do not tell apart.
    pub fn conditions(self) -> Option<Steps> {
        let names: BTreeSet<&str> = self.seen("Deployment").map(|it| it.1).collect();
        if names.len() > 1 {
            return None;
        }
        let mut found: Steps = Vec::new();
        for step in self.0["facts"]["deployment_status"].as_array()? {
            let Some(conditions) = step[1]["conditions"].as_object() else { continue };
            let value = |it: &Value| it.as_str().unwrap_or_default().to_owned();
            let mut all: Vec<String> =
                conditions.iter().map(|(name, it)| format!("{name}={}", value(it))).collect();
            all.sort();
            let all = all.join(" ");
            if found.last().is_none_or(|it| it.1 != all) {
                found.push((step[0].as_f64()?, all));
            }
        }
        Some(found)
    }

    /// Who was deleted after whom: names, of numbered pods their nodes.
    pub fn deletions(self) -> Vec<String> {
        let all = self.0["deletion_order"].as_array().into_iter().flatten();
        let one = |it: &Value| {
            let words = it.as_str().unwrap_or_default();
            let (pod, node) = words.split_once('@').unwrap_or((words, words));
            if pod.contains("-<rs") { node.to_owned() } else { pod.to_owned() }
        };
        all.map(one).collect()
    }

    pub fn most_pods(self) -> Option<f64> {
        self.0["facts"]["max_non_terminating_pods"].as_f64()
    }

    /// What was seen of objects of `kind`: when, the name, what changed.
    pub fn seen(self, kind: &str) -> impl Iterator<Item = (f64, &'r str, &'r Map<String, Value>)> {
        let all = self.0["observations"].as_array().into_iter().flatten();
        let of_kind = all.filter(move |it| it["kind"] == kind);
        of_kind.filter_map(|it| {
            Some((it["t"].as_f64()?, it["name"].as_str()?, it["what"].as_object()?))
        })
    }

    /// Whether the object was there before the first action.
    pub fn existed(self, kind: &str, name: &str) -> bool {
        let mut all = self.seen(kind);
        all.any(|(_, of, what)| of == name && what.get("event").is_some_and(|it| it == "EXISTS"))
    }

    /// When an object was first seen that an action created.
    pub fn added(self, kind: &str, name: &str) -> Option<f64> {
        let mut all = self.seen(kind);
        all.find(|(_, of, what)| *of == name && what.get("event").is_some_and(|it| it == "ADDED"))
            .map(|it| it.0)
    }

    /// The first change of an object of `kind` at or after `from` that has this field.
    pub fn first_change(self, kind: &str, field: &str, from: f64) -> Option<f64> {
        let mut all = self.seen(kind);
        all.find(|(at, _, what)| *at >= from && what.contains_key(field)).map(|it| it.0)
    }

    /// In how many groups, each on a node, the pods lie when it begins, if its actions tell: so are their
    /// ages told.
    pub fn placed(self) -> usize {
        let all = self.actions().into_iter().filter_map(|it| deeds(&it.1)).flatten();
        let groups = all.map(|it| match it {
            Deed::Placed(groups) => groups.len(),
            _ => 0,
        });
        groups.max().unwrap_or_default()
    }

    /// When an etcd that was gone was there again, if one was.
    pub fn outage(self) -> Option<f64> {
        let is_back = |words: &str| {
            let back = Deed::Part("etcd", Way::Start);
            deeds(words).is_some_and(|all| all.contains(&back))
        };
        self.actions().into_iter().find(|it| is_back(&it.1)).map(|it| it.0)
    }

    /// How long the first write of the harness took to be seen, if it wrote at once: what a command had to be
    /// started for came later.
    pub fn first_write(self) -> Option<f64> {
        let actions = self.actions();
        let is_write = |deed: &Deed| match deed {
            Deed::Create | Deed::Patch(_) | Deed::Scale(_) | Deed::Pause | Deed::Resume => true,
            Deed::Delete(..) | Deed::Taint(..) | Deed::Untaint | Deed::Label(..) => true,
            Deed::Evict(_) | Deed::Uncordon => true,
            Deed::Undo | Deed::Drain(_) | Deed::Kubelets(..) | Deed::Part(..) => false,
            Deed::Frozen(_) | Deed::Placed(_) | Deed::Nothing => false,
        };
        deeds(&actions.first()?.1)?.iter().find(|it| is_write(it))?;
        let seen = self.0["observations"].as_array().into_iter().flatten();
        let others = seen.filter(|it| it["kind"] != "Lease");
        let times = others.filter_map(|it| it["t"].as_f64()).filter(|at| *at > 0.0);
        let first = times.fold(f64::MAX, f64::min);
        (first < NOISE).then_some(first)
    }

    /// When the last thing was seen or done.
    pub fn end(self) -> f64 {
        let seen = self.0["observations"].as_array().into_iter().flatten();
        let times = seen.filter_map(|it| it["t"].as_f64());
        let done = self.actions().into_iter().map(|it| it.0);
        let timings = self.timings().into_values();
        times.chain(done).chain(timings).fold(0.0, f64::max)
    }
}
