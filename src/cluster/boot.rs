//! From a plan to a cluster that is up at time zero: nodes registered and ready, control plane
//! running, imported objects in place, and the user about to apply the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::clients::{Clients, Owner, RateLimit};
use super::cloud::Cloud;
use super::errands::Errands;
use super::evictions::Evictions;
use super::heartbeats::{Renewals, Way};
use super::leaders::Leaders;
use super::nodes::Nodes;
use super::observed::Observed;
use super::plan::{ClientLimit, Plan, PlannedObject, Role, StaticPod};
use super::processes::{ManagerProcess, Process, ProcessId, Readiness, SchedulerProcess};
use super::servers::{ApiServer, Etcd};
use super::timeline::Timeline;
use super::watches::Watches;
use super::{Buffers, Duty, Settings, World};
use crate::api::compact::Arrival;
use crate::api::controller_revision::ControllerRevision;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::{self, RawId, Uid};
use crate::api::name::Name;
use crate::api::node::{Node, Tristate};
use crate::api::object::Object;
use crate::api::pod::{Pod, RestartPolicy};
use crate::api::stateful_set::StatefulSet;
use crate::base::arena::Arena;
use crate::base::hash::hash_text;
use crate::base::id::Id;
use crate::control_plane::api_server::Shared;
use crate::control_plane::controllers::cluster_autoscaler;
use crate::control_plane::controllers::cron_job::Calendar;
use crate::control_plane::controllers::horizontal_pod_autoscaler::decide::{OwnTolerances, Rules};
use crate::control_plane::controllers::replica_set::{self, DeletionCosts, TerminatingPods};
use crate::control_plane::controllers::stateful_set::plan::MaxUnavailable;
use crate::control_plane::controllers::{self, ControllerManager, history, persistent_volume, ttl};
use crate::control_plane::scheduler::telling::Asked;
use crate::control_plane::scheduler::{self, Scheduler};
use crate::kernel::{FactSink, Fidelity, Kernel, NO_CAUSE, Order};
use crate::luck::Luck;
use crate::messages::{Call, Fact, Listening};
use crate::net::address::ServiceRange;
use crate::net::{Net, Place};
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::{ImageTable, SimulatedEngines};
use crate::node::kube_proxy::Proxies;
use crate::node::kubelet::{Kubelets, Manifest, duties};
use crate::store::{Store, Stored};
use crate::time::SimTime;

/// The range of cluster addresses (kubeadm's default), and nodes' own addresses.
const SERVICE_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 12);
const NODE_RANGE: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);

/// A candidate's limit; it asks far more seldom.
const CANDIDATE_LIMIT: RateLimit = RateLimit { qps: 20, burst: 30 };

/// What is kept of a run for whoever looks at it, beyond its facts.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// A pod: schedulers remember how they decide about it.
    pub asked: Option<Asked>,
    /// Kubernetes' own Events.
    pub events: Listening,
    /// Where container engines are.
    pub engines: Engines,
}

/// Where container engines are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Engines {
    /// In the World, simulated.
    #[default]
    Inside,
    /// Behind the driver: what kubelets ask goes out, what comes of it comes in as external input.
    Outside,
}

/// What nodes run, before there are any.
fn no_nodes(plan: &Plan, luck: Luck) -> Nodes {
    let images = ImageTable::new(plan.images.clone());
    let mut engines = SimulatedEngines::new(plan.engine.clone(), images, luck);
    engines.set_pulls(plan.kubelet.pulls);
    Nodes::new(Kubelets::new(plan.kubelet.clone(), plan.fidelity, luck), engines)
}

impl World {
    /// A cluster as `plan` says, at time zero. What happens at once is told to `sink`.
    pub fn new(plan: Arc<Plan>, order: Order, sink: &mut dyn FactSink<Fact>) -> World {
        World::watched(plan, Watching::default(), order, sink)
    }

