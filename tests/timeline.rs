//! Steps of the timeline and faults: each is told, does what it says, and is the cause of what
//! follows; after faults end, what is desired comes about.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::api::kind::Kind;
use wavetank::api::node::{Node, Schedulability};
use wavetank::api::pod::Pod;
use wavetank::api::workload::{Deployment, ReplicaSet};
use wavetank::cluster::World;
use wavetank::cluster::plan::Plan;
use wavetank::kernel::FactSink;
use wavetank::messages::{Fact, Verb};
use wavetank::runs::Finished;
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::{SimDuration, SimTime};

/// Three pods of `web` on three nodes of two zones, and a Service.
const SHOP: &str = "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: 'web:1', readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";
const CLUSTER: &str = "
    nodes:
    - {name: a, count: 2, zone: a}
    - {name: b, count: 1, zone: b}
    controlPlane: {masters: 3, apiServers: 2, etcd: 3, schedulers: 2, controllerManagers: 2}";

/// All facts, with their numbers' order and causes.
#[derive(Default)]
struct Facts(Vec<(SimTime, u64, Fact)>);

impl FactSink<Fact> for Facts {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        assert_eq!(number, self.0.len() as u64 + 1, "facts are numbered from 1");
        self.0.push((at, cause, fact.clone()));
    }
}

struct Ran {
    world: World,
    facts: Facts,
}

fn plan(timeline: &str, more: &str) -> Plan {
    plan_of(&format!("cluster:{CLUSTER}\n  timeline:\n{timeline}"), more)
}

fn plan_of(spec: &str, more: &str) -> Plan {
    let text = format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: t}}\nspec:\n  {spec}\n{SHOP}{more}"
    );
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert!(!loaded.has_errors(), "{said:?}\n{text}");
    loaded.plan
}

fn run(timeline: &str) -> Ran {
    run_with(timeline, "")
}

fn run_with(timeline: &str, more: &str) -> Ran {
    run_plan(plan(timeline, more))
}

fn run_plan(plan: Plan) -> Ran {
    let mut facts = Facts::default();
    let interrupt = AtomicBool::new(false);
    let Finished { world, .. } =
        wavetank::runs::run(Arc::new(plan), &mut facts, &interrupt, &mut |_| {});
    Ran { world, facts }
}

impl Ran {
    /// Facts that follow from the first step, as `verb object: message`, in order; names that are
    /// generated are cut to their Deployment's.
    fn after_step(&self) -> Vec<String> {
        let is_step = |fact: &Fact| fact.verb == Verb::Step;
        let step = self.facts.0.iter().position(|(_, _, fact)| is_step(fact)).expect("a step");
        let mut follows = vec![false; self.facts.0.len() + 1];
        let mut lines = Vec::new();
        for (at, (_, cause, fact)) in self.facts.0.iter().enumerate() {
            follows[at + 1] = at == step || follows[*cause as usize];
            if follows[at + 1] {
                let name = fact.object.to_string();
                let short = if name.contains("/web-") { "web-*" } else { &name };
                let message = fact.message.as_deref().unwrap_or_default();
                lines.push(format!("{} {short}: {message}", fact.verb));
            }
        }
        lines
    }

    fn has(&self, line: &str) -> bool {
        self.after_step().iter().any(|one| one.starts_with(line))
    }

    fn web(&self) -> &Deployment {
        let store = self.world.store();
        let id = store.find::<Deployment>("default", "web").expect("it is there");
        store.get(id).expect("it is there")
    }

    fn node(&self, name: &str) -> &Node {
        let store = self.world.store();
        store.get(store.find::<Node>("", name).expect("a node")).expect("a node")
    }

    fn pods(&self) -> Vec<&Pod> {
        self.world.store().table::<Pod>().iter().map(|(_, pod)| pod).collect()
    }

    /// What is desired is there, nothing was refused or missed.
    #[track_caller]
    fn is_well(&self) {
        let all = self.after_step();
        assert!(self.world.refused().is_empty(), "{:?}", self.world.refused());
        assert!(self.world.missed().is_empty(), "{:?}", self.world.missed());
        assert!(self.world.converged_since().is_some(), "{all:#?}");
    }
}

fn image(of: &Deployment) -> &str {
    &of.template.spec.containers[0].image
}

