//! A memory of bounded size: what was used longest ago is forgotten first.

use std::collections::VecDeque;
use std::hash::Hash;

use crate::base::FastMap;

/// Entries that client-go's caches hold (`maxLruCacheEntries`, tools/record/events_cache.go, 1.36).
const ENTRIES_MAX: usize = 4096;

/// The 4096 entries used last.
#[derive(Clone, Debug)]
pub struct Lru<K, V> {
    entries: FastMap<K, (u64, V)>,
    uses: VecDeque<(u64, K)>,
    count: u64,
}

impl<K, V> Default for Lru<K, V> {
    fn default() -> Lru<K, V> {
        Lru { entries: FastMap::default(), uses: VecDeque::new(), count: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Lru<K, V> {
    /// The entry at `key`, made if there is none, and whatever `work` does with it.
    pub fn with<T>(&mut self, key: K, work: impl FnOnce(&mut V) -> T) -> T {
        self.count += 1;
        let (used, value) = self.entries.entry(key).or_default();
        *used = self.count;
        let done = work(value);
        self.uses.push_back((self.count, key));
        self.forget_oldest();
        done
    }

    fn forget_oldest(&mut self) {
        let is_current = |entries: &FastMap<K, (u64, V)>, (used, key): &(u64, K)| {
            entries.get(key).is_some_and(|(latest, _)| latest == used)
        };
        while self.entries.len() > ENTRIES_MAX {
            let Some(oldest) = self.uses.pop_front() else { return };
            if is_current(&self.entries, &oldest) {
                self.entries.remove(&oldest.1);
            }
        }
        if self.uses.len() > 4 * ENTRIES_MAX {
            let entries = &self.entries;
            self.uses.retain(|one| is_current(entries, one));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_used_last_are_remembered() {
        let mut seen: Lru<u64, u64> = Lru::default();
        let mut times = |key| {
            seen.with(key, |count| {
                *count += 1;
                *count
            })
        };
        for other in 0..ENTRIES_MAX as u64 * 3 {
            times(100 + other);
            assert_eq!(times(1), other + 1, "it is used all along");
        }
        for other in 0..ENTRIES_MAX as u64 {
            times(1 << 40 | other);
        }
        assert_eq!(times(1), 1, "it was forgotten");
        assert!(seen.uses.len() <= 4 * ENTRIES_MAX && seen.entries.len() <= ENTRIES_MAX);
    }
}
