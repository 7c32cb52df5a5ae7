//! What others in flight make of an operation: its work is shared over the cores, the rest of it is not.
//!
//! Workers go through the same steps over and over, each by itself, as the measurement does. The model runs them
//! on a [`Machine`], the very one that a simulated engine's node has, and the share of each phase that is work is
//! moved until the model's medians are those measured; so is what is done behind the answers, which all phases
//! have in common.

use std::collections::BTreeMap;

use super::samples::Samples;
use crate::base::hash::StableHasher;
use crate::compute::{JobTag, Machine};
use crate::luck::{Label, Luck, Measured};
use crate::scenario::profile::Phase;
use crate::time::{SimDuration, SimTime};

const TIME: Label = Label::new("contention");
/// One in thousandths.
const WHOLE: u64 = 1000;
/// Rounds in which the shares are moved.
const ROUNDS: u32 = 12;
/// How far a share is moved at a time, of what is missing.
const DAMPING: f64 = 0.6;
/// Values of `behind` that are tried, in thousandths.
const BEHIND: [u32; 11] = [0, 100, 200, 300, 450, 600, 800, 1000, 1300, 1700, 2200];
/// Times each worker goes through its steps.
const CYCLES: u32 = 24;

/// What a worker does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// An operation of this phase.
    Operation(Phase),
    /// It waits, for a program that runs or the like; nothing else makes that longer.
    Wait(SimDuration),
}

/// What is known of the phases: their laws with one in flight, and which part of them is work.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Cores of the machine.
    pub cores: u32,
    /// The law of each phase alone.
    pub alone: BTreeMap<Phase, Measured>,
    /// Thousandths of it that are work.
    pub work: BTreeMap<Phase, u32>,
    /// Thousandths of the work that are done once more while nobody waits.
    pub behind: u32,
}

/// Medians by phase and how many were in flight.
pub type Medians = BTreeMap<(Phase, u32), SimDuration>;

struct Worker {
    step: usize,
    cycle: u32,
    began: SimTime,
    /// What remains after its work.
    floor: SimDuration,
    /// When it goes on, if it does not wait for the machine.
    due: SimTime,
}

/// A job that no worker waits for.
const NOBODY: u64 = u64::MAX;

impl Model {
    /// The times each phase takes when so many workers are at it.
    pub fn samples(&self, steps: &[Step], workers: u32) -> BTreeMap<Phase, Samples> {
        let mut machine = Machine::new(self.cores.saturating_mul(1000));
        let mut times: BTreeMap<Phase, Vec<SimDuration>> = BTreeMap::new();
        let new = || Worker {
            step: 0,
            cycle: 0,
            began: SimTime::ZERO,
            floor: SimDuration::ZERO,
            due: SimTime::MAX,
        };
        let mut all: Vec<Worker> = (0..workers).map(|_| new()).collect();
        let mut now = SimTime::ZERO;
        for (number, worker) in (0..).zip(&mut all) {
            self.begin(steps, worker, number, now, &mut machine);
        }
        loop {
            let own = all.iter().map(|it| it.due).min().unwrap_or(SimTime::MAX);
            let done = machine.next_completion().map_or(SimTime::MAX, |(at, _)| at);
            // When the first is through, fewer are at it: the rest is another matter.
            if all.iter().any(|it| it.cycle >= CYCLES) || own.min(done) == SimTime::MAX {
                break;
            }
            now = own.min(done);
            while let Some(JobTag(tag)) = machine.complete(now) {
                if tag != NOBODY {
                    let worker = &mut all[tag as usize];
                    worker.due = now + worker.floor;
                }
            }
            for (number, worker) in (0..).zip(&mut all) {
                if worker.due > now {
                    continue;
                }
                worker.due = SimTime::MAX;
                if let Step::Operation(phase) = steps[worker.step] {
                    times.entry(phase).or_default().push(now - worker.began);
                }
                worker.step += 1;
                if worker.step == steps.len() {
                    (worker.step, worker.cycle) = (0, worker.cycle + 1);
                }
                if worker.cycle < CYCLES {
                    self.begin(steps, worker, number, now, &mut machine);
                }
            }
        }
        times.into_iter().map(|(phase, times)| (phase, times.into_iter().collect())).collect()
    }

    fn begin(
        &self,
        steps: &[Step],
        worker: &mut Worker,
        number: u64,
        now: SimTime,
        machine: &mut Machine,
    ) {
        worker.began = now;
        match &steps[worker.step] {
            Step::Wait(span) => worker.due = now + *span,
            Step::Operation(phase) => {
                let key = StableHasher::new().word(number).word(worker.step as u64).finish();
                let draw = || Luck::new(1).draw(TIME, key, worker.cycle.into());
                let time = self.alone.get(phase).map_or(SimDuration::ZERO, |law| law.sample(draw));
                let work = time.scaled(self.work.get(phase).copied().unwrap_or(0).into(), WHOLE);
                worker.floor = time - work;
                machine.start(now, work, JobTag(number));
                let behind = work.scaled(self.behind.into(), WHOLE);
                if !behind.is_zero() {
                    machine.start(now, behind, JobTag(NOBODY));
                }
            }
        }
    }

