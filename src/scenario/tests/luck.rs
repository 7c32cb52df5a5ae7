//! Luck belongs to things: what is added beside them shifts none of it.
//!
//! A draw is a pure function of (seed, label, id, counter), so two runs agree on every value whose key both ask for.
//! What is to be shown is that both ask by the same keys: each thing of the smaller run is asked about in the
//! larger one, and by the same numbers in the same order as far as both go. One of them may go on for longer: how
//! often something happens to a thing depends on when other things happen. Never may a number differ on the way,
//! as it would where a counter is shared with others, or an id follows the order in which things came about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load;
use crate::cluster::World;
use crate::kernel::{Engine, NoSink, Order};
use crate::luck::recorded::{self, Asked};
use crate::scenario::Overrides;
use crate::time::SimTime;

fn deployment(name: &str, pool: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      nodeSelector: {{pool: {pool}}}\n      containers:\n      - name: c\n        \
         image: registry.example/{name}:1\n        resources: {{requests: {{cpu: 100m}}}}\n        \
         readinessProbe: {{httpGet: {{port: 80}}, periodSeconds: 2}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n---\n"
    )
}

/// The luck a run asks for: a shop on some nodes and, where `beside` is not 0, something else on others (so that
/// the shop stays where it was: what hangs on the place is no luck).
fn asked(seed: u64, beside: u32) -> Vec<Asked> {
    let mut text = format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  seed: {seed}\n  \
         cluster:\n    nodes:\n    - {{name: a, count: 3, labels: {{pool: a}}}}\n    \
         - {{name: b, count: 3, labels: {{pool: b}}}}\n  \
         apps: [{{ready: {{uniform: [1s, 4s]}}, run: {{for: {{uniform: [20s, 40s]}}, exit: 1}}}}]\n  duration: 90s\n---\n"
    );
    text += &deployment("web", "a", 5);
    text += &deployment("store", "a", 3);
    if beside > 0 {
        text += &deployment("other", "b", beside);
    }
    let loaded = load(&text, Overrides::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let plan = Arc::new(loaded.plan);
    let run = || {
        let mut world = World::new(plan, Order::Fifo, &mut NoSink);
        while world.next_at().is_some_and(|next| next <= world.ends_at()) {
            world.step(SimTime::MAX, &mut NoSink, &mut Vec::new());
        }
    };
    recorded::during(run).1
}

/// What is drawn when somebody asks, not when something happens: a node's proxy gets to know a version of a
/// slice after a lag by (node, slice, version), worked out for the versions that are asked about.
const LOOKED_UP: [&str; 1] = ["proxy-lag"];

type Things = BTreeMap<(&'static str, u64), BTreeSet<u64>>;

fn by_thing(asked: &[Asked]) -> Things {
    let mut things = Things::new();
    for one in asked {
        things.entry((one.label, one.id)).or_default().insert(one.counter);
    }
    things
}

/// Where the luck of what is in the smaller run is another in the larger one.
fn shifted(alone: &[Asked], beside: &[Asked]) -> Vec<String> {
    let (alone, beside) = (by_thing(alone), by_thing(beside));
    let mut shifted = Vec::new();
    for ((label, id), numbers) in &alone {
        match beside.get(&(*label, *id)) {
            None => shifted.push(format!("{label} of {id:016x}: not asked for any more")),
            Some(_) if LOOKED_UP.contains(label) => {}
            Some(others) if numbers.iter().zip(others).any(|(one, other)| one != other) => {
                shifted.push(format!("{label} of {id:016x}: {numbers:?} and {others:?}"));
            }
            Some(_) => {}
        }
    }
    shifted
}

#[test]
fn an_unrelated_deployment_shifts_nobodys_luck() {
    for seed in 1..6 {
        let (alone, beside) = (asked(seed, 0), asked(seed, 4));
        let labels: BTreeSet<_> = alone.iter().map(|one| one.label).collect();
        assert!(labels.len() > 12 && beside.len() > alone.len(), "{labels:?}");
        let shifted = shifted(&alone, &beside);
        assert!(shifted.is_empty(), "seed {seed}:\n{}", shifted.join("\n"));
    }
}

/// The same check must see counters that are shared, and ids that follow the order of things.
#[test]
fn shared_counters_and_ids_out_of_order_are_caught() {
    let shared = |mut asked: Vec<Asked>| {
        let mut of_label: BTreeMap<&str, u64> = BTreeMap::new();
        for one in &mut asked {
            let count = of_label.entry(one.label).or_default();
            (one.counter, *count) = (*count, *count + 1);
        }
        asked
    };
    let ordered = |mut asked: Vec<Asked>| {
        let mut order: BTreeMap<u64, u64> = BTreeMap::new();
        for one in &mut asked {
            let next = order.len() as u64;
            let nth = *order.entry(one.id).or_insert(next);
            // As a uid would be that is drawn in the order of creation.
            one.id = nth.wrapping_mul(one.label.len() as u64);
        }
        asked
    };
    let (alone, beside) = (asked(1, 0), asked(1, 4));
    assert!(!shifted(&shared(alone.clone()), &shared(beside.clone())).is_empty());
    assert!(!shifted(&ordered(alone), &ordered(beside)).is_empty());
}
