//! How many more copies of a pod fit, and what runs out first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Alone, Detail, Fate};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Algorithm, PluginSet, Profile};

/// So many copies are tried at most.
pub const COPIES_MAX: u64 = 100_000;

/// How many copies fit.
#[derive(Clone, PartialEq, Debug)]
pub struct Capacity {
    /// All of them.
    pub copies: u64,
    /// Those of each node that got any.
    pub on: BTreeMap<Id<Node>, u64>,
    /// Why there are no more.
    pub stop: Stop,
}

/// Why no more copies were counted.
#[derive(Clone, PartialEq, Debug)]
pub enum Stop {
    /// The next one fits nowhere: kube-scheduler's words, those of preemption left out.
    Full(Text),
    /// Its scheduling gates hold it back.
    Gated,
    /// It names a scheduler that is not there.
    Ignored,
    /// So many were asked for at most.
    Limit,
}

impl Alone {
    /// Places copies of `pod` beside everything that is placed, one after the other, until one fits
    /// nowhere or there are `limit`. None preempts anybody.
    pub fn capacity(&mut self, pod: &Pod, limit: u64) -> Capacity {
        self.keep_everybody();
        let mut capacity = Capacity { copies: 0, on: BTreeMap::new(), stop: Stop::Limit };
        while capacity.copies < limit {
            let mut copy = pod.clone();
            copy.meta.name = Name::new(format!("{}-{}", pod.meta.name, capacity.copies));
            let id = self.add(copy);
            match self.fate(id) {
                Fate::Bound(node) | Fate::There(node) => {
                    capacity.copies += 1;
                    *capacity.on.entry(node).or_default() += 1;
                    continue;
                }
                Fate::Gated => capacity.stop = Stop::Gated,
                Fate::Ignored => capacity.stop = Stop::Ignored,
                _ => {
                    let last = self.steps.iter().rev().find(|step| step.pod == id);
                    let words = last.and_then(|step| step.failure.clone());
                    capacity.stop = Stop::Full(words.unwrap_or_else(|| "".into()));
                }
            }
            break;
        }
        capacity
    }

    /// From now on no plugin acts where no node is left.
    fn keep_everybody(&mut self) {
        let start = self.algorithms.first().map_or(0, Algorithm::start);
        for profile in &mut self.settings.profiles {
            *profile = Arc::new(Profile { post_filter: PluginSet::EMPTY, ..(**profile).clone() });
        }
        self.settings.detail = Detail::Choices;
        self.algorithms = self.settings.profiles.iter().cloned().map(Algorithm::new).collect();
        self.algorithms.iter_mut().for_each(|one| one.start_at(start));
    }
}
