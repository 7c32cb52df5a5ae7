//! A machine as shared processors: work goes in, the instant it is done comes out.
//!
//! Owns processor sharing over the cores of one machine and its usage; refuses to know what the work is, and
//! arms no timer: whoever hands work in asks for [`Machine::next_completion`] after each change and calls
//! [`Machine::complete`] then.
//!
//! All jobs weigh the same and none runs on more than one core at a time, so with `n` jobs on `c` cores each
//! advances at `min(1, c / n)`. That is kept as one virtual time a machine: a job ends when the virtual time
//! has grown by its work. A start or an end costs a step in a heap, however many jobs there are. Virtual time
//! is held in 2^-32 ns, rounded down; completions are rounded up to a whole nanosecond, so a job is never done
//! before it had its work.
pub mod pressure;
pub mod shares;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::{SimDuration, SimTime};

/// Bits of the fraction of virtual time.
const FRACTION: u32 = 32;
/// Millionths of a core, as speeds are counted here.
const MICRO: u128 = 1_000_000;

/// What a job is known by to whoever handed it in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobTag(pub u64);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Job {
    /// The virtual time of its end.
    ends: u128,
    /// Jobs of one end leave in the order they came.
    number: u32,
    tag: JobTag,
}

/// One machine. An idle one holds no memory beside itself.
#[derive(Clone, Debug)]
pub struct Machine {
    micro_cores: u64,
    /// Up to when virtual time and usage are worked out.
    at: SimTime,
    virtual_time: u128,
    started: u32,
    generation: u32,
    used: u128,
    jobs: BinaryHeap<Reverse<Job>>,
}

impl Machine {
    /// A machine of so many thousandths of a core, at least one.
    pub fn new(milli_cores: u32) -> Machine {
        Machine {
            micro_cores: u64::from(milli_cores.max(1)) * 1000,
            at: SimTime::ZERO,
            virtual_time: 0,
            started: 0,
            generation: 0,
            used: 0,
            jobs: BinaryHeap::new(),
        }
    }

    /// Takes on `work` (the time one whole core needs for it) at `now`.
    pub fn start(&mut self, now: SimTime, work: SimDuration, tag: JobTag) {
        self.advance(now);
        let ends = self.virtual_time + (u128::from(work.as_nanos()) << FRACTION);
        self.jobs.push(Reverse(Job { ends, number: self.started, tag }));
        self.started = self.started.wrapping_add(1);
        self.generation = self.generation.wrapping_add(1);
    }

    /// When the next job is done if nothing is started before, and the generation of that answer: one
    /// with another generation is out of date.
    pub fn next_completion(&self) -> Option<(SimTime, u32)> {
        let Reverse(job) = self.jobs.peek()?;
        let missing = job.ends.saturating_sub(self.virtual_time);
        let (speed, whole) = self.speed();
        let nanos = (missing * whole).div_ceil(speed << FRACTION);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Some((self.at + SimDuration::from_nanos(nanos), self.generation))
    }

    /// Takes out one job that is done at `now`; call it until it gives none.
    pub fn complete(&mut self, now: SimTime) -> Option<JobTag> {
        self.advance(now);
        let Reverse(job) = self.jobs.peek()?;
        if job.ends > self.virtual_time {
            return None;
        }
        let Reverse(job) = self.jobs.pop()?;
        self.generation = self.generation.wrapping_add(1);
        Some(job.tag)
    }

