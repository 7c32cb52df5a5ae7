//! Removals under way: a node is marked, drained, and its machine given back (cluster-autoscaler 1.36
//! core/scaledown/actuation).
//!
//! ```text
//! marking ─ written ─▶ settling ─ 5 s ─▶ draining ─ all pods gone ─▶ machine given back
//!    │ refused             │ no pods to move ───────────────────────────▲
//!    ▼                     │                 └ a pod would not go ─▶ unmarking ─▶ over
//!   over                   └ 5 s
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drain::{Fate, fate, is_recreatable};
use super::options::Options;
use super::planner::Load;
use super::simulation::Wanderer;
use super::{CANDIDATE, TO_BE_DELETED};
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, Owner};
use crate::api::name::Name;
use crate::api::node::{Node, Schedulability};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::rules::taints::{Effect, Taint};
use crate::base::id::Id;
use crate::control_plane::controllers::{Known, Timer};
use crate::control_plane::scheduler::algorithm::PodShape;
use crate::messages::cloud::CloudCall;
use crate::messages::{Call, ClientId, Component, Effects, Fact, Part, Reply, Verb};
use crate::time::{SimDuration, SimTime};

use super::words;

/// From the mark to the first eviction (`--node-delete-delay-after-taint`): schedulers hear of it.
const SETTLE: SimDuration = SimDuration::from_secs(5);
/// From one try of an eviction to the next (`DefaultEvictionRetryTime`).
const RETRY: SimDuration = SimDuration::from_secs(10);
/// From one look for pods that are still there to the next.
const POLL: SimDuration = SimDuration::from_secs(5);
/// What pods are given beyond the longest grace (`PodEvictionHeadroom`).
const HEADROOM: SimDuration = SimDuration::from_secs(30);
/// How often a mark that another write got in the way of is written again.
const TRIES: u8 = 3;

/// Where the eviction of a pod stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    /// Asked for.
    Asked,
    /// Refused: asked for again then.
    Again(SimTime),
    /// Granted.
    Granted,
}

/// A pod of a node that goes.
#[derive(Clone, Debug)]
struct Leaving {
    pod: Id<Pod>,
    ask: Ask,
    /// What would come back elsewhere; nothing for a pod that goes along with its node.
    moves: Option<(PodShape, Option<Owner>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Marking { tries: u8 },
    Settling { until: SimTime },
    Draining { evict_until: SimTime, end: SimTime, next: SimTime },
    Unmarking,
}

/// One removal.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The node's name.
    pub name: Name,
    /// Its group.
    pub group: u16,
    /// Whether pods have to move.
    pub load: Load,
    step: Step,
    pods: Vec<Leaving>,
    cause: u64,
}

/// What became of removals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// How many are over.
    pub over: u32,
    /// How many failed.
    pub failed: u32,
}

/// All removals, by node.
#[derive(Clone, Debug, Default)]
pub struct Removals {
    of: BTreeMap<Id<Node>, Removal>,
}

/// Tags of requests, in the highest byte.
const MARK: u64 = 1 << 56;
const UNMARK: u64 = 2 << 56;
const EVICT: u64 = 3 << 56;
/// Of marks that a node may go soon: nobody waits for them.
pub const HINT: u64 = 4 << 56;
const KINDS: u64 = 0xff << 56;

impl Removals {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// The nodes and their removals.
    pub fn iter(&self) -> impl Iterator<Item = (Id<Node>, &Removal)> {
        self.of.iter().map(|(&node, removal)| (node, removal))
    }

    /// Whether a node is being removed.
    pub fn contains(&self, node: Id<Node>) -> bool {
        self.of.contains_key(&node)
    }

    /// Pods that were evicted and are gone, and would come back elsewhere.
    pub fn evicted(&self, known: Known<'_>) -> Vec<(PodShape, Option<Owner>)> {
        let all = self.of.values().flat_map(|removal| &removal.pods);
        let gone = all.filter(|one| one.ask == Ask::Granted && known.view.get(one.pod).is_none());
        gone.filter_map(|one| one.moves.clone()).collect()
    }

    /// Pods that are still on nodes which go, and will come back elsewhere.
    pub fn leaving(&self, known: Known<'_>) -> Vec<Wanderer> {
        let all = self.of.values().flat_map(|removal| &removal.pods);
        let there = all.filter(|one| known.view.get(one.pod).is_some());
        let moving = there.filter_map(|one| Some((one.pod, one.moves.clone()?.0)));
        moving.map(|(pod, shape)| Wanderer { pod, shape }).collect()
    }

