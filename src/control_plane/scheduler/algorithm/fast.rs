//! The same decision as [`super::plain`], out of columns and sums that remember what did not change.
//!
//! ```text
//!  snapshot's log --> bases:   what each kind of request finds on each node by itself
//!                 --> classes: which pods are where --> tallies: how many in each domain
//!  a pod that asks --> its base and its company --> feasible places, their scores, the best
//! ```
//! Nothing is approximated; a property test holds both ways side by side. What depends on pods
//! that were promised a node beyond what they take of it, and on several nodes by name, is decided
//! the plain way.

mod base;
mod bits;
mod classes;
mod company;
mod eligible;
mod memory;
mod rules;
mod tally;
mod topology;

use std::sync::Arc;

use super::batch::{Batch, Others, Turn, can_be_signed};
use super::diagnosis::Diagnosis;
use super::framework::{
    CycleState, Order, Plugin, PluginSet, PreFilter, Question, filter, normalized, pre_filter,
};
use super::node_info::NodeInfo;
use super::plugins::{gpu_share, node_affinity};
use super::preemption::{self, Tour, Verdict};
use super::profile::Profile;
use super::rejected::Rejected;
use super::shape::PodShape;
use super::snapshot::Snapshot;
use super::{feasible_to_find, heap_rank, plain};
use crate::api::node::Node;
use crate::base::id::Id;
use bits::WORD;
use memory::{Memory, Recollection};

/// One scheduler's algorithm: what it carries from one decision to the next. To be used with one
/// [`Snapshot`] all its life, for it remembers how far it read that one's log.
#[derive(Clone, Debug)]
pub struct Algorithm {
    profile: Arc<Profile>,
    /// Where the next search starts.
    start: usize,
    memory: Memory,
    feasible: Vec<Candidate>,
    batch: Batch,
}

/// A node that passed all filters.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    slot: u32,
    affinity: i32,
    soft_taints: u16,
    /// Weighted scores, summed: those that are not normalised, and what other pods add.
    total: i64,
}

