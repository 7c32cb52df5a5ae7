//! Luck belongs to things: what is added beside them changes none of it, another seed all of it.

use std::collections::BTreeMap;

use wavetank::api::pod::Pod;
use wavetank::cluster::World;
use wavetank::cluster::plan::Plan;
use wavetank::kernel::Order;
use wavetank::luck::Distribution;
use wavetank::messages::Verb;
use wavetank::store::Stored;
use wavetank::time::SimDuration;

use super::rig::{deployment, run, shop};

const SPEC: &str = "  cluster: {nodes: [{name: n, count: 4, capacity: {cpu: '8', memory: 16Gi}}]}";

/// Names and uids of all pods of an app: what depends on luck alone.
fn born(world: &World, app: &str) -> BTreeMap<String, u64> {
    let pods = world.store().table::<Pod>().iter().map(|(_, pod)| pod.meta());
    pods.filter(|meta| meta.labels.get("app").is_some_and(|label| &**label == app))
        .map(|meta| (meta.name.to_string(), meta.uid.0))
        .collect()
}

#[test]
fn an_unrelated_deployment_leaves_the_luck_of_others_as_it_was() {
    for seed in 1..9 {
        let with_seed = |mut plan: Plan| {
            plan.seed = seed;
            plan
        };
        let alone = run(&with_seed(shop(6, 3, SPEC, "")), Order::Fifo);
        let more = deployment("other", 5, "");
        let beside = run(&with_seed(shop(6, 3, SPEC, &more)), Order::Fifo);
        assert!(beside.0.converged_since().is_some());
        assert_eq!(born(&beside.0, "other").len(), 5);
        for app in ["web", "store"] {
            assert_eq!(born(&alone.0, app).len(), if app == "web" { 6 } else { 3 });
            assert_eq!(born(&alone.0, app), born(&beside.0, app), "seed {seed}");
        }
    }
}

fn constant(plan: &mut Plan) {
    for law in [
        &mut plan.profile.link,
        &mut plan.profile.api_request,
        &mut plan.profile.etcd_commit,
        &mut plan.profile.watch_lag,
        &mut plan.profile.watch_reconnect,
        &mut plan.profile.informer_sync,
    ] {
        *law = Distribution::Constant(SimDuration::from_millis(2));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the difference is read by people")]
fn with_constant_delays_another_seed_gives_other_names_first() {
    let of_seed = |seed| {
        let mut plan = shop(3, 2, SPEC, "");
        constant(&mut plan);
        plan.seed = seed;
        run(&plan, Order::Fifo)
    };
    let (one, two) = (of_seed(1), of_seed(2));
    let at = one.1.first_difference(&two.1).expect("seeds differ");
    let said = format!("{}\n{}", one.1.line(at), two.1.line(at));
    let ((first_at, first), (second_at, second)) = (&one.1.0[at], &two.1.0[at]);
    assert_eq!((first_at, first.verb), (second_at, second.verb), "{said}");
    assert_eq!(first.verb, Verb::Created, "{said}");
    assert_ne!(first.object.name, second.object.name, "{said}");
    assert_eq!(first.object.kind, second.object.kind, "{said}");
    assert_ne!(born(&one.0, "web"), born(&two.0, "web"));
    println!("first difference of seeds 1 and 2:\n{said}");
}
