//! Which of its own writes a controller has not seen yet: it waits for them before it acts on the
//! same key again (feature gates StaleControllerConsistency.., beta and on in 1.36).
//!
//! Owns revisions by key; refuses to know what was written.

use super::Known;
use crate::api::controller_revision::ControllerRevision;
use crate::api::pod::Pod;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::store::{Rev, Stored};

/// The latest revisions written for one key, by kind.
#[derive(Clone, Copy, Debug)]
struct Latest {
    own: Rev,
    pods: Rev,
    revisions: Rev,
}

const NOTHING: Latest = Latest { own: Rev::ZERO, pods: Rev::ZERO, revisions: Rev::ZERO };

/// A kind that such a controller writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// What it keeps: a StatefulSet or DaemonSet.
    Own,
    /// A pod of it.
    Pod,
    /// A revision of it.
    Revision,
}

/// What was written and not seen yet, by key.
#[derive(Clone, Debug)]
pub struct OwnWrites<T> {
    of: FastMap<Id<T>, Latest>,
}

impl<T> Default for OwnWrites<T> {
    fn default() -> OwnWrites<T> {
        OwnWrites { of: FastMap::default() }
    }
}

impl<T: Stored> OwnWrites<T> {
    /// Something of `key` was written at `rev`.
    pub fn note(&mut self, key: Id<T>, what: Written, rev: Rev) {
        let latest = self.of.entry(key).or_insert(NOTHING);
        let held = match what {
            Written::Own => &mut latest.own,
            Written::Pod => &mut latest.pods,
            Written::Revision => &mut latest.revisions,
        };
        *held = rev.max(*held);
    }

    /// Whether all that was written of `key` was seen.
    pub fn are_seen(&mut self, key: Id<T>, known: Known<'_>) -> bool {
        let Some(latest) = self.of.get(&key) else { return true };
        let view = known.view;
        let are_seen = latest.own <= view.seen::<T>()
            && latest.pods <= view.seen::<Pod>()
            && latest.revisions <= view.seen::<ControllerRevision>();
        if are_seen {
            self.of.remove(&key);
        }
        are_seen
    }

    /// `key` is gone.
    pub fn forget(&mut self, key: Id<T>) {
        self.of.remove(&key);
    }
}
