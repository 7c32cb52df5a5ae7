//! The endpoints controller (kube-controller-manager 1.36 pkg/controller/endpoint): for each Service
//! with a selector an Endpoints object of its name, as clients older than EndpointSlices read them.
//!
//! Owns which Services need a sync, what their objects should hold, and the one write that brings
//! it about; refuses to know slices. Unlike a slice the object holds no pod on its way out, and at
//! most 1,000 addresses. Endpoints that people write themselves are none of its business.
//!
//! ```text
//! begin ─ 50 us an address ─┬─ Service gone ─▶ delete ─────────────┐
//!                           ├─ cache behind own write ─▶ failed    ├─▶ done | refused: failed
//!                           └─▶ as it should be? ─ no ─▶ write it ─┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, ObjectName, RawId, Uid};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::service::{
    EndpointAddress, EndpointSubset, Endpoints, Exposure, Service, UnreadyEndpoints,
};
use crate::api::status::Status;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::request::Propagation;
use crate::messages::{About, Call, ClientId, Effects, Part, Remark, Reply};
use crate::store::{Change, Rev, View};

use super::endpoint_slice::ports::{self, Ports};
use super::endpoint_slice::{HEADLESS, PER_ENDPOINT};
use super::events::Events;
use super::workqueue::{Job, Outcome, Queue, QueueSettings, Tag};
use super::{Known, Timer, Which, is_namespace_ending};

/// Addresses an object holds at most.
pub const CAPACITY: usize = 1000;
/// Annotation of an object that had to leave addresses out.
pub const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Label that says who keeps the object.
pub const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// Its value for this controller.
pub const MANAGER: &str = "endpoint-controller";
/// Failed syncs after which a Service is left alone until something changes.
const RETRIES: u32 = 15;
/// Tag of deletions nobody waits for.
const LEFTOVER: Tag = Tag::Sync(u8::MAX, 0, 0);

#[derive(Clone, Debug)]
struct Task {
    job: Job<Service>,
    /// The Service's uid, for Events.
    uid: Uid,
    /// The object's name, which is the Service's.
    name: Option<ObjectName>,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Create,
    Update,
    Delete,
}

/// The controller.
#[derive(Clone, Debug)]
pub struct EndpointsObjects {
    client: ClientId,
    pub(super) queue: Queue<Service>,
    pub(super) events: Events,
    tasks: Vec<Option<Task>>,
    /// What our last update made of a Service's object.
    written: FastMap<Id<Service>, Rev>,
    /// Namespace and name of Services that are gone, until their object is.
    gone: FastMap<Id<Service>, (Text, Name)>,
}

