//! Evictions under way: each preemptor's victims, marked and then deleted by requests of their own
//! (`pkg/scheduler/framework/preemption/executor.go`, 1.36).
//!
//! Owns which request is out for which victim. Refuses to know how victims were chosen. A preemptor
//! that evicts is not to be tried again before its last victim is on its way out: without that it
//! would find the same victims once more.
//!
//! ```text
//!  all victims but the last:  Marking --> Deleting --> done
//!                                |            |
//!                                +--- error --+--> failed: the last one stays
//!  the last, when they are done:  Marking --> Deleting --> done
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::algorithm::preemption::Plan;
use super::cache::PREEMPTED;
use super::told;
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, Uid};
use crate::api::node::Node;
use crate::api::pod::{Pod, StatusReason};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::messages::effects::Effects;
use crate::messages::fact::{Component, Fact, Verb};
use crate::messages::request::{Call, ClientId, Propagation};
use crate::store::View;

/// A pod that has to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Victim {
    pod: Id<Pod>,
    uid: Uid,
    /// The fact that tells of it.
    cause: u64,
}

/// How far one preemptor's evictions are.
#[derive(Clone, Debug)]
struct Eviction {
    /// Victims besides the last that are not done.
    open: usize,
    last: Victim,
    stage: Stage,
    why: Arc<StatusReason>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The others are being evicted.
    Others,
    /// One of the others could not be evicted.
    Failed,
    /// The last one is being evicted.
    Last,
}

/// What one request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Errand {
    preemptor: Id<Pod>,
    victim: Victim,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Marking,
    Deleting,
}

/// How a preemptor's evictions ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// All victims are on their way out.
    Done(Id<Pod>),
    /// A request failed: the preemptor is to be tried again at once.
    Failed(Id<Pod>),
}

/// All evictions under way.
#[derive(Clone, Debug)]
pub(super) struct Evictions {
    client: ClientId,
    /// Set in the tags of its requests.
    mark: u64,
    errands: BTreeMap<u64, Errand>,
    evictions: BTreeMap<Id<Pod>, Eviction>,
    numbers: u64,
}

impl Evictions {
    /// None under way; requests go out as `client`, with `mark` in their tags.
    pub fn new(client: ClientId, mark: u64) -> Evictions {
        Evictions { client, mark, errands: BTreeMap::new(), evictions: BTreeMap::new(), numbers: 0 }
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.evictions.is_empty()
    }

    /// Whether the pod waits for its victims to be told: not once the last of them is gone, or seen
    /// to be leaving.
    pub fn holds(&self, preemptor: Id<Pod>, view: &View<'_>) -> bool {
        self.evictions.get(&preemptor).is_some_and(|eviction| {
            let is_leaving = || match view.get(eviction.last.pod) {
                Some(pod) => pod.meta.is_terminating(),
                None => true,
            };
            eviction.stage != Stage::Last || !is_leaving()
        })
    }

    /// The preemptors that need not be held any more, though their evictions are not over.
    pub fn released(&self, view: &View<'_>) -> Vec<Id<Pod>> {
        let preemptors = self.evictions.keys().copied();
        preemptors.filter(|&preemptor| !self.holds(preemptor, view)).collect()
    }

