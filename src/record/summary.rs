//! `summary.json`: how a run ended.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::json::Json;
use super::metrics::{Metrics, Window};
use crate::api::daemon_set::DaemonSet;
use crate::api::job::Job;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::{ContainerState, ContainerStatus, Phase, Pod, TerminationReason};
use crate::api::service::{EndpointSlice, Exposure, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::cluster::cloud::GroupCost;
use crate::cluster::plan::Plan;
use crate::net::address::service_dns_name;
use crate::store::Store;
use crate::time::SimTime;

/// The version of the format.
pub const SUMMARY_SCHEMA: &str = "wavetank.dev/summary/v1";

/// A run that has ended, to be summed up.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// What was run.
    pub plan: &'a Plan,
    /// All objects at the end.
    pub store: &'a Store,
    /// What was counted on the way.
    pub counts: &'a Counts,
    /// What was measured on the way.
    pub metrics: &'a Metrics,
    /// When it ended.
    pub now: SimTime,
    /// Events handled.
    pub events: u64,
    /// Its identity.
    pub digest: u64,
    /// Since when the cluster was as desired, if it was at the end.
    pub converged_at: Option<SimTime>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: Text,
    /// The seed.
    pub seed: u64,
    /// The digest.
    pub digest: u64,
    /// When it ended.
    pub now: SimTime,
    /// Events handled.
    pub events: u64,
    /// Since when the cluster was as desired, if it was at the end.
    pub converged_at: Option<SimTime>,
    /// Pods by what became of them.
    pub pods: PodCounts,
    /// Nodes, masters among them.
    pub nodes: NodeCounts,
    /// Deployments, and the ReplicaSets, ReplicationControllers and Jobs nobody owns.
    pub workloads: Vec<WorkloadRow>,
    /// Services.
    pub services: Vec<ServiceRow>,
    /// What the machines of each node group cost.
    pub costs: Vec<GroupCost>,
    /// What was expected, in the order written.
    pub expectations: Vec<ExpectationRow>,
    /// Pods that could not be placed: how many share a message, and one of them.
    pub unplaced: Vec<(Text, u32, String)>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// Pods by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PodCounts {
    /// Stored in the course of the run.
    pub created: u64,
    /// In phase Running at the end.
    pub running: u64,
    /// Ready at the end.
    pub ready: u64,
    /// In phase Pending at the end.
    pub pending: u64,
    /// Of those, the ones no node fits.
    pub unschedulable: u64,
    /// In phase Succeeded at the end.
    pub succeeded: u64,
    /// In phase Failed at the end.
    pub failed: u64,
    /// Told to leave their node.
    pub evicted: u64,
    /// With a container that was killed for memory.
    pub oom_killed: u64,
    /// Containers started again.
    pub restarts: u64,
}

/// Nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeCounts {
    /// All of them.
    pub total: u64,
    /// Those that are ready.
    pub ready: u64,
}

/// A workload.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WorkloadRow {
    /// Its namespace.
    pub namespace: Text,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Pods wanted; of a Job, completions.
    pub desired: i32,
    /// Pods ready.
    pub ready: i32,
    /// Pods of the newest template; of a Job, active ones.
    pub updated: i32,
    /// Pods available; of a Job, those that succeeded.
    pub available: i32,
}

/// A Service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ServiceRow {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: String,
    /// Its address; `None` as text for a headless one, nothing if it has none.
    pub cluster_ip: Option<String>,
    /// Ready endpoints.
    pub endpoints: u64,
    /// What became of the requests it was sent.
    pub requests: RequestCounts,
}

/// Requests of a whole run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct RequestCounts {
    /// Sent.
    pub total: u64,
    /// Answered well.
    pub ok: u64,
    /// Ended otherwise; what is neither was still in flight.
    pub errors: u64,
    /// Latencies of good answers that 50, 95 and 99 of 100 did not exceed, in microseconds.
    pub latency_us: [Option<u64>; 3],
}

impl RequestCounts {
    fn of(window: &Window) -> RequestCounts {
        let latency = |q| window.histogram.quantile_nanos(q).map(|nanos| nanos / 1000);
        RequestCounts {
            total: window.sent,
            ok: window.ok,
            errors: window.errors(),
            latency_us: [0.50, 0.95, 0.99].map(latency),
        }
    }

