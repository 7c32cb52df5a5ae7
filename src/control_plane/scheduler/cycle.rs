//! One scheduling cycle: from the pop of a pod to its binding, or to the reason why not
//! (`schedule_one.go`, 1.36).

use std::sync::Arc;

use super::algorithm::batch::Turn;
use super::algorithm::preemption::{Plan, Tour, Verdict};
use super::algorithm::{Diagnosis, Plugin, PodShape, Profile, Question, Snapshot};
use super::queue::hints::{ClusterEvent, helps};
use super::queue::{Attempt, Waiting};
use super::telling::{End, names_of};
use super::{
    Decider, Leading, SCHEDULER_ERROR, STATUS_TAG, Scheduler, Timer, UNSCHEDULABLE, tag_of, told,
};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodCondition, PodStatus, StatusReason};
use crate::api::status::Status;
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::luck::Label;
use crate::messages::effects::Effects;
use crate::messages::fact::{Component, Fact, Verb};
use crate::messages::request::Call;
use crate::store::View;

const CYCLE: Label = Label::new("scheduling-cycle");
const PREEMPTION: Label = Label::new("preemption-offset");

/// A pod in hand, with what was decided when its cycle began.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) pod: Id<Pod>,
    waiting: Waiting,
    /// The node it was promised when it was taken in hand.
    promised: Option<Id<Node>>,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum Outcome {
    Node(Id<Node>),
    Nowhere(Box<Nowhere>),
}

#[derive(Clone, Debug)]
struct Nowhere {
    shape: PodShape,
    profile: Arc<Profile>,
    message: Text,
    nodes: usize,
    attempt: Attempt,
    promise: Promise,
}

/// What becomes of the node a pod was promised, when it fits nowhere.
#[derive(Clone, Debug)]
enum Promise {
    /// It stays.
    Kept,
    /// It is void.
    Void,
    /// Room is made for the pod.
    Made(Box<Plan>),
}

impl Outcome {
    /// What came of the decision, for people.
    fn told(&self, view: &View<'_>) -> End {
        let nowhere = match self {
            Outcome::Node(node) => return End::Node(*node),
            Outcome::Nowhere(nowhere) => nowhere,
        };
        let preempts = match &nowhere.promise {
            Promise::Made(plan) => {
                let victims = plan.chosen.victims.iter().map(|victim| victim.pod);
                Some((plan.chosen.node, names_of(victims, view)))
            }
            Promise::Kept | Promise::Void => None,
        };
        End::Nowhere { message: nowhere.message.clone(), preempts }
    }
}

impl Cycle {
    /// Something happened while the pod is in hand.
    pub(super) fn hear(&mut self, event: &ClusterEvent<'_>, snapshot: &Snapshot) {
        if let Outcome::Nowhere(nowhere) = &mut self.outcome
            && let Attempt::Rejected(plugins) = nowhere.attempt
            && helps(
                event,
                Question { profile: &nowhere.profile, snapshot, pod: &nowhere.shape },
                plugins,
            )
        {
            nowhere.attempt = Attempt::Woken(plugins);
        }
    }
}

impl Scheduler {
    /// Takes the next pod in hand, if there is one and none is.
    pub(super) fn start_cycle(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        let waits = !self.settings.gates.async_preemption && !self.evictions.is_empty();
        if self.leading == Leading::No || self.cycle.is_some() || waits {
            return;
        }
        while let Some((id, waiting)) = self.queue.pop() {
            let promised = self.cache.snapshot_mut().withdraw(id);
            let Some(pod) = schedulable(view, id) else { continue };
            self.cycles = self.cycles.wrapping_add(1);
            let turn = Turn { number: u64::from(self.cycles), now: fx.now() };
            let turn = self.settings.gates.batching.then_some(turn);
            let outcome = self.decide(id, pod, promised, waiting.attempts, turn, view);
            fx.because(waiting.cause);
            let draw = self.luck.draw(CYCLE, pod.meta.uid.0, u64::from(waiting.attempts));
            fx.arm(self.settings.cycle.sample(draw), Timer::Cycle(self.cycles));
            self.cycle = Some(Cycle { pod: id, waiting, promised, outcome });
            return;
        }
    }

