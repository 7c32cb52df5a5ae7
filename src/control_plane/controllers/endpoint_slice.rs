//! The EndpointSlice controller (kube-controller-manager 1.36 pkg/controller/endpointslice and
//! staging/src/k8s.io/endpointslice).
//!
//! Owns which Services need a sync, what their slices should hold, and the writes that bring that
//! about, one after another; refuses to know how pods came to be ready and who reads the slices.
//! A sync that finds the cache older than its own last writes fails, to come back a second later.
//!
//! ```text
//! begin ─ 50 us an endpoint ─┬─ cache behind own writes ─▶ failed (1 s, doubling)
//!                            └─▶ spread endpoints ─▶ create, update, delete one by one ─▶ done
//!                                                         └── refused ─▶ failed
//! ```

pub mod families;
pub mod hints;
pub mod pack;
pub mod ports;
#[cfg(test)]
mod tests;
pub mod topology;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::ip_family::{Families, IpFamily};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, ObjectName, Owner};
use crate::api::name::{Name, Text};
use crate::api::node::{Node, ZONE_LABEL};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::service::{
    Distribution, Endpoint, EndpointConditions, EndpointSlice, Exposure, Hint, SERVICE_LABEL,
    Service, UnreadyEndpoints,
};
use crate::api::status::Status;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::request::Propagation;
use crate::messages::{About, Call, ClientId, Effects, Part, Remark, Reply};
use crate::store::{Change, Rev};
use crate::time::SimDuration;

use super::events::Events;
use super::index::Member;
use super::workqueue::{Job, Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which, is_namespace_ending};
use hints::Spot;
use pack::{Existing, LabelState};
use ports::Ports;
use topology::{Notice, Topology};

/// Endpoints a slice holds at most (`--max-endpoints-per-slice`).
pub const MAX_ENDPOINTS: usize = 100;
/// From a slice changed by somebody else to the sync of its Service.
const SLICE_DELAY: SimDuration = SimDuration::from_secs(1);
/// What a sync computes for each endpoint: upstream hashes each one it finds and each one it
/// wants. golden-timelines: on the quiet machine of s1_deploy100 the last of 100 pods is in its
/// slice 11 ms after it was ready; of 1,000 on a busy one each write takes some 300 ms.
pub(super) const PER_ENDPOINT: SimDuration = SimDuration::from_micros(50);
/// Failed syncs after which a Service is left alone until something changes.
const RETRIES: u32 = 15;
/// Label of a slice that says who keeps it.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Its value for this controller.
pub const MANAGER: &str = "endpointslice-controller.k8s.io";
/// Label of a headless Service's slice.
pub(super) const HEADLESS: &str = "service.kubernetes.io/headless";

/// What our own last write made of a slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    At(Rev),
    Gone,
}

#[derive(Clone, Debug)]
enum Write {
    Create(Box<EndpointSlice>),
    Update(Id<EndpointSlice>, Rev, Box<EndpointSlice>),
    Delete(Id<EndpointSlice>),
}

#[derive(Clone, Debug)]
struct Task {
    job: Job<Service>,
    uid: crate::api::meta::Uid,
    service: ObjectName,
    writes: VecDeque<Write>,
    /// How the sync ends if every write succeeds.
    outcome: Outcome,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct EndpointSlices {
    client: ClientId,
    /// The families of the cluster's addresses.
    cluster: Families,
    pub(super) queue: Queue<Service>,
    pub(super) events: Events,
    tasks: Vec<Option<Task>>,
    expected: FastMap<Id<Service>, BTreeMap<Id<EndpointSlice>, Expected>>,
    /// `generateName` of each Service's slices.
    bases: FastMap<Id<Service>, Text>,
    topology: Topology,
}

fn service_of(slice: &EndpointSlice) -> Option<Id<Service>> {
    let owner = slice.meta.owner.filter(|owner| owner.kind == Kind::Service)?;
    let ours = slice.meta.labels.get(MANAGED_BY).is_some_and(|by| &**by == MANAGER);
    ours.then(|| owner.at.typed())
}

impl EndpointSlices {
    /// The controller, sending by `client`; pods have addresses of the families of the `cluster`.
    pub fn new(client: ClientId, settings: QueueSettings, cluster: Families) -> EndpointSlices {
        let settings = QueueSettings {
            backoff_base: SimDuration::from_secs(1),
            retries: Some(RETRIES),
            ..settings
        };
        EndpointSlices {
            client,
            cluster,
            queue: Queue::new(Which::EndpointSlices, settings),
            events: Events::new(Which::EndpointSlices, client),
            tasks: vec![None; usize::from(settings.workers.max(1))],
            expected: FastMap::default(),
            bases: FastMap::default(),
            topology: Topology::default(),
        }
    }

