//! Programs in pods that answer requests: so many workers, one queue, first come first served.
//!
//! Owns when each worker is free; refuses to know why a program begins or ends. What becomes of a request
//! is known when it arrives (Lindley's recursion): it starts when a worker is free, and takes its own
//! time. So a request costs one entry in the lane, wherever it waits. Not so on a node that is short of processor
//! time: see [`super::sharing`].
//!
//! ```text
//!  Shut --began--> Open --SIGTERM--> Leaving --ended--> Shut        any --node dies--> Silent
//!  refuses         accepts           refuses new connections        swallows
//! ```
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::sharing::{Asked, Sharing, Work};
use super::spent::{Charged, Marks, PERIOD, Quota, Settled, Spent};
use crate::api::name::{Name, Text};
use crate::api::pod::Pod;
use crate::base::Id;
use crate::base::hash::avalanche;
use crate::luck::{Distribution, Draw, Exponential, Ratio};
use crate::messages::app::{Delay, Serving, WarmUp};
use crate::messages::usage::{CORE, Usage};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// Connections that wait for a program: Linux's `net.core.somaxconn` (4096 since 5.4). One more is
/// dropped without a word, as the kernel drops its SYN.
pub const BACKLOG: u32 = 4096;

/// Tells the luck of errors from the luck of times, which the same bits decide.
const ERRORS: u64 = 0xd6e8_feb8_6659_fd93;
/// And from the luck of crashes.
const CRASHES: u64 = 0xa076_1d64_78bd_642f;

/// Whether a program takes requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doors {
    /// It does not run.
    Shut,
    /// It runs.
    Open,
    /// It was told to stop: what is inside, and connections that stand, are still served.
    Leaving,
    /// Its machine is dead.
    Silent,
}

/// A program as it stands: what the engine knows.
#[derive(Clone, PartialEq, Debug)]
pub struct Program {
    /// The pod.
    pub pod: Id<Pod>,
    /// The container, init containers counted first.
    pub container: u16,
    /// Where it runs.
    pub node: NodeIndex,
    /// The pod's address.
    pub ip: Ipv4Addr,
    /// The pod's namespace and name.
    pub name: (Text, Name),
    /// Whether it takes requests.
    pub doors: Doors,
    /// When it hangs: from then on nothing is answered.
    pub hangs: SimTime,
    /// How it answers.
    pub serving: Serving,
    /// When it began, if it runs.
    pub began: SimTime,
    /// What its requests take, and do to it.
    pub load: Load,
}

/// What the requests of a program take of its machine, and do to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// What it takes; `None`: nothing is said of it, and a request takes a core for its worker's time.
    pub usage: Option<Arc<Usage>>,
    /// The CPU limit, where requests that take a time of the processor must keep it.
    pub quota: Option<Quota>,
    /// How it is slower at first.
    pub warm_up: Option<WarmUp>,
    /// The chance that a request crashes it.
    pub crash: Ratio,
    /// Bytes it may hold, where its requests hold some.
    pub memory: Option<u64>,
}

impl Load {
    /// What is so where nothing is said.
    pub const UNSAID: Load =
        Load { usage: None, quota: None, warm_up: None, crash: Ratio::ZERO, memory: None };
}

/// One program.
#[derive(Clone, Debug)]
pub struct Server {
    /// What the engine said of it.
    pub program: Program,
    /// How often it began: connections of earlier lives are gone.
    pub life: u32,
    /// Requests inside, those nobody waits for included.
    pub inside: u32,
    /// The latest fact about it.
    pub cause: u64,
    /// When each worker that ever worked is free again: a heap, the earliest first.
    pub(super) free: Vec<SimTime>,
    /// Time of workers spent and promised.
    pub(super) busy: u128,
    /// The same when it began.
    busy_before: u128,
    /// Requests done since it began, in thousandths: one while it warms up counts for more.
    done: u64,
    /// Requests done since it began.
    served: u64,
    charged: Charged,
    marks: Marks,
    asked: Asked,
    /// Where its requests are, if they share what processor time it gets.
    pub(super) sharing: Option<Box<Sharing>>,
}

/// What a request does to the program it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harm {
    /// It crashes it.
    Crash,
    /// It makes it hold more memory than it may.
    Memory,
}

