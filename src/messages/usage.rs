//! What a program takes of its machine: processor time, memory, disk, processes.
//!
//! All of it is a pure function of how long the container runs and of the requests it serves, asked by
//! instant: usage that changes by itself costs nothing until somebody asks, and the instant at which it
//! passes a level is worked out ahead.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::pod::{Pod, PodSpec};
use crate::base::Id;
use crate::time::SimDuration;

/// Nano-cores of one core: how processor time is counted.
pub const CORE: u64 = 1_000_000_000;
/// What no amount and no rise goes beyond, so that sums of a few stay inside 64 bits.
pub const AMOUNT_MAX: u64 = 1 << 60;

/// Part of a course: from an instant on, the amount goes evenly to another, and then stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Piece {
    /// When it begins, since the container's start.
    from: SimDuration,
    amount: u64,
    to: u64,
    /// How long the way to `to` takes; zero: it is there at once.
    over: SimDuration,
}

impl Piece {
    fn flat(from: SimDuration, amount: u64) -> Piece {
        Piece { from, amount, to: amount, over: SimDuration::ZERO }
    }

    fn at(&self, since: SimDuration) -> u64 {
        let gone = since.saturating_sub(self.from);
        if gone >= self.over {
            return self.to;
        }
        let part = |whole: u64| {
            (u128::from(whole) * u128::from(gone.as_nanos()) / u128::from(self.over.as_nanos()))
                as u64
        };
        if self.to >= self.amount {
            self.amount + part(self.to - self.amount)
        } else {
            self.amount - part(self.amount - self.to)
        }
    }

    /// The first instant from `from` on with at least `level`.
    fn reaches(&self, level: u64, from: SimDuration) -> Option<SimDuration> {
        if self.at(from) >= level {
            return Some(from);
        }
        if self.to < level || self.to <= self.amount {
            return None;
        }
        let rise = u128::from(level - self.amount) * u128::from(self.over.as_nanos());
        let gone = rise.div_ceil(u128::from(self.to - self.amount)) as u64;
        Some((self.from + SimDuration::from_nanos(gone)).max(from))
    }

    /// The first instant from `from` on with less than `level`.
    fn falls_below(&self, level: u64, from: SimDuration) -> Option<SimDuration> {
        if self.at(from) < level {
            return Some(from);
        }
        if self.to >= level || self.to >= self.amount {
            return None;
        }
        // From here on it is at least one less than `level`, for the way down is rounded down too.
        let fall = u128::from(self.amount - (level - 1)) * u128::from(self.over.as_nanos());
        let gone = fall.div_ceil(u128::from(self.amount - self.to)) as u64;
        Some((self.from + SimDuration::from_nanos(gone)).max(from))
    }

    /// Amount times nanoseconds over [a, b), no more than `cap` counting at any instant.
    fn total(&self, a: SimDuration, b: SimDuration, cap: u64) -> u128 {
        let bend = (self.from + self.over).max(a).min(b);
        let crossing =
            if self.to >= self.amount { self.reaches(cap, a) } else { self.falls_below(cap, a) };
        let crossing = crossing.unwrap_or(bend).max(a).min(bend);
        let spans = [(a, crossing), (crossing, bend), (bend, b)];
        let even = |(a, b): (SimDuration, SimDuration)| {
            let ends = u128::from(self.at(a).min(cap)) + u128::from(self.at(b).min(cap));
            ends * u128::from((b - a).as_nanos()) / 2
        };
        spans.into_iter().map(even).sum()
    }
}

/// An amount over the life of a container, from its start on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Course {
    /// Never empty; the first begins at zero.
    pieces: Arc<[Piece]>,
    /// Begins anew each time so long has passed.
    cycle: Option<SimDuration>,
}

/// What lies between the points of a course.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// Each amount holds up to the next point.
    Steps,
    /// A straight line.
    Lines,
}

/// By how much an amount grows, and how far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Growth {
    /// By so much ..
    pub by: u64,
    /// .. in each span of this length, evenly. Not zero.
    pub each: SimDuration,
    /// The amount it stops at; `None`: never.
    pub up_to: Option<u64>,
}

impl Default for Course {
    fn default() -> Course {
        Course::constant(0)
    }
}

impl Course {
    /// Always the same.
    pub fn constant(amount: u64) -> Course {
        let amount = amount.min(AMOUNT_MAX);
        Course { pieces: [Piece::flat(SimDuration::ZERO, amount)].into(), cycle: None }
    }

    /// Its pieces, in order: when each begins, the amount there, the amount it goes evenly to, and how long that
    /// takes.
    pub fn pieces(&self) -> impl Iterator<Item = (SimDuration, u64, u64, SimDuration)> {
        self.pieces.iter().map(|piece| (piece.from, piece.amount, piece.to, piece.over))
    }

