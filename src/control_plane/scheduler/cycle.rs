//! One scheduling cycle: from the pop of a pod to its binding, or to the reason why not
//! (`schedule_one.go`, 1.36).

use std::sync::Arc;

use super::algorithm::{PluginSet, PodShape, Profile};
use super::queue::hints::{ClusterEvent, helps};
use super::queue::{Attempt, Waiting};
use super::{
    Decider, Leading, SCHEDULER_ERROR, STATUS_TAG, Scheduler, Timer, UNSCHEDULABLE, tag_of,
};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodCondition, StatusReason};
use crate::api::status::Status;
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::luck::Label;
use crate::messages::effects::Effects;
use crate::messages::fact::{Component, Fact, Verb};
use crate::messages::request::Call;
use crate::store::View;

const CYCLE: Label = Label::new("scheduling-cycle");

/// A pod in hand, with what was decided when its cycle began.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) pod: Id<Pod>,
    waiting: Waiting,
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
}

impl Cycle {
    /// Something happened while the pod is in hand.
    pub(super) fn hear(&mut self, event: &ClusterEvent<'_>) {
        if let Outcome::Nowhere(nowhere) = &mut self.outcome
            && let Attempt::Rejected(plugins) = nowhere.attempt
            && helps(event, &nowhere.profile, &nowhere.shape, plugins)
        {
            nowhere.attempt = Attempt::Woken(plugins);
        }
    }
}

impl Scheduler {
    /// Takes the next pod in hand, if there is one and none is.
    pub(super) fn start_cycle(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        if self.leading == Leading::No || self.cycle.is_some() {
            return;
        }
        while let Some((id, waiting)) = self.queue.pop() {
            let Some(pod) = schedulable(view, id) else { continue };
            let outcome = self.decide(id, pod, view);
            fx.because(waiting.cause);
            self.cycles = self.cycles.wrapping_add(1);
            let draw = self.luck.draw(CYCLE, pod.meta.uid.0, u64::from(waiting.attempts));
            fx.arm(self.settings.cycle.sample(draw), Timer::Cycle(self.cycles));
            self.cycle = Some(Cycle { pod: id, waiting, outcome });
            return;
        }
    }

    fn decide(&mut self, id: Id<Pod>, pod: &Pod, view: &View<'_>) -> Outcome {
        let at = self.profile_of(&pod.spec).unwrap_or(0);
        let profile = self.settings.profiles[at].clone();
        let nowhere = |shape, plugins: PluginSet, message, nodes| {
            let attempt =
                if plugins.is_empty() { Attempt::Error } else { Attempt::Rejected(plugins) };
            Outcome::Nowhere(Box::new(Nowhere { shape, profile, message, nodes, attempt }))
        };
        if let Decider::Recorded(bindings) = &self.settings.decider {
            let node = bindings.node_of(&pod.meta).and_then(|name| view.find::<Node>("", name));
            let Some(node) = node else {
                let shape = self.shapes.of(pod);
                let message = "no node was recorded for this pod".into();
                return nowhere(shape, PluginSet::EMPTY, message, self.cache.nodes());
            };
            let shape = self.shapes.of(pod);
            self.cache.assume(id, node, &shape);
            return Outcome::Node(node);
        }
        let shape = self.shapes.of(pod);
        let answer = self.algorithms[at].schedule(self.cache.settled(), &shape);
        let start = self.algorithms[at].start();
        self.algorithms.iter_mut().for_each(|one| one.start_at(start));
        match answer {
            Ok(node) => {
                self.cache.assume(id, node, &shape);
                Outcome::Node(node)
            }
            Err(diagnosis) => {
                let message = diagnosis.message(&shape, &self.settings.profiles[at]);
                nowhere(shape, diagnosis.plugins(), message, diagnosis.nodes)
            }
        }
    }

    /// The cycle is over: the binding leaves, or the pod goes back.
    pub(super) fn finish_cycle(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        let Some(Cycle { pod, mut waiting, outcome }) = self.cycle.take() else { return };
        match outcome {
            Outcome::Node(node) => {
                self.binding.insert(pod, waiting);
                fx.send(self.client, tag_of(pod), Call::Bind { pod, node });
            }
            Outcome::Nowhere(nowhere) => {
                let Some(seen) = schedulable(view, pod) else { return };
                let hash = hash_text(&nowhere.message);
                if waiting.reported != hash {
                    waiting.reported = hash;
                    let name = ObjectName::of(Kind::Pod, &seen.meta);
                    let fact = Fact::new(Component::Scheduler, Verb::Unschedulable, name)
                        .with("nodes", nowhere.nodes as i64)
                        .saying(nowhere.message.clone());
                    waiting.cause = fx.fact(fact);
                    self.write_condition(pod, seen, UNSCHEDULABLE, nowhere.message, fx);
                }
                self.queue.give_back(pod, waiting, nowhere.attempt, fx.now());
            }
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
            self.wake(&ClusterEvent::PodGone(shape.spec()), Some(pod), view, fx);
        }
        let Some(seen) = schedulable(view, pod) else { return };
        let message: Text = format!("running Bind plugin \"DefaultBinder\": {}", status).into();
        let hash = hash_text(&message);
        if waiting.reported != hash {
            waiting.reported = hash;
            self.write_condition(pod, seen, SCHEDULER_ERROR, message, fx);
        }
        self.queue.give_back(pod, waiting, Attempt::Error, fx.now());
    }

    /// Drops what is in hand, as if it had not been taken.
    pub(super) fn abandon_cycle(&mut self) {
        let Some(Cycle { pod, waiting, outcome }) = self.cycle.take() else { return };
        self.cycles = self.cycles.wrapping_add(1);
        if let Outcome::Node(_) = outcome {
            self.cache.forget(pod);
        }
        self.queue.put_back(pod, waiting);
    }

    /// Patches the pod's PodScheduled condition.
    fn write_condition(
        &self,
        id: Id<Pod>,
        pod: &Pod,
        reason: &str,
        message: Text,
        fx: &mut Effects<Timer>,
    ) {
        let mut status = pod.status.clone();
        status.set(PodCondition::PodScheduled, false, fx.now());
        status.reason = Some(Arc::new(StatusReason { reason: reason.into(), message }));
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
