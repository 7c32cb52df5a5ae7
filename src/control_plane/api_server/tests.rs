//! The API server's rules, one by one, on a store of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::tolerations::PodTolerations;
use super::{Server, Shared};
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner, RawId};
use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodStatus, Preemption, Protocol};
use crate::api::service::{
    Exposure, Service, ServicePort, ServiceSpec, SessionAffinity, TargetPort, UnreadyEndpoints,
};
use crate::api::status::Status;
use crate::luck::Luck;
use crate::messages::request::Propagation;
use crate::messages::{Call, Done, Effects, Part, Verb};
use crate::net::address::ServiceRange;
use crate::store::{Rev, Store};
use crate::time::SimTime;

struct Rig {
    store: Store,
    shared: Shared,
    now: SimTime,
    told: Vec<(Verb, String)>,
}

impl Rig {
    fn new() -> Rig {
        let range = ServiceRange::new(Ipv4Addr::new(10, 96, 0, 0), 24);
        let shared = Shared::new(Luck::new(1), range);
        let mut rig =
            Rig { store: Store::default(), shared, now: SimTime::from_secs(1), told: Vec::new() };
        let meta = Meta::new("".into(), "ns".into());
        rig.call(Call::Create(Object::Namespace(Box::new(Namespace::new(meta))))).unwrap();
        rig.told.clear();
        rig
    }

    fn call(&mut self, call: Call) -> Result<Done, Status> {
        let mut effects: Effects<()> = Effects::new();
        effects.begin(self.now, 0, 1);
        let server = &mut Server {
            now: self.now,
            store: &mut self.store,
            shared: &mut self.shared,
            effects: &mut effects,
        };
        let result = server.execute(call);
        let told = effects.drain_facts().map(|(_, fact)| (fact.verb, fact.object.name.to_string()));
        self.told.extend(told);
        result
    }

    fn pod(&mut self, name: &str) -> Done {
        self.call(Call::Create(pod(name))).unwrap()
    }

    fn delete(&mut self, kind: Kind, id: RawId, grace_seconds: Option<u32>) -> Done {
        let propagation = Propagation::Background;
        self.call(Call::Delete { kind, id, uid: None, grace_seconds, propagation }).unwrap()
    }
}

fn pod(name: &str) -> Object {
    let spec = crate::api::pod::PodSpec { grace_seconds: 30, ..Default::default() };
    Object::Pod(Box::new(Pod {
        meta: Meta::new("ns".into(), name.into()),
        spec: Arc::new(spec),
        node: None,
        status: PodStatus::default(),
    }))
}

fn lease(transitions: u32) -> Lease {
    Lease {
        meta: Meta::new("ns".into(), "l".into()),
        holder: "".into(),
        acquired: SimTime::ZERO,
        renewed: SimTime::ZERO,
        transitions,
    }
}

fn service(name: &str, wanted_ip: Option<Ipv4Addr>) -> Object {
    let spec = ServiceSpec {
        exposure: Exposure::ClusterIp,
        selector: None,
        ports: Vec::new(),
        affinity: SessionAffinity::None,
        unready: UnreadyEndpoints::Hidden,
        distribution: Default::default(),
        wanted_ip,
        wanted_ip6: None,
        wanted_of: Default::default(),
        wanted_families: Default::default(),
        wanted_policy: None,
        load_balancer_ports: Default::default(),
        external: Default::default(),
        wanted_health_port: None,
        written: "".into(),
    };
    let meta = Meta::new("ns".into(), name.into());
    Object::Service(Box::new(Service {
        meta,
        spec: Arc::new(spec),
        cluster_ip: None,
        cluster_ip6: None,
        families: Default::default(),
        policy: None,
        balancers: Arc::from([]),
        node_ports: Arc::from([]),
        health_port: None,
    }))
}

