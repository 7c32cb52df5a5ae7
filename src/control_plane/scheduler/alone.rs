//! A scheduler without a cluster: nodes, pods and what surrounds them in, every decision out.
//!
//! Owns a virtual clock and, as a real scheduler does, the queue, a snapshot and one algorithm a
//! profile. Everything around it takes no time: a pod that is bound runs at once, one that is
//! preempted is gone at once; nobody makes pods anew, and disruption budgets stay as they are.
//! Refuses to know files, formats, and how decisions are told to people.
//!
//! ```text
//! arrive: +1 s --> queue --pop--> cycle --node found--> bound, Running --+
//!                    ^              | none                               | +1 s
//!                    +-- woken -----+ preempts? victims gone <-----------+
//! ```
//! The clock goes on by a second before each arrival and after each cycle, as in the recorded runs
//! of kube-scheduler 1.36.2 that the tests compare with.

mod capacity;
mod changes;
mod record;

pub use capacity::{COPIES_MAX, Capacity, Stop};
pub use record::{Fate, Outcome, Preempted, Step, Use};

use std::sync::Arc;

use super::algorithm::batch::Turn;
use super::algorithm::gates::Gates as FeatureGates;
use super::algorithm::plain::explain_first;
use super::algorithm::preemption::{Tour, Verdict, post_filter};
use super::algorithm::volumes::{Reservation, bind, reserve};
use super::algorithm::{
    Algorithm, Diagnosis, Explanation, NodeInfo, Plugin, PluginSet, PodShape, Profile, Question,
    Resident, Snapshot, Standing, Surroundings,
};
use super::cache::PREEMPTED;
use super::queue::backoff::Backoff;
use super::queue::hints::{ClusterEvent, helps};
use super::queue::{Attempt, Queue, Waiting};
use super::shapes::Shapes;
use crate::api::node::Node;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// How far the clock goes on before an arrival and after a cycle.
const TICK: SimDuration = SimDuration::from_secs(1);

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The nodes; the id of each has its place here as its slot, and generation 0.
    pub nodes: Vec<Node>,
    /// The pods, ids likewise. Those with a node run there already, those without arrive in this
    /// order; those that ended play no part.
    pub pods: Vec<Pod>,
    /// Everything else that counts.
    pub surroundings: Surroundings,
}

/// How pods are scheduled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The profiles, at least one, each with a name of its own.
    pub profiles: Vec<Arc<Profile>>,
    /// Waits after failed attempts.
    pub backoff: Backoff,
    /// Feature gates.
    pub gates: FeatureGates,
    /// How decisions are worked out.
    pub way: Way,
    /// When pods arrive.
    pub arrival: Arrival,
    /// Which of the best nodes is taken.
    pub ties: Ties,
    /// How much is told of each decision.
    pub detail: Detail,
    /// What the clock shows at first; pods that run already started no later.
    pub start: SimTime,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            profiles: vec![Arc::default()],
            backoff: Backoff::default(),
            gates: FeatureGates::default(),
            way: Way::Fast,
            arrival: Arrival::Sequential,
            ties: Ties::Real,
            detail: Detail::Choices,
            start: SimTime::ZERO,
        }
    }
}

/// How decisions are worked out; the decisions are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Way {
    /// With what is remembered of decisions before.
    #[default]
    Fast,
    /// Step by step.
    Plain,
}

/// When pods arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Arrival {
    /// Each when all that can be scheduled of those before is.
    #[default]
    Sequential,
    /// All before anything is scheduled.
    Batch,
}

/// Which of several best nodes is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ties {
    /// The one kube-scheduler 1.36 takes: the top of its heap.
    #[default]
    Real,
    /// The one with the smallest name.
    SmallestName,
}

/// How much is told of each decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// What was decided, and why a pod found no node.
    #[default]
    Choices,
    /// Every node's rejection or scores besides; that takes far longer.
    Scores,
}

