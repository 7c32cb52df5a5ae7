//! Nodes that fall silent and come back, run pass by pass and only where it matters.

use super::zones::{State, judge};
use crate::api::node::{Node, Tristate};
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::rules::taints::{Comparison, Toleration};
use crate::base::id::Id;
use crate::control_plane::controllers::testing::{self, Cluster};
use crate::kernel::NO_CAUSE;
use crate::messages::Heartbeats;
use crate::time::SimTime;

/// Each node renews every 10 s from its own phase until it falls silent.
struct Beats {
    until: Vec<(Id<Node>, SimTime)>,
    silent: Vec<Id<Node>>,
}

impl Heartbeats for Beats {
    fn last_heard(&self, node: Id<Node>, at: SimTime) -> Option<SimTime> {
        let until = self.until.iter().find(|one| one.0 == node).map_or(SimTime::MAX, |one| one.1);
        let phase = node.slot() as u64 % 10;
        let last = at.min(until).as_secs().checked_sub(phase)? / 10 * 10 + phase;
        Some(SimTime::from_secs(last))
    }

    fn silent(&self) -> &[Id<Node>] {
        &self.silent
    }

    fn changes(&self) -> u64 {
        self.silent.len() as u64
    }

    fn silenced_by(&self, _: Id<Node>) -> u64 {
        NO_CAUSE
    }
}

/// Whether every pass is run or only those asked for.
#[derive(Clone, Copy, PartialEq)]
enum Fidelity {
    Explicit,
    Elided,
}

/// Runs a cluster of `count` nodes of which `failing` fall silent at 60 s; what was told.
fn story(count: usize, failing: usize, fidelity: Fidelity, until: u64) -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::new();
    let nodes: Vec<Id<Node>> = (0..count)
        .map(|n| {
            let node = testing::node(&format!("n-{n:02}"));
            cluster.create(Object::Node(Box::new(node))).typed()
        })
        .collect();
    for (n, seconds) in [(0, 0), (1, 10), (2, 300)] {
        let mut pod = testing::pod(&format!("p-{n}"), "web");
        pod.node = Some(nodes[0]);
        pod.status.phase = Phase::Running;
        pod.status.set(PodCondition::Ready, true, SimTime::ZERO);
        let toleration = Toleration {
            key: "".into(),
            comparison: Comparison::Exists,
            value: "".into(),
            effect: None,
            seconds: Some(seconds),
        };
        let mut spec = (*pod.spec).clone();
        spec.tolerations = vec![toleration];
        pod.spec = spec.into();
        cluster.create(Object::Pod(Box::new(pod)));
    }
    let lost: Vec<Id<Node>> = nodes.iter().take(failing).copied().collect();
    let mut beats = Beats {
        until: lost.iter().map(|&node| (node, SimTime::from_secs(60))).collect(),
        silent: Vec::new(),
    };
    let (mut passes, mut runs) = (0, 0);
    loop {
        let cadence = cluster.manager.node_passes();
        let k = cadence.first_from(SimTime::from_nanos(cluster.now().as_nanos() + 1));
        let at = cadence.at(k);
        if at > SimTime::from_secs(until) {
            break;
        }
        let before = SimTime::from_nanos(at.as_nanos() - 1);
        cluster.run(before - cluster.now());
        if cluster.manager.node_passes() != cadence {
            continue;
        }
        passes += 1;
        if at > SimTime::from_secs(60) {
            beats.silent = lost.clone();
        }
        let wanted = cluster.next_node_pass(&beats);
        cluster.run(at - cluster.now());
        // What happens at the very instant of a pass comes before it.
        let is_wanted = wanted == Some(k);
        if fidelity == Fidelity::Explicit || is_wanted {
            runs += 1;
            cluster.node_pass(k, &beats);
        }
    }
    assert!(fidelity == Fidelity::Explicit || runs < passes / 2, "{runs} of {passes} were run");
    let interesting = |what: &str| {
        ["node-unknown", "tainted", "untainted", "evicted", "unready", "deleting"]
            .iter()
            .any(|verb| what.starts_with(verb))
    };
    let log = cluster.log.iter().filter(|(_, what)| interesting(what));
    let log = log.map(|(at, what)| format!("{at} {what}")).collect();
    (cluster, log)
}

fn when(log: &[String], what: &str) -> Vec<f64> {
    log.iter()
        .filter(|line| line.contains(what))
        .map(|line| line.split(' ').next().expect("a time").parse().expect("seconds"))
        .collect()
}

/// golden-timelines, fact 5: Unknown 50 to 55 s after the last renewal; pods leave 0, 10, 300 s
/// after the NoExecute taint.
#[test]
fn a_silent_node_is_unknown_and_its_pods_leave_in_their_time() {
    let (cluster, log) = story(3, 1, Fidelity::Explicit, 450);
    let unknown = when(&log, "node-unknown");
    assert_eq!(unknown.len(), 1);
    let last_renewal = 60.0;
    assert!((50.0..55.1).contains(&(unknown[0] - last_renewal)), "{unknown:?}");
    let tainted = when(&log, "tainted Node/n-00");
    assert_eq!(tainted.len(), 2, "{log:?}");
    let evicted = when(&log, "evicted");
    let after: Vec<u64> = evicted.iter().map(|at| (at - tainted[1]).round() as u64).collect();
    assert_eq!(after, [0, 10, 300]);
    assert!(cluster.all::<Pod>().iter().all(|(_, pod)| !pod.is_ready()));
}

#[test]
fn passes_that_change_nothing_need_not_run() {
    for (count, failing) in [(3, 1), (5, 3), (5, 5), (12, 4)] {
        let (_, explicit) = story(count, failing, Fidelity::Explicit, 400);
        let (_, elided) = story(count, failing, Fidelity::Elided, 400);
        assert_eq!(explicit, elided);
        assert!(!explicit.is_empty());
    }
}

/// golden-timelines s3_node_fail_5of5: what was given up is taken back, nobody is evicted.
#[test]
fn with_all_nodes_lost_nobody_is_given_up() {
    let (cluster, _) = story(5, 5, Fidelity::Explicit, 400);
    let kept = cluster.all::<Node>().into_iter().filter(|(_, node)| {
        node.conditions.ready == Tristate::Unknown
            && node.taints.iter().all(|one| one.effect.name() == "NoSchedule")
    });
    assert_eq!(kept.count(), 5);
}

#[test]
fn zones_are_judged_by_share_and_number() {
    let of = |ready: usize, silent: usize| {
        let list: Vec<Tristate> = std::iter::repeat_n(Tristate::True, ready)
            .chain(std::iter::repeat_n(Tristate::Unknown, silent))
            .collect();
        judge(&list, 55)
    };
    assert_eq!(of(0, 1), State::Full);
    assert_eq!(of(1, 2), State::Normal, "no more than two");
    assert_eq!(of(9, 11), State::Partial, "55 %");
    assert_eq!(of(10, 12), State::Normal, "54.5 %");
}
