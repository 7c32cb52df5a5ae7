//! The same plan under many seeds.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::one::run;
use crate::cluster::plan::Plan;
use crate::kernel::{Engine, Halt, NoSink};
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

/// How one seed went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// Since when the cluster was as desired, if it was at the end.
    pub converged_at: Option<SimTime>,
    /// The run's identity.
    pub digest: u64,
    /// When it ended.
    pub ended_at: SimTime,
    /// Events handled.
    pub events: u64,
}

/// Runs `plan` under each seed, `jobs` at a time (0: as many as there are processors). The verdicts come
/// in the order of the seeds, the same for any `jobs`; once `interrupt` is set, those that are not done
/// are left out.
///
/// # Errors
/// Where no threads can be had.
pub fn many(
    plan: &Plan,
    seeds: &Seeds,
    jobs: usize,
    interrupt: &AtomicBool,
    done: &(dyn Fn(&Verdict) + Sync),
) -> Result<Vec<Verdict>, String> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|error| error.to_string())?;
    let seeds: Vec<u64> = seeds.0.clone().collect();
    let verdicts: Vec<Option<Verdict>> = pool.install(|| {
        seeds
            .into_par_iter()
            .map(|seed| {
                if interrupt.load(Ordering::Relaxed) {
                    return None;
                }
                let plan = Arc::new(Plan { seed, ..plan.clone() });
                let finished = run(plan, &mut NoSink, interrupt, &mut |_| {});
                if finished.halt == Halt::Interrupted {
                    return None;
                }
                let world = &finished.world;
                let verdict = Verdict {
                    seed,
                    converged_at: world.converged_since(),
                    digest: world.digest(),
                    ended_at: world.now(),
                    events: world.events(),
                };
                done(&verdict);
                Some(verdict)
            })
            .collect()
    });
    Ok(verdicts.into_iter().flatten().collect())
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
