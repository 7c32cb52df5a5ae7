//! What became of the timeline's steps: when each began, when its fault ended, and which found
//! nothing to do their work on.

use std::collections::BTreeMap;

use super::World;
use super::plan::Act;
use super::watches::WatchState;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::node::NodeIndex;
use crate::time::SimTime;

/// The course of all steps of a plan.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// When faults began and ended, by number.
    faults: BTreeMap<usize, Stage>,
    /// How many steps in a row have begun, faults that wait for something to strike apart.
    reached: usize,
    missed: Vec<(usize, Text)>,
    /// Steps that have not begun, and ends of faults that have not come.
    to_come: usize,
    /// The instant of the latest step or end of a fault.
    latest: SimTime,
    /// When the cluster last noticed a fault, or its end.
    noticed: SimTime,
    /// Nodes that nobody hears and that the cluster takes to be ready still.
    unnoticed: Vec<NodeIndex>,
    /// Whether a watch is cut.
    has_cut_watches: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stage {
    begun: SimTime,
    ended: Option<SimTime>,
}

impl Timeline {
    /// A timeline of so many steps, none of which has begun.
    pub fn new(steps: usize) -> Timeline {
        Timeline { to_come: steps, ..Timeline::default() }
    }

    /// Whether all steps have begun and all faults that end have ended.
    pub fn is_over(&self) -> bool {
        self.to_come == 0
    }

    /// From when on quiet counts: the latest step, end of a fault, and notice taken of either;
    /// nothing while something is still to be noticed.
    pub fn quiet_since(&self) -> Option<SimTime> {
        let is_noticed = self.unnoticed.is_empty() && !self.has_cut_watches;
        is_noticed.then(|| self.latest.max(self.noticed))
    }

    /// A fault has begun whose end is to come.
    pub fn await_end(&mut self) {
        self.to_come += 1;
    }

    /// Step number `at` begins; it may be a fault that has struck.
    pub fn begin(&mut self, at: usize, act: &Act, now: SimTime) {
        if matches!(act, Act::Fault { .. } | Act::Experiment { .. }) {
            self.faults.insert(at, Stage { begun: now, ended: None });
        }
        self.reached = self.reached.max(at + 1);
        (self.to_come, self.latest) = (self.to_come - 1, now);
    }

    /// The fault of step number `at` ends.
    pub fn end(&mut self, at: usize, now: SimTime) {
        if let Some(stage) = self.faults.get_mut(&at) {
            stage.ended = Some(now);
        }
        (self.to_come, self.latest) = (self.to_come - 1, now);
    }

    /// Step number `at` found nothing to do its work on.
    pub fn miss(&mut self, at: usize, why: Text) {
        self.missed.push((at, why));
    }

    /// Whether step number `at` has found nothing so far.
    pub fn has_missed(&self, at: usize) -> bool {
        self.missed.iter().any(|(step, _)| *step == at)
    }

    /// Step number `at` was tried again, and found something.
    pub fn found(&mut self, at: usize) {
        self.missed.retain(|(step, _)| *step != at);
    }
}

impl World {
    /// Paths between places changed: there may be something for the cluster to notice.
    pub(super) fn look_out(&mut self) {
        let silent = self.nodes.indexes().filter(|&at| self.is_unnoticed(at)).collect();
        self.timeline.unnoticed = silent;
        self.timeline.has_cut_watches = self.has_cut_watches();
        let lost = self.leaders_lost_at(self.kernel.now());
        self.timeline.noticed = self.timeline.noticed.max(lost);
    }

    /// Takes note of what the cluster has noticed by now.
    pub(super) fn notice(&mut self) {
        let now = self.kernel.now();
        while let Some(&at) = self.timeline.unnoticed.last()
            && !self.is_unnoticed(at)
        {
            self.timeline.unnoticed.pop();
            self.timeline.noticed = now;
        }
        if self.timeline.has_cut_watches && !self.has_cut_watches() {
            self.timeline.has_cut_watches = false;
            self.timeline.noticed = now;
        }
    }

    /// Whether nobody hears a node that is taken to be ready still.
    fn is_unnoticed(&self, at: NodeIndex) -> bool {
        let node = self.store.get(self.nodes.row(at).id);
        !self.renewals.is_heard(at) && node.is_some_and(Node::is_ready)
    }

    fn has_cut_watches(&self) -> bool {
        self.watches.iter().any(|(_, watch)| watch.state == WatchState::Cut)
    }

    /// When the step of this name began, and when its fault ended if it is one that did; nothing if
    /// it is still to come, or there is none.
    pub fn step_instants(&self, name: &str) -> Option<(SimTime, Option<SimTime>)> {
        let at = self.plan.steps.iter().position(|step| *step.name == *name)?;
        let step = &self.plan.steps[at];
        if matches!(step.act, Act::Fault { .. } | Act::Experiment { .. }) {
            let stage = self.timeline.faults.get(&at)?;
            return Some((stage.begun, stage.ended));
        }
        (at < self.timeline.reached).then_some((step.at, None))
    }

    /// Steps that found nothing to do their work on, by number, and why: such a run has not done
    /// what its scenario says.
    pub fn missed(&self) -> &[(usize, Text)] {
        &self.timeline.missed
    }
}
