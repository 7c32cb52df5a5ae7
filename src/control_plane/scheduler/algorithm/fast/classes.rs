//! Pods on nodes by class, and the counters they go into.
//!
//! A class is what siblings share. It knows which counters its pods feed, so that a pod that comes
//! or goes costs no look at selectors; and where its pods are, so that a new counter costs no look
//! at pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::log::{Change, Entry, Step};
use super::super::resident::Standing;
use super::super::shape::PodShape;
use super::super::snapshot::Snapshot;
use super::super::surroundings::Surroundings;
use super::eligible::Eligibles;
use super::rules::{Carried, Leaving, Rule};
use super::tally::Tallies;
use super::topology::Topology;
use crate::api::name::Text;
use crate::base::FastMap;

/// Where a shape's parts lie. A class holds its shape, so no other can lie there.
type Address = (usize, usize, u64);

/// Pods of one class on one node.
#[derive(Clone, Copy, Default, Debug)]
struct Heads {
    staying: u32,
    leaving: u32,
}

#[derive(Debug)]
struct Class {
    shape: PodShape,
    /// By slot of the node.
    at: BTreeMap<u32, Heads>,
    /// The counters its pods go into, as often as they count.
    feeds: SmallVec<[(usize, Leaving); 4]>,
}

/// A term some pod on a node carries or carried.
#[derive(Debug)]
pub(super) struct Carrier {
    /// The term.
    pub carried: Carried,
    /// Its pods by domain.
    pub sums: usize,
    /// The domains.
    pub topology: usize,
}

/// All classes, and the tallies they feed.
#[derive(Debug, Default)]
pub(super) struct Classes {
    by_address: FastMap<Address, SmallVec<[u32; 1]>>,
    classes: Vec<Class>,
    /// Rules with their counters.
    rules: Vec<(Rule, usize)>,
    /// In order of appearance; none is ever taken out.
    carriers: Vec<Carrier>,
    /// The sums.
    pub tallies: Tallies,
    /// Which nodes count in them.
    pub eligibles: Eligibles,
}

fn address(shape: &PodShape) -> Address {
    let spec = Arc::as_ptr(shape.spec()) as usize;
    let labels = Arc::as_ptr(shape.labels()) as usize;
    (spec, labels, shape.owner().map_or(0, |uid| uid.0))
}

impl Classes {
    /// Everything in a snapshot.
    pub fn of(snapshot: &Snapshot) -> Classes {
        let mut classes = Classes::default();
        for (slot, node) in snapshot.rows().iter().enumerate() {
            for pod in &node.pods {
                classes.pod(slot as u32, &pod.shape, pod.standing, Step::In, snapshot);
            }
        }
        classes
    }

    /// How many classes there are, those without pods among them.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// The terms that pods on nodes carry, from number `from` on.
    pub fn carriers(&self, from: usize) -> &[Carrier] {
        &self.carriers[from..]
    }

    /// Takes in a change of the snapshot.
    pub fn apply(&mut self, entry: &Entry, snapshot: &Snapshot) {
        match &entry.change {
            Change::Node => {
                // A pod may be promised a node that was never seen.
                let Some(node) = snapshot.rows().get(entry.slot as usize) else { return };
                for topology in self.tallies.topologies_mut() {
                    topology.set(entry.slot, node);
                }
                self.eligibles.node_changed(entry.slot, node, &mut self.tallies);
                self.tallies.node_changed(entry.slot);
            }
            Change::Offer => {}
            Change::Pod { shape, standing, step } => {
                self.pod(entry.slot, shape, *standing, *step, snapshot);
            }
        }
    }

    fn pod(
        &mut self,
        slot: u32,
        shape: &PodShape,
        standing: Standing,
        step: Step,
        snapshot: &Snapshot,
    ) {
        let at = self.class(shape, snapshot);
        let class = &mut self.classes[at];
        let heads = class.at.entry(slot).or_default();
        let count = match standing {
            Standing::Staying => &mut heads.staying,
            Standing::Leaving | Standing::Preempted => &mut heads.leaving,
        };
        match step {
            Step::In => *count += 1,
            Step::Out => *count -= 1,
        }
        if heads.staying + heads.leaving == 0 {
            class.at.remove(&slot);
        }
        for &(counter, leaving) in &class.feeds {
            if standing == Standing::Staying || leaving == Leaving::Counts {
                self.tallies.feed(counter, slot, step, 1);
            }
        }
    }

    /// The class of a shape, made if it is not there.
    fn class(&mut self, shape: &PodShape, snapshot: &Snapshot) -> usize {
        let address = address(shape);
        if let Some(known) = self.by_address.get(&address) {
            for &at in known {
                if self.classes[at as usize].shape.namespace() == shape.namespace() {
                    return at as usize;
                }
            }
        }
        let mut feeds: SmallVec<[(usize, Leaving); 4]> = SmallVec::new();
        for carried in Carried::all(shape) {
            feeds.push((self.carry(carried, snapshot), Leaving::Counts));
        }
        let around = snapshot.surroundings();
        for (rule, counter) in &self.rules {
            if rule.counts(shape, around) {
                feeds.push((*counter, rule.leaving()));
            }
        }
        self.classes.push(Class { shape: shape.clone(), at: BTreeMap::new(), feeds });
        let at = self.classes.len() - 1;
        self.by_address.entry(address).or_default().push(at as u32);
        at
    }

    /// The counter of those who carry a term.
    fn carry(&mut self, carried: Carried, snapshot: &Snapshot) -> usize {
        let key = carried.term().term.topology_key.clone();
        let rule = Rule::Carries(carried);
        if let Some((_, counter)) = self.rules.iter().find(|(known, _)| *known == rule) {
            return *counter;
        }
        let counter = self.tallies.add_counter();
        self.rules.push((rule.clone(), counter));
        let topology = self.topology(&key, snapshot);
        let sums = self.tallies.sums_of(counter, topology, None);
        if let Rule::Carries(carried) = rule {
            self.carriers.push(Carrier { carried, sums, topology });
        }
        counter
    }

    /// The counter of a rule about pods to be counted, made if it is not there.
    pub fn counter(&mut self, rule: Rule, around: &Surroundings) -> usize {
        if let Some((_, counter)) = self.rules.iter().find(|(known, _)| *known == rule) {
            return *counter;
        }
        let (counter, leaving) = (self.tallies.add_counter(), rule.leaving());
        for class in &mut self.classes {
            if !rule.counts(&class.shape, around) {
                continue;
            }
            class.feeds.push((counter, leaving));
            for (&slot, heads) in &class.at {
                let pods = match leaving {
                    Leaving::Counts => heads.staying + heads.leaving,
                    Leaving::LeftOut => heads.staying,
                };
                if pods > 0 {
                    self.tallies.feed(counter, slot, Step::In, pods);
                }
            }
        }
        self.rules.push((rule, counter));
        counter
    }

    /// The domains of a label, worked out if they are not there.
    pub fn topology(&mut self, key: &Text, snapshot: &Snapshot) -> usize {
        if let Some(known) = self.tallies.topology_of(key) {
            return known;
        }
        let mut topology = Topology::new(key);
        for (slot, node) in snapshot.rows().iter().enumerate() {
            topology.set(slot as u32, node);
        }
        self.tallies.add_topology(topology)
    }
}