#[test]
fn scale_is_the_cause_of_the_pods_it_asks_for() {
    let ran = run("  - {at: 1m, name: grow, scale: deployment/web, replicas: 5}");
    ran.is_well();
    let lines = ran.after_step();
    assert_eq!(lines[0], "step Deployment/default/web: grow: scale Deployment/default/web to 5");
    assert_eq!(lines[1], "scaled Deployment/default/web: ");
    for (verb, times) in [("created", 2), ("bound", 2), ("ready", 2)] {
        let found = lines.iter().filter(|it| it.starts_with(&format!("{verb} web-*"))).count();
        assert_eq!(found, times, "{verb}: {lines:#?}");
    }
    let (begun, ended) = ran.world.step_instants("grow").expect("it began");
    assert_eq!((begun, ended), (SimTime::from_secs(60), None));
    assert!(ran.world.converged_since() > Some(begun));
}

#[test]
fn images_roll_forward_and_undo_takes_the_old_set_up_again() {
    let ran = run(
        "  - {at: 1m, setImage: deployment/web, image: 'web:2'}\n  - {at: 3m, undo: deployment/web}",
    );
    ran.is_well();
    assert_eq!(image(ran.web()), "web:1");
    assert_eq!(ran.web().meta.annotation("deployment.kubernetes.io/revision"), Some("3"));
    assert_eq!(ran.world.store().table::<ReplicaSet>().len(), 2, "no third set");
    assert!(ran.has("changed Deployment/default/web"));
    let to = run("  - {at: 1m, setImage: deployment/web, container: c, image: 'web:2'}\n  \
         - {at: 3m, setImage: deployment/web, image: 'web:3'}\n  \
         - {at: 5m, undo: deployment/web, toRevision: 1}");
    to.is_well();
    assert_eq!(image(to.web()), "web:1");
    let none = run("  - {at: 1m, undo: deployment/web, toRevision: 7}");
    let refused = none.world.refused();
    assert!(
        refused[0].status.to_string().contains("unable to find specified revision 7 in history")
    );
    assert!(none.world.converged_since().is_none());
}

#[test]
fn what_kubectl_will_not_even_ask_for_is_said_in_its_own_words() {
    for (steps, said) in [
        (
            "{at: 1m, setImage: deployment/web, container: zz, image: 'web:2'}",
            "error: unable to find container named \"zz\"",
        ),
        ("{at: 1m, resume: deployment/web}", "error: deployments.apps \"web\" is not paused"),
        (
            "{at: 1m, undo: deployment/web}",
            "error: no rollout history found for deployment \"web\"",
        ),
        (
            "{at: 1m, pause: deployment/web}\n  - {at: 2m, pause: deployment/web}",
            "error: deployments.apps \"web\" is already paused",
        ),
        (
            "{at: 1m, pause: deployment/web}\n  - {at: 2m, restart: deployment/web}",
            "error: deployments.apps \"web\" can't restart paused deployment (run rollout resume first)",
        ),
    ] {
        let ran = run(&format!("  - {steps}"));
        let refused = ran.world.refused().iter().map(|it| it.status.to_string());
        assert_eq!(refused.collect::<Vec<_>>(), [said]);
    }
}

#[test]
fn a_restart_replaces_every_pod_and_a_pause_holds_a_rollout() {
    let before = run("  - {at: 1m, label: deployment/web, with: 'a=b'}");
    before.is_well();
    let ran = run("  - {at: 1m, restart: deployment/web}");
    ran.is_well();
    let names =
        |ran: &Ran| ran.pods().iter().map(|pod| pod.meta.name.to_string()).collect::<Vec<_>>();
    assert!(names(&ran).iter().all(|name| !names(&before).contains(name)));
    let at = ran.web().template.annotations.get("kubectl.kubernetes.io/restartedAt");
    assert_eq!(at.map(AsRef::as_ref), Some("2026-01-01T00:01:00Z"));

    let held = run(
        "  - {at: 1m, pause: deployment/web}\n  - {at: 2m, setImage: deployment/web, image: 'web:2'}\n  \
         - {at: 3m, resume: deployment/web}",
    );
    held.is_well();
    let made = held.facts.0.iter().find(|(at, _, fact)| {
        fact.verb == Verb::Created
            && fact.object.to_string().starts_with("ReplicaSet")
            && *at > SimTime::from_secs(60)
    });
    assert!(made.is_some_and(|(at, ..)| *at >= SimTime::from_secs(180)));
}

