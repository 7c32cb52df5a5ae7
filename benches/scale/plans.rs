//! Plans for benches: clusters of any size, made in memory.

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
};
use serde_json::json;
use wavetank::api::compact::{Compacted, Compactor};
use wavetank::api::decode::Typed;
use wavetank::api::ip_family::Families;
use wavetank::api::kind::Kind;
use wavetank::api::meta::Meta;
use wavetank::api::misc::Namespace;
use wavetank::api::object::Object;
use wavetank::api::validation::object::prepare_create;
use wavetank::cluster::plan::{
    Act, AppRule, AppRules, Change, ClientLimit, ClientLimits, ControlPlane, End, Fault, Plan,
    PlannedNode, PlannedObject, Role, SchedulerPlan, Source, Step, Target,
};
use wavetank::kernel::Fidelity;
use wavetank::luck::{Distribution, Label, Luck};
use wavetank::messages::Profile;
use wavetank::messages::app::{App, Delay, Run};
use wavetank::messages::usage::{Between, Course, Demand, Usage};
use wavetank::time::{SimDuration, SimTime};

fn planned(Compacted { object, arrival, node }: Compacted) -> PlannedObject {
    PlannedObject { object, arrival, node, source: Source::nowhere(), manifest: None }
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
    PlannedNode { node: *node, arrival, role: Role::Worker }
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
pub fn deployments(nodes: usize, pods: usize) -> Plan {
    let mut compactor = Compactor::new();
    let mut objects = vec![default_namespace()];
    let (mut left, mut number) = (pods, 0);
    while left > 0 {
        let replicas = (30 + (number * 37) % 271).min(left);
        objects.push(deployment(&mut compactor, number, replicas));
        objects.push(service(&mut compactor, number));
        (left, number) = (left - replicas, number + 1);
    }
    plan(&mut compactor, nodes, objects)
}

fn plan(compactor: &mut Compactor, nodes: usize, objects: Vec<PlannedObject>) -> Plan {
    let fast = ClientLimit { qps: 100_000, burst: 100_000 };
    Plan {
        name: "scale".into(),
        seed: 1,
        epoch_seconds: 0,
        end: End::Settled { hold: SimDuration::ZERO, backstop: SimTime::from_secs(36_000) },
        nodes: (0..nodes).map(|number| node(compactor, number)).collect(),
        control_plane: ControlPlane::default(),
        clients: ClientLimits { controllers: fast, scheduler: fast, kubelets: fast, user: fast },
        fidelity: Fidelity::Elided,
        families: Families::V4,
        feature_gates: Default::default(),
        checks: Default::default(),
        pod_tolerations: Default::default(),
        static_pods: Default::default(),
        profile: Profile::default(),
        engine: Default::default(),
        scheduler: SchedulerPlan::default(),
        apps: AppRules::default(),
        images: Default::default(),
        metrics: Default::default(),
        kubelet: Default::default(),
        node_groups: Vec::new(),
        autoscaler: None,
        objects,
        steps: Vec::new(),
        traffic: Vec::new(),
    }
}

fn default_namespace() -> PlannedObject {
    let meta = Meta::new("".into(), "default".into());
    let namespace = Object::Namespace(Box::new(Namespace::new(meta)));
    planned(Compacted { object: namespace, arrival: Default::default(), node: None })
}

/// Deployments of 200 pods, each with an autoscaler that aims at half of what they ask for. What a pod
/// uses steps each minute, around that aim; an hour once the day starts.
pub fn autoscaled(nodes: usize, pods: usize) -> Plan {
    let mut compactor = Compactor::new();
    let mut objects = vec![default_namespace()];
    for number in 0..pods / 200 {
        objects.push(deployment(&mut compactor, number, 200));
        objects.push(autoscaler(&mut compactor, number));
    }
    let mut plan = plan(&mut compactor, nodes, objects);
    let percent = [50, 52, 56, 48, 51, 44, 50, 53, 49, 57];
    let points = percent
        .iter()
        .enumerate()
        .map(|(minute, percent)| (SimDuration::from_secs(60 * minute as u64), percent * 1_000_000));
    let points: Vec<(SimDuration, u64)> = points.collect();
    let round = SimDuration::from_secs(60 * points.len() as u64);
    let course = Course::through(&points, Between::Steps, Some(round)).expect("a course");
    let cpu = Demand { course, per_request: 0 };
    let usage = Some(Arc::new(Usage { cpu, ..Usage::default() }));
    plan.apps.rules.push(AppRule {
        image: None,
        labels: Default::default(),
        container: None,
        app: App { usage, ..App::default() },
    });
    plan.end = End::At(DAY_STARTS + SimDuration::from_secs(3600));
    plan
}

fn autoscaler(compactor: &mut Compactor, number: usize) -> PlannedObject {
    let name = format!("app-{number}");
    let written: autoscaling::HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                 "minReplicas": 180, "maxReplicas": 220,
                 "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 50}}}]}
    }))
    .expect("an autoscaler");
    let mut typed = Typed::HorizontalPodAutoscaler(Box::new(written));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::HorizontalPodAutoscaler(written) = typed else { unreachable!("it stays one") };
    planned(compactor.horizontal_pod_autoscaler(*written))
}