    /// Begins to evict the victims of `plan` that are still to be told.
    pub fn begin<T>(
        &mut self,
        preemptor: Id<Pod>,
        pod: &Pod,
        plan: &Plan,
        view: &View<'_>,
        fx: &mut Effects<T>,
    ) {
        let node = view.get::<Node>(plan.chosen.node).map(|node| node.meta.name.clone());
        let cause = fx.cause();
        let mut victims: Vec<Victim> = Vec::new();
        for resident in &plan.chosen.victims {
            let still = view.get(resident.pod).filter(|victim| !victim.meta.is_terminating());
            let Some(victim) = still else { continue };
            fx.because(cause);
            let name = ObjectName::of(Kind::Pod, &victim.meta);
            let by = ObjectName::of(Kind::Pod, &pod.meta);
            let mut fact = Fact::new(Component::Scheduler, Verb::Preempted, name)
                .with("priority", i64::from(victim.spec.priority))
                .with("by_priority", i64::from(pod.spec.priority))
                .saying(format!("to make room for {}/{}", by.namespace, by.name));
            if let Some(node) = &node {
                fact = fact.on(node);
            }
            let cause = fx.fact(fact);
            victims.push(Victim { pod: resident.pod, uid: victim.meta.uid, cause });
        }
        let Some(last) = victims.pop() else { return };
        let scheduler = &pod.spec.scheduler_name;
        let message = format!("{scheduler}: preempting to accommodate a higher priority pod");
        let why = Arc::new(StatusReason { reason: PREEMPTED.into(), message: message.into() });
        let (open, stage) = (victims.len(), Stage::Others);
        self.evictions.insert(preemptor, Eviction { open, last, stage, why });
        for victim in victims {
            self.mark(preemptor, victim, fx);
        }
        self.go_on(preemptor, fx);
        fx.because(cause);
    }

    /// A request was answered; tells when that ends a preemptor's evictions.
    pub fn reply<T>(
        &mut self,
        tag: u64,
        result: Result<(), &Status>,
        view: &View<'_>,
        fx: &mut Effects<T>,
    ) -> Option<Ended> {
        let errand = self.errands.remove(&(tag & !self.mark))?;
        let Errand { preemptor, victim, step } = errand;
        let failed = match result {
            Ok(()) if step == Step::Marking => {
                self.delete(preemptor, victim, fx);
                return None;
            }
            Ok(()) => {
                told::preempted(victim.pod, preemptor, view, fx);
                false
            }
            Err(Status::NotFound(_)) => false,
            Err(_) => true,
        };
        let eviction = self.evictions.get_mut(&preemptor)?;
        if eviction.stage == Stage::Last {
            self.evictions.remove(&preemptor);
            return Some(if failed { Ended::Failed(preemptor) } else { Ended::Done(preemptor) });
        }
        eviction.open = eviction.open.saturating_sub(1);
        if failed {
            eviction.stage = Stage::Failed;
        }
        self.go_on(preemptor, fx)
    }

    /// Evicts the last victim once all others are told; gives up if one of them could not be.
    fn go_on<T>(&mut self, preemptor: Id<Pod>, fx: &mut Effects<T>) -> Option<Ended> {
        let eviction = self.evictions.get_mut(&preemptor).filter(|eviction| eviction.open == 0)?;
        if eviction.stage == Stage::Failed {
            self.evictions.remove(&preemptor);
            return Some(Ended::Failed(preemptor));
        }
        eviction.stage = Stage::Last;
        let last = eviction.last;
        self.mark(preemptor, last, fx);
        None
    }

    fn mark<T>(&mut self, preemptor: Id<Pod>, victim: Victim, fx: &mut Effects<T>) {
        let Some(eviction) = self.evictions.get(&preemptor) else { return };
        let why = Arc::clone(&eviction.why);
        let call = Call::Disrupt { pod: victim.pod, uid: victim.uid, why };
        self.send(Errand { preemptor, victim, step: Step::Marking }, call, fx);
    }

    fn delete<T>(&mut self, preemptor: Id<Pod>, victim: Victim, fx: &mut Effects<T>) {
        let call = Call::Delete {
            kind: Kind::Pod,
            id: victim.pod.into(),
            uid: None,
            grace_seconds: None,
            propagation: Propagation::Background,
        };
        self.send(Errand { preemptor, victim, step: Step::Deleting }, call, fx);
    }

    fn send<T>(&mut self, errand: Errand, call: Call, fx: &mut Effects<T>) {
        self.numbers += 1;
        self.errands.insert(self.numbers, errand);
        fx.because(errand.victim.cause);
        fx.send(self.client, self.mark | self.numbers, call);
    }
}
