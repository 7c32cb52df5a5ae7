//! Surges: load that rises, and what autoscalers make of it, stage by stage, until clients are served
//! as before.
//!
//! Owns how a surge is found among the facts of any run, and which stages its time went to; refuses to
//! know how it is drawn. One surge is followed from an autoscaler's first larger size to its next
//! smaller one, or for [`QUIET`] without another:
//!
//! ```text
//! load rises ─ measured ─ decided ─ more steps ─ pod created ─┬──────────── room ────────────┬─ placed
//!                                                             └ no room ─ machine boots, joins┘    │
//!            as before ◀─ backlog worked off ─ ready ◀─ started ◀─ image fetched ◀─────────────────┘
//! ```
//! The path through the stages is that of one pod: the last to become ready before clients were served as
//! before, for that is the one they waited for. Memory: the last ten minutes of requests of each
//! Service that autoscaled pods serve, and a bounded number of surges, pods and machines.

mod load;
mod path;
mod telling;

use std::collections::BTreeMap;

use crate::api::kind::Kind;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::rules::selector::Selector;
use crate::base::FastMap;
use crate::cluster::plan::{Act, Plan};
use crate::messages::{Fact, Verb};
use crate::record::metrics::{second_before, window_of};
use crate::time::{SimDuration, SimTime};

use load::{Load, Rise, Watch};
use path::{Machine, PodMarks};

/// Surges that are told of.
const SURGES_MAX: usize = 16;
/// Pods followed in one surge.
const PODS_MAX: usize = 4096;
/// Machines followed.
const MACHINES_MAX: usize = 4096;
/// Facts that lead from a decision to its pods.
const STEPS_MAX: usize = 200_000;
/// Without another larger size for so long, the next one begins a surge of its own.
const QUIET: SimDuration = SimDuration::from_secs(300);

/// A surge that was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Surge {
    /// The autoscaler, without its kind.
    pub autoscaler: String,
    /// What it scales: `Deployment/shop/web`.
    pub target: String,
    /// Whose load rose, if it did: the Services' names.
    pub services: String,
    /// From how many requests a second to how many; nothing if the load did not rise.
    pub rates: Option<(u64, u64)>,
    /// When it begins.
    pub begins: SimTime,
    /// Where the time went: each stage begins where the one before ends.
    pub stages: Vec<Stage>,
    /// What clients noticed of it, if they did.
    pub felt: Option<Felt>,
}

/// What clients notice of a surge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Felt {
    /// When they begin to.
    pub from: SimTime,
    /// When they are served as before; nothing: not before the run ends.
    pub until: Option<SimTime>,
    /// The usual 99th percentile of their latency, in nanoseconds, if there was one.
    pub usual: Option<u64>,
    /// The worst, in nanoseconds; 0 if nothing was answered.
    pub worst: u64,
    /// Requests without a good answer.
    pub errors: u64,
}

/// One stage of a surge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stage {
    /// Which.
    pub kind: StageKind,
    /// When it begins.
    pub from: SimTime,
    /// When it ends, or the run does.
    pub to: SimTime,
    /// What ended it, in words.
    pub text: String,
}

/// What time is lost to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StageKind {
    /// The load is not yet in the metrics.
    Measuring,
    /// The autoscaler has not looked yet, or holds still.
    Deciding,
    /// The autoscaler has to ask more than once.
    Growing,
    /// Controllers make the pod.
    Creating,
    /// The pod fits nowhere, and no machine is asked for.
    NoRoom,
    /// A machine boots.
    Booting,
    /// The machine's node becomes ready.
    Joining,
    /// The scheduler places the pod.
    Placing,
    /// The image is fetched.
    Pulling,
    /// The container starts.
    Starting,
    /// The container runs and is not ready.
    Warming,
    /// Requests that have queued up are worked off.
    WorkingOff,
}

impl StageKind {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            StageKind::Measuring => "measuring",
            StageKind::Deciding => "deciding",
            StageKind::Growing => "growing in steps",
            StageKind::Creating => "creating the pod",
            StageKind::NoRoom => "no room",
            StageKind::Booting => "machine boots",
            StageKind::Joining => "node joins",
            StageKind::Placing => "placing",
            StageKind::Pulling => "fetching the image",
            StageKind::Starting => "starting",
            StageKind::Warming => "getting ready",
            StageKind::WorkingOff => "working off",
        }
    }
}

/// An autoscaler of the plan.
#[derive(Clone, Debug)]
struct Scaler {
    name: String,
    target: String,
    /// The Services its pods serve, if clients call any.
    load: Option<usize>,
    /// The latest of its surges.
    latest: Option<usize>,
}

