//! How long a DaemonSet's failed pod is left before another takes its place: 1 s, doubling to 15
//! min, counted for each node and generation (`failedPodsBackoff`, kube-controller-manager 1.36).

use std::collections::BTreeMap;

use crate::api::meta::Uid;
use crate::api::node::Node;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

const FIRST: SimDuration = SimDuration::from_secs(1);
const LONGEST: SimDuration = SimDuration::from_secs(15 * 60);
/// What did not happen for so long is forgotten.
const FORGOTTEN: SimDuration = SimDuration::from_secs(30 * 60);

/// Which pods wait together: those of a DaemonSet's generation on a node.
pub type Key = (Uid, u32, Id<Node>);

#[derive(Clone, Copy, Debug)]
struct Row {
    wait: SimDuration,
    updated: SimTime,
}

/// The back-offs of one controller.
#[derive(Clone, Debug, Default)]
pub struct Backoffs {
    rows: BTreeMap<Key, Row>,
}

impl Backoffs {
    /// How long it still is until a failed pod may go; `None`: it goes now, and the next one waits
    /// twice as long.
    pub fn ask(&mut self, key: Key, now: SimTime) -> Option<SimDuration> {
        let live = |row: &Row| now.saturating_since(row.updated) <= FORGOTTEN;
        let held = self.rows.get(&key).copied().filter(live);
        if let Some(row) = held
            && now.saturating_since(row.updated) < row.wait
        {
            return Some(row.wait);
        }
        if held.is_none() {
            self.rows.retain(|_, row| live(row));
        }
        let wait = held.map_or(FIRST, |row| (row.wait * 2).min(LONGEST));
        self.rows.insert(key, Row { wait, updated: now });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_pod_waits_twice_as_long_as_the_one_before() {
        let mut backoffs = Backoffs::default();
        let key = (Uid(1), 1, Id::from_parts(0, 0));
        let secs = SimTime::from_secs;
        assert_eq!(backoffs.ask(key, secs(10)), None);
        assert_eq!(backoffs.ask(key, secs(10)), Some(FIRST));
        assert_eq!(backoffs.ask(key, secs(11)), None);
        assert_eq!(backoffs.ask(key, secs(12)), Some(FIRST * 2));
        assert_eq!(backoffs.ask((Uid(1), 2, key.2), secs(12)), None, "another generation");
        assert_eq!(backoffs.ask(key, secs(13)), None);
        assert_eq!(backoffs.ask(key, secs(13 + 1801)), None);
        assert_eq!(backoffs.ask(key, secs(13 + 1801)), Some(FIRST), "it was forgotten");
    }
}
