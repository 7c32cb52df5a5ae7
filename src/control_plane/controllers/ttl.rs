//! The TTL controller (kube-controller-manager 1.36 pkg/controller/ttl).
//!
//! Owns the annotation that tells a kubelet for how many seconds it may trust a ConfigMap or Secret it
//! has read: the more nodes there are, the longer. Refuses to know what kubelets make of it.
//!
//! ```text
//! node came ─▶ counted ─┬─ a boundary passed ─▶ all others: as each posts its status
//! node went ─▶ counted ─┘
//! node came or changed ─▶ annotation as wanted? ─ no ─▶ patched
//! ```
//!
//! Upstream looks at a node whenever it changes, and kubelets post their status every five minutes if
//! nothing else does. Such posts take no revision here, so a boundary that is passed says when they come.

use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::Meta;
use crate::api::node::{Node, Tristate};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::request::MetaPatch;
use crate::messages::{Call, ClientId, Effects, Reply};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

use super::workqueue::{Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which};

/// The annotation, in seconds.
pub const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// How often a kubelet posts its node's status though nothing changed (`nodeStatusReportFrequency`).
const REPORTS: SimDuration = SimDuration::from_secs(300);

/// From how many nodes on, up to how many, how long: they overlap, so that a cluster whose size goes
/// back and forth over a boundary is left alone.
const BOUNDARIES: [(usize, usize, u32); 5] =
    [(0, 100, 0), (90, 500, 15), (450, 1_000, 30), (900, 2_000, 60), (1_800, usize::MAX, 300)];

/// How many nodes there are, and between which boundaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    nodes: usize,
    step: usize,
}

impl Size {
    /// A cluster of `nodes` between the boundaries number `step` (the last one, beyond it).
    pub fn new(nodes: usize, step: usize) -> Size {
        Size { nodes, step: step.min(BOUNDARIES.len() - 1) }
    }

    /// A cluster that `nodes` have joined, one after the other.
    pub fn grown_to(nodes: usize) -> Size {
        let step = BOUNDARIES.iter().position(|(_, most, _)| nodes <= *most);
        Size::new(nodes, step.unwrap_or(usize::MAX))
    }

    /// A node came.
    pub fn grow(&mut self) {
        let nodes = self.nodes.saturating_add(1);
        *self = Size::new(nodes, self.step + usize::from(nodes > BOUNDARIES[self.step].1));
    }

    /// A node went.
    pub fn shrink(&mut self) {
        let nodes = self.nodes.saturating_sub(1);
        *self = Size::new(nodes, self.step - usize::from(nodes < BOUNDARIES[self.step].0));
    }

    /// For how many seconds a kubelet may trust what it has read.
    pub fn ttl_seconds(self) -> u32 {
        BOUNDARIES[self.step].2
    }

    /// Makes the node say so.
    pub fn tell(self, node: &mut Meta) {
        let value = self.ttl_seconds().to_string().into();
        Arc::make_mut(&mut node.annotations).insert(ANNOTATION.into(), value);
    }

    /// Whether the node says so.
    pub fn is_told(self, node: &Meta) -> bool {
        let told = node.annotations.get(ANNOTATION).and_then(|told| told.parse::<i64>().ok());
        told == Some(self.ttl_seconds().into())
    }
}

/// Whether all there is has been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Listing,
    Watching,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct NodeTtl {
    client: ClientId,
    size: Size,
    pub(super) queue: Queue<Node>,
    reading: Reading,
}

impl NodeTtl {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> NodeTtl {
        let queue = Queue::new(Which::NodeTtl, settings);
        NodeTtl { client, size: Size::default(), queue, reading: Reading::Listing }
    }

    /// All nodes have been listed: workers begin.
    pub fn listed(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.reading = Reading::Watching;
        for (id, node) in known.view.list::<Node>() {
            self.look(id, node, fx);
        }
    }

