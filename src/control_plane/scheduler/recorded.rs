//! A recorded table of decisions, to measure everything but the deciding.

use crate::api::meta::Meta;
use crate::api::name::Text;
use crate::base::{FastMap, StableHasher};

/// Which pod went to which node, by names.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    nodes: FastMap<u64, Text>,
}

impl Bindings {
    /// A table of (namespace, pod, node).
    pub fn new<'n>(bindings: impl IntoIterator<Item = (&'n Meta, Text)>) -> Bindings {
        let nodes = bindings.into_iter().map(|(pod, node)| (key(pod), node)).collect();
        Bindings { nodes }
    }

    /// The name of the node this pod went to.
    pub fn node_of(&self, pod: &Meta) -> Option<&str> {
        self.nodes.get(&key(pod)).map(AsRef::as_ref)
    }
}

fn key(pod: &Meta) -> u64 {
    StableHasher::new().text(&pod.namespace).word(pod.name.stable_hash()).finish()
}
