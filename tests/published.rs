//! Figures that Kubernetes' documentation and flags publish, given back by whole runs: lost nodes and zones
//! (docs: nodes.md; kube-controller-manager's flags), rollouts (deployment.md), leader elections (flags).

mod common {
    pub mod play;
}

use std::collections::BTreeMap;

use common::play::{Told, run};
use wavetank::api::kind::Kind;
use wavetank::api::workload::{Deployment, ReplicaSet};
use wavetank::messages::{Fact, Verb};
use wavetank::runs::Finished;

/// A Scenario; `spec` is what stands in it, two spaces in.
fn scenario(seed: u64, duration: u32, spec: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  \
         seed: {seed}\n  duration: {duration}s\n  apps: [{{match: {{labels: {{is: bad}}}}, start: 1s, \
         ready: never, stop: 1s}}, {{match: {{}}, start: 1s, ready: 0s, stop: 1s}}]\n{spec}"
    )
}

/// So many nodes of a zone; nodes that are brought have no control plane among them.
fn nodes(zone: &str, count: u32) -> String {
    let one = |number| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {zone}-{number}, labels: \
             {{topology.kubernetes.io/zone: {zone}, kubernetes.io/hostname: {zone}-{number}}}}}\n\
             status: {{capacity: {{cpu: '4', memory: 16Gi, pods: '110'}}}}\n"
        )
    };
    (0..count).map(one).collect()
}

fn deployment(replicas: u32, strategy: &str, prefers: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, annotations: \
         {{kubernetes.io/change-cause: first}}}}\nspec:\n  replicas: {replicas}\n  strategy: \
         {{rollingUpdate: {{{strategy}}}}}\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    \
         metadata: {{labels: {{app: web, is: good}}}}\n    spec:\n      affinity: {{nodeAffinity: \
         {{preferredDuringSchedulingIgnoredDuringExecution: [{{weight: 100, preference: \
         {{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: ['{prefers}']}}]}}}}]}}}}\n      \
         containers: [{{name: c, image: 'web:1', resources: {{requests: {{cpu: 10m}}}}}}]\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: \
         [{{port: 80}}]}}\n"
    )
}

/// The kubelets of the first `count` nodes of a zone stop for good.
fn silence(at: u32, zone: &str, count: u32) -> String {
    let one = |number| {
        format!("  - {{at: {at}s, fault: kubelet-stop, target: node/{zone}-{number}, for: 1h}}\n")
    };
    (0..count).map(one).collect()
}

/// When something happened, in seconds.
fn times(told: &Told, is_it: impl Fn(&Fact) -> bool) -> Vec<f64> {
    let all = told.0.iter().filter(|(_, fact)| is_it(fact));
    all.map(|(at, _)| at.as_nanos() as f64 / 1e9).collect()
}

fn happened(told: &Told, kind: Kind, verb: Verb) -> Vec<f64> {
    times(told, |fact| fact.object.kind == kind && fact.verb == verb)
}

/// When nodes got the taint that makes pods leave.
fn given_up(told: &Told) -> Vec<f64> {
    let is_it = |fact: &Fact| {
        fact.verb == Verb::Tainted
            && fact.message.as_deref().is_some_and(|it| it.ends_with("unreachable:NoExecute"))
    };
    times(told, is_it)
}

/// P3: Unknown 40 to 55 s after a node dies (grace 50 s, a Lease renewed each 10 s, a look each 5 s), its pods
/// out of their Service at that moment, deleted 300 s later: an outage of 340 to 357 s for a single replica.
#[test]
fn a_dead_node_is_noticed_and_left_as_published() {
    let mut all = Vec::new();
    for seed in 1..=8 {
        let died = 30 + seed as u32;
        let steps = format!("  timeline:\n{}", silence(died, "a", 1));
        let text = scenario(seed, 420, &steps) + &nodes("a", 4) + &deployment(1, "", "a-0");
        let told = run(&text).1;
        let after = |list: Vec<f64>| -> Vec<f64> {
            list.into_iter().map(|at| at - f64::from(died)).filter(|at| *at > 0.0).collect()
        };
        let unknown = after(happened(&told, Kind::Node, Verb::NodeUnknown));
        let [unknown] = unknown[..] else { panic!("seed {seed}: {unknown:?}") };
        assert!((40.0..=55.1).contains(&unknown), "seed {seed}: Unknown after {unknown:.3} s");
        let is_empty = |fact: &Fact| {
            fact.verb == Verb::Endpoints
                && fact.object.kind == Kind::EndpointSlice
                && fact.values.first().is_some_and(|it| it.1 == 0)
        };
        let dead = after(times(&told, is_empty))[0];
        assert!(
            (0.0..=0.5).contains(&(dead - unknown)),
            "seed {seed}: endpoint gone after {dead:.3} s"
        );
        let deleted = after(happened(&told, Kind::Pod, Verb::Deleting))[0];
        assert!((300.0..=300.6).contains(&(deleted - unknown)), "seed {seed}: {deleted:.3} s");
        let ready = after(happened(&told, Kind::Pod, Verb::Ready))[0];
        assert!((341.0..=357.5).contains(&ready), "seed {seed}: served again after {ready:.3} s");
        all.push(unknown);
    }
    let spread = |from: f64, to: f64| all.iter().any(|at| (from..to).contains(at));
    assert!(spread(40.0, 47.5) && spread(47.5, 55.1), "{all:?}");
}

