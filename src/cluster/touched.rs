//! What a step wrote: for whoever judges a run by what changes, and not by asking for everything.

use std::ops::Range;

use super::World;
use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::job::Job;
use crate::api::meta::RawId;
use crate::api::misc::Other;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::service::{EndpointSlice, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::vertical::is_vertical;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::kernel::NO_CAUSE;
use crate::store::{Change, Store, Stored, TableKind};

/// An object that was written or removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touched {
    /// Its table.
    pub table: TableKind,
    /// Its place there.
    pub id: RawId,
    /// The fact it was written by, or that led to it.
    pub fact: u64,
}

/// Takes note of the changes in `range`; namespaces, leases, classes and what is not modelled are
/// left out.
pub(super) fn touch(
    touched: &mut Vec<Touched>,
    store: &Store,
    table: TableKind,
    range: Range<u64>,
    fact: u64,
) {
    let mut put = |id| touched.push(Touched { table, id, fact });
    match table {
        TableKind::Pod => each::<Pod>(store, range, &mut put),
        TableKind::Node => each::<Node>(store, range, &mut put),
        TableKind::ReplicaSet => each::<ReplicaSet>(store, range, &mut put),
        TableKind::Deployment => each::<Deployment>(store, range, &mut put),
        TableKind::StatefulSet => each::<StatefulSet>(store, range, &mut put),
        TableKind::DaemonSet => each::<DaemonSet>(store, range, &mut put),
        TableKind::Job => each::<Job>(store, range, &mut put),
        TableKind::CronJob => each::<CronJob>(store, range, &mut put),
        TableKind::HorizontalPodAutoscaler => {
            each::<HorizontalPodAutoscaler>(store, range, &mut put);
        }
        TableKind::Service => each::<Service>(store, range, &mut put),
        TableKind::EndpointSlice => each::<EndpointSlice>(store, range, &mut put),
        TableKind::Namespace
        | TableKind::Endpoints
        | TableKind::Lease
        | TableKind::PriorityClass
        | TableKind::PodDisruptionBudget
        | TableKind::ControllerRevision
        | TableKind::PersistentVolume
        | TableKind::PersistentVolumeClaim
        | TableKind::StorageClass
        | TableKind::CsiNode
        | TableKind::LimitRange
        | TableKind::ResourceQuota => {}
        TableKind::Other => {
            let changes = store.table::<Other>().changes(range);
            let is_one =
                |change: &Change<'_, Other>| change.new.or(change.old).is_some_and(is_vertical);
            changes.filter(is_one).for_each(|change| put(change.id.into()));
        }
    }
}

fn each<T: Stored>(store: &Store, range: Range<u64>, put: &mut impl FnMut(RawId)) {
    store.table::<T>().changes(range).for_each(|change| put(change.id.into()));
}

impl World {
    /// What the latest step wrote.
    pub fn touched(&self) -> &[Touched] {
        self.observed.touched()
    }

    /// All that is there, as if it had just been written: owners before what is theirs.
    pub fn all_objects(&self) -> Vec<Touched> {
        fn all<T: Stored>(store: &Store, found: &mut Vec<Touched>) {
            let ids = store.table::<T>().iter().map(|(id, _)| id.into());
            found.extend(ids.map(|id| Touched { table: T::TABLE, id, fact: NO_CAUSE }));
        }
        let (store, mut found) = (self.store(), Vec::new());
        all::<Node>(store, &mut found);
        all::<Deployment>(store, &mut found);
        all::<ReplicaSet>(store, &mut found);
        all::<StatefulSet>(store, &mut found);
        all::<DaemonSet>(store, &mut found);
        all::<CronJob>(store, &mut found);
        all::<Job>(store, &mut found);
        all::<Pod>(store, &mut found);
        all::<HorizontalPodAutoscaler>(store, &mut found);
        all::<Other>(store, &mut found);
        all::<Service>(store, &mut found);
        all::<EndpointSlice>(store, &mut found);
        found
    }
}
