//! Occurrences that are worked out and occurrences that are run leave the same facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use wavetank::cluster::World;
use wavetank::cluster::plan::{Act, Fault, Instance, LinkHarm, Plan, Spot, Step};
use wavetank::kernel::{Engine, Fidelity, NoSink, Order};
use wavetank::luck::{Distribution, Ratio};
use wavetank::messages::Verb;
use wavetank::net::Ways;
use wavetank::time::{SimDuration, SimTime};

use super::rig::{assert_equal, batch, cases, deployment, run, sets, shop, step};

/// When a fault strikes or ends: anywhere, or on a whole second, where monitors' passes and renewals of
/// leaders that lead from the start fall.
pub fn instant() -> impl Strategy<Value = SimDuration> {
    prop_oneof![
        (0..90_000u64).prop_map(SimDuration::from_millis),
        (0..90u64).prop_map(SimDuration::from_secs),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let node = || (0..4u8).prop_map(|at| format!("n-{at}"));
    prop_oneof![
        3 => node().prop_map(|name| Fault::NodeCrash(name.into())),
        2 => node().prop_map(|name| Fault::KubeletStop(name.into())),
        2 => node().prop_map(|name| Fault::Partition {
            from: vec![Spot::Node(name.into())], to: Vec::new()
        }),
        1 => Just(Fault::Partition { from: vec![Spot::Master(0)], to: Vec::new() }),
        2 => (node(), harm(), ways()).prop_map(|(name, harm, ways)| Fault::Link {
            from: vec![Spot::Node(name.into())], to: Vec::new(), ways, harm
        }),
        1 => (harm(), ways()).prop_map(|(harm, ways)| Fault::Link {
            from: vec![Spot::Master(0)], to: Vec::new(), ways, harm
        }),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::ApiServer(at))),
        1 => (0..3u16).prop_map(|at| Fault::Kill(Instance::Etcd(at))),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::Scheduler(at))),
        2 => (0..2u16).prop_map(|at| Fault::Kill(Instance::ControllerManager(at))),
    ]
}

/// Messages that are late, by more than a renewal's period now and then, or lost.
fn harm() -> impl Strategy<Value = LinkHarm> {
    let span = || (0..15_000u64).prop_map(SimDuration::from_millis);
    let late = (span(), span())
        .prop_map(|(min, more)| LinkHarm::Late(Distribution::Uniform { min, max: min + more }));
    let lost = (1..100u64)
        .prop_map(|of| LinkHarm::Lossy(Ratio::new(of, 100).expect("less than all of them")));
    prop_oneof![late, lost]
}

fn ways() -> impl Strategy<Value = Ways> {
    prop_oneof![2 => Just(Ways::Both), 1 => Just(Ways::Onward), 1 => Just(Ways::Back)]
}

/// A fault at an instant, for a span or for good.
pub fn strike() -> impl Strategy<Value = Step> {
    (instant(), fault(), proptest::option::weighted(0.8, instant())).prop_map(
        |(at, fault, lasts)| {
            let lasts = lasts.map(|span| span + SimDuration::from_millis(1));
            Step { at: SimTime::ZERO + at, name: "fault".into(), act: Act::Fault { fault, lasts } }
        },
    )
}

/// A cluster of four nodes and two of each process on three masters, with a quota, where a node is deleted
/// and its pods are left to the collectors.
pub fn cluster(seed: u64, mut steps: Vec<Step>) -> Plan {
    let spec = format!(
        "  seed: {seed}\n  duration: 400s\n  cluster:\n    nodes: [{{name: n, count: 4, capacity: \
         {{cpu: '4', memory: 8Gi}}}}]\n    controlPlane: {{masters: 3, apiServers: 2, etcd: 3, schedulers: 2, \
         controllerManagers: 2}}\n  timeline:\n  - {{at: 200s, delete: node/n-3}}"
    );
    let quota = "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: most}\nspec: {hard: {pods: 30}}\n";
    let mut plan = shop(4, 2, &spec, &(sets() + "---\n" + &batch() + quota));
    steps.append(&mut plan.steps);
    steps.sort_by_key(|step| step.at);
    plan.steps = steps;
    plan
}