    /// Moves the shares of work, and what is done behind, until the medians are as close to those measured as they
    /// come. What was measured with one in flight is where the laws come from, and is left alone.
    #[must_use]
    pub fn fitted(mut self, steps: &[Step], measured: &Medians) -> Model {
        let mut best: Option<(f64, Model)> = None;
        let mut shares: BTreeMap<Phase, f64> =
            self.alone.keys().map(|phase| (*phase, 0.5)).collect();
        for behind in BEHIND {
            self.behind = behind;
            for _ in 0..ROUNDS {
                self.set(&shares);
                let errors = self.errors(steps, measured);
                let loss = errors.values().flatten().map(|it| it * it).sum::<f64>();
                if best.as_ref().is_none_or(|(least, _)| loss < *least - 1e-9) {
                    best = Some((loss, self.clone()));
                }
                for (phase, errors) in &errors {
                    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
                    if let Some(share) = shares.get_mut(phase) {
                        *share = (*share + DAMPING * mean).clamp(0.0, 1.0);
                    }
                }
            }
        }
        best.map_or(self, |(_, model)| model)
    }

    fn set(&mut self, shares: &BTreeMap<Phase, f64>) {
        let thousandths = |share: &f64| libm::round(share * WHOLE as f64) as u32;
        self.work = shares.iter().map(|(phase, share)| (*phase, thousandths(share))).collect();
    }

    /// For each phase how far the model is from what was measured, as logarithms, one for each number in flight.
    fn errors(&self, steps: &[Step], measured: &Medians) -> BTreeMap<Phase, Vec<f64>> {
        let mut errors: BTreeMap<Phase, Vec<f64>> = BTreeMap::new();
        let mut counts: Vec<u32> = measured.keys().map(|(_, workers)| *workers).collect();
        counts.sort_unstable();
        counts.dedup();
        for workers in counts.into_iter().filter(|workers| *workers > 1) {
            let model = self.samples(steps, workers);
            for (phase, samples) in model {
                let Some(real) = measured.get(&(phase, workers)) else { continue };
                let (real, ours) = (real.as_nanos().max(1), samples.median().as_nanos().max(1));
                errors.entry(phase).or_default().push(libm::log(real as f64 / ours as f64));
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    fn truth(behind: u32) -> Model {
        let law = |floor, p50, p99| Measured::LogNormal {
            floor: millis(floor),
            p50: millis(p50),
            p99: millis(p99),
        };
        Model {
            cores: 2,
            alone: [
                (Phase::RunPodSandbox, law(50, 95, 150)),
                (Phase::StartContainer, law(40, 65, 100)),
                (Phase::ExitToSeen, law(30, 43, 60)),
            ]
            .into(),
            work: [
                (Phase::RunPodSandbox, 400),
                (Phase::StartContainer, 900),
                (Phase::ExitToSeen, 100),
            ]
            .into(),
            behind,
        }
    }

    fn steps() -> Vec<Step> {
        vec![
            Step::Operation(Phase::RunPodSandbox),
            Step::Operation(Phase::StartContainer),
            Step::Wait(millis(20)),
            Step::Operation(Phase::ExitToSeen),
        ]
    }

    fn medians(model: &Model, counts: &[u32]) -> Medians {
        let of = |workers: u32| {
            let samples = model.samples(&steps(), workers).into_iter();
            samples.map(move |(phase, it)| ((phase, workers), it.median()))
        };
        counts.iter().flat_map(|workers| of(*workers)).collect()
    }

    #[test]
    fn work_gets_longer_and_waiting_does_not() {
        let model = truth(0);
        let found = medians(&model, &[1, 8]);
        let ratio =
            |phase| found[&(phase, 8)].as_nanos() as f64 / found[&(phase, 1)].as_nanos() as f64;
        assert!(ratio(Phase::StartContainer) > 2.0, "{found:?}");
        assert!(ratio(Phase::ExitToSeen) < 1.5, "{found:?}");
        let all_waiting = Model { work: BTreeMap::new(), ..model };
        let found = medians(&all_waiting, &[1, 8]);
        let (one, eight) = (found[&(Phase::StartContainer, 1)], found[&(Phase::StartContainer, 8)]);
        assert!(eight.as_nanos() * 10 < one.as_nanos() * 11, "{found:?}");
    }

    #[test]
    fn shares_of_work_are_found_from_two_and_eight_and_hold_for_four() {
        for behind in [0, 450] {
            let truth = truth(behind);
            let told = medians(&truth, &[2, 8]);
            let blank = Model { work: BTreeMap::new(), behind: 0, ..truth.clone() };
            let found = blank.fitted(&steps(), &told);
            let (ours, real) = (medians(&found, &[4]), medians(&truth, &[4]));
            for (key, real) in &real {
                let off = ours[key].as_nanos() as f64 / real.as_nanos() as f64 - 1.0;
                assert!(off.abs() < 0.08, "{key:?}: {off} with {found:?}");
            }
            let wrong = Model { work: BTreeMap::new(), behind: 0, ..truth.clone() };
            let is_off = medians(&wrong, &[4]).iter().any(|(key, it)| {
                (it.as_nanos() as f64 / real[key].as_nanos() as f64 - 1.0).abs() > 0.15
            });
            assert!(is_off, "the check must see a model without contention");
        }
    }
}
