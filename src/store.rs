//! The objects of a cluster at revisions: what etcd holds and what every watch reads.
//!
//! Owns: a [`table::Table`] a kind (rows, versions, one change log, one index by name), the
//! revision counter they share, and the [`View`] of it all at a set of cursors, which is what
//! components call their informer. It is a data structure, no component: it knows no clock but the
//! instants handed to it, no latency, no client, and it decides nothing.
//!
//! * A write makes a new version and one log entry. Nothing is copied to watchers: a watch is a
//!   cursor, and delivering a change means moving it.
//! * A version is freed when it is neither current nor can any cursor still see it. Compaction
//!   removes log entries, never versions: a cursor that lies behind it is *lost*, keeps its old
//!   View, and must re-list ([`table::Table::relist`]).

pub mod cursor;
mod erased;
pub mod index;
pub mod table;
pub mod targets;
mod view;

use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::limit_range::LimitRange;
use crate::api::meta::Meta;
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::time::SimTime;

pub use cursor::{Cursors, TABLES, TableKind};
pub use erased::ChangeKey;
pub use index::Indexes;
pub use table::{Change, CursorId, Table};
pub use view::View;

/// A revision of the store: one counter for all kinds, one more with each write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rev(pub u64);

impl Rev {
    /// Before anything was written.
    pub const ZERO: Rev = Rev(0);
    /// After everything that will ever be.
    pub const NEVER: Rev = Rev(u64::MAX);
}

/// A kind of object that has a table.
pub trait Stored: Clone + PartialEq + Sized + 'static {
    /// Which table is its.
    const TABLE: TableKind;
    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// Its metadata, to be changed.
    fn meta_mut(&mut self) -> &mut Meta;
    /// Its table.
    fn table(store: &Store) -> &Table<Self>;
    /// Its table, to be changed.
    fn table_mut(store: &mut Store) -> &mut Table<Self>;
    /// Whether some index follows it.
    const IS_INDEXED: bool = false;
    /// Tells the indexes of a change of the current version.
    fn index(_indexes: &mut Indexes, _id: Id<Self>, _old: Option<&Self>, _new: Option<&Self>) {}
}

/// All objects of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Store {
    revision: Rev,
    /// Tables written to since somebody asked, a bit each.
    written: u32,
    indexes: Indexes,
    pods: Table<Pod>,
    nodes: Table<Node>,
    namespaces: Table<Namespace>,
    replica_sets: Table<ReplicaSet>,
    deployments: Table<Deployment>,
    services: Table<Service>,
    endpoint_slices: Table<EndpointSlice>,
    endpoints: Table<Endpoints>,
    leases: Table<Lease>,
    priority_classes: Table<PriorityClass>,
    budgets: Table<PodDisruptionBudget>,
    autoscalers: Table<HorizontalPodAutoscaler>,
    stateful_sets: Table<StatefulSet>,
    daemon_sets: Table<DaemonSet>,
    controller_revisions: Table<ControllerRevision>,
    jobs: Table<Job>,
    cron_jobs: Table<CronJob>,
    volumes: Table<PersistentVolume>,
    claims: Table<PersistentVolumeClaim>,
    storage_classes: Table<StorageClass>,
    csi_nodes: Table<CsiNode>,
    limit_ranges: Table<LimitRange>,
    quotas: Table<ResourceQuota>,
    others: Table<Other>,
}

/// Each table has its bit in [`Store::take_written`]'s notes.
const _: () = assert!(TABLES.len() <= u32::BITS as usize);

impl Store {
    /// The revision of the latest write.
    pub fn revision(&self) -> Rev {
        self.revision
    }

    /// Look-ups over current versions.
    pub fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// The table of kind `T`.
    pub fn table<T: Stored>(&self) -> &Table<T> {
        T::table(self)
    }

    /// The table of kind `T`, for moving cursors.
    pub fn table_mut<T: Stored>(&mut self) -> &mut Table<T> {
        T::table_mut(self)
    }

    /// The current version of an object.
    pub fn get<T: Stored>(&self, id: Id<T>) -> Option<&T> {
        T::table(self).current(id)
    }

    /// The object now called `name`, if there is one.
    pub fn find<T: Stored>(&self, namespace: &str, name: &str) -> Option<Id<T>> {
        T::table(self).find(namespace, name, Rev(u64::MAX - 1))
    }

    /// A node that pods are bound to: as it is, or as it was last, for they keep its name.
    pub fn node_of_pods(&self, id: Id<Node>) -> Option<&Node> {
        self.get(id).or_else(|| self.indexes.departed(id))
    }

    /// A pod is about to be bound to this node, be it gone: whoever binds it has not heard of that.
    pub fn name_node(&mut self, id: Id<Node>) {
        if let (None, Some(last)) = (self.nodes.current(id), self.nodes.latest(id)) {
            self.indexes.node_gone(id, last);
        }
    }

    /// Stores a new object.
    pub fn create<T: Stored>(&mut self, now: SimTime, value: T) -> Id<T> {
        let rev = self.next_revision(T::TABLE);
        let id = T::table_mut(self).create(rev, now, value);
        self.index_new(id);
        id
    }

    /// Holds an id for objects of the name of `value`, which come and go: each is stored at this id.
    pub fn reserve<T: Stored>(&mut self, value: T) -> Id<T> {
        T::table_mut(self).reserve(value)
    }

