//! One pass over all nodes: up to eight at a time, the writes for one node one after another.

use std::collections::{BTreeMap, VecDeque};

use super::zones::{self, Verdict, ZoneKey};
use super::{Health, Look, NodeLifecycle, PASS_LANE, Retry, taints};
use crate::api::kind::Kind;
use crate::api::meta::Uid;
use crate::api::node::{
    Node, NodeConditions, Posted, TAINT_NOT_READY, TAINT_UNREACHABLE, Tristate,
};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodCondition};
use crate::api::rules::taints::Effect;
use crate::api::status::Status;
use crate::base::id::Id;
use crate::control_plane::controllers::workqueue::Tag;
use crate::control_plane::controllers::{Known, Timer};
use crate::messages::{About, Call, Effects, Heartbeats, Part, Remark, Reply};
use crate::store::Rev;
use crate::time::SimTime;

/// Nodes looked at at once.
const LANES: usize = 8;

/// What is to be done about a node, in order.
#[derive(Clone, Debug)]
enum Step {
    /// Write that nobody hears from it, because of this fact.
    Unknown(Rev, Box<Node>, u64),
    /// Put it in its zone's line.
    Mark,
    /// Change its NoExecute taints.
    Taints { add: Option<&'static str>, remove: Vec<&'static str> },
    /// Tell that its pods are not ready: expands to one write a pod.
    PodsNotReady,
    /// Write that a pod is not ready.
    PodNotReady(Id<Pod>),
}

#[derive(Clone, Debug)]
struct Work {
    node: Id<Node>,
    steps: VecDeque<Step>,
}

/// A pass under way.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    serial: u32,
    begun: SimTime,
    waiting: VecDeque<Work>,
    lanes: Vec<Option<Work>>,
    conditions: BTreeMap<ZoneKey, Vec<Tristate>>,
}

impl NodeLifecycle {
    /// Runs pass `k`. One that falls into another's time is left out.
    pub fn pass(
        &mut self,
        k: u64,
        heartbeats: &dyn Heartbeats,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        debug_assert_eq!(self.cadence.at(k), fx.now(), "a pass runs at its own time");
        if self.pass.is_some() {
            self.look = Look::Needed;
            return;
        }
        (self.look, self.awaited) = (Look::No, None);
        let mut conditions: BTreeMap<ZoneKey, Vec<Tristate>> = BTreeMap::new();
        let mut waiting = VecDeque::new();
        for (id, node) in known.view.list::<Node>() {
            let (steps, current) = self.look_at(id, node, heartbeats, known, fx);
            if !zones::is_excluded(node) {
                conditions.entry(zones::key(node)).or_default().push(current);
            }
            if !steps.is_empty() {
                waiting.push_back(Work { node: id, steps });
            }
        }
        self.passes += 1;
        let serial = self.passes;
        let (begun, lanes) = (fx.now(), vec![None; LANES]);
        self.pass = Some(Pass { serial, begun, waiting, lanes, conditions });
        self.fill_lanes(known, fx);
    }