    /// The same, watched more closely. Nothing else is different.
    pub fn watched(
        plan: Arc<Plan>,
        watching: Watching,
        order: Order,
        sink: &mut dyn FactSink<Fact>,
    ) -> World {
        let Watching { asked: about, events, engines } = watching;
        let luck = Luck::new(plan.seed);
        let profile = plan.profile.clone();
        let way = Way::new(plan.fidelity, profile.clone(), luck);
        let mut clients = Clients::default();
        let user =
            clients.add(Owner::User, Place::Outside, hash_text("user"), rate(plan.clients.user));
        let cloud_client =
            clients.add(Owner::Cloud, Place::Outside, hash_text("cloud"), CANDIDATE_LIMIT);
        let mut settings = Settings {
            scheduler: scheduler::Settings {
                asked: about.map(Arc::new),
                ..plan.scheduler.settings()
            },
            controllers: of_controllers(&plan),
        };
        settings.controllers.nodes.zones.luck = luck;
        let mut store = Store::default();
        let observed = Observed::new(&mut store);
        let nodes = no_nodes(&plan, luck);
        let masters = plan.control_plane.masters.max(1);
        let place = |number: u16| Place::Master(number % masters);
        let mut world = World {
            settings,
            luck,
            kernel: Kernel::new(order, plan.fidelity),
            store,
            shared: shared(&plan, luck),
            net: Net::new(profile.link),
            clients,
            flights: Arena::new(),
            watches: Watches::new(profile.clone(), luck),
            servers: (0..plan.control_plane.api_servers.max(1))
                .map(place)
                .map(|place| ApiServer::new(place, plan.control_plane.api_server_cores))
                .collect(),
            etcd: Etcd::new((0..plan.control_plane.etcd.max(1)).map(place).collect()),
            schedulers: Vec::new(),
            managers: Vec::new(),
            nodes,
            cloud: Cloud::new(&plan, cloud_client),
            fleet: fleet(&plan, luck),
            renewals: Renewals::new(way.clone()),
            leaders: Leaders::new(way),
            proxies: Proxies::new(Default::default(), luck),
            user,
            errands: Errands::default(),
            evictions: Evictions::default(),
            timeline: Timeline::new(plan.steps.len()),
            struck: Default::default(),
            observed,
            buffers: Buffers::new(events),
            core_events: (events == Listening::All).then(Box::default),
            traffic: super::traffic::of_plan(&plan, luck, order),
            turn_max: super::traffic::TURN_MAX,
            outside: None,
            profile,
            plan: plan.clone(),
        };
        if engines == Engines::Outside {
            world.take_engines_out();
        }
        world.begin(place, sink);
        world
    }

    /// What happens at once.
    fn begin(&mut self, place: impl Fn(u16) -> Place, sink: &mut dyn FactSink<Fact>) {
        let plan = self.plan.clone();
        if self.traffic.is_some() {
            self.nodes.engines.note_news();
        }
        self.register_nodes(sink);
        self.import(&plan, sink);
        self.add_processes(place);
        for id in [ProcessId::Scheduler(0), ProcessId::Manager(0)] {
            self.seat(id, sink);
        }
        for id in self.processes() {
            self.start(NO_CAUSE, id, Readiness::AtOnce, sink);
        }
        self.place_static_pods(sink);
        self.await_step(0);
        let applied: Vec<PlannedObject> =
            plan.objects.iter().filter(|one| one.arrival == Arrival::Applied).cloned().collect();
        self.apply_at_start(&applied, sink);
    }

    fn register_nodes(&mut self, sink: &mut dyn FactSink<Fact>) {
        let plan = self.plan.clone();
        let size = ttl::Size::grown_to(plan.nodes.len());
        for (number, planned) in (0u32..).zip(&plan.nodes) {
            let mut node = planned.node.clone();
            if planned.arrival == Arrival::Applied {
                size.tell(&mut node.meta);
            }
            if node.address.is_unspecified() {
                node.address = node_address(number);
            }
            if planned.arrival == Arrival::Applied || node.conditions.ready == Tristate::Unknown {
                let conditions = &mut node.conditions;
                conditions.ready = Tristate::True;
                conditions.memory_pressure = Tristate::False;
                conditions.disk_pressure = Tristate::False;
                conditions.pid_pressure = Tristate::False;
            }
            let Some(id) = self.put(Object::Node(Box::new(node)), sink) else { continue };
            let id: Id<Node> = id.typed();
            let Some(node) = self.store.get(id).cloned() else { continue };
            let place = match planned.role {
                Role::Worker => Place::Node(number),
                Role::Master(master) => Place::Master(master),
            };
            let at = self.add_machine(id, &node, place);
            self.cloud.is_node(&node.meta.name, at, id);
        }
    }

