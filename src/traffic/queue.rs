//! What is due in the lane: a total order by (time, order of pushing).
//!
//! Owns pending entries of 16 bytes. Most of them lie so far ahead as a link takes, the same for all: such
//! entries come out in the order they went in, so they need no sorting and wait in a line of their own.
//!
//! ```text
//! push ahead of all in its line --> line of its kind (first in, first out) --\
//! any other push -----------------> radix heap of the kernel ---------------- > the earliest of the fronts
//! ```
//! At one instant lines come before the heap, each in its own order: what is due first depends on what
//! was pushed alone, never on when somebody looked.
use std::collections::VecDeque;

use crate::kernel::{EventQueue, Order};
use crate::time::SimTime;

/// Something due in the lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hop {
    /// A client sends its next request.
    Send(u32),
    /// A request arrives at its pod.
    Arrive(u32),
    /// A pod has done a request's work.
    Done(u32),
    /// Its client hears what became of a request.
    Answer(u32),
    /// Its client gives a request up.
    GiveUp(u32),
    /// Work of requests may be done on a node that holds requests up.
    Work(u32),
    /// A node that holds requests up is looked at anew.
    Look(u32),
}

const _: () = assert!(size_of::<(u64, Hop)>() <= 24, "an entry of the lane is at most 24 bytes");

/// Lines, by kind of hop: arrivals and answers.
const LINES: usize = 2;

/// The lane's entries.
#[derive(Clone, Debug)]
pub struct LaneQueue {
    heap: EventQueue<Hop>,
    lines: [VecDeque<(SimTime, Hop)>; LINES],
    /// When the front of each line is due; never, where it is empty.
    fronts: [SimTime; LINES],
    order: Order,
}

impl LaneQueue {
    /// An empty queue. A shuffled order is for tests: then nothing waits in lines.
    pub fn new(order: Order) -> LaneQueue {
        LaneQueue {
            heap: EventQueue::new(order),
            lines: Default::default(),
            fronts: [SimTime::MAX; LINES],
            order,
        }
    }

    /// Queues `hop` for `at`; [`SimTime::MAX`] is never: nothing is queued.
    #[inline]
    pub fn push(&mut self, at: SimTime, hop: Hop) {
        let line = match hop {
            Hop::Arrive(_) => 0,
            Hop::Answer(_) => 1,
            _ => return self.sort_in(at, hop),
        };
        let fits = self.lines[line].back().is_none_or(|&(last, _)| last <= at);
        if !fits || self.order != Order::Fifo || at == SimTime::MAX {
            return self.sort_in(at, hop);
        }
        self.fronts[line] = self.fronts[line].min(at);
        self.lines[line].push_back((at, hop));
    }

    #[inline]
    fn sort_in(&mut self, at: SimTime, hop: Hop) {
        if at != SimTime::MAX {
            self.heap.push(at, hop);
        }
    }

    /// When the next entry is due; never, if there is none.
    #[inline]
    pub fn next_at(&self) -> SimTime {
        let heap = self.heap.peek_time().unwrap_or(SimTime::MAX);
        heap.min(self.fronts[0]).min(self.fronts[1])
    }

    /// Takes out the next entry, which is due at `at`, what [`LaneQueue::next_at`] told.
    #[inline]
    pub fn pop(&mut self, at: SimTime) -> Option<Hop> {
        for line in 0..LINES {
            if self.fronts[line] == at {
                let (_, hop) = self.lines[line].pop_front()?;
                self.fronts[line] = self.lines[line].front().map_or(SimTime::MAX, |&(at, _)| at);
                return Some(hop);
            }
        }
        self.heap.pop().map(|(_, hop)| hop)
    }
}
