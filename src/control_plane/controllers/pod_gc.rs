//! The pod garbage collector (kube-controller-manager 1.36 pkg/controller/podgc).
//!
//! Owns which pods nobody else will ever take away: too many that are done, those of nodes that are
//! gone, those that were never placed and are being deleted, those held up on a node that is out of
//! service. Refuses to know owners. It looks every 20 s; where there is nothing to look for, it does
//! not look, for a round that finds nothing changes nothing.
//!
//! ```text
//! a candidate appears ─▶ next round of the grid ─▶ deleted by force
//!                                  └─ its node is gone: only after 40 s of quarantine, and
//!                                     only if the API server does not know the node either
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::RawId;
use crate::api::name::Name;
use crate::api::node::Node;
use crate::api::pod::{Pod, StatusReason};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Reply};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::{Known, Timer};

/// From round to round.
const PERIOD: SimDuration = SimDuration::from_secs(20);
/// How long a vanished node's pods are left alone from the first round that misses it.
const QUARANTINE: SimDuration = SimDuration::from_secs(40);
/// How the collector is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How many pods that are done may lie about (`--terminated-pod-gc-threshold`); 0: any number.
    pub most_terminated: usize,
}

impl Default for Settings {
    /// 12,500.
    fn default() -> Settings {
        Settings { most_terminated: 12_500 }
    }
}

/// Taint of a node whose pods will not come back.
pub const TAINT_OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The controller.
#[derive(Clone, Debug)]
pub struct PodGc {
    client: ClientId,
    cadence: Cadence,
    most_terminated: usize,
    /// Pods that are done, in the order in which they would go.
    terminated: BTreeSet<Rank>,
    /// Pods without node that are being deleted.
    unplaced: BTreeSet<Id<Pod>>,
    /// Nodes that are gone, and when a round first missed them.
    gone: BTreeMap<Id<Node>, Option<SimTime>>,
    out_of_service: BTreeSet<Id<Node>>,
    /// What is to be asked for, the first in flight.
    line: VecDeque<Errand>,
    /// Nodes of this round that the API server does not know.
    missing: Vec<Id<Node>>,
    armed: SimTime,
}