/// A surge as it is followed.
#[derive(Clone, Debug)]
struct Open {
    scaler: usize,
    begins: SimTime,
    rise: Option<Rise>,
    /// When, from how many to how many.
    decisions: Vec<(SimTime, i64, i64)>,
    /// Whether metrics-server told of it.
    is_scraped: bool,
    pods: Vec<PodMarks>,
    watch: Option<Watch>,
    is_closed: bool,
}

/// Follows a run and finds its surges.
#[derive(Clone, Debug)]
pub struct Surges {
    scalers: Vec<Scaler>,
    loads: Vec<Load>,
    /// Clients by name, each with the loads it is part of.
    clients: BTreeMap<Text, Vec<usize>>,
    /// How often metrics-server asks, and how long after it serves what it learned.
    scrapes: Option<(SimDuration, SimDuration)>,
    surges: Vec<Open>,
    /// To which surge facts between a decision and its pods belong.
    steps: BTreeMap<u64, usize>,
    /// Pods by hash of their names: the surge, and which of its pods.
    pods: FastMap<u64, (usize, usize)>,
    machines: BTreeMap<String, Machine>,
}

impl Surges {
    /// For a run of `plan`.
    pub fn new(plan: &Plan) -> Surges {
        let mut surges = Surges {
            scalers: Vec::new(),
            loads: Vec::new(),
            clients: BTreeMap::new(),
            scrapes: plan.metrics.server.map(|it| (it.period, it.delay)),
            surges: Vec::new(),
            steps: BTreeMap::new(),
            pods: FastMap::default(),
            machines: BTreeMap::new(),
        };
        let applied = plan.steps.iter().filter_map(|step| match &step.act {
            Act::Apply(objects) => Some(objects),
            _ => None,
        });
        let objects: Vec<&Object> =
            plan.objects.iter().chain(applied.flatten()).map(|it| &it.object).collect();
        for object in &objects {
            let Object::HorizontalPodAutoscaler(hpa) = object else { continue };
            let (space, target) = (&hpa.meta.namespace, &hpa.spec.target);
            let load = surges.load_of(plan, &objects, space, (&target.kind, &target.name));
            surges.scalers.push(Scaler {
                name: object.name().to_string(),
                target: format!("{}/{space}/{}", target.kind, target.name),
                load,
                latest: None,
            });
        }
        surges
    }