/// When the work of a request is done, and whether well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promise {
    /// When; [`SimTime::MAX`]: never. `None`: nothing is promised, it is held up with others.
    pub done: Option<SimTime>,
    /// Processor time it asks for.
    pub cpu: SimDuration,
    /// Whether it is answered with an error.
    pub is_error: bool,
}

impl Server {
    /// A program that was just heard of.
    pub fn new(program: Program) -> Server {
        Server {
            program,
            life: 0,
            inside: 0,
            cause: 0,
            free: Vec::new(),
            busy: 0,
            busy_before: 0,
            done: 0,
            served: 0,
            charged: Charged::default(),
            marks: Marks::default(),
            asked: Asked::NOTHING,
            sharing: None,
        }
    }

    /// It begins anew: nothing of its former life is left.
    pub fn begin(&mut self, now: SimTime, hangs: SimTime) {
        self.program.doors = Doors::Open;
        self.program.hangs = hangs;
        self.program.began = now;
        self.busy_before = self.busy;
        self.done = 0;
        self.served = 0;
        self.marks.begin();
        self.life += 1;
        self.inside = 0;
        self.free.clear();
    }

    /// It ends, or its machine does: all workers are gone, whatever they were at.
    pub fn end(&mut self, doors: Doors, now: SimTime) {
        let unspent = |until: &SimTime| u128::from(until.saturating_since(now).as_nanos());
        self.busy -= self.free.iter().map(unspent).sum::<u128>();
        self.program.doors = doors;
        self.inside = 0;
        self.free.clear();
    }

    /// Takes a request in at `now`, known by its row, its luck in `bits`.
    #[inline]
    pub fn accept(&mut self, now: SimTime, (row, bits): (u32, u64), law: &Exponential) -> Promise {
        if now >= self.marks.due {
            self.mark(now);
        }
        let serving = &self.program.serving;
        let takes = match serving.time {
            Delay::Takes(Distribution::Exponential { mean }) => {
                scaled(law.sample(Draw::from_bits(bits)), mean)
            }
            delay => delay.sample(Draw::from_bits(bits)),
        };
        let is_error = serving.errors != Ratio::ZERO
            && Draw::from_bits(avalanche(bits ^ ERRORS)).chance(serving.errors);
        self.inside += 1;
        let each = self.program.load.usage.as_ref().map(|usage| usage.cpu.per_request);
        let mut work = Work { cpu: each.map_or(takes, SimDuration::from_nanos), takes };
        if self.program.load.warm_up.is_some() {
            work = work.scaled(self.slower(now));
        }
        let Work { cpu, takes } = work;
        self.asked.add(work);
        if self.sharing.is_some() {
            self.join(now, row, work);
            return Promise { done: None, cpu, is_error };
        }
        let is_idle = self.free.first().is_some_and(|&first| first <= now);
        let done = if is_idle || self.free.len() >= serving.workers as usize {
            let start = self.free[0].max(now);
            let done = self.through(start, takes);
            let done = self.until_hung(done);
            self.busy += u128::from(done.saturating_since(start).as_nanos());
            self.free[0] = done;
            self.sift_down();
            done
        } else {
            let done = self.through(now, takes);
            let done = self.until_hung(done);
            self.busy += u128::from(done.saturating_since(now).as_nanos());
            self.free.push(done);
            self.sift_up();
            done
        };
        Promise { done: Some(done), cpu, is_error }
    }

    /// Nano-cores its requests ask for in a second: what those of the second before asked for and what those inside
    /// are still to get, as far as its workers can do so much.
    pub fn wants(&self, second: u64) -> u64 {
        let owed = self.sharing.as_ref().map_or(Work::NONE, |sharing| sharing.owed());
        let Work { cpu, takes } = self.asked.last(second).plus(owed);
        let able = u64::from(self.program.serving.workers).saturating_mul(CORE);
        let part = able.min(takes.as_nanos());
        (u128::from(cpu.as_nanos()) * u128::from(part) / u128::from(takes.as_nanos().max(1))) as u64
    }

    #[inline]
    pub(super) fn until_hung(&self, done: SimTime) -> SimTime {
        if done >= self.program.hangs { SimTime::MAX } else { done }
    }

