//! Who belongs to whom, as of what the process has seen: the metadata of any object, its dependents,
//! and what has become of its owners (`GraphBuilder` and `classifyReferences` of
//! pkg/controller/garbagecollector, 1.36).
//!
//! Most belonging is indexed already for the controllers ([`super::super::index::Index`]); here is
//! kept what those indexes leave out: owners that are no controller, and kinds no controller lists.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::Known;
use super::FOREGROUND;
use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::kinds::SERVED;
use crate::api::limit_range::LimitRange;
use crate::api::meta::{Blocks, Meta, Owner, RawId, Reference, Uid};
use crate::api::misc::{Lease, Namespace, Other};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::FastSet;
use crate::base::id::Id;

/// An object the collector looks at.
pub type Item = (Kind, RawId);

/// Owners remembered as gone.
const GONE_MAX: usize = 65_536;

/// The metadata of an object, if it was seen and is still there.
pub fn meta_of<'v>((kind, id): Item, known: Known<'v>) -> Option<&'v Meta> {
    let view = known.view;
    match kind {
        Kind::Pod => view.get::<Pod>(id.typed()).map(|it| &it.meta),
        Kind::ReplicaSet | Kind::ReplicationController => {
            view.get::<ReplicaSet>(id.typed()).map(|it| &it.meta)
        }
        Kind::Node => view.get::<Node>(id.typed()).map(|it| &it.meta),
        Kind::Namespace => view.get::<Namespace>(id.typed()).map(|it| &it.meta),
        Kind::Deployment => view.get::<Deployment>(id.typed()).map(|it| &it.meta),
        Kind::Job => view.get::<Job>(id.typed()).map(|it| &it.meta),
        Kind::CronJob => view.get::<CronJob>(id.typed()).map(|it| &it.meta),
        Kind::Service => view.get::<Service>(id.typed()).map(|it| &it.meta),
        Kind::EndpointSlice => view.get::<EndpointSlice>(id.typed()).map(|it| &it.meta),
        Kind::Endpoints => view.get::<Endpoints>(id.typed()).map(|it| &it.meta),
        Kind::StatefulSet => view.get::<StatefulSet>(id.typed()).map(|it| &it.meta),
        Kind::DaemonSet => view.get::<DaemonSet>(id.typed()).map(|it| &it.meta),
        Kind::ControllerRevision => view.get::<ControllerRevision>(id.typed()).map(|it| &it.meta),
        Kind::PersistentVolume => view.get::<PersistentVolume>(id.typed()).map(|it| &it.meta),
        Kind::PersistentVolumeClaim => {
            view.get::<PersistentVolumeClaim>(id.typed()).map(|it| &it.meta)
        }
        Kind::PodDisruptionBudget => view.get::<PodDisruptionBudget>(id.typed()).map(|it| &it.meta),
        Kind::HorizontalPodAutoscaler => {
            view.get::<HorizontalPodAutoscaler>(id.typed()).map(|it| &it.meta)
        }
        Kind::StorageClass => view.get::<StorageClass>(id.typed()).map(|it| &it.meta),
        Kind::LimitRange => view.get::<LimitRange>(id.typed()).map(|it| &it.meta),
        Kind::ResourceQuota => view.get::<ResourceQuota>(id.typed()).map(|it| &it.meta),
        Kind::Lease => view.get::<Lease>(id.typed()).map(|it| &it.meta),
        Kind::Other => view.get::<Other>(id.typed()).map(|it| &it.meta),
        Kind::PriorityClass
        | Kind::CsiNode
        | Kind::Client
        | Kind::NodeGroup
        | Kind::VerticalPodAutoscaler => None,
    }
}

/// Whether the collector hears of objects of this kind.
fn is_watched(kind: Kind) -> bool {
    !matches!(kind, Kind::PriorityClass | Kind::CsiNode | Kind::Client | Kind::NodeGroup)
}

/// Whether the controllers' indexes list dependents of `kind` by their controller.
fn is_indexed(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Pod
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::Job
            | Kind::EndpointSlice
            | Kind::ControllerRevision
            | Kind::PersistentVolumeClaim
    )
}

/// Whether an object is being deleted after its dependents.
pub(super) fn deletes_dependents(meta: &Meta) -> bool {
    meta.is_terminating() && meta.has_finalizer(FOREGROUND)
}

/// What has become of an owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is there.
    Solid,
    /// It is not: it went, it never was, or it lies in another namespace.
    Absent,
    /// It is being deleted after its dependents.
    Waiting,
    /// Nobody can tell: its kind is not known, or it lies in a namespace and the dependent in none.
    /// An object with such an owner is left alone.
    Unknown,
}

/// Beside the controllers' indexes: more belonging, and who is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Dependents that no index lists, by their owner.
    more: BTreeMap<Uid, BTreeSet<Item>>,
    /// Owners known to be gone. An owner that merely was not seen yet is not among them.
    gone: FastSet<Uid>,
    gone_order: VecDeque<Uid>,
}