#[test]
fn a_stale_write_is_a_conflict_and_an_equal_one_is_none() {
    let mut rig = Rig::new();
    let done = rig.call(Call::Create(Object::Lease(Box::new(lease(0))))).unwrap();
    let mut next = rig.store.get::<Lease>(done.id.typed()).unwrap().clone();
    next.transitions = 1;
    let update = |base, lease: &Lease| Call::Update {
        id: done.id,
        object: Object::Lease(Box::new(lease.clone())),
        base: Some(base),
        part: Part::Main,
    };
    let second = rig.call(update(done.rev, &next)).unwrap();
    assert!(second.rev > done.rev);
    let stale = rig.call(update(done.rev, &next)).unwrap_err();
    assert_eq!(stale.code(), 409);
    let same = rig.call(update(second.rev, &next)).unwrap();
    assert_eq!((same.rev, rig.store.revision()), (second.rev, second.rev));
}

#[test]
fn generated_names_come_from_the_owner_and_its_count() {
    let names = |seed| {
        let mut rig = Rig::new();
        rig.shared = Shared::new(Luck::new(seed), rig.shared.service_range.clone());
        let owner = rig.call(Call::Create(Object::Lease(Box::new(lease(0))))).unwrap();
        let uid = rig.store.get::<Lease>(owner.id.typed()).unwrap().meta.uid;
        let mut names = Vec::new();
        for _ in 0..3 {
            let mut child = pod("web-");
            child.meta_mut().owner = Some(Owner { kind: Kind::Lease, uid, at: owner.id });
            let done = rig.call(Call::Create(child)).unwrap();
            names.push(rig.store.get::<Pod>(done.id.typed()).unwrap().meta.name.to_string());
        }
        names
    };
    let first = names(1);
    assert_eq!(first, names(1));
    assert_ne!(first, names(2));
    assert!(first.iter().all(|name| name.len() == 9 && name.starts_with("web-")), "{first:?}");
}

#[test]
fn pods_end_gracefully_once_they_have_a_node() {
    let mut rig = Rig::new();
    let unbound = rig.pod("a");
    assert_eq!(rig.delete(Kind::Pod, unbound.id, None).rev, Rev::ZERO, "no node: at once");
    let bound = rig.pod("b");
    rig.call(Call::Bind { pod: bound.id.typed(), node: RawId { slot: 0, generation: 0 }.typed() })
        .unwrap();
    rig.delete(Kind::Pod, bound.id, None);
    let deletion = rig.store.get::<Pod>(bound.id.typed()).unwrap().meta.deletion.unwrap();
    assert_eq!((deletion.at, deletion.grace_seconds), (SimTime::from_secs(31), 30));
    rig.delete(Kind::Pod, bound.id, Some(60));
    let deletion = rig.store.get::<Pod>(bound.id.typed()).unwrap().meta.deletion.unwrap();
    assert_eq!(deletion.grace_seconds, 30, "a second deletion may only shorten");
    let generation = rig.store.get::<Pod>(bound.id.typed()).unwrap().meta.generation;
    rig.now = SimTime::from_secs(11);
    rig.delete(Kind::Pod, bound.id, Some(15));
    let meta = rig.store.get::<Pod>(bound.id.typed()).unwrap().meta.clone();
    let deletion = meta.deletion.unwrap();
    assert_eq!((deletion.at, deletion.grace_seconds), (SimTime::from_secs(16), 15), "of the first");
    assert_eq!(meta.generation, generation);
    assert_eq!(rig.delete(Kind::Pod, bound.id, Some(0)).rev, Rev::ZERO);
    let verbs: Vec<Verb> = rig.told.iter().map(|(verb, _)| *verb).collect();
    use Verb::{Bound, Created, Deleted, Deleting};
    assert_eq!(verbs, [Created, Deleted, Created, Bound, Deleting, Deleted]);
}

#[test]
fn a_namespace_on_its_way_out_takes_nothing_in() {
    let mut rig = Rig::new();
    let id = rig.store.find::<Namespace>("", "ns").unwrap();
    rig.delete(Kind::Namespace, id.into(), None);
    let refused = rig.call(Call::Create(pod("p"))).unwrap_err();
    let words = "pods \"p\" is forbidden: unable to create new content in namespace ns because it \
                 is being terminated";
    assert_eq!((refused.code(), refused.to_string().as_str()), (403, words));
}

