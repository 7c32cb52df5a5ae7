//! A controller manager: the controllers of one process, which share its watches and indexes.
//!
//! Owns which controller hears of which change, timer and reply. Each controller has a client of
//! its own and keeps its reasons to itself. A manager that is killed loses everything; a new one
//! rebuilds it from what is stored (`start`).
//!
//! A kube-controller-manager is kube-controller-manager 1.36 cmd/kube-controller-manager/app.

mod autoscaling;
mod batches;
pub mod claims;
mod clients;
pub mod cluster_autoscaler;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod endpoints;
pub mod events;
pub mod expectations;
mod fleet;
pub mod garbage_collector;
pub mod history;
pub mod horizontal_pod_autoscaler;
pub mod index;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
pub mod own_writes;
pub mod persistent_volume;
pub mod pod_gc;
pub mod protection;
pub mod replica_set;
pub mod resource_quota;
mod settings;
mod start;
pub mod stateful_set;
pub mod taint_eviction;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timer;
pub mod told;
pub mod ttl;
pub mod ttl_after_finished;
pub mod vertical_pod_autoscaler;
pub mod workqueue;

use std::ops::Range;

use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::misc::{Lease, Namespace, Other};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet, SetKind};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::{Effects, Heartbeats, Reply};
use crate::store::{Change, Store, Stored, TableKind, View};
use crate::time::SimTime;

pub use clients::Clients;
use cluster_autoscaler::ClusterAutoscaler;
use cron_job::CronJobs;
use daemon_set::DaemonSets;
use deployment::Deployments;
use disruption::Disruptions;
use endpoint_slice::EndpointSlices;
use endpoints::EndpointsObjects;
use garbage_collector::GarbageCollector;
use horizontal_pod_autoscaler::Autoscalers;
use index::Index;
use job::Jobs;
use namespace::Namespaces;
use node_lifecycle::NodeLifecycle;
use persistent_volume::PersistentVolumes;
use pod_gc::PodGc;
use protection::Protection;
use replica_set::ReplicaSets;
use resource_quota::ResourceQuotas;
pub use settings::Settings;
use stateful_set::StatefulSets;
use taint_eviction::TaintEviction;
pub use timer::{Timer, Which};
use ttl::NodeTtl;
use ttl_after_finished::TtlAfterFinished;
use vertical_pod_autoscaler::Verticals;

/// What a controller may look at: the process's view and the indexes over it.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Objects as of the process's cursors.
    pub view: &'a View<'a>,
    /// What is counted over them.
    pub index: &'a Index,
}

/// The tables a manager watches.
pub const WATCHED: [TableKind; 22] = [
    TableKind::StorageClass,
    TableKind::PersistentVolume,
    TableKind::PersistentVolumeClaim,
    TableKind::PodDisruptionBudget,
    TableKind::ResourceQuota,
    TableKind::LimitRange,
    TableKind::StatefulSet,
    TableKind::DaemonSet,
    TableKind::ControllerRevision,
    TableKind::Job,
    TableKind::CronJob,
    TableKind::Namespace,
    TableKind::Lease,
    TableKind::Other,
    TableKind::Node,
    TableKind::Service,
    TableKind::Deployment,
    TableKind::ReplicaSet,
    TableKind::Pod,
    TableKind::EndpointSlice,
    TableKind::Endpoints,
    TableKind::HorizontalPodAutoscaler,
];