impl EndpointsObjects {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: QueueSettings) -> EndpointsObjects {
        let settings = QueueSettings { retries: Some(RETRIES), ..settings };
        EndpointsObjects {
            client,
            queue: Queue::new(Which::Endpoints, settings),
            events: Events::new(Which::Endpoints, client),
            tasks: vec![None; usize::from(settings.workers.max(1))],
            written: FastMap::default(),
            gone: FastMap::default(),
        }
    }

    /// The caches are filled: objects whose Service went while nobody looked go too.
    pub fn begin(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        for (id, object) in view.list::<Endpoints>() {
            let name = object.meta.name.to_string();
            if view.find::<Service>(&object.meta.namespace, &name).is_none() {
                fx.send(self.client, LEFTOVER.pack(), deletion(id));
            }
        }
    }

    /// A Service changed.
    pub fn service(&mut self, change: &Change<'_, Service>, fx: &mut Effects<Timer>) {
        if let (Some(old), None) = (change.old, change.new) {
            let name = (old.meta.namespace.clone(), old.meta.name.clone());
            self.gone.insert(change.id, name);
        }
        self.queue.add(change.id, fx);
    }

    /// Pods of these Services changed.
    pub fn pods(&mut self, services: &[Id<Service>], fx: &mut Effects<Timer>) {
        services.iter().for_each(|&service| self.queue.add(service, fx));
    }

    /// An object changed: one that was deleted comes back.
    pub fn object(
        &mut self,
        change: &Change<'_, Endpoints>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let (Some(old), None) = (change.old, change.new) else { return };
        let name = old.meta.name.to_string();
        if let Some(service) = known.view.find::<Service>(&old.meta.namespace, &name) {
            self.queue.add(service, fx);
        }
    }

    /// A worker begins to act on its key, or has computed for long enough.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let cost = |service| PER_ENDPOINT * known.index.groups.members_of(service) as u64;
        let Some(job) = self.queue.begin_after(worker, serial, cost, fx) else { return };
        fx.because(job.cause);
        let Some(service) = known.view.get(job.key) else {
            return self.service_gone(job, known, fx);
        };
        if service.spec.exposure == Exposure::ExternalName || service.spec.selector.is_none() {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        let name = service.meta.name.to_string();
        let held = known.view.find::<Endpoints>(&service.meta.namespace, &name);
        let held = held.and_then(|id| Some((id, known.view.version(id)?)));
        if let Some((_, (rev, _))) = held
            && self.written.get(&job.key).is_some_and(|written| rev < *written)
        {
            return self.queue.finish(worker, Outcome::Failed, fx);
        }
        let mut subsets = subsets(job.key, service, known);
        let is_truncated = truncate(&mut subsets);
        let labels = labels_of(service);
        let (step, call) = match held {
            Some((_, (_, object))) if !is_truncated && is_so(object, &subsets, &labels) => {
                return self.queue.finish(worker, Outcome::Done, fx);
            }
            Some((id, (rev, object))) => {
                let next = object_of(object.meta.clone(), labels, subsets, is_truncated);
                let object = Object::Endpoints(Box::new(next));
                let (id, base) = (id.into(), Some(rev));
                (Step::Update, Call::Update { id, object, base, part: Part::Main })
            }
            None => {
                let meta = Meta::new(service.meta.namespace.clone(), service.meta.name.clone());
                let next = object_of(meta, labels, subsets, is_truncated);
                (Step::Create, Call::Create(Object::Endpoints(Box::new(next))))
            }
        };
        let name = Some(ObjectName::of(Kind::Endpoints, &service.meta));
        self.send(Task { job, uid: service.meta.uid, name, step }, call, fx);
    }

    fn send(&mut self, task: Task, call: Call, fx: &mut Effects<Timer>) {
        fx.send(self.client, Tag::Sync(task.job.worker, task.job.serial, 0).pack(), call);
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    /// The object follows its Service, unless there is another one of its name by now.
    fn service_gone(&mut self, job: Job<Service>, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.written.remove(&job.key);
        let named = self.gone.get(&job.key).map(|(space, name)| (space.clone(), name.to_string()));
        let object = named.and_then(|(space, name)| {
            let is_taken = known.view.find::<Service>(&space, &name).is_some();
            known.view.find::<Endpoints>(&space, &name).filter(|_| !is_taken)
        });
        let Some(object) = object else {
            self.gone.remove(&job.key);
            return self.queue.finish(job.worker, Outcome::Done, fx);
        };
        let task = Task { job, uid: Uid(0), name: None, step: Step::Delete };
        self.send(task, deletion(object), fx);
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        let outcome = match (task.step, &reply.result) {
            (Step::Update, Ok(done)) => {
                self.written.insert(task.job.key, done.rev);
                Outcome::Done
            }
            (Step::Create, Ok(_)) => Outcome::Done,
            (Step::Delete, Ok(_) | Err(Status::NotFound(_))) => {
                self.gone.remove(&task.job.key);
                Outcome::Done
            }
            (Step::Create, Err(status)) if is_namespace_ending(status) => Outcome::Done,
            (Step::Delete, Err(_)) => Outcome::Failed,
            (Step::Create | Step::Update, Err(why)) => {
                self.events.say(task.uid, fx, || refused(&task, why));
                Outcome::Failed
            }
        };
        self.queue.finish(worker, outcome, fx);
    }
}

/// What is said of a write that was refused.
fn refused(task: &Task, why: &Status) -> (Option<About>, Remark) {
    let Some(name) = &task.name else { return (None, Remark::warning("", "")) };
    let which = format!("{}/{}: {why}", name.namespace, name.name);
    let remark = match task.step {
        Step::Create => Remark::warning(
            "FailedToCreateEndpoint",
            format!("Failed to create endpoint for service {which}"),
        ),
        _ => {
            Remark::warning("FailedToUpdateEndpoint", format!("Failed to update endpoint {which}"))
        }
    };
    (Some(About::named(name.clone(), None)), remark)
}

