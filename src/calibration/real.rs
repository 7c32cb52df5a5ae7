//! Measuring a real container engine: the same cycle of operations by one worker and by several at once, pulls of
//! images of several shapes, programs that run out of memory and programs that are held back.
//!
//! Every call is timed at the client. What an engine stamps itself (a program's end) is taken from its stamps, not
//! from when somebody looked.
mod both_ways;
mod cycle;
mod machine;
mod others;
mod pull;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::sitting::{Around, IN_FLIGHT, Sample, Sitting};
use crate::node::container_engine::linux::{Client, ContainerSpec, LinuxRuntime, Recipe, Trouble};
use crate::scenario::profile::Phase;
use crate::time::SimDuration;

pub use both_ways::{program_bytes, run as run_case};
pub use machine::{Idle, measurement, oci};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// How often every number in flight has its turn. A machine is not the same for long (a host's other guests,
    /// its disks): turns spread what it does meanwhile over all of them.
    pub rounds: u32,
    /// Cycles of each worker in a round that count, by [`IN_FLIGHT`].
    pub cycles: [u32; 4],
    /// Programs that ignore SIGTERM, for each worker in a round.
    pub ignored: u32,
    /// Pulls of each image.
    pub pulls: u32,
    /// Whether images of thousands of files and hundreds of megabytes are among them.
    pub images: Images,
    /// Programs that run out of memory.
    pub oom: u32,
    /// How long a program that is held back is watched.
    pub watched: SimDuration,
    /// Programs started inside it.
    pub execs: u32,
}

/// Which images are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Small ones.
    Few,
    /// All shapes.
    All,
}

impl Amount {
    /// So much of everything: `repeats` 1 is some four minutes on a quiet machine of two cores.
    pub const fn full(repeats: u32) -> Amount {
        Amount {
            rounds: 4 * repeats,
            cycles: [6, 4, 3, 2],
            ignored: 1,
            pulls: 4 * repeats,
            images: Images::All,
            oom: 5 * repeats,
            watched: SimDuration::from_secs(4),
            execs: 8 * repeats,
        }
    }

    /// As little as makes a profile: for trying it out.
    pub const fn quick() -> Amount {
        Amount {
            rounds: 1,
            cycles: [4, 3, 2, 1],
            ignored: 1,
            pulls: 2,
            images: Images::Few,
            oom: 1,
            watched: SimDuration::from_secs(1),
            execs: 2,
        }
    }
}

/// Why a sitting ended before it was through.
#[derive(Debug)]
pub enum Halted {
    /// Somebody interrupted it.
    Interrupted,
    /// The machine or the engine failed.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for Halted {
    fn from(trouble: E) -> Halted {
        Halted::Trouble(trouble.into())
    }
}

/// Where things are measured.
pub struct Place<'a> {
    runtime: &'a LinuxRuntime,
    image: String,
    interrupt: &'a AtomicBool,
    /// Numbers sandboxes, so that no two have one name.
    made: AtomicU64,
}

impl<'a> Place<'a> {
    /// A place at this runtime, which has the program's image afterwards.
    ///
    /// # Errors
    /// The image cannot be made or fetched.
    pub fn new(runtime: &'a LinuxRuntime, interrupt: &'a AtomicBool) -> Result<Place<'a>, Trouble> {
        let image = runtime.offer(&Recipe::program("wavetank/program:1", &[]))?;
        runtime.client().pull_image(&image)?;
        Ok(Place { runtime, image, interrupt, made: AtomicU64::new(0) })
    }

    fn client(&self) -> &Client {
        self.runtime.client()
    }

    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn container(&self, name: &str, args: &[&str]) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            image: self.image.clone(),
            args: ["run"].iter().chain(args).map(|it| (*it).to_owned()).collect(),
            cpu_request_milli: 100,
            ..ContainerSpec::default()
        }
    }

    /// # Errors
    /// It was interrupted.
    fn go_on(&self) -> Result<(), Halted> {
        match self.interrupt.load(Ordering::Relaxed) {
            true => Err(Halted::Interrupted),
            false => Ok(()),
        }
    }

    /// Cycles with so many workers at once. The first of each does not count, for all begin it together, nor does
    /// what is measured when the first worker has done all of its, for from then on fewer are at it.
    ///
    /// # Errors
    /// As [`sit`].
    pub fn cycles(&self, in_flight: u32, cycles: u32) -> Result<Vec<Sample>, Halted> {
        let (is_over, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let work = || {
            let mut samples = Vec::new();
            for cycle in 0..=cycles {
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                let client = self.client().clone();
                let mut keep = |phase: Phase, took: SimDuration| {
                    if cycle > 0 && !is_over.load(Ordering::Relaxed) {
                        samples.push(Sample { phase, in_flight, took });
                    }
                };
                if let Err(halted) = cycle::cycle(self, &client, &mut keep) {
                    failed.store(true, Ordering::Relaxed);
                    return Err(halted);
                }
            }
            is_over.store(true, Ordering::Relaxed);
            Ok(samples)
        };
        side_by_side(in_flight, &work)
    }
}

/// Several workers do the same at once.
fn side_by_side<T: Send>(
    workers: u32,
    work: &(dyn Fn() -> Result<Vec<T>, Halted> + Sync),
) -> Result<Vec<T>, Halted> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = Ok(Vec::new());
        for thread in threads {
            let done = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all = match (all, done) {
                (Ok(mut all), Ok(mut one)) => {
                    all.append(&mut one);
                    Ok(all)
                }
                (Err(halted), _) | (_, Err(halted)) => Err(halted),
            };
        }
        all
    })
}

/// Measures everything. `tell` hears what is being done.
///
/// # Errors
/// What halted it.
pub fn sit(
    runtime: &LinuxRuntime,
    amount: Amount,
    interrupt: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<(Sitting, Around), Halted> {
    let (mut sitting, mut around) = (Sitting::default(), Around::default());
    tell("pulls of images");
    let (pulled, work) = pull::pulls(runtime, amount, interrupt)?;
    sitting.samples.extend(pulled.samples);
    sitting.pulls = pulled.pulls;
    around.pull_work = work;
    let place = Place::new(runtime, interrupt)?;
    for round in 1..=amount.rounds {
        for (in_flight, cycles) in IN_FLIGHT.into_iter().zip(amount.cycles) {
            tell(&format!("round {round} of {}, {in_flight} in flight", amount.rounds));
            sitting.samples.extend(place.cycles(in_flight, cycles)?);
            sitting.samples.extend(others::ignored(&place, in_flight, amount.ignored)?);
        }
    }
    tell("programs that run out of memory");
    around.oom = others::oom(&place, amount.oom, &mut sitting.samples)?;
    tell("programs that are held back");
    around.quota = others::quota(&place, amount, &mut sitting.samples)?;
    Ok((sitting, around))
}