    /// Nodes find manifests of their own.
    fn place_static_pods(&mut self, sink: &mut dyn FactSink<Fact>) {
        let plan = self.plan.clone();
        let mut with_some = BTreeSet::new();
        for StaticPod { node, pod } in &plan.static_pods {
            let found = self.store.find::<Node>("", node).and_then(|id| self.nodes.of(id));
            let Some(at) = found else { continue };
            let pod = self.nodes.kubelets.as_read(at, pod);
            let apps = self.apps_of(&pod);
            let id = self.store.reserve(pod.clone());
            self.nodes.kubelets.add_manifest(at, Manifest::new(id, pod, apps));
            with_some.insert(at);
        }
        for at in with_some {
            self.kubelet(at, NO_CAUSE, sink, |kubelets, fx| kubelets.read_manifests(at, fx));
        }
    }

    /// Adds the machine of a registered node, heard of from now on.
    pub(super) fn add_machine(&mut self, id: Id<Node>, node: &Node, place: Place) -> NodeIndex {
        let (now, limit) = (self.kernel.now(), rate(self.plan.clients.kubelets));
        let owner = Owner::Kubelet(self.nodes.len() as u32);
        let client = self.clients.add(owner, place, hash_text("kubelet"), limit);
        let at = self.nodes.add(id, node, place, client);
        self.store.hold::<Node>(id);
        if now > SimTime::ZERO {
            self.nodes.kubelets.has_started(at, now);
        }
        if let Some(traffic) = &mut self.traffic {
            traffic.add_node(id, &node.meta.name, place);
        }
        let lease = duties::Duty::Lease.cadence(self.luck, &node.meta.name);
        let status = duties::Duty::Status.cadence(self.luck, &node.meta.name);
        self.renewals.add(id, node.meta.name.stable_hash(), [lease, status], now);
        if self.plan.fidelity == Fidelity::Explicit {
            self.kernel.recurring.declare(now, Duty::Lease(at), lease);
        }
        for (timer, cadence) in self.nodes.kubelets.duties(at) {
            self.kernel.recurring.declare(now, Duty::Kubelet(timer), cadence);
        }
        at
    }

    /// Puts an object into the store as if it had always been there.
    pub(super) fn put(&mut self, object: Object, sink: &mut dyn FactSink<Fact>) -> Option<RawId> {
        let (result, _) = self.execute(NO_CAUSE, Call::Create(object), sink);
        result.ok().map(|done| done.id)
    }

    /// Objects that were in the cluster before are put into the store as they are: uid, status and
    /// node included. Owners are found by uid once all are there.
    fn import(&mut self, plan: &Plan, sink: &mut dyn FactSink<Fact>) {
        let imported = || plan.objects.iter().filter(|one| one.arrival == Arrival::Imported);
        // What is there already was let in: ranges bind what comes later.
        let is_range = |one: &&PlannedObject| matches!(one.object, Object::LimitRange(_));
        let imported = imported().filter(|one| !is_range(one)).chain(imported().filter(is_range));
        let mut put: Vec<(RawId, Object)> = Vec::new();
        let nodes = self.store.table::<Node>().iter();
        let mut by_uid: BTreeMap<Uid, RawId> =
            nodes.map(|(id, node)| (node.meta.uid, id.into())).collect();
        for planned in imported {
            let mut object = self.with_node(planned);
            let before = object.clone();
            object.meta_mut().owners_mut(|owner| owner.at = RawId::UNSOUGHT);
            let Some(id) = self.put(object, sink) else { continue };
            by_uid.insert(before.meta().uid, id);
            put.push((id, before));
        }
        for (id, mut object) in put {
            object.meta_mut().owners_mut(|owner| {
                owner.at = by_uid.get(&owner.uid).copied().unwrap_or(owner.at);
            });
            self.restore(id, object);
        }
        self.revisions_of_imported(sink);
    }

    /// `kubectl get all` leaves ControllerRevisions out. A StatefulSet that names the revision it has
    /// got to gets that one, so that its pods are not taken for old ones.
    fn revisions_of_imported(&mut self, sink: &mut dyn FactSink<Fact>) {
        let sets = self.store.table::<StatefulSet>().iter();
        let lacking = sets.filter(|(_, set)| {
            let name = &set.status.update_revision;
            let held = self.store.find::<ControllerRevision>(&set.meta.namespace, name);
            !name.is_empty()
                && held.is_none()
                && set.status.observed_generation >= set.meta.generation
        });
        let made: Vec<ControllerRevision> = lacking
            .map(|(id, set)| {
                let owner =
                    meta::Owner { kind: Kind::StatefulSet, uid: set.meta.uid, at: id.into() };
                let mut one = history::of_template(&set.meta, owner, &set.template, 0, 1);
                one.meta.name = Name::new(set.status.update_revision.clone());
                one
            })
            .collect();
        for one in made {
            let _stored = self.put(Object::ControllerRevision(Box::new(one)), sink);
        }
    }

