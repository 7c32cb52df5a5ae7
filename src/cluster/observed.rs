//! What the world keeps of every change at the instant it is written, for whoever looks at it from
//! outside.
//!
//! Owns the world's own watches, and what they tell: how many pods are in which state, what the latest
//! step wrote, and since when the cluster has been as desired. No component reads any of it.

use std::ops::Range;

use super::census::Census;
use super::convergence::Convergence;
use super::touched::{Touched, touch};
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::node::kube_proxy::SliceChange;
use crate::store::{CursorId, Store, TABLES, TableKind};
use crate::time::SimTime;

/// What is known of the store without asking it.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    cursors: [CursorId; TABLES.len()],
    census: Census,
    convergence: Convergence,
    /// Since when the cluster has been as desired.
    converged_since: Option<SimTime>,
    /// Whether something changed that convergence may depend on.
    is_in_doubt: bool,
    touched: Vec<Touched>,
}

impl Observed {
    /// Watches a store from now on.
    pub(super) fn new(store: &mut Store) -> Observed {
        Observed {
            cursors: TABLES.map(|table| store.open(table)),
            census: Census::default(),
            convergence: Convergence::default(),
            converged_since: None,
            is_in_doubt: true,
            touched: Vec::new(),
        }
    }

    /// The cursor that sees a table as it is.
    pub(super) fn cursor(&self, table: TableKind) -> CursorId {
        self.cursors[table as usize]
    }

    pub(super) fn census(&self) -> &Census {
        &self.census
    }

    /// What the latest step wrote.
    pub(super) fn touched(&self) -> &[Touched] {
        &self.touched
    }

    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        self.touched.clear();
    }

    /// The changes of a table that have not been followed, from now on with the fact they came from.
    pub(super) fn next(
        &mut self,
        store: &mut Store,
        table: TableKind,
        cause: u64,
    ) -> Option<Range<u64>> {
        let (cursor, end) = (self.cursor(table), store.log_end(table));
        if store.next(table, cursor) == end {
            return None;
        }
        let range = store.advance(table, cursor, end);
        store.attribute(table, range.clone(), cause);
        Some(range)
    }

    /// Whether no table has a change that was not followed.
    pub(super) fn has_followed(&self, store: &Store) -> bool {
        TABLES.iter().all(|&it| store.next(it, self.cursor(it)) == store.log_end(it))
    }

    /// Takes note of changes.
    pub(super) fn follow(
        &mut self,
        store: &Store,
        table: TableKind,
        range: Range<u64>,
        cause: u64,
    ) {
        touch(&mut self.touched, store, table, range.clone(), cause);
        let convergence = &mut self.convergence;
        match table {
            TableKind::Pod => {
                for change in store.table::<Pod>().changes(range) {
                    self.census.pod(&change);
                    convergence.pod(&change);
                }
            }
            TableKind::ReplicaSet => {
                store.table().changes(range).for_each(|change| convergence.replica_set(&change));
            }
            TableKind::Deployment => {
                store.table().changes(range).for_each(|change| convergence.deployment(&change));
            }
            TableKind::StatefulSet => {
                store.table().changes(range).for_each(|change| convergence.stateful_set(&change));
            }
            TableKind::DaemonSet => {
                store.table().changes(range).for_each(|change| convergence.daemon_set(&change));
            }
            TableKind::Job => {
                store.table().changes(range).for_each(|change| convergence.job(&change));
            }
            TableKind::Service => {
                store.table().changes(range).for_each(|change| convergence.service(&change));
            }
            TableKind::EndpointSlice => {
                store.table().changes(range).for_each(|change| convergence.slice(&change));
            }
            TableKind::Node
            | TableKind::Endpoints
            | TableKind::Namespace
            | TableKind::Lease
            | TableKind::PriorityClass
            | TableKind::PodDisruptionBudget
            | TableKind::HorizontalPodAutoscaler
            | TableKind::ControllerRevision
            | TableKind::CronJob
            | TableKind::PersistentVolume
            | TableKind::PersistentVolumeClaim
            | TableKind::StorageClass
            | TableKind::CsiNode
            | TableKind::LimitRange
            | TableKind::ResourceQuota
            | TableKind::Other => return,
        }
        self.doubt();
    }

    /// Something that is no change of an object may decide whether the cluster is as desired.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// Whether it is to be worked out anew if the cluster is as desired; asked once.
    pub(super) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.is_in_doubt)
    }

    /// Since when the cluster has been as desired; none: it is not.
    pub(super) fn converged_since(&self) -> Option<SimTime> {
        self.converged_since
    }

    /// Whether all objects are as desired; `gone` tells pods whose node is gone.
    pub(super) fn is_settled(&self, gone: impl Fn(Id<Pod>) -> bool) -> bool {
        self.convergence.is_settled(gone)
    }

    /// The cluster is not as desired.
    pub(super) fn unsettle(&mut self) {
        self.converged_since = None;
    }

    /// All objects are as desired `now`; the cluster is, once all proxies have programmed them.
    pub(super) fn settle(&mut self, now: SimTime, all_programmed: impl Fn(SliceChange) -> SimTime) {
        let programmed = self.convergence.programmed_at(all_programmed);
        self.converged_since.get_or_insert(now.max(programmed));
    }
}