/// One controller manager.
#[derive(Clone, Debug)]
pub struct ControllerManager {
    clients: Clients,
    index: Index,
    deployments: Deployments,
    replica_sets: ReplicaSets,
    replication_controllers: ReplicaSets,
    stateful_sets: StatefulSets,
    daemon_sets: DaemonSets,
    endpoint_slices: EndpointSlices,
    endpoints: EndpointsObjects,
    nodes: NodeLifecycle,
    node_ttl: NodeTtl,
    taints: TaintEviction,
    garbage: GarbageCollector,
    pod_gc: PodGc,
    namespaces: Namespaces,
    volumes: PersistentVolumes,
    protection: Protection,
    jobs: Jobs,
    cron_jobs: CronJobs,
    ttl_after_finished: TtlAfterFinished,
    disruptions: Disruptions,
    resource_quotas: ResourceQuotas,
    autoscalers: Autoscalers,
    verticals: Verticals,
    fleet: Option<ClusterAutoscaler>,
}

impl ControllerManager {
    /// A manager that knows nothing yet.
    pub fn new(clients: Clients, settings: Settings) -> ControllerManager {
        let Settings {
            families,
            queue,
            nodes,
            volumes,
            sets,
            pod_gc,
            max_unavailable,
            calendar,
            autoscalers,
        } = settings;
        let terminating = sets.terminating;
        let sets = |kind, client| ReplicaSets::new(kind, client, queue, sets);
        ControllerManager {
            clients,
            index: Index::default(),
            deployments: Deployments::new(clients.deployments, queue, terminating),
            replica_sets: sets(SetKind::ReplicaSet, clients.replica_sets),
            replication_controllers: sets(
                SetKind::ReplicationController,
                clients.replication_controllers,
            ),
            stateful_sets: StatefulSets::new(clients.stateful_sets, queue, max_unavailable),
            daemon_sets: DaemonSets::new(clients.daemon_sets, queue),
            endpoint_slices: EndpointSlices::new(clients.endpoint_slices, queue, families),
            endpoints: EndpointsObjects::new(clients.endpoints, queue),
            nodes: NodeLifecycle::new(clients.nodes, nodes, queue),
            node_ttl: NodeTtl::new(clients.node_ttl, queue),
            taints: TaintEviction::new(clients.taints),
            garbage: GarbageCollector::new(clients.garbage),
            pod_gc: PodGc::new(clients.pod_garbage, pod_gc),
            namespaces: Namespaces::new(clients.namespaces),
            volumes: PersistentVolumes::new(clients.volumes, volumes),
            protection: Protection::new(clients.claim_protection, clients.volume_protection),
            jobs: Jobs::new(clients.jobs, queue),
            cron_jobs: CronJobs::new(clients.cron_jobs, calendar, queue),
            ttl_after_finished: TtlAfterFinished::new(clients.ttl_after_finished, queue),
            disruptions: Disruptions::new(clients.disruptions, queue),
            resource_quotas: ResourceQuotas::new(clients.resource_quotas, queue),
            autoscalers: Autoscalers::new(clients.autoscalers, autoscalers),
            verticals: Verticals::new(clients.verticals, clients.vertical_updates, calendar),
            fleet: None,
        }
    }

    /// The cursor on `table` moved over `changes`; `view` shows them already.
    pub fn deliver(
        &mut self,
        table: TableKind,
        changes: Range<u64>,
        store: &Store,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match table {
            TableKind::Node => self.each(store, changes, view, fx, Self::node),
            TableKind::Service => self.each(store, changes, view, fx, Self::service),
            TableKind::Deployment => self.each(store, changes, view, fx, Self::deployment),
            TableKind::ReplicaSet => self.each(store, changes, view, fx, Self::set),
            TableKind::StatefulSet => self.each(store, changes, view, fx, Self::stateful_set),
            TableKind::DaemonSet => self.each(store, changes, view, fx, Self::daemon_set),
            TableKind::ControllerRevision => self.each(store, changes, view, fx, Self::revision),
            TableKind::Pod => self.each(store, changes, view, fx, Self::pod),
            TableKind::Job => self.each(store, changes, view, fx, Self::job),
            TableKind::CronJob => self.each(store, changes, view, fx, Self::cron_job),
            TableKind::EndpointSlice => self.each(store, changes, view, fx, Self::slice),
            TableKind::Endpoints => self.each(store, changes, view, fx, Self::endpoints_object),
            TableKind::Namespace => self.each(store, changes, view, fx, Self::namespace),
            TableKind::PersistentVolume => self.each(store, changes, view, fx, Self::volume),
            TableKind::PersistentVolumeClaim => self.each(store, changes, view, fx, Self::claim),
            TableKind::StorageClass => self.each(store, changes, view, fx, Self::class),
            TableKind::PodDisruptionBudget => self.each(store, changes, view, fx, Self::budget),
            TableKind::ResourceQuota => self.each(store, changes, view, fx, Self::quota),
            TableKind::HorizontalPodAutoscaler => {
                self.each(store, changes, view, fx, Self::autoscaler);
            }
            TableKind::LimitRange => self.each(store, changes, view, fx, Self::limit_range),
            TableKind::Lease => self.each(store, changes, view, fx, Self::lease),
            TableKind::Other => self.each(store, changes, view, fx, Self::other),
            TableKind::PriorityClass | TableKind::CsiNode => {}
        }
    }