    /// After how long it begins anew, if it does.
    pub fn cycle(&self) -> Option<SimDuration> {
        self.cycle
    }

    /// A course through points (since the start, amount), the first at zero or holding from there; each
    /// later than the one before. With a cycle it begins anew whenever that is over.
    ///
    /// # Errors
    /// What is wrong with the points, in words.
    pub fn through(
        points: &[(SimDuration, u64)],
        between: Between,
        cycle: Option<SimDuration>,
    ) -> Result<Course, &'static str> {
        let Some(&(first, _)) = points.first() else { return Err("there must be a point") };
        if points.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("each point must be later than the one before");
        }
        if points.iter().any(|(_, amount)| *amount > AMOUNT_MAX) {
            return Err("the amount is too large");
        }
        if cycle
            .is_some_and(|cycle| cycle.is_zero() || points.last().is_some_and(|it| it.0 > cycle))
        {
            return Err("it must not begin anew before its last point");
        }
        let mut pieces = Vec::with_capacity(points.len() + 1);
        if !first.is_zero() {
            pieces.push(Piece::flat(SimDuration::ZERO, points[0].1));
        }
        for (at, &(from, amount)) in points.iter().enumerate() {
            let piece = match (between, points.get(at + 1)) {
                (Between::Lines, Some(&(next, to))) => {
                    Piece { from, amount, to, over: next - from }
                }
                _ => Piece::flat(from, amount),
            };
            pieces.push(piece);
        }
        Ok(Course { pieces: pieces.into(), cycle })
    }

    /// An amount that grows from the start on.
    pub fn growing(start: u64, growth: Growth) -> Course {
        let start = start.min(AMOUNT_MAX);
        let end = growth.up_to.unwrap_or(AMOUNT_MAX).clamp(start, AMOUNT_MAX);
        if growth.by == 0 || end == start {
            return Course::constant(start);
        }
        let nanos = u128::from(end - start) * u128::from(growth.each.as_nanos());
        let over = u64::try_from(nanos / u128::from(growth.by));
        let (to, over) = match over {
            Ok(over) => (end, over.max(1)),
            // It does not get there before the end of time.
            Err(_) => {
                let each = growth.each.as_nanos();
                let times = (1_u64 << 62) / each;
                (start + (end - start).min(growth.by.saturating_mul(times)), each * times)
            }
        };
        let over = SimDuration::from_nanos(over);
        let piece = Piece { from: SimDuration::ZERO, amount: start, to, over };
        Course { pieces: [piece].into(), cycle: None }
    }

    /// Whether it is the same at all times.
    pub fn is_constant(&self) -> bool {
        self.pieces.iter().all(|it| it.amount == it.to && it.to == self.pieces[0].amount)
    }

    /// The amount so long after the start.
    pub fn at(&self, since: SimDuration) -> u64 {
        let since = self.phase(since).1;
        self.pieces[self.piece(since)].at(since)
    }

    /// Amount times nanoseconds over [from, to) since the start, no more than `cap` counting at any instant.
    pub fn total(&self, from: SimDuration, to: SimDuration, cap: u64) -> u128 {
        let (first, a) = self.phase(from);
        let (last, b) = self.phase(to.max(from));
        let Some(cycle) = self.cycle.filter(|_| first != last) else {
            return self.within(a, b, cap);
        };
        let whole = u128::from(last - first - 1);
        let around = if whole > 0 { self.within(SimDuration::ZERO, cycle, cap) * whole } else { 0 };
        self.within(a, cycle, cap) + around + self.within(SimDuration::ZERO, b, cap)
    }

    /// The first instant since the start, from `from` on, with at least `level`; `None`: it never comes.
    pub fn reaches(&self, level: u64, from: SimDuration) -> Option<SimDuration> {
        let (round, since) = self.phase(from);
        let find = |since: SimDuration| {
            let first = self.piece(since);
            self.pieces[first..].iter().enumerate().find_map(|(nth, piece)| {
                let end = self.end_of(first + nth);
                piece.reaches(level, since.max(piece.from)).filter(|at| *at < end)
            })
        };
        let begun = |round: u64| self.cycle.unwrap_or_default() * round;
        find(since).map(|at| begun(round) + at).or_else(|| {
            self.cycle?;
            find(SimDuration::ZERO).map(|at| begun(round + 1) + at)
        })
    }

    /// The largest amount from an instant on.
    pub fn peak_from(&self, since: SimDuration) -> u64 {
        let phase = self.phase(since).1;
        let first = if self.cycle.is_some() { 0 } else { self.piece(phase) };
        let later = self.pieces[first..].iter().skip(1).map(|piece| piece.amount.max(piece.to));
        let piece = &self.pieces[first];
        let from = if self.cycle.is_some() { piece.amount } else { piece.at(phase) };
        later.fold(from.max(piece.to), u64::max)
    }

    /// The first instant after `since` at which it begins to go another way; `None`: there is none.
    pub fn bends_after(&self, since: SimDuration) -> Option<SimDuration> {
        let (round, phase) = self.phase(since);
        let begun = self.cycle.unwrap_or_default() * round;
        let at = self.piece(phase);
        let piece = &self.pieces[at];
        let flat_from = piece.from + piece.over;
        if flat_from > phase {
            return Some(begun + flat_from.min(self.end_of(at)));
        }
        match self.end_of(at) {
            SimDuration::MAX => None,
            end => Some(begun + end),
        }
    }

    /// Which cycle an instant is in, and how far.
    fn phase(&self, since: SimDuration) -> (u64, SimDuration) {
        match self.cycle.map(SimDuration::as_nanos) {
            Some(cycle) => {
                let nanos = since.as_nanos();
                (nanos / cycle, SimDuration::from_nanos(nanos % cycle))
            }
            None => (0, since),
        }
    }

    fn piece(&self, since: SimDuration) -> usize {
        self.pieces.partition_point(|piece| piece.from <= since) - 1
    }

    fn end_of(&self, piece: usize) -> SimDuration {
        let next = self.pieces.get(piece + 1).map(|next| next.from);
        next.or(self.cycle).unwrap_or(SimDuration::MAX)
    }

    fn within(&self, from: SimDuration, to: SimDuration, cap: u64) -> u128 {
        if to <= from {
            return 0;
        }
        let first = self.piece(from);
        let mut total = 0;
        for (at, piece) in self.pieces.iter().enumerate().skip(first) {
            if piece.from >= to {
                break;
            }
            total += piece.total(from.max(piece.from), to.min(self.end_of(at)), cap);
        }
        total
    }
}

