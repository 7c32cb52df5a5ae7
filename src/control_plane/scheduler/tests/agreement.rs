//! The decision out of columns is the plain one, whatever changes in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::super::algorithm::batch::Turn;
use super::super::algorithm::framework::Question;
use super::super::algorithm::plain::explain_first;
use super::super::algorithm::plugins::gpu_share::GpuShare;
use super::super::algorithm::preemption::{Candidate, Tour, Verdict, post_filter};
use super::super::algorithm::profile::{
    Fit, ResidentPreferences, Scored, SpreadDefaults, Strategy as Scoring,
};
use super::super::algorithm::{
    Algorithm, Budget, Diagnosis, Plugin, PodShape, Profile, Resident, Snapshot, Standing, explain,
};
use super::company::{APPS, NAMESPACES, OWNER, ask};
use super::world::{node, pod};
use crate::api::meta::Labels;
use crate::api::node::{HOSTNAME_LABEL, Node, NodeImage, Schedulability, ZONE_LABEL};
use crate::api::pod::{Container, Lifetime, Pod, Protocol, PullPolicy};
use crate::api::resources::Resources;
use crate::api::rules::affinity::Term;
use crate::api::rules::ports::HostPort;
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::rules::spread::{InclusionPolicy, SpreadConstraint, WhenUnsatisfiable};
use crate::api::rules::taints::{Comparison, Effect, Taint, Toleration};
use crate::base::id::Id;
use crate::time::SimTime;

#[derive(Clone, Debug)]
enum Step {
    Node(u32, u8),
    NoNode(u32),
    Schedule(u8, u16),
    /// Another pod like the last one.
    Again,
    Free(u8),
    /// A pod that was placed is on its way out.
    Leave(u8),
    /// A pod of these kinds is promised a node.
    Promise(u32, u8, u16),
    Withdraw,
    /// A Service of this name selects pods by label, or selects none.
    Service(u8),
    /// A namespace has these labels, or is gone.
    Namespace(u8),
    /// A disruption budget for pods by label, or none.
    Budget(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..150_u32, any::<u8>()).prop_map(|(at, kind)| Step::Node(at, kind)),
        1 => (0..150_u32).prop_map(Step::NoNode),
        16 => any::<(u8, u16)>().prop_map(|(kind, company)| Step::Schedule(kind, company)),
        12 => Just(Step::Again),
        2 => any::<u8>().prop_map(Step::Free),
        1 => any::<u8>().prop_map(Step::Leave),
        1 => (0..150_u32, any::<(u8, u16)>())
            .prop_map(|(at, (kind, company))| Step::Promise(at, kind, company)),
        1 => Just(Step::Withdraw),
        1 => any::<u8>().prop_map(Step::Service),
        1 => any::<u8>().prop_map(Step::Namespace),
        1 => any::<u8>().prop_map(Step::Budget),
    ];
    prop::collection::vec(step, 1..300)
}

/// One of 256 kinds of nodes.
fn some_node(at: u32, kind: u8) -> Node {
    let mut node = node(&format!("n{at}"), 1000 + 500 * i64::from(kind & 3));
    let zone = ["a", "b", "c", "c"][usize::from(kind >> 6)];
    let mut labels: Labels = [(ZONE_LABEL.into(), zone.into())].into();
    if kind & 0b1100_0000 == 0b1000_0000 && at.is_multiple_of(4) {
        labels.clear();
    }
    if at % 16 != 3 {
        labels.insert(HOSTNAME_LABEL.into(), format!("n{at}").into());
    }
    node.meta.labels = Arc::new(labels);
    if kind & 1 != 0 {
        Arc::make_mut(&mut node.allocatable).set_scalar("alibabacloud.com/gpu-count", 2);
    }
    let taint = |effect| Taint::new("t", "", effect);
    node.taints = match (kind >> 2) & 3 {
        0 => Arc::from([taint(Effect::NoSchedule)]),
        1 => Arc::from([taint(Effect::PreferNoSchedule)]),
        _ => Arc::from([]),
    };
    if kind & 0b11_0000 == 0 {
        node.schedulability = Schedulability::Cordoned;
    }
    if kind & 0b11_0000 == 0b01_0000 {
        node.images = Arc::from([NodeImage { name: "app:1".into(), bytes: 500 << 20 }]);
    }
    node
}