    fn each<T: Stored>(
        &mut self,
        store: &Store,
        changes: Range<u64>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
        tell: fn(&mut Self, &Change<'_, T>, &View<'_>, &mut Effects<Timer>),
    ) {
        for change in store.table::<T>().changes(changes) {
            fx.because(change.cause);
            tell(self, &change, view, fx);
        }
    }

    fn namespace(
        &mut self,
        change: &Change<'_, Namespace>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.namespaces.namespace(change, fx);
        self.garbage.changed(Kind::Namespace, change, Known { view, index: &self.index }, fx);
    }

    fn class(
        &mut self,
        change: &Change<'_, StorageClass>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        self.volumes.class(change, known, fx);
        self.garbage.changed(Kind::StorageClass, change, known, fx);
    }

    fn volume(
        &mut self,
        change: &Change<'_, PersistentVolume>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        self.volumes.volume(change, known, fx);
        self.protection.volume(change, known, fx);
        self.garbage.changed(Kind::PersistentVolume, change, known, fx);
    }

    fn claim(
        &mut self,
        change: &Change<'_, PersistentVolumeClaim>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.index.owned.claim(change);
        let known = Known { view, index: &self.index };
        self.volumes.claim(change, known, fx);
        self.resource_quotas.claim(change, known, fx);
        self.protection.claim(change, known, fx);
        self.garbage.changed(Kind::PersistentVolumeClaim, change, known, fx);
    }

    fn node(&mut self, change: &Change<'_, Node>, view: &View<'_>, fx: &mut Effects<Timer>) {
        let known = Known { view, index: &self.index };
        self.nodes.node(change, fx);
        self.node_ttl.node(change, known, fx);
        self.fleet.iter_mut().for_each(|fleet| fleet.node(change));
        self.taints.node(change, known, fx);
        self.pod_gc.node(change, fx);
        self.daemon_sets.node(change, known, fx);
        self.endpoint_slices.node(change, known, fx);
        self.garbage.changed(Kind::Node, change, known, fx);
    }

    fn lease(&mut self, change: &Change<'_, Lease>, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.garbage.changed(Kind::Lease, change, Known { view, index: &self.index }, fx);
    }

    fn service(&mut self, change: &Change<'_, Service>, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.resource_quotas.service(change, Known { view, index: &self.index }, fx);
        self.index.groups.service(change.id, change.new);
        self.endpoint_slices.service(change, fx);
        self.endpoints.service(change, fx);
        self.garbage.changed(Kind::Service, change, Known { view, index: &self.index }, fx);
    }

    fn deployment(
        &mut self,
        change: &Change<'_, Deployment>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.deployments.deployment(change, fx);
        let known = Known { view, index: &self.index };
        self.autoscalers.target(change);
        self.garbage.changed(Kind::Deployment, change, known, fx);
        self.resource_quotas.object(Kind::Deployment.resource(), change, known, fx);
    }

