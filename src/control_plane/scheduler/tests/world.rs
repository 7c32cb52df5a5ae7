//! A world with one scheduler in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::{Leading, Scheduler, Settings, Timer};
use crate::api::kind::Kind;
use crate::api::meta::{Deletion, Meta, ObjectName, Uid};
use crate::api::node::{Node, NodeConditions, Schedulability};
use crate::api::pod::{Pod, PodCondition, PodSpec, PodStatus, Qos};
use crate::api::resources::Resources;
use crate::api::status::Status;
use crate::base::id::Id;
use crate::luck::Luck;
use crate::messages::effects::{Effect, Effects};
use crate::messages::request::{Call, ClientId, Done, Reply};
use crate::store::{Cursors, Rev, Store, Stored, TableKind, View};
use crate::time::{SimDuration, SimTime};

const ANSWER: SimDuration = SimDuration::from_millis(5);
const WATCH: SimDuration = SimDuration::from_millis(2);

/// A node with so much CPU and room enough otherwise.
pub fn node(name: &str, cpu_milli: i64) -> Node {
    let mut amounts = Resources { cpu_milli, memory: 1 << 34, pods: 110, ..Resources::default() };
    amounts.ephemeral_storage = 1 << 36;
    Node {
        meta: Meta::new("".into(), name.into()),
        schedulability: Schedulability::Open,
        taints: Arc::from([]),
        capacity: Arc::new(amounts.clone()),
        allocatable: Arc::new(amounts),
        conditions: NodeConditions::default(),
        images: Arc::from([]),
        address: Ipv4Addr::UNSPECIFIED,
    }
}

/// A pod that asks for so much CPU.
pub fn pod(name: &str, cpu_milli: i64) -> Pod {
    let requests = Resources { cpu_milli, memory: 1 << 20, ..Resources::default() };
    let spec = PodSpec {
        grace_seconds: 30,
        scheduler_name: "default-scheduler".into(),
        nonzero_requests: requests.clone(),
        requests,
        qos: Qos::Burstable,
        ..PodSpec::default()
    };
    let mut meta = Meta::new("default".into(), name.into());
    meta.uid = Uid(meta.name.stable_hash());
    Pod { meta, spec: Arc::new(spec), node: None, status: PodStatus::default() }
}

fn name(name: &str) -> ObjectName {
    ObjectName { kind: Kind::Pod, namespace: "default".into(), name: name.into() }
}

#[derive(Clone, Debug)]
enum Event {
    Timer(Timer),
    Request(u64, Call),
    Gone(Id<Pod>),
    Watch(TableKind),
}

pub struct World {
    pub scheduler: Scheduler,
    pub events: usize,
    now: SimTime,
    store: Store,
    cursors: Cursors,
    queue: BTreeMap<(SimTime, u64), Event>,
    order: u64,
    bound: Vec<String>,
    said: Vec<String>,
    refusals: u32,
}

impl World {
    pub fn new(settings: Settings) -> World {
        let mut store = Store::default();
        let mut cursors = Cursors::default();
        cursors.set(TableKind::Pod, Some(store.table_mut::<Pod>().open()));
        cursors.set(TableKind::Node, Some(store.table_mut::<Node>().open()));
        World {
            scheduler: Scheduler::new(settings, ClientId(0), Luck::new(1)),
            events: 0,
            now: SimTime::ZERO,
            store,
            cursors,
            queue: BTreeMap::new(),
            order: 0,
            bound: Vec::new(),
            said: Vec::new(),
            refusals: 0,
        }
    }

    pub fn node(&mut self, node: Node) {
        self.store.create(self.now, node);
        self.committed(TableKind::Node);
    }

    pub fn pod(&mut self, pod: Pod) {
        self.store.create(self.now, pod);
        self.committed(TableKind::Pod);
    }

    pub fn delete_pod(&mut self, name: &str) {
        let id = self.find(name);
        self.store.delete(self.now, id);
        self.committed(TableKind::Pod);
    }

    pub fn change_pod(&mut self, name: &str, change: impl FnOnce(&mut Pod)) {
        let id = self.find(name);
        let mut pod = self.store.get(id).expect("a pod").clone();
        change(&mut pod);
        self.store.update(self.now, id, pod);
        self.committed(TableKind::Pod);
    }

    pub fn refuse(&mut self, bindings: u32) {
        self.refusals = bindings;
    }

    /// Before anything runs, watches are delivered at once: the scheduler has listed.
    pub fn lead(&mut self) {
        if self.now == SimTime::ZERO {
            self.queue.clear();
            self.catch_up();
            self.handle(|scheduler, _, view, fx| scheduler.start(view, fx));
        }
        self.handle(|scheduler, _, view, fx| scheduler.lead(Leading::Yes, view, fx));
    }

    /// A new instance that lists what is there.
    pub fn restarted(&mut self) -> Scheduler {
        self.scheduler = Scheduler::new(Settings::default(), ClientId(0), Luck::new(1));
        self.handle(|scheduler, _, view, fx| scheduler.start(view, fx));
        self.scheduler.clone()
    }

