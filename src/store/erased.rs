//! Moving cursors where the kind is a value and not a type: for whoever delivers watches.

use std::ops::Range;

use super::cursor::{TABLES, TableKind};
use super::table::{CursorId, Table};
use super::{Store, Stored};
use crate::api::meta::{RawId, Uid};
use crate::base::id::Id;
use crate::time::SimTime;

/// What the delivery of one change depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChangeKey {
    /// When it was committed.
    pub at: SimTime,
    /// The object's uid.
    pub uid: Uid,
    /// Which version of the object it made.
    pub nth: u32,
}

macro_rules! on_table {
    ($kind:expr, $store:ident, [$($borrow:tt)+], $table:ident => $body:expr) => {
        match $kind {
            TableKind::Pod => {
                let $table = $($borrow)+ $store.pods;
                $body
            }
            TableKind::Node => {
                let $table = $($borrow)+ $store.nodes;
                $body
            }
            TableKind::Namespace => {
                let $table = $($borrow)+ $store.namespaces;
                $body
            }
            TableKind::ReplicaSet => {
                let $table = $($borrow)+ $store.replica_sets;
                $body
            }
            TableKind::Deployment => {
                let $table = $($borrow)+ $store.deployments;
                $body
            }
            TableKind::Service => {
                let $table = $($borrow)+ $store.services;
                $body
            }
            TableKind::EndpointSlice => {
                let $table = $($borrow)+ $store.endpoint_slices;
                $body
            }
            TableKind::Endpoints => {
                let $table = $($borrow)+ $store.endpoints;
                $body
            }
            TableKind::Lease => {
                let $table = $($borrow)+ $store.leases;
                $body
            }
            TableKind::PriorityClass => {
                let $table = $($borrow)+ $store.priority_classes;
                $body
            }
            TableKind::PodDisruptionBudget => {
                let $table = $($borrow)+ $store.budgets;
                $body
            }
            TableKind::HorizontalPodAutoscaler => {
                let $table = $($borrow)+ $store.autoscalers;
                $body
            }
            TableKind::StatefulSet => {
                let $table = $($borrow)+ $store.stateful_sets;
                $body
            }
            TableKind::DaemonSet => {
                let $table = $($borrow)+ $store.daemon_sets;
                $body
            }
            TableKind::ControllerRevision => {
                let $table = $($borrow)+ $store.controller_revisions;
                $body
            }
            TableKind::Job => {
                let $table = $($borrow)+ $store.jobs;
                $body
            }
            TableKind::CronJob => {
                let $table = $($borrow)+ $store.cron_jobs;
                $body
            }
            TableKind::PersistentVolume => {
                let $table = $($borrow)+ $store.volumes;
                $body
            }
            TableKind::PersistentVolumeClaim => {
                let $table = $($borrow)+ $store.claims;
                $body
            }
            TableKind::StorageClass => {
                let $table = $($borrow)+ $store.storage_classes;
                $body
            }
            TableKind::CsiNode => {
                let $table = $($borrow)+ $store.csi_nodes;
                $body
            }
            TableKind::LimitRange => {
                let $table = $($borrow)+ $store.limit_ranges;
                $body
            }
            TableKind::ResourceQuota => {
                let $table = $($borrow)+ $store.quotas;
                $body
            }
            TableKind::Other => {
                let $table = $($borrow)+ $store.others;
                $body
            }
        }
    };
}

/// What the delivery of log entry `at` depends on.
fn key_of<T: Stored>(table: &Table<T>, at: u64) -> Option<ChangeKey> {
    let change = table.change(at)?;
    let uid = change.new.or(change.old)?.meta().uid;
    Some(ChangeKey { at: change.at, uid, nth: change.nth })
}

fn next_request_of<T: Stored>(table: &mut Table<T>, id: RawId) -> (Uid, u32) {
    let id = Id::from_parts(id.slot, id.generation);
    let uid = table.current(id).map_or(Uid(0), |object| object.meta().uid);
    (uid, table.next_request(id))
}

impl Store {
    /// Takes the next request number of an object, with the uid it is counted for.
    pub fn next_request(&mut self, table: TableKind, id: RawId) -> (Uid, u32) {
        on_table!(table, self, [&mut], it => next_request_of(it, id))
    }

    /// Takes the next child number of an object: how many children were generated from it before.
    /// A counter beside the object, not a version of it.
    pub fn next_child(&mut self, table: TableKind, id: RawId) -> u32 {
        on_table!(table, self, [&mut], it => it.next_child(Id::from_parts(id.slot, id.generation)))
    }

    /// Opens a watch on `table` that has seen everything there is now.
    pub fn open(&mut self, table: TableKind) -> CursorId {
        on_table!(table, self, [&mut], it => it.open())
    }

    /// Closes a watch.
    pub fn close(&mut self, table: TableKind, cursor: CursorId) {
        on_table!(table, self, [&mut], it => it.close(cursor));
    }

    /// The number of the first log entry a watch has not seen.
    pub fn next(&self, table: TableKind, cursor: CursorId) -> u64 {
        on_table!(table, self, [&], it => it.next(cursor))
    }

    /// The number the table's next log entry will have.
    pub fn log_end(&self, table: TableKind) -> u64 {
        on_table!(table, self, [&], it => it.log_end())
    }

    /// What the delivery of log entry `at` depends on, if the entry is kept.
    pub fn change_key(&self, table: TableKind, at: u64) -> Option<ChangeKey> {
        on_table!(table, self, [&], it => key_of(it, at))
    }

    /// Moves a watch to just before log entry `to`; [`Store::settle`] must follow.
    pub fn advance(&mut self, table: TableKind, cursor: CursorId, to: u64) -> Range<u64> {
        on_table!(table, self, [&mut], it => it.advance(cursor, to))
    }

    /// Notes that log entries came about through the fact `cause`.
    pub fn attribute(&mut self, table: TableKind, range: Range<u64>, cause: u64) {
        on_table!(table, self, [&mut], it => it.attribute(range, cause));
    }

    /// Frees what nobody can see any more now that a watch is past `range`.
    pub fn settle(&mut self, table: TableKind, range: Range<u64>) {
        on_table!(table, self, [&mut], it => it.settle(range));
    }

    /// Whether a watch lies behind the compacted revision.
    pub fn is_lost(&self, table: TableKind, cursor: CursorId) -> bool {
        on_table!(table, self, [&], it => it.is_lost(cursor))
    }

    /// Drops all log entries committed before `horizon`.
    pub fn compact(&mut self, horizon: SimTime) {
        for table in TABLES {
            on_table!(table, self, [&mut], it => it.compact(horizon));
        }
    }
}