    /// Begins to remove a node.
    pub fn begin(
        &mut self,
        (id, node): (Id<Node>, &Node),
        (group, load): (u16, Load),
        options: &Options,
        client: ClientId,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let mut pods = Vec::new();
        for &pod in known.index.pods_on(id).iter().filter(|_| load == Load::Drain) {
            let Some(written) = known.view.get(pod) else { continue };
            let has_budget = !known.index.budgets_of(pod).is_empty();
            let moves = match fate(written, has_budget, options.scruples, fx.now()) {
                Fate::Moves | Fate::GoesAlong => {
                    is_recreatable(written).then(|| (PodShape::of(written), written.meta.owner))
                }
                Fate::Ignored | Fate::Holds(_) => continue,
            };
            pods.push(Leaving { pod, ask: Ask::Again(SimTime::ZERO), moves });
        }
        pods.sort_by_key(|one| {
            known.view.get(one.pod).map(|pod| (pod.meta.namespace.clone(), pod.meta.name.clone()))
        });
        let moving = pods.iter().filter(|one| one.moves.is_some()).count();
        let object = ObjectName::of(Kind::Node, &node.meta);
        let fact = Fact::new(Component::ClusterAutoscaler, Verb::Removing, object);
        let cause = fx.fact(fact.with("pods", moving as i64));
        let name = node.meta.name.clone();
        let step = Step::Marking { tries: 1 };
        self.of.insert(id, Removal { name, group, load, step, pods, cause });
        mark(id, client, known, fx);
    }