/// The same with programs that get ready late, hang, crash, and take all the memory of their nodes, under probes
/// of each kind.
fn restless(seed: u64, mut steps: Vec<Step>) -> Plan {
    let spec = format!(
        "  seed: {seed}\n  duration: 250s\n  cluster:\n    nodes: [{{name: n, count: 4, capacity: \
         {{cpu: '4', memory: 8Gi}}}}]\n    controlPlane: {{masters: 3, apiServers: 2, etcd: 3, schedulers: 2, \
         controllerManagers: 2}}\n  apps:\n  - {{match: {{labels: {{app: hangs}}}}, ready: {{exponential: 4s}}, hang: \
         {{exponential: 40s}}}}\n  - {{match: {{labels: {{app: ends}}}}, run: {{for: 20s, exit: 1}}}}\n  - {{match: {{labels: {{app: leaks}}}}, usage: {{memory: \
         {{base: 1Gi, growth: {{by: 25Mi, each: 500ms}}}}}}}}"
    );
    let probes = "startupProbe: {httpGet: {port: 80}, periodSeconds: 1, failureThreshold: 9}\n        \
                  readinessProbe: {httpGet: {port: 80}, periodSeconds: 3}\n        \
                  livenessProbe: {httpGet: {port: 80}, periodSeconds: 5, failureThreshold: 2}";
    let more = deployment("hangs", 3, probes)
        + "---\n"
        + &deployment("ends", 2, "")
        + "---\n"
        + &deployment("leaks", 4, "");
    let mut plan = shop(2, 1, &spec, &more);
    steps.sort_by_key(|step| step.at);
    plan.steps = steps;
    plan
}

/// The same with a Deployment that an autoscaler makes grow and shrink, and that is left alone for long; with
/// one that needs machines to be lent, which are given back when others suffice; and with one whose requests
/// follow what it uses.
fn autoscaled(seed: u64, mut steps: Vec<Step>) -> Plan {
    let spec = format!(
        "  seed: {seed}\n  duration: 900s\n  cluster:\n    nodes: [{{name: n, count: 4, capacity: \
         {{cpu: '4', memory: 8Gi}}}}]\n    nodeGroups: [{{name: g, min: 0, max: 3, capacity: {{cpu: '2', memory: \
         4Gi}}, bootTime: {{uniform: [20s, 90s]}}}}]\n    autoscaler: {{scaleDownUnneededTime: 1m, \
         scaleDownDelayAfterAdd: 1m}}\n    controlPlane: {{masters: 3, apiServers: 2, etcd: 3, schedulers: 2, \
         controllerManagers: 2}}\n  apps:\n  - {{match: {{labels: {{app: hungry}}}}, usage: {{cpu: 300m, memory: \
         300Mi}}}}\n  - {{match: {{labels: {{app: busy}}}}, usage: {{cpu: {{steps: {{0s: \
         50m, 400s: 80m}}}}}}}}\n  metrics:\n    series:\n    - {{usage: cpu, pods: {{labels: {{app: grows}}}}, \
         shared: true, every: 5s, value: {{steps: {{0s: 100m, 60s: 300m, 480s: 100m}}}}}}\n  timeline:\n  - {{at: 400s, \
         scale: deployment/wide, replicas: 3}}"
    );
    let autoscaler = |name: &str| {
        format!(
            "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\nspec:\n  \
             scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}\n  minReplicas: 2\n  \
             maxReplicas: 9\n  metrics:\n  - {{type: Resource, resource: {{name: cpu, target: {{type: Utilization, \
             averageUtilization: 50}}}}}}\n"
        )
    };
    let vertical = "---\napiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {name: hungry}\n\
                    spec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: hungry}\n";
    let wide = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: wide}\nspec:\n  replicas: 10\n  \
                selector: {matchLabels: {app: wide}}\n  template:\n    metadata: {labels: {app: wide}}\n    spec:\n      \
                containers: [{name: c, image: 'web:1', resources: {requests: {cpu: 1500m}}}]\n";
    let two = deployment("grows", 2, "") + "---\n" + &deployment("busy", 2, "");
    let three = two + "---\n" + &deployment("hungry", 2, "") + vertical + wide;
    let mut plan = shop(2, 1, &spec, &(three + &autoscaler("grows") + &autoscaler("busy")));
    steps.append(&mut plan.steps);
    steps.sort_by_key(|step| step.at);
    plan.steps = steps;
    plan
}

