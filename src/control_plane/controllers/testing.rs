//! What tests of controllers need: small objects, and an API server that commits at once.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Clients, ControllerManager, Settings, Timer};
use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::ip_family::Families;
use crate::api::job::Job;
use crate::api::meta::{Labels, Meta, RawId};
use crate::api::misc::Namespace;
use crate::api::name::{Name, Text};
use crate::api::node::{Node, NodeConditions, Schedulability, Tristate};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodSpec, PodStatus, PodTemplate};
use crate::api::resource_quota::ResourceQuota;
use crate::api::rules::selector::Selector;
use crate::api::service::{
    EndpointSlice, Endpoints, Exposure, Service, ServicePort, ServiceSpec, SessionAffinity,
    TargetPort, UnreadyEndpoints,
};
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::{
    Deployment, DeploymentStatus, IntOrPercent, ReplicaSet, Rollout, SetKind, SetStatus, Strategy,
};
use crate::base::id::Id;
use crate::control_plane::api_server::{Server, Shared};
use crate::luck::Luck;
use crate::messages::{Call, ClientId, Done, Effect, Effects, Heartbeats, Reply, Request};
use crate::net::address::ServiceRange;
use crate::store::{Cursors, Store, Stored, View};
use crate::time::{SimDuration, SimTime};

/// Labels `app=<app>`.
pub fn labels(app: &str) -> Arc<Labels> {
    Arc::new([(Text::from("app"), Text::from(app))].into())
}

/// A spec without containers; `mark` tells one from another.
pub fn pod_spec(mark: u64) -> Arc<PodSpec> {
    Arc::new(PodSpec {
        grace_seconds: 30,
        scheduler_name: "default-scheduler".into(),
        written: format!("{{\"mark\":{mark}}}").into(),
        ..PodSpec::default()
    })
}

/// A template of pods labelled `app=<app>`.
pub fn template(app: &str, mark: u64) -> PodTemplate {
    PodTemplate {
        rare: None,
        name: "".into(),
        labels: labels(app),
        annotations: Arc::default(),
        spec: pod_spec(mark),
        hash: mark,
    }
}

/// A Deployment of 25 % / 25 %.
pub fn deployment(name: &str, replicas: i32) -> Deployment {
    Deployment {
        meta: Meta::new("default".into(), Name::new(name)),
        replicas,
        selector: Arc::new(Selector::of_labels(&labels(name))),
        template: Arc::new(template(name, 1)),
        strategy: Strategy::RollingUpdate {
            max_surge: IntOrPercent::Percent(25),
            max_unavailable: IntOrPercent::Percent(25),
        },
        min_ready_seconds: 0,
        revision_history_limit: 10,
        progress_deadline_seconds: 600,
        rollout: Rollout::Active,
        status: DeploymentStatus::default(),
    }
}

/// A ReplicaSet nobody owns.
pub fn replica_set(name: &str, replicas: i32) -> ReplicaSet {
    ReplicaSet {
        meta: Meta::new("default".into(), Name::new(name)),
        kind: SetKind::ReplicaSet,
        replicas,
        min_ready_seconds: 0,
        selector: Arc::new(Selector::of_labels(&labels(name))),
        template: Arc::new(template(name, 1)),
        status: SetStatus::default(),
    }
}

/// A Service of the pods labelled `app=<name>`.
pub fn service(name: &str) -> Service {
    let port = ServicePort {
        name: "".into(),
        port: 80,
        protocol: Default::default(),
        target: TargetPort::Number(8080),
        node_port: None,
        app_protocol: None,
    };
    Service {
        meta: Meta::new("default".into(), Name::new(name)),
        spec: Arc::new(ServiceSpec {
            exposure: Exposure::ClusterIp,
            selector: Some(Labels::clone(&labels(name))),
            ports: vec![port],
            affinity: SessionAffinity::None,
            unready: UnreadyEndpoints::Hidden,
            distribution: Default::default(),
            wanted_ip: None,
            wanted_ip6: None,
            wanted_of: Default::default(),
            wanted_families: Default::default(),
            wanted_policy: None,
            load_balancer_ports: Default::default(),
            external: Default::default(),
            wanted_health_port: None,
            written: "{}".into(),
        }),
        cluster_ip: None,
        cluster_ip6: None,
        families: Default::default(),
        policy: None,
        balancers: Arc::from([]),
        node_ports: Arc::from([]),
        health_port: None,
    }
}

/// A ready node.
pub fn node(name: &str) -> Node {
    Node {
        meta: Meta::new("".into(), Name::new(name)),
        schedulability: Schedulability::Open,
        taints: Arc::from([]),
        capacity: Arc::default(),
        allocatable: Arc::default(),
        conditions: NodeConditions { ready: Tristate::True, ..NodeConditions::default() },
        images: Arc::from([]),
        address: Ipv4Addr::LOCALHOST,
    }
}

/// A pod nobody owns.
pub fn pod(name: &str, app: &str) -> Pod {
    let mut meta = Meta::new("default".into(), Name::new(name));
    meta.labels = labels(app);
    Pod { meta, spec: pod_spec(1), node: None, status: PodStatus::default() }
}

