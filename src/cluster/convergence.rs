//! Whether the cluster is as desired: kept up to date change by change, never by listing.
//!
//! Converged, at one instant: each workload's observed generation is current and desired = updated =
//! ready = available; each bare pod is ready or has succeeded; no pod is terminating (unless its
//! node is gone); every Service's endpoints equal its ready pods, and every living proxy has
//! programmed them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::meta::{Labels, RawId};
use crate::api::name::Text;
use crate::api::pod::{Phase, Pod};
use crate::api::service::{EndpointSlice, Exposure, Service, UnreadyEndpoints};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::node::kube_proxy::SliceChange;
use crate::store::{Change, TableKind};
use crate::time::SimTime;

/// A set of pods told by number and sum of uids: equal tallies, equal sets, but for one chance in
/// 2^64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    count: u32,
    sum: u64,
}

impl Tally {
    fn add(&mut self, uid: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(uid);
    }

    fn take(&mut self, uid: u64) {
        self.count -= 1;
        self.sum = self.sum.wrapping_sub(uid);
    }
}

/// Labels, and the services that select them.
type Selected = (Arc<Labels>, Arc<[Id<Service>]>);

#[derive(Clone, Debug)]
struct ServiceRow {
    namespace: Text,
    selector: Arc<Labels>,
    unready: UnreadyEndpoints,
    wanted: Tally,
    offered: Tally,
}

/// Follows every change and knows what is not yet as desired.
#[derive(Clone, Debug, Default)]
pub struct Convergence {
    unsettled: BTreeSet<(TableKind, RawId)>,
    terminating: BTreeSet<Id<Pod>>,
    services: BTreeMap<Id<Service>, ServiceRow>,
    by_namespace: BTreeMap<Text, Vec<Id<Service>>>,
    mismatched: BTreeSet<Id<Service>>,
    /// The latest version of each slice.
    slices: BTreeMap<Id<EndpointSlice>, SliceChange>,
    /// Slices whose programming has not been worked out.
    unprogrammed: BTreeSet<Id<EndpointSlice>>,
    /// The latest instant at which all proxies have some slice.
    programmed: SimTime,
    /// Which services select a set of labels; holds the labels so that their address stays theirs.
    selected: FastMap<usize, Selected>,
}

impl Convergence {
    /// Whether anything but proxies is still to come. `gone` tells pods whose node is gone.
    pub fn is_settled(&self, gone: impl Fn(Id<Pod>) -> bool) -> bool {
        self.unsettled.is_empty()
            && self.mismatched.is_empty()
            && self.terminating.iter().all(|&pod| gone(pod))
    }

    /// When every living proxy has every slice; `all_programmed` works it out for one.
    pub fn programmed_at(&mut self, all_programmed: impl Fn(SliceChange) -> SimTime) -> SimTime {
        while let Some(id) = self.unprogrammed.pop_first() {
            let Some(&change) = self.slices.get(&id) else { continue };
            self.programmed = self.programmed.max(all_programmed(change));
        }
        self.programmed
    }

    fn judge(&mut self, table: TableKind, id: RawId, is_settled: bool) {
        if is_settled {
            self.unsettled.remove(&(table, id));
        } else {
            self.unsettled.insert((table, id));
        }
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>) {
        let id = change.id;
        if change.old.is_none_or(|pod| pod.meta.owner.is_none())
            && change.new.is_none_or(|pod| pod.meta.owner.is_none())
        {
            let is_settled = change.new.is_none_or(|pod| {
                pod.status.phase == Phase::Succeeded
                    || (pod.is_ready() && pod.status.phase == Phase::Running)
            });
            self.judge(TableKind::Pod, id.into(), is_settled);
        }
        match change.new {
            Some(pod) if pod.meta.is_terminating() => self.terminating.insert(id),
            _ => self.terminating.remove(&id),
        };
        self.pod_offered(change.old, change.new);
    }

    /// Moves the pod in the tallies of the services that select it.
    fn pod_offered(&mut self, old: Option<&Pod>, new: Option<&Pod>) {
        let same_labels = match (old, new) {
            (Some(old), Some(new)) => Arc::ptr_eq(&old.meta.labels, &new.meta.labels),
            _ => false,
        };
        if same_labels
            && let (Some(old), Some(new)) = (old, new)
            && [UnreadyEndpoints::Hidden, UnreadyEndpoints::Published]
                .into_iter()
                .all(|unready| is_wanted(old, unready) == is_wanted(new, unready))
        {
            return;
        }
        if let Some(pod) = old {
            self.tally(pod, Tally::take);
        }
        if let Some(pod) = new {
            self.tally(pod, Tally::add);
        }
    }

    fn tally(&mut self, pod: &Pod, change: fn(&mut Tally, u64)) {
        for &id in self.selecting(pod).iter() {
            let Some(row) = self.services.get_mut(&id) else { continue };
            if is_wanted(pod, row.unready) {
                change(&mut row.wanted, pod.meta.uid.0);
                self.compare(id);
            }
        }
    }

