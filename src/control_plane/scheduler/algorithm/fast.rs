//! The same decision as [`super::plain`], out of columns that remember what did not change.

use super::diagnosis::Diagnosis;
use super::framework::{
    Code, Order, Plugin, PluginSet, PreFilter, Question, Rejection, filter, normalized, pre_filter,
};
use super::memo::{Memo, placement, room};
use super::plugins::{image_locality, node_ports};
use super::profile::Profile;
use super::shape::PodShape;
use super::snapshot::Snapshot;
use super::{feasible_to_find, heap_rank, plain};
use crate::api::node::Node;
use crate::base::id::Id;
use std::sync::Arc;

/// One scheduler's algorithm: what it carries from one decision to the next. To be used with one
/// [`Snapshot`] all its life, for it remembers rows by their versions.
#[derive(Clone, Debug)]
pub struct Algorithm {
    profile: Arc<Profile>,
    /// Where the next search starts.
    start: usize,
    memo: Memo,
    feasible: Vec<Candidate>,
}

/// A node that passed all filters.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    slot: u32,
    affinity: u32,
    soft_taints: u16,
    /// Scores that are not normalised, summed.
    plain: i64,
}

impl Algorithm {
    /// An algorithm of this profile.
    pub fn new(profile: Arc<Profile>) -> Algorithm {
        Algorithm { profile, start: 0, memo: Memo::default(), feasible: Vec::new() }
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
        let profile = self.profile.clone();
        let q = Question { profile: &profile, snapshot, pod };
        let asks_for_scalars = !pod.spec().requests.scalar.is_empty();
        if asks_for_scalars || snapshot.is_empty() || !is_plain(q) {
            return self.explained(q);
        }
        match pre_filter(q) {
            (PreFilter::All, _) => {}
            (PreFilter::Only(names, plugins), _) if names.len() == 1 => {
                return self.named(q, &names[0], plugins);
            }
            _ => return self.explained(q),
        }
        let diagnosis = self.find(snapshot, pod);
        match self.feasible.as_slice() {
            [] => Err(Box::new(diagnosis)),
            [only] => Ok(snapshot.row(only.slot).id),
            _ => Ok(snapshot.row(self.best(snapshot, pod)).id),
        }
    }

    /// Pods of which the columns do not know everything.
    fn explained(&mut self, q: Question<'_>) -> Result<Id<Node>, Box<Diagnosis>> {
        let answer = plain::explain(q.snapshot, q.pod, self.start, q.profile);
        self.start = answer.next_start;
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
        self.start = (self.start + 1) % nodes.max(1);
        let (_, state) = pre_filter(q);
        match filter(q, &state, node) {
            None => Ok(node.id),
            Some(rejection) => {
                diagnosis.rejected.push((node.id, rejection));
                Err(Box::new(diagnosis))
            }
        }
    }

    /// Fills `feasible` and moves the start on.
    fn find(&mut self, snapshot: &Snapshot, pod: &PodShape) -> Diagnosis {
        let order = snapshot.order();
        let wanted = feasible_to_find(self.profile.percentage, order.len());
        let profile = &*self.profile;
        let ports = match profile.filters.has(Plugin::NodePorts) {
            true => pod.spec().host_ports.as_slice(),
            false => &[],
        };
        let (of_fit, of_balance) = (
            profile.weight(Plugin::NodeResourcesFit),
            profile.weight(Plugin::NodeResourcesBalancedAllocation),
        );
        let mut diagnosis = Diagnosis { nodes: order.len(), ..Diagnosis::default() };
        let (placements, rooms) = self.memo.columns(pod, snapshot);
        self.feasible.clear();
        // Nodes may have gone since: the place counts round and round.
        let (before, from) = order.split_at(self.start % order.len());
        for &slot in from.iter().chain(before) {
            let place = placement(&mut placements[slot as usize], profile, pod, snapshot, slot);
            if let Some(plugin) = place.rejected {
                let rejection = Rejection::of(plugin, Code::UnschedulableAndUnresolvable);
                diagnosis.rejected.push((snapshot.row(slot).id, rejection));
                continue;
            }
            if !ports.is_empty() && node_ports::clash(ports, &snapshot.row(slot).ports) {
                let rejection = Rejection::of(Plugin::NodePorts, Code::Unschedulable);
                diagnosis.rejected.push((snapshot.row(slot).id, rejection));
                continue;
            }
            let room = room(&mut rooms[slot as usize], profile, pod, snapshot, slot);
            if let Some(rejection) = room.rejection() {
                diagnosis.rejected.push((snapshot.row(slot).id, rejection));
                continue;
            }
            if self.feasible.len() == wanted {
                break;
            }
            self.feasible.push(Candidate {
                slot,
                affinity: place.affinity,
                soft_taints: place.soft_taints,
                plain: of_fit * i64::from(room.fit) + of_balance * i64::from(room.balanced),
            });
        }
        self.start = (self.start + self.feasible.len() + diagnosis.rejected.len()) % order.len();
        diagnosis
    }

    /// The slot of the best of several candidates.
    fn best(&mut self, snapshot: &Snapshot, pod: &PodShape) -> u32 {
        let profile = &*self.profile;
        let of_images = profile.weight(Plugin::ImageLocality);
        if of_images > 0 && pod.images().iter().any(|image| snapshot.has_image(image)) {
            for candidate in &mut self.feasible {
                let node = snapshot.row(candidate.slot);
                candidate.plain += of_images * image_locality::score(pod, node, snapshot.len());
            }
        }
        let soft_taints = self.feasible.iter().map(|one| one.soft_taints).max().unwrap_or(0);
        let affinity = self.feasible.iter().map(|one| one.affinity).max().unwrap_or(0);
        let total = |one: &Candidate| {
            let mut total = one.plain;
            if soft_taints > 0 {
                let (raw, max) = (i64::from(one.soft_taints), i64::from(soft_taints));
                let score = normalized(raw, max, Order::Descending);
                total += profile.weight(Plugin::TaintToleration) * score;
            }
            if affinity > 0 {
                let (raw, max) = (i64::from(one.affinity), i64::from(affinity));
                total +=
                    profile.weight(Plugin::NodeAffinity) * normalized(raw, max, Order::Ascending);
            }
            total
        };
        let mut best = (total(&self.feasible[0]), heap_rank(0), self.feasible[0].slot);
        for (index, candidate) in self.feasible.iter().enumerate().skip(1) {
            let score = total(candidate);
            if score > best.0 || score == best.0 && heap_rank(index) < best.1 {
                best = (score, heap_rank(index), candidate.slot);
            }
        }
        best.2
    }
}

/// Whether no plugin has anything to say that the columns do not know.
fn is_plain(_q: Question<'_>) -> bool {
    true
}
