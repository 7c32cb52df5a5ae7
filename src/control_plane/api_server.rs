//! The API server: the only way to write to the store.
//!
//! Owns admission, defaulting of what only it knows (uids, generated names, cluster addresses,
//! priorities), conflict checks, graceful deletion, and the facts that follow from a change
//! (`facts`). It refuses to know who asks or how long anything takes: latency, links and rate
//! limits lie before it (`cluster/`), watches behind it (the store's cursors).
//!
//! API servers are stateless: every instance runs this one code on the same store. What all of
//! them share besides the objects (allocated addresses, name incarnations) is [`Shared`], which
//! lives as long as etcd does.
//!
//! ```text
//! Create: namespace there and not terminating -> name and uid -> admission by kind -> stored
//! Update: there -> base revision current -> part merged -> equal? nothing written -> stored
//! Delete: there -> uid matches -> pods with grace: marked -> finalizers: marked -> gone
//! ```

mod admission;
mod create;
pub mod delete;
pub mod eviction;
mod facts;
mod families;
mod kinds;
mod limits;
mod parts;
mod quotas;
mod runtime_classes;
mod scale;
mod services;
pub mod tolerations;
mod update;
mod verticals;

use std::any::Any;

use crate::api::disruption::PodDisruptionBudget;
use crate::api::ip_family::Families;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, RawId, Uid};
use crate::api::name::Text;
use crate::api::service::Service;
use crate::api::status::Status;
use crate::api::validation::gates::Gates;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::luck::{Label, Luck};
use crate::messages::{Call, Done, Effects};
use crate::net::address::ServiceRange;
use crate::net::node_ports::NodePorts;
use crate::store::{Rev, Store, Stored};
use crate::time::SimTime;
use kinds::of_kind;
use tolerations::PodTolerations;

const UID: Label = Label::new("uid");

/// What all API servers of a cluster share besides the objects themselves.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Cluster addresses of Services.
    pub service_range: ServiceRange,
    /// IPv6 ones, by their places.
    pub service_range6: ServiceRange,
    /// The families of the cluster's addresses.
    pub families: Families,
    /// Ports of Services on the nodes.
    pub node_ports: NodePorts,
    /// How many names were generated from a base that has no owner, by hash of kind, namespace, base.
    generated: FastMap<u64, u32>,
    /// Whether namespaces have a say in their pods' tolerations.
    pub pod_tolerations: PodTolerations,
    /// Where the feature gates stand that decide what is kept of objects.
    pub gates: Gates,
    admitted: admission::Admitted,
    limits: limits::Limits,
    raises: verticals::Raises,
    accounts: quotas::Accounts,
    /// Which budget an eviction counted down last, and when.
    pub counted_down: Option<(Id<PodDisruptionBudget>, SimTime)>,
    luck: Luck,
}

impl Shared {
    /// For a new cluster with this luck and this range of Service addresses.
    pub fn new(luck: Luck, mut service_range: ServiceRange) -> Shared {
        // The first address is that of the API server's own Service.
        let _is_free = service_range.take(service_range.first());
        Shared {
            service_range,
            service_range6: ServiceRange::of_ipv6(),
            families: Families::V4,
            node_ports: NodePorts::default(),
            generated: FastMap::default(),
            pod_tolerations: PodTolerations::default(),
            gates: Gates::default(),
            admitted: admission::Admitted::default(),
            limits: limits::Limits::default(),
            raises: verticals::Raises::default(),
            accounts: quotas::Accounts::default(),
            counted_down: None,
            luck,
        }
    }
}

/// One request being carried out: the store, what is shared, and the effects it has.
pub struct Server<'a, T> {
    /// The instant of the commit.
    pub now: SimTime,
    /// The store.
    pub store: &'a mut Store,
    /// What all API servers share.
    pub shared: &'a mut Shared,
    /// Where facts go.
    pub effects: &'a mut Effects<T>,
}

/// The uid of an object of its own name: a hash of (seed, kind, namespace, name, incarnation). Who
/// makes a name anew counts its incarnations.
pub fn uid(luck: Luck, kind: Kind, meta: &Meta, incarnation: u64) -> Uid {
    let key = ObjectName::of(kind, meta).stable_hash();
    Uid(luck.draw(UID, key, incarnation).u64())
}

impl<T> Server<'_, T> {
    /// Carries out `call`.
    ///
    /// # Errors
    /// The API server's refusal.
    pub fn execute(&mut self, call: Call) -> Result<Done, Status> {
        match call {
            Call::Get { kind, id } => self.get(kind, id),
            Call::Create(object) => self.create(object),
            Call::Update { id, object, base, part } => self.update(id, object, base, part),
            Call::PodStatus { pod, uid, status } => self.pod_status(pod, uid, *status),
            Call::Disrupt { pod, uid, why } => self.disrupt(pod, uid, why),
            Call::Fail { pod, uid, why } => self.fail(pod, uid, why),
            Call::Patch { kind, id, uid, patch } => self.patch(kind, id, uid, &patch),
            Call::Collect { kind, id, by } => self.collect(kind, id, by),
            Call::Scale { kind, id, uid, replicas } => self.scale(kind, id, uid, replicas),
            Call::Evict { pod } => self.evict(pod),
            Call::Bind { pod, node } => self.bind(pod, node),
            Call::Delete { kind, id, uid, grace_seconds, propagation } => {
                self.delete(kind, id, uid, grace_seconds, propagation)
            }
            Call::Event => Ok(Done { id: RawId { slot: 0, generation: 0 }, rev: Rev::ZERO }),
        }
    }

    /// Whether an object is there.
    fn get(&self, kind: Kind, id: RawId) -> Result<Done, Status> {
        of_kind!(kind, S => {
            let rev = self.store.table::<S>().revision(id.typed());
            rev.map(|rev| Done { id, rev }).ok_or_else(|| not_found(kind, None))
        })
    }

    /// Writes the next version of an object and tells what changed.
    fn write<S: Stored + facts::Told>(&mut self, id: Id<S>, next: S) -> Done {
        if let Some(old) = self.store.get(id) {
            if *old == next {
                let rev = self.store.table::<S>().revision(id).unwrap_or(Rev::ZERO);
                return Done { id: id.into(), rev };
            }
            facts::changed(old, &next, self.store, self.effects);
        }
        self.store.update(self.now, id, next);
        Done { id: id.into(), rev: self.store.revision() }
    }

    /// Removes an object for good and tells so.
    fn remove<S: Stored + facts::Told>(&mut self, id: Id<S>) -> Option<S> {
        let gone = self.store.delete(self.now, id)?;
        facts::removed(&gone, self.effects);
        if let Some(service) = (&gone as &dyn Any).downcast_ref::<Service>() {
            self.release(service);
        }
        Some(gone)
    }
}

fn not_found(kind: Kind, meta: Option<&Meta>) -> Status {
    let name = meta.map_or_else(
        || ObjectName { kind, namespace: Text::default(), name: "".into() },
        |meta| ObjectName::of(kind, meta),
    );
    Status::NotFound(name)
}

#[cfg(test)]
mod tests;