    fn set(&mut self, change: &Change<'_, ReplicaSet>, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.index.set(change, view);
        let known = Known { view, index: &self.index };
        self.deployments.set(change, known, fx);
        self.replica_sets.set(change, fx);
        self.replication_controllers.set(change, fx);
        self.autoscalers.target(change);
        let kind = change.new.or(change.old).map_or(Kind::ReplicaSet, |set| set.kind.into());
        self.garbage.changed(kind, change, known, fx);
        self.resource_quotas.object(kind.resource(), change, known, fx);
    }

    fn stateful_set(
        &mut self,
        change: &Change<'_, StatefulSet>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.stateful_sets.stateful_set(change, fx);
        let known = Known { view, index: &self.index };
        self.autoscalers.target(change);
        self.garbage.changed(Kind::StatefulSet, change, known, fx);
        self.resource_quotas.object(Kind::StatefulSet.resource(), change, known, fx);
    }

    fn daemon_set(
        &mut self,
        change: &Change<'_, DaemonSet>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.daemon_sets.daemon_set(change, fx);
        self.fleet.iter_mut().for_each(|fleet| fleet.daemon_set(change));
        let known = Known { view, index: &self.index };
        self.garbage.changed(Kind::DaemonSet, change, known, fx);
        self.resource_quotas.object(Kind::DaemonSet.resource(), change, known, fx);
    }

    fn revision(
        &mut self,
        change: &Change<'_, ControllerRevision>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.index.owned.revision(change);
        let known = Known { view, index: &self.index };
        self.garbage.changed(Kind::ControllerRevision, change, known, fx);
        self.resource_quotas.object(Kind::ControllerRevision.resource(), change, known, fx);
    }

    fn quota(
        &mut self,
        change: &Change<'_, ResourceQuota>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        self.resource_quotas.quota(change, known, fx);
        self.resource_quotas.object(Kind::ResourceQuota.resource(), change, known, fx);
        self.garbage.changed(Kind::ResourceQuota, change, known, fx);
    }

    fn limit_range(
        &mut self,
        change: &Change<'_, LimitRange>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        self.resource_quotas.object(Kind::LimitRange.resource(), change, known, fx);
        self.garbage.changed(Kind::LimitRange, change, known, fx);
    }

    fn other(&mut self, change: &Change<'_, Other>, view: &View<'_>, fx: &mut Effects<Timer>) {
        let resource = change.new.or(change.old).and_then(Other::resource);
        let known = Known { view, index: &self.index };
        self.resource_quotas.object(&resource.unwrap_or_default(), change, known, fx);
        self.garbage.changed(Kind::Other, change, known, fx);
        self.verticals.other(change, fx.now());
    }

    fn budget(
        &mut self,
        change: &Change<'_, PodDisruptionBudget>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.index.groups.budget(change.id, change.new);
        self.disruptions.budget(change, fx);
        self.fleet.iter_mut().for_each(|fleet| fleet.budget(change));
        let known = Known { view, index: &self.index };
        self.garbage.changed(Kind::PodDisruptionBudget, change, known, fx);
        self.resource_quotas.object(Kind::PodDisruptionBudget.resource(), change, known, fx);
    }

