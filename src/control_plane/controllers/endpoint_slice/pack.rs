//! How endpoints are spread over slices so that few slices change: `reconcileByPortMapping` and
//! `getSliceToFill` of Kubernetes 1.36 staging/src/k8s.io/endpointslice/reconciler.go.

use crate::api::pod::Pod;
use crate::api::service::Endpoint;
use crate::base::FastMap;
use crate::base::id::Id;

/// What becomes of the slices of one port set. Indexes are into the slices given.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Changes {
    /// Endpoints of slices to be created.
    pub create: Vec<Vec<Endpoint>>,
    /// Slices to be written anew, with their endpoints.
    pub update: Vec<(usize, Vec<Endpoint>)>,
    /// Slices that would be empty.
    pub delete: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unchanged,
    Updated,
    Deleted,
}

/// A slice as it is: its endpoints, and whether something else about it must be written.
#[derive(Clone, Copy, Debug)]
pub struct Existing<'a> {
    /// Its endpoints.
    pub endpoints: &'a [Endpoint],
    /// Whether its labels are those it should have.
    pub labels: LabelState,
}

/// Whether a slice's labels are right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LabelState {
    /// They are.
    Right,
    /// They are not.
    Stale,
}

/// Spreads `desired` over `existing` slices of at most `most` endpoints.
pub fn spread(existing: &[Existing<'_>], mut desired: Vec<Endpoint>, most: usize) -> Changes {
    let index: FastMap<Id<Pod>, usize> =
        desired.iter().enumerate().map(|(at, one)| (one.pod, at)).collect();
    let mut placed = vec![false; desired.len()];
    let mut fates: Vec<Fate> = Vec::with_capacity(existing.len());
    let mut kept: Vec<Vec<Endpoint>> = Vec::with_capacity(existing.len());
    for slice in existing {
        let (endpoints, fate) = keep(slice, &desired, &index, &mut placed);
        kept.push(endpoints);
        fates.push(fate);
    }
    let mut at = 0;
    desired.retain(|_| {
        at += 1;
        !placed[at - 1]
    });
    desired.sort_unstable_by_key(|one| one.uid);
    desired.reverse();
    fill_updated(&fates, &mut kept, &mut desired, most);
    let mut changes = Changes::default();
    while !desired.is_empty() {
        match slice_to_fill(&fates, existing, desired.len(), most) {
            Some(at) => {
                kept[at] = existing[at].endpoints.to_vec();
                fill(&mut kept[at], &mut desired, most);
                fates[at] = Fate::Updated;
            }
            None => {
                let mut fresh = Vec::new();
                fill(&mut fresh, &mut desired, most);
                changes.create.push(fresh);
            }
        }
    }
    for (at, (fate, endpoints)) in fates.into_iter().zip(kept).enumerate() {
        match fate {
            Fate::Unchanged => {}
            Fate::Updated => changes.update.push((at, endpoints)),
            Fate::Deleted => changes.delete.push(at),
        }
    }
    changes
}

/// What stays of a slice. Endpoints are copied only where something changes.
fn keep(
    slice: &Existing<'_>,
    desired: &[Endpoint],
    index: &FastMap<Id<Pod>, usize>,
    placed: &mut [bool],
) -> (Vec<Endpoint>, Fate) {
    let mut same = slice.labels == LabelState::Right;
    let mut kept = Vec::new();
    for (before, held) in slice.endpoints.iter().enumerate() {
        let wanted = index.get(&held.pod).map(|&at| (at, desired[at]));
        let wanted =
            wanted.filter(|(_, one)| (one.uid, one.ip, one.node) == (held.uid, held.ip, held.node));
        if same && wanted.is_none_or(|(_, one)| one != *held) {
            kept.extend_from_slice(&slice.endpoints[..before]);
            same = false;
        }
        if let Some((at, one)) = wanted {
            placed[at] = true;
            if !same {
                kept.push(one);
            }
        }
    }
    if slice.labels == LabelState::Stale && kept.len() == slice.endpoints.len() {
        return (kept, Fate::Updated);
    }
    match (same, kept.is_empty()) {
        (true, _) => (kept, Fate::Unchanged),
        (false, true) => (kept, Fate::Deleted),
        (false, false) => (kept, Fate::Updated),
    }
}

/// Slices that are written anyway take what they can, the fullest first.
fn fill_updated(
    fates: &[Fate],
    kept: &mut [Vec<Endpoint>],
    desired: &mut Vec<Endpoint>,
    most: usize,
) {
    if desired.is_empty() {
        return;
    }
    let mut updated: Vec<usize> =
        (0..fates.len()).filter(|&at| fates[at] == Fate::Updated).collect();
    updated.sort_by_key(|&at| std::cmp::Reverse(kept[at].len()));
    for at in updated {
        fill(&mut kept[at], desired, most);
    }
}

fn fill(slice: &mut Vec<Endpoint>, desired: &mut Vec<Endpoint>, most: usize) {
    while slice.len() < most {
        let Some(one) = desired.pop() else { return };
        slice.push(one);
    }
}

/// The unchanged slice that all `count` remaining endpoints fit in most tightly.
fn slice_to_fill(
    fates: &[Fate],
    existing: &[Existing<'_>],
    count: usize,
    most: usize,
) -> Option<usize> {
    if count >= most {
        return None;
    }
    let unchanged = (0..fates.len()).filter(|&at| fates[at] == Fate::Unchanged);
    let room = |at: usize| most.checked_sub(existing[at].endpoints.len() + count);
    let fitting = unchanged.filter_map(|at| Some((room(at)?, at)));
    fitting.filter(|&(room, _)| room < most).min().map(|(_, at)| at)
}