    /// What a pass makes of one node, and the Ready condition it then has.
    fn look_at(
        &mut self,
        id: Id<Node>,
        node: &Node,
        heartbeats: &dyn Heartbeats,
        known: Known<'_>,
        fx: &Effects<Timer>,
    ) -> (VecDeque<Step>, Tristate) {
        let now = fx.now();
        let fresh = Health { noted: None, stamp: now, retry: Retry::No };
        let held = self.health.get(&id).copied().unwrap_or(fresh);
        let (mut next, until) = self.heard(id, node, &held, now, heartbeats);
        let mut steps = VecDeque::new();
        let observed = node.conditions.ready;
        let mut current = observed;
        if now > until
            && (observed != Tristate::Unknown || node.conditions.posted == Posted::Never)
            && let Some((rev, _)) = known.view.version(id)
        {
            current = Tristate::Unknown;
            let mut conditions = NodeConditions {
                ready: Tristate::Unknown,
                ready_since: now,
                posted: Posted::Once,
                ..node.conditions
            };
            conditions.set_pressures([Tristate::Unknown; 3], now);
            let cause = heartbeats.silenced_by(id);
            let node = Box::new(Node { conditions, ..node.clone() });
            steps.push_back(Step::Unknown(rev, node, cause));
        }
        let no_execute = |key| taints::has(node, key, Effect::NoExecute);
        let swap = |add, remove| Step::Taints { add: Some(add), remove: vec![remove] };
        match current {
            Tristate::True => {
                if no_execute(TAINT_NOT_READY) || no_execute(TAINT_UNREACHABLE) {
                    let remove = vec![TAINT_UNREACHABLE, TAINT_NOT_READY];
                    steps.push_back(Step::Taints { add: None, remove });
                }
                self.zones.unmark(id, node);
            }
            Tristate::False if no_execute(TAINT_UNREACHABLE) => {
                steps.push_back(swap(TAINT_NOT_READY, TAINT_UNREACHABLE));
            }
            Tristate::Unknown if no_execute(TAINT_NOT_READY) => {
                steps.push_back(swap(TAINT_UNREACHABLE, TAINT_NOT_READY));
            }
            Tristate::False if no_execute(TAINT_NOT_READY) => {}
            Tristate::Unknown if no_execute(TAINT_UNREACHABLE) => {}
            Tristate::False | Tristate::Unknown => steps.push_back(Step::Mark),
        }
        let fell = current != Tristate::True && observed == Tristate::True;
        if fell || (next.retry == Retry::Needed && observed != Tristate::True) {
            steps.push_back(Step::PodsNotReady);
        }
        next.retry = Retry::No;
        self.health.insert(id, next);
        (steps, current)
    }

    fn fill_lanes(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        loop {
            let Some(pass) = &mut self.pass else { return };
            let free = pass.lanes.iter().position(Option::is_none);
            let (Some(lane), false) = (free, pass.waiting.is_empty()) else { break };
            let Some(work) = pass.waiting.pop_front() else { break };
            self.advance(lane, work, known, fx);
        }
        if self.pass.as_ref().is_some_and(|pass| pass.lanes.iter().all(Option::is_none)) {
            self.end_pass(known, fx);
        }
    }

    /// Goes on with a node until something must be waited for.
    fn advance(&mut self, lane: usize, mut work: Work, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(serial) = self.pass.as_ref().map(|pass| pass.serial) else { return };
        let tag = Tag::Sync(PASS_LANE | lane as u8, serial, 0).pack();
        while let Some(step) = work.steps.front() {
            let silenced_by =
                if let Step::Unknown(_, _, cause) = step { Some(*cause) } else { None };
            let Some((rev, node)) = known.view.version(work.node) else { break };
            let call = match step {
                Step::Unknown(base, next, _) => Some(Call::Update {
                    id: work.node.into(),
                    object: Object::Node(next.clone()),
                    base: Some(*base),
                    part: Part::Status,
                }),
                Step::Mark => {
                    self.zones.mark(work.node, node, fx);
                    None
                }
                Step::Taints { add, remove } => {
                    let taint = |key: &&str| taints::taint(key, Effect::NoExecute);
                    let add: Vec<_> = add.iter().map(taint).collect();
                    let remove: Vec<_> = remove.iter().map(taint).collect();
                    let writing =
                        taints::Writing::new(work.node, node, rev, (&add, &remove), fx.now());
                    writing.map(|one| one.call())
                }
                Step::PodsNotReady => {
                    let pods = pods_by_uid(work.node, known);
                    work.steps.extend(pods.into_iter().map(Step::PodNotReady));
                    None
                }
                Step::PodNotReady(pod) => not_ready(*pod, known, fx),
            };
            if let Some(call) = call {
                let before = fx.cause();
                fx.because(silenced_by.unwrap_or(before));
                fx.send(self.client, tag, call);
                fx.because(before);
                if let Some(pass) = &mut self.pass {
                    pass.lanes[lane] = Some(work);
                }
                return;
            }
            work.steps.pop_front();
        }
    }

