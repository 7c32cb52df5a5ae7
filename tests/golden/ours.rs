//! What a run of ours did, told as the recordings tell it: facts, and the sizes of ReplicaSets and the
//! conditions of Deployments as they stood after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::api::cron_job::CronJob;
use wavetank::api::daemon_set::DaemonSet;
use wavetank::api::job::Job;
use wavetank::api::kind::Kind;
use wavetank::api::meta::{Meta, ObjectName, Uid};
use wavetank::api::pod::Pod;
use wavetank::api::stateful_set::StatefulSet;
use wavetank::api::workload::{Deployment, DeploymentStatus, ReplicaSet, WorkloadCondition};
use wavetank::cluster::World;
use wavetank::kernel::{self, Budgets, Engine, FactSink, Halt, InputLog, Order, Virtual, Watch};
use wavetank::luck::Distribution;
use wavetank::messages::{Fact, Verb};
use wavetank::scenario::{Loader, Overrides};
use wavetank::store::{Store, Stored};
use wavetank::time::{SimDuration, SimTime};

/// Whose a pod is.
#[derive(Clone, PartialEq, Debug)]
pub struct Pedigree {
    /// The Deployment, set or Job at its root; its own name for a pod of nobody.
    pub app: String,
    /// Its name as recordings have it, the number among its siblings left away where it has one.
    pub stem: String,
    /// Whether it has such a number.
    pub is_numbered: bool,
}

/// A fact, when, in seconds from the first action on.
pub struct Moment {
    pub at: f64,
    pub fact: Fact,
    /// Of a pod.
    pub pod: Option<Pedigree>,
}

/// A run of ours.
#[derive(Default)]
pub struct Ours {
    pub moments: Vec<Moment>,
    /// By recorded name, sizes in order with their time; negative times are before the first action.
    pub sizes: BTreeMap<String, Vec<(f64, i64)>>,
    /// Names of Jobs by recorded name, of those that CronJobs made.
    pub jobs: BTreeMap<String, String>,
    /// When a Deployment's progress deadline was found passed.
    pub stalled: Vec<f64>,
    /// When a ReplicaSet lost its owner.
    pub orphaned: Vec<f64>,
    /// By Deployment its conditions, each time they changed, with their time: `Available=.. Progressing=..`.
    pub conditions: BTreeMap<String, Vec<(f64, String)>>,
    /// Most pods at a time that are not being deleted.
    pub most_pods: f64,
}

/// Watches a run.
#[derive(Default)]
struct Watcher {
    begin: SimTime,
    end: SimTime,
    /// From a commit to whoever watches, in seconds.
    lag: f64,
    /// Facts of the step that is not looked at yet.
    fresh: Vec<(SimTime, Fact)>,
    ours: Ours,
    numbers: BTreeMap<String, usize>,
    /// Recorded names by own names.
    names: BTreeMap<String, String>,
    owners: BTreeMap<Uid, (Kind, String)>,
    pods: BTreeMap<String, Pedigree>,
    /// Deployments by the names of their sets.
    deployments: BTreeMap<String, String>,
    lives: BTreeMap<String, usize>,
    orphans: BTreeSet<String>,
    stalled: BTreeSet<String>,
    /// Pods that are not being deleted.
    staying: BTreeSet<String>,
}

fn seconds(at: SimTime, from: SimTime) -> f64 {
    at.as_nanos() as f64 / 1e9 - from.as_nanos() as f64 / 1e9
}

impl FactSink<Fact> for Watcher {
    fn record(&mut self, at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.fresh.push((at, fact.clone()));
    }
}

impl Watch<World> for Watcher {
    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        for (at, fact) in std::mem::take(&mut self.fresh) {
            self.take(at, fact, world.store());
        }
        self.look(world);
        match world.next_at() {
            Some(next) if next <= self.end => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Halt::Goal),
        }
    }

    fn until(&self, _world: &World) -> SimTime {
        self.end
    }
}

impl Watcher {
    /// When a watch tells of what is stored at `at`, which is when recordings say that it was; what was
    /// stored before the first action was there before.
    fn told(&self, at: SimTime) -> f64 {
        let since = seconds(at, self.begin);
        if since < 0.0 { since } else { since + self.lag }
    }

