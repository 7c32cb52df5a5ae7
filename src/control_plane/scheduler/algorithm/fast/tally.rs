//! How many pods of a kind are on each node, and in each domain of nodes: sums that follow the
//! snapshot change by change.
//!
//! A [`Counter`] counts pods by slot of their node. A [`Sums`] adds one up over the domains of a
//! label, over nodes that count ([`Eligible`]). Refuses to know which pods a counter counts: that is
//! said by whoever feeds it.

use super::super::log::Step;
use super::topology::{NOWHERE, Topology};

/// Pods by slot.
#[derive(Debug, Default)]
pub(super) struct Counter {
    by_slot: Vec<u32>,
    /// The sums it goes into.
    sums: Vec<usize>,
}

impl Counter {
    /// How many pods are counted on the node of a slot.
    #[inline]
    pub fn at(&self, slot: u32) -> u32 {
        self.by_slot.get(slot as usize).copied().unwrap_or(0)
    }
}

/// Which nodes count: a column of yes and no, and what it was worked out from.
#[derive(Debug, Default)]
pub(super) struct Eligible {
    /// By slot.
    pub nodes: Vec<bool>,
}

/// A domain.
#[derive(Clone, Copy, Default, Debug)]
struct Domain {
    pods: u32,
    /// Nodes that count.
    nodes: u32,
}

/// Pods by domain.
#[derive(Debug)]
pub(super) struct Sums {
    counter: usize,
    topology: usize,
    eligible: Option<usize>,
    domains: Vec<Domain>,
    /// Of domains with nodes: how many have so many pods.
    with: Vec<u32>,
    /// How many domains have nodes.
    inhabited: u32,
    least: u32,
    total: u64,
    /// What each node counts as at the moment, by slot: its domain, if it counts.
    counted: Vec<u32>,
}

impl Sums {
    /// Pods in a domain.
    #[inline]
    pub fn of(&self, domain: u32) -> u32 {
        self.domains.get(domain as usize).map_or(0, |domain| domain.pods)
    }

    /// The smallest number of pods in a domain with nodes; `None` without such a domain.
    pub fn least(&self) -> Option<u32> {
        (self.inhabited > 0).then_some(self.least)
    }

    /// How many domains have nodes.
    pub fn inhabited(&self) -> u32 {
        self.inhabited
    }

    /// Pods in all domains.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn ensure(&mut self, domain: u32) {
        if self.domains.len() <= domain as usize {
            self.domains.resize(domain as usize + 1, Domain::default());
        }
    }

    fn change(&mut self, domain: u32, pods: i64, nodes: i32) {
        self.ensure(domain);
        let before = self.domains[domain as usize];
        let after = Domain {
            pods: (i64::from(before.pods) + pods) as u32,
            nodes: (before.nodes as i32 + nodes) as u32,
        };
        self.domains[domain as usize] = after;
        self.total = (self.total as i64 + pods) as u64;
        if before.nodes > 0 {
            self.with[before.pods as usize] -= 1;
            self.inhabited -= 1;
        }
        if after.nodes > 0 {
            if self.with.len() <= after.pods as usize {
                self.with.resize(after.pods as usize + 1, 0);
            }
            self.with[after.pods as usize] += 1;
            if self.inhabited == 0 || after.pods < self.least {
                self.least = after.pods;
            }
            self.inhabited += 1;
        }
        if self.inhabited > 0 {
            while self.with[self.least as usize] == 0 {
                self.least += 1;
            }
        }
    }
}

/// All counters, and what they add up to.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    counters: Vec<Counter>,
    sums: Vec<Sums>,
    eligible: Vec<Eligible>,
    topologies: Vec<Topology>,
}

impl Tallies {
    /// A counter.
    #[inline]
    pub fn counter(&self, at: usize) -> &Counter {
        &self.counters[at]
    }

    /// Sums.
    #[inline]
    pub fn sums(&self, at: usize) -> &Sums {
        &self.sums[at]
    }

    /// Domains.
    #[inline]
    pub fn topology(&self, at: usize) -> &Topology {
        &self.topologies[at]
    }

    /// The topology of this label, if it is there.
    pub fn topology_of(&self, key: &str) -> Option<usize> {
        self.topologies.iter().position(|known| **known.key() == *key)
    }

