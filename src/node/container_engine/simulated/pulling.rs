//! Pulls: one after the other or several at a time, at the rate the registry is asked; and which images nobody
//! uses.
//!
//! Pulls that are fetched at the same time share the node's way to the registry evenly. One that is asked for while
//! the same image comes waits for that, and finds it there.

use std::collections::VecDeque;

use super::images::ImageNumber;
use super::settings::over;
use super::{Bench, EngineTimer, Op, OpKind, SimulatedEngines, report};
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::base::Id;
use crate::messages::engine::{EngineAnswer, EngineError, EngineEvent, IdleImage};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// The pulls of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct PullQueue {
    /// In the order they were asked for.
    pub waiting: VecDeque<Id<Op>>,
    /// Those being worked on.
    pub active: Vec<Id<Op>>,
    /// Those whose bytes are coming.
    fetches: Vec<Fetch>,
    /// Up to when their bytes are counted.
    counted: SimTime,
}

/// Bytes on their way.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    op: Id<Op>,
    /// How long what is left would take alone.
    left: SimDuration,
    /// When it is there, as things stand.
    due: SimTime,
}

impl SimulatedEngines {
    /// Whether an image is there.
    pub(super) fn image_status(
        &self,
        node: NodeIndex,
        name: Text,
    ) -> Result<EngineAnswer, EngineError> {
        let found = self.images.find(&name).filter(|_| self.has_image(node, &name));
        let bytes =
            found.map(|image| self.images.bytes(image)).ok_or(EngineError::NotFound(name))?;
        let took = (SimDuration::ZERO, SimDuration::ZERO);
        Ok(EngineAnswer::Image { bytes, fetched: 0, took })
    }

    /// A pull is asked for.
    pub(super) fn queue_pull(&mut self, node: NodeIndex, id: Id<Op>, bench: &mut Bench<'_>) {
        self.nodes[node.row()].pulls.waiting.push_back(id);
        self.begin_pulls(node, bench);
    }

    /// Pulls begin that may; those that come too often fail.
    pub(super) fn begin_pulls(&mut self, node: NodeIndex, bench: &mut Bench<'_>) {
        loop {
            let queue = &self.nodes[node.row()].pulls;
            if queue.active.len() >= self.pulls.at_a_time.max(1) as usize {
                return;
            }
            let comes = |id: &Id<Op>| {
                queue.active.iter().any(|one| self.image_of(*one) == self.image_of(*id))
            };
            let Some(at) = queue.waiting.iter().position(|id| !comes(id)) else { return };
            let pulls = self.pulls;
            let node_row = &mut self.nodes[node.row()];
            let Some(id) = node_row.pulls.waiting.remove(at) else { return };
            if node_row.registry.admits(&pulls, bench.fx.now()) {
                node_row.pulls.active.push(id);
                self.begin_pull(id, bench);
                continue;
            }
            let Some(op) = self.ops.remove(id) else { continue };
            let error = EngineError::Unknown("pull QPS exceeded".into());
            report(node, op.cause, EngineEvent::Done(op.number, Err(error)), bench);
        }
    }

    fn image_of(&self, id: Id<Op>) -> Option<ImageNumber> {
        match self.ops.get(id)?.kind {
            OpKind::Fetch(image) | OpKind::Unpack(image, _) | OpKind::Refuse(image) => Some(image),
            _ => None,
        }
    }