    /// Gives an imported object back what creation replaced: its uid and its status.
    fn restore(&mut self, id: RawId, object: Object) {
        fn back<S: Stored>(store: &mut Store, id: RawId, mut object: S) {
            let Some(stored) = store.get::<S>(id.typed()) else { return };
            let held = stored.meta();
            if object.meta().uid == Uid(0) {
                object.meta_mut().uid = held.uid;
            }
            object.meta_mut().set_finalizers(held.finalizers().to_vec());
            store.update(SimTime::ZERO, id.typed(), object);
        }
        let store = &mut self.store;
        match object {
            Object::Pod(mut pod) => {
                if let Some(admitted) = store.get::<Pod>(id.typed()) {
                    pod.spec = admitted.spec.clone();
                }
                if pod.spec.restart_policy != RestartPolicy::Always
                    && !pod.status.phase.is_terminal()
                {
                    // Its containers begin anew: one that may not be started again would count as lost.
                    pod.status.containers = None;
                }
                back(store, id, *pod);
            }
            Object::ReplicaSet(set) => back(store, id, *set),
            Object::Deployment(deployment) => back(store, id, *deployment),
            Object::EndpointSlice(slice) => back(store, id, *slice),
            Object::PodDisruptionBudget(budget) => back(store, id, *budget),
            Object::ResourceQuota(quota) => back(store, id, *quota),
            Object::HorizontalPodAutoscaler(autoscaler) => back(store, id, *autoscaler),
            Object::StatefulSet(set) => back(store, id, *set),
            Object::DaemonSet(set) => back(store, id, *set),
            Object::ControllerRevision(revision) => back(store, id, *revision),
            Object::Job(mut job) => {
                if let Some(admitted) = store.get::<Job>(id.typed()) {
                    job.pod_labels = admitted.pod_labels.clone();
                }
                back(store, id, *job);
            }
            Object::CronJob(job) => back(store, id, *job),
            Object::PersistentVolume(volume) => back(store, id, *volume),
            Object::PersistentVolumeClaim(claim) => back(store, id, *claim),
            Object::Node(_)
            | Object::Namespace(_)
            | Object::Service(_)
            | Object::Endpoints(_)
            | Object::Lease(_)
            | Object::PriorityClass(_)
            | Object::StorageClass(_)
            | Object::CsiNode(_)
            | Object::LimitRange(_)
            | Object::Other(_) => {}
        }
        self.observe(NO_CAUSE);
    }

    fn add_processes(&mut self, place: impl Fn(u16) -> Place) {
        let plan = self.plan.clone();
        let limits = &plan.clients;
        for number in 0..plan.control_plane.schedulers.max(1) {
            let at = number as u8;
            let owner = Owner::Scheduler(at);
            let limit = rate(limits.scheduler);
            let client = self.clients.add(owner, place(number), hash_text("scheduler"), limit);
            let scheduler = Scheduler::new(self.settings.scheduler.clone(), client, self.luck);
            let id = ProcessId::Scheduler(at);
            let process = self.new_process(id, place(number));
            self.schedulers.push(SchedulerProcess { process, client, scheduler });
        }
        for number in 0..plan.control_plane.controller_managers.max(1) {
            let at = number as u8;
            let mut client = |name: &str| {
                let limit = rate(limits.controllers);
                self.clients.add(Owner::Manager(at), place(number), hash_text(name), limit)
            };
            let clients = controllers::Clients {
                deployments: client("deployment-controller"),
                replica_sets: client("replicaset-controller"),
                replication_controllers: client("replication-controller"),
                stateful_sets: client("statefulset-controller"),
                daemon_sets: client("daemon-set-controller"),
                endpoint_slices: client("endpointslice-controller"),
                endpoints: client("endpoint-controller"),
                nodes: client("node-controller"),
                node_ttl: client("ttl-controller"),
                taints: client("taint-eviction-controller"),
                garbage: client("generic-garbage-collector"),
                pod_garbage: client("pod-garbage-collector"),
                namespaces: client("namespace-controller"),
                volumes: client("persistent-volume-binder"),
                claim_protection: client("pvc-protection-controller"),
                volume_protection: client("pv-protection-controller"),
                jobs: client("job-controller"),
                cron_jobs: client("cronjob-controller"),
                ttl_after_finished: client("ttl-after-finished-controller"),
                disruptions: client("disruption-controller"),
                resource_quotas: client("resourcequota-controller"),
                autoscaler: client("cluster-autoscaler"),
                autoscalers: client("horizontal-pod-autoscaler"),
                verticals: client("vertical-pod-autoscaler"),
                vertical_updates: client("vpa-updater"),
            };
            let manager = ControllerManager::new(clients, self.settings.controllers)
                .growing(self.fleet.clone());
            let id = ProcessId::Manager(at);
            let process = self.new_process(id, place(number));
            self.managers.push(ManagerProcess { process, clients, manager });
        }
    }

