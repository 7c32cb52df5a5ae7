//! Whether the cluster is as desired: kept up to date change by change, never by listing.
//!
//! Converged, at one instant: each workload's observed generation is current and desired = updated =
//! ready = available; each Job is finished, or suspended; each bare pod is ready or has succeeded; no pod is terminating (unless its
//! node is gone); every Service's endpoints equal its ready pods, and every living proxy has
//! programmed them. Pods of DaemonSets on dead nodes do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::daemon_set::DaemonSet;
use crate::api::ip_family::IpFamily;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::{Labels, RawId, Uid};
use crate::api::name::Text;
use crate::api::pod::{Phase, Pod};
use crate::api::service::{EndpointSlice, Exposure, Service, UnreadyEndpoints};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet};
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

    fn add_all(&mut self, other: Tally) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    fn take(&mut self, uid: u64) {
        self.count -= 1;
        self.sum = self.sum.wrapping_sub(uid);
    }
}

/// Pods of one namespace that share their labels: what selects one selects all.
#[derive(Clone, Debug)]
struct Group {
    /// Held so that their address stays theirs.
    labels: Arc<Labels>,
    pods: u32,
    /// Those a Service is to offer.
    ready: Tally,
    /// Those a Service that publishes unready ones is to offer.
    published: Tally,
    services: Vec<Id<Service>>,
}

/// What is in one namespace.
#[derive(Clone, Debug, Default)]
struct NamespaceRow {
    services: Vec<Id<Service>>,
    /// By the address of their labels.
    groups: BTreeMap<usize, Group>,
}

#[derive(Clone, Debug)]
struct ServiceRow {
    selector: Arc<Labels>,
    unready: UnreadyEndpoints,
    /// Slices of other families say the same once more.
    family: IpFamily,
    wanted: Tally,
    offered: Tally,
}

/// Follows every change and knows what is not yet as desired.
#[derive(Clone, Debug, Default)]
pub struct Convergence {
    unsettled: BTreeSet<(TableKind, RawId)>,
    terminating: BTreeSet<Id<Pod>>,
    /// On how many nodes a DaemonSet still lacks a pod as desired, if on any.
    daemons_lacking: BTreeMap<Uid, usize>,
    /// Pods of DaemonSets that are not ready, or on their way out, by owner.
    daemons_down: BTreeMap<Uid, BTreeSet<Id<Pod>>>,
    services: BTreeMap<Id<Service>, ServiceRow>,
    namespaces: BTreeMap<Text, NamespaceRow>,
    mismatched: BTreeSet<Id<Service>>,
    /// The latest version of each slice.
    slices: BTreeMap<Id<EndpointSlice>, SliceChange>,
    /// Slices whose programming has not been worked out.
    unprogrammed: BTreeSet<Id<EndpointSlice>>,
    /// The latest instant at which all proxies have some slice.
    programmed: SimTime,
}

impl Convergence {
    /// Whether anything but proxies is still to come. `gone` tells pods whose node is gone.
    pub fn is_settled(&self, gone: impl Fn(Id<Pod>) -> bool) -> bool {
        self.unsettled.is_empty()
            && self.mismatched.is_empty()
            && self.terminating.iter().all(|&pod| gone(pod))
            && self.daemons_lacking.iter().all(|(owner, &lacking)| {
                let down = self.daemons_down.get(owner).into_iter().flatten();
                down.filter(|&&pod| gone(pod)).count() >= lacking
            })
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
        let is_bare = |pod: &Pod| pod.meta.owner.is_none();
        if change.old.is_some_and(is_bare) || change.new.is_some_and(is_bare) {
            // An adopted pod is its owner's to count.
            let is_settled = change.new.is_none_or(|pod| {
                !is_bare(pod)
                    || pod.status.phase == Phase::Succeeded
                    || (pod.is_ready() && pod.status.phase == Phase::Running)
            });
            self.judge(TableKind::Pod, id.into(), is_settled);
        }
        match change.new {
            Some(pod) if pod.meta.is_terminating() => self.terminating.insert(id),
            _ => self.terminating.remove(&id),
        };
        self.daemon_pod(change);
        self.pod_offered(change.old, change.new);
    }

    fn daemon_pod(&mut self, change: &Change<'_, Pod>) {
        let down = |pod: Option<&Pod>| {
            let pod = pod.filter(|pod| !pod.is_ready() || pod.meta.is_terminating())?;
            pod.meta.owner.filter(|owner| owner.kind == Kind::DaemonSet)
        };
        if let Some(owner) = down(change.old)
            && let Some(held) = self.daemons_down.get_mut(&owner.uid)
        {
            held.remove(&change.id);
            if held.is_empty() {
                self.daemons_down.remove(&owner.uid);
            }
        }
        if let Some(owner) = down(change.new) {
            self.daemons_down.entry(owner.uid).or_default().insert(change.id);
        }
    }

    /// Moves the pod in the tallies of its group and of the services that select it.
    fn pod_offered(&mut self, old: Option<&Pod>, new: Option<&Pod>) {
        if let (Some(old), Some(new)) = (old, new)
            && Arc::ptr_eq(&old.meta.labels, &new.meta.labels)
            && [UnreadyEndpoints::Hidden, UnreadyEndpoints::Published]
                .into_iter()
                .all(|unready| is_wanted(old, unready) == is_wanted(new, unready))
        {
            return;
        }
        if let Some(pod) = new {
            self.move_pod(pod, Move::In);
        }
        if let Some(pod) = old {
            self.move_pod(pod, Move::Out);
        }
    }