fn explicit_and_elided_agree(mut plan: Plan) {
    let elided = run(&plan, Order::Fifo);
    plan.fidelity = Fidelity::Explicit;
    let explicit = run(&plan, Order::Fifo);
    assert!(explicit.0.events() > elided.0.events(), "explicit runs what elided counts");
    assert_equal(&elided, &explicit, &format!("elided and explicit, {:?}", plan.steps));
}

/// When the recurring occurrences of a run fall up to an instant, by kind.
fn occurrences(plan: &Plan, until: SimTime) -> BTreeMap<String, Vec<SimTime>> {
    let mut plan = plan.clone();
    plan.fidelity = Fidelity::Explicit;
    let mut world = World::new(Arc::new(plan), Order::Fifo, &mut NoSink);
    let mut kinds: BTreeMap<String, Vec<SimTime>> = BTreeMap::new();
    let mut last = None;
    while world.now() < until && step(&mut world, &mut NoSink) {
        let next = world.next_occurrence();
        if next != last
            && let Some((at, duty)) = next
        {
            // The kind is what stands before the owner's number.
            let text = format!("{duty:?}");
            let kind = text.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
            kinds.entry(kind.to_owned()).or_default().push(at);
        }
        last = next;
    }
    kinds
}

/// A fault that strikes on an occurrence of some kind, and ends on another.
type Exact = (Fault, (Index, Index), Option<(Index, Index)>);

fn exact() -> impl Strategy<Value = Exact> {
    let instant = || any::<(Index, Index)>();
    (fault(), instant(), proptest::option::weighted(0.8, instant()))
}

/// The plan with this fault, whose instants are occurrences of the plan as it is; it strikes after
/// those that are there.
fn with_exact(plan: &mut Plan, (fault, strikes, ends): &Exact) {
    let until = SimTime::from_secs(100);
    let kinds = occurrences(plan, until + SimDuration::from_secs(60));
    let pick = |(kind, which): &(Index, Index), from: SimTime, to: SimTime| {
        let within = |all: &Vec<SimTime>| -> Vec<SimTime> {
            all.iter().copied().filter(|at| *at > from && *at < to).collect()
        };
        let kinds: Vec<Vec<SimTime>> =
            kinds.values().map(within).filter(|all| !all.is_empty()).collect();
        (!kinds.is_empty()).then(|| *which.get(kind.get(&kinds[..]).as_slice()))
    };
    let from = plan.steps.last().map_or(SimTime::ZERO, |step| step.at);
    let Some(at) = pick(strikes, from, until) else { return };
    let end = ends.as_ref().and_then(|ends| pick(ends, at, at + SimDuration::from_secs(60)));
    let lasts = end.and_then(|end| end.checked_since(at));
    let act = Act::Fault { fault: fault.clone(), lasts };
    plan.steps.push(Step { at, name: "fault".into(), act });
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn random_faults_leave_equal_facts(
        seed in 1..1000u64,
        steps in proptest::collection::vec(strike(), 0..5),
    ) {
        explicit_and_elided_agree(cluster(seed, steps.clone()));
        explicit_and_elided_agree(restless(seed, steps.clone()));
        explicit_and_elided_agree(autoscaled(seed, steps));
    }

    #[test]
    fn faults_on_occurrences_leave_equal_facts(
        seed in 1..1000u64,
        faults in proptest::collection::vec(exact(), 1..4),
    ) {
        let mut plan = restless(seed, Vec::new());
        for fault in &faults {
            with_exact(&mut plan, fault);
        }
        prop_assert!(!plan.steps.is_empty());
        explicit_and_elided_agree(plan);
    }
}