    /// When work that begins at `start` is done, the CPU limit kept.
    #[inline]
    fn through(&mut self, start: SimTime, takes: SimDuration) -> SimTime {
        let plain = start + takes;
        if self.program.load.quota.is_some() { self.throttled(start, plain) } else { plain }
    }

    fn throttled(&mut self, start: SimTime, plain: SimTime) -> SimTime {
        self.charge(start).map_or(plain, |at| at.max(plain))
    }

    /// Charges the CPU limit with work that begins at `start`; gives when it is done, if that holds it up.
    pub(super) fn charge(&mut self, start: SimTime) -> Option<SimTime> {
        let (Some(quota), Some(usage)) = (self.program.load.quota, &self.program.load.usage) else {
            return None;
        };
        let since = start.saturating_since(self.program.began);
        // Nano-cores over a tenth of a second are a tenth of them in nanoseconds.
        let anyway = usage.cpu.course.at(since) / (1_000_000_000 / PERIOD.as_nanos());
        let cpu = SimDuration::from_nanos(usage.cpu.per_request).scaled(self.slower(start), 1000);
        self.charged.charge(quota, anyway, start, cpu)
    }

    /// How many thousandths of its time a request takes that begins at `now`.
    fn slower(&self, now: SimTime) -> u64 {
        match self.program.load.warm_up {
            Some(warm) if now < self.program.began + warm.lasts => warm.slower.into(),
            _ => 1000,
        }
    }

    /// A request's work is done at `now`.
    #[inline]
    pub fn leave(&mut self, now: SimTime) {
        if now >= self.marks.due {
            self.mark(now);
        }
        self.inside -= 1;
        self.served += 1;
        self.done += if self.program.load.warm_up.is_some() { self.slower(now) } else { 1000 };
    }

    /// Whether it holds more memory than it may.
    pub fn is_over_memory(&self, now: SimTime) -> bool {
        let (Some(limit), Some(usage)) = (self.program.load.memory, &self.program.load.usage)
        else {
            return false;
        };
        let since = now.saturating_since(self.program.began);
        let held = usage.memory.per_request.saturating_mul(self.inside.into());
        usage.memory.course.at(since).saturating_add(held) > limit
    }

    /// Whether a request that is done, its luck in `bits`, crashes it.
    #[inline]
    pub fn crashes(&self, bits: u64) -> bool {
        let chance = self.program.load.crash;
        chance != Ratio::ZERO && Draw::from_bits(avalanche(bits ^ CRASHES)).chance(chance)
    }

    fn mark(&mut self, now: SimTime) {
        self.asked.roll(now.as_secs());
        let mut marks = std::mem::take(&mut self.marks);
        marks.mark(now, |at| self.spent_now(at));
        self.marks = marks;
    }

    /// What its requests took up to an instant that nothing happened after.
    fn spent_now(&self, at: SimTime) -> (Spent, Settled) {
        let (cpu, settled) = match &self.program.load.usage {
            Some(usage) => {
                let each = u128::from(usage.cpu.per_request);
                (each * u128::from(self.done) / 1000, Settled::Yes)
            }
            None => {
                let works = self.free.iter().any(|&until| until > at);
                let settled = if works { Settled::No } else { Settled::Yes };
                (self.busy_nanos(at).saturating_sub(self.busy_before), settled)
            }
        };
        (Spent { cpu, inside: self.inside, served: self.served }, settled)
    }

    /// What its requests took since it began, up to the whole second that `at` is in; the latest few
    /// minutes can be asked of.
    pub fn spent(&self, at: SimTime) -> Spent {
        let second = at.as_secs();
        let marked = self.marks.at(second);
        marked.unwrap_or_else(|| self.spent_now(SimTime::from_secs(second)).0)
    }

    /// Requests a second it was done with in the whole seconds of the latest `window`, in thousandths;
    /// nothing before it ran for a second.
    pub fn rate(&self, window: SimDuration, now: SimTime) -> Option<u64> {
        let began = self.program.began;
        let to = now.as_secs();
        let first = began.as_secs() + u64::from(began > SimTime::from_secs(began.as_secs()));
        let from = to.saturating_sub(window.as_secs()).max(first);
        let seconds = to.checked_sub(from).filter(|&seconds| seconds > 0)?;
        let served = |second| self.spent(SimTime::from_secs(second)).served;
        Some(served(to).saturating_sub(served(from)).saturating_mul(1000) / seconds)
    }

