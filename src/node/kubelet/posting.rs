//! What a kubelet posts of its node, and says as it does.

use std::sync::Arc;

use super::{Kubelets, Timer};
use crate::api::node::{Node, NodeConditions, NodeImage, NotReady, Tristate};
use crate::api::object::Object;
use crate::messages::request::Part;
use crate::messages::{Call, CoreEvent, Effects};
use crate::node::NodeIndex;

/// What came of a status that was due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Posting {
    /// It is as it was.
    Nothing,
    /// It changed, and is sent.
    Changed,
}

impl Kubelets {
    /// A node's status is due: `node` is the object as it stands, `images` what the node has. Nothing is sent
    /// where they are the same: that a status is posted each five minutes anyway decides nothing.
    pub fn node_status(
        &mut self,
        at: NodeIndex,
        node: &Node,
        images: Arc<[NodeImage]>,
        fx: &mut Effects<Timer>,
    ) -> Posting {
        let kept = &mut self.nodes[at.row()];
        let (images_changed, turned) = (kept.images_changed.take(), kept.pressure_changed.take());
        let Some(cause) = images_changed.max(turned) else { return Posting::Nothing };
        fx.because(cause);
        let mut next = Node { images, ..node.clone() };
        if turned.is_some() {
            self.tell_pressure(at, &mut next.conditions, fx.now());
        }
        let kept = &self.nodes[at.row()];
        let ready = match kept.shutdown {
            None => Tristate::True,
            Some(_) => {
                next.conditions.not_ready = NotReady::ShuttingDown;
                Tristate::False
            }
        };
        next.conditions.set_ready(ready, fx.now());
        if next == *node {
            return Posting::Nothing;
        }
        for said in kept.told_by(&node.conditions, &next.conditions) {
            fx.say(|| Some(said));
        }
        let object = Object::Node(Box::new(next));
        let call = Call::Update { id: kept.id.into(), object, base: None, part: Part::Status };
        fx.send(kept.client, u64::MAX, call);
        Posting::Changed
    }

    /// What a kubelet says as it posts these conditions of its node; the API has those `before` still.
    pub fn told_by(
        &self,
        at: NodeIndex,
        before: &NodeConditions,
        next: &NodeConditions,
    ) -> Vec<CoreEvent> {
        self.nodes[at.row()].told_by(before, next).collect()
    }

    /// The machine of a node is switched on again; its kubelet is about to start.
    pub fn rebooted(&mut self, at: NodeIndex) {
        let node = &mut self.nodes[at.row()];
        (node.reboots, node.has_rebooted) = (node.reboots + 1, true);
    }

    /// The kubelet of a machine that has just joined says that it starts.
    pub fn joined(&self, at: NodeIndex, fx: &mut Effects<Timer>) {
        self.nodes[at.row()].say_started(self.luck, fx);
    }
}
