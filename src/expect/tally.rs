//! Counts over a set of pods, kept up to date pod by pod.

use std::collections::BTreeMap;

use crate::api::node::Node;
use crate::api::pod::{Phase, Pod};
use crate::base::FastMap;
use crate::base::id::Id;

/// What one pod adds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Share {
    phase: Phase,
    node: Option<Id<Node>>,
    restarts: u32,
    cpu_milli: i64,
    memory: i64,
    is_ready: bool,
    is_terminating: bool,
    is_unschedulable: bool,
}

impl Share {
    fn of(pod: &Pod) -> Share {
        Share {
            phase: pod.status.phase,
            node: pod.node,
            restarts: pod.status.restarts(),
            cpu_milli: pod.counted_spec().requests.cpu_milli,
            memory: pod.counted_spec().requests.memory,
            is_ready: pod.is_ready(),
            is_terminating: pod.meta.is_terminating(),
            is_unschedulable: pod.is_unschedulable(),
        }
    }
}

/// Counts over some pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    shares: FastMap<Id<Pod>, Share>,
    phases: [i64; 5],
    pub ready: i64,
    pub terminating: i64,
    pub unschedulable: i64,
    pub restarts: i64,
    /// Requests of pods not at their end.
    pub cpu_milli: i64,
    /// The same, in bytes.
    pub memory: i64,
    /// How many pods have been restarted so often.
    by_restarts: BTreeMap<u32, u32>,
    /// How many pods are bound to each node.
    by_node: BTreeMap<Id<Node>, u32>,
}

impl Tally {
    /// The pod is this now; nothing if it is not of the set, or gone. Returns whether any count changed.
    pub(super) fn put(&mut self, id: Id<Pod>, pod: Option<&Pod>) -> bool {
        let new = pod.map(Share::of);
        let old = match new {
            Some(share) => self.shares.insert(id, share),
            None => self.shares.remove(&id),
        };
        if old == new {
            return false;
        }
        if let Some(share) = old {
            self.add(share, -1);
            step(&mut self.by_restarts, share.restarts, Turn::Down);
            if let Some(node) = share.node {
                step(&mut self.by_node, node, Turn::Down);
            }
        }
        if let Some(share) = new {
            self.add(share, 1);
            step(&mut self.by_restarts, share.restarts, Turn::Up);
            if let Some(node) = share.node {
                step(&mut self.by_node, node, Turn::Up);
            }
        }
        true
    }

    fn add(&mut self, share: Share, sign: i64) {
        self.phases[share.phase as usize] += sign;
        self.ready += sign * i64::from(share.is_ready);
        self.terminating += sign * i64::from(share.is_terminating);
        self.unschedulable += sign * i64::from(share.is_unschedulable);
        self.restarts += sign * i64::from(share.restarts);
        if !share.phase.is_terminal() {
            self.cpu_milli += sign * share.cpu_milli;
            self.memory += sign * share.memory;
        }
    }

    pub(super) fn count(&self) -> i64 {
        self.phases.iter().sum()
    }

    /// Pods not at their end.
    pub(super) fn unfinished(&self) -> i64 {
        [Phase::Pending, Phase::Running, Phase::Unknown].map(|it| self.phase(it)).iter().sum()
    }

    pub(super) fn phase(&self, phase: Phase) -> i64 {
        self.phases[phase as usize]
    }

    /// Restarts of the pod that was restarted most; nothing without a pod.
    pub(super) fn max_restarts(&self) -> Option<i64> {
        self.by_restarts.last_key_value().map(|(restarts, _)| i64::from(*restarts))
    }

    /// The nodes they are bound to.
    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = Id<Node>> + '_ {
        self.by_node.keys().copied()
    }
}

/// Which way a count goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Up,
    Down,
}

fn step<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, turn: Turn) {
    match turn {
        Turn::Up => *counts.entry(key).or_default() += 1,
        Turn::Down => {
            if let Some(count) = counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&key);
                }
            }
        }
    }
}
