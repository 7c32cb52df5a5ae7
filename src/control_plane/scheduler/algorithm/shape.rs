//! What of a pod decides where it fits: worked out once for all pods that share it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::plugins::{image_locality, node_unschedulable};
use crate::api::meta::{Labels, Uid};
use crate::api::name::{Name, Text};
use crate::api::pod::{Pod, PodSpec};
use crate::api::rules::volumes::PodClaim;
use crate::base::hash::StableHasher;

/// A pod as the algorithm sees it: all that siblings share. Cheap to clone; equal pointers are one
/// shape, but one shape may lie at several.
#[derive(Clone, Debug)]
pub struct PodShape(Arc<Shape>);

#[derive(Debug)]
struct Shape {
    namespace: Text,
    labels: Arc<Labels>,
    annotations: Arc<Labels>,
    /// The uid of its controller, if it has one: default spreading asks for that one's selector.
    owner: Option<Uid>,
    spec: Arc<PodSpec>,
    /// Images of all containers, init containers first, then those mounted as volumes, with tags.
    images: SmallVec<[Text; 2]>,
    /// Names of its claims, in the order of the spec.
    claims: SmallVec<[Text; 1]>,
    /// The one pod of this shape, if claims are made with it.
    own: Option<(Name, Uid)>,
    tolerates_cordon: bool,
    selects_nodes: bool,
    /// Hash of what the static filters look at; equal requirements, equal hashes.
    placement: u64,
}

impl PodShape {
    /// The shape of this pod and of its siblings.
    pub fn of(pod: &Pod) -> PodShape {
        let (meta, spec) = (&pod.meta, pod.counted_spec());
        let images = spec
            .init_containers
            .iter()
            .chain(&spec.containers)
            .map(|container| &container.image)
            .chain(&spec.volumes.images)
            .map(|image| match image_locality::with_tag(image) {
                std::borrow::Cow::Borrowed(_) => image.clone(),
                std::borrow::Cow::Owned(tagged) => tagged.into(),
            })
            .collect();
        PodShape(Arc::new(Shape {
            namespace: meta.namespace.clone(),
            labels: Arc::clone(&meta.labels),
            annotations: Arc::clone(&meta.annotations),
            owner: meta.owner.map(|owner| owner.uid),
            images,
            claims: spec.volumes.claims.iter().map(|it| it.name(&meta.name)).collect(),
            own: has_own_claims(spec).then(|| (meta.name.clone(), meta.uid)),
            tolerates_cordon: node_unschedulable::tolerated(spec),
            selects_nodes: !spec.node_selector.is_empty() || spec.node_affinity.required.is_some(),
            placement: placement_hash(spec),
            spec: Arc::clone(spec),
        }))
    }

    /// Whether this is the very shape of `pod`, by where its parts lie: may say no to an equal one.
    pub fn is_of(&self, pod: &Pod) -> bool {
        let shape = &*self.0;
        Arc::ptr_eq(&shape.spec, pod.counted_spec())
            && Arc::ptr_eq(&shape.labels, &pod.meta.labels)
            && Arc::ptr_eq(&shape.annotations, &pod.meta.annotations)
            && shape.owner == pod.meta.owner.map(|owner| owner.uid)
            && shape.namespace == pod.meta.namespace
            && shape
                .own
                .as_ref()
                .is_none_or(|own| (&own.0, own.1) == (&pod.meta.name, pod.meta.uid))
    }

    /// Whether both are one shape, by where they lie: may say no to an equal one.
    pub fn is(&self, other: &PodShape) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The namespace of its pods.
    pub fn namespace(&self) -> &Text {
        &self.0.namespace
    }

    /// The labels of its pods.
    pub fn labels(&self) -> &Arc<Labels> {
        &self.0.labels
    }

    /// The annotations of its pods.
    pub fn annotations(&self) -> &Arc<Labels> {
        &self.0.annotations
    }

    /// The uid of the controller of its pods, if they have one.
    pub fn owner(&self) -> Option<Uid> {
        self.0.owner
    }

    /// The spec of its pods.
    pub fn spec(&self) -> &Arc<PodSpec> {
        &self.0.spec
    }

    /// Images of all containers, init containers first, with their tags.
    pub fn images(&self) -> &[Text] {
        &self.0.images
    }

    /// Names of its claims, in the order of the spec.
    pub fn claims(&self) -> &[Text] {
        &self.0.claims
    }

    /// The one pod of this shape, by name and uid, if claims are made with it; any pod else.
    pub fn own(&self) -> Option<(&Name, Uid)> {
        self.0.own.as_ref().map(|(name, uid)| (name, *uid))
    }

    /// Whether it may be placed on a cordoned node.
    pub fn tolerates_cordon(&self) -> bool {
        self.0.tolerates_cordon
    }

    /// Whether it demands anything of its node's labels or name.
    pub fn selects_nodes(&self) -> bool {
        self.0.selects_nodes
    }

    /// Whether both demand and like the same of a node object.
    pub(super) fn places_like(&self, other: &PodShape) -> bool {
        let (a, b) = (self.spec(), other.spec());
        Arc::ptr_eq(a, b)
            || self.0.placement == other.0.placement
                && a.tolerations == b.tolerations
                && a.node_selector == b.node_selector
                && a.node_affinity == b.node_affinity
                && a.node_name == b.node_name
    }
}

fn has_own_claims(spec: &PodSpec) -> bool {
    spec.volumes.claims.iter().any(PodClaim::is_ephemeral)
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
