//! The namespace controller (kube-controller-manager 1.36 pkg/controller/namespace).
//!
//! Owns the emptying of namespaces that are being deleted; refuses to know what the objects are.
//!
//! ```text
//! marked ─ 5 s ─▶ pods there? ─ yes ─▶ delete them ─ 5 s, then half their grace and 1 s ─▶ again
//!                     └─ no ─▶ delete the rest ─ all gone ─▶ finalizer taken away: it goes
//!                                              └─ some held up ─ 5 s ─▶ again
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::meta::RawId;
use crate::api::misc::{Lease, Namespace, Other};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::resource_quota::ResourceQuota;
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::PersistentVolumeClaim;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::SimDuration;

use super::{Known, Timer};

/// From a namespace's mark to the first look, so that requests in flight are over; and from the
/// first look's note in its status to the second.
const WAIT: SimDuration = SimDuration::from_secs(5);
/// Finalizer of a namespace that may still have contents.
pub const CONTENT: &str = "kubernetes";

/// What is being done about a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It waits for its next look.
    Waiting,
    /// So many deletions of what is no pod are in flight; whether some was held up.
    Emptying { left: u32, held_up: u32 },
    /// Its finalizer is being taken away.
    Finishing,
}

#[derive(Clone, Copy, Debug)]
struct Ending {
    step: Step,
    looks: u32,
    cause: u64,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct Namespaces {
    client: ClientId,
    ending: BTreeMap<Id<Namespace>, Ending>,
}

/// Replies about pods are not waited for.
const POD: u64 = u64::MAX;

impl Namespaces {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId) -> Namespaces {
        Namespaces { client, ending: BTreeMap::new() }
    }

    /// A namespace changed.
    pub fn namespace(&mut self, change: &Change<'_, Namespace>, fx: &mut Effects<Timer>) {
        let Some(namespace) = change.new else {
            self.ending.remove(&change.id);
            return;
        };
        if namespace.meta.is_terminating() && !self.ending.contains_key(&change.id) {
            let ending = Ending { step: Step::Waiting, looks: 0, cause: fx.cause() };
            self.ending.insert(change.id, ending);
            self.arm(change.id, WAIT, fx);
        }
    }

    fn arm(&self, id: Id<Namespace>, after: SimDuration, fx: &mut Effects<Timer>) {
        fx.arm(after, Timer::Namespace { slot: id.slot() as u32, generation: id.generation() });
    }