#[test]
fn a_patch_is_merged_and_checked_as_the_api_server_does() {
    let ran = run(
        "  - at: 1m\n    patch: deployment/web\n    with:\n      spec:\n        replicas: 2\n        template: {spec: \
         {containers: [{name: c, image: 'web:9'}]}}",
    );
    ran.is_well();
    assert_eq!((ran.web().replicas, image(ran.web())), (2, "web:9"));
    assert!(ran.web().template.spec.containers[0].readiness.is_some(), "the rest is as it was");
    let bad = run("  - {at: 1m, patch: deployment/web, with: {spec: {replicas: -2}}}");
    let words = bad.world.refused()[0].status.to_string();
    assert!(words.contains("spec.replicas: Invalid value: -2"), "{words}");
}

/// What a patch brings in is checked under the scenario's feature gates, not under those that hold by default.
#[test]
fn a_patch_is_checked_under_the_scenarios_feature_gates() {
    let refused = |gates: &str, field: &str| {
        let timeline = format!(
            "[{{at: 60s, patch: deployment/web, with: {{spec: {{template: {{spec: {field}}}}}}}}}]"
        );
        let spec =
            format!("cluster:{CLUSTER}\n    featureGates: {gates}\n  timeline: {timeline}\n");
        run_plan(plan_of(&spec, "")).world.refused().len()
    };
    let toleration = "{tolerations: [{key: level, operator: Gt, value: '5', effect: NoSchedule}]}";
    assert_eq!(refused("{}", toleration), 1);
    assert_eq!(refused("{TaintTolerationComparisonOperators: true}", toleration), 0);
    let container = "{containers: [{name: c, restartPolicy: Never}]}";
    assert_eq!(refused("{}", container), 0);
    assert_eq!(refused("{ContainerRestartRules: false}", container), 1);
}

#[test]
fn labels_annotations_and_taints_are_set_and_removed() {
    let ran = run(
        "  - {at: 1m, label: node/a-0, with: 'tier=gold'}\n  - {at: 1m, label: node/a-0, with: {tier: null, x: y}}\n  \
         - {at: 1m, annotate: deployment/web, with: ['note=all is well']}\n  \
         - {at: 2m, taint: node/b-0, with: 'dedicated=gpu:NoExecute'}",
    );
    ran.is_well();
    let labels = &ran.node("a-0").meta.labels;
    assert!(labels.get("tier").is_none() && labels.get("x").is_some());
    let is_on_b = |pod: &&Pod| pod.node == ran.world.store().find::<Node>("", "b-0");
    assert_eq!(ran.pods().iter().filter(|pod| is_on_b(pod)).count(), 0, "evicted by the taint");
    assert!(ran.facts.0.iter().any(|(_, _, fact)| fact.verb == Verb::Tainted));
    let off = run(
        "  - {at: 1m, taint: node/b-0, with: 'a=b:NoSchedule'}\n  - {at: 2m, taint: node/b-0, with: 'a-'}",
    );
    off.is_well();
    assert!(off.node("b-0").taints.is_empty());
}

#[test]
fn a_drained_node_is_empty_and_closed_until_it_is_uncordoned() {
    let ran = run("  - {at: 1m, name: d, drain: node/a-0}");
    ran.is_well();
    assert_eq!(ran.node("a-0").schedulability, Schedulability::Cordoned);
    let lines = ran.after_step();
    assert_eq!(lines[0], "step Node/a-0: d: drain Node/a-0");
    let evicted = lines.iter().filter(|it| it.starts_with("evicted web-*")).count();
    assert!(evicted > 0, "{lines:#?}");
    assert_eq!(lines.iter().filter(|it| it.starts_with("created web-*")).count(), evicted);
    let drained = ran.world.store().find::<Node>("", "a-0");
    assert!(ran.pods().iter().all(|pod| pod.node != drained && pod.is_ready()));
    let back = run("  - {at: 1m, cordon: node/a-0}\n  - {at: 2m, uncordon: a-0}");
    back.is_well();
    assert_eq!(back.node("a-0").schedulability, Schedulability::Open);
}

#[test]
fn what_is_deleted_or_evicted_by_name_must_be_there() {
    let ran = run("  - {at: 1m, delete: deployment/web}");
    assert!(ran.pods().is_empty(), "{:#?}", ran.after_step());
    let kept = run("  - {at: 1m, delete: deployment/web, cascade: orphan}");
    assert_eq!(kept.pods().len(), 3);
    let last = run("  - {at: 1m, delete: deployment/web, cascade: foreground}");
    let deleted = last.facts.0.iter().filter(|it| it.2.verb == Verb::Deleted);
    let kinds: Vec<Kind> = deleted.map(|it| it.2.object.kind).collect();
    let (pod, set) = (Kind::Pod, Kind::ReplicaSet);
    assert_eq!(kinds, [pod, pod, pod, set, Kind::Deployment], "from the bottom up");
    let missed = run("  - {at: 1m, name: e, evict: pod/web-xxx-yyy}");
    assert_eq!(missed.world.missed().len(), 1);
    assert!(
        missed.has("missed web-*: pods \"web-xxx-yyy\" not found"),
        "{:?}",
        missed.after_step()
    );
}