    fn decide(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        promised: Option<Id<Node>>,
        attempt: u32,
        turn: Option<Turn>,
        view: &View<'_>,
    ) -> Outcome {
        let shape = self.shapes.of(pod);
        if let Decider::Recorded(bindings) = &self.settings.decider {
            let node = bindings.node_of(&pod.meta).and_then(|name| view.find::<Node>("", name));
            let Some(node) = node else { return self.unrecorded(pod, shape) };
            self.cache.assume(id, node, &shape);
            return Outcome::Node(node);
        }
        let at = self.profile_of(&pod.spec).unwrap_or(0);
        let snapshot = self.cache.settled();
        let hint = match (turn, promised) {
            (Some(turn), None) => self.algorithms[at].hint(snapshot, &shape, turn),
            _ => None,
        };
        let begun = self.begin_telling(pod, &shape, at, (promised, hint));
        let snapshot = self.cache.settled();
        let algorithm = &mut self.algorithms[at];
        let answer = algorithm.schedule_first(snapshot, &shape, promised.or(hint));
        if let (Some(turn), Ok(node)) = (turn, &answer) {
            algorithm.taken_here(snapshot, &shape, turn, hint, *node);
        }
        let start = self.algorithms[at].start();
        self.algorithms.iter_mut().for_each(|one| one.start_at(start));
        let outcome = match answer {
            Ok(node) => {
                self.reserve_volumes(id, &shape, node);
                self.cache.assume(id, node, &shape);
                Outcome::Node(node)
            }
            Err(diagnosis) => {
                let draw = self.luck.draw(PREEMPTION, pod.meta.uid.0, u64::from(attempt));
                self.nowhere(at, shape, *diagnosis, promised, Tour::From(draw.u64()))
            }
        };
        if let Some(begun) = begun {
            self.end_telling(*begun, at, (view.now, attempt), outcome.told(view));
        }
        outcome
    }

    /// No node fits: asks whether room can be made.
    fn nowhere(
        &mut self,
        at: usize,
        shape: PodShape,
        mut diagnosis: Diagnosis,
        promised: Option<Id<Node>>,
        tour: Tour,
    ) -> Outcome {
        let profile = self.settings.profiles[at].clone();
        let mut promise = Promise::Kept;
        if profile.post_filter.has(Plugin::DefaultPreemption) && diagnosis.nodes > 0 {
            let snapshot = self.cache.settled();
            let algorithm = &mut self.algorithms[at];
            let verdict = algorithm.preempt(snapshot, &shape, &diagnosis, promised, tour);
            diagnosis.made_room = verdict.made_room(diagnosis.nodes, &shape);
            promise = match verdict {
                Verdict::Plan(plan) => Promise::Made(plan),
                Verdict::Ineligible(_) => Promise::Kept,
                Verdict::Nowhere(_) => Promise::Void,
            };
        }
        let message = diagnosis.message(&shape, &profile);
        let plugins = diagnosis.plugins();
        let attempt = if plugins.is_empty() { Attempt::Error } else { Attempt::Rejected(plugins) };
        let nodes = diagnosis.nodes;
        Outcome::Nowhere(Box::new(Nowhere { shape, profile, message, nodes, attempt, promise }))
    }

    fn unrecorded(&self, pod: &Pod, shape: PodShape) -> Outcome {
        let at = self.profile_of(&pod.spec).unwrap_or(0);
        Outcome::Nowhere(Box::new(Nowhere {
            shape,
            profile: self.settings.profiles[at].clone(),
            message: "no node was recorded for this pod".into(),
            nodes: self.cache.nodes(),
            attempt: Attempt::Error,
            promise: Promise::Kept,
        }))
    }

    /// The cycle is over: the binding leaves, or the pod goes back.
    pub(super) fn finish_cycle(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        let Some(Cycle { pod, mut waiting, promised, outcome }) = self.cycle.take() else { return };
        let nowhere = match outcome {
            Outcome::Node(node) => {
                self.binding.insert(pod, waiting);
                self.bind_pod(pod, node, view, fx);
                return;
            }
            Outcome::Nowhere(nowhere) => *nowhere,
        };
        let Some(seen) = schedulable(view, pod) else { return };
        let promised = match &nowhere.promise {
            Promise::Kept => promised,
            Promise::Void => None,
            Promise::Made(plan) => Some(plan.chosen.node),
        };
        if let Some(node) = promised {
            self.cache.snapshot_mut().promise(pod, &nowhere.shape, node);
        }
        told::failed(pod, &nowhere.message, view, fx);
        let hash = hash_text(&nowhere.message);
        let is_news = waiting.reported != hash;
        if is_news {
            waiting.reported = hash;
            let name = ObjectName::of(Kind::Pod, &seen.meta);
            let fact = Fact::new(Component::Scheduler, Verb::Unschedulable, name)
                .with("nodes", nowhere.nodes as i64)
                .saying(nowhere.message.clone());
            waiting.cause = fx.fact(fact);
        }
        if let Promise::Made(plan) = &nowhere.promise {
            self.make_room(pod, seen, plan, view, fx);
        }
        if is_news || seen.status.nominated != promised {
            self.write_condition(pod, seen, UNSCHEDULABLE, nowhere.message, promised, fx);
        }
        self.queue.give_back(pod, waiting, nowhere.attempt, fx.now());
    }

