//! What becomes of objects that are changed while a run goes on: what the API server fills in, takes away or
//! refuses, and what follows.

mod common {
    pub mod play;
}

use common::play::{Told, run};
use wavetank::api::daemon_set::DaemonSet;
use wavetank::api::kind::Kind;
use wavetank::api::misc::{ClassScope, Namespace, PriorityClass};
use wavetank::api::pod::Pod;
use wavetank::api::service::{Exposure, Service};
use wavetank::api::storage::{GrowthStage, PersistentVolume, PersistentVolumeClaim, VolumePhase};
use wavetank::api::workload::{Deployment, Strategy};
use wavetank::messages::Verb;
use wavetank::store::{Store, Stored};

fn scenario(timeline: &str, objects: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: edits}}\nspec:\n  duration: 5m\n  \
         apps: [{{match: {{image: 'w:*'}}, start: 1s, ready: 2s, stop: 1s}}]\n  timeline:\n{timeline}\n---\n{objects}"
    )
}

/// A workload of pods `app=NAME` that run `w:1`, with more in its spec.
fn workload(kind: &str, name: &str, spec: &str, template: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: \
         {name}}}}}\n  {spec}\n  template:\n    metadata: {{labels: {{app: {name}}}{template}}}\n    spec: \
         {{containers: [{{name: c, image: 'w:1'}}]}}\n---\n"
    )
}

/// What was refused, and in which words.
fn refused(told: &Told) -> Vec<String> {
    let refusals = told.0.iter().filter(|(_, fact)| fact.verb == Verb::Refused);
    refusals.filter_map(|(_, fact)| fact.message.as_ref().map(ToString::to_string)).collect()
}

fn only<T: Stored>(store: &Store) -> T {
    let mut all = store.table::<T>().iter().map(|(_, one)| one.clone());
    let one = all.next().expect("there is one");
    assert!(all.next().is_none(), "there is but one");
    one
}

#[test]
fn a_daemon_set_that_surges_goes_on_when_its_pods_are_available() {
    let spec =
        "minReadySeconds: 5\n  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}";
    let set = workload("DaemonSet", "d", spec, "");
    let step = "  - {at: 1m, setImage: daemonset/default/d, container: c, image: 'w:2'}";
    let (finished, _) = run(&scenario(step, &set));
    let set: DaemonSet = only(finished.world.store());
    assert_eq!((set.status.desired, set.status.updated), (3, 3));
    assert_eq!(finished.world.store().table::<Pod>().iter().count(), 3, "the old ones are gone");
}

#[test]
fn a_run_with_an_adopted_pod_converges() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: loner, labels: {app: r}}\nspec: {containers: [{name: c, \
               image: 'w:1'}]}\n---\n";
    let (finished, _) = run(&scenario("", &(workload("ReplicaSet", "r", "replicas: 1", "") + pod))
        .replace("  timeline:\n", ""));
    assert!(finished.world.converged_since().is_some());
}

/// Who was adopted a moment ago is ranked with the rest (`claimPods`, then `getPodsToDelete`).
#[test]
fn a_pod_too_many_is_chosen_among_all_that_were_claimed() {
    let pod = |name: &str, meta: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}{meta}}}\nspec: {{containers: [{{name: c, image: \
             'w:1'}}]}}\n---\n"
        )
    };
    let dear =
        ", labels: {app: r}, annotations: {controller.kubernetes.io/pod-deletion-cost: '100'}";
    let objects =
        pod("stray", "") + &pod("dear", dear) + &workload("ReplicaSet", "r", "replicas: 1", "");
    let step = "  - {at: 1m, label: pod/default/stray, with: {app: r}}";
    for seed in 1..=10 {
        let text =
            scenario(step, &objects).replace("duration:", &format!("seed: {seed}\n  duration:"));
        let left: Pod = only(run(&text).0.world.store());
        assert_eq!(left.meta.name.to_string(), "dear", "seed {seed}");
    }
}

#[test]
fn finalizers_of_a_template_hold_the_pods() {
    let set = workload("Deployment", "d", "replicas: 1", ", finalizers: [x.example.com/hold]");
    let (finished, _) =
        run(&scenario("  - {at: 1m, scale: deployment/default/d, replicas: 0}", &set));
    let pod: Pod = only(finished.world.store());
    assert!(pod.meta.is_terminating() && pod.meta.has_finalizer("x.example.com/hold"));
}

