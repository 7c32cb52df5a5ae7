//! StatefulSets and DaemonSets in whole runs: imported ones, what the timeline does to them, claims.

mod common {
    pub mod play;
}

use common::play::{Told, run};
use wavetank::api::controller_revision::ControllerRevision;
use wavetank::api::daemon_set::DaemonSet;
use wavetank::api::kind::Kind;
use wavetank::api::pod::Pod;
use wavetank::api::stateful_set::{StatefulSet, UpdateStrategy};
use wavetank::api::storage::PersistentVolumeClaim;
use wavetank::messages::Verb;
use wavetank::scenario::{Loader, Overrides};
use wavetank::store::{Store, Stored};

/// How often this happened to pods.
fn count(told: &Told, verb: Verb) -> usize {
    told.0.iter().filter(|(_, it)| it.object.kind == Kind::Pod && it.verb == verb).count()
}

fn scenario(timeline: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: sets}}\nspec:\n  \
         duration: 5m\n  cluster:\n    nodes: [{{name: n, count: 3, capacity: {{cpu: '4', memory: 8Gi}}}}]\n  \
         timeline: [{timeline}]\n---\n"
    )
}

fn set(kind: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: it}}\nspec:\n  {more}\n  selector: \
         {{matchLabels: {{app: it}}}}\n  template:\n    metadata: {{labels: {{app: it}}}}\n    spec:\n      \
         containers: [{{name: c, image: 'it:1', resources: {{requests: {{cpu: 100m}}}}}}]\n"
    )
}

fn only<T: Stored>(store: &Store) -> T {
    let mut all = store.table::<T>().iter().map(|(_, one)| one.clone());
    let one = all.next().expect("there is one");
    assert!(all.next().is_none(), "there is but one");
    one
}

fn image(store: &Store) -> Vec<String> {
    let pods = store.table::<Pod>().iter();
    let mut images: Vec<String> =
        pods.map(|(_, pod)| pod.spec.containers[0].image.to_string()).collect();
    images.sort();
    images.dedup();
    images
}

/// A set and its pods as `kubectl get statefulset,pods -o yaml` gives them, revisions left out.
fn imported() -> String {
    let pod = |at: u32| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: it-{at}\n  namespace: default\n  uid: pod-{at}\n  \
             labels: {{app: it, controller-revision-hash: it-7c9f8, apps.kubernetes.io/pod-index: '{at}', \
             statefulset.kubernetes.io/pod-name: it-{at}}}\n  ownerReferences: [{{apiVersion: apps/v1, kind: \
             StatefulSet, name: it, uid: set-1, controller: true}}]\nspec:\n  nodeName: n-{at}\n  containers: [{{name: \
             c, image: 'it:1', resources: {{requests: {{cpu: 100m}}}}}}]\nstatus:\n  phase: Running\n  podIP: \
             10.0.0.{at}\n  conditions: [{{type: Ready, status: 'True'}}]\n  containerStatuses: [{{name: c, ready: \
             true, started: true, restartCount: 0, image: 'it:1', imageID: '', state: {{running: {{}}}}}}]\n"
        )
    };
    let status = "status: {replicas: 2, readyReplicas: 2, availableReplicas: 2, currentReplicas: 2, \
                  updatedReplicas: 2, observedGeneration: 1, currentRevision: it-7c9f8, updateRevision: it-7c9f8}\n";
    let set = set("StatefulSet", "replicas: 2").replace(
        "metadata: {name: it}",
        "metadata: {name: it, namespace: default, uid: set-1, generation: 1}",
    );
    set + status + &pod(0) + &pod(1)
}

#[test]
fn an_imported_set_keeps_its_pods() {
    let (finished, told) = run(&(scenario("") + &imported()));
    let store = finished.world.store();
    assert!(finished.has_converged());
    assert_eq!(count(&told, Verb::Deleting), 0, "{:?}", told.0);
    assert_eq!(store.table::<Pod>().iter().count(), 2);
    assert_eq!(only::<ControllerRevision>(store).meta.name.to_string(), "it-7c9f8");
    let (finished, told) =
        run(&(scenario("{at: 1m, scale: statefulset/default/it, replicas: 3}") + &imported()));
    assert!(finished.has_converged());
    assert_eq!(
        (count(&told, Verb::Deleting), only::<StatefulSet>(finished.world.store()).status.ready),
        (0, 3)
    );
}

#[test]
fn sets_go_back_to_an_earlier_revision() {
    for (kind, more, name) in [
        ("StatefulSet", "replicas: 2", "statefulset"),
        ("DaemonSet", "minReadySeconds: 1", "daemonset"),
    ] {
        let steps = format!(
            "{{at: 1m, setImage: {name}/default/it, image: 'it:2'}}, {{at: 150s, undo: {name}/default/it}}"
        );
        let (finished, _) = run(&(scenario(&steps) + &set(kind, more)));
        assert!(finished.has_converged(), "{kind}");
        assert_eq!(image(finished.world.store()), ["it:1"], "{kind}");
        let revisions = finished.world.store().table::<ControllerRevision>().iter();
        let mut numbers: Vec<i64> = revisions.map(|(_, one)| one.revision).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3], "{kind}: the first is the third now");
    }
}