    fn take(&mut self, at: SimTime, fact: Fact, store: &Store) {
        let since = self.told(at);
        match (fact.object.kind, fact.verb) {
            (Kind::Pod, Verb::Created) => self.born(&fact.object, store),
            (Kind::Job, Verb::Created) => self.job(&fact.object, store),
            (Kind::ReplicaSet, _) => self.set(since, &fact, store),
            (Kind::Deployment, Verb::Created) => {
                drop(self.known::<Deployment>(&fact.object, store))
            }
            (Kind::StatefulSet, Verb::Created) => {
                drop(self.known::<StatefulSet>(&fact.object, store))
            }
            (Kind::DaemonSet, Verb::Created) => drop(self.known::<DaemonSet>(&fact.object, store)),
            (Kind::CronJob, Verb::Created) => drop(self.known::<CronJob>(&fact.object, store)),
            _ => {}
        }
        if fact.object.kind == Kind::Pod {
            self.count(since, &fact);
        }
        let pod = Some(fact.object.name.to_string()).filter(|_| fact.object.kind == Kind::Pod);
        let pod = pod.and_then(|name| self.pods.get(&name).cloned());
        self.ours.moments.push(Moment { at: since, fact, pod });
    }

    fn count(&mut self, since: f64, fact: &Fact) {
        let name = fact.object.name.to_string();
        match fact.verb {
            Verb::Created => drop(self.staying.insert(name)),
            // Without grace it is marked and gone in one.
            Verb::Deleting | Verb::Deleted => drop(self.staying.remove(&name)),
            _ => return,
        }
        let most = if since < 0.0 { 0.0 } else { self.ours.most_pods };
        self.ours.most_pods = most.max(self.staying.len() as f64);
    }

    /// The recorded name of something that has many siblings: `web-<rs2>`, `cron-<job1>`.
    fn numbered(&mut self, of: &str, word: &str, object: &str) -> String {
        if let Some(name) = self.names.get(object) {
            return name.clone();
        }
        let number = self.numbers.entry(format!("{of} {word}")).or_insert(0);
        *number += 1;
        let name = format!("{of}-<{word}{number}>");
        self.names.insert(object.to_owned(), name.clone());
        name
    }

    /// What is controlled by it, as far as it was seen to be stored.
    fn owner(&self, meta: &Meta) -> Option<(Kind, String)> {
        self.owners.get(&meta.owner?.uid).cloned()
    }

    /// Remembers whoever may own others.
    fn known<T: Stored>(&mut self, object: &ObjectName, store: &Store) -> Option<Meta> {
        let id = store.find::<T>(&object.namespace, &object.name.to_string())?;
        let meta = store.get(id)?.meta().clone();
        self.owners.insert(meta.uid, (object.kind, object.name.to_string()));
        Some(meta)
    }

    fn born(&mut self, object: &ObjectName, store: &Store) {
        let own = object.name.to_string();
        let found = store.find::<Pod>(&object.namespace, &own).and_then(|id| store.get(id));
        let owner = found.and_then(|pod| self.owner(&pod.meta));
        let lives = self.lives.entry(own.clone()).or_insert(0);
        *lives += 1;
        let pedigree = match owner {
            None => Pedigree { app: own.clone(), stem: own.clone(), is_numbered: false },
            Some((Kind::StatefulSet, app)) => {
                let stem = if *lives > 1 { format!("{own}#{lives}") } else { own.clone() };
                Pedigree { app, stem, is_numbered: false }
            }
            Some((Kind::ReplicaSet, set)) => {
                let app = self.deployments.get(&set).cloned().unwrap_or_else(|| set.clone());
                let stem = self.names.get(&set).cloned().unwrap_or(set);
                Pedigree { app, stem, is_numbered: true }
            }
            Some((Kind::Job, job)) => {
                let stem = self.names.get(&job).cloned().unwrap_or_else(|| job.clone());
                let rest = own.strip_prefix(&format!("{job}-")).unwrap_or_default();
                // An index stands before what is drawn.
                let stem = match rest.split_once('-') {
                    Some((index, _)) => format!("{stem}-{index}"),
                    None => stem,
                };
                Pedigree { app: job, stem, is_numbered: true }
            }
            Some((_, app)) => Pedigree { stem: app.clone(), app, is_numbered: true },
        };
        self.pods.insert(own, pedigree);
    }

    fn job(&mut self, object: &ObjectName, store: &Store) {
        let Some(meta) = self.known::<Job>(object, store) else { return };
        if let Some((Kind::CronJob, cron)) = self.owner(&meta) {
            let own = object.name.to_string();
            let name = self.numbered(&cron, "job", &own);
            self.ours.jobs.insert(name, own);
        }
    }

    fn set(&mut self, since: f64, fact: &Fact, store: &Store) {
        let own = fact.object.name.to_string();
        let Some(id) = store.find::<ReplicaSet>(&fact.object.namespace, &own) else { return };
        let Some(set) = store.get(id) else { return };
        if fact.verb == Verb::Created {
            self.known::<ReplicaSet>(&fact.object, store);
            if let Some((Kind::Deployment, app)) = self.owner(&set.meta) {
                self.numbered(&app, "rs", &own);
                self.deployments.insert(own.clone(), app);
            }
        }
        let size = match fact.verb {
            Verb::Created => i64::from(set.replicas),
            Verb::Scaled => fact.values[0].1,
            _ => return,
        };
        let name = self.names.get(&own).cloned().unwrap_or(own);
        self.ours.sizes.entry(name).or_default().push((since, size));
    }

