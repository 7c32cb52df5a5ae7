//! A program on a node that is short of processor time: its requests share what it gets.
//!
//! Owns requests that wait for a worker and those that are worked on, while their speed changes from instant to
//! instant; refuses to know why the program gets what it gets.
//!
//! Nothing is promised ahead, as it is where there is enough for all: a request begins when a worker is free,
//! and its work of the processor advances with that of the others inside, each thread on one core at most
//! ([`Machine`]). What it waits for besides (its time beyond that work) takes as long as ever. One that takes more
//! processor time than time has as many threads as that needs.
//!
//! ```text
//!  arrives --> waiting --a worker is free--> working --its work is done--> the rest of its time --> Done
//! ```
use std::collections::{BTreeMap, VecDeque};

use super::servers::Server;
use crate::compute::{JobTag, Machine};
use crate::messages::usage::CORE;
use crate::time::{SimDuration, SimTime};

/// Nano-cores of a millionth of a core.
const NANO_PER_MICRO: u64 = CORE / 1_000_000;
/// Threads of one request at most.
const THREADS_MAX: u64 = 64;

/// What a request takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Work {
    /// Of the processor.
    pub cpu: SimDuration,
    /// Of a worker's time where the processor is its own.
    pub takes: SimDuration,
}

impl Work {
    /// None at all.
    pub const NONE: Work = Work { cpu: SimDuration::ZERO, takes: SimDuration::ZERO };

    /// Both.
    pub fn plus(self, other: Work) -> Work {
        let sum = |a: SimDuration, b: SimDuration| {
            SimDuration::from_nanos(a.as_nanos().saturating_add(b.as_nanos()))
        };
        Work { cpu: sum(self.cpu, other.cpu), takes: sum(self.takes, other.takes) }
    }

    /// What is left without another.
    pub fn minus(self, other: Work) -> Work {
        let (cpu, takes) = (self.cpu, self.takes);
        Work { cpu: cpu.saturating_sub(other.cpu), takes: takes.saturating_sub(other.takes) }
    }

    /// So many thousandths of it.
    pub fn scaled(self, thousandths: u64) -> Work {
        let scaled = |span: SimDuration| span.scaled(thousandths, 1000);
        Work { cpu: scaled(self.cpu), takes: scaled(self.takes) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Job {
    row: u32,
    work: Work,
    /// The quota does not let it be done before.
    not_before: SimTime,
    /// Threads that are still at its work of the processor.
    threads: u64,
}

impl Job {
    /// How many threads it has, and what each of them does.
    fn threads(work: Work) -> (u64, SimDuration) {
        let (cpu, takes) = (work.cpu.as_nanos(), work.takes.as_nanos());
        let threads = if cpu <= takes { 1 } else { cpu.div_ceil(takes.max(1)).min(THREADS_MAX) };
        (threads, SimDuration::from_nanos(cpu.div_ceil(threads)))
    }
}

/// Requests that share what their program gets.
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    cores: Machine,
    /// Whether there is enough for all again: it ends with the last request.
    is_ending: bool,
    waiting: VecDeque<Job>,
    /// By row; each holds a worker.
    working: BTreeMap<u32, Job>,
    /// What those inside are still to get.
    owed: Work,
    /// Up to when workers are at what was promised before.
    promised: SimTime,
}

impl Sharing {
    /// What those inside are still to get.
    pub fn owed(&self) -> Work {
        self.owed
    }

    /// Whether no request is in it.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.working.is_empty()
    }

    /// Threads at work.
    pub fn threads(&self) -> u64 {
        self.cores.jobs() as u64
    }

    /// Requests that hold a worker.
    pub fn working(&self) -> usize {
        self.working.len()
    }
}

impl Server {
    /// From now on its requests share what it gets.
    pub fn share(&mut self) {
        match &mut self.sharing {
            Some(sharing) => sharing.is_ending = false,
            None => {
                self.sharing = Some(Box::new(Sharing {
                    cores: Machine::new(u32::MAX),
                    is_ending: false,
                    waiting: VecDeque::new(),
                    working: BTreeMap::new(),
                    owed: Work::NONE,
                    promised: self.free.iter().copied().max().unwrap_or_default(),
                }));
            }
        }
    }

