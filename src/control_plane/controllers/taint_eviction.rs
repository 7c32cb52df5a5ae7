//! The taint eviction controller (kube-controller-manager 1.36 pkg/controller/tainteviction).
//!
//! Owns the clocks of pods on nodes with NoExecute taints; refuses to know who set the taints.
//!
//! ```text
//! tainted, a taint untolerated ──────────────▶ evicting: read ─▶ condition ─▶ delete ─▶ (refused: 5 x 10 ms)
//! tainted, all tolerated for n s ─▶ waiting ──n s──▲
//!                                     │ untainted, or tolerated for ever
//!                                     └──▶ forgotten
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, RawId};
use crate::api::node::Node;
use crate::api::pod::{Pod, PodCondition, StatusReason};
use crate::api::rules::taints::{Effect, Taint, Toleration};
use crate::api::status::Status;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::request::Propagation;
use crate::messages::{About, Call, ClientId, Component, Effects, Fact, Remark, Reply, Verb};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::events::Events;
use super::workqueue::Tag;
use super::{Known, Timer, Which};

/// How often a refused eviction is tried, and how long between.
const TRIES: u8 = 5;
const RETRY: SimDuration = SimDuration::from_millis(10);
/// What the condition of a pod says that must go.
const DELETING: &str = "Taint manager: deleting due to NoExecute taint";

/// How long a pod tolerates taints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tolerance {
    /// Not at all.
    None,
    /// So long.
    For(SimDuration),
    /// For ever.
    Forever,
}

/// How long tolerations bear `taints`: each taint needs one that covers it (the first found
/// counts), and the shortest of those that set a time decides (`GetMatchingTolerations` and
/// `getMinTolerationTime`).
pub fn tolerance(taints: &[Taint], tolerations: &[Toleration]) -> Tolerance {
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let Some(one) = tolerations.iter().find(|one| one.covers(taint)) else {
            return Tolerance::None;
        };
        if let Some(seconds) = one.seconds {
            shortest = Some(shortest.map_or(seconds, |held| held.min(seconds)));
        }
    }
    match shortest {
        None => Tolerance::Forever,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Tolerance::For(SimDuration::from_secs(seconds)),
            _ => Tolerance::None,
        },
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Waiting,
    /// It is read.
    Reading,
    /// Its condition is being written.
    Noting,
    /// Its deletion is asked for.
    Deleting,
}

#[derive(Clone, Copy, Debug)]
struct Eviction {
    since: SimTime,
    due: SimTime,
    step: Step,
    tries: u8,
    cause: u64,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct TaintEviction {
    client: ClientId,
    pub(super) events: Events,
    tainted: BTreeMap<Id<Node>, Arc<[Taint]>>,
    evictions: FastMap<Id<Pod>, Eviction>,
}

impl TaintEviction {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId) -> TaintEviction {
        TaintEviction {
            client,
            events: Events::new(Which::Taints, client),
            tainted: BTreeMap::new(),
            evictions: FastMap::default(),
        }
    }

    /// A node changed.
    pub fn node(&mut self, change: &Change<'_, Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
        // What waits for a node that is gone waits on (`handleNodeUpdate`).
        let Some(node) = change.new else { return drop(self.tainted.remove(&change.id)) };
        let lasting = node.taints.iter().filter(|one| one.effect == Effect::NoExecute);
        let taints: Arc<[Taint]> = lasting.cloned().collect();
        let held = self.tainted.get(&change.id).map_or(&[][..], |held| held);
        if *held == *taints {
            return;
        }
        if taints.is_empty() {
            self.tainted.remove(&change.id);
        } else {
            self.tainted.insert(change.id, taints.clone());
        }
        let mut pods: Vec<(Id<Pod>, &Pod)> = known
            .index
            .pods_on(change.id)
            .iter()
            .filter_map(|&id| Some((id, known.view.get(id)?)))
            .collect();
        pods.sort_by(|(_, a), (_, b)| {
            (&a.meta.namespace, &a.meta.name).cmp(&(&b.meta.namespace, &b.meta.name))
        });
        for (id, pod) in pods {
            self.consider(id, pod, &taints, known, fx);
        }
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(pod) = change.new else {
            if let Some(old) = change.old {
                self.cancel(change.id, old, fx);
            }
            return;
        };
        let moved = change.old.is_none_or(|old| old.node != pod.node || old.spec != pod.spec);
        if !moved || self.tainted.is_empty() {
            return;
        }
        let taints = pod.node.and_then(|node| self.tainted.get(&node)).cloned();
        if let Some(taints) = taints {
            self.consider(change.id, pod, &taints, known, fx);
        }
    }

    /// `processPodOnNode`.
    fn consider(
        &mut self,
        id: Id<Pod>,
        pod: &Pod,
        taints: &[Taint],
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let held = self.evictions.get(&id).copied();
        if held.is_some_and(|held| held.step != Step::Waiting) {
            return;
        }
        let now = fx.now();
        let wait = match tolerance(taints, &pod.spec.tolerations) {
            _ if taints.is_empty() => return self.cancel(id, pod, fx),
            Tolerance::Forever => return self.cancel(id, pod, fx),
            Tolerance::None => {
                let cause = fx.cause();
                let eviction =
                    Eviction { since: now, due: now, step: Step::Waiting, tries: 0, cause };
                self.evictions.insert(id, eviction);
                return self.evict(id, known, fx);
            }
            Tolerance::For(wait) => wait,
        };
        // Time already waited counts; what would be later than planned changes nothing.
        let since = held.map_or(now, |held| held.since);
        if held.is_some() && since + wait < now + wait {
            return;
        }
        self.cancel(id, pod, fx);
        let (due, cause) = (since + wait, fx.cause());
        self.evictions.insert(id, Eviction { since, due, step: Step::Waiting, tries: 0, cause });
        let (slot, generation) = (id.slot() as u32, id.generation());
        fx.arm_at(due, Timer::Evict { slot, generation });
    }