    fn to_json(self) -> Json {
        let [p50, p95, p99] = self.latency_us.map(|it| Json::or_null(it.map(Json::Millis)));
        Json::map([
            ("total", Json::count(self.total)),
            ("ok", Json::count(self.ok)),
            ("errors", Json::count(self.errors)),
            ("p50_ms", p50),
            ("p95_ms", p95),
            ("p99_ms", p99),
        ])
    }
}

/// What came of something expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectationRow {
    /// What it is called.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// When that was settled; nothing if only the end settled it.
    pub at: Option<SimTime>,
    /// What was seen, in words.
    pub detail: String,
    /// The number of the fact that broke it, where one did.
    pub of_fact: Option<u64>,
}

impl ExpectationRow {
    fn to_json(&self) -> Json {
        Json::map([
            ("name", Json::text(&self.name)),
            ("passed", Json::Bool(self.passed)),
            ("at_seconds", Json::or_null(self.at.map(Json::Seconds))),
            ("detail", Json::text(&self.detail)),
        ])
    }
}

impl ServiceRow {
    /// The name clients inside the cluster know it by.
    pub fn dns_name(&self) -> String {
        service_dns_name(&self.namespace, &self.name)
    }
}

impl Summary {
    /// Sums up a run.
    pub fn of(outcome: Outcome<'_>) -> Summary {
        let Outcome { plan, store, counts, metrics, now, events, digest, converged_at } = outcome;
        let nodes = store.table::<Node>().iter();
        let (total, ready) = nodes.fold((0, 0), |(total, ready), (_, node)| {
            (total + 1, ready + u64::from(node.is_ready()))
        });
        Summary {
            scenario: plan.name.clone(),
            seed: plan.seed,
            digest,
            now,
            events,
            converged_at,
            pods: pod_counts(store, counts),
            nodes: NodeCounts { total, ready },
            workloads: workloads(store),
            services: services(store, metrics),
            costs: Vec::new(),
            expectations: Vec::new(),
            unplaced: unplaced(store),
            warnings: unserved(plan, store),
        }
    }

