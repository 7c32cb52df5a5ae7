//! A value for each id, found by the id's slot.
//!
//! Whoever keeps something of objects may hear late that one is gone, when its slot has another one already:
//! each keeps its own value. Refuses to know what ids stand for.

use std::collections::BTreeMap;

use super::chunks::Chunked;
use super::id::Id;

/// Values by id.
#[derive(Clone, Debug)]
pub struct BySlot<K, V> {
    /// By slot: the generation of the latest id, and its value.
    latest: Chunked<Option<(u32, V)>>,
    /// Of ids whose slot has a later one by now: few, and not for long.
    former: BTreeMap<Id<K>, V>,
}

impl<K, V: Copy> Default for BySlot<K, V> {
    fn default() -> BySlot<K, V> {
        BySlot { latest: Chunked::new(), former: BTreeMap::new() }
    }
}

impl<K, V: Copy> BySlot<K, V> {
    /// The value of `id`.
    pub fn get(&self, id: Id<K>) -> Option<V> {
        match *self.latest.get(id.slot())? {
            Some((generation, value)) if generation == id.generation() => Some(value),
            _ if self.former.is_empty() => None,
            _ => self.former.get(&id).copied(),
        }
    }

    /// Gives `id` its value.
    pub fn set(&mut self, id: Id<K>, value: V) {
        while self.latest.len() <= id.slot() {
            self.latest.push(None);
        }
        self.former.remove(&id);
        let held = self.latest[id.slot()].replace((id.generation(), value));
        if let Some((generation, other)) = held.filter(|held| held.0 != id.generation()) {
            self.former.insert(Id::from_parts(id.slot() as u32, generation), other);
        }
    }

    /// Takes the value of `id` away; any other id's stays.
    pub fn remove(&mut self, id: Id<K>) {
        let generation = self.latest.get(id.slot()).and_then(|held| held.map(|held| held.0));
        if generation == Some(id.generation()) {
            self.latest[id.slot()] = None;
        } else {
            self.former.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_each_other_in_a_slot_keep_their_own_values() {
        let id = |generation| -> Id<()> { Id::from_parts(2, generation) };
        let mut values = BySlot::default();
        values.set(id(0), 'a');
        values.set(id(1), 'b');
        assert_eq!([values.get(id(0)), values.get(id(1))], [Some('a'), Some('b')]);
        values.remove(id(0));
        assert_eq!([values.get(id(0)), values.get(id(1))], [None, Some('b')]);
        values.set(id(2), 'c');
        values.remove(id(2));
        assert_eq!([values.get(id(1)), values.get(id(2))], [Some('b'), None]);
    }
}