/// One of 256 kinds of pods that asks for others in one of 65,536 ways.
fn some_pod(kind: u8, company: u16) -> Pod {
    let mut pod = pod("p", 50 * i64::from(kind & 3));
    ask(&mut pod, company);
    let spec = Arc::make_mut(&mut pod.spec);
    if kind & 4 != 0 {
        spec.tolerations.push(Toleration {
            key: "t".into(),
            comparison: Comparison::Exists,
            value: "".into(),
            effect: None,
            seconds: None,
        });
    }
    let zone = |name: &str| Requirement {
        key: ZONE_LABEL.into(),
        operator: Operator::In,
        values: vec![name.into()],
    };
    let term = |name: &str| Term { labels: vec![zone(name)], fields: Vec::new() };
    match kind >> 6 {
        1 => spec.node_affinity.preferred = vec![(30, term("a")), (7, term("b"))],
        2 => spec.node_affinity.required = Some(vec![term("a"), term("c")]),
        _ => {}
    }
    if kind & 8 != 0 {
        let ip = std::net::Ipv4Addr::UNSPECIFIED;
        spec.host_ports.push(HostPort { ip, protocol: Protocol::Tcp, port: 80 });
    }
    if kind & 16 != 0 {
        spec.requests.set_scalar("example.com/gpu", i64::from(kind & 32 != 0));
    }
    spec.containers.push(container(if kind & 32 != 0 { "app:1" } else { "app" }));
    if kind == 0b0100_0000 {
        let named = Requirement {
            key: "metadata.name".into(),
            operator: Operator::In,
            values: vec!["n3".into()],
        };
        spec.node_affinity.required = Some(vec![Term { labels: Vec::new(), fields: vec![named] }]);
    }
    pod
}

fn container(image: &str) -> Container {
    Container {
        name: "c".into(),
        image: image.into(),
        pull: PullPolicy::IfNotPresent,
        requests: Resources::default(),
        limits: Resources::default(),
        ports: Vec::new(),
        startup: None,
        liveness: None,
        readiness: None,
        lifetime: Lifetime::Normal,
        restart_policy: None,
        restart_rules: Vec::new(),
        on_resize: Default::default(),
        post_start: None,
        pre_stop: None,
    }
}

/// The default profile, or one that packs, weighs otherwise, or leaves plugins out.
fn some_profile(setting: u16) -> Arc<Profile> {
    let mut profile = Profile::default();
    if setting & 1 != 0 {
        let line = vec![(0, 20), (40, 100), (100, 0)];
        profile.fit = Fit {
            strategy: match setting & 2 {
                0 => Scoring::MostAllocated,
                _ => Scoring::RequestedToCapacityRatio(line),
            },
            resources: vec![
                (Scored::Cpu, 3),
                (Scored::Memory, 1),
                (Scored::named("example.com/gpu"), 7),
            ],
            ..Fit::default()
        };
    }
    for (bit, plugin) in [(2, Plugin::TaintToleration), (3, Plugin::ImageLocality)] {
        if setting & (1 << bit) != 0 {
            profile.weights[plugin as usize] = 0;
        }
    }
    for (bit, plugin) in [(4, Plugin::NodeAffinity), (5, Plugin::NodePorts)] {
        if setting & (1 << bit) != 0 {
            profile.filters.remove(plugin);
        }
    }
    for (bit, plugin) in [(6, Plugin::NodeResourcesFit), (7, Plugin::NodeAffinity)] {
        if setting & (1 << bit) != 0 {
            profile.weights[plugin as usize] = 13;
        }
    }
    let leave_out = [(8, Plugin::PodTopologySpread), (9, Plugin::InterPodAffinity)];
    for (bit, plugin) in leave_out {
        if setting & (1 << bit) != 0 && setting & 1 != 0 {
            profile.filters.remove(plugin);
        }
        if setting & (4 << bit) != 0 && setting & 1 != 0 {
            profile.weights[plugin as usize] = 0;
        }
    }
    if setting & 0b1_1100 == 0b1_1100 {
        profile.filters.insert(Plugin::GpuShare);
        profile.weights[Plugin::GpuShare as usize] = 2;
        profile.gpu = Arc::new(GpuShare::default());
    }
    if setting & (1 << 12) != 0 {
        profile.hard_pod_affinity_weight = i32::from(setting >> 13) * 20;
        profile.preferences_of_residents = ResidentPreferences::Ignored;
    }
    if setting & (3 << 13) == 1 << 13 {
        profile.spread = SpreadDefaults::List(Vec::new());
    }
    if setting & (3 << 13) == 3 << 13 {
        let of = |key: &str, unsatisfiable| SpreadConstraint {
            max_skew: 2,
            topology_key: key.into(),
            unsatisfiable,
            selector: None,
            min_domains: None,
            node_affinity: InclusionPolicy::Honor,
            node_taints: InclusionPolicy::Ignore,
            match_label_keys: Vec::new(),
        };
        profile.spread = SpreadDefaults::List(vec![
            of(ZONE_LABEL, WhenUnsatisfiable::ScheduleAnyway),
            of(HOSTNAME_LABEL, WhenUnsatisfiable::DoNotSchedule),
        ]);
    }
    Arc::new(profile)
}