    /// There is enough for all again: they share as long as any is inside.
    pub fn share_no_more(&mut self) {
        if let Some(sharing) = &mut self.sharing {
            sharing.is_ending = true;
            if sharing.is_idle() {
                self.sharing = None;
            }
        }
    }

    /// From `now` on its requests get so many nano-cores; `None`: one for each thread.
    pub fn set_speed(&mut self, now: SimTime, nano_cores: Option<u64>) {
        if let Some(sharing) = &mut self.sharing {
            let micro = nano_cores.map_or(u64::from(u32::MAX), |it| it / NANO_PER_MICRO);
            sharing.cores.resize(now, micro);
        }
    }

    /// A request comes in beside the others.
    pub(super) fn join(&mut self, now: SimTime, row: u32, work: Work) {
        let Some(sharing) = &mut self.sharing else { return };
        let not_before = SimTime::ZERO;
        sharing.owed = sharing.owed.plus(work);
        sharing.waiting.push_back(Job { row, work, not_before, threads: 0 });
        self.go_on(now);
    }

    /// Requests that wait begin, as far as workers are free.
    pub fn go_on(&mut self, now: SimTime) {
        let Some(mut sharing) = self.sharing.take() else { return };
        let workers = self.program.serving.workers as usize;
        let promised = match now < sharing.promised {
            true => self.free.iter().filter(|until| **until > now).count(),
            false => 0,
        };
        while sharing.working.len() + promised < workers
            && let Some(mut job) = sharing.waiting.pop_front()
        {
            job.not_before = self.charge(now).unwrap_or_default();
            let (threads, each) = Job::threads(job.work);
            job.threads = threads;
            for _ in 0..threads {
                sharing.cores.start(now, each, JobTag(job.row.into()));
            }
            sharing.working.insert(job.row, job);
        }
        self.sharing = Some(sharing);
    }

    /// When work of its requests is done, if nothing changes before.
    pub fn next_done(&self) -> Option<SimTime> {
        self.sharing.as_ref()?.cores.next_completion().map(|(at, _)| at)
    }

    /// One request whose work of the processor is done by now, and when it is done altogether. Call it until it
    /// gives none.
    pub fn work_done(&mut self, now: SimTime) -> Option<(u32, SimTime)> {
        let sharing = self.sharing.as_mut()?;
        let job = loop {
            let JobTag(tag) = sharing.cores.complete(now)?;
            let job = sharing.working.get_mut(&(tag as u32))?;
            job.threads -= 1;
            if job.threads == 0 {
                break *job;
            }
        };
        sharing.owed = sharing.owed.minus(job.work);
        let (_, each) = Job::threads(job.work);
        let done = job.not_before.max(now) + job.work.takes.saturating_sub(each);
        Some((job.row, self.until_hung(done)))
    }

    /// A request left: whether it was one of these or promised before, a worker may be free.
    pub fn free_worker(&mut self, now: SimTime, row: u32) {
        let Some(sharing) = &mut self.sharing else { return };
        if let Some(job) = sharing.working.remove(&row) {
            self.busy += u128::from(job.work.takes.as_nanos());
        }
        self.go_on(now);
        if self.sharing.as_ref().is_some_and(|it| it.is_ending && it.is_idle()) {
            self.sharing = None;
        }
    }

    /// It ends: the requests of which nothing is queued.
    pub fn take_held(&mut self) -> Vec<u32> {
        let Some(sharing) = self.sharing.take() else { return Vec::new() };
        let working = sharing.working.values().filter(|job| job.threads > 0);
        sharing.waiting.iter().chain(working).map(|job| job.row).collect()
    }
}

/// What requests asked for in the second under way and in the one before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    second: u64,
    now: Work,
    before: Work,
}

impl Asked {
    /// Nothing yet.
    pub const NOTHING: Asked = Asked { second: 0, now: Work::NONE, before: Work::NONE };