#[test]
fn what_is_on_its_way_out_gets_no_finalizers_and_goes_with_the_last() {
    let mut rig = Rig::new();
    let mut held = lease(0);
    held.meta.add_finalizer("example.com/a");
    let id = rig.call(Call::Create(Object::Lease(Box::new(held)))).unwrap().id;
    rig.delete(Kind::Lease, id, None);
    let held = rig.store.get::<Lease>(id.typed()).unwrap().clone();
    assert!(held.meta.is_terminating());
    let update = |lease: Lease| {
        let (object, base) = (Object::Lease(Box::new(lease)), None);
        Call::Update { id, object, base, part: Part::Main }
    };
    let mut more = held.clone();
    more.meta.add_finalizer("example.com/b");
    let refused = rig.call(update(more)).unwrap_err();
    let words = "Lease.coordination.k8s.io \"l\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be \
                 added if the object is being deleted, found new finalizers \
                 []string{\"example.com/b\"}";
    assert_eq!((refused.code(), refused.to_string().as_str()), (422, words));
    let mut none = held;
    none.meta.set_finalizers(Vec::new());
    assert_eq!(rig.call(update(none)).unwrap().rev, Rev::ZERO);
    assert!(rig.store.get::<Lease>(id.typed()).is_none());
}

#[test]
fn a_pod_is_bound_once() {
    let mut rig = Rig::new();
    let done = rig.pod("a");
    let node = RawId { slot: 3, generation: 0 }.typed();
    let bind = Call::Bind { pod: done.id.typed(), node };
    rig.call(bind.clone()).unwrap();
    assert_eq!(rig.call(bind).unwrap_err().code(), 409);
}

#[test]
fn a_finished_pod_never_runs_again() {
    let mut rig = Rig::new();
    let done = rig.pod("a");
    let pod = rig.store.get::<Pod>(done.id.typed()).unwrap();
    let uid = pod.meta.uid;
    for phase in [Phase::Succeeded, Phase::Running] {
        let status = Box::new(PodStatus { phase, ..Default::default() });
        rig.call(Call::PodStatus { pod: done.id.typed(), uid, status }).unwrap();
    }
    let phase = rig.store.get::<Pod>(done.id.typed()).unwrap().status.phase;
    assert_eq!(phase, Phase::Succeeded);
}

#[test]
fn namespaces_must_be_there() {
    let mut rig = Rig::new();
    let mut stray = pod("a");
    stray.meta_mut().namespace = "nowhere".into();
    let status = rig.call(Call::Create(stray)).unwrap_err();
    assert_eq!(status.to_string(), "namespaces \"nowhere\" not found");
    let namespace = rig.store.find::<Namespace>("", "ns").unwrap();
    rig.delete(Kind::Namespace, namespace.into(), None);
    let status = rig.call(Call::Create(pod("a"))).unwrap_err();
    assert_eq!(
        status.to_string(),
        "pods \"a\" is forbidden: unable to create new content in namespace ns because it is being \
         terminated"
    );
}

#[test]
fn a_name_is_taken_once() {
    let mut rig = Rig::new();
    rig.pod("a");
    let status = rig.call(Call::Create(pod("a"))).unwrap_err();
    assert_eq!(status.to_string(), "pods \"a\" already exists");
}

#[test]
fn priority_comes_from_the_class_and_siblings_share_the_admitted_spec() {
    let mut rig = Rig::new();
    let class = PriorityClass {
        meta: Meta::new("".into(), "high".into()),
        value: 1000,
        scope: crate::api::misc::ClassScope::Named,
        preemption: Preemption::Never,
        description: "".into(),
    };
    rig.call(Call::Create(Object::PriorityClass(Box::new(class)))).unwrap();
    let Object::Pod(first) = pod("a") else { unreachable!() };
    let spec = crate::api::pod::PodSpec { priority_class: "high".into(), ..(*first.spec).clone() };
    let spec = Arc::new(spec);
    let specs: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let mut one = first.clone();
            (one.meta.name, one.spec) = (name.into(), spec.clone());
            let done = rig.call(Call::Create(Object::Pod(one))).unwrap();
            rig.store.get::<Pod>(done.id.typed()).unwrap().spec.clone()
        })
        .collect();
    assert!(Arc::ptr_eq(&specs[0], &specs[1]));
    assert_eq!((specs[0].priority, specs[0].preemption), (1000, Preemption::Never));
    let seconds: Vec<_> = specs[0].tolerations.iter().map(|one| one.seconds).collect();
    assert_eq!(seconds, [Some(300), Some(300)]);
}