    /// Nanoseconds workers have worked up to `now`.
    pub fn busy_nanos(&self, now: SimTime) -> u128 {
        // A worker that is not free works all the time until it is.
        let ahead = |until: &SimTime| u128::from(until.saturating_since(now).as_nanos());
        self.busy - self.free.iter().map(ahead).sum::<u128>()
    }

    fn sift_down(&mut self) {
        let heap = &mut self.free;
        let mut at = 0;
        loop {
            let mut least = 2 * at + 1;
            if least >= heap.len() {
                return;
            }
            if least + 1 < heap.len() && heap[least + 1] < heap[least] {
                least += 1;
            }
            if heap[at] <= heap[least] {
                return;
            }
            heap.swap(at, least);
            at = least;
        }
    }

    fn sift_up(&mut self) {
        let heap = &mut self.free;
        let mut at = heap.len() - 1;
        while at > 0 && heap[at] < heap[(at - 1) / 2] {
            heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }
}

/// `factor * unit` to the nearest nanosecond; Rust's conversion saturates.
#[inline]
fn scaled(factor: f64, unit: SimDuration) -> SimDuration {
    SimDuration::from_nanos((factor * unit.as_nanos() as f64 + 0.5) as u64)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn server(workers: u32, hangs: SimTime) -> Server {
        let time = Delay::Takes(Distribution::Constant(SimDuration::from_millis(10)));
        let program = Program {
            pod: Id::from_parts(0, 0),
            container: 0,
            node: NodeIndex(0),
            ip: Ipv4Addr::UNSPECIFIED,
            name: ("default".into(), Name::new("web")),
            doors: Doors::Open,
            hangs,
            serving: Serving { workers, time, errors: Ratio::ZERO },
            began: SimTime::ZERO,
            load: Load::UNSAID,
        };
        Server::new(program)
    }

    fn done(server: &mut Server, at: u64) -> u64 {
        let promise = server.accept(SimTime::from_millis(at), (0, 1), &Exponential::new());
        promise.done.map_or(0, SimTime::as_nanos) / 1_000_000
    }

    #[test]
    fn a_rate_is_of_whole_seconds_within_the_window() {
        let mut server = server(1, SimTime::MAX);
        server.begin(SimTime::from_millis(500), SimTime::MAX);
        let window = SimDuration::from_secs(4);
        assert_eq!(server.rate(window, SimTime::from_millis(1900)), None, "no whole second yet");
        for half in 2..20 {
            let at = SimTime::from_millis(500 * half);
            server.accept(at, (0, 1), &Exponential::new());
            server.leave(at + SimDuration::from_millis(10));
        }
        let rate = |at| server.rate(window, SimTime::from_millis(at));
        assert_eq!(rate(3_900), Some(2_000), "since it began");
        assert_eq!(rate(10_000), Some(2_000));
        assert_eq!(rate(12_000), Some(1_000), "two of four seconds");
        assert_eq!(rate(20_000), Some(0));
    }

    #[test]
    fn workers_are_taken_in_turn_and_then_waited_for() {
        let mut one = server(1, SimTime::MAX);
        assert_eq!([0, 1, 2, 40].map(|at| done(&mut one, at)), [10, 20, 30, 50]);
        let mut three = server(3, SimTime::MAX);
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 40].map(|at| done(&mut three, at)),
            [10, 11, 12, 20, 21, 22, 50]
        );
        assert_eq!(three.busy_nanos(SimTime::from_millis(41)), (6 * 10 + 1) * 1_000_000);
    }

    #[test]
    fn nothing_is_answered_once_it_hangs() {
        let mut hung = server(1, SimTime::from_millis(25));
        assert_eq!([0, 1].map(|at| done(&mut hung, at)), [10, 20]);
        let promise = hung.accept(SimTime::from_millis(2), (0, 1), &Exponential::new());
        assert_eq!(promise.done, Some(SimTime::MAX));
        hung.end(Doors::Shut, SimTime::from_millis(22));
        assert_eq!(hung.busy_nanos(SimTime::from_millis(22)), 22_000_000);
    }
}