    fn forget(&mut self, id: Id<Pod>) {
        self.evictions.remove(&id);
    }

    /// A pod's time may be over.
    pub fn due(&mut self, slot: u32, generation: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let id = Id::from_parts(slot, generation);
        let Some(eviction) = self.evictions.get(&id) else { return };
        if eviction.step == Step::Waiting && eviction.due == fx.now() {
            fx.because(eviction.cause);
            self.evict(id, known, fx);
        }
    }

    /// Reads the pod, writes the condition DisruptionTarget, then deletes (`addConditionAndDeletePod`).
    fn evict(&mut self, id: Id<Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(pod) = known.view.get(id) else { return self.forget(id) };
        let Some(eviction) = self.evictions.get_mut(&id) else { return };
        if eviction.tries == 0 {
            let name = ObjectName::of(Kind::Pod, &pod.meta);
            let mut fact = Fact::new(Component::TaintEvictionController, Verb::Evicted, name);
            if let Some(node) = pod.node.and_then(|node| known.view.get(node)) {
                fact = fact.on(&node.meta.name);
            }
            fx.fact(fact.saying(DELETING));
            self.events.say(pod.meta.uid, fx, || said(pod, "Marking for deletion Pod"));
            eviction.cause = fx.cause();
        }
        eviction.step = Step::Reading;
        fx.send(self.client, tag(id), Call::Get { kind: Kind::Pod, id: id.into() });
    }

    fn note(&mut self, id: Id<Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some((_, pod)) = known.view.read(id) else { return self.forget(id) };
        let Some(eviction) = self.evictions.get_mut(&id) else { return };
        if pod.status.is(PodCondition::DisruptionTarget) {
            return self.delete(id, fx);
        }
        eviction.step = Step::Noting;
        let (reason, message) = ("DeletionByTaintManager".into(), DELETING.into());
        let why = Arc::new(StatusReason { reason, message });
        fx.send(self.client, tag(id), Call::Disrupt { pod: id, uid: pod.meta.uid, why });
    }

    fn delete(&mut self, id: Id<Pod>, fx: &mut Effects<Timer>) {
        let Some(eviction) = self.evictions.get_mut(&id) else { return };
        eviction.step = Step::Deleting;
        let call = Call::Delete {
            kind: Kind::Pod,
            id: id.into(),
            uid: None,
            grace_seconds: None,
            propagation: Propagation::Background,
        };
        fx.send(self.client, tag(id), call);
    }

    /// `cancelWorkWithEvent`: a pod may stay after all.
    fn cancel(&mut self, id: Id<Pod>, pod: &Pod, fx: &mut Effects<Timer>) {
        let held = self.evictions.remove(&id);
        if held.is_some_and(|held| held.step == Step::Waiting) {
            self.events.mention(fx, || said(pod, "Cancelling deletion of Pod"));
        }
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        if Tag::unpack(reply.tag) == Tag::Event {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        }
        let raw = RawId { slot: (reply.tag >> 32) as u32, generation: reply.tag as u32 };
        let id: Id<Pod> = raw.typed();
        let Some(eviction) = self.evictions.get_mut(&id) else { return };
        fx.because(eviction.cause.max(fx.cause()));
        match (&reply.result, eviction.step) {
            (Ok(_), Step::Reading) => self.note(id, known, fx),
            (Ok(_), Step::Noting) => self.delete(id, fx),
            (Ok(_), _) | (Err(Status::NotFound(_)), _) => self.forget(id),
            (Err(_), _) => {
                eviction.tries += 1;
                if eviction.tries >= TRIES {
                    return self.forget(id);
                }
                eviction.step = Step::Waiting;
                eviction.due = fx.now() + RETRY;
                let at = eviction.due;
                let timer = Timer::Evict { slot: raw.slot, generation: raw.generation };
                fx.arm_at(at, timer);
            }
        }
    }
}

fn tag(id: Id<Pod>) -> u64 {
    (id.slot() as u64) << 32 | u64::from(id.generation())
}

/// What is said of a pod, which is known by its name alone (`emitPodDeletionEvent`).
fn said(pod: &Pod, what: &str) -> (Option<About>, Remark) {
    let message = format!("{what} {}/{}", pod.meta.namespace, pod.meta.name);
    let about = About::named(ObjectName::of(Kind::Pod, &pod.meta), None);
    (Some(about), Remark::normal("TaintManagerEviction", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::rules::taints::Comparison;

    #[test]
    fn the_shortest_tolerated_time_counts_and_none_is_for_ever() {
        let taint = |key: &str| Taint::new(key, "", Effect::NoExecute);
        let toleration = |key: &str, seconds| Toleration {
            key: key.into(),
            comparison: Comparison::Exists,
            value: "".into(),
            effect: None,
            seconds,
        };
        let both = [taint("a"), taint("b")];
        let of = |list: &[Toleration]| tolerance(&both, list);
        assert_eq!(of(&[toleration("a", Some(5))]), Tolerance::None);
        let (a, b) = (toleration("a", Some(9)), toleration("b", Some(5)));
        assert_eq!(of(&[a.clone(), b]), Tolerance::For(SimDuration::from_secs(5)));
        assert_eq!(of(&[a, toleration("b", Some(0))]), Tolerance::None);
        assert_eq!(of(&[toleration("", None)]), Tolerance::Forever);
    }
}