    fn pod(&mut self, change: &Change<'_, Pod>, view: &View<'_>, fx: &mut Effects<Timer>) {
        let before = self.index.member(change.id);
        let served = before.map(|(_, services)| services.to_vec()).unwrap_or_default();
        let before = before.map(|(member, _)| member);
        let guarded = match change.new {
            Some(_) => Vec::new(),
            None => self.index.budgets_of(change.id).to_vec(),
        };
        self.index.pod(change, view);
        let known = Known { view, index: &self.index };
        let after = change.new.and_then(|_| self.index.member(change.id));
        let serves = after.map_or(&[][..], |(_, services)| services);
        let is_same = served == serves
            && match (before, after) {
                (Some(before), Some((after, _))) => after.shows_as(&before),
                (before, after) => before.is_none() && after.is_none(),
            };
        // What is no endpoint before and after would only be left out once more.
        let matters = before.is_some_and(|before| before.has_endpoint())
            || after.is_some_and(|(after, _)| after.has_endpoint());
        if matters && !is_same {
            let joined = serves.iter().filter(|service| !served.contains(service)).copied();
            let touched: Vec<Id<Service>> = served.iter().copied().chain(joined).collect();
            self.endpoint_slices.pods(&touched, fx);
            self.endpoints.pods(&touched, fx);
        }
        self.replica_sets.pod(change, known, fx);
        self.replication_controllers.pod(change, known, fx);
        self.stateful_sets.pod(change, known, fx);
        self.daemon_sets.pod(change, known, fx);
        if let (Some(pod), None) = (change.old, change.new) {
            self.deployments.pod_gone(pod, known, fx);
        }
        self.jobs.pod(change, known, fx);
        self.taints.pod(change, known, fx);
        self.garbage.changed(Kind::Pod, change, known, fx);
        self.pod_gc.pod(change, known, fx);
        self.volumes.pod(change, known, fx);
        self.protection.pod(change, known, fx);
        let guards =
            if change.new.is_some() { known.index.budgets_of(change.id) } else { &guarded };
        self.disruptions.pod(change, guards, known, fx);
        self.resource_quotas.pod(change, known, fx);
        self.autoscalers.pod(change);
        self.fleet.iter_mut().for_each(|fleet| fleet.pod(change));
    }

    fn job(&mut self, change: &Change<'_, Job>, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.index.owners.job(change);
        let known = Known { view, index: &self.index };
        self.jobs.job(change, known, fx);
        self.cron_jobs.job(change, fx);
        self.ttl_after_finished.job(change, fx);
        self.garbage.changed(Kind::Job, change, known, fx);
        self.resource_quotas.object(Kind::Job.resource(), change, known, fx);
    }

    fn cron_job(&mut self, change: &Change<'_, CronJob>, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.cron_jobs.cron_job(change, fx);
        let known = Known { view, index: &self.index };
        self.garbage.changed(Kind::CronJob, change, known, fx);
        self.resource_quotas.object(Kind::CronJob.resource(), change, known, fx);
    }

    fn slice(
        &mut self,
        change: &Change<'_, EndpointSlice>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.index.owners.slice(change);
        let known = Known { view, index: &self.index };
        self.endpoint_slices.slice(change, known, fx);
        self.garbage.changed(Kind::EndpointSlice, change, known, fx);
        self.resource_quotas.object(Kind::EndpointSlice.resource(), change, known, fx);
    }

    fn endpoints_object(
        &mut self,
        change: &Change<'_, Endpoints>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        self.endpoints.object(change, known, fx);
        self.garbage.changed(Kind::Endpoints, change, known, fx);
    }

