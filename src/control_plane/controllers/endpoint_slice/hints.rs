//! For whom the endpoints of a Service are: hints by its `trafficDistribution` (Kubernetes 1.36
//! staging/src/k8s.io/endpointslice/trafficdist).
//!
//! Owns what hints see of the slices of one sync; refuses to know ports, names and how endpoints came
//! to lie where they do.

use std::sync::Arc;

use crate::api::name::Text;
use crate::api::service::{Distribution, Hint, NodeHint};

/// An endpoint as hints see it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spot {
    /// Whether it takes new connections: others get no hints.
    pub is_ready: bool,
    /// The zone of its node.
    pub zone: Option<Text>,
    /// For whom it is so far.
    pub hint: Hint,
}

/// The slices of a sync; the numbers are those of whoever asks.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Slices {
    /// Those to be created.
    pub create: Vec<Vec<Spot>>,
    /// Those to be written anew.
    pub update: Vec<(usize, Vec<Spot>)>,
    /// Those that can stay as they are.
    pub unchanged: Vec<(usize, Vec<Spot>)>,
}

impl Slices {
    /// Unchanged slices of which `needs` holds are to be written anew.
    pub(super) fn touch(&mut self, mut needs: impl FnMut(&[Spot]) -> bool) {
        let all = std::mem::take(&mut self.unchanged);
        let (touched, rest) = all.into_iter().partition(|(_, spots)| needs(spots));
        let touched: Vec<(usize, Vec<Spot>)> = touched;
        self.update.extend(touched);
        self.unchanged = rest;
    }

    /// The slices that will be written.
    pub(super) fn written(&mut self) -> impl Iterator<Item = &mut Vec<Spot>> {
        self.create.iter_mut().chain(self.update.iter_mut().map(|(_, spots)| spots))
    }

    /// Endpoints that are ready.
    pub(super) fn ready(&self) -> usize {
        let held = self.update.iter().chain(&self.unchanged).map(|(_, spots)| spots);
        held.chain(&self.create).flatten().filter(|spot| spot.is_ready).count()
    }

    /// No endpoint is for anybody in particular.
    pub fn clear(&mut self) {
        self.touch(|spots| spots.iter().any(|spot| spot.hint != Hint::default()));
        self.written().flatten().for_each(|spot| spot.hint = Hint::default());
    }

    /// Endpoints are for callers near them.
    pub fn distribute(&mut self, by: Distribution) {
        if by == Distribution::Cluster {
            return self.clear();
        }
        let right = |spot: &Spot| Hint {
            zone: spot.zone.clone(),
            node: match by {
                Distribution::SameNode => NodeHint::Own,
                _ => NodeHint::None,
            },
        };
        self.touch(|spots| spots.iter().any(|spot| spot.is_ready && spot.hint != right(spot)));
        for spot in self.written().flatten().filter(|spot| spot.is_ready) {
            spot.hint = right(spot);
        }
    }
}

/// The hints of a slice as it is stored.
pub fn stored(spots: Vec<Spot>) -> Arc<[Hint]> {
    match spots.iter().all(|spot| spot.hint == Hint::default()) {
        true => Arc::default(),
        false => spots.into_iter().map(|spot| spot.hint).collect(),
    }
}
