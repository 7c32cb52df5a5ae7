//! Shapes of specs seen of late: siblings share a spec, and mostly come one after the other.

use std::sync::Arc;

use super::algorithm::PodShape;
use crate::api::pod::PodSpec;

/// So many are remembered; a power of two.
const PLACES: usize = 256;

/// A memory of shapes. Where a spec lies decides only whether it is found here, never the answer.
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
    /// The shape of pods with this spec.
    pub fn of(&mut self, spec: &Arc<PodSpec>) -> PodShape {
        let address = Arc::as_ptr(spec) as usize;
        let place = &mut self.places[(address >> 4 ^ address >> 12) % PLACES];
        match place {
            // The one remembered holds its spec, so the address cannot be another's.
            Some(shape) if Arc::ptr_eq(shape.spec(), spec) => shape.clone(),
            _ => place.insert(PodShape::of(spec)).clone(),
        }
    }
}
