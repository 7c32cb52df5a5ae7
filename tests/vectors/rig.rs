//! A controller manager between a store filled by hand and an API server that only takes notes:
//! what upstream's tests have in their fake clients.

use std::collections::BTreeMap;

use wavetank::api::cron_job::CronJob;
use wavetank::api::job::Job;
use wavetank::api::kind::Kind;
use wavetank::api::meta::{Meta, ObjectName, RawId};
use wavetank::api::misc::Namespace;
use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::api::service::{EndpointSlice, Endpoints, Service};
use wavetank::api::status::Status;
use wavetank::api::workload::{Deployment, ReplicaSet};
use wavetank::base::Id;
use wavetank::control_plane::controllers::{Clients, ControllerManager, Settings, Timer};
use wavetank::messages::{Call, ClientId, Done, Effect, Effects, Heartbeats, Reply};
use wavetank::store::{Cursors, Rev, Store, Stored, View};
use wavetank::time::{SimDuration, SimTime};

enum Due {
    Timer(Timer),
    Reply(Reply),
}

/// What the API server says to a call.
pub type Answer = Box<dyn FnMut(&Call) -> Result<(), Status>>;

/// The manager, its store, and what it asked for so far. Answers take a millisecond.
pub struct Rig {
    /// The store.
    pub store: Store,
    /// All calls but Events with who sent them, in order.
    pub calls: Vec<(ClientId, Call)>,
    manager: ControllerManager,
    cursors: Cursors,
    fx: Effects<Timer>,
    now: SimTime,
    due: BTreeMap<(SimTime, usize), Due>,
    count: usize,
    answer: Answer,
}

macro_rules! each_table {
    ($kind:ident, $body:expr) => {
        each_table!(@ $kind, $body, Namespace, Node, Service, Deployment, ReplicaSet, CronJob, Job, Pod, EndpointSlice, Endpoints)
    };
    (@ $kind:ident, $body:expr, $($table:ty),*) => {{
        $({
            type $kind = $table;
            $body;
        })*
    }};
}

/// Who is who.
pub fn clients() -> Clients {
    Clients {
        deployments: ClientId(1),
        replica_sets: ClientId(2),
        replication_controllers: ClientId(3),
        endpoint_slices: ClientId(4),
        nodes: ClientId(5),
        node_ttl: ClientId(25),
        taints: ClientId(6),
        garbage: ClientId(7),
        pod_garbage: ClientId(8),
        namespaces: ClientId(9),
        endpoints: ClientId(10),
        volumes: ClientId(11),
        stateful_sets: ClientId(12),
        daemon_sets: ClientId(13),
        claim_protection: ClientId(23),
        volume_protection: ClientId(24),
        jobs: ClientId(20),
        cron_jobs: ClientId(21),
        ttl_after_finished: ClientId(22),
        disruptions: ClientId(14),
        resource_quotas: ClientId(15),
        autoscaler: ClientId(99),
        autoscalers: ClientId(15),
        verticals: ClientId(15),
        vertical_updates: ClientId(16),
    }
}

impl Rig {
    /// A manager that has listed `store` at `now`.
    pub fn new(mut store: Store, now: SimTime, settings: Settings, answer: Answer) -> Rig {
        let mut cursors = Cursors::default();
        each_table!(Kind, {
            let cursor = store.table_mut::<Kind>().open();
            cursors.set(Kind::TABLE, Some(cursor));
        });
        let mut rig = Rig {
            store,
            calls: Vec::new(),
            manager: ControllerManager::new(clients(), settings),
            cursors,
            fx: Effects::new(),
            now,
            due: BTreeMap::new(),
            count: 0,
            answer,
        };
        rig.act(|manager, view, fx| manager.start(view, fx));
        rig
    }

    fn act(&mut self, act: impl FnOnce(&mut ControllerManager, &View<'_>, &mut Effects<Timer>)) {
        self.fx.begin(self.now, 0, 1);
        let view = View::new(self.now, &self.store, &self.cursors);
        act(&mut self.manager, &view, &mut self.fx);
        let effects: Vec<_> = self.fx.drain().collect();
        self.fx.drain_facts().for_each(drop);
        for (_, effect) in effects {
            match effect {
                Effect::Arm { at, timer } => self.push(at, Due::Timer(timer)),
                Effect::Send(request) => {
                    let done = Done { id: RawId { slot: 0, generation: 0 }, rev: Rev::ZERO };
                    let result = match &request.call {
                        Call::Get { kind: Kind::Node, id } => self.live(id.typed()).map(|()| done),
                        call => (self.answer)(call).map(|()| done),
                    };
                    if !matches!(request.call, Call::Event) {
                        self.calls.push((request.client, request.call));
                    }
                    let reply = Reply { client: request.client, tag: request.tag, result };
                    self.push(self.now + SimDuration::from_millis(1), Due::Reply(reply));
                }
                Effect::Engine(_) | Effect::Cloud(_) => {}
            }
        }
    }

    /// Whether a node is there, whatever the manager was told.
    fn live(&self, id: Id<Node>) -> Result<(), Status> {
        let name = || ObjectName::of(Kind::Node, &Meta::new("".into(), "node".into()));
        self.store.get(id).map(|_| ()).ok_or_else(|| Status::NotFound(name()))
    }

    fn push(&mut self, at: SimTime, due: Due) {
        self.count += 1;
        self.due.insert((at, self.count), due);
    }

    /// Lets `span` go by.
    pub fn run(&mut self, span: SimDuration) {
        let until = self.now + span;
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > until {
                break;
            }
            self.now = entry.key().0;
            match entry.remove() {
                Due::Timer(timer) => self.act(|manager, view, fx| manager.timer(timer, view, fx)),
                Due::Reply(reply) => self.act(|manager, view, fx| manager.reply(&reply, view, fx)),
            }
        }
        self.now = until;
    }

    /// Puts the next version of an object into the store and tells the manager.
    pub fn update<T: Stored>(&mut self, id: Id<T>, value: T) {
        self.store.update(self.now, id, value);
        self.tell::<T>();
    }

    /// Puts an object into the store and tells the manager.
    pub fn create<T: Stored>(&mut self, value: T) -> Id<T> {
        let id = self.store.create(self.now, value);
        self.tell::<T>();
        id
    }

    /// Takes an object out of the store and tells the manager.
    pub fn delete<T: Stored>(&mut self, id: Id<T>) {
        self.store.delete(self.now, id);
        self.tell::<T>();
    }

    /// Tells the manager what happened to objects of a kind since it was told last.
    pub fn tell<T: Stored>(&mut self) {
        let cursor = self.cursors.get(T::TABLE).expect("an open cursor");
        let range = self.store.table_mut::<T>().advance(cursor, u64::MAX);
        let store = self.store.clone();
        let told = range.clone();
        self.act(|manager, view, fx| manager.deliver(T::TABLE, told, &store, view, fx));
        self.store.table_mut::<T>().settle(range);
    }

    /// Runs the pass of the node controller that is next.
    pub fn node_pass(&mut self, heartbeats: &dyn Heartbeats) {
        let passes = self.manager.node_passes();
        let k = passes.first_from(self.now + SimDuration::from_nanos(1));
        self.run(passes.at(k) - self.now);
        self.act(|manager, view, fx| manager.node_pass(k, heartbeats, view, fx));
        self.run(SimDuration::from_millis(50));
    }
}
