//! How a manager begins: everything its caches were filled with counts as added.

use super::{ControllerManager, Known, Timer};
use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::limit_range::LimitRange;
use crate::api::misc::{Lease, Namespace, Other};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::Effects;
use crate::store::{Change, View};
use crate::time::SimTime;

impl ControllerManager {
    /// It starts at `now`: what its controllers do again and again is counted from here.
    pub fn begin(&mut self, now: SimTime) {
        self.nodes.begin(now);
        self.pod_gc.begin(now);
        self.fleet.iter_mut().for_each(|fleet| fleet.begin(now));
        self.resource_quotas.begin(now);
        self.verticals.begin(now);
    }

    /// The rounds of its controllers, by the timers that stand for them.
    pub fn rounds(&self) -> [(Timer, Cadence); 2] {
        [(Timer::PodGc, self.pod_gc.rounds()), (Timer::Quotas, self.resource_quotas.rounds())]
    }

    /// It begins now, and its caches are filled: everything listed counts as added.
    pub fn start(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        self.begin(view.now);
        for (id, namespace) in view.list::<Namespace>() {
            self.namespace(&added(view, id, namespace), view, fx);
        }
        for (id, node) in view.list::<Node>() {
            self.node(&added(view, id, node), view, fx);
        }
        for (id, service) in view.list::<Service>() {
            self.service(&added(view, id, service), view, fx);
        }
        for (id, deployment) in view.list::<Deployment>() {
            self.deployment(&added(view, id, deployment), view, fx);
        }
        for (id, set) in view.list::<ReplicaSet>() {
            self.set(&added(view, id, set), view, fx);
        }
        for (id, class) in view.list::<StorageClass>() {
            self.class(&added(view, id, class), view, fx);
        }
        for (id, volume) in view.list::<PersistentVolume>() {
            self.volume(&added(view, id, volume), view, fx);
        }
        for (id, claim) in view.list::<PersistentVolumeClaim>() {
            self.claim(&added(view, id, claim), view, fx);
        }
        for (id, set) in view.list::<StatefulSet>() {
            self.stateful_set(&added(view, id, set), view, fx);
        }
        for (id, set) in view.list::<DaemonSet>() {
            self.daemon_set(&added(view, id, set), view, fx);
        }
        for (id, revision) in view.list::<ControllerRevision>() {
            self.revision(&added(view, id, revision), view, fx);
        }
        for (id, job) in view.list::<CronJob>() {
            self.cron_job(&added(view, id, job), view, fx);
        }
        for (id, job) in view.list::<Job>() {
            self.job(&added(view, id, job), view, fx);
        }
        for (id, autoscaler) in view.list::<HorizontalPodAutoscaler>() {
            self.autoscaler(&added(view, id, autoscaler), view, fx);
        }
        for (id, budget) in view.list::<PodDisruptionBudget>() {
            self.budget(&added(view, id, budget), view, fx);
        }
        for (id, pod) in view.list::<Pod>() {
            self.pod(&added(view, id, pod), view, fx);
        }
        for (id, slice) in view.list::<EndpointSlice>() {
            self.slice(&added(view, id, slice), view, fx);
        }
        // After what they count.
        for (id, quota) in view.list::<ResourceQuota>() {
            self.quota(&added(view, id, quota), view, fx);
        }
        self.endpoints.begin(view, fx);
        self.node_ttl.listed(Known { view, index: &self.index }, fx);
        for (id, lease) in view.list::<Lease>() {
            self.lease(&added(view, id, lease), view, fx);
        }
        for (id, range) in view.list::<LimitRange>() {
            self.limit_range(&added(view, id, range), view, fx);
        }
        for (id, other) in view.list::<Other>() {
            self.other(&added(view, id, other), view, fx);
        }
        let known = Known { view, index: &self.index };
        self.garbage.listed(known, fx);
        self.protection.listed(known, fx);
    }
}

/// An object as a change that made it.
fn added<'a, T>(view: &View<'_>, id: Id<T>, new: &'a T) -> Change<'a, T> {
    Change { at: view.now, id, old: None, new: Some(new), nth: 1, cause: 0 }
}
