//! What of a pod decides where it fits: worked out once for all pods of one spec.

use std::sync::Arc;

use smallvec::SmallVec;

use super::plugins::{image_locality, node_unschedulable};
use crate::api::name::Text;
use crate::api::pod::PodSpec;
use crate::base::hash::StableHasher;

/// A pod as the algorithm sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PodShape {
    spec: Arc<PodSpec>,
    /// Images of all containers, init containers first, with their tags.
    images: SmallVec<[Text; 2]>,
    tolerates_cordon: bool,
    selects_nodes: bool,
    /// Hash of what the static filters look at; equal requirements, equal hashes.
    placement: u64,
}

impl PodShape {
    /// The shape of pods with this spec.
    pub fn of(spec: &Arc<PodSpec>) -> PodShape {
        let images = spec
            .init_containers
            .iter()
            .chain(&spec.containers)
            .map(|container| match image_locality::with_tag(&container.image) {
                std::borrow::Cow::Borrowed(_) => container.image.clone(),
                std::borrow::Cow::Owned(tagged) => tagged.into(),
            })
            .collect();
        PodShape {
            images,
            tolerates_cordon: node_unschedulable::tolerated(spec),
            selects_nodes: !spec.node_selector.is_empty() || spec.node_affinity.required.is_some(),
            placement: placement_hash(spec),
            spec: Arc::clone(spec),
        }
    }

    /// The spec it was made from.
    pub fn spec(&self) -> &Arc<PodSpec> {
        &self.spec
    }

    /// Images of all containers, init containers first, with their tags.
    pub fn images(&self) -> &[Text] {
        &self.images
    }

    /// Whether it may be placed on a cordoned node.
    pub fn tolerates_cordon(&self) -> bool {
        self.tolerates_cordon
    }

    /// Whether it demands anything of its node's labels or name.
    pub fn selects_nodes(&self) -> bool {
        self.selects_nodes
    }

    /// Whether both demand and like the same of a node object.
    pub(super) fn places_like(&self, other: &PodShape) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec)
            || self.placement == other.placement
                && self.spec.tolerations == other.spec.tolerations
                && self.spec.node_selector == other.spec.node_selector
                && self.spec.node_affinity == other.spec.node_affinity
                && self.spec.node_name == other.spec.node_name
    }
}

/// A hash that is cheap rather than complete: what it leaves out only makes two shapes be compared.
fn placement_hash(spec: &PodSpec) -> u64 {
    let mut hasher = StableHasher::new().word(spec.tolerations.len() as u64);
    for toleration in &spec.tolerations {
        hasher = hasher.text(&toleration.key).text(&toleration.value);
    }
    for (key, value) in &spec.node_selector {
        hasher = hasher.text(key).text(value);
    }
    let affinity = &spec.node_affinity;
    let terms =
        affinity.required.iter().flatten().chain(affinity.preferred.iter().map(|(_, term)| term));
    for requirement in terms.flat_map(|term| term.labels.iter().chain(&term.fields)) {
        hasher = hasher.text(&requirement.key);
        for value in &requirement.values {
            hasher = hasher.text(value);
        }
    }
    hasher.text(spec.node_name.as_deref().unwrap_or("")).finish()
}