    pub fn run(&mut self, until: SimTime) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.events += 1;
            self.dispatch(event);
        }
        self.now = until;
    }

    /// `pod node when the binding was sent`.
    pub fn bound(&self) -> &[String] {
        &self.bound
    }

    /// `pod: message` of each fact.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    pub fn seen(&self, name: &str) -> &Pod {
        self.store.get(self.find(name)).expect("a pod")
    }

    fn find(&self, name: &str) -> Id<Pod> {
        self.store.find("default", name).expect("a pod of this name")
    }

    fn committed(&mut self, table: TableKind) {
        self.push(self.now + WATCH, Event::Watch(table));
    }

    fn push(&mut self, at: SimTime, event: Event) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    fn catch_up(&mut self) -> [std::ops::Range<u64>; 2] {
        [self.advance::<Pod>(), self.advance::<Node>()]
    }

    fn advance<T: Stored>(&mut self) -> std::ops::Range<u64> {
        let cursor = self.cursors.get(T::TABLE).expect("it is watched");
        let table = self.store.table_mut::<T>();
        let end = table.log_end();
        table.advance(cursor, end)
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Timer(timer) => {
                self.handle(|scheduler, _, view, fx| scheduler.timer(timer, view, fx));
            }
            Event::Watch(table) => {
                let range = match table {
                    TableKind::Pod => self.advance::<Pod>(),
                    _ => self.advance::<Node>(),
                };
                self.handle(|scheduler, store, view, fx| {
                    scheduler.deliver(table, range, store, view, fx);
                });
            }
            Event::Request(tag, call) => self.serve(tag, call),
            Event::Gone(pod) => {
                self.store.delete(self.now, pod);
                self.committed(TableKind::Pod);
            }
        }
    }

    fn serve(&mut self, tag: u64, call: Call) {
        let result = match call {
            Call::Bind { pod, node } => self.bind(pod, node),
            Call::PodStatus { pod, status, .. } => {
                if let Some(found) = self.store.get(pod).cloned() {
                    self.store.update(self.now, pod, Pod { status: *status, ..found });
                    self.committed(TableKind::Pod);
                }
                return;
            }
            Call::Disrupt { pod, why, .. } => match self.store.get(pod).cloned() {
                Some(mut found) => {
                    found.status.set(PodCondition::DisruptionTarget, true, self.now);
                    found.status.disruption = Some(why);
                    self.store.update(self.now, pod, found);
                    self.committed(TableKind::Pod);
                    Ok(Done { id: pod.into(), rev: Rev(1) })
                }
                None => Err(Status::NotFound(name("p"))),
            },
            Call::Delete { id, .. } => self.end(id.typed()),
            other => panic!("a scheduler does not ask for {other:?}"),
        };
        let reply = Reply { client: ClientId(0), tag, result };
        self.handle(|scheduler, _, view, fx| scheduler.reply(&reply, view, fx));
    }

    /// A pod is told to go: it is gone when its grace is over, at once without a node.
    fn end(&mut self, id: Id<Pod>) -> Result<Done, Status> {
        let Some(mut pod) = self.store.get(id).cloned() else {
            return Err(Status::NotFound(name("p")));
        };
        let grace_seconds = pod.spec.grace_seconds;
        let at = self.now + SimDuration::from_secs(u64::from(grace_seconds));
        pod.meta.deletion = Some(Deletion { at, grace_seconds });
        self.store.update(self.now, id, pod);
        self.committed(TableKind::Pod);
        self.push(at, Event::Gone(id));
        Ok(Done { id: id.into(), rev: Rev(1) })
    }

    fn bind(&mut self, id: Id<Pod>, node: Id<Node>) -> Result<Done, Status> {
        let name = name("p");
        let Some(mut pod) = self.store.get(id).cloned() else {
            return Err(Status::NotFound(name));
        };
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(Status::Conflict(name));
        }
        assert_eq!(pod.node, None, "a pod is bound once");
        (pod.node, pod.status.nominated) = (Some(node), None);
        let host = &self.store.get(node).expect("a node").meta.name;
        let sent = self.now.as_nanos() / 1_000_000 - ANSWER.as_millis();
        self.bound.push(format!("{} {host} {sent}ms", pod.meta.name));
        self.store.update(self.now, id, pod);
        self.committed(TableKind::Pod);
        Ok(Done { id: id.into(), rev: Rev(1) })
    }

    fn handle(&mut self, act: impl FnOnce(&mut Scheduler, &Store, &View<'_>, &mut Effects<Timer>)) {
        let mut fx = Effects::new();
        fx.begin(self.now, 0, 1);
        let view = View::new(self.now, &self.store, &self.cursors);
        act(&mut self.scheduler, &self.store, &view, &mut fx);
        for (_, fact) in fx.drain_facts() {
            let message = fact.message.as_deref().unwrap_or("");
            self.said.push(format!("{}: {message}", fact.object.name));
        }
        let mut sent = BTreeSet::new();
        for (_, effect) in fx.drain().collect::<Vec<_>>() {
            match effect {
                Effect::Arm { at, timer } => self.push(at, Event::Timer(timer)),
                Effect::Send(request) => {
                    assert!(sent.insert(request.tag), "two requests with one tag");
                    self.push(self.now + ANSWER, Event::Request(request.tag, request.call));
                }
                Effect::Engine(_) | Effect::Cloud(_) => panic!("a scheduler has no engine"),
            }
        }
    }
}