    /// A node changed.
    pub fn node(&mut self, change: &Change<'_, Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let before = self.size.ttl_seconds();
        match (change.old, change.new) {
            (None, Some(_)) => self.size.grow(),
            (Some(_), None) => self.size.shrink(),
            _ => {}
        }
        if self.reading == Reading::Listing {
            return;
        }
        if let Some(node) = change.new {
            self.look(change.id, node, fx);
        }
        if self.size.ttl_seconds() != before {
            self.await_posts(known, fx);
        }
    }

    fn look(&mut self, id: Id<Node>, node: &Node, fx: &mut Effects<Timer>) {
        if !self.size.is_told(&node.meta) {
            self.queue.add(id, fx);
        }
    }

    /// Each node is looked at when its kubelet posts its status next. One that is not heard of posts
    /// none, and is looked at when it comes back.
    fn await_posts(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        let now = fx.now();
        for (id, node) in known.view.list::<Node>() {
            if node.conditions.ready != Tristate::Unknown && !self.size.is_told(&node.meta) {
                let next = next_post(node, now);
                self.queue.add_after(id, next.saturating_since(now), fx);
            }
        }
    }

    /// A worker begins to act on a node.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(work) = self.queue.begin(worker, serial) else { return };
        fx.because(work.cause);
        let node = known.view.get(work.key).filter(|node| !self.size.is_told(&node.meta));
        let Some(node) = node else { return self.queue.finish(worker, Outcome::Done, fx) };
        let value = self.size.ttl_seconds().to_string();
        let patch = MetaPatch::Annotate(Box::new((ANNOTATION.into(), value.into())));
        let (kind, id, uid) = (Kind::Node, work.key.into(), node.meta.uid);
        let call = Call::Patch { kind, id, uid, patch };
        fx.send(self.client, Tag::Sync(worker, work.serial, 0).pack(), call);
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        self.queue.replied(reply, fx);
    }
}

/// When the node's kubelet posts its status next: each does at a second of its own.
fn next_post(node: &Node, now: SimTime) -> SimTime {
    let phase = node.meta.name.stable_hash() % REPORTS.as_nanos();
    let cadence = Cadence::new(SimTime::from_nanos(phase), REPORTS).expect("not zero");
    cadence.at(cadence.first_from(now + SimDuration::from_nanos(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::Object;
    use crate::control_plane::controllers::testing::{Cluster, node};

    fn told(cluster: &Cluster) -> Vec<String> {
        let nodes = cluster.all::<Node>().into_iter();
        let mut all: Vec<_> =
            nodes.map(|(_, node)| node.meta.annotations[ANNOTATION].to_string()).collect();
        all.dedup();
        all
    }

    #[test]
    fn as_a_cluster_grows_all_nodes_hear_of_it_within_five_minutes_and_then_it_is_quiet() {
        let mut cluster = Cluster::new();
        let nodes: Vec<_> = (0..101).map(|at| node(&format!("n{at}"))).collect();
        let ids: Vec<_> =
            nodes.iter().map(|one| cluster.create(Object::Node(Box::new(one.clone())))).collect();
        cluster.run(SimDuration::from_secs(20));
        assert_eq!(told(&cluster), ["15"]);
        (0..11).for_each(|at| cluster.remove::<Node>(ids[at].typed()));
        cluster.run(SimDuration::from_secs(400));
        assert_eq!(told(&cluster), ["15"], "90 nodes are not fewer than 90");
        cluster.remove::<Node>(ids[11].typed());
        cluster.run(SimDuration::from_secs(30));
        assert_eq!(told(&cluster).last().map(String::as_str), Some("15"), "as each posts");
        cluster.run(SimDuration::from_secs(280));
        assert_eq!(told(&cluster), ["0"]);
        let revision = cluster.store.table::<Node>().newest();
        cluster.run(SimDuration::from_secs(1_000));
        assert_eq!(cluster.store.table::<Node>().newest(), revision);
    }
}