#[test]
fn only_the_retained_keys_of_a_strategy_stay() {
    let patch = "  - {at: 1m, patch: deployment/default/d, type: strategic, with: {spec: {strategy: {$retainKeys: \
                 [type], type: Recreate}}}}";
    let (finished, told) = run(&scenario(patch, &workload("Deployment", "d", "replicas: 1", "")));
    assert_eq!(refused(&told), [""; 0]);
    assert_eq!(only::<Deployment>(finished.world.store()).strategy, Strategy::Recreate);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let patch = "  - {at: 1m, patch: deployment/default/d, with: {spec: {replicas: -1, minReadySeconds: -1}}}";
    let (_, told) = run(&scenario(patch, &workload("Deployment", "d", "replicas: 1", "")));
    let must = "must be greater than or equal to 0";
    assert_eq!(
        refused(&told),
        [format!(
            "Deployment.apps \"d\" is invalid: [spec.replicas: Invalid value: -1: {must}, spec.minReadySeconds: \
             Invalid value: -1: {must}]"
        )]
    );
}

/// A Service of port 80 with more in its spec.
fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: w}}, ports: [{{port: \
         80}}]{spec}}}\n---\n"
    )
}

fn of_name<T: Stored>(store: &Store, name: &str) -> T {
    let mut all = store.table::<T>().iter().map(|(_, one)| one);
    all.find(|one| one.meta().name == *name).expect("it is there").clone()
}

#[test]
fn a_service_of_a_lesser_type_gives_back_what_it_had_for_its_type() {
    let steps = "  - {at: 1m, apply: {apiVersion: v1, kind: Service, metadata: {name: p}, spec: {selector: {app: w}, \
                 ports: [{port: 80}]}}}\n  - {at: 1m, patch: service/default/l, with: {spec: {type: ClusterIP}}}\n  \
                 - {at: 1m, patch: service/default/e, with: {spec: {type: ExternalName, externalName: x.y}}}\n  - \
                 {at: 2m, patch: service/default/e, with: {spec: {type: NodePort, externalName: null}}}\n  - {at: 1m, \
                 patch: service/default/k, with: {spec: {type: ClusterIP, ports: [{port: 80, nodePort: 32000}]}}}";
    let services = service("p", ", type: NodePort")
        + &service(
            "l",
            ", type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerClass: a/b",
        )
        + &service("k", ", type: NodePort")
        + &service("e", "");
    let (finished, told) = run(&scenario(steps, &services));
    let asked = "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'";
    assert_eq!(refused(&told), [format!("Service \"k\" is invalid: {asked}")]);
    let store = finished.world.store();
    for name in ["p", "l"] {
        let it: Service = of_name(store, name);
        assert_eq!((it.spec.exposure, it.health_port), (Exposure::ClusterIp, None), "{name}");
        assert!(it.node_ports.is_empty() && it.cluster_ip.is_some(), "{name}");
    }
    let it: Service = of_name(store, "e");
    assert!(it.spec.exposure == Exposure::NodePort && it.cluster_ip.is_some());
    assert_eq!(it.node_ports.len(), 1);
}

#[test]
fn the_address_of_a_service_may_not_change_once_set() {
    let steps = "  - {at: 1m, patch: service/default/c, with: {spec: {clusterIP: None}}}\n  - {at: 2m, patch: \
                 service/default/c, with: {spec: {clusterIP: ''}}}\n  - {at: 3m, patch: service/default/h, with: \
                 {spec: {clusterIP: 10.96.0.9}}}";
    let services = service("c", "") + &service("h", ", clusterIP: None");
    let (_, told) = run(&scenario(steps, &services));
    let why = |name: &str, ip: &str| {
        format!(
            "Service \"{name}\" is invalid: spec.clusterIPs[0]: Invalid value: [\"{ip}\"]: may not change once set"
        )
    };
    assert_eq!(
        refused(&told),
        [why("c", "None"), why("h", "10.96.0.9")],
        "an empty one is filled in"
    );
}

