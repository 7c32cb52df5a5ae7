//! Plans for benches: clusters of any size, made in memory.

use std::sync::Arc;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use serde_json::json;
use wavetank::api::compact::{Compacted, Compactor};
use wavetank::api::decode::Typed;
use wavetank::api::meta::Meta;
use wavetank::api::misc::Namespace;
use wavetank::api::object::Object;
use wavetank::api::validation::object::prepare_create;
use wavetank::cluster::plan::{
    AppRules, ClientLimit, ClientLimits, ControlPlane, End, Plan, PlannedNode, PlannedObject,
    Source,
};
use wavetank::kernel::Fidelity;
use wavetank::messages::Profile;
use wavetank::time::{SimDuration, SimTime};

fn planned(Compacted { object, arrival, node }: Compacted) -> PlannedObject {
    PlannedObject { object, arrival, node, source: Source::nowhere() }
}

fn node(compactor: &mut Compactor, number: usize) -> PlannedNode {
    let size = json!({"cpu": "32", "memory": "128Gi", "pods": "110"});
    let zone = format!("zone-{}", number % 3);
    let name = format!("n-{number}");
    let written: core::Node = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}},
        "status": {"capacity": size, "allocatable": size}
    }))
    .expect("a node");
    let Compacted { object, arrival, .. } = compactor.node(written);
    let Object::Node(node) = object else { unreachable!("a node stays one") };
    PlannedNode { node: *node, arrival }
}

fn deployment(compactor: &mut Compactor, number: usize, replicas: usize) -> PlannedObject {
    let name = format!("app-{number}");
    let labels = json!({"app": name});
    let probe = json!({"httpGet": {"port": 80}});
    let written: apps::Deployment = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels},
                              "spec": {"containers": [{"name": "c", "image": "app:1",
                                "ports": [{"containerPort": 80}],
                                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                                "livenessProbe": probe, "readinessProbe": probe}]}}}
    }))
    .expect("a deployment");
    let mut typed = Typed::Deployment(Box::new(written));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::Deployment(written) = typed else { unreachable!("a deployment stays one") };
    planned(compactor.deployment(*written))
}

fn service(compactor: &mut Compactor, number: usize) -> PlannedObject {
    let name = format!("app-{number}");
    let written: core::Service = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}
    }))
    .expect("a service");
    let mut typed = Typed::Service(Box::new(written));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::Service(written) = typed else { unreachable!("a service stays one") };
    planned(compactor.service(*written))
}

/// Deployments of 30 to 300 pods, each with a Service, probes on, client limits out of the way.
pub fn deployments(nodes: usize, pods: usize) -> Arc<Plan> {
    let mut compactor = Compactor::new();
    let meta = Meta::new("".into(), "default".into());
    let namespace = Object::Namespace(Box::new(Namespace { meta }));
    let mut objects =
        vec![planned(Compacted { object: namespace, arrival: Default::default(), node: None })];
    let (mut left, mut number) = (pods, 0);
    while left > 0 {
        let replicas = (30 + (number * 37) % 271).min(left);
        objects.push(deployment(&mut compactor, number, replicas));
        objects.push(service(&mut compactor, number));
        (left, number) = (left - replicas, number + 1);
    }
    let fast = ClientLimit { qps: 100_000, burst: 100_000 };
    Arc::new(Plan {
        name: "cold-start".into(),
        seed: 1,
        epoch_seconds: 0,
        end: End::Settled { hold: SimDuration::ZERO, backstop: SimTime::from_secs(36_000) },
        nodes: (0..nodes).map(|number| node(&mut compactor, number)).collect(),
        control_plane: ControlPlane::default(),
        clients: ClientLimits { controllers: fast, scheduler: fast, kubelets: fast },
        fidelity: Fidelity::Elided,
        feature_gates: Default::default(),
        profile: Profile::default(),
        apps: AppRules::default(),
        images: Default::default(),
        objects,
        steps: Vec::new(),
    })
}
