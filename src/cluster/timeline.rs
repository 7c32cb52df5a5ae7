//! What became of the timeline's steps: when each began, when its fault ended, and which found
//! nothing to do their work on.

use super::World;
use crate::api::name::Text;
use crate::time::SimTime;

/// The course of all steps of a plan.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    stages: Vec<Stage>,
    missed: Vec<(usize, Text)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Stage {
    begun: Option<SimTime>,
    ended: Option<SimTime>,
}

impl Timeline {
    /// A timeline of so many steps, none of which has begun.
    pub fn new(steps: usize) -> Timeline {
        Timeline { stages: vec![Stage::default(); steps], missed: Vec::new() }
    }

    /// Step number `at` begins.
    pub fn begin(&mut self, at: usize, now: SimTime) {
        self.stages[at].begun = Some(now);
    }

    /// The fault of step number `at` ends.
    pub fn end(&mut self, at: usize, now: SimTime) {
        self.stages[at].ended = Some(now);
    }

    /// Step number `at` found nothing to do its work on.
    pub fn miss(&mut self, at: usize, why: Text) {
        self.missed.push((at, why));
    }
}

impl World {
    /// When the step of this name began, and when its fault ended if it is one that did; nothing if
    /// it is still to come, or there is none.
    pub fn step_instants(&self, name: &str) -> Option<(SimTime, Option<SimTime>)> {
        let at = self.plan.steps.iter().position(|step| *step.name == *name)?;
        let stage = self.timeline.stages[at];
        Some((stage.begun?, stage.ended))
    }

    /// Steps that found nothing to do their work on, by number, and why: such a run has not done
    /// what its scenario says.
    pub fn missed(&self) -> &[(usize, Text)] {
        &self.timeline.missed
    }
}