#[test]
fn an_unknown_priority_class_is_forbidden() {
    let mut rig = Rig::new();
    let Object::Pod(mut one) = pod("a") else { unreachable!() };
    one.spec =
        Arc::new(crate::api::pod::PodSpec { priority_class: "nope".into(), ..(*one.spec).clone() });
    let status = rig.call(Call::Create(Object::Pod(one))).unwrap_err();
    assert_eq!(
        status.to_string(),
        "pods \"a\" is forbidden: no PriorityClass with name nope was found"
    );
}

#[test]
fn cluster_addresses_are_given_once_and_come_back() {
    let mut rig = Rig::new();
    let wanted = Ipv4Addr::new(10, 96, 0, 10);
    let done = rig.call(Call::Create(service("a", Some(wanted)))).unwrap();
    let refused = rig.call(Call::Create(service("b", Some(wanted)))).unwrap_err();
    assert_eq!(refused.code(), 422);
    rig.delete(Kind::Service, done.id, None);
    let done = rig.call(Call::Create(service("b", Some(wanted)))).unwrap();
    assert_eq!(rig.store.get::<Service>(done.id.typed()).unwrap().cluster_ip, Some(wanted));
}

#[test]
fn a_service_from_another_cluster_keeps_its_address() {
    let mut rig = Rig::new();
    let foreign = Ipv4Addr::new(172, 20, 0, 5);
    let refused = rig.call(Call::Create(service("a", Some(foreign)))).unwrap_err();
    assert_eq!(refused.code(), 422);
    let Object::Service(mut imported) = service("a", Some(foreign)) else { unreachable!() };
    imported.cluster_ip = Some(foreign);
    let done = rig.call(Call::Create(Object::Service(imported))).unwrap();
    assert_eq!(rig.store.get::<Service>(done.id.typed()).unwrap().cluster_ip, Some(foreign));
}

fn node_port_service(name: &str, ports: &[(u16, Protocol, Option<u16>)]) -> Object {
    let Object::Service(mut object) = service(name, None) else { unreachable!("a Service") };
    let spec = Arc::make_mut(&mut object.spec);
    spec.exposure = Exposure::NodePort;
    let port = |&(port, protocol, node_port): &(u16, Protocol, Option<u16>)| ServicePort {
        name: "".into(),
        port,
        protocol,
        target: TargetPort::Number(port),
        node_port,
        app_protocol: None,
    };
    spec.ports = ports.iter().map(port).collect();
    Object::Service(object)
}

#[test]
fn node_ports_are_given_shared_refused_and_given_back() {
    let mut rig = Rig::new();
    let both = [(53, Protocol::Udp, None), (53, Protocol::Tcp, None), (80, Protocol::Tcp, None)];
    let dns = rig.call(Call::Create(node_port_service("dns", &both))).expect("a Service");
    let given = rig.store.get::<Service>(dns.id.typed()).unwrap().node_ports.clone();
    assert_eq!(given[0], given[1], "one number, one port");
    assert_ne!(given[0], given[2]);
    assert!(given.iter().all(|port| (30_086..=32_767).contains(port)), "{given:?}");
    let taken = [(80, Protocol::Tcp, Some(given[0]))];
    let refused = rig.call(Call::Create(node_port_service("other", &taken))).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "Service \"other\" is invalid: spec.ports[0].nodePort: Invalid value: {}: provided port \
             is already allocated",
            given[0]
        )
    );
    let outside = [(80, Protocol::Tcp, Some(80))];
    let refused = rig.call(Call::Create(node_port_service("other", &outside))).unwrap_err();
    assert!(refused.to_string().ends_with("The range of valid ports is 30000-32767"));
    let deletion = Call::Delete {
        kind: Kind::Service,
        id: dns.id,
        uid: None,
        grace_seconds: None,
        propagation: Propagation::Background,
    };
    rig.call(deletion).expect("it may go");
    rig.call(Call::Create(node_port_service("other", &taken))).expect("a port that is free again");
}