    fn begin_pull(&mut self, id: Id<Op>, bench: &mut Bench<'_>) {
        let op = &mut self.ops[id];
        op.begun = bench.fx.now();
        let op = &self.ops[id];
        let OpKind::Fetch(image) = op.kind else { unreachable!("only pulls are queued") };
        bench.fx.because(op.cause);
        if let Some(cause) = self.why_withheld(image) {
            let op = &mut self.ops[id];
            (op.kind, op.cause) = (OpKind::Refuse(image), cause);
            self.answer_pull(id, image, bench);
        } else if self.nodes[op.node.row()].images.binary_search(&image).is_ok() {
            self.ops[id].kind = OpKind::Unpack(image, 0);
            self.answer_pull(id, image, bench);
        } else {
            let (node, now) = (op.node, bench.fx.now());
            let left = over(self.images.bytes(image), self.settings.bandwidth);
            self.count_fetches(node, now);
            let fetch = Fetch { op: id, left, due: SimTime::MAX };
            self.nodes[node.row()].pulls.fetches.push(fetch);
            self.plan_fetches(node, bench);
        }
    }

    /// What came up to now of each fetch of a node.
    fn count_fetches(&mut self, node: NodeIndex, now: SimTime) {
        let queue = &mut self.nodes[node.row()].pulls;
        let came = now.saturating_since(queue.counted) / (queue.fetches.len().max(1) as u64);
        for fetch in &mut queue.fetches {
            fetch.left = fetch.left.saturating_sub(came);
        }
        queue.counted = now;
    }

    fn plan_fetches(&mut self, node: NodeIndex, bench: &mut Bench<'_>) {
        let queue = &mut self.nodes[node.row()].pulls;
        let share = queue.fetches.len() as u64;
        for fetch in &mut queue.fetches {
            let due = bench.fx.now() + fetch.left * share;
            if fetch.due != due {
                fetch.due = due;
                bench.fx.because(self.ops[fetch.op].cause);
                bench.fx.arm_at(due, EngineTimer::Op(fetch.op));
            }
        }
    }

    /// Whether all bytes of a pull are there now; then the others come faster.
    pub(super) fn is_fetched(&mut self, id: Id<Op>, bench: &mut Bench<'_>) -> bool {
        let (node, now) = (self.ops[id].node, bench.fx.now());
        let fetches = &self.nodes[node.row()].pulls.fetches;
        let Some(at) = fetches.iter().position(|it| it.op == id && it.due == now) else {
            return false;
        };
        self.count_fetches(node, now);
        self.nodes[node.row()].pulls.fetches.remove(at);
        self.plan_fetches(node, bench);
        bench.fx.because(self.ops[id].cause);
        true
    }

    /// The registry answers, and nothing is to be fetched.
    fn answer_pull(&mut self, id: Id<Op>, image: ImageNumber, bench: &mut Bench<'_>) {
        let node = self.ops[id].node;
        let spent = self.settings.pull_present.spend(|| self.luck_of_pull(node, image));
        self.work(id, spent, bench);
    }

    /// The containers of a pod go: their images were used up to now.
    pub(super) fn note_use(&mut self, pod: Id<Pod>, now: SimTime) {
        let Some(id) = self.sandbox_of(pod) else { return };
        let (node, spec) = (self.sandboxes[id].node, self.sandboxes[id].config.spec.clone());
        for container in spec.init_containers.iter().chain(&spec.containers) {
            let Some(image) = self.images.find(&container.image) else { continue };
            let times = self.nodes[node.row()].times.entry(image);
            times.or_insert((SimTime::ZERO, SimTime::ZERO)).1 = now;
        }
    }

    /// The images of a node that no container uses.
    pub fn idle_images(&self, at: NodeIndex) -> Vec<IdleImage> {
        let times = &self.nodes[at.row()].times;
        let of = |image: ImageNumber| {
            let (since, used) = times.get(&image).copied().unwrap_or_default();
            let bytes = u64::try_from(self.images.bytes(image)).unwrap_or(0);
            IdleImage { image, bytes, since, used }
        };
        self.unused_images(at).into_iter().map(of).collect()
    }

    /// Removes images of a node.
    pub fn remove_images(&mut self, at: NodeIndex, images: &[ImageNumber]) {
        let node = &mut self.nodes[at.row()];
        node.images.retain(|image| !images.contains(image));
        node.times.retain(|image, _| !images.contains(image));
    }
}