    /// Begins to carry a plan out: the pod is promised its node, pods of lower priority that were
    /// promised it are not any more, and the victims are told.
    fn make_room(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        plan: &Plan,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let name = ObjectName::of(Kind::Pod, &pod.meta);
        let mut fact = Fact::new(Component::Scheduler, Verb::Nominated, name)
            .with("victims", plan.chosen.victims.len() as i64);
        if let Some(node) = view.get::<Node>(plan.chosen.node) {
            fact = fact.on(&node.meta.name);
        }
        fx.fact(fact);
        for &lower in &plan.displaced {
            self.cache.snapshot_mut().withdraw(lower);
            let Some(seen) = schedulable(view, lower) else { continue };
            if seen.status.nominated.is_some() {
                let status = PodStatus { nominated: None, ..seen.status.clone() };
                self.write_status(lower, seen, status, fx);
            }
        }
        self.evictions.begin(id, pod, plan, view, fx);
        if self.evictions.holds(id, view) {
            self.queue.hold(id);
        }
    }

    /// The API server refused a binding: the room is given back, and the pod tried again later,
    /// unless it is gone or has a node.
    pub(super) fn binding_failed(
        &mut self,
        pod: Id<Pod>,
        mut waiting: Waiting,
        status: &Status,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if let Some(shape) = self.cache.forget(pod) {
            self.wake(&ClusterEvent::PodGone(&shape), Some(pod), view, fx);
        }
        let Some(seen) = schedulable(view, pod) else { return };
        let message: Text = format!("running Bind plugin \"DefaultBinder\": {}", status).into();
        told::failed(pod, &message, view, fx);
        let hash = hash_text(&message);
        if waiting.reported != hash {
            waiting.reported = hash;
            let promised = seen.status.nominated;
            self.write_condition(pod, seen, SCHEDULER_ERROR, message, promised, fx);
        }
        self.queue.give_back(pod, waiting, Attempt::Error, fx.now());
    }

    /// Drops what is in hand, as if it had not been taken.
    pub(super) fn abandon_cycle(&mut self) {
        let Some(Cycle { pod, waiting, promised, outcome }) = self.cycle.take() else { return };
        self.cycles = self.cycles.wrapping_add(1);
        let shape = match outcome {
            Outcome::Node(_) => self.cache.forget(pod),
            Outcome::Nowhere(nowhere) => Some(nowhere.shape),
        };
        if let (Some(node), Some(shape)) = (promised, shape) {
            self.cache.snapshot_mut().promise(pod, &shape, node);
        }
        self.queue.put_back(pod, waiting);
    }

    /// Patches the pod's PodScheduled condition, and the node it is promised.
    fn write_condition(
        &self,
        id: Id<Pod>,
        pod: &Pod,
        reason: &str,
        message: Text,
        nominated: Option<Id<Node>>,
        fx: &mut Effects<Timer>,
    ) {
        let mut status = PodStatus { nominated, ..pod.status.clone() };
        status.set(PodCondition::PodScheduled, false, fx.now());
        status.reason = Some(Arc::new(StatusReason { reason: reason.into(), message }));
        self.write_status(id, pod, status, fx);
    }

    fn write_status(&self, id: Id<Pod>, pod: &Pod, status: PodStatus, fx: &mut Effects<Timer>) {
        let call = Call::PodStatus { pod: id, uid: pod.meta.uid, status: Box::new(status) };
        fx.send(self.client, tag_of(id) | STATUS_TAG, call);
    }
}

/// The pod as last seen, if it still is to be placed.
fn schedulable<'v>(view: &View<'v>, id: Id<Pod>) -> Option<&'v Pod> {
    view.get(id).filter(|pod| {
        pod.node.is_none() && !pod.meta.is_terminating() && !pod.status.phase.is_terminal()
    })
}
