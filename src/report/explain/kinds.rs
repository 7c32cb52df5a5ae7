//! Answers about one object: why it is as it is.

use std::collections::BTreeMap;

use super::question::{asked_as, distance};
use super::row::Row;
use super::{OWN_MAX, Timeline, cause_of, chain, gather, read};
use crate::report::words::{clock, count, number, span};

/// Names suggested for one that is not there.
const NEAREST_MAX: usize = 5;
/// How many letters a suggested name may differ in.
const DISTANCE_MAX: usize = 12;
/// Pods of a workload that are followed.
const PODS_MAX: usize = 20_000;
/// Reasons shown for what is not as desired, and causes shown with an object.
const SHOWN_MAX: usize = 6;

/// One fact as a line.
pub(super) fn line(row: &Row, name: &str) -> String {
    format!("{:>10}  {}  #{}\n", clock(row.at), row.sentence(name), row.id)
}

/// What a first reading finds out about an object.
struct Gathered {
    object: String,
    /// What happened to it, and what a step did to it.
    own: Vec<Row>,
    /// Facts about it that are not kept.
    left_out: u64,
    /// The cause of each line.
    causes: Vec<u32>,
    /// Steps of the timeline, for what nothing leads to.
    steps: Vec<Row>,
    /// The latest news of each pod of a workload or on a node.
    pods: BTreeMap<String, Row>,
    /// How many of them were evicted.
    evicted: u64,
    /// What a client sent, and how it ended: sent, ok, refused, reset, timeout, failed.
    requests: [i64; 6],
    /// From when to when each kind of failure was seen.
    failures: BTreeMap<&'static str, (Row, Row, i64)>,
}

const ENDS: [&str; 6] = ["sent", "ok", "refused", "reset", "timeout", "failed"];

impl Gathered {
    fn new(object: &str) -> Gathered {
        Gathered {
            object: object.to_owned(),
            own: Vec::new(),
            left_out: 0,
            causes: Vec::new(),
            steps: Vec::new(),
            pods: BTreeMap::new(),
            evicted: 0,
            requests: [0; 6],
            failures: BTreeMap::new(),
        }
    }

    /// What the names of its pods begin with, for a workload.
    fn prefix(&self) -> Option<String> {
        let (kind, rest) = self.object.split_once('/')?;
        ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet"]
            .contains(&kind)
            .then(|| format!("Pod/{rest}-"))
    }

    fn take(&mut self, row: Row, prefix: Option<&str>) {
        self.causes.push(cause_of(&row));
        if row.verb == "step" && self.steps.len() < OWN_MAX {
            self.steps.push(row.clone());
        }
        if row.verb == "deleted" {
            self.pods.remove(&row.object);
        }
        let is_mine = match prefix {
            Some(prefix) => row.object.starts_with(prefix),
            None => row.node.as_deref().is_some_and(|node| self.object == format!("Node/{node}")),
        };
        if is_mine && row.kind() == "Pod" && row.verb != "deleted" {
            self.evicted += u64::from(row.verb == "evicted");
            if self.pods.contains_key(&row.object) || self.pods.len() < PODS_MAX {
                self.pods.insert(row.object.clone(), row.clone());
            }
        }
        if row.object != self.object {
            return;
        }
        if row.verb == "requests" {
            self.requests(&row);
        } else if self.own.len() < OWN_MAX {
            self.own.push(row);
        } else {
            self.left_out += 1;
        }
    }

    fn requests(&mut self, row: &Row) {
        for (sum, end) in self.requests.iter_mut().zip(ENDS) {
            *sum += row.value(end);
        }
        for end in &ENDS[2..] {
            let failed = row.value(end);
            if failed > 0 {
                let seen = self.failures.entry(end);
                let seen = seen.or_insert_with(|| (row.clone(), row.clone(), 0));
                seen.1 = row.clone();
                seen.2 += failed;
            }
        }
    }
}