/// What the fast way is not told, if anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deaf {
    /// It is told everything.
    No,
    /// That a pod is gone.
    ToFreed,
    /// That a node is another now.
    ToNodes,
    /// That a pod was placed.
    ToPlaced,
}

/// Both ways on equal snapshots, unless the fast one is deaf.
struct Pair {
    deaf: Deaf,
    snapshot: Snapshot,
    /// What the deaf way heard.
    heard: Option<Snapshot>,
    algorithm: Algorithm,
    /// Keeps what the plain way's searches left over.
    plain: Algorithm,
    turns: u64,
    last: PodShape,
    placed: Vec<(Id<Node>, Resident)>,
    promised: Vec<Id<Pod>>,
    born: u32,
}

fn id(at: u32) -> Id<Node> {
    Id::from_parts(at, 0)
}

impl Pair {
    fn tell(&mut self, but: Option<Deaf>, change: impl Fn(&mut Snapshot)) {
        change(&mut self.snapshot);
        if let Some(heard) = self.heard.as_mut().filter(|_| but != Some(self.deaf)) {
            change(heard);
        }
    }

    fn next_pod(&mut self) -> Id<Pod> {
        self.born += 1;
        Id::from_parts(self.born, 0)
    }

    fn apply(&mut self, step: Step, profile: &Profile) -> Result<(), TestCaseError> {
        match step {
            Step::Node(at, kind) => {
                self.tell(Some(Deaf::ToNodes), |it| it.set_node(id(at), &some_node(at, kind)));
            }
            Step::NoNode(at) => self.tell(None, |it| it.remove_node(id(at))),
            Step::Free(which) if !self.placed.is_empty() => {
                let at = usize::from(which) % self.placed.len();
                let (node, resident) = self.placed.swap_remove(at);
                self.tell(Some(Deaf::ToFreed), |it| drop(it.remove_pod(node, resident.pod)));
            }
            Step::Leave(which) if !self.placed.is_empty() => {
                let at = usize::from(which) % self.placed.len();
                let (node, resident) = &mut self.placed[at];
                resident.standing = Standing::Leaving;
                let (node, resident) = (*node, resident.clone());
                self.tell(None, |it| it.change_pod(node, resident.clone()));
            }
            Step::Free(_) | Step::Leave(_) => {}
            Step::Promise(at, kind, company) => {
                let (pod, shape) = (self.next_pod(), PodShape::of(&some_pod(kind, company)));
                self.promised.push(pod);
                self.tell(None, |it| it.promise(pod, &shape, id(at)));
            }
            Step::Withdraw => {
                if let Some(pod) = self.promised.pop() {
                    self.tell(None, |it| {
                        it.withdraw(pod);
                    });
                }
            }
            Step::Service(kind) => self.tell(None, |it| set_service(it, kind)),
            Step::Namespace(kind) => self.tell(None, |it| set_namespace(it, kind)),
            Step::Budget(kind) => self.tell(None, |it| set_budget(it, kind)),
            Step::Schedule(kind, company) => {
                self.last = PodShape::of(&some_pod(kind, company));
                let first = (company & 0x3f == 0x3f).then(|| id(u32::from(kind) % 40));
                return self.schedule(first, profile);
            }
            Step::Again => return self.schedule(None, profile),
        }
        Ok(())
    }