    /// A timer is due.
    pub fn timer(&mut self, timer: Timer, view: &View<'_>, fx: &mut Effects<Timer>) {
        let known = Known { view, index: &self.index };
        match timer {
            Timer::Sync { of, worker, serial } => match of {
                Which::Deployments => self.deployments.sync(worker, serial, known, fx),
                Which::ReplicaSets => self.replica_sets.sync(worker, serial, known, fx),
                Which::ReplicationControllers => {
                    self.replication_controllers.sync(worker, serial, known, fx);
                }
                Which::StatefulSets => self.stateful_sets.sync(worker, serial, known, fx),
                Which::DaemonSets => self.daemon_sets.sync(worker, serial, known, fx),
                Which::EndpointSlices => self.endpoint_slices.sync(worker, serial, known, fx),
                Which::Endpoints => self.endpoints.sync(worker, serial, known, fx),
                Which::Nodes => self.nodes.sync(worker, serial, known, fx),
                Which::NodeTtl => self.node_ttl.sync(worker, serial, known, fx),
                Which::Jobs => self.jobs.sync(worker, serial, known, fx),
                Which::JobOrphans => self.jobs.orphans.sync(worker, serial, known, fx),
                Which::CronJobs => self.cron_jobs.sync(worker, serial, known, fx),
                Which::TtlAfterFinished => {
                    self.ttl_after_finished.sync(worker, serial, known, fx);
                }
                Which::Disruptions => self.disruptions.sync(worker, serial, known, fx),
                Which::StaleDisruptions => self.disruptions.sync_stale(worker, serial, known, fx),
                Which::ResourceQuotas => self.resource_quotas.sync(worker, serial, known, fx),
                Which::Taints | Which::Autoscalers | Which::Verticals => {}
            },
            Timer::Due { of, slot, generation } => match of {
                Which::Deployments => self.deployments.queue.due(slot, generation, fx),
                Which::ReplicaSets => self.replica_sets.queue.due(slot, generation, fx),
                Which::ReplicationControllers => {
                    self.replication_controllers.queue.due(slot, generation, fx);
                }
                Which::StatefulSets => self.stateful_sets.queue.due(slot, generation, fx),
                Which::DaemonSets => self.daemon_sets.queue.due(slot, generation, fx),
                Which::EndpointSlices => self.endpoint_slices.queue.due(slot, generation, fx),
                Which::Endpoints => self.endpoints.queue.due(slot, generation, fx),
                Which::Nodes => self.nodes.queue.due(slot, generation, fx),
                Which::NodeTtl => self.node_ttl.queue.due(slot, generation, fx),
                Which::Jobs => self.jobs.queue.due(slot, generation, fx),
                Which::JobOrphans => self.jobs.orphans.queue.due(slot, generation, fx),
                Which::CronJobs => self.cron_jobs.queue.due(slot, generation, fx),
                Which::TtlAfterFinished => {
                    self.ttl_after_finished.queue.due(slot, generation, fx);
                }
                Which::Disruptions => self.disruptions.queue.due(slot, generation, fx),
                Which::StaleDisruptions => self.disruptions.stale.due(slot, generation, fx),
                Which::ResourceQuotas => self.resource_quotas.queue.due(slot, generation, fx),
                Which::Taints | Which::Autoscalers | Which::Verticals => {}
            },
            Timer::Zone { zone } => self.nodes.line(zone, known, fx),
            Timer::Evict { slot, generation } => self.taints.due(slot, generation, known, fx),
            Timer::Namespace { slot, generation } => {
                self.namespaces.look(slot, generation, known, fx);
            }
            Timer::Removals => self.removals_due(view, fx),
            Timer::PodGc => self.pod_gc.round(known, fx),
            Timer::Quotas => self.resource_quotas.round(fx),
            Timer::Volumes => self.volumes.due(known, fx),
            Timer::Garbage => self.garbage.retry(known, fx),
            Timer::Protection => self.protection.retry(known, fx),
            Timer::Event { of } => match of {
                Which::Deployments => self.deployments.events.retry(fx),
                Which::ReplicaSets => self.replica_sets.events.retry(fx),
                Which::ReplicationControllers => self.replication_controllers.events.retry(fx),
                Which::StatefulSets => self.stateful_sets.events.retry(fx),
                Which::DaemonSets => self.daemon_sets.events.retry(fx),
                Which::EndpointSlices => self.endpoint_slices.events.retry(fx),
                Which::Endpoints => self.endpoints.events.retry(fx),
                Which::Nodes => self.nodes.events.retry(fx),
                Which::Taints => self.taints.events.retry(fx),
                Which::Jobs => self.jobs.events.retry(fx),
                Which::CronJobs => self.cron_jobs.events.retry(fx),
                // They say nothing.
                Which::JobOrphans
                | Which::NodeTtl
                | Which::TtlAfterFinished
                | Which::ResourceQuotas => {}
                Which::Disruptions | Which::StaleDisruptions => self.disruptions.events.retry(fx),
                Which::Autoscalers => self.autoscalers.events.retry(fx),
                Which::Verticals => self.verticals.updater.events.retry(fx),
            },
        }
    }

