//! Two autoscalers under a load that steps up and down, against recorded replica counts.
//!
//! Source: golden-timelines s7_hpa, two runs (replica_changes), seconds from the start of its load
//! profile; a count must come within one sync period (15 s) or 10 % of when it was recorded.

use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::{Timeline, played};

/// When the load profile starts in ours.
const BEGIN: f64 = 60.0;
const SYNC: f64 = 15.0;

type Changes = &'static [(f64, i64)];

const WEB: [Changes; 2] = [
    &[(35.277, 4), (50.5, 8), (65.836, 12), (442.018, 3)],
    &[(35.132, 4), (50.218, 8), (65.296, 12), (440.809, 3)],
];
const FAST: [Changes; 2] = [
    &[
        (50.484, 3),
        (80.813, 5),
        (111.058, 8),
        (141.185, 12),
        (171.327, 9),
        (186.384, 6),
        (201.526, 3),
    ],
    &[(50.775, 3), (81.186, 5), (111.245, 8), (171.323, 5), (186.359, 3)],
];

/// To how many replicas a Deployment was scaled, and when.
fn changes(ours: &Timeline, name: &str) -> Vec<(f64, i64)> {
    let scaled = ours.0.iter().filter(|(_, _, fact)| {
        let object = &fact.object;
        fact.verb == Verb::Scaled && object.kind == Kind::Deployment && object.name == *name
    });
    scaled.map(|(at, _, fact)| (at - BEGIN, fact.values[0].1)).collect()
}

fn is_like(ours: &[(f64, i64)], recorded: Changes) -> bool {
    let near = |(ours, theirs): (&(f64, i64), &(f64, i64))| {
        ours.1 == theirs.1 && (ours.0 - theirs.0).abs() <= SYNC.max(theirs.0 / 10.0)
    };
    ours.len() == recorded.len() && ours.iter().zip(recorded).all(near)
}

#[test]
fn autoscalers_go_the_recorded_way() {
    let scenario = include_str!("../../scenarios/golden/autoscale.yaml");
    for seed in 1..=3 {
        let (ours, _) = played(scenario, seed);
        for (name, recorded) in [("web", WEB), ("fast", FAST)] {
            let ours = changes(&ours, name);
            let is_one = recorded.iter().any(|one| is_like(&ours, one));
            assert!(is_one, "seed {seed}, {name}: {ours:?}, recorded {recorded:?}");
        }
    }
}

/// One pod that asks for 200m under an autoscaler that aims at half of that.
fn walkthrough(spec: &str, limits: &str, behavior: &str) -> Vec<i64> {
    let text = format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: walkthrough}}\nspec:\n  duration: 5m\n  \
         cluster:\n    nodes: [{{name: n, count: 3, capacity: {{cpu: '8', memory: 16Gi}}}}]\n{spec}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: \
         web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - {{name: \
         c, image: 'app:v1', resources: {{requests: {{cpu: 200m}}{limits}}}}}\n---\n\
         apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web}}\nspec:\n  \
         scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n  maxReplicas: 10\n  behavior: \
         {behavior}\n  metrics:\n  - {{type: Resource, resource: {{name: cpu, target: {{type: Utilization, \
         averageUtilization: 50}}}}}}\n"
    );
    changes(&played(&text, 1).0, "web").into_iter().map(|(_, replicas)| replicas).collect()
}

/// Published figure P8 (the HorizontalPodAutoscaler walkthrough, flags of kube-controller-manager): 305 %
/// of a target of 50 % makes 7, in steps of 4 pods or 100 % each 15 s; a limit of 500m keeps a pod at 250 %.
#[test]
fn the_walkthrough_goes_as_published() {
    let load = "  metrics:\n    series:\n    - {usage: cpu, pods: {labels: {app: web}}, shared: true, every: 5s, \
                value: 610m}";
    assert_eq!(walkthrough(load, "", "{scaleUp: {}}"), [5, 7]);
    let at_once = "{scaleUp: {policies: [{type: Pods, value: 100, periodSeconds: 15}]}}";
    assert_eq!(walkthrough(load, "", at_once), [7]);
    let greedy = "  apps:\n  - {usage: {cpu: 610m}}";
    assert_eq!(walkthrough(greedy, ", limits: {cpu: 500m}", at_once)[0], 5);
    assert_eq!(walkthrough(greedy, "", at_once)[0], 7);
}