    pub(super) fn pass_reply(
        &mut self,
        lane: u8,
        serial: u32,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let lane = usize::from(lane);
        let Some(pass) = self.pass.as_mut().filter(|pass| pass.serial == serial) else { return };
        let Some(mut work) = pass.lanes.get_mut(lane).and_then(Option::take) else { return };
        let Some(step) = work.steps.pop_front() else { return };
        match (&reply.result, step) {
            (Ok(_), Step::Unknown(_, node, _)) => {
                // Of one that was not ready before there is no news.
                if work.steps.iter().any(|step| matches!(step, Step::PodsNotReady)) {
                    self.events.record(Kind::Node, &node.meta, fx, || {
                        let what = format!("Node {} status is now: NodeNotReady", node.meta.name);
                        Remark::normal("NodeNotReady", what)
                    });
                }
                self.look = Look::Needed;
            }
            (Ok(_), Step::PodNotReady(pod)) => {
                let meta = known.view.get(pod).map(|pod| &pod.meta);
                self.events.say(meta.map_or(Uid(0), |meta| meta.uid), fx, || {
                    (
                        meta.map(|meta| About::of(Kind::Pod, meta)),
                        Remark::warning("NodeNotReady", "Node is not ready"),
                    )
                });
            }
            (Ok(_), _) => self.look = Look::Needed,
            (Err(Status::NotFound(_)), Step::PodNotReady(_)) => {}
            (Err(_), Step::PodNotReady(_)) => self.retry_pods(work.node),
            (Err(_), Step::Unknown(..)) => {
                // The node changed meanwhile: the next pass looks at it anew.
                work.steps.clear();
                self.look = Look::Needed;
            }
            (Err(_), _) => self.look = Look::Needed,
        }
        self.advance(lane, work, known, fx);
        self.fill_lanes(known, fx);
    }

    fn retry_pods(&mut self, node: Id<Node>) {
        self.look = Look::Needed;
        if let Some(health) = self.health.get_mut(&node) {
            health.retry = Retry::Needed;
        }
    }

    /// All nodes are looked at: the zones are judged. The next pass counts from here.
    fn end_pass(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(pass) = self.pass.take() else { return };
        if fx.now() > pass.begun {
            self.pace(fx.now());
        }
        match self.zones.settle(&pass.conditions, fx) {
            Verdict::Settled => {}
            Verdict::Moved => self.look = Look::Needed,
            Verdict::AllLost => {
                self.look = Look::Needed;
                self.take_back(known, fx);
            }
            Verdict::Back => {
                self.look = Look::Needed;
                let now = fx.now();
                self.health.values_mut().for_each(|health| health.stamp = now);
            }
        }
    }

    /// Takes all NoExecute taints back, by a pass of its own that judges nothing.
    fn take_back(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        let mut waiting = VecDeque::new();
        for (id, node) in known.view.list::<Node>() {
            self.zones.unmark(id, node);
            let remove = vec![TAINT_UNREACHABLE, TAINT_NOT_READY];
            if remove.iter().any(|key| taints::has(node, key, Effect::NoExecute)) {
                let steps = VecDeque::from([Step::Taints { add: None, remove }]);
                waiting.push_back(Work { node: id, steps });
            }
        }
        if waiting.is_empty() {
            return;
        }
        self.passes += 1;
        let (serial, begun, lanes) = (self.passes, fx.now(), vec![None; LANES]);
        self.pass = Some(Pass { serial, begun, waiting, lanes, conditions: BTreeMap::new() });
        self.fill_lanes(known, fx);
    }
}

/// The pods of a node by uid: upstream walks a set of them in no order, and uids are drawn.
fn pods_by_uid(node: Id<Node>, known: Known<'_>) -> Vec<Id<Pod>> {
    let ids = known.index.pods_on(node).iter();
    let mut pods: Vec<(Id<Pod>, &Pod)> = ids
        .filter_map(|&id| Some((id, known.view.get(id)?)))
        .filter(|(_, pod)| pod.is_ready())
        .collect();
    pods.sort_by_key(|(_, pod)| pod.meta.uid);
    pods.into_iter().map(|(id, _)| id).collect()
}

/// The write that a pod is not ready; `None` where it says so itself (`MarkPodsNotReady`).
fn not_ready(id: Id<Pod>, known: Known<'_>, fx: &Effects<Timer>) -> Option<Call> {
    let (rev, pod) = known.view.version(id)?;
    if !pod.is_ready() {
        return None;
    }
    let mut next = pod.clone();
    next.status.set(PodCondition::Ready, false, fx.now());
    let object = Object::Pod(Box::new(next));
    Some(Call::Update { id: id.into(), object, base: Some(rev), part: Part::Status })
}
