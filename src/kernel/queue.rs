//! The event queue: a total order by (time, order of pushing), on integer time.
//!
//! Owns pending entries; refuses to know what they are, and to go back in time.
//!
//! A radix heap with 64-way digits. An entry lies in the bucket (level, digit) given by the highest 6-bit
//! digit in which its time differs from `last`, the latest popped instant; an entry moves only when the lowest
//! bucket is opened, and then to lower levels, so at most once a level.
//!
//! ```text
//! level 2   | .. | many | .. |        opening a bucket: last <- its least time,
//! level 1   | 3 | .. | 7 | .. |       its entries go to lower levels in the order they lie
//! level 0   | = | = | .. |            all entries of a bucket fall on one instant: pop the front
//! ```
//! First in, first out at one instant needs no sequence number: for a given `last` equal times lie in one
//! bucket, pushes append, and opening a bucket keeps the order. Entries live in fixed blocks of one
//! pool, so memory is flat at its peak and a clone copies a few vectors.
use crate::base::hash::{GOLDEN, avalanche};
use crate::time::SimTime;

mod pool;

use pool::{Bucket, Entry, Pool};

const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// Who comes first among entries of one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// First in, first out: the law of a run.
    #[default]
    Fifo,
    /// Drawn from this seed: for tests that look for hidden dependence on same-instant order.
    Shuffled(u64),
}

/// Pending entries in the order of (time, pushing). An entry (time and event) is at most 32 bytes.
#[derive(Clone, Debug)]
pub struct EventQueue<E: Copy> {
    /// The latest popped instant; nothing may be pushed before it.
    last: u64,
    len: usize,
    /// Bit `l`: level `l` has entries.
    levels: u16,
    /// Bit `d` of word `l`: bucket (l, d) has entries.
    digits: [u64; LEVELS],
    buckets: Vec<Bucket>,
    pool: Pool<E>,
    order: Order,
    /// Pops so far: the counter of the shuffle.
    pops: u64,
}

impl<E: Copy> EventQueue<E> {
    const ENTRY_IS_SMALL: () =
        assert!(size_of::<Entry<E>>() <= 32, "a queued event must not exceed 32 bytes");

    /// An empty queue at time zero.
    pub fn new(order: Order) -> Self {
        let () = Self::ENTRY_IS_SMALL;
        Self {
            last: 0,
            len: 0,
            levels: 0,
            digits: [0; LEVELS],
            buckets: vec![Bucket::EMPTY; LEVELS * DIGITS],
            pool: Pool::new(),
            order,
            pops: 0,
        }
    }

    /// Entries waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues `event` for `at`, behind all that is queued for the same instant.
    ///
    /// # Panics
    /// If `at` is before the latest popped instant.
    #[inline]
    pub fn push(&mut self, at: SimTime, event: E) {
        let at = at.as_nanos();
        assert!(at >= self.last, "an event may not be queued before the latest popped instant");
        self.len += 1;
        self.place(Entry { at, event });
    }

    /// The instant of the next entry. Changes nothing.
    #[inline]
    pub fn peek_time(&self) -> Option<SimTime> {
        let (level, digit) = self.lowest()?;
        Some(SimTime::from_nanos(self.buckets[level * DIGITS + digit].least()))
    }

    /// Takes out the next entry.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        loop {
            let (level, digit) = self.lowest()?;
            let bucket = &mut self.buckets[level * DIGITS + digit];
            if level > 0 && !bucket.holds_one() {
                self.open(level, digit);
                continue;
            }
            self.pops += 1;
            if let Order::Shuffled(seed) = self.order {
                self.pool.draw_to_front(bucket, avalanche(seed ^ self.pops.wrapping_mul(GOLDEN)));
            }
            let Entry { at, event } = self.pool.take_front(bucket);
            if bucket.is_empty() {
                self.mark_empty(level, digit);
            }
            self.last = at;
            self.len -= 1;
            return Some((SimTime::from_nanos(at), event));
        }
    }

    /// The lowest bucket with entries: it holds the least time, for its entries share more of `last` than any other's.
    #[inline]
    fn lowest(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.digits[level].trailing_zeros() as usize))
    }

    #[inline]
    fn place(&mut self, entry: Entry<E>) {
        // `| 1` makes equal times differ in the lowest digit: they belong to level 0.
        let differs_at = u64::BITS - 1 - ((entry.at ^ self.last) | 1).leading_zeros();
        let level = (differs_at / DIGIT_BITS) as usize;
        let digit = (entry.at >> (level as u32 * DIGIT_BITS)) as usize % DIGITS;
        self.levels |= 1 << level;
        self.digits[level] |= 1 << digit;
        self.pool.append(&mut self.buckets[level * DIGITS + digit], entry);
    }

    /// Moves `last` to the least time of a bucket and its entries, in order, to lower levels (all empty until now).
    fn open(&mut self, level: usize, digit: usize) {
        let mut bucket =
            std::mem::replace(&mut self.buckets[level * DIGITS + digit], Bucket::EMPTY);
        self.mark_empty(level, digit);
        self.last = bucket.least();
        while let Some((entries, count)) = self.pool.take_block(&mut bucket) {
            for entry in &entries[..count] {
                self.place(*entry);
            }
        }
    }

    #[inline]
    fn mark_empty(&mut self, level: usize, digit: usize) {
        self.digits[level] &= !(1 << digit);
        if self.digits[level] == 0 {
            self.levels &= !(1 << level);
        }
    }
}

#[cfg(test)]
mod tests;