    /// A Service changed.
    pub fn service(&mut self, change: &Change<'_, Service>, fx: &mut Effects<Timer>) {
        self.queue.add(change.id, fx);
    }

    /// Pods of these Services changed.
    pub fn pods(&mut self, services: &[Id<Service>], fx: &mut Effects<Timer>) {
        services.iter().for_each(|&service| self.queue.add(service, fx));
    }

    /// A node changed: Services with too few endpoints for one of the zones are looked at.
    pub fn node(&mut self, change: &Change<'_, Node>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let seen = |node: &Node| node.is_ready();
        if change.old.map(seen) == change.new.map(seen)
            && change.old.map(Node::zone) == change.new.map(Node::zone)
        {
            return;
        }
        self.topology.node_changed();
        if self.topology.is_used() {
            self.topology.refresh(known.view.list::<Node>().map(|(_, node)| node));
            let overloaded: Vec<Id<Service>> = self.topology.overloaded().collect();
            overloaded.into_iter().for_each(|service| self.queue.add(service, fx));
        }
    }

    /// A slice changed.
    pub fn slice(
        &mut self,
        change: &Change<'_, EndpointSlice>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(service) = change.new.or(change.old).and_then(service_of) else { return };
        let expected = self.expected.get_mut(&service).and_then(|all| all.get_mut(&change.id));
        let is_ours = match (expected, change.new) {
            (Some(Expected::At(rev)), Some(_)) => {
                known.view.version(change.id).is_none_or(|(seen, _)| seen <= *rev)
            }
            (Some(Expected::Gone), None) => {
                if let Some(all) = self.expected.get_mut(&service) {
                    all.remove(&change.id);
                }
                true
            }
            (None, None) => true,
            _ => false,
        };
        if !is_ours {
            self.queue.add_after(service, SLICE_DELAY, fx);
        }
    }