/// An amount of something: what is taken anyway, and what each request adds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Demand {
    /// What is taken anyway.
    pub course: Course,
    /// What a request adds: once, of processor time; else while it is inside.
    pub per_request: u64,
}

impl Demand {
    /// Always the same, whatever is asked of it.
    pub fn constant(amount: u64) -> Demand {
        Demand { course: Course::constant(amount), per_request: 0 }
    }
}

/// What a program takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Nano-cores; a request takes so many nanoseconds of one core in all.
    pub cpu: Demand,
    /// Bytes of working set; a request holds so many while it is inside.
    pub memory: Demand,
    /// Bytes written to its own layer and its logs.
    pub disk: Demand,
    /// Files in its own layer.
    pub inodes: Demand,
    /// Processes and threads.
    pub processes: Demand,
    /// Bytes written to volumes of the pod, by the volume's name.
    pub volumes: Vec<(Arc<str>, Demand)>,
}

impl Default for Usage {
    /// A program of which nothing is said: all but idle, 1m and 16Mi. (What its requests take of the
    /// processor, whoever counts requests assumes: the time of their workers.)
    fn default() -> Usage {
        Usage {
            cpu: Demand::constant(CORE / 1000),
            memory: Demand::constant(16 << 20),
            disk: Demand::default(),
            inodes: Demand::default(),
            processes: Demand::constant(1),
            volumes: Vec::new(),
        }
    }
}

/// What a container takes at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// The container, init containers counted first.
    pub container: u16,
    /// Bytes of working set.
    pub memory: u64,
    /// Bytes in its own layer and its logs.
    pub disk: u64,
    /// Files in its own layer.
    pub inodes: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// What a pod takes at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodTaken {
    /// The pod.
    pub pod: Id<Pod>,
    /// Its containers that run.
    pub containers: SmallVec<[Taken; 1]>,
    /// Bytes in its volumes, by name.
    pub volumes: Vec<(Arc<str>, u64)>,
}

/// Something of a machine that runs out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scarce {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
    /// Inodes.
    Inodes,
}