/// Gaps between nodes that are given up, from the third on: those before may fall into a zone not yet judged.
fn gaps(text: &str) -> Vec<f64> {
    let times = given_up(&run(text).1);
    times.windows(2).skip(2).map(|pair| pair[1] - pair[0]).collect()
}

/// P4: 0.1 nodes a second; 0.01 where 55 % or more of a zone of more than 50 are silent, and no fewer.
#[test]
fn zones_give_nodes_up_at_the_published_rates() {
    for (size, silent, least, most) in
        [(60, 10, 9.9, 10.2), (100, 54, 9.9, 10.2), (100, 55, 99.9, 100.2), (51, 29, 99.9, 100.2)]
    {
        let steps = format!("  timeline:\n{}", silence(30, "a", silent));
        let gaps = gaps(&(scenario(1, 520, &steps) + &nodes("a", size)));
        assert!(gaps.len() >= 2, "{silent} of {size}: {gaps:?}");
        assert!(
            gaps.iter().all(|gap| (least..=most).contains(gap)),
            "{silent} of {size}: {gaps:?}"
        );
    }
}

/// P4: a zone of 50 or fewer in partial disruption gives nobody up, whatever other zones do; a zone that is lost as
/// a whole is given up as long as another is there; with all zones lost nobody is.
#[test]
fn small_and_lost_zones_go_by_their_published_rules() {
    let late = |times: &[f64], zone: &str, told: &Told| {
        let names: Vec<String> = told
            .0
            .iter()
            .filter(|(_, fact)| fact.verb == Verb::Tainted)
            .filter(|(_, fact)| {
                fact.message.as_deref().is_some_and(|it| it.ends_with("unreachable:NoExecute"))
            })
            .map(|(_, fact)| fact.object.name.to_string())
            .collect();
        let of_zone = names.iter().zip(times).filter(|(name, _)| name.starts_with(zone));
        of_zone.filter(|(_, at)| **at > 30.0 + 66.0).count()
    };
    let steps = format!("  timeline:\n{}{}", silence(30, "a", 28), silence(30, "b", 4));
    let told =
        run(&(scenario(1, 300, &steps) + &nodes("a", 50) + &nodes("b", 4) + &nodes("c", 3))).1;
    let times = given_up(&told);
    assert_eq!(late(&times, "a-", &told), 0, "a small zone stops: {times:?}");
    let of_b = times.len() - late(&times, "a-", &told);
    assert!(of_b >= 4, "a lost zone beside others is given up: {times:?}");
    let steps = format!("  timeline:\n{}{}", silence(30, "a", 4), silence(30, "b", 3));
    let told = run(&(scenario(1, 300, &steps) + &nodes("a", 4) + &nodes("b", 3))).1;
    let times = given_up(&told);
    assert!(times.iter().all(|at| *at < 30.0 + 66.0), "all zones lost: {times:?}");
    let back = told.0.iter().filter(|(_, fact)| fact.verb == Verb::Untainted).count();
    assert_eq!(back, times.len(), "what was given up is taken back");
}

