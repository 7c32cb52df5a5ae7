//! Loading a dump of a cluster, as `kubectl get nodes,pods -A -o json|yaml` prints it: one List, each
//! object with status, conditions and managedFields, at least 6 KB a pod.
//!
//! ```text
//! cargo bench --bench dump -- write json 5000 150000 > dump.json
//! cargo bench --bench dump -- load dump.json
//! ```

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};
use wavetank::scenario::{Loader, Overrides};

fn managed_fields(manager: &str, paths: usize) -> Value {
    let fields: serde_json::Map<String, Value> = (0..paths)
        .map(|at| (format!("f:field-{at}"), json!({".": {}, "f:name": {}, "f:value": {}})))
        .collect();
    json!({"manager": manager, "operation": "Update", "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": fields}})
}

fn uid(kind: u64, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn node(number: usize) -> Value {
    let name = format!("n-{number}");
    let size =
        json!({"cpu": "32", "memory": "131072000Ki", "pods": "110", "ephemeral-storage": "100Gi"});
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "Kubelet", "message": "kubelet says so",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "uid": uid(1, number), "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": format!("zone-{}", number % 3)},
            "managedFields": [managed_fields("kubelet", 20)]},
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {"capacity": size, "allocatable": size,
            "addresses": [{"type": "InternalIP", "address": "172.16.0.1"}, {"type": "Hostname", "address": name}],
            "conditions": [condition("MemoryPressure", "False"), condition("DiskPressure", "False"),
                condition("PIDPressure", "False"), condition("Ready", "True")],
            "nodeInfo": {"architecture": "amd64", "kubeletVersion": "v1.36.2", "kernelVersion": "6.1",
                "bootID": "b", "containerRuntimeVersion": "containerd://2.0", "kubeProxyVersion": "",
                "machineID": "m", "operatingSystem": "linux", "osImage": "Debian", "systemUUID": "s"}}})
}

/// Five hundred distinct templates, as a cluster of this size may have.
fn pod(number: usize, nodes: usize) -> Value {
    let app = number % 500;
    let name = format!("app-{app}-5d4f8c7b9-{number:05}");
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3});
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "lastProbeTime": null,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1})
    };
    let environment: Vec<Value> = (0..12)
        .map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("value-{at}")}))
        .collect();
    let token = format!("kube-api-access-{number:05}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": uid(2, number), "resourceVersion": "2",
            "generation": 1, "generateName": format!("app-{app}-5d4f8c7b9-"),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": format!("app-{app}"), "pod-template-hash": "5d4f8c7b9"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                "blockOwnerDeletion": true, "name": format!("app-{app}-5d4f8c7b9"), "uid": uid(3, app)}],
            "managedFields": [managed_fields("kube-controller-manager", 30), managed_fields("kubelet", 25)]},
        "spec": {"nodeName": format!("n-{}", number % nodes), "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "securityContext": {},
            "containers": [{"name": "app", "image": format!("registry.example/app-{app}:1.0"),
                "imagePullPolicy": "IfNotPresent", "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "env": environment, "livenessProbe": probe, "readinessProbe": probe,
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "volumeMounts": [{"name": token, "readOnly": true,
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "volumes": [{"name": token, "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}]},
        "status": {"phase": "Running", "podIP": format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255),
            "hostIP": "172.16.0.1", "qosClass": "Burstable", "startTime": "2026-01-01T00:00:00Z",
            "conditions": [condition("PodReadyToStartContainers"), condition("Initialized"),
                condition("Ready"), condition("ContainersReady"), condition("PodScheduled")],
            "containerStatuses": [{"name": "app", "image": format!("registry.example/app-{app}:1.0"),
                "imageID": "registry.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "containerID": format!("containerd://{number:064x}"), "ready": true, "restartCount": 0,
                "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}}]}})
}

/// Block YAML as kubectl prints it: sequences at their key's own indentation.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad);
                }
                out.push_str(&format!("{}:", serde_json::to_string(key).unwrap_or_default()));
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push_str(&format!("\n{pad}  "));
                        yaml(value, indent + 2, out);
                    }
                    Value::Array(list) if !list.is_empty() => {
                        out.push_str(&format!("\n{pad}"));
                        yaml(value, indent, out);
                    }
                    scalar => {
                        out.push(' ');
                        yaml(scalar, indent, out);
                    }
                }
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad);
                }
                out.push_str("- ");
                yaml(value, indent + 2, out);
            }
        }
        scalar => {
            out.push_str(&scalar.to_string());
            out.push('\n');
        }
    }
}

fn write(form: &str, nodes: usize, pods: usize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let items = (0..nodes).map(node).chain((0..pods).map(|number| pod(number, nodes)));
    if form == "yaml" {
        out.write_all(b"apiVersion: v1\nitems:\n")?;
        for item in items {
            let mut text = String::from("- ");
            yaml(&item, 2, &mut text);
            out.write_all(text.as_bytes())?;
        }
        out.write_all(b"kind: List\nmetadata:\n  resourceVersion: \"\"\n")?;
        return out.flush();
    }
    out.write_all(b"{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")?;
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.write_all(b",\n")?;
        }
        serde_json::to_writer_pretty(&mut out, &item)?;
    }
    out.write_all(
        b"\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\"resourceVersion\": \"\"}\n}\n",
    )?;
    out.flush()
}

#[path = "scale/process.rs"]
mod process;

#[expect(clippy::disallowed_methods, reason = "a bench reads the file it is given")]
#[expect(clippy::print_stdout, reason = "a bench prints")]
fn load(path: &str) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    let before = process::cpu_seconds();
    let mut loader = Loader::new(Overrides::default());
    loader.read(path, file, &mut |_| {});
    let loaded = loader.finish();
    println!(
        "{path}: {} nodes, {} objects, {} findings, {} bytes in {:.2} CPU s, {:.0} MiB peak, {:.0} \
         MiB held",
        loaded.plan.nodes.len(),
        loaded.plan.objects.len(),
        loaded.findings.len(),
        bytes,
        process::cpu_seconds() - before,
        process::peak_mib(),
        process::resident_mib()
    );
    for finding in loaded.findings.iter().take(5) {
        println!("  {finding}");
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let number = |at: usize, default: usize| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    match (arguments.first().map(String::as_str), arguments.get(1)) {
        (Some("write"), Some(form)) => write(form, number(2, 50), number(3, 1500)),
        (Some("load"), Some(path)) => load(path),
        _ => write("yaml", 1, 1),
    }
}