fn deletion(object: Id<Endpoints>) -> Call {
    Call::Delete {
        kind: Kind::Endpoints,
        id: RawId::from(object),
        uid: None,
        grace_seconds: None,
        propagation: Propagation::Background,
    }
}

fn is_so(object: &Endpoints, subsets: &[EndpointSubset], labels: &Labels) -> bool {
    *object.subsets == *subsets
        && *object.meta.labels == *labels
        && object.meta.annotation(OVER_CAPACITY).is_none()
}

fn object_of(
    mut meta: Meta,
    labels: Labels,
    subsets: Vec<EndpointSubset>,
    is_truncated: bool,
) -> Endpoints {
    meta.labels = Arc::new(labels);
    if is_truncated {
        meta.annotate(OVER_CAPACITY, "truncated");
    } else if meta.annotation(OVER_CAPACITY).is_some() {
        Arc::make_mut(&mut meta.annotations).remove(OVER_CAPACITY);
    }
    Endpoints { meta, subsets: subsets.into() }
}

/// The Service's labels, and whose object it is.
fn labels_of(service: &Service) -> Labels {
    let mut labels = Labels::clone(&service.meta.labels);
    labels.remove(HEADLESS);
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if service.spec.exposure == Exposure::Headless {
        labels.insert(HEADLESS.into(), "".into());
    }
    labels
}

/// Addresses by the ports they serve, in the order of the addresses (`RepackSubsets`).
fn subsets(id: Id<Service>, service: &Service, known: Known<'_>) -> Vec<EndpointSubset> {
    let is_published = service.spec.unready == UnreadyEndpoints::Published;
    let fixed = ports::are_fixed(&service.spec).then(|| ports::of_pod(&service.spec, None));
    let mut by_ports: BTreeMap<Ports, [Vec<EndpointAddress>; 2]> = BTreeMap::new();
    for group in known.index.groups.of_service(id) {
        let Some(group) = known.index.groups.get(*group) else { continue };
        for member in group.members.iter().filter(|member| member.has_endpoint()) {
            let Some(ip) = member.ip.filter(|_| is_published || !member.is_terminating) else {
                continue;
            };
            let ports = match &fixed {
                Some(ports) => ports.clone(),
                None => {
                    let spec = known.view.get(member.pod).map(|pod: &Pod| &*pod.spec);
                    ports::of_pod(&service.spec, spec)
                }
            };
            if ports.is_empty() && !service.spec.ports.is_empty() {
                continue;
            }
            let lists = by_ports.entry(ports).or_default();
            let which = usize::from(!is_published && !member.is_ready);
            lists[which].push(EndpointAddress { ip, pod: member.pod });
        }
    }
    let subset = |(ports, mut lists): (Ports, [Vec<EndpointAddress>; 2])| {
        lists.iter_mut().for_each(|list| list.sort_unstable_by_key(|one| one.ip));
        let [addresses, not_ready] = lists.map(Arc::from);
        EndpointSubset { addresses, not_ready, ports }
    };
    by_ports.into_iter().map(subset).collect()
}