#[test]
fn a_drain_leaves_daemons_and_a_deletion_takes_all_along() {
    let steps = "{at: 1m, drain: node/n-0}, {at: 2m, delete: daemonset/default/it}";
    let (finished, told) = run(&(scenario(steps) + &set("DaemonSet", "minReadySeconds: 0")));
    let store = finished.world.store();
    assert_eq!(count(&told, Verb::Evicted), 0);
    assert_eq!(count(&told, Verb::Created), 3);
    assert_eq!(store.table::<DaemonSet>().iter().count(), 0);
    assert_eq!(store.table::<Pod>().iter().count(), 0);
    assert_eq!(store.table::<ControllerRevision>().iter().count(), 0);
}

#[test]
fn claims_are_bound_and_stay_or_go_as_the_set_says() {
    let claims = "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: \
                  {requests: {storage: 1Gi}}}}]";
    for (kept, left) in [("Retain", 2), ("Delete", 1)] {
        let policy = format!("persistentVolumeClaimRetentionPolicy: {{whenScaled: {kept}}}");
        let more = format!("replicas: 2\n  {claims}\n  {policy}");
        let steps = "{at: 2m, scale: statefulset/default/it, replicas: 1}";
        let (finished, told) = run(&(scenario(steps) + &set("StatefulSet", &more)));
        let store = finished.world.store();
        assert!(finished.has_converged(), "{kept}: {:?}", told.0);
        let claims = store.table::<PersistentVolumeClaim>().iter();
        let mut names: Vec<String> = claims.map(|(_, one)| one.meta.name.to_string()).collect();
        names.sort();
        assert_eq!(names, ["data-it-0", "data-it-1"][..left], "{kept}");
    }
}

/// A set that is made anew over pods and revisions that were left behind.
#[test]
fn a_set_goes_on_with_the_history_it_finds() {
    for kind in ["StatefulSet", "DaemonSet"] {
        let name = kind.to_lowercase();
        let next = format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: it}}, spec: {{selector: {{matchLabels: {{app: \
             it}}}}, template: {{metadata: {{labels: {{app: it}}}}, spec: {{containers: [{{name: c, image: 'it:2'}}]}}}}}}}}"
        );
        let steps = format!(
            "{{at: 1m, delete: {name}/default/it, cascade: orphan}}, {{at: 90s, apply: {next}}}, {{at: 3m, undo: \
             {name}/default/it}}"
        );
        let (finished, _) = run(&(scenario(&steps) + &set(kind, "minReadySeconds: 0")));
        let store = finished.world.store();
        assert_eq!(image(store), ["it:1"], "{kind}");
        let revisions = store.table::<ControllerRevision>().iter();
        let mut numbers: Vec<i64> = revisions.map(|(_, one)| one.revision).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3], "{kind}");
    }
}

#[test]
fn without_its_gate_nothing_is_kept_of_how_many_pods_of_a_set_may_be_unavailable() {
    let update = |share: &str| {
        format!(
            "updateStrategy: {{type: RollingUpdate, rollingUpdate: {{maxUnavailable: {share}}}}}"
        )
    };
    let load = |gate: &str, share: &str| {
        let text = scenario("").replace("  cluster:", &format!("  cluster:\n    {gate}"))
            + &set("StatefulSet", &update(share));
        let mut loader = Loader::new(Overrides::default());
        loader.read("in.yaml", text.as_bytes(), &mut |_| {});
        loader.finish().findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (off, on) = ("featureGates: {}", "featureGates: {MaxUnavailableStatefulSet: true}");
    for share in ["2", "0"] {
        let said = load(off, share);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains(
                "warning: spec.updateStrategy.rollingUpdate.maxUnavailable: plays no part"
            )
        );
    }
    assert_eq!(load(on, "2"), [""; 0]);
    let said = load(on, "0");
    assert!(said.len() == 1 && said[0].ends_with("Invalid value: 0: cannot be 0"), "{said:?}");

    let patch = "{at: 1m, patch: statefulset/default/it, with: {spec: {updateStrategy: {rollingUpdate: \
                 {partition: 1, maxUnavailable: 0}}}}}";
    let (finished, told) = run(&(scenario(patch) + &set("StatefulSet", &update("0"))));
    assert!(told.0.iter().all(|(_, fact)| fact.verb != Verb::Refused));
    let held: StatefulSet = only(finished.world.store());
    assert!(!held.written.contains("maxUnavailable"), "{}", held.written);
    assert_eq!(held.update, UpdateStrategy::RollingUpdate { partition: 1, max_unavailable: None });
    assert_eq!(held.meta.generation, 2);
}