/// Tells of one object.
pub(super) fn tell(
    timeline: &mut dyn Timeline,
    summary: &serde_json::Value,
    object: &str,
) -> Result<String, String> {
    let mut found = Gathered::new(object);
    let prefix = found.prefix();
    read(timeline, &mut |row| found.take(row, prefix.as_deref()))?;
    if found.own.is_empty() && found.requests[0] == 0 {
        return Err(nearest(timeline, object)?);
    }
    let reasons: Vec<u64> = found.own.iter().chain(found.pods.values()).map(|row| row.id).collect();
    let roots = gather(timeline, &found.causes, reasons)?;
    // A fault's silence has no cause in the timeline: the step that brought it about is looked up.
    let more: Vec<Row> =
        roots.values().filter_map(|row| chain::step_before(&found.steps, row).cloned()).collect();
    let mut rows = roots;
    rows.extend(more.into_iter().map(|step| (step.id, step)));
    let teller = Teller { found: &found, rows: &rows };
    let mut out = String::new();
    match object.split('/').next() {
        Some("Client") => teller.client(&mut out),
        Some(
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet",
        ) => {
            teller.workload(&mut out, summary);
        }
        Some("Node") => teller.node(&mut out),
        _ => teller.life(&mut out),
    }
    Ok(out)
}

struct Teller<'a> {
    found: &'a Gathered,
    rows: &'a BTreeMap<u64, Row>,
}

/// What happened to it in a few words, for a group of pods.
fn state(row: &Row) -> String {
    let said = row.message.as_deref().unwrap_or_default();
    match row.verb.as_str() {
        "unschedulable" => format!("fits on no node: {said}"),
        "nominated" => "waits until pods on its node made room".to_owned(),
        "created" => "waits for the scheduler".to_owned(),
        "bound" | "accepted" => "its node is about to start it".to_owned(),
        "pulling" => "its image is being fetched".to_owned(),
        "pull-failed" => format!("its image cannot be fetched: {said}"),
        "pulled" | "started" | "running" => "started, not ready yet".to_owned(),
        "exited" => format!("a container ended with exit code {}", row.value("exit_code")),
        "back-off" => "keeps crashing: back-off".to_owned(),
        "probe-failed" => format!("a probe fails: {said}"),
        "unready" => "no longer ready".to_owned(),
        "evicted" | "preempted" | "deleting" | "killing" => "told to leave".to_owned(),
        "finished" => "ended".to_owned(),
        "ready" => "ready".to_owned(),
        other => other.to_owned(),
    }
}