impl PodGc {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: Settings) -> PodGc {
        PodGc {
            client,
            cadence: every_period(SimTime::ZERO),
            most_terminated: match settings.most_terminated {
                0 => usize::MAX,
                most => most,
            },
            terminated: BTreeSet::new(),
            unplaced: BTreeSet::new(),
            gone: BTreeMap::new(),
            out_of_service: BTreeSet::new(),
            line: VecDeque::new(),
            missing: Vec::new(),
            armed: SimTime::MAX,
        }
    }

    /// The manager starts: the first round is one period later.
    pub fn begin(&mut self, now: SimTime) {
        self.cadence = every_period(now + PERIOD);
    }

    /// When rounds fall.
    pub fn rounds(&self) -> Cadence {
        self.cadence
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let note = |set: &mut BTreeSet<Id<Pod>>, is_in: bool| {
            if is_in {
                set.insert(change.id);
            } else {
                set.remove(&change.id);
            }
        };
        let is = |test: fn(&Pod) -> bool| change.new.is_some_and(test);
        let rank = |pod: Option<&Pod>| {
            let pod = pod.filter(|pod| pod.status.phase.is_terminal())?;
            Some(Rank::of(change.id, pod))
        };
        let (old, new) = (rank(change.old), rank(change.new));
        if old != new {
            if let Some(old) = old {
                self.terminated.remove(&old);
            }
            self.terminated.extend(new);
        }
        if change.old.is_none_or(|old| old.node.is_none()) {
            note(&mut self.unplaced, is(|pod| pod.node.is_none() && pod.meta.is_terminating()));
        }
        if let Some(node) = change.new.and_then(|pod| pod.node)
            && change.old.is_none_or(|old| old.node.is_none())
            && known.view.get(node).is_none()
        {
            self.gone.entry(node).or_insert(None);
        }
        self.arm(fx);
    }

    /// A node changed.
    pub fn node(&mut self, change: &Change<'_, Node>, fx: &mut Effects<Timer>) {
        match change.new {
            Some(node) => {
                self.gone.remove(&change.id);
                let has_taint = node.taints.iter().any(|one| &*one.key == TAINT_OUT_OF_SERVICE);
                if has_taint && !node.is_ready() {
                    self.out_of_service.insert(change.id);
                } else {
                    self.out_of_service.remove(&change.id);
                }
            }
            None => {
                self.out_of_service.remove(&change.id);
                self.gone.insert(change.id, None);
            }
        }
        self.arm(fx);
    }

    fn arm(&mut self, fx: &mut Effects<Timer>) {
        let needed = !self.unplaced.is_empty()
            || !self.gone.is_empty()
            || !self.out_of_service.is_empty()
            || self.terminated.len() > self.most_terminated;
        if !needed {
            return;
        }
        let at = self.cadence.at(self.cadence.first_from(fx.now() + SimDuration::from_nanos(1)));
        if self.armed != at {
            self.armed = at;
            fx.arm_at(at, Timer::PodGc);
        }
    }

    /// A round (`gc`): done pods, pods out of service, pods of vanished nodes, unplaced pods.
    pub fn round(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.armed = SimTime::MAX;
        if !self.line.is_empty() {
            return self.arm(fx);
        }
        let mut found = self.beyond_limit();
        let out = self.out_of_service.iter().flat_map(|&node| known.index.pods_on(node));
        let is_ending =
            |id: &&Id<Pod>| known.view.get(**id).is_some_and(|pod| pod.meta.is_terminating());
        found.extend(by_name(out.filter(is_ending).copied().collect(), known));
        let nodes = self.quarantined(known, fx.now());
        let unplaced = by_name(self.unplaced.iter().copied().collect(), known);
        let mut seen = BTreeSet::new();
        let all = found.into_iter().map(Errand::Pod).chain(nodes.into_iter().map(Errand::Node));
        let all = all.chain(unplaced.into_iter().map(Errand::Pod));
        self.line = all.filter(|&errand| seen.insert(errand)).collect();
        self.next(known, fx);
        self.arm(fx);
    }

    /// `gcTerminated`: evicted ones first, then the oldest.
    fn beyond_limit(&self) -> Vec<Id<Pod>> {
        let beyond = self.terminated.len().saturating_sub(self.most_terminated);
        self.terminated.iter().take(beyond).map(|rank| rank.id).collect()
    }

    /// Nodes whose quarantine is over (`gcOrphaned`); each gets a new one, should its pods stay.
    fn quarantined(&mut self, known: Known<'_>, now: SimTime) -> Vec<Id<Node>> {
        let mut over = Vec::new();
        self.gone.retain(|&node, since| {
            if pods_of(node, known).next().is_none() {
                return false;
            }
            if *since.get_or_insert(now) + QUARANTINE <= now {
                *since = None;
                over.push(node);
            }
            true
        });
        over
    }

    /// The first of the line is sent: of a node, whether it is there; a pod is marked failed, unless
    /// it is done, and then deleted by force.
    fn next(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        while let Some(&errand) = self.line.front() {
            let (id, why) = match errand {
                Errand::Node(node) => {
                    let call = Call::Get { kind: Kind::Node, id: node.into() };
                    return fx.send(self.client, CHECK, call);
                }
                Errand::Pod(id) => (id, None),
                Errand::Orphan(id) => {
                    (id, Some(("DeletionByPodGC", "PodGC: node no longer exists")))
                }
            };
            let Some(pod) = known.view.get(id) else {
                self.line.pop_front();
                continue;
            };
            if pod.status.phase.is_terminal() {
                return self.delete(id, fx);
            }
            let why = why.map(|(reason, message): (&str, &str)| {
                let (reason, message) = (reason.into(), message.into());
                Arc::new(StatusReason { reason, message })
            });
            // A patch by uid: nobody else's write gets in its way (`PatchPodStatus`).
            let call = Call::Fail { pod: id, uid: pod.meta.uid, why };
            return fx.send(self.client, MARK, call);
        }
    }

    fn delete(&mut self, id: Id<Pod>, fx: &mut Effects<Timer>) {
        let id = RawId::from(id);
        let (kind, propagation) = (Kind::Pod, Propagation::Background);
        let call = Call::Delete { kind, id, uid: None, grace_seconds: Some(0), propagation };
        fx.send(self.client, DELETE, call);
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(&errand) = self.line.front() else { return };
        match errand {
            Errand::Pod(id) | Errand::Orphan(id) if reply.tag == MARK && reply.result.is_ok() => {
                return self.delete(id, fx);
            }
            Errand::Pod(_) | Errand::Orphan(_) => {
                self.line.pop_front();
            }
            Errand::Node(node) => {
                self.line.pop_front();
                if matches!(reply.result, Err(Status::NotFound(_))) {
                    self.missing.push(node);
                }
                if !matches!(self.line.front(), Some(Errand::Node(_))) {
                    self.orphans(known);
                }
            }
        }
        self.next(known, fx);
        self.arm(fx);
    }

    /// The pods of all nodes that are gone for sure are next in the line.
    fn orphans(&mut self, known: Known<'_>) {
        let missing = std::mem::take(&mut self.missing);
        let each = missing.into_iter().map(|node| by_name(pods_of(node, known).collect(), known));
        let orphans: Vec<Id<Pod>> = each.flatten().collect();
        for pod in orphans.into_iter().rev() {
            self.line.push_front(Errand::Orphan(pod));
        }
    }
}

/// Something the collector asks the API server for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Errand {
    /// Whether a node is there.
    Node(Id<Node>),
    /// That a pod goes.
    Pod(Id<Pod>),
    /// That a pod goes whose node is gone.
    Orphan(Id<Pod>),
}

/// Pods bound to a node.
fn pods_of<'k>(node: Id<Node>, known: Known<'k>) -> impl Iterator<Item = Id<Pod>> + use<'k> {
    let all = known.index.pods_on(node).iter().copied();
    all.filter(move |&id| known.view.get(id).is_some_and(|pod| pod.node == Some(node)))
}

/// Where a pod that is done stands in the line: evicted ones first, then the oldest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    stays: Stays,
    created_seconds: u64,
    name: Name,
    id: Id<Pod>,
}

/// Whether a pod that is done was told to leave its node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stays {
    No,
    Yes,
}

impl Rank {
    fn of(id: Id<Pod>, pod: &Pod) -> Rank {
        let is_evicted = pod.status.reason.as_ref().is_some_and(|why| &*why.reason == "Evicted");
        Rank {
            stays: if is_evicted { Stays::No } else { Stays::Yes },
            created_seconds: pod.meta.created.as_secs(),
            name: pod.meta.name.clone(),
            id,
        }
    }
}

fn every_period(from: SimTime) -> Cadence {
    Cadence::new(from, PERIOD).expect("a period that is not zero")
}

/// Tags of the calls about a pod, and of the one about a node.
const MARK: u64 = 1;
const DELETE: u64 = 2;
const CHECK: u64 = 3;

fn by_name(mut ids: Vec<Id<Pod>>, known: Known<'_>) -> Vec<Id<Pod>> {
    ids.sort_by_key(|&id| {
        known.view.get(id).map(|pod| (pod.meta.namespace.clone(), pod.meta.name.clone()))
    });
    ids
}