#[test]
fn a_namespace_is_held_by_its_contents_and_by_what_users_wrote() {
    let steps = "  - {at: 1m, patch: namespace/ns1, with: {metadata: {finalizers: null}, spec: {finalizers: null}}}\n  \
                 - {at: 2m, delete: namespace/ns1}\n  - {at: 2m, delete: namespace/ns2}\n  - {at: 3m, patch: \
                 namespace/ns3, with: {metadata: {finalizers: null}}}\n  - {at: 2m30s, delete: namespace/ns3}";
    let objects = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns1}\n---\napiVersion: v1\nkind: Namespace\n\
                   metadata: {name: ns2, finalizers: [a.b/c]}\n---\napiVersion: v1\nkind: Namespace\nmetadata: \
                   {name: ns3, finalizers: [a.b/c]}\n---\n"
        .to_owned()
        + &workload("Deployment", "d", "replicas: 2", "").replace("{name: d}", "{name: d, namespace: ns1}");
    let (finished, told) = run(&scenario(steps, &objects));
    let store = finished.world.store();
    assert_eq!(store.table::<Pod>().iter().count(), 0, "its contents go before it");
    let gone = told
        .0
        .iter()
        .filter(|(_, it)| it.object.kind == Kind::Namespace && it.verb == Verb::Deleted);
    let gone: Vec<String> = gone.map(|(_, it)| it.object.name.to_string()).collect();
    assert_eq!(gone, ["ns1", "ns3"]);
    let held: Namespace = of_name(store, "ns2");
    assert!(held.meta.is_terminating() && held.finalizers.is_empty());
}

#[test]
fn what_is_immutable_is_refused() {
    let steps = "  - {at: 1m, apply: {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: sc}, \
                 provisioner: z, reclaimPolicy: Retain, volumeBindingMode: WaitForFirstConsumer, parameters: {a: \
                 b}}}\n  - {at: 2m, patch: persistentvolume/pv, with: {spec: {local: {path: /other}}}}\n  - {at: 3m, \
                 apply: {apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: hi}, value: 7}}\n  - \
                 {at: 4m, patch: priorityclass/hi, with: {preemptionPolicy: Never}}\n  - {at: 4m, patch: \
                 priorityclass/hi, with: {globalDefault: true, metadata: {labels: {a: b}}}}";
    let objects = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: sc}\nprovisioner: x\n---\n\
                   apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: hi}\nvalue: 5\n---\n\
                   apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec: {capacity: {storage: 10Gi}, \
                   accessModes: [ReadWriteOnce], storageClassName: manual, local: {path: /x}, nodeAffinity: \
                   {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, \
                   values: [n-1]}]}]}}}\n---\n";
    let (finished, told) = run(&scenario(steps, objects));
    let class = "PriorityClass.scheduling.k8s.io \"hi\" is invalid:";
    assert_eq!(
        refused(&told),
        [
            "StorageClass.storage.k8s.io \"sc\" is invalid: [parameters: Forbidden: updates to parameters are \
             forbidden., provisioner: Forbidden: updates to provisioner are forbidden., reclaimPolicy: Forbidden: \
             updates to reclaimPolicy are forbidden., volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": \
             field is immutable]",
            "PersistentVolume \"pv\" is invalid: spec.persistentvolumesource: Forbidden: \
             spec.persistentvolumesource is immutable after creation",
            &format!("{class} value: Forbidden: may not be changed in an update."),
            &format!("{class} preemptionPolicy: Invalid value: \"Never\": field is immutable"),
        ]
    );
    let class: PriorityClass = only(finished.world.store());
    assert_eq!((class.value, class.scope, class.meta.labels.len()), (5, ClassScope::Default, 1));
}

fn claim(name: &str, class: &str, size: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: {{storageClassName: {class}, \
         accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}\n---\n"
    )
}

#[test]
fn a_released_volume_whose_claim_is_taken_off_is_bound_again() {
    let steps = "  - {at: 1m, delete: persistentvolumeclaim/default/a}\n  - {at: 2m, patch: persistentvolume/pv, with: \
                 {spec: {claimRef: null}}}\n  - {at: 3m, apply: {apiVersion: v1, kind: PersistentVolumeClaim, \
                 metadata: {name: b}, spec: {storageClassName: manual, accessModes: [ReadWriteOnce], resources: \
                 {requests: {storage: 1Gi}}}}}";
    let volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec: {capacity: {storage: 5Gi}, \
                  accessModes: [ReadWriteOnce], storageClassName: manual, hostPath: {path: /x}}\n---\n";
    let (finished, told) =
        run(&scenario(steps, &(volume.to_owned() + &claim("a", "manual", "3Gi"))));
    assert_eq!(refused(&told), [""; 0]);
    let (claim, volume): (PersistentVolumeClaim, PersistentVolume) =
        (only(finished.world.store()), only(finished.world.store()));
    assert_eq!((claim.volume.as_deref(), claim.capacity), (Some("pv"), 5 << 30));
    assert_eq!(
        (volume.phase, volume.claim.and_then(|it| it.uid)),
        (VolumePhase::Bound, Some(claim.meta.uid))
    );
}

