//! Which images the nodes have: their sizes and how many nodes have them
//! (`imageStates`, pkg/scheduler/backend/cache/cache.go 1.36).

use crate::api::name::Text;
use crate::api::node::NodeImage;
use crate::base::FastMap;

/// An image as one node has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageOnNode {
    /// Its name, tag included.
    pub name: Text,
    /// Its size in bytes, as told by the first node that had it.
    pub bytes: i64,
    /// How many nodes had it when this node was last looked at. The count of a node that did not
    /// change since is an old one, as it is in kube-scheduler's snapshot.
    pub nodes: u32,
}

#[derive(Clone, Copy, Debug)]
struct State {
    bytes: i64,
    nodes: u32,
}

/// All images of all nodes.
#[derive(Clone, Default, Debug)]
pub struct Images {
    states: FastMap<Text, State>,
}

impl Images {
    /// A node has these images; what it has of them as an ImageLocality score counts it.
    pub fn add(&mut self, images: &[NodeImage]) -> Vec<ImageOnNode> {
        let mut on_node: Vec<ImageOnNode> = Vec::with_capacity(images.len());
        let mut sorted: Vec<&NodeImage> = images.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        sorted.dedup_by(|later, first| later.name == first.name);
        for image in sorted {
            let fresh = State { bytes: image.bytes, nodes: 0 };
            let state = self.states.entry(image.name.clone()).or_insert(fresh);
            state.nodes += 1;
            on_node.push(ImageOnNode {
                name: image.name.clone(),
                bytes: state.bytes,
                nodes: state.nodes,
            });
        }
        on_node
    }

    /// A node no longer has these images.
    pub fn remove(&mut self, images: &[ImageOnNode]) {
        for image in images {
            if let Some(state) = self.states.get_mut(&image.name) {
                state.nodes -= 1;
                if state.nodes == 0 {
                    self.states.remove(&image.name);
                }
            }
        }
    }

    /// Brings what one node has up to date; returns whether anything of it was old.
    pub fn refresh(&self, images: &mut [ImageOnNode]) -> bool {
        let mut changed = false;
        for image in images {
            if let Some(state) = self.states.get(&image.name) {
                changed |= (image.bytes, image.nodes) != (state.bytes, state.nodes);
                (image.bytes, image.nodes) = (state.bytes, state.nodes);
            }
        }
        changed
    }

    /// Whether any node has this image.
    pub fn any_has(&self, name: &str) -> bool {
        !self.states.is_empty() && self.states.contains_key(name)
    }
}