    /// Takes in a topology whose domains are worked out.
    pub fn add_topology(&mut self, topology: Topology) -> usize {
        self.topologies.push(topology);
        self.topologies.len() - 1
    }

    /// All topologies, to be told of a node.
    pub fn topologies_mut(&mut self) -> &mut [Topology] {
        &mut self.topologies
    }

    /// Takes in a column of nodes that count.
    pub fn add_eligible(&mut self, nodes: Vec<bool>) -> usize {
        self.eligible.push(Eligible { nodes });
        self.eligible.len() - 1
    }

    /// A node counts or does not.
    pub fn set_eligible(&mut self, eligible: usize, slot: u32, counts: bool) {
        let nodes = &mut self.eligible[eligible].nodes;
        if nodes.len() <= slot as usize {
            nodes.resize(slot as usize + 1, false);
        }
        nodes[slot as usize] = counts;
    }

    /// A counter that counts nothing yet.
    pub fn add_counter(&mut self) -> usize {
        self.counters.push(Counter::default());
        self.counters.len() - 1
    }

    /// The sums of a counter over a topology and over the nodes that count (none: all), made if
    /// they are not there.
    pub fn sums_of(&mut self, counter: usize, topology: usize, eligible: Option<usize>) -> usize {
        let known = self.counters[counter].sums.iter().copied().find(|&at| {
            let sums = &self.sums[at];
            sums.topology == topology && sums.eligible == eligible
        });
        if let Some(known) = known {
            return known;
        }
        let mut sums = Sums {
            counter,
            topology,
            eligible,
            domains: Vec::new(),
            with: Vec::new(),
            inhabited: 0,
            least: 0,
            total: 0,
            counted: Vec::new(),
        };
        let slots = self.topologies[topology].slots();
        for slot in 0..slots {
            let slot = slot as u32;
            join(
                &mut sums,
                &self.topologies[topology],
                self.eligible_of(eligible),
                slot,
                self.counters[counter].at(slot),
            );
        }
        self.sums.push(sums);
        let at = self.sums.len() - 1;
        self.counters[counter].sums.push(at);
        at
    }

    fn eligible_of(&self, eligible: Option<usize>) -> Option<&Eligible> {
        eligible.map(|at| &self.eligible[at])
    }

    /// Pods come to a node or go from it.
    #[inline]
    pub fn feed(&mut self, counter: usize, slot: u32, step: Step, pods: u32) {
        let counter = &mut self.counters[counter];
        if counter.by_slot.len() <= slot as usize {
            counter.by_slot.resize(slot as usize + 1, 0);
        }
        let count = &mut counter.by_slot[slot as usize];
        let pods = match step {
            Step::In => {
                *count += pods;
                i64::from(pods)
            }
            Step::Out => {
                *count -= pods;
                -i64::from(pods)
            }
        };
        for &at in &counter.sums {
            let sums = &mut self.sums[at];
            let domain = sums.counted.get(slot as usize).copied().unwrap_or(NOWHERE);
            if domain != NOWHERE {
                sums.change(domain, pods, 0);
            }
        }
    }

    /// A node is another now: topologies and eligible columns know it already.
    pub fn node_changed(&mut self, slot: u32) {
        for sums in &mut self.sums {
            let pods = self.counters[sums.counter].at(slot);
            let domain = sums.counted.get(slot as usize).copied().unwrap_or(NOWHERE);
            if domain != NOWHERE {
                sums.change(domain, -i64::from(pods), -1);
                sums.counted[slot as usize] = NOWHERE;
            }
            let eligible = sums.eligible.map(|at| &self.eligible[at]);
            join(sums, &self.topologies[sums.topology], eligible, slot, pods);
        }
    }
}

/// Counts a node in with the pods it has, if it counts and has the label.
fn join(sums: &mut Sums, topology: &Topology, eligible: Option<&Eligible>, slot: u32, pods: u32) {
    if sums.counted.len() <= slot as usize {
        sums.counted.resize(slot as usize + 1, NOWHERE);
    }
    let counts = eligible.is_none_or(|it| it.nodes.get(slot as usize).copied().unwrap_or(false));
    let domain = topology.of(slot);
    if counts && domain != NOWHERE {
        sums.counted[slot as usize] = domain;
        sums.change(domain, i64::from(pods), 1);
    }
}