/// A manager, a store, and between them an API server that takes 10 ms a request with the limits
/// of a real client (20/s, burst 30), and watches that take 5 ms.
pub struct Cluster {
    /// The store.
    pub store: Store,
    /// The manager.
    pub manager: ControllerManager,
    /// When what was committed, as facts tell it: verb and object.
    pub log: Vec<(SimTime, String)>,
    /// Whether each write of a pod is refused, and why.
    pub refuse_pods: Option<Status>,
    cursors: Cursors,
    shared: Shared,
    fx: Effects<Timer>,
    now: SimTime,
    due: BTreeMap<(SimTime, u64), Due>,
    sequence: u64,
    tokens: BTreeMap<ClientId, SimTime>,
    watched: bool,
}

enum Due {
    Timer(Timer),
    Commit(Request),
    Reply(Reply),
    Watch,
}

/// Clients numbered in the order of the struct.
pub fn clients() -> Clients {
    Clients {
        deployments: ClientId(0),
        replica_sets: ClientId(1),
        replication_controllers: ClientId(2),
        endpoint_slices: ClientId(3),
        nodes: ClientId(4),
        node_ttl: ClientId(25),
        taints: ClientId(5),
        garbage: ClientId(6),
        pod_garbage: ClientId(7),
        namespaces: ClientId(8),
        endpoints: ClientId(9),
        volumes: ClientId(10),
        stateful_sets: ClientId(11),
        daemon_sets: ClientId(12),
        claim_protection: ClientId(23),
        volume_protection: ClientId(24),
        jobs: ClientId(20),
        cron_jobs: ClientId(21),
        ttl_after_finished: ClientId(22),
        disruptions: ClientId(13),
        resource_quotas: ClientId(14),
        autoscaler: ClientId(99),
        autoscalers: ClientId(14),
        verticals: ClientId(15),
        vertical_updates: ClientId(16),
    }
}

macro_rules! each_table {
    ($kind:ident, $body:expr) => {
        each_table!(@ $kind, $body, Namespace, Node, PodDisruptionBudget, ResourceQuota, StorageClass, PersistentVolume, PersistentVolumeClaim, Service, Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision, CronJob, Job, Pod, EndpointSlice, Endpoints)
    };
    (@ $kind:ident, $body:expr, $($table:ty),*) => {{
        $({
            type $kind = $table;
            $body;
        })*
    }};
}

impl Cluster {
    /// A cluster with namespace `default` whose manager has started.
    pub fn new() -> Cluster {
        Cluster::of(Families::V4)
    }

    /// One whose addresses are of these families.
    pub fn of(families: Families) -> Cluster {
        let mut store = Store::default();
        let mut cursors = Cursors::default();
        each_table!(Kind, {
            let cursor = store.table_mut::<Kind>().open();
            cursors.set(Kind::TABLE, Some(cursor));
        });
        let range = ServiceRange::new(Ipv4Addr::new(10, 96, 0, 0), 16);
        let mut shared = Shared::new(Luck::new(1), range);
        shared.families = families;
        let mut cluster = Cluster {
            store,
            manager: ControllerManager::new(
                clients(),
                Settings { families, ..Settings::default() },
            ),
            log: Vec::new(),
            refuse_pods: None,
            cursors,
            shared,
            fx: Effects::new(),
            now: SimTime::ZERO,
            due: BTreeMap::new(),
            sequence: 0,
            tokens: BTreeMap::new(),
            watched: false,
        };
        let namespace = Namespace::new(Meta::new("".into(), Name::new("default")));
        cluster.commit(Call::Create(Object::Namespace(Box::new(namespace)))).expect("a namespace");
        let view = View::new(SimTime::ZERO, &cluster.store, &cluster.cursors);
        cluster.manager.start(&view, &mut cluster.fx);
        cluster
    }

    /// Now.
    pub fn now(&self) -> SimTime {
        self.now
    }