#[test]
fn objects_are_applied_late_and_again() {
    let ran = run(
        "  - at: 1m\n    apply:\n    - {apiVersion: v1, kind: Namespace, metadata: {name: late}}\n    \
         - {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: late}}\n  \
         - at: 2m\n    apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: late}, data: {a: b}}",
    );
    ran.is_well();
    let store = ran.world.store();
    let others = store.table::<wavetank::api::misc::Other>();
    let written: Vec<_> = others.iter().map(|(_, it)| it.written.contains("\"a\":\"b\"")).collect();
    assert_eq!(written, [true], "one object, changed");
}

#[test]
fn killed_pods_are_replaced_and_crashed_containers_restarted() {
    let ran = run("  - {at: 1m, name: k, fault: pod-kill, target: deployment/web}");
    ran.is_well();
    let lines = ran.after_step();
    assert_eq!(lines[0], "step Other/k: k: 1 of the pods of Deployment default/web killed");
    assert_eq!(lines[1], "down web-*: the pod is deleted without grace");
    for verb in ["deleted", "created", "bound", "ready"] {
        let found = lines.iter().filter(|it| it.starts_with(&format!("{verb} web-*"))).count();
        assert_eq!(found, 1, "{verb}: {lines:#?}");
    }
    let all = "{pods: {labels: {app: web}}}";
    let ran = run(&format!("  - {{at: 1m, fault: container-crash, target: {all}, exit: 3}}"));
    ran.is_well();
    let exits = ran.facts.0.iter().filter(|(_, _, fact)| {
        fact.verb == Verb::Exited && fact.values.contains(&("exit_code", 3))
    });
    assert_eq!(exits.count(), 3, "{:#?}", ran.after_step());
    assert_eq!(ran.after_step().iter().filter(|it| it.starts_with("started web-*")).count(), 3);
    let two = run("  - {at: 1m, fault: pod-kill, target: {pods: {labels: {app: web}, count: 2}}}");
    assert_eq!(two.after_step().iter().filter(|it| it.starts_with("down web-*")).count(), 2);
}

#[test]
fn a_pod_that_cannot_run_fails_again_and_again_and_then_recovers() {
    let ran = run("  - {at: 1m, name: f, fault: pod-failure, target: deployment/web, for: 90s}");
    ran.is_well();
    let lines = ran.after_step();
    let exits = lines.iter().filter(|it| it.starts_with("exited web-*")).count();
    assert!(exits > 2, "{lines:#?}");
    let (_, ended) = ran.world.step_instants("f").expect("it began");
    assert_eq!(ended, Some(SimTime::from_secs(150)));
    assert!(ran.world.converged_since() > ended);
}

#[test]
fn a_fault_that_finds_nothing_is_missed() {
    let ran = run("  - {at: 1m, name: k, fault: pod-kill, target: {pods: {labels: {app: wob}}}}");
    let [(at, why)] = ran.world.missed() else { panic!("{:?}", ran.world.missed()) };
    assert_eq!((*at, &**why), (0, "all pods in default with app=wob: there is no such pod"));
    assert!(ran.has("missed Other/k: "));
}

/// A run does not end before the cluster has noticed that a node is gone, nor before quiet was held
/// after that.
#[test]
fn a_lost_node_is_noticed_before_quiet_counts() {
    let ran = run("  - {at: 2m, name: c, fault: node-crash, target: node/b-0}");
    ran.is_well();
    assert!(ran.has("node-unknown Node/b-0") || ran.has("down Node/b-0"));
    let unknown = ran.facts.0.iter().find(|(_, _, fact)| fact.verb == Verb::NodeUnknown);
    let (noticed, ..) = unknown.expect("the node is noticed");
    let ends = ran.world.ends_at();
    assert!(ends >= *noticed + SimDuration::from_secs(60), "{ends}");
    let drained = ran.world.store().find::<Node>("", "b-0");
    let left = ran.pods().iter().filter(|pod| pod.node == drained && pod.is_ready()).count();
    assert_eq!(left, 0, "pods of the lost node are unready");
}