impl Teller<'_> {
    /// The causes of a fact, the step behind a silence included.
    fn causes(&self, id: u64) -> Vec<Row> {
        let look = |id: u64| {
            let mut row = self.rows.get(&id).cloned()?;
            if let Some(step) = chain::step_before(&self.found.steps, &row) {
                row.cause = Some(step.id);
            }
            Some(row)
        };
        chain::causes(id, &look)
    }

    /// What happened to it, each fact with the causes that lie outside of it.
    fn life(&self, out: &mut String) {
        let name = self.found.own[0].name();
        *out += &format!("{name}\n\n");
        let mut told: Vec<u64> = Vec::new();
        for row in &self.found.own {
            if row.verb == "status" {
                continue;
            }
            self.because(out, row, &mut told);
            *out += &self.line(row);
        }
        self.left_out(out);
    }

    /// A fact about it; for an eviction, how long the taint was tolerated.
    fn line(&self, row: &Row) -> String {
        let text = line(row, "it");
        let causes = self.causes(row.id);
        let taint = causes.iter().rev().nth(1).filter(|it| it.verb == "tainted");
        match taint.filter(|_| row.verb == "evicted") {
            Some(taint) => {
                let tolerated = span(row.at.saturating_since(taint.at));
                let said = format!("; the taint was tolerated for {tolerated}  #{}", row.id);
                text.replacen(&format!("  #{}", row.id), &said, 1)
            }
            None if row.verb == "finished" && self.was_told_to_leave(row) => {
                text.replacen("has done its work", "has ended", 1)
            }
            None => text,
        }
    }

    /// Whether it was to leave before `row`: then its end says nothing about its work.
    fn was_told_to_leave(&self, row: &Row) -> bool {
        let told = ["deleting", "evicted", "preempted", "killing"];
        self.found.own.iter().any(|it| it.id < row.id && told.contains(&it.verb.as_str()))
    }

    fn left_out(&self, out: &mut String) {
        if self.found.left_out > 0 {
            *out += &format!("{:>10}  and {} more\n", "", number(self.found.left_out));
        }
    }

    /// The chain that led to `row`, if it comes from elsewhere and has not been told.
    fn because(&self, out: &mut String, row: &Row, told: &mut Vec<u64>) {
        let is_told = [
            "created",
            "evicted",
            "preempted",
            "deleting",
            "unready",
            "killing",
            "pull-failed",
            "scaled",
            "changed",
            "exited",
            "request-failed",
            "tainted",
            "node-unknown",
            "node-not-ready",
            "status",
        ]
        .contains(&row.verb.as_str());
        let mut causes = self.causes(row.id);
        causes.pop();
        // What is known from the lines above needs no second telling.
        while causes.first().is_some_and(|it| it.object == row.object || told.contains(&it.id)) {
            told.push(causes.remove(0).id);
        }
        causes.retain(|it| it.object != row.object);
        if !is_told || causes.is_empty() {
            return;
        }
        told.extend(causes.iter().map(|it| it.id));
        *out += &chain::written(&causes, "            because ")
            .replace("\n            because ", "\n                    ");
    }

    fn workload(&self, out: &mut String, summary: &serde_json::Value) {
        let name = self.found.own[0].name();
        let row = row_of(summary, &self.found.object);
        let count_of = |key: &str| row.and_then(|row| row[key].as_i64()).unwrap_or(0);
        let [desired, available, updated] = ["desired", "available", "updated"].map(count_of);
        *out += &match row {
            // A summary has no row of what belongs to another workload.
            None if self.is_gone() => format!("{name}: gone at the end of the run\n"),
            None => format!("{name}\n"),
            Some(_) if available == desired && (updated == desired || name.starts_with("Job ")) => {
                format!("{name}: as desired at the end: {available} of {desired} available\n")
            }
            Some(_) if available >= desired => format!(
                "{name}: at the end {available} of {desired} available, {updated} of the newest template\n"
            ),
            Some(_) => format!("{name}: not available at the end: {available} of {desired}\n"),
        };
        let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for pod in self.found.pods.values().filter(|row| row.verb != "ready") {
            groups.entry(state(pod)).or_default().push(pod);
        }
        for (state, pods) in groups.iter().take(SHOWN_MAX) {
            let ask = asked_as(&pods[0].object);
            let amount = count(pods.len() as u64, "pod");
            *out += &format!("  {amount}: {state}\n    ask: {ask}\n");
        }
        let refused = self.found.own.iter().rev().find(|row| row.verb == "refused");
        if let Some(row) = refused.filter(|_| available < desired) {
            let said = row.message.as_deref().unwrap_or_default();
            *out += &format!("  pods are missing: the API server lets none in: {said}\n");
        }
        *out += "\n";
        let mut told = Vec::new();
        let mut before: Option<&Row> = None;
        let mut is_low = false;
        for row in &self.found.own {
            // Of statuses only those count that tell of a loss, and the first one after it.
            if row.verb == "status" {
                let falls = before.is_some_and(|it| row.value("available") < it.value("available"));
                let rises = before.is_some_and(|it| row.value("available") > it.value("available"));
                before = Some(row);
                let is_first_rise = rises && is_low;
                if !(falls || is_first_rise) {
                    continue;
                }
                if falls {
                    self.because(out, row, &mut told);
                }
                is_low = falls;
            } else {
                self.because(out, row, &mut told);
            }
            *out += &line(row, "it");
        }
        self.left_out(out);
    }

    /// Whether the latest of its comings and goings is that it went.
    fn is_gone(&self) -> bool {
        let turns = ["created", "deleted"];
        let latest = self.found.own.iter().rev().find(|row| turns.contains(&row.verb.as_str()));
        latest.is_some_and(|row| row.verb == "deleted")
    }

    fn node(&self, out: &mut String) {
        let name = self.found.own[0].name();
        *out += &format!("{name}\n\n");
        let mut told = Vec::new();
        for row in &self.found.own {
            self.because(out, row, &mut told);
            *out += &line(row, "it");
        }
        self.left_out(out);
        let mut groups: BTreeMap<String, (u64, &Row)> = BTreeMap::new();
        for pod in self.found.pods.values() {
            groups.entry(state(pod)).or_insert((0, pod)).0 += 1;
        }
        if self.found.evicted > 0 {
            let (evicted, was) =
                (self.found.evicted, if self.found.evicted == 1 { "was" } else { "were" });
            *out += &format!("\n{} {was} told to leave it\n", count(evicted, "pod"));
        }
        if !groups.is_empty() {
            *out += "\nits pods, by the latest news of them\n";
        }
        for (state, (pods, example)) in groups {
            let ask = asked_as(&example.object);
            *out += &format!("  {}: {state}, as {ask}\n", count(pods, "pod"));
        }
    }

    fn client(&self, out: &mut String) {
        let name = self.found.object.split_once('/').map_or("", |(_, name)| name);
        let [sent, ok, ..] = self.found.requests;
        let amount = |value: i64| number(u64::try_from(value).unwrap_or(0));
        *out +=
            &format!("client {name}: {} requests, {} answered well\n", amount(sent), amount(ok));
        for (kind, (first, last, count)) in &self.found.failures {
            let what = match *kind {
                "refused" => "refused (no endpoint, or nothing listens)",
                "reset" => "cut off (the pod ended under them)",
                "timeout" => "not answered in time",
                _ => "answered with an error",
            };
            *out += &format!(
                "  {} {what}, told from {} to {}\n",
                amount(*count),
                clock(first.at),
                clock(last.at)
            );
        }
        if self.found.failures.is_empty() {
            *out += "  none failed\n";
        }
        let mut told: Vec<String> = Vec::new();
        for row in self.found.own.iter().filter(|row| row.verb == "request-failed") {
            let causes = self.causes(row.id);
            let root = causes.first().map_or(row.id, |it| it.id);
            let said = format!("{root} {}", reason(row));
            if told.contains(&said) || told.len() == SHOWN_MAX {
                continue;
            }
            told.push(said);
            *out += "\nwhy one of them failed\n";
            *out += &chain::written(&causes, "");
        }
    }
}

