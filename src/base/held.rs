//! What was worked out of shared things, by their addresses.
//!
//! Owns a map whose values keep the things alive that its keys are addresses of, so that an address
//! stays theirs; and lets go of what nobody else holds any more. A look through all of it is made
//! only when it has doubled since the last one, so that each entry pays for a constant number of looks.

use std::hash::Hash;

use super::FastMap;

/// Entries kept at most before those nobody uses are looked for.
const KEPT: usize = 4096;

/// Values by the addresses of what they came of.
#[derive(Clone, Debug)]
pub struct Held<K, V> {
    entries: FastMap<K, V>,
    limit: usize,
}

impl<K, V> Default for Held<K, V> {
    fn default() -> Held<K, V> {
        Held { entries: FastMap::default(), limit: KEPT }
    }
}

impl<K: Eq + Hash, V> Held<K, V> {
    /// What is held under `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// Holds `value`, and lets go of others that are not `in_use` if there are many.
    pub fn insert(&mut self, key: K, value: V, in_use: impl Fn(&V) -> bool) {
        if self.entries.len() >= self.limit {
            self.entries.retain(|_, value| in_use(value));
            self.limit = KEPT.max(2 * self.entries.len());
        }
        self.entries.insert(key, value);
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        *self = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;

    #[test]
    fn what_nobody_uses_is_let_go_of_and_looked_for_seldom() {
        let (mut held, looks) = (Held::default(), Cell::new(0_usize));
        let in_use = |value: &Arc<usize>| {
            looks.set(looks.get() + 1);
            Arc::strong_count(value) > 1
        };
        let used: Vec<Arc<usize>> = (0..3 * KEPT).map(Arc::new).collect();
        for value in &used {
            held.insert(**value, value.clone(), in_use);
        }
        assert!(used.iter().all(|value| held.get(value).is_some()));
        for number in used.len()..20 * KEPT {
            held.insert(number, Arc::new(number), in_use);
        }
        assert!(used.iter().all(|value| held.get(value).is_some()));
        assert!(held.entries.len() <= 2 * (used.len() + KEPT), "{}", held.entries.len());
        assert!(looks.get() < 4 * 20 * KEPT, "{} looks", looks.get());
    }
}