#[test]
fn claims_grow_where_their_class_lets_them() {
    let more = "with: {spec: {resources: {requests: {storage: 5Gi}}}}";
    let steps = ["raw", "fs", "used", "held"]
        .map(|name| {
            format!("  - {{at: 1m, patch: persistentvolumeclaim/default/{name}, {more}}}\n")
        })
        .concat();
    let less = "  - {at: 2m, patch: persistentvolumeclaim/default/raw, with: {spec: {resources: {requests: {storage: \
                4Gi}}}}}";
    let class = |name: &str, allows: bool| {
        format!(
            "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: {name}}}\nprovisioner: \
             x.example.com\nallowVolumeExpansion: {allows}\n---\n"
        )
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'w:1'}], volumes: \
               [{name: v, persistentVolumeClaim: {claimName: used}}]}\n---\n";
    let objects = class("free", true)
        + &class("fixed", false)
        + &claim("raw", "free, volumeMode: Block", "3Gi")
        + &claim("fs", "free", "3Gi")
        + &claim("used", "free", "3Gi")
        + &claim("held", "fixed", "3Gi")
        + pod;
    let (finished, told) = run(&scenario(&(steps + less), &objects));
    assert_eq!(
        refused(&told),
        [
            "persistentvolumeclaims \"held\" is forbidden: only dynamically provisioned pvc can be resized and the \
             storageclass that provisions the pvc must support resize",
            "PersistentVolumeClaim \"raw\" is invalid: spec.resources.requests.storage: Forbidden: field can not be \
             less than status.capacity",
        ]
    );
    let store = finished.world.store();
    for (name, gib, stage) in
        [("raw", 5, None), ("fs", 3, Some(GrowthStage::Node)), ("used", 5, None), ("held", 3, None)]
    {
        let claim: PersistentVolumeClaim = of_name(store, name);
        assert_eq!((claim.capacity >> 30, claim.growth.map(|it| it.stage)), (gib, stage), "{name}");
        let volume: PersistentVolume =
            of_name(store, claim.volume.as_deref().expect("it is bound"));
        assert_eq!(volume.spec.capacity >> 30, if name == "held" { 3 } else { 5 }, "{name}");
    }
}

#[test]
fn the_namespaces_a_cluster_lives_in_stay() {
    let names = ["default", "kube-system", "kube-public"];
    let step = |name| format!("  - {{at: 1m, delete: namespace/{name}}}\n");
    let (finished, told) = run(&scenario(&names.map(step).concat(), &service("s", "")));
    let say =
        |name| format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
    assert_eq!(refused(&told), names.map(say));
    let stays: Namespace = of_name(finished.world.store(), "default");
    assert!(!stays.meta.is_terminating());
}

const OWNER: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const NOBODY: &str = "bbbbbbbb-0000-0000-0000-000000000004";

/// A Service with a uid and pods `kept`, `freed` and `left` that are nobody's.
fn owner_and_pods() -> String {
    let pod = |name: &str, owner: &str| {
        let owned = match owner {
            "" => String::new(),
            uid => format!(
                ", ownerReferences: [{{apiVersion: v1, kind: Service, name: o, uid: {uid}}}]"
            ),
        };
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}{owned}}}\nspec: {{containers: [{{name: c, image: \
             'w:1'}}]}}\n---\n"
        )
    };
    let pods = [pod("kept", ""), pod("freed", ""), pod("left", ""), pod("born", OWNER)];
    service("o", "").replace("{name: o", &format!("{{name: o, uid: {OWNER}")) + &pods.concat()
}