/// A pod and what became of it.
#[derive(Clone, Debug)]
struct Known {
    pod: Pod,
    shape: PodShape,
    fate: Fate,
}

/// The scheduler, its nodes and its pods.
#[derive(Clone, Debug)]
pub struct Alone {
    settings: Settings,
    now: SimTime,
    nodes: Vec<Node>,
    pods: Vec<Known>,
    snapshot: Snapshot,
    /// One a profile; they take turns in one search through the nodes.
    algorithms: Vec<Algorithm>,
    queue: Queue,
    shapes: Shapes,
    /// How many cycles there were.
    cycles: u64,
    steps: Vec<Step>,
    /// What was taken of each node at first.
    before: Vec<Use>,
}

/// A decision.
struct Decision {
    chosen: Option<Id<Node>>,
    diagnosis: Diagnosis,
    told: Option<Box<Explanation>>,
}

impl Alone {
    /// A scheduler that knows what is given; no pod has arrived yet.
    pub fn new(given: Given, settings: Settings) -> Alone {
        let mut alone = Alone {
            now: settings.start,
            algorithms: settings.profiles.iter().cloned().map(Algorithm::new).collect(),
            queue: Queue::new(settings.backoff).under(settings.gates),
            settings,
            nodes: given.nodes,
            pods: Vec::with_capacity(given.pods.len()),
            snapshot: Snapshot::new(),
            shapes: Shapes::default(),
            cycles: 0,
            steps: Vec::new(),
            before: Vec::new(),
        };
        alone.snapshot.share_gpus(&alone.settings.profiles);
        *alone.snapshot.surroundings_mut() = given.surroundings;
        // As an API server lists them.
        let mut nodes: Vec<(u32, &Node)> = (0..).zip(&alone.nodes).collect();
        nodes.sort_by(|(_, a), (_, b)| a.meta.name.cmp(&b.meta.name));
        for (slot, node) in nodes {
            alone.snapshot.set_node(Id::from_parts(slot, 0), node);
        }
        for pod in given.pods {
            alone.take(pod);
        }
        alone.before = alone.uses();
        alone
    }

    /// Everything that was given arrives and is scheduled.
    pub fn run(&mut self) {
        for id in self.away() {
            self.arrive(id);
            if self.settings.arrival == Arrival::Sequential {
                self.drain();
            }
        }
        self.drain();
    }

    /// Everything that was given arrives; nothing is scheduled yet.
    pub fn arrive_all(&mut self) {
        for id in self.away() {
            self.arrive(id);
        }
    }

    fn away(&self) -> Vec<Id<Pod>> {
        self.ids().filter(|id| self.fate(*id) == Fate::Away).collect()
    }

    /// One pod more arrives, and all that can be scheduled is; returns the pod.
    pub fn add(&mut self, pod: Pod) -> Id<Pod> {
        let id = self.take(pod);
        if self.fate(id) == Fate::Away {
            self.arrive(id);
            self.drain();
        }
        id
    }

    /// What became of a pod.
    pub fn fate(&self, pod: Id<Pod>) -> Fate {
        self.pods[pod.slot()].fate
    }