#[test]
fn a_zone_goes_down_and_comes_back_whole() {
    let ran = run("  - {at: 2m, name: z, fault: node-crash, target: zone/a, for: 3m}");
    ran.is_well();
    let down = ran.after_step().iter().filter(|it| it.starts_with("down Node/")).count();
    let up = ran.after_step().iter().filter(|it| it.starts_with("up Node/")).count();
    assert_eq!((down, up), (down.max(2), down), "{:#?}", ran.after_step());
    assert!(ran.world.converged_since() > Some(SimTime::from_secs(300)));
}

/// Whatever is struck: once it has ended, desired = actual.
#[test]
fn after_faults_heal_what_is_desired_is_there() {
    for fault in [
        "fault: kubelet-stop, target: node/a-0",
        "fault: kill, target: api-server/0",
        "fault: kill, target: scheduler/0",
        "fault: kill, target: controller-manager/0",
        "fault: kill, target: etcd/1",
        "fault: partition, target: node/a-0",
        "fault: partition, target: zone/a, from: zone/b",
        "fault: latency, target: zone/a, delay: 200ms, jitter: 100ms",
        "fault: loss, target: master/0, from: [node/a-0, node/b-0], probability: 0.2",
        "fault: partition, target: deployment/web",
        "fault: pod-failure, target: {pods: {labels: {app: web}, count: 2}}",
    ] {
        let ran = run(&format!(
            "  - {{at: 1m, name: f, {fault}, for: 2m}}\n  - {{at: 90s, scale: deployment/web, replicas: 4}}"
        ));
        assert!(ran.world.missed().is_empty(), "{fault}: {:?}", ran.world.missed());
        let ready = ran.pods().iter().filter(|pod| pod.is_ready()).count();
        assert_eq!(ready, 4, "{fault}: {:#?}", ran.after_step());
        assert!(ran.world.converged_since().is_some(), "{fault}");
        let healed = ran.facts.0.iter().filter(|(_, _, fact)| fact.verb == Verb::Healed);
        assert_eq!(healed.count(), 1, "{fault}");
    }
}

/// Two faults on one node: it runs again when the last has ended.
#[test]
fn a_node_struck_twice_stays_down_until_both_have_ended() {
    let ran = run("  - {at: 1m, name: long, fault: node-crash, target: node/a-0, for: 4m}\n  \
         - {at: 2m, name: short, fault: node-crash, target: zone/a, for: 1m}");
    ran.is_well();
    let ready = ran.facts.0.iter().filter(|(_, _, fact)| {
        fact.verb == Verb::NodeReady && fact.object.to_string() == "Node/a-0"
    });
    let times: Vec<u64> = ready.map(|(at, ..)| at.as_secs()).filter(|at| *at > 60).collect();
    assert!(!times.is_empty() && times.iter().all(|at| *at >= 300), "{times:?}");
}

/// A PodChaos as `chaos-mesh/examples` has them, applied with everything else.
#[test]
fn experiments_of_chaos_mesh_strike_as_soon_as_they_find_something() {
    let chaos = |more: &str| {
        format!(
            "---\napiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {{name: kill{more}}}\nspec:\n  \
             action: pod-kill\n  mode: fixed\n  value: '2'\n  selector: {{namespaces: [default], \
             labelSelectors: {{app: web}}}}\n"
        )
    };
    let ran = run_with("    []", &chaos(""));
    ran.is_well();
    let (begun, _) = ran.world.step_instants("kill").expect("it struck");
    assert_eq!(begun, SimTime::from_secs(1), "at its second try");
    assert_eq!(ran.after_step().iter().filter(|it| it.starts_with("down web-*")).count(), 2);
    let late = run_with("    []", &chaos(", annotations: {wavetank.dev/at: 90s}"));
    late.is_well();
    assert_eq!(late.world.step_instants("kill").map(|it| it.0), Some(SimTime::from_secs(90)));
    let applied = run(
        "  - at: 2m\n    apply:\n      apiVersion: chaos-mesh.org/v1alpha1\n      kind: NetworkChaos\n      \
         metadata: {name: cut}\n      spec: {action: partition, mode: all, direction: both, duration: 30s, \
         selector: {labelSelectors: {app: web}}}",
    );
    applied.is_well();
    let ended = Some(SimTime::from_secs(150));
    assert_eq!(applied.world.step_instants("cut"), Some((SimTime::from_secs(120), ended)));
}