    /// From `now` on it has so many millionths of a core, at least one.
    pub fn resize(&mut self, now: SimTime, micro_cores: u64) {
        self.advance(now);
        self.micro_cores = micro_cores.max(1);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Drops all jobs: the machine lost its power.
    pub fn clear(&mut self, now: SimTime) {
        self.advance(now);
        self.jobs.clear();
        self.generation = self.generation.wrapping_add(1);
    }

    /// Jobs on it.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// The time of one core it has spent up to `now`.
    pub fn used(&self, now: SimTime) -> SimDuration {
        let since = u128::from(now.saturating_since(self.at).as_nanos());
        let nanos = (self.used + since * self.busy_micro()) / MICRO;
        SimDuration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Millionths of a core that are busy now.
    fn busy_micro(&self) -> u128 {
        u128::from(self.micro_cores).min(self.jobs.len() as u128 * MICRO)
    }

    /// How fast each job advances, as a fraction: at most one core.
    fn speed(&self) -> (u128, u128) {
        let wanted = self.jobs.len() as u128 * MICRO;
        if wanted <= u128::from(self.micro_cores) {
            (1, 1)
        } else {
            (u128::from(self.micro_cores), wanted)
        }
    }

    fn advance(&mut self, now: SimTime) {
        let since = u128::from(now.saturating_since(self.at).as_nanos());
        if since > 0 {
            if !self.jobs.is_empty() {
                let (speed, whole) = self.speed();
                self.virtual_time += ((since << FRACTION) * speed) / whole;
                self.used += since * self.busy_micro();
            }
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(n: u64) -> SimDuration {
        SimDuration::from_nanos(n)
    }

    /// Runs the machine dry; (tag, end) in order.
    fn drain(machine: &mut Machine) -> Vec<(u64, u64)> {
        let mut ends = Vec::new();
        while let Some((at, _)) = machine.next_completion() {
            while let Some(tag) = machine.complete(at) {
                ends.push((tag.0, at.as_nanos()));
            }
        }
        ends
    }

    #[test]
    fn jobs_up_to_the_cores_do_not_disturb_each_other() {
        let mut machine = Machine::new(2000);
        machine.start(SimTime::ZERO, nanos(100), JobTag(1));
        machine.start(SimTime::from_nanos(30), nanos(100), JobTag(2));
        assert_eq!(drain(&mut machine), [(1, 100), (2, 130)]);
        assert_eq!(machine.used(SimTime::from_nanos(500)), nanos(200));
    }

    #[test]
    fn more_jobs_than_cores_share_them() {
        let mut machine = Machine::new(1000);
        machine.start(SimTime::ZERO, nanos(100), JobTag(1));
        machine.start(SimTime::ZERO, nanos(300), JobTag(2));
        // Both at half speed up to 200; then the second has 200 left at full speed.
        assert_eq!(drain(&mut machine), [(1, 200), (2, 400)]);
        let mut machine = Machine::new(400);
        machine.start(SimTime::ZERO, nanos(100), JobTag(1));
        assert_eq!(drain(&mut machine), [(1, 250)], "less than one core is less than one core");
    }

    #[test]
    fn cores_that_come_and_go_are_shared_as_they_are() {
        let mut machine = Machine::new(500);
        machine.start(SimTime::ZERO, nanos(100), JobTag(1));
        machine.resize(SimTime::from_nanos(100), 2_000_000);
        assert_eq!(drain(&mut machine), [(1, 150)], "half of it at half the speed");
        assert_eq!(machine.used(SimTime::from_secs(1)), nanos(100));
    }

    #[test]
    fn a_start_makes_former_answers_stale_and_a_loss_of_power_drops_all() {
        let mut machine = Machine::new(1000);
        machine.start(SimTime::ZERO, nanos(100), JobTag(1));
        let (_, before) = machine.next_completion().expect("a job");
        machine.start(SimTime::ZERO, nanos(100), JobTag(2));
        let (at, after) = machine.next_completion().expect("a job");
        assert_ne!(before, after);
        assert_eq!(at, SimTime::from_nanos(200));
        machine.clear(SimTime::from_nanos(50));
        assert_eq!((machine.next_completion(), machine.jobs()), (None, 0));
        assert_eq!(machine.used(SimTime::from_secs(1)), nanos(50));
    }

    proptest! {
        /// No work is lost or won: the cores are busy for exactly the work, up to the rounding of
        /// each completion.
        #[test]
        fn work_is_conserved(cores in 1u32..4000, jobs in prop::collection::vec((0u64..1000, 1u64..5000), 1..30)) {
            let mut machine = Machine::new(cores);
            let (mut ended, mut total, mut now) = (0, 0, SimTime::ZERO);
            for (tag, (gap, work)) in (0..).zip(jobs.iter().copied()) {
                let start = now + nanos(gap);
                while let Some((at, _)) = machine.next_completion().filter(|(at, _)| *at <= start) {
                    while machine.complete(at).is_some() { ended += 1; }
                }
                machine.start(start, nanos(work), JobTag(tag));
                total += work;
                now = start;
            }
            ended += drain(&mut machine).len();
            prop_assert_eq!(ended, jobs.len());
            let used = machine.used(SimTime::from_secs(1)).as_nanos();
            prop_assert!(used >= total && used <= total + 4 * jobs.len() as u64, "{} of {}", used, total);
        }
    }
}
