//! Objects of the tables as a run holds them, with the tables' own instants.

use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::meta::{Deletion, Labels, Meta, Uid};
use wavetank::api::name::{Name, Text};
use wavetank::api::node::{Node, Tristate};
use wavetank::api::object::Object;
use wavetank::api::pod::{
    Condition, ContainerState, ContainerStatus, Phase, Pod, PodCondition, PodSpec, PodStatus,
    WaitingReason,
};
use wavetank::base::Id;
use wavetank::base::hash::StableHasher;
use wavetank::time::SimTime;

/// The instant the tables call now.
pub const NOW: SimTime = SimTime::from_secs(2_000_000_000);

/// The members of a list; none where there is no list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A number; 0 where there is none.
pub fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// An instant: `now`, `now-5s`, `now+5s` or an RFC 3339 time.
pub fn instant(value: &Value) -> Option<SimTime> {
    let written = value.as_str()?;
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().expect("seconds");
    if let Some(ago) = written.strip_prefix("now-") {
        return Some(SimTime::from_secs(NOW.as_secs() - seconds(ago)));
    }
    if let Some(later) = written.strip_prefix("now+") {
        return Some(SimTime::from_secs(NOW.as_secs() + seconds(later)));
    }
    if written == "now" {
        return Some(NOW);
    }
    let at: jiff::Timestamp = written.parse().expect("an RFC 3339 time");
    Some(SimTime::from_secs(u64::try_from(at.as_second()).expect("a time after 1970")))
}

/// A uid for a text; none for none.
pub fn uid(value: &Value) -> Uid {
    match text(value) {
        "" => Uid(0),
        written => Uid(StableHasher::new().text(written).finish()),
    }
}

/// Labels or annotations.
pub fn labels(value: &Value) -> Arc<Labels> {
    let pairs = value.as_object().into_iter().flatten();
    Arc::new(pairs.map(|(key, value)| (Text::from(&**key), Text::from(text(value)))).collect())
}

/// Metadata but for owners and finalizers.
pub fn meta(value: &Value) -> Meta {
    let mut meta = Meta::new(text(&value["namespace"]).into(), Name::new(text(&value["name"])));
    meta.uid = uid(&value["uid"]);
    meta.created = instant(&value["creationTimestamp"]).unwrap_or(SimTime::ZERO);
    meta.labels = labels(&value["labels"]);
    meta.annotations = labels(&value["annotations"]);
    let at = instant(&value["deletionTimestamp"]);
    meta.deletion = at.map(|at| Deletion { at, grace_seconds: 30 });
    meta
}

/// The id that stands for a node's name.
pub fn node_id(name: &str) -> Option<Id<Node>> {
    let hash = StableHasher::new().text(name).finish();
    (!name.is_empty()).then(|| Id::from_parts(hash as u32 >> 8, 0))
}

/// A pod's spec, by way of the official types.
pub fn pod_spec(value: &Value) -> Arc<PodSpec> {
    let mut spec = if value.is_object() { value.clone() } else { json!({}) };
    spec.as_object_mut().expect("an object").retain(|_, field| !field.is_null());
    let written: core::Pod =
        serde_json::from_value(json!({"metadata": {}, "spec": spec})).expect("a pod");
    match Compactor::new().pod(written).object {
        Object::Pod(pod) => pod.spec,
        other => panic!("a pod became a {}", other.kind()),
    }
}

/// A phase; one that is not written is Pending.
pub fn phase(value: &Value) -> Phase {
    match text(value) {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        "Unknown" => Phase::Unknown,
        _ => Phase::Pending,
    }
}

fn condition(value: &Value) -> Condition {
    let since = instant(&value["lastTransitionTime"]).map(|since| since.as_secs() as u32);
    let value = Some(Tristate::parse(text(&value["status"])));
    Condition { value, since_seconds: since.unwrap_or(Condition::UNSAID) }
}

fn container(value: &Value) -> ContainerStatus {
    ContainerStatus {
        state: ContainerState::Waiting(WaitingReason::ContainerCreating),
        last: None,
        restarts: int(&value["restartCount"]) as u32,
        ready: value["ready"] == true,
        started: value["started"] == true,
        held_back_millis: 0,
    }
}

/// A pod bound to the node its spec names.
pub fn pod(value: &Value) -> Pod {
    let (spec, held) = (pod_spec(&value["spec"]), &value["status"]);
    let mut status = PodStatus { phase: phase(&held["phase"]), ..PodStatus::default() };
    for one in list(&held["conditions"]) {
        if one["type"] == "Ready" {
            status.conditions[PodCondition::Ready as usize] = condition(one);
        }
    }
    let address = list(&held["podIPs"]).first().map_or(&held["podIP"], |one| &one["ip"]);
    status.ip = text(address).parse::<Ipv4Addr>().ok();
    let mut containers: Vec<_> =
        list(&held["initContainerStatuses"]).iter().map(container).collect();
    let main = list(&held["containerStatuses"]);
    while !main.is_empty() && containers.len() < spec.init_containers.len() {
        containers.push(container(&Value::Null));
    }
    containers.extend(main.iter().map(container));
    status.containers = (!containers.is_empty()).then(|| containers.into());
    let node = node_id(text(&value["spec"]["nodeName"]));
    Pod { meta: meta(&value["metadata"]), spec, node, status }
}