    /// When the passes of its node controller fall.
    pub fn node_passes(&self) -> Cadence {
        self.nodes.cadence()
    }

    /// Pass `k` of its node controller, at its time.
    pub fn node_pass(
        &mut self,
        k: u64,
        heartbeats: &dyn Heartbeats,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.nodes.pass(k, heartbeats, Known { view, index: &self.index }, fx);
    }

    /// The first pass after `after` in which something could change, as things stand. To be asked
    /// again after each event of the manager and whenever a node or its path breaks or heals.
    pub fn next_node_pass(
        &mut self,
        after: SimTime,
        heartbeats: &dyn Heartbeats,
        view: &View<'_>,
    ) -> Option<u64> {
        self.nodes.next_pass(after, heartbeats, view)
    }

    /// Whether [`ControllerManager::next_node_pass`] would come to none again.
    pub fn nodes_rest(&self, heartbeats: &dyn Heartbeats) -> bool {
        self.nodes.rests(heartbeats)
    }

    /// A reply to one of its clients.
    pub fn reply(&mut self, reply: &Reply, view: &View<'_>, fx: &mut Effects<Timer>) {
        let known = Known { view, index: &self.index };
        let clients = self.clients;
        match reply.client {
            client if client == clients.deployments => self.deployments.reply(reply, known, fx),
            client if client == clients.replica_sets => self.replica_sets.reply(reply, known, fx),
            client if client == clients.replication_controllers => {
                self.replication_controllers.reply(reply, known, fx);
            }
            client if client == clients.stateful_sets => {
                self.stateful_sets.reply(reply, known, fx);
            }
            client if client == clients.daemon_sets => self.daemon_sets.reply(reply, known, fx),
            client if client == clients.endpoint_slices => self.endpoint_slices.reply(reply, fx),
            client if client == clients.endpoints => self.endpoints.reply(reply, fx),
            client if client == clients.nodes => self.nodes.reply(reply, known, fx),
            client if client == clients.node_ttl => self.node_ttl.reply(reply, fx),
            client if client == clients.taints => self.taints.reply(reply, known, fx),
            client if client == clients.garbage => self.garbage.reply(reply, known, fx),
            client if client == clients.pod_garbage => self.pod_gc.reply(reply, known, fx),
            client if client == clients.volumes => self.volumes.reply(reply, known, fx),
            client if client == clients.claim_protection || client == clients.volume_protection => {
                self.protection.reply(reply, fx);
            }
            client if client == clients.jobs => self.jobs.reply(reply, known, fx),
            client if client == clients.cron_jobs => self.cron_jobs.reply(reply, known, fx),
            client if client == clients.ttl_after_finished => {
                self.ttl_after_finished.reply(reply, fx);
            }
            client if client == clients.disruptions => self.disruptions.reply(reply, fx),
            client if client == clients.resource_quotas => self.resource_quotas.reply(reply, fx),
            client if client == clients.autoscaler => self.fleet_reply(reply, view, fx),
            client if client == clients.autoscalers => self.autoscalers.reply(reply, fx),
            client if client == clients.verticals => self.verticals.advised(reply),
            client if client == clients.vertical_updates => self.verticals.updated(reply, fx),
            client if client == clients.namespaces => self.namespaces.reply(reply, fx),
            _ => {}
        }
    }
}

/// Whether the API server refused because the namespace is being deleted.
fn is_namespace_ending(status: &Status) -> bool {
    matches!(status, Status::Forbidden(_, why) if why.contains("is being terminated"))
}