impl Algorithm {
    /// An algorithm of this profile.
    pub fn new(profile: Arc<Profile>) -> Algorithm {
        Algorithm {
            profile,
            start: 0,
            memory: Memory::default(),
            feasible: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// Its profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Lets the next search start at this place.
    pub fn start_at(&mut self, start: usize) {
        self.start = start;
    }

    /// Where the next search starts (`nextStartNodeIndex`).
    pub fn start(&self) -> usize {
        self.start
    }

    /// Chooses a node for a pod of this shape, or says why there is none. `snapshot` is settled.
    pub fn schedule(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
    ) -> Result<Id<Node>, Box<Diagnosis>> {
        self.schedule_first(snapshot, pod, None)
    }

    /// The same for a pod that was promised the node `first`, or has a hint to it: see
    /// [`plain::explain_first`].
    pub fn schedule_first(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
        first: Option<Id<Node>>,
    ) -> Result<Id<Node>, Box<Diagnosis>> {
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        self.feasible.clear();
        if snapshot.is_empty() {
            return self.explained(q, first);
        }
        if profile.filters.has(Plugin::NodeAffinity) {
            match node_affinity::pre_filter(pod) {
                PreFilter::All => {}
                PreFilter::Only(names, plugins) if names.len() == 1 && first.is_none() => {
                    return self.named(q, &names[0], plugins);
                }
                _ => return self.explained(q, first),
            }
        }
        let Some(mut known) = self.memory.of(q).filter(|known| !known.minds_nominees(q)) else {
            return self.explained(q, first);
        };
        if let Some(first) = first.filter(|&id| snapshot.node(id).is_some())
            && known.rejection(q, first.slot() as u32).is_none()
        {
            return Ok(first);
        }
        let processed = find(q, &mut known, self.start, &mut self.feasible);
        if self.feasible.len() > 1 {
            known.company.score(q, &known.classes.tallies, &mut self.feasible);
            score_gpus(q, &mut self.feasible);
        }
        let from = self.start;
        self.start = (self.start + processed) % snapshot.len();
        match self.feasible.as_slice() {
            [] => Err(diagnosis(q, &known, from)),
            [only] => Ok(snapshot.row(only.slot).id),
            _ => Ok(snapshot.row(self.best(q)).id),
        }
    }

    /// The node a pod is to be tried on first because the pods before it were like it and filled
    /// theirs: see [`super::batch`].
    pub fn hint(&mut self, snapshot: &Snapshot, pod: &PodShape, turn: Turn) -> Option<Id<Node>> {
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        let last = self.batch.last_node(q, turn)?;
        let node = snapshot.node(last)?;
        // Pods that were promised the node do not count here.
        let is_full = match snapshot.nominations().is_empty() {
            true => self.memory.of(q)?.rejection(q, last.slot() as u32).is_some(),
            false => filter(q, &pre_filter(q).1, node).is_some(),
        };
        if is_full { self.batch.pop() } else { None }
    }

    /// The pod of this turn takes `node`: what this algorithm's search left over may serve the next
    /// one.
    pub fn taken_here(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
        turn: Turn,
        hint: Option<Id<Node>>,
        node: Id<Node>,
    ) {
        let found = std::mem::take(&mut self.feasible);
        let scored = found.iter().map(|one| (one.total, snapshot.id(one.slot)));
        self.taken(snapshot, pod, turn, hint, node, scored);
        self.feasible = found;
    }

    /// The same after another's search: `scored` are the nodes it scored, in the order they were
    /// looked at.
    pub fn taken(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
        turn: Turn,
        hint: Option<Id<Node>>,
        node: Id<Node>,
        scored: impl Iterator<Item = (i64, Id<Node>)>,
    ) {
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        let others = can_be_signed(q).then(|| Others::found(scored.collect()));
        self.batch.succeeded(q, turn, hint, node, others);
    }

    /// The same where `others`, the nodes not taken, the best first, are known otherwise.
    pub fn taken_of(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
        turn: Turn,
        hint: Option<Id<Node>>,
        node: Id<Node>,
        mut others: Vec<Id<Node>>,
    ) {
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        others.reverse();
        self.batch.succeeded(q, turn, hint, node, Some(Others::Ranked(others)));
    }

    /// What preemption says of a pod that fits nowhere: as [`preemption::post_filter`].
    pub fn preempt(
        &mut self,
        snapshot: &Snapshot,
        pod: &PodShape,
        diagnosis: &Diagnosis,
        promised: Option<Id<Node>>,
        tour: Tour,
    ) -> Verdict {
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        let known = match snapshot.is_empty() {
            true => None,
            false => self.memory.of(q).filter(|known| known.is_open(q) && !known.minds_nominees(q)),
        };
        let Some(known) = known else {
            return preemption::post_filter(q, diagnosis, promised, tour);
        };
        let state = CycleState::default();
        let trials = known.base.trials(snapshot);
        preemption::post_filter_by(q, diagnosis, promised, tour, |node| {
            let place = snapshot.place(node.id.slot() as u32) as usize;
            let trial = &mut trials[place];
            trial.get_or_insert_with(|| preemption::select(q, &state, node)).clone()
        })
    }

    /// Pods of which the memory does not know everything.
    fn explained(
        &mut self,
        q: Question<'_>,
        first: Option<Id<Node>>,
    ) -> Result<Id<Node>, Box<Diagnosis>> {
        let answer = plain::explain_first(q, self.start, first);
        self.start = answer.next_start;
        self.feasible.extend(answer.scored().map(|(total, node)| Candidate {
            slot: node.slot() as u32,
            affinity: 0,
            soft_taints: 0,
            total,
        }));
        answer.chosen.ok_or_else(|| Box::new(answer.diagnosis))
    }

    /// A pod for one node, as DaemonSets make them.
    fn named(
        &mut self,
        q: Question<'_>,
        name: &str,
        narrowed_by: PluginSet,
    ) -> Result<Id<Node>, Box<Diagnosis>> {
        let nodes = q.snapshot.len();
        let mut diagnosis = Diagnosis { nodes, narrowed_by, ..Diagnosis::default() };
        let Some(node) = q.snapshot.named(name) else { return Err(Box::new(diagnosis)) };
        let Some(mut known) = self.memory.of(q).filter(|known| !known.minds_nominees(q)) else {
            return self.explained(q, None);
        };
        self.start = (self.start + 1) % nodes;
        match known.rejection(q, node.id.slot() as u32) {
            None => Ok(node.id),
            Some(rejection) => {
                diagnosis.rejected.push(node.id, rejection);
                Err(Box::new(diagnosis))
            }
        }
    }

    /// The slot of the best of several candidates.
    fn best(&mut self, q: Question<'_>) -> u32 {
        let soft_taints = self.feasible.iter().map(|one| one.soft_taints).max().unwrap_or(0);
        let affinity = self.feasible.iter().map(|one| one.affinity).max().unwrap_or(0);
        let of_taints = q.profile.weight(Plugin::TaintToleration);
        let of_affinity = q.profile.weight(Plugin::NodeAffinity);
        if soft_taints > 0 && of_taints > 0 {
            for one in &mut self.feasible {
                let (raw, max) = (i64::from(one.soft_taints), i64::from(soft_taints));
                one.total += of_taints * normalized(raw, max, Order::Descending);
            }
        }
        if affinity > 0 && of_affinity > 0 {
            for one in &mut self.feasible {
                let (raw, max) = (i64::from(one.affinity), i64::from(affinity));
                one.total += of_affinity * normalized(raw, max, Order::Ascending);
            }
        }
        let mut best = (self.feasible[0].total, heap_rank(0), self.feasible[0].slot);
        for (index, candidate) in self.feasible.iter().enumerate().skip(1) {
            let score = candidate.total;
            if score > best.0 || score == best.0 && heap_rank(index) < best.1 {
                best = (score, heap_rank(index), candidate.slot);
            }
        }
        best.2
    }
}

/// Why no node will do, after all were looked at from place `from` on.
fn diagnosis(q: Question<'_>, known: &Recollection<'_>, from: usize) -> Box<Diagnosis> {
    let order = q.snapshot.order();
    let from = from % order.len();
    let places = (from..order.len()).chain(0..from);
    let mut rejected = Rejected::numbered(known.base.verdicts(), order.len());
    let is_open = known.is_open(q);
    for place in places {
        let slot = order[place];
        if is_open {
            rejected.push_numbered(q.snapshot.id(slot), known.base.verdict(place));
        } else if let Some(rejection) = known.worked_out(q, place, slot) {
            rejected.push(q.snapshot.id(slot), rejection);
        }
    }
    Box::new(Diagnosis { nodes: order.len(), rejected, ..Diagnosis::default() })
}

/// Adds what GpuShare says, where the profile has it.
fn score_gpus(q: Question<'_>, candidates: &mut [Candidate]) {
    let weight = q.profile.weight(Plugin::GpuShare);
    if weight > 0 {
        let nodes: Vec<&NodeInfo> = candidates.iter().map(|one| q.snapshot.row(one.slot)).collect();
        let (_, scores) = gpu_share::scores(&q.profile.gpu, q.pod, q.snapshot, &nodes);
        for (one, score) in candidates.iter_mut().zip(scores) {
            one.total += weight * score;
        }
    }
}

/// Looks at nodes from place `start` on, round and round, until enough are found; returns how many
/// were looked at.
fn find(
    q: Question<'_>,
    known: &mut Recollection<'_>,
    start: usize,
    feasible: &mut Vec<Candidate>,
) -> usize {
    let order = q.snapshot.order();
    let nodes = order.len();
    // Nodes may have gone since: the place counts round and round.
    let start = start % nodes;
    let wanted = feasible_to_find(q.profile.percentage, nodes);
    let is_open = known.is_open(q);
    for (from, to) in [(start, nodes), (0, start)] {
        let mut place = from;
        while place < to {
            let word = place / WORD;
            let mut bits = known.base.feasible_word(word, q.snapshot, q.profile);
            bits &= u64::MAX << (place % WORD);
            let end = (word + 1) * WORD;
            if end > to {
                bits &= (1 << (to % WORD)) - 1;
            }
            while bits != 0 {
                let place = word * WORD + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let (cell, slot) = (known.base.cell(place), order[place]);
                if !is_open && known.by_others(q, slot).is_some() {
                    continue;
                }
                if feasible.len() == wanted {
                    return (place + nodes - start) % nodes;
                }
                feasible.push(Candidate {
                    slot,
                    affinity: cell.affinity,
                    soft_taints: cell.soft_taints,
                    total: cell.plain,
                });
            }
            place = end;
        }
    }
    nodes
}
