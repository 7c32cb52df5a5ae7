//! What changed in a snapshot, in order, for those who keep sums and columns of it.
//!
//! A reader remembers how far it read. The log keeps the latest entries only: who reads seldom
//! starts anew. A copy of a snapshot has an empty log, so that copies stay cheap.

use super::resident::Standing;
use super::shape::PodShape;

/// So many entries are kept at least, if there were that many.
const KEPT: usize = 1 << 14;

/// Whether a pod came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It came.
    In,
    /// It went.
    Out,
}

/// A change of one row.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The node object, or whether it is known.
    Node,
    /// How many nodes have its images, or who is promised it: what no sum is made of.
    Offer,
    /// A pod on it.
    Pod {
        /// What it shares with its siblings.
        shape: PodShape,
        /// Whether it is on its way out.
        standing: Standing,
        /// Whether it came or went.
        step: Step,
    },
}

/// An entry: the slot of a node, and what changed there.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The slot.
    pub slot: u32,
    /// What changed.
    pub change: Change,
}

/// The latest changes.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The number of the first entry kept.
    first: u64,
    entries: Vec<Entry>,
}

impl Clone for Log {
    fn clone(&self) -> Log {
        Log { first: self.end(), entries: Vec::new() }
    }
}

impl Log {
    /// The number of the next entry.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Notes a change.
    pub fn push(&mut self, slot: usize, change: Change) {
        if self.entries.len() >= 2 * KEPT {
            self.entries.drain(..KEPT);
            self.first += KEPT as u64;
        }
        self.entries.push(Entry { slot: slot as u32, change });
    }

    /// Forgets all entries, and counts on beyond what any reader has read.
    pub fn forget(&mut self) {
        self.first = self.end() + 1;
        self.entries.clear();
    }

    /// The entries from number `from` on; `None` where some of them are no longer kept.
    pub fn since(&self, from: u64) -> Option<&[Entry]> {
        let skip = from.checked_sub(self.first)?;
        self.entries.get(usize::try_from(skip).ok()?..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_too_late_is_told() {
        let mut log = Log::default();
        let late = log.end();
        for slot in 0..3 * KEPT {
            log.push(slot, Change::Node);
        }
        assert!(log.since(late).is_none());
        let lately = log.end() - 5;
        let slots: Vec<u32> =
            log.since(lately).into_iter().flatten().map(|entry| entry.slot).collect();
        assert_eq!(slots.len(), 5);
        assert_eq!(slots[4] as usize, 3 * KEPT - 1);
        log.forget();
        assert!(log.since(lately).is_none());
        assert!(log.since(log.end()).is_some_and(<[Entry]>::is_empty));
    }
}
