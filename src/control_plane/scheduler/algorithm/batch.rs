//! Equal pods in a row: where a pod filled its node, the next one like it takes the next best node
//! without a search (`OpportunisticBatching`, pkg/scheduler/framework/runtime/batch.go, 1.36).
//!
//! Owns what is left of the last search's nodes, and for how long it may be used. Refuses to know how
//! nodes are filtered and scored.
//!
//! ```text
//!          searched and scored, the pod may be signed
//!   None ---------------------------------------------> Kept --next turn, same signature, in time,
//!    ^                                                  | ^    last node full--> hint, taken? stays
//!    +--- any other success ----------------------------+ +-- a failure leaves it, out of turn
//! ```

use super::framework::{Plugin, Question};
use super::plugins::volumes;
use super::profile::SpreadDefaults;
use super::shape::PodShape;
use crate::api::node::Node;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// How long the nodes of one search may be used.
const MAX_AGE: SimDuration = SimDuration::from_millis(500);

/// A scheduling cycle: its number, each profile's cycles counted in one row, and when it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Its number.
    pub number: u64,
    /// When it is.
    pub now: SimTime,
}

/// What is left of a search.
#[derive(Clone, Debug)]
pub(super) enum Others {
    /// Scores of the nodes in the order they were found; a heap once the first was taken.
    Found(Vec<(i64, Id<Node>)>),
    /// The nodes, the best last.
    Ranked(Vec<Id<Node>>),
}

/// The state of one profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    kept: Option<Kept>,
    /// The turn of the last success, and the node it took.
    last: Option<(u64, Id<Node>)>,
}

#[derive(Clone, Debug)]
struct Kept {
    pod: PodShape,
    since: SimTime,
    others: Others,
}

impl Batch {
    /// The node that the last pod of this turn's predecessor took, if the nodes left over may be used
    /// for `pod` provided that it does not fit there.
    pub fn last_node(&self, q: Question<'_>, turn: Turn) -> Option<Id<Node>> {
        let kept = self.kept.as_ref()?;
        let (number, node) = self.last?;
        let usable = number + 1 == turn.number
            && turn.now.saturating_since(kept.since) <= MAX_AGE
            && !kept.others.is_empty()
            && is_signed_alike(q, &kept.pod);
        usable.then_some(node)
    }

    /// Takes the best of the nodes left over.
    pub fn pop(&mut self) -> Option<Id<Node>> {
        self.kept.as_mut()?.others.pop()
    }

    /// A pod found a node; `others` are what a search left over, if there was one.
    pub fn succeeded(
        &mut self,
        q: Question<'_>,
        turn: Turn,
        hint: Option<Id<Node>>,
        node: Id<Node>,
        others: Option<Others>,
    ) {
        self.last = Some((turn.number, node));
        if hint == Some(node) {
            return;
        }
        let kept = others.filter(|others| !others.is_empty() && can_be_signed(q));
        self.kept = kept.map(|others| Kept { pod: q.pod.clone(), since: turn.now, others });
    }
}

impl Others {
    /// The nodes that a search found with their scores, but for the one taken.
    pub fn found(mut nodes: Vec<(i64, Id<Node>)>) -> Others {
        // In this order the top is the one [`super::heap_rank`] prefers.
        for start in (0..nodes.len() / 2).rev() {
            sift_down(&mut nodes, start);
        }
        let mut others = Others::Found(nodes);
        others.pop();
        others
    }

    fn is_empty(&self) -> bool {
        match self {
            Others::Found(nodes) => nodes.is_empty(),
            Others::Ranked(nodes) => nodes.is_empty(),
        }
    }

    fn pop(&mut self) -> Option<Id<Node>> {
        match self {
            Others::Ranked(nodes) => nodes.pop(),
            Others::Found(nodes) => {
                let last = nodes.len().checked_sub(1)?;
                nodes.swap(0, last);
                let (_, best) = nodes.pop()?;
                sift_down(nodes, 0);
                Some(best)
            }
        }
    }
}

/// As Go's container/heap, the highest score on top.
fn sift_down(nodes: &mut [(i64, Id<Node>)], mut at: usize) {
    loop {
        let left = 2 * at + 1;
        if left >= nodes.len() {
            return;
        }
        let right = left + 1;
        let child =
            if right < nodes.len() && nodes[right].0 > nodes[left].0 { right } else { left };
        if nodes[child].0 <= nodes[at].0 {
            return;
        }
        nodes.swap(at, child);
        at = child;
    }
}

/// Whether what is found for the pod holds for its like: it asks nothing of other pods, not even by
/// the profile's default constraints, and has no volumes and no share of a GPU (each plugin's
/// `SignPod`).
pub(super) fn can_be_signed(q: Question<'_>) -> bool {
    let (spec, profile) = (q.pod.spec(), q.profile);
    let plugin = Plugin::PodTopologySpread;
    let spreads = profile.filters.has(plugin) || profile.weight(plugin) > 0;
    let has_defaults = match &profile.spread {
        SpreadDefaults::System => true,
        SpreadDefaults::List(list) => !list.is_empty(),
    };
    !(spreads && (has_defaults || !spec.spread.is_empty()))
        && spec.pod_affinity.is_empty()
        && spec.pod_anti_affinity.is_empty()
        && !volumes::concerns(q.pod)
        && !profile.shares_gpus()
}

/// Whether the pod is like the one the nodes were found for.
fn is_signed_alike(q: Question<'_>, other: &PodShape) -> bool {
    let (a, b) = (q.pod.spec(), other.spec());
    let same = q.pod.is(other)
        || q.pod.places_like(other)
            && a.requests == b.requests
            && a.nonzero_requests == b.nonzero_requests
            && a.host_ports == b.host_ports
            && q.pod.images() == other.images()
            && q.pod.labels() == other.labels()
            && q.pod.namespace() == other.namespace();
    same && can_be_signed(q)
}

#[cfg(test)]
mod tests {
    use super::super::heap_rank;
    use super::*;

    /// The one taken first is the one that the rank in the heap prefers, whatever the scores; the rest
    /// come by score.
    #[test]
    fn what_is_left_over_comes_by_score() {
        let mut bits = 7_u64;
        for len in 1..60_u32 {
            let mut score = || {
                bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (bits >> 61) as i64
            };
            let nodes: Vec<(i64, Id<Node>)> =
                (0..len).map(|slot| (score(), Id::from_parts(slot, 0))).collect();
            let by_rank = (0..nodes.len()).min_by_key(|&at| (-nodes[at].0, heap_rank(at)));
            let taken = by_rank.map(|at| nodes[at].1);
            let mut others = Others::found(nodes.clone());
            let mut left: Vec<Id<Node>> = std::iter::from_fn(|| others.pop()).collect();
            let score_of = |id: &Id<Node>| nodes[id.slot()].0;
            assert!(left.iter().map(score_of).is_sorted_by(|a, b| a >= b));
            assert!(!left.contains(&taken.expect("not empty")));
            left.sort();
            assert_eq!(left.len() + 1, nodes.len());
        }
    }
}
