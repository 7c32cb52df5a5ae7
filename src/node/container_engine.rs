//! Container engines: what a kubelet asks by CRI's verbs, answered later.
//!
//! Owns the form of an engine: an operation is submitted under a number, its completion comes as an
//! [`EngineEvent`]; nothing waits. A simulated engine schedules completions; a real one carries calls out
//! behind the run's driver and stamps what comes back. The kubelet cannot tell them apart. Refuses to know
//! pods' policies: restarts, probes and order are the kubelet's.
pub mod conformance;
#[cfg(feature = "linux-runtime")]
pub mod linux;
pub mod simulated;

use super::NodeIndex;
use crate::messages::engine::{EngineCall, EngineEvent};

/// An engine for one or many nodes.
pub trait ContainerEngine {
    /// What it needs from its surroundings to take a call on.
    type Outside<'a>;

    /// Takes a call on. Its completion, good or bad, is reported later or at once, exactly once; a
    /// `StopContainer` that a later one supersedes is not answered.
    fn submit(&mut self, node: NodeIndex, call: EngineCall, outside: Self::Outside<'_>);
}

/// Something an engine tells the kubelet of its node.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineReport {
    /// The node.
    pub node: NodeIndex,
    /// The number of the fact it comes from.
    pub cause: u64,
    /// What it tells.
    pub event: EngineEvent,
}
