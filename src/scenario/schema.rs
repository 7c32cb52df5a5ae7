//! JSON Schema of a Scenario, for editors and for whoever writes one by program.

use serde_json::{Value, json};

use super::load::API_VERSION;
pub use super::profile::schema::profile;
use super::strikes::FAULTS;

/// The dialect of our schemas.
pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

pub(super) fn object(properties: Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn text(meaning: &str) -> Value {
    json!({"type": "string", "description": meaning})
}

pub(super) fn duration() -> Value {
    json!({"type": "string", "description": "A duration as in 300ms, 1.5s or 1h30m.",
        "pattern": "^([0-9]+(\\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$"})
}

fn delay() -> Value {
    json!({"description": "How long something takes.", "oneOf": [
        duration(),
        {"const": "never"},
        object(json!({"uniform": {"type": "array", "items": duration(), "minItems": 2, "maxItems": 2}})),
        object(json!({"exponential": duration()})),
        object(json!({"lognormal": object(json!({"p50": duration(), "p99": duration()}))})),
    ]})
}

fn labels() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

fn amounts() -> Value {
    json!({"type": "object", "additionalProperties": {"type": ["string", "number"]}})
}

fn instances() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 32})
}

fn percent() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": 100})
}

/// Values by signal, as in `memory.available: 500Mi`.
fn thresholds() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

fn manifests() -> Value {
    json!({"type": "array", "items": {"type": "object"},
        "description": "Pods that each of the nodes runs from a manifest of its own, written out here."})
}