/// A master that has neither an API server nor a Node object still has a member of etcd: cut off from
/// it and its like, an API server writes nothing.
#[test]
fn a_master_cut_off_from_the_others_has_no_quorum() {
    let masters = "cluster: {nodes: [{name: n, count: 3}], controlPlane: {masters: 3, apiServers: 1, etcd: 3}}";
    let timeline = "timeline:\n  - {at: 1m, name: cut, fault: partition, target: master/0, for: 1m}\n  \
         - {at: 90s, scale: deployment/web, replicas: 4}";
    let mut of = plan_of(&format!("{masters}\n  {timeline}"), "");
    of.nodes.retain(|node| matches!(node.role, wavetank::cluster::plan::Role::Worker));
    let ran = run_plan(of);
    ran.is_well();
    let mut scaled = ran.facts.0.iter().filter(|(_, _, fact)| fact.verb == Verb::Scaled);
    let (at, ..) = scaled.find(|(at, ..)| at.as_secs() > 60).expect("it is scaled");
    assert!(at.as_secs() >= 120, "scaled at {at}, without a quorum");
}

/// Informers wait longer each time before they connect again, each by its own luck: the third try comes 5.6
/// to 11.2 s after the cut. The API server was started after 5 s and keeps whoever dials until it answers,
/// 2.3 to 2.7 s later; it knows nothing of what they saw last, so they list anew after a fourth wait of
/// 6.4 to 12.8 s. A scale needs two of them (s6_apiserver_restart of the recordings: 20.7 and 21.6 s).
#[test]
fn watches_come_back_after_waits_that_double() {
    let late: Vec<f64> = (1..=12)
        .map(|seed| {
            let timeline = "timeline:\n  - {at: 60s, fault: kill, target: api-server/0, for: 5s}\n  \
                 - {at: 68s, scale: deployment/web, replicas: 5}";
            let ran = run_plan(plan_of(&format!("seed: {seed}\n  {timeline}"), ""));
            ran.is_well();
            let mut created = ran.facts.0.iter().filter(|(_, _, fact)| {
                fact.verb == Verb::Created && fact.object.to_string().contains("/web-")
            });
            let (at, ..) = created.find(|(at, ..)| at.as_secs() > 60).expect("pods come");
            at.as_nanos() as f64 / 1e9 - 60.0
        })
        .collect();
    assert!(late.iter().all(|&late| (13.7..24.1).contains(&late)), "{late:?}");
    assert!(
        late.iter().any(|&late| late < 19.0) && late.iter().any(|&late| late > 21.0),
        "{late:?}"
    );
}

/// An etcd that only stood still answers at once; one that was killed waits to be dialled.
#[test]
fn a_frozen_etcd_goes_on_where_it_was() {
    let accepted = |fault: &str| {
        let timeline = format!(
            "timeline:\n  - {{at: 60s, fault: {fault}, target: etcd/0, for: 20s}}\n  \
             - {{at: 80100ms, scale: deployment/web, replicas: 5}}"
        );
        let ran = run_plan(plan_of(&timeline, ""));
        ran.is_well();
        let mut scaled = ran.facts.0.iter().filter(|it| it.2.verb == Verb::Scaled);
        let (at, ..) = scaled.find(|(at, ..)| at.as_secs() > 60).expect("it is scaled");
        at.as_nanos() as f64 / 1e9 - 80.1
    };
    assert!(accepted("freeze") < 0.1);
    assert!(accepted("kill") > 2.0);
}