    /// Decides about a pod like the last one; now and then there is a node promised to it.
    fn schedule(
        &mut self,
        promised: Option<Id<Node>>,
        profile: &Profile,
    ) -> Result<(), TestCaseError> {
        let shape = self.last.clone();
        self.tell(None, Snapshot::settle);
        self.turns += 1;
        let turn = Turn { number: self.turns, now: SimTime::ZERO };
        let q = Question { profile, snapshot: &self.snapshot, pod: &shape };
        let told = self.heard.as_ref().unwrap_or(&self.snapshot);
        let hints = match promised {
            Some(_) => (None, None),
            None => {
                let of_plain = self.plain.hint(&self.snapshot, &shape, turn);
                (of_plain, self.algorithm.hint(told, &shape, turn))
            }
        };
        prop_assert_eq!(hints.0, hints.1);
        let first = promised.or(hints.0);
        let plain = explain_first(q, self.algorithm.start(), first);
        let told = self.heard.as_ref().unwrap_or(&self.snapshot);
        let fast = self.algorithm.schedule_first(told, &shape, first);
        let wanted = plain.chosen.ok_or_else(|| Box::new(plain.diagnosis.clone()));
        prop_assert_eq!(&fast, &wanted);
        prop_assert_eq!(self.algorithm.start(), plain.next_start);
        if let Ok(node) = fast {
            self.algorithm.taken_here(told, &shape, turn, hints.1, node);
            self.plain.taken(&self.snapshot, &shape, turn, hints.0, node, plain.scored());
        }
        if let Err(diagnosis) = &fast {
            let words = |diagnosis: &Diagnosis| diagnosis.message(&shape, profile);
            prop_assert_eq!(words(diagnosis), words(&plain.diagnosis));
            return self.make_room(&shape, diagnosis, profile);
        }
        if let Ok(node) = fast {
            let (pod, standing) = (self.next_pod(), Standing::Staying);
            let resident = Resident { pod, shape, start: None, standing };
            self.tell(Some(Deaf::ToPlaced), |it| it.add_pod(node, resident.clone()));
            self.placed.push((node, resident));
        }
        Ok(())
    }
}

impl Pair {
    /// Both ways say who would have to go; those go, and the pod is promised the node.
    fn make_room(
        &mut self,
        shape: &PodShape,
        diagnosis: &Diagnosis,
        profile: &Profile,
    ) -> Result<(), TestCaseError> {
        let tour = Tour::From(u64::from(self.born) * 7);
        let q = Question { profile, snapshot: &self.snapshot, pod: shape };
        let plain = post_filter(q, diagnosis, None, tour);
        let told = self.heard.as_ref().unwrap_or(&self.snapshot);
        let fast = self.algorithm.preempt(told, shape, diagnosis, None, tour);
        prop_assert_eq!(said(&fast), said(&plain));
        if let Some(plan) = fast.plan() {
            let node = plan.chosen.node;
            for victim in &plan.chosen.victims {
                let pod = victim.pod;
                self.placed.retain(|(_, resident)| resident.pod != pod);
                self.tell(Some(Deaf::ToFreed), |it| drop(it.remove_pod(node, pod)));
            }
            let pod = self.next_pod();
            self.promised.push(pod);
            self.tell(None, |it| it.promise(pod, shape, node));
        }
        Ok(())
    }
}

/// Everything a verdict says.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Plan(plan) => {
            let victims = |one: &Candidate| -> Vec<Id<Pod>> {
                one.victims.iter().map(|victim| victim.pod).collect()
            };
            let candidates: Vec<_> = plan
                .candidates
                .iter()
                .map(|one| (one.node, victims(one), one.violations))
                .collect();
            let chosen = (plan.chosen.node, victims(&plan.chosen));
            format!("{chosen:?} {candidates:?} {:?} {:?}", plan.tied, plan.displaced)
        }
        other => format!("{other:?}"),
    }
}