    fn move_pod(&mut self, pod: &Pod, direction: Move) {
        let here = match self.namespaces.get_mut(&pod.meta.namespace) {
            Some(here) => here,
            None => self.namespaces.entry(pod.meta.namespace.clone()).or_default(),
        };
        let key = Arc::as_ptr(&pod.meta.labels) as usize;
        let rows = &self.services;
        let group = here.groups.entry(key).or_insert_with(|| {
            let labels = pod.meta.labels.clone();
            let selecting =
                |id: &&Id<Service>| rows.get(id).is_some_and(|row| selects(&row.selector, &labels));
            let services = here.services.iter().filter(selecting).copied().collect();
            Group {
                labels,
                pods: 0,
                ready: Tally::default(),
                published: Tally::default(),
                services,
            }
        });
        let (uid, change) = match direction {
            Move::In => {
                group.pods += 1;
                (pod.meta.uid.0, Tally::add as fn(&mut Tally, u64))
            }
            Move::Out => {
                group.pods -= 1;
                (pod.meta.uid.0, Tally::take as fn(&mut Tally, u64))
            }
        };
        let is_ready = is_wanted(pod, UnreadyEndpoints::Hidden);
        let is_published = is_wanted(pod, UnreadyEndpoints::Published);
        if is_ready {
            change(&mut group.ready, uid);
        }
        if is_published {
            change(&mut group.published, uid);
        }
        for id in &group.services {
            let Some(row) = self.services.get_mut(id) else { continue };
            let counts = match row.unready {
                UnreadyEndpoints::Hidden => is_ready,
                UnreadyEndpoints::Published => is_published,
            };
            if counts {
                change(&mut row.wanted, uid);
                compare(&mut self.mismatched, *id, row);
            }
        }
        if group.pods == 0 {
            here.groups.remove(&key);
        }
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

    /// A StatefulSet changed.
    pub fn stateful_set(&mut self, change: &Change<'_, StatefulSet>) {
        let is_settled = change.new.is_none_or(StatefulSet::is_rolled_out);
        self.judge(TableKind::StatefulSet, change.id.into(), is_settled);
    }

    /// A DaemonSet changed.
    pub fn daemon_set(&mut self, change: &Change<'_, DaemonSet>) {
        let is_seen = change.new.is_none_or(DaemonSet::is_observed);
        self.judge(TableKind::DaemonSet, change.id.into(), is_seen);
        let Some(any) = change.new.or(change.old) else { return };
        match change.new.map_or(0, DaemonSet::lacking) {
            0 => self.daemons_lacking.remove(&any.meta.uid),
            lacking => self.daemons_lacking.insert(any.meta.uid, lacking),
        };
    }

    /// A Job changed: it is as desired once it is finished, or suspended without pods.
    pub fn job(&mut self, change: &Change<'_, Job>) {
        let is_settled = change.new.is_none_or(|job| {
            job.is_finished()
                || job.is_managed_elsewhere()
                || (job.is_suspended() && job.status.active == 0)
        });
        self.judge(TableKind::Job, change.id.into(), is_settled);
    }

    /// A Service changed.
    pub fn service(&mut self, change: &Change<'_, Service>) {
        let id = change.id;
        if let (Some(old), Some(new)) = (change.old, change.new)
            && Arc::ptr_eq(&old.spec, &new.spec)
        {
            return;
        }
        let offered = self.services.remove(&id).map_or_else(Tally::default, |row| row.offered);
        self.mismatched.remove(&id);
        if let Some(old) = change.old
            && let Some(here) = self.namespaces.get_mut(&old.meta.namespace)
        {
            here.services.retain(|&one| one != id);
            here.groups.values_mut().for_each(|group| group.services.retain(|&one| one != id));
        }
        let Some(new) = change.new else { return };
        let Some(selector) = new.spec.selector.as_ref().filter(|labels| !labels.is_empty()) else {
            return;
        };
        if new.spec.exposure == Exposure::ExternalName {
            return;
        }
        let mut row = ServiceRow {
            selector: Arc::new(selector.clone()),
            unready: new.spec.unready,
            family: new.families.primary(),
            wanted: Tally::default(),
            offered,
        };
        let here = self.namespaces.entry(new.meta.namespace.clone()).or_default();
        here.services.push(id);
        for group in here.groups.values_mut() {
            if selects(&row.selector, &group.labels) {
                group.services.push(id);
                row.wanted.add_all(match row.unready {
                    UnreadyEndpoints::Hidden => group.ready,
                    UnreadyEndpoints::Published => group.published,
                });
            }
        }
        compare(&mut self.mismatched, id, &row);
        self.services.insert(id, row);
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
        if row.family != slice.family {
            return;
        }
        for endpoint in slice.endpoints.iter().filter(|one| one.conditions.ready) {
            change(&mut row.offered, endpoint.uid.0);
        }
        compare(&mut self.mismatched, id, row);
    }
}

/// Whether a pod comes or goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Move {
    In,
    Out,
}

fn compare(mismatched: &mut BTreeSet<Id<Service>>, id: Id<Service>, row: &ServiceRow) {
    if row.wanted == row.offered {
        mismatched.remove(&id);
    } else {
        mismatched.insert(id);
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