/// Bare pods that come at 60 a second (Poisson), each running 60 to 600 s.
pub fn churn(nodes: usize, pods: usize) -> Plan {
    let mut compactor = Compactor::new();
    let written: core::Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:1",
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]}
    }))
    .expect("a pod");
    let mut typed = Typed::Pod(Box::new(written));
    assert!(prepare_create(&mut typed).is_empty());
    let Typed::Pod(written) = typed else { unreachable!("a pod stays one") };
    let first = planned(compactor.pod(*written));
    let mut plan = plan(&mut compactor, nodes, vec![default_namespace()]);
    let (min, max) = (SimDuration::from_secs(60), SimDuration::from_secs(600));
    let lasts = Delay::Takes(Distribution::Uniform { min, max });
    plan.apps.rules.push(AppRule {
        image: None,
        labels: Default::default(),
        container: None,
        app: App {
            run: Some(Run { lasts, exit_code: 0, exit_by_index: Vec::new() }),
            ..App::default()
        },
    });
    let mut arrivals = Luck::new(1).stream(Label::new("bench-arrivals"), 0);
    let gap = Distribution::Exponential { mean: SimDuration::from_nanos(1_000_000_000 / 60) };
    let mut at = SimTime::from_secs(1);
    for number in 0..pods {
        at += gap.sample(arrivals.draw());
        let mut object = first.clone();
        object.object.meta_mut().name = format!("p-{number}").as_str().into();
        plan.steps.push(Step { at, name: "pod".into(), act: Act::Apply(vec![object]) });
    }
    plan.end = End::At(at + SimDuration::from_secs(700));
    plan
}

/// CronJobs that each start a pod of 30 s once an hour, spread over the hour's minutes.
pub fn cron_jobs(nodes: usize, count: usize, hours: u64) -> Plan {
    let mut compactor = Compactor::new();
    let mut objects = vec![default_namespace()];
    for number in 0..count {
        let written: batch::CronJob = serde_json::from_value(json!({
            "metadata": {"name": format!("cron-{number}"), "namespace": "default"},
            "spec": {"schedule": format!("{} * * * *", number % 60), "jobTemplate": {"spec": {
                "template": {"spec": {"restartPolicy": "Never", "containers": [
                    {"name": "c", "image": "job:1",
                     "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]}}}}}
        }))
        .expect("a CronJob");
        let mut typed = Typed::CronJob(Box::new(written));
        assert!(prepare_create(&mut typed).is_empty());
        let Typed::CronJob(written) = typed else { unreachable!("a CronJob stays one") };
        objects.push(planned(compactor.cron_job(*written)));
    }
    let mut plan = plan(&mut compactor, nodes, objects);
    let lasts = Delay::Takes(Distribution::Constant(SimDuration::from_secs(30)));
    plan.apps.rules.push(AppRule {
        image: None,
        labels: Default::default(),
        container: None,
        app: App {
            run: Some(Run { lasts, exit_code: 0, exit_by_index: Vec::new() }),
            ..App::default()
        },
    });
    plan.end = End::At(SimTime::from_secs(3600 * hours));
    plan
}

/// The same cluster for so many minutes after the first ten, with a node that crashes at the begin of the last.
pub fn quiet(nodes: usize, pods: usize, minutes: u64) -> Plan {
    let mut plan = deployments(nodes, pods);
    let at = DAY_STARTS + SimDuration::from_secs(60 * (minutes - 1));
    let act = Act::Fault { fault: Fault::NodeCrash("n-0".into()), lasts: None };
    plan.steps.push(Step { at, name: "crash".into(), act });
    plan.end = End::At(DAY_STARTS + SimDuration::from_secs(60 * (minutes + 1)));
    plan
}

/// When the quiet time starts.
pub const DAY_STARTS: SimTime = SimTime::from_secs(600);

/// Deployments of 30 pods that all get another image when the day starts.
pub fn rolling(nodes: usize, deployments: usize) -> Plan {
    let mut compactor = Compactor::new();
    let mut objects = vec![default_namespace()];
    for number in 0..deployments {
        objects.push(deployment(&mut compactor, number, 30));
        objects.push(service(&mut compactor, number));
    }
    let mut plan = plan(&mut compactor, nodes, objects);
    for number in 0..deployments {
        let name = format!("app-{number}").as_str().into();
        let target = Target { kind: Kind::Deployment, namespace: "default".into(), name };
        let change = Change::Image { container: None, image: "app:2".into() };
        let act = Act::Change { target, change };
        plan.steps.push(Step { at: DAY_STARTS, name: "rollout".into(), act });
    }
    plan
}

/// A tenth of the nodes, evenly spread, crash when the day starts and stay down until their pods
/// were evicted and made anew.
pub fn failing(nodes: usize, pods: usize) -> Plan {
    let mut plan = deployments(nodes, pods);
    for number in (0..nodes).step_by(10) {
        let act = Act::Fault {
            fault: Fault::NodeCrash(format!("n-{number}").as_str().into()),
            lasts: None,
        };
        plan.steps.push(Step { at: DAY_STARTS, name: "crash".into(), act });
    }
    // Three zones at 0.1 nodes a second, 55 s until they are found and 300 s of toleration.
    let evicted = SimDuration::from_secs(nodes as u64 / 10 / 3 * 10 + 55 + 300 + 60);
    plan.end = End::At(DAY_STARTS + evicted);
    plan
}

/// The same cluster with a rollout of one Deployment when the day starts.
pub fn rollout(nodes: usize, pods: usize) -> Plan {
    let mut plan = deployments(nodes, pods);
    let target =
        Target { kind: Kind::Deployment, namespace: "default".into(), name: "app-1".into() };
    let change = Change::Image { container: None, image: "app:2".into() };
    let act = Act::Change { target, change };
    plan.steps.push(Step { at: DAY_STARTS, name: "rollout".into(), act });
    plan.end = End::At(DAY_STARTS + SimDuration::from_secs(60));
    plan
}