impl Usage {
    /// What it takes of something at all times as a container of this pod, each with what it does not go beyond.
    pub fn of<'u>(
        &'u self,
        what: Scarce,
        pod: &'u PodSpec,
    ) -> impl Iterator<Item = (&'u Course, u64)> {
        let own = match what {
            Scarce::Memory => &self.memory,
            Scarce::Disk => &self.disk,
            Scarce::Inodes => &self.inodes,
        };
        let volumes = self.volumes.iter().filter_map(move |(name, demand)| {
            let cap = match (what, pod.held_in_memory(name)) {
                (Scarce::Memory, Some(size)) => size,
                (Scarce::Disk, None) => u64::MAX,
                _ => return None,
            };
            Some((&demand.course, cap))
        });
        std::iter::once((&own.course, u64::MAX)).chain(volumes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(n: u64) -> SimDuration {
        SimDuration::from_secs(n)
    }

    fn steps(points: &[(u64, u64)], cycle: Option<u64>) -> Course {
        let points: Vec<_> = points.iter().map(|&(at, amount)| (secs(at), amount)).collect();
        Course::through(&points, Between::Steps, cycle.map(secs)).expect("points in order")
    }

    #[test]
    fn steps_hold_and_lines_go_evenly() {
        let course = steps(&[(10, 5), (20, 9)], None);
        assert_eq!([0, 10, 19, 20, 999].map(|at| course.at(secs(at))), [5, 5, 5, 9, 9]);
        let lines = Course::through(&[(secs(0), 0), (secs(10), 100)], Between::Lines, None);
        let lines = lines.expect("points in order");
        assert_eq!([0, 5, 10, 99].map(|at| lines.at(secs(at))), [0, 50, 100, 100]);
        assert_eq!(lines.reaches(50, secs(0)), Some(secs(5)));
        assert_eq!(lines.reaches(101, secs(0)), None);
        assert_eq!(lines.total(secs(0), secs(10), u64::MAX), 500 * 1_000_000_000);
        assert_eq!(lines.total(secs(0), secs(20), 50), (125 + 250 + 500) * 1_000_000_000);
        assert_eq!(lines.bends_after(secs(3)), Some(secs(10)));
        assert_eq!(lines.bends_after(secs(10)), None);
    }

    #[test]
    fn a_cycle_begins_anew() {
        let course = steps(&[(0, 1), (6, 7)], Some(10));
        assert_eq!([5, 6, 9, 10, 16, 25].map(|at| course.at(secs(at))), [1, 7, 7, 1, 7, 1]);
        assert_eq!(course.total(secs(8), secs(28), 5), (10 + 26 + 16) * 1_000_000_000);
        assert_eq!(course.reaches(7, secs(10)), Some(secs(16)));
        assert_eq!(course.bends_after(secs(17)), Some(secs(20)));
    }

    #[test]
    fn growth_stops_where_it_is_told_or_never() {
        let growth = Growth { by: 10, each: secs(2), up_to: Some(30) };
        let course = Course::growing(5, growth);
        assert_eq!([0, 2, 5, 6].map(|at| course.at(secs(at))), [5, 15, 30, 30]);
        let leak = Course::growing(64 << 20, Growth { by: 1 << 20, each: secs(1), up_to: None });
        assert_eq!(leak.at(secs(3600)), 3664 << 20);
        assert_eq!(leak.reaches(128 << 20, SimDuration::ZERO), Some(secs(64)));
        let slow = Course::growing(0, Growth { by: 1, each: secs(3600), up_to: None });
        assert_eq!(slow.at(secs(7200)), 2);
    }

    #[test]
    fn points_out_of_order_are_refused() {
        let points = [(secs(3), 1), (secs(3), 2)];
        assert!(Course::through(&points, Between::Steps, None).is_err());
        assert!(Course::through(&[(secs(3), 1)], Between::Steps, Some(secs(2))).is_err());
        assert!(Course::through(&[], Between::Lines, None).is_err());
    }

    fn courses(between: Between) -> impl Strategy<Value = Course> {
        let points = prop::collection::btree_map(0u64..40, 0u64..50, 1..6);
        (points, any::<bool>()).prop_map(move |(points, cycles)| {
            let points: Vec<_> =
                points.into_iter().map(|(at, it)| (SimDuration::from_nanos(at), it)).collect();
            let cycle = cycles.then(|| SimDuration::from_nanos(41));
            Course::through(&points, between, cycle).expect("points in order")
        })
    }

    proptest! {
        /// A level is reached at the first nanosecond at which the amount is so large, and not before.
        #[test]
        fn levels_are_reached_when_the_amount_says_so(course in prop_oneof![courses(Between::Steps), courses(Between::Lines)], level in 0u64..60, from in 0u64..90) {
            let at = |n| course.at(SimDuration::from_nanos(n));
            let plain = (from..from + 90).find(|&n| at(n) >= level);
            let told = course.reaches(level, SimDuration::from_nanos(from)).map(|it| it.as_nanos());
            prop_assert_eq!(told, plain);
        }

        /// The total of steps is the sum over all nanoseconds.
        #[test]
        fn totals_are_the_sum_of_all_instants(course in courses(Between::Steps), cap in 1u64..60, a in 0u64..100, b in 0u64..100) {
            let (a, b) = (a.min(b), a.max(b));
            let nanos = SimDuration::from_nanos;
            let plain: u64 = (a..b).map(|n| course.at(nanos(n)).min(cap)).sum();
            prop_assert_eq!(course.total(nanos(a), nanos(b), cap), u128::from(plain));
        }
    }
}
