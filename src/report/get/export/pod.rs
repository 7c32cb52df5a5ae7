//! Pods: where they are, and what their kubelet says of them.

use serde_json::{Value, json};

use super::{Fields, Moment};
use crate::api::node::Tristate;
use crate::api::pod::{
    Container, ContainerState, ContainerStatus, Lifetime, Pod, PodCondition, PodSpec, Qos,
    Resizing, SaidCondition, StatusReason, Termination, WaitingReason, container_at,
};
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::Resources;
use crate::api::rules::pod_conditions::{Finding, Known};
use crate::api::rules::taints::{Comparison, Toleration};
use crate::time::SimDuration;

/// Conditions with their names, in the order a kubelet writes them.
const CONDITIONS: [(PodCondition, &str); 6] = [
    (PodCondition::DisruptionTarget, "DisruptionTarget"),
    (PodCondition::PodReadyToStartContainers, "PodReadyToStartContainers"),
    (PodCondition::Initialized, "Initialized"),
    (PodCondition::Ready, "Ready"),
    (PodCondition::ContainersReady, "ContainersReady"),
    (PodCondition::PodScheduled, "PodScheduled"),
];

/// Adds what is no part of the template: the node and the status.
pub(super) fn complete(moment: Moment<'_>, pod: &Pod, fields: &mut Fields) {
    if let Some(spec) = fields.get_mut("spec") {
        if let Some(node) = moment.node_name(pod.node) {
            spec["nodeName"] = json!(node);
        }
        admitted(&pod.spec, spec);
    }
    fields.insert("status".into(), status(moment, pod));
}

/// What admission and controllers added to what was written: its class, priority and tolerations.
fn admitted(held: &PodSpec, spec: &mut Value) {
    spec["priority"] = json!(held.priority);
    spec["preemptionPolicy"] = json!(held.preemption.name());
    if !held.priority_class.is_empty() {
        spec["priorityClassName"] = json!(&*held.priority_class);
    }
    let written = spec["tolerations"].as_array().map_or(0, Vec::len);
    let added = held.tolerations.iter().skip(written).map(toleration).collect::<Vec<_>>();
    match spec["tolerations"].as_array_mut() {
        Some(all) => all.extend(added),
        None if !added.is_empty() => spec["tolerations"] = json!(added),
        None => drop(spec.as_object_mut().and_then(|spec| spec.remove("tolerations"))),
    }
}

fn toleration(held: &Toleration) -> Value {
    let mut written = json!({
        "operator": match held.comparison {
            Comparison::Exists => "Exists",
            Comparison::Equal => "Equal",
            Comparison::Lt => "Lt",
            Comparison::Gt => "Gt",
        },
    });
    if !held.key.is_empty() {
        written["key"] = json!(&*held.key);
    }
    if !held.value.is_empty() {
        written["value"] = json!(&*held.value);
    }
    if let Some(effect) = held.effect {
        written["effect"] = json!(effect.name());
    }
    if let Some(seconds) = held.seconds {
        written["tolerationSeconds"] = json!(seconds);
    }
    written
}