    /// A process with its client for elections, which no other request holds up.
    fn new_process(&mut self, id: ProcessId, place: Place) -> Process {
        let owner = Owner::Candidate(id);
        let kind = hash_text("leader-election").wrapping_add(id.key());
        let candidate = self.clients.add(owner, place, kind, CANDIDATE_LIMIT);
        Process::new(id, place, candidate)
    }
}

/// What all API servers share.
fn shared(plan: &Plan, luck: Luck) -> Shared {
    let range = ServiceRange::new(SERVICE_RANGE.0, SERVICE_RANGE.1);
    let mut shared = Shared::new(luck, range);
    shared.pod_tolerations = plan.pod_tolerations;
    shared.gates = plan.checks;
    shared.families = plan.families;
    shared
}

/// What the plan says of controllers.
fn of_controllers(plan: &Plan) -> controllers::Settings {
    controllers::Settings {
        families: plan.families,
        volumes: persistent_volume::Settings { provisioning: plan.profile.provisioning },
        sets: sets(plan),
        max_unavailable: max_unavailable(plan),
        calendar: Calendar { epoch_seconds: plan.epoch_seconds },
        autoscalers: autoscaling(plan),
        ..controllers::Settings::default()
    }
}

/// Feature gate HPAConfigurableTolerance is on unless the plan says otherwise.
fn autoscaling(plan: &Plan) -> Rules {
    let own_tolerances = match plan.feature_gates.get("HPAConfigurableTolerance") {
        Some(false) => OwnTolerances::Ignored,
        _ => OwnTolerances::Used,
    };
    Rules { own_tolerances, ..Rules::default() }
}

/// Both feature gates are on unless the plan says otherwise.
fn sets(plan: &Plan) -> replica_set::Rules {
    let is_off = |gate: &str| plan.feature_gates.get(gate) == Some(&false);
    let mut rules = replica_set::Rules::default();
    if is_off("PodDeletionCost") {
        rules.costs = DeletionCosts::Ignored;
    }
    if is_off("DeploymentReplicaSetTerminatingReplicas") {
        rules.terminating = TerminatingPods::LeftOut;
    }
    rules
}

/// Feature gate MaxUnavailableStatefulSet is off unless the plan says otherwise.
fn max_unavailable(plan: &Plan) -> MaxUnavailable {
    match plan.feature_gates.get("MaxUnavailableStatefulSet") {
        Some(true) => MaxUnavailable::Counts,
        _ => MaxUnavailable::Ignored,
    }
}

/// What a cluster autoscaler is given, if the plan has one.
fn fleet(plan: &Plan, luck: Luck) -> Option<Arc<cluster_autoscaler::Setup>> {
    let options = plan.autoscaler.clone()?;
    let profile = plan.scheduler.profiles.first().cloned().unwrap_or_default();
    let groups = plan.node_groups.clone().into();
    Some(Arc::new(cluster_autoscaler::Setup { options, groups, profile, luck }))
}

/// The address of machine `number`.
pub(super) fn node_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(NODE_RANGE) + number + 1)
}

/// A limit as clients have it.
pub(super) fn rate(limit: ClientLimit) -> RateLimit {
    RateLimit { qps: limit.qps, burst: limit.burst }
}