/// `kubectl apply`, step by step: what the manifest said before and says no more goes back to its default;
/// what only others have set stays; what both say is the manifest's.
#[test]
fn apply_merges_what_is_written_now_with_what_was_written_before_and_what_is_there() {
    let web = |at: &str, labels: &str, replicas: &str, containers: &str| {
        format!(
            "  - at: {at}\n    apply:\n      apiVersion: apps/v1\n      kind: Deployment\n      \
             metadata: {{name: web, labels: {labels}}}\n      spec:\n        {replicas}selector: {{matchLabels: {{app: \
             web}}}}\n        template:\n          metadata: {{labels: {{app: web}}}}\n          spec: {{containers: \
             {containers}}}\n"
        )
    };
    let one = |tag: u32| {
        format!("[{{name: c, image: 'web:{tag}', readinessProbe: {{httpGet: {{port: 80}}}}}}]")
    };
    // The manifest of the start says three replicas: one that says nothing asks for the default.
    let first = web("1m", "{team: a, tier: gold}", "", &one(1));
    let ran = run(&first);
    ran.is_well();
    assert_eq!(ran.web().replicas, 1);
    assert!(ran.web().template.spec.containers[0].readiness.is_some());
    // From then on replicas are nobody's but those who scale.
    let scaled = format!("{first}  - {{at: 2m, scale: deployment/web, replicas: 4}}\n");
    let labelled = format!("{scaled}  - {{at: 2m, label: deployment/web, with: 'owner=me'}}\n");
    let again = format!("{labelled}{}", web("3m", "{team: b}", "", &one(2)));
    let ran = run(&again);
    ran.is_well();
    assert_eq!((ran.web().replicas, image(ran.web())), (4, "web:2"));
    let labels: Vec<String> =
        ran.web().meta.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["owner=me", "team=b"], "tier is written no more, owner never was");
    // A container that a patch has added stays beside the manifest's.
    let patched = "  - at: 1m\n    patch: deployment/web\n    with: {spec: {template: {spec: {containers: \
                   [{name: side, image: 'side:1'}]}}}}\n";
    let ran = run(&format!("{patched}{}", web("2m", "{}", "replicas: 2\n        ", &one(3))));
    ran.is_well();
    let names: Vec<&str> = ran.web().template.spec.containers.iter().map(|it| &*it.name).collect();
    assert_eq!((names, image(ran.web()), ran.web().replicas), (vec!["c", "side"], "web:3", 2));
    // What the API server would refuse is refused.
    let other =
        web("1m", "{}", "", &one(1)).replace("matchLabels: {app: web}", "matchLabels: {a: b}");
    let other = other.replace("metadata: {labels: {app: web}}", "metadata: {labels: {a: b}}");
    let words = run(&other).world.refused()[0].status.to_string();
    assert!(words.contains("spec.selector") && words.contains("immutable"), "{words}");
}

/// An object whose manifest has not changed is left alone.
#[test]
fn applying_the_same_again_changes_nothing() {
    let same =
        SHOP.replace("\n---\n", "\n").trim().split("apiVersion: v1").next().map(str::to_owned);
    let manifest = same.expect("the Deployment").replace('\n', "\n      ");
    let ran = run(&format!("  - at: 1m\n    apply:\n      {manifest}"));
    ran.is_well();
    let after: Vec<String> = ran.after_step();
    assert_eq!(after, ["step Deployment/default/web: apply-0: apply Deployment/default/web"]);
}

/// What a fault on the link of `b-0`, from minute 1 for ten minutes, makes of it: how often it was taken to be
/// unknown, and to be ready again.
fn heard_over(fault: &str, seed: u64) -> (usize, usize) {
    let ran = run_plan(plan_of(
        &format!(
            "seed: {seed}\n  cluster: {{nodes: [{{name: a, count: 2}}, {{name: b}}]}}\n  timeline:\n  \
             - {{at: 1m, name: link, {fault}, target: node/b-0, for: 10m}}"
        ),
        "",
    ));
    ran.is_well();
    let count = |verb: Verb| {
        let of_b = |fact: &&(SimTime, u64, Fact)| {
            fact.2.verb == verb && fact.2.object.to_string() == "Node/b-0" && fact.0.as_secs() > 0
        };
        ran.facts.0.iter().filter(of_b).count()
    };
    (count(Verb::NodeUnknown), count(Verb::NodeReady))
}

/// A renewal is due each 10 s, given up when the next is, and missed for 40 s before its node is unknown: so
/// of four in a row one must arrive.
#[test]
fn a_node_is_unknown_when_its_renewals_are_lost_or_too_late() {
    assert_eq!(heard_over("fault: loss, probability: 1", 1), (1, 1));
    assert_eq!(heard_over("fault: latency, delay: 11s", 1), (1, 1), "each is given up");
    assert_eq!(heard_over("fault: latency, delay: 3s", 1), (0, 0), "all arrive");
    assert_eq!(heard_over("fault: loss, probability: 0.01", 1), (0, 0));
    // Only replies are lost: what is written arrives.
    assert_eq!(heard_over("fault: loss, direction: from, probability: 0.9", 1), (0, 0));
    // Ten minutes have 57 runs of four, each lost with 0.66: a node is unknown soon, and is heard of again
    // while the fault lasts.
    let often: Vec<(usize, usize)> =
        (1..=6).map(|seed| heard_over("fault: loss, probability: 0.9", seed)).collect();
    assert!(often.iter().all(|(unknown, ready)| unknown == ready && *unknown > 0), "{often:?}");
    assert!(often.iter().any(|(unknown, _)| *unknown > 1), "{often:?}");
}