fn status(moment: Moment<'_>, pod: &Pod) -> Value {
    let held = &pod.status;
    let mut status = json!({
        "phase": held.phase.name(),
        "qosClass": match pod.spec.qos {
            Qos::Guaranteed => "Guaranteed",
            Qos::Burstable => "Burstable",
            Qos::BestEffort => "BestEffort",
        },
    });
    if held.observed_generation > 0 {
        status["observedGeneration"] = json!(held.observed_generation);
    }
    let mut conditions: Vec<Value> = CONDITIONS
        .into_iter()
        .filter_map(|(which, name)| condition(moment, pod, which, name))
        .collect();
    let others = held.others.iter().flat_map(|all| all.iter());
    conditions.extend(others.map(|it| said_condition(moment, it)));
    conditions.extend(held.resize.iter().flat_map(|resize| resize_conditions(resize)));
    if !conditions.is_empty() {
        status["conditions"] = json!(conditions);
    }
    // A reason of a pod that was never placed is that of its condition.
    let is_of_condition = pod.node.is_none()
        && held.condition(PodCondition::PodScheduled).value == Some(Tristate::False);
    if let Some(why) = held.reason.as_ref().filter(|_| !is_of_condition) {
        status["reason"] = json!(&*why.reason);
        status["message"] = json!(&*why.message);
    }
    if let Some(start) = held.start_time {
        status["startTime"] = moment.instant(start);
        if let Some(node) = pod.node.and_then(|node| moment.store.node_of_pods(node)) {
            let all = moment.addresses(node.address);
            status["hostIP"] = json!(all[0]);
            status["hostIPs"] = all.iter().map(|ip| json!({ "ip": ip })).collect();
        }
    }
    if let Some(ip) = held.ip {
        let all = moment.addresses(ip);
        status["podIP"] = json!(all[0]);
        status["podIPs"] = all.iter().map(|ip| json!({ "ip": ip })).collect();
    }
    if let Some(node) = moment.node_name(held.nominated) {
        status["nominatedNodeName"] = json!(node);
    }
    containers(moment, pod, &mut status);
    status
}

/// What is said of a resize that is not through.
fn resize_conditions(resize: &Resizing) -> impl Iterator<Item = Value> + use<> {
    let of = |name: &str, why: &Option<StatusReason>| {
        let why = why.as_ref()?;
        let mut condition = json!({"type": name, "status": "True", "lastProbeTime": null});
        if !why.reason.is_empty() {
            condition["reason"] = json!(&*why.reason);
            condition["message"] = json!(&*why.message);
        }
        Some(condition)
    };
    let pending = of("PodResizePending", &resize.pending);
    pending.into_iter().chain(of("PodResizeInProgress", &resize.progress))
}

/// What a container of a pod that was resized may take by its node, and what it has.
fn held_resources(resize: &Resizing, index: usize) -> (Value, Value) {
    let amounts = |of: &Resources| {
        let cpu = (of.cpu_milli > 0)
            .then(|| ("cpu", Quantity::from_milli(of.cpu_milli, Format::DecimalSi)));
        let memory =
            (of.memory > 0).then(|| ("memory", Quantity::new(of.memory, Format::BinarySi)));
        let all = cpu.into_iter().chain(memory);
        Value::Object(all.map(|(name, it)| (name.to_owned(), json!(it.written().0))).collect())
    };
    let allocated = container_at(&resize.allocated, index).share();
    let actual = resize.actual.iter().find(|(at, _)| usize::from(*at) == index);
    let has = actual.map_or(&allocated, |(_, share)| share);
    let resources = json!({"requests": amounts(&has.requests), "limits": amounts(&has.limits)});
    (amounts(&allocated.requests), resources)
}

/// A condition that somebody else set.
fn said_condition(moment: Moment<'_>, said: &SaidCondition) -> Value {
    let mut condition = json!({
        "type": &*said.kind,
        "status": said.value.name(),
        "lastProbeTime": null,
        "lastTransitionTime": said.since().map(|since| moment.instant(since)),
    });
    for (field, text) in [("reason", &said.reason), ("message", &said.message)] {
        if !text.is_empty() {
            condition[field] = json!(&**text);
        }
    }
    condition
}

fn condition(moment: Moment<'_>, pod: &Pod, which: PodCondition, name: &str) -> Option<Value> {
    let held = pod.status.condition(which);
    let value = held.value?;
    // Before its kubelet writes, whoever writes a condition knows the pod as it is.
    let observed = match pod.status.observed_generation {
        0 => pod.meta.generation,
        observed => observed,
    };
    let mut condition = json!({
        "type": name,
        "observedGeneration": observed,
        "status": value.name(),
        "lastProbeTime": null,
        "lastTransitionTime": held.since().map(|since| moment.instant(since)),
    });
    if let Some((reason, message)) = why(pod, which, value) {
        condition["reason"] = json!(reason);
        if !message.is_empty() {
            condition["message"] = json!(message);
        }
    }
    Some(condition)
}