    /// The API server answered.
    pub fn reply(
        &mut self,
        reply: &Reply,
        client: ClientId,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> News {
        let (kind, slot, at) =
            (reply.tag & KINDS, (reply.tag >> 24) as u32, (reply.tag & 0xff_ffff) as usize);
        let Some(id) = self.of.keys().find(|id| id.slot() == slot as usize).copied() else {
            return News::default();
        };
        let Some(removal) = self.of.get_mut(&id) else { return News::default() };
        fx.because(fx.cause().max(removal.cause));
        match (kind, removal.step) {
            (MARK, Step::Marking { tries }) => match &reply.result {
                Ok(_) => {
                    words::marked(id, known, fx);
                    let until = fx.now() + SETTLE;
                    removal.step = Step::Settling { until };
                    fx.arm_at(until, Timer::Removals);
                }
                Err(_) if tries < TRIES && known.view.get(id).is_some() => {
                    removal.step = Step::Marking { tries: tries + 1 };
                    mark(id, client, known, fx);
                }
                Err(_) => {
                    self.of.remove(&id);
                    return News { over: 1, failed: 1 };
                }
            },
            (EVICT, Step::Draining { .. }) => {
                let Some(one) = removal.pods.get_mut(at) else { return News::default() };
                one.ask = match &reply.result {
                    Ok(_) => Ask::Granted,
                    Err(status) if status.code() == 404 => Ask::Granted,
                    Err(_) => Ask::Again(fx.now() + RETRY),
                };
                if let Ask::Again(again) = one.ask {
                    fx.arm_at(again, Timer::Removals);
                }
            }
            (UNMARK, Step::Unmarking) => {
                self.of.remove(&id);
                return News { over: 1, failed: 0 };
            }
            _ => {}
        }
        News::default()
    }

    /// Something may be due.
    pub fn due(
        &mut self,
        client: ClientId,
        options: &Options,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> News {
        let mut news = News::default();
        let ids: Vec<Id<Node>> = self.of.keys().copied().collect();
        for id in ids {
            let Some(removal) = self.of.get_mut(&id) else { continue };
            fx.because(removal.cause);
            match removal.go_on(id, client, options, known, fx) {
                Outcome::Waits => {}
                Outcome::Done => {
                    let machine = removal.name.clone();
                    self.of.remove(&id);
                    words::removed(id, known, fx);
                    fx.cloud(CloudCall::Remove { machine });
                    news.over += 1;
                }
                Outcome::Failed => {
                    removal.step = Step::Unmarking;
                    news.failed += 1;
                    words::drain_failed(id, known, fx);
                    unmark(id, client, known, fx);
                }
            }
        }
        news
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Waits,
    Done,
    Failed,
}

impl Removal {
    fn go_on(
        &mut self,
        id: Id<Node>,
        client: ClientId,
        options: &Options,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Outcome {
        let now = fx.now();
        if let Step::Settling { until } = self.step
            && until <= now
        {
            if self.pods.is_empty() {
                return Outcome::Done;
            }
            let end = now + options.graceful + HEADROOM;
            self.step = Step::Draining { evict_until: now + options.evictions, end, next: now };
        }
        let Step::Draining { evict_until, end, next } = self.step else { return Outcome::Waits };
        for at in 0..self.pods.len() {
            let Leaving { pod, ask: Ask::Again(again), moves } = &self.pods[at] else { continue };
            if *again > now || known.view.get(*pod).is_none() {
                continue;
            }
            if now > evict_until {
                if moves.is_some() {
                    return Outcome::Failed;
                }
                continue;
            }
            words::evicting(*pod, known, fx);
            let tag = EVICT | (id.slot() as u64) << 24 | at as u64;
            fx.send(client, tag, Call::Evict { pod: *pod });
            self.pods[at].ask = Ask::Asked;
        }
        let is_there = |one: &Leaving| {
            one.moves.is_some() && known.view.get(one.pod).is_some_and(|pod| pod.node == Some(id))
        };
        if !self.pods.iter().any(is_there) {
            return Outcome::Done;
        }
        if now >= end {
            return Outcome::Failed;
        }
        if next <= now {
            let next = now + POLL;
            self.step = Step::Draining { evict_until, end, next };
            fx.arm_at(next, Timer::Removals);
        }
        Outcome::Waits
    }
}

fn is_ours(taint: &Taint) -> bool {
    &*taint.key == TO_BE_DELETED || &*taint.key == CANDIDATE
}

/// Writes a node's taints and whether it is cordoned.
fn write(
    (id, tag): (Id<Node>, u64),
    client: ClientId,
    known: Known<'_>,
    fx: &mut Effects<Timer>,
    change: impl FnOnce(&mut Vec<Taint>, &mut Schedulability),
) {
    let Some((rev, node)) = known.view.read(id) else { return };
    let mut next = node.clone();
    let mut taints = node.taints.to_vec();
    change(&mut taints, &mut next.schedulability);
    next.taints = Arc::from(taints);
    let object = Object::Node(Box::new(next));
    let call = Call::Update { id: id.into(), object, base: Some(rev), part: Part::Main };
    fx.send(client, tag, call);
}

fn taint(key: &str, effect: Effect, fx: &Effects<Timer>) -> Taint {
    Taint::new(key, fx.now().as_secs().to_string(), effect)
}

fn mark(id: Id<Node>, client: ClientId, known: Known<'_>, fx: &mut Effects<Timer>) {
    let new = taint(TO_BE_DELETED, Effect::NoSchedule, fx);
    write((id, MARK | (id.slot() as u64) << 24), client, known, fx, |taints, cordon| {
        taints.retain(|one| &*one.key != TO_BE_DELETED);
        taints.push(new);
        *cordon = Schedulability::Cordoned;
    });
}

fn unmark(id: Id<Node>, client: ClientId, known: Known<'_>, fx: &mut Effects<Timer>) {
    write((id, UNMARK | (id.slot() as u64) << 24), client, known, fx, |taints, cordon| {
        taints.retain(|one| !is_ours(one));
        *cordon = Schedulability::Open;
    });
}

/// Whether a node is marked as one that may go soon.
pub fn is_hinted(node: &Node) -> bool {
    node.taints.iter().any(|one| &*one.key == CANDIDATE)
}

/// Marks a node as one that may go soon, so that pods rather go elsewhere, or takes the mark away.
pub fn hint(
    id: Id<Node>,
    wanted: Hint,
    client: ClientId,
    known: Known<'_>,
    fx: &mut Effects<Timer>,
) {
    let new = taint(CANDIDATE, Effect::PreferNoSchedule, fx);
    write((id, HINT), client, known, fx, |taints, _| {
        taints.retain(|one| &*one.key != CANDIDATE);
        if wanted == Hint::Set {
            taints.push(new);
        }
    });
}

/// What is to become of the mark that a node may go soon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hint {
    /// It gets it.
    Set,
    /// It loses it.
    Removed,
}
