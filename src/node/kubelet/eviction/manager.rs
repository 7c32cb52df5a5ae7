//! One look at a node under pressure, and what it leads to (kubelet 1.36 `eviction_manager.go`,
//! `synchronize`).
//!
//! Departures: after an eviction the next look is the next of the ten-second grid, not as soon as the pod is
//! cleaned up; what is observed is what is so at that instant, not what cAdvisor saw up to 10 s before.

use std::collections::BTreeMap;

use super::ranking::{Candidate, order, rules};
use super::thresholds::{
    Measure, Observations, Since, Threshold, last_seen, met, pressures, seen_within,
    sort_by_priority, updated,
};
use super::{Pressure, Starved};
use crate::api::quantity::{Format, Quantity};
use crate::time::{SimDuration, SimTime};

/// What a kubelet remembers of pressure on its node.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    /// Thresholds that are met, since when.
    since: Since,
    /// Thresholds met at the latest look.
    met: Vec<Threshold>,
    /// When each condition was last seen.
    seen: BTreeMap<Pressure, SimTime>,
    /// The conditions that stand.
    pressures: Vec<Pressure>,
    /// What the latest look observed.
    last: Observations,
}

/// What a look leads to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Verdict {
    /// Nothing need go.
    Calm,
    /// A pod must go, for this threshold.
    Evict(Threshold),
}

impl Manager {
    /// The conditions that stand.
    pub fn pressures(&self) -> &[Pressure] {
        &self.pressures
    }

    /// Whether the next look may find something even if nothing changes.
    pub fn is_tense(&self) -> bool {
        !self.pressures.is_empty() || !self.met.is_empty()
    }

    /// Looks at what was observed at `now`; conditions are kept for `transition` after they were last seen.
    pub fn look(
        &mut self,
        thresholds: &[Threshold],
        observations: &Observations,
        transition: SimDuration,
        now: SimTime,
    ) -> Verdict {
        let mut found = met(thresholds, observations, Measure::Value);
        // What was met before counts until enough is reclaimed.
        for still in met(&self.met, observations, Measure::WithReclaim) {
            if !found.contains(&still) {
                found.push(still);
            }
        }
        self.since = self.since.now_met(&found, now);
        self.seen = last_seen(&pressures(&found), &self.seen, now);
        self.pressures = seen_within(&self.seen, transition, now);
        self.seen.retain(|_, at| now.saturating_since(*at) < transition);
        let over = self.since.over_grace(now);
        self.met.clone_from(&over);
        let mut over = updated(&over, observations, &self.last);
        self.last.clone_from(observations);
        sort_by_priority(&mut over);
        over.first().map_or(Verdict::Calm, |threshold| Verdict::Evict(*threshold))
    }

    /// Whether disk is still short once something was cleaned up.
    pub fn is_short_still(&self, thresholds: &[Threshold], observations: &Observations) -> bool {
        !met(thresholds, observations, Measure::Value).is_empty()
    }
}

/// The order in which candidates go for a threshold.
pub fn victims(candidates: &[Candidate], starved: Starved) -> Vec<usize> {
    order(candidates, rules(starved))
}

/// A container in a message: its name, what it takes, and what it asked for.
pub type Eater<'a> = (&'a str, u64, i64);

/// What an evicted pod is told (`evictionMessage`).
pub fn message(threshold: &Threshold, observations: &Observations, eaters: &[Eater<'_>]) -> String {
    let what = threshold.signal.starved().name();
    let bytes = |amount: i64| Quantity::new(amount, Format::BinarySi).written().0;
    let mut text = format!("The node was low on resource: {what}. ");
    if let Some(seen) = observations.get(&threshold.signal) {
        let quantity = threshold.value.of(seen.capacity).written().0;
        text += &format!(
            "Threshold quantity: {quantity}, available: {}. ",
            bytes(seen.available.value() / 1024 * 1024)
        );
    }
    for (name, used, asked) in eaters {
        let used = i64::try_from(*used).unwrap_or(i64::MAX);
        if used > *asked {
            let (used, asked) = (bytes(used), bytes(*asked));
            text += &format!(
                "Container {name} was using {used}, request is {asked}, has larger consumption of {what}. "
            );
        }
    }
    text
}