    fn push(&mut self, at: SimTime, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    /// Carries out a call at once.
    pub fn commit(&mut self, call: Call) -> Result<Done, Status> {
        if let (Some(why), Call::Create(Object::Pod(_))) = (&self.refuse_pods, &call) {
            return Err(why.clone());
        }
        let mut effects: Effects<Timer> = Effects::new();
        effects.begin(self.now, 0, 1);
        let (store, shared) = (&mut self.store, &mut self.shared);
        let mut server = Server { now: self.now, store, shared, effects: &mut effects };
        let result = server.execute(call);
        for (_, fact) in effects.drain_facts() {
            self.log.push((self.now, format!("{} {}", fact.verb, fact.object)));
        }
        self.wake();
        result
    }

    /// Creates an object.
    pub fn create(&mut self, object: Object) -> RawId {
        self.commit(Call::Create(object)).expect("an object the API server takes").id
    }

    /// Changes an object by hand.
    pub fn change<T: Stored>(&mut self, id: Id<T>, change: impl FnOnce(&mut T)) {
        let mut next = self.store.get(id).expect("an object that is there").clone();
        change(&mut next);
        next.meta_mut().generation += 1;
        self.store.update(self.now, id, next);
        self.wake();
    }

    /// Takes an object away at once.
    pub fn remove<T: Stored>(&mut self, id: Id<T>) {
        self.store.delete(self.now, id);
        self.wake();
    }

    fn wake(&mut self) {
        if !self.watched {
            self.watched = true;
            self.push(self.now + SimDuration::from_millis(5), Due::Watch);
        }
    }

    /// Replaces the manager by a new one; what was on its way to the old one is lost, but for
    /// requests already sent.
    pub fn restart(&mut self) {
        self.due.retain(|_, due| matches!(due, Due::Watch | Due::Commit(_)));
        let requests: Vec<_> = std::mem::take(&mut self.due).into_iter().collect();
        for (_, due) in requests {
            if let Due::Commit(request) = due {
                let _lost_reply = self.commit(request.call);
            }
        }
        each_table!(Kind, {
            let cursor = self.cursors.get(Kind::TABLE).expect("an open cursor");
            self.store.table_mut::<Kind>().relist(cursor);
        });
        self.due.clear();
        self.watched = false;
        self.manager = ControllerManager::new(clients(), Settings::default());
        self.fx.begin(self.now, 0, 1);
        let view = View::new(self.now, &self.store, &self.cursors);
        self.manager.start(&view, &mut self.fx);
        self.drain();
    }

    /// All objects of a kind.
    pub fn all<T: Stored>(&self) -> Vec<(Id<T>, T)> {
        self.store.table::<T>().iter().map(|(id, value)| (id, value.clone())).collect()
    }

    /// Runs pass `k` of the node controller, whose time must have come.
    pub fn node_pass(&mut self, k: u64, heartbeats: &dyn Heartbeats) {
        self.fx.begin(self.now, 0, 1);
        let view = View::new(self.now, &self.store, &self.cursors);
        self.manager.node_pass(k, heartbeats, &view, &mut self.fx);
        self.drain();
    }

    /// The next pass of the node controller that matters.
    pub fn next_node_pass(&mut self, heartbeats: &dyn Heartbeats) -> Option<u64> {
        let view = View::new(self.now, &self.store, &self.cursors);
        self.manager.next_node_pass(self.now, heartbeats, &view)
    }

    /// Lets `span` go by.
    pub fn run(&mut self, span: SimDuration) {
        let until = self.now + span;
        while let Some((&(at, sequence), _)) = self.due.first_key_value() {
            if at > until {
                break;
            }
            let Some(due) = self.due.remove(&(at, sequence)) else { break };
            self.now = at;
            self.handle(due);
        }
        self.now = until;
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Commit(request) => {
                let Request { client, tag, call } = request;
                let result = self.commit(call);
                let reply = Reply { client, tag, result };
                self.push(self.now + SimDuration::from_millis(5), Due::Reply(reply));
                return;
            }
            Due::Watch => self.watch(),
            Due::Timer(timer) => {
                self.fx.begin(self.now, 0, 1);
                let view = View::new(self.now, &self.store, &self.cursors);
                self.manager.timer(timer, &view, &mut self.fx);
            }
            Due::Reply(reply) => {
                self.fx.begin(self.now, 0, 1);
                let view = View::new(self.now, &self.store, &self.cursors);
                self.manager.reply(&reply, &view, &mut self.fx);
            }
        }
        self.drain();
    }

    fn watch(&mut self) {
        self.watched = false;
        self.fx.begin(self.now, 0, 1);
        each_table!(Kind, {
            let cursor = self.cursors.get(Kind::TABLE).expect("an open cursor");
            let table = self.store.table_mut::<Kind>();
            let range = table.advance(cursor, u64::MAX);
            let view = View::new(self.now, &self.store, &self.cursors);
            let (store, fx) = (&self.store, &mut self.fx);
            self.manager.deliver(Kind::TABLE, range.clone(), store, &view, fx);
            self.store.table_mut::<Kind>().settle(range);
        });
    }

    fn drain(&mut self) {
        let facts: Vec<_> = self.fx.drain_facts().collect();
        for (_, fact) in facts {
            self.log.push((self.now, format!("{} {}", fact.verb, fact.object)));
        }
        let effects: Vec<_> = self.fx.drain().collect();
        for (_, effect) in effects {
            match effect {
                Effect::Arm { at, timer } => self.push(at, Due::Timer(timer)),
                Effect::Send(request) => {
                    let at = self.reserve(request.client) + SimDuration::from_millis(5);
                    self.push(at, Due::Commit(request));
                }
                Effect::Engine(_) | Effect::Cloud(_) => {}
            }
        }
    }

    /// When the client's next token is there: 20/s, 30 at once.
    fn reserve(&mut self, client: ClientId) -> SimTime {
        let interval = SimDuration::from_millis(50);
        let full = self.tokens.entry(client).or_insert(SimTime::ZERO);
        *full = (*full).max(self.now) + interval;
        self.now + full.saturating_since(self.now).saturating_sub(interval * 30)
    }
}