/// Why a condition has its value, in a kubelet's or the scheduler's words.
fn why(pod: &Pod, which: PodCondition, value: Tristate) -> Option<(String, String)> {
    let told = |why: &StatusReason| (why.reason.to_string(), why.message.to_string());
    match (which, value) {
        (PodCondition::DisruptionTarget, Tristate::True) => {
            pod.status.disruption.as_deref().map(told)
        }
        (PodCondition::PodScheduled, Tristate::False) => pod.status.reason.as_deref().map(told),
        (PodCondition::Initialized, _) => known(pod, |it| it.initialized()),
        (PodCondition::Ready, _) => {
            known(pod, |it| it.ready(|kind| pod.status.said(kind).map(|it| it.value)))
        }
        (PodCondition::ContainersReady, _) => known(pod, |it| it.containers_ready()),
        _ => None,
    }
}

/// What a kubelet finds of a condition, if it has anything to say.
fn known(pod: &Pod, find: impl Fn(Known<'_>) -> Finding) -> Option<(String, String)> {
    let held = pod.status.containers.as_deref();
    let of = |index: usize| held.and_then(|held| held.get(index).copied());
    let statuses = held.map(|_| &of as &dyn Fn(usize) -> Option<ContainerStatus>);
    let found = find(Known { spec: &pod.spec, statuses, phase: pod.status.phase });
    (!found.reason.is_empty()).then(|| (found.reason.to_owned(), found.message))
}

fn containers(moment: Moment<'_>, pod: &Pod, status: &mut Value) {
    let Some(held) = &pod.status.containers else { return };
    let inits = pod.spec.init_containers.len();
    let all = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let mut written = all.zip(held.iter()).enumerate().map(|(index, (spec, it))| {
        let mut written = container(moment, spec, it);
        if let Some(message) = held_back(pod, spec, it) {
            written["state"]["waiting"]["message"] = json!(message);
        }
        if let Some(resize) = &pod.status.resize {
            let (allocated, has) = held_resources(resize, index);
            (written["allocatedResources"], written["resources"]) = (allocated, has);
        }
        written
    });
    let init: Vec<Value> = written.by_ref().take(inits).collect();
    let own: Vec<Value> = written.collect();
    for (field, list) in [("initContainerStatuses", init), ("containerStatuses", own)] {
        if !list.is_empty() {
            status[field] = json!(list);
        }
    }
}

/// What is said of a container that waits after its crash.
fn held_back(pod: &Pod, spec: &Container, it: &ContainerStatus) -> Option<String> {
    let is_crashed = it.state == ContainerState::Waiting(WaitingReason::CrashLoopBackOff);
    let wait = SimDuration::from_millis(it.held_back_millis.into());
    (is_crashed && !wait.is_zero()).then(|| {
        let (container, meta) = (&spec.name, &pod.meta);
        let pod = format!("{}_{}({})", meta.name, meta.namespace, meta.uid);
        format!("back-off {wait} restarting failed container={container} pod={pod}")
    })
}

fn container(moment: Moment<'_>, spec: &Container, it: &ContainerStatus) -> Value {
    let state = match it.state {
        ContainerState::Waiting(reason) => json!({"waiting": {"reason": reason.name()}}),
        ContainerState::Running(since) => {
            json!({"running": {"startedAt": moment.instant(since)}})
        }
        ContainerState::Terminated(end) => json!({"terminated": ended(moment, end)}),
    };
    let last = match it.last {
        Some(end) => json!({"terminated": ended(moment, end)}),
        None => json!({}),
    };
    // Of an init container that runs to its end a kubelet says that it has not started.
    let is_running = matches!(it.state, ContainerState::Running(_));
    let started = it.started && (is_running || spec.lifetime == Lifetime::Sidecar);
    json!({
        "name": &*spec.name,
        "image": &*spec.image,
        "imageID": "",
        "ready": it.ready,
        "restartCount": it.restarts,
        "started": started,
        "state": state,
        "lastState": last,
    })
}

fn ended(moment: Moment<'_>, end: Termination) -> Value {
    json!({
        "exitCode": end.exit_code,
        "reason": end.reason.name(),
        "startedAt": moment.instant(end.started),
        "finishedAt": moment.instant(end.finished),
    })
}