fn set_service(snapshot: &mut Snapshot, kind: u8) {
    let app: Labels = [("app".into(), APPS[usize::from(kind & 3).min(2)].into())].into();
    let around = snapshot.surroundings_mut();
    let namespace = NAMESPACES[usize::from(kind >> 2 & 3).min(2)].into();
    let selector = (kind & 16 == 0).then(|| Arc::new(app.clone()));
    around.set_service(&namespace, &if kind & 32 == 0 { "one" } else { "two" }.into(), selector);
    if kind & 64 != 0 {
        let selector = (kind & 128 != 0).then(|| Arc::new(Selector::of_labels(&app)));
        around.set_owner(OWNER, selector);
    }
}

fn set_budget(snapshot: &mut Snapshot, kind: u8) {
    let app: Labels = [("app".into(), APPS[usize::from(kind & 3).min(2)].into())].into();
    let budget = Budget {
        selector: Some(Selector::of_labels(&app)),
        allowed: i32::from(kind >> 4 & 1),
        disrupted: BTreeSet::new(),
    };
    let namespace = NAMESPACES[usize::from(kind >> 2 & 3).min(2)].into();
    let budget = (kind & 32 == 0).then_some(budget);
    snapshot.surroundings_mut().set_budget(&namespace, &"one".into(), budget);
}

fn set_namespace(snapshot: &mut Snapshot, kind: u8) {
    let name = NAMESPACES[usize::from(kind & 3).min(2)].into();
    let labels = match kind & 4 {
        0 => Labels::new(),
        _ => [("team".into(), "x".into())].into(),
    };
    let labels = (kind & 8 == 0).then(|| Arc::new(labels));
    snapshot.surroundings_mut().set_namespace(&name, labels);
}

/// Lets both ways decide step by step; there are `nodes` nodes at first.
fn agree(
    first: [u8; 32],
    nodes: u32,
    steps: Vec<Step>,
    profile: &Arc<Profile>,
    deaf: Deaf,
) -> Result<(), TestCaseError> {
    let mut snapshot = Snapshot::new();
    snapshot.share_gpus(std::slice::from_ref(profile));
    for at in 0..nodes {
        let kind = first[at as usize % 32].wrapping_add(at as u8);
        snapshot.set_node(id(at), &some_node(at, kind));
    }
    let mut pair = Pair {
        deaf,
        heard: (deaf != Deaf::No).then(|| snapshot.clone()),
        snapshot,
        algorithm: Algorithm::new(profile.clone()),
        plain: Algorithm::new(profile.clone()),
        turns: 0,
        last: PodShape::of(&some_pod(0, 0xffff)),
        placed: Vec::new(),
        promised: Vec::new(),
        born: 0,
    };
    steps.into_iter().try_for_each(|step| pair.apply(step, profile))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn columns_and_plain_steps_agree(
        first in any::<[u8; 32]>(),
        nodes in prop_oneof![Just(6_u32), Just(20), Just(130)],
        steps in steps(),
        setting in any::<u16>(),
    ) {
        agree(first, nodes, steps, &some_profile(setting), Deaf::No)?;
    }
}

/// A fast way that misses a kind of change answers otherwise sooner or later, and the same check says so.
#[test]
fn a_way_that_misses_a_change_is_caught() {
    for deaf in [Deaf::ToFreed, Deaf::ToNodes, Deaf::ToPlaced] {
        let config = ProptestConfig {
            failure_persistence: None,
            max_shrink_iters: 0,
            ..ProptestConfig::with_cases(60)
        };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let agreed = runner.run(&(any::<[u8; 32]>(), steps()), |(first, steps)| {
            agree(first, 120, steps, &some_profile(0), deaf)
        });
        assert!(agreed.is_err(), "nobody noticed a way that is deaf {deaf:?}");
    }
}

/// The search starts where the last one ended, also when fewer nodes are left than that.
#[test]
fn a_start_beyond_the_last_node_counts_round() {
    let mut snapshot = Snapshot::new();
    for at in 0..5 {
        snapshot.set_node(id(at), &some_node(at, 0b1111_1000));
    }
    snapshot.settle();
    let shape = PodShape::of(&some_pod(0, 0xffff));
    for start in 0..13 {
        let mut algorithm = Algorithm::new(Arc::default());
        algorithm.start_at(start);
        let plain = explain(&snapshot, &shape, start, algorithm.profile());
        assert_eq!(algorithm.schedule(&snapshot, &shape).ok(), plain.chosen, "from {start}");
        assert_eq!(algorithm.start(), plain.next_start, "from {start}");
    }
}