    /// Sets that lost their owner, and conditions of Deployments: no fact tells of them.
    fn look(&mut self, world: &World) {
        let told = self.told(world.now());
        for (_, set) in world.store().table::<ReplicaSet>().iter() {
            let own = set.meta.name.to_string();
            let had_owner = set.meta.owner.is_none() && self.deployments.contains_key(&own);
            if had_owner && self.orphans.insert(own) {
                self.ours.orphaned.push(told);
            }
        }
        for (_, deployment) in world.store().table::<Deployment>().iter() {
            let progressing = deployment.status.progressing.as_ref();
            let is_stalled = progressing.is_some_and(|it| it.reason == "ProgressDeadlineExceeded");
            let name = deployment.meta.name.to_string();
            let conditions = described(&deployment.status);
            let known = self.ours.conditions.entry(name.clone()).or_default();
            if known.last().is_none_or(|it| it.1 != conditions) {
                known.push((told, conditions));
            }
            if !is_stalled {
                self.stalled.remove(&name);
            } else if self.stalled.insert(name) {
                self.ours.stalled.push(told);
            }
        }
    }
}

/// Conditions as recordings have them, one after the other.
fn described(status: &DeploymentStatus) -> String {
    let value = |it: &WorkloadCondition| match it.value {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let all = [("Available", &status.available_condition), ("Progressing", &status.progressing)];
    let told = all.iter().filter_map(|(name, it)| {
        it.as_ref().map(|it| format!("{name}={}:{}", value(it), it.reason))
    });
    told.collect::<Vec<_>>().join(" ")
}

/// The middle of a law's range.
fn middle(law: Distribution) -> f64 {
    let nanos = match law {
        Distribution::Constant(it) | Distribution::Exponential { mean: it } => it.as_nanos(),
        Distribution::Uniform { min, max } => (min.as_nanos() + max.as_nanos()) / 2,
        Distribution::LogNormal { p50, .. } => p50.as_nanos(),
    };
    nanos as f64 / 1e9
}

fn spent(span: SimDuration, times: f64) -> SimDuration {
    SimDuration::from_nanos((span.as_nanos() as f64 * times) as u64)
}

/// The law of something that takes so many times as long.
fn slowed(law: Distribution, times: f64) -> Distribution {
    let span = |it: SimDuration| spent(it, times);
    match law {
        Distribution::Constant(it) => Distribution::Constant(span(it)),
        Distribution::Uniform { min, max } => {
            Distribution::Uniform { min: span(min), max: span(max) }
        }
        Distribution::Exponential { mean } => Distribution::Exponential { mean: span(mean) },
        Distribution::LogNormal { p50, p99 } => {
            Distribution::LogNormal { p50: span(p50), p99: span(p99) }
        }
    }
}

/// Plays a scenario that begins its first action at `begin`, with a control plane so many times as slow.
///
/// # Panics
/// If the scenario is none.
pub fn play(text: &str, begin: f64, end: f64, slowness: f64) -> (Ours, World) {
    let mut loader = Loader::new(Overrides::default());
    loader.read("scenario", text.as_bytes(), &mut |_| {});
    let mut loaded = loader.finish();
    let profile = &mut loaded.plan.profile;
    profile.write_work = spent(profile.write_work, slowness);
    for law in [&mut profile.api_request, &mut profile.etcd_commit, &mut profile.watch_lag] {
        *law = slowed(*law, slowness);
    }
    assert!(!loaded.has_errors(), "{:?}\n{text}", loaded.findings);
    let instant =
        |seconds: f64| SimTime::ZERO + SimDuration::from_nanos((seconds * 1e9).round() as u64);
    let lag = middle(loaded.plan.profile.watch_lag);
    let (begin, end) = (instant(begin), instant(end));
    let mut watcher = Watcher { begin, end, lag, ..Watcher::default() };
    let mut world = World::new(Arc::new(loaded.plan), Order::Fifo, &mut watcher);
    let mut around = kernel::Run {
        budgets: Budgets { until: watcher.end, events: u64::MAX },
        interrupt: &AtomicBool::new(false),
        observer: &mut watcher,
        log: &mut InputLog::new(),
    };
    kernel::run(&mut world, &mut Virtual::new(), &mut around);
    world.close(&mut watcher);
    (watcher.ours, world)
}