    /// As written to `summary.json`.
    pub fn to_json(&self) -> Json {
        let list = |rows: Vec<Json>| Json::List(rows);
        let mut json = vec![
            ("schema", Json::text(SUMMARY_SCHEMA)),
            ("scenario", Json::text(&*self.scenario)),
            ("seed", Json::count(self.seed)),
            ("digest", Json::text(format!("{:016x}", self.digest))),
            ("virtual_seconds", Json::Seconds(self.now)),
            ("events", Json::count(self.events)),
            ("converged", Json::Bool(self.converged_at.is_some())),
            ("converged_at_seconds", Json::or_null(self.converged_at.map(Json::Seconds))),
            ("pods", self.pods.to_json()),
            (
                "nodes",
                Json::map([
                    ("total", Json::count(self.nodes.total)),
                    ("ready", Json::count(self.nodes.ready)),
                ]),
            ),
            ("workloads", list(self.workloads.iter().map(WorkloadRow::to_json).collect())),
            ("services", list(self.services.iter().map(ServiceRow::to_json).collect())),
            ("expectations", list(self.expectations.iter().map(ExpectationRow::to_json).collect())),
            ("warnings", list(self.warnings.iter().map(Json::text).collect())),
        ];
        if !self.costs.is_empty() {
            json.insert(json.len() - 1, ("cost", cost(&self.costs)));
        }
        Json::Map(json.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// What machines cost, by group and in all; money with six digits.
fn cost(groups: &[GroupCost]) -> Json {
    let money = |millionths: u64| Json::Millionths(millionths);
    let group = |one: &GroupCost| {
        Json::map([
            ("name", Json::text(&*one.name)),
            ("machines", Json::count(one.machines)),
            ("lent", Json::count(one.lent)),
            ("node_seconds", Json::count(one.seconds)),
            ("price_per_hour", Json::or_null(one.price.map(money))),
            ("cost", Json::or_null(one.price.map(|_| money(one.cost)))),
        ])
    };
    let total = groups.iter().fold(0, |sum: u64, one| sum.saturating_add(one.cost));
    Json::map([
        ("total", money(total)),
        ("node_seconds", Json::count(groups.iter().map(|one| one.seconds).sum())),
        ("groups", Json::List(groups.iter().map(group).collect())),
    ])
}

impl PodCounts {
    fn to_json(self) -> Json {
        Json::map([
            ("created", Json::count(self.created)),
            ("running", Json::count(self.running)),
            ("ready", Json::count(self.ready)),
            ("pending", Json::count(self.pending)),
            ("unschedulable", Json::count(self.unschedulable)),
            ("succeeded", Json::count(self.succeeded)),
            ("failed", Json::count(self.failed)),
            ("evicted", Json::count(self.evicted)),
            ("oom_killed", Json::count(self.oom_killed)),
            ("restarts", Json::count(self.restarts)),
        ])
    }
}

impl WorkloadRow {
    /// Whether as many pods are available as are wanted, no fewer and no more; of a Job, whether enough
    /// have succeeded.
    pub fn is_as_wanted(&self) -> bool {
        match self.kind {
            "Job" => self.available >= self.desired,
            _ => self.available == self.desired,
        }
    }

    fn to_json(&self) -> Json {
        Json::map([
            ("kind", Json::text(self.kind)),
            ("namespace", Json::text(&*self.namespace)),
            ("name", Json::text(&self.name)),
            ("desired", Json::Int(self.desired.into())),
            ("ready", Json::Int(self.ready.into())),
            ("updated", Json::Int(self.updated.into())),
            ("available", Json::Int(self.available.into())),
        ])
    }
}

impl ServiceRow {
    fn to_json(&self) -> Json {
        Json::map([
            ("namespace", Json::text(&*self.namespace)),
            ("name", Json::text(&self.name)),
            ("cluster_ip", Json::or_null(self.cluster_ip.clone().map(Json::Text))),
            ("dns_name", Json::text(self.dns_name())),
            ("endpoints", Json::count(self.endpoints)),
            ("requests", self.requests.to_json()),
        ])
    }
}

fn is_oom_killed(status: &ContainerStatus) -> bool {
    let now = match status.state {
        ContainerState::Terminated(end) => Some(end.reason),
        _ => None,
    };
    [now, status.last.map(|end| end.reason)].contains(&Some(TerminationReason::OomKilled))
}

fn pod_counts(store: &Store, counts: &Counts) -> PodCounts {
    let mut pods = PodCounts {
        created: counts.pods_created,
        evicted: counts.pods_evicted,
        restarts: counts.restarts,
        ..PodCounts::default()
    };
    for (_, pod) in store.table::<Pod>().iter() {
        let phase = match pod.status.phase {
            Phase::Pending | Phase::Unknown => &mut pods.pending,
            Phase::Running => &mut pods.running,
            Phase::Succeeded => &mut pods.succeeded,
            Phase::Failed => &mut pods.failed,
        };
        *phase += 1;
        pods.ready += u64::from(pod.is_ready());
        pods.unschedulable += u64::from(pod.is_unschedulable());
        let statuses = pod.status.containers.iter().flat_map(|list| list.iter());
        pods.oom_killed += u64::from(statuses.into_iter().any(is_oom_killed));
    }
    pods
}

/// Schedulers that pods wait for and nobody is, in words.
pub fn unserved(plan: &Plan, store: &Store) -> Vec<String> {
    let is_served =
        |name: &str| plan.scheduler.profiles.iter().any(|profile| &*profile.name == name);
    let mut waiting: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    for (_, pod) in store.table::<Pod>().iter() {
        let name = &*pod.spec.scheduler_name;
        if pod.node.is_none() && pod.status.phase == Phase::Pending && !is_served(name) {
            let one = format!("{}/{}", pod.meta.namespace, pod.meta.name);
            let (count, first) = waiting.entry(name).or_insert_with(|| (0, one.clone()));
            *count += 1;
            if one < *first {
                *first = one;
            }
        }
    }
    let words = waiting.into_iter().map(|(name, (count, first))| match count {
        1 => format!("no scheduler is called {name:?}: {first} waits for it"),
        _ => format!("no scheduler is called {name:?}: {count} pods wait for it, {first} first"),
    });
    words.collect()
}

fn workloads(store: &Store) -> Vec<WorkloadRow> {
    let deployments = store.table::<Deployment>().iter().map(|(_, it)| WorkloadRow {
        namespace: it.meta.namespace.clone(),
        kind: "Deployment",
        name: it.meta.name.to_string(),
        desired: it.replicas,
        ready: it.status.ready,
        updated: it.status.updated,
        available: it.status.available,
    });
    let sets = store.table::<ReplicaSet>().iter().filter(|(_, it)| it.meta.owner.is_none());
    let sets = sets.map(|(_, it)| WorkloadRow {
        namespace: it.meta.namespace.clone(),
        kind: crate::api::kind::Kind::from(it.kind).name(),
        name: it.meta.name.to_string(),
        desired: it.replicas,
        ready: it.status.ready,
        updated: it.status.replicas,
        available: it.status.available,
    });
    let stateful = store.table::<StatefulSet>().iter().map(|(_, it)| WorkloadRow {
        namespace: it.meta.namespace.clone(),
        kind: "StatefulSet",
        name: it.meta.name.to_string(),
        desired: it.replicas,
        ready: it.status.ready,
        updated: it.status.updated,
        available: it.status.available,
    });
    let daemons = store.table::<DaemonSet>().iter().map(|(_, it)| WorkloadRow {
        namespace: it.meta.namespace.clone(),
        kind: "DaemonSet",
        name: it.meta.name.to_string(),
        desired: it.status.desired,
        ready: it.status.ready,
        updated: it.status.updated,
        available: it.status.available,
    });
    let jobs = store.table::<Job>().iter().filter(|(_, it)| it.meta.owner.is_none());
    let jobs = jobs.map(|(_, it)| WorkloadRow {
        namespace: it.meta.namespace.clone(),
        kind: "Job",
        name: it.meta.name.to_string(),
        desired: it.spec.completions.unwrap_or(it.spec.parallelism),
        ready: it.status.ready.unwrap_or(0),
        updated: it.status.active,
        available: it.status.succeeded,
    });
    let sets = sets.chain(stateful).chain(daemons);
    let mut rows: Vec<_> = deployments.chain(sets).chain(jobs).collect();
    rows.sort_unstable();
    rows
}

/// Whether a slice holds the first of its Service's families.
fn is_first(store: &Store, slice: &EndpointSlice) -> bool {
    let service = slice.meta.owner.and_then(|owner| store.get::<Service>(owner.at.typed()));
    service.is_none_or(|service| service.families.primary() == slice.family)
}

fn services(store: &Store, metrics: &Metrics) -> Vec<ServiceRow> {
    let mut ready: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, slice) in store.table::<EndpointSlice>().iter() {
        let Some(owner) = slice.meta.owner else { continue };
        if !is_first(store, slice) {
            continue;
        }
        let count = slice.endpoints.iter().filter(|it| it.conditions.ready).count() as u64;
        *ready.entry(owner.uid.0).or_default() += count;
    }
    let rows = store.table::<Service>().iter().map(|(_, it)| ServiceRow {
        namespace: it.meta.namespace.clone(),
        name: it.meta.name.to_string(),
        cluster_ip: match it.spec.exposure {
            Exposure::Headless => Some("None".to_owned()),
            _ => it.address().map(|ip| ip.to_string()),
        },
        endpoints: ready.get(&it.meta.uid.0).copied().unwrap_or(0),
        requests: metrics
            .service(&it.meta.namespace, &it.meta.name.to_string())
            .map_or_else(RequestCounts::default, |it| RequestCounts::of(it.total())),
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows
}

fn unplaced(store: &Store) -> Vec<(Text, u32, String)> {
    let mut by_message: BTreeMap<Text, (u32, String)> = BTreeMap::new();
    for (_, pod) in store.table::<Pod>().iter().filter(|(_, pod)| pod.is_unplaced()) {
        let message =
            pod.status.reason.as_ref().map_or_else(|| "".into(), |reason| reason.message.clone());
        let name = format!("{}/{}", pod.meta.namespace, pod.meta.name);
        let row = by_message.entry(message).or_insert_with(|| (0, name.clone()));
        row.0 += 1;
        if name < row.1 {
            row.1 = name;
        }
    }
    by_message.into_iter().map(|(message, (count, name))| (message, count, name)).collect()
}