    /// The load on what the pods of a target serve: the Services that select them; where clients call none
    /// of these, those of the namespace, for one may lead to the other.
    fn load_of(
        &mut self,
        plan: &Plan,
        objects: &[&Object],
        space: &Text,
        target: (&str, &str),
    ) -> Option<usize> {
        let labels = objects.iter().find_map(|object| labels_of(object, space, target));
        let is_served = |name: &Text| {
            objects.iter().any(|object| match object {
                Object::Service(it) if it.meta.namespace == *space && it.meta.name == **name => {
                    let selector = it.spec.selector.as_ref().map(Selector::of_labels);
                    selector.zip(labels).is_some_and(|(it, labels)| it.matches(labels))
                }
                _ => false,
            })
        };
        let local: Vec<_> = plan.traffic.iter().filter(|it| it.service.0 == *space).collect();
        let mut called: Vec<_> =
            local.iter().filter(|it| is_served(&it.service.1)).copied().collect();
        if called.is_empty() {
            called = local;
        }
        let mut names: Vec<&str> = called.iter().map(|it| &*it.service.1).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return None;
        }
        let names = names.join(" and ");
        let known = self.loads.iter().position(|it| it.services == names && it.space == *space);
        let at = known.unwrap_or(self.loads.len());
        if known.is_none() {
            self.loads.push(Load::new(space.clone(), names));
            for client in called {
                self.clients.entry(client.name.clone()).or_default().push(at);
            }
        }
        Some(at)
    }

    /// What autoscalers scale, as facts name it.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.scalers.iter().map(|it| it.target.as_str())
    }

    /// Takes note of a fact.
    pub fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        if self.scalers.is_empty() {
            return;
        }
        match fact.verb {
            Verb::Requests => self.requests(at, fact),
            Verb::Recommended => self.decided(at, number, fact),
            Verb::Booting if self.machines.len() < MACHINES_MAX => {
                self.machines.insert(fact.object.name.to_string(), Machine::asked(at));
            }
            Verb::Created if fact.object.kind == Kind::Node => self.joins(fact, |it| {
                it.booted.get_or_insert(at);
            }),
            Verb::NodeReady => self.joins(fact, |it| {
                it.ready.get_or_insert(at);
            }),
            Verb::Created | Verb::Scaled | Verb::Status => self.step(at, number, cause, fact),
            _ if fact.object.kind == Kind::Pod && !self.pods.is_empty() => self.pod(at, fact),
            _ => {}
        }
    }

    fn joins(&mut self, fact: &Fact, note: impl Fn(&mut Machine)) {
        if !self.machines.is_empty()
            && let Some(machine) = self.machines.get_mut(&fact.object.name.to_string())
        {
            note(machine);
        }
    }

    fn requests(&mut self, at: SimTime, fact: &Fact) {
        let Some(loads) = self.clients.get(fact.object.name.base()) else { return };
        let (second, window) = (second_before(at), window_of(fact));
        for &number in loads {
            let load = &mut self.loads[number];
            let Some(done) = load.add(second, &window) else { continue };
            for surge in &mut self.surges {
                if self.scalers[surge.scaler].load == Some(number)
                    && let Some(watch) = &mut surge.watch
                {
                    watch.judge(load, done);
                }
            }
        }
    }

    /// An autoscaler asks for another size.
    fn decided(&mut self, at: SimTime, number: u64, fact: &Fact) {
        let name = fact.object.to_string();
        let Some(scaler) = self.scalers.iter().position(|it| it.name == name) else { return };
        let value = |key: &str| fact.values.iter().find(|it| it.0 == key).map_or(0, |it| it.1);
        let (from, to) = (value("current"), value("desired"));
        let latest = self.scalers[scaler].latest;
        if to <= from {
            if let Some(surge) = latest {
                self.surges[surge].is_closed = true;
            }
            return;
        }
        let goes_on = latest.filter(|&surge| {
            let surge = &self.surges[surge];
            let last = surge.decisions.last().map_or(surge.begins, |it| it.0);
            !surge.is_closed && at.saturating_since(last) < QUIET
        });
        let is_over = |surge: usize| self.surges[surge].watch.as_ref().and_then(Watch::is_over);
        let since = match (goes_on.map(is_over), latest) {
            (Some(None), _) => None,
            (Some(Some(over)), _) => Some(over),
            (None, Some(before)) => {
                Some(self.surges[before].decisions.last().map_or(at, |it| it.0))
            }
            (None, None) => Some(SimTime::ZERO),
        };
        let load = self.scalers[scaler].load.map(|it| &self.loads[it]);
        let rise = since.and_then(|since| load?.rise(since, at));
        let surge = match goes_on {
            Some(surge) if rise.is_none() => surge,
            _ if self.surges.len() == SURGES_MAX => return,
            _ => {
                let begins = rise.map_or(at, |it| it.begins);
                let watch = rise.zip(load).map(|(rise, load)| Watch::begin(load, rise.begins));
                let said = fact.message.as_deref().unwrap_or_default();
                let is_scraped = said.contains("resource") && self.scrapes.is_some();
                let (decisions, pods) = (Vec::new(), Vec::new());
                let is_closed = false;
                self.surges.push(Open {
                    scaler,
                    begins,
                    rise,
                    decisions,
                    is_scraped,
                    pods,
                    watch,
                    is_closed,
                });
                self.scalers[scaler].latest = Some(self.surges.len() - 1);
                self.surges.len() - 1
            }
        };
        self.surges[surge].decisions.push((at, from, to));
        self.follow(number, surge);
    }

    fn follow(&mut self, number: u64, surge: usize) {
        if self.steps.len() < STEPS_MAX {
            self.steps.insert(number, surge);
        }
    }

    /// Something that may lead from a decision to its pods, or one of them.
    fn step(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        let Some(&surge) = self.steps.get(&cause) else { return };
        self.follow(number, surge);
        let pods = &mut self.surges[surge].pods;
        if fact.verb == Verb::Created && fact.object.kind == Kind::Pod && pods.len() < PODS_MAX {
            self.pods.insert(fact.object.stable_hash(), (surge, pods.len()));
            pods.push(PodMarks::created(fact.object.name.to_string(), at));
        }
    }

    fn pod(&mut self, at: SimTime, fact: &Fact) {
        let Some(&(surge, pod)) = self.pods.get(&fact.object.stable_hash()) else { return };
        let pods = &mut self.surges[surge].pods;
        pods[pod].note(at, fact);
        if fact.verb == Verb::Pulled {
            // Those that wait for the same image on the same node have it as well.
            let node = pods[pod].node().to_owned();
            pods.iter_mut().filter(|it| it.node() == node).for_each(|it| it.has_image(at));
        }
    }
}

/// The labels of the pods of a target, if this object is the one.
fn labels_of<'a>(object: &'a Object, space: &Text, target: (&str, &str)) -> Option<&'a Labels> {
    let name = object.name();
    if name.kind.name() != target.0 || name.namespace != *space || name.name != *target.1 {
        return None;
    }
    match object {
        Object::Deployment(it) => Some(&it.template.labels),
        Object::StatefulSet(it) => Some(&it.template.labels),
        Object::ReplicaSet(it) => Some(&it.template.labels),
        _ => None,
    }
}
