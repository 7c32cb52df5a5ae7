//! One sitting at a machine: everything that was measured, as it is kept beside the profile made of it.
//!
//! As text it is a table: what, how many were in flight, bytes and files of a pulled image, and all times in
//! microseconds.

use std::collections::BTreeMap;
use std::fmt::Write;

use indexmap::IndexMap;

use super::contention::{Medians, Model, Step};
use super::fit::fit;
use super::pulls::{self, PullSample};
use super::samples::Samples;
use crate::scenario::profile::{Ceiling, EngineProfile, Fitted, Measurement, Oom, Phase, Pull};
use crate::time::SimDuration;

/// The line above the table.
const HEAD: &str = "what,in_flight,bytes,files,microseconds";
/// What a pull is called in the table.
const PULL: &str = "pull";
/// How many are in flight: a law is fitted to the first, what is shared to 2 and 8; 4 is held back.
pub const IN_FLIGHT: [u32; 4] = [1, 2, 4, 8];
/// How many in flight no fit ever sees.
pub const HELD_BACK: u32 = 4;
/// Files in 2^20 bytes of an image, for want of a better word: about what Debian's own base image has.
const FILES_A_MEBIBYTE: u32 = 50;

/// One operation that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of which phase.
    pub phase: Phase,
    /// How many workers were at it.
    pub in_flight: u32,
    /// How long it took.
    pub took: SimDuration,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sitting {
    /// Operations.
    pub samples: Vec<Sample>,
    /// Pulls.
    pub pulls: Vec<PullSample>,
}

/// What the program of a cycle's second container waits before it ends.
pub const OWN_END: SimDuration = SimDuration::from_millis(30);

/// What a worker does in one cycle, as far as one thing comes after another.
pub fn steps() -> Vec<Step> {
    let started = [Phase::CreateContainer, Phase::StartContainer].map(Step::Operation);
    let mut steps = vec![Step::Operation(Phase::RunPodSandbox)];
    steps.extend(started.clone());
    steps.extend(
        [
            Phase::ContainerStatus,
            Phase::ContainerStats,
            Phase::Exec,
            Phase::StopSignal,
            Phase::StopAnswer,
            Phase::RemoveContainer,
        ]
        .map(Step::Operation),
    );
    for _attempt in 0..2 {
        steps.extend(started.clone());
        steps.extend([Step::Wait(OWN_END), Step::Operation(Phase::ExitToSeen)]);
    }
    steps.extend(started);
    steps.extend(
        [
            Phase::KillContainer,
            Phase::RemoveContainer,
            Phase::StopPodSandbox,
            Phase::RemovePodSandbox,
        ]
        .map(Step::Operation),
    );
    steps
}

/// The model of a profile for so many cores.
pub fn model(profile: &EngineProfile, cores: u32) -> Model {
    Model {
        cores,
        alone: profile.phases.iter().map(|(phase, it)| (*phase, it.time.clone())).collect(),
        work: profile.phases.iter().map(|(phase, it)| (*phase, it.work.unwrap_or(0))).collect(),
        behind: profile.behind,
    }
}

/// What is not in the samples.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Around {
    /// The profile's name.
    pub name: String,
    /// The machine.
    pub machine: Measurement,
    /// Thousandths of a pull that are work for a core.
    pub pull_work: u32,
    /// Programs that ran out of memory.
    pub oom: Oom,
    /// Programs that were held back.
    pub quota: Vec<Ceiling>,
}

impl Sitting {
    /// The samples of a phase with so many in flight.
    pub fn of(&self, phase: Phase, in_flight: u32) -> Samples {
        let is_meant = |it: &&Sample| (it.phase, it.in_flight) == (phase, in_flight);
        self.samples.iter().filter(is_meant).map(|it| it.took).collect()
    }

    /// The profile of what was measured; `None` if something it needs was not.
    pub fn profile(&self, around: Around) -> Option<EngineProfile> {
        let steps = steps();
        let mut phases = BTreeMap::new();
        for phase in Phase::ALL {
            let samples = self.of(phase, 1);
            let Some(found) = fit(&samples) else { continue };
            let distance = libm::round(found.distance * 1000.0) as u32;
            let (time, samples) = (found.law, samples.len() as u32);
            phases.insert(phase, Fitted { time, work: None, samples, distance });
        }
        if Phase::NEEDED.iter().any(|phase| !phases.contains_key(phase)) {
            return None;
        }
        let is_step = |phase: &Phase| steps.contains(&Step::Operation(*phase));
        let alone = phases.iter().filter(|(phase, _)| is_step(phase));
        let blank = Model {
            cores: around.machine.cores.max(1),
            alone: alone.map(|(phase, it)| (*phase, it.time.clone())).collect(),
            work: BTreeMap::new(),
            behind: 0,
        };
        let model = blank.fitted(&steps, &self.medians());
        for (phase, work) in &model.work {
            if let Some(fitted) = phases.get_mut(phase) {
                fitted.work = Some(*work);
            }
        }
        // The registry is asked and the answer awaited; what of it is work nobody measured.
        if let Some(present) = phases.get_mut(&Phase::PullPresent) {
            present.work = Some(around.pull_work);
        }
        let terms = pulls::fit(&self.pulls)?;
        let nanos = |value: f64| SimDuration::from_nanos(libm::round(value / 10.0) as u64 * 10);
        let pull = Pull {
            base: nanos(terms.base),
            bytes_a_second: terms.bytes_a_second(),
            per_file: nanos(terms.file),
            files_a_mebibyte: FILES_A_MEBIBYTE,
            spread: libm::round(terms.spread * 1000.0) as u32,
            work: around.pull_work,
            samples: self.pulls.len() as u32,
        };
        Some(EngineProfile {
            name: around.name,
            measured: around.machine,
            behind: model.behind,
            phases,
            pull,
            oom: around.oom,
            quota: around.quota,
        })
    }

