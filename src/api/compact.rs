//! From the official types to the compact objects a run works with.
//!
//! Owns the way from one to the other: equal pod specs, label sets and texts are held once, what is
//! set but plays no part in a run is noted by name. What comes in has its defaults filled in and has
//! been found valid; a value out of range is clamped, never refused here.
//!
//! **Imported objects.** An object with a uid comes out of a cluster (`kubectl get -o yaml`) and is
//! taken with its status. A run's time has no past, so every instant in it becomes the start of the
//! run; a pod on its way out has its whole grace period before it.
mod autoscaling;
mod container;
mod created;
mod daemon_set;
pub mod derived;
mod disruption;
mod intern;
mod job;
mod meta;
mod node;
mod notes;
mod pod;
mod pod_spec;
mod pod_status;
mod pod_volumes;
mod quota;
mod resizing;
mod selector;
mod service;
mod small;
mod stateful_set;
mod storage;
mod workload;

pub use meta::{DEFAULT_NAMESPACE, imported_uid};
pub use node::{DEFAULT_MAX_PODS, reconcile};
pub use notes::{Note, Notes};

pub use resizing::counted_spec;
pub use small::AsRead;
pub use stateful_set::without_max_unavailable;

use k8s_openapi::api::core::v1 as core;

use intern::Interner;

use super::name::Text;
use super::object::Object;
use super::rules::affinity::NodeAffinity;
use super::rules::spread::SpreadConstraint;

/// Turns objects of one input into compact ones.
#[derive(Debug, Default)]
pub struct Compactor {
    intern: Interner,
    notes: Notes,
}

/// A compact object and what stands beside it.
#[derive(Clone, PartialEq, Debug)]
pub struct Compacted {
    /// The object.
    pub object: Object,
    /// Where it comes from.
    pub arrival: Arrival,
    /// The node a pod is bound to (`spec.nodeName`); it is not part of the spec, so that siblings
    /// share theirs.
    pub node: Option<Text>,
}

/// Where an object comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Arrival {
    /// Somebody applies it.
    #[default]
    Applied,
    /// It was in the cluster before: its uid, its owner's uid and its status hold.
    Imported,
}

/// Affinity to nodes that is no pod's own.
pub fn node_affinity(written: &core::NodeAffinity) -> NodeAffinity {
    Interner::default().node_affinity(written)
}

/// Constraints that are no pod's own.
pub fn spread(written: &[core::TopologySpreadConstraint]) -> Vec<SpreadConstraint> {
    Interner::default().spread(Some(written))
}

impl Compactor {
    /// One that knows nothing yet.
    pub fn new() -> Compactor {
        Compactor::default()
    }

    /// What was set but plays no part in a run, so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// How many distinct pod specs there are so far.
    pub fn distinct_specs(&self) -> usize {
        self.intern.distinct_specs()
    }

    /// The shared text `text`.
    pub fn text(&mut self, text: &str) -> Text {
        self.intern.text(text)
    }
}

/// A whole number of at least 0 as 32 bits hold it.
fn unsigned(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