fn cluster() -> Value {
    let limit = object(json!({
        "qps": {"type": "integer", "minimum": 1}, "burst": {"type": "integer", "minimum": 1}}));
    let taint = object(json!({
        "key": text("Its key."), "value": text("Its value."),
        "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        "timeAdded": text("Ignored.")}));
    object(json!({
        "nodes": list(object(json!({
            "name": text("Nodes are called this, a dash, and a number from 0."),
            "count": {"type": "integer", "minimum": 1},
            "zone": text("Their zone."),
            "capacity": amounts(), "labels": labels(), "taints": list(taint.clone()),
            "staticPods": manifests()}))),
        "nodeGroups": list(object(json!({
            "name": text("Machines are called this, a dash, and a number from 0."),
            "min": {"type": "integer", "minimum": 0, "description": "The fewest machines; 0 if left out."},
            "max": {"type": "integer", "minimum": 0, "description": "The most machines."},
            "count": {"type": "integer", "minimum": 0, "description": "How many there are at the start; min if left out."},
            "zone": text("Their zone."),
            "capacity": amounts(), "labels": labels(), "taints": list(taint),
            "bootTime": delay(),
            "price": {"type": "number", "minimum": 0, "description": "What a machine costs an hour."},
            "priority": {"type": "integer", "description": "For the expander priority: the greatest grows first."},
            "zeroOrMax": {"type": "boolean", "description": "The group is resized as a whole."}}))),
        "autoscaler": autoscaler(),
        "controlPlane": object(json!({
            "masters": instances(), "apiServers": instances(), "etcd": instances(),
            "schedulers": instances(), "controllerManagers": instances(),
            "apiServerCores": instances(),
            "staticPods": manifests()})),
        "clients": object(json!({"controllers": limit, "scheduler": limit, "kubelets": limit})),
        "kubelet": object(json!({
            "shutdownGracePeriod": duration(), "shutdownGracePeriodCriticalPods": duration(),
            "crashLoopBackOff": object(json!({"maxContainerRestartPeriod": duration()})),
            "serializeImagePulls": {"type": "boolean"},
            "maxParallelImagePulls": {"type": "integer", "minimum": 1},
            "registryPullQPS": {"type": "integer", "minimum": 0},
            "registryBurst": {"type": "integer", "minimum": 1},
            "imageGCHighThresholdPercent": percent(), "imageGCLowThresholdPercent": percent(),
            "imageMinimumGCAge": duration(), "imageMaximumGCAge": duration(),
            "evictionHard": thresholds(), "evictionSoft": thresholds(),
            "evictionSoftGracePeriod": thresholds(), "evictionMinimumReclaim": thresholds(),
            "evictionMaxPodGracePeriod": {"type": "integer", "minimum": 0},
            "evictionPressureTransitionPeriod": duration()})),
        "fidelity": {"enum": ["elided", "explicit"]},
        "featureGates": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "admissionPlugins": list(json!({"enum": ["PodTolerationRestriction"]})),
        "ipFamilies": list(json!({"enum": ["IPv4", "IPv6"]})),
        "profile": text("What container engines cost: default, the name of a built-in profile, or a file that \
            ends with .yaml, .yml or .json, relative to this one."),
        "from": text("A kubectl dump in place of nodes."),
    }))
}

/// Flags of the Cluster Autoscaler.
fn autoscaler() -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    object(json!({
        "expander": text("random, most-pods, least-waste, least-nodes, price or priority; several with commas between."),
        "scanInterval": duration(),
        "balanceSimilarNodeGroups": {"type": "boolean"},
        "balancingLabels": list(json!({"type": "string"})),
        "maxNodesTotal": count(), "maxNodeProvisionTime": duration(),
        "scaleDownUnneededTime": duration(), "scaleDownUnreadyTime": duration(),
        "scaleDownUtilizationThreshold": {"type": "number", "minimum": 0, "maximum": 1},
        "scaleDownDelayAfterAdd": duration(), "scaleDownDelayAfterDelete": duration(),
        "scaleDownDelayAfterFailure": duration(),
        "maxScaleDownParallelism": count(), "maxDrainParallelism": count(),
        "maxGracefulTermination": duration(), "maxPodEvictionTime": duration(),
        "skipNodesWithSystemPods": {"type": "boolean"},
        "skipNodesWithLocalStorage": {"type": "boolean"},
        "initialNodeGroupBackoff": duration(), "maxNodeGroupBackoff": duration(),
        "nodeGroupBackoffReset": duration(),
        "expendablePodsPriorityCutoff": {"type": "integer"},
    }))
}

fn app() -> Value {
    let hook = |what: &str| {
        let mut hook = object(json!({
            "for": delay(), "exit": {"type": "integer", "minimum": 0, "maximum": 255}}));
        hook["description"] = json!(format!(
            "How long the container's {what} hook takes, and its exit \
            code: of a command, or of a request, which fails where that is not 0."
        ));
        hook
    };
    object(json!({
        "match": object(json!({
            "image": text("What the image looks like; * stands for any letters, ? for one."),
            "labels": labels(), "container": text("What the container is called.")})),
        "start": delay(), "ready": delay(), "hang": delay(), "stop": delay(),
        "run": object(json!({
            "for": delay(), "exit": {"type": "integer", "minimum": 0, "maximum": 255},
            "exitByIndex": {"type": "object", "additionalProperties": {"type": "integer"}}})),
        "service": object(json!({
            "workers": {"type": "integer", "minimum": 1}, "time": delay(),
            "errors": {"type": "number", "minimum": 0, "maximum": 1}})),
        "usage": usage(),
        "crash": object(json!({
            "after": delay(), "probability": {"type": "number", "minimum": 0, "maximum": 1,
                "description": "The chance that an attempt crashes after that time at all; 1 if left out."},
            "perRequest": {"type": "number", "minimum": 0, "maximum": 1,
                "description": "The chance that a request crashes it."},
            "exit": {"type": "integer", "minimum": 1, "maximum": 255}})),
        "oom": object(json!({"exit": {"type": "integer", "minimum": 0, "maximum": 255,
            "description": "A child is killed when memory runs out, and the program ends with this code; 137 at once if left out."}})),
        "warmUp": object(json!({
            "for": duration(), "slower": {"type": "number", "minimum": 1, "maximum": 1000,
                "description": "How many times longer a request takes, and how much more of the processor."}})),
        "postStart": hook("postStart"), "preStop": hook("preStop"),
    }))
}

/// What a program takes: an amount, or an object that says how it comes about.
fn usage() -> Value {
    let amount = || json!({"type": ["string", "number"]});
    let demand = |request: Value, meaning: &str| {
        let course = |between: &str| {
            json!({"type": "object", "additionalProperties": amount(),
            "description": format!("Amounts by the time since the container's start, {between}.")})
        };
        json!({"description": meaning, "oneOf": [amount(), object(json!({
            "base": amount(), "steps": course("each up to the next"), "linear": course("a straight line between two"),
            "csv": text("A table as text: a line of names, among them seconds, then a point a line."),
            "column": text("The table's column; the resource's name if left out."),
            "repeat": duration(),
            "growth": object(json!({"by": amount(), "each": duration(), "upTo": amount()})),
            "perRequest": request}))]})
    };
    let bytes = |meaning: &str| demand(amount(), meaning);
    object(json!({
        "cpu": demand(duration(), "Cores; a request takes so much time of one core."),
        "memory": bytes("Bytes of working set; a request holds so many while it is inside."),
        "disk": bytes("Bytes in its own layer and logs."),
        "inodes": demand(amount(), "Files in its own layer."),
        "processes": demand(amount(), "Processes and threads."),
        "volumes": {"type": "object", "additionalProperties": bytes("Bytes in a volume of the pod.")},
    }))
}

/// What serves the metrics APIs.
fn metrics() -> Value {
    let course = |between: &str| {
        json!({"type": "object", "additionalProperties": amount(),
        "description": format!("Amounts by the time of the run, {between}.")})
    };
    let value = json!({"description": "How much it is: an amount, or an object that says how it changes.",
        "oneOf": [amount(), object(json!({
            "base": amount(), "steps": course("each up to the next"), "linear": course("a straight line between two"),
            "csv": text("A table as text: a line of names, among them seconds, then a point a line."),
            "column": text("The table's column; value if left out."),
            "repeat": duration(),
            "growth": object(json!({"by": amount(), "each": duration(), "upTo": amount()}))}))]});
    let mut metrics = object(json!({
        "server": {"description": "metrics-server, which asks all kubelets once a period and serves what two \
            scrapes tell; none: the cluster has none.",
            "oneOf": [{"const": "none"}, object(json!({"period": duration(), "delay": duration()}))]},
        "series": list(object(json!({
            "name": text("What the metric is called. Without pods and object it is external."),
            "usage": {"enum": ["cpu", "memory"], "description": "In place of a name: what the pods use, in \
                place of what is measured."},
            "labels": labels(),
            "pods": object(json!({"namespace": text("Their namespace; default if left out."),
                "labels": labels()})),
            "object": text("The object it is of, as in ingress/shop/main."),
            "shared": {"type": "boolean", "description": "The pods have so much together, each ready one its \
                part; else each has so much."},
            "every": duration(), "value": value}))),
    }));
    metrics["description"] = json!(
        "What serves the metrics APIs. Where clients call Services (traffic) the \
        custom metric http_requests is there without a word: requests a second over the latest two minutes, \
        of each pod that serves them and of a Service as a whole, unless a series has that name."
    );
    metrics
}

fn amount() -> Value {
    json!({"type": ["string", "number"]})
}

fn step() -> Value {
    let named = || text("An object, as in deployment/shop/web.");
    let deployment = || text("A Deployment, as in deployment/shop/web.");
    let rollout = || text("A Deployment, StatefulSet or DaemonSet, as in deployment/shop/web.");
    let node = || text("A node, as in node/n-0.");
    let pods = object_of_pods();
    let place = json!({"description": "node/n-0, zone/a, master/0, outside; api-server/0, scheduler/0, \
        controller-manager/0, etcd/0; pod/shop/web-0, deployment/shop/web (one of its pods); or pods by \
        their labels.",
        "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, pods]});
    let words = json!({"oneOf": [{"type": "string"}, {"type": "object"},
        {"type": "array", "items": {"type": "string"}}],
        "description": "The patch; labels or annotations as team=a, team- or {team: a, old: null}; taints \
            as key=value:Effect or key-."});
    object(json!({
        "at": duration(), "name": text("What expectations call it."), "for": duration(),
        "fault": {"enum": FAULTS},
        "target": place, "from": place,
        "direction": {"enum": ["both", "to", "from"]},
        "delay": delay(), "jitter": duration(),
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "exit": {"type": "integer", "minimum": 0, "maximum": 255},
        "apply": {"type": ["object", "array", "string"],
            "description": "An object, or the path of a file that holds some, or a list of them."},
        "delete": named(), "cascade": {"enum": ["background", "foreground", "orphan"]},
        "scale": named(), "replicas": {"type": "integer", "minimum": 0},
        "setImage": named(), "container": text("Which container; all if none."),
        "image": text("The image; of fault image-pull also what images look like: * stands for any letters, \
            ? for one."),
        "patch": named(), "subresource": {"enum": ["resize", "status"]}, "type": {"enum": ["strategic", "merge"]},
        "undo": rollout(), "toRevision": {"type": "integer", "minimum": 0},
        "pause": deployment(), "resume": deployment(), "restart": rollout(),
        "cordon": node(), "uncordon": node(), "drain": node(),
        "evict": text("A pod, as in pod/shop/web-0."),
        "label": named(), "annotate": named(), "taint": node(), "with": words,
    }))
}

fn object_of_pods() -> Value {
    object(json!({"pods": object(json!({
        "namespace": text("Their namespace; default if left out."), "labels": labels(),
        "count": {"type": "integer", "minimum": 1,
            "description": "How many of them, drawn by luck; all if left out."}}))}))
}

/// The schema of a Scenario.
pub fn scenario() -> Value {
    let traffic = object(json!({
        "name": text("Its name; no other client has it."),
        "from": {"description": "Where requests start: outside, node/n-0, or ready pods with these labels.",
            "oneOf": [{"const": "outside"}, {"type": "string", "pattern": "^node/.+"},
                object(json!({"pods": labels(), "namespace": text("The pods'; the Service's own if none.")}))]},
        "to": text("The Service and the number or name of its port: shop/web:80."),
        "rate": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,9})? */ *[0-9a-zµ.]+$",
            "description": "Requests in a time: 200/s, 10/m."},
        "arrivals": {"enum": ["poisson", "constant"]},
        "timeout": duration(), "start": duration(), "until": duration(),
        "connections": {"type": "integer", "minimum": 1, "maximum": 1_000_000,
            "description": "Requests go over so many long-lived connections in turn, which stay with their \
                pod until it ends; none: each request is a connection of its own."}}));
    let mut traffic = traffic;
    traffic["required"] = json!(["to", "rate"]);
    let expect = object(json!({
        "name": text("Its name."), "eventually": text("A condition."), "always": text("A condition."),
        "never": text("A condition."), "atEnd": text("A condition."), 
        "of": text("The step or fault whose begin the window is counted from."),
        "after": duration(), "within": duration(), "for": duration()}));
    let mut schema = object(json!({
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": "Scenario"},
        "metadata": object(json!({
            "name": text("Its name."), "labels": labels(), "annotations": labels()})),
        "spec": object(json!({
            "seed": {"type": "integer", "minimum": 0, "description": "One seed for everything."},
            "epoch": text("The calendar instant of the start, as in 2026-01-01T00:00:00Z."),
            "duration": duration(),
            "cluster": cluster(),
            "apps": list(app()),
            "traffic": list(traffic),
            "metrics": metrics(),
            "timeline": list(step()),
            "expect": list(expect),
        })),
    }));
    schema["required"] = json!(["apiVersion", "kind", "spec"]);
    schema["$schema"] = json!(DIALECT);
    schema["$id"] = json!(API_VERSION);
    schema["title"] = json!("What surrounds the manifests of a run");
    schema
}