/// Cuts the lists so that they hold [`CAPACITY`] addresses, ready ones first, each subset in
/// proportion; returns whether it had to (`truncateEndpoints`, with its 64-bit floats).
fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let ready: usize = subsets.iter().map(|one| one.addresses.len()).sum();
    let unready: usize = subsets.iter().map(|one| one.not_ready.len()).sum();
    if ready + unready <= CAPACITY {
        return false;
    }
    let cuts_ready = ready > CAPACITY;
    let (most, total) = if cuts_ready { (CAPACITY, ready) } else { (CAPACITY - ready, unready) };
    let mut left = most;
    for subset in subsets {
        let list = if cuts_ready { &mut subset.addresses } else { &mut subset.not_ready };
        let share = (list.len() as f64 / total as f64 * most as f64).ceil() as usize;
        let kept = share.min(left).min(list.len());
        *list = list[..kept].into();
        left -= kept;
        if cuts_ready {
            subset.not_ready = Arc::from([]);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::controllers::testing::{self, Cluster};
    use crate::time::SimDuration;

    fn ready(cluster: &mut Cluster, from: u32, count: u32) -> Vec<Id<Pod>> {
        let node = match cluster.store.find::<crate::api::node::Node>("", "n-0") {
            Some(node) => node,
            None => cluster.create(Object::Node(Box::new(testing::node("n-0")))).typed(),
        };
        let now = cluster.now();
        let one = |number: u32| {
            let mut pod = testing::pod(&format!("web-{number}"), "web");
            pod.node = Some(node);
            pod.status.phase = crate::api::pod::Phase::Running;
            pod.status.ip = Some(std::net::Ipv4Addr::from(0x0a00_0000 + number));
            pod.status.set(crate::api::pod::PodCondition::Ready, true, now);
            pod
        };
        (from..from + count)
            .map(|number| cluster.create(Object::Pod(Box::new(one(number)))).typed())
            .collect()
    }

    fn counts(cluster: &Cluster) -> Vec<(usize, usize)> {
        let all = cluster.all::<Endpoints>();
        let subsets = all.iter().flat_map(|(_, one)| one.subsets.iter());
        subsets.map(|one| (one.addresses.len(), one.not_ready.len())).collect()
    }

    #[test]
    fn a_service_with_a_selector_has_an_object_of_its_name_until_it_goes() {
        let mut cluster = Cluster::new();
        let service = cluster.create(Object::Service(Box::new(testing::service("web")))).typed();
        cluster.run(SimDuration::from_secs(1));
        assert!(counts(&cluster).is_empty());
        let (object, held) = cluster.all::<Endpoints>().remove(0);
        assert_eq!(held.meta.labels.get(MANAGED_BY).map(|by| &**by), Some(MANAGER));
        let pods = ready(&mut cluster, 0, 3);
        cluster.run(SimDuration::from_secs(1));
        assert_eq!(counts(&cluster), [(3, 0)]);
        let now = cluster.now();
        cluster.change(pods[1], |pod| {
            pod.status.set(crate::api::pod::PodCondition::Ready, false, now);
        });
        cluster.change(pods[2], |pod| {
            pod.meta.deletion = Some(crate::api::meta::Deletion { at: now, grace_seconds: 30 });
        });
        cluster.run(SimDuration::from_secs(1));
        assert_eq!(counts(&cluster), [(1, 1)]);
        cluster.remove(object);
        cluster.run(SimDuration::from_secs(1));
        assert_eq!(counts(&cluster), [(1, 1)], "what was deleted by hand comes back");
        cluster.remove::<Service>(service);
        cluster.run(SimDuration::from_secs(1));
        assert!(cluster.all::<Endpoints>().is_empty());
    }

    #[test]
    fn a_thousand_addresses_are_the_most() {
        let mut cluster = Cluster::new();
        cluster.create(Object::Service(Box::new(testing::service("web"))));
        ready(&mut cluster, 0, 1001);
        cluster.run(SimDuration::from_secs(5));
        assert_eq!(counts(&cluster), [(1000, 0)]);
        let (_, object) = cluster.all::<Endpoints>().remove(0);
        assert_eq!(object.meta.annotation(OVER_CAPACITY), Some("truncated"));
    }

    #[test]
    fn what_is_cut_is_cut_in_proportion_and_unready_first() {
        let pod = Id::from_parts(0, 0);
        let list = |count: u32| -> Arc<[EndpointAddress]> {
            (0..count).map(|ip| EndpointAddress { ip: ip.into(), pod }).collect()
        };
        let subset = |ready, unready| EndpointSubset {
            addresses: list(ready),
            not_ready: list(unready),
            ports: Arc::from([]),
        };
        let lengths = |mut all: Vec<EndpointSubset>| -> Vec<(usize, usize)> {
            assert!(truncate(&mut all));
            all.iter().map(|one| (one.addresses.len(), one.not_ready.len())).collect()
        };
        assert_eq!(lengths(vec![subset(400, 700), subset(400, 300)]), [(400, 140), (400, 60)]);
        assert_eq!(lengths(vec![subset(700, 9), subset(701, 9)]), [(500, 0), (500, 0)]);
        assert!(!truncate(&mut [subset(500, 500)]));
    }

    #[test]
    fn a_manager_that_starts_removes_what_lost_its_service_meanwhile() {
        let mut cluster = Cluster::new();
        let service = cluster.create(Object::Service(Box::new(testing::service("web")))).typed();
        cluster.run(SimDuration::from_secs(1));
        cluster.remove::<Service>(service);
        cluster.restart();
        cluster.run(SimDuration::from_secs(1));
        assert!(cluster.all::<Endpoints>().is_empty());
    }
}
