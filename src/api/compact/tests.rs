use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::json;

use super::*;
use crate::api::kind::Kind;
use crate::api::node::Tristate;
use crate::api::pod::{ContainerState, Phase, Pod, PodCondition, ProbeHandler, Qos};
use crate::time::SimDuration;

fn pod(compactor: &mut Compactor, written: serde_json::Value) -> (Pod, Compacted) {
    let written: core::Pod = serde_json::from_value(written).expect("a pod");
    let compacted = compactor.pod(written);
    let Object::Pod(pod) = &compacted.object else { unreachable!("a pod stays one") };
    ((**pod).clone(), compacted)
}

/// A pod as `kubectl get -o json` prints it.
fn dumped(name: &str, node: &str, token: &str) -> serde_json::Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "labels": {"app": "web", "pod-template-hash": "5d4f"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f",
                "uid": "uid-set", "controller": true}],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "c", "image": "app:1", "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": token, "projected": {}}],
        },
        "status": {
            "phase": "Running", "podIP": "10.1.2.3",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "c", "image": "app:1", "imageID": "", "ready": true,
                "restartCount": 2, "started": true, "state": {"running": {}}}],
        },
    })
}

#[test]
fn siblings_of_a_dump_share_spec_and_labels_though_node_and_token_differ() {
    let mut compactor = Compactor::new();
    let (a, from_a) = pod(&mut compactor, dumped("web-a", "n1", "kube-api-access-abcde"));
    let (b, from_b) = pod(&mut compactor, dumped("web-b", "n2", "kube-api-access-fghij"));
    assert!(Arc::ptr_eq(&a.spec, &b.spec));
    assert!(Arc::ptr_eq(&a.meta.labels, &b.meta.labels));
    assert_eq!((from_a.node.as_deref(), from_b.node.as_deref()), (Some("n1"), Some("n2")));
    assert!(a.spec.written.contains("/data") && !a.spec.written.contains("kube-api-access"));
    assert_eq!(compactor.distinct_specs(), 1);
}

#[test]
fn a_pod_of_a_dump_comes_with_owner_and_status() {
    let mut compactor = Compactor::new();
    let (pod, compacted) = pod(&mut compactor, dumped("web-a", "n1", "kube-api-access-abcde"));
    assert_eq!(compacted.arrival, Arrival::Imported);
    let owner = pod.meta.owner.expect("it has an owner");
    assert_eq!((owner.kind, owner.uid), (Kind::ReplicaSet, imported_uid("uid-set")));
    assert_eq!(pod.status.phase, Phase::Running);
    assert!(pod.status.is(PodCondition::Ready) && !pod.status.is(PodCondition::Initialized));
    assert_eq!(pod.status.restarts(), 2);
    assert_eq!(pod.status.ip, Some([10, 1, 2, 3].into()));
}

#[test]
fn a_failed_pod_of_a_dump_keeps_a_negative_exit_code_and_a_condition_that_is_unknown() {
    let mut written = dumped("web-a", "n1", "x");
    let ended = json!({"terminated": {"exitCode": -1_073_741_510, "reason": "Error"}});
    written["status"]["containerStatuses"][0]["state"] = ended;
    written["status"]["conditions"][0] = json!({"type": "DisruptionTarget", "status": "Unknown"});
    let (pod, _) = pod(&mut Compactor::new(), written);
    let said = pod.status.condition(PodCondition::DisruptionTarget).value;
    assert_eq!(said, Some(Tristate::Unknown));
    assert!(!pod.status.is(PodCondition::DisruptionTarget));
    let state = pod.status.containers.as_deref().map(|all| all[0].state);
    let Some(ContainerState::Terminated(end)) = state else { panic!("{state:?}") };
    assert_eq!(end.exit_code, -1_073_741_510);
}

#[test]
fn a_pod_of_a_dump_has_its_address_of_the_family_that_counts_whichever_comes_first() {
    let mut written = dumped("web-a", "n1", "x");
    written["status"]["podIP"] = json!("fd00::7");
    written["status"]["podIPs"] = json!([{"ip": "fd00::7"}, {"ip": "10.1.2.3"}]);
    let (pod, _) = pod(&mut Compactor::new(), written);
    assert_eq!(pod.status.ip, Some([10, 1, 2, 3].into()));
}

#[test]
fn a_status_somebody_wrote_into_a_manifest_is_ignored_as_by_the_api_server() {
    let mut written = dumped("web-a", "n1", "x");
    written["metadata"].as_object_mut().expect("an object").remove("uid");
    let (pod, compacted) = pod(&mut Compactor::new(), written);
    assert_eq!(compacted.arrival, Arrival::Applied);
    assert_eq!(pod.status.phase, Phase::Pending);
}