/// What the properties above are about does happen: all kinds of duties recur, and probes fail.
#[test]
fn a_restless_cluster_has_every_duty() {
    let plan = restless(7, Vec::new());
    let kinds = occurrences(&plan, SimTime::from_secs(60));
    for kind in ["Lease(", "NodeMonitor(", "Leader(", "Look(", "Manager("] {
        assert!(kinds.keys().any(|it| it.starts_with(kind)), "{kind} in {:?}", kinds.keys());
    }
    for kind in ["Status(", "Relist(", "Resend(", "Probe("] {
        let kind = format!("Kubelet({kind}");
        assert!(kinds.keys().any(|it| it.starts_with(&kind)), "{kind} in {:?}", kinds.keys());
    }
    let (_, facts) = run(&plan, Order::Fifo);
    assert!(facts.of(Verb::ProbeFailed).len() > 2 && facts.of(Verb::BackOff).len() > 2);
}

/// An autoscaler acts, and most of its looks are left out while nothing can come of them.
#[test]
fn an_autoscaler_looks_only_when_something_can_come_of_it() {
    let plan = autoscaled(7, Vec::new());
    let (elided, facts) = run(&plan, Order::Fifo);
    let scaled = facts.of(Verb::Scaled);
    assert!(scaled.len() >= 3, "it grows and shrinks: {scaled:?}");
    let kinds = occurrences(&plan, SimTime::from_secs(900));
    let looks = kinds.iter().filter(|(kind, _)| kind.starts_with("Autoscaler("));
    let looks: usize = looks.map(|(_, at)| at.len()).sum();
    assert!(looks > 110, "{looks} looks of two in 900 s");
    let mut explicit = plan;
    explicit.fidelity = Fidelity::Explicit;
    assert!(run(&explicit, Order::Fifo).0.events() > elided.events() + 30);
}

/// Once found: an event at the very instant of a pass put the pass off; a node that had just posted
/// its status was not heard of.
#[test]
fn returns_at_the_instant_of_a_pass_are_seen_alike() {
    let node = |at, fault, lasts| Step {
        at: super::rig::millis(at),
        name: "fault".into(),
        act: Act::Fault { fault, lasts },
    };
    let partition = Fault::Partition { from: vec![Spot::Node("n-3".into())], to: Vec::new() };
    let span = |millis| Some(SimDuration::from_millis(millis));
    explicit_and_elided_agree(cluster(901, vec![node(87_036, partition, span(60_001))]));
    let stop = node(8_934, Fault::KubeletStop("n-0".into()), None);
    let crash = node(49_934, Fault::NodeCrash("n-0".into()), span(24_001));
    explicit_and_elided_agree(cluster(324, vec![stop, crash]));
}

/// Looks of followers that nobody answers find nothing, run or not: etcd is gone for a while, or both API
/// servers, and with the leader before that or without.
#[test]
fn looks_that_are_not_answered_leave_equal_facts() {
    let kill = |at, instance, lasts| {
        let act =
            Act::Fault { fault: Fault::Kill(instance), lasts: Some(SimDuration::from_secs(lasts)) };
        Step { at: SimTime::from_nanos(at), name: "fault".into(), act }
    };
    for seed in 1..9 {
        let at = 20_000_000_000 + seed * 1_234_567_891;
        let etcd = (0..3).map(|number| kill(at, Instance::Etcd(number), 20)).collect();
        explicit_and_elided_agree(cluster(seed, etcd));
        let mut servers: Vec<Step> =
            (0..2).map(|number| kill(at, Instance::ApiServer(number), 14)).collect();
        servers.insert(0, kill(at - seed * 700_000_000, Instance::Scheduler(0), 60));
        explicit_and_elided_agree(cluster(seed, servers));
    }
}

/// Once found: a pass that finds a node's taint written but not yet delivered marks the node again, which
/// costs a token later.
#[test]
fn a_pass_between_a_taint_and_its_news_is_run() {
    let step = |at, fault, lasts: Option<u64>| {
        let act = Act::Fault { fault, lasts: lasts.map(SimDuration::from_nanos) };
        Step { at: SimTime::from_nanos(at), name: "fault".into(), act }
    };
    let cut = Fault::Partition { from: vec![Spot::Node("n-0".into())], to: Vec::new() };
    let steps = vec![
        step(22_958_509_412, Fault::Kill(Instance::ApiServer(0)), Some(42_761_944_206)),
        step(50_309_685_724, Fault::NodeCrash("n-1".into()), None),
        step(78_071_320_835, cut, None),
    ];
    explicit_and_elided_agree(restless(937, steps));
}