    fn compare(&mut self, id: Id<Service>) {
        let differs = self.services.get(&id).is_some_and(|row| row.wanted != row.offered);
        if differs {
            self.mismatched.insert(id);
        } else {
            self.mismatched.remove(&id);
        }
    }

    /// The services that select a pod, worked out once for each set of labels.
    fn selecting(&mut self, pod: &Pod) -> Arc<[Id<Service>]> {
        let labels = &pod.meta.labels;
        let key = Arc::as_ptr(labels) as usize;
        if let Some((_, found)) = self.selected.get(&key) {
            return found.clone();
        }
        let in_namespace = self.by_namespace.get(&pod.meta.namespace);
        let found: Arc<[Id<Service>]> = in_namespace
            .into_iter()
            .flatten()
            .copied()
            .filter(|id| self.services.get(id).is_some_and(|row| selects(&row.selector, labels)))
            .collect();
        self.selected.insert(key, (labels.clone(), found.clone()));
        found
    }

    /// A ReplicaSet or ReplicationController changed.
    pub fn replica_set(&mut self, change: &Change<'_, ReplicaSet>) {
        let is_settled = change.new.is_none_or(|set| {
            let (wanted, status) = (set.replicas, &set.status);
            // One with an owner is its owner's business.
            set.meta.owner.is_some()
                || (status.observed_generation >= set.meta.generation
                    && [status.replicas, status.ready, status.available] == [wanted; 3])
        });
        self.judge(TableKind::ReplicaSet, change.id.into(), is_settled);
    }

    /// A Deployment changed.
    pub fn deployment(&mut self, change: &Change<'_, Deployment>) {
        let is_settled = change.new.is_none_or(|deployment| {
            let (wanted, status) = (deployment.replicas, &deployment.status);
            status.observed_generation >= deployment.meta.generation
                && [status.replicas, status.updated, status.ready, status.available] == [wanted; 4]
        });
        self.judge(TableKind::Deployment, change.id.into(), is_settled);
    }

    /// A Service changed. `pods` lists all pods, to count those it selects.
    pub fn service<'p>(
        &mut self,
        change: &Change<'_, Service>,
        pods: impl Iterator<Item = &'p Pod>,
    ) {
        let id = change.id;
        let same = |old: &Service, new: &Service| Arc::ptr_eq(&old.spec, &new.spec);
        if let (Some(old), Some(new)) = (change.old, change.new)
            && same(old, new)
        {
            return;
        }
        self.selected.clear();
        let offered = self.services.remove(&id).map_or_else(Tally::default, |row| row.offered);
        self.mismatched.remove(&id);
        if let Some(old) = change.old
            && let Some(list) = self.by_namespace.get_mut(&old.meta.namespace)
        {
            list.retain(|&one| one != id);
        }
        let Some(new) = change.new else { return };
        let Some(selector) = new.spec.selector.as_ref().filter(|labels| !labels.is_empty()) else {
            return;
        };
        if new.spec.exposure == Exposure::ExternalName {
            return;
        }
        let mut row = ServiceRow {
            namespace: new.meta.namespace.clone(),
            selector: Arc::new(selector.clone()),
            unready: new.spec.unready,
            wanted: Tally::default(),
            offered,
        };
        for pod in pods.filter(|pod| pod.meta.namespace == row.namespace) {
            if selects(&row.selector, &pod.meta.labels) && is_wanted(pod, row.unready) {
                row.wanted.add(pod.meta.uid.0);
            }
        }
        self.by_namespace.entry(new.meta.namespace.clone()).or_default().push(id);
        self.services.insert(id, row);
        self.compare(id);
    }

    /// An EndpointSlice changed.
    pub fn slice(&mut self, change: &Change<'_, EndpointSlice>) {
        if let Some(old) = change.old {
            self.offer(old, Tally::take);
        }
        if let Some(new) = change.new {
            self.offer(new, Tally::add);
            let version = SliceChange { at: change.at, uid: new.meta.uid, nth: change.nth };
            self.slices.insert(change.id, version);
            self.unprogrammed.insert(change.id);
        } else {
            self.slices.remove(&change.id);
            self.unprogrammed.remove(&change.id);
        }
    }

    fn offer(&mut self, slice: &EndpointSlice, change: fn(&mut Tally, u64)) {
        let Some(owner) = slice.meta.owner else { return };
        let id: Id<Service> = owner.at.typed();
        let Some(row) = self.services.get_mut(&id) else { return };
        for endpoint in slice.endpoints.iter().filter(|one| one.conditions.ready) {
            change(&mut row.offered, endpoint.uid.0);
        }
        self.compare(id);
    }
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a pod is to be offered by a Service that selects it.
fn is_wanted(pod: &Pod, unready: UnreadyEndpoints) -> bool {
    let is_up = !pod.status.phase.is_terminal() && pod.status.ip.is_some();
    match unready {
        UnreadyEndpoints::Published => is_up,
        UnreadyEndpoints::Hidden => is_up && pod.is_ready() && !pod.meta.is_terminating(),
    }
}