    /// Medians of what no fit may not see.
    fn medians(&self) -> Medians {
        let mut medians = Medians::new();
        for phase in Phase::ALL {
            for in_flight in IN_FLIGHT.into_iter().filter(|count| *count != HELD_BACK) {
                let samples = self.of(phase, in_flight);
                if !samples.is_empty() {
                    medians.insert((phase, in_flight), samples.median());
                }
            }
        }
        medians
    }

    /// The table: a line for each thing and number in flight, its times in the order they were measured.
    pub fn csv(&self) -> String {
        let mut lines: IndexMap<String, Vec<u64>> = IndexMap::new();
        let mut add = |line: String, span: SimDuration| {
            lines.entry(line).or_default().push(span.as_nanos() / 1000);
        };
        for it in &self.samples {
            add(format!("{},{},,", it.phase.name(), it.in_flight), it.took);
        }
        for it in &self.pulls {
            add(format!("{PULL},1,{},{}", it.bytes, it.files), it.took);
        }
        let mut out = format!("{HEAD}\n");
        for (line, micros) in lines {
            let micros: Vec<String> = micros.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "{line},{}", micros.join(" "));
        }
        out
    }

    /// The table read again.
    ///
    /// # Errors
    /// The number of the first line that is none of it.
    pub fn read(table: &str) -> Result<Sitting, usize> {
        let mut sitting = Sitting::default();
        for (number, line) in table.lines().enumerate() {
            if number == 0 && line == HEAD {
                continue;
            }
            sitting.take(line).ok_or(number + 1)?;
        }
        Ok(sitting)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let [what, in_flight, bytes, files, times] =
            <[&str; 5]>::try_from(line.split(',').collect::<Vec<_>>()).ok()?;
        for micros in times.split(' ') {
            let took = SimDuration::from_micros(micros.parse().ok()?);
            if what == PULL {
                let (bytes, files) = (bytes.parse().ok()?, files.parse().ok()?);
                self.pulls.push(PullSample { bytes, files, took });
            } else {
                let (phase, in_flight) = (Phase::called(what)?, in_flight.parse().ok()?);
                self.samples.push(Sample { phase, in_flight, took });
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::documents::Limits;
    use crate::scenario::profile::built_in;
    use crate::scenario::read_profile;

    #[test]
    fn a_sitting_is_read_as_it_is_written() {
        let took = SimDuration::from_micros(95_123);
        let sitting = Sitting {
            samples: vec![Sample { phase: Phase::RunPodSandbox, in_flight: 8, took }],
            pulls: vec![PullSample { bytes: 1 << 20, files: 4, took }],
        };
        assert_eq!(Sitting::read(&sitting.csv()), Ok(sitting.clone()));
        assert_eq!(Sitting::read("what,in_flight\n"), Err(1));
        assert_eq!(Sitting::read(&format!("{}nonsense,1,,,2\n", sitting.csv())), Err(4));
    }

    #[test]
    fn the_built_in_profile_is_what_its_samples_give() {
        let table = include_str!("profiles/debian12-containerd/samples.csv");
        let text = built_in::text("debian12-containerd").expect("it is built in");
        let told = read_profile("p", text.as_bytes(), &Limits::default(), &mut |_| {});
        let told = told.expect("it is right");
        let sitting = Sitting::read(table).expect("it is right");
        let EngineProfile { name, measured: machine, pull, oom, quota, .. } = told.clone();
        let around = Around { name, machine, pull_work: pull.work, oom, quota };
        assert_eq!(sitting.profile(around), Some(told));
    }

    #[test]
    fn a_cycle_has_every_phase_that_an_engine_costs() {
        let steps = steps();
        let needed = Phase::NEEDED.into_iter().filter(|phase| *phase != Phase::PullPresent);
        for phase in needed {
            assert!(steps.contains(&Step::Operation(phase)), "{phase:?}");
        }
    }
}