#[test]
fn a_spec_knows_what_it_asks_for_and_what_is_not_modelled() {
    let mut compactor = Compactor::new();
    let (pod, _) = pod(
        &mut compactor,
        json!({
            "metadata": {"name": "p"},
            "spec": {
                "containers": [
                    {"name": "a", "resources": {"requests": {"cpu": "250m"}},
                     "ports": [{"name": "web", "containerPort": 80, "hostPort": 8080}],
                     "readinessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 5},
                     "lifecycle": {"preStop": {"sleep": {"seconds": 7}}}},
                    {"name": "b", "env": [{"name": "X"}]}],
                "hostPID": true,
            },
        }),
    );
    let spec = &pod.spec;
    assert_eq!((spec.requests.cpu_milli, spec.requests.memory), (250, 0));
    assert_eq!(spec.nonzero_requests.cpu_milli, 350);
    assert_eq!(spec.nonzero_requests.memory, 400 << 20);
    assert_eq!(spec.qos, Qos::Burstable);
    assert_eq!(spec.host_ports[0].port, 8080);
    let probe = spec.containers[0].readiness.as_ref().expect("a probe");
    assert_eq!(probe.handler, ProbeHandler::HttpGet(80));
    assert_eq!(probe.period, SimDuration::from_secs(5));
    assert_eq!(
        spec.containers[0].pre_stop,
        Some(crate::api::pod::Hook::Sleep(SimDuration::from_secs(7)))
    );
    assert_eq!(spec.not_modelled, ["hostPID", "containers.env"]);
    assert_eq!(&*pod.meta.namespace, "default");
    let notes: Vec<String> = compactor.notes().iter().map(|(note, _)| note.to_string()).collect();
    assert_eq!(notes, ["Pod containers.env", "Pod hostPID"]);
}

#[test]
fn templates_differ_by_hash_where_they_differ() {
    let mut compactor = Compactor::new();
    let mut hash = |image: &str, label: &str| {
        let template = json!({"metadata": {"labels": {"app": label}},
            "spec": {"containers": [{"name": "c", "image": image}]}});
        compactor
            .template("Deployment", Some(serde_json::from_value(template).expect("a template")))
            .hash
    };
    assert_eq!(hash("a:1", "x"), hash("a:1", "x"));
    assert_ne!(hash("a:1", "x"), hash("a:2", "x"));
    assert_ne!(hash("a:1", "x"), hash("a:1", "y"));
}

#[test]
fn a_template_keeps_its_name_and_no_list_without_a_member() {
    let mut compactor = Compactor::new();
    let mut read = |meta: serde_json::Value, spec: serde_json::Value| {
        let written = serde_json::from_value(json!({"metadata": meta, "spec": spec}));
        compactor.template("Deployment", Some(written.expect("a template")))
    };
    let containers = || json!([{"name": "c", "image": "a:1"}]);
    let plain = read(json!({}), json!({"containers": containers()}));
    let lists = json!({"tolerations": [], "volumes": [], "containers": containers()});
    assert!(Arc::ptr_eq(&plain.spec, &read(json!({}), lists).spec));
    let named = read(json!({"name": "web"}), json!({"containers": containers()}));
    assert_eq!((&*named.name, named.hash == plain.hash), ("web", false));
    let held = read(json!({"finalizers": ["a/b"]}), json!({"containers": containers()}));
    assert_eq!((&*held.finalizers()[0], held.hash == plain.hash), ("a/b", false));
}

#[test]
fn a_node_has_the_labels_of_its_kubelet_and_allocatable_follows_capacity() {
    let written = json!({
        "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "windows"}},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "4", "memory": "8Gi", "pods": "110", "x.io/gpu": "2"},
            "conditions": [{"type": "Ready", "status": "False"}]},
    });
    let compacted = Compactor::new().node(serde_json::from_value(written).expect("a node"));
    let Object::Node(node) = compacted.object else { unreachable!("a node stays one") };
    assert_eq!(&*node.meta.labels["kubernetes.io/hostname"], "n1");
    assert_eq!(&*node.meta.labels["kubernetes.io/os"], "windows");
    assert_eq!(node.allocatable.cpu_milli, 4000);
    assert_eq!(node.allocatable.scalar("x.io/gpu"), 2);
    assert_eq!(node.conditions.ready, Tristate::False);
    assert_eq!(node.taints.len(), 1);
}