/// A step that patches the owner references of a pod.
fn owned(at: &str, pod: &str, uids: &[&str]) -> String {
    let one = |uid| format!("{{apiVersion: v1, kind: Service, name: o, uid: {uid}}}");
    let all: Vec<String> = uids.iter().map(one).collect();
    let list = if all.is_empty() { "null".to_owned() } else { format!("[{}]", all.join(", ")) };
    format!(
        "  - {{at: {at}, patch: pod/default/{pod}, with: {{metadata: {{ownerReferences: {list}}}}}}}\n"
    )
}

fn pods(store: &Store) -> Vec<String> {
    let mut all: Vec<String> =
        store.table::<Pod>().iter().map(|(_, pod)| pod.meta.name.to_string()).collect();
    all.sort();
    all
}

#[test]
fn owners_that_are_patched_in_and_out_count_for_the_garbage_collector() {
    let before = [
        owned("30s", "kept", &[OWNER, NOBODY]),
        owned("30s", "freed", &[OWNER]),
        owned("40s", "freed", &[]),
        owned("30s", "left", &[NOBODY]),
    ];
    let (finished, told) = run(&scenario(&before.concat(), &owner_and_pods()));
    assert_eq!(refused(&told), Vec::<String>::new());
    let store = finished.world.store();
    assert_eq!(pods(store), ["born", "freed", "kept"], "an owner that never was is gone");
    let kept: Pod = of_name(store, "kept");
    let uids: Vec<_> = kept.meta.owners().map(|(owner, _)| owner.uid).collect();
    let owner: Service = of_name(store, "o");
    assert_eq!(uids, [owner.meta.uid], "one that is there stays");
    let freed: Pod = of_name(store, "freed");
    assert_eq!(freed.meta.owners().count(), 0);
    let steps = before.concat() + "  - {at: 1m, delete: service/default/o}\n";
    let (finished, _) = run(&scenario(&steps, &owner_and_pods()));
    assert_eq!(pods(finished.world.store()), ["freed"], "dependents go after their owner");
}

#[test]
fn a_manifest_applied_anew_says_its_owners_anew() {
    let manifest = |uid: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: d, ownerReferences: [{{apiVersion: v1, kind: \
             Service, name: o, uid: {uid}}}]}}, spec: {{ports: [{{port: 80}}]}}}}"
        )
    };
    let steps = format!(
        "  - {{at: 30s, apply: {}}}\n  - {{at: 1m, apply: {}}}\n",
        manifest(OWNER),
        manifest(NOBODY)
    );
    let (finished, _) = run(&scenario(&steps, &owner_and_pods()));
    let named = finished.world.store().find::<Service>("default", "d");
    assert_eq!(
        named, None,
        "of two owners merged by uid the first was taken out, the other never was"
    );
}

#[test]
fn what_kubectl_refuses_itself_is_told_in_its_own_words() {
    let steps = "  - {at: 1m, taint: node/n-0, with: 'z-'}\n  - {at: 1m, setImage: deployment/default/d, container: x, \
                 image: 'w:2'}\n  - {at: 1m, undo: deployment/default/d}\n";
    let (_, told) = run(&scenario(steps, &workload("Deployment", "d", "replicas: 1", "")));
    let words = [
        "error: taint \"z\" not found",
        "error: unable to find container named \"x\"",
        "error: no rollout history found for deployment \"d\"",
    ];
    assert_eq!(refused(&told), words);
}

#[test]
fn a_class_keeps_its_description_and_one_of_the_system_stays() {
    let steps = "  - {at: 1m, delete: pc/system-node-critical}\n  - {at: 1m, delete: priorityclasses/mine}\n  - {at: 1m, \
                 patch: pc/other, with: {description: for others}}\n";
    let class = |name: &str, value: i32| {
        format!(
            "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {{name: {name}}}\nvalue: {value}\n\
             description: for mine\n---\n"
        )
    };
    let classes =
        [class("mine", 5), class("other", 5), class("system-node-critical", 2_000_001_000)];
    let (finished, told) = run(&scenario(steps, &classes.concat()));
    let says = "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is a system priority class \
                and cannot be deleted";
    assert_eq!(refused(&told), [says]);
    let all = finished.world.store().table::<PriorityClass>().iter();
    let mut all: Vec<(String, String)> =
        all.map(|(_, it)| (it.meta.name.to_string(), it.description.to_string())).collect();
    all.sort();
    let both = [("other", "for others"), ("system-node-critical", "for mine")];
    assert_eq!(all, both.map(|(name, words)| (name.to_owned(), words.to_owned())));
}
