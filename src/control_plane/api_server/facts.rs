//! The facts that follow from a committed change: told by comparing the object before and after, so
//! that every writer's changes are told alike.

use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::{Job, JobConditionKind};
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::meta::{Meta, ObjectName};
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::name::Name;
use crate::api::node::{Node, Tristate};
use crate::api::pod::{Phase, Pod};
use crate::api::resource_quota::ResourceQuota;
use crate::api::rules::taints::Taint;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::messages::{Component, Effects, Fact, Verb};
use crate::store::{Store, Stored};

/// An object whose changes are told.
pub(super) trait Told: Stored {
    /// Its kind as facts name it.
    fn kind(&self) -> Kind;
    /// Tells what `self` -> `next` means.
    fn tell<T>(&self, _next: &Self, _store: &Store, _effects: &mut Effects<T>) {}
    /// Whether nothing but its metadata holds it up when it is deleted.
    fn is_finalized(&self) -> bool {
        true
    }
    /// Takes one of its own finalizers away.
    fn finalize(&mut self, _finalizer: &str) {}
}

fn fact(verb: Verb, kind: Kind, meta: &Meta) -> Fact {
    Fact::new(Component::ApiServer, verb, ObjectName::of(kind, meta))
}

/// Tells that an object was stored.
pub(super) fn created<S: Told, T>(object: &S, effects: &mut Effects<T>) {
    let mut created = fact(Verb::Created, object.kind(), object.meta());
    // Of the kinds that people apply, too, it is told who else made one.
    if let Some(owner) = object.meta().owner.filter(|_| object.kind() == Kind::Job) {
        created = created.saying(format!("made by a {}", owner.kind));
    }
    effects.fact(created);
}

/// Tells that an object is gone.
pub(super) fn removed<S: Told, T>(object: &S, effects: &mut Effects<T>) {
    effects.fact(fact(Verb::Deleted, object.kind(), object.meta()));
}

/// Tells what a change means.
pub(super) fn changed<S: Told, T>(old: &S, next: &S, store: &Store, effects: &mut Effects<T>) {
    if old.meta().deletion.is_none()
        && let Some(deletion) = next.meta().deletion
    {
        let grace = i64::from(deletion.grace_seconds);
        let deleting = fact(Verb::Deleting, next.kind(), next.meta()).with("grace_seconds", grace);
        effects.fact(deleting);
    }
    old.tell(next, store, effects);
}

impl Told for Pod {
    fn kind(&self) -> Kind {
        Kind::Pod
    }

    fn tell<T>(&self, next: &Pod, store: &Store, effects: &mut Effects<T>) {
        let node = next.node.and_then(|id| store.get(id)).map(|node| node.meta.name.clone());
        if self.node.is_none() && next.node.is_some() {
            effects.fact(placed(fact(Verb::Bound, Kind::Pod, &next.meta), node.as_ref()));
        }
        if self.spec.written != next.spec.written {
            effects.fact(placed(fact(Verb::Changed, Kind::Pod, &next.meta), node.as_ref()));
        }
        if self.status.phase != next.status.phase {
            let verb = match next.status.phase {
                Phase::Pending | Phase::Unknown => None,
                Phase::Running => Some(fact(Verb::Running, Kind::Pod, &next.meta)),
                Phase::Succeeded => {
                    Some(fact(Verb::Finished, Kind::Pod, &next.meta).with("failed", 0))
                }
                Phase::Failed => {
                    Some(fact(Verb::Finished, Kind::Pod, &next.meta).with("failed", 1))
                }
            };
            if let Some(told) = verb {
                effects.fact(placed(told, node.as_ref()));
            }
        }
        if self.is_ready() != next.is_ready() {
            let verb = if next.is_ready() { Verb::Ready } else { Verb::Unready };
            effects.fact(placed(fact(verb, Kind::Pod, &next.meta), node.as_ref()));
        }
    }
}

fn placed(fact: Fact, node: Option<&Name>) -> Fact {
    match node {
        Some(node) => fact.on(node),
        None => fact,
    }
}

impl Told for Node {
    fn kind(&self) -> Kind {
        Kind::Node
    }

    fn tell<T>(&self, next: &Node, _store: &Store, effects: &mut Effects<T>) {
        if self.conditions.ready != next.conditions.ready {
            let verb = match next.conditions.ready {
                Tristate::True => Verb::NodeReady,
                Tristate::False => Verb::NodeNotReady,
                Tristate::Unknown => Verb::NodeUnknown,
            };
            effects.fact(fact(verb, Kind::Node, &next.meta));
        }
        let lacks = |list: &[Taint], taint: &Taint| {
            !list.iter().any(|one| one.is_same(taint) && one.value == taint.value)
        };
        let said = |verb, taint: &Taint| {
            fact(verb, Kind::Node, &next.meta).saying(format!(
                "{}:{}",
                taint.key,
                taint.effect.name()
            ))
        };
        for taint in next.taints.iter().filter(|taint| lacks(&self.taints, taint)) {
            effects.fact(said(Verb::Tainted, taint));
        }
        for taint in self.taints.iter().filter(|taint| lacks(&next.taints, taint)) {
            effects.fact(said(Verb::Untainted, taint));
        }
    }
}

