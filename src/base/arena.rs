//! Rows with typed ids: slots are reused under a new generation, so memory stays flat under churn.
//!
//! Owns slots and their generations; refuses to know what a row is or who else points at it.
use super::{Chunked, Id};

/// Marks the end of the chain of vacant slots.
const NO_SLOT: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    state: State<T>,
}

#[derive(Clone, Debug)]
enum State<T> {
    Full(T),
    Vacant { next: u32 },
}

/// Rows of `T` named by [`Id`]. The slot vacated last is reused first, so which id comes next depends
/// on the order of inserts and removals alone.
///
/// A generation counts the removals of its slot and wraps after 2^32 of them.
#[derive(Clone, Debug)]
pub struct Arena<T: Clone> {
    slots: Chunked<Slot<T>>,
    vacant: u32,
    len: usize,
}

impl<T: Clone> Arena<T> {
    /// An empty arena; allocates nothing.
    pub const fn new() -> Self {
        Self { slots: Chunked::new(), vacant: NO_SLOT, len: 0 }
    }

    /// Live rows.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no live rows.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots ever made: one more than the greatest [`Id::slot`] handed out; the length of a column kept beside the arena.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Takes `row` in and names it.
    ///
    /// # Panics
    /// Beyond 2^32 - 1 slots, more than any plan's limits allow.
    pub fn insert(&mut self, row: T) -> Id<T> {
        self.insert_with(|_| row)
    }

    /// Takes in the row that `make` builds from its own id.
    ///
    /// # Panics
    /// As [`Arena::insert`].
    pub fn insert_with(&mut self, make: impl FnOnce(Id<T>) -> T) -> Id<T> {
        self.len += 1;
        let index = self.vacant;
        if index == NO_SLOT {
            let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 slots");
            assert_ne!(slot, NO_SLOT, "fewer than 2^32 - 1 slots");
            let id = Id::from_parts(slot, 0);
            self.slots.push(Slot { generation: 0, state: State::Full(make(id)) });
            return id;
        }
        let slot = &mut self.slots[index as usize];
        let State::Vacant { next } = slot.state else {
            unreachable!("the chain of vacant slots holds vacant slots only")
        };
        let id = Id::from_parts(index, slot.generation);
        slot.state = State::Full(make(id));
        self.vacant = next;
        id
    }

    /// Removes the row and gives it back; `None` if `id` is stale.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        // Looked at before written: a stale id must not copy a shared chunk.
        self.get(id)?;
        let slot = &mut self.slots[id.slot()];
        slot.generation = slot.generation.wrapping_add(1);
        let was = std::mem::replace(&mut slot.state, State::Vacant { next: self.vacant });
        self.vacant = u32::try_from(id.slot()).expect("slots are numbered in 32 bits");
        self.len -= 1;
        match was {
            State::Full(row) => Some(row),
            State::Vacant { .. } => unreachable!("a live id names a full slot"),
        }
    }

    /// The row, or `None` if `id` is stale.
    #[inline]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        match self.slots.get(id.slot()) {
            Some(Slot { generation, state: State::Full(row) })
                if *generation == id.generation() =>
            {
                Some(row)
            }
            _ => None,
        }
    }

    /// The row for writing, or `None` if `id` is stale.
    #[inline]
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        match self.slots.get_mut(id.slot()) {
            Some(Slot { generation, state: State::Full(row) })
                if *generation == id.generation() =>
            {
                Some(row)
            }
            _ => None,
        }
    }

    /// The live row at a slot number, with its id.
    pub fn at_slot(&self, slot: usize) -> Option<(Id<T>, &T)> {
        match self.slots.get(slot)? {
            Slot { generation, state: State::Full(row) } => {
                let slot = u32::try_from(slot).expect("slots are numbered in 32 bits");
                Some((Id::from_parts(slot, *generation), row))
            }
            Slot { state: State::Vacant { .. }, .. } => None,
        }
    }

    /// Live rows in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..).zip(self.slots.iter()).filter_map(|(number, slot)| match &slot.state {
            State::Full(row) => Some((Id::from_parts(number, slot.generation), row)),
            State::Vacant { .. } => None,
        })
    }
}

impl<T: Clone> Default for Arena<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> std::ops::Index<Id<T>> for Arena<T> {
    type Output = T;

    /// The row of a live id.
    ///
    /// # Panics
    /// If `id` is stale: holding on to it was a bug of ours.
    #[inline]
    fn index(&self, id: Id<T>) -> &T {
        self.get(id).expect("a live id")
    }
}

impl<T: Clone> std::ops::IndexMut<Id<T>> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.get_mut(id).expect("a live id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_stale_id_finds_nothing_after_its_slot_was_reused() {
        let mut arena = Arena::new();
        let first = arena.insert("a");
        assert_eq!(arena.remove(first), Some("a"));
        let second = arena.insert("b");
        assert_eq!(second.slot(), first.slot());
        assert_eq!((arena.get(first), arena.get(second)), (None, Some(&"b")));
        assert_eq!((arena.remove(first), arena.get_mut(first)), (None, None));
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn churn_keeps_the_number_of_slots() {
        let mut arena = Arena::new();
        let mut live: Vec<_> = (0..100).map(|i| arena.insert(i)).collect();
        for i in 0..10_000 {
            arena.remove(live[i % 100]);
            live[i % 100] = arena.insert(i);
        }
        assert_eq!((arena.len(), arena.slots()), (100, 100));
    }

    #[test]
    fn rows_may_hold_their_own_id() {
        let mut arena: Arena<u64> = Arena::new();
        let id = arena.insert_with(|id| id.slot() as u64 + 40);
        assert_eq!(arena[id], 40);
        arena[id] += 2;
        assert_eq!(arena.at_slot(0), Some((id, &42)));
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), any::<u16>()), 0..400)) {
            let mut arena = Arena::new();
            let mut plain: BTreeMap<usize, (Id<u16>, u16)> = BTreeMap::new();
            for (insert, value) in steps {
                if insert || plain.is_empty() {
                    let id = arena.insert(value);
                    prop_assert!(plain.insert(id.slot(), (id, value)).is_none());
                } else {
                    let key = *plain.keys().nth(usize::from(value) % plain.len()).expect("in range");
                    let (id, row) = plain.remove(&key).expect("listed");
                    prop_assert_eq!(arena.remove(id), Some(row));
                }
            }
            prop_assert_eq!(arena.len(), plain.len());
            prop_assert!(arena.iter().map(|(id, row)| (id, *row)).eq(plain.values().copied()));
        }
    }
}