/// News of a watch are late by the delay of its link, the server's of a master and a kubelet's of its node.
#[test]
fn news_are_late_by_the_delay_of_their_link() {
    let first_after = |ran: &Ran, verb: Verb, from: u64| {
        let found =
            ran.facts.0.iter().find(|(at, _, fact)| at.as_secs() >= from && fact.verb == verb);
        found.expect("it comes").0.as_nanos() as f64 / 1e9
    };
    let cluster = "cluster: {nodes: [{name: n}], controlPlane: {masters: 2, apiServers: 2}}";
    let grow = "{at: 2m, scale: deployment/web, replicas: 4}";
    // The controllers are on the first master, and talk to the second's API server.
    let gone = "{at: 1m, fault: kill, target: api-server/0}";
    let link = "{at: 90s, fault: latency, target: master/0, from: master/1, direction: from, delay: 700ms}";
    for (more, least, most) in [("", 0.0, 0.2), (link, 0.7, 1.0)] {
        let steps: Vec<String> = [gone, more, grow]
            .iter()
            .filter(|it| !it.is_empty())
            .map(|it| format!("  - {it}\n"))
            .collect();
        let ran = run_plan(plan_of(&format!("{cluster}\n  timeline:\n{}", steps.concat()), ""));
        ran.is_well();
        let mut scaled = ran
            .facts
            .0
            .iter()
            .filter(|(at, _, fact)| at.as_secs() >= 120 && fact.verb == Verb::Scaled);
        let mut next = || scaled.next().expect("it is scaled").0.as_nanos() as f64 / 1e9;
        let (asked, done) = (next(), next());
        assert!((least..most).contains(&(done - asked)), "{more}: {asked} {done}");
    }
    for (more, least, most) in [("", 0.0, 3.0), ("delay: 3s", 3.0, 6.0)] {
        let late = match more {
            "" => String::new(),
            _ => format!(
                "  - {{at: 90s, fault: latency, target: node/n-0, direction: from, {more}}}\n"
            ),
        };
        let ran = run_plan(plan_of(&format!("{cluster}\n  timeline:\n{late}  - {grow}"), ""));
        ran.is_well();
        let waits = first_after(&ran, Verb::Started, 120) - first_after(&ran, Verb::Bound, 120);
        assert!((least..most).contains(&waits), "{more}: {waits}");
    }
}

/// A follower that takes the Lease and is killed before it hears of it: whoever looks next waits until
/// that Lease is over, and takes it.
#[test]
fn a_leader_that_dies_before_it_knows_is_followed_by_another() {
    let steps = |more: &str| {
        plan(&format!("  - {{at: 1m, fault: kill, target: scheduler/0, for: 10m}}\n{more}"), "")
    };
    let leads = |ran: &Ran| -> Vec<u64> {
        let of = |fact: &Fact| {
            fact.verb == Verb::Leader && fact.object.to_string().contains("scheduler")
        };
        let all = ran.facts.0.iter().filter(|(at, _, fact)| at.as_secs() > 0 && of(fact));
        all.map(|(at, ..)| at.as_nanos()).collect()
    };
    let first = *leads(&run_plan(steps(""))).first().expect("the follower leads");
    let just_before = first - 1_000_000;
    let killed = format!(
        "  - {{at: {just_before}ns, name: early, fault: kill, target: scheduler/1, for: 1s}}"
    );
    let ran = run_plan(steps(&killed));
    ran.is_well();
    let again = leads(&ran)[0];
    assert!((15..30).contains(&((again - first) / 1_000_000_000)), "{first} {again}");
}

/// A process that is started while no API server answers has not seen its Lease: the 15 s after which
/// it is over (client-go leaderelection) count from its first look at it, not from its start.
#[test]
fn who_starts_during_an_outage_counts_a_lease_from_the_first_look() {
    let spec = "timeline:\n  - {at: 1m, fault: kill, target: api-server/0, for: 5m}\n  \
                - {at: 2m, fault: kill, target: controller-manager/0, for: 10s}";
    let ran = run_plan(plan_of(spec, ""));
    let back = SimTime::from_secs(360);
    let leads = |(at, _, fact): &&(SimTime, u64, Fact)| {
        fact.verb == Verb::Leader && *at > back && fact.object.to_string().contains("manager")
    };
    let (at, _, _) = ran.facts.0.iter().find(leads).expect("it leads again");
    let after = at.saturating_since(back);
    // It answers 2.3 to 2.7 s after its start.
    let range = SimDuration::from_secs(17)..SimDuration::from_secs(23);
    assert!(range.contains(&after), "{after:?}");
    ran.is_well();
}
