//! Typed slot ids: a small integer that names a row of one arena and cannot be mistaken for another arena's.
//!
//! Owns the pair (slot, generation); refuses to know where the row lives.
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Names a row of an arena of `T`: the slot, and the generation that tells a reused slot from its former tenant.
///
/// Eight bytes and `Copy` whatever `T` is. Ordered by slot, then generation. Ids follow the history of
/// inserts and removals, so they enter neither digests nor keyed draws.
pub struct Id<T> {
    slot: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The id of `slot` in its `generation`.
    #[inline]
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self { slot, generation, of: PhantomData }
    }

    /// The row number, for columns kept beside the arena.
    #[inline]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// How often the slot had been vacated before this id was handed out.
    #[inline]
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

// Written by hand: derives would ask the same of `T`.
impl<T> Clone for Id<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.generation == other.generation
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (self.slot, self.generation).cmp(&(other.slot, other.generation))
    }
}

impl<T> Hash for Id<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64((u64::from(self.generation) << 32) | u64::from(self.slot));
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.slot, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row;

    #[test]
    fn is_eight_bytes_and_ordered_by_slot_then_generation() {
        assert_eq!(size_of::<Id<[u64; 9]>>(), 8);
        let mut ids: Vec<Id<Row>> =
            vec![Id::from_parts(2, 0), Id::from_parts(1, 7), Id::from_parts(1, 3)];
        ids.sort();
        assert_eq!(format!("{ids:?}"), "[1v3, 1v7, 2v0]");
        assert_ne!(ids[0], ids[1]);
    }
}
