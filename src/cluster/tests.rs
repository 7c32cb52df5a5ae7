//! A small cluster brought to its desired state.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use serde_json::json;

use super::World;
use super::plan::{
    AppRules, ClientLimits, ControlPlane, End, Plan, PlannedNode, PlannedObject, Role,
    SchedulerPlan, Source,
};
use crate::api::compact::{Compacted, Compactor};
use crate::api::decode::Typed;
use crate::api::ip_family::Families;
use crate::api::meta::Meta;
use crate::api::misc::Namespace;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::service::EndpointSlice;
use crate::api::validation::object::prepare_create;
use crate::kernel::{
    self, Apart, Budgets, Engine, FactSink, Fidelity, Halt, InputLog, NoSink, Order, Run, Virtual,
    Watch,
};
use crate::messages::{Fact, Profile};
use crate::time::{SimDuration, SimTime};

mod views;

fn planned(Compacted { object, arrival, node }: Compacted) -> PlannedObject {
    PlannedObject { object, arrival, node, source: Source::nowhere(), manifest: None }
}

pub(super) fn plan(replicas: i32, nodes: usize) -> Plan {
    let mut compactor = Compactor::new();
    let node = |compactor: &mut Compactor, number: usize| {
        let written: core::Node = serde_json::from_value(json!({
            "metadata": {"name": format!("n-{number}"), "labels": {"kubernetes.io/hostname": format!("n-{number}")}},
            "status": {"capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
                       "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"}}
        }))
        .unwrap();
        let Compacted { object, arrival, .. } = compactor.node(written);
        let Object::Node(node) = object else { unreachable!() };
        PlannedNode { node: *node, arrival, role: Role::Worker }
    };
    let nodes = (0..nodes).map(|number| node(&mut compactor, number)).collect();
    let deployment: apps::Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                 "template": {"metadata": {"labels": {"app": "web"}},
                              "spec": {"containers": [{"name": "c", "image": "web:1",
                                "resources": {"requests": {"cpu": "10m"}},
                                "readinessProbe": {"httpGet": {"port": 80}}}]}}}
    }))
    .unwrap();
    let service: core::Service = serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    }))
    .unwrap();
    let namespace =
        Object::Namespace(Box::new(Namespace::new(Meta::new("".into(), "default".into()))));
    let mut objects =
        vec![planned(Compacted { object: namespace, arrival: Default::default(), node: None })];
    let mut typed = Typed::Deployment(Box::new(deployment));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::Deployment(deployment) = typed else { unreachable!() };
    objects.push(planned(compactor.deployment(*deployment)));
    let mut typed = Typed::Service(Box::new(service));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::Service(service) = typed else { unreachable!() };
    objects.push(planned(compactor.service(*service)));
    Plan {
        name: "test".into(),
        seed: 1,
        epoch_seconds: 0,
        end: End::Settled { hold: SimDuration::from_secs(60), backstop: SimTime::from_secs(1800) },
        nodes,
        control_plane: ControlPlane::default(),
        clients: ClientLimits::default(),
        fidelity: Fidelity::Elided,
        feature_gates: Default::default(),
        checks: Default::default(),
        kubelet: Default::default(),
        pod_tolerations: Default::default(),
        families: Families::V4,
        profile: Profile::default(),
        engine: Default::default(),
        scheduler: SchedulerPlan::default(),
        apps: AppRules::default(),
        images: Default::default(),
        objects,
        static_pods: Vec::new(),
        steps: Vec::new(),
        node_groups: Vec::new(),
        autoscaler: None,
        traffic: Vec::new(),
        metrics: Default::default(),
    }
}

struct Settled;

impl Watch<World> for Settled {
    fn after_step(&mut self, world: &World) -> std::ops::ControlFlow<Halt> {
        let ends = world.ends_at();
        if world.next_at().is_none_or(|next| next > ends) {
            return std::ops::ControlFlow::Break(Halt::Goal);
        }
        std::ops::ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl FactSink<Fact> for Lines {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        let node = fact.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
        let message = fact.message.as_deref().unwrap_or_default();
        self.0.push(format!(
            "{at} {number}<-{cause} {} {} {}{node} {:?} {message}",
            fact.component.name(),
            fact.verb,
            fact.object,
            fact.values
        ));
    }
}

fn go_on(world: &mut World, sink: &mut dyn FactSink<Fact>) {
    let mut around = Run {
        budgets: Budgets::until(world.plan().end.until()),
        interrupt: &AtomicBool::new(false),
        observer: &mut Apart { sink, watch: Settled },
        log: &mut InputLog::new(),
    };
    kernel::run(world, &mut Virtual::new(), &mut around);
}

pub(super) fn run(plan: Plan, sink: &mut dyn FactSink<Fact>) -> World {
    let mut world = World::new(Arc::new(plan), Order::Fifo, sink);
    go_on(&mut world, sink);
    world
}

#[test]
fn a_deployment_converges_alike_each_time_and_a_clone_ends_alike() {
    let mut lines = Lines::default();
    let world = run(plan(10, 5), &mut lines);
    let text = lines.0.join("\n");
    assert!(world.converged_since().is_some(), "{text}");
    assert_eq!(world.store().table::<Pod>().len(), 10, "{text}");
    assert!(world.store().table::<Pod>().iter().all(|(_, pod)| pod.is_ready()), "{text}");
    let slices = world.store().table::<EndpointSlice>();
    assert_eq!(slices.iter().map(|(_, slice)| slice.endpoints.len()).sum::<usize>(), 10);
    assert_eq!(run(plan(10, 5), &mut NoSink).digest(), world.digest());

    let mut original = World::new(Arc::new(plan(10, 5)), Order::Fifo, &mut NoSink);
    for _ in 0..100 {
        original.step(SimTime::MAX, &mut NoSink, &mut Vec::new());
    }
    let mut clone = original.clone();
    go_on(&mut original, &mut NoSink);
    go_on(&mut clone, &mut NoSink);
    assert_eq!((original.digest(), clone.digest()), (world.digest(), world.digest()));
}