    /// The pod of this `namespace/name`; of several the latest.
    pub fn pod_named(&self, name: &str) -> Option<Id<Pod>> {
        let (namespace, name) = name.split_once('/')?;
        let is_it = |pod: &Pod| &*pod.meta.namespace == namespace && pod.meta.name == *name;
        let at = self.pods.iter().rposition(|known| is_it(&known.pod))?;
        Some(Id::from_parts(at as u32, 0))
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<Id<Node>> {
        let at = self.nodes.iter().position(|node| node.meta.name == *name)?;
        Some(Id::from_parts(at as u32, 0))
    }

    /// The attempts so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many pods were bound.
    pub fn bound(&self) -> usize {
        self.pods.iter().filter(|known| matches!(known.fate, Fate::Bound(_))).count()
    }

    /// Everything that happened.
    pub fn outcome(self) -> Outcome {
        let after = self.uses();
        let (pods, fates) = self.pods.into_iter().map(|known| (known.pod, known.fate)).unzip();
        Outcome {
            nodes: self.nodes,
            pods,
            fates,
            steps: self.steps,
            profiles: self.settings.profiles,
            before: self.before,
            after,
        }
    }

    /// What is taken of each node now.
    fn uses(&self) -> Vec<Use> {
        let taken = |slot| {
            let node = self.snapshot.node(Id::from_parts(slot, 0));
            let used = |node: &NodeInfo| Use {
                pods: node.pods.len() as i64,
                requested: node.requested.clone(),
            };
            node.map(used).unwrap_or_default()
        };
        (0..self.nodes.len() as u32).map(taken).collect()
    }

    fn ids(&self) -> impl Iterator<Item = Id<Pod>> + use<> {
        (0..self.pods.len() as u32).map(|slot| Id::from_parts(slot, 0))
    }

    /// Takes note of a pod; one that has a node is counted there.
    pub fn take(&mut self, pod: Pod) -> Id<Pod> {
        let id = Id::from_parts(self.pods.len() as u32, 0);
        let shape = self.shapes.of(&pod);
        let fate = match pod.node {
            _ if pod.status.phase.is_terminal() => Fate::Ended,
            Some(node) => {
                let standing = match pod.meta.is_terminating() {
                    false => Standing::Staying,
                    true if is_preempted(&pod) => Standing::Preempted,
                    true => Standing::Leaving,
                };
                let start = pod.status.start_time;
                let resident = Resident { pod: id, shape: shape.clone(), start, standing };
                self.snapshot.add_pod(node, resident);
                Fate::There(node)
            }
            None if pod.meta.is_terminating() => Fate::Ended,
            None => Fate::Away,
        };
        self.pods.push(Known { pod, shape, fate });
        id
    }

    /// A pod without a node arrives.
    fn arrive(&mut self, id: Id<Pod>) {
        self.tick();
        let known = &mut self.pods[id.slot()];
        known.pod.meta.created = self.now;
        let spec = &known.pod.spec;
        if !self.settings.profiles.iter().any(|one| one.name == spec.scheduler_name) {
            known.fate = Fate::Ignored;
            return;
        }
        let gates = super::gates(spec);
        known.fate = match gates {
            super::Gates::Open => Fate::Waiting,
            super::Gates::Closed => Fate::Gated,
        };
        self.queue.add(id, spec.priority, gates, self.now, 0, 0);
        if let Some(node) = known.pod.status.nominated {
            self.snapshot.promise(id, &known.shape, node);
        }
    }

    /// Cycle after cycle, until nobody waits who could be tried, now or when a backoff is over.
    pub fn drain(&mut self) {
        loop {
            while let Some((id, waiting)) = self.queue.pop() {
                self.cycle(id, waiting);
                self.tick();
            }
            let Some(over) = self.queue.next_backoff() else { return };
            self.now = self.now.max(over);
            self.queue.flush_backoff(self.now);
        }
    }

    /// The clock goes on. Who backs off is not looked for meanwhile: the idle queue hands them out.
    fn tick(&mut self) {
        self.now += TICK;
    }

    fn cycle(&mut self, id: Id<Pod>, waiting: Waiting) {
        self.cycles += 1;
        let shape = self.pods[id.slot()].shape.clone();
        let at = self.profile_of(&shape).expect("only pods with a profile are queued");
        let nominated = self.snapshot.withdraw(id);
        let Decision { chosen, mut diagnosis, told } = self.decide(&shape, at, nominated);
        let mut step = Step {
            pod: id,
            attempt: waiting.attempts,
            profile: at,
            nominated,
            chosen,
            failure: None,
            plugins: diagnosis.plugins(),
            preempted: None,
            told,
        };
        match chosen {
            Some(node) => self.bind(id, node),
            None => {
                step.preempted = self.make_room(id, &shape, at, &mut diagnosis, nominated);
                let profile = &self.settings.profiles[at];
                step.failure = Some(diagnosis.message(&shape, profile));
                let plugins = diagnosis.plugins();
                // Where there is no node at all, only one that comes can help: trying again cannot.
                let attempt = Attempt::Rejected(match plugins.is_empty() {
                    true => PluginSet::of(&[Plugin::NodeUnschedulable]),
                    false => plugins,
                });
                self.queue.give_back(id, waiting, attempt, self.now);
                for victim in step.preempted.iter().flat_map(|it| &it.victims) {
                    self.vanish(*victim);
                }
            }
        }
        self.steps.push(step);
    }

    /// Asks whether pods could go for one that fits nowhere; promises it the node if they can.
    fn make_room(
        &mut self,
        id: Id<Pod>,
        shape: &PodShape,
        at: usize,
        diagnosis: &mut Diagnosis,
        nominated: Option<Id<Node>>,
    ) -> Option<Preempted> {
        let profile = self.settings.profiles[at].clone();
        let mut promise = nominated;
        let mut preempted = None;
        if profile.post_filter.has(Plugin::DefaultPreemption) && diagnosis.nodes > 0 {
            let (snapshot, tour) = (&self.snapshot, Tour::ByName);
            let verdict = match self.settings.way {
                Way::Fast => {
                    self.algorithms[at].preempt(snapshot, shape, diagnosis, nominated, tour)
                }
                Way::Plain => {
                    let q = Question { profile: &profile, snapshot, pod: shape };
                    post_filter(q, diagnosis, nominated, tour)
                }
            };
            diagnosis.made_room = verdict.made_room(diagnosis.nodes, shape);
            match verdict {
                Verdict::Plan(plan) => {
                    for lower in &plan.displaced {
                        self.snapshot.withdraw(*lower);
                    }
                    let (node, victims) = (plan.chosen.node, plan.chosen.victims);
                    let victims = victims.iter().map(|victim| victim.pod).collect();
                    promise = Some(node);
                    preempted = Some(Preempted { node, victims });
                }
                Verdict::Ineligible(_) => {}
                Verdict::Nowhere(_) => promise = None,
            }
        }
        if let Some(node) = promise {
            self.snapshot.promise(id, shape, node);
        }
        preempted
    }

    /// A pod that was preempted is gone at once.
    fn vanish(&mut self, id: Id<Pod>) {
        let known = &mut self.pods[id.slot()];
        let Some(node) = known.fate.node() else { return };
        known.fate = Fate::Preempted;
        let shape = known.shape.clone();
        self.snapshot.remove_pod(node, id);
        self.wake(&ClusterEvent::PodGone(&shape));
    }

    fn profile_of(&self, shape: &PodShape) -> Option<usize> {
        let name = &shape.spec().scheduler_name;
        self.settings.profiles.iter().position(|profile| profile.name == *name)
    }

    fn decide(&mut self, shape: &PodShape, at: usize, promised: Option<Id<Node>>) -> Decision {
        self.snapshot.settle();
        let Settings { way, ties, detail, gates, .. } = self.settings;
        // Deciding takes no time here.
        let turn = Turn { number: self.cycles, now: SimTime::ZERO };
        let hint = match (gates.batching, promised) {
            (true, None) => self.algorithms[at].hint(&self.snapshot, shape, turn),
            _ => None,
        };
        let first = promised.or(hint);
        let told = ((way, ties, detail) != (Way::Fast, Ties::Real, Detail::Choices)).then(|| {
            let profile = &self.settings.profiles[at];
            let q = Question { profile, snapshot: &self.snapshot, pod: shape };
            explain_first(q, self.algorithms[at].start(), first)
        });
        let answer = match (&told, way) {
            (Some(told), Way::Plain) => {
                self.algorithms[at].start_at(told.next_start);
                told.chosen.ok_or_else(|| Box::new(told.diagnosis.clone()))
            }
            _ => self.algorithms[at].schedule_first(&self.snapshot, shape, first),
        };
        let start = self.algorithms[at].start();
        self.algorithms.iter_mut().for_each(|one| one.start_at(start));
        let (mut chosen, diagnosis) = match answer {
            Ok(node) => (Some(node), Diagnosis::default()),
            Err(diagnosis) => (None, *diagnosis),
        };
        let mut ranked = None;
        if let Some(told) = &told {
            assert_eq!(chosen, told.chosen, "both ways lead to one node");
            if ties == Ties::SmallestName {
                let others = self.by_score_and_name(told);
                chosen = told.best().min_by_key(|id| &self.nodes[id.slot()].meta.name);
                ranked = Some(others);
            }
        }
        if let (true, Some(node)) = (gates.batching, chosen) {
            let (algorithm, snapshot) = (&mut self.algorithms[at], &self.snapshot);
            match (ranked, &told, way) {
                (Some(mut others), ..) => {
                    others.retain(|other| *other != node);
                    algorithm.taken_of(snapshot, shape, turn, hint, node, others);
                }
                (None, Some(told), Way::Plain) => {
                    algorithm.taken(snapshot, shape, turn, hint, node, told.scored());
                }
                _ => algorithm.taken_here(snapshot, shape, turn, hint, node),
            }
        }
        let told = told.filter(|_| detail == Detail::Scores).map(Box::new);
        Decision { chosen, diagnosis, told }
    }

    /// Nodes that were scored, the best first, and among equal ones the smallest name.
    fn by_score_and_name(&self, told: &Explanation) -> Vec<Id<Node>> {
        let mut scored: Vec<(i64, Id<Node>)> = told.scored().collect();
        let name = |id: Id<Node>| &self.nodes[id.slot()].meta.name;
        scored.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| name(a.1).cmp(name(b.1))));
        scored.into_iter().map(|(_, node)| node).collect()
    }

    /// A pod is bound, and runs.
    fn bind(&mut self, id: Id<Pod>, node: Id<Node>) {
        let known = &mut self.pods[id.slot()];
        known.fate = Fate::Bound(node);
        known.pod.node = Some(node);
        known.pod.status.phase = Phase::Running;
        known.pod.status.start_time = Some(self.now);
        let shape = known.shape.clone();
        self.bind_volumes(&shape, node);
        let (start, standing) = (Some(self.now), Standing::Staying);
        let resident = Resident { pod: id, shape: shape.clone(), start, standing };
        self.snapshot.add_pod(node, resident);
        self.wake(&ClusterEvent::PodPlaced(&shape));
    }

    /// Claims that waited for a pod are bound with it.
    fn bind_volumes(&mut self, shape: &PodShape, node: Id<Node>) {
        let Some(row) = self.snapshot.node(node) else { return };
        let reservation = reserve(self.snapshot.surroundings().volumes(), shape, row);
        let Ok(reservation) = reservation else { return };
        if reservation != Reservation::default() {
            let row = row.clone();
            let volumes = self.snapshot.surroundings_mut().volumes_mut();
            bind(volumes, shape.namespace(), &row, &reservation);
        }
    }

    /// Something happened that may help pods of the pool.
    fn wake(&mut self, event: &ClusterEvent<'_>) {
        if !self.queue.has_sleepers(event.concerns()) {
            return;
        }
        let (pods, profiles) = (&self.pods, &self.settings.profiles);
        let snapshot = &self.snapshot;
        self.queue.wake(self.now, 0, |id, plugins| {
            let pod = &pods[id.slot()].shape;
            let named = |one: &&Arc<Profile>| one.name == pod.spec().scheduler_name;
            let profile = profiles.iter().find(named);
            profile
                .is_some_and(|profile| helps(event, Question { profile, snapshot, pod }, plugins))
        });
    }
}

/// Whether a pod is on its way out because another took its place.
fn is_preempted(pod: &Pod) -> bool {
    let because = pod.status.disruption.as_ref();
    pod.status.is(PodCondition::DisruptionTarget)
        && because.is_some_and(|it| &*it.reason == PREEMPTED)
}