    /// A worker begins to act on its key, or has computed for long enough.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let cost = |service| PER_ENDPOINT * known.index.groups.members_of(service) as u64;
        let Some(job) = self.queue.begin_after(worker, serial, cost, fx) else { return };
        fx.because(job.cause);
        let Some(service) = known.view.get(job.key) else {
            self.expected.remove(&job.key);
            self.bases.remove(&job.key);
            self.topology.forget_all(job.key);
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if service.spec.exposure == Exposure::ExternalName || service.spec.selector.is_none() {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        if self.is_cache_stale(job.key, known) {
            return self.queue.finish(worker, Outcome::Failed, fx);
        }
        let base = self.bases.entry(job.key);
        let base = base.or_insert_with(|| Text::from(format!("{}-", service.meta.name))).clone();
        let families = families::of_service(service);
        let (mut outcome, mut writes) = (Outcome::Done, VecDeque::new());
        for &family in families {
            let mut plan = reconcile((job.key, family), service, self.cluster, known);
            if let Some(notice) = self.hint((job.key, family), service, &mut plan, known) {
                self.events.record(Kind::Service, &service.meta, fx, || notice.remark());
            }
            if plan.outcome != Outcome::Done {
                outcome = plan.outcome;
            }
            writes.extend(plan.writes(job.key, service, base.clone()));
        }
        // Of families the Service has no more.
        let all = slices_of(job.key, service, known);
        let over = all.filter(|(_, _, slice)| !families.contains(&slice.family));
        writes.extend(over.map(|(slice, _, _)| Write::Delete(slice)));
        let (uid, service) = (service.meta.uid, ObjectName::of(Kind::Service, &service.meta));
        let task = Task { job, uid, service, writes, outcome };
        self.step(task, fx);
    }

    /// Says for whom the endpoints are, and what is worth an Event about that.
    fn hint(
        &mut self,
        (id, family): (Id<Service>, IpFamily),
        service: &Service,
        plan: &mut Plan<'_>,
        known: Known<'_>,
    ) -> Option<Notice> {
        if !topology::is_auto(&service.meta.annotations) {
            let had = self.topology.forget(id, family);
            if service.spec.distribution != Distribution::Cluster || plan.has_hints() {
                plan.hint(known, |slices| slices.distribute(service.spec.distribution));
            }
            return had.then(|| Notice::Disabled(topology::DISABLED.to_owned()));
        }
        self.topology.refresh(known.view.list::<Node>().map(|(_, node)| node));
        let mut notice = None;
        plan.hint(known, |slices| notice = self.topology.add_hints((id, family), slices));
        notice
    }

    /// Whether the cache lacks something this controller itself has written (`StaleSlices`).
    fn is_cache_stale(&self, service: Id<Service>, known: Known<'_>) -> bool {
        let expected = self.expected.get(&service).into_iter().flatten();
        expected.into_iter().any(|(&slice, expected)| {
            let seen = known.view.version(slice).map(|(rev, _)| rev);
            match expected {
                Expected::At(rev) => seen.is_none_or(|seen| seen < *rev),
                Expected::Gone => seen.is_some(),
            }
        })
    }

    fn step(&mut self, task: Task, fx: &mut Effects<Timer>) {
        let Some(write) = task.writes.front() else {
            return self.queue.finish(task.job.worker, task.outcome, fx);
        };
        let call = match write {
            Write::Create(slice) => Call::Create(Object::EndpointSlice(slice.clone())),
            Write::Update(id, rev, slice) => Call::Update {
                id: (*id).into(),
                object: Object::EndpointSlice(slice.clone()),
                base: Some(*rev),
                part: Part::Main,
            },
            Write::Delete(id) => Call::Delete {
                kind: Kind::EndpointSlice,
                id: (*id).into(),
                uid: None,
                grace_seconds: None,
                propagation: Propagation::Background,
            },
        };
        fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, 0).pack(), call);
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(mut task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        let Some(write) = task.writes.pop_front() else { return };
        let expected = self.expected.entry(task.job.key).or_default();
        match (write, &reply.result) {
            (Write::Create(_) | Write::Update(..), Ok(done)) => {
                expected.insert(done.id.typed(), Expected::At(done.rev));
            }
            (Write::Delete(id), Ok(_)) => {
                expected.insert(id, Expected::Gone);
            }
            (Write::Delete(_), Err(Status::NotFound(_))) => {}
            (Write::Create(_), Err(status)) if is_namespace_ending(status) => {
                return self.queue.finish(worker, Outcome::Done, fx);
            }
            (_, Err(why)) => {
                let service = &task.service;
                self.events.say(task.uid, fx, || {
                    let name = format!("{}/{}", service.namespace, service.name);
                    let what = format!("Error updating Endpoint Slices for Service {name}: {why}");
                    let about = About::named(service.clone(), Some(task.uid));
                    (Some(about), Remark::warning("FailedToUpdateEndpointSlices", what))
                });
                return self.queue.finish(worker, Outcome::Failed, fx);
            }
        }
        self.step(task, fx);
    }
}

/// What an endpoint shows of a pod (`podToEndpoint`).
pub fn endpoint(member: &Member, unready: UnreadyEndpoints) -> Option<Endpoint> {
    let (ip, node) = (member.ip?, member.node?);
    let (serving, terminating) = (member.is_ready, member.is_terminating);
    let ready = unready == UnreadyEndpoints::Published || (serving && !terminating);
    let conditions = EndpointConditions { ready, serving, terminating };
    Some(Endpoint { pod: member.pod, uid: member.uid, node, ip, conditions })
}

/// The labels a slice of `service` has.
fn labels_of(service: &Service) -> Labels {
    let reserved = [SERVICE_LABEL, MANAGED_BY, HEADLESS];
    let copied = service.meta.labels.iter().filter(|(key, _)| !reserved.contains(&&***key));
    let mut labels: Labels = copied.map(|(key, value)| (key.clone(), value.clone())).collect();
    labels.insert(SERVICE_LABEL.into(), service.meta.name.to_string().into());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if service.spec.exposure == Exposure::Headless {
        labels.insert(HEADLESS.into(), "".into());
    }
    labels
}

/// The slices this controller keeps for a Service.
fn slices_of<'a>(
    id: Id<Service>,
    service: &Service,
    known: Known<'a>,
) -> impl Iterator<Item = (Id<EndpointSlice>, Rev, &'a EndpointSlice)> + use<'a> {
    let all = known.index.owners.slices(service.meta.uid).iter();
    let all = all
        .filter_map(move |&slice| known.view.version(slice).map(|(rev, held)| (slice, rev, held)));
    all.filter(move |(_, _, held)| service_of(held) == Some(id) && !held.meta.is_terminating())
}

/// Endpoints the Service should have, by the ports they serve, and how the sync ends: a pod whose
/// node is not there is left out, and the sync comes back for it.
fn desired(
    id: Id<Service>,
    service: &Service,
    known: Known<'_>,
) -> (BTreeMap<Ports, Vec<Endpoint>>, Outcome) {
    let unready = service.spec.unready;
    let fixed = ports::are_fixed(&service.spec).then(|| ports::of_pod(&service.spec, None));
    let mut outcome = Outcome::Done;
    let mut by_ports: BTreeMap<Ports, Vec<Endpoint>> = BTreeMap::new();
    for group in known.index.groups.of_service(id) {
        let Some(group) = known.index.groups.get(*group) else { continue };
        for member in group.members.iter().filter(|member| member.has_endpoint()) {
            let Some(endpoint) = endpoint(member, unready) else { continue };
            let is_published = unready == UnreadyEndpoints::Published;
            if known.view.get(endpoint.node).is_none() && !is_published {
                outcome = Outcome::Failed;
                continue;
            }
            let ports = match &fixed {
                Some(ports) => ports.clone(),
                None => {
                    let spec = known.view.get(member.pod).map(|pod: &Pod| &*pod.spec);
                    ports::of_pod(&service.spec, spec)
                }
            };
            by_ports.entry(ports).or_default().push(endpoint);
        }
    }
    (by_ports, outcome)
}

/// A slice as it is to be.
#[derive(Debug)]
struct Draft {
    family: IpFamily,
    ports: Ports,
    endpoints: Arc<[Endpoint]>,
    hints: Arc<[Hint]>,
}

impl Draft {
    fn new(family: IpFamily, ports: Ports, endpoints: Vec<Endpoint>) -> Draft {
        Draft { family, ports, endpoints: endpoints.into(), hints: Arc::default() }
    }

    fn into_slice(self, meta: Meta) -> Box<EndpointSlice> {
        let Draft { family, ports, endpoints, hints } = self;
        Box::new(EndpointSlice { meta, family, endpoints, hints, ports })
    }
}

/// What is to become of the slices of a Service that hold one family; numbers are places in `slices`.
struct Plan<'a> {
    family: IpFamily,
    slices: Vec<(Id<EndpointSlice>, Rev, &'a EndpointSlice)>,
    labels: Arc<Labels>,
    create: Vec<Draft>,
    update: Vec<(usize, Draft)>,
    delete: Vec<usize>,
    outcome: Outcome,
}

/// `reconcileByAddressType`: what of the slices has to change.
fn reconcile<'a>(
    (id, family): (Id<Service>, IpFamily),
    service: &Service,
    cluster: Families,
    known: Known<'a>,
) -> Plan<'a> {
    let (mut by_ports, outcome) = match families::have(cluster, family) {
        true => desired(id, service, known),
        false => (BTreeMap::new(), Outcome::Done),
    };
    let labels = Arc::new(labels_of(service));
    let slices: Vec<(Id<EndpointSlice>, Rev, &EndpointSlice)> =
        slices_of(id, service, known).filter(|(_, _, slice)| slice.family == family).collect();
    let mut kinds: BTreeMap<Ports, Vec<usize>> = BTreeMap::new();
    for (at, (_, _, slice)) in slices.iter().enumerate() {
        kinds.entry(slice.ports.clone()).or_default().push(at);
    }
    let (mut create, mut update, mut delete) = (Vec::new(), Vec::new(), Vec::new());
    for ports in by_ports.keys() {
        kinds.entry(ports.clone()).or_default();
    }
    for (ports, own) in kinds {
        let Some(endpoints) = by_ports.remove(&ports) else {
            delete.extend(own);
            continue;
        };
        let existing: Vec<Existing<'_>> = own
            .iter()
            .map(|&at| Existing {
                endpoints: &slices[at].2.endpoints,
                labels: match slices[at].2.meta.labels == labels {
                    true => LabelState::Right,
                    false => LabelState::Stale,
                },
            })
            .collect();
        let changes = pack::spread(&existing, endpoints, MAX_ENDPOINTS);
        let draft = |list| Draft::new(family, ports.clone(), list);
        create.extend(changes.create.into_iter().map(draft));
        update.extend(changes.update.into_iter().map(|(at, list)| (own[at], draft(list))));
        delete.extend(changes.delete.into_iter().map(|at| own[at]));
    }
    let mut plan = Plan { family, slices, labels, create, update, delete, outcome };
    plan.keep_one();
    plan
}