/// Sizes that sets get, as `old 2`, in their order: the new set is the one made last.
fn sizes(told: &Told, from: f64) -> Vec<String> {
    let of = |fact: &&Fact| fact.object.kind == Kind::ReplicaSet;
    let made: Vec<String> = told
        .0
        .iter()
        .map(|it| &it.1)
        .filter(of)
        .filter(|it| it.verb == Verb::Created)
        .map(|it| it.object.name.to_string())
        .collect();
    let scaled = told.0.iter().filter(|(at, _)| at.as_nanos() as f64 / 1e9 >= from).map(|it| &it.1);
    let scaled = scaled.filter(of).filter(|it| it.verb == Verb::Scaled);
    let word = |fact: &Fact| {
        let is_new = made.last() == Some(&fact.object.name.to_string());
        format!("{} {}", if is_new { "new" } else { "old" }, fact.values[0].1)
    };
    scaled.map(word).collect()
}

fn now(finished: &Finished) -> Vec<i32> {
    finished.world.store().table::<ReplicaSet>().iter().map(|(_, set)| set.replicas).collect()
}

const UPDATE: &str = "patch: deployment/web, with: {spec: {template: {metadata: {labels: {is: \
                      KIND}}, spec: {containers: [{name: c, image: 'web:2'}]}}}}";

/// P7: 3 replicas at 25 %/25 %: new 1, old 2, new 2, old 1, new 3, old 0.
#[test]
fn three_replicas_are_rolled_as_published() {
    for seed in 1..=4 {
        let update = UPDATE.replace("KIND", "good");
        let steps = format!("  timeline:\n  - {{at: 30s, {update}}}\n");
        let text = scenario(seed, 60, &steps)
            + &nodes("a", 3)
            + &deployment(3, "maxSurge: 25%, maxUnavailable: 25%", "x");
        let (finished, told) = run(&text);
        // The new set is made with 1.
        assert_eq!(
            sizes(&told, 30.0),
            ["old 2", "new 2", "old 1", "new 3", "old 0"],
            "seed {seed}"
        );
        assert_eq!(now(&finished), [0, 3]);
    }
}

/// P7: 10 replicas, 3 more and 2 fewer, to an image that never works: new 5, old 8; scaled to 15: old 11, new 7.
#[test]
fn a_stuck_rollout_is_scaled_in_proportion() {
    for seed in 1..=4 {
        let update = UPDATE.replace("KIND", "bad");
        let steps = format!("  timeline:\n  - {{at: 30s, {update}}}\n");
        let scale = "  - {at: 45s, scale: deployment/web, replicas: 15}\n";
        let rest = nodes("a", 3) + &deployment(10, "maxSurge: 3, maxUnavailable: 2", "x");
        let before = run(&(scenario(seed, 44, &steps) + &rest)).0;
        assert_eq!(now(&before), [8, 5], "seed {seed}");
        let after = run(&(scenario(seed, 60, &(steps + scale)) + &rest)).0;
        assert_eq!(now(&after), [11, 7], "seed {seed}");
    }
}

/// kubectl rollout undo --to-revision: the first template is back, under a new revision, with its cause.
#[test]
fn a_rollout_goes_back_to_a_revision_with_its_cause() {
    let update = UPDATE.replace("KIND", "good");
    let steps = format!(
        "  timeline:\n  - {{at: 32s, annotate: deployment/web, with: kubernetes.io/change-cause=second}}\n  \
         - {{at: 31s, {update}}}\n  - {{at: 45s, undo: deployment/web, toRevision: 1}}\n"
    );
    let (finished, _) = run(&(scenario(1, 80, &steps) + &nodes("a", 3) + &deployment(3, "", "x")));
    let store = finished.world.store();
    let sets: Vec<&ReplicaSet> = store.table().iter().map(|(_, set)| set).collect();
    let noted =
        |set: &ReplicaSet, key: &str| set.meta.annotation(key).unwrap_or_default().to_owned();
    let revision = "deployment.kubernetes.io/revision";
    assert_eq!(now(&finished), [3, 0]);
    assert_eq!([noted(sets[0], revision), noted(sets[1], revision)], ["3", "2"]);
    assert_eq!(noted(sets[0], "deployment.kubernetes.io/revision-history"), "1");
    let cause = "kubernetes.io/change-cause";
    assert_eq!([noted(sets[0], cause), noted(sets[1], cause)], ["first", "second"]);
    let deployment: Vec<&Deployment> = store.table().iter().map(|(_, it)| it).collect();
    assert_eq!(deployment[0].meta.annotation(cause), Some("first"));
}