impl Told for ReplicaSet {
    fn kind(&self) -> Kind {
        self.kind.into()
    }

    fn tell<T>(&self, next: &ReplicaSet, _store: &Store, effects: &mut Effects<T>) {
        if self.replicas != next.replicas {
            let replicas = i64::from(next.replicas);
            effects
                .fact(fact(Verb::Scaled, next.kind.into(), &next.meta).with("replicas", replicas));
        }
        if self.status != next.status {
            let status = &next.status;
            effects.fact(
                fact(Verb::Status, next.kind.into(), &next.meta)
                    .with("replicas", status.replicas.into())
                    .with("ready", status.ready.into())
                    .with("available", status.available.into()),
            );
        }
    }
}

impl Told for Deployment {
    fn kind(&self) -> Kind {
        Kind::Deployment
    }

    fn tell<T>(&self, next: &Deployment, _store: &Store, effects: &mut Effects<T>) {
        if self.replicas != next.replicas {
            let replicas = i64::from(next.replicas);
            effects
                .fact(fact(Verb::Scaled, Kind::Deployment, &next.meta).with("replicas", replicas));
        }
        if self.template.hash != next.template.hash {
            effects.fact(fact(Verb::Changed, Kind::Deployment, &next.meta));
        }
        let counts = |status: &crate::api::workload::DeploymentStatus| {
            [status.replicas, status.updated, status.ready, status.available]
        };
        if counts(&self.status) != counts(&next.status) {
            let [replicas, updated, ready, available] = counts(&next.status);
            effects.fact(
                fact(Verb::Status, Kind::Deployment, &next.meta)
                    .with("replicas", replicas.into())
                    .with("updated", updated.into())
                    .with("ready", ready.into())
                    .with("available", available.into()),
            );
        }
        if !is_complete(self) && is_complete(next) {
            effects.fact(fact(Verb::Available, Kind::Deployment, &next.meta));
        }
    }
}

/// `deploymentutil.DeploymentComplete` of 1.36, the observed generation included.
fn is_complete(deployment: &Deployment) -> bool {
    let (wanted, status) = (deployment.replicas, &deployment.status);
    status.updated == wanted
        && status.replicas == wanted
        && status.available == wanted
        && status.observed_generation >= deployment.meta.generation
}

impl Told for StatefulSet {
    fn kind(&self) -> Kind {
        Kind::StatefulSet
    }

    fn tell<T>(&self, next: &StatefulSet, _store: &Store, effects: &mut Effects<T>) {
        let told = |verb| fact(verb, Kind::StatefulSet, &next.meta);
        if self.replicas != next.replicas {
            effects.fact(told(Verb::Scaled).with("replicas", next.replicas.into()));
        }
        if self.template.hash != next.template.hash {
            effects.fact(told(Verb::Changed));
        }
        let counts = |set: &StatefulSet| {
            let it = &set.status;
            [it.replicas, it.updated, it.ready, it.available]
        };
        if counts(self) != counts(next) {
            let [replicas, updated, ready, available] = counts(next);
            effects.fact(
                told(Verb::Status)
                    .with("replicas", replicas.into())
                    .with("updated", updated.into())
                    .with("ready", ready.into())
                    .with("available", available.into()),
            );
        }
        if !self.is_rolled_out() && next.is_rolled_out() {
            effects.fact(told(Verb::Available));
        }
    }
}

impl Told for DaemonSet {
    fn kind(&self) -> Kind {
        Kind::DaemonSet
    }

    fn tell<T>(&self, next: &DaemonSet, _store: &Store, effects: &mut Effects<T>) {
        let told = |verb| fact(verb, Kind::DaemonSet, &next.meta);
        if self.template.hash != next.template.hash {
            effects.fact(told(Verb::Changed));
        }
        let counts = |set: &DaemonSet| {
            let it = &set.status;
            [it.desired, it.current, it.misscheduled, it.updated, it.ready, it.available]
        };
        if counts(self) != counts(next) {
            let [desired, current, misscheduled, updated, ready, available] = counts(next);
            effects.fact(
                told(Verb::Status)
                    .with("desired", desired.into())
                    .with("current", current.into())
                    .with("misscheduled", misscheduled.into())
                    .with("updated", updated.into())
                    .with("ready", ready.into())
                    .with("available", available.into()),
            );
        }
        if !self.is_rolled_out() && next.is_rolled_out() {
            effects.fact(told(Verb::Available));
        }
    }
}

impl Told for Job {
    fn kind(&self) -> Kind {
        Kind::Job
    }