impl Plan<'_> {
    /// A Service without endpoints keeps one slice without endpoints and ports.
    fn keep_one(&mut self) {
        if self.slices.len() != self.delete.len() || !self.create.is_empty() {
            return;
        }
        let is_placeholder = |at: usize| {
            let slice = self.slices[at].2;
            slice.endpoints.is_empty() && slice.ports.is_empty()
        };
        if self.delete.len() == 1 && is_placeholder(self.delete[0]) {
            self.delete.clear();
        } else {
            self.create.push(Draft::new(self.family, Ports::from([]), Vec::new()));
        }
    }

    fn has_hints(&self) -> bool {
        self.slices.iter().any(|(_, _, slice)| !slice.hints.is_empty())
    }

    /// Gives the slices the hints that `work` says.
    fn hint(&mut self, known: Known<'_>, work: impl FnOnce(&mut hints::Slices)) {
        let zone = |node: Id<Node>| known.view.get(node)?.meta.labels.get(ZONE_LABEL).cloned();
        let spot = |endpoint: &Endpoint, hint: Option<&Hint>| Spot {
            is_ready: endpoint.conditions.ready,
            zone: zone(endpoint.node),
            hint: hint.cloned().unwrap_or_default(),
        };
        let fresh = |draft: &Draft| draft.endpoints.iter().map(|one| spot(one, None)).collect();
        let touched = |at: &usize| {
            self.delete.contains(at) || self.update.iter().any(|(other, _)| other == at)
        };
        let held = |at: usize| {
            let slice = self.slices[at].2;
            let all = slice.endpoints.iter().enumerate();
            (at, all.map(|(nth, one)| spot(one, slice.hints.get(nth))).collect())
        };
        let mut slices = hints::Slices {
            create: self.create.iter().map(fresh).collect(),
            update: self.update.iter().map(|(at, draft)| (*at, fresh(draft))).collect(),
            unchanged: (0..self.slices.len()).filter(|at| !touched(at)).map(held).collect(),
        };
        work(&mut slices);
        for (draft, spots) in self.create.iter_mut().zip(slices.create) {
            draft.hints = hints::stored(spots);
        }
        for (nth, (at, spots)) in slices.update.into_iter().enumerate() {
            if nth == self.update.len() {
                let slice = self.slices[at].2;
                let (ports, endpoints) = (slice.ports.clone(), slice.endpoints.clone());
                let (family, hints) = (self.family, Arc::default());
                self.update.push((at, Draft { family, ports, endpoints, hints }));
            }
            self.update[nth].1.hints = hints::stored(spots);
        }
    }

    /// `finalize`: the writes that bring it about. What would be deleted is rather written anew.
    fn writes(mut self, id: Id<Service>, service: &Service, base: Text) -> VecDeque<Write> {
        while !self.create.is_empty() && !self.delete.is_empty() {
            let draft = self.create.remove(0);
            self.update.push((self.delete.remove(0), draft));
        }
        let mut writes = VecDeque::new();
        if !service.meta.is_terminating() {
            for draft in self.create {
                let mut meta = Meta::new(service.meta.namespace.clone(), Name::new(base.clone()));
                meta.labels = self.labels.clone();
                let uid = service.meta.uid;
                meta.owner = Some(Owner { kind: Kind::Service, uid, at: id.into() });
                writes.push_back(Write::Create(draft.into_slice(meta)));
            }
        }
        for (at, draft) in self.update {
            let (slice, rev, held) = self.slices[at];
            let mut meta = held.meta.clone();
            meta.labels = self.labels.clone();
            writes.push_back(Write::Update(slice, rev, draft.into_slice(meta)));
        }
        writes.extend(self.delete.into_iter().map(|at| Write::Delete(self.slices[at].0)));
        writes
    }
}