    /// A second begins.
    pub fn roll(&mut self, second: u64) {
        if second != self.second {
            self.before = self.last(second);
            (self.second, self.now) = (second, Work::NONE);
        }
    }

    /// A request asks for this.
    #[inline]
    pub fn add(&mut self, work: Work) {
        self.now = self.now.plus(work);
    }

    /// What was asked for in the second before this one.
    pub fn last(&self, second: u64) -> Work {
        match second.checked_sub(self.second) {
            Some(0) => self.before,
            Some(1) => self.now,
            _ => Work::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::servers::tests::server;

    fn work(cpu: u64, takes: u64) -> Work {
        let millis = SimDuration::from_millis;
        Work { cpu: millis(cpu), takes: millis(takes) }
    }

    /// (row, milliseconds) as requests end.
    fn drain(server: &mut Server) -> Vec<(u32, u64)> {
        let mut ends = Vec::new();
        while let Some(at) = server.next_done() {
            let done: Vec<_> = std::iter::from_fn(|| server.work_done(at)).collect();
            for (row, at) in done {
                server.free_worker(at, row);
                ends.push((row, at.as_nanos() / 1_000_000));
            }
        }
        ends
    }

    #[test]
    fn requests_share_what_their_program_gets_and_wait_for_workers() {
        let mut two = server(2, SimTime::MAX);
        two.share();
        two.set_speed(SimTime::ZERO, Some(CORE / 2));
        // Half a core for two at a time; the third waits for a worker.
        for (row, work) in [(1, work(10, 10)), (2, work(10, 10)), (3, work(5, 25))] {
            two.join(SimTime::ZERO, row, work);
        }
        assert_eq!(two.sharing.as_ref().map(|it| it.owed()), Some(work(25, 45)));
        // 20 ms of work at half a core; 5 more; then 20 ms that are no work of the processor.
        assert_eq!(drain(&mut two), [(1, 40), (2, 40), (3, 70)]);
        assert_eq!(two.busy_nanos(SimTime::from_secs(1)), 45_000_000);
        two.share_no_more();
        assert!(two.sharing.is_none());
    }

    #[test]
    fn one_that_takes_more_than_a_core_has_threads() {
        let mut one = server(1, SimTime::MAX);
        one.share();
        one.join(SimTime::ZERO, 1, work(25, 10));
        assert_eq!(one.sharing.as_ref().map(|it| it.threads()), Some(3));
        assert_eq!(drain(&mut one), [(1, 10)], "three cores are there");
        one.set_speed(SimTime::from_millis(10), Some(CORE / 2));
        one.join(SimTime::from_millis(10), 2, work(25, 10));
        assert_eq!(drain(&mut one), [(2, 61)], "50 ms at half a core, and what is no work of it");
    }

    #[test]
    fn what_is_begun_goes_on_at_the_new_speed() {
        let mut one = server(8, SimTime::MAX);
        one.share();
        one.set_speed(SimTime::ZERO, Some(CORE / 10));
        one.join(SimTime::ZERO, 1, work(100, 100));
        assert_eq!(one.next_done(), Some(SimTime::from_secs(1)));
        one.set_speed(SimTime::from_millis(500), None);
        one.share_no_more();
        let due = SimTime::from_millis(550);
        assert_eq!(one.next_done(), Some(due), "half of it was to be done");
        assert_eq!(one.work_done(due), Some((1, due)));
        one.free_worker(due, 1);
        assert!(one.sharing.is_none(), "it ends with the last request");
    }

    #[test]
    fn what_a_second_asked_for_is_known_in_the_next() {
        let mut asked = Asked::NOTHING;
        asked.roll(7);
        asked.add(work(5, 20));
        asked.add(work(5, 20));
        assert_eq!(
            [7, 8, 9].map(|second| asked.last(second)),
            [Work::NONE, work(10, 40), Work::NONE]
        );
        asked.roll(8);
        asked.add(work(5, 20));
        assert_eq!([8, 9].map(|second| asked.last(second)), [work(10, 40), work(5, 20)]);
    }
}