    fn tell<T>(&self, next: &Job, _store: &Store, effects: &mut Effects<T>) {
        if self.is_suspended() != next.is_suspended() {
            let verb = if next.is_suspended() { Verb::Suspended } else { Verb::Resumed };
            effects.fact(fact(verb, Kind::Job, &next.meta));
        } else if self.spec != next.spec {
            effects.fact(fact(Verb::Changed, Kind::Job, &next.meta));
        }
        let counts = |job: &Job| {
            let it = &job.status;
            [it.active, it.ready.unwrap_or(0), it.terminating.unwrap_or(0), it.succeeded, it.failed]
        };
        if counts(self) != counts(next) {
            let [active, ready, terminating, succeeded, failed] = counts(next).map(i64::from);
            effects.fact(
                fact(Verb::Status, Kind::Job, &next.meta)
                    .with("active", active)
                    .with("ready", ready)
                    .with("terminating", terminating)
                    .with("succeeded", succeeded)
                    .with("failed", failed),
            );
        }
        for (kind, verb) in [
            (JobConditionKind::SuccessCriteriaMet, Verb::Completing),
            (JobConditionKind::FailureTarget, Verb::Failing),
            (JobConditionKind::Complete, Verb::Completed),
            (JobConditionKind::Failed, Verb::Failed),
        ] {
            if self.status.holding(kind).is_none()
                && let Some(it) = next.status.holding(kind)
            {
                let why = format!("{}: {}", it.reason, it.message);
                effects.fact(fact(verb, Kind::Job, &next.meta).saying(why));
            }
        }
    }
}

impl Told for PodDisruptionBudget {
    fn kind(&self) -> Kind {
        Kind::PodDisruptionBudget
    }

    fn tell<T>(&self, next: &PodDisruptionBudget, _store: &Store, effects: &mut Effects<T>) {
        let counts = |budget: &PodDisruptionBudget| {
            let it = &budget.status;
            [it.allowed, it.healthy, it.desired, it.expected]
        };
        if counts(self) != counts(next) {
            let [allowed, healthy, desired, expected] = counts(next);
            effects.fact(
                fact(Verb::Status, Kind::PodDisruptionBudget, &next.meta)
                    .with("allowed", allowed.into())
                    .with("healthy", healthy.into())
                    .with("desired", desired.into())
                    .with("expected", expected.into()),
            );
        }
    }
}

impl Told for HorizontalPodAutoscaler {
    fn kind(&self) -> Kind {
        Kind::HorizontalPodAutoscaler
    }

    fn tell<T>(&self, next: &HorizontalPodAutoscaler, _store: &Store, effects: &mut Effects<T>) {
        let counts = |it: &HorizontalPodAutoscaler| (it.status.current, it.status.desired);
        if counts(self) != counts(next) {
            let (current, desired) = counts(next);
            effects.fact(
                fact(Verb::Status, Kind::HorizontalPodAutoscaler, &next.meta)
                    .with("current", current.into())
                    .with("desired", desired.into()),
            );
        }
    }
}

impl Told for EndpointSlice {
    fn kind(&self) -> Kind {
        Kind::EndpointSlice
    }

    fn tell<T>(&self, next: &EndpointSlice, _store: &Store, effects: &mut Effects<T>) {
        if self.endpoints != next.endpoints || self.hints != next.hints {
            let ready = next.endpoints.iter().filter(|one| one.conditions.ready).count();
            effects.fact(
                fact(Verb::Endpoints, Kind::EndpointSlice, &next.meta)
                    .with("ready", ready as i64)
                    .with("total", next.endpoints.len() as i64),
            );
        }
    }
}

impl Told for Endpoints {
    fn kind(&self) -> Kind {
        Kind::Endpoints
    }

    fn tell<T>(&self, next: &Endpoints, _store: &Store, effects: &mut Effects<T>) {
        if self.subsets != next.subsets {
            let ready: usize = next.subsets.iter().map(|one| one.addresses.len()).sum();
            let unready: usize = next.subsets.iter().map(|one| one.not_ready.len()).sum();
            effects.fact(
                fact(Verb::Changed, Kind::Endpoints, &next.meta)
                    .with("ready", ready as i64)
                    .with("not_ready", unready as i64),
            );
        }
    }
}

impl Told for Namespace {
    fn kind(&self) -> Kind {
        Kind::Namespace
    }

    fn is_finalized(&self) -> bool {
        self.finalizers.is_empty()
    }

    fn finalize(&mut self, finalizer: &str) {
        self.finalizers.retain(|one| &**one != finalizer);
    }
}

macro_rules! told_plainly {
    ($($kind:ident),*) => {$(
        impl Told for $kind {
            fn kind(&self) -> Kind {
                Kind::$kind
            }
        }
    )*};
}
told_plainly!(
    Service,
    Lease,
    PriorityClass,
    ControllerRevision,
    CronJob,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    CsiNode,
    LimitRange,
    ResourceQuota,
    Other
);