    /// Holds the id of an object for those of its name that come after it.
    pub fn hold<T: Stored>(&mut self, id: Id<T>) {
        T::table_mut(self).hold(id);
    }

    /// Stores a new object: at the id that is held for its name, if one is.
    pub fn create_reserved<T: Stored>(&mut self, now: SimTime, value: T) -> Id<T> {
        let meta = value.meta();
        let Some(id) = T::table(self).reserved(&meta.namespace, &meta.name) else {
            return self.create(now, value);
        };
        let rev = self.next_revision(T::TABLE);
        T::table_mut(self).revive(rev, now, id, value);
        self.index_new(id);
        id
    }

    /// Replaces an object by its next version; returns whether it is there to be replaced.
    pub fn update<T: Stored>(&mut self, now: SimTime, id: Id<T>, value: T) -> bool {
        if T::table(self).current(id).is_none() {
            return false;
        }
        if T::IS_INDEXED {
            let mut indexes = std::mem::take(&mut self.indexes);
            T::index(&mut indexes, id, T::table(self).current(id), Some(&value));
            self.indexes = indexes;
        }
        let rev = self.next_revision(T::TABLE);
        T::table_mut(self).update(rev, now, id, value);
        true
    }

    /// Removes an object; returns its last version.
    pub fn delete<T: Stored>(&mut self, now: SimTime, id: Id<T>) -> Option<T> {
        let old = T::table(self).current(id)?.clone();
        let rev = self.next_revision(T::TABLE);
        T::index(&mut self.indexes, id, Some(&old), None);
        T::table_mut(self).delete(rev, now, id);
        Some(old)
    }

    fn index_new<T: Stored>(&mut self, id: Id<T>) {
        if T::IS_INDEXED {
            let mut indexes = std::mem::take(&mut self.indexes);
            T::index(&mut indexes, id, None, T::table(self).current(id));
            self.indexes = indexes;
        }
    }

    /// The tables that were written to since this was asked last, in their order.
    pub fn take_written(&mut self) -> impl Iterator<Item = TableKind> + use<> {
        let written = std::mem::take(&mut self.written);
        TABLES.into_iter().filter(move |&table| written >> table as u8 & 1 == 1)
    }

    fn next_revision(&mut self, table: TableKind) -> Rev {
        self.written |= 1 << table as u8;
        self.revision.0 += 1;
        self.revision
    }
}

macro_rules! stored {
    ($($kind:ident => $table:ident),* $(,)?) => {$(
        stored!(@one $kind, $table, {});
    )*};
    (@one $kind:ident, $table:ident, {$($extra:item)*}) => {
        impl Stored for $kind {
            const TABLE: TableKind = TableKind::$kind;
            fn meta(&self) -> &Meta {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.meta
            }
            fn table(store: &Store) -> &Table<Self> {
                &store.$table
            }
            fn table_mut(store: &mut Store) -> &mut Table<Self> {
                &mut store.$table
            }
            $($extra)*
        }
    };
}

stored!(@one Pod, pods, {
    const IS_INDEXED: bool = true;
    fn index(indexes: &mut Indexes, id: Id<Pod>, old: Option<&Pod>, new: Option<&Pod>) {
        indexes.pod_moved(id, old.and_then(|pod| pod.node), new.and_then(|pod| pod.node));
    }
});
stored!(@one Node, nodes, {
    const IS_INDEXED: bool = true;
    fn index(indexes: &mut Indexes, id: Id<Node>, old: Option<&Node>, new: Option<&Node>) {
        if let (Some(last), None) = (old, new) {
            indexes.node_gone(id, last);
            indexes.forget_empty(id);
        }
    }
});
stored!(@one Other, others, {
    const IS_INDEXED: bool = true;
    fn index(indexes: &mut Indexes, id: Id<Other>, old: Option<&Other>, new: Option<&Other>) {
        indexes.other(id, old, new);
    }
});
stored!(@one LimitRange, limit_ranges, {
    const IS_INDEXED: bool = true;
    fn index(
        indexes: &mut Indexes,
        id: Id<LimitRange>,
        old: Option<&LimitRange>,
        new: Option<&LimitRange>,
    ) {
        indexes.limit_range(id, old, new);
    }
});
stored!(@one ResourceQuota, quotas, {
    const IS_INDEXED: bool = true;
    fn index(
        indexes: &mut Indexes,
        id: Id<ResourceQuota>,
        old: Option<&ResourceQuota>,
        new: Option<&ResourceQuota>,
    ) {
        indexes.quota(id, old, new);
    }
});
stored! {
    Namespace => namespaces,
    ReplicaSet => replica_sets,
    Deployment => deployments,
    Service => services,
    EndpointSlice => endpoint_slices,
    Endpoints => endpoints,
    Lease => leases,
    PriorityClass => priority_classes,
    PodDisruptionBudget => budgets,
    HorizontalPodAutoscaler => autoscalers,
    StatefulSet => stateful_sets,
    DaemonSet => daemon_sets,
    ControllerRevision => controller_revisions,
    Job => jobs,
    CronJob => cron_jobs,
    PersistentVolume => volumes,
    PersistentVolumeClaim => claims,
    StorageClass => storage_classes,
    CsiNode => csi_nodes,
}

#[cfg(test)]
mod tests;