/// P10: a standby takes over 15 to 23.8 s after the last renewal, 13 to 23.8 s after a crash.
#[test]
fn a_standby_takes_over_within_the_published_bounds() {
    for (part, plural) in
        [("scheduler", "schedulers"), ("controller-manager", "controllerManagers")]
    {
        let mut waits = Vec::new();
        for seed in 1..=30_u64 {
            // Leaders renew at even seconds.
            let age = (seed % 20) as f64 / 10.0;
            let spec = format!(
                "  cluster: {{controlPlane: {{{plural}: 2}}, nodes: [{{name: n}}]}}\n  timeline:\n  - {{at: \
                 {:.1}s, fault: kill, target: {part}/0, for: 10m}}\n",
                30.0 + age
            );
            let told = run(&scenario(seed, 90, &spec)).1;
            let led = times(&told, |fact| fact.verb == Verb::Leader);
            let wait = led.into_iter().find(|at| *at > 30.0).expect("somebody leads") - 30.0 - age;
            assert!(
                (13.0..=23.9).contains(&wait),
                "{part}, seed {seed}: {wait:.3} s after the crash"
            );
            let since = wait + age;
            assert!((15.0..=23.9).contains(&since), "{part}, seed {seed}: {since:.3} s");
            waits.push(since);
        }
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!((16.5..=20.5).contains(&mean), "{part}: {mean:.2} s in the mean");
    }
}

/// 600 pods on 60 nodes that have their image, a user who scales something else meanwhile, and more steps.
fn default_cluster(seed: u64, more: &str) -> String {
    let steps: String = (0..40)
        .map(|number| {
            format!(
                "  - {{at: {}s, scale: deployment/other, replicas: {}}}\n",
                1 + number,
                number % 2
            )
        })
        .collect();
    let node = |number| {
        format!(
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: n-{number}}}\nstatus: {{capacity: \
             {{cpu: '4', memory: 16Gi, pods: '110'}}, images: [{{names: ['web:1'], sizeBytes: 150000000}}]}}\n"
        )
    };
    let other = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec:\n  replicas: \
                 0\n  selector: {matchLabels: {app: other}}\n  template: {metadata: {labels: {app: \
                 other}}, spec: {containers: [{name: c, image: 'web:1'}]}}\n";
    let spec = format!("  seed: {seed}\n  duration: 120s\n  timeline:\n{steps}{more}");
    let nodes: String = (0..60).map(node).collect();
    "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n".to_owned()
        + &spec
        + &nodes
        + other
        + &deployment(600, "", "n-0")
}

/// The 99th percentile.
fn p99(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[(of.len() * 99).div_ceil(100) - 1]
}

/// Seconds from each pod's creation until all saw it running.
fn starts(told: &Told) -> Vec<f64> {
    let mut created = BTreeMap::new();
    let mut waits = Vec::new();
    for (at, fact) in told.0.iter().filter(|(_, fact)| fact.object.kind == Kind::Pod) {
        let (name, at) = (fact.object.to_string(), at.as_nanos() as f64 / 1e9);
        match fact.verb {
            Verb::Created => drop(created.insert(name, at)),
            Verb::Running => waits.push(at - created[&name]),
            _ => {}
        }
    }
    waits
}

/// P12: in a healthy default cluster a pod that need not pull runs within 5 s and a call that changes something is
/// through within 1 s, both at the 99th percentile. With two nodes of sixty three
/// seconds away the first does not hold: the twin.
#[test]
fn a_healthy_default_cluster_keeps_the_published_objectives() {
    for seed in 1..=3 {
        let told = run(&default_cluster(seed, "")).1;
        let starts = starts(&told);
        assert!(starts.len() >= 600, "seed {seed}: {} pods ran", starts.len());
        let slow = p99(starts);
        assert!(slow <= 5.0, "seed {seed}: pods start within {slow:.3} s");
        let begun = times(&told, |fact| fact.verb == Verb::Step);
        let done = times(&told, |fact| {
            fact.verb == Verb::Scaled && fact.object.to_string() == "Deployment/default/other"
        });
        assert_eq!((begun.len(), done.len()), (40, 39), "the first step finds what is there");
        let calls = begun[1..].iter().zip(&done).map(|(begun, done)| done - begun);
        let slow = p99(calls.collect());
        assert!((0.001..=1.0).contains(&slow), "seed {seed}: calls take {slow:.3} s");
    }
    let far: String = (0..2)
        .map(|number| {
            format!(
                "  - {{at: 1ms, fault: latency, target: node/n-{number}, delay: 3s, for: 2m}}\n"
            )
        })
        .collect();
    let slow = p99(starts(&run(&default_cluster(1, &far)).1));
    assert!(slow > 5.0, "on far nodes pods start within {slow:.3} s");
}
