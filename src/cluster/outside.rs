//! Engines outside the World: what goes to them, and what comes back.
//!
//! A run by the wall clock has its containers made by a real engine behind the driver. What kubelets ask goes out,
//! and what comes of it comes in as external input, which a replay gives again. Only causes are kept here: an
//! input carries none.

use std::collections::BTreeMap;

use crate::kernel::{NO_CAUSE, Outgoing};
use crate::messages::engine::{ContainerRef, EngineAsk, EngineCall, EngineEvent, OpId};
use crate::node::NodeIndex;

/// What comes in from an engine outside.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineInput {
    /// Of which node.
    pub node: NodeIndex,
    /// What it tells.
    pub event: EngineEvent,
}

/// What goes out to an engine outside.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineOrder {
    /// Of which node.
    pub node: NodeIndex,
    /// What is asked.
    pub call: EngineCall,
}

/// Calls on their way out, and the facts that calls and containers come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    pub calls: Vec<Outgoing<EngineOrder>>,
    sent: u64,
    asked: BTreeMap<(NodeIndex, OpId), u64>,
    touched: BTreeMap<ContainerRef, u64>,
}

impl Outside {
    /// Takes a call on its way.
    pub fn call(&mut self, node: NodeIndex, cause: u64, call: EngineCall) {
        self.sent += 1;
        match call.ask {
            EngineAsk::StartContainer(container) | EngineAsk::StopContainer(container, _) => {
                self.touched.insert(container, cause);
            }
            EngineAsk::RemovePodSandbox(pod) => self.touched.retain(|it, _| it.pod != pod),
            _ => {}
        }
        if !matches!(call.ask, EngineAsk::Probe(..)) {
            self.asked.insert((node, call.op), cause);
        }
        self.calls.push(Outgoing { op: self.sent, call: EngineOrder { node, call } });
    }

    /// The fact that something told comes from.
    pub fn cause_of(&mut self, node: NodeIndex, event: &EngineEvent) -> u64 {
        let cause = match event {
            EngineEvent::Done(op, _) => self.asked.remove(&(node, *op)),
            EngineEvent::Exited(container, _) => self.touched.get(container).copied(),
            EngineEvent::Probed(..) => None,
        };
        cause.unwrap_or(NO_CAUSE)
    }
}
