//! The same plans under many seeds.

use std::ops::{ControlFlow, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::one::{Finished, Task, run_task};
use crate::api::name::Text;
use crate::cluster::plan::Plan;
use crate::expect::Expectations;
use crate::kernel::{Engine, FactSink, Halt, NoSink};
use crate::messages::{Fact, Listening};
use crate::record::{ExpectationRow, Metrics};
use crate::time::SimTime;

/// Most seeds of one command.
const SEEDS_MAX: u64 = 1_000_000;

/// Seeds in a row, both ends included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeds(pub RangeInclusive<u64>);

impl Seeds {
    /// Reads `1..20`: twenty seeds.
    ///
    /// # Errors
    /// Where it is not of this form, in words that name the flag.
    pub fn parse(text: &str) -> Result<Seeds, String> {
        let wrong = |why: &str| format!("--seeds {text}: {why}; expected FIRST..LAST, as in 1..20");
        let (first, last) = text.split_once("..").ok_or_else(|| wrong("two dots are missing"))?;
        let number =
            |part: &str| part.parse::<u64>().map_err(|_| wrong(&format!("{part:?} is no seed")));
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(wrong("the last is below the first"));
        }
        if last - first >= SEEDS_MAX {
            return Err(wrong("that is more than a million"));
        }
        Ok(Seeds(first..=last))
    }
}

/// A plan to be tried under some seeds.
#[derive(Clone, Debug)]
pub struct Test {
    /// The plan; its own seed plays no part.
    pub plan: Arc<Plan>,
    /// What is expected of each run.
    pub expectations: Arc<Expectations>,
    /// The seeds.
    pub seeds: Seeds,
}

/// How one seed went.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// Whether all that was expected came true; with nothing expected, whether it converged.
    pub has_passed: bool,
    /// Since when the cluster was as desired, if it was at the end.
    pub converged_at: Option<SimTime>,
    /// The run's identity.
    pub digest: u64,
    /// When it ended.
    pub ended_at: SimTime,
    /// Events handled.
    pub events: u64,
    /// What came of what was expected, in the order written.
    pub expectations: Vec<ExpectationRow>,
    /// Steps of the timeline that found nothing, by name, and why.
    pub missed: Vec<(Text, Text)>,
    /// For each expectation that failed: the facts that led to it, first cause first.
    pub chains: Vec<Vec<Link>>,
}

/// A fact of a chain of causes.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// When it happened.
    pub at: SimTime,
    /// Its number.
    pub number: u64,
    /// What happened.
    pub fact: Fact,
}

/// Why many runs could not be carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// No threads can be had.
    Threads(String),
    /// A run of this seed came to grief through a fault of ours; the panic has told what.
    Bug(u64),
}

/// Runs each test under each of its seeds, `jobs` at a time (0: as many as there are processors). The
/// verdicts come in the order of the tests and seeds, the same for any `jobs`; once `interrupt` is
/// set, those that are not done are left out. `done` hears of each as it ends.
///
/// # Errors
/// Where no threads can be had, or a run came to grief.
pub fn many(
    tests: &[Test],
    jobs: usize,
    interrupt: &AtomicBool,
    done: &(dyn Fn(&Verdict) + Sync),
) -> Result<Vec<Vec<Verdict>>, Trouble> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|error| Trouble::Threads(error.to_string()))?;
    let runs: Vec<(usize, u64)> = tests
        .iter()
        .enumerate()
        .flat_map(|(at, test)| test.seeds.0.clone().map(move |seed| (at, seed)))
        .collect();
    let one = |&(at, seed): &(usize, u64)| {
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let verdict = catch_unwind(AssertUnwindSafe(|| verdict(&tests[at], seed, interrupt)))
            .map_err(|_| Trouble::Bug(seed))?;
        if let Some(verdict) = &verdict {
            done(verdict);
        }
        Ok(verdict.map(|verdict| (at, verdict)))
    };
    let verdicts: Result<Vec<_>, Trouble> = pool.install(|| runs.par_iter().map(one).collect());
    let mut by_test: Vec<Vec<Verdict>> = tests.iter().map(|_| Vec::new()).collect();
    for (at, verdict) in verdicts?.into_iter().flatten() {
        by_test[at].push(verdict);
    }
    Ok(by_test)
}

/// One seed; nothing if it was interrupted.
fn verdict(test: &Test, seed: u64, interrupt: &AtomicBool) -> Option<Verdict> {
    let plan = Arc::new(Plan { seed, ..Plan::clone(&test.plan) });
    let finished = go(&plan, test, &mut NoSink, interrupt);
    if finished.halt == Halt::Interrupted {
        return None;
    }
    let chains = links(&plan, test, &finished.chains);
    let world = &finished.world;
    let missed =
        world.missed().iter().map(|(step, why)| (plan.steps[*step].name.clone(), why.clone()));
    Some(Verdict {
        seed,
        has_passed: finished.has_passed(),
        converged_at: world.converged_since(),
        digest: world.digest(),
        ended_at: world.now(),
        events: world.events(),
        missed: missed.collect(),
        chains,
        expectations: finished.expectations,
    })
}

fn go(
    plan: &Arc<Plan>,
    test: &Test,
    sink: &mut dyn FactSink<Fact>,
    interrupt: &AtomicBool,
) -> Finished {
    let metrics = &mut Metrics::new(plan);
    let (plan, expectations) = (plan.clone(), test.expectations.clone());
    let task = Task {
        plan,
        expectations,
        sink,
        metrics,
        interrupt,
        events_max: u64::MAX,
        listening: Listening::Nobody,
    };
    run_task(task, &mut |_| ControlFlow::Continue(()))
}

/// Keeps the facts of these numbers, and stops the run behind the last of them.
struct Picker<'p> {
    wanted: &'p [u64],
    found: Vec<Link>,
    is_done: &'p AtomicBool,
}

impl FactSink<Fact> for Picker<'_> {
    fn record(&mut self, at: SimTime, number: u64, _cause: u64, fact: &Fact) {
        if self.wanted.get(self.found.len()) == Some(&number) {
            self.found.push(Link { at, number, fact: fact.clone() });
            if self.found.len() == self.wanted.len() {
                self.is_done.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// The facts behind numbers: a run keeps none of them, so it is run again up to the last.
fn links(plan: &Arc<Plan>, test: &Test, chains: &[Vec<u64>]) -> Vec<Vec<Link>> {
    let mut wanted: Vec<u64> = chains.iter().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return chains.iter().map(|_| Vec::new()).collect();
    }
    let is_done = AtomicBool::new(false);
    let mut picker = Picker { wanted: &wanted, found: Vec::new(), is_done: &is_done };
    go(plan, test, &mut picker, &is_done);
    let link = |number: &u64| picker.found.iter().find(|link| link.number == *number).cloned();
    chains.iter().map(|chain| chain.iter().rev().filter_map(link).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_row_with_both_ends() {
        assert_eq!(Seeds::parse("3..5").expect("a row").0.count(), 3);
        for text in ["", "5", "5..3", "a..b", "0..18446744073709551615"] {
            assert!(Seeds::parse(text).expect_err(text).starts_with("--seeds "), "{text}");
        }
    }
}
