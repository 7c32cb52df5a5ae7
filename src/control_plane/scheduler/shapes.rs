//! Shapes of pods seen of late: siblings share a spec, and mostly come one after the other.

use std::sync::Arc;

use super::algorithm::PodShape;
use crate::api::pod::Pod;

/// So many are remembered; a power of two.
const PLACES: usize = 256;

/// A memory of shapes. Where a pod's parts lie decides only whether it is found here, never the
/// answer.
#[derive(Clone, Debug)]
pub struct Shapes {
    places: Vec<Option<PodShape>>,
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes { places: vec![None; PLACES] }
    }
}

impl Shapes {
    /// The shape of this pod.
    pub fn of(&mut self, pod: &Pod) -> PodShape {
        let address =
            Arc::as_ptr(&pod.spec) as usize ^ (Arc::as_ptr(&pod.meta.labels) as usize) << 1;
        let place = &mut self.places[(address >> 4 ^ address >> 12) % PLACES];
        match place {
            // The one remembered holds its parts, so their addresses cannot be another's.
            Some(shape) if shape.is_of(pod) => shape.clone(),
            _ => place.insert(PodShape::of(pod)).clone(),
        }
    }
}