/// What was said of a failure up to the pod it names.
fn reason(row: &Row) -> &str {
    let said = row.message.as_deref().unwrap_or_default();
    said.split([':', ',']).next().unwrap_or_default()
}

/// The row of a workload in a summary.
fn row_of<'a>(summary: &'a serde_json::Value, object: &str) -> Option<&'a serde_json::Value> {
    let rows = summary["workloads"].as_array()?;
    rows.iter().find(|row| {
        let part = |key: &str| row[key].as_str().unwrap_or_default();
        format!("{}/{}/{}", part("kind"), part("namespace"), part("name")) == object
    })
}

/// What to say of an object that is not there: those with the nearest names.
fn nearest(timeline: &mut dyn Timeline, object: &str) -> Result<String, String> {
    let mut best: Vec<(usize, String)> = Vec::new();
    let kind = object.split('/').next().unwrap_or_default();
    read(timeline, &mut |row| {
        if best.iter().any(|(_, known)| *known == row.object) {
            return;
        }
        let most = best.last().filter(|_| best.len() == NEAREST_MAX);
        let most = most.map_or(DISTANCE_MAX, |(worst, _)| *worst);
        let mut away = distance(object, &row.object, DISTANCE_MAX);
        // Part of a name is often all that is known.
        let name = object.rsplit('/').next().unwrap_or_default();
        if row.kind() == kind && name.len() > 2 && row.object.contains(name) {
            away = away.min(2);
        }
        if away <= DISTANCE_MAX && (away < most || best.len() < NEAREST_MAX) {
            best.push((away, row.object));
            best.sort();
            best.truncate(NEAREST_MAX);
        }
    })?;
    let asked = asked_as(object);
    if best.is_empty() {
        return Ok(format!("{asked}: the run knows no such object"));
    }
    let names: Vec<String> = best.iter().map(|(_, name)| asked_as(name)).collect();
    Ok(format!("{asked}: the run knows no such object; nearest: {}", names.join(", ")))
}
