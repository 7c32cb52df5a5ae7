//! The decision out of columns is the plain one, whatever changes in between.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::super::algorithm::profile::{Fit, Scored, Strategy as Scoring};
use super::super::algorithm::{
    Algorithm, Diagnosis, Plugin, PodShape, Profile, Resident, Snapshot, Standing, explain,
};
use super::world::{node, pod};
use crate::api::node::{Node, NodeImage, Schedulability, ZONE_LABEL};
use crate::api::pod::{Container, Lifetime, Pod, Protocol, PullPolicy};
use crate::api::resources::Resources;
use crate::api::rules::affinity::Term;
use crate::api::rules::ports::HostPort;
use crate::api::rules::selector::{Operator, Requirement};
use crate::api::rules::taints::{Comparison, Effect, Taint, Toleration};
use crate::base::id::Id;

#[derive(Clone, Debug)]
enum Step {
    Node(u32, u8),
    NoNode(u32),
    Schedule(u8),
    Free(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..150_u32, any::<u8>()).prop_map(|(at, kind)| Step::Node(at, kind)),
        1 => (0..150_u32).prop_map(Step::NoNode),
        8 => any::<u8>().prop_map(Step::Schedule),
        2 => any::<u8>().prop_map(Step::Free),
    ];
    prop::collection::vec(step, 1..300)
}

/// One of 256 kinds of nodes.
fn some_node(at: u32, kind: u8) -> Node {
    let mut node = node(&format!("n{at}"), 1000 + 500 * i64::from(kind & 3));
    let zone = ["a", "b", "c", "c"][usize::from(kind >> 6)];
    let labels = [(ZONE_LABEL.into(), zone.into())];
    node.meta.labels = Arc::new(labels.into());
    let taint = |effect| Taint { key: "t".into(), value: "".into(), effect };
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

/// One of 256 kinds of pods.
fn some_pod(kind: u8) -> Pod {
    let mut pod = pod("p", 50 * i64::from(kind & 3));
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
        pre_stop: None,
    }
}

/// The default profile, or one that packs, weighs otherwise, or leaves plugins out.
fn some_profile(setting: u8) -> Arc<Profile> {
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

/// Lets both ways decide step by step, on equal snapshots unless the fast one is deaf.
fn agree(
    first: [u8; 32],
    steps: Vec<Step>,
    profile: &Arc<Profile>,
    deaf: Deaf,
) -> Result<(), TestCaseError> {
    let mut snapshot = Snapshot::new();
    let mut algorithm = Algorithm::new(profile.clone());
    let mut placed: Vec<(Id<Node>, Id<Pod>)> = Vec::new();
    let mut born = 0;
    let id = |at: u32| Id::from_parts(at, 0);
    for at in 0..120 {
        let kind = first[at as usize % 32].wrapping_add(at as u8);
        snapshot.set_node(id(at), &some_node(at, kind));
    }
    let mut heard = (deaf != Deaf::No).then(|| snapshot.clone());
    for step in steps {
        match step {
            Step::Node(at, kind) => {
                snapshot.set_node(id(at), &some_node(at, kind));
                let heard = heard.as_mut().filter(|_| deaf != Deaf::ToNodes);
                heard.into_iter().for_each(|it| it.set_node(id(at), &some_node(at, kind)));
            }
            Step::NoNode(at) => {
                snapshot.remove_node(id(at));
                heard.iter_mut().for_each(|it| it.remove_node(id(at)));
            }
            Step::Free(which) if !placed.is_empty() => {
                let (node, pod) = placed.swap_remove(usize::from(which) % placed.len());
                snapshot.remove_pod(node, pod);
                let heard = heard.as_mut().filter(|_| deaf != Deaf::ToFreed);
                heard.into_iter().for_each(|it| drop(it.remove_pod(node, pod)));
            }
            Step::Free(_) => {}
            Step::Schedule(kind) => {
                let shape = PodShape::of(&some_pod(kind));
                snapshot.settle();
                heard.iter_mut().for_each(Snapshot::settle);
                let plain = explain(&snapshot, &shape, algorithm.start(), algorithm.profile());
                let fast = algorithm.schedule(heard.as_ref().unwrap_or(&snapshot), &shape);
                let wanted = plain.chosen.ok_or_else(|| Box::new(plain.diagnosis.clone()));
                prop_assert_eq!(&fast, &wanted);
                prop_assert_eq!(algorithm.start(), plain.next_start);
                if let Err(diagnosis) = &fast {
                    let words = |diagnosis: &Diagnosis| diagnosis.message(&shape, profile);
                    prop_assert_eq!(words(diagnosis), words(&plain.diagnosis));
                }
                if let Ok(node) = fast {
                    born += 1;
                    let pod = Id::from_parts(born, 0);
                    let standing = Standing::Staying;
                    let resident = Resident { pod, shape, start: None, standing };
                    snapshot.add_pod(node, resident.clone());
                    let heard = heard.as_mut().filter(|_| deaf != Deaf::ToPlaced);
                    heard.into_iter().for_each(|it| it.add_pod(node, resident.clone()));
                    placed.push((node, pod));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn columns_and_plain_steps_agree(
        first in any::<[u8; 32]>(),
        steps in steps(),
        setting in any::<u8>(),
    ) {
        agree(first, steps, &some_profile(setting), Deaf::No)?;
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
            agree(first, steps, &some_profile(0), deaf)
        });
        assert!(agreed.is_err(), "nobody noticed a way that is deaf {deaf:?}");
    }
}

/// The search starts where the last one ended, also when fewer nodes are left than that.
#[test]
fn a_start_beyond_the_last_node_counts_round() {
    let id = |at: u32| Id::from_parts(at, 0);
    let mut snapshot = Snapshot::new();
    for at in 0..5 {
        snapshot.set_node(id(at), &some_node(at, 0b1111_1000));
    }
    snapshot.settle();
    let shape = PodShape::of(&some_pod(0));
    for start in 0..13 {
        let mut algorithm = Algorithm::new(Arc::default());
        algorithm.start_at(start);
        let plain = explain(&snapshot, &shape, start, algorithm.profile());
        assert_eq!(algorithm.schedule(&snapshot, &shape).ok(), plain.chosen, "from {start}");
        assert_eq!(algorithm.start(), plain.next_start, "from {start}");
    }
}