    /// The time has come to look at a namespace.
    pub fn look(&mut self, slot: u32, generation: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let id = Id::from_parts(slot, generation);
        let Some(ending) = self.ending.get_mut(&id) else { return };
        let Some(namespace) = known.view.get(id) else { return };
        if ending.step != Step::Waiting {
            return;
        }
        fx.because(ending.cause);
        ending.looks += 1;
        let looks = ending.looks;
        let name = namespace.meta.name.to_string();
        let pods: Vec<(Id<Pod>, &Pod)> =
            known.view.list::<Pod>().filter(|(_, pod)| *pod.meta.namespace == *name).collect();
        if !pods.is_empty() {
            let grace = pods.iter().map(|(_, pod)| pod.spec.grace_seconds).max().unwrap_or(0);
            for (pod, _) in pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()) {
                fx.send(self.client, POD, deletion(Kind::Pod, (*pod).into()));
            }
            // The first look's note in the status wakes the controller again.
            let half = SimDuration::from_secs(u64::from(grace / 2) + 1);
            return self.arm(id, if looks == 1 { WAIT.min(half) } else { half }, fx);
        }
        let rest = rest_of(&name, known);
        ending.step = Step::Emptying { left: rest.len() as u32, held_up: 0 };
        for (kind, object) in &rest {
            fx.send(self.client, tag(id), deletion(*kind, *object));
        }
        if rest.is_empty() {
            self.finish(id, known, fx);
        }
    }

    fn finish(&mut self, id: Id<Namespace>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(ending) = self.ending.get_mut(&id) else { return };
        let Some((rev, namespace)) = known.view.version(id) else { return };
        ending.step = Step::Finishing;
        let mut next = namespace.clone();
        let kept = next.meta.finalizers.iter().flat_map(|all| all.iter());
        let kept: Arc<[_]> = kept.filter(|one| &***one != CONTENT).cloned().collect();
        next.meta.finalizers = (!kept.is_empty()).then_some(kept);
        let object = Object::Namespace(Box::new(next));
        let call = Call::Update { id: id.into(), object, base: Some(rev), part: Part::Main };
        fx.send(self.client, tag(id), call);
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        if reply.tag == POD {
            return;
        }
        let id = Id::from_parts((reply.tag >> 32) as u32, reply.tag as u32);
        let Some(ending) = self.ending.get_mut(&id) else { return };
        fx.because(ending.cause.max(fx.cause()));
        match &mut ending.step {
            Step::Waiting => {}
            Step::Emptying { left, held_up } => {
                *left = left.saturating_sub(1);
                let is_gone = match &reply.result {
                    Ok(done) => done.rev == Rev::ZERO,
                    Err(status) => status.code() == 404,
                };
                *held_up += u32::from(!is_gone);
                if *left > 0 {
                    return;
                }
                if *held_up == 0 {
                    return self.finish(id, known, fx);
                }
                ending.step = Step::Waiting;
                self.arm(id, WAIT, fx);
            }
            Step::Finishing if reply.result.is_err() => {
                ending.step = Step::Waiting;
                self.arm(id, WAIT, fx);
            }
            Step::Finishing => {}
        }
    }
}

fn tag(id: Id<Namespace>) -> u64 {
    (id.slot() as u64) << 32 | u64::from(id.generation())
}

fn deletion(kind: Kind, id: RawId) -> Call {
    let propagation = Propagation::Background;
    Call::Delete { kind, id, uid: None, grace_seconds: None, propagation }
}

/// Everything in a namespace but pods.
fn rest_of(namespace: &str, known: Known<'_>) -> Vec<(Kind, RawId)> {
    fn of<T: Stored>(
        namespace: &str,
        known: Known<'_>,
        kind: fn(&T) -> Kind,
        into: &mut Vec<(Kind, RawId)>,
    ) {
        let all = known.view.list::<T>();
        let here = all.filter(|(_, object)| *object.meta().namespace == *namespace);
        into.extend(here.map(|(id, object)| (kind(object), id.into())));
    }
    let mut all = Vec::new();
    of::<Deployment>(namespace, known, |_| Kind::Deployment, &mut all);
    of::<ReplicaSet>(namespace, known, |set| set.kind.into(), &mut all);
    of::<Service>(namespace, known, |_| Kind::Service, &mut all);
    of::<EndpointSlice>(namespace, known, |_| Kind::EndpointSlice, &mut all);
    of::<Endpoints>(namespace, known, |_| Kind::Endpoints, &mut all);
    of::<StatefulSet>(namespace, known, |_| Kind::StatefulSet, &mut all);
    of::<DaemonSet>(namespace, known, |_| Kind::DaemonSet, &mut all);
    of::<ControllerRevision>(namespace, known, |_| Kind::ControllerRevision, &mut all);
    of::<Job>(namespace, known, |_| Kind::Job, &mut all);
    of::<CronJob>(namespace, known, |_| Kind::CronJob, &mut all);
    of::<PodDisruptionBudget>(namespace, known, |_| Kind::PodDisruptionBudget, &mut all);
    of::<PersistentVolumeClaim>(namespace, known, |_| Kind::PersistentVolumeClaim, &mut all);
    of::<LimitRange>(namespace, known, |_| Kind::LimitRange, &mut all);
    of::<ResourceQuota>(namespace, known, |_| Kind::ResourceQuota, &mut all);
    of::<Lease>(namespace, known, |_| Kind::Lease, &mut all);
    of::<Other>(namespace, known, |_| Kind::Other, &mut all);
    all
}