impl Graph {
    /// An owner went.
    pub fn note_gone(&mut self, owner: Uid) {
        if self.gone.insert(owner) {
            self.gone_order.push_back(owner);
        }
        if self.gone_order.len() > GONE_MAX
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// The owners of an object changed.
    pub fn shift(&mut self, item: Item, old: Option<&Meta>, new: Option<&Meta>) {
        for uid in old.into_iter().flat_map(|meta| unlisted(item.0, meta)) {
            if let Some(list) = self.more.get_mut(&uid) {
                list.remove(&item);
                if list.is_empty() {
                    self.more.remove(&uid);
                }
            }
        }
        for uid in new.into_iter().flat_map(|meta| unlisted(item.0, meta)) {
            self.more.entry(uid).or_default().insert(item);
        }
    }

    /// What `item`, whose uid is given, owns; each kind in an order that is the same in every run.
    pub fn dependents(&self, (kind, id): Item, uid: Uid, known: Known<'_>) -> Vec<Item> {
        fn sorted<T>(kind: Kind, ids: impl IntoIterator<Item = Id<T>>) -> Vec<Item> {
            let mut all: Vec<Item> = ids.into_iter().map(|id| (kind, id.into())).collect();
            all.sort_unstable();
            all
        }
        let (index, owners, owned) = (known.index, &known.index.owners, &known.index.owned);
        let mut pods = match kind {
            Kind::ReplicaSet | Kind::ReplicationController => {
                sorted(Kind::Pod, index.roster(id.typed()).pods().iter().copied())
            }
            _ => sorted(Kind::Pod, owned.pods(uid).iter().copied()),
        };
        pods.sort_by_key(|&pod| meta_of(pod, known).map(|meta| meta.uid));
        let sets = owners.sets(uid).iter().map(|&set| {
            let kind = known.view.get(set).map_or(Kind::ReplicaSet, |set| set.kind.into());
            (kind, RawId::from(set))
        });
        let mut all = pods;
        all.extend(sets);
        all.extend(sorted(Kind::Job, owners.jobs(uid).iter().copied()));
        all.extend(sorted(Kind::EndpointSlice, owners.slices(uid).iter().copied()));
        all.extend(sorted(Kind::ControllerRevision, owned.revisions(uid).iter().copied()));
        all.extend(sorted(Kind::PersistentVolumeClaim, owned.claims(uid).iter().copied()));
        all.extend(self.more.get(&uid).into_iter().flatten());
        all
    }

    /// Dependents that `uid` waits for.
    pub fn blocking(&self, item: Item, uid: Uid, known: Known<'_>) -> Vec<Item> {
        let mut all = self.dependents(item, uid, known);
        all.retain(|&one| {
            meta_of(one, known).is_some_and(|meta| {
                meta.owners().any(|(owner, blocks)| owner.uid == uid && blocks == Blocks::Owner)
            })
        });
        all
    }

    /// What has become of an owner of `meta`.
    pub fn standing(&self, owner: Owner, meta: &Meta, known: Known<'_>) -> Standing {
        if self.gone.contains(&owner.uid) {
            return Standing::Absent;
        }
        if !is_watched(owner.kind) {
            return Standing::Solid;
        }
        if owner.at == RawId::NOWHERE {
            let reference = meta.other_owners().iter().find(|one| one.owner.uid == owner.uid);
            return match owner.kind {
                Kind::Other if !reference.is_some_and(is_served) => Standing::Unknown,
                _ => Standing::Absent,
            };
        }
        let held = meta_of((owner.kind, owner.at), known).filter(|held| held.uid == owner.uid);
        match held {
            // It will be seen yet, or its end will be.
            None => Standing::Unknown,
            Some(held) if !held.namespace.is_empty() && meta.namespace.is_empty() => {
                Standing::Unknown
            }
            Some(held) if !held.namespace.is_empty() && held.namespace != meta.namespace => {
                Standing::Absent
            }
            Some(held) if deletes_dependents(held) => Standing::Waiting,
            Some(_) => Standing::Solid,
        }
    }

    /// What was listed is all there is: owners that are not among it are gone.
    pub fn settle(&mut self, meta: &Meta, known: Known<'_>) {
        for (owner, _) in meta.owners() {
            let is_there = owner.at == RawId::NOWHERE
                || !is_watched(owner.kind)
                || meta_of((owner.kind, owner.at), known).is_some_and(|it| it.uid == owner.uid);
            if !is_there {
                self.note_gone(owner.uid);
            }
        }
    }
}

/// Owners by which no index lists the object.
fn unlisted(kind: Kind, meta: &Meta) -> impl Iterator<Item = Uid> + '_ {
    let controller = meta.owner.filter(|_| !is_indexed(kind)).map(|owner| owner.uid);
    controller.into_iter().chain(meta.other_owners().iter().map(|one| one.owner.uid))
}

/// Whether the API server knows the kind of an owner that is nowhere.
fn is_served(reference: &Reference) -> bool {
    let (group, version) =
        reference.api_version.split_once('/').unwrap_or(("", &reference.api_version));
    SERVED
        .iter()
        .any(|one| one.group == group && one.version == version && *one.kind == *reference.kind)
}