#[test]
fn the_first_address_is_the_api_servers_own() {
    let mut rig = Rig::new();
    let first = rig.shared.service_range.first();
    let refused = rig.call(Call::Create(service("mine", Some(first)))).unwrap_err();
    assert!(refused.to_string().ends_with("provided IP is already allocated"), "{refused}");
}

#[test]
fn namespaces_have_a_say_in_tolerations_where_the_plugin_is_on() {
    let annotated = |rig: &mut Rig, name: &str, allowed: &str| {
        let mut meta = Meta::new("".into(), name.into());
        let key = |what: &str| format!("scheduler.alpha.kubernetes.io/{what}").into();
        let default = r#"[{"key":"team","operator":"Equal","value":"a","effect":"NoSchedule"}]"#;
        meta.annotations = Arc::new(
            [
                (key("defaultTolerations"), default.into()),
                (key("tolerationsWhitelist"), allowed.into()),
            ]
            .into(),
        );
        rig.call(Call::Create(Object::Namespace(Box::new(Namespace::new(meta))))).unwrap();
    };
    let of = |namespace: &str| match pod("p") {
        Object::Pod(mut pod) => {
            pod.meta.namespace = namespace.into();
            Call::Create(Object::Pod(pod))
        }
        other => Call::Create(other),
    };
    let mut rig = Rig::new();
    annotated(&mut rig, "off", "[]");
    let keys = |rig: &Rig, done: Done| -> Vec<String> {
        let pod = rig.store.get::<Pod>(done.id.typed()).expect("the pod");
        pod.spec.tolerations.iter().map(|one| one.key.to_string()).collect()
    };
    let done = rig.call(of("off")).unwrap();
    let not_ready = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    assert_eq!(keys(&rig, done), not_ready);
    rig.shared.pod_tolerations = PodTolerations::Restricted;
    annotated(&mut rig, "free", "[]");
    let done = rig.call(of("free")).unwrap();
    assert_eq!(keys(&rig, done), ["team", not_ready[0], not_ready[1]]);
    annotated(&mut rig, "strict", r#"[{"key":"team","operator":"Exists"}]"#);
    let refused = rig.call(of("strict")).expect_err("others than of its team");
    assert!(refused.to_string().contains("conflict with its namespace whitelist"), "{refused}");
    annotated(&mut rig, "broken", "team");
    assert_eq!(rig.call(of("broken")).expect_err("no list").code(), 500);
}

#[test]
fn a_pod_waits_for_no_runtime_class() {
    let mut rig = Rig::new();
    let written = r#"{"containers":[],"runtimeClassName":"kata"}"#;
    let kata = |name: &str| {
        let Object::Pod(mut pod) = pod(name) else { panic!("a pod") };
        Arc::make_mut(&mut pod.spec).written = written.into();
        Call::Create(Object::Pod(pod))
    };
    let why = rig.call(kata("a")).unwrap_err().to_string();
    assert_eq!(why, "pods \"a\" is forbidden: pod rejected: RuntimeClass \"kata\" not found");
    rig.call(Call::Create(Object::Other(Box::new(Other {
        meta: Meta::new("".into(), "kata".into()),
        api_version: "node.k8s.io/v1".into(),
        kind: "RuntimeClass".into(),
        written: r#"{"handler":"kata","metadata":{},"overhead":{"podFixed":{"memory":"1Mi"}}}"#
            .into(),
    }))))
    .unwrap();
    let id = rig.call(kata("b")).unwrap().id;
    let spec = &rig.store.get::<Pod>(id.typed()).unwrap().spec;
    assert_eq!(spec.requests.memory, 1 << 20);
}
